package autoscaling_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"cutover/pkg/localaws/resource"
)

func TestTrouble_CallsThatAreRefusedAreMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.elb.refuses = 3
	w.fleet(t, 1)
	w.await(t, time.Minute, "a target", func() bool { return w.elb.count() == 1 })
	w.ec2.mu.Lock()
	w.ec2.refuses = 3
	w.ec2.mu.Unlock()
	if _, err := w.SetDesiredCapacity(t.Context(), &sdk.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("fleet"), DesiredCapacity: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	w.await(t, drain+time.Minute, "no instance", func() bool { return len(w.ec2.live()) == 0 && len(w.group(t).Instances) == 0 })
	if w.ec2.refuses != 0 || w.elb.refuses != 0 {
		t.Errorf("refusals left: got %d and %d, want none", w.ec2.refuses, w.elb.refuses)
	}
}

func TestTrouble_AnInstanceThatDiesWhileItBootsIsAFailedLaunch(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"stopped", "terminated"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if _, err := w.CreateAutoScalingGroup(t.Context(), &sdk.CreateAutoScalingGroupInput{
				AutoScalingGroupName: aws.String("fleet"), MinSize: aws.Int32(1), MaxSize: aws.Int32(1), LaunchTemplate: template("1"), VPCZoneIdentifier: aws.String("subnet-a"),
			}); err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(time.Second)
			id := *w.group(t).Instances[0].InstanceId
			w.ec2.set(id, state)
			w.await(t, 5*time.Minute, "another instance", func() bool { return w.is(t, map[string]int{"ami-1": 1}) })
			first := w.activities(t)[1]
			if first.StatusCode != types.ScalingActivityStatusCodeFailed || !strings.Contains(*first.StatusMessage, state) || *w.group(t).Instances[0].InstanceId == id {
				t.Errorf("first launch: got %s, %q", first.StatusCode, *first.StatusMessage)
			}
		})
	}
}

func TestHook_RefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 0)
	put := func(change func(*sdk.PutLifecycleHookInput)) error {
		in := &sdk.PutLifecycleHookInput{AutoScalingGroupName: aws.String("fleet"), LifecycleHookName: aws.String("x"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_LAUNCHING")}
		change(in)
		_, err := w.PutLifecycleHook(t.Context(), in)
		return err
	}
	cases := map[string]func(*sdk.PutLifecycleHookInput){
		"an unknown transition":   func(in *sdk.PutLifecycleHookInput) { in.LifecycleTransition = aws.String("autoscaling:SLEEP") },
		"an unknown result":       func(in *sdk.PutLifecycleHookInput) { in.DefaultResult = aws.String("PERHAPS") },
		"a heartbeat of a second": func(in *sdk.PutLifecycleHookInput) { in.HeartbeatTimeout = aws.Int32(1) },
		"a target that is not a topic": func(in *sdk.PutLifecycleHookInput) {
			in.NotificationTargetARN = aws.String("arn:aws:sqs:us-east-1:1:q")
		},
		"a group that is not there": func(in *sdk.PutLifecycleHookInput) { in.AutoScalingGroupName = aws.String("nobody") },
	}
	for name, change := range cases {
		wantCode(t, name, put(change), "ValidationError")
	}
	_, err := w.CompleteLifecycleAction(t.Context(), &sdk.CompleteLifecycleActionInput{
		AutoScalingGroupName: aws.String("fleet"), LifecycleHookName: aws.String("x"), InstanceId: aws.String("i-1"), LifecycleActionResult: aws.String("CONTINUE"),
	})
	wantCode(t, "completing a hook that is not there", err, "ValidationError")
}

func TestResources_HooksPoliciesAndNotificationsAreUpdatedInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	hook := func(name string, seconds int) map[string]any {
		return map[string]any{"LifecycleHookName": name, "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": seconds}
	}
	before := fleetProperties(map[string]any{"DesiredCapacity": "1", "LifecycleHookSpecificationList": []any{hook("a", 60), hook("b", 60)}})
	w.make(t, "AutoScalingGroup", before)
	own := map[string]any{"AutoScalingGroupName": "fleet", "LifecycleHookName": "own", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "HeartbeatTimeout": 60}
	w.make(t, "LifecycleHook", own)
	policyProperties := map[string]any{"AutoScalingGroupName": "fleet", "AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 1}
	policy := w.make(t, "ScalingPolicy", policyProperties)
	update := func(kind, id string, from, to map[string]any) resource.State {
		t.Helper()
		state, err := w.typeOf(t, kind).Update(ctx, resource.Request{StackName: "app", StackID: "id", LogicalID: kind, PhysicalID: id, Properties: to, Previous: from})
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	update("AutoScalingGroup", "fleet", before, fleetProperties(map[string]any{
		"DesiredCapacity": "1", "LifecycleHookSpecificationList": []any{hook("a", 90)},
		"NotificationConfigurations": []any{map[string]any{"TopicARN": topic, "NotificationTypes": []any{"autoscaling:EC2_INSTANCE_TERMINATE"}}},
	}))
	update("LifecycleHook", "own", own, map[string]any{"AutoScalingGroupName": "fleet", "LifecycleHookName": "own", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "HeartbeatTimeout": 120})
	changed := update("ScalingPolicy", policy.PhysicalID, policyProperties, map[string]any{"AutoScalingGroupName": "fleet", "AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 2})
	hooks, err := w.DescribeLifecycleHooks(ctx, &sdk.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String("fleet")})
	if err != nil || len(hooks.LifecycleHooks) != 2 || *hooks.LifecycleHooks[0].HeartbeatTimeout != 90 || *hooks.LifecycleHooks[1].HeartbeatTimeout != 120 {
		t.Errorf("hooks: got %v (%v), want a of 90 and own of 120 seconds", hooks, err)
	}
	policies, err := w.DescribePolicies(ctx, &sdk.DescribePoliciesInput{})
	if err != nil || len(policies.ScalingPolicies) != 1 || *policies.ScalingPolicies[0].ScalingAdjustment != 2 || changed.PhysicalID != policy.PhysicalID {
		t.Errorf("policies: got %v (%v), want the one with an adjustment of 2", policies, err)
	}
	notices, err := w.DescribeNotificationConfigurations(ctx, &sdk.DescribeNotificationConfigurationsInput{})
	if err != nil || len(notices.NotificationConfigurations) != 1 || *notices.NotificationConfigurations[0].NotificationType != "autoscaling:EC2_INSTANCE_TERMINATE" {
		t.Errorf("notifications: got %v (%v), want terminations alone", notices, err)
	}
}
