package ecs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// LoadBalancer says which container's port is a target of which group.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LoadBalancer.html
type LoadBalancer struct {
	TargetGroupArn        string
	ContainerName         string
	ContainerPort         int
	AdvancedConfiguration *AdvancedConfiguration
}

// AdvancedConfiguration is what ECS-native blue/green needs to know of the load
// balancer. It is recorded.
type AdvancedConfiguration struct {
	AlternateTargetGroupArn string
	ProductionListenerRule  string
	TestListenerRule        string
	RoleArn                 string
}

// DeploymentCircuitBreaker ends deployments whose tasks keep failing.
type DeploymentCircuitBreaker struct {
	Enable   bool `aws:",required"`
	Rollback bool `aws:",required"`
}

// DeploymentConfiguration says how a deployment goes.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
type DeploymentConfiguration struct {
	DeploymentCircuitBreaker *DeploymentCircuitBreaker
	MaximumPercent           *int
	MinimumHealthyPercent    *int
	Strategy                 string // ROLLING; BLUE_GREEN, LINEAR and CANARY are recorded
	BakeTimeInMinutes        *int
}

// DeploymentController says who deploys: ECS, CODE_DEPLOY or EXTERNAL.
type DeploymentController struct {
	Type string `aws:",required"`
}

// NetworkConfiguration is where a task's interface would be.
type NetworkConfiguration struct {
	AwsvpcConfiguration *AwsvpcConfiguration
}

// AwsvpcConfiguration names subnets and security groups.
type AwsvpcConfiguration struct {
	Subnets        []string `aws:",required"`
	SecurityGroups []string
	AssignPublicIp string // ENABLED, DISABLED
}

// Deployment is one rollout of a service as ECS describes it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
type Deployment struct {
	Id                   string
	Status               string // PRIMARY, ACTIVE
	TaskDefinition       string
	DesiredCount         int
	PendingCount         int
	RunningCount         int
	FailedTasks          int
	CreatedAt            time.Time
	UpdatedAt            time.Time
	LaunchType           string
	PlatformVersion      string
	PlatformFamily       string
	NetworkConfiguration *NetworkConfiguration
	RolloutState         string // IN_PROGRESS, COMPLETED, FAILED
	RolloutStateReason   string
}

// ServiceEvent is a line of a service's history.
type ServiceEvent struct {
	Id        string
	CreatedAt time.Time
	Message   string
}

// TaskSet is a set of tasks of a service that ECS itself does not deploy.
type TaskSet struct {
	Id                   string
	TaskSetArn           string
	ServiceArn           string
	ClusterArn           string
	Status               string // PRIMARY
	TaskDefinition       string
	ComputedDesiredCount int
	PendingCount         int
	RunningCount         int
	CreatedAt            time.Time
	UpdatedAt            time.Time
	LaunchType           string
	LoadBalancers        []LoadBalancer
	Scale                Scale
	StabilityStatus      string
}

// Scale is a share of a service's desired count.
type Scale struct {
	Value float64
	Unit  string
}

// ServiceDescription is a service as ECS describes it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
type ServiceDescription struct {
	ServiceArn                    string
	ServiceName                   string
	ClusterArn                    string
	Status                        string // ACTIVE, DRAINING, INACTIVE
	DesiredCount                  int
	RunningCount                  int
	PendingCount                  int
	LaunchType                    string
	PlatformVersion               string
	PlatformFamily                string
	TaskDefinition                string
	DeploymentConfiguration       *DeploymentConfiguration
	DeploymentController          *DeploymentController
	Deployments                   []Deployment
	TaskSets                      []TaskSet
	LoadBalancers                 []LoadBalancer
	ServiceRegistries             []struct{} // always empty
	RoleArn                       string
	Events                        []ServiceEvent
	CreatedAt                     time.Time
	CreatedBy                     string
	NetworkConfiguration          *NetworkConfiguration
	HealthCheckGracePeriodSeconds *int
	SchedulingStrategy            string
	EnableECSManagedTags          bool
	EnableExecuteCommand          bool
	PropagateTags                 string
	AvailabilityZoneRebalancing   string
	ResourceManagementType        string
	Tags                          []Tag
}

// Status of a service.
const (
	statusActive   = "ACTIVE"
	statusDraining = "DRAINING"
	statusInactive = "INACTIVE"
)

// Rollout states of a deployment.
const (
	inProgress = "IN_PROGRESS"
	completed  = "COMPLETED"
	failed     = "FAILED"
)

// Deployment controllers.
const (
	controllerECS        = "ECS"
	controllerCodeDeploy = "CODE_DEPLOY"
	controllerExternal   = "EXTERNAL"
)

// A service is what ECS keeps of one.
type service struct {
	name, arn, cluster string
	status             string
	desired            int
	controller         string
	launchType         string
	platformVersion    string
	configuration      DeploymentConfiguration
	network            *NetworkConfiguration
	balancers          []LoadBalancer
	grace              *int // seconds
	propagateTags      string
	managedTags        bool
	executeCommand     bool
	rebalancing        string
	clientToken        string
	createdAt          time.Time
	createdBy          string

	deployments []*deployment // newest first; the first is PRIMARY but for a rollback
	tasks       []*task       // that still run, in order of their start
	stopped     []*task       // newest last
	events      []ServiceEvent
	steady      bool // the steady state has been told

	reconciling, again bool
	timer              interface{ Stop() bool }
	waiting            []chan struct{} // closed at the next change
}

