package alb

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
)

// BenchmarkForward sends requests in turn through a load balancer and through a
// bare httputil.ReverseProxy, and reports what the load balancer adds: requests/s
// of both, and the ratio of their times and of their allocations.
func BenchmarkForward(b *testing.B) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer target.Close()
	bareURL, closeBare := bareProxy(b, target.URL)
	defer closeBare()
	albURL, closeALB := oneTarget(b, target.Listener.Addr().String())
	defer closeALB()

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	defer client.CloseIdleConnections()
	var took [2]time.Duration
	var allocs [2]uint64
	const batch = 500
	rounds := b.N/batch + 1
	for round := range rounds + 1 {
		for i, address := range []string{bareURL, albURL} {
			t, a := ask(b, client, address, batch)
			if round > 0 { // the first warms up
				took[i] += t
				allocs[i] += a
			}
		}
	}
	requests := float64(rounds * batch)
	b.ReportMetric(requests/took[0].Seconds(), "bare-req/s")
	b.ReportMetric(requests/took[1].Seconds(), "alb-req/s")
	b.ReportMetric(float64(took[1])/float64(took[0]), "time-ratio")
	b.ReportMetric(float64(allocs[1])/requests-float64(allocs[0])/requests, "more-allocs/req")
}

func ask(b *testing.B, client *http.Client, address string, n int) (time.Duration, uint64) {
	b.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	for range n {
		response, err := client.Get(address)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 200 {
			b.Fatalf("got %d, want 200", response.StatusCode)
		}
	}
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return took, after.Mallocs - before.Mallocs
}

func bareProxy(b *testing.B, to string) (string, func()) {
	b.Helper()
	u, err := url.Parse(to)
	if err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: idleConnections, DisableCompression: true}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u); r.SetXForwarded() },
		Transport: transport, BufferPool: &buffers{},
	})
	return server.URL, func() { server.Close(); transport.CloseIdleConnections() }
}

func oneTarget(b *testing.B, address string) (string, func()) {
	b.Helper()
	p := New(Config{Clock: clock.NewManual(start)})
	addr, err := p.Listen(Listener{ID: "l", LoadBalancer: "lb", Address: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	for _, err := range []error{
		p.SetTargetGroup("g", TargetGroup{}), p.SetTargetGroup("h", TargetGroup{}), p.Register("g", targetAt(b, address)),
		p.SetRules("l", []Rule{
			{Priority: 1, Conditions: []Condition{{Field: PathPattern, Values: []string{"/api/*"}}}, Action: fixed("x")},
			{Default: true, Action: Action{Forward: &Forward{TargetGroups: []WeightedGroup{{"g", 100}, {"h", 0}}}}},
		}),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	return "http://" + addr.String(), p.Close
}
