package alb

import (
	"sync"
	"sync/atomic"
)

// gate lets Close wait for what is under way, at the cost of two additions. A
// sync.WaitGroup can't: requests begin while Close waits.
type gate struct {
	inside atomic.Int64 // far below zero once it is closed
	empty  sync.Once
	done   chan struct{}
}

const gateClosed = -1 << 62

func newGate() *gate { return &gate{done: make(chan struct{})} }

// enter says whether the gate is open; if so, leave must follow.
func (g *gate) enter() bool {
	if g.inside.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.inside.Add(-1) == gateClosed {
		g.empty.Do(func() { close(g.done) })
	}
}

// close shuts the gate and returns when all have left.
func (g *gate) close() {
	if g.inside.Add(gateClosed) != gateClosed {
		<-g.done
	}
}
