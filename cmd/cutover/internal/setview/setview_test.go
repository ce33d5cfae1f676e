package setview

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cutover/pkg/record"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func TestLength_LeavesOutWhatNobodyReads(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", -time.Minute: "0s", 250 * time.Millisecond: "250ms", 90 * time.Second: "1m30s", 5 * time.Minute: "5m",
		time.Hour + 10*time.Second: "1h", 50*time.Hour + 7*time.Minute: "2d2h7m",
	} {
		if got := length(d); got != want {
			t.Errorf("length(%s): got %s, want %s", d, got, want)
		}
	}
}

func TestShort_KeepsWhatTellsSidesApart(t *testing.T) {
	t.Parallel()
	const id = "11111111-2222-3333-4444-555555555555"
	for tag, want := range map[string]string{
		"": "", "e1": "e1", id: "11111111", "retired:" + id: "11111111", "rolled-back:" + id: "11111111 (rolled back)",
	} {
		if got := short(tag); got != want {
			t.Errorf("short(%q): got %q, want %q", tag, got, want)
		}
	}
}

// Every word is printed once, in order, in lines that fit if their words do.
func TestWrap_LosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-zü]{1,30}`), 1, 60).Draw(t, "words")
		var w strings.Builder
		wrap(&w, "  lead  ", strings.Join(words, " "))
		if diff := cmp.Diff(append([]string{"lead"}, words...), strings.Fields(w.String())); diff != "" {
			t.Errorf("words (-want +got):\n%s", diff)
		}
		for line := range strings.Lines(w.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("got a line of %d columns, want at most %d: %s", n, width, line)
			}
		}
	})
}

// released is a release of an hour that got all of production in its middle.
func released(execution string, start time.Time, verdict string) record.Record {
	ended, restored := start.Add(time.Hour), start.Add(50*time.Minute)
	r := record.Record{Execution: execution, Started: start, Ended: &ended, Verdict: verdict, Steps: []record.Step{
		{Weight: 10, At: start.Add(20 * time.Minute)}, {Weight: 100, At: start.Add(30 * time.Minute)},
	}}
	if verdict == record.RolledBack {
		r.Restored = &restored
	}
	return r
}

func TestFigures(t *testing.T) {
	t.Parallel()
	good := released("a", noon, record.Succeeded)
	committed := good
	committed.Commit = &record.Commit{ID: "c", At: noon.Add(-time.Hour)}
	bad := released("b", noon.Add(24*time.Hour), record.RolledBack)
	refused := record.Record{Execution: "c", Started: noon.Add(25 * time.Hour), Ended: &noon, Verdict: record.Failed}
	back := noon.Add(2 * time.Hour)
	byHand := record.Record{Execution: "rollback-2", Started: back, Ended: &back, Restored: &back, Verdict: record.RolledBack}
	failedByHand := record.Record{Execution: "rollback-2", Started: back, Ended: &back, Verdict: record.Failed}
	now := noon.Add(48 * time.Hour)
	for name, c := range map[string]struct {
		history []record.Record // the newest first
		want    DORA
	}{
		"nothing yet":                          {nil, DORA{}},
		"what was refused reached nobody":      {[]record.Record{refused}, DORA{}},
		"a good one, its commit's time known":  {[]record.Record{committed}, DORA{Over: 48 * time.Hour, Changes: 1, Deployed: 1, PerDay: .5, LeadTime: 90 * time.Minute, FromCommit: 1}},
		"one of two was rolled back by itself": {[]record.Record{refused, bad, good}, DORA{Over: 48 * time.Hour, Changes: 2, Deployed: 1, PerDay: .5, LeadTime: 30 * time.Minute, Failed: 1, FailureRate: .5, Restore: 30 * time.Minute, Restored: 1}},
		"a good one was rolled back by hand, at the second try": {[]record.Record{byHand, failedByHand, good}, DORA{
			Over: 48 * time.Hour, Changes: 1, Deployed: 1, PerDay: .5, LeadTime: 30 * time.Minute, Failed: 1, FailureRate: 1, Restore: 100 * time.Minute, Restored: 1}},
		"a rollback by hand is of the release right before it": {[]record.Record{byHand, good, released("z", noon, record.Succeeded)}, DORA{
			Over: 48 * time.Hour, Changes: 2, Deployed: 2, PerDay: 1, LeadTime: 30 * time.Minute, Failed: 1, FailureRate: .5, Restore: 100 * time.Minute, Restored: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, Figures(c.history, now)); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
		})
	}
}
