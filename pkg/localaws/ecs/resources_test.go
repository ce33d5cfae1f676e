package ecs_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/ecs"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/workload"
)

func typeOf(t *testing.T, s *ecs.Service, name string) resource.Type {
	t.Helper()
	for _, r := range s.Resources() {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("there is no resource type %s", name)
	return resource.Type{}
}

func definitionProperties(image string) map[string]any {
	return map[string]any{
		"Family": "web", "NetworkMode": "awsvpc", "Cpu": "256", "Memory": 512, "RequiresCompatibilities": []any{"FARGATE"},
		"ContainerDefinitions": []any{map[string]any{"Name": "app", "Image": image, "PortMappings": []any{map[string]any{"ContainerPort": "8080"}}}},
	}
}

func serviceProperties(definition string, desired int) map[string]any {
	return map[string]any{
		"ServiceName": "web", "Cluster": "main", "TaskDefinition": definition, "DesiredCount": desired, "LaunchType": "FARGATE",
		"LoadBalancers":           []any{map[string]any{"TargetGroupArn": group, "ContainerName": "app", "ContainerPort": 8080}},
		"NetworkConfiguration":    map[string]any{"AwsvpcConfiguration": map[string]any{"Subnets": []any{"subnet-1"}}},
		"DeploymentConfiguration": map[string]any{"DeploymentCircuitBreaker": map[string]any{"Enable": true, "Rollback": true}},
	}
}

func TestResources_WaitForTheSteadyStateOfServices(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	definitions, services := typeOf(t, p.service, "AWS::ECS::TaskDefinition"), typeOf(t, p.service, "AWS::ECS::Service")
	define := func(image string) string {
		state, err := definitions.Create(t.Context(), resource.Request{LogicalID: "Task", Properties: definitionProperties(image)})
		if err != nil {
			t.Fatal(err)
		}
		return state.PhysicalID
	}
	one, two, bad := define("good:1"), define("good:2"), define("crash")
	r := resource.Request{StackName: "app", LogicalID: "Service", Properties: serviceProperties(one, 2)}
	state, err := services.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := resource.State{PhysicalID: "arn:aws:ecs:us-east-1:111122223333:service/main/web", Attributes: map[string]any{
		"Name": "web", "ServiceArn": "arn:aws:ecs:us-east-1:111122223333:service/main/web",
	}}
	if diff := cmp.Diff(want, state); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if v := p.describe(t); !steady(v) || v.RunningCount != 2 {
		t.Errorf("after create: got %s, want it steady", summary(v))
	}
	update := func(definition string) error {
		r.PhysicalID, r.Previous = state.PhysicalID, r.Properties
		r.Properties = serviceProperties(definition, 2)
		_, err := services.Update(t.Context(), r)
		return err
	}
	if err := update(two); err != nil {
		t.Fatal(err)
	}
	if v := p.describe(t); !steady(v) || *v.TaskDefinition != two {
		t.Errorf("after update: got %s, want it steady on %s", summary(v), two)
	}
	if err := update(bad); err == nil || !strings.Contains(err.Error(), "'ECS Deployment Circuit Breaker was triggered'") {
		t.Errorf("update to what crashes: got %v, want the circuit breaker told", err)
	}
	p.until(t, 10*time.Minute, "rolled back", func(v types.Service) bool { return steady(v) && *v.TaskDefinition == two })
	if err := services.Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if len(p.programs.running) != 0 {
		t.Errorf("after delete: got %d programs, want none", len(p.programs.running))
	}
	if err := services.Delete(t.Context(), r); err != nil {
		t.Errorf("delete again: got %v, want nothing to do", err)
	}
	if err := definitions.Delete(t.Context(), resource.Request{PhysicalID: one}); err != nil {
		t.Error(err)
	}
	if err := typeOf(t, p.service, "AWS::ECS::Cluster").Delete(t.Context(), resource.Request{PhysicalID: "main"}); err != nil {
		t.Error(err)
	}
}

func TestResources_DoNotWaitForServicesScaledToNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	before := p.clock.Now()
	r := resource.Request{LogicalID: "Service", Properties: serviceProperties(p.register(t, "missing"), 0)}
	if _, err := typeOf(t, p.service, "AWS::ECS::Service").Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if passed := p.clock.Now().Sub(before); passed != 0 {
		t.Errorf("got %v passed, want no wait", passed)
	}
}

func TestResources_TakeAFailedServiceAway(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := resource.Request{LogicalID: "Service", Properties: serviceProperties(p.register(t, "missing"), 1)}
	_, err := typeOf(t, p.service, "AWS::ECS::Service").Create(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), "Circuit Breaker") {
		t.Errorf("create: got %v, want the circuit breaker told", err)
	}
	if v := p.describe(t); *v.Status != "INACTIVE" {
		t.Errorf("service: got %s, want it INACTIVE", *v.Status)
	}
}

// On a clock that runs by itself, waiting is waiting.
func TestResources_WaitOnARunningClock(t *testing.T) {
	t.Parallel()
	c := clock.NewScaled(600)
	s := ecs.New(ecs.Config{Clock: c, Region: "us-east-1", Account: "111122223333", Runner: idle{}})
	defer s.Close()
	if _, err := typeOf(t, s, "AWS::ECS::Cluster").Create(t.Context(), resource.Request{Properties: map[string]any{"ClusterName": "main"}}); err != nil {
		t.Fatal(err)
	}
	definition, err := typeOf(t, s, "AWS::ECS::TaskDefinition").Create(t.Context(), resource.Request{Properties: definitionProperties("good:1")})
	if err != nil {
		t.Fatal(err)
	}
	properties := serviceProperties(definition.PhysicalID, 1)
	delete(properties, "LoadBalancers")
	r := resource.Request{Properties: properties}
	state, err := typeOf(t, s, "AWS::ECS::Service").Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: "main", Services: []string{"web"}})
	if err != nil || out.Services[0].RunningCount != 1 || out.Services[0].Deployments[0].RolloutState != "COMPLETED" {
		t.Errorf("after create: got %+v, %v, want one task running", out, err)
	}
	r.PhysicalID = state.PhysicalID
	if err := typeOf(t, s, "AWS::ECS::Service").Delete(t.Context(), r); err != nil {
		t.Error(err)
	}
}

// idle starts programs that do nothing until they are stopped.
type idle struct{}

type idler struct {
	once sync.Once
	exit func(workload.Exit)
	done chan struct{}
}

func (idle) Start(_ context.Context, spec workload.Spec) (workload.Process, error) {
	return &idler{exit: spec.OnExit, done: make(chan struct{})}, nil
}

func (p *idler) Ports() map[int]int            { return nil }
func (p *idler) Digest() string                { return "" }
func (p *idler) Done() <-chan struct{}         { return p.done }
func (p *idler) Exited() (workload.Exit, bool) { return workload.Exit{}, false }
func (p *idler) Stop(time.Duration) {
	p.once.Do(func() { close(p.done); go p.exit(workload.Exit{}) })
}
