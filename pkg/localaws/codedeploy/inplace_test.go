package codedeploy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cutover/pkg/localaws/clock"
)

func TestInPlace_TakesHalfOfTheInstancesOutOfTrafficAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := inPlace()
	in.DeploymentConfigName = aws.String("CodeDeployDefault.HalfAtATime")
	w.setUp(in)
	id := w.deploy("one.zip", revisionFiles("one"))
	w.await(id, types.DeploymentStatusSucceeded)
	if want := []string{"-i-1", "+i-1", "-i-2", "+i-2"}; !slices.Equal(w.traffic, want) || len(w.processes["web"]) > 0 {
		t.Errorf("traffic: got %q, want %q; got %q suspended afterwards", w.traffic, want, w.processes["web"])
	}
	want := slices.Concat(blocking(), installing(), allowing())
	for i := range want {
		want[i] += " Succeeded"
	}
	if diff := cmp.Diff(want, w.eventsOf(id, "i-2")); diff != "" {
		t.Errorf("events: got (+) for wanted (-):\n%s", diff)
	}
}

func TestInPlace_StopsTheRevisionBeforeAndReplacesItsFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(inPlace())
	files := revisionFiles("one")
	files["app/old"] = "of one"
	first := w.deploy("one.zip", files)
	w.await(first, types.DeploymentStatusSucceeded)
	w.await(w.deploy("two.zip", revisionFiles("two")), types.DeploymentStatusSucceeded)
	if got := w.read("i-1", "srv/hello/VERSION") + w.read("i-1", "srv/hello/old"); got != "two" {
		t.Errorf("installed files: got %q, want those of two only", got)
	}
	stops := 0
	for _, e := range w.ran {
		if strings.HasSuffix(e.script, "stop.sh") {
			stops++
			if !strings.Contains(e.script, first) {
				t.Errorf("ApplicationStop: got %s, want the script of the revision before", e.script)
			}
		}
	}
	if stops != 2 {
		t.Errorf("ApplicationStop: got %d scripts, want one on each instance", stops)
	}
}

func TestInPlace_SkipsTheRestAndRedeploysTheLastRevisionWhenAnInstanceFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := inPlace()
	in.DeploymentConfigName = aws.String("CodeDeployDefault.OneAtATime")
	w.setUp(in)
	w.await(w.deploy("one.zip", revisionFiles("one")), types.DeploymentStatusSucceeded)
	bad := revisionFiles("two")
	delete(bad, "scripts/start.sh")
	id := w.deploy("two.zip", bad)
	d := w.await(id, types.DeploymentStatusFailed)
	if got := *d.DeploymentOverview; got.Failed != 1 || got.Skipped != 1 || d.ErrorInformation.Code != types.ErrorCodeHealthConstraints {
		t.Errorf("deployment: got %+v, %s, want one failed, one skipped by HEALTH_CONSTRAINTS", got, d.ErrorInformation.Code)
	}
	if e := w.instance(id, "i-1").LifecycleEvents[8]; e.Diagnostics.ErrorCode != types.LifecycleErrorCodeScriptMissing {
		t.Errorf("%s: got %s, want ScriptMissing", *e.LifecycleEventName, e.Diagnostics.ErrorCode)
	}
	back := w.await(*d.RollbackInfo.RollbackDeploymentId, types.DeploymentStatusSucceeded)
	if *back.Revision.S3Location.Key != "one.zip" || back.Creator != types.DeploymentCreatorCodeDeployRollback {
		t.Errorf("rollback: got revision %s by %s, want one.zip", *back.Revision.S3Location.Key, back.Creator)
	}
	if got := w.read("i-1", "srv/hello/VERSION"); got != "one" || w.health["i-1"] != "healthy" {
		t.Errorf("rolled back instance: got version %q, %s", got, w.health["i-1"])
	}
}

func TestInPlace_IsRolledBackOnAnAlarmThatStaysOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := inPlace()
	in.AlarmConfiguration = &types.AlarmConfiguration{Enabled: true, Alarms: []types.Alarm{{Name: aws.String("errors")}}}
	w.setUp(in)
	w.await(w.deploy("one.zip", revisionFiles("one")), types.DeploymentStatusSucceeded)
	w.scripts["start.sh"] = outcome{after: time.Minute}
	id := w.deploy("two.zip", revisionFiles("two"))
	w.clock.Advance(time.Minute)
	w.alarm = "errors"
	d := w.await(id, types.DeploymentStatusStopped)
	w.await(*d.RollbackInfo.RollbackDeploymentId, types.DeploymentStatusSucceeded)
	if got := w.read("i-1", "srv/hello/VERSION"); got != "one" || w.health["i-1"] != "healthy" || len(w.processes["web"]) > 0 {
		t.Errorf("after the rollback: got version %q, %s, %q suspended", got, w.health["i-1"], w.processes["web"])
	}
}

func TestInPlace_HasNothingToRollBackToAtFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(inPlace())
	w.scripts["start.sh"] = outcome{exit: 1}
	d := w.await(w.deploy("one.zip", revisionFiles("one")), types.DeploymentStatusFailed)
	if d.RollbackInfo == nil || d.RollbackInfo.RollbackDeploymentId != nil || !strings.Contains(*d.RollbackInfo.RollbackMessage, "no last successful revision") {
		t.Errorf("rollback info: got %+v, want why there is no rollback", d.RollbackInfo)
	}
}

func TestInPlace_GoesOnPastAFailedApplicationStopIfAsked(t *testing.T) {
	t.Parallel()
	for _, ignore := range []bool{true, false} {
		w := newWorld(t)
		w.setUp(inPlace())
		w.await(w.deploy("one.zip", revisionFiles("one")), types.DeploymentStatusSucceeded)
		w.scripts["stop.sh"] = outcome{exit: 1}
		w.objects["artifacts/two.zip"] = zipped(t, revisionFiles("two"))
		out, err := w.client.CreateDeployment(t.Context(), &codedeploy.CreateDeploymentInput{
			ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("web"), Revision: revisionAt("two.zip"),
			IgnoreApplicationStopFailures: ignore, AutoRollbackConfiguration: &types.AutoRollbackConfiguration{},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]types.DeploymentStatus{true: types.DeploymentStatusSucceeded, false: types.DeploymentStatusFailed}[ignore]
		d := w.await(*out.DeploymentId, want)
		if ignore && d.DeploymentOverview.Succeeded != 2 {
			t.Errorf("deployment that ignores ApplicationStop: got %+v, want two succeeded", d.DeploymentOverview)
		}
	}
}

func TestInPlace_FailsWithoutWhatItNeeds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		with func(*world)
		want types.ErrorCode
	}{
		"the group has no instance":           {func(w *world) { w.groups["web"].ids = nil }, types.ErrorCodeNoInstances},
		"the target group is gone":            {func(w *world) { w.noGroups = true }, types.ErrorCodeElasticLoadBalancingInvalid},
		"the role may not register targets":   {func(w *world) { w.denied = "elasticloadbalancing:RegisterTargets" }, types.ErrorCodeIamRolePermissions},
		"the role may not look at its alarms": {func(w *world) { w.denied = "cloudwatch:DescribeAlarms" }, types.ErrorCodeIamRolePermissions},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			in := inPlace()
			in.AlarmConfiguration = &types.AlarmConfiguration{Enabled: true, Alarms: []types.Alarm{{Name: aws.String("errors")}}}
			w.setUp(in)
			c.with(w)
			d := w.await(w.deploy("one.zip", revisionFiles("one")), types.DeploymentStatusFailed)
			if d.ErrorInformation.Code != c.want || len(w.traffic) > 0 {
				t.Errorf("error: got %s with traffic %q, want %s before anything changes", d.ErrorInformation.Code, w.traffic, c.want)
			}
			w.clock.Advance(time.Hour)
			if len(w.traffic)+len(w.ran) > 0 {
				t.Errorf("after the failure: got traffic %q and scripts %v", w.traffic, w.ran)
			}
		})
	}
}

