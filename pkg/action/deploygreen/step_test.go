package deploygreen

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

const execution = "7f1c6b3e-0d0e-4b59-9d5a-0c6f6f0d7a11"

func ptr[T any](v T) *T { return &v }

func params() Params {
	return Params{
		Params: bluegreen.Params{Execution: execution, LoadBalancer: "hello", Cluster: "main", Services: []string{"hello-a", "hello-b"}},
		Image:  "app:v2",
	}
}

// tick runs one step.
func tick(t *testing.T, w *fake.World, p Params, s State) (job.Result[State], error) {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatalf("parameters: %v", err)
	}
	return on(w).Step(t.Context(), job.Job[Params]{Params: p}, s)
}

// on is the action on a world.
func on(w *fake.World) *Action { return New(w.ELB(), w.ECS()) }

// follow ticks until the job ends, and returns what each tick said.
func follow(t *testing.T, w *fake.World, p Params, s State) (said []string, last job.Result[State], err error) {
	t.Helper()
	for range 40 {
		last, err = tick(t, w, p, s)
		if err != nil {
			return said, last, err
		}
		said = append(said, last.Summary())
		if last.Done() {
			return said, last, nil
		}
		s = last.State()
		w.Advance()
	}
	t.Fatalf("not done after %d ticks: %s", len(said), last.Summary())
	return
}

// released fails the test unless the world is as a finished DeployGreen of
// app:v2 leaves it: production untouched, green healthy on one new revision.
func released(t *testing.T, w *fake.World) {
	t.Helper()
	if got, want := w.Route(fake.Listener80), "hello-a=100 hello-b=0"; got != want {
		t.Errorf("got production route %s, want %s", got, want)
	}
	if got, want := w.Route(fake.Listener8080), "hello-b=100"; got != want {
		t.Errorf("got test route %s, want %s", got, want)
	}
	if diff := cmp.Diff([]string{"hello:1=app:v1", "hello:2=app:v2"}, w.Active("hello")); diff != "" {
		t.Errorf("active task definitions (-want +got):\n%s", diff)
	}
	if got := w.Tag(fake.GroupB, "cutover:execution"); got != execution {
		t.Errorf("got execution %q on green, want %q", got, execution)
	}
	green := w.Services["hello-b"]
	if got := RevisionName(*green.TaskDefinition); got != "hello:2" || green.RunningCount != 2 {
		t.Errorf("got %d tasks of %s on green, want 2 of hello:2", green.RunningCount, got)
	}
	if got := RevisionName(*w.Services["hello-a"].TaskDefinition); got != "hello:1" {
		t.Errorf("got %s on blue, want hello:1", got)
	}
}

