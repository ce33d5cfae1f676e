package deploygreen

import (
	"testing"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cutover/pkg/bluegreen"
	fake "cutover/pkg/bluegreen/bluegreentest"
)

// drawRelease makes any release a world may show.
func drawRelease(t *rapid.T, s Progress) Release {
	executions := rapid.SampledFrom([]string{"", execution, "other", "retired:" + execution, "retired:other", "rolled-back:" + execution, "rolled-back:other"})
	images := rapid.SampledFrom([]string{"app:v1", "app:v2"})
	arns := map[string]string{"app:v1": "arn:aws:ecs:us-east-1:111122223333:task-definition/hello:1", "app:v2": "arn:aws:ecs:us-east-1:111122223333:task-definition/hello:2"}
	states := rapid.SampledFrom([]ecstypes.DeploymentRolloutState{ecstypes.DeploymentRolloutStateCompleted, ecstypes.DeploymentRolloutStateInProgress, ecstypes.DeploymentRolloutStateFailed})
	revision := func(image string) Revision {
		return Revision{TaskDefinition: ecstypes.TaskDefinition{
			TaskDefinitionArn: ptr(arns[image]), Family: ptr("hello"), Status: ecstypes.TaskDefinitionStatusActive,
			ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: ptr("app"), Image: ptr(image)}},
		}}
	}
	r := Release{Progress: s, Container: "app", Looked: s.TaskDefinition == ""}
	r.Image = "app:v2"
	for i, group := range []string{fake.GroupA, fake.GroupB} {
		image := images.Draw(t, "image")
		r.Running[i] = revision(image)
		r.Sides[i] = bluegreen.Side{
			TargetGroup: group,
			Tags:        map[string]string{bluegreen.TagExecution: executions.Draw(t, "execution"), bluegreen.TagImage: images.Draw(t, "image tag")},
			Health:      bluegreen.Health{Healthy: rapid.IntRange(0, 3).Draw(t, "healthy")},
			Service: ecstypes.Service{
				ServiceName: ptr([]string{"hello-a", "hello-b"}[i]), TaskDefinition: ptr(arns[image]),
				DesiredCount: int32(rapid.IntRange(0, 3).Draw(t, "desired")), RunningCount: int32(rapid.IntRange(0, 3).Draw(t, "running")),
				Deployments: []ecstypes.Deployment{{Id: ptr("ecs-svc/1"), Status: ptr("PRIMARY"), TaskDefinition: ptr(arns[image]), RolloutState: states.Draw(t, "rollout")}},
			},
		}
	}
	if rapid.Bool().Draw(t, "registered") {
		r.Recent = []Revision{revision("app:v2")}
	}
	route := func(name string) []elbtypes.Action {
		if rapid.Bool().Draw(t, name) {
			return fake.Forward(fake.GroupA, 100, fake.GroupB, 0)
		}
		return fake.Forward(fake.GroupB, 100, fake.GroupA, 0)
	}
	r.Production.Actions, r.Test.Actions = route("production"), route("test")
	if r.due(execution) { // as catalog.observe does
		r.TaskDefinition = r.revision()
	}
	return r
}

func drawProgress(t *rapid.T) Progress {
	s := Progress{}
	if rapid.Bool().Draw(t, "claimed") {
		s = Progress{Image: "app:v2", Green: rapid.SampledFrom([]string{fake.GroupA, fake.GroupB}).Draw(t, "green")}
		if rapid.Bool().Draw(t, "updated") {
			s.TaskDefinition, s.Deployment = "arn:aws:ecs:us-east-1:111122223333:task-definition/hello:2", "ecs-svc/1"
		}
	}
	return s
}

