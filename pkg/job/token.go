package job

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"
)

// A token is what a tick leaves to the next, in CodePipeline's continuation
// token. It is written as the version, a checksum, a byte that tells whether
// the rest is deflated, and JSON.
type token struct {
	Attempt  string          `json:"a"`           // id of the attempt's first job
	Started  seconds         `json:"s"`           // AWS's time at the first tick
	Written  seconds         `json:"w"`           // AWS's time at the last one
	Percent  int             `json:"p"`           // most that was reached
	Progress seconds         `json:"t"`           // when it was
	Summary  string          `json:"m,omitempty"` // of the last tick that could see
	Faulty   seconds         `json:"f,omitempty"` // since when every tick met a transient fault
	State    json.RawMessage `json:"x,omitempty"` // the step's
}

// seconds are a Unix time, which is as fine as AWS's Date header; 0 is a time
// not known.
type seconds int64

func at(t time.Time) seconds {
	if t.IsZero() {
		return 0
	}
	return seconds(t.Unix())
}

func (s seconds) time() time.Time { return time.Unix(int64(s), 0).UTC() }

const (
	tokenVersion = "v1."
	plain        = 0
	deflated     = 1
	longBody     = 512      // bytes from which on deflating is worth its memory
	maxUnpacked  = 64 << 10 // of a token's JSON: a bound against tokens made by others
	sumLength    = 4
	keptSummary  = 160 // characters of the last summary, if they fit
)

// encode writes the token. The summary is left out if the state needs its room.
func (t token) encode() (string, error) {
	t.Summary = cut(t.Summary, keptSummary, "")
	text, err := t.pack()
	if err == nil && len(text) > maxToken && t.Summary != "" {
		t.Summary = ""
		text, err = t.pack()
	}
	if err != nil {
		return "", fmt.Errorf("write continuation token: %w", err)
	}
	if len(text) > maxToken {
		return "", fmt.Errorf("write continuation token: the action's state of %d bytes makes it %d characters long, and CodePipeline takes %d", len(t.State), len(text), maxToken)
	}
	return text, nil
}

func (t token) pack() (string, error) {
	body, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	if len(body) > maxUnpacked {
		return "", fmt.Errorf("the action's state is %d bytes long", len(t.State))
	}
	kind := byte(plain)
	if len(body) > longBody {
		small, err := deflate(body)
		if err != nil {
			return "", err
		}
		if len(small) < len(body) {
			kind, body = deflated, small
		}
	}
	raw := append([]byte{kind}, body...)
	raw = append(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(raw)), raw...)
	return tokenVersion + base64.RawURLEncoding.EncodeToString(raw), nil
}

// errCorrupt says that a token is not as any tick wrote it.
var errCorrupt = errors.New("the continuation token is damaged")

// decodeToken reads a token of this version.
func decodeToken(text string) (token, error) {
	body, ours := strings.CutPrefix(text, tokenVersion)
	if !ours {
		if version, _, found := strings.Cut(text, "."); found && len(version) < 8 && strings.HasPrefix(version, "v") {
			return token{}, fmt.Errorf("the continuation token is of version %q, and this function reads %q: it was replaced while the job ran", version, strings.TrimSuffix(tokenVersion, "."))
		}
		return token{}, errCorrupt
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(raw) <= sumLength || binary.BigEndian.Uint32(raw) != crc32.ChecksumIEEE(raw[sumLength:]) {
		return token{}, errCorrupt
	}
	kind, packed := raw[sumLength], raw[sumLength+1:]
	if kind == deflated {
		if packed, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxUnpacked+1)); err != nil || len(packed) > maxUnpacked {
			return token{}, errCorrupt
		}
	}
	var t token
	if json.Unmarshal(packed, &t) != nil || !t.sane() {
		return token{}, errCorrupt
	}
	return t, nil
}

func (t token) sane() bool {
	return jobID.MatchString(t.Attempt) && t.Started >= 0 && t.Written >= 0 && t.Progress >= 0 &&
		t.Faulty >= 0 && t.Percent >= 0 && t.Percent <= maxPercent
}

func deflate(body []byte) ([]byte, error) {
	var small bytes.Buffer
	w, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err = w.Close()
	return small.Bytes(), err
}
