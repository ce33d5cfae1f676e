package swaplistener

import (
	"errors"
	"strings"
	"testing"

	cptypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/bluegreen"
	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/job"
)

const (
	execution = "7f1c6b3e-0d0e-4b59-9d5a-0c6f6f0d7a11"
	earlier   = "11111111-0d0e-4b59-9d5a-0c6f6f0d7a11"
)

func ptr[T any](v T) *T { return &v }

func params() Params {
	return Params{Params: bluegreen.Params{Execution: execution, LoadBalancer: "hello", Cluster: "main", Services: []string{"hello-a", "hello-b"}}}
}

// deployed is a world as DeployGreen leaves it: blue from an earlier
// execution, green named, healthy and on the test route.
func deployed() *fake.World {
	w := fake.New()
	w.Tags[fake.GroupA]["cutover:execution"] = earlier
	w.Tags[fake.GroupB]["cutover:execution"] = execution
	w.Tags[fake.GroupB]["cutover:image"] = "app:v2"
	return w
}

func tick(t *testing.T, w *fake.World, p Params, s State) (job.Result[State], error) {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatalf("parameters: %v", err)
	}
	return New(Clients{ELB: w.ELB(), ECS: w.ECS()}).Step(t.Context(), job.Job[Params]{Params: p}, s)
}

// follow ticks until the job ends, and returns what each tick said.
func follow(t *testing.T, w *fake.World, p Params, s State) (said []string, last job.Result[State], err error) {
	t.Helper()
	for range 20 {
		last, err = tick(t, w, p, s)
		if err != nil {
			return said, last, err
		}
		said = append(said, last.Summary())
		if last.Done() {
			return said, last, nil
		}
		s = last.State()
	}
	t.Fatalf("not done after %d ticks: %s", len(said), last.Summary())
	return
}

// swapped fails the test unless the world is as a finished swap leaves it.
func swapped(t *testing.T, w *fake.World) {
	t.Helper()
	got := map[string]string{
		"production":      w.Route(fake.Listener80),
		"test":            w.Route(fake.Listener8080),
		"a is production": w.Tag(fake.GroupA, "IsProduction"),
		"b is production": w.Tag(fake.GroupB, "IsProduction"),
		"a's execution":   w.Tag(fake.GroupA, "cutover:execution"),
		"b's execution":   w.Tag(fake.GroupB, "cutover:execution"),
	}
	want := map[string]string{
		"production":      "hello-b=100 hello-a=0",
		"test":            "hello-a=100",
		"a is production": "False",
		"b is production": "True",
		"a's execution":   "retired:" + earlier,
		"b's execution":   execution,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("world (-want +got):\n%s", diff)
	}
	if v := w.Violations(); len(v) > 0 {
		t.Errorf("got violations %q, want none", v)
	}
}

