package endpoint

import (
	"sync"
	"time"

	"cutover/pkg/localaws/wire"
)

// A Call is one call to an API as it went.
type Call struct {
	ID        string
	Start     time.Time     // by the embedded AWS's clock
	Duration  time.Duration // on the wall
	Service   string
	Operation string
	Resources []string // ARNs that IAM was asked for
	Principal wire.Principal
	Error     string // AWS's code; empty when it succeeded
	Fault     Kind   // the fault it met, if any
	TraceID   string // X-Ray's, as the caller sent it
}

// fail notes why the call failed, unless its connection was cut before it could.
func (c *Call) fail(code string) {
	if c.Error == "" {
		c.Error = code
	}
}

// kept is how many calls are remembered.
const kept = 20_000

// Calls remembers the latest calls. The zero value is empty. It is safe for
// concurrent use.
type Calls struct {
	// Observe, if set, hears of each call right after it was carried out and
	// before its caller does.
	Observe func(Call)

	mu    sync.Mutex
	ring  []Call
	total int
}

func (c *Calls) add(call Call) {
	if c.Observe != nil {
		c.Observe(call)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ring) < kept {
		c.ring = append(c.ring, call)
	} else {
		c.ring[c.total%kept] = call
	}
	c.total++
}

// All returns the calls that are remembered, oldest first.
func (c *Calls) All() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Call, 0, len(c.ring))
	start := 0
	if c.total > kept {
		start = c.total % kept
	}
	for i := range c.ring {
		all = append(all, c.ring[(start+i)%len(c.ring)])
	}
	return all
}

// Of returns the calls that a role made, oldest first.
func (c *Calls) Of(roleName string) []Call {
	var made []Call
	for _, call := range c.All() {
		if call.Principal.RoleName() == roleName {
			made = append(made, call)
		}
	}
	return made
}