func TestInstanceLaunched_GetsTheRevisionOfItsGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(60))
	told := map[string]bool{}
	launch := func(group, id string) {
		w.service.InstanceLaunched(group, id, func(ok bool) { told[id] = ok })
		w.clock.Advance(time.Minute)
	}
	launch("web", "i-10")
	if !told["i-10"] || len(w.ran) > 0 {
		t.Errorf("launch before any deployment: got told %v and scripts %v, want nothing done", told, w.ran)
	}
	id := w.deploy("one.zip", revisionFiles("one"))
	w.clock.Advance(time.Second)
	w.service.InstanceLaunched("CodeDeploy_web_"+id, "i-3", func(ok bool) { told["i-3"] = ok })
	if all := w.service.deployments; !told["i-3"] || len(all) != 1 {
		t.Errorf("launch of a first instance of the copied group: got told %v and %d deployments, want it left to the one there is", told, len(all))
	}
	w.clock.AdvanceUntil(time.Hour, func() bool { return w.deployment(id).InstanceTerminationWaitTimeStarted })
	launch("CodeDeploy_web_"+id, "i-11")
	if !told["i-11"] || w.read("i-11", "srv/hello/VERSION") != "one" {
		t.Errorf("launch in the copied group during its deployment: got told %v, version %q", told, w.read("i-11", "srv/hello/VERSION"))
	}
	w.await(id, types.DeploymentStatusSucceeded)
	w.scripts["start.sh"] = outcome{exit: 1}
	launch("CodeDeploy_web_"+id, "i-12")
	if ok, done := told["i-12"]; ok || !done {
		t.Errorf("launch of an instance that fails: got told %v, want false", told)
	}
	out, err := w.client.ListDeployments(t.Context(), &codedeploy.ListDeploymentsInput{
		ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("web"), IncludeOnlyStatuses: []types.DeploymentStatus{types.DeploymentStatusFailed},
	})
	if err != nil || len(out.Deployments) != 1 {
		t.Fatalf("failed deployments: got %v, %v, want one", out, err)
	}
	d := w.deployment(out.Deployments[0])
	if d.Creator != types.DeploymentCreatorAutoscaling || *w.group().LastSuccessfulDeployment.DeploymentId != id {
		t.Errorf("launch deployment: got creator %s; group's last success %s, want that of the group", d.Creator, *w.group().LastSuccessfulDeployment.DeploymentId)
	}
}

func TestInstanceLaunched_IsBroughtUpToDateAfterTheDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(inPlace())
	w.await(w.deploy("one.zip", revisionFiles("one")), types.DeploymentStatusSucceeded)
	id := w.deploy("two.zip", revisionFiles("two"))
	w.clock.Advance(time.Second)
	w.service.InstanceLaunched("web", "i-9", nil)
	w.clock.Advance(time.Second)
	if got := w.read("i-9", "srv/hello/VERSION"); got != "one" {
		t.Errorf("instance launched during a deployment: got version %q, want one", got)
	}
	w.await(id, types.DeploymentStatusSucceeded)
	w.clock.Advance(time.Minute)
	if got := w.read("i-9", "srv/hello/VERSION"); got != "two" {
		t.Errorf("instance after the deployment: got version %q, want two", got)
	}
}

// On a clock that runs by itself many things happen at once.
func TestDeployments_EndOnARunningClock(t *testing.T) {
	t.Parallel()
	w := newWorldAt(t, clock.NewScaled(3600))
	w.setUp(blueGreen(5))
	w.objects["artifacts/one.zip"] = zipped(t, revisionFiles("one"))
	for range 2 {
		ended := make(chan Outcome, 1)
		location := &RevisionLocation{RevisionType: "S3", S3Location: &S3Location{Bucket: "artifacts", Key: "one.zip", BundleType: "zip"}}
		_, err := w.service.Deploy(&CreateDeploymentInput{ApplicationName: "hello", DeploymentGroupName: "web", Revision: location}, func(o Outcome) { ended <- o })
		if err != nil {
			t.Fatalf("deploy: %v", err)
		}
		select {
		case o := <-ended:
			if !o.Succeeded {
				t.Errorf("deployment: got %+v, want success", o)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the deployment did not end in 30 s of the wall")
		}
	}
}

// However instances end, enough stay healthy, and no fleet is worked on forever.
func TestFleet_KeepsEnoughInstancesHealthy(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		least := rapid.SampledFrom(builtIn()).Draw(t, "config").MinimumHealthyHosts
		total := rapid.IntRange(1, 40).Draw(t, "total")
		f := fleet{total: total, waiting: total}
		for steps := 0; ; steps++ {
			if steps > 3*total {
				t.Fatalf("fleet %+v: not done after %d steps", f, steps)
			}
			more, stuck := f.take(least)
			f.waiting -= more
			f.active += more
			if healthy := total - f.active - f.bad; f.active > 0 && more > 0 && healthy < least.hosts(total) {
				t.Fatalf("fleet %+v: %d healthy, want at least %d", f, healthy, least.hosts(total))
			}
			if stuck && f.bad == 0 {
				t.Fatalf("fleet %+v: stuck though none has failed", f)
			}
			if stuck || f.waiting+f.active == 0 {
				return
			}
			f.active--
			if rapid.Bool().Draw(t, "fails") {
				f.bad++
			}
		}
	})
}
