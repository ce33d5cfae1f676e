package setview

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"cutover/pkg/bluegreen"
	"cutover/pkg/record"
	"cutover/pkg/release"
)

// A Status is where a release set stands.
type Status struct {
	Set string `json:"set"`
	// State is one word or two: under way, held, going back, silent, or how the
	// last release ended.
	State string `json:"state"`
	Next  string `json:"next"`
	// Release is the last one.
	Release record.Record `json:"release"`
	// Percent is what the release has given green, as far as it is recorded.
	Percent float64      `json:"percent"`
	Freeze  *record.Said `json:"freeze,omitempty"`
	Abort   *record.Said `json:"abort,omitempty"`
	Hold    *record.Said `json:"hold,omitempty"`
	Resume  *record.Said `json:"resume,omitempty"`
	Promote *record.Said `json:"promote,omitempty"`
	// Services are the live world; none without the set's file.
	Services []Live `json:"services,omitempty"`

	now   time.Time
	moves []release.Move
}

// A Live is a service's two sides as they are now.
type Live struct {
	Name   string   `json:"name"`
	Sides  []Side   `json:"sides"`
	Faults []string `json:"faults,omitempty"`
}

// A Side is one of them.
type Side struct {
	Service   string  `json:"service"`
	Percent   float64 `json:"percent"` // of production
	Healthy   int     `json:"healthy"` // targets
	Desired   int     `json:"desired"` // tasks
	Execution string  `json:"execution,omitempty"`
	Image     string  `json:"image,omitempty"`
}

// NewStatus says where a set stands by its last release and what was said to it.
// file may be nil: then the pauses are not known, nor is seen, the world.
func NewStatus(set string, look record.Look, now time.Time, file *release.File, seen []bluegreen.Observation) Status {
	s := Status{
		Set: set, Release: look.Record, now: now,
		Freeze: look.Freeze, Abort: look.Abort, Hold: look.Hold, Resume: look.Resume, Promote: look.Promote,
	}
	if file != nil {
		s.moves = file.Moves()
	}
	for i, o := range seen {
		s.Services = append(s.Services, live(file.Services[i].Name, o))
	}
	for _, step := range look.Record.Steps {
		s.Percent = step.Weight
	}
	s.State = s.state()
	s.Next = s.next()
	return s
}

// Over says whether the last release has ended.
func (s Status) Over() bool { return s.Release.Ended != nil }

func live(name string, o bluegreen.Observation) Live {
	l := Live{Name: name, Faults: o.Faults}
	shares := o.Pair.Production.Weights()
	sum := 0.0
	for _, n := range shares {
		sum += float64(n)
	}
	for _, side := range o.Pair.Sides {
		v := Side{
			Service: side.Name(), Healthy: side.Health.Healthy, Desired: int(side.Service.DesiredCount),
			Execution: side.Execution(), Image: side.Tags[bluegreen.TagImage],
		}
		if sum > 0 && side.TargetGroup != "" {
			v.Percent = float64(shares[side.TargetGroup]) * 100 / sum
		}
		l.Sides = append(l.Sides, v)
	}
	slices.SortStableFunc(l.Sides, func(a, b Side) int { return int(b.Percent*10) - int(a.Percent*10) })
	return l
}

func (s Status) state() string {
	r := s.Release
	switch {
	case r.Ended != nil:
		return r.Verdict
	case !r.Held(s.now):
		return "silent"
	case r.Progress.Back:
		return "going back"
	case s.Hold != nil:
		return "held"
	case s.waitsForApproval():
		return "waits for approval"
	}
	return "under way"
}

func (s Status) move() (release.Move, bool) {
	if i := s.Release.Progress.Move; i >= 0 && i < len(s.moves) {
		return s.moves[i], true
	}
	return release.Move{}, false
}

func (s Status) waitsForApproval() bool {
	p := s.Release.Progress
	m, known := s.move()
	return known && p.Settled && m.Approval && !p.Since.Add(m.Pause).After(s.now) && s.Promote == nil &&
		(s.Resume == nil || s.Resume.Move <= p.Move)
}

// next says what happens next, and when if that can be told.
func (s Status) next() string {
	p := s.Release.Progress
	switch {
	case s.Over() && s.Freeze != nil:
		return "no release may start until somebody says: cutover unfreeze " + s.Set
	case s.Over() && s.Release.Verdict == record.Failed && (p.Move >= 0 || isRollback(s.Release)):
		return fmt.Sprintf("retry the stage when the cause is gone, or: cutover rollback %s --file FILE", s.Set)
	case s.Over() && s.Release.Verdict == record.Failed:
		return "retry the stage when the cause is gone, or release another commit"
	case s.Over():
		return "nothing; the next release may start"
	case !s.Release.Held(s.now):
		return "nothing, unless its job goes on; another release may take the lock"
	case p.Back:
		return "all production routes go to blue, then the release ends"
	case s.Abort != nil && p.Move < 0:
		return "the release ends before anything has moved"
	case s.Abort != nil:
		return "all production routes go back to blue"
	case s.Hold != nil:
		return "nothing moves until somebody says: cutover resume " + s.Set
	case p.Move < 0:
		return "the first move, when green is healthy and nothing speaks against it"
	case !p.Settled:
		return s.settling()
	}
	return s.pausing()
}

func (s Status) settling() string {
	if m, known := s.move(); known {
		return fmt.Sprintf("green gets %s on all routes, when it has the healthy targets", m.Weight)
	}
	return fmt.Sprintf("move %d is made on all routes, when green has the healthy targets", s.Release.Progress.Move+1)
}

