package deploygreen

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"cutover/pkg/bluegreen"
)

// Progress is what an attempt remembers of a pair. It only helps to find things
// and to tell this attempt's deployment from an earlier one: the world decides.
// Its zero value starts an attempt.
type Progress struct {
	Image          string `json:"image,omitempty"`          // as found in the input artifact
	Green          string `json:"green,omitempty"`          // target group that this attempt has claimed
	TaskDefinition string `json:"taskDefinition,omitempty"` // that green is to run
	Deployment     string `json:"deployment,omitempty"`     // by this deployment, once it was seen
}

// A State is what a tick hands to the next: the progress of the one pair or, of
// a release set, as much of each as a few bytes hold.
type State struct {
	Progress
	Set    string `json:"set,omitempty"`    // marks of the set's services, in the order of cutover.yaml
	Follow bool   `json:"follow,omitempty"` // all services of the set were seen to be deployed to
}

// A mark is the progress of one service of a set. A hundred of them have to fit
// a continuation token, so it holds no names: those are in the world.
type mark struct {
	claimed   bool
	side      int // that was claimed, in the order of the pair
	deploying bool
	revision  uint64 // of green's family; 0 while it is not known
	family    uint16 // checksum of the family's ARN
}

const (
	markClaimed = 1 << iota
	markSide
	markDeploying
	markRevision
)

func (r Release) mark() mark {
	m := mark{claimed: r.Green != "", deploying: r.Deployment != ""}
	if m.claimed && r.Green == r.Sides[1].TargetGroup {
		m.side = 1
	}
	family, revision := splitRevision(r.TaskDefinition)
	if number, err := strconv.ParseUint(revision, 10, 32); err == nil {
		m.revision, m.family = number, checksum(family)
	}
	return m
}

// progress is what the mark says of the pair as it is now.
func (m mark) progress(pair bluegreen.Pair) Progress {
	var p Progress
	if m.claimed {
		p.Green = pair.Sides[m.side].TargetGroup
	}
	if m.revision == 0 {
		return p
	}
	if m.deploying {
		p.Deployment = "seen"
	}
	family, _ := splitRevision(str(pair.Sides[m.side].Service.TaskDefinition))
	switch {
	case checksum(family) == m.family:
		p.TaskDefinition = fmt.Sprintf("%s:%d", family, m.revision)
	case m.deploying: // somebody deployed another family, which decide tells
		p.TaskDefinition = fmt.Sprintf("revision %d of another family", m.revision)
	}
	return p
}

// splitRevision parts a task definition's ARN into its family's and the number.
func splitRevision(arn string) (family, revision string) {
	i := strings.LastIndexByte(arn, ':')
	if i < 0 {
		return arn, ""
	}
	return arn[:i], arn[i+1:]
}

func checksum(text string) uint16 {
	h := fnv.New32a()
	h.Write([]byte(text))
	sum := h.Sum32()
	return uint16(sum>>16) ^ uint16(sum)
}

// packMarks writes marks: of each a byte of flags and, once it is known, the
// revision and the checksum.
func packMarks(marks []mark) string {
	var packed []byte
	for _, m := range marks {
		var flags byte
		for bit, set := range map[byte]bool{markClaimed: m.claimed, markSide: m.side == 1, markDeploying: m.deploying, markRevision: m.revision > 0} {
			if set {
				flags |= bit
			}
		}
		packed = append(packed, flags)
		if m.revision > 0 {
			packed = binary.AppendUvarint(packed, m.revision)
			packed = binary.BigEndian.AppendUint16(packed, m.family)
		}
	}
	return base64.RawStdEncoding.EncodeToString(packed)
}

var errMarks = errors.New("read the state of the release set: it is not of the services in cutover.yaml")

// unpackMarks reads the marks of so many services; of an attempt that begins,
// all are zero.
func unpackMarks(text string, services int) ([]mark, error) {
	marks := make([]mark, services)
	if text == "" {
		return marks, nil
	}
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errMarks
	}
	for i := range marks {
		if len(packed) == 0 {
			return nil, errMarks
		}
		flags := packed[0]
		packed = packed[1:]
		m := mark{claimed: flags&markClaimed != 0, deploying: flags&markDeploying != 0}
		if flags&markSide != 0 {
			m.side = 1
		}
		if flags&markRevision != 0 {
			revision, n := binary.Uvarint(packed)
			if n <= 0 || revision == 0 || len(packed) < n+2 {
				return nil, errMarks
			}
			m.revision, m.family = revision, binary.BigEndian.Uint16(packed[n:])
			packed = packed[n+2:]
		}
		marks[i] = m
	}
	if len(packed) > 0 {
		return nil, errMarks
	}
	return marks, nil
}
