package autoscaling_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// refresh starts one to a version of the template.
func (w *world) refresh(t *testing.T, version string, preferences *types.RefreshPreferences) string {
	t.Helper()
	out, err := w.StartInstanceRefresh(t.Context(), &sdk.StartInstanceRefreshInput{
		AutoScalingGroupName: aws.String("fleet"), Preferences: preferences, DesiredConfiguration: &types.DesiredConfiguration{LaunchTemplate: template(version)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.InstanceRefreshId
}

func (w *world) latest(t *testing.T) types.InstanceRefresh {
	t.Helper()
	out, err := w.DescribeInstanceRefreshes(t.Context(), &sdk.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String("fleet")})
	if err != nil {
		t.Fatal(err)
	}
	return out.InstanceRefreshes[0]
}

func (w *world) reaches(t *testing.T, limit time.Duration, status types.InstanceRefreshStatus) types.InstanceRefresh {
	t.Helper()
	w.await(t, limit, string(status), func() bool { return w.latest(t).Status == status })
	return w.latest(t)
}

func TestRefresh_ReplacesInstancesAndKeepsEnoughInService(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		n           int
		preferences *types.RefreshPreferences
		least, most int // instances in service, and altogether
	}{
		"one of ten at a time by default":  {10, nil, 9, 10},
		"an outage of a group of one":      {1, nil, 0, 1},
		"half at once":                     {4, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(50)}, 2, 4},
		"launch before terminate":          {2, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(150)}, 2, 3},
		"all at once":                      {3, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(0)}, 0, 3},
		"a second fleet beside the first":  {3, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(200)}, 3, 6},
		"a long warm-up of each instance":  {2, &types.RefreshPreferences{InstanceWarmup: aws.Int32(600)}, 1, 2},
		"a single one with one in reserve": {1, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(110)}, 1, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fleet(t, c.n)
			w.refresh(t, w.ec2.version("ami-2"), c.preferences)
			least, most, percent := c.n, c.n, int32(0)
			w.await(t, 6*time.Hour, "Successful", func() bool {
				total := 0
				for _, i := range w.group(t).Instances {
					if !strings.HasPrefix(string(i.LifecycleState), "Terminating") {
						total++
					}
				}
				least, most = min(least, len(w.service.InService("fleet"))), max(most, total)
				r := w.latest(t)
				if *r.PercentageComplete < percent {
					t.Errorf("percentage: got %d after %d", *r.PercentageComplete, percent)
				}
				percent = *r.PercentageComplete
				return r.Status == types.InstanceRefreshStatusSuccessful
			})
			if least < c.least || most != c.most {
				t.Errorf("instances: got %d in service at least and %d at most, want %d and %d", least, most, c.least, c.most)
			}
			r := w.latest(t)
			if *r.PercentageComplete != 100 || *r.InstancesToUpdate != 0 || r.EndTime == nil {
				t.Errorf("refresh: got %d%%, %d to update, end %v", *r.PercentageComplete, *r.InstancesToUpdate, r.EndTime)
			}
			if v := *w.group(t).LaunchTemplate.Version; v != "2" {
				t.Errorf("template version of the group: got %s, want 2", v)
			}
			w.await(t, 5*time.Minute, "the new image alone", func() bool { return w.is(t, map[string]int{"ami-2": c.n}) })
		})
	}
}

func TestRefresh_LeavesTheGroupsTemplateUntilItSucceeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	version := w.ec2.version("ami-2")
	w.refresh(t, version, nil)
	w.await(t, 10*time.Minute, "a first new instance", func() bool { return w.images(t)["ami-2"] == 1 })
	if v := *w.group(t).LaunchTemplate.Version; v != "1" {
		t.Errorf("version during the refresh: got %s, want 1", v)
	}
	ctx := t.Context()
	_, err := w.UpdateAutoScalingGroup(ctx, &sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("fleet"), LaunchTemplate: template(version)})
	wantCode(t, "an update of the template during the refresh", err, "ValidationError")
	_, err = w.StartInstanceRefresh(ctx, &sdk.StartInstanceRefreshInput{AutoScalingGroupName: aws.String("fleet")})
	wantCode(t, "a second refresh", err, "InstanceRefreshInProgress")
	w.reaches(t, time.Hour, types.InstanceRefreshStatusSuccessful)
}

