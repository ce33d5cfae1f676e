// Package bluegreentest is a small world of one blue/green pair behind the
// interfaces of package bluegreen and the two ECS actions: a load balancer, two
// services with their target groups, and task definitions. It keeps to the
// rules of AWS that matter there: a registration always makes a revision, a
// service deploys only when its task definition changes or when forced to, a
// service's tasks are registered in its target group, a default rule is changed
// through its listener only.
//
// Nothing happens by itself: [World.Advance] moves deployments on. Before and
// After see every call, to count, fail or interleave it.
package bluegreentest

import (
	"fmt"
	"strings"
	"sync"
	"time"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// ARNs of the world as New makes it.
const (
	prefix         = "arn:aws:elasticloadbalancing:us-east-1:111122223333:"
	LoadBalancer   = prefix + "loadbalancer/app/hello/50dc6c495c0c9188"
	Listener80     = prefix + "listener/app/hello/50dc6c495c0c9188/0000000000000080"
	Listener8080   = prefix + "listener/app/hello/50dc6c495c0c9188/0000000000008080"
	ProductionRule = prefix + "listener-rule/app/hello/50dc6c495c0c9188/0000000000000080/000000000000d080"
	TestRule       = prefix + "listener-rule/app/hello/50dc6c495c0c9188/0000000000008080/000000000000d880"
	GroupA         = prefix + "targetgroup/hello-a/aaaaaaaaaaaaaaaa"
	GroupB         = prefix + "targetgroup/hello-b/bbbbbbbbbbbbbbbb"
	ServiceA       = "arn:aws:ecs:us-east-1:111122223333:service/main/hello-a"
	ServiceB       = "arn:aws:ecs:us-east-1:111122223333:service/main/hello-b"
	taskDefinition = "arn:aws:ecs:us-east-1:111122223333:task-definition/"
)

// A World is everything the actions see. Its exported fields may be set before
// use, and under Change later.
type World struct {
	LoadBalancers []elbtypes.LoadBalancer
	Listeners     []elbtypes.Listener
	Rules         map[string][]elbtypes.Rule // by listener ARN
	Tags          map[string]map[string]string
	Services      map[string]*ecstypes.Service // by name
	Revisions     []TaskDefinition             // in order of registration, over all families
	Targets       map[string][]elbtypes.TargetHealthDescription
	Stopped       map[string][]ecstypes.Task // by service name

	// BadImages are images whose tasks do not start.
	BadImages map[string]bool
	// Before and After run around every call, outside the lock. An error from
	// Before means the call did not happen, one from After that its answer was
	// lost.
	Before, After func(operation string) error

	mu         sync.Mutex
	calls      []string
	violations []string
	deployment int
	now        time.Time
}

// A TaskDefinition is a registered task definition.
type TaskDefinition struct {
	ecstypes.TaskDefinition
	Tags []ecstypes.Tag
}

// New makes a pair as a first deployment leaves it: hello-a live on port 80
// with two tasks of hello:1 (image app:v1), hello-b idle on the test route with
// as many.
func New() *World {
	w := &World{
		LoadBalancers: []elbtypes.LoadBalancer{{
			LoadBalancerArn:  ptr(LoadBalancer),
			LoadBalancerName: ptr("hello"),
			DNSName:          ptr("hello-1.us-east-1.elb.amazonaws.com"),
			Type:             elbtypes.LoadBalancerTypeEnumApplication,
		}},
		Rules:     map[string][]elbtypes.Rule{},
		Tags:      map[string]map[string]string{GroupA: {"IsProduction": "True"}, GroupB: {"IsProduction": "False"}},
		Services:  map[string]*ecstypes.Service{},
		Targets:   map[string][]elbtypes.TargetHealthDescription{},
		Stopped:   map[string][]ecstypes.Task{},
		BadImages: map[string]bool{},
		now:       time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	w.AddListener(Listener80, elbtypes.ProtocolEnumHttp, 80, ProductionRule, Forward(GroupA, 100, GroupB, 0))
	w.AddListener(Listener8080, elbtypes.ProtocolEnumHttp, 8080, TestRule, Forward(GroupB, 100))
	w.Register("hello", "app:v1")
	w.AddService("hello-a", ServiceA, GroupA, taskDefinition+"hello:1", 2)
	w.AddService("hello-b", ServiceB, GroupB, taskDefinition+"hello:1", 2)
	return w
}

// Forward makes a forward action's list: group, weight, group, weight, …
func Forward(groupsAndWeights ...any) []elbtypes.Action {
	f := &elbtypes.ForwardActionConfig{TargetGroupStickinessConfig: &elbtypes.TargetGroupStickinessConfig{Enabled: ptr(false)}}
	for i := 0; i < len(groupsAndWeights); i += 2 {
		f.TargetGroups = append(f.TargetGroups, elbtypes.TargetGroupTuple{TargetGroupArn: ptr(groupsAndWeights[i].(string)), Weight: ptr(int32(groupsAndWeights[i+1].(int)))})
	}
	return []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, Order: ptr(int32(1)), ForwardConfig: f}}
}

