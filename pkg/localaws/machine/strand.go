package machine

import (
	"context"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
)

// A strand is a line of work (a script, a service, a boot) in a goroutine of its
// own that keeps step with the clock: whoever starts it, and every call of the
// clock that wakes it, waits until it sleeps again or has ended. On a manual
// clock the work so happens within the call that moves the clock.
//
// A script with commands in the background has several parts at a time, and
// nothing tells when one of them ends; such a strand is taken to sleep when one of
// its parts does and none has stirred for a moment of the wall's time.
type strand struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	several bool // it has parts in the background
	stirs   int  // how often a part slept or woke
	ended   bool
	parked  map[*parking]struct{}
	quiet   chan struct{} // closed while any part is parked, and at the end
}

// parking is one part of a strand that waits.
type parking struct {
	ctx   context.Context
	woken chan struct{}
}

type strandKey struct{}

func newStrand(ctx context.Context) *strand {
	s := &strand{done: make(chan struct{}), quiet: make(chan struct{}), parked: map[*parking]struct{}{}}
	ctx, s.cancel = context.WithCancel(ctx)
	s.ctx = context.WithValue(ctx, strandKey{}, s)
	return s
}

// start begins the work and returns when it first waits, or has ended.
func (s *strand) start(work func(ctx context.Context)) {
	go func() {
		defer s.finish()
		work(s.ctx)
	}()
	s.await()
}

func (s *strand) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if len(s.parked) == 0 {
		close(s.quiet)
	}
	close(s.done)
}

// moment is for how long, by the wall, a strand of several parts must be still.
const moment = 50 * time.Millisecond

// await returns when the strand sleeps or has ended.
func (s *strand) await() {
	for {
		s.mu.Lock()
		quiet := s.quiet
		s.mu.Unlock()
		<-quiet
		s.mu.Lock()
		several, stirs := s.several, s.stirs
		s.mu.Unlock()
		if !several {
			return
		}
		<-time.After(moment)
		s.mu.Lock()
		still := s.quiet == quiet && s.stirs == stirs
		s.mu.Unlock()
		if still {
			return
		}
	}
}

// divide notes that the strand of ctx gets parts in the background.
func divide(ctx context.Context) {
	s := ctx.Value(strandKey{}).(*strand)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.several = true
}

func (s *strand) enter(p *parking) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked[p] = struct{}{}
	s.stirs++
	if len(s.parked) == 1 && !s.ended {
		close(s.quiet)
	}
}

// leave wakes what is parked, once.
func (s *strand) leave(p *parking) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waits := s.parked[p]; !waits {
		return false
	}
	delete(s.parked, p)
	s.stirs++
	if len(s.parked) == 0 && !s.ended {
		s.quiet = make(chan struct{})
	}
	close(p.woken)
	return true
}

// nudge wakes the parts whose context has ended and waits as any waker does.
func (s *strand) nudge() {
	s.mu.Lock()
	var over []*parking
	for p := range s.parked {
		if p.ctx.Err() != nil {
			over = append(over, p)
		}
	}
	s.mu.Unlock()
	for _, p := range over {
		s.leave(p)
	}
	s.await()
}

// end cancels the work and waits for its end, unless ctx is of that work.
func (s *strand) end(ctx context.Context) {
	s.cancel()
	if ctx.Value(strandKey{}) != s {
		<-s.done
	}
}

// park has the strand of ctx wait for wake or for the end of ctx. arm arranges
// for wake to be called, not before arm returns, and gives what undoes that.
func park(ctx context.Context, arm func(wake func()) (disarm func())) {
	s := ctx.Value(strandKey{}).(*strand)
	p := &parking{ctx: ctx, woken: make(chan struct{})}
	s.enter(p)
	disarm := arm(func() {
		if s.leave(p) {
			s.await()
		}
	})
	defer disarm()
	select {
	case <-p.woken:
	case <-ctx.Done():
		s.leave(p)
	}
}

// sleep has the strand of ctx wait for d by the clock. It says whether all of d
// has passed.
func sleep(ctx context.Context, c clock.Clock, d time.Duration) bool {
	park(ctx, func(wake func()) func() {
		timer := c.AfterFunc(d, wake)
		return func() { timer.Stop() }
	})
	return ctx.Err() == nil
}
