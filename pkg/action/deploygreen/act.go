package deploygreen

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"cutover/pkg/bluegreen"
)

// act makes the decision's one change and returns the state to go on with.
func (a *Action) act(ctx context.Context, r Release, p Params, d Decision, s State) (State, error) {
	green, _ := r.Idle()
	s.Image = r.Image
	switch d.Kind {
	case Claim:
		if err := bluegreen.Tag(ctx, a.elb, green.TargetGroup, claim(p.Execution, r.Image)); err != nil {
			return s, err
		}
	case RouteTest:
		if _, err := r.Test.Shift(ctx, a.elb, bluegreen.Weight{TargetGroup: green.TargetGroup, Weight: 100}); err != nil {
			return s, err
		}
	case Register:
		if err := a.register(ctx, r, p); err != nil {
			return s, err
		}
	case Update:
		deployment, err := a.update(ctx, p, green, d)
		if err != nil {
			return s, err
		}
		s.TaskDefinition, s.Deployment = d.TaskDefinition, deployment
	case Follow:
		primary, _ := green.Primary()
		s.TaskDefinition, s.Deployment = d.TaskDefinition, str(primary.Id)
	}
	s.Green = green.TargetGroup
	return s, nil
}

// register registers the wanted task definition. The call has no token, so it
// is not repeated by the SDK: a lost answer is looked for by the next tick. And
// of two ticks that registered at once, the one that finds an equal lower
// revision takes its own back.
func (a *Action) register(ctx context.Context, r Release, p Params) error {
	in := r.wanted(p.Execution)
	out, err := a.ecs.RegisterTaskDefinition(ctx, in, once)
	if err != nil {
		return fmt.Errorf("register task definition of family %s: %w", str(in.Family), err)
	}
	ours := Revision{TaskDefinition: *out.TaskDefinition}
	recent, err := a.recent(ctx, str(in.Family), append(r.Recent, ours))
	if err != nil {
		return err
	}
	if lowest := lowestEqual(recent, in); lowest == "" || lowest == ours.ARN() {
		return nil
	}
	arn := ours.ARN()
	if _, err := a.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &arn}); err != nil {
		return fmt.Errorf("deregister task definition %s, a duplicate: %w", arn, err)
	}
	return nil
}

// update makes the service run the task definition with the desired count, and
// returns the deployment that does so.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (a *Action) update(ctx context.Context, p Params, green bluegreen.Side, d Decision) (deployment string, err error) {
	in := &ecs.UpdateServiceInput{
		Cluster:        &p.Cluster,
		Service:        green.Service.ServiceName,
		TaskDefinition: &d.TaskDefinition,
		DesiredCount:   &d.DesiredCount,
	}
	var options []func(*ecs.Options)
	if d.Force { // each such call starts a deployment
		in.ForceNewDeployment = true
		options = append(options, once)
	}
	out, err := a.ecs.UpdateService(ctx, in, options...)
	if err != nil {
		return "", fmt.Errorf("update service %s to %s: %w", green.Name(), RevisionName(d.TaskDefinition), err)
	}
	primary, _ := bluegreen.Side{Service: *out.Service}.Primary()
	return str(primary.Id), nil
}

// once keeps the SDK from repeating a call whose answer was lost.
func once(o *ecs.Options) { o.RetryMaxAttempts = 1 }
