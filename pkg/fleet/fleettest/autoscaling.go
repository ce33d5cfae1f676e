package fleettest

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cdtypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Scaling is the world's Auto Scaling.
type Scaling struct{ w *World }

// AutoScaling returns the world's Auto Scaling.
func (w *World) AutoScaling() Scaling { return Scaling{w} }

// DescribeAutoScalingGroups answers the groups named, or all.
func (a Scaling) DescribeAutoScalingGroups(_ context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	return call(a.w, "DescribeAutoScalingGroups", func() (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
		out := &autoscaling.DescribeAutoScalingGroupsOutput{}
		for _, name := range slices.Sorted(maps.Keys(a.w.Groups)) {
			if len(in.AutoScalingGroupNames) == 0 || slices.Contains(in.AutoScalingGroupNames, name) {
				out.AutoScalingGroups = append(out.AutoScalingGroups, clone(*a.w.Groups[name]))
			}
		}
		return out, nil
	})
}

// UpdateAutoScalingGroup sets what the group launches, whole.
func (a Scaling) UpdateAutoScalingGroup(_ context.Context, in *autoscaling.UpdateAutoScalingGroupInput, _ ...func(*autoscaling.Options)) (*autoscaling.UpdateAutoScalingGroupOutput, error) {
	return call(a.w, "UpdateAutoScalingGroup", func() (*autoscaling.UpdateAutoScalingGroupOutput, error) {
		given := 0
		for _, is := range []bool{in.LaunchTemplate != nil, in.MixedInstancesPolicy != nil, in.LaunchConfigurationName != nil} {
			if is {
				given++
			}
		}
		if given != 1 || in.LaunchTemplate != nil && in.LaunchTemplate.LaunchTemplateName != nil {
			return refuse[autoscaling.UpdateAutoScalingGroupOutput]("ValidationError", "one of them, by id or by name")
		}
		a.w.set(a.w.Groups[*in.AutoScalingGroupName], in.LaunchTemplate, in.MixedInstancesPolicy, in.LaunchConfigurationName)
		return &autoscaling.UpdateAutoScalingGroupOutput{}, nil
	})
}

func (w *World) set(g *types.AutoScalingGroup, t *types.LaunchTemplateSpecification, m *types.MixedInstancesPolicy, configuration *string) {
	if t != nil {
		t = ptr(clone(*t))
		t.LaunchTemplateName = ptr("web") // AWS tells it too
	}
	g.LaunchTemplate, g.LaunchConfigurationName = t, configuration
	if g.MixedInstancesPolicy = nil; m != nil {
		g.MixedInstancesPolicy = ptr(clone(*m))
	}
}

// DescribeLaunchConfigurations answers those named, or all, with "" for some
// settings that are not set.
func (a Scaling) DescribeLaunchConfigurations(_ context.Context, in *autoscaling.DescribeLaunchConfigurationsInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeLaunchConfigurationsOutput, error) {
	return call(a.w, "DescribeLaunchConfigurations", func() (*autoscaling.DescribeLaunchConfigurationsOutput, error) {
		out := &autoscaling.DescribeLaunchConfigurationsOutput{}
		for _, name := range slices.Sorted(maps.Keys(a.w.Configurations)) {
			if len(in.LaunchConfigurationNames) == 0 || slices.Contains(in.LaunchConfigurationNames, name) {
				c := clone(*a.w.Configurations[name])
				c.KernelId, c.RamdiskId = ptr(""), ptr("")
				out.LaunchConfigurations = append(out.LaunchConfigurations, c)
			}
		}
		return out, nil
	})
}

