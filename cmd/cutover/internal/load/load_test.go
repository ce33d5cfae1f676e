package load

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func version(r *http.Response) string { return r.Header.Get("X-Version") }

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}

func TestStream_CountsEveryRequestOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n := asked.Add(1); {
		case n%10 == 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		case n%10 == 7:
			panic(http.ErrAbortHandler)
		case n%2 == 0:
			w.Header().Set("X-Version", "2")
		default:
			w.Header().Set("X-Version", "1")
		}
	}))
	defer server.Close()
	s := Start(t.Context(), Config{URL: server.URL, Rate: 500, Version: version})
	await(t, "100 requests", func() bool { return s.Report().Sent >= 100 })
	r := s.Stop()
	total := r.Failed
	for _, n := range r.Answered {
		total += n
	}
	if total != r.Sent {
		t.Errorf("got %d answers and failures, want %d, one for each request: %+v", total, r.Sent, r)
	}
	if r.Answered["1"] == 0 || r.Answered["2"] == 0 || r.Failures["status 503 Service Unavailable"] == 0 || r.Failed < 10 {
		t.Errorf("got %+v, want answers of versions 1 and 2, 503s and cut connections", r)
	}
	if !strings.Contains(r.FirstFail, " ") {
		t.Errorf("first failure: got %q, want when and why", r.FirstFail)
	}
}

func TestStream_AServerThatIsGoneLosesRequests(t *testing.T) {
	defer goleak.VerifyNone(t)
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	s := Start(t.Context(), Config{URL: server.URL, Rate: 500, Version: version})
	await(t, "a failure", func() bool { return s.Report().Failed > 0 })
	if r := s.Stop(); r.Failures["dial: connect: connection refused"] != r.Sent {
		t.Errorf("got %+v, want every request refused", r)
	}
}

func TestHistogram_QuantilesAreWithinFivePercent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Int64Range(int64(smallest), int64(20*time.Second)), 1, 50).Draw(t, "durations")
		var h histogram
		var most int64
		for _, d := range all {
			h.add(time.Duration(d))
			most = max(most, d)
		}
		if got := h.quantile(1); got != time.Duration(most) && float64(got) < float64(most)*0.95 {
			t.Fatalf("maximum: got %v, want %v within 5 %%", got, time.Duration(most))
		}
		if h.quantile(0.5) > h.quantile(0.99) {
			t.Fatalf("median %v above the 99th percentile %v", h.quantile(0.5), h.quantile(0.99))
		}
	})
}
