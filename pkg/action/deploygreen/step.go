package deploygreen

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"cutover/pkg/bluegreen"
	"cutover/pkg/job"
)

// ELB is what the action calls of Elastic Load Balancing.
type ELB interface {
	bluegreen.ELB
	bluegreen.RouteAPI
	AddTags(context.Context, *elb.AddTagsInput, ...func(*elb.Options)) (*elb.AddTagsOutput, error)
}

// ECS is what the action calls of ECS.
type ECS interface {
	bluegreen.ECS
	DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error)
	ListTaskDefinitions(context.Context, *ecs.ListTaskDefinitionsInput, ...func(*ecs.Options)) (*ecs.ListTaskDefinitionsOutput, error)
	RegisterTaskDefinition(context.Context, *ecs.RegisterTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.RegisterTaskDefinitionOutput, error)
	DeregisterTaskDefinition(context.Context, *ecs.DeregisterTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.DeregisterTaskDefinitionOutput, error)
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
	ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
	DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error)
}

// An Action deploys green with the given clients.
type Action struct {
	elb ELB
	ecs ECS
}

// New makes the action; its [Action.Step] is what pkg/job runs.
func New(elb ELB, ecs ECS) *Action { return &Action{elb: elb, ecs: ecs} }

// Step moves the deployment forward by at most one change.
func (a *Action) Step(ctx context.Context, j job.Job[Params], s State) (job.Result[State], error) {
	w, err := a.observe(ctx, j, s)
	if err != nil {
		return job.Result[State]{}, err
	}
	next := decide(w, j.Params, s)
	switch next[0].Kind {
	case Fail:
		return job.Result[State]{}, a.failure(ctx, w, j.Params, next[0])
	case Ready, Released:
		return job.Done[State](summary(w, next), outputs(w, j.Params, next[0])), nil
	}
	for _, d := range next {
		if s, err = a.act(ctx, w.Releases[d.Release], j.Params, d, s); err != nil {
			return job.Result[State]{}, stand(err, w.Releases[d.Release])
		}
	}
	return job.Continue(s, percent(w, next), summary(w, next)), nil
}

// inputNames are the input artifacts in the action's order.
func inputNames(j job.Job[Params]) []string {
	names := make([]string, len(j.Inputs))
	for i, in := range j.Inputs {
		names[i] = in.Name
	}
	return names
}

func inputReader(j job.Job[Params]) readFile {
	return func(ctx context.Context, artifact, path string) ([]byte, error) {
		return j.ReadInput(ctx, artifact, path, imageFileLimit)
	}
}

// stand adds to a failed change how production stands and what to do. Someone
// else's edit of the test route is a refusal.
func stand(err error, r Release) error {
	if _, edited := errors.AsType[*bluegreen.ForeignEditError](err); edited {
		return job.ConfigurationError(fmt.Sprintf("the test route: %v; %s; see who else manages the test route, then retry the stage", err, r.Standing()))
	}
	return fmt.Errorf("%w; %s; retry the stage once the cause is gone", err, r.Standing())
}
