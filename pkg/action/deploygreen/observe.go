package deploygreen

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"cutover/pkg/bluegreen"
	"cutover/pkg/job"
)

// recentRevisions is how many of a family's newest revisions are compared
// before a new one is registered.
const recentRevisions = 5

// observe reads a single pair. Everything wrong with it comes as one
// ConfigurationError.
func (a *Action) observe(ctx context.Context, c *catalog, j job.Job[Params], s State) (World, error) {
	pair, faults, err := bluegreen.Observe(ctx, a.elb, a.ecs, j.Params.Params)
	if err != nil {
		return World{}, err
	}
	w := World{Execution: j.Params.Execution, Releases: []Release{{
		Pair: pair, Progress: s.Progress, Cluster: j.Params.Cluster, MinimumCount: j.Params.MinimumCount, Container: j.Params.Container,
	}}}
	found, err := c.observe(ctx, w.Execution, &w.Releases[0], len(faults) > 0, true, func(container string) (string, string, error) {
		return findImage(ctx, j.Params, inputNames(j.Inputs), limited(j.ReadInput), container)
	})
	if err != nil {
		return World{}, err
	}
	if faults = append(faults, found...); len(faults) > 0 {
		return World{}, invalid(j.ID == j.Attempt, w, faults)
	}
	return w, nil
}

// A catalog reads task definitions, each once a tick.
type catalog struct {
	ecs   ECS
	known map[string]Revision // by ARN
}

func (a *Action) catalog() *catalog { return &catalog{a.ecs, map[string]Revision{}} }

// observe reads what leads to the wanted task definition, as far as the release
// is in need of it: what the services run, to see that the image has a place in
// it, when an attempt begins and when it is faulty; that and, if look allows it,
// what else there is when it is time to register. findImage is asked for an image
// that is not known.
func (c *catalog) observe(ctx context.Context, execution string, r *Release, faulty, look bool, findImage func(container string) (image, fault string, err error)) (faults []string, err error) {
	due := func() bool { return look && r.due(execution) }
	if r.Green != "" && r.Image != "" && !faulty && !due() && !r.released(execution) {
		return nil, nil
	}
	for i, side := range r.Sides {
		if r.Running[i], err = c.revision(ctx, str(side.Service.TaskDefinition)); err != nil {
			return nil, err
		}
	}
	var fault string
	if r.Container, fault = r.container(); fault != "" {
		faults = append(faults, fault)
	}
	if r.Image == "" {
		if r.Image, fault, err = findImage(r.Container); err != nil {
			return nil, err
		}
		if fault != "" {
			faults = append(faults, fault)
		}
	}
	if len(faults) > 0 || faulty || !due() {
		return faults, nil
	}
	if r.runningWanted() == "" {
		if r.Recent, err = c.recent(ctx, str(r.base().Family)); err != nil {
			return nil, err
		}
	}
	r.Looked, r.TaskDefinition = true, r.revision()
	return nil, nil
}

func (c *catalog) revision(ctx context.Context, arn string) (Revision, error) {
	if arn == "" { // the service is missing, which is a fault already
		return Revision{}, nil
	}
	if known, found := c.known[arn]; found {
		return known, nil
	}
	out, err := c.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: &arn,
		Include:        []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	if err != nil {
		return Revision{}, fmt.Errorf("describe task definition %s: %w", arn, err)
	}
	c.known[arn] = Revision{TaskDefinition: *out.TaskDefinition, Tags: out.Tags}
	return c.known[arn], nil
}

// recent reads the family's newest active revisions, oldest first.
func (c *catalog) recent(ctx context.Context, family string) ([]Revision, error) {
	count := int32(recentRevisions)
	out, err := c.ecs.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{
		FamilyPrefix: &family,
		Status:       types.TaskDefinitionStatusActive,
		Sort:         types.SortOrderDesc,
		MaxResults:   &count,
	})
	if err != nil {
		return nil, fmt.Errorf("list task definitions of family %s: %w", family, err)
	}
	var recent []Revision
	for _, arn := range out.TaskDefinitionArns {
		r, err := c.revision(ctx, arn)
		if err != nil {
			return nil, err
		}
		recent = append(recent, r)
	}
	slices.SortFunc(recent, func(a, b Revision) int { return int(a.Revision - b.Revision) })
	return recent, nil
}
