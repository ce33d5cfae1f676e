package ecs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cutover/pkg/localaws/ecs"
	"cutover/pkg/localaws/wire"
)

// What DescribeTaskDefinition answers registers again as an equal revision: a
// release copies definitions that way.
func TestTaskDefinition_SurvivesARoundTrip(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	in := definitionOf("good:1")
	in.RuntimePlatform = &types.RuntimePlatform{CpuArchitecture: types.CPUArchitectureArm64, OperatingSystemFamily: types.OSFamilyLinux}
	in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}
	c := &in.ContainerDefinitions[0]
	c.Environment = []types.KeyValuePair{{Name: aws.String("A"), Value: aws.String("1")}}
	c.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/app", "check"}, Interval: aws.Int32(10)}
	c.Ulimits = []types.Ulimit{{Name: types.UlimitNameNofile, SoftLimit: 1024, HardLimit: 4096}}
	c.StopTimeout, c.ReadonlyRootFilesystem = aws.Int32(5), aws.Bool(true)
	if _, err := p.client.RegisterTaskDefinition(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	describe := func(name string) *sdk.DescribeTaskDefinitionOutput {
		out, err := p.client.DescribeTaskDefinition(t.Context(), &sdk.DescribeTaskDefinitionInput{TaskDefinition: &name, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := describe("web")
	d := first.TaskDefinition
	if _, err := p.client.RegisterTaskDefinition(t.Context(), &sdk.RegisterTaskDefinitionInput{
		Family: d.Family, TaskRoleArn: d.TaskRoleArn, ExecutionRoleArn: d.ExecutionRoleArn, NetworkMode: d.NetworkMode,
		ContainerDefinitions: d.ContainerDefinitions, Volumes: d.Volumes, RequiresCompatibilities: d.RequiresCompatibilities,
		Cpu: d.Cpu, Memory: d.Memory, RuntimePlatform: d.RuntimePlatform, Tags: first.Tags,
	}); err != nil {
		t.Fatal(err)
	}
	second := describe("web:2")
	ignore := cmp.FilterPath(func(path cmp.Path) bool {
		switch path.Last().String() {
		case ".TaskDefinitionArn", ".Revision", ".RegisteredAt", ".ResultMetadata":
			return true
		}
		return false
	}, cmp.Ignore())
	if diff := cmp.Diff(first, second, ignore, cmpopts.IgnoreUnexported(sdk.DescribeTaskDefinitionOutput{}, types.TaskDefinition{}, types.ContainerDefinition{},
		types.KeyValuePair{}, types.HealthCheck{}, types.Ulimit{}, types.PortMapping{}, types.LogConfiguration{}, types.RuntimePlatform{}, types.Tag{}, types.Attribute{})); diff != "" {
		t.Errorf("second revision (-first +second):\n%s", diff)
	}
	if got := d.ContainerDefinitions[0]; !*got.Essential || *got.PortMappings[0].HostPort != 8080 || got.PortMappings[0].Protocol != types.TransportProtocolTcp || got.MountPoints == nil {
		t.Errorf("what was left out: got %+v, want it filled in as ECS does", got)
	}
	if *second.TaskDefinition.TaskDefinitionArn != "arn:aws:ecs:us-east-1:111122223333:task-definition/web:2" {
		t.Errorf("ARN: got %s", *second.TaskDefinition.TaskDefinitionArn)
	}
}

func TestTaskDefinition_Lists(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var arns []string
	for range 3 {
		arns = append(arns, p.register(t, "good:1"))
	}
	other := definitionOf("good:1")
	other.Family = aws.String("webhook")
	if _, err := p.client.RegisterTaskDefinition(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := p.client.DeregisterTaskDefinition(t.Context(), &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("web:2")}); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		in   *sdk.ListTaskDefinitionsInput
		want []string
	}{
		"a family is not its prefix": {&sdk.ListTaskDefinitionsInput{FamilyPrefix: aws.String("web")}, []string{arns[0], arns[2]}},
		"the newest first":           {&sdk.ListTaskDefinitionsInput{FamilyPrefix: aws.String("web"), Sort: types.SortOrderDesc}, []string{arns[2], arns[0]}},
		"those deregistered":         {&sdk.ListTaskDefinitionsInput{Status: types.TaskDefinitionStatusInactive}, []string{arns[1]}},
	}
	for name, c := range cases {
		c.in.MaxResults = aws.Int32(1)
		var got []string
		for pages := sdk.NewListTaskDefinitionsPaginator(p.client, c.in); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.TaskDefinitionArns...)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	_, err := p.client.CreateService(t.Context(), input("web:2", 1))
	wantCode(t, err, "ClientException", "TaskDefinition is inactive")
}

func TestTaskDefinition_Refuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	cases := map[string]struct {
		change  func(*sdk.RegisterTaskDefinitionInput)
		message string
	}{
		"secrets": {func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].Secrets = []types.Secret{{Name: aws.String("PASSWORD"), ValueFrom: aws.String("arn")}}
		}, "Container app: the embedded AWS does not serve secrets; give PASSWORD in environment."},
		"another log driver": {func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverSplunk}
		}, "does not serve the log driver splunk"},
		"a log without group": {func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].LogConfiguration.Options = map[string]string{"awslogs-region": "us-east-1"}
		}, "Log driver awslogs requires options: awslogs-group"},
		"logs without execution role": {func(in *sdk.RegisterTaskDefinitionInput) { in.ExecutionRoleArn = nil }, "Fargate requires task definition to have execution role ARN"},
		"another network on Fargate":  {func(in *sdk.RegisterTaskDefinitionInput) { in.NetworkMode = types.NetworkModeBridge }, "Fargate only supports network mode"},
		"no container":                {func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions = nil }, ""},
		"two containers of a name": {func(in *sdk.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions = append(in.ContainerDefinitions, in.ContainerDefinitions[0])
		}, "Container name 'app' is not unique."},
		"nothing essential":           {func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Essential = aws.Bool(false) }, "must be essential"},
		"a family of strange letters": {func(in *sdk.RegisterTaskDefinitionInput) { in.Family = aws.String("a/b") }, "Family"},
	}
	for name, c := range cases {
		in := definitionOf("good:1")
		c.change(in)
		if _, err := p.client.RegisterTaskDefinition(t.Context(), in); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: got %v, want %s", name, err, c.message)
		}
	}
	if got := p.register(t, "good:1"); !strings.HasSuffix(got, "/web:1") {
		t.Errorf("first revision: got %s, want none of the above registered", got)
	}
}

