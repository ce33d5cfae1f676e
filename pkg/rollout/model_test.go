package rollout

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cutover/pkg/record"
	"cutover/pkg/release"
)

// A model is a set whose release is driven by Decide, as the action drives it,
// with crashes between any two effects.
type model struct {
	t     *rapid.T
	plan  Plan
	now   time.Time
	start time.Time

	// What AWS has.
	pairs    []Pair
	progress record.Progress
	edited   bool // somebody else edited a route and has not put it back

	bad                  []string
	unsure               string
	abort, hold, promote *record.Said
	approved             int
	answers              map[string]Answer

	lastCall time.Time

	wroteBack bool // blue was given something back
	scaled    bool // blue has lost tasks
	ended     *Decision
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newModel(t *rapid.T) *model {
	m := &model{t: t, now: epoch, start: epoch, progress: record.Progress{Move: -1}, answers: map[string]Answer{}}
	weight := release.Weight(0)
	for range rapid.IntRange(0, 4).Draw(t, "moves") {
		weight += release.Weight(rapid.IntRange(1, 240).Draw(t, "step"))
		m.plan.Moves = append(m.plan.Moves, release.Move{
			Weight: weight, Pause: time.Duration(rapid.IntRange(0, 10).Draw(t, "pause")) * time.Minute,
			Approval: rapid.IntRange(0, 5).Draw(t, "approval") == 0,
		})
	}
	m.plan.Moves = append(m.plan.Moves, release.Move{Weight: release.Whole, Pause: time.Duration(rapid.IntRange(0, 10).Draw(t, "bake")) * time.Minute})
	timeouts := rapid.SampledFrom([]time.Duration{0, time.Minute, 10 * time.Minute})
	m.plan.BeforeShift = timeouts.Draw(t, "beforeShift")
	m.plan.AfterStep = timeouts.Draw(t, "afterStep")
	m.plan.AfterShift = timeouts.Draw(t, "afterShift")
	m.plan.OnRollback = timeouts.Draw(t, "onRollback")
	m.plan.Checks = rapid.Bool().Draw(t, "checks")
	if rapid.Bool().Draw(t, "blue goes") {
		m.plan.Blue = &Blue{
			Keep: time.Duration(rapid.IntRange(0, 60).Draw(t, "keep")) * time.Minute, Count: rapid.IntRange(0, 3).Draw(t, "count"),
			Step: rapid.IntRange(0, 2).Draw(t, "step"), Pause: time.Minute,
		}
	}
	if rapid.Bool().Draw(t, "short of time") {
		m.lastCall = epoch.Add(time.Duration(rapid.IntRange(1, 180).Draw(t, "last call")) * time.Minute)
	}
	m.plan.Deadline = time.Duration(rapid.SampledFrom([]int{0, 15, 60}).Draw(t, "deadline")) * time.Minute
	m.plan.Healthy.Percent = rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "healthy")
	for i := range rapid.IntRange(1, 4).Draw(t, "pairs") {
		count := rapid.IntRange(1, 5).Draw(t, "tasks")
		side := Side{Healthy: count, Desired: count}
		m.pairs = append(m.pairs, Pair{Name: fmt.Sprint("s", i), Green: side, Blue: side})
	}
	return m
}

func (m *model) world() World {
	return World{
		Now: m.now, Pairs: append([]Pair{}, m.pairs...), Progress: m.progress, Bad: m.bad, Unsure: m.unsure,
		Abort: m.abort, Hold: m.hold, Promote: m.promote, Approved: m.approved, Answers: m.answers, LastCall: m.lastCall,
	}
}

// tick is one invocation: it goes on until there is nothing to do, or until it
// crashes after so many effects.
func (m *model) tick(effects int) {
	m.answers = map[string]Answer{}
	for range 8 { // an invocation has an end, too
		d := Decide(m.world(), m.plan)
		switch d.Kind {
		case Note:
			if effects--; effects < 0 {
				return
			}
			m.note(d.Progress)
		case Write:
			for _, i := range d.Pairs {
				if effects--; effects < 0 {
					return
				}
				m.write(i, d)
			}
		case Scale:
			for _, i := range d.Pairs {
				if effects--; effects < 0 {
					return
				}
				m.scale(i, d)
			}
		case Ask:
			if d.Point != PointChecks && m.progress.Asking != d.Point {
				m.t.Fatalf("%s is asked before that was noted", d.Point)
			}
			m.answers[d.Point] = m.answer()
		case Wait:
			return
		case Stop, Refuse, Returned, Shifted:
			m.end(d)
			return
		}
	}
}

