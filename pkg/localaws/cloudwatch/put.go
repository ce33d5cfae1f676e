package cloudwatch

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// A Dimension is one name and value of those that make up a metric's identity.
type Dimension struct {
	Name  string `aws:",required"`
	Value string `aws:",required"`
}

// A StatisticSet aggregates values before they are sent.
type StatisticSet struct {
	SampleCount float64 `aws:",required"`
	Sum         float64 `aws:",required"`
	Minimum     float64 `aws:",required"`
	Maximum     float64 `aws:",required"`
}

// A MetricDatum is values of one metric at one time, given in one of three ways.
type MetricDatum struct {
	MetricName        string `aws:",required"`
	Dimensions        []Dimension
	Timestamp         time.Time // the zero time means now
	Value             *float64
	Values            []float64
	Counts            []float64 // of Values, one for each; empty means once each
	StatisticValues   *StatisticSet
	Unit              string // empty means "None"
	StorageResolution *int   // 60 only
}

// PutMetricDataInput is the input of PutMetricData.
type PutMetricDataInput struct {
	Namespace  string        `aws:",required"`
	MetricData []MetricDatum `aws:",required"`
}

// Empty is the output of operations that answer nothing.
type Empty struct{}

// Put records a value of a metric as of now: what AWS's own services do. An
// empty unit means "None".
func (s *Service) Put(namespace string, dimensions map[string]string, metric string, value float64, unit string) {
	var list []Dimension
	for name, v := range dimensions {
		list = append(list, Dimension{Name: name, Value: v})
	}
	b := new(bucket)
	b.add(value, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	s.metrics.put(namespace, metric, list, unitOr(unit), now, now, b)
}

func unitOr(unit string) string {
	if unit == "" {
		return "None"
	}
	return unit
}

// PutMetricData records values of metrics. Either all of a request is recorded
// or nothing.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
func (s *Service) PutMetricData(_ context.Context, in *PutMetricDataInput) (*Empty, error) {
	if strings.HasPrefix(in.Namespace, "AWS/") {
		return nil, badValue("The value %s for parameter Namespace is invalid.", in.Namespace)
	}
	return s.Record(in)
}

// Record is PutMetricData for AWS's own services, whose namespaces begin with AWS/.
func (s *Service) Record(in *PutMetricDataInput) (*Empty, error) {
	if n := len(in.MetricData); n > 1000 {
		return nil, badValue("The collection MetricData must not have a size greater than 1000; it has %d.", n)
	}
	now := s.clock.Now()
	buckets := make([]*bucket, len(in.MetricData))
	for i, d := range in.MetricData {
		var err error
		if buckets[i], err = d.bucket(fmt.Sprintf("MetricData.member.%d", i+1), now); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, d := range in.MetricData {
		at := d.Timestamp
		if at.IsZero() {
			at = now
		}
		s.metrics.put(in.Namespace, d.MetricName, d.Dimensions, unitOr(d.Unit), at, now, buckets[i])
	}
	return &Empty{}, nil
}

func badValue(format string, args ...any) *wire.Error {
	return wire.Errorf("InvalidParameterValue", format, args...)
}

// bucket checks a datum and aggregates it.
func (d MetricDatum) bucket(path string, now time.Time) (*bucket, error) {
	if err := checkMetric(path, d.Dimensions, d.Unit); err != nil {
		return nil, err
	}
	if d.StorageResolution != nil && *d.StorageResolution != 60 {
		return nil, badValue("%s.StorageResolution: the embedded AWS keeps minutes only (60).", path)
	}
	if d.Timestamp.After(now.Add(2 * time.Hour)) {
		return nil, badValue("The parameter %s.Timestamp must specify a time no more than two hours in the future.", path)
	}
	if !d.Timestamp.IsZero() && d.Timestamp.Before(now.Add(-retention)) {
		return nil, badValue("The parameter %s.Timestamp must specify a time within the past %v, which is what the embedded AWS keeps.", path, retention)
	}
	ways := 0
	for _, given := range []bool{d.Value != nil, len(d.Values) > 0, d.StatisticValues != nil} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return nil, wire.Errorf("MissingParameter", "At least one of %s.Value, Values and StatisticValues must be specified.", path)
	case ways > 1:
		return nil, wire.Errorf("InvalidParameterCombination", "The parameters %s.Value, Values and StatisticValues are mutually exclusive and you have specified more than one.", path)
	case d.StatisticValues != nil:
		return d.StatisticValues.bucket(path)
	}
	return d.sampled(path)
}

func (d MetricDatum) sampled(path string) (*bucket, error) {
	values, b := d.Values, new(bucket)
	if d.Value != nil {
		values = []float64{*d.Value}
	}
	if len(values) > 150 {
		return nil, badValue("The collection %s.Values must not have a size greater than 150.", path)
	}
	if len(d.Counts) > 0 && len(d.Counts) != len(d.Values) {
		return nil, wire.Errorf("InvalidParameterCombination", "The parameters %s.Values and %s.Counts must be of the same size.", path, path)
	}
	for i, v := range values {
		times := 1.0
		if len(d.Counts) > 0 {
			times = d.Counts[i]
		}
		if !finite(v) || !finite(times) || times <= 0 {
			return nil, badValue("The value %v for parameter %s.Value (counted %v times) is invalid.", v, path, times)
		}
		b.add(v, times)
	}
	return b, nil
}

func (set StatisticSet) bucket(path string) (*bucket, error) {
	for _, v := range []float64{set.SampleCount, set.Sum, set.Minimum, set.Maximum} {
		if !finite(v) {
			return nil, badValue("The value %v for parameter %s.StatisticValues is invalid.", v, path)
		}
	}
	if set.SampleCount <= 0 || set.Minimum > set.Maximum {
		return nil, badValue("The parameter %s.StatisticValues is invalid: no sample, or a minimum above the maximum.", path)
	}
	b := &bucket{count: set.SampleCount, sum: set.Sum, min: set.Minimum, max: set.Maximum, blurry: true}
	if set.Minimum == set.Maximum && set.Minimum >= 0 { // all the same value, so the spread is known
		b.blurry, b.spread = false, map[int]float64{bin(set.Minimum): set.SampleCount}
	}
	return b, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func checkMetric(path string, dimensions []Dimension, unit string) error {
	if len(dimensions) > 30 {
		return badValue("The collection %s.Dimensions must not have a size greater than 30.", path)
	}
	seen := map[string]bool{}
	for _, d := range dimensions {
		if seen[d.Name] {
			return badValue("The parameter %s.Dimensions names %s more than once.", path, d.Name)
		}
		seen[d.Name] = true
	}
	if unit != "" && !slices.Contains(units(), unit) {
		return badValue("The value %s for parameter %s.Unit is invalid.", unit, path)
	}
	return nil
}

func units() []string {
	all := []string{"Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"}
	for _, size := range []string{"", "Kilo", "Mega", "Giga", "Tera"} {
		for _, what := range []string{"bytes", "bits"} {
			name := size + what
			if size == "" {
				name = strings.ToUpper(what[:1]) + what[1:]
			}
			all = append(all, name, name+"/Second")
		}
	}
	return all
}
