package ecs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"go.uber.org/goleak"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/ecs"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	group    = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/0123456789abcdef"
	detached = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/idle/0123456789abcdef"
	// drain is the deregistration delay of the groups, checked how long a target
	// is initial.
	drain   = 60 * time.Second
	checked = 10 * time.Second
)

// A place is a cluster on a clock that the test moves, with programs and a load
// balancer that do what the image's name says: good, sick (its health checks
// fail), crash (exits at once), missing (can't be pulled).
type place struct {
	clock    *clock.Manual
	service  *ecs.Service
	client   *sdk.Client
	endpoint *endpoint.Endpoint
	balancer *balancer
	programs *programs
	lines    []string
}

func newPlace(t testing.TB) *place {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	p := &place{clock: c, balancer: &balancer{clock: c, targets: map[string]*entry{}}}
	p.programs = &programs{clock: c, balancer: p.balancer, running: map[int]*program{}}
	p.service = ecs.New(ecs.Config{
		Clock: c, Region: "us-east-1", Account: "111122223333", Runner: p.programs, LoadBalancing: p.balancer, Logs: p,
		Environment: func(role, task string) (map[string]string, error) {
			if strings.HasSuffix(role, "/gone") {
				return nil, errors.New("no such role")
			}
			return map[string]string{"ROLE": role}, nil
		},
	})
	t.Cleanup(p.service.Close)
	config, e := endpointtest.Serve(t, c, p.service.Wire())
	p.endpoint = e
	p.client = sdk.NewFromConfig(config, func(o *sdk.Options) { o.RetryMaxAttempts = 3 })
	if _, err := p.client.CreateCluster(t.Context(), &sdk.CreateClusterInput{ClusterName: aws.String("main")}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) Put(group, stream, message string) {
	p.lines = append(p.lines, group+" "+stream+" "+message)
}

// register registers a revision of web with this image.
func (p *place) register(t testing.TB, image string) string {
	t.Helper()
	out, err := p.client.RegisterTaskDefinition(t.Context(), definitionOf(image))
	if err != nil {
		t.Fatal(err)
	}
	return *out.TaskDefinition.TaskDefinitionArn
}

func definitionOf(image string) *sdk.RegisterTaskDefinitionInput {
	return &sdk.RegisterTaskDefinitionInput{
		Family: aws.String("web"), NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, ExecutionRoleArn: aws.String("arn:aws:iam::111122223333:role/execution"),
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("app"), Image: aws.String(image), PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(8080)}},
			LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
				"awslogs-group": "/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web",
			}},
		}},
	}
}

// input is a service of this many tasks behind the load balancer.
func input(definition string, desired int32) *sdk.CreateServiceInput {
	return &sdk.CreateServiceInput{
		Cluster: aws.String("main"), ServiceName: aws.String("web"), TaskDefinition: aws.String(definition), DesiredCount: aws.Int32(desired),
		LaunchType:           types.LaunchTypeFargate,
		LoadBalancers:        []types.LoadBalancer{{TargetGroupArn: aws.String(group), ContainerName: aws.String("app"), ContainerPort: aws.Int32(8080)}},
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
	}
}