// AddListener adds a listener with its default rule.
func (w *World) AddListener(arn string, protocol elbtypes.ProtocolEnum, port int32, rule string, actions []elbtypes.Action) {
	w.Listeners = append(w.Listeners, elbtypes.Listener{ListenerArn: ptr(arn), LoadBalancerArn: ptr(LoadBalancer), Port: ptr(port), Protocol: protocol})
	w.Rules[arn] = append(w.Rules[arn], elbtypes.Rule{RuleArn: ptr(rule), Priority: ptr("default"), IsDefault: ptr(true), Actions: actions})
}

// AddRule adds a rule before the listener's default rule.
func (w *World) AddRule(listener, rule, priority string, actions []elbtypes.Action) {
	w.Rules[listener] = append([]elbtypes.Rule{{RuleArn: ptr(rule), Priority: ptr(priority), IsDefault: ptr(false), Actions: actions}}, w.Rules[listener]...)
}

// Register adds a task definition of one container, app, to a family.
func (w *World) Register(family, image string) string {
	return w.add(ecstypes.TaskDefinition{
		Family:               ptr(family),
		NetworkMode:          ecstypes.NetworkModeAwsvpc,
		Cpu:                  ptr("256"),
		Memory:               ptr("512"),
		ExecutionRoleArn:     ptr("arn:aws:iam::111122223333:role/exec"),
		ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: ptr("app"), Image: ptr(image), Essential: ptr(true)}},
	}, []ecstypes.Tag{{Key: ptr("team"), Value: ptr("web")}, {Key: ptr("aws:cloudformation:stack-name"), Value: ptr("hello")}})
}

func (w *World) add(t ecstypes.TaskDefinition, tags []ecstypes.Tag) string {
	for _, r := range w.Revisions {
		if *r.Family == *t.Family {
			t.Revision = r.Revision
		}
	}
	t.Revision++
	t.TaskDefinitionArn = ptr(fmt.Sprintf("%s%s:%d", taskDefinition, *t.Family, t.Revision))
	t.Status = ecstypes.TaskDefinitionStatusActive
	w.Revisions = append(w.Revisions, TaskDefinition{TaskDefinition: t, Tags: tags})
	return *t.TaskDefinitionArn
}

