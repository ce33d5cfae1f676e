package rollout

import (
	"fmt"
	"strings"
	"time"
)

// A Blue is what becomes of blue once production is on green and has been watched
// for long enough.
type Blue struct {
	Keep  time.Duration // how long it stays as it is
	Count int           // tasks that it is scaled down to
	Step  int           // tasks that a service loses at once; 0 means all that are too many
	Pause time.Duration // between two steps
}

// decideBlue is after the bake: the release has succeeded, and from now on only
// people take it back, as long as blue is whole. Alarms and an ill green, which may
// have causes of their own by now, keep blue as it is. When the job has no time
// left it ends as it stands.
func decideBlue(w World, plan Plan) Decision {
	p := w.Progress
	scaled := !p.Scaled.IsZero()
	switch {
	case w.Abort != nil && scaled:
		return Decision{Kind: Shifted, Why: fmt.Sprintf("%s, but too late: blue was scaled down to %d tasks at %s and cannot take production back; release the old version anew",
			said("aborted", w.Abort), p.Ceiling, p.Scaled.UTC().Format(time.RFC3339))}
	case w.Abort != nil && !w.late():
		return goBack(w, said("aborted", w.Abort))
	}
	why := keepBlue(w, plan)
	switch {
	case why == "":
		return scaleBlue(w, plan)
	case w.late():
		return Decision{Kind: Shifted, Why: "blue was left as it is: " + why}
	}
	return Decision{Kind: Wait, Why: "production is on green and has baked; blue is kept: " + why}
}

// keepBlue says why blue stays as it is for now.
func keepBlue(w World, plan Plan) string {
	p := w.Progress
	var why []string
	if w.Abort != nil {
		why = append(why, said("aborted", w.Abort)+", but the job has no time left to go back")
	}
	if w.Hold != nil {
		why = append(why, said("held", w.Hold))
	}
	why = append(why, w.Bad...)
	for _, pair := range w.Pairs {
		if !pair.Green.works() {
			why = append(why, fmt.Sprintf("%s: green has %d healthy targets of %d tasks", pair.Name, pair.Green.Healthy, pair.Green.Desired))
		}
	}
	promoted := w.Promote != nil && w.Promote.At.After(p.Baked) // not the one that ended the bake
	if left := p.Baked.Add(plan.Blue.Keep).Sub(w.Now); left > 0 && !promoted {
		why = append(why, fmt.Sprintf("%s more", left.Round(time.Second)))
	}
	return strings.Join(why, "; ")
}

// scaleBlue lowers the ceiling of all services together, step by step, and then
// each service below it that answers nothing any more. The ceiling is noted first,
// so that a step that was cut off is the same step when it is taken again.
func scaleBlue(w World, plan Plan) Decision {
	p, b := w.Progress, plan.Blue
	var above, ready []int
	var busy []string
	most := 0
	for i, pair := range w.Pairs {
		most = max(most, pair.Blue.Desired)
		if p.Scaled.IsZero() || pair.Blue.Desired <= p.Ceiling {
			continue
		}
		above = append(above, i)
		if pair.Busy != "" {
			busy = append(busy, pair.Name+": "+pair.Busy)
		} else {
			ready = append(ready, i)
		}
	}
	switch {
	case len(ready) > 0:
		return Decision{Kind: Scale, Pairs: ready, Count: p.Ceiling}
	case len(above) > 0:
		return leave(w, strings.Join(busy, "; "))
	case most <= b.Count || !p.Scaled.IsZero() && p.Ceiling <= b.Count:
		return Decision{Kind: Shifted}
	}
	if !p.Scaled.IsZero() {
		if left := p.Scaled.Add(b.Pause).Sub(w.Now); left > 0 {
			return leave(w, fmt.Sprintf("%s more with at most %d tasks", left.Round(time.Second), p.Ceiling))
		}
	} else if busy := w.busy(b.Count); busy != "" {
		return leave(w, busy) // nothing is given up before there is nothing to lose
	}
	p.Scaled, p.Ceiling = w.Now, b.Count
	if b.Step > 0 {
		p.Ceiling = max(b.Count, most-b.Step)
	}
	return Decision{Kind: Note, Progress: p}
}

// busy says which blues with more tasks than so many still answer requests.
func (w World) busy(count int) string {
	var why []string
	for _, pair := range w.Pairs {
		if pair.Blue.Desired > count && pair.Busy != "" {
			why = append(why, pair.Name+": "+pair.Busy)
		}
	}
	return strings.Join(why, "; ")
}

// leave waits, as long as the job has time.
func leave(w World, why string) Decision {
	if w.late() {
		return Decision{Kind: Shifted, Why: "blue was left as it is: " + why}
	}
	return Decision{Kind: Wait, Why: "production is on green and has baked; blue goes: " + why}
}
