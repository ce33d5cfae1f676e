package ecs

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// KeyValuePair is an environment variable of a container.
type KeyValuePair struct {
	Name  string
	Value string
}

// PortMapping is a port on which a container listens.
type PortMapping struct {
	ContainerPort int
	HostPort      *int
	Protocol      string // tcp, udp
	Name          string
	AppProtocol   string
}

// LogConfiguration says where a container's output goes.
type LogConfiguration struct {
	LogDriver string `aws:",required"` // awslogs
	Options   map[string]string
}

// HealthCheck is a container's own health check. It is recorded, not run.
type HealthCheck struct {
	Command     []string `aws:",required"`
	Interval    *int     // seconds
	Timeout     *int     // seconds
	Retries     *int
	StartPeriod *int // seconds
}

// ContainerDependency makes a container start after another.
type ContainerDependency struct {
	ContainerName string `aws:",required"`
	Condition     string `aws:",required"` // START
}

// MountPoint puts a volume into a container.
type MountPoint struct {
	SourceVolume  string
	ContainerPath string
	ReadOnly      *bool
}

// VolumeFrom mounts another container's volumes.
type VolumeFrom struct {
	SourceContainer string
	ReadOnly        *bool
}

// SystemControl is a kernel parameter.
type SystemControl struct {
	Namespace string
	Value     string
}

// Ulimit is a limit of the operating system's.
type Ulimit struct {
	Name      string `aws:",required"`
	SoftLimit int    `aws:",required"`
	HardLimit int    `aws:",required"`
}

// LinuxParameters are a container's settings of Linux.
type LinuxParameters struct {
	InitProcessEnabled *bool
}

// ContainerDefinition is one container of a task definition.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
type ContainerDefinition struct {
	Name                   string `aws:",required"`
	Image                  string `aws:",required"`
	Cpu                    *int
	Memory                 *int // MiB
	MemoryReservation      *int // MiB
	PortMappings           []PortMapping
	Essential              *bool
	EntryPoint             []string
	Command                []string
	Environment            []KeyValuePair
	MountPoints            []MountPoint
	VolumesFrom            []VolumeFrom
	DependsOn              []ContainerDependency
	WorkingDirectory       string
	User                   string
	Hostname               string
	Privileged             *bool
	ReadonlyRootFilesystem *bool
	Interactive            *bool
	PseudoTerminal         *bool
	StartTimeout           *int // seconds
	StopTimeout            *int // seconds
	DockerLabels           map[string]string
	Ulimits                []Ulimit
	LinuxParameters        *LinuxParameters
	LogConfiguration       *LogConfiguration
	HealthCheck            *HealthCheck
	SystemControls         []SystemControl
	VersionConsistency     string
	// Secrets are refused: the embedded AWS has nothing to read them from.
	Secrets []Secret
}

// Secret is an environment variable whose value is kept elsewhere.
type Secret struct {
	Name      string
	ValueFrom string
}

// RuntimePlatform is what a task needs to run on.
type RuntimePlatform struct {
	CpuArchitecture       string
	OperatingSystemFamily string
}

// EphemeralStorage is the size of a task's own disk.
type EphemeralStorage struct {
	SizeInGiB int `aws:",required"`
}

// Volume is a volume of a task: an empty directory.
type Volume struct {
	Name string
	Host *HostVolume
}

// HostVolume says where on its host a volume is.
type HostVolume struct {
	SourcePath string
}

// Attribute is something a container instance must have.
type Attribute struct {
	Name string
}

// A definitionBody is what registering and describing have in common.
type definitionBody struct {
	Family                  string
	TaskRoleArn             string
	ExecutionRoleArn        string
	NetworkMode             string
	ContainerDefinitions    []ContainerDefinition
	Volumes                 []Volume
	RequiresCompatibilities []string
	Cpu                     string
	Memory                  string
	PidMode                 string
	IpcMode                 string
	RuntimePlatform         *RuntimePlatform
	EphemeralStorage        *EphemeralStorage
	EnableFaultInjection    *bool
}

// TaskDefinition is one revision of a family.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html
type TaskDefinition struct {
	definitionBody
	TaskDefinitionArn  string
	Revision           int
	Status             string // ACTIVE, INACTIVE
	RequiresAttributes []Attribute
	Compatibilities    []string
	RegisteredAt       time.Time
	RegisteredBy       string
	DeregisteredAt     time.Time
}

// container finds a container by name.
func (d *TaskDefinition) container(name string) (ContainerDefinition, bool) {
	i := slices.IndexFunc(d.ContainerDefinitions, func(c ContainerDefinition) bool { return c.Name == name })
	if i < 0 {
		return ContainerDefinition{}, false
	}
	return d.ContainerDefinitions[i], true
}

// RegisterTaskDefinitionInput is a task definition to be.
type RegisterTaskDefinitionInput struct {
	definitionBody
	Tags []Tag
}

// TaskDefinitionOutput is a task definition and its tags.
type TaskDefinitionOutput struct {
	TaskDefinition TaskDefinition
	Tags           []Tag
}

