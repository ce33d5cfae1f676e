package lambda

import (
	"encoding/json"
	"errors"
	"time"
)

// maxAsyncPayload is the quota on an asynchronous event, and maxPayload on a
// synchronous one and on answers, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	maxAsyncPayload = 1 << 20
	maxPayload      = 6 << 20
)

// An event waits to be handled, or to be handled again.
type event struct {
	id        string // the request id, the same for every attempt
	function  string
	payload   []byte
	trace     traceHeader
	received  time.Time
	attempts  int // that ended in a function error
	throttles int // and waits after them
}

// InvokeAsync queues an event for a function, named or given by its ARN. Lambda's
// rules for asynchronous invocations decide on the rest.
func (s *Service) InvokeAsync(function string, payload []byte) error {
	_, err := s.queue(function, payload, traceHeader{})
	return err
}

func (s *Service) queue(name string, payload []byte, trace traceHeader) (requestID string, err error) {
	s.mu.Lock()
	f, err := s.findLocked(name)
	s.mu.Unlock()
	if err != nil {
		return "", err
	}
	if err := checkPayload(payload, maxAsyncPayload); err != nil {
		return "", err
	}
	e := &event{id: newID(), function: f.name, payload: payload, trace: trace, received: s.Clock.Now()}
	s.metric(f.name, "AsyncEventsReceived", 1, "Count")
	s.soon(func() { s.attempt(e) })
	return e.id, nil
}

// attempt handles a queued event once, and says when it is tried again.
func (s *Service) attempt(e *event) {
	s.mu.Lock()
	f := s.functions[e.function]
	if f == nil {
		s.mu.Unlock()
		return // deleted with its events
	}
	rules, reserved := f.asyncRules(), f.reserved
	s.mu.Unlock()

	age := s.Clock.Now().Sub(e.received)
	if age > rules.maxAge {
		s.drop(e, "older than MaximumEventAgeInSeconds")
		return
	}
	result, err := s.run(invocation{requestID: e.id, function: e.function, payload: e.payload, trace: e.trace, attempt: e.attempts + 1})
	var again time.Duration
	switch {
	case err != nil && errors.Is(err, errClosed):
		return
	case err != nil && reserved != nil && *reserved == 0:
		s.drop(e, "the function reserves no concurrency")
		return
	case err != nil: // throttled, or Lambda could not start it
		again = min(time.Second<<min(e.throttles, 9), 5*time.Minute)
		e.throttles++
	case result.failure == nil:
		return
	case e.attempts >= rules.retries:
		s.drop(e, "out of retries")
		return
	default:
		e.attempts++
		again = time.Duration(e.attempts) * time.Minute
	}
	s.after(again, func() { s.attempt(e) })
}

func (s *Service) drop(e *event, why string) {
	s.metric(e.function, "AsyncEventsDropped", 1, "Count")
	s.Logger.Warn("drop event", "function", e.function, "request", e.id, "why", why)
}

func checkPayload(payload []byte, limit int) error {
	if len(payload) > limit {
		return requestTooLarge(len(payload), limit)
	}
	if len(payload) > 0 && !json.Valid(payload) {
		return badRequestContent()
	}
	return nil
}
