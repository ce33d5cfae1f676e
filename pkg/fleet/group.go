package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cdtypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"cutover/pkg/awsclient"
)

// A Target says which group is meant: by name, or as the one that CodeDeploy's
// deployment group has now. Its deployments copy the group under a new name.
type Target struct {
	Group           string
	Application     string
	DeploymentGroup string
}

// String names the target in messages and tags.
func (t Target) String() string {
	if t.Group != "" {
		return t.Group
	}
	return t.Application + "/" + t.DeploymentGroup
}

// A Fleet is a group with what it launches.
type Fleet struct {
	Target
	types.AutoScalingGroup

	// Configuration is the launch configuration in use, nil with a template.
	Configuration *types.LaunchConfiguration

	// Versions are the template versions in use, by the group's own
	// specification of them: see specKey.
	Versions map[string]ec2types.LaunchTemplateVersion

	// Deployment is the id of CodeDeploy's deployment that is not over yet, and
	// may copy or end the group; "" without one.
	Deployment string

	equal    map[string]int64           // by specKey: a version equal to the one that is wanted
	prepared *types.LaunchConfiguration // the configuration that has the wanted one's name
}

// Name is the group's name.
func (f Fleet) Name() string { return str(f.AutoScalingGroupName) }

// APIs are the services that a fleet is read from.
type APIs struct {
	AutoScaling AutoScaling
	EC2         EC2
	CodeDeploy  func() CodeDeploy // called only for a target named through it
}

// Observe reads the group and its launch settings. What is wrong with the
// target comes as faults.
func Observe(ctx context.Context, api APIs, t Target) (f Fleet, faults []string, err error) {
	f.Target = t
	name := t.Group
	if name == "" {
		if name, f.Deployment, faults, err = deployed(ctx, api.CodeDeploy(), t); err != nil || len(faults) > 0 {
			return f, faults, err
		}
	}
	out, err := api.AutoScaling.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	if err != nil {
		return f, nil, fmt.Errorf("describe Auto Scaling group %s: %w", name, err)
	}
	if len(out.AutoScalingGroups) == 0 {
		return f, []string{fmt.Sprintf("there is no Auto Scaling group %s%s", name, t.because())}, nil
	}
	f.AutoScalingGroup = out.AutoScalingGroups[0]
	if f.Status != nil { // told only then
		return f, []string{fmt.Sprintf("group %s is being deleted%s", name, t.because())}, nil
	}
	faults, err = f.readLaunch(ctx, api)
	return f, faults, err
}

func (t Target) because() string {
	if t.Group != "" {
		return ""
	}
	return ", which deployment group " + t.String() + " names"
}

// deployed finds the group that a deployment group has now.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentGroup.html
func deployed(ctx context.Context, api CodeDeploy, t Target) (name, deployment string, faults []string, err error) {
	out, err := api.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: &t.Application, DeploymentGroupName: &t.DeploymentGroup})
	switch {
	case awsclient.IsCode(err, "ApplicationDoesNotExistException"):
		return "", "", []string{fmt.Sprintf("there is no CodeDeploy application %s", t.Application)}, nil
	case awsclient.IsCode(err, "DeploymentGroupDoesNotExistException"):
		return "", "", []string{fmt.Sprintf("CodeDeploy application %s has no deployment group %s", t.Application, t.DeploymentGroup)}, nil
	case err != nil:
		return "", "", nil, fmt.Errorf("get deployment group %s: %w", t, err)
	}
	info := out.DeploymentGroupInfo
	var names []string
	for _, g := range info.AutoScalingGroups {
		names = append(names, str(g.Name))
	}
	if len(names) != 1 {
		has := "none"
		if len(names) > 0 {
			has = strings.Join(names, ", ")
		}
		return "", "", []string{fmt.Sprintf("deployment group %s must have exactly one Auto Scaling group (it has %s)", t, has)}, nil
	}
	if last := info.LastAttemptedDeployment; last != nil && !over(last.Status) {
		deployment = str(last.DeploymentId)
	}
	return names[0], deployment, nil, nil
}

// over tells whether a deployment will change nothing more.
func over(s cdtypes.DeploymentStatus) bool {
	return slices.Contains([]cdtypes.DeploymentStatus{"", cdtypes.DeploymentStatusSucceeded, cdtypes.DeploymentStatusFailed, cdtypes.DeploymentStatusStopped}, s)
}

// Images are what the group launches now, without repetition, and the
// overrides that pin images of their own.
func (f Fleet) Images() []string {
	var images []string
	add := func(id string) {
		if id != "" && !slices.Contains(images, id) {
			images = append(images, id)
		}
	}
	if f.Configuration != nil {
		add(str(f.Configuration.ImageId))
	}
	for _, spec := range f.specs() {
		if data := f.Versions[specKey(spec)].LaunchTemplateData; data != nil {
			add(str(data.ImageId))
		}
	}
	for _, o := range f.overrides() {
		add(str(o.ImageId))
	}
	return images
}

// Standing says in a clause what the group launches and how many instances it
// has, for messages.
func (f Fleet) Standing() string {
	if f.AutoScalingGroupName == nil {
		return "the group was not found"
	}
	serving := 0
	for _, i := range f.Instances {
		if i.LifecycleState == types.LifecycleStateInService {
			serving++
		}
	}
	launches := "launches no image that is known"
	if images := f.Images(); len(images) > 0 {
		launches = "launches " + strings.Join(images, ", ")
	}
	return fmt.Sprintf("group %s %s and has %d instances in service", f.Name(), launches, serving)
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func ptr[T any](v T) *T { return &v }
