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
)

func TestBlueGreen_CopiesTheGroupShiftsTrafficAndTerminates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(60))
	id := w.deploy("one.zip", revisionFiles("one"))
	green := "CodeDeploy_web_" + id

	waiting := func() bool { return w.deployment(id).InstanceTerminationWaitTimeStarted }
	if !w.clock.AdvanceUntil(time.Hour, waiting) {
		t.Fatalf("deployment: got %+v, want it waiting for the termination", w.deployment(id))
	}
	if want := []string{"+i-3", "+i-4", "-i-1", "-i-2"}; !slices.Equal(w.traffic, want) {
		t.Errorf("traffic before termination: got %q, want the new instances in, then the original ones out: %q", w.traffic, want)
	}
	if w.groups["web"] == nil || len(w.deletes) > 0 {
		t.Errorf("original group: got it deleted before its time")
	}
	if got := w.group().AutoScalingGroups; *got[0].Name != "web" {
		t.Errorf("Auto Scaling groups while the original instances live: got %v, want web", *got[0].Name)
	}
	began := w.clock.Now()
	d := w.await(id, types.DeploymentStatusSucceeded)
	if took := w.clock.Now().Sub(began); took < time.Hour || took > time.Hour+time.Minute {
		t.Errorf("termination wait: got %v, want an hour and the time of a deletion", took)
	}
	if got := *w.group().AutoScalingGroups[0].Name; got != green {
		t.Errorf("Auto Scaling group after success: got %s, want %s", got, green)
	}
	if !slices.Equal(w.deletes, []string{"web"}) || w.groups["web"] != nil || len(w.groups[green].ids) != 2 {
		t.Errorf("groups: got deletes %q and %v, want web gone and %s with two instances", w.deletes, w.groups, green)
	}
	if len(w.processes[green]) > 0 || !slices.Equal(w.attached[green], []string{webARN}) {
		t.Errorf("copied group: got %q suspended and %q attached, want nothing and the target group", w.processes[green], w.attached[green])
	}
	if diff := cmp.Diff(&types.DeploymentOverview{Succeeded: 4}, d.DeploymentOverview, cmp.Comparer(sameOverview)); diff != "" {
		t.Errorf("overview: got (+) for wanted (-):\n%s", diff)
	}
}

func sameOverview(a, b types.DeploymentOverview) bool {
	return a.Succeeded == b.Succeeded && a.Failed == b.Failed && a.Skipped == b.Skipped && a.Pending == b.Pending && a.InProgress == b.InProgress && a.Ready == b.Ready
}

func TestBlueGreen_RunsTheLifecycleEventsOnItsInstances(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(0))
	id := w.deploy("one.zip", revisionFiles("one"))
	w.await(id, types.DeploymentStatusSucceeded)

	wantGreen := []string{
		"ApplicationStop Succeeded", "DownloadBundle Succeeded", "BeforeInstall Succeeded", "Install Succeeded", "AfterInstall Succeeded",
		"ApplicationStart Succeeded", "ValidateService Succeeded", "BeforeAllowTraffic Succeeded", "AllowTraffic Succeeded", "AfterAllowTraffic Succeeded",
	}
	if diff := cmp.Diff(wantGreen, w.eventsOf(id, "i-3")); diff != "" {
		t.Errorf("events of a new instance: got (+) for wanted (-):\n%s", diff)
	}
	wantBlue := []string{"BeforeBlockTraffic Succeeded", "BlockTraffic Succeeded", "AfterBlockTraffic Succeeded"}
	if diff := cmp.Diff(wantBlue, w.eventsOf(id, "i-1")); diff != "" {
		t.Errorf("events of an original instance: got (+) for wanted (-):\n%s", diff)
	}
	home := "/opt/codedeploy-agent/deployment-root/" + *w.group().DeploymentGroupId + "/" + id
	var ran []string
	for _, e := range w.ran {
		if e.id == "i-3" {
			ran = append(ran, strings.TrimPrefix(e.script, home+"/deployment-archive/scripts/"))
		}
	}
	if want := []string{"configure.sh", "start.sh", "validate.sh"}; !slices.Equal(ran, want) {
		t.Errorf("scripts on a fresh instance: got %q, want %q: there is no revision before to stop", ran, want)
	}
	wantEnv := map[string]string{
		"APPLICATION_NAME": "hello", "DEPLOYMENT_ID": id, "DEPLOYMENT_GROUP_NAME": "web",
		"DEPLOYMENT_GROUP_ID": *w.group().DeploymentGroupId, "LIFECYCLE_EVENT": "AfterInstall",
	}
	if diff := cmp.Diff(wantEnv, w.ran[0].env); diff != "" {
		t.Errorf("environment of a script: got (+) for wanted (-):\n%s", diff)
	}
	if got := w.read("i-3", "srv/hello/VERSION"); got != "one" {
		t.Errorf("installed file: got %q, want one", got)
	}
	if log := w.read("i-3", home+"/logs/scripts.log"); !strings.Contains(log, "LifecycleEvent - ValidateService\nScript - scripts/validate.sh\n") {
		t.Errorf("scripts.log: got %q", log)
	}
}

