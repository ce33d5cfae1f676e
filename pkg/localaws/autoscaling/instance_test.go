package autoscaling_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"cutover/pkg/localaws/autoscaling"
)

func TestInstances_AreAttachedAndDetached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 1, func(in *sdk.CreateAutoScalingGroupInput) { in.MaxSize = aws.Int32(2) })
	ctx := t.Context()
	w.ec2.instances["i-hand"] = &instance{Instance: autoscaling.Instance{State: "running", Zone: "us-east-1a", Subnet: "subnet-a", ImageID: "ami-hand", InstanceType: "t3.nano"}}
	w.ec2.instances["i-more"] = &instance{Instance: autoscaling.Instance{State: "running", ImageID: "ami-more"}}
	attach := func(id string) error {
		_, err := w.AttachInstances(ctx, &sdk.AttachInstancesInput{AutoScalingGroupName: aws.String("fleet"), InstanceIds: []string{id}})
		return err
	}
	wantCode(t, "an instance that is not there", attach("i-none"), "ValidationError")
	if err := attach("i-hand"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "an instance of the group", attach("i-hand"), "ValidationError")
	wantCode(t, "more than the maximum", attach("i-more"), "ValidationError")
	w.await(t, time.Minute, "both in service", func() bool { return len(w.service.InService("fleet")) == 2 && w.elb.count() == 2 })
	if n := *w.group(t).DesiredCapacity; n != 2 {
		t.Errorf("capacity: got %d, want 2", n)
	}
	out, err := w.DetachInstances(ctx, &sdk.DetachInstancesInput{AutoScalingGroupName: aws.String("fleet"), InstanceIds: []string{"i-hand"}, ShouldDecrementDesiredCapacity: aws.Bool(true)})
	if err != nil || len(out.Activities) != 1 || !strings.HasPrefix(*out.Activities[0].Description, "Detaching EC2 instance: i-hand") {
		t.Fatalf("detach: got %v (%v)", out, err)
	}
	w.await(t, 2*drain, "one in the group", func() bool { return len(w.group(t).Instances) == 1 })
	if i := w.ec2.instances["i-hand"]; i.State != "running" || w.elb.count() != 1 || w.told.count("EC2 Instance Detach Successful") != 1 {
		t.Errorf("detached: got %s and %d targets, want it running and no target", i.State, w.elb.count())
	}
}

func TestInstances_AreTerminatedAndReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2, func(in *sdk.CreateAutoScalingGroupInput) { in.MinSize = aws.Int32(2) })
	ctx := t.Context()
	id := w.service.InService("fleet")[0]
	end := func(shrink bool) error {
		_, err := w.TerminateInstanceInAutoScalingGroup(ctx, &sdk.TerminateInstanceInAutoScalingGroupInput{InstanceId: &id, ShouldDecrementDesiredCapacity: &shrink})
		return err
	}
	wantCode(t, "fewer than the minimum", end(true), "ValidationError")
	if err := end(false); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a second time", end(false), "ScalingActivityInProgress")
	w.await(t, 5*time.Minute, "a replacement", func() bool {
		return len(w.service.InService("fleet")) == 2 && w.service.InService("fleet")[0] != id && w.ec2.live()["ami-1"] == 2
	})
	id = "i-nobody"
	wantCode(t, "an instance of no group", end(false), "ValidationError")
}

func TestInstances_AreDescribedAcrossGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	ids := w.service.InService("fleet")
	out, err := w.DescribeAutoScalingInstances(t.Context(), &sdk.DescribeAutoScalingInstancesInput{InstanceIds: []string{ids[1], "i-nobody"}})
	if err != nil || len(out.AutoScalingInstances) != 1 {
		t.Fatalf("instances: got %v (%v), want one", out, err)
	}
	if i := out.AutoScalingInstances[0]; *i.InstanceId != ids[1] || *i.AutoScalingGroupName != "fleet" || *i.HealthStatus != "HEALTHY" || *i.LifecycleState != "InService" {
		t.Errorf("instance: got %s of %s, %s, %s", *i.InstanceId, *i.AutoScalingGroupName, *i.HealthStatus, *i.LifecycleState)
	}
}

func TestInstances_ThatAreProtectedAreNotScaledIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	protect(t, w)
	kept := w.service.InService("fleet")[0]
	if _, err := w.SetDesiredCapacity(t.Context(), &sdk.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("fleet"), DesiredCapacity: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Hour)
	if ids := w.service.InService("fleet"); len(ids) != 1 || ids[0] != kept {
		t.Errorf("after the scale-in: got %v, want %s alone", ids, kept)
	}
}

func TestTags_AreChangedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 0)
	ctx := t.Context()
	tag := func(key, value, kind string) types.Tag {
		return types.Tag{ResourceId: aws.String("fleet"), ResourceType: &kind, Key: &key, Value: &value, PropagateAtLaunch: aws.Bool(true)}
	}
	put := func(tags ...types.Tag) error {
		_, err := w.CreateOrUpdateTags(ctx, &sdk.CreateOrUpdateTagsInput{Tags: tags})
		return err
	}
	const kind = "auto-scaling-group"
	if err := put(tag("a", "1", kind), tag("b", "2", kind), tag("a", "3", kind)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a key of AWS's", put(tag("aws:x", "1", kind)), "ValidationError")
	wantCode(t, "a kind of resource that has no tags", put(tag("c", "1", "instance")), "ValidationError")
	if tags := w.group(t).Tags; len(tags) != 2 || *tags[0].Value != "3" {
		t.Errorf("tags: got %v, want a=3 and b=2", tags)
	}
	if _, err := w.DeleteTags(ctx, &sdk.DeleteTagsInput{Tags: []types.Tag{tag("a", "", kind), tag("b", "other", kind)}}); err != nil {
		t.Fatal(err)
	}
	if tags := w.group(t).Tags; len(tags) != 1 || *tags[0].Key != "b" {
		t.Errorf("tags after the delete: got %v, want b, whose value is another", tags)
	}
}
