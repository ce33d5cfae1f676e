package swaplistener

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	cptypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/bluegreen"
	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/hook"
	"cutover/pkg/job"
	"cutover/pkg/record"
	"cutover/pkg/record/recordtest"
)

// metrics is a CloudWatch with alarms by name and a request count.
type metrics struct {
	alarms   map[string]string // state by name
	requests float64
	blue     float64 // requests that blues answer a minute
	before   func(operation string) error
}

func (m *metrics) DescribeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	if err := m.before("DescribeAlarms"); err != nil {
		return nil, err
	}
	out := &cloudwatch.DescribeAlarmsOutput{}
	for _, name := range in.AlarmNames {
		if state, ok := m.alarms[name]; ok {
			out.MetricAlarms = append(out.MetricAlarms, cwtypes.MetricAlarm{
				AlarmName: &name, StateValue: cwtypes.StateValue(state), StateReason: ptr("Threshold Crossed: 12.0 > 5.0"),
			})
		}
	}
	return out, nil
}

func (m *metrics) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	if err := m.before("GetMetricData"); err != nil {
		return nil, err
	}
	out := &cloudwatch.GetMetricDataOutput{}
	for _, q := range in.MetricDataQueries {
		value := m.requests
		if strings.HasPrefix(*q.Id, "b") {
			value = m.blue
		}
		out.MetricDataResults = append(out.MetricDataResults, cwtypes.MetricDataResult{Id: q.Id, Values: []float64{value}})
	}
	return out, nil
}

