package swaplistener

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"cutover/pkg/bluegreen"
	"cutover/pkg/rollout"
)

// bluePause is the pause between two steps of blue, unless the file says otherwise.
const bluePause = time.Minute

// quietFor is how long blue must have had no request before it loses tasks.
const quietFor = 2 * time.Minute

// unknown is why blue may not go while nobody has looked at its requests.
const unknown = "its requests have not been counted yet"

// blue is the plan for blue; nil where it stays as it is.
func (t *setTick) blue() *rollout.Blue {
	b := t.file.Blue
	if b.Count == nil {
		return nil
	}
	return &rollout.Blue{Keep: time.Duration(b.Keep), Count: *b.Count, Step: b.Step, Pause: b.Pause.Or(bluePause)}
}

// quiet looks at what blues still answer once they may go: over the last two
// minutes that are measured whole, all of them after green had taken everything.
// The load balancer counts a request when it begins, so one that lasts longer than
// that, a long poll or a WebSocket, is not seen here; ECS lets it end within the
// target group's deregistration delay and the task's stop timeout.
func (t *setTick) quiet(ctx context.Context) error {
	p := t.record.Progress
	if p.Baked.IsZero() || p.Back || t.record.Ended != nil || t.plan.Blue == nil ||
		t.job.Now.Before(p.Baked.Add(t.plan.Blue.Keep)) && t.world.Promote == nil {
		return nil
	}
	end := t.job.Now.Add(-late).Truncate(time.Minute)
	w := window{start: end.Add(-quietFor), end: end, period: time.Minute}
	if w.start.Before(p.Since) {
		return nil
	}
	counts, err := t.requests(ctx, w)
	if err != nil {
		return err
	}
	for i, n := range counts {
		t.world.Pairs[i].Busy = ""
		if n > 0 {
			t.world.Pairs[i].Busy = fmt.Sprintf("blue has answered %.0f requests %s", n, w)
		}
	}
	return nil
}

// requests counts what each blue answered, on any route.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func (t *setTick) requests(ctx context.Context, w window) ([]float64, error) {
	in := &cloudwatch.GetMetricDataInput{StartTime: &w.start, EndTime: &w.end}
	counts, places := make([]float64, len(t.pairs)), map[string]*float64{}
	for i, pair := range t.pairs {
		group, okGroup := dimension(pair.Other(t.greens[i]).TargetGroup, ":targetgroup/", "targetgroup/")
		balancer, okBalancer := dimension(deref(pair.LoadBalancer.LoadBalancerArn), ":loadbalancer/", "")
		if !okGroup || !okBalancer {
			return nil, fmt.Errorf("count requests of %s: the ARN of its target group or load balancer has an unknown form", t.file.Services[i].Name)
		}
		id := fmt.Sprintf("b%d", i)
		in.MetricDataQueries = append(in.MetricDataQueries, reading{metric: "RequestCount", stat: "Sum"}.query(id, &measured{group: group, balancer: balancer}, w.period))
		places[id] = &counts[i]
	}
	for {
		out, err := t.clients.CloudWatch().GetMetricData(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("count requests of blue: %w", err)
		}
		for _, r := range out.MetricDataResults {
			count, asked := places[deref(r.Id)]
			if !asked || r.StatusCode == types.StatusCodeInternalError || r.StatusCode == types.StatusCodeForbidden {
				return nil, fmt.Errorf("count requests of blue: CloudWatch answers %s for %q", r.StatusCode, deref(r.Id))
			}
			for _, v := range r.Values {
				*count += v
			}
		}
		if in.NextToken = out.NextToken; deref(in.NextToken) == "" {
			return counts, nil
		}
	}
}

// scale takes tasks from blues. Each one's production route is read again right
// before: it must give blue nothing.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (t *setTick) scale(ctx context.Context, d rollout.Decision) error {
	for _, i := range d.Pairs {
		pair, name := t.pairs[i], t.file.Services[i].Name
		blue := pair.Other(t.greens[i])
		route := pair.Production
		out, err := t.clients.ELB.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{route.Rule}})
		if err != nil {
			return fmt.Errorf("%s: read rule %s: %w", name, route.Rule, err)
		}
		if len(out.Rules) != 1 {
			return fmt.Errorf("%s: %w", name, &bluegreen.ForeignEditError{Route: route})
		}
		now := route
		now.Actions = out.Rules[0].Actions
		if !now.PointsTo(t.greens[i].TargetGroup) {
			return fmt.Errorf("%s: %w", name, &bluegreen.ForeignEditError{Route: route, Found: now.Weights()})
		}
		service, count := blue.Name(), int32(d.Count)
		if _, err := t.clients.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &t.file.Services[i].Cluster, Service: &service, DesiredCount: &count}); err != nil {
			return fmt.Errorf("%s: set the desired count of service %s to %d: %w", name, service, d.Count, err)
		}
		t.world.Pairs[i].Blue.Desired = d.Count
	}
	t.done = append(t.done, fmt.Sprintf("blue was scaled down to %d tasks on %d services", d.Count, len(d.Pairs)))
	return nil
}
