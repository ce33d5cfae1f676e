package deploygreen

import (
	"errors"
	"strings"
	"testing"

	cptypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/go-cmp/cmp"

	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/job"
)

func TestSet_DeploysAllPairsSideBySide(t *testing.T) {
	t.Parallel()
	s := newShop(t, 2)
	said, last, err := s.follow()
	if err != nil {
		t.Fatal(err)
	}
	s.released()
	want := []string{
		"release set shop: s0: named service s0-b (target group s0-b) as green; s1: named service s1-b (target group s1-b) as green",
		"release set shop: s0: pointed the test route at service s0-b (target group s0-b); s1: pointed the test route at service s1-b (target group s1-b)",
		"release set shop: s0: registered a task definition of s0 with s0:v2; s1: registered a task definition of s1 with s1:v2",
		"release set shop: s0: updated service s0-b to s0:2, desired count 2; s1: updated service s1-b to s1:2, desired count 2",
		"release set shop, 0 of 2 services deployed: s0: service s0-b deploys s0:2: 1 of 2 tasks running; s1: service s1-b deploys s1:2: 1 of 2 tasks running",
		"release set shop, 0 of 2 services deployed: s0: service s0-b deploys s0:2: 2 of 2 tasks running; waiting: the deployment of service s0-b is IN_PROGRESS; " +
			"s1: service s1-b deploys s1:2: 2 of 2 tasks running; waiting: the deployment of service s1-b is IN_PROGRESS",
	}
	want = append(want, want[5], want[5],
		"release set shop: s0: green is ready: service s0-b runs s0:2, 2 of 2 tasks running, 2 of 2 targets healthy; test it at http://hello-1.us-east-1.elb.amazonaws.com:8080; "+
			"s1: green is ready: service s1-b runs s1:2, 2 of 2 tasks running, 2 of 2 targets healthy; test it at http://hello-1.us-east-1.elb.amazonaws.com:8080")
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
	outputs := map[string]string{"ReleaseSet": "shop", "Execution": execution, "Services": "2"}
	for _, name := range s.names {
		outputs["GreenService_"+name] = "arn:aws:ecs:us-east-1:111122223333:service/main/" + name + "-b"
		outputs["TaskDefinition_"+name] = "arn:aws:ecs:us-east-1:111122223333:task-definition/" + name + ":2"
		outputs["TestUrl_"+name] = "http://hello-1.us-east-1.elb.amazonaws.com:8080"
	}
	if diff := cmp.Diff(outputs, last.Outputs()); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestSet_PercentGrowsWithEveryServiceAndTheLast(t *testing.T) {
	t.Parallel()
	s := newShop(t, 3)
	var percents []int
	var state State
	for {
		r, err := s.tick(state)
		if err != nil {
			t.Fatal(err)
		}
		percents = append(percents, r.Percent())
		if r.Done() {
			break
		}
		state = r.State()
		s.world.Advance()
	}
	if diff := cmp.Diff([]int{5, 10, 15, 20, 39, 59, 59, 59, 100}, percents); diff != "" {
		t.Errorf("percents (-want +got):\n%s", diff)
	}
}

func TestSet_OneThatFailsStopsAllBeforeProductionMoves(t *testing.T) {
	t.Parallel()
	s := newShop(t, 3)
	s.world.BadImages["s1:v2"] = true
	_, _, err := s.follow()
	id := *s.world.Services["s1-b"].Deployments[1].Id
	fails(t, err, cptypes.FailureTypeJobFailed,
		"s1: the deployment of s1:2 on service s1-b failed (ECS deployment circuit breaker: tasks failed to start.) and ECS went back to s1:1; "+
			"its last task stopped: Essential container in task exited, container app: exit code 1; "+
			`last events of the service: "(service s1-b) (deployment `+id+`) deployment failed: tasks failed to start."; `+
			"of release set shop, production is on s0-a, s1-a, s2-a; "+
			"fix what stops the tasks and push again, or retry the stage to deploy the same images once more")
	s.untouched()

	s.world.BadImages["s1:v2"] = false
	s.world.Calls()
	if _, _, err := s.follow(); err != nil {
		t.Fatalf("retry: %v", err)
	}
	s.released()
	for _, call := range s.world.Writes() {
		if call != "UpdateService" && call != "AddTags" {
			t.Errorf("retry: got %s, want what was done found", call)
		}
	}
}

func TestSet_TellsOfAFewWhenManyFail(t *testing.T) {
	t.Parallel()
	s := newShop(t, 12)
	for _, name := range s.names {
		s.world.BadImages[name+":v2"] = true
	}
	_, _, err := s.follow()
	if err == nil || strings.Count(err.Error(), "its last task stopped") != shownCauses ||
		!strings.Contains(err.Error(), "so it is with s3, s4, s5, s6, s7, 4 more; of release set shop, production is on s0-a, s1-a, s2-a, s3-a, s4-a, 7 more; ") {
		t.Errorf("got error %v, want three causes and the names of some more", err)
	}
	s.untouched()
}

func TestSet_StopsWhenSomeoneElseInterferes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		interfere func(*shop)
		want      string
	}{
		"another execution takes one green": {func(s *shop) { s.world.Tags[s.greens[1]]["cutover:execution"] = "later" },
			"s1: execution later took over service s1-b (target group s1-b), which was being deployed by execution " + execution},
		"production of one moves to green": {func(s *shop) {
			s.route(fake.Listener80, 1, s.greens[1], 100, s.blues[1], 0)
		}, "s1: production was moved to service s1-b (target group s1-b) by someone else"},
		"another revision is deployed on one green": {func(s *shop) {
			s.world.Services["s1-b"].Deployments[0].TaskDefinition = ptr("arn:aws:ecs:us-east-1:111122223333:task-definition/s1:1")
		}, "s1: service s1-b deploys s1:1 in place of s1:2"},
		"another family is deployed on one green": {func(s *shop) {
			arn := "arn:aws:ecs:us-east-1:111122223333:task-definition/other:2"
			s.world.Services["s1-b"].TaskDefinition, s.world.Services["s1-b"].Deployments[0].TaskDefinition = &arn, &arn
		}, "s1: service s1-b deploys other:2 in place of revision 2 of another family"},
		"the execution was rolled back": {func(s *shop) { s.world.Tags[s.greens[1]]["cutover:execution"] = "rolled-back:" + execution },
			"s1: execution " + execution + " was rolled back, and is not released again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 3)
			var state State
			for range 5 {
				r, err := s.tick(state)
				if err != nil {
					t.Fatal(err)
				}
				state = r.State()
			}
			s.world.Calls()
			s.world.Change(func(*fake.World) { c.interfere(s) })
			_, err := s.tick(state)
			f, found := errors.AsType[*job.Failure](err)
			if !found || f.Type != cptypes.FailureTypeJobFailed || !strings.HasPrefix(f.Message, c.want) {
				t.Errorf("got error %v, want JobFailed with %q", err, c.want)
			}
			if writes := s.world.Writes(); len(writes) > 0 {
				t.Errorf("got writes %q, want none", writes)
			}
		})
	}
}

