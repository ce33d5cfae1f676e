package rollout

import (
	"fmt"
	"time"
)

// Points at which hooks are asked and checks are made.
const (
	PointChecks      = "checks"
	PointBeforeShift = "beforeShift"
	PointAfterShift  = "afterShift"
	PointOnRollback  = "onRollback"
)

// PointAfterStep is the point after a move.
func PointAfterStep(move int) string { return fmt.Sprintf("afterStep/%d", move) }

// ask has a hook asked, or goes by its answer. That it is going to be asked is
// noted first: its time runs from then on, whoever goes on asking.
func ask(w World, point string, timeout time.Duration, failed func(why string) Decision) Decision {
	p := w.Progress
	if p.Asking != point {
		p.Asking, p.AskedSince = point, w.Now
		return Decision{Kind: Note, Progress: p}
	}
	answer, asked := w.Answers[point]
	switch {
	case !asked:
		return Decision{Kind: Ask, Point: point}
	case answer.Failed:
		return failed(fmt.Sprintf("hook %s: %s", point, answer.Why))
	case answer.Done:
		p.Passed, p.Asking, p.AskedSince = point, "", time.Time{}
		return Decision{Kind: Note, Progress: p}
	case w.Now.Sub(p.AskedSince) >= timeout:
		return failed(fmt.Sprintf("hook %s: not done after %s: %s", point, timeout, answer.Why))
	}
	return Decision{Kind: Wait, Why: fmt.Sprintf("hook %s: %s", point, answer.Why)}
}

// askOnRollback tells the hook that production is back on blue. Its answer is
// noted and changes nothing; one that does not come is waited for until its time,
// or the job's, is over.
func askOnRollback(w World, plan Plan) (Decision, bool) {
	p := w.Progress
	if plan.OnRollback == 0 || p.Passed == PointOnRollback {
		return Decision{}, false
	}
	passed := func(why string) Decision {
		p.Passed, p.Asking, p.AskedSince = PointOnRollback, "", time.Time{}
		p.Why += "; " + why
		return Decision{Kind: Note, Progress: p}
	}
	if w.late() {
		return passed("hook onRollback: the job had no time left to ask it"), true
	}
	d := ask(w, PointOnRollback, plan.OnRollback, passed)
	if answer := w.Answers[PointOnRollback]; d.Kind == Note && answer.Done && answer.Why != "" {
		return passed("hook onRollback: " + answer.Why), true
	}
	return d, true
}

// late says that the job has no time left to go on.
func (w World) late() bool { return !w.LastCall.IsZero() && !w.Now.Before(w.LastCall) }
