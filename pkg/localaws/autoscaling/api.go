package autoscaling

import (
	"fmt"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsquery"
)

// Wire is the service's API.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:       "autoscaling",
		Protocols:  []wire.Protocol{awsquery.Protocol{Version: "2011-01-01", Namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/"}},
		Invalid:    func(message string) *wire.Error { return invalid("%s", message) },
		Operations: slices.Concat(s.groupOperations(), s.instanceOperations(), s.scalingOperations(), s.refreshOperations()),
	}
}

func (s *Service) groupOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateAutoScalingGroup", s.CreateAutoScalingGroup, wire.Needs(func(in *CreateAutoScalingGroupInput) []wire.Access {
			access := append(s.on(in.AutoScalingGroupName), s.toLaunch(in.spec())...)
			if len(in.Tags) > 0 {
				access = append(access, wire.Access{Action: "autoscaling:CreateOrUpdateTags", Resource: s.groupARN(in.AutoScalingGroupName)})
			}
			return access
		})),
		wire.Op("UpdateAutoScalingGroup", s.UpdateAutoScalingGroup, wire.Needs(func(in *UpdateAutoScalingGroupInput) []wire.Access {
			return append(s.on(in.AutoScalingGroupName), s.toLaunch(in.spec())...)
		})),
		wire.Op("DeleteAutoScalingGroup", s.DeleteAutoScalingGroup, wire.Needs(func(in *DeleteAutoScalingGroupInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("DescribeAutoScalingGroups", s.DescribeAutoScalingGroups),
		wire.Op("CreateLaunchConfiguration", s.CreateLaunchConfiguration, wire.Needs(func(in *CreateLaunchConfigurationInput) []wire.Access {
			return append([]wire.Access{{Resource: s.arn("launchConfiguration", "*", in.LaunchConfigurationName)}}, s.passes(s.roleOf(in.IamInstanceProfile))...)
		})),
		wire.Op("DescribeLaunchConfigurations", s.DescribeLaunchConfigurations),
		wire.Op("DeleteLaunchConfiguration", s.DeleteLaunchConfiguration, wire.On(func(in *DeleteLaunchConfigurationInput) []string {
			return []string{s.configurationARN(in.LaunchConfigurationName)}
		})),
		wire.Op("CreateOrUpdateTags", s.CreateOrUpdateTags, wire.Needs(s.onTags)),
		wire.Op("DeleteTags", s.DeleteTags, wire.Needs(s.onTags)),
		wire.Op("DescribeTags", s.DescribeTags),
		wire.Op("SuspendProcesses", s.SuspendProcesses, wire.Needs(func(in *ProcessesInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("ResumeProcesses", s.ResumeProcesses, wire.Needs(func(in *ProcessesInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("PutNotificationConfiguration", s.PutNotificationConfiguration, wire.Needs(func(in *PutNotificationConfigurationInput) []wire.Access {
			return s.on(in.AutoScalingGroupName)
		})),
		wire.Op("DescribeNotificationConfigurations", s.DescribeNotificationConfigurations),
		wire.Op("DeleteNotificationConfiguration", s.DeleteNotificationConfiguration, wire.Needs(func(in *DeleteNotificationConfigurationInput) []wire.Access {
			return s.on(in.AutoScalingGroupName)
		})),
	}
}

func (s *Service) instanceOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("DescribeAutoScalingInstances", s.DescribeAutoScalingInstances),
		wire.Op("DescribeScalingActivities", s.DescribeScalingActivities),
		wire.Op("TerminateInstanceInAutoScalingGroup", s.TerminateInstanceInAutoScalingGroup, wire.Needs(func(in *TerminateInstanceInput) []wire.Access {
			return s.onMember(in.InstanceId)
		})),
		wire.Op("AttachInstances", s.AttachInstances, wire.Needs(func(in *AttachInstancesInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("DetachInstances", s.DetachInstances, wire.Needs(func(in *DetachInstancesInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("SetInstanceHealth", s.SetInstanceHealth, wire.Needs(func(in *SetInstanceHealthInput) []wire.Access { return s.onMember(in.InstanceId) })),
		wire.Op("SetInstanceProtection", s.SetInstanceProtection, wire.Needs(func(in *SetInstanceProtectionInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("AttachLoadBalancerTargetGroups", s.AttachLoadBalancerTargetGroups, wire.Needs(func(in *TargetGroupsInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("DetachLoadBalancerTargetGroups", s.DetachLoadBalancerTargetGroups, wire.Needs(func(in *TargetGroupsInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("DescribeLoadBalancerTargetGroups", s.DescribeLoadBalancerTargetGroups),
		wire.Op("PutLifecycleHook", s.PutLifecycleHook, wire.Needs(func(in *PutLifecycleHookInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("DescribeLifecycleHooks", s.DescribeLifecycleHooks),
		wire.Op("DeleteLifecycleHook", s.DeleteLifecycleHook, wire.Needs(func(in *LifecycleHookInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("CompleteLifecycleAction", s.CompleteLifecycleAction, wire.Needs(func(in *CompleteLifecycleActionInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("RecordLifecycleActionHeartbeat", s.RecordLifecycleActionHeartbeat, wire.Needs(func(in *HeartbeatInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
	}
}

func (s *Service) scalingOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("SetDesiredCapacity", s.SetDesiredCapacity, wire.Needs(func(in *SetDesiredCapacityInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("PutScalingPolicy", s.PutScalingPolicy, wire.Needs(func(in *PutScalingPolicyInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("DescribePolicies", s.DescribePolicies),
		wire.Op("DeletePolicy", s.DeletePolicy, wire.Needs(func(in *PolicyInput) []wire.Access { return s.onPolicy(in.AutoScalingGroupName, in.PolicyName) })),
		wire.Op("ExecutePolicy", s.ExecutePolicy, wire.Needs(func(in *ExecutePolicyInput) []wire.Access { return s.onPolicy(in.AutoScalingGroupName, in.PolicyName) })),
	}
}

func (s *Service) refreshOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("StartInstanceRefresh", s.StartInstanceRefresh, wire.Needs(func(in *StartInstanceRefreshInput) []wire.Access {
			access := s.on(in.AutoScalingGroupName)
			if d := in.DesiredConfiguration; d != nil {
				access = append(access, s.toLaunch(spec{template: d.LaunchTemplate, mixed: d.MixedInstancesPolicy})...)
			}
			return access
		})),
		wire.Op("DescribeInstanceRefreshes", s.DescribeInstanceRefreshes),
		wire.Op("CancelInstanceRefresh", s.CancelInstanceRefresh, wire.Needs(func(in *CancelInstanceRefreshInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
		wire.Op("RollbackInstanceRefresh", s.RollbackInstanceRefresh, wire.Needs(func(in *AutoScalingGroupInput) []wire.Access { return s.on(in.AutoScalingGroupName) })),
	}
}

// on is access to a group, with its tags as condition keys.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html
func (s *Service) on(name string) []wire.Access {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(name)
	if err != nil {
		return []wire.Access{{Resource: s.arn("autoScalingGroup", "*", name)}}
	}
	return []wire.Access{{Resource: g.arn, Context: g.keys()}}
}

func (g *group) keys() map[string]string {
	keys := map[string]string{}
	for _, t := range g.tags {
		keys["aws:ResourceTag/"+t.key], keys["autoscaling:ResourceTag/"+t.key] = t.value, t.value
	}
	return keys
}

func (s *Service) groupARN(name string) string { return s.on(name)[0].Resource }

func (s *Service) onMember(id string) []wire.Access {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, _, err := s.memberLocked(id)
	if err != nil {
		return []wire.Access{{Resource: s.arn("autoScalingGroup", "*", "*")}}
	}
	return []wire.Access{{Resource: g.arn, Context: g.keys()}}
}

// onPolicy is access to the group of a policy, which may be named by an ARN that
// ends in autoScalingGroupName/GROUP:policyName/POLICY.
func (s *Service) onPolicy(groupName, policy string) []wire.Access {
	if _, rest, ok := strings.Cut(policy, ":autoScalingGroupName/"); ok && groupName == "" {
		groupName, _, _ = strings.Cut(rest, ":policyName/")
	}
	return s.on(groupName)
}

func (s *Service) onTags(in *TagsInput) []wire.Access {
	var all []wire.Access
	for _, t := range in.Tags {
		all = append(all, s.on(t.ResourceId)...)
	}
	return all
}

func (s *Service) configurationARN(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.configurationLocked(name); c != nil {
		return c.LaunchConfigurationARN
	}
	return s.arn("launchConfiguration", "*", name)
}

// toLaunch is what launching from templates needs, which AWS checks when a group
// is given them: ec2:RunInstances and passing the roles of their profiles. A
// template that is not there is refused later.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html
func (s *Service) toLaunch(p spec) []wire.Access {
	var all []wire.Access
	for _, t := range p.specifications() {
		if t == nil {
			continue
		}
		found, err := s.Instances.Template(t.key(), t.Version)
		if err != nil {
			continue
		}
		prefix := fmt.Sprintf("arn:aws:ec2:%s:%s:", s.Region, s.Account)
		resources := []string{prefix + "launch-template/" + found.ID, prefix + "instance/*"}
		if strings.HasPrefix(found.ImageID, "ami-") {
			resources = append(resources, fmt.Sprintf("arn:aws:ec2:%s::image/%s", s.Region, found.ImageID))
		}
		for _, resource := range resources {
			all = append(all, wire.Access{Action: "ec2:RunInstances", Resource: resource})
		}
		all = append(all, s.passes(found.RoleARN)...)
	}
	return all
}

func (s *Service) roleOf(profile string) string {
	if profile == "" {
		return ""
	}
	return s.Instances.Role(profile)
}

// passes is the right to pass a role to instances.
func (s *Service) passes(role string) []wire.Access {
	if role == "" {
		return nil
	}
	return []wire.Access{{Action: "iam:PassRole", Resource: role, Context: map[string]string{"iam:PassedToService": "ec2.amazonaws.com"}}}
}
