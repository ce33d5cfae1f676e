package xray

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// maxDocument is the longest segment document, in bytes.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
const maxDocument = 64 << 10

// decodePacket takes a daemon's packet apart: a header line, then one or more
// documents.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon
func decodePacket(packet []byte) ([]json.RawMessage, error) {
	line, rest, ok := bytes.Cut(packet, []byte("\n"))
	if !ok {
		return nil, errors.New("read packet: no header line")
	}
	var header struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(line, &header); err != nil {
		return nil, fmt.Errorf("read packet's header: %w", err)
	}
	if header.Format != "json" || header.Version != 1 {
		return nil, fmt.Errorf("read packet's header: format %q version %d is not json version 1", header.Format, header.Version)
	}
	var documents []json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(rest))
	for decoder.More() {
		var document json.RawMessage
		if err := decoder.Decode(&document); err != nil {
			return nil, fmt.Errorf("read packet's documents: %w", err)
		}
		documents = append(documents, document)
	}
	if len(documents) == 0 {
		return nil, errors.New("read packet's documents: there is none")
	}
	return documents, nil
}

// A segment is what the service reads of a document.
type segment struct {
	ID          string                     `json:"id"`
	TraceID     string                     `json:"trace_id"`
	ParentID    string                     `json:"parent_id"`
	Name        string                     `json:"name"`
	Type        string                     `json:"type"` // "subsegment" or empty
	Origin      string                     `json:"origin"`
	Start       float64                    `json:"start_time"` // seconds since the epoch
	End         float64                    `json:"end_time"`
	InProgress  bool                       `json:"in_progress"`
	Fault       bool                       `json:"fault"`
	Error       bool                       `json:"error"`
	Throttle    bool                       `json:"throttle"`
	Annotations map[string]json.RawMessage `json:"annotations"`
	Subsegments []segment                  `json:"subsegments"`

	document string
}

var (
	traceIDs   = regexp.MustCompile(`^1-[0-9a-f]{8}-[0-9a-f]{24}$`)
	segmentIDs = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// decodeSegment reads a document and checks what X-Ray requires.
func decodeSegment(document []byte) (*segment, error) {
	if len(document) > maxDocument {
		return nil, fmt.Errorf("read segment: %d bytes are more than %d", len(document), maxDocument)
	}
	var s segment
	if err := json.Unmarshal(document, &s); err != nil {
		return nil, fmt.Errorf("read segment: %w", err)
	}
	switch {
	case !traceIDs.MatchString(s.TraceID):
		return nil, fmt.Errorf("read segment: trace_id %q is not one", s.TraceID)
	case !segmentIDs.MatchString(s.ID):
		return nil, fmt.Errorf("read segment: id %q is not one", s.ID)
	case s.Name == "" || len(s.Name) > 200:
		return nil, fmt.Errorf("read segment %s: name is not 1 to 200 characters", s.ID)
	case s.Start <= 0:
		return nil, fmt.Errorf("read segment %s: start_time is missing", s.ID)
	case s.End == 0 && !s.InProgress:
		return nil, fmt.Errorf("read segment %s: neither end_time nor in_progress is there", s.ID)
	}
	s.document = string(document)
	return &s, nil
}