func TestStep_DeploysToTheIdleSide(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Rules[fake.Listener8080][0].Actions = fake.Forward(fake.GroupA, 100)
	w.Services["hello-b"].DesiredCount, w.Services["hello-b"].RunningCount = 0, 0
	w.SetHealth(fake.GroupB, 0, 0)
	said, last, err := follow(t, w, params(), State{})
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	released(t, w)
	want := []string{
		"named service hello-b (target group hello-b) as green",
		"pointed the test route at service hello-b (target group hello-b)",
		"registered a task definition of hello with app:v2",
		"updated service hello-b to hello:2, desired count 2",
		"service hello-b deploys hello:2: 1 of 2 tasks running, 0 of 2 targets healthy (Elb.InitialHealthChecking)",
		"service hello-b deploys hello:2: 2 of 2 tasks running, 0 of 2 targets healthy (Elb.InitialHealthChecking)",
		"service hello-b deploys hello:2: 2 of 2 tasks running, 1 of 2 targets healthy (Elb.InitialHealthChecking)",
		"service hello-b deploys hello:2: 2 of 2 tasks running, 2 of 2 targets healthy; waiting: the deployment of service hello-b is IN_PROGRESS",
		"green is ready: service hello-b runs hello:2, 2 of 2 tasks running, 2 of 2 targets healthy; test it at http://hello-1.us-east-1.elb.amazonaws.com:8080",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"AddTags", "ModifyListener", "RegisterTaskDefinition", "UpdateService"}, w.Writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	outputs := map[string]string{
		"GreenSide":        "hello-b",
		"GreenService":     fake.ServiceB,
		"GreenTargetGroup": fake.GroupB,
		"TaskDefinition":   "arn:aws:ecs:us-east-1:111122223333:task-definition/hello:2",
		"Image":            "app:v2",
		"TestUrl":          "http://hello-1.us-east-1.elb.amazonaws.com:8080",
		"Execution":        execution,
	}
	if diff := cmp.Diff(outputs, last.Outputs()); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestStep_PercentGrowsWithTasksAndTargets(t *testing.T) {
	t.Parallel()
	w, s := start(), State{}
	var percents []int
	for {
		r, err := tick(t, w, params(), s)
		if err != nil {
			t.Fatalf("step: %v", err)
		}
		percents = append(percents, r.Percent())
		if r.Done() {
			break
		}
		s = r.State()
		w.Advance()
	}
	if diff := cmp.Diff([]int{5, 10, 15, 20, 39, 59, 79, 99, 100}, percents); diff != "" {
		t.Errorf("percents (-want +got):\n%s", diff)
	}
}

func TestStep_KeepsTheTaskDefinitionsTags(t *testing.T) {
	t.Parallel()
	w := fake.New()
	if _, _, err := follow(t, w, params(), State{}); err != nil {
		t.Fatalf("step: %v", err)
	}
	got := map[string]string{}
	for _, tag := range w.Revisions[1].Tags {
		got[*tag.Key] = *tag.Value
	}
	if diff := cmp.Diff(map[string]string{"team": "web", "cutover:execution": execution}, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestStep_GivesGreenAtLeastBluesCount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		blue, green int32
		minimum     int
		want        int32
	}{
		"blue's count":                       {3, 1, 0, 3},
		"the minimum when blue has fewer":    {1, 0, 2, 2},
		"one when blue has none":             {0, 0, 0, 1},
		"its own count when it is more":      {2, 5, 0, 5},
		"the minimum never lowers blue's":    {4, 2, 2, 4},
		"its own count above the minimum":    {1, 3, 2, 3},
		"exactly as it was when that is due": {2, 2, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := fake.New(), params()
			w.Services["hello-a"].DesiredCount, w.Services["hello-b"].DesiredCount = c.blue, c.green
			p.MinimumCount = c.minimum
			if _, _, err := follow(t, w, p, State{}); err != nil {
				t.Fatalf("step: %v", err)
			}
			if got := w.Services["hello-b"].DesiredCount; got != c.want {
				t.Errorf("got desired count %d, want %d", got, c.want)
			}
			if got := w.Services["hello-a"].DesiredCount; got != c.blue {
				t.Errorf("got blue's desired count %d, want %d", got, c.blue)
			}
		})
	}
}