func TestRefresh_WaitsAtCheckpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 4)
	w.refresh(t, w.ec2.version("ami-2"), &types.RefreshPreferences{
		MinHealthyPercentage: aws.Int32(75), CheckpointPercentages: []int32{25, 75, 100}, CheckpointDelay: aws.Int32(1800),
	})
	w.await(t, 20*time.Minute, "the first checkpoint", func() bool { return *w.latest(t).PercentageComplete == 25 })
	reached := w.clock.Now()
	w.clock.Advance(25 * time.Minute)
	if images := w.images(t); images["ami-1"] != 3 || images["ami-2"] != 1 {
		t.Errorf("while it waits: got %v, want one of four replaced", images)
	}
	if why := *w.latest(t).StatusReason; !strings.Contains(why, "Checkpoint of 25% reached") {
		t.Errorf("reason: got %q", why)
	}
	w.await(t, time.Hour, "the second checkpoint", func() bool { return *w.latest(t).PercentageComplete == 75 })
	if passed := w.clock.Now().Sub(reached); passed < 30*time.Minute {
		t.Errorf("second checkpoint: got it after %v, want a wait of 30 minutes before", passed)
	}
	w.reaches(t, time.Hour, types.InstanceRefreshStatusSuccessful)
	if n := w.told.count("EC2 Auto Scaling Instance Refresh Checkpoint Reached"); n != 2 {
		t.Errorf("checkpoint events: got %d, want 2", n)
	}
}

func TestRefresh_EndsAtItsLastCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 4)
	w.refresh(t, w.ec2.version("ami-2"), &types.RefreshPreferences{CheckpointPercentages: []int32{50}})
	w.reaches(t, time.Hour, types.InstanceRefreshStatusSuccessful)
	w.await(t, 5*time.Minute, "half of the fleet on the new image", func() bool { return w.is(t, map[string]int{"ami-1": 2, "ami-2": 2}) })
}

func TestRefresh_SkipsWhatMatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	before := w.service.InService("fleet")
	w.refresh(t, "1", &types.RefreshPreferences{SkipMatching: aws.Bool(true)})
	r := w.reaches(t, time.Minute, types.InstanceRefreshStatusSuccessful)
	if after := w.service.InService("fleet"); *r.PercentageComplete != 100 || strings.Join(before, " ") != strings.Join(after, " ") {
		t.Errorf("instances: got %v at %d%%, want those before, %v", after, *r.PercentageComplete, before)
	}
	w.refresh(t, w.ec2.version("ami-2"), &types.RefreshPreferences{SkipMatching: aws.Bool(true), MinHealthyPercentage: aws.Int32(0)})
	w.reaches(t, time.Hour, types.InstanceRefreshStatusSuccessful)
	w.await(t, 5*time.Minute, "the new image alone", func() bool { return w.is(t, map[string]int{"ami-2": 2}) })
}

