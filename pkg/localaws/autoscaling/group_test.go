package autoscaling_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestGroup_LaunchesSpreadOverSubnetsAndRegistered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 4, func(in *sdk.CreateAutoScalingGroupInput) {
		in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("blue"), PropagateAtLaunch: aws.Bool(true)}, {Key: aws.String("note"), Value: aws.String("x")}}
	})
	g := w.group(t)
	zones := map[string]int{}
	for _, i := range g.Instances {
		zones[*i.AvailabilityZone]++
		if *i.LaunchTemplate.LaunchTemplateName != "web" || *i.LaunchTemplate.Version != "1" {
			t.Errorf("instance %s: got template %v, want web in version 1", *i.InstanceId, i.LaunchTemplate)
		}
	}
	if zones["us-east-1a"] != 2 || zones["us-east-1b"] != 2 {
		t.Errorf("zones: got %v, want two instances in each", zones)
	}
	if !strings.HasPrefix(*g.AutoScalingGroupARN, "arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:") || !strings.HasSuffix(*g.AutoScalingGroupARN, ":autoScalingGroupName/fleet") {
		t.Errorf("ARN: got %s", *g.AutoScalingGroupARN)
	}
	if n := w.elb.count(); n != 4 {
		t.Errorf("targets: got %d, want 4", n)
	}
	want := map[string]string{"aws:autoscaling:groupName": "fleet", "team": "blue"}
	for id, i := range w.ec2.instances {
		if diff := cmp.Diff(want, i.launch.Tags); diff != "" {
			t.Errorf("tags of %s (-want +got):\n%s", id, diff)
		}
	}
	groups, err := w.DescribeLoadBalancerTargetGroups(t.Context(), &sdk.DescribeLoadBalancerTargetGroupsInput{AutoScalingGroupName: aws.String("fleet")})
	if err != nil || len(groups.LoadBalancerTargetGroups) != 1 || *groups.LoadBalancerTargetGroups[0].State != "InService" {
		t.Errorf("target groups: got %v (%v), want one InService", groups, err)
	}
	a := w.activities(t)[3]
	if a.StatusCode != types.ScalingActivityStatusCodeSuccessful || *a.Progress != 100 || !strings.Contains(*a.Cause, "changing the desired capacity from 0 to 4") ||
		!strings.Contains(*a.Cause, "increasing the capacity from 0 to 1") || *a.Details != `{"Availability Zone":"us-east-1a","Subnet ID":"subnet-a"}` {
		t.Errorf("first activity: got %s %d, cause %q, details %s", a.StatusCode, *a.Progress, *a.Cause, *a.Details)
	}
}

func TestGroup_DrainsBeforeItTerminates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	if _, err := w.SetDesiredCapacity(t.Context(), &sdk.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("fleet"), DesiredCapacity: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(drain / 2)
	if live := w.ec2.live()["ami-1"]; live != 2 {
		t.Errorf("while the target drains: got %d instances, want both", live)
	}
	if n := w.elb.count(); n != 1 {
		t.Errorf("targets while one drains: got %d, want 1", n)
	}
	if a := w.activities(t)[0]; a.StatusCode != types.ScalingActivityStatusCodeWaitingForELBConnectionDraining || !strings.Contains(*a.Cause, "shrinking the capacity from 2 to 1") {
		t.Errorf("activity: got %s, cause %q", a.StatusCode, *a.Cause)
	}
	w.await(t, drain, "one instance", func() bool { return w.is(t, map[string]int{"ami-1": 1}) && len(w.group(t).Instances) == 1 })
	if a := w.activities(t)[0]; a.StatusCode != types.ScalingActivityStatusCodeSuccessful {
		t.Errorf("activity: got %s, want Successful", a.StatusCode)
	}
}

func TestGroup_ReplacesWhatIsUnhealthy(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		harm  func(t *testing.T, w *world, id string)
		cause string
	}{
		"an instance that stopped":                {func(_ *testing.T, w *world, id string) { w.ec2.set(id, "stopped") }, "terminated or stopped"},
		"an instance that was terminated by hand": {func(_ *testing.T, w *world, id string) { w.ec2.set(id, "terminated") }, "terminated or stopped"},
		"a target that fails its health checks":   {func(_ *testing.T, w *world, id string) { w.elb.sicken(id) }, "ELB system health check failure"},
		"an instance that a user says is unhealthy": {func(t *testing.T, w *world, id string) {
			if _, err := w.SetInstanceHealth(t.Context(), &sdk.SetInstanceHealthInput{InstanceId: &id, HealthStatus: aws.String("Unhealthy")}); err != nil {
				t.Fatal(err)
			}
		}, "a user health-check"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fleet(t, 2)
			id := w.service.InService("fleet")[0]
			c.harm(t, w, id)
			w.await(t, 5*time.Minute, "a replacement", func() bool {
				ids := w.service.InService("fleet")
				return len(ids) == 2 && ids[0] != id && w.is(t, map[string]int{"ami-1": 2})
			})
			var causes []string
			for _, a := range w.activities(t) {
				causes = append(causes, *a.Cause)
			}
			all := strings.Join(causes, "\n")
			if !strings.Contains(all, c.cause) || !strings.Contains(all, "in response to an unhealthy instance needing to be replaced") {
				t.Errorf("causes: got\n%s\nwant %q and its replacement", all, c.cause)
			}
		})
	}
}

