package autoscaling_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/autoscaling"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

func (w *world) typeOf(t *testing.T, name string) resource.Type {
	t.Helper()
	for _, r := range w.service.Resources() {
		if r.Name == "AWS::AutoScaling::"+name {
			return r
		}
	}
	t.Fatalf("there is no resource type %s", name)
	return resource.Type{}
}

func (w *world) make(t *testing.T, kind string, properties map[string]any) resource.State {
	t.Helper()
	state, err := w.typeOf(t, kind).Create(t.Context(), resource.Request{StackName: "app", StackID: "id", LogicalID: kind, Properties: properties})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// fleetProperties are a group as templates write it.
func fleetProperties(change map[string]any) map[string]any {
	p := map[string]any{
		"AutoScalingGroupName": "fleet", "MinSize": "1", "MaxSize": "4", "DesiredCapacity": "2", "Cooldown": "60", "VPCZoneIdentifier": []any{"subnet-a", "subnet-b"},
		"LaunchTemplate": map[string]any{"LaunchTemplateId": "lt-1", "Version": "1"}, "TargetGroupARNs": []any{web}, "HealthCheckType": "ELB", "HealthCheckGracePeriod": 60,
		"NotificationConfigurations": []any{map[string]any{"TopicARN": topic, "NotificationTypes": []any{"autoscaling:EC2_INSTANCE_LAUNCH"}}},
		"Tags":                       []any{map[string]any{"Key": "team", "Value": "blue", "PropagateAtLaunch": true}},
	}
	maps.Copy(p, change)
	return p
}

func deletion(group string) resource.Request {
	return resource.Request{LogicalID: "AutoScalingGroup", PhysicalID: group}
}

func TestResources_AnUpdateChangesOnlyWhatChangedInTheTemplate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	before := fleetProperties(nil)
	state := w.make(t, "AutoScalingGroup", before)
	w.await(t, 5*time.Minute, "the fleet", func() bool { return len(w.service.InService("fleet")) == 2 })
	// Someone else moves the group to another version, and scales it out.
	if _, err := w.UpdateAutoScalingGroup(ctx, &sdk.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("fleet"), LaunchTemplate: template(w.ec2.version("ami-2")), DesiredCapacity: aws.Int32(3),
	}); err != nil {
		t.Fatal(err)
	}
	update := func(from, to map[string]any) {
		t.Helper()
		r := resource.Request{StackName: "app", StackID: "id", LogicalID: "AutoScalingGroup", PhysicalID: state.PhysicalID, Properties: to, Previous: from}
		if _, err := w.typeOf(t, "AutoScalingGroup").Update(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	after := fleetProperties(map[string]any{"MaxSize": "6", "TargetGroupARNs": []any{}, "NotificationConfigurations": []any{},
		"Tags": []any{map[string]any{"Key": "owner", "Value": "me", "PropagateAtLaunch": false}}})
	update(before, after)
	g := w.group(t)
	if *g.LaunchTemplate.Version != "2" || *g.DesiredCapacity != 3 || *g.MaxSize != 6 || len(g.TargetGroupARNs) != 0 || len(g.Tags) != 1 || *g.Tags[0].Key != "owner" {
		t.Errorf("after an update of other properties: got version %s, capacity %d of %d, target groups %v, tags %v",
			*g.LaunchTemplate.Version, *g.DesiredCapacity, *g.MaxSize, g.TargetGroupARNs, g.Tags)
	}
	w.clock.Advance(5 * time.Second)
	if n := w.elb.count(); n != 0 {
		t.Errorf("targets after the detachment: got %d, want none", n)
	}
	update(after, fleetProperties(map[string]any{"LaunchTemplate": map[string]any{"LaunchTemplateName": "web", "Version": "1"}}))
	if v := *w.group(t).LaunchTemplate.Version; v != "1" {
		t.Errorf("after an update of the template property: got version %s, want 1", v)
	}
	for range 2 {
		if err := w.typeOf(t, "AutoScalingGroup").Delete(ctx, deletion("fleet")); err != nil {
			t.Fatal(err)
		}
	}
	if live := w.ec2.live(); len(live) != 0 || w.service.Exists("fleet") {
		t.Errorf("after the delete: got %v, want no instance and no group", live)
	}
}

func TestResources_HaveAWSsReferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	configuration := w.make(t, "LaunchConfiguration", map[string]any{"ImageId": "ami-9", "InstanceType": "t3.micro", "InstanceMonitoring": false, "UserData": "IyEvYmluL3No",
		"BlockDeviceMappings": []any{map[string]any{"DeviceName": "/dev/xvda", "Ebs": map[string]any{"VolumeSize": "20"}}}})
	if !strings.HasPrefix(configuration.PhysicalID, "app-LaunchConfiguration-") {
		t.Errorf("launch configuration: got %s", configuration.PhysicalID)
	}
	properties := fleetProperties(map[string]any{"LaunchConfigurationName": configuration.PhysicalID})
	delete(properties, "LaunchTemplate")
	delete(properties, "AutoScalingGroupName")
	group := w.make(t, "AutoScalingGroup", properties)
	if !strings.HasPrefix(group.PhysicalID, "app-AutoScalingGroup-") || !strings.HasSuffix(group.Attributes["AutoScalingGroupARN"].(string), "/"+group.PhysicalID) {
		t.Errorf("group: got %v", group)
	}
	policy := w.make(t, "ScalingPolicy", map[string]any{"AutoScalingGroupName": group.PhysicalID, "AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": "1", "Cooldown": "60"})
	if diff := cmp.Diff(policy.PhysicalID, policy.Attributes["Arn"]); diff != "" || !strings.HasPrefix(policy.PhysicalID, "arn:aws:autoscaling:") {
		t.Errorf("policy: got %v", policy)
	}
	hookProperties := map[string]any{"AutoScalingGroupName": group.PhysicalID, "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 60}
	hook := w.make(t, "LifecycleHook", hookProperties)
	deletes := []struct {
		kind, id   string
		properties map[string]any
	}{{"LifecycleHook", hook.PhysicalID, hookProperties}, {"ScalingPolicy", policy.PhysicalID, nil}, {"AutoScalingGroup", group.PhysicalID, nil}, {"LaunchConfiguration", configuration.PhysicalID, nil}}
	for _, d := range deletes {
		if err := w.typeOf(t, d.kind).Delete(ctx, resource.Request{LogicalID: d.kind, PhysicalID: d.id, Properties: d.properties}); err != nil {
			t.Errorf("delete %s: %v", d.kind, err)
		}
	}
	out, err := w.DescribeLaunchConfigurations(ctx, &sdk.DescribeLaunchConfigurationsInput{})
	if err != nil || len(out.LaunchConfigurations) != 0 {
		t.Errorf("launch configurations: got %v (%v), want none", out, err)
	}
}

func TestAccess_NamesTheGroupAndWhatItsTemplateNeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 0)
	op, _ := w.service.Wire().Operation("UpdateAutoScalingGroup")
	arn := *w.group(t).AutoScalingGroupARN
	want := []wire.Access{
		{Action: "autoscaling:UpdateAutoScalingGroup", Resource: arn, Context: map[string]string{}},
		{Action: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1:111122223333:launch-template/lt-1"},
		{Action: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1:111122223333:instance/*"},
		{Action: "ec2:RunInstances", Resource: "arn:aws:ec2:us-east-1::image/ami-1"},
		{Action: "iam:PassRole", Resource: role, Context: map[string]string{"iam:PassedToService": "ec2.amazonaws.com"}},
	}
	in := &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: "fleet"}
	in.LaunchTemplate = &autoscaling.LaunchTemplateSpecification{LaunchTemplateId: "lt-1", Version: "1"}
	if diff := cmp.Diff(want, op.Access(in, "autoscaling:UpdateAutoScalingGroup")); diff != "" {
		t.Errorf("access (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:1], op.Access(&autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: "fleet"}, "autoscaling:UpdateAutoScalingGroup")); diff != "" {
		t.Errorf("access without a template (-want +got):\n%s", diff)
	}
}
