package cloudwatch

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// A Metric is the identity of a metric.
type Metric struct {
	Namespace  string
	MetricName string
	Dimensions []Dimension
}

// A MetricStat is a metric, cut into periods of seconds and read by a statistic.
type MetricStat struct {
	Metric Metric `aws:",required"`
	Period int    `aws:",required"`
	Stat   string `aws:",required"`
	Unit   string
}

// A MetricDataQuery asks for one metric. There is no metric math.
type MetricDataQuery struct {
	Id         string      `aws:",required"`
	MetricStat *MetricStat `aws:",required"`
	Label      string
	ReturnData *bool
}

// GetMetricDataInput is the input of GetMetricData.
type GetMetricDataInput struct {
	MetricDataQueries []MetricDataQuery `aws:",required"`
	StartTime         time.Time         `aws:",required"`
	EndTime           time.Time         `aws:",required"`
	ScanBy            string
}

// A MetricDataResult answers one query.
type MetricDataResult struct {
	Id         string
	Label      string
	Timestamps []time.Time
	Values     []float64
	StatusCode string
}

// GetMetricDataOutput is the output of GetMetricData.
type GetMetricDataOutput struct {
	MetricDataResults []MetricDataResult
}

// GetMetricData reads metrics.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func (s *Service) GetMetricData(_ context.Context, in *GetMetricDataInput) (*GetMetricDataOutput, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &GetMetricDataOutput{MetricDataResults: []MetricDataResult{}}
	for _, q := range in.MetricDataQueries {
		if q.ReturnData == nil || *q.ReturnData {
			out.MetricDataResults = append(out.MetricDataResults, s.query(q, in))
		}
	}
	return out, nil
}

func (s *Service) query(q MetricDataQuery, in *GetMetricDataInput) MetricDataResult {
	m, period := q.MetricStat.Metric, time.Duration(q.MetricStat.Period)*time.Second
	result := MetricDataResult{
		Id: q.Id, Label: q.Label, StatusCode: "Complete", Timestamps: []time.Time{}, Values: []float64{},
	}
	if result.Label == "" {
		result.Label = m.MetricName
	}
	all := s.metrics.find(m.Namespace, m.MetricName, m.Dimensions, q.MetricStat.Unit)
	for _, p := range read(all, s.kept(in.StartTime, period), in.EndTime, period) {
		if value, ok := statistic(q.MetricStat.Stat).of(&p.bucket); ok {
			result.Timestamps = append(result.Timestamps, p.start)
			result.Values = append(result.Values, value)
		}
	}
	if in.ScanBy != "TimestampAscending" {
		slices.Reverse(result.Timestamps)
		slices.Reverse(result.Values)
	}
	return result
}

// kept moves a start that lies before everything that is kept forward, by whole
// periods.
func (s *Service) kept(start time.Time, period time.Duration) time.Time {
	start = start.Truncate(time.Minute)
	if oldest := s.clock.Now().Add(-retention); start.Before(oldest) {
		start = start.Add(oldest.Sub(start) / period * period)
	}
	return start
}

var queryID = regexp.MustCompile(`^[a-z][A-Za-z0-9_]*$`)

func (in *GetMetricDataInput) validate() error {
	if in.ScanBy != "" && in.ScanBy != "TimestampAscending" && in.ScanBy != "TimestampDescending" {
		return invalid("The value %s for parameter ScanBy is invalid.", in.ScanBy)
	}
	if !in.StartTime.Before(in.EndTime) {
		return invalid("The parameter StartTime must be less than the parameter EndTime.")
	}
	if n := len(in.MetricDataQueries); n == 0 || n > 500 {
		return invalid("The collection MetricDataQueries must have between 1 and 500 items; it has %d.", n)
	}
	seen := map[string]bool{}
	for _, q := range in.MetricDataQueries {
		switch {
		case !queryID.MatchString(q.Id) || seen[q.Id]:
			return invalid("The value %q for parameter MetricDataQueries.Id is invalid: ids start with a lower-case letter, hold letters, digits and _, and are unique.", q.Id)
		case strings.Contains(q.Label, "${"):
			return invalid("Label of query %s: the embedded AWS has no dynamic labels.", q.Id)
		case !statistic(q.MetricStat.Stat).known():
			return invalid("Stat of query %s: the embedded AWS has no statistic %q.", q.Id, q.MetricStat.Stat)
		}
		seen[q.Id] = true
		if err := checkPeriod(q.MetricStat.Period); err != nil {
			return err
		}
		if err := checkMetric("MetricDataQueries."+q.Id, q.MetricStat.Metric.Dimensions, q.MetricStat.Unit); err != nil {
			return err
		}
	}
	return nil
}