func TestStep_MovesProductionThenTheTestRouteThenTheTags(t *testing.T) {
	t.Parallel()
	w := deployed()
	said, last, err := follow(t, w, params(), State{})
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	swapped(t, w)
	want := []string{
		"service hello-b (target group hello-b) is ready to take production from service hello-a (target group hello-a), 2 of 2 targets healthy",
		"moved production from service hello-a (target group hello-a) to service hello-b (target group hello-b)",
		"pointed the test route at the old side, service hello-a (target group hello-a)",
		"tagged service hello-b (target group hello-b) as production",
		"production is on service hello-b (target group hello-b), 2 of 2 targets healthy; the old side, service hello-a (target group hello-a), is on the test route, 2 of 2 targets healthy",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"AddTags", "ModifyListener", "ModifyListener", "AddTags", "AddTags"}, w.Writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	outputs := map[string]string{
		"LiveSide":            "hello-b",
		"LiveService":         fake.ServiceB,
		"LiveTargetGroup":     fake.GroupB,
		"PreviousSide":        "hello-a",
		"PreviousTargetGroup": fake.GroupA,
		"Image":               "app:v2",
	}
	if diff := cmp.Diff(outputs, last.Outputs()); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestStep_RepeatedAfterTheSwapMovesNothing(t *testing.T) {
	t.Parallel()
	w := deployed()
	if _, _, err := follow(t, w, params(), State{}); err != nil {
		t.Fatalf("step: %v", err)
	}
	w.Calls()
	w.SetHealth(fake.GroupB, 0, 2) // whatever has become of it since
	said, last, err := follow(t, w, params(), State{})
	if err != nil || len(said) != 1 {
		t.Errorf("got %d ticks %q and error %v, want one", len(said), said, err)
	}
	if writes := w.Writes(); len(writes) > 0 {
		t.Errorf("got writes %q, want none", writes)
	}
	if got := last.Outputs()["LiveSide"]; got != "hello-b" {
		t.Errorf("got live side %s, want hello-b", got)
	}
}

func TestStep_MovesBackAndForth(t *testing.T) {
	t.Parallel()
	w := deployed()
	if _, _, err := follow(t, w, params(), State{}); err != nil {
		t.Fatalf("first release: %v", err)
	}
	// The next release is on the other side.
	w.Change(func(w *fake.World) { w.Tags[fake.GroupA]["cutover:execution"] = "next" })
	next := params()
	next.Execution = "next"
	if _, _, err := follow(t, w, next, State{}); err != nil {
		t.Fatalf("second release: %v", err)
	}
	if got, want := w.Route(fake.Listener80), "hello-a=100 hello-b=0"; got != want {
		t.Errorf("got production %s, want %s", got, want)
	}
	w.Calls()
	// A late duplicate of the first release's job finds its side warm and idle.
	_, err := tick(t, w, params(), State{})
	fails(t, err, cptypes.FailureTypeJobFailed, "execution "+execution+" was released before and has been replaced by execution next; "+
		"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; start the pipeline again to release a new image")
	if writes := w.Writes(); len(writes) > 0 {
		t.Errorf("got writes %q, want none", writes)
	}
}

func TestStep_KeepsStickinessAndSaysSo(t *testing.T) {
	t.Parallel()
	w := deployed()
	w.Rules[fake.Listener80][0].Actions[0].ForwardConfig.TargetGroupStickinessConfig = &elbtypes.TargetGroupStickinessConfig{Enabled: ptr(true), DurationSeconds: ptr(int32(60))}
	said, _, err := follow(t, w, params(), State{})
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	swapped(t, w)
	if !strings.HasSuffix(said[len(said)-1], "the production route is sticky: clients with its cookie may stay on the old side until the cookie ends") {
		t.Errorf("got summary %q, want it to warn of stickiness", said[len(said)-1])
	}
	if s := w.Rules[fake.Listener80][0].Actions[0].ForwardConfig.TargetGroupStickinessConfig; !*s.Enabled || *s.DurationSeconds != 60 {
		t.Errorf("got stickiness %+v, want it as it was", s)
	}
}

func fails(t *testing.T, err error, kind cptypes.FailureType, text string) {
	t.Helper()
	f, found := errors.AsType[*job.Failure](err)
	if !found {
		t.Fatalf("got error %v, want a %s", err, kind)
	}
	if f.Type != kind {
		t.Errorf("got failure type %s, want %s", f.Type, kind)
	}
	if diff := cmp.Diff(text, f.Message); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestStep_Refuses(t *testing.T) {
	t.Parallel()
	const unfit = "service hello-b (target group hello-b) is not fit for production: "
	const unmoved = "; so nothing was moved: production is on service hello-a (target group hello-a), 2 of 2 targets healthy; retry the stage once green is healthy; to deploy green again, retry all actions of the stage"
	const standing = "production is on service hello-a (target group hello-a), 2 of 2 targets healthy"
	for name, c := range map[string]struct {
		world  func(*fake.World)
		params func(*Params)
		kind   cptypes.FailureType
		want   string
	}{
		"an empty group": {func(w *fake.World) {
			w.Services["hello-b"].DesiredCount, w.Services["hello-b"].RunningCount = 0, 0
			w.SetHealth(fake.GroupB, 0, 0)
		}, nil, cptypes.FailureTypeConfigurationError,
			unfit + "service hello-b has a desired count of 0, needed are 2; target group hello-b has no targets, needed are 2" + unmoved},
		"an empty group even when blue is empty too": {func(w *fake.World) {
			w.Services["hello-b"].DesiredCount, w.Services["hello-b"].RunningCount = 0, 0
			w.SetHealth(fake.GroupA, 0, 0)
			w.SetHealth(fake.GroupB, 0, 0)
		}, nil, cptypes.FailureTypeConfigurationError,
			unfit + "service hello-b has a desired count of 0, needed are 1; target group hello-b has no targets, needed are 1" +
				"; so nothing was moved: production is on service hello-a (target group hello-a), no targets; retry the stage once green is healthy; to deploy green again, retry all actions of the stage"},
		"unhealthy targets": {func(w *fake.World) { w.SetHealth(fake.GroupB, 1, 1) }, nil, cptypes.FailureTypeConfigurationError,
			unfit + "target group hello-b has 1 of 2 targets healthy (Elb.InitialHealthChecking), needed are 2" + unmoved},
		"fewer than blue has": {func(w *fake.World) {
			w.Services["hello-b"].DesiredCount, w.Services["hello-b"].RunningCount = 1, 1
			w.SetHealth(fake.GroupB, 1, 0)
		}, nil, cptypes.FailureTypeConfigurationError,
			unfit + "service hello-b has a desired count of 1, needed are 2; target group hello-b has 1 of 1 targets healthy, needed are 2" + unmoved},
		"fewer than the minimum": {nil, func(p *Params) { p.MinimumHealthy = 3 }, cptypes.FailureTypeConfigurationError,
			unfit + "service hello-b has a desired count of 2, needed are 3; target group hello-b has 2 of 2 targets healthy, needed are 3" + unmoved},
		"a task missing": {func(w *fake.World) { w.Services["hello-b"].RunningCount = 1 }, nil, cptypes.FailureTypeConfigurationError,
			unfit + "service hello-b runs 1 of its 2 tasks" + unmoved},
		"a deployment under way": {func(w *fake.World) {
			w.Services["hello-b"].Deployments[0].RolloutState = ecstypes.DeploymentRolloutStateInProgress
			w.Services["hello-b"].Deployments[0].RolloutStateReason = ptr("ECS deployment ecs-svc/2 in progress.")
		}, nil, cptypes.FailureTypeConfigurationError,
			unfit + "the deployment of service hello-b is IN_PROGRESS (ECS deployment ecs-svc/2 in progress)" + unmoved},
		"green of another execution": {func(w *fake.World) { w.Tags[fake.GroupB]["cutover:execution"] = "later" }, nil, cptypes.FailureTypeJobFailed,
			"no target group carries execution " + execution + ": service hello-b (target group hello-b) carries execution later; " + standing + "; start the pipeline again to release a new image"},
		"green without an execution": {func(w *fake.World) { delete(w.Tags[fake.GroupB], "cutover:execution") }, nil, cptypes.FailureTypeJobFailed,
			"no target group carries execution " + execution + ": service hello-b (target group hello-b) carries none: DeployGreen has not run for it; " + standing + "; start the pipeline again to release a new image"},
		"faults of the world, all at once": {func(w *fake.World) {
			w.Services["hello-b"].DeploymentController.Type = ecstypes.DeploymentControllerTypeExternal
			w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 50, fake.GroupB, 50)
		}, nil, cptypes.FailureTypeConfigurationError,
			"2 faults:\n" +
				"- service hello-b has the deployment controller EXTERNAL, which owns its routes: only ECS is supported\n" +
				"- both sides are live: the production route (default action of listener HTTP:80) sends 50 to service hello-a (target group hello-a), which carries execution " + earlier + ", " +
				"and 50 to service hello-b (target group hello-b), which carries execution " + execution + ": another release is in mid-shift, finish it or set one weight to 0\n" +
				"Nothing was changed: production's route, default action of listener HTTP:80, forwards to hello-a 50, hello-b 50. Correct this and retry the stage; if you change the pipeline or the source for it, start the pipeline instead."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := deployed(), params()
			if c.world != nil {
				c.world(w)
			}
			if c.params != nil {
				c.params(&p)
			}
			_, err := tick(t, w, p, State{})
			fails(t, err, c.kind, c.want)
			if writes := w.Writes(); len(writes) > 0 {
				t.Errorf("got writes %q, want none", writes)
			}
		})
	}
}

