package clock

import (
	"slices"
	"testing"
	"time"
)

func TestManual_RunsWhatFallsDueInOrder(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := NewManual(start)
	var got []string
	note := func(s string) func() { return func() { got = append(got, s) } }
	c.AfterFunc(3*time.Second, note("third"))
	c.AfterFunc(time.Second, func() {
		note("first")()
		c.AfterFunc(time.Second, note("second, scheduled by first"))
	})
	stopped := c.AfterFunc(2*time.Second, note("stopped"))
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop: got the wrong answer for a call to come, or for one stopped before")
	}
	c.AfterFunc(time.Hour, note("too late"))

	c.Advance(time.Minute)

	want := []string{"first", "second, scheduled by first", "third"}
	if !slices.Equal(got, want) {
		t.Errorf("calls: got %q, want %q", got, want)
	}
	if now := c.Now(); !now.Equal(start.Add(time.Minute)) {
		t.Errorf("now: got %v, want a minute after %v", now, start)
	}
}

func TestManual_AdvanceUntilStopsAtItsLimit(t *testing.T) {
	t.Parallel()
	c := NewManual(time.Unix(0, 0))
	var tick func()
	ticks := 0
	tick = func() { ticks++; c.AfterFunc(time.Second, tick) }
	c.Go(tick)
	if !c.AdvanceUntil(time.Minute, func() bool { return ticks == 10 }) {
		t.Errorf("AdvanceUntil: got false after %d ticks, want true at 10", ticks)
	}
	if c.AdvanceUntil(time.Minute, func() bool { return false }) {
		t.Error("AdvanceUntil: got true for what never happens")
	}
}

func TestScaled_RunsAheadOfTheWall(t *testing.T) {
	t.Parallel()
	c := NewScaled(3600)
	fired := make(chan time.Time, 1)
	start := c.Now()
	c.AfterFunc(time.Hour, func() { fired <- c.Now() })
	select {
	case at := <-fired:
		if at.Sub(start) < time.Hour {
			t.Errorf("fired %v after start by the clock, want at least an hour", at.Sub(start))
		}
	case <-time.After(30 * time.Second):
		t.Fatal("an hour at speed 3600 did not pass within 30 s of the wall")
	}
}