// A shop is a release set of several pairs whose DeployGreen has run.
type shop struct {
	t       *testing.T
	world   *fake.World
	params  recordtest.Parameters
	metrics metrics
	outside *outside
	scaled  []scaling
	adjust  func(*Params) // changes the action's parameters
	now     time.Time
	file    string
	greens  []string // target groups
	blues   []string
	// before and after run around every call, of all services.
	before, after func(operation string) error
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newShop(t *testing.T, services int, rest string) *shop {
	t.Helper()
	s := &shop{t: t, world: fake.New(), now: noon, metrics: metrics{alarms: map[string]string{}, requests: 42}}
	var file strings.Builder
	file.WriteString("set: shop\nservices:\n")
	for i := range services {
		name := fmt.Sprintf("s%d", i)
		a, b := s.world.AddPair(name)
		s.world.Tags[a]["cutover:execution"], s.world.Tags[b]["cutover:execution"] = earlier, execution
		s.world.Tags[b]["cutover:image"] = name + ":v2"
		s.blues, s.greens = append(s.blues, a), append(s.greens, b)
		fmt.Fprintf(&file, "  - {name: %s, loadBalancer: hello, cluster: main, services: [%s-a, %s-b]}\n", name, name, name)
	}
	s.file = file.String() + rest
	call := func(f *func(string) error) func(string) error {
		return func(operation string) error {
			if *f == nil {
				return nil
			}
			return (*f)(operation)
		}
	}
	s.world.Before, s.world.After = call(&s.before), call(&s.after)
	s.params.Before, s.params.After = call(&s.before), call(&s.after)
	s.metrics.before = call(&s.before)
	s.outside = &outside{before: call(&s.before), after: call(&s.after)}
	return s
}

// clients reach the shop.
func (s *shop) clients() Clients {
	return Clients{
		ELB: s.world.ELB(), ECS: scaler{s.world.ECS(), s}, SSM: func() record.API { return &s.params },
		CloudWatch: func() CloudWatch { return &s.metrics }, Lambda: func() hook.API { return s.outside },
		Events: func() Events { return s.outside }, Bucket: func() Bucket { return s.outside },
		HTTP: func() *http.Client { return &http.Client{Transport: s.outside} }, Log: &s.outside.log,
	}
}

const canary = "traffic: {canary: {percent: 10, interval: 5m}}\nbake: 2m\nalarms: [shop-5xx]\n"

// tick is one invocation, half a minute after the one before.
func (s *shop) tick(state State) (job.Result[State], error) {
	s.t.Helper()
	s.now = s.now.Add(30 * time.Second)
	p := Params{Params: bluegreen.Params{Execution: execution}, Release: "cutover.yaml"}
	if s.adjust != nil {
		s.adjust(&p)
	}
	if err := p.Validate(); err != nil {
		s.t.Fatalf("parameters: %v", err)
	}
	read := func(_ context.Context, _, path string, _ int64) ([]byte, error) {
		if path != "cutover.yaml" {
			return nil, fs.ErrNotExist
		}
		return []byte(s.file), nil
	}
	a := New(s.clients())
	j := job.Job[Params]{Params: p, Now: s.now, Started: noon, Inputs: []job.Artifact{{Name: "Source"}}}
	return a.stepSet(s.t.Context(), j, state, read)
}

// follow ticks until the job ends; before is called before each tick.
func (s *shop) follow(before func(tick int)) (said []string, last job.Result[State], err error) {
	s.t.Helper()
	var state State
	for n := range 60 {
		if before != nil {
			before(n)
		}
		if last, err = s.tick(state); err != nil {
			return said, last, err
		}
		said = append(said, last.Summary())
		if last.Done() {
			return said, last, nil
		}
		state = last.State()
	}
	s.t.Fatalf("not done after %d ticks: %s", len(said), last.Summary())
	return
}

// shares are greens' of production, as WEIGHT/SUM.
func (s *shop) shares() []string {
	var all []string
	for i, green := range s.greens {
		var own, sum int32
		for _, rule := range s.world.Rules[fake.Listener80] {
			for _, g := range rule.Actions[0].ForwardConfig.TargetGroups {
				if *g.TargetGroupArn == green {
					own += *g.Weight
				}
				if *g.TargetGroupArn == green || *g.TargetGroupArn == s.blues[i] {
					sum += *g.Weight
				}
			}
		}
		all = append(all, fmt.Sprintf("%d/%d", own, sum))
	}
	return all
}

// counts are the services' desired counts.
func (s *shop) counts() map[string]int32 {
	counts := map[string]int32{}
	for name, service := range s.world.Services {
		counts[name] = service.DesiredCount
	}
	return counts
}

func (s *shop) wantShares(want string) {
	s.t.Helper()
	for i, got := range s.shares() {
		if got != want {
			s.t.Errorf("share of green of s%d: got %s, want %s", i, got, want)
		}
	}
}

func (s *shop) latest() record.Record {
	s.t.Helper()
	s.before, s.after = nil, nil
	history, err := record.Open(&s.params, "shop").History(context.Background())
	if err != nil || len(history) == 0 {
		s.t.Fatalf("history: got %v and error %v, want a release", history, err)
	}
	return history[0]
}

// route changes the production rule of a green behind the release's back.
func (s *shop) route(i int, weights ...any) {
	for n, rule := range s.world.Rules[fake.Listener80] {
		for _, g := range rule.Actions[0].ForwardConfig.TargetGroups {
			if *g.TargetGroupArn == s.greens[i] {
				s.world.Rules[fake.Listener80][n].Actions = fake.Forward(weights...)
				return
			}
		}
	}
}

func TestSet_CanaryMovesAllServicesStepByStep(t *testing.T) {
	t.Parallel()
	s := newShop(t, 3, canary)
	s.metrics.alarms["shop-5xx"] = "OK"
	said, last, err := s.follow(func(n int) {
		if n == 5 {
			s.wantShares("100/1000")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"green has 10 % of the traffic; 5m0s more at 10 %"}
	for left := 270; left > 0; left -= 30 {
		want = append(want, fmt.Sprintf("%s more at 10 %%", time.Duration(left)*time.Second))
	}
	want = append(want, "green has 100 % of the traffic; 2m0s more at 100 %", "1m30s more at 100 %", "1m0s more at 100 %", "30s more at 100 %",
		"release set shop is on s0-b, s1-b, s2-b, after canary of 10 % for 5m0s")
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
	s.wantShares("100/100")
	r := s.latest()
	if r.Verdict != record.Succeeded || len(r.Steps) != 2 || r.Images["s1"] != "s1:v2" || r.Exposed != 3*42 {
		t.Errorf("record: got %+v, want a success with two steps, the images and 126 requests", r)
	}
	if got := last.Outputs()["ReleaseSet"]; got != "shop" {
		t.Errorf("output ReleaseSet: got %q, want shop", got)
	}
	for i, green := range s.greens {
		if got := s.world.Tag(green, "IsProduction") + s.world.Tag(s.blues[i], "IsProduction") + s.world.Tag(s.blues[i], "cutover:execution"); got != "TrueFalseretired:"+earlier {
			t.Errorf("tags of s%d: got %s", i, got)
		}
	}
	if again, _, err := s.follow(nil); err != nil || len(again) != 1 {
		t.Errorf("repeated: got %q and error %v, want one tick", again, err)
	}
}

func TestSet_AlarmTakesAllServicesBack(t *testing.T) {
	t.Parallel()
	s := newShop(t, 3, canary)
	s.metrics.alarms["shop-5xx"] = "OK"
	_, _, err := s.follow(func(n int) {
		if n == 4 {
			s.metrics.alarms["shop-5xx"] = "ALARM"
		}
	})
	failure, ok := errors.AsType[*job.Failure](err)
	if !ok || failure.Type != cptypes.FailureTypeJobFailed {
		t.Fatalf("got error %v, want JobFailed", err)
	}
	want := "release set shop was rolled back at 10 %: alarm shop-5xx is in ALARM: Threshold Crossed: 12.0 > 5.0\n" +
		"Production is back on blue, 0s after it was noticed, all 3 services; green had answered 126 requests of production. " +
		"Find the cause, then start the pipeline with a new execution: this one is not released again."
	if failure.Message != want {
		t.Errorf("message: got\n%s\nwant\n%s", failure.Message, want)
	}
	s.wantShares("0/100")
	if r := s.latest(); r.Verdict != record.RolledBack || r.Detected == nil || r.Restored == nil {
		t.Errorf("record: got %+v, want a rollback with its times", r)
	}
	s.metrics.alarms["shop-5xx"] = "OK"
	s.world.Writes()
	_, _, again := s.follow(nil)
	if again == nil || again.Error() != failure.Message {
		t.Errorf("retried: got error %v, want the same failure", again)
	}
	s.wantShares("0/100")
}

func TestSet_DoesNotStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*shop)
		want    string
	}{
		"while an alarm rings":       {func(s *shop) { s.metrics.alarms["shop-5xx"] = "ALARM" }, "alarm shop-5xx is in ALARM"},
		"while an alarm is missing":  {func(s *shop) { delete(s.metrics.alarms, "shop-5xx") }, `alarm "shop-5xx" does not exist`},
		"while green is not healthy": {func(s *shop) { s.world.SetHealth(s.greens[1], 0, 2) }, "s1: green has 0 healthy targets"},
		"without DeployGreen":        {func(s *shop) { s.world.Tags[s.greens[2]]["cutover:execution"] = "other" }, "s2: no target group carries execution " + execution},
		"with weights of somebody":   {func(s *shop) { s.route(0, s.blues[0], 50, s.greens[0], 50) }, "s0: green already has 50 % of the traffic"},
		"while the set is frozen": {func(s *shop) {
			must(t, record.Open(&s.params, "shop").Freeze(t.Context(), record.Said{By: "ops", Reason: "holidays"}))
		}, "release set shop is frozen by ops"},
		"while another one is at work": {func(s *shop) { s.acquire("other") }, "release set shop is locked by execution other"},
		"with a file that is wrong":    {func(s *shop) { s.file += "bake: long\n" }, "cutover.yaml line"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 3, canary)
			s.metrics.alarms["shop-5xx"] = "OK"
			c.prepare(s)
			before := s.shares()
			_, err := s.tick(State{})
			failure, ok := errors.AsType[*job.Failure](err)
			if !ok || failure.Type != cptypes.FailureTypeConfigurationError || !strings.Contains(failure.Message, c.want) {
				t.Errorf("got error %v, want a ConfigurationError with %q", err, c.want)
			}
			if diff := cmp.Diff(before, s.shares()); diff != "" {
				t.Errorf("routes (-before +after):\n%s", diff)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// acquire gives the lock to another execution, for an hour.
func (s *shop) acquire(execution string) record.Record {
	s.t.Helper()
	r, err := record.Open(&s.params, "shop").Acquire(context.Background(), s.now, record.Record{Execution: execution, Started: s.now, Expires: s.now.Add(time.Hour)})
	must(s.t, err)
	return r
}

func TestSet_WaitsForTheLockIfItIsToldTo(t *testing.T) {
	t.Parallel()
	s := newShop(t, 2, "lock: {whenHeld: wait}\n")
	other := s.acquire("other")
	said, _, err := s.follow(func(n int) {
		if n == 3 {
			other.Ended = &s.now
			_, err := record.Open(&s.params, "shop").Put(context.Background(), other)
			must(t, err)
		}
	})
	if err != nil || !strings.HasPrefix(said[2], "waiting: release set shop is locked by execution other") {
		t.Errorf("got %q and error %v, want it to wait for three ticks", said, err)
	}
	s.wantShares("100/100")
}

func TestSet_PeopleHoldResumePromoteAndAbort(t *testing.T) {
	t.Parallel()
	say := func(s *shop, verb func(*record.Store, context.Context, record.Said) error, move int) {
		must(s.t, verb(record.Open(&s.params, "shop"), context.Background(), record.Said{Execution: execution, Move: move, By: "ops"}))
	}
	steps := "traffic: {steps: [{weight: 1, pause: 1m}, {weight: 50, pause: approval}]}\n"
	t.Run("hold and resume", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, 2, steps)
		said, _, err := s.follow(func(n int) {
			switch n {
			case 1:
				say(s, (*record.Store).Hold, 0)
			case 10:
				s.wantShares("10/1000")
				say(s, (*record.Store).Resume, 0)
			case 20:
				s.wantShares("500/1000")
				say(s, (*record.Store).Resume, 2)
			}
		})
		if err != nil || said[9] != "held by ops" || said[19] != "somebody has to resume the release at 50 %" {
			t.Errorf("got %q and error %v", said, err)
		}
		s.wantShares("100/100")
	})
	t.Run("promote", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, 2, steps+"bake: 10h\n")
		said, _, err := s.follow(func(n int) {
			if n == 1 {
				say(s, (*record.Store).Promote, 0)
			}
		})
		if err != nil || len(said) > 3 {
			t.Errorf("got %q and error %v, want it done at once", said, err)
		}
		s.wantShares("100/100")
	})
	t.Run("abort", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, 2, steps)
		_, _, err := s.follow(func(n int) {
			if n == 5 {
				s.wantShares("500/1000")
				say(s, (*record.Store).Abort, 0)
			}
		})
		if err == nil || !strings.Contains(err.Error(), "rolled back at 50 %: aborted by ops") {
			t.Errorf("got error %v, want a rollback that names ops", err)
		}
		s.wantShares("0/100")
	})
}

