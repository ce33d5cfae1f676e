package deploymentgroup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/smithy-go"
)

// world is what CodeDeploy and Auto Scaling hold.
type world struct {
	groups      map[string]*types.DeploymentGroupInfo // by APPLICATION/GROUP
	tags        map[string]map[string]string          // by ARN
	deployments map[string]*deployment                // by id
	scaling     map[string]int                        // looks that a group being deleted still lasts; -1 when it is not
	page        int                                   // groups a page, 0 for all
	made        int

	roleUnknown int // creates that find the role unknown

	calls int
	fault *fault
}

type deployment struct {
	group  identity
	status types.DeploymentStatus
}

// fault breaks the nth call: before it took effect, or after.
type fault struct {
	at    int
	after bool
}

var errLost = errors.New("the connection broke")

func newWorld(scalingGroups ...string) *world {
	w := &world{
		groups: map[string]*types.DeploymentGroupInfo{}, tags: map[string]map[string]string{},
		deployments: map[string]*deployment{}, scaling: map[string]int{},
	}
	for _, g := range scalingGroups {
		w.scaling[g] = -1
	}
	return w
}

// call counts a call, and breaks it when its turn has come.
func (w *world) call(do func() error) error {
	w.calls++
	broken := w.fault != nil && w.fault.at == w.calls
	if broken && !w.fault.after {
		return errLost
	}
	err := do()
	if broken {
		return errLost
	}
	return err
}

func code(c string) error { return &smithy.GenericAPIError{Code: c, Message: c} }

func address(id string) string {
	return "arn:aws:codedeploy:us-east-1:111122223333:deploymentgroup:" + id
}

func (w *world) names(application, group *string) (string, *types.DeploymentGroupInfo) {
	id := identity{aws.ToString(application), aws.ToString(group)}.String()
	return id, w.groups[id]
}

func (w *world) scalingGroups(names []string) ([]types.AutoScalingGroup, error) {
	var out []types.AutoScalingGroup
	for _, n := range names {
		if at, exists := w.scaling[n]; !exists || at >= 0 {
			return nil, code("InvalidAutoScalingGroupException")
		}
		out = append(out, types.AutoScalingGroup{Name: aws.String(n)})
	}
	return out, nil
}

func (w *world) CreateDeploymentGroup(_ context.Context, in *codedeploy.CreateDeploymentGroupInput, _ ...func(*codedeploy.Options)) (*codedeploy.CreateDeploymentGroupOutput, error) {
	return &codedeploy.CreateDeploymentGroupOutput{}, w.call(func() error {
		id, g := w.names(in.ApplicationName, in.DeploymentGroupName)
		if w.roleUnknown > 0 {
			w.roleUnknown--
			return code("InvalidRoleException")
		}
		if g != nil {
			return code("DeploymentGroupAlreadyExistsException")
		}
		groups, err := w.scalingGroups(in.AutoScalingGroups)
		if err != nil {
			return err
		}
		w.made++
		w.groups[id] = &types.DeploymentGroupInfo{
			DeploymentGroupId: aws.String(fmt.Sprint("id-", w.made)), AutoScalingGroups: groups, ServiceRoleArn: in.ServiceRoleArn,
			DeploymentConfigName: in.DeploymentConfigName, DeploymentStyle: in.DeploymentStyle,
			BlueGreenDeploymentConfiguration: in.BlueGreenDeploymentConfiguration, LoadBalancerInfo: in.LoadBalancerInfo,
			AlarmConfiguration: in.AlarmConfiguration, AutoRollbackConfiguration: in.AutoRollbackConfiguration,
		}
		w.tag(address(id), in.Tags)
		return nil
	})
}

func (w *world) tag(arn string, tags []types.Tag) {
	if w.tags[arn] == nil {
		w.tags[arn] = map[string]string{}
	}
	for _, t := range tags {
		w.tags[arn][*t.Key] = *t.Value
	}
}

func (w *world) UpdateDeploymentGroup(_ context.Context, in *codedeploy.UpdateDeploymentGroupInput, _ ...func(*codedeploy.Options)) (*codedeploy.UpdateDeploymentGroupOutput, error) {
	return &codedeploy.UpdateDeploymentGroupOutput{}, w.call(func() error {
		_, g := w.names(in.ApplicationName, in.CurrentDeploymentGroupName)
		if g == nil {
			return code("DeploymentGroupDoesNotExistException")
		}
		if in.AutoScalingGroups != nil {
			groups, err := w.scalingGroups(in.AutoScalingGroups)
			if err != nil {
				return err
			}
			g.AutoScalingGroups = groups
		}
		g.ServiceRoleArn, g.DeploymentConfigName, g.DeploymentStyle = in.ServiceRoleArn, in.DeploymentConfigName, in.DeploymentStyle
		g.BlueGreenDeploymentConfiguration, g.LoadBalancerInfo = in.BlueGreenDeploymentConfiguration, in.LoadBalancerInfo
		g.AlarmConfiguration, g.AutoRollbackConfiguration = in.AlarmConfiguration, in.AutoRollbackConfiguration
		return nil
	})
}

func (w *world) GetDeploymentGroup(_ context.Context, in *codedeploy.GetDeploymentGroupInput, _ ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentGroupOutput, error) {
	out := &codedeploy.GetDeploymentGroupOutput{}
	return out, w.call(func() error {
		_, g := w.names(in.ApplicationName, in.DeploymentGroupName)
		if g == nil {
			return code("DeploymentGroupDoesNotExistException")
		}
		out.DeploymentGroupInfo = g
		return nil
	})
}

