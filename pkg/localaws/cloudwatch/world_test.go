package cloudwatch_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudwatch"
	"cutover/pkg/localaws/endpoint/endpointtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// A world is one CloudWatch on a clock that the test moves, and a client.
type world struct {
	*sdk.Client
	t       *testing.T
	clock   *clock.Manual
	service *cloudwatch.Service
	config  aws.Config
}

func newWorld(t *testing.T) *world {
	t.Parallel()
	c := clock.NewManual(noon)
	s := cloudwatch.New(cloudwatch.Config{Clock: c})
	t.Cleanup(s.Close)
	config, _ := endpointtest.Serve(t, c, s.Wire())
	return &world{Client: sdk.NewFromConfig(config), t: t, clock: c, service: s, config: config}
}

// put records a value of N/m as of now.
func (w *world) put(value float64) { w.service.Put("N", nil, "m", value, "Count") }

func (w *world) alarm(name string, changes ...func(*sdk.PutMetricAlarmInput)) {
	w.t.Helper()
	in := &sdk.PutMetricAlarmInput{
		AlarmName: &name, Namespace: aws.String("N"), MetricName: aws.String("m"), Statistic: types.StatisticSum,
		Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1),
		ComparisonOperator: types.ComparisonOperatorGreaterThanOrEqualToThreshold,
	}
	for _, change := range changes {
		change(in)
	}
	_, err := w.PutMetricAlarm(w.t.Context(), in)
	w.must(err)
}

func (w *world) composite(name, rule string) {
	w.t.Helper()
	_, err := w.PutCompositeAlarm(w.t.Context(), &sdk.PutCompositeAlarmInput{AlarmName: &name, AlarmRule: &rule})
	w.must(err)
}

func (w *world) set(name string, state types.StateValue) {
	w.t.Helper()
	_, err := w.SetAlarmState(w.t.Context(), &sdk.SetAlarmStateInput{AlarmName: &name, StateValue: state, StateReason: aws.String("test")})
	w.must(err)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// show is a metric alarm as DescribeAlarms has it.
func (w *world) show(name string) types.MetricAlarm {
	w.t.Helper()
	out, err := w.DescribeAlarms(w.t.Context(), &sdk.DescribeAlarmsInput{AlarmNames: []string{name}})
	w.must(err)
	if len(out.MetricAlarms) != 1 {
		w.t.Fatalf("got %d alarms named %s, want 1", len(out.MetricAlarms), name)
	}
	return out.MetricAlarms[0]
}

func (w *world) showComposite(name string) types.CompositeAlarm {
	w.t.Helper()
	out, err := w.DescribeAlarms(w.t.Context(), &sdk.DescribeAlarmsInput{
		AlarmNames: []string{name}, AlarmTypes: []types.AlarmType{types.AlarmTypeCompositeAlarm},
	})
	w.must(err)
	if len(out.CompositeAlarms) != 1 {
		w.t.Fatalf("got %d composite alarms named %s, want 1", len(out.CompositeAlarms), name)
	}
	return out.CompositeAlarms[0]
}

func (w *world) wantState(name string, want types.StateValue) {
	w.t.Helper()
	if got := w.show(name); got.StateValue != want {
		w.t.Errorf("%s at %s: got %s (%s), want %s", name, w.clock.Now().Format("15:04:05"), got.StateValue, *got.StateReason, want)
	}
}

// wantCode checks the code of an error.
func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	var no smithy.APIError
	if !errors.As(err, &no) || no.ErrorCode() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