// A deployment is one rollout of a service.
type deployment struct {
	id          string
	definition  *TaskDefinition
	balancers   []LoadBalancer
	primary     bool
	createdAt   time.Time
	updatedAt   time.Time
	state       string // inProgress, completed, failed
	reason      string
	failed      int       // failures in a row
	ran         bool      // a task reached RUNNING
	notBefore   time.Time // of the next start, after failures
	rolledBack  bool      // it is the target of a rollback
	toldTrouble bool      // that tasks can't be started was told
}

func (v *service) primary() *deployment {
	for _, d := range v.deployments {
		if d.primary {
			return d
		}
	}
	return nil
}

func (v *service) deployment(id string) *deployment {
	for _, d := range v.deployments {
		if d.id == id {
			return d
		}
	}
	return nil
}

// setState moves a deployment's rollout on.
func (d *deployment) setState(state, reason string, now time.Time) {
	d.state, d.reason, d.updatedAt = state, reason, now
}

// tellLocked adds a line to the service's history, at most 100 of them.
func (s *Service) tellLocked(v *service, format string, args ...any) {
	id := s.newIDLocked("event")
	event := ServiceEvent{
		Id:        fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:]),
		CreatedAt: s.clock.Now(),
		Message:   fmt.Sprintf("(service %s) ", v.name) + fmt.Sprintf(format, args...),
	}
	v.events = append([]ServiceEvent{event}, v.events[:min(len(v.events), 99)]...)
}

// describeLocked is the service as DescribeServices shows it.
func (s *Service) describeLocked(v *service) ServiceDescription {
	out := ServiceDescription{
		ServiceArn: v.arn, ServiceName: v.name, ClusterArn: s.arn("cluster", v.cluster), Status: v.status,
		DesiredCount: v.desired, LaunchType: v.launchType, PlatformVersion: v.platformVersion, PlatformFamily: platformFamily(v),
		DeploymentConfiguration: new(v.configuration), DeploymentController: &DeploymentController{Type: v.controller},
		Deployments: []Deployment{}, LoadBalancers: given(v.balancers), ServiceRegistries: []struct{}{},
		RoleArn: fmt.Sprintf("arn:aws:iam::%s:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", s.Account),
		Events:  slices.Clone(given(v.events)), CreatedAt: v.createdAt, CreatedBy: v.createdBy,
		NetworkConfiguration: v.network, HealthCheckGracePeriodSeconds: v.grace, SchedulingStrategy: "REPLICA",
		EnableECSManagedTags: v.managedTags, EnableExecuteCommand: v.executeCommand, PropagateTags: v.propagateTags,
		AvailabilityZoneRebalancing: v.rebalancing, ResourceManagementType: "CUSTOMER",
	}
	for _, d := range v.deployments {
		described := s.describeDeployment(v, d)
		out.PendingCount += described.PendingCount
		out.RunningCount += described.RunningCount
		if d.primary {
			out.TaskDefinition = described.TaskDefinition
		}
		if v.controller == controllerECS {
			out.Deployments = append(out.Deployments, described)
		} else {
			out.TaskSets = append(out.TaskSets, s.taskSet(v, d, described))
		}
	}
	// The newest rollout leads, also when it is one that is rolled back to.
	slices.SortStableFunc(out.Deployments, func(a, b Deployment) int { return -strings.Compare(a.Status, b.Status) })
	return out
}

func platformFamily(v *service) string {
	if v.launchType == "FARGATE" {
		return "Linux"
	}
	return ""
}

func (s *Service) describeDeployment(v *service, d *deployment) Deployment {
	out := Deployment{
		Id: d.id, Status: "ACTIVE", TaskDefinition: d.definition.TaskDefinitionArn, FailedTasks: d.failed,
		CreatedAt: d.createdAt, UpdatedAt: d.updatedAt, LaunchType: v.launchType, PlatformVersion: v.platformVersion,
		PlatformFamily: platformFamily(v), NetworkConfiguration: v.network, RolloutState: d.state, RolloutStateReason: d.reason,
	}
	for _, t := range v.tasks {
		if t.deployment != d.id {
			continue
		}
		switch t.state {
		case taskPending:
			out.PendingCount++
		case taskRunning:
			out.RunningCount++
		}
	}
	out.DesiredCount = out.PendingCount + out.RunningCount
	if d.primary {
		out.Status, out.DesiredCount = "PRIMARY", v.desired
	}
	return out
}

func (s *Service) taskSet(v *service, d *deployment, described Deployment) TaskSet {
	stability := "STABILIZING"
	if v.steady {
		stability = "STEADY_STATE"
	}
	return TaskSet{
		Id: d.id, TaskSetArn: s.arn("task-set", v.cluster+"/"+v.name+"/"+d.id), ServiceArn: v.arn, ClusterArn: s.arn("cluster", v.cluster),
		Status: "PRIMARY", TaskDefinition: described.TaskDefinition, ComputedDesiredCount: v.desired,
		PendingCount: described.PendingCount, RunningCount: described.RunningCount, CreatedAt: d.createdAt, UpdatedAt: d.updatedAt,
		LaunchType: v.launchType, LoadBalancers: given(d.balancers), Scale: Scale{Value: 100, Unit: "PERCENT"}, StabilityStatus: stability,
	}
}

// changedLocked wakes who waits for the service.
func (v *service) changedLocked() {
	for _, c := range v.waiting {
		close(c)
	}
	v.waiting = nil
}
