package setview

import (
	"fmt"
	"io"
	"strings"
	"time"

	"cutover/pkg/record"
)

// History writes a set's releases, the newest first, and what they come to.
func History(out io.Writer, set string, history []record.Record, now time.Time) error {
	var w strings.Builder
	fmt.Fprintf(&w, "Release set %s, the last %s:\n\n", set, plural(len(history), "release"))
	rows := [][]string{{"", "STARTED", "TOOK", "VERDICT", "SEEN BY GREEN", "COMMIT", "STRATEGY"}}
	for _, r := range history {
		rows = append(rows, []string{fmt.Sprint(r.Generation), at(r.Started), took(r, now), verdict(r, now), exposed(r), commit(r), r.Strategy})
	}
	table(&w, "  ", rows...)
	reasons(&w, history)
	figures(&w, Figures(history, now))
	return write(out, &w)
}

func reasons(w *strings.Builder, history []record.Record) {
	first := true
	for _, r := range history {
		if r.Why == "" {
			continue
		}
		if first {
			w.WriteString("\nWhy:\n")
			first = false
		}
		wrap(w, fmt.Sprintf("  %3d  ", r.Generation), r.Why)
	}
}

func took(r record.Record, now time.Time) string {
	switch {
	case r.Ended != nil:
		return length(r.Ended.Sub(r.Started))
	case r.Held(now):
		return length(now.Sub(r.Started)) + " so far"
	}
	return "-"
}

func verdict(r record.Record, now time.Time) string {
	switch {
	case r.Ended != nil:
		return r.Verdict
	case r.Held(now):
		return "under way"
	}
	return "silent"
}

func exposed(r record.Record) string {
	if len(r.Steps) == 0 || isRollback(r) {
		return "-"
	}
	return plural(int(r.Exposed), "request")
}

func commit(r record.Record) string {
	if r.Commit == nil {
		return "-"
	}
	return r.Commit.ID[:min(len(r.Commit.ID), 8)]
}

func figures(w *strings.Builder, d DORA) {
	if d.Changes == 0 {
		w.WriteString("\nNo release has reached production yet.\n")
		return
	}
	fmt.Fprintf(w, "\nOver %s, %s reached production:\n\n", length(d.Over), plural(d.Changes, "release"))
	rows := [][]string{
		{"deployment frequency", fmt.Sprintf("%.1f a day", d.PerDay), fmt.Sprintf("%d got all of it", d.Deployed)},
		{"lead time for changes", orNone(d.LeadTime, d.Deployed), fmt.Sprintf("median; %d from the commit's time, %d from the release's start", d.FromCommit, d.Deployed-d.FromCommit)},
		{"change failure rate", fmt.Sprintf("%.0f %%", 100*d.FailureRate), fmt.Sprintf("%d were taken back or stopped", d.Failed)},
		{"time to restore", orNone(d.Restore, d.Restored), fmt.Sprintf("median of %d, from the first traffic on green until it was back", d.Restored)},
	}
	table(w, "  ", rows...)
}

func orNone(d time.Duration, of int) string {
	if of == 0 {
		return "-"
	}
	return length(d)
}
