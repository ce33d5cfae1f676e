package cloudwatch_test

import (
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

func TestComposite_FollowsItsChildrenAtOnce(t *testing.T) {
	w := newWorld(t)
	w.alarm("a", treat("notBreaching"))
	w.alarm("b", treat("notBreaching"))
	w.composite("below", `ALARM(a) AND NOT ALARM("b")`)
	w.composite("above", `ALARM(below) OR FALSE`)
	if got := w.showComposite("below"); got.StateValue != types.StateValueOk || !strings.Contains(*got.StateReason, "was created and its alarm rule evaluates to OK") {
		t.Errorf("got %s (%s), want a new composite alarm to be evaluated", got.StateValue, *got.StateReason)
	}

	w.clock.Advance(90 * time.Second)
	w.put(1)
	w.clock.Advance(30 * time.Second) // both children go to ALARM at the same time
	for _, name := range []string{"below", "above"} {
		if got := w.showComposite(name); got.StateValue != types.StateValueOk || got.StateTransitionedTimestamp.Equal(w.clock.Now()) {
			t.Errorf("%s with both in ALARM: got %s since %v, want OK as before", name, got.StateValue, got.StateTransitionedTimestamp)
		}
	}
	w.set("b", types.StateValueOk)
	got := w.showComposite("above")
	if got.StateValue != types.StateValueAlarm || !got.StateTransitionedTimestamp.Equal(noon.Add(2*time.Minute)) {
		t.Errorf("got %s at %v, want ALARM at once", got.StateValue, got.StateTransitionedTimestamp)
	}
	const want = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:below transitioned to ALARM at Wednesday 04 March, 2026 12:02:00 UTC"
	if *got.StateReason != want {
		t.Errorf("got reason %q, want %q", *got.StateReason, want)
	}
	w.set("a", types.StateValueInsufficientData)
	if got := w.showComposite("above"); got.StateValue != types.StateValueOk {
		t.Errorf("got %s, want OK", got.StateValue)
	}
}

func TestPutCompositeAlarm_Refuses(t *testing.T) {
	w := newWorld(t)
	w.alarm("a")
	w.composite("low", "ALARM(a)")
	w.composite("mid", "ALARM(low)")
	for sentence, c := range map[string][2]string{
		"a rule that can't be read":          {"x", "ALARM(a) AND"},
		"an alarm that does not exist":       {"x", "ALARM(nobody)"},
		"itself":                             {"low", "ALARM(low)"},
		"a cycle through another":            {"low", "ALARM(a) OR NOT OK(mid)"},
		"the name of a metric alarm":         {"a", "TRUE"},
		"a name with a control character":    {"x\n", "TRUE"},
		"a new alarm that depends on itself": {"new", "OK(new)"},
	} {
		_, err := w.PutCompositeAlarm(t.Context(), &sdk.PutCompositeAlarmInput{AlarmName: &c[0], AlarmRule: &c[1]})
		if err == nil {
			t.Errorf("%s: got it put, want it refused", sentence)
			continue
		}
		wantCode(t, err, "ValidationError")
	}
	if got := *w.showComposite("low").AlarmRule; got != "ALARM(a)" {
		t.Errorf("got rule %s, want it as it was", got)
	}
}

func TestDeleteAlarms_KeepsTheChildrenOfRules(t *testing.T) {
	w := newWorld(t)
	w.alarm("a")
	w.alarm("b")
	w.composite("c", "ALARM(a)")
	w.composite("d", "TRUE")
	remove := func(names ...string) error {
		_, err := w.DeleteAlarms(t.Context(), &sdk.DeleteAlarmsInput{AlarmNames: names})
		return err
	}
	wantCode(t, remove("b", "a"), "ValidationError")
	wantCode(t, remove("b", "nobody"), "ResourceNotFound")
	wantCode(t, remove("c", "d"), "ValidationError")
	w.show("b") // none of them took effect
	w.must(remove("a", "c", "a"))
	out, err := w.DescribeAlarms(t.Context(), &sdk.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{"MetricAlarm", "CompositeAlarm"}})
	w.must(err)
	if len(out.MetricAlarms) != 1 || len(out.CompositeAlarms) != 1 || *out.MetricAlarms[0].AlarmName != "b" {
		t.Errorf("got %d and %d alarms, want b and d left", len(out.MetricAlarms), len(out.CompositeAlarms))
	}
	w.must(remove("b"))
	if w.clock.Step(w.clock.Now().Add(time.Hour)) {
		// The evaluation that was due finds nothing to do and is the last.
		if w.clock.Step(w.clock.Now().Add(time.Hour)) {
			t.Error("got evaluations without metric alarms, want none")
		}
	}
}
