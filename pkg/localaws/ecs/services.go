package ecs

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// serviceARN is the ARN of a service given by its name or ARN.
func (s *Service) serviceARN(cluster, name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return s.arn("service", clusterNameOf(cluster)+"/"+name)
}

// CreateServiceInput is a service to be.
type CreateServiceInput struct {
	Cluster                       string
	ServiceName                   string `aws:",required"`
	TaskDefinition                string
	DesiredCount                  *int
	LaunchType                    string
	PlatformVersion               string
	LoadBalancers                 []LoadBalancer
	DeploymentConfiguration       *DeploymentConfiguration
	DeploymentController          *DeploymentController
	NetworkConfiguration          *NetworkConfiguration
	HealthCheckGracePeriodSeconds *int
	SchedulingStrategy            string // REPLICA
	PropagateTags                 string
	EnableECSManagedTags          bool
	EnableExecuteCommand          bool
	AvailabilityZoneRebalancing   string
	ClientToken                   string
	Tags                          []Tag
}

// ServiceOutput is a service.
type ServiceOutput struct{ Service ServiceDescription }

var serviceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// CreateService answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
func (s *Service) CreateService(ctx context.Context, in *CreateServiceInput) (*ServiceOutput, error) {
	attached := s.attachments(in.LoadBalancers)
	s.mu.Lock()
	v, err := s.createLocked(in, attached, wire.Caller(ctx).ARN)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	s.mu.Unlock()
	s.reconcile(v)
	return s.answer(v), nil
}

func (s *Service) answer(v *service) *ServiceOutput {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.describeLocked(v)
	out.Tags = s.tagsLocked(v.arn)
	return &ServiceOutput{Service: out}
}

func (s *Service) createLocked(in *CreateServiceInput, attached map[string]attachment, caller string) (*service, error) {
	cluster, err := s.clusterLocked(in.Cluster)
	if err != nil {
		return nil, err
	}
	if !serviceName.MatchString(in.ServiceName) {
		return nil, invalid("Service name %q must have 1 to 255 letters, numbers, hyphens and underscores.", in.ServiceName)
	}
	arn := s.serviceARN(cluster.ClusterName, in.ServiceName)
	if old := s.services[arn]; old != nil && old.status != statusInactive {
		if in.ClientToken != "" && old.clientToken == in.ClientToken {
			return old, nil
		}
		if old.status == statusDraining {
			return nil, invalid("Unable to Start a service that is still Draining.")
		}
		return nil, invalid("Creation of service was not idempotent.")
	}
	v := &service{
		name: in.ServiceName, arn: arn, cluster: cluster.ClusterName, status: statusActive, desired: 1,
		controller: controllerECS, launchType: cmp.Or(in.LaunchType, "EC2"), network: in.NetworkConfiguration,
		balancers: in.LoadBalancers, grace: in.HealthCheckGracePeriodSeconds, propagateTags: cmp.Or(in.PropagateTags, "NONE"),
		managedTags: in.EnableECSManagedTags, executeCommand: in.EnableExecuteCommand,
		rebalancing: cmp.Or(in.AvailabilityZoneRebalancing, "DISABLED"), clientToken: in.ClientToken,
		createdAt: s.clock.Now(), createdBy: caller,
		configuration: DeploymentConfiguration{MaximumPercent: new(200), MinimumHealthyPercent: new(100), Strategy: "ROLLING"},
	}
	if in.DesiredCount != nil {
		v.desired = *in.DesiredCount
	}
	if in.DeploymentController != nil {
		v.controller = in.DeploymentController.Type
	}
	if v.launchType == "FARGATE" {
		v.platformVersion = cmp.Or(strings.Replace(in.PlatformVersion, "LATEST", "1.4.0", 1), "1.4.0")
	}
	if err := v.configure(in.DeploymentConfiguration); err != nil {
		return nil, err
	}
	definition, err := s.initialDefinitionLocked(v, in)
	if err != nil {
		return nil, err
	}
	if err := v.validate(definition, attached); err != nil {
		return nil, err
	}
	delete(s.tags, arn)
	if err := s.tagLocked(arn, in.Tags); err != nil {
		return nil, err
	}
	s.services[arn] = v
	if definition != nil {
		s.deployLocked(v, definition)
	}
	return v, nil
}

// initialDefinitionLocked finds the task definition of a new service; there is
// none for one that its owner deploys.
func (s *Service) initialDefinitionLocked(v *service, in *CreateServiceInput) (*TaskDefinition, error) {
	if v.controller == controllerExternal {
		if in.TaskDefinition != "" {
			return nil, invalid("TaskDefinition can not be specified for an EXTERNAL deployment controller.")
		}
		return nil, nil
	}
	if in.TaskDefinition == "" {
		return nil, invalid("TaskDefinition can not be blank.")
	}
	return s.usableDefinitionLocked(in.TaskDefinition)
}

