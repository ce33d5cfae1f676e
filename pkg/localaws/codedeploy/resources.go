package codedeploy

import (
	"cmp"
	"context"
	"fmt"

	"cutover/pkg/localaws/resource"
)

// Resources lists the CloudFormation types of CodeDeploy.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::CodeDeploy::Application", []string{"ApplicationName", "ComputePlatform"},
			s.createApplicationResource, s.updateApplicationResource, s.deleteApplicationResource),
		resource.Define("AWS::CodeDeploy::DeploymentGroup", []string{"ApplicationName", "DeploymentGroupName"},
			s.createGroupResource, s.updateGroupResource, s.deleteGroupResource),
	}
}

func tagsOf(from []resource.Tag) []Tag {
	var to []Tag
	for _, t := range from {
		to = append(to, Tag(t))
	}
	return to
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codedeploy-application.html
type applicationProperties struct {
	ApplicationName string
	ComputePlatform string
	Tags            []resource.Tag
}

func (s *Service) createApplicationResource(ctx context.Context, r resource.Request, p *applicationProperties) (resource.State, error) {
	name := cmp.Or(p.ApplicationName, r.GeneratedName(100))
	_, err := s.CreateApplication(ctx, &CreateApplicationInput{ApplicationName: name, ComputePlatform: p.ComputePlatform, Tags: tagsOf(p.Tags)})
	if err != nil {
		return resource.State{}, fmt.Errorf("create application %s: %w", name, err)
	}
	return resource.State{PhysicalID: name}, nil
}

func (s *Service) updateApplicationResource(_ context.Context, r resource.Request, p *applicationProperties) (resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.applicationLocked(r.PhysicalID); err != nil {
		return resource.State{}, err
	}
	delete(s.tags, s.applicationARN(r.PhysicalID))
	return resource.State{PhysicalID: r.PhysicalID}, s.tagLocked(s.applicationARN(r.PhysicalID), tagsOf(p.Tags))
}

func (s *Service) deleteApplicationResource(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteApplication(ctx, &ApplicationInput{ApplicationName: r.PhysicalID})
	return err
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codedeploy-deploymentgroup.html
type groupProperties struct {
	ApplicationName                  string `aws:",required"`
	DeploymentGroupName              string
	ServiceRoleArn                   string `aws:",required"`
	AutoScalingGroups                []string
	DeploymentConfigName             string
	DeploymentStyle                  *DeploymentStyle
	BlueGreenDeploymentConfiguration *BlueGreenDeploymentConfiguration
	LoadBalancerInfo                 *LoadBalancerInfo
	AlarmConfiguration               *AlarmConfiguration
	AutoRollbackConfiguration        *AutoRollbackConfiguration
	TriggerConfigurations            []TriggerConfig
	OutdatedInstancesStrategy        string
	Tags                             []resource.Tag
}

func (p *groupProperties) settings() Settings {
	return Settings{
		ServiceRoleArn: p.ServiceRoleArn, DeploymentConfigName: p.DeploymentConfigName, DeploymentStyle: p.DeploymentStyle,
		BlueGreenDeploymentConfiguration: p.BlueGreenDeploymentConfiguration, LoadBalancerInfo: p.LoadBalancerInfo, AlarmConfiguration: p.AlarmConfiguration,
		AutoRollbackConfiguration: p.AutoRollbackConfiguration, TriggerConfigurations: p.TriggerConfigurations,
		OutdatedInstancesStrategy: p.OutdatedInstancesStrategy,
	}
}

// check refuses what CloudFormation cannot make: blue/green groups of EC2
// instances, whichever way they are declared.
// https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2071
func (p *groupProperties) check() error {
	b := p.BlueGreenDeploymentConfiguration
	copies := b != nil && b.GreenFleetProvisioningOption != nil && b.GreenFleetProvisioningOption.Action == "COPY_AUTO_SCALING_GROUP"
	blueGreen := p.DeploymentStyle != nil && p.DeploymentStyle.DeploymentType == "BLUE_GREEN"
	switch {
	case blueGreen && len(p.AutoScalingGroups) > 0:
		//lint:ignore ST1005 CloudFormation's own text
		return fmt.Errorf("Property AutoScalingGroups cannot be specified")
	case copies && len(p.AutoScalingGroups) != 1, blueGreen:
		//lint:ignore ST1005 CloudFormation's own text
		return fmt.Errorf("Exactly one AutoScaling group must be specified for selected green fleet provisioning option")
	}
	return nil
}

func (s *Service) createGroupResource(ctx context.Context, r resource.Request, p *groupProperties) (resource.State, error) {
	name := cmp.Or(p.DeploymentGroupName, r.GeneratedName(100))
	err := p.check()
	if err == nil {
		_, err = s.CreateDeploymentGroup(ctx, &CreateDeploymentGroupInput{
			ApplicationName: p.ApplicationName, DeploymentGroupName: name, Settings: p.settings(), AutoScalingGroups: p.AutoScalingGroups, Tags: tagsOf(p.Tags),
		})
	}
	if err != nil {
		return resource.State{}, fmt.Errorf("create deployment group %s: %w", name, err)
	}
	return resource.State{PhysicalID: name}, nil
}

func (s *Service) updateGroupResource(ctx context.Context, r resource.Request, p *groupProperties) (resource.State, error) {
	err := p.check()
	if err == nil {
		_, err = s.UpdateDeploymentGroup(ctx, &UpdateDeploymentGroupInput{
			ApplicationName: p.ApplicationName, CurrentDeploymentGroupName: r.PhysicalID, Settings: p.settings(), AutoScalingGroups: append([]string{}, p.AutoScalingGroups...),
		})
	}
	if err != nil {
		return resource.State{}, fmt.Errorf("update deployment group %s: %w", r.PhysicalID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := s.groupARN(p.ApplicationName, r.PhysicalID)
	delete(s.tags, arn)
	return resource.State{PhysicalID: r.PhysicalID}, s.tagLocked(arn, tagsOf(p.Tags))
}

func (s *Service) deleteGroupResource(ctx context.Context, r resource.Request) error {
	application, ok := r.Properties["ApplicationName"].(string)
	if !ok {
		return fmt.Errorf("delete deployment group %s: its application is not known", r.PhysicalID)
	}
	s.mu.Lock()
	gone := s.applications[application] == nil
	s.mu.Unlock()
	if gone {
		return nil
	}
	_, err := s.DeleteDeploymentGroup(ctx, &DeploymentGroupInput{ApplicationName: application, DeploymentGroupName: r.PhysicalID})
	return err
}
