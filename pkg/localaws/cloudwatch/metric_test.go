package cloudwatch_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/cloudwatch"
	"cutover/pkg/localaws/wire"
)

func (w *world) datum(d types.MetricDatum) error {
	if d.MetricName == nil {
		d.MetricName = aws.String("m")
	}
	_, err := w.PutMetricData(w.t.Context(), &sdk.PutMetricDataInput{Namespace: aws.String("N"), MetricData: []types.MetricDatum{d}})
	return err
}

func TestPutMetricData_AggregatesByMinute(t *testing.T) {
	w := newWorld(t)
	w.must(w.datum(types.MetricDatum{Value: aws.Float64(4)}))
	w.must(w.datum(types.MetricDatum{Values: []float64{1, 2}, Counts: []float64{3, 1}}))
	w.must(w.datum(types.MetricDatum{
		Timestamp:       aws.Time(noon.Add(-time.Minute)),
		StatisticValues: &types.StatisticSet{SampleCount: aws.Float64(10), Sum: aws.Float64(50), Minimum: aws.Float64(2), Maximum: aws.Float64(9)},
	}))
	out, err := w.GetMetricStatistics(t.Context(), &sdk.GetMetricStatisticsInput{
		Namespace: aws.String("N"), MetricName: aws.String("m"), Period: aws.Int32(60),
		StartTime: aws.Time(noon.Add(-5 * time.Minute)), EndTime: aws.Time(noon.Add(time.Minute)),
		Statistics:         []types.Statistic{"SampleCount", "Sum", "Average", "Minimum", "Maximum"},
		ExtendedStatistics: []string{"p50"},
	})
	w.must(err)
	type point struct {
		At                               time.Time
		Count, Sum, Average, Least, Most float64
		Percentiles                      int
	}
	var got []point
	for _, d := range out.Datapoints {
		got = append(got, point{*d.Timestamp, *d.SampleCount, *d.Sum, *d.Average, *d.Minimum, *d.Maximum, len(d.ExtendedStatistics)})
		if d.Unit != "None" {
			t.Errorf("got unit %s, want None", d.Unit)
		}
	}
	want := []point{
		{noon.Add(-time.Minute), 10, 50, 5, 2, 9, 0}, // no percentiles of a statistic set
		{noon, 5, 9, 1.8, 1, 4, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("datapoints (-want +got):\n%s", diff)
	}
}

func TestPutMetricData_Refuses(t *testing.T) {
	w := newWorld(t)
	set := &types.StatisticSet{SampleCount: aws.Float64(1), Sum: aws.Float64(1), Minimum: aws.Float64(1), Maximum: aws.Float64(1)}
	for sentence, c := range map[string]struct {
		datum types.MetricDatum
		code  string
	}{
		"no value":                   {types.MetricDatum{}, "MissingParameter"},
		"a value and a set":          {types.MetricDatum{Value: aws.Float64(1), StatisticValues: set}, "InvalidParameterCombination"},
		"more counts than values":    {types.MetricDatum{Values: []float64{1}, Counts: []float64{1, 2}}, "InvalidParameterCombination"},
		"not a number":               {types.MetricDatum{Value: aws.Float64(math.NaN())}, "InvalidParameterValue"},
		"a count of nothing":         {types.MetricDatum{Values: []float64{1}, Counts: []float64{0}}, "InvalidParameterValue"},
		"a second's resolution":      {types.MetricDatum{Value: aws.Float64(1), StorageResolution: aws.Int32(1)}, "InvalidParameterValue"},
		"a time in the future":       {types.MetricDatum{Value: aws.Float64(1), Timestamp: aws.Time(noon.Add(3 * time.Hour))}, "InvalidParameterValue"},
		"a time before what is kept": {types.MetricDatum{Value: aws.Float64(1), Timestamp: aws.Time(noon.Add(-26 * time.Hour))}, "InvalidParameterValue"},
		"a dimension that comes twice": {types.MetricDatum{Value: aws.Float64(1), Dimensions: []types.Dimension{
			{Name: aws.String("a"), Value: aws.String("1")}, {Name: aws.String("a"), Value: aws.String("2")}}}, "InvalidParameterValue"},
	} {
		t.Run(sentence, func(t *testing.T) { wantCode(t, w.datum(c.datum), c.code) })
	}
	_, err := w.PutMetricData(t.Context(), &sdk.PutMetricDataInput{Namespace: aws.String("AWS/Lambda"), MetricData: []types.MetricDatum{{MetricName: aws.String("m"), Value: aws.Float64(1)}}})
	wantCode(t, err, "InvalidParameterValue")
	var typed *types.InvalidParameterValueException
	if !errors.As(err, &typed) {
		t.Errorf("got %T, want the SDK's own type", err)
	}
}

// SDKs compress a request of more than 10 KiB.
func TestPutMetricData_TakesCompressedRequests(t *testing.T) {
	w := newWorld(t)
	var data []types.MetricDatum
	for i := range 1000 {
		data = append(data, types.MetricDatum{
			MetricName: aws.String("m"), Value: aws.Float64(1),
			Dimensions: []types.Dimension{{Name: aws.String("Shard"), Value: aws.String(fmt.Sprint(i % 20))}},
		})
	}
	_, err := w.PutMetricData(t.Context(), &sdk.PutMetricDataInput{Namespace: aws.String("N"), MetricData: data})
	w.must(err)
	out, err := w.ListMetrics(t.Context(), &sdk.ListMetricsInput{Namespace: aws.String("N")})
	w.must(err)
	if len(out.Metrics) != 20 {
		t.Errorf("got %d metrics, want 20", len(out.Metrics))
	}
}

func TestGetMetricData_ReadsPeriods(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		w.service.Put("N", map[string]string{"b": "2", "a": "1"}, "m", float64(i), "Count")
		w.clock.Advance(time.Minute)
	}
	query := func(id, stat string) types.MetricDataQuery {
		return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
			Period: aws.Int32(300), Stat: &stat,
			Metric: &types.Metric{Namespace: aws.String("N"), MetricName: aws.String("m"), Dimensions: []types.Dimension{
				{Name: aws.String("a"), Value: aws.String("1")}, {Name: aws.String("b"), Value: aws.String("2")},
			}},
		}}
	}
	hidden := query("hidden", "Sum")
	hidden.ReturnData = aws.Bool(false)
	in := &sdk.GetMetricDataInput{
		StartTime: aws.Time(noon.Add(-1000 * 24 * time.Hour)), EndTime: aws.Time(noon.Add(10 * time.Minute)),
		MetricDataQueries: []types.MetricDataQuery{query("sum", "Sum"), query("most", "p100"), hidden},
	}
	out, err := w.GetMetricData(t.Context(), in)
	w.must(err)
	if len(out.MetricDataResults) != 2 {
		t.Fatalf("got %d results, want 2", len(out.MetricDataResults))
	}
	sum := out.MetricDataResults[0]
	want := types.MetricDataResult{
		Id: aws.String("sum"), Label: aws.String("m"), StatusCode: types.StatusCodeComplete,
		Timestamps: []time.Time{noon.Add(5 * time.Minute), noon}, Values: []float64{5 + 6 + 7 + 8 + 9, 0 + 1 + 2 + 3 + 4},
	}
	if diff := cmp.Diff(want, sum, cmp.AllowUnexported(types.MetricDataResult{})); diff != "" {
		t.Errorf("the latest first (-want +got):\n%s", diff)
	}
	if got := out.MetricDataResults[1].Values; !cmp.Equal(got, []float64{9, 4}) {
		t.Errorf("got p100 %v, want [9 4]", got)
	}
	in.ScanBy = types.ScanByTimestampAscending
	out, err = w.GetMetricData(t.Context(), in)
	w.must(err)
	if got := out.MetricDataResults[0].Values; !cmp.Equal(got, []float64{10, 35}) {
		t.Errorf("ascending: got %v, want [10 35]", got)
	}
}

