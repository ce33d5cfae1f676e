package alb

import (
	"math"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sink keeps the samples of each period.
type sink struct {
	mu      sync.Mutex
	periods []time.Time
	samples []Sample
}

func (s *sink) Put(start time.Time, samples []Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.periods, s.samples = append(s.periods, start), samples
}

// sums are the last period's sums, by name and target group.
func (s *sink) sums() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	sums := map[string]float64{}
	for _, sample := range s.samples {
		if sample.Unit == "Count" && sample.Name != "ActiveConnectionCount" && sample.Name != "NewConnectionCount" {
			sums[sample.Name+"/"+sample.TargetGroup] = sample.Sum
		}
	}
	return sums
}

func TestMetrics_CountWhatHappened(t *testing.T) {
	t.Parallel()
	s := &sink{}
	w := newWorld(t, Config{Metrics: s})
	w.group("blue", checked, newProgram(t, "blue", func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fail" {
			rw.WriteHeader(500)
		}
	}))
	w.group("empty", checked)
	w.rules(Rule{Conditions: []Condition{{Field: PathPattern, Values: []string{"/empty"}}}, Action: only("empty").Action}, only("blue"))
	w.clock.Advance(time.Second) // healthy
	for _, path := range []string{"/", "/", "/", "/fail", "/fail", "/empty"} {
		before := len(w.Records("lb"))
		w.get(path)
		await(t, "record", func() bool { return len(w.Records("lb")) > before })
	}
	w.clock.Advance(time.Minute)
	want := map[string]float64{
		"RequestCount/": 6, "RequestCount/blue": 5,
		"HTTPCode_Target_2XX_Count/": 3, "HTTPCode_Target_2XX_Count/blue": 3,
		"HTTPCode_Target_5XX_Count/": 2, "HTTPCode_Target_5XX_Count/blue": 2,
		"HTTPCode_ELB_5XX_Count/": 1, "HTTPCode_ELB_503_Count/": 1,
	}
	got := s.sums()
	for _, level := range []string{"HealthyHostCount/blue", "UnHealthyHostCount/blue", "HealthyHostCount/empty", "UnHealthyHostCount/empty"} {
		if _, ok := got[level]; !ok {
			t.Errorf("%s: got none, want one whatever its value", level)
		}
		delete(got, level)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sums of the first period (-want +got):\n%s", diff)
	}
	if !s.periods[0].Equal(start) {
		t.Errorf("first period: got %v, want %v", s.periods[0], start)
	}
	for _, sample := range s.samples {
		if sample.Name == "HealthyHostCount" && sample.TargetGroup == "blue" && (sample.Maximum != 1 || sample.Minimum != 0) {
			t.Errorf("healthy hosts: got %v to %v, want 0 to 1 for a target that became healthy", sample.Minimum, sample.Maximum)
		}
		if sample.Name == "TargetResponseTime" && (sample.SampleCount != 5 || sample.Sum <= 0 || len(sample.Values) == 0) {
			t.Errorf("response time: got %+v, want 5 samples", sample)
		}
	}
	w.clock.Advance(time.Minute)
	if got := s.sums(); got["RequestCount/"] != 0 || got["HealthyHostCount/blue"] != 1 {
		t.Errorf("a period without requests: got %v, want no requests and one healthy host", got)
	}
}

func TestHistogram_KeepsDurationsWithinSixPercent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(100, int64(time.Hour/time.Microsecond)).Draw(t, "microseconds")) * time.Microsecond
		got := bucketValue(bucketOf(d))
		if math.Abs(got-d.Seconds()) > 0.075*d.Seconds() {
			t.Fatalf("%v: got %v s", d, got)
		}
	})
}
