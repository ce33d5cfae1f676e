package analysis

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Limits are how much worse than blue green may be.
type Limits struct {
	// ErrorRate is by how much green's share of failed requests may exceed blue's,
	// in percentage points.
	ErrorRate float64
	// Latency is how many times blue's average answer time green's may be; 0 leaves
	// answer times out.
	Latency float64
	// MinimumRequests is how many requests each side must have answered before
	// anything is said; at least 1.
	MinimumRequests int64
	// Comparisons is how many times a release makes such a comparison, its services
	// times its steps: they share the chance of a false alarm. 0 means 1.
	Comparisons int
}

// A Verdict is what can be said of green. At most one of Worse and Unsure is set.
type Verdict struct {
	Worse  bool // it is worse than the limits allow, beyond doubt
	Unsure bool // there are too few requests to tell
	// Why has the numbers, for people.
	Why string
}

// falseAlarm is the chance that a release is taken back although no green of it
// is worse than the limits allow.
const falseAlarm = 0.01

// suspicion is the statistic from which a single look would call green worse at
// the level of 5 %.
const suspicion = 1.645

// Compare judges green by blue, both in the same window since the step began.
func Compare(green, blue Sample, limits Limits) Verdict {
	least := max(1, limits.MinimumRequests)
	if few := tooFew(green.Requests, blue.Requests, least, "answered", "requests"); few != "" {
		return Verdict{Unsure: true, Why: few}
	}
	tests := []test{limits.failures(green, blue)}
	if limits.Latency > 0 {
		tests = append(tests, limits.times(green, blue))
	}
	level := falseAlarm / float64(max(1, limits.Comparisons)*len(tests))
	var worse, unsure, fine []string
	for _, t := range tests {
		switch {
		case t.missing != "":
			unsure = append(unsure, t.missing)
		case t.statistic >= boundary(t.size, float64(least), level):
			worse = append(worse, t.why)
		case t.statistic >= suspicion:
			unsure = append(unsure, t.why+"; more requests have to tell whether that is luck")
		default:
			fine = append(fine, t.why)
		}
	}
	switch {
	case len(worse) > 0:
		return Verdict{Worse: true, Why: strings.Join(worse, "; ")}
	case len(unsure) > 0:
		return Verdict{Unsure: true, Why: strings.Join(unsure, "; ")}
	}
	return Verdict{Why: strings.Join(fine, "; ")}
}

// tooFew says which side has less than the minimum.
func tooFew(green, blue, least int64, verb, what string) string {
	side, n := "green", green
	if green >= least {
		side, n = "blue", blue
	}
	if n >= least {
		return ""
	}
	return fmt.Sprintf("%s has %s %d %s since the step began, needed are %d", side, verb, n, what, least)
}

// A test is one of the two that make up a comparison.
type test struct {
	statistic float64 // standard normal where green is exactly at the limit, larger where it is worse
	size      float64 // of both samples together, by which the boundary goes
	why       string
	missing   string // says what keeps the statistic from being told
}

// failures tests the shares of failed requests.
func (l Limits) failures(green, blue Sample) test {
	return test{
		statistic: excess(green.Errors, green.Requests, blue.Errors, blue.Requests, l.ErrorRate/100),
		size:      harmonic(green.Requests, blue.Requests),
		why: fmt.Sprintf("green failed %d of %d requests (%.2f %%), blue %d of %d (%.2f %%), allowed %s more",
			green.Errors, green.Requests, 100*green.failed(), blue.Errors, blue.Requests, 100*blue.failed(), points(l.ErrorRate)),
	}
}

// times tests the average answer times.
func (l Limits) times(green, blue Sample) test {
	if few := tooFew(green.Answers, blue.Answers, max(1, l.MinimumRequests), "answer times of", "requests"); few != "" {
		return test{missing: few}
	}
	t := test{
		size: harmonic(green.Answers, blue.Answers),
		why: fmt.Sprintf("green took %s on average over %d answers, blue %s over %d, allowed is %v times as long",
			seconds(green.mean()), green.Answers, seconds(blue.mean()), blue.Answers, l.Latency),
	}
	more := green.mean() - l.Latency*blue.mean()
	t.statistic = more / math.Sqrt(green.variance()+l.Latency*l.Latency*blue.variance())
	if math.IsNaN(t.statistic) { // none of them took any time, or all exactly the limit
		t.statistic = 0
	}
	return t
}

// points writes percentage points with their verb.
func points(n float64) string {
	if n == 1 {
		return "is 1 point"
	}
	return fmt.Sprintf("are %v points", n)
}

// seconds writes an answer time with three digits or so.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	for unit := time.Second; unit > time.Microsecond; unit /= 10 {
		if d >= unit {
			return d.Round(unit / 100).String()
		}
	}
	return d.String()
}

// harmonic is the size of two samples whose difference is looked at: 1 over the
// sum of 1 over each. It is about that of the smaller one.
func harmonic(a, b int64) float64 {
	return 1 / (1/float64(a) + 1/float64(b))
}