func TestRefresh_FailsAfterAnHourWithoutProgress(t *testing.T) {
	t.Parallel()
	for name, rollback := range map[string]bool{"without rollback it fails": false, "with auto rollback it goes back": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fleet(t, 3)
			start := w.clock.Now()
			w.refresh(t, w.ec2.version("ami-bad"), &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(66), AutoRollback: aws.Bool(rollback)})
			if !rollback {
				r := w.reaches(t, 2*time.Hour, types.InstanceRefreshStatusFailed)
				if passed := r.EndTime.Sub(start); passed < time.Hour || !strings.Contains(*r.StatusReason, "within an hour") {
					t.Errorf("failure: got %v, %q; want an hour without progress", passed, *r.StatusReason)
				}
			} else {
				r := w.reaches(t, 3*time.Hour, types.InstanceRefreshStatusRollbackSuccessful)
				if d := r.RollbackDetails; d == nil || !strings.Contains(*d.RollbackReason, "within an hour") || *r.PercentageComplete != 0 {
					t.Errorf("rollback: got %v at %d%%", d, *r.PercentageComplete)
				}
			}
			if v := *w.group(t).LaunchTemplate.Version; v != "1" {
				t.Errorf("version of the group: got %s, want 1 as before", v)
			}
			w.await(t, time.Hour, "the old image alone", func() bool { return w.is(t, map[string]int{"ami-1": 3}) })
		})
	}
}

func TestRefresh_FailsWhereNothingCanBeLaunched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	if _, err := w.PutNotificationConfiguration(t.Context(), &sdk.PutNotificationConfigurationInput{
		AutoScalingGroupName: aws.String("fleet"), TopicARN: aws.String(topic), NotificationTypes: []string{"autoscaling:EC2_INSTANCE_LAUNCH_ERROR"},
	}); err != nil {
		t.Fatal(err)
	}
	w.refresh(t, w.ec2.version("ami-2"), nil)
	w.ec2.mu.Lock()
	w.ec2.fail = errors.New("The image id '[ami-2]' does not exist")
	w.ec2.mu.Unlock()
	r := w.reaches(t, 2*time.Hour, types.InstanceRefreshStatusFailed)
	if !strings.Contains(*r.StatusReason, "'[ami-2]' does not exist") || *r.PercentageComplete != 0 {
		t.Errorf("refresh: got %d%%, %q", *r.PercentageComplete, *r.StatusReason)
	}
	if n := len(w.service.InService("fleet")); n != 1 {
		t.Errorf("in service: got %d, want the one that was not touched", n)
	}
	kinds := w.told.kinds()
	if last := kinds[len(kinds)-1]; last != "autoscaling:EC2_INSTANCE_LAUNCH_ERROR" {
		t.Errorf("last message: got %s", last)
	}
}

func TestRefresh_IsRolledBackByAnAlarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 4)
	w.refresh(t, w.ec2.version("ami-2"), &types.RefreshPreferences{
		MinHealthyPercentage: aws.Int32(75), AutoRollback: aws.Bool(true), BakeTime: aws.Int32(600), AlarmSpecification: &types.AlarmSpecification{Alarms: []string{"errors", "latency"}},
	})
	w.reaches(t, time.Hour, types.InstanceRefreshStatusBaking)
	w.told.raise("latency")
	r := w.reaches(t, time.Minute, types.InstanceRefreshStatusRollbackInProgress)
	if d := r.RollbackDetails; *d.PercentageCompleteOnRollback != 100 || !strings.Contains(*d.RollbackReason, "latency") {
		t.Errorf("rollback: got %d%%, %q", *d.PercentageCompleteOnRollback, *d.RollbackReason)
	}
	percent := int32(100)
	w.await(t, time.Hour, "the end of the rollback", func() bool {
		r := w.latest(t)
		if *r.PercentageComplete > percent {
			t.Errorf("percentage: got %d after %d, want it to count down", *r.PercentageComplete, percent)
		}
		percent = *r.PercentageComplete
		return r.Status == types.InstanceRefreshStatusRollbackSuccessful
	})
	w.await(t, 5*time.Minute, "the old image alone", func() bool { return w.is(t, map[string]int{"ami-1": 4}) })
	if v := *w.group(t).LaunchTemplate.Version; v != "1" || percent != 0 {
		t.Errorf("end: got version %s and %d%%, want 1 and 0%%", v, percent)
	}
	w.clock.Advance(time.Second)
	for _, event := range []string{"Started", "Started Baking", "Rollback Started", "Rollback Succeeded"} {
		if n := w.told.count("EC2 Auto Scaling Instance Refresh " + event); n != 1 {
			t.Errorf("events %q: got %d, want 1", event, n)
		}
	}
}

