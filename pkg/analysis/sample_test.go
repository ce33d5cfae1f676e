package analysis

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSample_AddsPeriods(t *testing.T) {
	t.Parallel()
	var s Sample
	s.Add(Period{Requests: 10, Errors: 2, Answers: 8, Average: 0.5, P90: 0.5, P99: 0.5, Maximum: 0.5})
	s.Add(Period{})                                    // nothing was asked
	s.Add(Period{Requests: 3, Errors: 5})              // the failures of the next period are there already
	s.Add(Period{Requests: 1, Answers: 1, Average: 2}) // percentiles are missing
	want := Sample{Requests: 14, Errors: 5, Answers: 9, Seconds: 6, Squares: 8*0.25 + 4}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("sample (-want +got):\n%s", diff)
	}
	near(t, "mean", s.mean(), 6.0/9, 1e-12)
}

// Whatever the times are, the bound is one; and it is not absurdly far away.
func TestPeriod_MeanSquareIsAnUpperBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64Range(0, 60), rapid.Just(0.2)), 1, 300).Draw(t, "times")
		squares := 0.0
		for _, x := range times {
			squares += x * x
		}
		p := period(times, 0)
		exact := squares / float64(len(times))
		switch got := p.meanSquare(); {
		case got < exact*(1-1e-9):
			t.Errorf("got %v, less than the mean of the squares, %v", got, exact)
		case got > p.Average*p.Maximum*(1+1e-9):
			t.Errorf("got %v, more than times up to %v with a mean of %v can have", got, p.Maximum, p.Average)
		}
	})
}

// For answer times as they usually are the standard error is less than twice
// as large as it should be.
func TestPeriod_MeanSquareOfUsualTimes(t *testing.T) {
	t.Parallel()
	for name, quantile := range map[string]func(float64) float64{
		"exponential": func(q float64) float64 { return -math.Log(1 - q) },
		"log-normal":  func(q float64) float64 { return math.Exp(math.Sqrt2 * math.Erfinv(2*q-1)) },
		"all alike":   func(float64) float64 { return 1 },
	} {
		times, sum, squares := make([]float64, 1000), 0.0, 0.0
		for i := range times {
			times[i] = quantile((float64(i) + 0.5) / 1000)
			sum += times[i] / 1000
			squares += times[i] * times[i] / 1000
		}
		bound, exact := period(times, 0).meanSquare()-sum*sum, squares-sum*sum
		if ratio := math.Sqrt((bound + 1e-12) / (exact + 1e-12)); ratio < 1-1e-3 || ratio > 2 {
			t.Errorf("%s: got a standard error %v times as large, want 1 to 2", name, ratio)
		}
	}
}
