package preview_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/record"
	"cutover/pkg/record/recordtest"
	"cutover/pkg/release"
	"cutover/pkg/rollout/preview"
)

// alarms are a metric alarm that is well and a composite one that is not.
type alarms struct{ asked [][]string }

func (a *alarms) DescribeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	a.asked = append(a.asked, in.AlarmNames)
	well, bad, why := "metric", "composite", "its rule came true"
	return &cloudwatch.DescribeAlarmsOutput{
		CompositeAlarms: []types.CompositeAlarm{{AlarmName: &bad, StateValue: types.StateValueAlarm, StateReason: &why}},
		MetricAlarms:    []types.MetricAlarm{{AlarmName: &well, StateValue: types.StateValueOk}},
	}, nil
}

func TestReadAlarms_InTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	api := &alarms{}
	got, err := preview.ReadAlarms(t.Context(), api, []string{"composite", "gone", "metric"})
	want := []preview.Alarm{{"composite", "ALARM", "its rule came true"}, {Name: "gone"}, {Name: "metric", State: "OK"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("got error %v, (-want +got):\n%s", err, diff)
	}
	if _, err := preview.ReadAlarms(t.Context(), api, nil); err != nil || len(api.asked) != 1 {
		t.Errorf("without alarms: got error %v and %d calls, want none more", err, len(api.asked)-1)
	}
}

func read(t *testing.T, w *fake.World, parameters *recordtest.Parameters, text string) *preview.Preview {
	t.Helper()
	file, err := release.Load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := preview.Read(t.Context(), preview.APIs{ELB: w.ELB(), ECS: w.ECS(), Alarms: &alarms{}, SSM: parameters}, file, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const hello = "set: hello\nservices:\n  - {name: hello, loadBalancer: hello, cluster: main, services: [hello-a, hello-b]}\n"

func TestRead_TellsSidesAndTimes(t *testing.T) {
	t.Parallel()
	p := read(t, fake.New(), &recordtest.Parameters{}, hello+"traffic: {linear: {percent: 40, interval: 5m}}\nbake: 10m\n")
	if s := p.Services[0]; s.Live.Service != "hello-a" || s.Gains.Service != "hello-b" {
		t.Errorf("got %s live and %s gaining, want hello-a and hello-b", s.Live.Service, s.Gains.Service)
	}
	need := func(n int) map[string]int { return map[string]int{"hello": n} }
	want := []preview.Move{
		{Percent: 40, Pause: 5 * time.Minute, Needed: need(1)},
		{Percent: 80, After: 5 * time.Minute, Pause: 5 * time.Minute, Needed: need(2)},
		{Percent: 100, After: 10 * time.Minute, Pause: 10 * time.Minute, Needed: need(2)},
	}
	if diff := cmp.Diff(want, p.Moves); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
	if len(p.Obstacles) > 0 || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "DeployGreen has not deployed") {
		t.Errorf("got obstacles %v and notes %v, want only a note of DeployGreen", p.Obstacles, p.Notes)
	}
}

func TestRead_WhatKeepsAReleaseFromStarting(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*fake.World, *record.Store)
		rest    string
		want    string // obstacle; none means a note
		note    string
	}{
		"an alarm":          {nil, "alarms: [metric, composite]\n", "alarm composite is in ALARM: its rule came true", ""},
		"a missing alarm":   {nil, "alarms: [gone]\n", `alarm "gone" does not exist`, ""},
		"a missing service": {func(w *fake.World, _ *record.Store) { delete(w.Services, "hello-b") }, "", `hello: service "hello-b" does not exist`, ""},
		"both sides live": {func(w *fake.World, _ *record.Store) {
			w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 50, fake.GroupB, 50)
		}, "", "both sides are live", ""},
		"green not healthy": {func(w *fake.World, _ *record.Store) {
			w.Tags[fake.GroupB]["cutover:execution"] = "e1"
			w.SetHealth(fake.GroupB, 1, 1)
		}, "", "hello: green has 1 healthy targets, needed for 100 % of the traffic are 2", ""},
		"green not deployed": {func(w *fake.World, _ *record.Store) {
			w.Tags[fake.GroupB]["cutover:execution"] = "rolled-back:e1"
			w.SetHealth(fake.GroupB, 0, 0)
		}, "", "", "DeployGreen has not deployed"},
		"a release":                    {func(_ *fake.World, s *record.Store) { hold(s) }, "", "locked by execution other", ""},
		"a release that is waited for": {func(_ *fake.World, s *record.Store) { hold(s) }, "lock: {whenHeld: wait}\n", "", "locked by execution other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, parameters := fake.New(), &recordtest.Parameters{}
			if c.prepare != nil {
				c.prepare(w, record.Open(parameters, "hello"))
			}
			p := read(t, w, parameters, hello+c.rest)
			obstacles, notes := strings.Join(p.Obstacles, "\n"), strings.Join(p.Notes, "\n")
			if !strings.Contains(obstacles, c.want) || c.want == "" && obstacles != "" {
				t.Errorf("got obstacles %q, want %q", obstacles, c.want)
			}
			if !strings.Contains(notes, c.note) {
				t.Errorf("got notes %q, want %q", notes, c.note)
			}
			if writes := w.Writes(); len(writes) > 0 {
				t.Errorf("got writes %v, want none", writes)
			}
		})
	}
}

func hold(s *record.Store) {
	if _, err := s.Acquire(context.Background(), noon, record.Record{Execution: "other", Started: noon, Expires: noon.Add(time.Hour)}); err != nil {
		panic(err)
	}
}