// CreateLaunchConfiguration makes a configuration.
func (a Scaling) CreateLaunchConfiguration(_ context.Context, in *autoscaling.CreateLaunchConfigurationInput, _ ...func(*autoscaling.Options)) (*autoscaling.CreateLaunchConfigurationOutput, error) {
	return call(a.w, "CreateLaunchConfiguration", func() (*autoscaling.CreateLaunchConfigurationOutput, error) {
		name := *in.LaunchConfigurationName
		switch {
		case a.w.NoConfigurations:
			return refuse[autoscaling.CreateLaunchConfigurationOutput]("UnsupportedOperation", "The Launch Configuration creation operation is not available in your account.")
		case a.w.Configurations[name] != nil:
			return refuse[autoscaling.CreateLaunchConfigurationOutput]("AlreadyExists", "%s", name)
		case in.KernelId != nil && *in.KernelId == "":
			return refuse[autoscaling.CreateLaunchConfigurationOutput]("ValidationError", "an empty kernel id")
		}
		a.w.Configurations[name] = &types.LaunchConfiguration{
			LaunchConfigurationName: &name, CreatedTime: ptr(a.w.Now), ImageId: in.ImageId, InstanceType: in.InstanceType, KeyName: in.KeyName,
			SecurityGroups: in.SecurityGroups, UserData: in.UserData, SpotPrice: in.SpotPrice, IamInstanceProfile: in.IamInstanceProfile,
			BlockDeviceMappings: in.BlockDeviceMappings, EbsOptimized: in.EbsOptimized, AssociatePublicIpAddress: in.AssociatePublicIpAddress,
			InstanceMonitoring: in.InstanceMonitoring, PlacementTenancy: in.PlacementTenancy, MetadataOptions: in.MetadataOptions,
		}
		return &autoscaling.CreateLaunchConfigurationOutput{}, nil
	})
}

// DeleteLaunchConfiguration removes one that no group has.
func (a Scaling) DeleteLaunchConfiguration(_ context.Context, in *autoscaling.DeleteLaunchConfigurationInput, _ ...func(*autoscaling.Options)) (*autoscaling.DeleteLaunchConfigurationOutput, error) {
	return call(a.w, "DeleteLaunchConfiguration", func() (*autoscaling.DeleteLaunchConfigurationOutput, error) {
		name := *in.LaunchConfigurationName
		for _, g := range a.w.Groups {
			if str(g.LaunchConfigurationName) == name {
				return refuse[autoscaling.DeleteLaunchConfigurationOutput]("ResourceInUse", "%s", name)
			}
		}
		if a.w.Configurations[name] == nil {
			return refuse[autoscaling.DeleteLaunchConfigurationOutput]("ValidationError", "Launch configuration name not found")
		}
		delete(a.w.Configurations, name)
		return &autoscaling.DeleteLaunchConfigurationOutput{}, nil
	})
}

// DescribeInstanceRefreshes answers a group's, the newest first.
func (a Scaling) DescribeInstanceRefreshes(_ context.Context, in *autoscaling.DescribeInstanceRefreshesInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeInstanceRefreshesOutput, error) {
	return call(a.w, "DescribeInstanceRefreshes", func() (*autoscaling.DescribeInstanceRefreshesOutput, error) {
		out := &autoscaling.DescribeInstanceRefreshesOutput{}
		for _, r := range slices.Backward(a.w.Refreshes) {
			if *r.AutoScalingGroupName == *in.AutoScalingGroupName {
				out.InstanceRefreshes = append(out.InstanceRefreshes, clone(*r))
			}
		}
		return out, nil
	})
}

// StartInstanceRefresh starts one, unless one is in progress.
func (a Scaling) StartInstanceRefresh(_ context.Context, in *autoscaling.StartInstanceRefreshInput, _ ...func(*autoscaling.Options)) (*autoscaling.StartInstanceRefreshOutput, error) {
	return call(a.w, "StartInstanceRefresh", func() (*autoscaling.StartInstanceRefreshOutput, error) {
		for _, r := range a.w.Refreshes {
			if r.EndTime == nil {
				return refuse[autoscaling.StartInstanceRefreshOutput]("InstanceRefreshInProgress", "")
			}
		}
		r := &types.InstanceRefresh{
			InstanceRefreshId: ptr(a.w.next("refresh-")), AutoScalingGroupName: in.AutoScalingGroupName, StartTime: ptr(a.w.Now),
			Status: types.InstanceRefreshStatusInProgress, PercentageComplete: ptr(int32(0)), Preferences: in.Preferences,
		}
		if in.DesiredConfiguration != nil {
			r.DesiredConfiguration = ptr(clone(*in.DesiredConfiguration))
		}
		a.w.Refreshes = append(a.w.Refreshes, r)
		return &autoscaling.StartInstanceRefreshOutput{InstanceRefreshId: r.InstanceRefreshId}, nil
	})
}

