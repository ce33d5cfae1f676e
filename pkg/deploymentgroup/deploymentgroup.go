package deploymentgroup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"cutover/pkg/awsclient"
	"cutover/pkg/customresource"
)

// CodeDeploy is what is called of CodeDeploy.
type CodeDeploy interface {
	CreateDeploymentGroup(context.Context, *codedeploy.CreateDeploymentGroupInput, ...func(*codedeploy.Options)) (*codedeploy.CreateDeploymentGroupOutput, error)
	UpdateDeploymentGroup(context.Context, *codedeploy.UpdateDeploymentGroupInput, ...func(*codedeploy.Options)) (*codedeploy.UpdateDeploymentGroupOutput, error)
	GetDeploymentGroup(context.Context, *codedeploy.GetDeploymentGroupInput, ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentGroupOutput, error)
	DeleteDeploymentGroup(context.Context, *codedeploy.DeleteDeploymentGroupInput, ...func(*codedeploy.Options)) (*codedeploy.DeleteDeploymentGroupOutput, error)
	ListTagsForResource(context.Context, *codedeploy.ListTagsForResourceInput, ...func(*codedeploy.Options)) (*codedeploy.ListTagsForResourceOutput, error)
	TagResource(context.Context, *codedeploy.TagResourceInput, ...func(*codedeploy.Options)) (*codedeploy.TagResourceOutput, error)
	ListDeployments(context.Context, *codedeploy.ListDeploymentsInput, ...func(*codedeploy.Options)) (*codedeploy.ListDeploymentsOutput, error)
	StopDeployment(context.Context, *codedeploy.StopDeploymentInput, ...func(*codedeploy.Options)) (*codedeploy.StopDeploymentOutput, error)
}

// AutoScaling is what is called of EC2 Auto Scaling.
type AutoScaling interface {
	DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error)
	DeleteAutoScalingGroup(context.Context, *autoscaling.DeleteAutoScalingGroupInput, ...func(*autoscaling.Options)) (*autoscaling.DeleteAutoScalingGroupOutput, error)
}

// A Resource does the work of Custom::DeploymentGroup.
type Resource struct {
	codedeploy CodeDeploy
	scaling    AutoScaling
	pause      func(ctx context.Context, attempt int) error
}

// New makes a resource. pause waits before something is looked at again for the
// 1st, 2nd, ... time, and returns the context's error when that ends; nil is Pause.
func New(deploy CodeDeploy, scaling AutoScaling, pause func(ctx context.Context, attempt int) error) *Resource {
	if pause == nil {
		pause = Pause
	}
	return &Resource{codedeploy: deploy, scaling: scaling, pause: pause}
}