func TestStep_IsQuickWhenTheIdleSideIsWarm(t *testing.T) {
	t.Parallel()
	w, p := fake.New(), params()
	p.Image = "app:v1"
	said, last, err := follow(t, w, p, State{})
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	if len(said) != 2 {
		t.Errorf("got %d ticks %q, want 2", len(said), said)
	}
	if diff := cmp.Diff([]string{"AddTags"}, w.Writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if got := RevisionName(last.Outputs()["TaskDefinition"]); got != "hello:1" {
		t.Errorf("got task definition %s, want hello:1", got)
	}
}

func TestStep_TakesAnEqualRevisionInPlaceOfANewOne(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Register("hello", "app:v2") // hello:2
	w.Register("hello", "app:v3")
	w.Register("hello", "app:v2")                                 // hello:4
	w.Revisions[1].Status = ecstypes.TaskDefinitionStatusInactive // can't be deployed
	w.Services["hello-b"].TaskDefinition = w.Revisions[2].TaskDefinitionArn
	w.Services["hello-b"].Deployments[0].TaskDefinition = w.Revisions[2].TaskDefinitionArn
	_, last, err := follow(t, w, params(), State{})
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	if diff := cmp.Diff([]string{"AddTags", "UpdateService"}, w.Writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if got := RevisionName(last.Outputs()["TaskDefinition"]); got != "hello:4" {
		t.Errorf("got task definition %s, want hello:4", got)
	}
}

func TestStep_KeepsFamiliesApart(t *testing.T) {
	t.Parallel()
	w := fake.New()
	arn := w.Register("hello-green", "app:v0")
	w.Services["hello-b"].TaskDefinition, w.Services["hello-b"].Deployments[0].TaskDefinition = &arn, &arn
	_, last, err := follow(t, w, params(), State{})
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	if got := RevisionName(last.Outputs()["TaskDefinition"]); got != "hello-green:2" {
		t.Errorf("got task definition %s, want hello-green:2", got)
	}
}

func TestStep_DoesNothingOnceProductionHasTheRelease(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Tags[fake.GroupA]["cutover:execution"] = execution
	said, last, err := follow(t, w, params(), State{})
	if err != nil {
		t.Fatalf("step: %v", err)
	}
	if diff := cmp.Diff([]string{"nothing to do: production already has this execution's release, on service hello-a (target group hello-a)"}, said); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
	if writes := w.Writes(); len(writes) > 0 {
		t.Errorf("got writes %q, want none", writes)
	}
	if got := last.Outputs(); got["GreenSide"] != "hello-a" || got["Image"] != "app:v1" {
		t.Errorf("got green side %s with %s, want hello-a with what it runs, app:v1", got["GreenSide"], got["Image"])
	}
}

func TestStep_FailsWhenProductionHasItsNameWithoutItsImage(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Tags[fake.GroupA] = claim(execution, "app:v2")
	_, err := tick(t, w, params(), State{})
	fails(t, err, cptypes.FailureTypeJobFailed, "service hello-a (target group hello-a) carries execution "+execution+" with app:v2, but runs app:v1: it became production before it was deployed, or was deployed to since; "+
		"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; start the pipeline again to release this image")
}

// fails expects a failure of the type with the text.
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

func TestStep_TellsWhyADeploymentFailed(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.BadImages["app:v2"] = true
	_, _, err := follow(t, w, params(), State{})
	fails(t, err, cptypes.FailureTypeJobFailed,
		"the deployment of hello:2 on service hello-b failed (ECS deployment circuit breaker: tasks failed to start.) and ECS went back to hello:1; "+
			"its last task stopped: Essential container in task exited, container app: exit code 1; "+
			`last events of the service: "(service hello-b) (deployment ecs-svc/3) deployment failed: tasks failed to start."; `+
			"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; "+
			"fix what stops the tasks and push again, or retry the stage to deploy the same image once more")

	// A retry starts an attempt without state, and deploys once more.
	w.BadImages["app:v2"] = false
	if _, _, err := follow(t, w, params(), State{}); err != nil {
		t.Fatalf("retry: %v", err)
	}
	released(t, w)
}

func TestStep_TellsWhyADeploymentFailedThoughTasksCannotBeRead(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.BadImages["app:v2"] = true
	w.Before = func(operation string) error {
		if operation == "ListTasks" {
			return errors.New("not authorized to perform: ecs:ListTasks")
		}
		return nil
	}
	_, _, err := follow(t, w, params(), State{})
	for _, want := range []string{"circuit breaker", "why its tasks stopped is not known: not authorized to perform: ecs:ListTasks", "production is on service hello-a"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want it to contain %q", err, want)
		}
	}
}

func TestStep_RetryDeploysAgainWhatFailedWithoutRollback(t *testing.T) {
	t.Parallel()
	w := fake.New()
	s := State{}
	for range 4 { // claim, register, update, follow
		r, err := tick(t, w, params(), s)
		if err != nil {
			t.Fatalf("step: %v", err)
		}
		s = r.State()
	}
	w.Change(func(w *fake.World) {
		w.Services["hello-b"].Deployments[0].RolloutState = ecstypes.DeploymentRolloutStateFailed
		w.Services["hello-b"].Deployments[0].RolloutStateReason = ptr("tasks failed to start")
	})
	_, err := tick(t, w, params(), s)
	fails(t, err, cptypes.FailureTypeJobFailed, "the deployment of hello:2 on service hello-b failed (tasks failed to start); "+
		"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; "+
		"fix what stops the tasks and push again, or retry the stage to deploy the same image once more")
	w.Calls()
	if _, _, err := follow(t, w, params(), State{}); err != nil {
		t.Fatalf("retry: %v", err)
	}
	released(t, w)
	if diff := cmp.Diff([]string{"UpdateService"}, w.Writes()); diff != "" {
		t.Errorf("writes of the retry (-want +got):\n%s", diff)
	}
}

// inMidDeployment is a world, and its state, whose green is being deployed.
func inMidDeployment(t *testing.T) (*fake.World, State) {
	t.Helper()
	w, s := fake.New(), State{}
	for range 4 {
		r, err := tick(t, w, params(), s)
		if err != nil {
			t.Fatalf("step: %v", err)
		}
		s = r.State()
	}
	w.Calls()
	return w, s
}

func TestStep_StopsWhenSomeoneElseInterferes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		interfere func(*fake.World)
		want      string
	}{
		"another execution takes green": {func(w *fake.World) { w.Tags[fake.GroupB]["cutover:execution"] = "later" },
			"execution later took over service hello-b (target group hello-b), which was being deployed by execution " + execution + "; " +
				"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; start the pipeline again to release this image"},
		"production moves to green": {func(w *fake.World) {
			w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupB, 100, fake.GroupA, 0)
		}, "production was moved to service hello-b (target group hello-b) by someone else while green was being deployed there, so it may serve either image; " +
			"production is on service hello-b (target group hello-b), no targets; start the pipeline again to release this image"},
		"another task definition is deployed on green": {func(w *fake.World) {
			w.Services["hello-b"].Deployments[0].TaskDefinition = ptr("arn:aws:ecs:us-east-1:111122223333:task-definition/hello:1")
		}, "service hello-b deploys hello:1 in place of hello:2; " +
			"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; " +
			"fix what stops the tasks and push again, or retry the stage to deploy the same image once more"},
		"the release was already replaced": {func(w *fake.World) {
			w.Tags[fake.GroupB]["cutover:execution"] = "retired:" + execution
			w.Tags[fake.GroupA]["cutover:execution"] = "later"
		}, "execution " + execution + " was released before and has been replaced by execution later; " +
			"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; start the pipeline again to release this image"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := inMidDeployment(t)
			w.Change(c.interfere)
			_, err := tick(t, w, params(), s)
			fails(t, err, cptypes.FailureTypeJobFailed, c.want)
			if writes := w.Writes(); len(writes) > 0 {
				t.Errorf("got writes %q, want none", writes)
			}
		})
	}
}