// advanceRefresh replaces one instance, or ends the refresh.
func (w *World) advanceRefresh(r *types.InstanceRefresh) {
	if r.EndTime != nil {
		return
	}
	g := w.Groups[*r.AutoScalingGroupName]
	if w.BreakRefresh {
		r.Status, r.StatusReason, r.EndTime = types.InstanceRefreshStatusFailed, ptr("instances did not become healthy"), ptr(w.Now)
		if r.Preferences != nil && r.Preferences.AutoRollback != nil {
			r.Status = types.InstanceRefreshStatusRollbackSuccessful
		}
		return
	}
	wanted := *g
	if d := r.DesiredConfiguration; d != nil {
		wanted.LaunchTemplate, wanted.MixedInstancesPolicy = d.LaunchTemplate, d.MixedInstancesPolicy
	}
	image := w.launched(&wanted)
	for n, i := range g.Instances {
		if *w.Instances[*i.InstanceId].ImageId != image {
			w.Instances[*i.InstanceId].State.Name = ec2types.InstanceStateNameTerminated
			g.Instances = slices.Delete(g.Instances, n, n+1)
			w.launch(g, image)
			r.PercentageComplete = ptr(*r.PercentageComplete + 50)
			return
		}
	}
	r.Status, r.EndTime = types.InstanceRefreshStatusSuccessful, ptr(w.Now)
	if r.DesiredConfiguration != nil {
		w.set(g, wanted.LaunchTemplate, wanted.MixedInstancesPolicy, nil)
	}
}

// launched is the image that the group launches.
func (w *World) launched(g *types.AutoScalingGroup) string {
	if name := str(g.LaunchConfigurationName); name != "" {
		return *w.Configurations[name].ImageId
	}
	spec := g.LaunchTemplate
	if spec == nil {
		spec = g.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification
	}
	return *w.find(*spec.LaunchTemplateId, *spec.Version).LaunchTemplateData.ImageId
}

// Launched is the image that the group launches.
func (w *World) Launched(group string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.launched(w.Groups[group])
}

// Replace puts instances of the image in the place of the group's, as a
// deployment does.
func (w *World) Replace(group string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.Groups[group]
	for _, i := range g.Instances {
		w.Instances[*i.InstanceId].State.Name = ec2types.InstanceStateNameTerminated
	}
	count := len(g.Instances)
	g.Instances = nil
	for range count {
		w.launch(g, w.launched(g))
	}
}

// Deployments is the world's CodeDeploy.
type Deployments struct{ w *World }

// CodeDeploy returns the world's CodeDeploy.
func (w *World) CodeDeploy() Deployments { return Deployments{w} }

// GetDeploymentGroup answers the deployment group webapp of webapp.
func (d Deployments) GetDeploymentGroup(_ context.Context, in *codedeploy.GetDeploymentGroupInput, _ ...func(*codedeploy.Options)) (*codedeploy.GetDeploymentGroupOutput, error) {
	return call(d.w, "GetDeploymentGroup", func() (*codedeploy.GetDeploymentGroupOutput, error) {
		if *in.ApplicationName != "webapp" {
			return refuse[codedeploy.GetDeploymentGroupOutput]("ApplicationDoesNotExistException", "%s", *in.ApplicationName)
		}
		if *in.DeploymentGroupName != "webapp" {
			return refuse[codedeploy.GetDeploymentGroupOutput]("DeploymentGroupDoesNotExistException", "%s", *in.DeploymentGroupName)
		}
		info := &cdtypes.DeploymentGroupInfo{}
		for _, name := range d.w.Deployment.Groups {
			info.AutoScalingGroups = append(info.AutoScalingGroups, cdtypes.AutoScalingGroup{Name: ptr(name)})
		}
		if id := d.w.Deployment.Active; id != "" {
			info.LastAttemptedDeployment = &cdtypes.LastDeploymentInfo{DeploymentId: ptr(id), Status: cdtypes.DeploymentStatusInProgress}
		}
		return &codedeploy.GetDeploymentGroupOutput{DeploymentGroupInfo: info}, nil
	})
}
