package cloudwatch

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBucket_IsExactButForPercentiles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0.001, 1000), 1, 200).Draw(t, "values")
		var b, left, right bucket
		sum := 0.0
		for i, v := range values {
			sum += v
			if i%2 == 0 {
				left.add(v, 1)
			} else {
				right.add(v, 1)
			}
		}
		b.merge(&left)
		b.merge(&right)
		if b.count != float64(len(values)) || math.Abs(b.sum-sum) > 1e-9*sum || b.min != slices.Min(values) || b.max != slices.Max(values) {
			t.Fatalf("got %+v of %v", b, values)
		}
		slices.Sort(values)
		for _, p := range []float64{0, 50, 90, 99.9, 100} {
			want := values[max(0, int(math.Ceil(p/100*float64(len(values))))-1)]
			got, ok := b.percentile(p)
			if !ok || got < want*(1-1e-9) || got > want*growth*(1+1e-9) {
				t.Fatalf("p%v: got %v, want %v to at most 4%% more", p, got, want)
			}
		}
	})
}

func TestBucket_StaysWithinItsBound(t *testing.T) {
	t.Parallel()
	var b bucket
	for i := range 2000 {
		b.add(math.Pow(10, float64(i%300)/10-10), 1)
	}
	if len(b.spread) > maxBins {
		t.Errorf("got %d bins, want at most %d", len(b.spread), maxBins)
	}
	held := 0.0
	for _, n := range b.spread {
		held += n
	}
	if held != 2000 {
		t.Errorf("got %v values in the bins, want 2000", held)
	}
}

func TestStatistic_KnowsItsNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[statistic]bool{
		"Sum": true, "Average": true, "Minimum": true, "Maximum": true, "SampleCount": true,
		"p0": true, "p50": true, "p99.9": true, "p100": true, "p100.0": true,
		"p101": false, "p": false, "p99.": false, "tm90": false, "IQM": false, "sum": false, "": false,
	} {
		if got := name.known(); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func TestStore_DropsTheStalestSeriesAndOldMinutes(t *testing.T) {
	t.Parallel()
	st, start := store{}, time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	one := &bucket{}
	one.add(1, 1)
	name := func(i int) string { return fmt.Sprintf("m%04d", i) }
	for i := range maxSeries {
		st.put("N", name(i), nil, "None", start, start.Add(time.Duration(i)*time.Second), one)
	}
	now := start.Add(time.Hour)
	st.put("N", name(0), nil, "None", now, now, one) // no longer the stalest
	st.put("N", "new", nil, "None", now, now, one)
	if got := len(st); got != maxSeries {
		t.Errorf("got %d series, want %d", got, maxSeries)
	}
	if len(st.find("N", name(0), nil, "")) != 1 || len(st.find("N", name(1), nil, "")) != 0 {
		t.Error("got another series dropped than the one written to longest ago")
	}
	later := now.Add(retention).Add(time.Minute)
	st.put("N", "new", nil, "None", later, later, one)
	if got := len(st.find("N", "new", nil, "")[0].minutes); got != 1 {
		t.Errorf("got %d minutes, want only the one that is not too old", got)
	}
	st.put("N", "newer", nil, "None", later, later, one)
	if got := len(st); got != 2 {
		t.Errorf("got %d series, want the 2 with datapoints", got)
	}
}