func TestDecide_Properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawProgress(t)
		r := drawRelease(t, s)
		w := World{Execution: execution, Releases: []Release{r}}
		all := decide(w)
		if diff := cmp.Diff(all, decide(w)); diff != "" {
			t.Fatalf("the same world is decided in two ways:\n%s", diff)
		}
		d := all[0]
		live, _ := r.Live()
		green, _ := r.Idle()
		wanted := "arn:aws:ecs:us-east-1:111122223333:task-definition/hello:2"
		switch d.Kind {
		case RouteTest, Register, Update, Follow, Ready:
			if green.Execution() != execution {
				t.Fatalf("%v although green carries %q", d, green.Execution())
			}
		case Claim:
			if s.Green != "" && green.Execution() != execution {
				t.Fatalf("%v takes green back from %q", d, green.Execution())
			}
		case Released:
			if live.Execution() != execution {
				t.Fatalf("%v although production carries %q", d, live.Execution())
			}
		}
		switch d.Kind {
		case Update:
			if d.TaskDefinition != wanted || int(d.DesiredCount) < max(int(live.Service.DesiredCount), 1) || d.DesiredCount < green.Service.DesiredCount {
				t.Fatalf("%v for blue's %d and green's %d tasks", d, live.Service.DesiredCount, green.Service.DesiredCount)
			}
			if !r.Test.PointsTo(green.TargetGroup) {
				t.Fatalf("%v before the test route points at green", d)
			}
		case Ready:
			primary, _ := green.Primary()
			desired := int(green.Service.DesiredCount)
			if *primary.TaskDefinition != wanted || primary.RolloutState != ecstypes.DeploymentRolloutStateCompleted ||
				desired < max(int(live.Service.DesiredCount), 1) || int(green.Service.RunningCount) != desired || green.Health.Healthy < desired {
				t.Fatalf("ready although green is %+v with %s", green.Service, green.Health)
			}
		}
		if live.Execution() == execution && d.Kind != Released && d.Kind != Fail {
			t.Fatalf("%v although production already carries the execution", d)
		}
		if (live.Execution() == "rolled-back:"+execution || green.Execution() == "rolled-back:"+execution) && live.Execution() != execution && d.Kind != Fail {
			t.Fatalf("%v although the execution was rolled back", d)
		}
	})
}

func TestDecide_ReleasesOfASetGoSideBySide(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := World{Execution: execution}
		for range rapid.IntRange(1, 5).Draw(t, "pairs") {
			w.Releases = append(w.Releases, drawRelease(t, drawProgress(t)))
		}
		next := next(decide(w))
		for i, r := range w.Releases {
			alone := decideOne(r, execution)
			chosen := false
			for _, d := range next {
				chosen = chosen || d.Release == i
			}
			if alone.Kind < next[0].Kind {
				t.Fatalf("pair %d is behind with %d, but the set does %d", i, alone.Kind, next[0].Kind)
			}
			if chosen != (alone.Kind == next[0].Kind) {
				t.Fatalf("pair %d with %d: got chosen %t when the set does %d", i, alone.Kind, chosen, next[0].Kind)
			}
		}
	})
}

func TestRevision_EqualsWhateverAWSReordersOrFillsIn(t *testing.T) {
	t.Parallel()
	one := Revision{TaskDefinition: ecstypes.TaskDefinition{
		Family: ptr("hello"), Revision: 1, TaskDefinitionArn: ptr("hello:1"),
		ContainerDefinitions: []ecstypes.ContainerDefinition{{
			Name: ptr("app"), Image: ptr("app:v1"), Command: []string{"serve", "--all"},
			Environment: []ecstypes.KeyValuePair{{Name: ptr("A"), Value: ptr("1")}, {Name: ptr("B"), Value: ptr("2")}},
		}},
	}}
	for name, c := range map[string]struct {
		change func(*ecstypes.TaskDefinition)
		want   bool
	}{
		"nothing":                 {func(*ecstypes.TaskDefinition) {}, true},
		"another revision number": {func(t *ecstypes.TaskDefinition) { t.Revision, t.TaskDefinitionArn = 2, ptr("hello:2") }, true},
		"an environment in new order": {func(t *ecstypes.TaskDefinition) {
			e := t.ContainerDefinitions[0].Environment
			t.ContainerDefinitions[0].Environment = []ecstypes.KeyValuePair{e[1], e[0]}
		}, true},
		"empty lists for none": {func(t *ecstypes.TaskDefinition) {
			t.Volumes, t.ContainerDefinitions[0].MountPoints = []ecstypes.Volume{}, []ecstypes.MountPoint{}
		}, true},
		"another image":              {func(t *ecstypes.TaskDefinition) { t.ContainerDefinitions[0].Image = ptr("app:v2") }, false},
		"a command in another order": {func(t *ecstypes.TaskDefinition) { t.ContainerDefinitions[0].Command = []string{"--all", "serve"} }, false},
		"another value": {func(t *ecstypes.TaskDefinition) {
			t.ContainerDefinitions[0].Environment = []ecstypes.KeyValuePair{{Name: ptr("A"), Value: ptr("2")}, {Name: ptr("B"), Value: ptr("1")}}
		}, false},
		"another role": {func(t *ecstypes.TaskDefinition) { t.TaskRoleArn = ptr("arn:aws:iam::111122223333:role/task") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			two := one.TaskDefinition
			two.ContainerDefinitions = []ecstypes.ContainerDefinition{one.ContainerDefinitions[0]}
			c.change(&two)
			if got := one.equals(Revision{TaskDefinition: two}.content()); got != c.want {
				t.Errorf("got equal %t, want %t", got, c.want)
			}
		})
	}
}