func (s *Service) usableDefinitionLocked(name string) (*TaskDefinition, error) {
	d, ok := s.definitionLocked(name)
	if !ok {
		return nil, clientError("TaskDefinition not found.")
	}
	if d.Status != "ACTIVE" {
		return nil, clientError("TaskDefinition is inactive")
	}
	return d, nil
}

// configure takes over what a deployment configuration sets.
func (v *service) configure(c *DeploymentConfiguration) error {
	if c == nil {
		return nil
	}
	to := v.configuration
	if c.DeploymentCircuitBreaker != nil {
		to.DeploymentCircuitBreaker = c.DeploymentCircuitBreaker
	}
	if c.MaximumPercent != nil {
		to.MaximumPercent = c.MaximumPercent
	}
	if c.MinimumHealthyPercent != nil {
		to.MinimumHealthyPercent = c.MinimumHealthyPercent
	}
	to.Strategy = cmp.Or(c.Strategy, to.Strategy)
	if c.BakeTimeInMinutes != nil {
		to.BakeTimeInMinutes = c.BakeTimeInMinutes
	}
	switch {
	case *to.MinimumHealthyPercent < 0 || *to.MaximumPercent < 0:
		return invalid("Deployment percentages cannot be negative.")
	case *to.MaximumPercent < *to.MinimumHealthyPercent:
		return invalid("minimumHealthyPercent must be less than maximumPercent.")
	case *to.MaximumPercent == 100 && *to.MinimumHealthyPercent == 100:
		return invalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")
	case *to.MaximumPercent < 100:
		return invalid("maximumPercent cannot be less than 100.")
	case !slices.Contains([]string{"ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"}, to.Strategy):
		return invalid("Invalid deployment strategy %s.", to.Strategy)
	}
	v.configuration = to
	return nil
}

// An attachment is a target group as far as a service cares.
type attachment struct {
	targetType       string
	attached, exists bool
}

// attachments looks target groups up, with no lock held.
func (s *Service) attachments(balancers []LoadBalancer) map[string]attachment {
	all := map[string]attachment{}
	for _, b := range balancers {
		targetType, attached, exists := s.LoadBalancing.TargetGroup(b.TargetGroupArn)
		all[b.TargetGroupArn] = attachment{targetType, attached, exists}
	}
	return all
}

// validate refuses what ECS refuses of a service with this task definition.
func (v *service) validate(d *TaskDefinition, attached map[string]attachment) error {
	switch {
	case !slices.Contains([]string{controllerECS, controllerCodeDeploy, controllerExternal}, v.controller):
		return invalid("Invalid deployment controller type %s.", v.controller)
	case !slices.Contains([]string{"EC2", "FARGATE"}, v.launchType):
		return invalid("The embedded AWS does not serve launch type %s.", v.launchType)
	case v.desired < 0:
		return invalid("desiredCount cannot be negative.")
	case v.grace != nil && len(v.balancers) == 0 && v.controller != controllerExternal:
		return invalid("Health check grace period is only valid for services configured to use load balancers")
	}
	if d == nil {
		return nil
	}
	if v.launchType == "FARGATE" && !slices.Contains(d.Compatibilities, "FARGATE") {
		return invalid("Task definition does not support launch_type FARGATE.")
	}
	if d.NetworkMode == "awsvpc" && (v.network == nil || v.network.AwsvpcConfiguration == nil) {
		return invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	for _, b := range v.balancers {
		if err := b.validate(d, attached[b.TargetGroupArn]); err != nil {
			return err
		}
	}
	return nil
}

func (b LoadBalancer) validate(d *TaskDefinition, group attachment) error {
	c, ok := d.container(b.ContainerName)
	switch {
	case !ok:
		return invalid("The container %s does not exist in the task definition.", b.ContainerName)
	case !slices.ContainsFunc(c.PortMappings, func(p PortMapping) bool { return p.ContainerPort == b.ContainerPort }):
		return invalid("The container %s did not have a container port %d defined.", b.ContainerName, b.ContainerPort)
	case !group.exists:
		return invalid("The specified target group does not exist. (target group: %s)", b.TargetGroupArn)
	case group.targetType != "ip" && d.NetworkMode == "awsvpc":
		return invalid("The provided target group %s has target type %s, which is incompatible with the awsvpc network mode specified in the task definition.", b.TargetGroupArn, group.targetType)
	case !group.attached:
		return invalid("The target group with targetGroupArn %s does not have an associated load balancer.", b.TargetGroupArn)
	}
	return nil
}

// deployLocked begins a deployment of a task definition.
func (s *Service) deployLocked(v *service, definition *TaskDefinition) {
	now := s.clock.Now()
	d := &deployment{
		id: s.newDeploymentIDLocked(), definition: definition, balancers: v.balancers, primary: true, createdAt: now,
	}
	d.setState(inProgress, fmt.Sprintf("ECS deployment %s in progress.", d.id), now)
	for _, old := range v.deployments {
		old.primary = false
	}
	v.deployments = append([]*deployment{d}, v.deployments...)
	v.steady = false
}

// UpdateServiceInput says what to change of a service.
type UpdateServiceInput struct {
	Cluster                       string
	Service                       string `aws:",required"`
	DesiredCount                  *int
	TaskDefinition                string
	ForceNewDeployment            bool
	DeploymentConfiguration       *DeploymentConfiguration
	NetworkConfiguration          *NetworkConfiguration
	PlatformVersion               string
	HealthCheckGracePeriodSeconds *int
	LoadBalancers                 []LoadBalancer
	PropagateTags                 string
	EnableECSManagedTags          *bool
	EnableExecuteCommand          *bool
	AvailabilityZoneRebalancing   string
}

// UpdateService answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
// A task definition that is the current one begins no deployment.
func (s *Service) UpdateService(_ context.Context, in *UpdateServiceInput) (*ServiceOutput, error) {
	attached := s.attachments(slices.Concat(s.balancersOf(in.Cluster, in.Service), in.LoadBalancers))
	s.mu.Lock()
	v, err := s.updateLocked(in, attached)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	s.reconcile(v)
	return s.answer(v), nil
}

func (s *Service) balancersOf(cluster, name string) []LoadBalancer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.services[s.serviceARN(cluster, name)]; v != nil {
		return v.balancers
	}
	return nil
}

