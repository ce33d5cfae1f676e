package cloudwatch_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

func treat(as string) func(*sdk.PutMetricAlarmInput) {
	return func(in *sdk.PutMetricAlarmInput) { in.TreatMissingData = &as }
}

func TestAlarm_StartsWithoutDataAndFollowsItsMetric(t *testing.T) {
	w := newWorld(t)
	w.alarm("errors", treat("notBreaching"))
	first := w.show("errors")
	if first.StateValue != types.StateValueInsufficientData || *first.StateReason != "Unchecked: Initial alarm creation" {
		t.Errorf("got %s (%s), want a new alarm to have no data", first.StateValue, *first.StateReason)
	}
	if !first.StateTransitionedTimestamp.Equal(noon) || !first.StateUpdatedTimestamp.Equal(noon) {
		t.Errorf("got %v and %v, want the time of its making", first.StateTransitionedTimestamp, first.StateUpdatedTimestamp)
	}

	w.clock.Advance(time.Minute)
	w.wantState("errors", types.StateValueOk)
	const absent = "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching]."
	if got := *w.show("errors").StateReason; got != absent {
		t.Errorf("got reason %q, want %q", got, absent)
	}

	w.clock.Advance(30 * time.Second)
	w.put(2)
	w.put(1)
	w.clock.Advance(29 * time.Second)
	w.wantState("errors", types.StateValueOk)
	w.clock.Advance(time.Second) // 12:02
	got := w.show("errors")
	const crossed = "Threshold Crossed: 1 out of the last 1 datapoints [3.0 (04/03/26 12:01:00)] was greater than or equal to the threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition)."
	if got.StateValue != types.StateValueAlarm || *got.StateReason != crossed {
		t.Errorf("got %s, %q, want ALARM, %q", got.StateValue, *got.StateReason, crossed)
	}
	if want := noon.Add(2 * time.Minute); !got.StateTransitionedTimestamp.Equal(want) {
		t.Errorf("got transition at %v, want %v", got.StateTransitionedTimestamp, want)
	}
	var data struct {
		RecentDatapoints []float64
		Threshold        float64
	}
	if err := json.Unmarshal([]byte(*got.StateReasonData), &data); err != nil || len(data.RecentDatapoints) != 1 || data.RecentDatapoints[0] != 3 || data.Threshold != 1 {
		t.Errorf("got reason data %s (%v)", *got.StateReasonData, err)
	}

	// The one datapoint is seen in the place of missing ones for two minutes more.
	w.clock.Advance(2 * time.Minute)
	w.wantState("errors", types.StateValueAlarm)
	w.clock.Advance(time.Minute)
	w.wantState("errors", types.StateValueOk)
}

func TestAlarm_TreatsMissingData(t *testing.T) {
	w := newWorld(t)
	for _, as := range []string{"breaching", "notBreaching", "ignore", "missing"} {
		w.alarm(as, treat(as), func(in *sdk.PutMetricAlarmInput) { in.EvaluationPeriods = aws.Int32(2) })
	}
	for range 2 { // good data first, so that every alarm is OK
		w.put(0)
		w.clock.Advance(time.Minute)
	}
	for _, as := range []string{"breaching", "notBreaching", "ignore", "missing"} {
		w.wantState(as, types.StateValueOk)
	}
	w.clock.Advance(10 * time.Minute)
	w.wantState("breaching", types.StateValueAlarm)
	w.wantState("notBreaching", types.StateValueOk)
	w.wantState("ignore", types.StateValueOk)
	w.wantState("missing", types.StateValueInsufficientData)
	if got, want := *w.show("missing").StateReason, "Insufficient Data: 2 datapoints were unknown."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := *w.show("breaching").StateReason; !strings.Contains(got, "treated as [Breaching]") {
		t.Errorf("got %q, want it to say how missing data was treated", got)
	}
}