// RegisterTaskDefinition answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
// Every call makes a new revision, also of what is there already.
func (s *Service) RegisterTaskDefinition(ctx context.Context, in *RegisterTaskDefinitionInput) (*TaskDefinitionOutput, error) {
	body := in.definitionBody
	if err := body.validate(); err != nil {
		return nil, err
	}
	body.normalise()
	s.mu.Lock()
	defer s.mu.Unlock()
	revision := s.revisions[body.Family] + 1
	s.revisions[body.Family] = revision
	definition := &TaskDefinition{
		definitionBody:     body,
		TaskDefinitionArn:  s.arn("task-definition", fmt.Sprintf("%s:%d", body.Family, revision)),
		Revision:           revision,
		Status:             "ACTIVE",
		Compatibilities:    body.compatibilities(),
		RequiresAttributes: body.attributes(),
		RegisteredAt:       s.clock.Now(),
		RegisteredBy:       wire.Caller(ctx).ARN,
	}
	s.definitions[definition.TaskDefinitionArn] = definition
	s.order = append(s.order, definition)
	if err := s.tagLocked(definition.TaskDefinitionArn, in.Tags); err != nil {
		return nil, err
	}
	return &TaskDefinitionOutput{TaskDefinition: *definition, Tags: s.tagsLocked(definition.TaskDefinitionArn)}, nil
}