func TestStep_AMinimumBelowBluesCountIsEnough(t *testing.T) {
	t.Parallel()
	w, p := deployed(), params()
	w.Services["hello-a"].DesiredCount, w.Services["hello-a"].RunningCount = 5, 5
	w.SetHealth(fake.GroupA, 5, 0)
	p.MinimumHealthy = 2
	if _, _, err := follow(t, w, p, State{}); err != nil {
		t.Fatalf("step: %v", err)
	}
	swapped(t, w)
}

// onNth runs do before the nth call of the operation.
func onNth(w *fake.World, operation string, nth int, do func(*fake.World)) {
	n := 0
	w.Before = func(op string) error {
		if op == operation {
			if n++; n == nth {
				w.Change(do)
			}
		}
		return nil
	}
}

func TestStep_RefusesAForeignEditRightBeforeItsWrite(t *testing.T) {
	t.Parallel()
	w := deployed()
	w.Tags[fake.GroupA]["cutover:execution"] = ""
	onNth(w, "DescribeRules", 3, func(w *fake.World) {
		w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 90, fake.GroupB, 10)
	})
	_, err := tick(t, w, params(), State{})
	fails(t, err, cptypes.FailureTypeConfigurationError,
		"the production route: default action of listener HTTP:80 was changed by someone else since it was read, so nothing was written: it now forwards to hello-a 90, hello-b 10; "+
			"see who else manages it, then retry the stage")
	if writes := w.Writes(); len(writes) > 0 {
		t.Errorf("got writes %q, want none", writes)
	}
}

