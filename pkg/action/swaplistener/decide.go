package swaplistener

import (
	"fmt"

	"cutover/pkg/bluegreen"
)

// A World is what decide decides on.
type World struct {
	Pairs []bluegreen.Pair
}

// A State is what a tick hands to the next. Its zero value starts an attempt.
type State struct {
	// Moved is set once production was seen on green: if it is not there any
	// more, someone else took it back.
	Moved bool `json:"moved,omitempty"`
	// Generation is that of a release set's record.
	Generation int `json:"generation,omitempty"`
}

// A Kind is what is to be done with a pair; of several pairs the ones that are
// behind go first, so the lowest kind is done next.
type Kind int

// The kinds, in order.
const (
	Fail      Kind = iota // production must not be moved to this execution's release
	Refuse                // not as the world is
	Retire                // mark blue's execution as over
	Shift                 // write the production route
	RouteTest             // point the test route at the old side
	Mark                  // tag the target groups
	Swapped               // all of it is done
)

// A Decision is what to do next with one pair.
type Decision struct {
	Kind       Kind
	Pair       int      // index in World.Pairs
	Why        []string // of Fail and Refuse
	Green, Old bluegreen.Side
}

// decide is pure. It returns what to do now: the same kind for each pair that
// is behind, so that all pairs' production moves before anything else does,
// and none does while one may not.
func decide(w World, p Params, s State) []Decision {
	var next []Decision
	for i, pair := range w.Pairs {
		d := decideOne(pair, p, s)
		d.Pair = i
		switch {
		case len(next) == 0 || d.Kind < next[0].Kind:
			next = []Decision{d}
		case d.Kind == next[0].Kind:
			next = append(next, d)
		}
	}
	return next
}

func decideOne(pair bluegreen.Pair, p Params, s State) Decision {
	live, found := pair.Live()
	if !found { // observe has refused this already
		return Decision{Kind: Fail, Why: []string{"no side is live"}}
	}
	idle := pair.Other(live)
	if live.Execution() == p.Execution {
		return decideRest(pair, live, idle)
	}
	fail := func(format string, args ...any) Decision {
		return Decision{Kind: Fail, Why: []string{fmt.Sprintf(format, args...)}, Green: idle, Old: live}
	}
	retired := bluegreen.Retired(p.Execution)
	switch {
	case live.Execution() == retired:
		return fail("execution %s was released before and is being replaced by a later one", p.Execution)
	case idle.Execution() == retired:
		return fail("execution %s was released before and has been replaced by %s", p.Execution, bluegreen.DescribeExecution(live.Execution()))
	case idle.Execution() == "":
		return fail("no target group carries execution %s: %s carries none: DeployGreen has not run for it", p.Execution, idle)
	case idle.Execution() != p.Execution:
		return fail("no target group carries execution %s: %s carries %s", p.Execution, idle, bluegreen.DescribeExecution(idle.Execution()))
	case s.Moved:
		return fail("production was moved back to %s by someone else after this execution had moved it to %s", live, idle)
	}
	need := p.MinimumHealthy
	if need == 0 {
		need = live.Health.Healthy
	}
	if why := idle.Unready(need); len(why) > 0 {
		return Decision{Kind: Refuse, Why: why, Green: idle, Old: live}
	}
	if live.Execution() != bluegreen.Retired(live.Execution()) {
		return Decision{Kind: Retire, Green: idle, Old: live}
	}
	return Decision{Kind: Shift, Green: idle, Old: live}
}

// decideRest is what follows once green is production.
func decideRest(pair bluegreen.Pair, green, old bluegreen.Side) Decision {
	d := Decision{Kind: Swapped, Green: green, Old: old}
	switch {
	case !pair.Test.PointsTo(old.TargetGroup):
		d.Kind = RouteTest
	case green.Tags[bluegreen.TagIsProduction] != "True" || old.Tags[bluegreen.TagIsProduction] != "False":
		d.Kind = Mark
	}
	return d
}
