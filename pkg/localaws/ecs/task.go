package ecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/workload"
)

// A Runner runs containers; see package workload.
type Runner interface {
	Start(ctx context.Context, spec workload.Spec) (workload.Process, error)
}

type taskState int

// The states of a task, in their order.
const (
	taskPending taskState = iota
	taskRunning
	taskDeactivating // its targets drain
	taskStopping     // its containers were told to end
	taskStopped
)

func (s taskState) String() string {
	return [...]string{"PENDING", "RUNNING", "DEACTIVATING", "STOPPING", "STOPPED"}[s]
}

// A task is one run of a task definition for a service.
type task struct {
	id         string
	arn        string
	deployment string
	definition *TaskDefinition
	targets    []target
	state      taskState
	starting   bool // the Runner is at it
	ordered    bool // it is to stop, whoever wants that
	healthy    bool // it was healthy once
	cancel     context.CancelFunc
	containers []*container
	version    int

	createdAt, startedAt, stoppingAt, stoppedAt time.Time
	pullStartedAt, pullStoppedAt                time.Time
	reason, code                                string // why it stopped
}

// A container is a container of a task.
type container struct {
	definition ContainerDefinition
	arn        string
	process    workload.Process
	exited     bool
	exitCode   *int
	reason     string
}

// A target is an entry of the task in a target group.
type target struct {
	group string
	port  int
}

const loopback = "127.0.0.1"

// startLocked makes a task of the deployment and has it started.
func (s *Service) startLocked(v *service, d *deployment) *task {
	ctx, cancel := context.WithCancel(context.Background())
	t := &task{deployment: d.id, definition: d.definition, createdAt: s.clock.Now(), cancel: cancel, version: 1}
	t.id = s.newIDLocked("task")
	t.arn = s.taskARN(v.cluster, t.id)
	for _, c := range d.definition.ContainerDefinitions {
		id := s.newIDLocked("container")
		t.containers = append(t.containers, &container{
			definition: c,
			arn:        s.arn("container", fmt.Sprintf("%s/%s/%s-%s-%s-%s-%s", v.cluster, t.id, id[:8], id[8:12], id[12:16], id[16:20], id[20:])),
		})
	}
	v.tasks = append(v.tasks, t)
	t.starting = true
	balancers := d.balancers
	s.clock.Go(func() { s.run(ctx, v, t, balancers) })
	return t
}

// run starts a task's containers in their order, and makes it a target after.
func (s *Service) run(ctx context.Context, v *service, t *task, balancers []LoadBalancer) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.running.Add(1)
	defer s.running.Done()
	t.pullStartedAt = s.clock.Now()
	s.mu.Unlock()

	err := s.startContainers(ctx, v, t)
	var targets []target
	if err == nil {
		targets, err = s.register(t, balancers)
	}
	s.mu.Lock()
	t.starting, t.targets = false, targets
	switch {
	case err != nil:
		s.orderLocked(v, t, "TaskFailedToStart", err.Error(), true)
		s.endLocked(t)
	case t.state == taskPending:
		s.runningLocked(v, t)
	}
	s.mu.Unlock()
	s.ended(v, t)
}

func (s *Service) runningLocked(v *service, t *task) {
	now := s.clock.Now()
	t.state, t.startedAt, t.pullStoppedAt = taskRunning, now, now
	t.version++
	if d := v.deployment(t.deployment); d != nil && !d.ran {
		d.ran, d.failed = true, 0
	}
	for _, b := range t.targets {
		s.tellLocked(v, "registered 1 targets in (target-group %s)", b.group)
	}
}

// startContainers has the Runner start a task's containers one after the other,
// and leaves off when the task is to stop.
func (s *Service) startContainers(ctx context.Context, v *service, t *task) error {
	extra := map[string]string{}
	var err error
	if s.Environment != nil {
		if extra, err = s.Environment(t.definition.TaskRoleArn, t.id); err != nil {
			return fmt.Errorf("ResourceInitializationError: assume role %s: %w", t.definition.TaskRoleArn, err)
		}
	}
	for _, c := range t.containers {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("task stopped before it ran: %w", err)
		}
		process, err := s.Runner.Start(ctx, s.spec(v, t, c, extra))
		s.mu.Lock()
		if err != nil {
			c.reason = err.Error()
			s.mu.Unlock()
			return errors.New(c.reason)
		}
		c.process = process
		over := t.state >= taskStopping || s.closed
		s.mu.Unlock()
		if over { // nobody else knew of this process when all others were stopped
			process.Stop(0)
			return errors.New("task stopped before it ran")
		}
	}
	return nil
}