func TestGroup_LeavesUnhealthyTargetsAloneInTheGracePeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ec2.version("ami-bad")
	w.fleet(t, 1, func(in *sdk.CreateAutoScalingGroupInput) {
		in.LaunchTemplate, in.HealthCheckGracePeriod = template("2"), aws.Int32(600)
	})
	w.clock.Advance(8 * time.Minute)
	if n := len(w.activities(t)); n != 1 {
		t.Errorf("within the grace period: got %d activities, want the launch alone", n)
	}
	w.clock.Advance(3 * time.Minute)
	if n := len(w.activities(t)); n < 2 {
		t.Errorf("after the grace period: got %d activities, want a termination", n)
	}
}

func TestGroup_RetriesLaunchesThatFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ec2.fail = errors.New("We currently do not have sufficient t3.micro capacity.")
	if _, err := w.CreateAutoScalingGroup(t.Context(), &sdk.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("fleet"), MinSize: aws.Int32(1), MaxSize: aws.Int32(1), LaunchTemplate: template("$Latest"), VPCZoneIdentifier: aws.String("subnet-a"),
	}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(10 * time.Minute)
	failed := w.activities(t)
	if len(failed) < 3 || len(failed) > 10 {
		t.Errorf("failed launches in 10 minutes: got %d, want a few, ever more slowly", len(failed))
	}
	if a := failed[0]; a.StatusCode != types.ScalingActivityStatusCodeFailed || !strings.Contains(*a.StatusMessage, "sufficient t3.micro capacity") {
		t.Errorf("activity: got %s %q", a.StatusCode, *a.StatusMessage)
	}
	if n := w.told.count("EC2 Instance Launch Unsuccessful"); n != len(failed) {
		t.Errorf("events: got %d, want one a failure, %d", n, len(failed))
	}
	w.ec2.mu.Lock()
	w.ec2.fail = nil
	w.ec2.mu.Unlock()
	w.await(t, 20*time.Minute, "a launch that succeeds", func() bool { return w.is(t, map[string]int{"ami-1": 1}) })
}

func TestGroup_TakesOldVersionsOutFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	version := w.ec2.version("ami-2")
	if _, err := w.UpdateAutoScalingGroup(t.Context(), &sdk.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("fleet"), LaunchTemplate: template(version), DesiredCapacity: aws.Int32(4),
	}); err != nil {
		t.Fatal(err)
	}
	w.await(t, 5*time.Minute, "two more of the new image", func() bool { return w.is(t, map[string]int{"ami-1": 2, "ami-2": 2}) })
	if _, err := w.UpdateAutoScalingGroup(t.Context(), &sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("fleet"), MaxSize: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	w.await(t, 5*time.Minute, "the new image alone", func() bool { return w.is(t, map[string]int{"ami-2": 2}) })
}

