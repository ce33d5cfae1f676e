package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cutover/pkg/record"
	"cutover/pkg/release"
)

// A Plan is how a release is to move.
type Plan struct {
	Moves   []release.Move // the last one is all of the traffic
	Healthy release.Healthy
	// Checks of the test route are made before the first move.
	Checks bool
	// Hooks are the points at which somebody is asked, and for how long; 0 means
	// that nobody is.
	BeforeShift, AfterStep, AfterShift, OnRollback time.Duration
	// Blue is what becomes of it in the end; nil leaves it as it is.
	Blue *Blue
	// Deadline is how long the release may go without progress.
	Deadline time.Duration
}

// A Pair is a service of the set as it stands.
type Pair struct {
	Name string
	// Busy says what blue still answers, or why that is not known; it is looked at
	// only once blue may go.
	Busy string
	// Share is green's of the production route, in tenths of a percent, as far as
	// the route forwards to the two sides and nothing else; Foreign says what it
	// does instead.
	Share       release.Weight
	Foreign     string
	Green, Blue Side
}

// A Side is blue or green.
type Side struct {
	Healthy int // targets
	Desired int // tasks
	// Unready says what keeps the side from taking more traffic, besides the
	// number of its healthy targets: a deployment that is not complete. What it
	// has already it may keep.
	Unready []string
}

// works says whether a side can keep what it has, or take all of the traffic in
// an emergency: at least half of its tasks, and one, are healthy. To take more
// from a side that works it needs as many as the plan asks for.
func (s Side) works() bool { return s.Healthy >= max(1, (s.Desired+1)/2) }

// A World is what a decision is made on.
type World struct {
	Now      time.Time
	Pairs    []Pair
	Progress record.Progress
	// Bad are reasons to go back: alarms, green worse than blue.
	Bad []string
	// Unsure says that there are too few requests to tell; it holds a step.
	Unsure string
	// Verbs that were said to this release.
	Abort, Hold, Promote *record.Said
	Approved             int // moves, from the first, that somebody has let go on
	// Answers of hooks and checks by their points, of those that were asked on
	// this tick.
	Answers map[string]Answer
	// LastCall is when the job has too little time left to go on; zero means never.
	LastCall time.Time
}

// An Answer is a hook's.
type Answer struct {
	Done   bool // false means that it wants to be asked again
	Failed bool
	Why    string
}

// A Kind is what is to be done.
type Kind int

// The kinds.
const (
	Stop     Kind = iota // touch nothing any more; the release has failed
	Refuse               // nothing was moved yet, and nothing may be as things are
	Note                 // record Progress
	Write                // write the production routes of Pairs
	Ask                  // ask the hook, or make the checks, of Point
	Scale                // scale blue's services of Pairs down to Count
	Wait                 // look again later
	Returned             // production is back on blue, all of it
	Shifted              // production is on green, all of it, was watched for long enough, and blue is done with
)

// A Decision is what to do now.
type Decision struct {
	Kind     Kind
	Progress record.Progress // of Note
	Pairs    []int           // of Write and Scale: indexes
	Target   release.Weight  // of Write: green's share
	Count    int             // of Scale: tasks
	Point    string          // of Ask
	Why      string          // of Stop, Refuse, Wait, Returned, and of a Shifted that left blue as it is
}

// Decide says what to do now.
func Decide(w World, plan Plan) Decision {
	switch {
	case w.Progress.Back:
		return decideBack(w, plan)
	case w.Progress.Move < 0:
		return decideStart(w, plan)
	}
	if found := foreign(w, plan); found != "" {
		return Decision{Kind: Stop, Why: found}
	}
	if !w.Progress.Baked.IsZero() {
		return decideBlue(w, plan)
	}
	if why := reasonsToGoBack(w, plan); why != "" {
		return goBack(w, why)
	}
	if !w.Progress.Settled {
		return decideWrite(w, plan)
	}
	return decideNext(w, plan)
}

// share is what green has after a move; before the first it has nothing.
func (p Plan) share(move int) release.Weight {
	if move < 0 {
		return 0
	}
	return p.Moves[min(move, len(p.Moves)-1)].Weight
}

// before is what green had before the move that is made.
func (p Plan) before(progress record.Progress) release.Weight {
	if progress.Skipped {
		return 0
	}
	return p.share(progress.Move - 1)
}

