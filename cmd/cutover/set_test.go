package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/record"
	"cutover/pkg/record/recordtest"
)

var update = flag.Bool("update", false, "rewrite testdata/set")

// alarms is a CloudWatch with alarms, their states by name.
type alarms map[string]string

func (a alarms) DescribeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	out := &cloudwatch.DescribeAlarmsOutput{}
	for _, name := range in.AlarmNames {
		if state, ok := a[name]; ok {
			reason := "Threshold Crossed: 1 datapoint [12.0 (04/03/26 12:04:00)] was greater than the threshold (5.0)."
			out.MetricAlarms = append(out.MetricAlarms, types.MetricAlarm{AlarmName: &name, StateValue: types.StateValue(state), StateReason: &reason})
		}
	}
	return out, nil
}

const (
	older   = "11111111-2222-3333-4444-555555555555" // the execution that blue is of
	current = "99999999-8888-7777-6666-555555555555"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// A shop is a release set of two services, cart and web, and the command line.
type shop struct {
	t      *testing.T
	world  *fake.World
	params recordtest.Parameters
	alarms alarms
	now    time.Time
	file   string
	rest   string // of the file
	blues  []string
	greens []string
	out    bytes.Buffer
	err    bytes.Buffer
}

func newShop(t *testing.T) *shop {
	s := &shop{t: t, world: fake.New(), now: noon, alarms: alarms{"shop-5xx": "OK", "shop-slow": "OK"}, file: filepath.Join(t.TempDir(), "cutover.yaml")}
	text := "set: shop\nservices:\n"
	for _, name := range []string{"cart", "web"} {
		a, b := s.world.AddPair(name)
		s.world.Tags[a]["cutover:execution"], s.world.Tags[b]["cutover:execution"] = older, current
		s.world.Tags[a]["cutover:image"] = "111122223333.dkr.ecr.us-east-1.amazonaws.com/" + name + "@sha256:" + strings.Repeat("1a", 32)
		s.world.Tags[b]["cutover:image"] = "111122223333.dkr.ecr.us-east-1.amazonaws.com/" + name + "@sha256:" + strings.Repeat("9c", 32)
		s.blues, s.greens = append(s.blues, a), append(s.greens, b)
		text += fmt.Sprintf("  - {name: %s, loadBalancer: hello, cluster: main, services: [%s-a, %s-b]}\n", name, name, name)
	}
	s.rest = "traffic:\n  steps:\n    - {weight: 5, pause: 10m}\n    - {weight: 25, pause: approval}\nbake: 30m\nalarms: [shop-5xx, shop-slow]\n"
	must(t, os.WriteFile(s.file, []byte(text+s.rest), 0o600))
	return s
}

func (s *shop) remote() *remote {
	s.out.Reset()
	s.err.Reset()
	return &remote{
		elb: s.world.ELB(), ecs: s.world.ECS(), ssm: &s.params, alarms: s.alarms,
		now: func() time.Time { return s.now }, by: "ada@laptop", out: &s.out, err: &s.err,
	}
}

func (s *shop) store() *record.Store { return record.Open(&s.params, "shop") }

// release records a release of an execution that stands at a progress.
func (s *shop) release(execution string, change func(*record.Record)) record.Record {
	s.t.Helper()
	r := record.Record{
		Execution: execution, Strategy: "steps of 5 %, 25 %", Started: s.now.Add(-20 * time.Minute), Expires: s.now.Add(time.Hour),
		Commit:   &record.Commit{ID: "4f2a9c1d0be37765aa0c9d2be1f5e3c7d8a6b901", Message: "Round prices up"},
		Progress: record.Progress{Move: -1},
	}
	change(&r)
	r, err := s.store().Acquire(s.t.Context(), r.Started, r)
	must(s.t, err)
	return r
}

// atApproval is a release that waits at 25 %.
func (s *shop) atApproval(r *record.Record) {
	r.Progress = record.Progress{Move: 1, Settled: true, Since: s.now.Add(-4 * time.Minute)}
	r.Steps = []record.Step{{Weight: 5, At: s.now.Add(-15 * time.Minute)}, {Weight: 25, At: s.now.Add(-4 * time.Minute)}}
	for i := range s.greens {
		s.weights(i, 750, 250)
		s.world.Tags[s.blues[i]]["cutover:execution"] = "retired:" + older
	}
}

// succeeded is a release that has all of production, an hour ago.
func (s *shop) succeeded(r *record.Record) {
	ended := s.now.Add(-time.Minute)
	r.Progress = record.Progress{Move: 2, Settled: true, Since: s.now.Add(-5 * time.Minute)}
	r.Steps = []record.Step{{Weight: 5, At: s.now.Add(-15 * time.Minute)}, {Weight: 100, At: s.now.Add(-5 * time.Minute)}}
	r.Ended, r.Verdict = &ended, record.Succeeded
	for i := range s.greens {
		s.weights(i, 0, 100)
		s.world.Tags[s.blues[i]]["cutover:execution"] = "retired:" + older
		for n, rule := range s.world.Rules[fake.Listener8080] {
			if *rule.Actions[0].ForwardConfig.TargetGroups[0].TargetGroupArn == s.greens[i] {
				s.world.Rules[fake.Listener8080][n].Actions = fake.Forward(s.blues[i], 100)
			}
		}
	}
}

// rule is the production rule of a service.
func (s *shop) rule(i int) int {
	for n, rule := range s.world.Rules[fake.Listener80] {
		for _, g := range rule.Actions[0].ForwardConfig.TargetGroups {
			if *g.TargetGroupArn == s.greens[i] {
				return n
			}
		}
	}
	s.t.Fatalf("service %d has no rule", i)
	return 0
}

func (s *shop) weights(i, blue, green int) {
	s.world.Rules[fake.Listener80][s.rule(i)].Actions = fake.Forward(s.blues[i], blue, s.greens[i], green)
}

// shares are what blue and green have, by service.
func (s *shop) shares() string {
	var all []string
	for i := range s.greens {
		weights := map[string]int32{}
		for _, g := range s.world.Rules[fake.Listener80][s.rule(i)].Actions[0].ForwardConfig.TargetGroups {
			weights[*g.TargetGroupArn] = *g.Weight
		}
		all = append(all, fmt.Sprintf("%d/%d", weights[s.blues[i]], weights[s.greens[i]]))
	}
	return strings.Join(all, " ")
}

func (s *shop) said() verbCommand {
	return verbCommand{setName: setName{"shop"}, Reason: "prices are wrong"}
}

// look is what the release would read.
func (s *shop) look(r record.Record) record.Look {
	s.t.Helper()
	look, err := s.store().Read(s.t.Context(), r.Generation)
	must(s.t, err)
	return look
}

func (s *shop) golden(name string) {
	s.t.Helper()
	path := filepath.Join("testdata", "set", name+".golden")
	got := s.out.String()
	if *update {
		must(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(s.t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	must(s.t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", path, diff)
	}
	for line := range strings.Lines(got) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 100 && !strings.HasPrefix(strings.TrimSpace(line), `"`) {
			s.t.Errorf("a line has %d columns, want at most 100: %s", n, line)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}