func TestStep_FollowsWithoutReadingTaskDefinitionsAgain(t *testing.T) {
	t.Parallel()
	w, s := inMidDeployment(t)
	if _, err := tick(t, w, params(), s); err != nil {
		t.Fatalf("step: %v", err)
	}
	if calls := w.Calls(); len(calls) != 8 {
		t.Errorf("got %d calls %q, want the 8 that read a pair", len(calls), calls)
	}
}

// Task definitions are read when an attempt begins and before one is registered.
func TestStep_ReadsTaskDefinitionsTwice(t *testing.T) {
	t.Parallel()
	w := start()
	if _, _, err := follow(t, w, params(), State{}); err != nil {
		t.Fatalf("step: %v", err)
	}
	got := map[string]int{}
	for _, call := range w.Calls() {
		got[call]++
	}
	if got["DescribeTaskDefinition"] != 2 || got["ListTaskDefinitions"] != 2 {
		t.Errorf("got %d DescribeTaskDefinition and %d ListTaskDefinitions, want 2 of each", got["DescribeTaskDefinition"], got["ListTaskDefinitions"])
	}
}

func TestStep_DoesNotDeployWhatWasRolledBack(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Tags[fake.GroupB]["cutover:execution"] = "rolled-back:" + execution
	_, err := tick(t, w, params(), State{})
	fails(t, err, cptypes.FailureTypeJobFailed, "execution "+execution+" was rolled back, and is not released again; "+
		"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; start the pipeline again to release this image")
	if writes := w.Writes(); len(writes) > 0 {
		t.Errorf("got writes %q, want none", writes)
	}

	// The next execution takes the side for its own release.
	p := params()
	p.Execution = "later"
	if _, _, err := follow(t, w, p, State{}); err != nil {
		t.Errorf("another execution: %v", err)
	}
}