func TestBlueGreen_DeploysAgainFromTheCopiedGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(0))
	first := w.deploy("one.zip", revisionFiles("one"))
	w.await(first, types.DeploymentStatusSucceeded)
	second := w.deploy("two.zip", revisionFiles("two"))
	w.await(second, types.DeploymentStatusSucceeded)
	if !slices.Equal(w.deletes, []string{"web", "CodeDeploy_web_" + first}) {
		t.Errorf("deleted groups: got %q", w.deletes)
	}
	drained := slices.ContainsFunc(w.ran, func(e execution) bool {
		return e.id == "i-3" && strings.Contains(e.script, first) && strings.HasSuffix(e.script, "drain.sh") && e.env["DEPLOYMENT_ID"] == second
	})
	if !drained {
		t.Errorf("scripts: got %v, want drain.sh of the first revision on the instances it ran on", w.ran)
	}
	group := w.group()
	if *group.TargetRevision.S3Location.Key != "two.zip" || *group.LastSuccessfulDeployment.DeploymentId != second {
		t.Errorf("deployment group: got revision %s of %s", *group.TargetRevision.S3Location.Key, *group.LastSuccessfulDeployment.DeploymentId)
	}
}

func TestBlueGreen_KeepsTheOriginalInstancesIfAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := blueGreen(0)
	in.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess.Action = types.InstanceActionKeepAlive
	w.setUp(in)
	id := w.deploy("one.zip", revisionFiles("one"))
	w.await(id, types.DeploymentStatusSucceeded)
	if len(w.deletes) > 0 || len(w.groups["web"].ids) != 2 || w.health["i-1"] != "" {
		t.Errorf("original group: got deletes %q, health %q, want it running out of traffic", w.deletes, w.health["i-1"])
	}
	if len(w.processes["web"]) > 0 || len(w.attached["web"]) > 0 {
		t.Errorf("original group: got %q suspended and %q attached, want nothing", w.processes["web"], w.attached["web"])
	}
	if got := *w.group().AutoScalingGroups[0].Name; got != "CodeDeploy_web_"+id {
		t.Errorf("Auto Scaling group: got %s, want the copied one", got)
	}
}

// What goes wrong is rolled back: the original instances serve, and the new ones
// are gone.
func TestBlueGreen_RollsBackWhatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		with    func(*world)
		code    types.ErrorCode
		message string
		traffic []string
	}{
		"a hook fails": {
			with: func(w *world) { w.scripts["validate.sh"] = outcome{exit: 3, stderr: "no answer\n"} },
			code: types.ErrorCodeHealthConstraints, message: "too many individual instances failed deployment",
		},
		"new instances never become healthy": {
			with: func(w *world) { w.sick = true },
			code: types.ErrorCodeHealthConstraints, message: "too many individual instances failed deployment", traffic: []string{"+i-3", "+i-4", "-i-3", "-i-4"},
		},
		"new instances have no agent": {
			with: func(w *world) { w.agents = func(id string) bool { return id == "i-1" || id == "i-2" } },
			code: types.ErrorCodeHealthConstraints, message: "too many individual instances failed deployment",
		},
		"an original instance cannot be taken out of traffic": {
			with: func(w *world) { w.agents = func(id string) bool { return id != "i-1" } },
			code: types.ErrorCodeHealthConstraints, message: "too many individual instances failed deployment",
			traffic: []string{"+i-3", "+i-4", "-i-2", "+i-2", "-i-3", "-i-4"},
		},
		"no instance is launched": {
			with: func(w *world) { w.launches = false },
			code: types.ErrorCodeAutoScalingConfiguration, message: "0 of 2 instances",
		},
		"the revision is gone": {
			with: func(w *world) { delete(w.objects, "artifacts/one.zip") },
			code: types.ErrorCodeHealthConstraints, message: "too many individual instances failed deployment",
		},
		"the service role may not attach target groups": {
			with: func(w *world) { w.denied = "autoscaling:AttachLoadBalancerTargetGroups" },
			code: types.ErrorCodeIamRolePermissions, message: serviceRole + " does not give you permission to perform operations in the following AWS service: AmazonAutoScaling",
			traffic: []string{"+i-3", "+i-4", "-i-3", "-i-4"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.setUp(blueGreen(0))
			id := w.deploy("one.zip", revisionFiles("one"))
			c.with(w)
			d := w.await(id, types.DeploymentStatusFailed)
			if d.ErrorInformation.Code != c.code || !strings.Contains(*d.ErrorInformation.Message, c.message) {
				t.Errorf("error: got %s: %s, want %s: %s", d.ErrorInformation.Code, *d.ErrorInformation.Message, c.code, c.message)
			}
			w.checkRolledBack(d, c.traffic)
		})
	}
}