func TestGetMetricData_RefusesMathByName(t *testing.T) {
	w := newWorld(t)
	_, err := w.GetMetricData(t.Context(), &sdk.GetMetricDataInput{
		StartTime: aws.Time(noon), EndTime: aws.Time(noon.Add(time.Hour)),
		MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("e1"), Expression: aws.String("m1/m2")}},
	})
	wantCode(t, err, "ValidationError")
	if !strings.Contains(err.Error(), "Expression") {
		t.Errorf("got %v, want it to name Expression", err)
	}
}

func TestListMetrics_Filters(t *testing.T) {
	w := newWorld(t)
	for i := range 499 {
		w.service.Put("N", map[string]string{"i": fmt.Sprint(i)}, "m", 1, "Count")
	}
	w.service.Put("Other", map[string]string{"i": "1"}, "m", 1, "Count")
	count := func(in cloudwatch.ListMetricsInput) int {
		t.Helper()
		out, err := w.service.ListMetrics(t.Context(), &in)
		w.must(err)
		return len(out.Metrics)
	}
	if got := count(cloudwatch.ListMetricsInput{Dimensions: []cloudwatch.DimensionFilter{{Name: "i", Value: "1"}}}); got != 2 {
		t.Errorf("by dimension: got %d, want 2", got)
	}
	if got := count(cloudwatch.ListMetricsInput{Namespace: "Other", MetricName: "m"}); got != 1 {
		t.Errorf("by namespace: got %d, want 1", got)
	}
	if got := count(cloudwatch.ListMetricsInput{Dimensions: []cloudwatch.DimensionFilter{{Name: "j"}}}); got != 0 {
		t.Errorf("by a dimension nobody has: got %d, want 0", got)
	}
	_, err := w.service.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{NextToken: "-1"})
	if no := (*wire.Error)(nil); !errors.As(err, &no) || no.Code != "InvalidNextToken" {
		t.Errorf("got %v, want InvalidNextToken", err)
	}
	w.clock.Advance(26 * time.Hour)
	if got := count(cloudwatch.ListMetricsInput{}); got != 0 {
		t.Errorf("a day later: got %d, want none", got)
	}
}