// Pause waits for 250 ms, then twice as long each time, up to 10 s.
func Pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(min(250*time.Millisecond<<min(attempt-1, 10), 10*time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Do answers a request. Ref is APPLICATION/GROUP; the attributes are Arn,
// AutoScalingGroupName (the one that is deployed to now), DeploymentGroupId and
// Name.
func (s *Resource) Do(ctx context.Context, r customresource.Request) (customresource.Answer, error) {
	if r.Kind == customresource.Delete {
		return customresource.Answer{}, s.remove(ctx, r)
	}
	p, err := read(r.Properties)
	if err != nil {
		return customresource.Answer{}, err
	}
	id := p.identity()
	answer := customresource.Answer{PhysicalID: id.String()}
	old, known := parse(r.PhysicalID)
	switch {
	case r.Kind == customresource.Create || !known:
		err = s.create(ctx, r, p, p.AutoScalingGroups[0])
	case old != id:
		err = s.replace(ctx, r, p, old)
	default:
		if err = s.update(ctx, r, p); err == nil {
			err = s.tidy(ctx, r, id)
		}
	}
	if foreign, ok := errors.AsType[foreignError](err); ok {
		return customresource.Answer{}, foreign // nothing of ours that a delete could find
	}
	if err == nil {
		answer.Data, err = s.attributes(ctx, r, id)
	}
	return answer, err
}

// A foreignError says that a deployment group exists and is not this resource's.
type foreignError struct{ id identity }

func (e foreignError) Error() string {
	return fmt.Sprintf("deployment group %s exists and was not made by this resource of this stack; delete it, or choose another DeploymentGroupName", e.id)
}

// create makes the deployment group for an Auto Scaling group, or takes over the
// one that an earlier create made.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeploymentGroup.html
func (s *Resource) create(ctx context.Context, r customresource.Request, p Properties, group string, more ...types.Tag) error {
	id := p.identity()
	err := s.onceRoleIsKnown(ctx, func() error {
		_, err := s.codedeploy.CreateDeploymentGroup(ctx, p.create(id, group, append(ownTags(r), more...)))
		return err
	})
	if !awsclient.IsCode(err, "DeploymentGroupAlreadyExistsException") {
		return describe(err, "create deployment group", id)
	}
	mine, _, err := s.owned(ctx, r, id)
	switch {
	case err != nil:
		return err
	case !mine:
		return foreignError{id}
	}
	return s.update(ctx, r, p)
}

// update gives the deployment group its settings. Its Auto Scaling group becomes
// the template's only if it still is the one that the template had before: all
// others were put there by CodeDeploy.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_UpdateDeploymentGroup.html
func (s *Resource) update(ctx context.Context, r customresource.Request, p Properties) error {
	id := p.identity()
	now, found, err := s.get(ctx, id)
	if err != nil {
		return err
	}
	if !found { // somebody deleted it
		return s.create(ctx, r, p, p.AutoScalingGroups[0])
	}
	var group []string
	if before, readErr := read(r.OldProperties); readErr == nil && len(now) == 1 &&
		now[0] == before.AutoScalingGroups[0] && now[0] != p.AutoScalingGroups[0] {
		group = p.AutoScalingGroups
	}
	return describe(s.onceRoleIsKnown(ctx, func() error {
		_, err := s.codedeploy.UpdateDeploymentGroup(ctx, p.update(id, group...))
		return err
	}), "update deployment group", id)
}

// replace makes another deployment group for the Auto Scaling group that the old
// one has now. CloudFormation deletes the old one later, or in a rollback the new
// one; both notes are there before either can happen.
func (s *Resource) replace(ctx context.Context, r customresource.Request, p Properties, old identity) error {
	now, found, err := s.get(ctx, old)
	if err != nil {
		return err
	}
	if !found || len(now) != 1 {
		return s.create(ctx, r, p, p.AutoScalingGroups[0])
	}
	address, err := old.arn(r.StackID)
	if err != nil {
		return err
	}
	if _, err := s.codedeploy.TagResource(ctx, &codedeploy.TagResourceInput{
		ResourceArn: &address, Tags: []types.Tag{tag(otherTag, p.identity().String())},
	}); err != nil {
		return describe(err, "tag deployment group", old)
	}
	group := now[0]
	if before, readErr := read(r.OldProperties); readErr == nil && group == before.AutoScalingGroups[0] {
		group = p.AutoScalingGroups[0] // none was copied: the template's counts
	}
	return s.create(ctx, r, p, group, tag(otherTag, old.String()))
}

// tidy deletes the other deployment group of a replacement that was given up
// before CloudFormation learnt of it, or whose delete was. What CloudFormation
// updates is the one that counts. No Auto Scaling group is touched.
func (s *Resource) tidy(ctx context.Context, r customresource.Request, id identity) error {
	_, name, err := s.owned(ctx, r, id)
	other, ok := parse(name)
	if err != nil || !ok {
		return err
	}
	_, found, err := s.get(ctx, other)
	if err != nil || !found {
		return err
	}
	if mine, _, err := s.owned(ctx, r, other); err != nil || !mine {
		return err
	}
	return s.delete(ctx, other)
}

// onceRoleIsKnown tries a call for as long as CodeDeploy cannot assume the role,
// a minute or so: one that was made a moment ago is not known everywhere yet.
func (s *Resource) onceRoleIsKnown(ctx context.Context, call func() error) error {
	const attempts = 12
	for attempt := 1; ; attempt++ {
		err := call()
		if !awsclient.IsCode(err, "InvalidRoleException") || attempt == attempts {
			return err
		}
		if s.pause(ctx, attempt) != nil {
			return err
		}
	}
}

// get lists the names of the deployment group's Auto Scaling groups.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentGroup.html
func (s *Resource) get(ctx context.Context, id identity) (groups []string, found bool, err error) {
	info, err := s.info(ctx, id)
	if err != nil || info == nil {
		return nil, false, err
	}
	for _, g := range info.AutoScalingGroups {
		groups = append(groups, aws.ToString(g.Name))
	}
	return groups, true, nil
}

// info is nil when there is no such deployment group.
func (s *Resource) info(ctx context.Context, id identity) (*types.DeploymentGroupInfo, error) {
	out, err := s.codedeploy.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{
		ApplicationName: &id.application, DeploymentGroupName: &id.group,
	})
	if isGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, describe(err, "get deployment group", id)
	}
	return out.DeploymentGroupInfo, nil
}

func isGone(err error) bool {
	return awsclient.IsCode(err, "DeploymentGroupDoesNotExistException", "ApplicationDoesNotExistException")
}

// owned says whether the deployment group, which exists, is this resource's, and
// which other one it names.
func (s *Resource) owned(ctx context.Context, r customresource.Request, id identity) (mine bool, other string, err error) {
	address, err := id.arn(r.StackID)
	if err != nil {
		return false, "", err
	}
	tags := map[string]string{}
	in := &codedeploy.ListTagsForResourceInput{ResourceArn: &address}
	for {
		out, err := s.codedeploy.ListTagsForResource(ctx, in)
		if err != nil {
			return false, "", describe(err, "list tags of deployment group", id)
		}
		for _, t := range out.Tags {
			tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
		if aws.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	return tags[stackTag] == r.StackID && tags[resourceTag] == r.LogicalID, tags[otherTag], nil
}

func (s *Resource) attributes(ctx context.Context, r customresource.Request, id identity) (map[string]string, error) {
	info, err := s.info(ctx, id)
	if err != nil {
		return nil, err
	}
	if info == nil {
		return nil, fmt.Errorf("get deployment group %s: it was made but is gone; try again", id)
	}
	address, err := id.arn(r.StackID)
	if err != nil {
		return nil, err
	}
	data := map[string]string{
		"Arn": address, "DeploymentGroupId": aws.ToString(info.DeploymentGroupId), "Name": id.group, "AutoScalingGroupName": "",
	}
	if len(info.AutoScalingGroups) > 0 {
		data["AutoScalingGroupName"] = aws.ToString(info.AutoScalingGroups[0].Name)
	}
	return data, nil
}

// describe says what was being done, and what a role lacks.
func describe(err error, verb string, object any) error {
	switch {
	case err == nil:
		return nil
	case awsclient.IsDenied(err):
		action, resource := awsclient.Denied(err)
		if resource == "" {
			resource = "it"
		}
		return fmt.Errorf("%s %v: the function's role does not allow %s on %s: %w", verb, object, action, resource, err)
	}
	return fmt.Errorf("%s %v: %w", verb, object, err)
}
