// Package clock tells the embedded AWS the time.
//
// Every timer of the embedded AWS (health checks, alarm periods, re-invocations,
// retry delays) runs on a Clock and on nothing else. Scaled runs faster than the
// wall by a factor, so that an hour there takes seconds here; Manual stands still
// until a test moves it, and then runs what fell due, in order, one at a time.
// Nothing here changes the world outside the process.
package clock

import (
	"container/heap"
	"sync"
	"time"
)

// A Clock tells the time and calls functions later.
type Clock interface {
	// Now is the embedded AWS's current time, in UTC.
	Now() time.Time
	// AfterFunc calls f once, d from now by this clock. A Scaled clock calls it
	// in a goroutine of its own; a Manual one from within Advance or Step.
	AfterFunc(d time.Duration, f func()) Timer
	// Go runs f apart from the caller. A Scaled clock starts a goroutine; a
	// Manual one queues f as due now, so that a test sees no concurrency it did
	// not ask for.
	Go(f func())
}

// A Timer is a call to come.
type Timer interface {
	// Stop keeps the call from happening and says whether it did so in time.
	Stop() bool
}

// Scaled is a clock that runs Speed times as fast as the wall. It is safe for
// concurrent use.
type Scaled struct {
	speed float64
	wall  time.Time // what the wall showed at start
}

// NewScaled starts a clock at the wall's time that runs speed times as fast.
// A speed of zero or less means 1.
func NewScaled(speed float64) *Scaled {
	if speed <= 0 {
		speed = 1
	}
	return &Scaled{speed: speed, wall: time.Now()}
}

// Now implements Clock.
func (c *Scaled) Now() time.Time {
	passed := float64(time.Since(c.wall)) * c.speed
	return c.wall.Add(time.Duration(passed)).UTC()
}

// AfterFunc implements Clock.
func (c *Scaled) AfterFunc(d time.Duration, f func()) Timer {
	return time.AfterFunc(c.Wall(d), f)
}

// Go implements Clock.
func (c *Scaled) Go(f func()) { go f() }

// Wall is how long d takes on the wall.
func (c *Scaled) Wall(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.speed)
}

// Manual is a clock that a test moves. Functions that fall due run in order of
// their time (then of their making) in the goroutine that moves the clock, with
// no lock held, and may themselves schedule more.
type Manual struct {
	mu    sync.Mutex
	now   time.Time
	made  int
	queue timers
}

// NewManual makes a clock that stands at start.
func NewManual(start time.Time) *Manual { return &Manual{now: start.UTC()} }

// Now implements Clock.
func (c *Manual) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc implements Clock.
func (c *Manual) AfterFunc(d time.Duration, f func()) Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	t := &manualTimer{clock: c, due: c.now.Add(max(d, 0)), order: c.made, call: f}
	heap.Push(&c.queue, t)
	return t
}

// Go implements Clock.
func (c *Manual) Go(f func()) { c.AfterFunc(0, f) }

// Step moves to the next call that is due at or before the limit and makes it.
// It says whether there was one; if not, the clock does not move.
func (c *Manual) Step(limit time.Time) bool {
	c.mu.Lock()
	if len(c.queue) == 0 || c.queue[0].due.After(limit) {
		c.mu.Unlock()
		return false
	}
	t := heap.Pop(&c.queue).(*manualTimer)
	if t.due.After(c.now) {
		c.now = t.due
	}
	c.mu.Unlock()
	t.call()
	return true
}

// Advance moves the clock by d and makes every call that falls due on the way.
func (c *Manual) Advance(d time.Duration) {
	end := c.Now().Add(d)
	for c.Step(end) {
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if end.After(c.now) {
		c.now = end
	}
}

// AdvanceUntil moves from call to call until done says so, and reports whether
// it did before limit had passed by this clock.
func (c *Manual) AdvanceUntil(limit time.Duration, done func() bool) bool {
	end := c.Now().Add(limit)
	for !done() {
		if !c.Step(end) {
			return false
		}
	}
	return true
}

type manualTimer struct {
	clock *Manual
	due   time.Time
	order int
	index int
	call  func()
}

// Stop implements Timer.
func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.clock.queue, t.index)
	return true
}

type timers []*manualTimer

func (q timers) Len() int { return len(q) }
func (q timers) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].order < q[j].order
	}
	return q[i].due.Before(q[j].due)
}
func (q timers) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *timers) Push(x any) {
	t := x.(*manualTimer)
	t.index = len(*q)
	*q = append(*q, t)
}
func (q *timers) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	t.index = -1
	return t
}
