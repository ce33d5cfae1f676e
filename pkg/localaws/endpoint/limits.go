package endpoint

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"cutover/pkg/localaws/wire"
)

// A Limit is a token bucket: how often the account may call the operations of a
// category. A call takes one token; a call that finds none is refused with the
// service's own throttling error and has no effect.
type Limit struct {
	Service    string   // as in SigV4's credential scope, e.g. "elasticloadbalancing"
	Operations []string // names; one that ends in * stands for all that begin so
	Each       bool     // each operation has a bucket of its own, rather than all one
	Burst      float64  // tokens in a full bucket
	Refill     float64  // tokens a second, by the embedded AWS's clock
}

func (l Limit) covers(service, operation string) bool {
	return l.Service == service && slices.ContainsFunc(l.Operations, func(name string) bool {
		prefix, open := strings.CutSuffix(name, "*")
		return name == operation || open && strings.HasPrefix(operation, prefix)
	})
}

// Limits holds the buckets of one embedded AWS: one account in one Region, so
// that all callers draw from the same ones, as all roles of an account do. What
// services do on an account's behalf within the embedded AWS takes no tokens.
// The zero value limits nothing. It is safe for concurrent use.
//
// Buckets fill by the embedded AWS's clock. On a clock.Scaled an SDK that backs
// off by the wall finds more tokens than its wait would have brought in AWS; on
// a clock.Manual it finds none until the test moves the clock, so that its
// retries run out and the caller is left to come back later, at its next tick.
type Limits struct {
	mu      sync.Mutex
	limits  []Limit
	buckets map[bucketKey]*bucket
}

type bucketKey struct {
	limit     int    // its index
	operation string // only where each has its own
}

type bucket struct {
	tokens float64
	at     time.Time // when there were so many
}

// Set puts limits in force instead of those before, with full buckets. Of two
// that cover an operation the first counts; an operation that none covers is not
// limited.
func (l *Limits) Set(limits ...Limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limits, l.buckets = slices.Clone(limits), map[bucketKey]*bucket{}
}

// take takes a token for a call, or says that there is none.
func (l *Limits) take(now time.Time, service, operation string) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.limits, func(limit Limit) bool { return limit.covers(service, operation) })
	if i < 0 {
		return true
	}
	key := bucketKey{limit: i}
	if l.limits[i].Each {
		key.operation = operation
	}
	b := l.buckets[key]
	if b == nil {
		b = &bucket{tokens: l.limits[i].Burst, at: now}
		l.buckets[key] = b
	}
	return b.take(now, l.limits[i])
}

// rounding is what sums of parts of a token may lack of a whole one.
const rounding = 1e-6

func (b *bucket) take(now time.Time, l Limit) bool {
	// Two calls may come in another order than they read the clock in.
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens, b.at = min(l.Burst, b.tokens+passed.Seconds()*l.Refill), now
	}
	if b.tokens < 1-rounding {
		return false
	}
	b.tokens = max(0, b.tokens-1)
	return true
}

// rateExceeded is the error of a call that comes too often, by the code that its
// protocol has for it.
func rateExceeded(code string) *wire.Error {
	switch code {
	case "RequestLimitExceeded": // EC2
		return wire.Errorf(code, "Request limit exceeded.").WithStatus(http.StatusServiceUnavailable)
	case "TooManyRequestsException": // Lambda
		return wire.Errorf(code, "Rate exceeded").WithStatus(http.StatusTooManyRequests)
	case "SlowDown": // S3
		return wire.Errorf(code, "Please reduce your request rate.").WithStatus(http.StatusServiceUnavailable)
	}
	return wire.Errorf(code, "Rate exceeded")
}
