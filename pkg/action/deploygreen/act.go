package deploygreen

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"cutover/pkg/bluegreen"
)

// A step is what its changes share.
type step struct {
	catalog   *catalog
	routes    bluegreen.RouteAPI
	execution string
}

// act makes the decision's one change and notes it in the release's progress.
func (a *Action) act(ctx context.Context, t step, r *Release, d Decision) (err error) {
	green, _ := r.Idle()
	switch d.Kind {
	case Claim:
		err = bluegreen.Tag(ctx, a.elb, green.TargetGroup, claim(t.execution, r.Image))
	case RouteTest:
		_, err = r.Test.Shift(ctx, t.routes, bluegreen.Weight{TargetGroup: green.TargetGroup, Weight: 100})
	case Register:
		r.TaskDefinition, err = a.register(ctx, t, *r)
	case Update:
		r.TaskDefinition = d.TaskDefinition
		r.Deployment, err = a.update(ctx, r.Cluster, green, d)
	}
	return err
}

// note keeps what was seen of the release for the next step.
func (r *Release) note(d Decision) {
	green, _ := r.Idle()
	if d.Kind >= Claim && d.Kind <= Ready {
		r.Green = green.TargetGroup
	}
	if d.Kind == Follow || d.Kind == Ready {
		primary, _ := green.Primary()
		r.TaskDefinition, r.Deployment = d.TaskDefinition, str(primary.Id)
	}
}

// register registers the wanted task definition, and returns the one to run.
// The call has no token, so it is not repeated by the SDK: a lost answer is
// looked for by the next step. And of two ticks that registered at once, the one
// that finds an equal lower revision takes its own back.
func (a *Action) register(ctx context.Context, t step, r Release) (string, error) {
	in := r.wanted(t.execution)
	out, err := a.ecs.RegisterTaskDefinition(ctx, in, once)
	if err != nil {
		return "", fmt.Errorf("register task definition of family %s: %w", str(in.Family), err)
	}
	ours := Revision{TaskDefinition: *out.TaskDefinition}
	arn := ours.ARN()
	t.catalog.known[arn] = ours
	recent, err := t.catalog.recent(ctx, str(in.Family))
	if err != nil {
		return "", err
	}
	lowest := lowestEqual(recent, in)
	if lowest == "" || lowest == arn {
		return arn, nil
	}
	if _, err := a.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &arn}); err != nil {
		return "", fmt.Errorf("deregister task definition %s, a duplicate: %w", arn, err)
	}
	return lowest, nil
}

// update makes the service run the task definition with the desired count, and
// returns the deployment that does so.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (a *Action) update(ctx context.Context, cluster string, green bluegreen.Side, d Decision) (deployment string, err error) {
	in := &ecs.UpdateServiceInput{
		Cluster:        &cluster,
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
