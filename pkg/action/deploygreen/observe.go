package deploygreen

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"cutover/pkg/bluegreen"
	"cutover/pkg/job"
)

// A World is what decide decides on.
type World struct {
	Releases []Release // one a pair
}

// A Release is a pair with what is to be released on it.
type Release struct {
	bluegreen.Pair
	Image     string
	Container string
	Running   [2]Revision // the services' task definitions, in the order of Sides
	Recent    []Revision  // the family's newest active ones; read only while neither service has the wanted one
}

// recentRevisions is how many of a family's newest revisions are compared
// before a new one is registered.
const recentRevisions = 5

// observe reads the world. Everything wrong with it comes as one
// ConfigurationError.
func (a *Action) observe(ctx context.Context, j job.Job[Params], s State) (World, error) {
	pair, faults, err := bluegreen.Observe(ctx, a.elb, a.ecs, j.Params.Params)
	if err != nil {
		return World{}, err
	}
	r := Release{Pair: pair, Image: s.Image, Container: j.Params.Container}
	if s.TaskDefinition == "" || s.Image == "" || len(faults) > 0 {
		found, err := a.observeRelease(ctx, j, &r)
		if err != nil {
			return World{}, err
		}
		faults = append(faults, found...)
	}
	if len(faults) > 0 {
		return World{}, invalid(j.ID == j.Attempt, pair, faults)
	}
	return World{Releases: []Release{r}}, nil
}

// observeRelease reads what leads to the wanted task definition.
func (a *Action) observeRelease(ctx context.Context, j job.Job[Params], r *Release) (faults []string, err error) {
	for i, side := range r.Sides {
		if i == 1 && str(side.Service.TaskDefinition) == r.Running[0].ARN() {
			r.Running[1] = r.Running[0]
			continue
		}
		if r.Running[i], err = a.revision(ctx, str(side.Service.TaskDefinition)); err != nil {
			return nil, err
		}
	}
	var fault string
	if r.Container, fault = r.container(j.Params.Container); fault != "" {
		faults = append(faults, fault)
	}
	if r.Image == "" {
		if r.Image, fault, err = findImage(ctx, j.Params, inputNames(j), inputReader(j), r.Container); err != nil {
			return nil, err
		}
		if fault != "" {
			faults = append(faults, fault)
		}
	}
	if len(faults) > 0 || r.Container == "" || r.Image == "" {
		return faults, nil
	}
	if _, live := r.Live(); live && r.runningWanted() == "" {
		r.Recent, err = a.recent(ctx, str(r.base().Family), r.Running[:])
	}
	return nil, err
}

func (a *Action) revision(ctx context.Context, arn string) (Revision, error) {
	if arn == "" { // the service is missing, which is a fault already
		return Revision{}, nil
	}
	out, err := a.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: &arn,
		Include:        []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	if err != nil {
		return Revision{}, fmt.Errorf("describe task definition %s: %w", arn, err)
	}
	return Revision{TaskDefinition: *out.TaskDefinition, Tags: out.Tags}, nil
}

// recent reads the family's newest active revisions, oldest first, without
// asking again for those already known.
func (a *Action) recent(ctx context.Context, family string, known []Revision) ([]Revision, error) {
	count := int32(recentRevisions)
	out, err := a.ecs.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{
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
		if i := slices.IndexFunc(known, func(r Revision) bool { return r.ARN() == arn }); i >= 0 {
			recent = append(recent, known[i])
			continue
		}
		r, err := a.revision(ctx, arn)
		if err != nil {
			return nil, err
		}
		recent = append(recent, r)
	}
	slices.SortFunc(recent, func(a, b Revision) int { return int(a.Revision - b.Revision) })
	return recent, nil
}

// blueGreen are the two services' revisions by role.
func (r Release) blueGreen() (blue, green Revision) {
	if live, _ := r.Live(); live.TargetGroup == r.Sides[0].TargetGroup {
		return r.Running[0], r.Running[1]
	}
	return r.Running[1], r.Running[0]
}

// base is the task definition that the new one is made from: what serves
// production now, where a change made for one side is carried to the other.
// Services with families of their own keep them: then it is green's.
func (r Release) base() Revision {
	blue, green := r.blueGreen()
	if str(blue.Family) == str(green.Family) {
		return blue
	}
	return green
}

// wanted is what to register if nothing equal exists.
func (r Release) wanted(execution string) *ecs.RegisterTaskDefinitionInput {
	return r.base().withImage(r.Container, r.Image, execution)
}

// runningWanted is the wanted revision's ARN if one of the services has it.
func (r Release) runningWanted() string {
	wanted := r.wanted("")
	blue, green := r.blueGreen()
	switch {
	case green.equals(wanted):
		return green.ARN()
	case blue.equals(wanted) && blue.Status == types.TaskDefinitionStatusActive:
		return blue.ARN()
	}
	return ""
}

// revision is the ARN of the revision to run, or "" when it is yet to be
// registered. Of equal recent ones it is the lowest: whatever concurrent ticks
// registered, all choose the same.
func (r Release) revision() string {
	if arn := r.runningWanted(); arn != "" {
		return arn
	}
	return lowestEqual(r.Recent, r.wanted(""))
}

func lowestEqual(recent []Revision, wanted *ecs.RegisterTaskDefinitionInput) string {
	for _, r := range recent {
		if r.equals(wanted) {
			return r.ARN()
		}
	}
	return ""
}

// container settles whose image is replaced.
func (r Release) container(asked string) (name, fault string) {
	for _, running := range r.Running {
		has := running.containers()
		switch {
		case running.ARN() == "": // its service is missing, which is a fault already
		case asked != "" && !slices.Contains(has, asked):
			return "", fmt.Sprintf("task definition %s has no container %q (it has %s)", RevisionName(running.ARN()), asked, strings.Join(has, ", "))
		case asked == "" && len(has) != 1:
			return "", fmt.Sprintf("container is missing: task definition %s has %d containers (%s)", RevisionName(running.ARN()), len(has), strings.Join(has, ", "))
		}
	}
	if asked == "" && r.Running[0].ARN() != "" && r.Running[1].ARN() != "" {
		asked = r.base().containers()[0]
	}
	return asked, ""
}

// RevisionName is FAMILY:REVISION of a task definition's ARN.
func RevisionName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
