package lambda

import "time"

// An Invocation is how one run of a function went.
type Invocation struct {
	Function  string
	RequestID string
	Attempt   int           // from 1; later ones are retries of the same event
	Start     time.Time     // by the embedded AWS's clock
	Cold      bool          // the sandbox was made for it
	Init      time.Duration // on the wall, from process start to the first request for an event
	Duration  time.Duration // on the wall, from handing the event over to the answer
	PeakRSS   int64         // bytes of the process so far; 0 where not known
	Error     string        // errorType; empty when it succeeded
}

func (r *Invocation) finish(f *failure, duration time.Duration, peak int64) {
	r.Duration, r.PeakRSS = duration, peak
	if f != nil {
		r.Error = f.kind
	}
}

// keptRecords is how many invocations are remembered.
const keptRecords = 10_000

type ring struct {
	records []Invocation
	next    int
}

func (r *ring) add(rec Invocation) {
	if len(r.records) < keptRecords {
		r.records = append(r.records, rec)
		return
	}
	r.records[r.next] = rec
	r.next = (r.next + 1) % keptRecords
}

// Invocations returns the latest invocations, those that ended first first.
func (s *Service) Invocations() []Invocation {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.records
	return append(append([]Invocation{}, r.records[r.next:]...), r.records[:r.next]...)
}