// spec says how to run a container of a task.
func (s *Service) spec(v *service, t *task, c *container, extra map[string]string) workload.Spec {
	d := c.definition
	spec := workload.Spec{
		Name: t.id + "/" + d.Name, Image: d.Image, EntryPoint: d.EntryPoint, Command: d.Command, WorkingDir: d.WorkingDirectory,
		Env:    map[string]string{"AWS_REGION": s.Region, "AWS_DEFAULT_REGION": s.Region},
		OnExit: func(exit workload.Exit) { s.exited(v, t, c, exit.Code) },
	}
	if v.launchType == "FARGATE" {
		spec.Env["AWS_EXECUTION_ENV"] = "AWS_ECS_FARGATE"
	}
	maps.Copy(spec.Env, extra)
	for _, pair := range d.Environment {
		spec.Env[pair.Name] = pair.Value
	}
	for _, p := range d.PortMappings {
		spec.Ports = append(spec.Ports, p.ContainerPort)
	}
	if l := d.LogConfiguration; l != nil && s.Logs != nil {
		stream := d.Name + "/" + t.id
		if prefix := l.Options["awslogs-stream-prefix"]; prefix != "" {
			stream = prefix + "/" + stream
		}
		spec.Stdout = func(line string) { s.Logs.Put(l.Options["awslogs-group"], stream, line) }
		spec.Stderr = spec.Stdout
	}
	return spec
}

// register makes the task's containers targets.
func (s *Service) register(t *task, balancers []LoadBalancer) ([]target, error) {
	var targets []target
	for _, b := range balancers {
		i := slices.IndexFunc(t.containers, func(c *container) bool { return c.definition.Name == b.ContainerName })
		to := target{group: b.TargetGroupArn, port: t.containers[i].process.Ports()[b.ContainerPort]}
		if err := s.LoadBalancing.Register(to.group, loopback, to.port); err != nil {
			return targets, err
		}
		targets = append(targets, to)
	}
	return targets, nil
}

// orderLocked notes that and why a task has to stop; the first reason stays. If
// it is to blame, its deployment has one more failure.
func (s *Service) orderLocked(v *service, t *task, code, reason string, blamed bool) {
	if t.ordered {
		return
	}
	now := s.clock.Now()
	t.ordered, t.code, t.reason, t.stoppingAt = true, code, reason, now
	t.version++
	d := v.deployment(t.deployment)
	if !blamed || d == nil {
		return
	}
	d.failed++
	d.updatedAt = now
	d.notBefore = now.Add(backoff(d.failed))
	if d.failed >= 3 && !d.toldTrouble {
		d.toldTrouble = true
		s.tellLocked(v, "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.")
	}
}

// endLocked moves a task on to STOPPING and tells its containers to end.
func (s *Service) endLocked(t *task) {
	if t.state < taskStopping {
		t.state = taskStopping
		s.stopContainersLocked(t)
	}
}

// stopContainersLocked tells what runs to end. Stop returns at once and calls
// nothing back from within, so it may be called under the lock.
func (s *Service) stopContainersLocked(t *task) {
	t.cancel()
	for _, c := range t.containers {
		if c.process != nil && !c.exited {
			grace := 30 * time.Second
			if c.definition.StopTimeout != nil {
				grace = time.Duration(*c.definition.StopTimeout) * time.Second
			}
			c.process.Stop(grace)
		}
	}
}

// exited notes that a container ended; an essential one ends its task.
func (s *Service) exited(v *service, t *task, c *container, code int) {
	s.mu.Lock()
	c.exited, c.exitCode = true, &code
	if *c.definition.Essential {
		s.orderLocked(v, t, "EssentialContainerExited", "Essential container in task exited", true)
		s.endLocked(t)
	}
	s.mu.Unlock()
	s.ended(v, t)
}

// ended files a task whose containers are all over among the stopped ones, takes
// its targets away, and has the service reconciled.
func (s *Service) ended(v *service, t *task) {
	s.mu.Lock()
	over := t.over()
	if over {
		t.state, t.stoppedAt = taskStopped, s.clock.Now()
		t.version++
		v.tasks = slices.DeleteFunc(v.tasks, func(other *task) bool { return other == t })
		v.stopped = append(v.stopped, t)
		if extra := len(v.stopped) - 100; extra > 0 {
			v.stopped = slices.Delete(v.stopped, 0, extra)
		}
	}
	targets := t.targets
	s.mu.Unlock()
	if over {
		s.deregister(targets) // no news for those that drained before
	}
	s.reconcile(v)
}

