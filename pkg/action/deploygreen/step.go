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

// Step moves the deployment forward by at most one change, or by one set of the
// same change on all pairs of a release set.
func (a *Action) Step(ctx context.Context, j job.Job[Params], s State) (job.Result[State], error) {
	if j.Params.Release != "" {
		return a.stepSet(ctx, j, s, j.ReadInput)
	}
	c := a.catalog()
	w, err := a.observe(ctx, c, j, s)
	if err != nil {
		return job.Result[State]{}, err
	}
	return a.move(ctx, c, w)
}

func (a *Action) move(ctx context.Context, c *catalog, w World) (job.Result[State], error) {
	all := decide(w)
	now := next(all)
	switch now[0].Kind {
	case Fail:
		return job.Result[State]{}, a.failure(ctx, w, now)
	case Ready, Released:
		return job.Done[State](summary(w, all), outputs(w, all)), nil
	}
	for i := range all {
		w.Releases[i].note(all[i])
	}
	if culprit, err := a.actAll(ctx, c, w, now); err != nil {
		return job.Result[State]{}, w.stand(err, culprit)
	}
	return job.Continue(w.state(now[0].Kind >= Follow), percent(w, all), summary(w, all)), nil
}

// actAll makes the same change on all releases that are behind. Its error is the
// culprit's.
func (a *Action) actAll(ctx context.Context, c *catalog, w World, now []Decision) (culprit Release, err error) {
	t := step{c, a.elb, w.Execution}
	if w.Set == "" || now[0].Kind != RouteTest {
		return a.actEach(ctx, t, w, now)
	}
	routes := newRules(a.elb, w.Releases)
	t.routes = routes
	if culprit, err := a.actEach(ctx, t, w, now); err != nil {
		return culprit, err
	}
	return routes.confirm(ctx, w.Releases)
}

func (a *Action) actEach(ctx context.Context, t step, w World, now []Decision) (culprit Release, err error) {
	for _, d := range now {
		if err := a.act(ctx, t, &w.Releases[d.Release], d); err != nil {
			return w.Releases[d.Release], err
		}
	}
	return Release{}, nil
}

// inputNames are the input artifacts in the action's order.
func inputNames(inputs []job.Artifact) []string {
	names := make([]string, len(inputs))
	for i, in := range inputs {
		names[i] = in.Name
	}
	return names
}

// limited reads files as long as a file of images may be.
func limited(read readLimited) readFile {
	return func(ctx context.Context, artifact, path string) ([]byte, error) {
		return read(ctx, artifact, path, imageFileLimit)
	}
}

// stand adds to a failed change how production stands and what to do. Someone
// else's edit of the test route is a refusal.
func (w World) stand(err error, r Release) error {
	if _, edited := errors.AsType[*bluegreen.ForeignEditError](err); edited {
		return job.ConfigurationError(fmt.Sprintf("%sthe test route: %v; %s; see who else manages the test route, then retry the stage", r.prefix(), err, w.standing()))
	}
	return fmt.Errorf("%s%w; %s; retry the stage once the cause is gone", r.prefix(), err, w.standing())
}

// prefix names the release in a message about a set.
func (r Release) prefix() string {
	if r.Name == "" {
		return ""
	}
	return r.Name + ": "
}
