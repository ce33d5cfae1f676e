// Package load sends a steady stream of HTTP requests and counts the answers by
// the version that gave them.
//
// It changes nothing but the counters of the server it asks. The stream is open
// loop: requests leave at the given rate whether or not earlier ones have been
// answered, up to a bound of requests in flight, so that a server that stalls
// shows as late and lost requests, not as a slower stream.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Config says what to ask, and how often.
type Config struct {
	URL string
	// Rate is in requests a second.
	Rate int
	// Most is how many requests may be in flight at once; a request that finds
	// no place is lost. Zero means 256.
	Most int
	// Timeout is how long an answer may take. Zero means 10 s.
	Timeout time.Duration
	// Version tells which version answered; empty when the answer does not say.
	Version func(*http.Response) string
}

// A Report is what a stream saw so far.
type Report struct {
	Sent     int            `json:"sent"`
	Answered map[string]int `json:"answeredByVersion"`
	// Errors are answers with a status of 500 and more, by the version that gave
	// them. They count as failed too.
	Errors    map[string]int `json:"errorsByVersion,omitempty"`
	Failed    int            `json:"failed"`
	Failures  map[string]int `json:"failures,omitempty"` // by what went wrong
	FirstFail string         `json:"firstFailure,omitempty"`
	Latency   Latency        `json:"latency"`
}

// Latency is how long answers took, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50ms"`
	P99 float64 `json:"p99ms"`
	Max float64 `json:"maxms"`
}

// A Stream is a running load. Stop ends it.
type Stream struct {
	config Config
	client *http.Client
	places chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu        sync.Mutex
	report    Report
	latencies histogram
	recent    []second // ring of the last seconds, for rates
}

type second struct {
	at       int64
	answered map[string]int
	failed   int
}

// Start begins a stream that runs until Stop or until the context ends.
func Start(ctx context.Context, config Config) *Stream {
	if config.Most == 0 {
		config.Most = 256
	}
	if config.Timeout == 0 {
		config.Timeout = 10 * time.Second
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{
		config: config,
		client: &http.Client{
			Timeout: config.Timeout,
			Transport: &http.Transport{
				MaxIdleConns: config.Most, MaxIdleConnsPerHost: config.Most,
				DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			},
		},
		places: make(chan struct{}, config.Most),
		cancel: cancel,
		report: Report{Answered: map[string]int{}, Errors: map[string]int{}, Failures: map[string]int{}},
	}
	s.done.Go(func() { s.pace(ctx) })
	return s
}

// pace sends requests at the rate: every few milliseconds as many as are due.
func (s *Stream) pace(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	start, sent := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for due := int(time.Since(start).Seconds() * float64(s.config.Rate)); sent < due; sent++ {
			s.send()
		}
	}
}

func (s *Stream) send() {
	s.mu.Lock()
	s.report.Sent++
	s.mu.Unlock()
	select {
	case s.places <- struct{}{}:
	default:
		s.fail(fmt.Sprintf("no answer to any of %d requests in flight", s.config.Most))
		return
	}
	s.done.Go(func() {
		defer func() { <-s.places }()
		// The request outlives the stream's end: what was sent is counted.
		start := time.Now()
		response, err := s.client.Get(s.config.URL)
		if err != nil {
			s.fail(cause(err))
			return
		}
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		switch {
		case err != nil:
			s.fail("answer cut short: " + cause(err))
		case response.StatusCode >= 500:
			s.wrong(s.config.Version(response), response.Status)
		default:
			s.answer(s.config.Version(response), time.Since(start))
		}
	})
}

// cause is an error without the address, so that the like are counted together.
func cause(err error) string {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "timed out"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Op + ": " + e.Err.Error()
	}
	for u := errors.Unwrap(err); u != nil; u = errors.Unwrap(err) {
		err = u
	}
	return err.Error()
}

func (s *Stream) answer(version string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Answered[version]++
	s.latencies.add(took)
	s.nowLocked().answered[version]++
}

// wrong counts an error that a version answered with.
func (s *Stream) wrong(version, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Errors[version]++
	s.failLocked("status " + status)
}

func (s *Stream) fail(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(why)
}

func (s *Stream) failLocked(why string) {
	s.report.Failed++
	s.report.Failures[why]++
	if s.report.FirstFail == "" {
		s.report.FirstFail = time.Now().UTC().Format(time.RFC3339) + " " + why
	}
	s.nowLocked().failed++
}

// nowLocked is the counter of the current second.
func (s *Stream) nowLocked() *second {
	at := time.Now().Unix()
	if n := len(s.recent); n > 0 && s.recent[n-1].at == at {
		return &s.recent[n-1]
	}
	s.recent = append(s.recent, second{at: at, answered: map[string]int{}})
	if len(s.recent) > 5 {
		s.recent = s.recent[1:]
	}
	return &s.recent[len(s.recent)-1]
}

// Rates are the answers by version, and the failures, of the last whole second.
func (s *Stream) Rates() (answered map[string]int, failed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := time.Now().Unix() - 1
	i := slices.IndexFunc(s.recent, func(x second) bool { return x.at == last })
	if i < 0 {
		return nil, 0
	}
	return maps.Clone(s.recent[i].answered), s.recent[i].failed
}

// Report is what the stream saw so far.
func (s *Stream) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Answered, r.Errors, r.Failures = maps.Clone(r.Answered), maps.Clone(r.Errors), maps.Clone(r.Failures)
	r.Latency = s.latencies.summary()
	return r
}

// Stop ends the stream, waits for the answers in flight and reports.
func (s *Stream) Stop() Report {
	s.cancel()
	s.done.Wait()
	s.client.CloseIdleConnections()
	return s.Report()
}