func (w *world) DeleteDeploymentGroup(_ context.Context, in *codedeploy.DeleteDeploymentGroupInput, _ ...func(*codedeploy.Options)) (*codedeploy.DeleteDeploymentGroupOutput, error) {
	return &codedeploy.DeleteDeploymentGroupOutput{}, w.call(func() error {
		id, _ := w.names(in.ApplicationName, in.DeploymentGroupName)
		delete(w.groups, id)
		delete(w.tags, address(id))
		return nil
	})
}

func (w *world) ListTagsForResource(_ context.Context, in *codedeploy.ListTagsForResourceInput, _ ...func(*codedeploy.Options)) (*codedeploy.ListTagsForResourceOutput, error) {
	out := &codedeploy.ListTagsForResourceOutput{}
	return out, w.call(func() error {
		for _, k := range slices.Sorted(maps.Keys(w.tags[*in.ResourceArn])) {
			out.Tags = append(out.Tags, tag(k, w.tags[*in.ResourceArn][k]))
		}
		return nil
	})
}

func (w *world) TagResource(_ context.Context, in *codedeploy.TagResourceInput, _ ...func(*codedeploy.Options)) (*codedeploy.TagResourceOutput, error) {
	return &codedeploy.TagResourceOutput{}, w.call(func() error { w.tag(*in.ResourceArn, in.Tags); return nil })
}

func (w *world) ListDeployments(_ context.Context, in *codedeploy.ListDeploymentsInput, _ ...func(*codedeploy.Options)) (*codedeploy.ListDeploymentsOutput, error) {
	out := &codedeploy.ListDeploymentsOutput{}
	return out, w.call(func() error {
		for _, id := range slices.Sorted(maps.Keys(w.deployments)) {
			d := w.deployments[id]
			if d.group == (identity{*in.ApplicationName, *in.DeploymentGroupName}) &&
				(in.IncludeOnlyStatuses == nil || slices.Contains(in.IncludeOnlyStatuses, d.status)) {
				out.Deployments = append(out.Deployments, id)
			}
		}
		return nil
	})
}

func (w *world) StopDeployment(_ context.Context, in *codedeploy.StopDeploymentInput, _ ...func(*codedeploy.Options)) (*codedeploy.StopDeploymentOutput, error) {
	return &codedeploy.StopDeploymentOutput{}, w.call(func() error {
		if w.deployments[*in.DeploymentId].status == types.DeploymentStatusStopped {
			return code("DeploymentAlreadyCompletedException")
		}
		w.deployments[*in.DeploymentId].status = types.DeploymentStatusStopped
		return nil
	})
}

func (w *world) DescribeAutoScalingGroups(_ context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	out := &autoscaling.DescribeAutoScalingGroupsOutput{}
	return out, w.call(func() error {
		for _, n := range slices.Sorted(maps.Keys(w.scaling)) {
			if len(in.AutoScalingGroupNames) > 0 && !slices.Contains(in.AutoScalingGroupNames, n) || n <= aws.ToString(in.NextToken) {
				continue
			}
			if w.page > 0 && len(out.AutoScalingGroups) == w.page {
				out.NextToken = out.AutoScalingGroups[w.page-1].AutoScalingGroupName
				return nil
			}
			g := scaling.AutoScalingGroup{AutoScalingGroupName: aws.String(n)}
			switch left := w.scaling[n]; {
			case left == 0:
				delete(w.scaling, n)
				continue
			case left > 0:
				g.Status = aws.String("Delete in progress")
				w.scaling[n]--
			}
			out.AutoScalingGroups = append(out.AutoScalingGroups, g)
		}
		return nil
	})
}

func (w *world) DeleteAutoScalingGroup(_ context.Context, in *autoscaling.DeleteAutoScalingGroupInput, _ ...func(*autoscaling.Options)) (*autoscaling.DeleteAutoScalingGroupOutput, error) {
	return &autoscaling.DeleteAutoScalingGroupOutput{}, w.call(func() error {
		switch left, exists := w.scaling[*in.AutoScalingGroupName]; {
		case !exists:
			return code("ValidationError")
		case left >= 0:
			return code("ScalingActivityInProgress")
		case !aws.ToBool(in.ForceDelete):
			return code("ResourceInUse")
		}
		w.scaling[*in.AutoScalingGroupName] = 2
		return nil
	})
}

// deploy copies the deployment group's Auto Scaling group, as a deployment does;
// one that succeeds also deletes the original.
func (w *world) deploy(id identity, deploymentID string, status types.DeploymentStatus) {
	w.deployments[deploymentID] = &deployment{id, status}
	copied := "CodeDeploy_" + id.group + "_" + deploymentID
	w.scaling[copied] = -1
	if status == types.DeploymentStatusSucceeded {
		g := w.groups[id.String()]
		delete(w.scaling, *g.AutoScalingGroups[0].Name)
		g.AutoScalingGroups = []types.AutoScalingGroup{{Name: aws.String(copied)}}
	}
}

// String is all that counts at the end of a test.
func (w *world) String() string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(w.groups)) {
		g := w.groups[id]
		fmt.Fprintf(&b, "%s: role %s, waits %d min", id, *g.ServiceRoleArn,
			g.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess.TerminationWaitTimeInMinutes)
		for _, a := range g.AutoScalingGroups {
			fmt.Fprintf(&b, ", on %s", *a.Name)
		}
		fmt.Fprintf(&b, ", tags %v\n", w.tags[address(id)])
	}
	fmt.Fprintf(&b, "Auto Scaling groups %v\n", slices.Sorted(maps.Keys(w.scaling)))
	for _, id := range slices.Sorted(maps.Keys(w.deployments)) {
		fmt.Fprintf(&b, "deployment %s of %s is %s\n", id, w.deployments[id].group, w.deployments[id].status)
	}
	return b.String()
}