func checkPeriod(seconds int) error {
	if seconds <= 0 || seconds%60 != 0 {
		return invalid("The parameter Period must be a multiple of 60; the embedded AWS keeps minutes only.")
	}
	return nil
}

// GetMetricStatisticsInput is the input of GetMetricStatistics.
type GetMetricStatisticsInput struct {
	Namespace          string `aws:",required"`
	MetricName         string `aws:",required"`
	Dimensions         []Dimension
	StartTime          time.Time `aws:",required"`
	EndTime            time.Time `aws:",required"`
	Period             int       `aws:",required"`
	Statistics         []string
	ExtendedStatistics []string
	Unit               string
}

// A Datapoint is the statistics of one period in one unit.
type Datapoint struct {
	Timestamp          time.Time
	SampleCount        *float64
	Average            *float64
	Sum                *float64
	Minimum            *float64
	Maximum            *float64
	ExtendedStatistics map[string]float64
	Unit               string
}

// GetMetricStatisticsOutput is the output of GetMetricStatistics.
type GetMetricStatisticsOutput struct {
	Label      string
	Datapoints []Datapoint
}

// GetMetricStatistics reads one metric. Each of its units has datapoints of its
// own.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
func (s *Service) GetMetricStatistics(_ context.Context, in *GetMetricStatisticsInput) (*GetMetricStatisticsOutput, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []Datapoint{}}
	period := time.Duration(in.Period) * time.Second
	for _, one := range s.metrics.find(in.Namespace, in.MetricName, in.Dimensions, in.Unit) {
		for _, p := range read([]*series{one}, s.kept(in.StartTime, period), in.EndTime, period) {
			out.Datapoints = append(out.Datapoints, in.datapoint(p, one.unit))
		}
	}
	return out, nil
}

func (in *GetMetricStatisticsInput) validate() error {
	if len(in.Statistics)+len(in.ExtendedStatistics) == 0 {
		return wire.Errorf("MissingParameter", "Must specify either Statistics or ExtendedStatistics.")
	}
	for _, name := range in.Statistics {
		if !statistic(name).plain() {
			return badValue("The value %s for parameter Statistics is invalid.", name)
		}
	}
	for _, name := range in.ExtendedStatistics {
		if _, ok := statistic(name).percent(); !ok {
			return badValue("The value %s for parameter ExtendedStatistics is invalid: the embedded AWS has percentiles only.", name)
		}
	}
	if !in.StartTime.Before(in.EndTime) {
		return badValue("The parameter StartTime must be less than the parameter EndTime.")
	}
	if err := checkPeriod(in.Period); err != nil {
		return badValue("%s", err.(*wire.Error).Message)
	}
	if n := int(in.EndTime.Sub(in.StartTime)/time.Second) / in.Period; n > 1440 {
		return wire.Errorf("InvalidParameterCombination", "You have requested up to %d datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n)
	}
	return checkMetric("", in.Dimensions, in.Unit)
}

func (in *GetMetricStatisticsInput) datapoint(p datapoint, unit string) Datapoint {
	d := Datapoint{Timestamp: p.start, Unit: unit}
	into := map[string]**float64{
		"SampleCount": &d.SampleCount, "Average": &d.Average, "Sum": &d.Sum, "Minimum": &d.Minimum, "Maximum": &d.Maximum,
	}
	for _, name := range in.Statistics {
		if value, ok := statistic(name).of(&p.bucket); ok {
			*into[name] = &value
		}
	}
	for _, name := range in.ExtendedStatistics {
		if value, ok := statistic(name).of(&p.bucket); ok {
			if d.ExtendedStatistics == nil {
				d.ExtendedStatistics = map[string]float64{}
			}
			d.ExtendedStatistics[name] = value
		}
	}
	return d
}
