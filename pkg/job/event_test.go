package job

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestDecodeEvent_ExpirationInAnyForm(t *testing.T) {
	t.Parallel()
	whole := string(eventFor(job1, good, ""))
	if !strings.Contains(whole, "1700000000000") {
		t.Fatal("the event has no expirationTime to change")
	}
	for form, want := range map[string]time.Time{
		"1700000000000": time.UnixMilli(1700000000000), "null": {}, `"soon"`: {}, "{}": {}, "-1": {}, "1e999": {},
	} {
		got, _, err := decodeEvent([]byte(strings.ReplaceAll(whole, "1700000000000", form)))
		if err != nil || !got.Data.ArtifactCredentials.Expires.Equal(want) {
			t.Errorf("%s: got %+v, %v, want %s", form, got, err, want)
		}
	}
}

func FuzzEvent(f *testing.F) {
	f.Add(eventFor(job1, good, "v1.x"))
	f.Add([]byte(`{"CodePipeline.job":{"id":"` + job1 + `","data":3}}`))
	f.Add([]byte(`{"a":[{}],"CodePipeline.job":{"b":{},"id":"` + job1))
	f.Fuzz(func(t *testing.T, payload []byte) {
		job, id, err := decodeEvent(payload)
		if (err == nil) != (job != nil) {
			t.Errorf("got job %v and error %v", job, err)
		}
		if id != "" && !jobID.MatchString(id) {
			t.Errorf("id: got %q", id)
		}
		if err == nil && !json.Valid(payload) {
			t.Error("got no error, want one: it is not JSON")
		}
	})
}