// route changes the rule of a pair behind the action's back.
func (s *shop) route(listener string, i int, weights ...any) {
	for n, rule := range s.world.Rules[listener] {
		for _, g := range rule.Actions[0].ForwardConfig.TargetGroups {
			if *g.TargetGroupArn == s.blues[i] || *g.TargetGroupArn == s.greens[i] {
				s.world.Rules[listener][n].Actions = fake.Forward(weights...)
				return
			}
		}
	}
}

func TestSet_RefusesAForeignEditOfATestRoute(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reading int // of rules in the tick that writes them, after the 2 that observe
		want    string
	}{
		"before it is written": {3, "since it was read, so nothing was written"},
		"after it was written": {4, "right after it was written"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 3)
			r, err := s.tick(State{})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			s.world.Before = func(operation string) error {
				if operation == "DescribeRules" {
					if n++; n == c.reading {
						s.world.Change(func(*fake.World) { s.route(fake.Listener8080, 1, s.blues[1], 50, s.greens[1], 50) })
					}
				}
				return nil
			}
			_, err = s.tick(r.State())
			f, found := errors.AsType[*job.Failure](err)
			if !found || f.Type != cptypes.FailureTypeConfigurationError || !strings.HasPrefix(f.Message, "s1: the test route: rule ") ||
				!strings.Contains(f.Message, c.want+": it now forwards to s1-a 50, s1-b 50; of release set shop, production is on s0-a, s1-a, s2-a;") {
				t.Errorf("got error %v, want a ConfigurationError about s1 with %q", err, c.want)
			}
			s.untouched()
		})
	}
}

func TestSet_DoesNothingOnceProductionHasTheRelease(t *testing.T) {
	t.Parallel()
	s := newShop(t, 2)
	for _, blue := range s.blues {
		s.world.Tags[blue]["cutover:execution"] = execution
	}
	said, _, err := s.follow()
	if err != nil || len(said) != 1 || !strings.HasPrefix(said[0], "release set shop: s0: nothing to do") {
		t.Errorf("got %q and error %v, want that there is nothing to do", said, err)
	}
	if writes := s.world.Writes(); len(writes) > 0 {
		t.Errorf("got writes %q, want none", writes)
	}
}

// A half of the set whose production has the release already does not keep the
// other from being deployed.
func TestSet_DeploysTheRestOfAHalfReleasedSet(t *testing.T) {
	t.Parallel()
	s := newShop(t, 2)
	s.world.Tags[s.blues[0]]["cutover:execution"] = execution
	said, _, err := s.follow()
	if err != nil {
		t.Fatal(err)
	}
	if last := said[len(said)-1]; !strings.HasPrefix(last, "release set shop: s1: green is ready") {
		t.Errorf("got %q, want s1 to be ready", last)
	}
	if got := s.world.Active("s0"); len(got) != 1 {
		t.Errorf("got task definitions %q of s0, want none registered", got)
	}
}