func TestGroup_DescribesAPolicyOfMixedInstancesAsGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := w.ec2.version("ami-2")
	policy := &types.MixedInstancesPolicy{
		LaunchTemplate: &types.LaunchTemplate{LaunchTemplateSpecification: template("1"), Overrides: []types.LaunchTemplateOverrides{
			{InstanceType: aws.String("m5.large"), WeightedCapacity: aws.String("2"), ImageId: aws.String("ami-arm1")},
			{InstanceType: aws.String("m5.xlarge"), WeightedCapacity: aws.String("4"), LaunchTemplateSpecification: template(second)},
		}},
		InstancesDistribution: &types.InstancesDistribution{OnDemandBaseCapacity: aws.Int32(0), OnDemandPercentageAboveBaseCapacity: aws.Int32(50),
			OnDemandAllocationStrategy: aws.String("prioritized"), SpotAllocationStrategy: aws.String("price-capacity-optimized"), SpotMaxPrice: aws.String("0.05")},
	}
	ctx := t.Context()
	if _, err := w.CreateAutoScalingGroup(ctx, &sdk.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("fleet"), MinSize: aws.Int32(0), MaxSize: aws.Int32(8), DesiredCapacity: aws.Int32(4), MixedInstancesPolicy: policy, VPCZoneIdentifier: aws.String("subnet-a"),
	}); err != nil {
		t.Fatal(err)
	}
	got := w.group(t).MixedInstancesPolicy
	policy.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateName = aws.String("web")
	policy.LaunchTemplate.Overrides[1].LaunchTemplateSpecification.LaunchTemplateName = aws.String("web")
	ignore := cmpopts.IgnoreUnexported(types.MixedInstancesPolicy{}, types.LaunchTemplate{}, types.LaunchTemplateSpecification{}, types.LaunchTemplateOverrides{}, types.InstancesDistribution{})
	if diff := cmp.Diff(policy, got, ignore); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	w.await(t, 5*time.Minute, "two instances of weight 2", func() bool { return w.is(t, map[string]int{"ami-arm1": 2}) })
	for _, i := range w.group(t).Instances {
		if aws.ToString(i.WeightedCapacity) != "2" || *i.InstanceType != "m5.large" {
			t.Errorf("instance: got weight %s of %s, want 2 of m5.large", aws.ToString(i.WeightedCapacity), *i.InstanceType)
		}
	}
	_, err := w.UpdateAutoScalingGroup(ctx, &sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("fleet"), MixedInstancesPolicy: got})
	wantCode(t, "an update with both id and name of the template, as described", err, "ValidationError")
}

func TestGroup_ListsByNameTagAndPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	for _, name := range []string{"a", "b", "c"} {
		if _, err := w.CreateAutoScalingGroup(ctx, &sdk.CreateAutoScalingGroupInput{
			AutoScalingGroupName: &name, MinSize: aws.Int32(0), MaxSize: aws.Int32(1), LaunchTemplate: template("1"), AvailabilityZones: []string{"us-east-1a"},
			Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("of-" + name)}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		in   sdk.DescribeAutoScalingGroupsInput
		want []string
	}{
		"all":                         {sdk.DescribeAutoScalingGroupsInput{}, []string{"a", "b", "c"}},
		"a page at a time":            {sdk.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(2)}, []string{"a", "b", "c"}},
		"names, one of them unknown":  {sdk.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"c", "nobody"}}, []string{"c"}},
		"by the key of a tag":         {sdk.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("tag-key"), Values: []string{"env"}}}}, []string{"a", "b", "c"}},
		"by the value of any tag":     {sdk.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("tag-value"), Values: []string{"of-b", "x"}}}}, []string{"b"}},
		"by the value of a named tag": {sdk.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("tag:env"), Values: []string{"of-a"}}}}, []string{"a"}},
		"by a tag that none has":      {sdk.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("tag:other"), Values: []string{"of-a"}}}}, nil},
	}
	for name, c := range cases {
		var got []string
		pages := sdk.NewDescribeAutoScalingGroupsPaginator(w.Client, &c.in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, g := range page.AutoScalingGroups {
				got = append(got, *g.AutoScalingGroupName)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	tags, err := w.DescribeTags(ctx, &sdk.DescribeTagsInput{Filters: []types.Filter{{Name: aws.String("value"), Values: []string{"of-b"}}}})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].ResourceId != "b" || *tags.Tags[0].ResourceType != "auto-scaling-group" {
		t.Errorf("tags: got %v (%v), want env of b", tags, err)
	}
}

func TestGroup_RefusesAsAWSDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 1)
	ctx := t.Context()
	create := func(change func(*sdk.CreateAutoScalingGroupInput)) func() error {
		return func() error {
			in := &sdk.CreateAutoScalingGroupInput{AutoScalingGroupName: aws.String("other"), MinSize: aws.Int32(0), MaxSize: aws.Int32(1), LaunchTemplate: template("1"), VPCZoneIdentifier: aws.String("subnet-a")}
			change(in)
			_, err := w.CreateAutoScalingGroup(ctx, in)
			return err
		}
	}
	update := func(in sdk.UpdateAutoScalingGroupInput) func() error {
		return func() error { _, err := w.UpdateAutoScalingGroup(ctx, &in); return err }
	}
	fleet := aws.String("fleet")
	cases := map[string]struct {
		call func() error
		code string
	}{
		"a name that is taken":            {create(func(in *sdk.CreateAutoScalingGroupInput) { in.AutoScalingGroupName = fleet }), "AlreadyExists"},
		"nothing to launch":               {create(func(in *sdk.CreateAutoScalingGroupInput) { in.LaunchTemplate = nil }), "ValidationError"},
		"two things to launch":            {create(func(in *sdk.CreateAutoScalingGroupInput) { in.LaunchConfigurationName = aws.String("x") }), "ValidationError"},
		"a template that is not there":    {create(func(in *sdk.CreateAutoScalingGroupInput) { in.LaunchTemplate.LaunchTemplateId = aws.String("lt-9") }), "ValidationError"},
		"a subnet that is not there":      {create(func(in *sdk.CreateAutoScalingGroupInput) { in.VPCZoneIdentifier = aws.String("subnet-x") }), "ValidationError"},
		"a target group that isn't there": {create(func(in *sdk.CreateAutoScalingGroupInput) { in.TargetGroupARNs = []string{web + "x"} }), "ValidationError"},
		"a minimum above the maximum":     {create(func(in *sdk.CreateAutoScalingGroupInput) { in.MinSize = aws.Int32(2) }), "ValidationError"},
		"a member nobody honours":         {create(func(in *sdk.CreateAutoScalingGroupInput) { in.CapacityRebalance = aws.Bool(true) }), "ValidationError"},
		"a capacity above the maximum":    {update(sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: fleet, DesiredCapacity: aws.Int32(21)}), "ValidationError"},
		"an unknown group":                {update(sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("nobody")}), "ValidationError"},
		"an unknown launch configuration": {update(sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: fleet, LaunchConfigurationName: aws.String("x")}), "ValidationError"},
		"a delete of a group with instances": {func() error {
			_, err := w.DeleteAutoScalingGroup(ctx, &sdk.DeleteAutoScalingGroupInput{AutoScalingGroupName: fleet})
			return err
		}, "ResourceInUse"},
		"an operation nobody serves": {func() error {
			_, err := w.EnterStandby(ctx, &sdk.EnterStandbyInput{AutoScalingGroupName: fleet, ShouldDecrementDesiredCapacity: aws.Bool(true)})
			return err
		}, "InvalidAction"},
	}
	for name, c := range cases {
		wantCode(t, name, c.call(), c.code)
	}
	if n := len(w.group(t).Instances); n != 1 {
		t.Errorf("instances after refusals: got %d, want 1", n)
	}
}