var familyName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// validate refuses what ECS refuses, and what no Runner could honour.
func (b *definitionBody) validate() error {
	if !familyName.MatchString(b.Family) {
		return clientError("Family should not be null or empty, and may hold up to 255 letters, numbers, hyphens and underscores.")
	}
	if len(b.ContainerDefinitions) == 0 {
		return clientError("Container list cannot be empty.")
	}
	fargate := slices.Contains(b.RequiresCompatibilities, "FARGATE")
	if fargate && b.NetworkMode != "awsvpc" {
		return clientError("Fargate only supports network mode ‘awsvpc’.")
	}
	if fargate && (b.Cpu == "" || b.Memory == "") {
		return clientError("Fargate requires that 'cpu' and 'memory' be defined at the task level.")
	}
	logs := slices.ContainsFunc(b.ContainerDefinitions, func(c ContainerDefinition) bool { return c.LogConfiguration != nil })
	if fargate && logs && b.ExecutionRoleArn == "" {
		return clientError("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
	}
	seen := map[string]bool{}
	essential := false
	for _, c := range b.ContainerDefinitions {
		if seen[c.Name] {
			return clientError("Container name '%s' is not unique.", c.Name)
		}
		seen[c.Name] = true
		essential = essential || c.Essential == nil || *c.Essential
		if err := c.validate(b.Memory != ""); err != nil {
			return err
		}
	}
	if !essential {
		return clientError("At least one container must be essential.")
	}
	return nil
}

func (c ContainerDefinition) validate(taskMemory bool) error {
	if len(c.Secrets) > 0 {
		return clientError("Container %s: the embedded AWS does not serve secrets; give %s in environment.", c.Name, c.Secrets[0].Name)
	}
	if !taskMemory && c.Memory == nil && c.MemoryReservation == nil {
		return clientError("Invalid setting for container '%s'. At least one of 'memory' or 'memoryReservation' must be specified.", c.Name)
	}
	for _, d := range c.DependsOn {
		if d.Condition != "START" {
			return clientError("Container %s: the embedded AWS does not serve dependencies of condition %s.", c.Name, d.Condition)
		}
	}
	if l := c.LogConfiguration; l != nil {
		if l.LogDriver != "awslogs" {
			return clientError("Container %s: the embedded AWS does not serve the log driver %s.", c.Name, l.LogDriver)
		}
		for _, option := range []string{"awslogs-group", "awslogs-region"} {
			if l.Options[option] == "" {
				return clientError("Log driver awslogs requires options: %s", option)
			}
		}
	}
	return nil
}

// normalise fills in what ECS answers where the caller left it out.
func (b *definitionBody) normalise() {
	if b.NetworkMode == "" && slices.Contains(b.RequiresCompatibilities, "FARGATE") {
		b.NetworkMode = "awsvpc"
	}
	b.ContainerDefinitions = slices.Clone(b.ContainerDefinitions)
	for i := range b.ContainerDefinitions {
		c := &b.ContainerDefinitions[i]
		if c.Essential == nil {
			c.Essential = new(true)
		}
		if c.Cpu == nil {
			c.Cpu = new(0)
		}
		c.Environment = given(c.Environment)
		c.MountPoints = given(c.MountPoints)
		c.VolumesFrom = given(c.VolumesFrom)
		c.SystemControls = given(c.SystemControls)
		c.PortMappings = slices.Clone(given(c.PortMappings))
		for j := range c.PortMappings {
			p := &c.PortMappings[j]
			if p.Protocol == "" {
				p.Protocol = "tcp"
			}
			if p.HostPort == nil {
				p.HostPort = new(0)
				if b.NetworkMode == "awsvpc" || b.NetworkMode == "host" {
					p.HostPort = new(p.ContainerPort)
				}
			}
		}
	}
	b.Volumes = given(b.Volumes)
}

// given is an empty list for none: ECS answers with one.
func given[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (b *definitionBody) compatibilities() []string {
	switch {
	case slices.Contains(b.RequiresCompatibilities, "FARGATE"), b.NetworkMode == "awsvpc" && b.Cpu != "" && b.Memory != "":
		return []string{"EC2", "FARGATE"}
	case b.NetworkMode == "awsvpc":
		return []string{"EC2"}
	}
	return []string{"EXTERNAL", "EC2"}
}

// attributes lists what a container instance would need for the task.
func (b *definitionBody) attributes() []Attribute {
	need := map[string]bool{"com.amazonaws.ecs.capability.docker-remote-api.1.18": true}
	if b.NetworkMode == "awsvpc" {
		need["ecs.capability.task-eni"] = true
	}
	if b.TaskRoleArn != "" {
		need["com.amazonaws.ecs.capability.task-iam-role"] = true
	}
	for _, c := range b.ContainerDefinitions {
		if c.LogConfiguration != nil {
			need["com.amazonaws.ecs.capability.logging-driver.awslogs"] = true
			need["ecs.capability.execution-role-awslogs"] = b.ExecutionRoleArn != ""
		}
		if c.HealthCheck != nil {
			need["ecs.capability.container-health-check"] = true
		}
	}
	all := []Attribute{}
	for name, needed := range need {
		if needed {
			all = append(all, Attribute{Name: name})
		}
	}
	slices.SortFunc(all, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// definitionLocked finds a revision by ARN, by family:revision, or the newest
// active one of a family.
func (s *Service) definitionLocked(name string) (*TaskDefinition, bool) {
	if strings.HasPrefix(name, "arn:") {
		d, ok := s.definitions[name]
		return d, ok
	}
	if _, revision, ok := strings.Cut(name, ":"); ok {
		if _, err := strconv.Atoi(revision); err != nil {
			return nil, false
		}
		d, ok := s.definitions[s.arn("task-definition", name)]
		return d, ok
	}
	for _, d := range slices.Backward(s.order) {
		if d.Family == name && d.Status == "ACTIVE" {
			return d, true
		}
	}
	return nil, false
}

// DescribeTaskDefinitionInput names a revision, or a family for its newest.
type DescribeTaskDefinitionInput struct {
	TaskDefinition string `aws:",required"`
	Include        []string
}

// DescribeTaskDefinition answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
func (s *Service) DescribeTaskDefinition(_ context.Context, in *DescribeTaskDefinitionInput) (*TaskDefinitionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.definitionLocked(in.TaskDefinition)
	if !ok {
		return nil, clientError("Unable to describe task definition.")
	}
	out := &TaskDefinitionOutput{TaskDefinition: *d}
	if slices.Contains(in.Include, "TAGS") {
		out.Tags = given(s.tagsLocked(d.TaskDefinitionArn))
	}
	return out, nil
}

// DeregisterTaskDefinitionInput names a revision.
type DeregisterTaskDefinitionInput struct {
	TaskDefinition string `aws:",required"`
}

// DeregisterTaskDefinition answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html
// Services that use the revision go on with it.
func (s *Service) DeregisterTaskDefinition(_ context.Context, in *DeregisterTaskDefinitionInput) (*TaskDefinitionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(in.TaskDefinition, ":") {
		return nil, clientError("Revision is missing.")
	}
	d, ok := s.definitionLocked(in.TaskDefinition)
	if !ok {
		return nil, clientError("Unable to describe task definition.")
	}
	if d.Status == "ACTIVE" {
		d.Status, d.DeregisteredAt = "INACTIVE", s.clock.Now()
	}
	return &TaskDefinitionOutput{TaskDefinition: *d}, nil
}

// ListTaskDefinitionsInput narrows a list of revisions.
type ListTaskDefinitionsInput struct {
	FamilyPrefix string // a whole family, in spite of its name
	Status       string // ACTIVE where empty
	Sort         string // ASC where empty
	MaxResults   *int
	NextToken    string
}

// ListTaskDefinitionsOutput is a page of ARNs.
type ListTaskDefinitionsOutput struct {
	TaskDefinitionArns []string
	NextToken          string
}

// ListTaskDefinitions answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html
func (s *Service) ListTaskDefinitions(_ context.Context, in *ListTaskDefinitionsInput) (*ListTaskDefinitionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := in.Status
	if status == "" {
		status = "ACTIVE"
	}
	var found []*TaskDefinition
	for _, d := range s.order {
		if d.Status == status && (in.FamilyPrefix == "" || d.Family == in.FamilyPrefix) {
			found = append(found, d)
		}
	}
	slices.SortStableFunc(found, func(a, b *TaskDefinition) int { return strings.Compare(a.Family, b.Family) })
	if in.Sort == "DESC" {
		slices.Reverse(found)
	}
	arns := []string{}
	for _, d := range found {
		arns = append(arns, d.TaskDefinitionArn)
	}
	page, next, err := page(arns, in.NextToken, in.MaxResults, 100)
	return &ListTaskDefinitionsOutput{TaskDefinitionArns: page, NextToken: next}, err
}
