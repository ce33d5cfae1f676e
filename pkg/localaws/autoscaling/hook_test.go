package autoscaling_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/google/go-cmp/cmp"
)

// hooked makes a group of one whose launches wait for a hook.
func hooked(t *testing.T, w *world, result string) {
	t.Helper()
	if _, err := w.CreateAutoScalingGroup(t.Context(), &sdk.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("fleet"), MinSize: aws.Int32(0), MaxSize: aws.Int32(2), DesiredCapacity: aws.Int32(1), LaunchTemplate: template("1"),
		VPCZoneIdentifier: aws.String("subnet-a"), TargetGroupARNs: []string{web},
		LifecycleHookSpecificationList: []types.LifecycleHookSpecification{{LifecycleHookName: aws.String("setup"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_LAUNCHING"),
			HeartbeatTimeout: aws.Int32(120), DefaultResult: &result, NotificationTargetARN: aws.String(topic), NotificationMetadata: aws.String("more")}},
	}); err != nil {
		t.Fatal(err)
	}
	w.await(t, 5*time.Minute, "Pending:Wait", func() bool {
		g := w.group(t)
		return len(g.Instances) == 1 && g.Instances[0].LifecycleState == types.LifecycleStatePendingWait
	})
}

func TestHook_HoldsALaunchUntilItIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hooked(t, w, "ABANDON")
	ctx := t.Context()
	id := *w.group(t).Instances[0].InstanceId
	beat := func() {
		t.Helper()
		if _, err := w.RecordLifecycleActionHeartbeat(ctx, &sdk.RecordLifecycleActionHeartbeatInput{
			AutoScalingGroupName: aws.String("fleet"), LifecycleHookName: aws.String("setup"), InstanceId: &id,
		}); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.Advance(100 * time.Second)
	beat()
	w.clock.Advance(100 * time.Second)
	if n := w.elb.count(); n != 0 || len(w.service.InService("fleet")) != 0 {
		t.Errorf("while the hook holds: got %d targets, want none", n)
	}
	token := w.told.messages[0]["LifecycleActionToken"].(string)
	complete := func(token string) error {
		_, err := w.CompleteLifecycleAction(ctx, &sdk.CompleteLifecycleActionInput{
			AutoScalingGroupName: aws.String("fleet"), LifecycleHookName: aws.String("setup"), LifecycleActionToken: &token, LifecycleActionResult: aws.String("CONTINUE"),
		})
		return err
	}
	if err := complete(token); err != nil {
		t.Fatal(err)
	}
	w.await(t, time.Minute, "the instance in service", func() bool { return len(w.service.InService("fleet")) == 1 && w.elb.count() == 1 })
	wantCode(t, "a second completion", complete(token), "ValidationError")
	if n := w.told.count("EC2 Instance-launch Lifecycle Action"); n != 1 {
		t.Errorf("events: got %d, want 1", n)
	}
	m := w.told.messages[0]
	if m["EC2InstanceId"] != id || m["NotificationMetadata"] != "more" || m["LifecycleTransition"] != "autoscaling:EC2_INSTANCE_LAUNCHING" {
		t.Errorf("message: got %v", m)
	}
}

func TestHook_EndsByItsDefaultResult(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result string
		stays  bool
	}{
		"CONTINUE puts the instance in service": {"CONTINUE", true},
		"ABANDON replaces the instance":         {"ABANDON", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			hooked(t, w, c.result)
			id := *w.group(t).Instances[0].InstanceId
			w.clock.Advance(5 * time.Minute)
			if i := w.ec2.instances[id]; (i.State == "running") != c.stays {
				t.Errorf("instance: got %s", i.State)
			}
			if !c.stays && !strings.Contains(*w.activities(t)[len(w.activities(t))-1].StatusMessage, "ABANDON") {
				t.Errorf("first launch: got %q, want its ABANDON", *w.activities(t)[len(w.activities(t))-1].StatusMessage)
			}
		})
	}
}