func (w *world) checkRolledBack(d *types.DeploymentInfo, traffic []string) {
	t := w.t
	t.Helper()
	if d.RollbackInfo == nil || d.RollbackInfo.RollbackDeploymentId == nil {
		t.Fatalf("rollback info: got %+v, want a rollback deployment", d.RollbackInfo)
	}
	back := w.await(*d.RollbackInfo.RollbackDeploymentId, types.DeploymentStatusSucceeded)
	if back.Creator != types.DeploymentCreatorCodeDeployRollback || *back.RollbackInfo.RollbackTriggeringDeploymentId != *d.DeploymentId {
		t.Errorf("rollback deployment: got creator %s, info %+v", back.Creator, back.RollbackInfo)
	}
	if !slices.Equal(w.traffic, traffic) {
		t.Errorf("traffic: got %q, want %q", w.traffic, traffic)
	}
	green := "CodeDeploy_web_" + *d.DeploymentId
	if !slices.Equal(w.deletes, []string{green}) || w.groups[green] != nil || w.health["i-1"] != "healthy" || w.health["i-2"] != "healthy" {
		t.Errorf("fleets: got deletes %q, health %v, want only %s gone and the original instances healthy", w.deletes, w.health, green)
	}
	if got := *w.group().AutoScalingGroups[0].Name; got != "web" || len(w.processes["web"]) > 0 {
		t.Errorf("deployment group: got %s with %q suspended, want web as it was", got, w.processes["web"])
	}
}

func TestBlueGreen_ShowsTheLogOfAHookThatFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(0))
	w.scripts["validate.sh"] = outcome{exit: 3, stdout: strings.Repeat("trying\n", 500), stderr: "no answer\n", after: 5 * time.Second}
	id := w.deploy("one.zip", revisionFiles("one"))
	w.await(id, types.DeploymentStatusFailed)
	target := w.instance(id, "i-3")
	i := slices.IndexFunc(target.LifecycleEvents, func(e types.LifecycleEvent) bool { return *e.LifecycleEventName == "ValidateService" })
	d := target.LifecycleEvents[i].Diagnostics
	if d.ErrorCode != types.LifecycleErrorCodeScriptFailed || *d.ScriptName != "scripts/validate.sh" ||
		*d.Message != "Script at specified location: scripts/validate.sh run as user root failed with exit code 3" {
		t.Errorf("diagnostics: got %s of %s: %s", d.ErrorCode, *d.ScriptName, *d.Message)
	}
	if !strings.HasSuffix(*d.LogTail, "[stdout]trying\n[stderr]no answer\n") || len(*d.LogTail) != 2048 {
		t.Errorf("log tail: got %d bytes ending in %q", len(*d.LogTail), (*d.LogTail)[len(*d.LogTail)-40:])
	}
	want := []string{"ValidateService Failed", "BeforeAllowTraffic Skipped", "AllowTraffic Skipped", "AfterAllowTraffic Skipped"}
	if got := w.eventsOf(id, "i-3")[6:]; !slices.Equal(got, want) || target.Status != types.TargetStatusFailed {
		t.Errorf("events: got %q of an instance that is %s, want %q", got, target.Status, want)
	}
	if got := w.instance(id, "i-1").Status; got != types.TargetStatusSkipped {
		t.Errorf("status of an original instance: got %s, want Skipped", got)
	}
}

