package endpoint

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Kind of fault.
type Kind string

// The kinds of faults that a rule can ask for.
const (
	Throttle    Kind = "throttle"      // refused for its rate; no effect
	ServerError Kind = "5xx"           // answered with status 500; no effect
	DropBefore  Kind = "drop before"   // connection cut; no effect
	DropAfter   Kind = "drop after"    // took effect, then the connection was cut
	Denied      Kind = "denied"        // refused as if IAM did not allow it
	Latency     Kind = "latency"       // takes effect after a wait
	KillBefore  Kind = "killed before" // the calling function dies; no effect
	KillAfter   Kind = "killed after"  // took effect, then the calling function dies
)

// A Fault is a rule: the Nth call that matches, and Times-1 more after it, fail.
type Fault struct {
	Service   string // e.g. "ecs"; empty matches all
	Operation string // e.g. "UpdateService"; empty matches all
	Role      string // name of the calling role; empty matches all, the administrator too
	Nth       int    // first match that fails, from 1; zero means 1
	Times     int    // how many fail; zero means 1
	Kind      Kind
	Latency   time.Duration // for kind Latency, by the embedded AWS's clock
}

// String names the rule as a test's table prints it.
func (f Fault) String() string {
	return fmt.Sprintf("%s at %s:%s #%d", f.Kind, f.Service, f.Operation, max(f.Nth, 1))
}

func (f Fault) matches(c Call) bool {
	return (f.Service == "" || f.Service == c.Service) &&
		(f.Operation == "" || f.Operation == c.Operation) &&
		(f.Role == "" || f.Role == c.Principal.RoleName())
}

// Faults holds the rules of one embedded AWS. The zero value has none. It is
// safe for concurrent use.
type Faults struct {
	mu    sync.Mutex
	rules []*counted
}

type counted struct {
	Fault
	seen int
}

// Add puts a rule in force.
func (f *Faults) Add(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &counted{Fault: fault})
}

// Clear lifts all rules.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// take counts a call and returns the fault it meets, if any.
func (f *Faults) take(c Call) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var met Fault
	for _, rule := range f.rules {
		if !rule.matches(c) {
			continue
		}
		rule.seen++
		first := max(rule.Nth, 1)
		if met.Kind == "" && rule.seen >= first && rule.seen < first+max(rule.Times, 1) {
			met = rule.Fault
		}
	}
	f.rules = slices.DeleteFunc(f.rules, func(rule *counted) bool {
		return rule.seen >= max(rule.Nth, 1)+max(rule.Times, 1)-1
	})
	return met
}