func TestHook_HoldsATerminationAfterItsTargetsDrained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 1)
	ctx := t.Context()
	if _, err := w.PutLifecycleHook(ctx, &sdk.PutLifecycleHookInput{AutoScalingGroupName: aws.String("fleet"), LifecycleHookName: aws.String("logs"),
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), HeartbeatTimeout: aws.Int32(600), DefaultResult: aws.String("CONTINUE")}); err != nil {
		t.Fatal(err)
	}
	hooks, err := w.DescribeLifecycleHooks(ctx, &sdk.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String("fleet")})
	if err != nil || len(hooks.LifecycleHooks) != 1 || *hooks.LifecycleHooks[0].GlobalTimeout != 60000 {
		t.Fatalf("hooks: got %v (%v), want logs with 100 heartbeats", hooks, err)
	}
	id := w.service.InService("fleet")[0]
	out, err := w.TerminateInstanceInAutoScalingGroup(ctx, &sdk.TerminateInstanceInAutoScalingGroupInput{InstanceId: &id, ShouldDecrementDesiredCapacity: aws.Bool(true)})
	if err != nil || !strings.Contains(*out.Activity.Cause, "in response to a user request, shrinking the capacity from 1 to 0") {
		t.Fatalf("terminate: got %v (%v)", out, err)
	}
	w.clock.Advance(drain / 2)
	if s := w.group(t).Instances[0].LifecycleState; s != types.LifecycleStateTerminating {
		t.Errorf("while the target drains: got %s, want Terminating", s)
	}
	w.clock.Advance(drain)
	if s := w.group(t).Instances[0].LifecycleState; s != types.LifecycleStateTerminatingWait || w.ec2.live()["ami-1"] != 1 {
		t.Errorf("after draining: got %s, want Terminating:Wait and a running instance", s)
	}
	if _, err := w.DeleteLifecycleHook(ctx, &sdk.DeleteLifecycleHookInput{AutoScalingGroupName: aws.String("fleet"), LifecycleHookName: aws.String("logs")}); err != nil {
		t.Fatal(err)
	}
	w.await(t, time.Minute, "an empty group", func() bool { return len(w.group(t).Instances) == 0 && len(w.ec2.live()) == 0 })
}

func TestNotification_TellsOfLaunchesAndTerminations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 1)
	ctx := t.Context()
	kinds := []string{"autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE", "autoscaling:EC2_INSTANCE_LAUNCH_ERROR"}
	put := func(arn string) error {
		_, err := w.PutNotificationConfiguration(ctx, &sdk.PutNotificationConfigurationInput{AutoScalingGroupName: aws.String("fleet"), TopicARN: &arn, NotificationTypes: kinds})
		return err
	}
	wantCode(t, "a topic that is not there", put(topic+"x"), "ValidationError")
	if err := put(topic); err != nil {
		t.Fatal(err)
	}
	w.ec2.set(w.service.InService("fleet")[0], "stopped")
	w.await(t, 5*time.Minute, "three messages", func() bool { return len(w.told.kinds()) >= 3 })
	want := []string{"autoscaling:TEST_NOTIFICATION", "autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"}
	if diff := cmp.Diff(want, w.told.kinds()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	m := w.told.messages[1]
	if m["EC2InstanceId"] != w.service.InService("fleet")[0] || m["Subject"] != `Auto Scaling: launch for group "fleet"` || m["Service"] != "AWS Auto Scaling" ||
		m["AutoScalingGroupARN"] != *w.group(t).AutoScalingGroupARN || m["AccountId"] != "111122223333" || m["Details"].(map[string]any)["Subnet ID"] == "" {
		t.Errorf("message of the launch: got %v", m)
	}
	listed, err := w.DescribeNotificationConfigurations(ctx, &sdk.DescribeNotificationConfigurationsInput{AutoScalingGroupNames: []string{"fleet"}})
	if err != nil || len(listed.NotificationConfigurations) != 3 {
		t.Errorf("configurations: got %v (%v), want 3", listed, err)
	}
	if _, err := w.DeleteNotificationConfiguration(ctx, &sdk.DeleteNotificationConfigurationInput{AutoScalingGroupName: aws.String("fleet"), TopicARN: aws.String(topic)}); err != nil {
		t.Fatal(err)
	}
	if listed, err = w.DescribeNotificationConfigurations(ctx, &sdk.DescribeNotificationConfigurationsInput{}); err != nil || len(listed.NotificationConfigurations) != 0 {
		t.Errorf("configurations after the delete: got %v (%v), want none", listed, err)
	}
}
