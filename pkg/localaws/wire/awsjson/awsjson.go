// Package awsjson speaks AWS JSON 1.0 and 1.1: the operation's name in
// X-Amz-Target, members as JSON, times as seconds since the epoch.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
package awsjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// A Protocol is AWS JSON as one service speaks it.
type Protocol struct {
	Version string      // "1.1" or "1.0"
	Target  string      // X-Amz-Target before the dot, e.g. "CodePipeline_20150709"
	Naming  wire.Naming // wire.LowerFirst for most; wire.AsIs for SSM and EventBridge
}

// Operation implements wire.Protocol.
func (p Protocol) Operation(r wire.Request) (string, bool) {
	target, name, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return name, ok && target == p.Target
}

// Decode implements wire.Protocol.
func (p Protocol) Decode(r wire.Request, _ string, in any) []string {
	tree, err := Parse(r.Body)
	if err != nil {
		return []string{"body: " + err.Error()}
	}
	return wire.Dialect{Naming: p.Naming}.Fill(in, tree)
}

// Encode implements wire.Protocol.
func (p Protocol) Encode(w http.ResponseWriter, _ string, out any, requestID string) {
	p.write(w, http.StatusOK, Plain(wire.Tree(reflect.ValueOf(out), p.Naming)), requestID)
}

// EncodeError implements wire.Protocol.
func (p Protocol) EncodeError(w http.ResponseWriter, err *wire.Error, requestID string) {
	w.Header().Set("X-Amzn-ErrorType", err.Code)
	p.write(w, err.HTTPStatus(), map[string]any{"__type": err.Code, "message": err.Message}, requestID)
}

func (p Protocol) write(w http.ResponseWriter, status int, body any, requestID string) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("awsjson: encode answer: %v", err)) // an output type that JSON can't hold
	}
	w.Header().Set("Content-Type", "application/x-amz-json-"+p.Version)
	w.Header().Set("X-Amzn-RequestId", requestID)
	w.WriteHeader(status)
	w.Write(text)
}

// Denied implements wire.Protocol.
func (Protocol) Denied() string { return "AccessDeniedException" }

// Throttled implements wire.Protocol.
func (Protocol) Throttled() string { return "ThrottlingException" }

// Unknown implements wire.Protocol.
func (Protocol) Unknown() string { return "UnknownOperationException" }

// Parse reads one JSON value, keeping numbers as they stand. An empty body is an
// empty structure.
func Parse(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("parse JSON: more than one value")
	}
	return tree, nil
}

// Plain turns the times and blobs in a tree into what JSON has for them.
func Plain(tree any) any {
	switch n := tree.(type) {
	case map[string]any:
		for key, value := range n {
			n[key] = Plain(value)
		}
	case []any:
		for i, value := range n {
			n[i] = Plain(value)
		}
	case time.Time:
		return json.Number(fmt.Sprintf("%.3f", float64(n.UnixMilli())/1000))
	case []byte:
		return base64.StdEncoding.EncodeToString(n)
	}
	return tree
}