// Every kind of tampering is found before anything more is written.
func TestSet_TamperingStopsItUntouched(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]func(*shop){
		"weights reset by hand":   func(s *shop) { s.route(1, s.blues[1], 100, s.greens[1], 0) },
		"other weights":           func(s *shop) { s.route(1, s.blues[1], 3, s.greens[1], 1) },
		"production turned whole": func(s *shop) { s.route(1, s.greens[1], 1) },
		"an extra group":          func(s *shop) { s.route(1, s.blues[1], 900, s.greens[1], 100, fake.GroupA, 1) },
		"a rule deleted": func(s *shop) {
			s.world.Rules[fake.Listener80] = slices.DeleteFunc(s.world.Rules[fake.Listener80], func(r elbtypes.Rule) bool { return *r.Priority == "4" })
		},
		"green taken over": func(s *shop) { s.world.Tags[s.greens[1]]["cutover:execution"] = "other" },
	} {
		for _, tick := range []int{1, 5, 11} { // in the canary, and in the bake
			t.Run(fmt.Sprintf("%s before tick %d", name, tick), func(t *testing.T) {
				t.Parallel()
				s := newShop(t, 3, canary)
				s.metrics.alarms["shop-5xx"] = "OK"
				var before []string
				_, _, err := s.follow(func(n int) {
					if n == tick {
						tamper(s)
						before = s.shares()
					}
				})
				failure, ok := errors.AsType[*job.Failure](err)
				if !ok || failure.Type != cptypes.FailureTypeJobFailed {
					t.Fatalf("got error %v, want JobFailed", err)
				}
				if diff := cmp.Diff(before, s.shares()); diff != "" {
					t.Errorf("routes (-before +after):\n%s", diff)
				}
				if !strings.Contains(failure.Message, "ouched") {
					t.Errorf("message does not say that nothing was touched: %s", failure.Message)
				}
			})
		}
	}
}

