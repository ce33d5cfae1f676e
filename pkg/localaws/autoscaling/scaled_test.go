package autoscaling_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"cutover/pkg/localaws/clock"
)

// TestService_RunsOnAClockOfItsOwn holds that passes, calls and timers of a
// clock that runs by itself get along, and that Close ends them.
func TestService_RunsOnAClockOfItsOwn(t *testing.T) {
	t.Parallel()
	c := clock.NewScaled(3600)
	w := newWorldOn(t, c)
	ctx := t.Context()
	if _, err := w.CreateAutoScalingGroup(ctx, &sdk.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("fleet"), MinSize: aws.Int32(3), MaxSize: aws.Int32(6), LaunchTemplate: template("1"), VPCZoneIdentifier: aws.String("subnet-a"),
		TargetGroupARNs: []string{web}, HealthCheckType: aws.String("ELB"), DefaultInstanceWarmup: aws.Int32(60),
	}); err != nil {
		t.Fatal(err)
	}
	await := func(what string, done func() bool) {
		t.Helper()
		late := time.After(20 * time.Second)
		for !done() {
			select {
			case <-late:
				t.Fatalf("waited 20 s for %s; the group is %s", what, w.picture(t))
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	await("three instances", func() bool { return len(w.service.InService("fleet")) == 3 })
	w.refresh(t, w.ec2.version("ami-2"), &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(200)})
	await("the end of the refresh", func() bool { return w.latest(t).Status == types.InstanceRefreshStatusSuccessful })
	w.elb.sicken(w.service.InService("fleet")[0])
	await("a replacement", func() bool {
		return w.told.count("EC2 Instance Launch Successful") == 7 && len(w.service.InService("fleet")) == 3
	})
	if err := w.typeOf(t, "AutoScalingGroup").Delete(ctx, deletion("fleet")); err != nil {
		t.Fatal(err)
	}
	if live := w.ec2.live(); len(live) != 0 {
		t.Errorf("instances after the delete: got %v, want none", live)
	}
}