// over says that a task on its way out has nothing left to wait for.
func (t *task) over() bool {
	return t.state == taskStopping && !t.starting &&
		!slices.ContainsFunc(t.containers, func(c *container) bool { return c.process != nil && !c.exited })
}

func (s *Service) deregister(targets []target) {
	for _, b := range targets {
		if err := s.LoadBalancing.Deregister(b.group, loopback, b.port); err != nil {
			s.Logger.Warn("deregister target", "group", b.group, "port", b.port, "error", err)
		}
	}
}

// taskARN is the ARN of a task given by its id or ARN.
func (s *Service) taskARN(cluster, id string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return s.arn("task", clusterNameOf(cluster)+"/"+id)
}

// ContainerStatus is a container of a task as ECS describes it.
type ContainerStatus struct {
	ContainerArn    string
	TaskArn         string
	Name            string
	Image           string
	ImageDigest     string
	LastStatus      string
	ExitCode        *int
	Reason          string
	HealthStatus    string
	Cpu             string
	NetworkBindings []NetworkBinding
}

// NetworkBinding is where a container's port is found.
type NetworkBinding struct {
	BindIP        string
	ContainerPort int
	HostPort      int
	Protocol      string
}

// TaskDescription is a task as ECS describes it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
type TaskDescription struct {
	TaskArn           string
	TaskDefinitionArn string
	ClusterArn        string
	Group             string
	StartedBy         string
	LastStatus        string
	DesiredStatus     string
	HealthStatus      string
	LaunchType        string
	PlatformVersion   string
	PlatformFamily    string
	Cpu               string
	Memory            string
	Containers        []ContainerStatus
	CreatedAt         time.Time
	PullStartedAt     time.Time
	PullStoppedAt     time.Time
	StartedAt         time.Time
	StoppingAt        time.Time
	StoppedAt         time.Time
	StopCode          string
	StoppedReason     string
	Version           int
}

func (s *Service) describeTaskLocked(v *service, t *task) TaskDescription {
	out := TaskDescription{
		TaskArn: t.arn, TaskDefinitionArn: t.definition.TaskDefinitionArn, ClusterArn: s.arn("cluster", v.cluster),
		Group: "service:" + v.name, StartedBy: t.deployment, LastStatus: t.state.String(), DesiredStatus: "RUNNING",
		HealthStatus: "UNKNOWN", LaunchType: v.launchType, PlatformVersion: v.platformVersion, PlatformFamily: platformFamily(v),
		Cpu: t.definition.Cpu, Memory: t.definition.Memory, CreatedAt: t.createdAt, PullStartedAt: t.pullStartedAt,
		PullStoppedAt: t.pullStoppedAt, StartedAt: t.startedAt, StoppingAt: t.stoppingAt, StoppedAt: t.stoppedAt,
		StopCode: t.code, StoppedReason: t.reason, Version: t.version,
	}
	if t.ordered {
		out.DesiredStatus = "STOPPED"
	}
	for _, c := range t.containers {
		status := ContainerStatus{
			ContainerArn: c.arn, TaskArn: t.arn, Name: c.definition.Name, Image: c.definition.Image, LastStatus: "PENDING",
			ExitCode: c.exitCode, Reason: c.reason, HealthStatus: "UNKNOWN", Cpu: fmt.Sprint(*c.definition.Cpu), NetworkBindings: []NetworkBinding{},
		}
		switch {
		case c.exited || t.state == taskStopped:
			status.LastStatus = "STOPPED"
		case c.process != nil:
			status.LastStatus = "RUNNING"
		}
		if c.process != nil {
			status.ImageDigest = c.process.Digest()
			for _, p := range c.definition.PortMappings {
				status.NetworkBindings = append(status.NetworkBindings, NetworkBinding{
					BindIP: loopback, ContainerPort: p.ContainerPort, HostPort: c.process.Ports()[p.ContainerPort], Protocol: p.Protocol,
				})
			}
		}
		out.Containers = append(out.Containers, status)
	}
	return out
}