func (p *place) create(t testing.TB, in *sdk.CreateServiceInput) {
	t.Helper()
	if _, err := p.client.CreateService(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

func (p *place) update(t testing.TB, in *sdk.UpdateServiceInput) types.Service {
	t.Helper()
	in.Cluster, in.Service = aws.String("main"), aws.String("web")
	out, err := p.client.UpdateService(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.Service
}

func (p *place) describe(t testing.TB) types.Service {
	t.Helper()
	out, err := p.client.DescribeServices(context.Background(), &sdk.DescribeServicesInput{Cluster: aws.String("main"), Services: []string{"web"}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Services[0]
}

// until moves the clock until the service is as wanted.
func (p *place) until(t testing.TB, limit time.Duration, what string, done func(types.Service) bool) types.Service {
	t.Helper()
	if !p.clock.AdvanceUntil(limit, func() bool { return done(p.describe(t)) }) {
		t.Fatalf("the service is not %s after %v; it is %s", what, limit, summary(p.describe(t)))
	}
	return p.describe(t)
}

// steady is ECS's own notion: one deployment, completed, running what is desired.
func steady(v types.Service) bool {
	return len(v.Deployments) == 1 && v.RunningCount == v.DesiredCount && v.Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted
}

func summary(v types.Service) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d/%d running, %d pending\n", v.RunningCount, v.DesiredCount, v.PendingCount)
	for _, d := range v.Deployments {
		fmt.Fprintf(&b, "%s %s %s %s: %d/%d running, %d pending, %d failed\n", *d.Status, *d.Id, *d.TaskDefinition, d.RolloutState, d.RunningCount, d.DesiredCount, d.PendingCount, d.FailedTasks)
	}
	for _, e := range v.Events[:min(len(v.Events), 10)] {
		fmt.Fprintf(&b, "%s %s\n", e.CreatedAt.Format(time.TimeOnly), *e.Message)
	}
	return b.String()
}

func told(v types.Service, part string) bool {
	return slices.ContainsFunc(v.Events, func(e types.ServiceEvent) bool { return strings.Contains(*e.Message, part) })
}

// A balancer knows targets by port. One is initial until it has been checked,
// then what its program makes it, and drains for a while.
type balancer struct {
	clock   *clock.Manual
	targets map[string]*entry
}

type entry struct {
	state string
	sick  bool
}

func key(group string, port int) string { return fmt.Sprintf("%s/%d", group, port) }

func (b *balancer) TargetGroup(arn string) (string, bool, bool) {
	return "ip", arn == group, arn == group || arn == detached
}

func (b *balancer) Register(group, _ string, port int) error {
	e := &entry{state: "initial", sick: sickPorts(port)}
	b.targets[key(group, port)] = e
	b.clock.AfterFunc(checked, func() {
		if e.state == "initial" {
			e.state = map[bool]string{false: "healthy", true: "unhealthy"}[e.sick]
		}
	})
	return nil
}

func (b *balancer) Deregister(group, _ string, port int) error {
	e := b.targets[key(group, port)]
	if e == nil || e.state == "draining" {
		return nil
	}
	e.state = "draining"
	b.clock.AfterFunc(drain, func() {
		if b.targets[key(group, port)] == e {
			delete(b.targets, key(group, port))
		}
	})
	return nil
}

func (b *balancer) Health(group, _ string, port int) (string, string) {
	e := b.targets[key(group, port)]
	if e == nil {
		return "", ""
	}
	return e.state, "Health checks failed with these codes: [500]"
}

// sickPorts says which ports the programs give to sick images.
func sickPorts(port int) bool { return port >= 50000 }

// programs run nothing: a program is a number of a port.
type programs struct {
	clock    *clock.Manual
	balancer *balancer
	ports    int
	running  map[int]*program
	specs    []workload.Spec
	refused  int // starts of images that are missing
}

type program struct {
	programs *programs
	spec     workload.Spec
	port     int
	stopped  bool
	done     chan struct{}
}

func (r *programs) Start(ctx context.Context, spec workload.Spec) (workload.Process, error) {
	if spec.Image == "missing" {
		r.refused++
		return nil, &workload.Error{Code: workload.CannotPull, Err: errors.New("pull image missing: not found")}
	}
	r.ports++
	p := &program{programs: r, spec: spec, port: 40000 + r.ports, done: make(chan struct{})}
	if strings.HasPrefix(spec.Image, "sick") {
		p.port += 10000
	}
	r.running[p.port] = p
	r.specs = append(r.specs, spec)
	if spec.Image == "crash" {
		r.clock.AfterFunc(time.Second, func() { p.end(1) })
	}
	if spec.Stdout != nil {
		spec.Stdout("listening")
	}
	return p, nil
}

func (p *program) end(code int) {
	if !p.stopped {
		p.stopped = true
		delete(p.programs.running, p.port)
		close(p.done)
		p.spec.OnExit(workload.Exit{Code: code})
	}
}

func (p *program) Ports() map[int]int            { return map[int]int{8080: p.port} }
func (p *program) Stop(time.Duration)            { p.programs.clock.Go(func() { p.end(0) }) }
func (p *program) Exited() (workload.Exit, bool) { return workload.Exit{}, p.stopped }
func (p *program) Done() <-chan struct{}         { return p.done }
func (p *program) Digest() string                { return "sha256:" + p.spec.Image }