func (m *model) answer() Answer {
	return rapid.SampledFrom([]Answer{{Done: true}, {Done: true}, {Why: "not yet"}, {Failed: true, Why: "no"}}).Draw(m.t, "answer")
}

func (m *model) note(p record.Progress) {
	if m.progress.Back && !p.Back {
		m.t.Fatalf("progress forgets that production goes back: %+v", p)
	}
	if p.Move < m.progress.Move || p.Move > m.progress.Move+1 && !p.Skipped {
		m.t.Fatalf("progress goes from move %d to %d", m.progress.Move, p.Move)
	}
	if m.scaled && p.Back {
		m.t.Fatalf("production goes back to a blue that was scaled down: %+v", p)
	}
	m.progress = p
}

// scale takes tasks from a blue that nobody needs any more.
func (m *model) scale(i int, d Decision) {
	pair := &m.pairs[i]
	for _, p := range m.pairs {
		if p.Share != release.Whole || p.Foreign != "" {
			m.t.Fatalf("blue of %s loses tasks while %s has green at %s (%s)", pair.Name, p.Name, p.Share, p.Foreign)
		}
	}
	b := m.plan.Blue
	switch lost := pair.Blue.Desired - d.Count; {
	case m.progress.Back, m.progress.Baked.IsZero():
		m.t.Fatalf("blue of %s loses tasks with progress %+v", pair.Name, m.progress)
	case pair.Busy != "":
		m.t.Fatalf("blue of %s loses tasks although it is busy: %s", pair.Name, pair.Busy)
	case !pair.Green.works():
		m.t.Fatalf("blue of %s loses tasks although green does not work", pair.Name)
	case d.Count < b.Count, lost <= 0, b.Step > 0 && lost > b.Step:
		m.t.Fatalf("blue of %s goes from %d tasks to %d, with %+v", pair.Name, pair.Blue.Desired, d.Count, b)
	case m.promote == nil && m.now.Sub(m.progress.Baked) < b.Keep:
		m.t.Fatalf("blue of %s loses tasks %s after the bake, want it kept for %s", pair.Name, m.now.Sub(m.progress.Baked), b.Keep)
	}
	pair.Blue.Desired, pair.Blue.Healthy = d.Count, min(d.Count, pair.Blue.Healthy)
	m.scaled = true
}

func (m *model) write(i int, d Decision) {
	pair := &m.pairs[i]
	gains, loses := d.Target > pair.Share, d.Target < pair.Share
	switch {
	case pair.Foreign != "":
		m.t.Fatalf("%s is written although someone else edited it", pair.Name)
	case m.progress.Move < 0:
		m.t.Fatalf("%s is written before any progress was noted", pair.Name)
	case gains && m.progress.Back, gains && m.wroteBack:
		m.t.Fatalf("%s moves to green again after it went back", pair.Name)
	case gains && pair.Green.Healthy < m.plan.Healthy.Needed(pair.Blue.Healthy, d.Target):
		m.t.Fatalf("%s gives %s to %d healthy targets", pair.Name, d.Target, pair.Green.Healthy)
	case loses && !m.progress.Back:
		m.t.Fatalf("%s loses traffic without going back", pair.Name)
	case loses && !pair.Blue.works():
		m.t.Fatalf("%s goes back to a blue that does not work", pair.Name)
	}
	m.wroteBack = m.wroteBack || loses
	pair.Share = d.Target
}

func (m *model) end(d Decision) {
	m.ended = &d
	if d.Kind == Stop {
		return // the set is left as somebody else made it
	}
	want := release.Weight(0)
	if d.Kind == Shifted {
		want = release.Whole
	}
	for _, p := range m.pairs {
		if p.Share != want && !m.edited {
			m.t.Fatalf("it ended (%+v) with %s at %s, want all at %s", d, p.Name, p.Share, want)
		}
	}
}