func TestBlueGreen_EndsAScriptAtItsTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(0))
	w.scripts["start.sh"] = outcome{after: time.Hour}
	id := w.deploy("one.zip", revisionFiles("one"))
	w.await(id, types.DeploymentStatusFailed)
	e := w.instance(id, "i-3").LifecycleEvents[5]
	if e.Diagnostics.ErrorCode != types.LifecycleErrorCodeScriptTimedOut || e.EndTime.Sub(*e.StartTime) != 5*time.Minute {
		t.Errorf("event: got %s after %v, want ScriptTimedOut after its 5 minutes", e.Diagnostics.ErrorCode, e.EndTime.Sub(*e.StartTime))
	}
}

func TestBlueGreen_LeavesTheNewInstancesWithoutAutomaticRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := blueGreen(0)
	in.AutoRollbackConfiguration = nil
	w.setUp(in)
	w.scripts["validate.sh"] = outcome{exit: 1}
	id := w.deploy("one.zip", revisionFiles("one"))
	d := w.await(id, types.DeploymentStatusFailed)
	w.clock.Advance(3 * time.Hour)
	if d.RollbackInfo != nil || len(w.deletes) > 0 || w.groups["CodeDeploy_web_"+id] == nil {
		t.Errorf("after a failure: got rollback %+v, deletes %q, want the new group to be looked at", d.RollbackInfo, w.deletes)
	}
}

func TestAlarm_StopsAndRollsBackDuringTheTerminationWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := blueGreen(60)
	in.AlarmConfiguration = &types.AlarmConfiguration{Enabled: true, Alarms: []types.Alarm{{Name: aws.String("errors")}}}
	w.setUp(in)
	id := w.deploy("one.zip", revisionFiles("one"))
	w.clock.AdvanceUntil(time.Hour, func() bool { return w.deployment(id).InstanceTerminationWaitTimeStarted })
	w.clock.Advance(30 * time.Minute)
	w.alarm = "errors"
	began := w.clock.Now()
	d := w.await(id, types.DeploymentStatusStopped)
	if took := w.clock.Now().Sub(began); took > 10*time.Second || d.ErrorInformation.Code != types.ErrorCodeAlarmActive || !strings.HasSuffix(*d.ErrorInformation.Message, "errors") {
		t.Errorf("stop: got %+v after %v, want ALARM_ACTIVE naming the alarm within 10 s", d.ErrorInformation, took)
	}
	w.checkRolledBack(d, []string{"+i-3", "+i-4", "-i-1", "-i-2", "+i-1", "+i-2", "-i-3", "-i-4"})
}

func TestStop_ComesTooLateOnceTheOriginalGroupIsBeingDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(0))
	id := w.deploy("one.zip", revisionFiles("one"))
	if !w.clock.AdvanceUntil(time.Hour, func() bool { return len(w.deletes) > 0 }) {
		t.Fatal("the original group was not deleted within an hour")
	}
	out, err := w.client.StopDeployment(t.Context(), &codedeploy.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: aws.Bool(true)})
	if err != nil || out.Status != types.StopStatusPending {
		t.Errorf("stop deployment: got %+v, %v, want Pending", out, err)
	}
	if d := w.await(id, types.DeploymentStatusSucceeded); d.RollbackInfo != nil {
		t.Errorf("deployment: got rollback %+v, want none", d.RollbackInfo)
	}
}

func TestBlueGreen_DoesNotGoBackOnceItDeletesTheOriginalGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(0))
	w.stuck = true
	id := w.deploy("one.zip", revisionFiles("one"))
	d := w.await(id, types.DeploymentStatusFailed)
	if d.RollbackInfo != nil || d.ErrorInformation.Code != types.ErrorCodeAutoScalingConfiguration || *w.group().AutoScalingGroups[0].Name != "CodeDeploy_web_"+id {
		t.Errorf("deployment: got %+v, rollback %+v, want it failed with the copied group live", d.ErrorInformation, d.RollbackInfo)
	}
}

