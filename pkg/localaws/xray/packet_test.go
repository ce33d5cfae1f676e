package xray

import (
	"encoding/json"
	"testing"
)

// FuzzPacket holds that no packet breaks the daemon, and that what it keeps is
// JSON that it would take again.
func FuzzPacket(f *testing.F) {
	const header = `{"format":"json","version":1}` + "\n"
	f.Add([]byte(header + `{"trace_id":"1-69a00000-000000000000000000000001","id":"0000000000000001","name":"a","start_time":1.5,"end_time":2,"annotations":{"a":1,"b":[]},"subsegments":[{"id":"x","fault":true}]}`))
	f.Add([]byte(header + `{"trace_id":"1-69a00000-000000000000000000000001","id":"0000000000000001","name":"a","start_time":1e300,"in_progress":true} {}`))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		documents, err := decodePacket(packet)
		if err != nil {
			return
		}
		if len(documents) == 0 {
			t.Fatal("got no document and no error")
		}
		for _, document := range documents {
			seg, err := decodeSegment(document)
			if err != nil {
				continue
			}
			if !json.Valid([]byte(seg.document)) {
				t.Errorf("kept %q, want JSON", seg.document)
			}
			if _, err := decodeSegment([]byte(seg.document)); err != nil {
				t.Errorf("read again: %v", err)
			}
			tr := &trace{}
			tr.add(seg)
			if got := tr.summary(seg.TraceID).Id; got != seg.TraceID {
				t.Errorf("summary: got %s, want %s", got, seg.TraceID)
			}
		}
	})
}
