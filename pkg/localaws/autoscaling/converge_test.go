package autoscaling_test

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cutover/pkg/localaws/autoscaling"
	"cutover/pkg/localaws/clock"
)

// TestGroup_ConvergesWhateverHappens holds that after any calls and accidents a
// group that is left alone has its capacity, in healthy instances of one version
// each of which is a target, and nothing else runs.
func TestGroup_ConvergesWhateverHappens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		c := clock.NewManual(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
		e := &ec2{clock: c, instances: map[string]*instance{}}
		b := &elb{clock: c, ec2: e, targets: map[string]time.Time{}, sick: map[string]bool{}}
		e.version("ami-1")
		s := autoscaling.New(autoscaling.Config{Clock: c, Region: "us-east-1", Account: "111122223333", Instances: e, TargetGroups: b})
		defer s.Close()
		ctx := t.Context()
		must := func(_ any, err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		may := func(any, error) {} // AWS may refuse it at this moment
		in := &autoscaling.CreateAutoScalingGroupInput{AutoScalingGroupName: "fleet", TargetGroupARNs: []string{web}}
		in.MinSize, in.MaxSize, in.DesiredCapacity, in.VPCZoneIdentifier, in.HealthCheckType = new(0), new(5), new(2), "subnet-a,subnet-b", "ELB"
		in.LaunchTemplate = &autoscaling.LaunchTemplateSpecification{LaunchTemplateId: "lt-1", Version: "1"}
		must(s.CreateAutoScalingGroup(ctx, in))
		pick := func() string {
			ids := s.InService("fleet")
			if len(ids) == 0 {
				return ""
			}
			return rapid.SampledFrom(ids).Draw(r, "instance")
		}
		refresh := func(version string, least, most int) (any, error) {
			return s.StartInstanceRefresh(ctx, &autoscaling.StartInstanceRefreshInput{
				AutoScalingGroupName: "fleet",
				DesiredConfiguration: &autoscaling.DesiredConfiguration{LaunchTemplate: &autoscaling.LaunchTemplateSpecification{LaunchTemplateId: "lt-1", Version: version}},
				Preferences: &autoscaling.RefreshPreferences{
					MinHealthyPercentage: &least, MaxHealthyPercentage: &most, InstanceWarmup: new(30), CheckpointPercentages: []int{50, 100}, CheckpointDelay: new(60),
				},
			})
		}
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			switch rapid.IntRange(0, 6).Draw(r, "what") {
			case 0:
				must(s.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: "fleet", DesiredCapacity: new(rapid.IntRange(0, 5).Draw(r, "capacity"))}))
			case 1:
				if id := pick(); id != "" {
					e.set(id, rapid.SampledFrom([]string{"stopped", "terminated"}).Draw(r, "state"))
				}
			case 2:
				if id := pick(); id != "" {
					b.sicken(id)
				}
			case 3:
				least, most := rapid.SampledFrom([]int{0, 50, 90, 100}).Draw(r, "minimum"), rapid.SampledFrom([]int{100, 110, 150}).Draw(r, "maximum")
				may(refresh(e.version("ami-"+strconv.Itoa(len(e.templates)+1)), least, most))
			case 4:
				may(s.CancelInstanceRefresh(ctx, &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: "fleet"}))
			case 5:
				may(s.RollbackInstanceRefresh(ctx, &autoscaling.AutoScalingGroupInput{AutoScalingGroupName: "fleet"}))
			case 6:
				may(s.TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInput{InstanceId: pick(), ShouldDecrementDesiredCapacity: new(false)}))
			}
			c.Advance(time.Duration(rapid.IntRange(0, 200).Draw(r, "wait")) * time.Second)
		}
		c.Advance(time.Hour)
		must(refresh("1", 50, 100)) // whatever was cancelled left a mixture
		c.Advance(time.Hour)
		found, err := s.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
		must(found, err)
		g := found.AutoScalingGroups[0]
		for _, i := range g.Instances {
			if i.LifecycleState != "InService" || i.HealthStatus != "Healthy" || i.ImageId != "ami-1" {
				r.Errorf("instance %s: got %s, %s, %s; want it in service on ami-1", i.InstanceId, i.LifecycleState, i.HealthStatus, i.ImageId)
			}
		}
		if len(g.Instances) != g.DesiredCapacity || b.count() != g.DesiredCapacity || e.live()["ami-1"] != g.DesiredCapacity || len(e.live()) > 1 {
			r.Errorf("group: got %d instances, %d targets, %v alive; want %d", len(g.Instances), b.count(), e.live(), g.DesiredCapacity)
		}
	})
}