func TestWire_AsksIAMForTheResourcesItChanges(t *testing.T) {
	t.Parallel()
	s := ecs.New(ecs.Config{Region: "us-east-1", Account: "111122223333"})
	const prefix = "arn:aws:ecs:us-east-1:111122223333:"
	role := func(name string) wire.Access {
		return wire.Access{Action: "iam:PassRole", Resource: "arn:aws:iam::111122223333:role/" + name, Context: map[string]string{"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
	}
	in := &ecs.RegisterTaskDefinitionInput{Tags: []ecs.Tag{{Key: "a", Value: "b"}}}
	in.Family, in.TaskRoleArn, in.ExecutionRoleArn = "web", "arn:aws:iam::111122223333:role/task", "execution"
	main := map[string]string{"ecs:cluster": prefix + "cluster/main"}
	cases := map[string]struct {
		in   any
		want []wire.Access
	}{
		"RegisterTaskDefinition": {in, []wire.Access{
			{Action: "ecs:RegisterTaskDefinition", Resource: prefix + "task-definition/web:*"},
			{Action: "ecs:TagResource", Resource: prefix + "task-definition/web:*", Context: map[string]string{"ecs:CreateAction": "RegisterTaskDefinition"}},
			role("task"), role("execution"),
		}},
		"UpdateService": {&ecs.UpdateServiceInput{Cluster: prefix + "cluster/main", Service: "web"}, []wire.Access{
			{Action: "ecs:UpdateService", Resource: prefix + "service/main/web", Context: main},
		}},
		"DescribeServices": {&ecs.DescribeServicesInput{Cluster: "main", Services: []string{"a", prefix + "service/main/b"}}, []wire.Access{
			{Action: "ecs:DescribeServices", Resource: prefix + "service/main/a", Context: main},
			{Action: "ecs:DescribeServices", Resource: prefix + "service/main/b", Context: main},
		}},
		"DescribeTaskDefinition": {&ecs.DescribeTaskDefinitionInput{TaskDefinition: "web"}, []wire.Access{{Action: "ecs:DescribeTaskDefinition", Resource: "*"}}},
		"ListTasks":              {&ecs.ListTasksInput{Cluster: "main"}, []wire.Access{{Action: "ecs:ListTasks", Resource: "*", Context: main}}},
	}
	for name, c := range cases {
		op, ok := s.Wire().Operation(name)
		if !ok {
			t.Fatalf("%s is not served", name)
		}
		if diff := cmp.Diff(c.want, op.Access(c.in, "ecs:"+name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTask_GetsItsEnvironmentAndLogs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	in := definitionOf("good:1")
	in.TaskRoleArn = aws.String("arn:aws:iam::111122223333:role/task")
	in.ContainerDefinitions[0].Environment = []types.KeyValuePair{{Name: aws.String("COLOUR"), Value: aws.String("blue")}}
	in.ContainerDefinitions[0].Command = []string{"serve"}
	if _, err := p.client.RegisterTaskDefinition(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	p.create(t, input("web", 1))
	p.until(t, time.Minute, "steady", steady)
	spec := p.programs.specs[0]
	want := map[string]string{
		"ROLE": "arn:aws:iam::111122223333:role/task", "COLOUR": "blue", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
	}
	if diff := cmp.Diff(want, spec.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"serve"}, spec.Command); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
	arn := listTasks(t, p, types.DesiredStatusRunning)[0]
	id := arn[strings.LastIndexByte(arn, '/')+1:]
	if diff := cmp.Diff([]string{"/web web/app/" + id + " listening"}, p.lines); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	got := describeTask(t, p, arn)
	if c := got.Containers[0]; *got.LastStatus != "RUNNING" || *got.Group != "service:web" || *c.ImageDigest != "sha256:good:1" || *c.NetworkBindings[0].HostPort != 40001 {
		t.Errorf("task: got %+v", got)
	}
}

func TestTask_FailsWithoutItsRole(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	in := definitionOf("good:1")
	in.TaskRoleArn = aws.String("arn:aws:iam::111122223333:role/gone")
	if _, err := p.client.RegisterTaskDefinition(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	p.create(t, input("web", 1))
	p.clock.Advance(time.Second)
	task := describeTask(t, p, listTasks(t, p, types.DesiredStatusStopped)[0])
	if want := "ResourceInitializationError: assume role arn:aws:iam::111122223333:role/gone: no such role"; *task.StoppedReason != want || task.StopCode != types.TaskStopCodeTaskFailedToStart {
		t.Errorf("got %s: %q, want %q", task.StopCode, *task.StoppedReason, want)
	}
}
