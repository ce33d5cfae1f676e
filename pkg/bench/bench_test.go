package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestTraffic_CountsWhatFails(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n := asked.Add(1); {
		case n == 200:
			cancel()
			fallthrough
		case n%4 == 1:
			w.Header().Set("X-Version", "1")
		case n%4 == 2:
			w.Header().Set("X-Version", "2")
			w.WriteHeader(http.StatusBadGateway)
		case n%4 == 3: // an answer that is not the application's
		default:
			w.Header().Set("Content-Length", "10") // cut short
			w.Header().Set("X-Version", "1")
		}
	}))
	defer server.Close()
	load := &traffic{url: server.URL, rate: 5000, connections: 4}
	load.run(ctx)
	sent, failed := load.sent.Load(), load.failed.Load()
	if answered := int64(load.versions["1"] + load.versions["2"]); sent < 200 || sent != answered+failed {
		t.Errorf("got %d sent, %d answered and %d failed, want at least 200 and each once", sent, answered, failed)
	}
	if want := sent * 3 / 4; failed < want-2 || failed > want+2 {
		t.Errorf("failed: got %d of %d, want three quarters", failed, sent)
	}
	if load.versions["2"] != 0 || load.fault() == nil {
		t.Errorf("got %v and fault %v, want no answer of version 2 and a fault", load.versions, load.fault())
	}
}

func TestTraffic_WithoutFailuresHasNoFault(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Version", "1")
		if asked.Add(1) == 100 {
			cancel()
		}
	}))
	defer server.Close()
	load := &traffic{url: server.URL, rate: 5000, connections: 4}
	load.run(ctx)
	if err := load.fault(); err != nil || load.sent.Load() < 100 || len(load.latencies) != int(load.sent.Load()) {
		t.Errorf("got %v, %d sent and %d latencies, want no fault and a latency each", err, load.sent.Load(), len(load.latencies))
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := durations(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(0, 1000).Draw(t, "ns"))
		}), 1, 50).Draw(t, "durations"))
		q := rapid.Float64Range(0.01, 1).Draw(t, "q")
		got := d.quantile(q)
		var below, upTo int
		for _, x := range d {
			if x < got {
				below++
			}
			if x <= got {
				upTo++
			}
		}
		if share := q * float64(len(d)); float64(upTo) < share || float64(below) >= share {
			t.Fatalf("quantile %v of %v: got %v, with %d below and %d up to it", q, d, got, below, upTo)
		}
	})
	if got := (durations)(nil).quantile(0.5); got != 0 {
		t.Errorf("of none: got %v, want 0", got)
	}
}

func TestParseBenchmark(t *testing.T) {
	t.Parallel()
	out := "goos: linux\nBenchmarkForward-2   \t   20000\t    263 ns/op\t  3786 alb-req/s\t 3802 bare-req/s\nPASS\n"
	got, err := parseBenchmark(out, "BenchmarkForward")
	if diff := cmp.Diff(map[string]float64{"ns/op": 263, "alb-req/s": 3786, "bare-req/s": 3802}, got); diff != "" || err != nil {
		t.Errorf("metrics (-want +got):\n%s%v", diff, err)
	}
	for _, bad := range []string{"PASS\n", "BenchmarkForwards-2 1 2 ns/op\n", "BenchmarkForward-2 1 two ns/op\n"} {
		if got, err := parseBenchmark(bad, "BenchmarkForward"); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestParseStat_TakesAnyName(t *testing.T) {
	t.Parallel()
	got, ok := parseStat("42 (a) b (c)) S 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 100 999 3 18446744073709551615")
	want := process{pid: 42, parent: 7, name: "a) b (c)", resident: 3 * int64(os.Getpagesize())}
	if !ok || got != want {
		t.Errorf("got %+v, %v, want %+v", got, ok, want)
	}
	for _, bad := range []string{"", "42 S 7", "x (a) S 7", ")(", "42 (a) S 7 42"} {
		if got, ok := parseStat(bad); ok {
			t.Errorf("%q: got %+v, want it refused", bad, got)
		}
	}
}

func TestMemory_OfThisProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from Linux's /proc")
	}
	m := memoryOf(os.Getpid())
	if m.now < 1<<20 || m.peak < m.now {
		t.Errorf("got %+v, want a megabyte or more, and no less at the peak", m)
	}
	if tree := processes(os.Getpid()); len(tree) == 0 || tree[0].pid != os.Getpid() || tree[0].resident < 1<<20 {
		t.Errorf("tree: got %+v, want this process first", tree)
	}
}

func TestVersionOf_Alternates(t *testing.T) {
	t.Parallel()
	for release, want := range map[int]string{1: "1", 2: "2", 3: "1", 10: "2"} {
		if got := versionOf(release); got != want {
			t.Errorf("release %d: got %s, want %s", release, got, want)
		}
	}
}
