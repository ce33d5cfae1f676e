package autoscaling

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"cutover/pkg/localaws/resource"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-autoscaling-launchconfiguration.html
type configurationProperties struct {
	LaunchConfigurationName  string
	ImageId                  string `aws:",required"`
	InstanceType             string `aws:",required"`
	KeyName                  *string
	SecurityGroups           []string
	UserData                 string
	KernelId                 *string
	RamDiskId                *string
	BlockDeviceMappings      []BlockDeviceMapping
	InstanceMonitoring       *bool
	SpotPrice                string
	IamInstanceProfile       string
	EbsOptimized             *bool
	AssociatePublicIpAddress *bool
	PlacementTenancy         string
	MetadataOptions          *InstanceMetadataOptions
}

func (s *Service) createConfigurationResource(ctx context.Context, r resource.Request, p *configurationProperties) (resource.State, error) {
	name := cmp.Or(p.LaunchConfigurationName, r.GeneratedName(255))
	in := &CreateLaunchConfigurationInput{
		LaunchConfigurationName: name, ImageId: p.ImageId, InstanceType: p.InstanceType, KeyName: p.KeyName, SecurityGroups: p.SecurityGroups, UserData: p.UserData,
		KernelId: p.KernelId, RamdiskId: p.RamDiskId, BlockDeviceMappings: p.BlockDeviceMappings, SpotPrice: p.SpotPrice, IamInstanceProfile: p.IamInstanceProfile,
		EbsOptimized: p.EbsOptimized, AssociatePublicIpAddress: p.AssociatePublicIpAddress, PlacementTenancy: p.PlacementTenancy, MetadataOptions: p.MetadataOptions,
	}
	if p.InstanceMonitoring != nil {
		in.InstanceMonitoring = &InstanceMonitoring{Enabled: p.InstanceMonitoring}
	}
	if _, err := s.CreateLaunchConfiguration(ctx, in); err != nil {
		return resource.State{}, fmt.Errorf("create launch configuration %s: %w", name, err)
	}
	return resource.State{PhysicalID: name}, nil
}

func (s *Service) deleteConfigurationResource(ctx context.Context, r resource.Request) error {
	s.mu.Lock()
	gone := s.configurationLocked(r.PhysicalID) == nil
	s.mu.Unlock()
	if gone {
		return nil
	}
	_, err := s.DeleteLaunchConfiguration(ctx, &DeleteLaunchConfigurationInput{LaunchConfigurationName: r.PhysicalID})
	return err
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-autoscaling-scalingpolicy.html
type policyProperties struct {
	AutoScalingGroupName        string `aws:",required"`
	PolicyType                  string
	AdjustmentType              string
	MinAdjustmentMagnitude      *int
	ScalingAdjustment           *int
	Cooldown                    *int
	MetricAggregationType       string
	StepAdjustments             []StepAdjustment
	EstimatedInstanceWarmup     *int
	TargetTrackingConfiguration *TargetTrackingConfiguration
}

func (s *Service) putPolicy(ctx context.Context, p *policyProperties, name string) (resource.State, error) {
	out, err := s.PutScalingPolicy(ctx, &PutScalingPolicyInput{AutoScalingGroupName: p.AutoScalingGroupName, PolicyName: name, PolicySettings: PolicySettings{
		PolicyType: p.PolicyType, AdjustmentType: p.AdjustmentType, MinAdjustmentMagnitude: p.MinAdjustmentMagnitude, ScalingAdjustment: p.ScalingAdjustment,
		Cooldown: p.Cooldown, MetricAggregationType: p.MetricAggregationType, StepAdjustments: p.StepAdjustments,
		EstimatedInstanceWarmup: p.EstimatedInstanceWarmup, TargetTrackingConfiguration: p.TargetTrackingConfiguration,
	}})
	if err != nil {
		return resource.State{}, fmt.Errorf("put scaling policy %s: %w", name, err)
	}
	return resource.State{PhysicalID: out.PolicyARN, Attributes: map[string]any{"Arn": out.PolicyARN, "PolicyName": name}}, nil
}

func (s *Service) createPolicyResource(ctx context.Context, r resource.Request, p *policyProperties) (resource.State, error) {
	return s.putPolicy(ctx, p, r.GeneratedName(255))
}

func (s *Service) updatePolicyResource(ctx context.Context, r resource.Request, p *policyProperties) (resource.State, error) {
	s.mu.Lock()
	_, have, err := s.policyLocked("", r.PhysicalID)
	s.mu.Unlock()
	if err != nil {
		return resource.State{}, fmt.Errorf("update scaling policy %s: %w", r.PhysicalID, err)
	}
	return s.putPolicy(ctx, p, have.PolicyName)
}

func (s *Service) deletePolicyResource(_ context.Context, r resource.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, p, err := s.policyLocked("", r.PhysicalID)
	if err != nil {
		return nil // deleted already, or with its group
	}
	g.scaling = slices.DeleteFunc(g.scaling, func(have *scalingPolicy) bool { return have == p })
	return nil
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-autoscaling-lifecyclehook.html
type hookProperties struct {
	AutoScalingGroupName  string `aws:",required"`
	LifecycleHookName     string
	LifecycleTransition   string `aws:",required"`
	NotificationMetadata  string
	HeartbeatTimeout      *int
	DefaultResult         string
	NotificationTargetARN string
	RoleARN               string
}

func (s *Service) putHookResource(ctx context.Context, p *hookProperties, name string) (resource.State, error) {
	_, err := s.PutLifecycleHook(ctx, &PutLifecycleHookInput{AutoScalingGroupName: p.AutoScalingGroupName, HookSettings: HookSettings{
		LifecycleHookName: name, LifecycleTransition: p.LifecycleTransition, NotificationMetadata: p.NotificationMetadata, HeartbeatTimeout: p.HeartbeatTimeout,
		DefaultResult: p.DefaultResult, NotificationTargetARN: p.NotificationTargetARN, RoleARN: p.RoleARN,
	}})
	if err != nil {
		return resource.State{}, fmt.Errorf("put lifecycle hook %s of group %s: %w", name, p.AutoScalingGroupName, err)
	}
	return resource.State{PhysicalID: name, Attributes: map[string]any{"LifecycleHookName": name}}, nil
}

func (s *Service) createHookResource(ctx context.Context, r resource.Request, p *hookProperties) (resource.State, error) {
	return s.putHookResource(ctx, p, cmp.Or(p.LifecycleHookName, r.GeneratedName(255)))
}

func (s *Service) updateHookResource(ctx context.Context, r resource.Request, p *hookProperties) (resource.State, error) {
	return s.putHookResource(ctx, p, r.PhysicalID)
}

// deleteHookResource deletes a hook by its name and the group in its properties.
func (s *Service) deleteHookResource(ctx context.Context, r resource.Request) error {
	group, _ := r.Properties["AutoScalingGroupName"].(string)
	s.mu.Lock()
	g, err := s.groupLocked(group)
	gone := err != nil || g.deleting || g.hook(r.PhysicalID) == nil
	s.mu.Unlock()
	if gone {
		return nil
	}
	_, err = s.DeleteLifecycleHook(ctx, &LifecycleHookInput{AutoScalingGroupName: group, LifecycleHookName: r.PhysicalID})
	return err
}