// decideStart is before the first move: nothing may have moved, green must be
// fit, and nothing may be wrong already.
func decideStart(w World, plan Plan) Decision {
	for _, p := range w.Pairs {
		switch {
		case p.Foreign != "":
			return Decision{Kind: Refuse, Why: p.Name + ": " + p.Foreign}
		case p.Share != 0:
			return Decision{Kind: Refuse, Why: fmt.Sprintf("%s: green already has %s of the traffic, and no release of this execution gave it", p.Name, p.Share)}
		}
	}
	first := firstMove(w, plan)
	switch why := unfit(w, plan, plan.share(first)); {
	case w.Abort != nil:
		return Decision{Kind: Refuse, Why: said("aborted", w.Abort)}
	case len(w.Bad) > 0:
		return Decision{Kind: Refuse, Why: strings.Join(w.Bad, "; ")}
	case why != "":
		return Decision{Kind: Refuse, Why: why}
	case w.Hold != nil:
		return Decision{Kind: Wait, Why: said("held", w.Hold)}
	}
	refuse := func(why string) Decision { return Decision{Kind: Refuse, Why: why} }
	if plan.Checks {
		switch answer, made := w.Answers[PointChecks]; {
		case !made:
			return Decision{Kind: Ask, Point: PointChecks}
		case answer.Failed:
			return refuse(answer.Why)
		}
	}
	if plan.BeforeShift > 0 && w.Progress.Passed != PointBeforeShift {
		return ask(w, PointBeforeShift, plan.BeforeShift, refuse)
	}
	return Decision{Kind: Note, Progress: begin(w, first)}
}

// firstMove is the plan's first move or, where no blue serves anything, as before
// the very first release, its last: there is nothing to be careful with.
func firstMove(w World, plan Plan) int {
	for _, p := range w.Pairs {
		if p.Blue.Healthy > 0 {
			return 0
		}
	}
	return len(plan.Moves) - 1
}

// begin is the progress of a move that is about to be made.
func begin(w World, move int) record.Progress {
	p := w.Progress
	p.Move, p.Settled, p.Since = move, false, w.Now
	p.Skipped = w.Progress.Move < 0 && move > 0
	return p
}

// foreign tells of routes that do not show what this release wrote.
func foreign(w World, plan Plan) string {
	p := w.Progress
	var found []string
	back := 0
	for _, pair := range w.Pairs {
		switch {
		case pair.Foreign != "":
			found = append(found, pair.Name+": "+pair.Foreign)
		case !expected(pair.Share, p, plan):
			if pair.Share == 0 {
				back++
			}
			found = append(found, fmt.Sprintf("%s: green has %s of the traffic, but this release gave it %s", pair.Name, pair.Share, plan.share(p.Move)))
		}
	}
	if len(found) == 0 {
		return ""
	}
	if back == len(w.Pairs) {
		return "production was moved back to blue by someone else after this execution had moved it to green"
	}
	return "someone else changed the production route: " + strings.Join(found, "; ")
}

// expected says whether a share is one that the progress accounts for.
func expected(share release.Weight, p record.Progress, plan Plan) bool {
	return share == plan.share(p.Move) || !p.Settled && share == plan.before(p)
}

// reasonsToGoBack joins what takes a release back once it has begun.
func reasonsToGoBack(w World, plan Plan) string {
	var why []string
	if w.Abort != nil {
		why = append(why, said("aborted", w.Abort))
	}
	why = append(why, w.Bad...)
	for _, p := range w.Pairs {
		if p.Share > 0 && !p.Green.works() {
			why = append(why, fmt.Sprintf("%s: green has %d healthy targets of %d tasks", p.Name, p.Green.Healthy, p.Green.Desired))
		}
	}
	if w.late() {
		why = append(why, "the job has no time left to go on")
	}
	if late := overdue(w, plan); late != "" {
		why = append(why, late)
	}
	return strings.Join(why, "; ")
}

// overdue says that a release makes no progress. Pauses, and waiting for people,
// are none of its fault.
func overdue(w World, plan Plan) string {
	p := w.Progress
	if plan.Deadline == 0 || w.Hold != nil || waitsForApproval(w, plan) {
		return ""
	}
	due := p.Since.Add(plan.Deadline)
	if p.Settled && p.Move < len(plan.Moves) {
		due = due.Add(plan.Moves[p.Move].Pause + plan.AfterStep)
		if p.Move == len(plan.Moves)-1 {
			due = due.Add(plan.AfterShift)
		}
	}
	if w.Now.Before(due) {
		return ""
	}
	return fmt.Sprintf("no progress for %s", plan.Deadline)
}

// unfit says which green cannot take a share that it does not have.
func unfit(w World, plan Plan, share release.Weight) string {
	var why []string
	for _, p := range w.Pairs {
		for _, reason := range p.Green.Unready {
			why = append(why, p.Name+": "+reason)
		}
		if need := plan.Healthy.Needed(p.Blue.Healthy, share); p.Green.Healthy < need {
			why = append(why, fmt.Sprintf("%s: green has %d healthy targets, needed for %s of the traffic are %d", p.Name, p.Green.Healthy, share, need))
		}
	}
	return strings.Join(why, "; ")
}

// goBack notes that production goes back, if blue can take it.
func goBack(w World, why string) Decision {
	if broken := brokenBlue(w); broken != "" {
		return Decision{Kind: Wait, Why: fmt.Sprintf("%s; but blue is worse, so nothing is moved: %s", why, broken)}
	}
	p := w.Progress
	p.Back, p.Why = true, why
	return Decision{Kind: Note, Progress: p}
}

