package alb

import (
	"sync"
	"time"
)

// AccessLog gets a record of each request when it has ended. It is called by the
// request, so it must be quick and safe for concurrent use.
type AccessLog interface {
	Record(Record)
}

// Record is one entry of a load balancer's access log.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
type Record struct {
	Time         time.Time // when the response was sent, by the clock
	Type         string    // http, https, h2, ws or wss
	LoadBalancer string
	Listener     string
	Rule         string // ID of the rule that applied
	Client       string // address and port
	TargetGroup  string // empty if the load balancer answered itself
	Target       string // address and port
	// RequestTime is from the request's arrival until it was sent to the target,
	// TargetTime until the target's answer began, ResponseTime until it had been
	// sent on; by the wall. They are -1 if it did not come to that.
	RequestTime, TargetTime, ResponseTime time.Duration
	Status                                int // what the client got
	TargetStatus                          int // what the target said; 0 if nothing
	Received, Sent                        int64
	Method, Host, URL, Protocol           string
	UserAgent                             string
	TraceID                               string
	// Fault is why the load balancer answered with a 4xx or 5xx of its own.
	Fault string
}

// ring keeps the last records.
type ring struct {
	mu      sync.Mutex
	records []Record // its capacity is the limit
	oldest  int
}

func (r *ring) add(record *Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.records) < cap(r.records) {
		r.records = append(r.records, *record)
		return
	}
	r.records[r.oldest] = *record
	r.oldest = (r.oldest + 1) % len(r.records)
}

func (r *ring) list() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Record, 0, len(r.records))
	return append(append(list, r.records[r.oldest:]...), r.records[:r.oldest]...)
}

// Records are the last requests of a load balancer, oldest first.
func (p *Proxy) Records(loadBalancer string) []Record {
	p.mu.Lock()
	b, ok := p.balancers[loadBalancer]
	p.mu.Unlock()
	if !ok {
		return nil
	}
	return b.records.list()
}
