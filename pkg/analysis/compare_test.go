package analysis

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// answered is a side whose answer times are spread as an exponential
// distribution's: their standard deviation is their mean.
func answered(requests, errors int64, mean float64) Sample {
	n := float64(requests)
	return Sample{Requests: requests, Errors: errors, Answers: requests, Seconds: n * mean, Squares: 2 * n * mean * mean}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	limits := Limits{ErrorRate: 1, Latency: 1.5, MinimumRequests: 100}
	silent := answered(200, 0, 0.1)
	silent.Answers, silent.Seconds, silent.Squares = 20, 2, 0.4
	for name, c := range map[string]struct {
		green, blue   Sample
		limits        Limits
		worse, unsure bool
		why           string
	}{
		"as good": {answered(1000, 5, 0.1), answered(9000, 45, 0.1), limits, false, false,
			"green failed 5 of 1000 requests (0.50 %), blue 45 of 9000 (0.50 %), allowed is 1 point more; green took 100ms on average over 1000 answers, blue 100ms over 9000, allowed is 1.5 times as long"},
		"30 % of few requests fail": {answered(100, 30, 0.1), answered(900, 2, 0.1), limits, true, false,
			"green failed 30 of 100 requests (30.00 %), blue 2 of 900 (0.22 %), allowed is 1 point more"},
		"too few of green":              {answered(99, 99, 9), answered(900, 0, 0.1), limits, false, true, "green has answered 99 requests since the step began, needed are 100"},
		"too few of blue":               {answered(900, 0, 0.1), answered(99, 0, 0.1), limits, false, true, "blue has answered 99 requests since the step began, needed are 100"},
		"none at all":                   {Sample{}, Sample{}, Limits{}, false, true, "green has answered 0 requests since the step began, needed are 1"},
		"a few failures more":           {answered(200, 8, 0.1), answered(1800, 9, 0.1), limits, false, true, "more requests have to tell whether that is luck"},
		"the same share of more":        {answered(4000, 160, 0.1), answered(36000, 180, 0.1), limits, true, false, "green failed 160 of 4000 requests (4.00 %)"},
		"within a wider margin":         {answered(4000, 160, 0.1), answered(36000, 180, 0.1), Limits{ErrorRate: 5, Latency: 1.5, MinimumRequests: 100}, false, false, "allowed are 5 points more"},
		"slow":                          {answered(1000, 0, 0.25), answered(9000, 0, 0.1), limits, true, false, "green took 250ms on average over 1000 answers, blue 100ms over 9000, allowed is 1.5 times as long"},
		"slow, perhaps":                 {answered(100, 0, 0.2), answered(900, 0, 0.1), limits, false, true, "green took 200ms"},
		"slow, but that does not count": {answered(1000, 0, 0.25), answered(9000, 0, 0.1), Limits{ErrorRate: 1, MinimumRequests: 100}, false, false, "green failed 0 of 1000"},
		"failing, and perhaps slow":     {answered(100, 30, 0.2), answered(900, 0, 0.1), limits, true, false, "green failed 30 of 100"},
		"requests without an answer":    {silent, answered(900, 0, 0.1), limits, false, true, "green has answer times of 20 requests since the step began, needed are 100"},
		"faster than a clock's tick":    {answered(1000, 0, 0), answered(9000, 0, 0), limits, false, false, "green took 0s"},
		"all answers exactly as slow": {
			Sample{Requests: 100, Answers: 100, Seconds: 20, Squares: 4}, Sample{Requests: 100, Answers: 100, Seconds: 10, Squares: 1}, limits, true, false, "green took 200ms"},
	} {
		v := Compare(c.green, c.blue, c.limits)
		if v.Worse != c.worse || v.Unsure != c.unsure || !strings.Contains(v.Why, c.why) {
			t.Errorf("%s: got %+v, want worse %t, unsure %t, why %q", name, v, c.worse, c.unsure, c.why)
		}
	}
}

// The more a release compares, the more it takes to call one of them worse.
func TestCompare_SharesTheChanceOfAFalseAlarm(t *testing.T) {
	t.Parallel()
	green, blue := answered(200, 13, 0.1), answered(1800, 9, 0.1)
	limits := Limits{ErrorRate: 1, Latency: 1.5, MinimumRequests: 100}
	if v := Compare(green, blue, limits); !v.Worse {
		t.Errorf("alone: got %+v, want it worse", v)
	}
	limits.Comparisons = 500
	if v := Compare(green, blue, limits); v.Worse || !v.Unsure {
		t.Errorf("as one of 500: got %+v, want it unsure", v)
	}
}

func TestCompare_Properties(t *testing.T) {
	t.Parallel()
	side := rapid.Custom(func(t *rapid.T) Sample {
		var s Sample
		for range rapid.IntRange(0, 3).Draw(t, "periods") {
			number := rapid.Float64Range(0, 1e6)
			s.Add(Period{
				Requests: math.Floor(number.Draw(t, "requests")), Errors: math.Floor(number.Draw(t, "errors")), Answers: math.Floor(number.Draw(t, "answers")),
				Average: number.Draw(t, "average"), P90: number.Draw(t, "p90"), P99: number.Draw(t, "p99"), Maximum: number.Draw(t, "maximum"),
			})
		}
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		green, blue := side.Draw(t, "green"), side.Draw(t, "blue")
		limits := Limits{
			ErrorRate: rapid.Float64Range(0, 100).Draw(t, "error rate"), Latency: rapid.Float64Range(0, 5).Draw(t, "latency"),
			MinimumRequests: rapid.Int64Range(0, 1000).Draw(t, "minimum"), Comparisons: rapid.IntRange(0, 10_000).Draw(t, "comparisons"),
		}
		v := Compare(green, blue, limits)
		fails := green.failed()-blue.failed() > limits.ErrorRate/100
		lags := limits.Latency > 0 && green.mean() > limits.Latency*blue.mean()
		switch {
		case v.Worse && v.Unsure:
			t.Errorf("got worse and unsure: %+v", v)
		case v.Why == "":
			t.Errorf("got no reason: %+v", v)
		case v.Worse && !fails && !lags:
			t.Errorf("got %+v of sides within the limits", v)
		case v.Worse && min(green.Requests, blue.Requests) < limits.MinimumRequests:
			t.Errorf("got %+v of fewer than the minimum", v)
		}
		if again := Compare(green, blue, limits); again != v {
			t.Errorf("got %+v, and then %+v", v, again)
		}
	})
}