func TestRefresh_FailsByAnAlarmWithoutAutoRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	w.told.raise("errors")
	w.refresh(t, w.ec2.version("ami-2"), &types.RefreshPreferences{AlarmSpecification: &types.AlarmSpecification{Alarms: []string{"errors"}}})
	if r := w.reaches(t, time.Minute, types.InstanceRefreshStatusFailed); !strings.Contains(*r.StatusReason, "errors") {
		t.Errorf("reason: got %q, want the alarm's name", *r.StatusReason)
	}
	if images := w.images(t); images["ami-1"] != 2 {
		t.Errorf("instances: got %v, want both as before", images)
	}
}

func TestRefresh_Bakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 1)
	w.refresh(t, w.ec2.version("ami-2"), &types.RefreshPreferences{BakeTime: aws.Int32(900)})
	w.reaches(t, time.Hour, types.InstanceRefreshStatusBaking)
	baking := w.clock.Now()
	w.reaches(t, time.Hour, types.InstanceRefreshStatusSuccessful)
	if passed := w.clock.Now().Sub(baking); passed < 14*time.Minute || passed > 16*time.Minute {
		t.Errorf("bake: got %v, want 15 minutes", passed)
	}
}

func TestRefresh_IsCancelledByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 4)
	ctx := t.Context()
	_, err := w.CancelInstanceRefresh(ctx, &sdk.CancelInstanceRefreshInput{AutoScalingGroupName: aws.String("fleet")})
	wantCode(t, "cancel without a refresh", err, "ActiveInstanceRefreshNotFound")
	w.refresh(t, w.ec2.version("ami-2"), &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(75)})
	w.await(t, 20*time.Minute, "an instance on its way", func() bool { return w.ec2.live()["ami-2"] == 2 })
	if _, err := w.CancelInstanceRefresh(ctx, &sdk.CancelInstanceRefreshInput{AutoScalingGroupName: aws.String("fleet")}); err != nil {
		t.Fatal(err)
	}
	if s := w.latest(t).Status; s != types.InstanceRefreshStatusCancelling {
		t.Errorf("status: got %s, want Cancelling while an instance is on its way", s)
	}
	w.reaches(t, 10*time.Minute, types.InstanceRefreshStatusCancelled)
	w.clock.Advance(time.Hour)
	if images := w.images(t); images["ami-1"] != 2 || images["ami-2"] != 2 {
		t.Errorf("an hour later: got %v, want the mixture that was left", images)
	}
	if v := *w.group(t).LaunchTemplate.Version; v != "1" {
		t.Errorf("version of the group: got %s, want 1", v)
	}
}