func (s Status) pausing() string {
	p := s.Release.Progress
	m, known := s.move()
	then := "the release ends"
	if i := p.Move + 1; i < len(s.moves) {
		then = fmt.Sprintf("green gets %s", s.moves[i].Weight)
	}
	due := p.Since.Add(m.Pause)
	switch {
	case !known:
		return "the next move when this one's pause is over; --file tells which and when"
	case s.Promote != nil:
		return then + ", without waiting"
	case s.waitsForApproval():
		return fmt.Sprintf("%s, when somebody says: cutover resume %s", then, s.Set)
	case due.After(s.now):
		return fmt.Sprintf("%s at %s, in %s", then, clock(due, s.now), length(due.Sub(s.now)))
	}
	return then + ", when nothing speaks against it"
}

// Write writes the status.
func (s Status) Write(out io.Writer) error {
	var w strings.Builder
	r := s.Release
	fmt.Fprintf(&w, "Release set %s: %s\n\n", s.Set, s.State)
	rows := [][]string{{"release", fmt.Sprintf("%d, %s", r.Generation, r.Strategy)}, {"execution", r.Execution}}
	if c := r.Commit; c != nil {
		id := c.ID
		if len(id) > 12 {
			id = id[:12]
		}
		rows = append(rows, []string{"commit", strings.TrimSpace(id + " " + firstLine(c.Message))})
	}
	rows = append(rows, []string{"started", fmt.Sprintf("%s, %s ago", at(r.Started), length(s.now.Sub(r.Started)))}, []string{"production", s.production()})
	if r.Ended != nil {
		rows = append(rows, []string{"ended", fmt.Sprintf("%s, after %s", at(*r.Ended), length(r.Ended.Sub(r.Started)))})
	} else if !r.Held(s.now) {
		rows = append(rows, []string{"silent", "no sign of life; its lock expired at " + at(r.Expires)})
	}
	for _, v := range []struct {
		what string
		said *record.Said
	}{{"abort", s.Abort}, {"held", s.Hold}, {"promoted", s.Promote}, {"resumed", s.Resume}, {"frozen", s.Freeze}} {
		if v.said != nil {
			rows = append(rows, []string{v.what, said(v.said, s.now)})
		}
	}
	rows = append(rows, []string{"next", s.Next})
	table(&w, "  ", rows...)
	if why := s.why(); why != "" {
		wrap(&w, "  why         ", why)
	}
	s.world(&w)
	return write(out, &w)
}

func (s Status) why() string {
	if s.Release.Why != "" {
		return s.Release.Why
	}
	return s.Release.Progress.Why
}

func (s Status) production() string {
	r, p := s.Release, s.Release.Progress
	of := ""
	if n := len(s.moves); n > 0 {
		of = fmt.Sprintf(" of %d", n)
	}
	switch since := clock(p.Since, s.now) + ", " + length(s.now.Sub(p.Since)) + " ago"; {
	case isRollback(r):
		return s.byHand()
	case p.Move < 0:
		return "all on blue: nothing has moved"
	case r.Verdict == record.Failed:
		return fmt.Sprintf("stopped: green had %s after the last complete move; see the routes", percent(s.Percent))
	case r.Verdict == record.RolledBack:
		return "all on blue again"
	case p.Back:
		return fmt.Sprintf("green had %s, going back to blue", percent(s.Percent))
	case !p.Settled:
		return fmt.Sprintf("green has %s, move %d%s is being made since %s", percent(s.Percent), p.Move+1, of, since)
	default:
		return fmt.Sprintf("green has %s, move %d%s, since %s", percent(s.Percent), p.Move+1, of, since)
	}
}

// byHand is production during and after a rollback by hand.
func (s Status) byHand() string {
	switch s.Release.Verdict {
	case record.RolledBack:
		return "all on the sides before that release"
	case record.Failed:
		return "not all on the sides before that release; see the routes"
	}
	return "on its way to the sides before that release"
}

func (s Status) world(w *strings.Builder) {
	if len(s.Services) == 0 {
		return
	}
	w.WriteByte('\n')
	rows := [][]string{{"SERVICE", "SIDE", "TRAFFIC", "HEALTHY", "HOLDS"}}
	for _, l := range s.Services {
		for i, side := range l.Sides {
			name := l.Name
			if i > 0 {
				name = ""
			}
			holds := strings.TrimSpace(short(side.Execution) + " " + image(side.Image))
			if holds == "" {
				holds = "-"
			}
			rows = append(rows, []string{name, side.Service, fmt.Sprintf("%.4g %%", side.Percent), fmt.Sprintf("%d of %d", side.Healthy, side.Desired), holds})
		}
	}
	table(w, "  ", rows...)
	for _, l := range s.Services {
		for _, fault := range l.Faults {
			wrap(w, "  ! ", l.Name+": "+fault)
		}
	}
}

func said(v *record.Said, now time.Time) string {
	text := "by " + v.By + " at " + clock(v.At, now)
	if v.Reason != "" {
		text += ": " + v.Reason
	}
	return text
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// Key tells two statuses apart by what has happened, not by the time that passes.
func (s Status) Key() string {
	r := s.Release
	return fmt.Sprintf("%s %d %d %d %t %t %v %v", s.State, r.Generation, r.Progress.Move, len(r.Steps), r.Progress.Settled, r.Progress.Back,
		[]bool{s.Abort != nil, s.Hold != nil, s.Resume != nil, s.Promote != nil, s.Freeze != nil}, s.Services)
}