// AddService adds a service in steady state.
func (w *World) AddService(name, arn, group, taskDefinition string, count int32) {
	w.deployment++
	w.Services[name] = &ecstypes.Service{
		ServiceName: ptr(name), ServiceArn: ptr(arn), ClusterArn: ptr("arn:aws:ecs:us-east-1:111122223333:cluster/main"),
		Status: ptr("ACTIVE"), SchedulingStrategy: ecstypes.SchedulingStrategyReplica, TaskDefinition: ptr(taskDefinition),
		DeploymentController: &ecstypes.DeploymentController{Type: ecstypes.DeploymentControllerTypeEcs},
		DesiredCount:         count, RunningCount: count,
		LoadBalancers: []ecstypes.LoadBalancer{{TargetGroupArn: ptr(group), ContainerName: ptr("app"), ContainerPort: ptr(int32(80))}},
		Deployments: []ecstypes.Deployment{{
			Id: ptr(fmt.Sprintf("ecs-svc/%d", w.deployment)), Status: ptr("PRIMARY"), TaskDefinition: ptr(taskDefinition),
			DesiredCount: count, RunningCount: count, RolloutState: ecstypes.DeploymentRolloutStateCompleted,
		}},
	}
	w.SetHealth(group, int(count), 0)
}

// AddPair adds a pair, NAME-a and NAME-b, on a rule of its own on both listeners:
// a live, b idle on the test route, two tasks each. It returns the target groups.
func (w *World) AddPair(name string) (a, b string) {
	n := len(w.Services)
	a, b = fmt.Sprintf("%stargetgroup/%s-a/%016d", prefix, name, n), fmt.Sprintf("%stargetgroup/%s-b/%016d", prefix, name, n)
	w.Tags[a], w.Tags[b] = map[string]string{}, map[string]string{}
	for side, group := range map[string]string{"-a": a, "-b": b} {
		w.AddService(name+side, "arn:aws:ecs:us-east-1:111122223333:service/main/"+name+side, group, taskDefinition+"hello:1", 2)
	}
	w.AddRule(Listener80, fmt.Sprintf("%s%04d", ProductionRule, n), fmt.Sprint(n), Forward(a, 100, b, 0))
	w.AddRule(Listener8080, fmt.Sprintf("%s%04d", TestRule, n), fmt.Sprint(n), Forward(b, 100))
	return a, b
}

// SetHealth puts healthy and other (still initial) targets into a group.
func (w *World) SetHealth(group string, healthy, initial int) {
	w.Targets[group] = nil
	for range healthy {
		w.Targets[group] = append(w.Targets[group], target(elbtypes.TargetHealthStateEnumHealthy, ""))
	}
	for range initial {
		w.Targets[group] = append(w.Targets[group], target(elbtypes.TargetHealthStateEnumInitial, elbtypes.TargetHealthReasonEnumInitialHealthChecking))
	}
}

func target(state elbtypes.TargetHealthStateEnum, reason elbtypes.TargetHealthReasonEnum) elbtypes.TargetHealthDescription {
	return elbtypes.TargetHealthDescription{TargetHealth: &elbtypes.TargetHealth{State: state, Reason: reason}}
}

// Change changes the world under its lock, as someone else would.
func (w *World) Change(change func(w *World)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// Advance moves every deployment one step on: start one task, find one target
// healthy, complete. A deployment of a bad image fails, and the circuit breaker
// brings back what was deployed before.
func (w *World) Advance() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(10 * time.Second)
	for _, s := range w.Services {
		w.advance(s)
	}
}

func (w *World) advance(s *ecstypes.Service) {
	d := &s.Deployments[0]
	group := *s.LoadBalancers[0].TargetGroupArn
	healthy, other := 0, 0
	for _, t := range w.Targets[group] {
		if t.TargetHealth.State == elbtypes.TargetHealthStateEnumHealthy {
			healthy++
		} else {
			other++
		}
	}
	switch {
	case d.RolloutState == ecstypes.DeploymentRolloutStateInProgress && w.BadImages[w.image(*d.TaskDefinition)]:
		w.breakCircuit(s)
	case d.RunningCount < s.DesiredCount:
		d.RunningCount++
		s.RunningCount = d.RunningCount
		w.SetHealth(group, healthy, other+1)
	case other > 0:
		w.SetHealth(group, healthy+1, other-1)
	case healthy < int(d.RunningCount):
		w.SetHealth(group, healthy, other+1)
	default:
		s.Deployments = s.Deployments[:1]
		s.Deployments[0].RolloutState = ecstypes.DeploymentRolloutStateCompleted
	}
}

