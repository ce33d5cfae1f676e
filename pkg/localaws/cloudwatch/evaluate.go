package cloudwatch

import (
	"maps"
	"math"
	"slices"
	"time"
)

// spare is how many periods more than EvaluationPeriods an alarm looks back, to
// find datapoints in the place of missing ones.
const spare = 2

// scheduleLocked arranges for the next evaluation, at the next full minute,
// while there is anything to evaluate.
func (s *Service) scheduleLocked() {
	if s.tick != nil || s.closed || !s.watchingLocked() {
		return
	}
	now := s.clock.Now()
	s.tick = s.clock.AfterFunc(now.Truncate(time.Minute).Add(time.Minute).Sub(now), s.evaluate)
}

func (s *Service) watchingLocked() bool {
	for _, a := range s.alarms {
		if a.watch != nil {
			return true
		}
	}
	return false
}

// evaluate looks at every metric alarm. AWS does so each minute whatever the
// alarm's period is: the window slides.
func (s *Service) evaluate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick = nil
	if s.closed {
		return
	}
	now, changed := s.clock.Now(), map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
		a := s.alarms[name]
		if a.watch == nil {
			continue
		}
		samples := s.sampleLocked(a.watch, now)
		v := a.watch.judge(samples, a.StateValue)
		if n := len(v.evaluated); n > 0 {
			a.value = v.evaluated[n-1].value
		}
		if v.state != a.StateValue {
			changed[name] = s.enterLocked(a, v.state, v.reason(a.watch, a.StateValue), v.data(a.watch, now))
		} else {
			s.stayedLocked(a)
		}
	}
	s.settleLocked(changed)
	s.scheduleLocked()
}

// A sample is one period as an alarm sees it.
type sample struct {
	start   time.Time
	value   float64
	count   float64
	present bool
}

// sampleLocked reads the periods that end at the last full minute, oldest first.
func (s *Service) sampleLocked(w *Watch, now time.Time) []sample {
	period := time.Duration(w.Period) * time.Second
	samples := make([]sample, w.EvaluationPeriods+spare)
	start := now.Truncate(time.Minute).Add(-time.Duration(len(samples)) * period)
	all := s.metrics.find(w.Namespace, w.MetricName, w.Dimensions, w.Unit)
	for i := range samples {
		var b bucket
		end := start.Add(period)
		for _, one := range all {
			one.between(start.Unix(), end.Unix(), &b)
		}
		value, ok := w.statistic().of(&b)
		samples[i] = sample{start: start, value: value, count: b.count, present: ok}
		start = end
	}
	return samples
}

// A verdict is what an alarm makes of its samples.
type verdict struct {
	state     string
	evaluated []sample // that were there and counted, oldest first
	missing   int      // periods that stand in for datapoints
	treated   string   // as what missing datapoints counted; empty if they did not
}

// judge decides the state from samples (oldest first, spare ones included).
// With as many datapoints as EvaluationPeriods the latest of them decide, and
// missing ones do not matter; only otherwise TreatMissingData does.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func (w *Watch) judge(samples []sample, current string) verdict {
	n, needed := w.EvaluationPeriods, w.needed()
	var present []sample
	age := 0 // of the oldest datapoint, in periods; 1 is the latest
	for i, one := range samples {
		if one.present {
			if present = append(present, one); age == 0 {
				age = len(samples) - i
			}
		}
	}
	v := verdict{evaluated: present[max(0, len(present)-n):], missing: max(0, n-len(present)), state: stateOK}
	breaching := 0
	for _, one := range v.evaluated {
		if w.insignificant(one) {
			v.state = current
			return v
		}
		if w.breaches(one.value) {
			breaching++
		}
	}
	switch {
	case breaching >= needed:
		v.state = stateAlarm
	case v.missing == 0:
	case w.TreatMissingData == "breaching":
		if v.treated = "Breaching"; breaching+v.missing >= needed {
			v.state = stateAlarm
		}
	case w.TreatMissingData == "notBreaching":
		v.treated = "NonBreaching"
	case len(present) > breaching: // a good one among them
	case w.TreatMissingData == "ignore":
		v.state = current
	case len(present) == 0:
		v.state = stateInsufficient
	case age >= needed: // nothing but bad ones, for as long as it takes
		v.state = stateAlarm
	default: // too early to say
		v.state = current
	}
	return v
}

// insignificant says that a percentile of too few values is not to be judged.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
func (w *Watch) insignificant(one sample) bool {
	p, ok := statistic(w.ExtendedStatistic).percent()
	if !ok || w.EvaluateLowSampleCountPercentile != "ignore" {
		return false
	}
	share := math.Min(p, 100-p) / 100
	return share > 0 && one.count < 10/share
}

func (w *Watch) breaches(value float64) bool {
	switch w.ComparisonOperator {
	case "GreaterThanThreshold":
		return value > *w.Threshold
	case "GreaterThanOrEqualToThreshold":
		return value >= *w.Threshold
	case "LessThanThreshold":
		return value < *w.Threshold
	}
	return value <= *w.Threshold // LessThanOrEqualToThreshold, as validated
}

// compares is the comparison in words, or "" for one that is not served.
func (w *Watch) compares() string {
	switch w.ComparisonOperator {
	case "GreaterThanThreshold":
		return "greater than"
	case "GreaterThanOrEqualToThreshold":
		return "greater than or equal to"
	case "LessThanThreshold":
		return "less than"
	case "LessThanOrEqualToThreshold":
		return "less than or equal to"
	}
	return ""
}