func TestBlueGreen_RefusesARevisionThatHasChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(0))
	w.objects["artifacts/one.zip"] = zipped(t, revisionFiles("one"))
	revision := revisionAt("one.zip")
	revision.S3Location.ETag = aws.String("00000000000000000000000000000000")
	out, err := w.client.CreateDeployment(t.Context(), &codedeploy.CreateDeploymentInput{
		ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("web"), Revision: revision,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.await(*out.DeploymentId, types.DeploymentStatusFailed)
	e := w.instance(*out.DeploymentId, "i-3").LifecycleEvents[1]
	if e.Status != types.LifecycleEventStatusFailed || !strings.Contains(*e.Diagnostics.Message, "no longer has the ETag") {
		t.Errorf("%s: got %s, %s", *e.LifecycleEventName, e.Status, *e.Diagnostics.Message)
	}
}

func TestReadyWait_StopsUnlessContinued(t *testing.T) {
	t.Parallel()
	waiting := func(t *testing.T) (*world, string) {
		w := newWorld(t)
		in := blueGreen(0)
		in.BlueGreenDeploymentConfiguration.DeploymentReadyOption = &types.DeploymentReadyOption{
			ActionOnTimeout: types.DeploymentReadyActionStopDeployment, WaitTimeInMinutes: 30,
		}
		w.setUp(in)
		id := w.deploy("one.zip", revisionFiles("one"))
		w.await(id, types.DeploymentStatusReady)
		if got := w.instance(id, "i-3").Status; got != types.TargetStatusReady || len(w.traffic) > 0 {
			t.Errorf("while ready: got an instance %s and traffic %q, want Ready and none", got, w.traffic)
		}
		return w, id
	}
	t.Run("nobody continues it", func(t *testing.T) {
		t.Parallel()
		w, id := waiting(t)
		began := w.clock.Now()
		d := w.await(id, types.DeploymentStatusStopped)
		if took := w.clock.Now().Sub(began); took != 30*time.Minute || d.ErrorInformation.Code != types.ErrorCodeTimeout || len(w.traffic) > 0 {
			t.Errorf("stop: got %s after %v with traffic %q, want TIMEOUT after 30 minutes without any", d.ErrorInformation.Code, took, w.traffic)
		}
	})
	t.Run("somebody continues it", func(t *testing.T) {
		t.Parallel()
		w, id := waiting(t)
		if _, err := w.client.ContinueDeployment(t.Context(), &codedeploy.ContinueDeploymentInput{DeploymentId: &id, DeploymentWaitType: types.DeploymentWaitTypeReadyWait}); err != nil {
			t.Fatalf("continue deployment: %v", err)
		}
		began := w.clock.Now()
		w.await(id, types.DeploymentStatusSucceeded)
		if took := w.clock.Now().Sub(began); took > 3*time.Minute {
			t.Errorf("after ContinueDeployment: got %v, want no wait", took)
		}
	})
}

func TestTerminationWait_EndsWhenContinued(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(2880))
	id := w.deploy("one.zip", revisionFiles("one"))
	w.clock.AdvanceUntil(time.Hour, func() bool { return w.deployment(id).InstanceTerminationWaitTimeStarted })
	in := &codedeploy.ContinueDeploymentInput{DeploymentId: &id, DeploymentWaitType: types.DeploymentWaitTypeTerminationWait}
	if _, err := w.client.ContinueDeployment(t.Context(), in); err != nil {
		t.Fatalf("continue deployment: %v", err)
	}
	began := w.clock.Now()
	w.await(id, types.DeploymentStatusSucceeded)
	if took := w.clock.Now().Sub(began); took > time.Minute {
		t.Errorf("termination: got it %v after ContinueDeployment, want it at once", took)
	}
}

func TestStop_CancelsScriptsAndRollsBackOnlyIfAsked(t *testing.T) {
	t.Parallel()
	for _, rollback := range []bool{false, true} {
		t.Run(map[bool]string{false: "without rollback", true: "with rollback"}[rollback], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.setUp(blueGreen(0))
			w.scripts["start.sh"] = outcome{after: 4 * time.Minute}
			id := w.deploy("one.zip", revisionFiles("one"))
			w.clock.Advance(2 * time.Minute)
			out, err := w.client.StopDeployment(t.Context(), &codedeploy.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: aws.Bool(rollback)})
			if err != nil || out.Status != types.StopStatusSucceeded {
				t.Fatalf("stop deployment: got %+v, %v", out, err)
			}
			d := w.deployment(id)
			cancelled := slices.ContainsFunc(w.ran, func(e execution) bool { return e.cancelled && strings.HasSuffix(e.script, "start.sh") })
			if d.Status != types.DeploymentStatusStopped || d.ErrorInformation.Code != types.ErrorCodeManualStop || !cancelled {
				t.Errorf("after stop: got %s, %+v, script cancelled %t", d.Status, d.ErrorInformation, cancelled)
			}
			if rollback {
				w.checkRolledBack(d, nil)
				return
			}
			w.clock.Advance(time.Hour)
			if d.RollbackInfo != nil || len(w.deletes)+len(w.traffic) > 0 {
				t.Errorf("after stop: got rollback %+v, deletes %q, traffic %q, want nothing", d.RollbackInfo, w.deletes, w.traffic)
			}
		})
	}
}