// everything is a short release that asks, checks, tells and scales down.
const everything = `traffic: {canary: {percent: 10, interval: 1m}}
bake: 1m
alarms: [shop-5xx]
checks: [{path: /health, body: ok}]
hooks: {beforeShift: {function: smoke}, afterStep: {function: step}, afterShift: {function: done}, onRollback: {function: sorry}}
blue: {count: 0, step: 1, pause: 30s}
record: {bucket: records}
`

// A crash at any call, before or after it took effect, with the same job's state
// or on a retry from the console, ends as an undisturbed release does; so does a
// rollback, and a release with hooks and checks whose blue goes.
func TestSet_CrashAtAnyCallEndsTheSameWay(t *testing.T) {
	t.Parallel()
	services := 2
	if os.Getenv("CUTOVER_MATRIX") == "whole" {
		services = 5
	}
	for name, c := range map[string]struct {
		file  string
		alarm int // tick
	}{
		"canary": {canary, -1}, "rollback": {canary, 3},
		"everything": {everything, -1}, "rollback of everything": {everything, 4},
	} {
		alarm := c.alarm
		run := func(t *testing.T, nth int, lost, fresh bool) (calls int, s *shop) {
			t.Helper()
			s = newShop(t, services, c.file)
			s.metrics.alarms["shop-5xx"] = "OK"
			cut := func(string) error {
				if calls++; calls == nth {
					return errCut
				}
				return nil
			}
			if lost {
				s.after = cut
			} else {
				s.before = cut
			}
			var state State
			for n := 0; ; n++ {
				if n == 80 {
					t.Fatal("not done after 80 ticks")
				}
				if n == alarm {
					s.metrics.alarms["shop-5xx"] = "ALARM"
				}
				r, err := s.tick(state)
				switch {
				case err == nil && r.Done() && alarm < 0:
					return calls, s
				case err == nil:
					state = r.State()
				case errors.Is(err, errCut):
					if fresh {
						state = State{}
					}
				case alarm >= 0 && strings.Contains(err.Error(), "was rolled back"):
					return calls, s
				default:
					t.Fatalf("tick %d: %v", n, err)
				}
			}
		}
		calls, clean := run(t, 0, false, false)
		cleanVerdict := clean.latest().Verdict
		for nth := 1; nth <= calls; nth++ {
			for _, lost := range []bool{false, true} {
				for _, fresh := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, call %d, answer lost %t, state lost %t", name, nth, lost, fresh), func(t *testing.T) {
						t.Parallel()
						_, s := run(t, nth, lost, fresh)
						if diff := cmp.Diff(clean.shares(), s.shares()); diff != "" {
							t.Errorf("routes (-clean +got):\n%s", diff)
						}
						if diff := cmp.Diff(clean.world.Tags, s.world.Tags); diff != "" {
							t.Errorf("tags (-clean +got):\n%s", diff)
						}
						if v := s.world.Violations(); len(v) > 0 {
							t.Errorf("got violations %q, want none", v)
						}
						if diff := cmp.Diff(clean.counts(), s.counts()); diff != "" {
							t.Errorf("desired counts (-clean +got):\n%s", diff)
						}
						for _, scaled := range s.scaled {
							if slices.ContainsFunc(scaled.shares, func(share string) bool { return share != "100/100" }) {
								t.Errorf("%s was scaled to %d while green had %s", scaled.service, scaled.count, scaled.shares)
							}
						}
						if got, want := s.latest().Verdict, cleanVerdict; got != want {
							t.Errorf("verdict: got %q, want %q", got, want)
						}
					})
				}
			}
		}
	}
}

func TestSet_AHundredServicesFitTheToken(t *testing.T) {
	t.Parallel()
	s := newShop(t, 100, "traffic: {canary: {percent: 0.1, interval: 1m}}\n")
	if _, _, err := s.follow(nil); err != nil {
		t.Fatal(err)
	}
	s.wantShares("100/100")
	if n := len(slices.Collect(maps.Keys(s.params.Values()))); n != 1 {
		t.Errorf("got %d parameters, want the one record", n)
	}
}
