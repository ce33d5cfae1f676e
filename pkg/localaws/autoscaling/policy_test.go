package autoscaling_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

func (w *world) policy(t *testing.T, in sdk.PutScalingPolicyInput) string {
	t.Helper()
	in.AutoScalingGroupName, in.PolicyName = aws.String("fleet"), aws.String("scale")
	out, err := w.PutScalingPolicy(t.Context(), &in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.PolicyARN
}

func TestPolicy_AdjustsTheCapacity(t *testing.T) {
	t.Parallel()
	steps := []types.StepAdjustment{
		{MetricIntervalLowerBound: aws.Float64(0), MetricIntervalUpperBound: aws.Float64(10), ScalingAdjustment: aws.Int32(1)},
		{MetricIntervalLowerBound: aws.Float64(10), ScalingAdjustment: aws.Int32(3)},
		{MetricIntervalUpperBound: aws.Float64(0), ScalingAdjustment: aws.Int32(-2)},
	}
	simple := func(kind string, n int32) sdk.PutScalingPolicyInput {
		return sdk.PutScalingPolicyInput{AdjustmentType: &kind, ScalingAdjustment: &n}
	}
	least := simple("PercentChangeInCapacity", 10)
	least.MinAdjustmentMagnitude = aws.Int32(3)
	stepped := sdk.PutScalingPolicyInput{PolicyType: aws.String("StepScaling"), AdjustmentType: aws.String("ChangeInCapacity"), StepAdjustments: steps}
	cases := map[string]struct {
		policy sdk.PutScalingPolicyInput
		breach float64
		want   int32
	}{
		"one more":                             {simple("ChangeInCapacity", 1), 0, 5},
		"two fewer":                            {simple("ChangeInCapacity", -2), 0, 2},
		"exactly":                              {simple("ExactCapacity", 7), 0, 7},
		"never above the maximum":              {simple("ChangeInCapacity", 100), 0, 8},
		"a small percentage is one":            {simple("PercentChangeInCapacity", 10), 0, 5},
		"a percentage rounds down":             {simple("PercentChangeInCapacity", 70), 0, 6},
		"a percentage with a least magnitude":  {least, 0, 7},
		"a small breach takes the first step":  {stepped, 3, 5},
		"a large breach takes the second step": {stepped, 10, 7},
		"a breach below takes the last step":   {stepped, -5, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fleet(t, 4, func(in *sdk.CreateAutoScalingGroupInput) { in.MaxSize = aws.Int32(8) })
			arn := w.policy(t, c.policy)
			if !strings.HasSuffix(arn, ":autoScalingGroupName/fleet:policyName/scale") || !strings.HasPrefix(arn, "arn:aws:autoscaling:us-east-1:111122223333:scalingPolicy:") {
				t.Errorf("ARN: got %s", arn)
			}
			if err := w.service.ExecuteAlarm(arn, "cpu", c.breach); err != nil {
				t.Fatal(err)
			}
			if n := *w.group(t).DesiredCapacity; n != c.want {
				t.Errorf("capacity: got %d, want %d of 4", n, c.want)
			}
			w.await(t, 10*time.Minute, "the new capacity", func() bool { return w.is(t, map[string]int{"ami-1": int(c.want)}) })
			if cause := *w.activities(t)[0].Cause; !strings.Contains(cause, "a monitor alarm cpu in state ALARM triggered policy scale changing the desired capacity from 4 to") {
				t.Errorf("cause: got %q", cause)
			}
		})
	}
}

func TestPolicy_HonoursItsCooldown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 1)
	arn := w.policy(t, sdk.PutScalingPolicyInput{AdjustmentType: aws.String("ChangeInCapacity"), ScalingAdjustment: aws.Int32(1), Cooldown: aws.Int32(120)})
	want := func(when string, n int32) {
		t.Helper()
		if err := w.service.ExecuteAlarm(arn, "cpu", 0); err != nil {
			t.Fatal(err)
		}
		if got := *w.group(t).DesiredCapacity; got != n {
			t.Errorf("%s: got a capacity of %d, want %d", when, got, n)
		}
	}
	want("at first", 2)
	w.clock.Advance(time.Minute)
	want("during the cooldown", 2)
	_, err := w.ExecutePolicy(t.Context(), &sdk.ExecutePolicyInput{PolicyName: &arn, HonorCooldown: aws.Bool(true)})
	wantCode(t, "by hand during the cooldown", err, "ScalingActivityInProgress")
	w.clock.Advance(2 * time.Minute)
	want("after the cooldown", 3)
	if _, err := w.ExecutePolicy(t.Context(), &sdk.ExecutePolicyInput{PolicyName: aws.String("scale"), AutoScalingGroupName: aws.String("fleet")}); err != nil {
		t.Fatal(err)
	}
	if n := *w.group(t).DesiredCapacity; n != 4 {
		t.Errorf("by hand in spite of the cooldown: got %d, want 4", n)
	}
}

