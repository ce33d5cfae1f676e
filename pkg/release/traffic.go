package release

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Weight is a share of the traffic in tenths of a percent.
type Weight int32

// Whole is all of the traffic.
const Whole Weight = 1000

// String writes a share in percent: "12.5 %".
func (w Weight) String() string {
	return strconv.FormatFloat(float64(w)/10, 'f', -1, 64) + " %"
}

// A Percent is a number of percent, at least 0 and at most 100.
type Percent float64

// weight is the share that a percentage asks for, and false if the load balancer
// cannot keep it: its weights are exact to 0.1 %.
func (p Percent) weight() (Weight, bool) {
	tenths := float64(p) * 10
	return Weight(math.Round(tenths)), tenths >= 1 && tenths <= float64(Whole) && math.Abs(tenths-math.Round(tenths)) < 1e-6
}

// Traffic is how production moves. At most one of its members is set; none means
// all at once.
type Traffic struct {
	// Canary moves a part, waits, and moves the rest.
	Canary *Canary `yaml:"canary"`
	// Linear moves equal parts at equal intervals.
	Linear *Linear `yaml:"linear"`
	// Steps are taken one after another; after the last one, all of it moves.
	Steps []Step `yaml:"steps" jsonschema:"minItems=1,maxItems=100"`
}

// Canary is one step, and the rest after an interval.
type Canary struct {
	// Share of the first step, in percent. Required.
	Percent Percent `yaml:"percent" jsonschema:"required,minimum=0.1,exclusiveMaximum=100"`
	// How long it lasts. Required.
	Interval Duration `yaml:"interval" jsonschema:"required"`
}

// Linear is equal steps at equal intervals.
type Linear struct {
	// Share that each step adds, in percent. Required.
	Percent Percent `yaml:"percent" jsonschema:"required,minimum=0.1,maximum=100"`
	// How long each lasts. Required.
	Interval Duration `yaml:"interval" jsonschema:"required"`
}

// A Step is a share of the traffic and what has to pass before the next one.
type Step struct {
	// Share of the traffic that green gets, in percent, down to 0.1. Required.
	Weight Percent `yaml:"weight" jsonschema:"required,minimum=0.1,maximum=100"`
	// How long the step lasts, or "approval": until somebody resumes it. Default: 0s.
	Pause Pause `yaml:"pause"`
}

// A Pause is a length of time, or the wait for somebody.
type Pause struct {
	Duration Duration
	Approval bool
}

// String writes a pause as the file has it.
func (p Pause) String() string {
	if p.Approval {
		return "approval"
	}
	return p.Duration.String()
}

// A Move is one write of the production routes: the share that green gets, and
// what has to pass before the next one.
type Move struct {
	Weight Weight
	Pause  time.Duration
	// Approval holds until somebody resumes the release.
	Approval bool
}

// Moves are the writes in order; the last one is all of the traffic, and its
// pause is the bake.
func (f *File) Moves() []Move {
	var moves []Move
	switch t := f.Traffic; {
	case t.Canary != nil:
		w, _ := t.Canary.Percent.weight()
		moves = append(moves, Move{Weight: w, Pause: time.Duration(t.Canary.Interval)})
	case t.Linear != nil:
		w, _ := t.Linear.Percent.weight()
		for at := w; at < Whole; at += w {
			moves = append(moves, Move{Weight: at, Pause: time.Duration(t.Linear.Interval)})
		}
	default:
		for _, s := range t.Steps {
			w, _ := s.Weight.weight()
			moves = append(moves, Move{Weight: w, Pause: time.Duration(s.Pause.Duration), Approval: s.Pause.Approval})
		}
	}
	if n := len(moves); n > 0 && moves[n-1].Weight == Whole {
		moves[n-1].Pause += time.Duration(f.Bake)
		return moves
	}
	return append(moves, Move{Weight: Whole, Pause: time.Duration(f.Bake)})
}

// faults lists what is wrong with how traffic moves.
func (t Traffic) faults(fault func(path, format string, args ...any)) {
	if n := btoi(t.Canary != nil) + btoi(t.Linear != nil) + btoi(len(t.Steps) > 0); n > 1 {
		fault("traffic", "has several of canary, linear and steps: give one")
	}
	exact := func(path string, p Percent) {
		if _, ok := p.weight(); !ok {
			fault(path, "is %v, must be from 0.1 to 100 in steps of 0.1", float64(p))
		}
	}
	if c := t.Canary; c != nil {
		exact("traffic.canary.percent", c.Percent)
		if c.Percent >= 100 {
			fault("traffic.canary.percent", "is 100: that is all-at-once")
		}
		positive(fault, "traffic.canary.interval", c.Interval)
	}
	if l := t.Linear; l != nil {
		exact("traffic.linear.percent", l.Percent)
		positive(fault, "traffic.linear.interval", l.Interval)
	}
	last := Percent(0)
	for i, s := range t.Steps {
		path := fmt.Sprintf("traffic.steps[%d]", i)
		exact(path+".weight", s.Weight)
		if s.Weight <= last {
			fault(path+".weight", "is %v, must be more than the step before it (%v)", float64(s.Weight), float64(last))
		}
		last = s.Weight
		if s.Pause.Approval && s.Weight == 100 {
			fault(path+".pause", "is approval at 100 %%: there is nothing left to approve")
		}
	}
}

func positive(fault func(path, format string, args ...any), path string, d Duration) {
	if d <= 0 {
		fault(path, "is %s, must be more than 0s", d)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// allAtOnce is what the file may say in place of a mapping.
const allAtOnce = "all-at-once"

// Strategy names how traffic moves, for people.
func (t Traffic) Strategy() string {
	switch {
	case t.Canary != nil:
		return fmt.Sprintf("canary of %v %% for %s", float64(t.Canary.Percent), t.Canary.Interval)
	case t.Linear != nil:
		return fmt.Sprintf("linear by %v %% every %s", float64(t.Linear.Percent), t.Linear.Interval)
	case len(t.Steps) > 0:
		var parts []string
		for _, s := range t.Steps {
			parts = append(parts, strconv.FormatFloat(float64(s.Weight), 'f', -1, 64)+" %")
		}
		return "steps of " + strings.Join(parts, ", ")
	}
	return allAtOnce
}
