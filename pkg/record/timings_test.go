package record_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/record"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	at := func(minutes int) *time.Time { v := noon.Add(time.Duration(minutes) * time.Minute); return &v }
	canary := []record.Step{{Weight: 10, At: *at(5)}, {Weight: 100, At: *at(15)}}
	for name, c := range map[string]struct {
		record record.Record
		want   record.Timings
	}{
		"a release that never moved has none":              {record.Record{Started: noon, Progress: record.Progress{Move: -1}}, record.Timings{}},
		"without a commit it leads from its start":         {record.Record{Started: noon, Steps: canary}, record.Timings{LeadTime: 15 * 60}},
		"with one it leads from there":                     {record.Record{Started: noon, Steps: canary, Commit: &record.Commit{At: *at(-60)}}, record.Timings{LeadTime: 75 * 60}},
		"a rollback counts from the first step":            {record.Record{Started: noon, Steps: []record.Step{canary[0], {At: *at(8)}}, Detected: at(7), Restored: at(8)}, record.Timings{TimeToDetect: 120, TimeToRestore: 180}},
		"one in the first move counts from its intent":     {record.Record{Started: noon, Steps: []record.Step{{At: *at(8)}}, Progress: record.Progress{Since: *at(6)}, Detected: at(7), Restored: at(8)}, record.Timings{TimeToDetect: 60, TimeToRestore: 120}},
		"clocks that disagree make no time less than none": {record.Record{Started: noon, Steps: canary, Commit: &record.Commit{At: *at(600)}}, record.Timings{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, c.record.Measure()); diff != "" {
				t.Errorf("timings (-want +got):\n%s", diff)
			}
		})
	}
}