func TestGroup_IsDeletedWithItsInstances(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	ctx := t.Context()
	if _, err := w.UpdateAutoScalingGroup(ctx, &sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("fleet"), DesiredCapacity: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Second)
	_, err := w.DeleteAutoScalingGroup(ctx, &sdk.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String("fleet")})
	wantCode(t, "a delete while instances are being terminated", err, "ScalingActivityInProgress")
	if _, err := w.DeleteAutoScalingGroup(ctx, &sdk.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String("fleet"), ForceDelete: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if status := aws.ToString(w.group(t).Status); status != "Delete in progress" {
		t.Errorf("status: got %q, want Delete in progress", status)
	}
	w.await(t, time.Minute, "no group", func() bool {
		out, err := w.DescribeAutoScalingGroups(ctx, &sdk.DescribeAutoScalingGroupsInput{})
		return err == nil && len(out.AutoScalingGroups) == 0
	})
	if live := w.ec2.live(); len(live) != 0 {
		t.Errorf("instances after the delete: got %v, want none", live)
	}
	if w.clock.Step(w.clock.Now().Add(time.Hour)) {
		t.Error("a timer is left after the group is gone")
	}
}

func TestGroup_HoldsStillWhereProcessesAreSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 1)
	ctx := t.Context()
	if _, err := w.SuspendProcesses(ctx, &sdk.SuspendProcessesInput{AutoScalingGroupName: aws.String("fleet"), ScalingProcesses: []string{"Launch", "ReplaceUnhealthy"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SetDesiredCapacity(ctx, &sdk.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("fleet"), DesiredCapacity: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	w.elb.sicken(w.service.InService("fleet")[0])
	w.clock.Advance(10 * time.Minute)
	g := w.group(t)
	if len(g.Instances) != 1 || *g.Instances[0].HealthStatus != "Unhealthy" || len(g.SuspendedProcesses) != 2 {
		t.Errorf("group: got %d instances, processes %v; want one unhealthy instance that stays", len(g.Instances), g.SuspendedProcesses)
	}
	if err := w.service.Resume("fleet"); err != nil {
		t.Fatal(err)
	}
	w.await(t, 5*time.Minute, "two healthy instances", func() bool { return len(w.service.InService("fleet")) == 2 && w.is(t, map[string]int{"ami-1": 2}) })
	_, err := w.SuspendProcesses(ctx, &sdk.SuspendProcessesInput{AutoScalingGroupName: aws.String("fleet"), ScalingProcesses: []string{"Sleep"}})
	wantCode(t, "an unknown process", err, "ValidationError")
}
