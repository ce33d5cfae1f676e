package deploymentgroup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"cutover/pkg/awsclient"
	"cutover/pkg/customresource"
)

// copyPrefix begins the names of the groups that CodeDeploy copies.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/integrations-aws-auto-scaling.html
const copyPrefix = "CodeDeploy_"

// remove deletes the deployment group, if it is this resource's, after the copies.
func (s *Resource) remove(ctx context.Context, r customresource.Request) error {
	p, err := read(r.Properties)
	if err != nil {
		// A create was refused with the same faults, or the properties come from
		// an older function. What to delete is known by its id.
		p = Properties{}
	}
	id, known := parse(r.PhysicalID)
	if !known { // its create never answered
		if err != nil {
			return nil
		}
		id = p.identity()
	}
	listed, found, err := s.get(ctx, id)
	if err != nil || !found {
		return err
	}
	mine, other, err := s.owned(ctx, r, id)
	if err != nil || !mine {
		return err
	}
	if err := s.stop(ctx, id); err != nil {
		return err
	}
	if p.deleteCopies() {
		keep := p.AutoScalingGroups // is the stack's own to delete
		if sibling, ok := parse(other); ok {
			used, _, err := s.get(ctx, sibling)
			if err != nil {
				return err
			}
			keep = append(slices.Clone(keep), used...)
		}
		if err := s.deleteCopies(ctx, id, listed, keep); err != nil {
			return err
		}
	}
	return s.delete(ctx, id)
}

// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeleteDeploymentGroup.html
func (s *Resource) delete(ctx context.Context, id identity) error {
	_, err := s.codedeploy.DeleteDeploymentGroup(ctx, &codedeploy.DeleteDeploymentGroupInput{
		ApplicationName: &id.application, DeploymentGroupName: &id.group,
	})
	if isGone(err) {
		return nil
	}
	return describe(err, "delete deployment group", id)
}

// stop ends the deployments under way, which would go on making a copy, and
// waits until none is left.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_StopDeployment.html
func (s *Resource) stop(ctx context.Context, id identity) error {
	for attempt := 1; ; attempt++ {
		running, err := s.deployments(ctx, id, types.DeploymentStatusCreated, types.DeploymentStatusQueued,
			types.DeploymentStatusInProgress, types.DeploymentStatusBaking, types.DeploymentStatusReady)
		if err != nil || len(running) == 0 {
			return err
		}
		for _, deployment := range running {
			_, err := s.codedeploy.StopDeployment(ctx, &codedeploy.StopDeploymentInput{
				DeploymentId: aws.String(deployment), AutoRollbackEnabled: aws.Bool(false),
			})
			if err != nil && !awsclient.IsCode(err, "DeploymentAlreadyCompletedException") {
				return describe(err, "stop deployment", deployment)
			}
		}
		if s.pause(ctx, attempt) != nil {
			return fmt.Errorf("stop deployment %s of %s: it was still under way when the function's time was up; delete the stack again", running[0], id)
		}
	}
}

// deployments lists ids, of all statuses when none is given.
func (s *Resource) deployments(ctx context.Context, id identity, statuses ...types.DeploymentStatus) ([]string, error) {
	in := &codedeploy.ListDeploymentsInput{ApplicationName: &id.application, DeploymentGroupName: &id.group, IncludeOnlyStatuses: statuses}
	var ids []string
	for {
		out, err := s.codedeploy.ListDeployments(ctx, in)
		if isGone(err) {
			return ids, nil
		}
		if err != nil {
			return nil, describe(err, "list deployments of", id)
		}
		ids = append(ids, out.Deployments...)
		if aws.ToString(out.NextToken) == "" {
			return ids, nil
		}
		in.NextToken = out.NextToken
	}
}

// deleteCopies deletes the copied groups that the deployment group has now, and
// those that its failed and kept deployments left, and waits until they are gone:
// the stack deletes next what their instances use.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html
func (s *Resource) deleteCopies(ctx context.Context, id identity, listed, keep []string) error {
	own, err := s.copies(ctx, id, listed)
	if err != nil {
		return err
	}
	own = slices.DeleteFunc(own, func(name string) bool { return slices.Contains(keep, name) })
	for attempt := 1; len(own) > 0; attempt++ {
		left, err := s.groups(ctx, own...)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, g := range left {
			if aws.ToString(g.Status) != "" {
				continue // is being deleted
			}
			_, err := s.scaling.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{
				AutoScalingGroupName: g.AutoScalingGroupName, ForceDelete: aws.Bool(true),
			})
			// Busy ones are tried again; of those gone AWS says ValidationError,
			// and the next look does not list them.
			if err != nil && !awsclient.IsCode(err, "ResourceInUse", "ScalingActivityInProgress", "ResourceContention", "ValidationError") {
				return describe(err, "delete Auto Scaling group", aws.ToString(g.AutoScalingGroupName))
			}
		}
		if s.pause(ctx, attempt) != nil {
			return fmt.Errorf("delete Auto Scaling group %s, which CodeDeploy copied: it was still there when the function's time was up; delete the stack again",
				aws.ToString(left[0].AutoScalingGroupName))
		}
	}
	return nil
}

// copies names the existing groups that deployments of this deployment group made.
// Deployment groups of other applications may have the same name, so a name alone
// does not count: the group is listed, or the deployment it is named after is ours.
func (s *Resource) copies(ctx context.Context, id identity, listed []string) ([]string, error) {
	all, err := s.groups(ctx)
	if err != nil {
		return nil, err
	}
	var own, maybe []string
	for _, g := range all {
		switch name := aws.ToString(g.AutoScalingGroupName); {
		case !strings.HasPrefix(name, copyPrefix):
		case slices.Contains(listed, name):
			own = append(own, name)
		case strings.HasPrefix(name, copyPrefix+id.group+"_"):
			maybe = append(maybe, name)
		}
	}
	if len(maybe) == 0 {
		return own, nil
	}
	made, err := s.deployments(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, name := range maybe {
		if slices.Contains(made, strings.TrimPrefix(name, copyPrefix+id.group+"_")) {
			own = append(own, name)
		}
	}
	return own, nil
}

// groups describes the existing ones of the names, or all of the account's.
func (s *Resource) groups(ctx context.Context, names ...string) ([]scaling.AutoScalingGroup, error) {
	in := &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names, MaxRecords: aws.Int32(100)}
	var groups []scaling.AutoScalingGroup
	for {
		out, err := s.scaling.DescribeAutoScalingGroups(ctx, in)
		if err != nil {
			return nil, describe(err, "describe Auto Scaling groups", names)
		}
		groups = append(groups, out.AutoScalingGroups...)
		if aws.ToString(out.NextToken) == "" {
			return groups, nil
		}
		in.NextToken = out.NextToken
	}
}
