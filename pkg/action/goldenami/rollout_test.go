package goldenami

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	fake "cutover/pkg/fleet/fleettest"
)

func refreshed() Params {
	p := params()
	p.Rollout = rolloutRefresh
	p.Refresh = &Refresh{
		MinHealthyPercent: ptr(int32(50)), MaxHealthyPercent: ptr(int32(150)), WarmupSeconds: ptr(int32(60)), Checkpoints: []int32{50, 100},
		CheckpointSeconds: ptr(int32(600)), BakeSeconds: ptr(int32(300)), Alarms: []string{"errors"}, AutoRollback: true,
	}
	return p
}

func TestRefresh_ReplacesTheInstancesAndSetsTheGroup(t *testing.T) {
	t.Parallel()
	w := fake.New()
	out, _ := run(t, w, refreshed(), "attempt-1")
	equal(t, "launched", w.Launched(fake.Group), out["ImageId"])
	for _, i := range w.Groups[fake.Group].Instances {
		equal(t, "image of an instance", *w.Instances[*i.InstanceId].ImageId, out["ImageId"])
	}
	equal(t, "refreshes", len(w.Refreshes), 1)
	equal(t, "refresh", out["InstanceRefreshId"], *w.Refreshes[0].InstanceRefreshId)
	equal(t, "preferences", w.Refreshes[0].Preferences, &types.RefreshPreferences{
		MinHealthyPercentage: ptr(int32(50)), MaxHealthyPercentage: ptr(int32(150)), InstanceWarmup: ptr(int32(60)), CheckpointPercentages: []int32{50, 100},
		CheckpointDelay: ptr(int32(600)), BakeTime: ptr(int32(300)), AlarmSpecification: &types.AlarmSpecification{Alarms: []string{"errors"}}, AutoRollback: ptr(true),
	}, ignoreUnexported)
	equal(t, "mark", w.Tag(out["ImageId"], TagReleased), refreshed().Execution)
	for _, call := range w.Writes() {
		if call == "UpdateAutoScalingGroup" {
			t.Error("the group was updated before its refresh, which has nothing to go back to then")
		}
	}

	again, _ := run(t, w, next(refreshed(), 2), "attempt-2")
	equal(t, "how", again["Image"], "reused")
	equal(t, "refreshes of an unchanged rerun", len(w.Refreshes), 1)
}

func TestRefresh_FailureSaysHowTheFleetStands(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.BreakRefresh = true
	fails(t, w, refreshed(), "attempt-1", "of group web is RollbackSuccessful: instances did not become healthy", "group web launches ami-0old and has 2 instances in service", "retry the stage to refresh")
	equal(t, "launched", w.Launched(fake.Group), fake.OldImage)

	w.BreakRefresh = false
	w.Now = w.Now.Add(time.Minute)
	out, _ := run(t, w, refreshed(), "attempt-2")
	equal(t, "bakes", len(w.Bakes), 1)
	equal(t, "launched after a retry", w.Launched(fake.Group), out["ImageId"])
}

func TestRefresh_OfOthersIsRefused(t *testing.T) {
	t.Parallel()
	for name, theirs := range map[string]*types.DesiredConfiguration{
		"without a configuration": nil,
		"to another version":      {LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: ptr(fake.Template), Version: ptr("1")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			p := refreshed()
			p.PublishTo = ""
			a := begin(t, w, p, "attempt-1")
			for a.state.Image == "" {
				r, err := a.tick()
				if err != nil {
					t.Fatal(err)
				}
				a.state = r.State()
				w.Advance()
			}
			w.Refreshes = []*types.InstanceRefresh{{
				InstanceRefreshId: ptr("theirs"), AutoScalingGroupName: ptr("web"), Status: types.InstanceRefreshStatusPending, StartTime: ptr(w.Now.Add(-time.Hour)),
				PercentageComplete: ptr(int32(0)), DesiredConfiguration: theirs,
			}}
			_, err := a.tick()
			if err == nil {
				t.Fatal("got no error, want a refusal")
			}
			contains(t, err.Error(), "instance refresh theirs of group web is Pending and was not started for image ami-0")
		})
	}
}

func TestRefresh_WithALaunchConfigurationComesAfterTheUpdate(t *testing.T) {
	t.Parallel()
	w := configured()
	p := refreshed()
	p.Refresh = nil
	out, _ := run(t, w, p, "attempt-1")
	equal(t, "configuration", out["LaunchConfigurationName"], "web-lc-"+out["ImageId"])
	equal(t, "desired configuration", w.Refreshes[0].DesiredConfiguration, nil)
	for _, i := range w.Groups[fake.Group].Instances {
		equal(t, "image of an instance", *w.Instances[*i.InstanceId].ImageId, out["ImageId"])
	}
}

func TestLaunchConfiguration_AccountsWithoutAreToldWhatToDo(t *testing.T) {
	t.Parallel()
	w := configured()
	w.NoConfigurations = true
	fails(t, w, params(), "attempt-1", "create launch configuration web-lc-ami-0", "this account cannot make launch configurations any more: move the group to a launch template, then retry the stage, which uses the image that was baked")
}