func (s *Service) serviceLocked(cluster, name string) (*service, error) {
	if _, err := s.clusterLocked(cluster); err != nil {
		return nil, err
	}
	v := s.services[s.serviceARN(cluster, name)]
	if v == nil {
		return nil, refuse("ServiceNotFoundException", "Service not found.")
	}
	if v.status != statusActive {
		return nil, refuse("ServiceNotActiveException", "Service was not ACTIVE.")
	}
	return v, nil
}

func (s *Service) updateLocked(in *UpdateServiceInput, attached map[string]attachment) (*service, error) {
	v, err := s.serviceLocked(in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	if err := v.refuses(in); err != nil {
		return nil, err
	}
	wanted := *v // validated as a whole before anything changes
	if err := wanted.configure(in.DeploymentConfiguration); err != nil {
		return nil, err
	}
	var definition *TaskDefinition
	deploys := in.ForceNewDeployment
	if p := v.primary(); p != nil {
		definition = p.definition
	}
	if in.TaskDefinition != "" {
		current := definition
		if definition, err = s.usableDefinitionLocked(in.TaskDefinition); err != nil {
			return nil, err
		}
		deploys = deploys || definition != current
	}
	if in.DesiredCount != nil {
		wanted.desired = *in.DesiredCount
	}
	if in.LoadBalancers != nil {
		deploys = deploys || !sameBalancers(in.LoadBalancers, v.balancers)
		wanted.balancers = in.LoadBalancers
	}
	if in.NetworkConfiguration != nil {
		deploys = deploys || !sameNetwork(in.NetworkConfiguration, v.network)
		wanted.network = in.NetworkConfiguration
	}
	if in.PlatformVersion != "" && v.launchType == "FARGATE" {
		version := strings.Replace(in.PlatformVersion, "LATEST", "1.4.0", 1)
		deploys = deploys || version != v.platformVersion
		wanted.platformVersion = version
	}
	if in.HealthCheckGracePeriodSeconds != nil {
		wanted.grace = in.HealthCheckGracePeriodSeconds
	}
	wanted.propagateTags = cmp.Or(in.PropagateTags, v.propagateTags)
	wanted.rebalancing = cmp.Or(in.AvailabilityZoneRebalancing, v.rebalancing)
	if in.EnableECSManagedTags != nil {
		wanted.managedTags = *in.EnableECSManagedTags
	}
	if in.EnableExecuteCommand != nil {
		wanted.executeCommand = *in.EnableExecuteCommand
	}
	if err := wanted.validate(definition, attached); err != nil {
		return nil, err
	}
	if deploys && wanted.configuration.Strategy != "ROLLING" {
		return nil, refuse("UnsupportedFeatureException", "The embedded AWS does not carry out deployments of strategy %s.", wanted.configuration.Strategy)
	}
	if wanted.desired != v.desired {
		wanted.steady = false
	}
	*v = wanted
	if deploys {
		s.deployLocked(v, definition)
	}
	return v, nil
}

// refuses says what this service's deployment controller does not let an update
// change.
func (v *service) refuses(in *UpdateServiceInput) error {
	if v.controller == controllerECS {
		return nil
	}
	owner := "Use AWS CodeDeploy to trigger a new deployment."
	if v.controller == controllerExternal {
		owner = "Use task sets instead."
	}
	what := ""
	switch {
	case in.TaskDefinition != "":
		what = "task definition"
	case in.LoadBalancers != nil:
		what = "load balancers"
	case in.NetworkConfiguration != nil:
		what = "network configuration"
	case in.PlatformVersion != "":
		what = "platform version"
	}
	if what != "" {
		return invalid("Unable to update %s on services with a %s deployment controller. %s", what, v.controller, owner)
	}
	if in.ForceNewDeployment {
		return invalid("Cannot force a new deployment on services with a %s deployment controller. %s", v.controller, owner)
	}
	return nil
}

func sameBalancers(a, b []LoadBalancer) bool {
	return slices.EqualFunc(a, b, func(a, b LoadBalancer) bool {
		return a.TargetGroupArn == b.TargetGroupArn && a.ContainerName == b.ContainerName && a.ContainerPort == b.ContainerPort
	})
}

func sameNetwork(a, b *NetworkConfiguration) bool {
	if a == nil || b == nil || a.AwsvpcConfiguration == nil || b.AwsvpcConfiguration == nil {
		return a == b
	}
	x, y := a.AwsvpcConfiguration, b.AwsvpcConfiguration
	return slices.Equal(x.Subnets, y.Subnets) && slices.Equal(x.SecurityGroups, y.SecurityGroups) &&
		cmp.Or(x.AssignPublicIp, "DISABLED") == cmp.Or(y.AssignPublicIp, "DISABLED")
}

// DeleteServiceInput names a service.
type DeleteServiceInput struct {
	Cluster string
	Service string `aws:",required"`
	Force   bool
}

// DeleteService answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
// The service is DRAINING until its tasks have stopped, then INACTIVE.
func (s *Service) DeleteService(_ context.Context, in *DeleteServiceInput) (*ServiceOutput, error) {
	s.mu.Lock()
	v, err := s.serviceLocked(in.Cluster, in.Service)
	if err == nil && v.desired > 0 && !in.Force && v.controller != controllerExternal {
		err = invalid("The service cannot be stopped while it is scaled above 0.")
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	v.desired, v.status, v.steady = 0, statusDraining, false
	if v.primary() == nil {
		v.status = statusInactive
	}
	out := &ServiceOutput{Service: s.describeLocked(v)}
	s.mu.Unlock()
	s.reconcile(v)
	return out, nil
}

// DescribeServicesInput names services by name or ARN.
type DescribeServicesInput struct {
	Cluster  string
	Services []string `aws:",required"`
	Include  []string // TAGS
}

// DescribeServicesOutput lists the services found, and failures for others.
type DescribeServicesOutput struct {
	Services []ServiceDescription
	Failures []Failure
}

// DescribeServices answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
func (s *Service) DescribeServices(_ context.Context, in *DescribeServicesInput) (*DescribeServicesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.clusterLocked(in.Cluster); err != nil {
		return nil, err
	}
	if len(in.Services) == 0 {
		return nil, invalid("Services cannot be empty.")
	}
	if len(in.Services) > 10 {
		return nil, invalid("Services can have at most 10 entries.")
	}
	out := &DescribeServicesOutput{Services: []ServiceDescription{}, Failures: []Failure{}}
	for _, name := range in.Services {
		arn := s.serviceARN(in.Cluster, name)
		v := s.services[arn]
		if v == nil || v.cluster != clusterNameOf(in.Cluster) {
			out.Failures = append(out.Failures, Failure{Arn: arn, Reason: "MISSING"})
			continue
		}
		described := s.describeLocked(v)
		if slices.Contains(in.Include, "TAGS") {
			described.Tags = given(s.tagsLocked(arn))
		}
		out.Services = append(out.Services, described)
	}
	return out, nil
}

// ListServicesInput narrows a list of services.
type ListServicesInput struct {
	Cluster            string
	LaunchType         string
	SchedulingStrategy string
	MaxResults         *int
	NextToken          string
}

// ListServicesOutput is a page of ARNs.
type ListServicesOutput struct {
	ServiceArns []string
	NextToken   string
}

// ListServices answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
func (s *Service) ListServices(_ context.Context, in *ListServicesInput) (*ListServicesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.clusterLocked(in.Cluster); err != nil {
		return nil, err
	}
	arns := []string{}
	for arn, v := range s.services {
		listed := v.status != statusInactive && v.cluster == clusterNameOf(in.Cluster) && in.SchedulingStrategy != "DAEMON"
		if listed && (in.LaunchType == "" || in.LaunchType == v.launchType) {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	items, next, err := page(arns, in.NextToken, in.MaxResults, 100)
	return &ListServicesOutput{ServiceArns: items, NextToken: next}, err
}