func TestRefresh_IsRolledBackByHandUnlessIrreversible(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	ctx := t.Context()
	back := func() error {
		_, err := w.RollbackInstanceRefresh(ctx, &sdk.RollbackInstanceRefreshInput{AutoScalingGroupName: aws.String("fleet")})
		return err
	}
	wantCode(t, "rollback without a refresh", back(), "ActiveInstanceRefreshNotFound")
	if _, err := w.StartInstanceRefresh(ctx, &sdk.StartInstanceRefreshInput{AutoScalingGroupName: aws.String("fleet")}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "rollback without a desired configuration", back(), "IrreversibleInstanceRefresh")
	w.reaches(t, time.Hour, types.InstanceRefreshStatusSuccessful)

	w.refresh(t, w.ec2.version("ami-2"), nil)
	w.await(t, 20*time.Minute, "a first new instance", func() bool { return *w.latest(t).PercentageComplete == 50 })
	if err := back(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a second rollback", back(), "IrreversibleInstanceRefresh")
	w.reaches(t, time.Hour, types.InstanceRefreshStatusRollbackSuccessful)
	w.await(t, 5*time.Minute, "the old image alone", func() bool { return w.is(t, map[string]int{"ami-1": 2}) })

	w.refresh(t, w.ec2.version("resolve:ssm:/golden"), nil)
	wantCode(t, "rollback of an image from a parameter", back(), "IrreversibleInstanceRefresh")
	if _, err := w.CancelInstanceRefresh(ctx, &sdk.CancelInstanceRefreshInput{AutoScalingGroupName: aws.String("fleet"), WaitForTransitioningInstances: aws.Bool(false)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UpdateAutoScalingGroup(ctx, &sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("fleet"), LaunchTemplate: template("$Latest")}); err != nil {
		t.Fatal(err)
	}
	_, err := w.StartInstanceRefresh(ctx, &sdk.StartInstanceRefreshInput{AutoScalingGroupName: aws.String("fleet"),
		DesiredConfiguration: &types.DesiredConfiguration{LaunchTemplate: template("2")}, Preferences: &types.RefreshPreferences{AutoRollback: aws.Bool(true)}})
	wantCode(t, "auto rollback of a group on $Latest", err, "ValidationError")
}

func TestRefresh_TreatsProtectedInstancesAsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how  types.ScaleInProtectedInstances
		want map[string]int
	}{
		"Refresh replaces them": {types.ScaleInProtectedInstancesRefresh, map[string]int{"ami-2": 2}},
		"Ignore leaves them":    {types.ScaleInProtectedInstancesIgnore, map[string]int{"ami-1": 1, "ami-2": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fleet(t, 2)
			protect(t, w)
			w.refresh(t, w.ec2.version("ami-2"), &types.RefreshPreferences{ScaleInProtectedInstances: c.how})
			w.reaches(t, time.Hour, types.InstanceRefreshStatusSuccessful)
			w.await(t, 5*time.Minute, "the images", func() bool { return w.is(t, c.want) })
		})
	}
	t.Run("Wait waits an hour and fails", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.fleet(t, 2)
		protect(t, w)
		w.refresh(t, w.ec2.version("ami-2"), nil)
		if r := w.reaches(t, 3*time.Hour, types.InstanceRefreshStatusFailed); !strings.Contains(*r.StatusReason, "protected from scale in") {
			t.Errorf("reason: got %q", *r.StatusReason)
		}
	})
}

func protect(t *testing.T, w *world) {
	t.Helper()
	if _, err := w.SetInstanceProtection(t.Context(), &sdk.SetInstanceProtectionInput{
		AutoScalingGroupName: aws.String("fleet"), InstanceIds: w.service.InService("fleet")[:1], ProtectedFromScaleIn: aws.Bool(true),
	}); err != nil {
		t.Fatal(err)
	}
}

func TestRefresh_RefusesPreferencesThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 1)
	cases := map[string]types.RefreshPreferences{
		"less than nothing healthy":          {MinHealthyPercentage: aws.Int32(-1)},
		"a maximum without a minimum":        {MaxHealthyPercentage: aws.Int32(120)},
		"a spread above 100":                 {MinHealthyPercentage: aws.Int32(50), MaxHealthyPercentage: aws.Int32(160)},
		"checkpoints that do not ascend":     {CheckpointPercentages: []int32{50, 50}},
		"a delay without checkpoints":        {CheckpointDelay: aws.Int32(1)},
		"a bake of more than two days":       {BakeTime: aws.Int32(172801)},
		"an alarm specification of no alarm": {AlarmSpecification: &types.AlarmSpecification{Alarms: []string{}}},
		"an unknown word":                    {StandbyInstances: "Sometimes"},
	}
	for name, preferences := range cases {
		_, err := w.StartInstanceRefresh(t.Context(), &sdk.StartInstanceRefreshInput{AutoScalingGroupName: aws.String("fleet"), Preferences: &preferences})
		wantCode(t, name, err, "ValidationError")
	}
}