// happen is something that nobody asked for.
func (m *model) happen() {
	pair := &m.pairs[rapid.IntRange(0, len(m.pairs)-1).Draw(m.t, "which")]
	verb := &record.Said{By: "somebody", At: m.now}
	switch rapid.IntRange(0, 15).Draw(m.t, "event") {
	case 0:
		pair.Green.Healthy = rapid.IntRange(0, pair.Green.Desired).Draw(m.t, "green")
	case 1:
		pair.Blue.Healthy = rapid.IntRange(0, pair.Blue.Desired).Draw(m.t, "blue")
	case 2:
		m.bad = []string{"alarm x is in ALARM"}
	case 3:
		m.bad = nil
	case 4:
		m.abort = verb
	case 5:
		m.hold = verb
	case 6:
		m.hold = nil
	case 7:
		m.promote, m.hold = verb, nil
	case 8:
		m.approved = rapid.IntRange(0, len(m.plan.Moves)).Draw(m.t, "approved")
	case 9:
		m.unsure = "too few requests"
	case 10:
		m.unsure = ""
	case 11:
		pair.Foreign, m.edited = "the route also forwards to another", true
	case 12:
		m.edited = true
		pair.Share = release.Weight(rapid.IntRange(0, 1000).Draw(m.t, "share"))
	case 13:
		pair.Busy = "12 requests"
	case 14:
		pair.Busy = ""
	default:
		m.now = m.now.Add(time.Duration(rapid.IntRange(0, 30).Draw(m.t, "minutes")) * time.Minute)
	}
}

func TestModel_EveryReleaseEndsAndKeepsThePromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			if m.ended != nil {
				break
			}
			if rapid.Bool().Draw(t, "happens") {
				m.happen()
			}
			m.tick(rapid.IntRange(0, 12).Draw(t, "effects until it crashes"))
		}
		// The world comes to rest: everything is healthy, nobody holds.
		for i := range m.pairs {
			m.pairs[i].Busy = ""
			m.pairs[i].Green.Healthy, m.pairs[i].Blue.Healthy = m.pairs[i].Green.Desired, m.pairs[i].Blue.Desired
		}
		m.hold, m.unsure, m.approved, m.bad = nil, "", len(m.plan.Moves), nil
		for i := 0; m.ended == nil; i++ {
			if i == 500 {
				t.Fatalf("no end in sight: %+v of %+v", Decide(m.world(), m.plan), m.world())
			}
			m.now = m.now.Add(time.Minute)
			m.tick(100)
		}
		before := m.ended.Kind
		if before == Refuse {
			return // nothing has moved: a retry is a fresh start
		}
		m.ended = nil
		m.tick(100) // a late duplicate, or a retry from the console
		if m.ended == nil || m.ended.Kind != before {
			t.Fatalf("asked again after the end: got %+v, want kind %d again", m.ended, before)
		}
	})
}

// With nobody in the way, production moves as planned, and only forward.
func TestModel_GoodReleaseShifts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		m.approved = len(m.plan.Moves)
		m.plan.BeforeShift, m.plan.AfterStep, m.plan.AfterShift, m.plan.Checks, m.lastCall = 0, 0, 0, false, time.Time{}
		for i := 0; m.ended == nil; i++ {
			if i == 500 {
				t.Fatal("no end in sight")
			}
			m.tick(rapid.IntRange(0, 5).Draw(t, "effects until it crashes"))
			m.now = m.now.Add(time.Minute)
		}
		if m.ended.Kind != Shifted {
			t.Fatalf("got %+v, want it shifted", m.ended)
		}
		least := time.Duration(0)
		for _, move := range m.plan.Moves {
			least += move.Pause
		}
		if b := m.plan.Blue; b != nil {
			least += b.Keep
			for _, p := range m.pairs {
				if p.Blue.Desired > b.Count {
					t.Errorf("blue of %s has %d tasks in the end, want at most %d", p.Name, p.Blue.Desired, b.Count)
				}
			}
		}
		if took := m.now.Sub(m.start); took < least {
			t.Errorf("took %s, less than its pauses of %s", took, least)
		}
	})
}
