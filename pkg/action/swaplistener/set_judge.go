package swaplistener

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// judge reads what speaks against the release.
func (t *setTick) judge(ctx context.Context) error {
	t.approved()
	if err := t.alarms(ctx); err != nil {
		return err
	}
	return t.analyze(ctx)
}

// alarms reads the alarms of the file, metric and composite, in one call.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
func (t *setTick) alarms(ctx context.Context) error {
	if len(t.file.Alarms) == 0 {
		return nil
	}
	most := int32(100) // the default page has 50
	out, err := t.clients.CloudWatch().DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: t.file.Alarms, MaxRecords: &most, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return fmt.Errorf("describe alarms %s: %w", strings.Join(t.file.Alarms, ", "), err)
	}
	var seen []string
	note := func(name, state, reason *string) {
		seen = append(seen, deref(name))
		if deref(state) == string(types.StateValueAlarm) {
			t.world.Bad = append(t.world.Bad, fmt.Sprintf("alarm %s is in ALARM: %s", deref(name), deref(reason)))
		}
	}
	for _, a := range out.MetricAlarms {
		state := string(a.StateValue)
		note(a.AlarmName, &state, a.StateReason)
	}
	for _, a := range out.CompositeAlarms {
		state := string(a.StateValue)
		note(a.AlarmName, &state, a.StateReason)
	}
	var missing []string
	for _, name := range t.file.Alarms {
		if !slices.Contains(seen, name) {
			missing = append(missing, fmt.Sprintf("alarm %q does not exist, or the function's role may not see it (composite alarms need cloudwatch:DescribeAlarms on *)", name))
		}
	}
	switch {
	case len(missing) == 0:
	case t.record.Progress.Move < 0 && t.record.Ended == nil:
		if err := t.refuse(ctx, strings.Join(missing, "; ")); err != nil {
			return err
		}
	default: // who watches nothing goes back
		t.world.Bad = append(t.world.Bad, missing...)
	}
	return nil
}

// exposed counts production's requests that green has answered since the first
// move. The test route's are among them.
func (t *setTick) exposed(ctx context.Context) (int64, error) {
	if len(t.record.Steps) == 0 {
		return 0, nil
	}
	start := t.record.Steps[0].At.Truncate(time.Minute)
	end := t.job.Now.Truncate(time.Minute).Add(time.Minute)
	var queries []types.MetricDataQuery
	for i, green := range t.greens {
		group, okGroup := dimension(green.TargetGroup, ":targetgroup/", "targetgroup/")
		balancer, okBalancer := dimension(deref(t.pairs[i].LoadBalancer.LoadBalancerArn), ":loadbalancer/", "")
		if !okGroup || !okBalancer {
			return 0, errors.New("the ARN of a target group or load balancer has an unknown form")
		}
		id, stat, period, name, namespace := fmt.Sprintf("m%d", i), "Sum", int32(60), "RequestCount", "AWS/ApplicationELB"
		groupName, balancerName := "TargetGroup", "LoadBalancer"
		queries = append(queries, types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
			Stat: &stat, Period: &period,
			Metric: &types.Metric{Namespace: &namespace, MetricName: &name, Dimensions: []types.Dimension{
				{Name: &groupName, Value: &group}, {Name: &balancerName, Value: &balancer},
			}},
		}})
	}
	sum := 0.0
	for in := (&cloudwatch.GetMetricDataInput{StartTime: &start, EndTime: &end, MetricDataQueries: queries}); ; {
		out, err := t.clients.CloudWatch().GetMetricData(ctx, in)
		if err != nil {
			return 0, fmt.Errorf("get metric RequestCount: %w", err)
		}
		for _, result := range out.MetricDataResults {
			for _, v := range result.Values {
				sum += v
			}
		}
		if in.NextToken = out.NextToken; deref(in.NextToken) == "" {
			return int64(sum), nil
		}
	}
}

// dimension is how CloudWatch calls a target group or a load balancer: the end of
// its ARN.
func dimension(arn, after, prefix string) (string, bool) {
	_, rest, found := strings.Cut(arn, after)
	return prefix + rest, found
}

// progress is how long a release set may go without progress.
func (p Params) progress() time.Duration {
	if p.ProgressMinutes > 0 {
		return time.Duration(p.ProgressMinutes) * time.Minute
	}
	return 15 * time.Minute
}
