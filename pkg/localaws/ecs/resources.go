package ecs

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// Resources lists the CloudFormation types of ECS.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::ECS::Cluster", []string{"ClusterName"}, s.createCluster, s.updateCluster, s.deleteCluster),
		resource.Define("AWS::ECS::TaskDefinition", nil, s.createDefinition, nil, s.deleteDefinition),
		resource.Define("AWS::ECS::Service", []string{"ServiceName", "Cluster", "LaunchType", "SchedulingStrategy", "DeploymentController"},
			s.createService, s.updateService, s.deleteService),
	}
}

func tagsOf(from []resource.Tag) []Tag {
	var to []Tag
	for _, t := range from {
		to = append(to, Tag(t))
	}
	return to
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-cluster.html
type clusterProperties struct {
	ClusterName     string
	ClusterSettings []ClusterSetting
	Tags            []resource.Tag
}

func (s *Service) createCluster(ctx context.Context, r resource.Request, p *clusterProperties) (resource.State, error) {
	name := cmp.Or(p.ClusterName, r.GeneratedName(255))
	out, err := s.CreateCluster(ctx, &CreateClusterInput{ClusterName: name, Settings: p.ClusterSettings, Tags: tagsOf(p.Tags)})
	if err != nil {
		return resource.State{}, fmt.Errorf("create cluster %s: %w", name, err)
	}
	return clusterState(out.Cluster), nil
}

func clusterState(c Cluster) resource.State {
	return resource.State{PhysicalID: c.ClusterName, Attributes: map[string]any{"Arn": c.ClusterArn}}
}

func (s *Service) updateCluster(_ context.Context, r resource.Request, p *clusterProperties) (resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.clusterLocked(r.PhysicalID)
	if err != nil {
		return resource.State{}, err
	}
	if len(p.ClusterSettings) > 0 {
		c.Settings = p.ClusterSettings
	}
	delete(s.tags, c.ClusterArn)
	return clusterState(*c), s.tagLocked(c.ClusterArn, tagsOf(p.Tags))
}

func (s *Service) deleteCluster(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteCluster(ctx, &ClusterInput{Cluster: r.PhysicalID})
	return err
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-taskdefinition.html
type definitionProperties struct {
	definitionBody
	Tags []resource.Tag
}

func (s *Service) createDefinition(ctx context.Context, r resource.Request, p *definitionProperties) (resource.State, error) {
	in := &RegisterTaskDefinitionInput{definitionBody: p.definitionBody, Tags: tagsOf(p.Tags)}
	in.Family = cmp.Or(in.Family, r.GeneratedName(255))
	out, err := s.RegisterTaskDefinition(ctx, in)
	if err != nil {
		return resource.State{}, fmt.Errorf("register task definition %s: %w", in.Family, err)
	}
	arn := out.TaskDefinition.TaskDefinitionArn
	return resource.State{PhysicalID: arn, Attributes: map[string]any{"TaskDefinitionArn": arn}}, nil
}

func (s *Service) deleteDefinition(ctx context.Context, r resource.Request) error {
	_, err := s.DeregisterTaskDefinition(ctx, &DeregisterTaskDefinitionInput{TaskDefinition: r.PhysicalID})
	return err
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html
type serviceProperties struct {
	ServiceName                   string
	Cluster                       string
	TaskDefinition                string
	DesiredCount                  *int
	LaunchType                    string
	PlatformVersion               string
	LoadBalancers                 []LoadBalancer
	DeploymentConfiguration       *DeploymentConfiguration
	DeploymentController          *DeploymentController
	NetworkConfiguration          *NetworkConfiguration
	HealthCheckGracePeriodSeconds *int
	SchedulingStrategy            string
	PropagateTags                 string
	EnableECSManagedTags          bool
	EnableExecuteCommand          bool
	AvailabilityZoneRebalancing   string
	ForceNewDeployment            *forceNewDeployment
	Tags                          []resource.Tag
}

type forceNewDeployment struct {
	EnableForceNewDeployment bool `aws:",required"`
	ForceNewDeploymentNonce  string
}

// stabilize is how long CloudFormation waits for a service's steady state.
const stabilize = 3 * time.Hour

// createService makes a service and, unless it is scaled to 0, waits for its
// steady state, as CloudFormation does.
func (s *Service) createService(ctx context.Context, r resource.Request, p *serviceProperties) (resource.State, error) {
	name := cmp.Or(p.ServiceName, r.GeneratedName(255))
	out, err := s.CreateService(ctx, &CreateServiceInput{
		Cluster: p.Cluster, ServiceName: name, TaskDefinition: p.TaskDefinition, DesiredCount: p.DesiredCount, LaunchType: p.LaunchType,
		PlatformVersion: p.PlatformVersion, LoadBalancers: p.LoadBalancers, DeploymentConfiguration: p.DeploymentConfiguration,
		DeploymentController: p.DeploymentController, NetworkConfiguration: p.NetworkConfiguration,
		HealthCheckGracePeriodSeconds: p.HealthCheckGracePeriodSeconds, SchedulingStrategy: p.SchedulingStrategy, PropagateTags: p.PropagateTags,
		EnableECSManagedTags: p.EnableECSManagedTags, EnableExecuteCommand: p.EnableExecuteCommand,
		AvailabilityZoneRebalancing: p.AvailabilityZoneRebalancing, Tags: tagsOf(p.Tags),
	})
	if err != nil {
		return resource.State{}, fmt.Errorf("create service %s: %w", name, err)
	}
	if err := s.stabilized(ctx, out.Service.ServiceArn); err != nil {
		r.PhysicalID = out.Service.ServiceArn
		if gone := s.deleteService(ctx, r); gone != nil {
			s.Logger.Warn("delete service after a failed create", "service", name, "error", gone)
		}
		return resource.State{}, fmt.Errorf("create service %s: %w", name, err)
	}
	return serviceState(out.Service), nil
}

func serviceState(v ServiceDescription) resource.State {
	return resource.State{PhysicalID: v.ServiceArn, Attributes: map[string]any{"Name": v.ServiceName, "ServiceArn": v.ServiceArn}}
}

func (s *Service) updateService(ctx context.Context, r resource.Request, p *serviceProperties) (resource.State, error) {
	in := &UpdateServiceInput{
		Cluster: p.Cluster, Service: r.PhysicalID, DesiredCount: p.DesiredCount, DeploymentConfiguration: p.DeploymentConfiguration,
		HealthCheckGracePeriodSeconds: p.HealthCheckGracePeriodSeconds, PropagateTags: p.PropagateTags,
		EnableECSManagedTags: &p.EnableECSManagedTags, EnableExecuteCommand: &p.EnableExecuteCommand, AvailabilityZoneRebalancing: p.AvailabilityZoneRebalancing,
	}
	if p.DeploymentController == nil || p.DeploymentController.Type == controllerECS {
		in.TaskDefinition, in.LoadBalancers, in.NetworkConfiguration, in.PlatformVersion = p.TaskDefinition, p.LoadBalancers, p.NetworkConfiguration, p.PlatformVersion
		in.ForceNewDeployment = p.ForceNewDeployment != nil && p.ForceNewDeployment.EnableForceNewDeployment && r.Changed("ForceNewDeployment")
	}
	out, err := s.UpdateService(ctx, in)
	if err != nil {
		return resource.State{}, fmt.Errorf("update service %s: %w", r.PhysicalID, err)
	}
	s.mu.Lock()
	delete(s.tags, r.PhysicalID)
	err = s.tagLocked(r.PhysicalID, tagsOf(p.Tags))
	s.mu.Unlock()
	if err != nil {
		return resource.State{}, fmt.Errorf("tag service %s: %w", r.PhysicalID, err)
	}
	if err := s.stabilized(ctx, r.PhysicalID); err != nil {
		return resource.State{}, fmt.Errorf("update service %s: %w", r.PhysicalID, err)
	}
	return serviceState(out.Service), nil
}

// stabilized waits for the service's steady state with the deployment that is
// primary now.
func (s *Service) stabilized(ctx context.Context, arn string) error {
	s.mu.Lock()
	v := s.services[arn]
	primary := v.primary()
	idle := v.desired == 0 || primary == nil
	s.mu.Unlock()
	if idle {
		return nil
	}
	steady := s.await(ctx, v, func() bool { return v.steady || primary.state == failed || v.primary() != primary })
	s.mu.Lock()
	defer s.mu.Unlock()
	if primary.state == failed || v.primary() != primary {
		return wire.Errorf("GeneralServiceException", "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.")
	}
	if !steady {
		return fmt.Errorf("service %s did not stabilize", arn)
	}
	return nil
}

func (s *Service) deleteService(ctx context.Context, r resource.Request) error {
	s.mu.Lock()
	v := s.services[r.PhysicalID]
	s.mu.Unlock()
	if v == nil || v.status == statusInactive {
		return nil
	}
	if v.status == statusActive {
		if _, err := s.DeleteService(ctx, &DeleteServiceInput{Cluster: v.cluster, Service: v.arn, Force: true}); err != nil {
			return fmt.Errorf("delete service %s: %w", v.name, err)
		}
	}
	if !s.await(ctx, v, func() bool { return v.status == statusInactive }) {
		return fmt.Errorf("delete service %s: its tasks did not stop", v.name)
	}
	return nil
}

// await waits until done, which is called under the lock, says so. On a clock
// that stands still unless moved it moves the clock, since nobody else does
// while the caller waits.
func (s *Service) await(ctx context.Context, v *service, done func() bool) bool {
	locked := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return done()
	}
	if still, ok := s.clock.(interface {
		AdvanceUntil(time.Duration, func() bool) bool
	}); ok {
		return still.AdvanceUntil(stabilize, locked)
	}
	late := make(chan struct{})
	timer := s.clock.AfterFunc(stabilize, func() { close(late) })
	defer timer.Stop()
	for {
		s.mu.Lock()
		if done() || s.closed {
			defer s.mu.Unlock()
			return done()
		}
		change := make(chan struct{})
		v.waiting = append(v.waiting, change)
		s.mu.Unlock()
		select {
		case <-change:
		case <-late:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