func TestPolicy_CountsWhatWarmsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 2)
	w.clock.Advance(5 * time.Minute)
	arn := w.policy(t, sdk.PutScalingPolicyInput{PolicyType: aws.String("StepScaling"), AdjustmentType: aws.String("ChangeInCapacity"), EstimatedInstanceWarmup: aws.Int32(300),
		StepAdjustments: []types.StepAdjustment{
			{MetricIntervalLowerBound: aws.Float64(0), MetricIntervalUpperBound: aws.Float64(10), ScalingAdjustment: aws.Int32(1)},
			{MetricIntervalLowerBound: aws.Float64(10), ScalingAdjustment: aws.Int32(3)},
		}})
	for _, c := range []struct {
		when   string
		wait   time.Duration
		breach float64
		want   int32
	}{
		{"at first", 0, 5, 3},
		{"the same step while the new instance warms up", 2 * time.Minute, 5, 3},
		{"a larger step while it warms up adds the difference", time.Minute, 20, 5},
		{"the small step once all are warm", 10 * time.Minute, 5, 6},
	} {
		w.clock.Advance(c.wait)
		if err := w.service.ExecuteAlarm(arn, "cpu", c.breach); err != nil {
			t.Fatal(err)
		}
		if n := *w.group(t).DesiredCapacity; n != c.want {
			t.Errorf("%s: got %d, want %d", c.when, n, c.want)
		}
	}
}

func TestPolicy_DoesNothingForAlarmsThatAreSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 1)
	arn := w.policy(t, sdk.PutScalingPolicyInput{AdjustmentType: aws.String("ChangeInCapacity"), ScalingAdjustment: aws.Int32(1)})
	if err := w.service.Suspend("fleet", "AlarmNotification"); err != nil {
		t.Fatal(err)
	}
	if err := w.service.ExecuteAlarm(arn, "cpu", 0); err != nil {
		t.Fatal(err)
	}
	if n := *w.group(t).DesiredCapacity; n != 1 {
		t.Errorf("capacity: got %d, want 1", n)
	}
	if err := w.service.ExecuteAlarm(arn+"x", "cpu", 0); err == nil {
		t.Error("an unknown policy: got no error")
	}
}

func TestPolicy_IsDescribedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 0)
	ctx := t.Context()
	w.policy(t, sdk.PutScalingPolicyInput{PolicyType: aws.String("TargetTrackingScaling"), TargetTrackingConfiguration: &types.TargetTrackingConfiguration{
		TargetValue: aws.Float64(50), PredefinedMetricSpecification: &types.PredefinedMetricSpecification{PredefinedMetricType: types.MetricTypeASGAverageCPUUtilization},
	}})
	out, err := w.DescribePolicies(ctx, &sdk.DescribePoliciesInput{AutoScalingGroupName: aws.String("fleet"), PolicyNames: []string{"scale"}})
	if err != nil || len(out.ScalingPolicies) != 1 || *out.ScalingPolicies[0].TargetTrackingConfiguration.TargetValue != 50 || !*out.ScalingPolicies[0].Enabled {
		t.Fatalf("policies: got %v (%v), want scale", out, err)
	}
	_, err = w.ExecutePolicy(ctx, &sdk.ExecutePolicyInput{PolicyName: aws.String("scale"), AutoScalingGroupName: aws.String("fleet")})
	wantCode(t, "executing a target tracking policy", err, "ValidationError")
	if _, err := w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: aws.String("scale"), AutoScalingGroupName: aws.String("fleet")}); err != nil {
		t.Fatal(err)
	}
	_, err = w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyName: aws.String("scale"), AutoScalingGroupName: aws.String("fleet")})
	wantCode(t, "a second delete", err, "ValidationError")
	_, err = w.PutScalingPolicy(ctx, &sdk.PutScalingPolicyInput{AutoScalingGroupName: aws.String("fleet"), PolicyName: aws.String("x"), AdjustmentType: aws.String("Sometimes")})
	wantCode(t, "a policy without adjustment", err, "ValidationError")
}