// findTaskLocked finds a task of a cluster by id or ARN.
func (s *Service) findTaskLocked(cluster, id string) (*service, *task) {
	arn := s.taskARN(cluster, id)
	for _, v := range s.services {
		for _, t := range slices.Concat(v.tasks, v.stopped) {
			if t.arn == arn && !s.forgotten(t) {
				return v, t
			}
		}
	}
	return nil, nil
}

// forgotten says that a stopped task is no longer described.
func (s *Service) forgotten(t *task) bool {
	return t.state == taskStopped && s.clock.Now().Sub(t.stoppedAt) > time.Hour
}

// DescribeTasksInput names tasks by id or ARN.
type DescribeTasksInput struct {
	Cluster string
	Tasks   []string `aws:",required"`
	Include []string
}

// DescribeTasksOutput lists the tasks found, and failures for others.
type DescribeTasksOutput struct {
	Tasks    []TaskDescription
	Failures []Failure
}

// DescribeTasks answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
func (s *Service) DescribeTasks(_ context.Context, in *DescribeTasksInput) (*DescribeTasksOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.clusterLocked(in.Cluster); err != nil {
		return nil, err
	}
	if len(in.Tasks) == 0 || len(in.Tasks) > 100 {
		return nil, invalid("Tasks must have 1 to 100 entries.")
	}
	out := &DescribeTasksOutput{Tasks: []TaskDescription{}, Failures: []Failure{}}
	for _, id := range in.Tasks {
		if v, t := s.findTaskLocked(in.Cluster, id); t != nil {
			out.Tasks = append(out.Tasks, s.describeTaskLocked(v, t))
		} else {
			out.Failures = append(out.Failures, Failure{Arn: s.taskARN(in.Cluster, id), Reason: "MISSING"})
		}
	}
	return out, nil
}

// ListTasksInput narrows a list of tasks.
type ListTasksInput struct {
	Cluster       string
	ServiceName   string
	Family        string
	StartedBy     string
	LaunchType    string
	DesiredStatus string // RUNNING where empty
	MaxResults    *int
	NextToken     string
}

// ListTasksOutput is a page of ARNs.
type ListTasksOutput struct {
	TaskArns  []string
	NextToken string
}

// ListTasks answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (s *Service) ListTasks(_ context.Context, in *ListTasksInput) (*ListTasksOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.clusterLocked(in.Cluster); err != nil {
		return nil, err
	}
	if in.ServiceName != "" {
		if _, ok := s.services[s.serviceARN(in.Cluster, in.ServiceName)]; !ok {
			return nil, refuse("ServiceNotFoundException", "Service not found.")
		}
	}
	wanted := cmp.Or(in.DesiredStatus, "RUNNING")
	arns := []string{}
	for _, v := range s.services {
		if v.cluster != clusterNameOf(in.Cluster) || (in.ServiceName != "" && v.arn != s.serviceARN(in.Cluster, in.ServiceName)) {
			continue
		}
		if in.LaunchType != "" && v.launchType != in.LaunchType {
			continue
		}
		for _, t := range slices.Concat(v.tasks, v.stopped) {
			stopped := t.ordered || t.state == taskStopped
			if s.forgotten(t) || stopped != (wanted == "STOPPED") || (in.Family != "" && t.definition.Family != in.Family) ||
				(in.StartedBy != "" && t.deployment != in.StartedBy) {
				continue
			}
			arns = append(arns, t.arn)
		}
	}
	slices.Sort(arns)
	items, next, err := page(arns, in.NextToken, in.MaxResults, 100)
	return &ListTasksOutput{TaskArns: items, NextToken: next}, err
}

// StopTaskInput names a task by id or ARN.
type StopTaskInput struct {
	Cluster string
	Task    string `aws:",required"`
	Reason  string
}

// StopTaskOutput is the task.
type StopTaskOutput struct{ Task TaskDescription }

// StopTask answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
// The task's service starts another.
func (s *Service) StopTask(_ context.Context, in *StopTaskInput) (*StopTaskOutput, error) {
	s.mu.Lock()
	if _, err := s.clusterLocked(in.Cluster); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	v, t := s.findTaskLocked(in.Cluster, in.Task)
	if t == nil {
		s.mu.Unlock()
		return nil, invalid("The referenced task was not found.")
	}
	targets := s.stopLocked(v, t, "UserInitiated", cmp.Or(in.Reason, "Task stopped by user"), false)
	out := &StopTaskOutput{Task: s.describeTaskLocked(v, t)}
	s.mu.Unlock()
	s.deregister(targets)
	s.ended(v, t)
	return out, nil
}