func TestStep_RefusesAForeignEditOfTheTestRoute(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Tags[fake.GroupB] = claim(execution, "app:v2")
	w.Rules[fake.Listener8080][0].Actions = fake.Forward(fake.GroupA, 100)
	n := 0
	w.Before = func(operation string) error {
		if operation == "DescribeRules" {
			if n++; n == 3 { // the reading right before the write
				w.Change(func(w *fake.World) {
					w.Rules[fake.Listener8080][0].Actions = fake.Forward(fake.GroupA, 50, fake.GroupB, 50)
				})
			}
		}
		return nil
	}
	_, err := tick(t, w, params(), State{})
	fails(t, err, cptypes.FailureTypeConfigurationError,
		"the test route: default action of listener HTTP:8080 was changed by someone else since it was read, so nothing was written: it now forwards to hello-a 50, hello-b 50; "+
			"production is on service hello-a (target group hello-a), 2 of 2 targets healthy; see who else manages the test route, then retry the stage")
}

func TestStep_ListsEveryFaultOfTheWorld(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world  func(*fake.World)
		params func(*Params)
		want   string
	}{
		"a container that is not there": {nil, func(p *Params) { p.Container = "web" },
			`task definition hello:1 has no container "web" (it has app)` +
				"\nNothing was changed: production is on service hello-a (target group hello-a), 2 of 2 targets healthy. Correct this and retry the stage; if you change the pipeline or the source for it, start the pipeline instead."},
		"two containers and none named": {func(w *fake.World) {
			w.Revisions[0].ContainerDefinitions = append(w.Revisions[0].ContainerDefinitions, ecstypes.ContainerDefinition{Name: ptr("proxy")})
		}, nil, "container is missing: task definition hello:1 has 2 containers (app, proxy)" +
			"\nNothing was changed: production is on service hello-a (target group hello-a), 2 of 2 targets healthy. Correct this and retry the stage; if you change the pipeline or the source for it, start the pipeline instead."},
		"no image, no load balancer, no service": {nil, func(p *Params) { p.Image, p.LoadBalancer, p.Services[0] = "", "helo", "helo-a" },
			"3 faults:\n" +
				`- load balancer "helo" does not exist in this account and Region` + "\n" +
				`- service "helo-a" does not exist in cluster "main"` + "\n" +
				"- no image: set image, or give the action an input artifact with imageDetail.json or imagedefinitions.json or images.json\n" +
				"Nothing was changed: how production stands could not be read. Correct this and retry the stage; if you change the pipeline or the source for it, start the pipeline instead."},
		"both sides live": {func(w *fake.World) {
			w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 50, fake.GroupB, 50)
		}, nil,
			"both sides are live: the production route (default action of listener HTTP:80) sends 50 to service hello-a (target group hello-a), which carries no execution, " +
				"and 50 to service hello-b (target group hello-b), which carries no execution: another release is in mid-shift, finish it or set one weight to 0" +
				"\nNothing was changed: production's route, default action of listener HTTP:80, forwards to hello-a 50, hello-b 50. Correct this and retry the stage; if you change the pipeline or the source for it, start the pipeline instead."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := fake.New(), params()
			if c.world != nil {
				c.world(w)
			}
			if c.params != nil {
				c.params(&p)
			}
			_, err := tick(t, w, p, State{})
			fails(t, err, cptypes.FailureTypeConfigurationError, c.want)
			if writes := w.Writes(); len(writes) > 0 {
				t.Errorf("got writes %q, want none", writes)
			}
		})
	}
}

func TestStep_TellsHowProductionStandsWhenACallFails(t *testing.T) {
	t.Parallel()
	w := fake.New()
	cause := &elbtypes.InvalidConfigurationRequestException{Message: ptr("refused")}
	w.Before = func(operation string) error {
		if operation == "AddTags" {
			return cause
		}
		return nil
	}
	_, err := tick(t, w, params(), State{})
	if !errors.Is(err, cause) {
		t.Fatalf("got error %v, want it to wrap %v", err, cause)
	}
	want := "tag target group " + fake.GroupB + ": " + cause.Error() + "; production is on service hello-a (target group hello-a), 2 of 2 targets healthy; retry the stage once the cause is gone"
	if err.Error() != want {
		t.Errorf("got error %q, want %q", err, want)
	}
}
