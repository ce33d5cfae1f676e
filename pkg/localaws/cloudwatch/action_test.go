package cloudwatch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudwatch"
	"cutover/pkg/localaws/endpoint/endpointtest"
)

const (
	topic  = "arn:aws:sns:us-east-1:111122223333:topic"
	policy = "arn:aws:autoscaling:us-east-1:111122223333:scalingPolicy:1:autoScalingGroupName/g:policyName/p"
)

// told records what alarms had done.
type told struct {
	acts   []string
	events []string
	fail   error
}

func (r *told) Act(a cloudwatch.Action) error {
	var m struct{ NewStateValue, OldStateValue string }
	if err := json.Unmarshal([]byte(a.Message), &m); err != nil {
		return err
	}
	r.acts = append(r.acts, fmt.Sprintf("%s: %s, was %s, by %v", a.ARN, m.NewStateValue, m.OldStateValue, a.Breach))
	return r.fail
}

func (r *told) Publish(source, detailType string, resources []string, detail any) {
	text, err := json.Marshal(detail)
	if err != nil {
		panic(err)
	}
	var d struct {
		AlarmName            string
		State, PreviousState struct{ Value string }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		panic(err)
	}
	r.events = append(r.events, fmt.Sprintf("%s %s: %s -> %s", source, d.AlarmName, d.PreviousState.Value, d.State.Value))
}

func newActingWorld(t *testing.T) (*world, *told) {
	t.Parallel()
	c, r := clock.NewManual(noon), &told{}
	s := cloudwatch.New(cloudwatch.Config{Clock: c, Actions: r, Events: r})
	t.Cleanup(s.Close)
	config, _ := endpointtest.Serve(t, c, s.Wire())
	return &world{Client: sdk.NewFromConfig(config), t: t, clock: c, service: s, config: config}, r
}

func TestActions_FollowTheState(t *testing.T) {
	w, r := newActingWorld(t)
	w.alarm("a", func(in *sdk.PutMetricAlarmInput) {
		in.AlarmActions, in.OKActions = []string{topic, policy}, []string{topic}
		in.TreatMissingData = aws.String("notBreaching")
	})
	w.put(5)
	w.clock.Advance(time.Minute)
	if diff := cmp.Diff([]string{topic + ": ALARM, was INSUFFICIENT_DATA, by 4", policy + ": ALARM, was INSUFFICIENT_DATA, by 4"}, r.acts); diff != "" {
		t.Errorf("on ALARM (-want +got):\n%s", diff)
	}
	r.acts = nil
	w.clock.Advance(time.Minute)
	if diff := cmp.Diff([]string{policy + ": ALARM, was ALARM, by 4"}, r.acts); diff != "" {
		t.Errorf("a minute later (-want +got):\n%s", diff)
	}
	r.acts = nil
	w.clock.Advance(10 * time.Minute)
	if got, want := r.acts[len(r.acts)-1], topic+": OK, was ALARM, by 4"; got != want {
		t.Errorf("last action: got %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{"aws.cloudwatch a: INSUFFICIENT_DATA -> ALARM", "aws.cloudwatch a: ALARM -> OK"}, r.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestActions_StayUndoneWhileDisabled(t *testing.T) {
	w, r := newActingWorld(t)
	w.alarm("a", func(in *sdk.PutMetricAlarmInput) {
		in.AlarmActions, in.ActionsEnabled = []string{topic}, aws.Bool(false)
	})
	w.put(5)
	w.clock.Advance(time.Minute)
	if len(r.acts) > 0 {
		t.Errorf("got actions %q, want none", r.acts)
	}
}

func TestActions_OutcomesAreInTheHistory(t *testing.T) {
	w, r := newActingWorld(t)
	w.alarm("child")
	rule := "ALARM(child)"
	_, err := w.PutCompositeAlarm(t.Context(), &sdk.PutCompositeAlarmInput{AlarmName: aws.String("both"), AlarmRule: &rule, AlarmActions: []string{topic}})
	w.must(err)
	r.fail = errors.New("no such topic")
	w.set("child", types.StateValueAlarm)
	w.clock.Advance(0)
	out, err := w.DescribeAlarmHistory(t.Context(), &sdk.DescribeAlarmHistoryInput{
		AlarmName: aws.String("both"), AlarmTypes: []types.AlarmType{types.AlarmTypeCompositeAlarm}, HistoryItemType: types.HistoryItemTypeAction,
	})
	w.must(err)
	if len(out.AlarmHistoryItems) != 1 || !strings.Contains(*out.AlarmHistoryItems[0].HistorySummary, "no such topic") {
		t.Errorf("got %v, want one failed action that says why", out.AlarmHistoryItems)
	}
}