// brokenBlue says which blue that would gain traffic does not work.
func brokenBlue(w World) string {
	var why []string
	for _, p := range w.Pairs {
		if p.Share > 0 && !p.Blue.works() {
			why = append(why, fmt.Sprintf("%s: blue has %d healthy targets of %d tasks", p.Name, p.Blue.Healthy, p.Blue.Desired))
		}
	}
	return strings.Join(why, "; ")
}

// decideBack takes production back, all services, whatever each has. What
// someone else has changed is left to them.
func decideBack(w World, plan Plan) Decision {
	var ours []int
	var found []string
	for i, pair := range w.Pairs {
		switch {
		case pair.Foreign != "":
			found = append(found, pair.Name+": "+pair.Foreign)
		case pair.Share == 0:
		case expectedBack(pair.Share, w.Progress, plan):
			ours = append(ours, i)
		default:
			found = append(found, fmt.Sprintf("%s: green has %s of the traffic, which this release did not give it", pair.Name, pair.Share))
		}
	}
	switch broken := brokenBlue(w); {
	case len(ours) > 0 && broken != "":
		return Decision{Kind: Wait, Why: fmt.Sprintf("going back, because %s; but blue is worse, so nothing is moved: %s", w.Progress.Why, broken)}
	case len(ours) > 0:
		return Decision{Kind: Write, Pairs: ours, Target: 0}
	case len(found) > 0:
		return Decision{Kind: Stop, Why: fmt.Sprintf("going back, because %s; someone else changed the production route: %s", w.Progress.Why, strings.Join(found, "; "))}
	}
	if why, asks := askOnRollback(w, plan); asks {
		return why
	}
	return Decision{Kind: Returned, Why: w.Progress.Why}
}

// expectedBack allows what the move under way, or the one before it, may have
// written: a rollback can begin in the middle of a move.
func expectedBack(share release.Weight, p record.Progress, plan Plan) bool {
	return share == plan.share(p.Move) || share == plan.before(p)
}

// decideWrite makes a move that was noted.
func decideWrite(w World, plan Plan) Decision {
	p := w.Progress
	target := plan.share(p.Move)
	var behind []int
	for i, pair := range w.Pairs {
		if pair.Share != target {
			behind = append(behind, i)
		}
	}
	if len(behind) == 0 {
		p.Settled, p.Since = true, w.Now
		return Decision{Kind: Note, Progress: p}
	}
	if why := unfit(w, plan, target); why != "" {
		return Decision{Kind: Wait, Why: why}
	}
	return Decision{Kind: Write, Pairs: behind, Target: target}
}

// decideNext is after a move: it lasts as long as it is to, then the next one
// begins.
func decideNext(w World, plan Plan) Decision {
	p := w.Progress
	move := plan.Moves[p.Move]
	last := p.Move == len(plan.Moves)-1
	if w.Hold != nil {
		return Decision{Kind: Wait, Why: said("held", w.Hold)}
	}
	point := PointAfterStep(p.Move)
	if plan.AfterStep > 0 && !slices.Contains([]string{point, PointAfterShift}, p.Passed) {
		return ask(w, point, plan.AfterStep, func(why string) Decision { return goBack(w, why) })
	}
	if w.Promote == nil {
		if left := p.Since.Add(move.Pause).Sub(w.Now); left > 0 {
			return Decision{Kind: Wait, Why: fmt.Sprintf("%s more at %s", left.Round(time.Second), move.Weight)}
		}
		if waitsForApproval(w, plan) {
			return Decision{Kind: Wait, Why: fmt.Sprintf("somebody has to resume the release at %s", move.Weight)}
		}
		if w.Unsure != "" {
			return Decision{Kind: Wait, Why: w.Unsure}
		}
	}
	if !last {
		if why := unfit(w, plan, plan.share(p.Move+1)); why != "" {
			return Decision{Kind: Wait, Why: why}
		}
		return Decision{Kind: Note, Progress: begin(w, p.Move+1)}
	}
	if plan.AfterShift > 0 && p.Passed != PointAfterShift {
		return ask(w, PointAfterShift, plan.AfterShift, func(why string) Decision { return goBack(w, why) })
	}
	if plan.Blue == nil {
		return Decision{Kind: Shifted}
	}
	p.Baked = w.Now
	return Decision{Kind: Note, Progress: p}
}

func waitsForApproval(w World, plan Plan) bool {
	p := w.Progress
	return p.Settled && w.Promote == nil && plan.Moves[p.Move].Approval && w.Approved <= p.Move
}

// said tells who said a verb, and why.
func said(what string, v *record.Said) string {
	text := what + " by " + v.By
	if v.Reason != "" {
		text += " (" + v.Reason + ")"
	}
	return text
}