func (w *World) breakCircuit(s *ecstypes.Service) {
	failed := s.Deployments[0]
	failed.Status, failed.RolloutState = ptr("ACTIVE"), ecstypes.DeploymentRolloutStateFailed
	failed.RolloutStateReason = ptr("ECS deployment circuit breaker: tasks failed to start.")
	w.Stopped[*s.ServiceName] = append(w.Stopped[*s.ServiceName], ecstypes.Task{
		TaskArn: ptr("arn:aws:ecs:us-east-1:111122223333:task/main/1"), TaskDefinitionArn: failed.TaskDefinition, StoppedAt: ptr(w.now),
		StoppedReason: ptr("Essential container in task exited"), Containers: []ecstypes.Container{{Name: ptr("app"), ExitCode: ptr(int32(1))}},
	})
	s.Events = append([]ecstypes.ServiceEvent{{Message: ptr(fmt.Sprintf("(service %s) (deployment %s) deployment failed: tasks failed to start.", *s.ServiceName, *failed.Id))}}, s.Events...)
	previous := s.Deployments[1]
	w.deployment++
	s.Deployments = []ecstypes.Deployment{{
		Id: ptr(fmt.Sprintf("ecs-svc/%d", w.deployment)), Status: ptr("PRIMARY"), TaskDefinition: previous.TaskDefinition,
		DesiredCount: s.DesiredCount, RunningCount: s.DesiredCount, RolloutState: ecstypes.DeploymentRolloutStateCompleted,
		RolloutStateReason: ptr(fmt.Sprintf("ECS deployment circuit breaker: rolling back to deploymentId %s.", *previous.Id)),
	}, failed}
	s.TaskDefinition, s.RunningCount = previous.TaskDefinition, s.DesiredCount
	w.SetHealth(*s.LoadBalancers[0].TargetGroupArn, int(s.DesiredCount), 0)
}

func (w *World) image(arn string) string {
	for _, r := range w.Revisions {
		if *r.TaskDefinitionArn == arn {
			return *r.ContainerDefinitions[0].Image
		}
	}
	return ""
}

// Calls returns the calls made since it was last asked, in order.
func (w *World) Calls() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

// Writes are the calls of Calls that are not reads.
func (w *World) Writes() []string {
	var writes []string
	for _, c := range w.Calls() {
		if !strings.HasPrefix(c, "Describe") && !strings.HasPrefix(c, "List") {
			writes = append(writes, c)
		}
	}
	return writes
}

// Violations lists the moments in which the production route pointed at a
// group without healthy targets.
func (w *World) Violations() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.violations
}

// Active lists the family's active revisions as FAMILY:REVISION=IMAGE.
func (w *World) Active(family string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var active []string
	for _, r := range w.Revisions {
		if *r.Family == family && r.Status == ecstypes.TaskDefinitionStatusActive {
			active = append(active, fmt.Sprintf("%s:%d=%s", family, r.Revision, *r.ContainerDefinitions[0].Image))
		}
	}
	return active
}

// Route tells a listener's default rule as NAME=WEIGHT, in the order written.
func (w *World) Route(listener string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	rules := w.Rules[listener]
	var parts []string
	for _, g := range rules[len(rules)-1].Actions[len(rules[len(rules)-1].Actions)-1].ForwardConfig.TargetGroups {
		name := strings.Split(*g.TargetGroupArn, "/")[1]
		parts = append(parts, fmt.Sprintf("%s=%d", name, *g.Weight))
	}
	return strings.Join(parts, " ")
}

// Tag is the value of a target group's tag.
func (w *World) Tag(group, key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Tags[group][key]
}

func ptr[T any](v T) *T { return &v }
