package lambda

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A traceHeader is X-Amzn-Trace-Id.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
type traceHeader struct {
	root, parent string
	sampled      string // "1", "0", or "" when the sender did not decide
}

func parseTrace(header string) traceHeader {
	var t traceHeader
	for part := range strings.SplitSeq(header, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "Root":
			t.root = value
		case "Parent":
			t.parent = value
		case "Sampled":
			if value == "0" || value == "1" {
				t.sampled = value
			}
		}
	}
	return t
}

// A trace is what an invocation adds to X-Ray: the service's segment and the
// function's below it, whose id the function's own subsegments name as parent.
type trace struct {
	traceHeader
	requestID             string
	serviceID, functionID string
	began                 time.Time // on the wall, as the function's own subsegments
}

// beginTrace continues the invoker's trace, or starts one.
func (sb *sandbox) beginTrace(inv invocation) *trace {
	t := &trace{traceHeader: inv.trace, requestID: inv.requestID, serviceID: hexID(8), functionID: hexID(8), began: time.Now()}
	if t.root == "" {
		t.root = fmt.Sprintf("1-%08x-%s", t.began.Unix(), hexID(12))
	}
	switch {
	case sb.settings.tracing == "Active" && t.traceHeader.sampled == "":
		t.traceHeader.sampled = "1"
	case t.traceHeader.sampled == "":
		t.traceHeader.sampled = "0"
	}
	return t
}

func (t *trace) sampled() bool { return t.traceHeader.sampled == "1" }

// toFunction is the header that the function gets.
func (t *trace) toFunction() string {
	return "Root=" + t.root + ";Parent=" + t.functionID + ";Sampled=" + t.traceHeader.sampled
}

// A segment is an X-Ray segment document.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
type segment struct {
	TraceID     string         `json:"trace_id,omitempty"`
	ID          string         `json:"id"`
	ParentID    string         `json:"parent_id,omitempty"`
	Name        string         `json:"name"`
	Origin      string         `json:"origin,omitempty"`
	Start       float64        `json:"start_time"` // seconds since the epoch
	End         float64        `json:"end_time"`
	Fault       bool           `json:"fault,omitempty"`
	HTTP        map[string]any `json:"http,omitempty"`
	AWS         map[string]any `json:"aws,omitempty"`
	Cause       map[string]any `json:"cause,omitempty"`
	Subsegments []segment      `json:"subsegments,omitempty"`
}

// segments are the documents of a sampled invocation.
func (t *trace) segments(sb *sandbox, rec Invocation) [][]byte {
	if !t.sampled() {
		return nil
	}
	invoked := t.began.Add(rec.Init)
	end := invoked.Add(rec.Duration)
	service := segment{
		TraceID: t.root, ID: t.serviceID, ParentID: t.parent, Name: sb.function.name, Origin: "AWS::Lambda",
		Start: seconds(t.began), End: seconds(end), Fault: rec.Error != "",
		HTTP: map[string]any{"response": map[string]any{"status": 200}},
		AWS:  map[string]any{"request_id": t.requestID, "resource_names": []string{sb.function.name}, "function_arn": sb.function.arn()},
	}
	function := segment{
		TraceID: t.root, ID: t.functionID, ParentID: t.serviceID, Name: sb.function.name, Origin: "AWS::Lambda::Function",
		Start: seconds(t.began), End: seconds(end), Fault: rec.Error != "",
		AWS: map[string]any{"account_id": account, "function_arn": sb.function.arn(), "cloudwatch_logs": []any{
			map[string]any{"log_group": sb.settings.logging.LogGroup},
		}},
	}
	if rec.Error != "" {
		function.Cause = map[string]any{"exceptions": []any{map[string]any{"id": hexID(8), "type": rec.Error}}}
	}
	if rec.Cold {
		function.Subsegments = append(function.Subsegments, segment{ID: hexID(8), Name: "Initialization", Start: seconds(t.began), End: seconds(invoked)})
	}
	function.Subsegments = append(function.Subsegments, segment{ID: hexID(8), Name: "Invocation", Start: seconds(invoked), End: seconds(end), Fault: rec.Error != ""})
	return [][]byte{encode(service), encode(function)}
}

func encode(s segment) []byte {
	raw, err := json.Marshal(s)
	if err != nil {
		panic("lambda: encode segment: " + err.Error()) // it holds nothing that JSON can't
	}
	return raw
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