func TestSet_ListsEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	const rest = "\nNothing was changed: of release set shop, production is on s0-a, s1-a, s2-a. Correct this and retry the stage; if you change the pipeline or the source for it, start the pipeline instead."
	for name, c := range map[string]struct {
		services int
		prepare  func(*shop)
		want     string
	}{
		"images that are missing or none": {3, func(s *shop) { s.files["images.json"] = `{"s1":"s1:v2","s2":"https://no image"}` },
			"2 faults:\n- images.json of input artifact build: it has no image for \"s0\" (it has s1, s2)\n" +
				"- images.json of input artifact build: s2 \"https://no image\" is not an image URI" + rest},
		"no file of images": {3, func(s *shop) { delete(s.files, "images.json") }, "no images: input artifact build has no images.json" + rest},
		"one image for many": {3, func(s *shop) { s.files["images.json"] = `{"ImageURI":"s0:v2"}` },
			"images.json of input artifact build: it names one image, and the release set has 3 services: map the key of each to its image" + rest},
		"services and images": {3, func(s *shop) {
			delete(s.world.Services, "s1-b")
			s.files["images.json"] = `{"s1":"s1:v2","s2":"s2:v2"}`
		}, "2 faults:\n- images.json of input artifact build: it has no image for \"s0\" (it has s1, s2)\n" +
			`- s1: service "s1-b" does not exist in cluster "main"` +
			rest},
		"a container that is not there": {3, func(s *shop) {
			s.files["cutover.yaml"] = strings.Replace(s.files["cutover.yaml"], "name: s2,", "name: s2, container: web,", 1)
		}, `s2: task definition s2:1 has no container "web" (it has app)` + rest},
		"a set that is being moved": {3, func(s *shop) { s.route(fake.Listener80, 2, s.blues[2], 900, s.greens[2], 100) },
			"s2: both sides are live: the production route (rule 6 of listener HTTP:80) sends 900 to service s2-a (target group s2-a), which carries no execution, " +
				"and 100 to service s2-b (target group s2-b), which carries no execution: another release is in mid-shift, finish it or set one weight to 0" +
				strings.Replace(rest, ", s2-a", ", s2: production's route, rule 6 of listener HTTP:80, forwards to s2-a 900, s2-b 100", 1)},
		"a file that is wrong": {3, func(s *shop) {
			s.files["cutover.yaml"] = strings.Replace(s.files["cutover.yaml"], "set: shop", "set: the shop", 1)
		},
			`cutover.yaml line 1: set is "the shop", must be 1 to 64 letters, digits, dashes and underscores`},
		"no file": {3, func(s *shop) { delete(s.files, "cutover.yaml") }, `no input artifact has the file "cutover.yaml" (they are build)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, c.services)
			c.prepare(s)
			_, err := s.tick(State{})
			fails(t, err, cptypes.FailureTypeConfigurationError, c.want)
			if writes := s.world.Writes(); len(writes) > 0 {
				t.Errorf("got writes %q, want none", writes)
			}
		})
	}
}

func TestSet_OfOneTakesWhatBuildsWrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, body string
		service    string // its keys besides those of the shop
		want       string // the fault, or none
	}{
		"imageDetail.json":                        {"imageDetail.json", `{"ImageURI":"s0:v2"}`, "", ""},
		"imagedefinitions.json, by the container": {"imagedefinitions.json", `[{"name":"app","imageUri":"s0:v2"}]`, "container: app, ", ""},
		"imagedefinitions.json, by the name":      {"imagedefinitions.json", `[{"name":"s0","imageUri":"s0:v2"}]`, "", ""},
		"images.json, by the key":                 {"images.json", `{"shop":"s0:v2","s0":"s0:v3"}`, "image: shop, ", ""},
		"another container's only":                {"imagedefinitions.json", `[{"name":"web","imageUri":"s0:v2"}]`, "container: app, ", `it has no image for "s0" (it has web)`},
		"a key that is not there":                 {"imagedefinitions.json", `[{"name":"app","imageUri":"s0:v2"}]`, "container: app, image: shop, ", `it has no image for "shop" (it has app)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 1)
			delete(s.files, "images.json")
			s.files[c.file] = c.body
			s.files["cutover.yaml"] = strings.Replace(s.files["cutover.yaml"], "{name", "{"+c.service+"name", 1)
			_, _, err := s.follow()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got error %v, want %q", err, c.want)
			}
			if c.want == "" {
				s.released()
			}
		})
	}
}

func TestValidate_ReleaseTakesThePlaceOfAPair(t *testing.T) {
	t.Parallel()
	if err := setParams().Validate(); err != nil {
		t.Errorf("got %v for complete parameters, want none", err)
	}
	p := params()
	p.Execution, p.Release = "", "cutover.yaml"
	want := `execution is missing: set it to "#{codepipeline.PipelineExecutionId}"` +
		"\nrelease is set together with keys of a single pair: name the pairs, their containers and counts in cutover.yaml"
	if got := p.Validate(); got == nil || got.Error() != want {
		t.Errorf("got %v, want %s", got, want)
	}
	p = params()
	p.Images = "images.json"
	if got := p.Validate(); got == nil || !strings.HasPrefix(got.Error(), "images is for release sets") {
		t.Errorf("got %v, want images refused without release", got)
	}
}