func TestAlarm_NeedsMOfN(t *testing.T) {
	w := newWorld(t)
	w.alarm("2 of 3", func(in *sdk.PutMetricAlarmInput) {
		in.EvaluationPeriods, in.DatapointsToAlarm = aws.Int32(3), aws.Int32(2)
	})
	for i, step := range []struct {
		value float64
		want  types.StateValue
	}{
		{0, types.StateValueOk}, {0, types.StateValueOk}, {5, types.StateValueOk}, {0, types.StateValueOk},
		{7, types.StateValueAlarm}, {0, types.StateValueOk},
	} {
		w.put(step.value)
		w.clock.Advance(time.Minute)
		if got := w.show("2 of 3"); got.StateValue != step.want {
			t.Errorf("minute %d: got %s, want %s", i+1, got.StateValue, step.want)
		}
		if i == 4 {
			const want = "Threshold Crossed: 2 out of the last 3 datapoints [5.0 (04/03/26 12:02:00), 7.0 (04/03/26 12:04:00)] were greater than or equal to the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition)."
			if got := *w.show("2 of 3").StateReason; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
}

func TestAlarm_WatchesPercentilesOverSlidingPeriods(t *testing.T) {
	w := newWorld(t)
	w.alarm("slow", func(in *sdk.PutMetricAlarmInput) {
		in.Statistic, in.ExtendedStatistic, in.Period, in.Threshold = "", aws.String("p90"), aws.Int32(300), aws.Float64(0.5)
		in.TreatMissingData = aws.String("notBreaching")
	})
	for i := range 100 {
		value := 0.1
		if i >= 88 {
			value = 2
		}
		w.put(value)
	}
	w.clock.Advance(time.Minute)
	w.wantState("slow", types.StateValueAlarm) // a minute on: the window of 5 minutes slides
	for range 1000 {
		w.put(0.1)
	}
	w.clock.Advance(time.Minute)
	w.wantState("slow", types.StateValueOk)
}

func TestAlarm_KeepsItsStateWhenPutAgain(t *testing.T) {
	w := newWorld(t)
	w.alarm("a")
	w.put(1)
	w.clock.Advance(time.Minute)
	w.alarm("a", func(in *sdk.PutMetricAlarmInput) { in.Threshold = aws.Float64(100) })
	w.wantState("a", types.StateValueAlarm)
	w.clock.Advance(time.Minute)
	w.wantState("a", types.StateValueOk)
}

func TestSetAlarmState_LastsUntilTheNextEvaluation(t *testing.T) {
	w := newWorld(t)
	w.alarm("a", treat("notBreaching"))
	w.clock.Advance(90 * time.Second)
	w.set("a", types.StateValueAlarm)
	w.wantState("a", types.StateValueAlarm)
	w.clock.Advance(30 * time.Second)
	w.wantState("a", types.StateValueOk)

	_, err := w.SetAlarmState(t.Context(), &sdk.SetAlarmStateInput{AlarmName: aws.String("no"), StateValue: types.StateValueOk, StateReason: aws.String("x")})
	wantCode(t, err, "ResourceNotFound")
	_, err = w.SetAlarmState(t.Context(), &sdk.SetAlarmStateInput{AlarmName: aws.String("a"), StateValue: types.StateValueOk, StateReason: aws.String("x"), StateReasonData: aws.String("{")})
	wantCode(t, err, "InvalidFormat")
}

func TestPutMetricAlarm_Refuses(t *testing.T) {
	w := newWorld(t)
	for sentence, change := range map[string]func(*sdk.PutMetricAlarmInput){
		"two statistics":                  func(in *sdk.PutMetricAlarmInput) { in.ExtendedStatistic = aws.String("p50") },
		"no statistic":                    func(in *sdk.PutMetricAlarmInput) { in.Statistic = "" },
		"a period below a minute":         func(in *sdk.PutMetricAlarmInput) { in.Period = aws.Int32(10) },
		"a look back of more than a day":  func(in *sdk.PutMetricAlarmInput) { in.EvaluationPeriods = aws.Int32(1441) },
		"more datapoints than periods":    func(in *sdk.PutMetricAlarmInput) { in.DatapointsToAlarm = aws.Int32(2) },
		"an operator of anomaly bands":    func(in *sdk.PutMetricAlarmInput) { in.ComparisonOperator = "GreaterThanUpperThreshold" },
		"another way to treat what lacks": treat("bad"),
		"a trimmed mean":                  func(in *sdk.PutMetricAlarmInput) { in.Statistic, in.ExtendedStatistic = "", aws.String("tm90") },
		"an unknown unit":                 func(in *sdk.PutMetricAlarmInput) { in.Unit = "Parsec" },
		"an action that is no ARN":        func(in *sdk.PutMetricAlarmInput) { in.AlarmActions = []string{"topic"} },
		"metric math": func(in *sdk.PutMetricAlarmInput) {
			in.Metrics = []types.MetricDataQuery{{Id: aws.String("e"), Expression: aws.String("1")}}
		},
	} {
		in := &sdk.PutMetricAlarmInput{
			AlarmName: aws.String("a"), Namespace: aws.String("N"), MetricName: aws.String("m"), Statistic: types.StatisticSum,
			Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1), ComparisonOperator: types.ComparisonOperatorLessThanThreshold,
		}
		change(in)
		if _, err := w.PutMetricAlarm(t.Context(), in); err == nil {
			t.Errorf("%s: got it put, want it refused", sentence)
		}
	}
	if out, err := w.DescribeAlarms(t.Context(), &sdk.DescribeAlarmsInput{}); err != nil || len(out.MetricAlarms) != 0 {
		t.Errorf("got %d alarms (%v), want none", len(out.MetricAlarms), err)
	}
}