func TestStep_FailsOnAForeignEditRightAfterItsWrite(t *testing.T) {
	t.Parallel()
	w := deployed()
	w.Tags[fake.GroupA]["cutover:execution"] = ""
	onNth(w, "DescribeRules", 4, func(w *fake.World) {
		w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 90, fake.GroupB, 10)
	})
	_, err := tick(t, w, params(), State{})
	fails(t, err, cptypes.FailureTypeJobFailed,
		"the production route: default action of listener HTTP:80 was changed by someone else right after it was written: it now forwards to hello-a 90, hello-b 10; "+
			"look at what it forwards to now and see who else manages it, then retry the stage")
}

func TestStep_LeavesAGreenThatALaterExecutionJustClaimed(t *testing.T) {
	t.Parallel()
	w := deployed()
	w.Tags[fake.GroupA]["cutover:execution"] = ""
	onNth(w, "DescribeTags", 2, func(w *fake.World) { w.Tags[fake.GroupB]["cutover:execution"] = "later" })
	_, err := tick(t, w, params(), State{})
	fails(t, err, cptypes.FailureTypeJobFailed,
		"execution later just took over service hello-b (target group hello-b), so production was not moved to it: "+
			"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; release that execution, or start the pipeline again")
	if writes := w.Writes(); len(writes) > 0 {
		t.Errorf("got writes %q, want none", writes)
	}
}

// In a pipeline with a stage for each action the next execution claims the old
// side as soon as production has left it.
func TestStep_LeavesTheNextExecutionsClaimOfTheOldSide(t *testing.T) {
	t.Parallel()
	w, s := deployed(), State{}
	for range 2 { // retire, shift
		r, err := tick(t, w, params(), s)
		if err != nil {
			t.Fatalf("step: %v", err)
		}
		s = r.State()
	}
	w.Change(func(w *fake.World) { w.Tags[fake.GroupA]["cutover:execution"] = "next" })
	if _, _, err := follow(t, w, params(), s); err != nil {
		t.Fatalf("step: %v", err)
	}
	if got := w.Tag(fake.GroupA, "cutover:execution"); got != "next" {
		t.Errorf("got execution %q on the old side, want next", got)
	}
}

func TestStep_LeavesProductionThatSomeoneMovedBack(t *testing.T) {
	t.Parallel()
	w := deployed()
	w.Tags[fake.GroupA]["cutover:execution"] = ""
	r, err := tick(t, w, params(), State{})
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	w.Change(func(w *fake.World) {
		w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 100, fake.GroupB, 0)
	})
	w.Calls()
	_, err = tick(t, w, params(), r.State())
	fails(t, err, cptypes.FailureTypeJobFailed,
		"production was moved back to service hello-a (target group hello-a) by someone else after this execution had moved it to service hello-b (target group hello-b); "+
			"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; start the pipeline again to release a new image")
	if writes := w.Writes(); len(writes) > 0 {
		t.Errorf("got writes %q, want none", writes)
	}
}

func TestStep_TellsHowProductionStandsWhenACallFails(t *testing.T) {
	t.Parallel()
	cause := &elbtypes.TooManyActionsException{Message: ptr("too many")}
	for name, c := range map[string]struct {
		nth  int
		want string
	}{
		"on the production route": {1, "modify listener " + fake.Listener80 + ": " + cause.Error() + "; when last read, production is on service hello-a (target group hello-a), 2 of 2 targets healthy; retry the stage once the cause is gone"},
		"on the test route":       {2, "modify listener " + fake.Listener8080 + ": " + cause.Error() + "; production is on service hello-b (target group hello-b), 2 of 2 targets healthy; retry the stage once the cause is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, n := deployed(), 0
			w.Before = func(op string) error {
				if op == "ModifyListener" {
					if n++; n == c.nth {
						return cause
					}
				}
				return nil
			}
			_, _, err := follow(t, w, params(), State{})
			if !errors.Is(err, cause) || err.Error() != c.want {
				t.Errorf("got error %v, want %s", err, c.want)
			}
		})
	}
}

func TestValidate_ListsEveryFault(t *testing.T) {
	t.Parallel()
	want := strings.Join([]string{
		`execution is missing: set it to "#{codepipeline.PipelineExecutionId}"`,
		"loadBalancer is missing: name it, or name both routes by productionListenerArn or productionRuleArn and testListenerArn or testRuleArn",
		"cluster is missing",
		"services is missing: give the names of the pair's two ECS services",
		"minimumHealthy is -1: it must be at least 1",
	}, "\n")
	if got := (Params{MinimumHealthy: -1}).Validate(); got == nil || got.Error() != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
