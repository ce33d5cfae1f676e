package setview

import (
	"math"
	"slices"
	"strings"
	"time"

	"cutover/pkg/record"
)

// RollbackPrefix begins the execution of the record that a rollback by hand
// leaves; the release before it is the one that was taken back.
const RollbackPrefix = "rollback-"

// DORA are the four figures of software delivery, over the releases that are
// still recorded.
// https://dora.dev/guides/dora-metrics-four-keys/
type DORA struct {
	// Over is the time from the first of the releases until now.
	Over time.Duration `json:"overNanoseconds"`
	// Changes are the releases that reached production, Deployed those that got
	// all of it, Failed those that were taken back or stopped on the way.
	Changes  int `json:"changes"`
	Deployed int `json:"deployed"`
	Failed   int `json:"failed"`
	// PerDay is the deployment frequency; of less than a day, as if it were one.
	PerDay float64 `json:"deploymentsPerDay"`
	// LeadTime is the median time from the commit to all of production, where the
	// commit's time is not known from the release's start; FromCommit counts the
	// former.
	LeadTime   time.Duration `json:"leadTimeNanoseconds"`
	FromCommit int           `json:"leadTimesFromCommit"`
	// FailureRate is Failed of Changes, 0 to 1.
	FailureRate float64 `json:"changeFailureRate"`
	// Restore is the median time from the first request that a failed release got
	// until production was back on the side before; Restored counts them.
	Restore  time.Duration `json:"timeToRestoreNanoseconds"`
	Restored int           `json:"restored"`
}

// Figures reckons them from a set's releases, the newest first.
func Figures(history []record.Record, now time.Time) DORA {
	var d DORA
	var lead, restore []time.Duration
	for i, r := range history {
		if isRollback(r) || len(r.Steps) == 0 { // it never reached production
			continue
		}
		d.Changes++
		d.Over = max(d.Over, now.Sub(r.Started))
		restored := r.Restored
		failed := r.Ended != nil && r.Verdict != record.Succeeded
		if back := takenBack(history[:i]); back != nil {
			failed, restored = true, back.Restored
		}
		if r.Verdict == record.Succeeded && r.Ended != nil {
			d.Deployed++
			from := r.Started
			if r.Commit != nil && !r.Commit.At.IsZero() {
				from = r.Commit.At
				d.FromCommit++
			}
			lead = append(lead, r.Steps[len(r.Steps)-1].At.Sub(from))
		}
		if failed {
			d.Failed++
			if restored != nil {
				restore = append(restore, restored.Sub(r.Steps[0].At))
			}
		}
	}
	d.LeadTime, d.Restore, d.Restored = median(lead), median(restore), len(restore)
	if d.Changes > 0 {
		d.FailureRate = float64(d.Failed) / float64(d.Changes)
		d.PerDay = float64(d.Deployed) / math.Max(1, d.Over.Hours()/24)
	}
	return d
}

// takenBack is the rollback by hand that came right after a release: later are
// those after it, the newest first. What did not reach production lies between.
func takenBack(later []record.Record) *record.Record {
	for _, r := range slices.Backward(later) {
		if isRollback(r) && r.Verdict == record.RolledBack {
			return &r
		}
		if !isRollback(r) && len(r.Steps) > 0 {
			return nil
		}
	}
	return nil
}

func isRollback(r record.Record) bool { return strings.HasPrefix(r.Execution, RollbackPrefix) }

func median(of []time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	if n := len(of); n%2 == 0 {
		return (of[n/2-1] + of[n/2]) / 2
	}
	return of[len(of)/2]
}
