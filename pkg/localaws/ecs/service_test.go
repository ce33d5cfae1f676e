package ecs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

func TestService_RollsWithoutGoingBelowItsHealthyMinimum(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one, two := p.register(t, "good:1"), p.register(t, "good:2")
	p.create(t, input(one, 4))
	v := p.until(t, time.Minute, "steady", steady)
	if v.RunningCount != 4 || !told(v, "(service web) has reached a steady state.") {
		t.Fatalf("after create: got %s", summary(v))
	}

	updated := p.update(t, &sdk.UpdateServiceInput{TaskDefinition: aws.String(two)})
	if len(updated.Deployments) != 2 || *updated.Deployments[0].TaskDefinition != two || *updated.Deployments[1].Status != "ACTIVE" {
		t.Fatalf("answer of the update: got %s", summary(updated))
	}
	healthy, most := 4, 0
	p.until(t, 10*time.Minute, "steady again", func(v types.Service) bool {
		now := 0
		for _, e := range p.balancer.targets {
			if e.state == "healthy" {
				now++
			}
		}
		healthy, most = min(healthy, now), max(most, int(v.RunningCount+v.PendingCount))
		return steady(v)
	})
	v = p.describe(t)
	if healthy < 4 || most > 8 {
		t.Errorf("on the way: got down to %d healthy targets and up to %d tasks, want at least 4 and at most 8", healthy, most)
	}
	if *v.TaskDefinition != two || *v.Deployments[0].RolloutStateReason != "ECS deployment "+*v.Deployments[0].Id+" completed." {
		t.Errorf("in the end: got %s", summary(v))
	}
	for _, want := range []string{"has started 4 tasks: (task ", "has stopped 4 running tasks: (task ", "has begun draining connections on 4 tasks.", "deregistered 4 targets in (target-group " + group + ")"} {
		if !told(v, want) {
			t.Errorf("events: got none with %q in %s", want, summary(v))
		}
	}
}

func TestService_MakesRoomWhereItMayNotExceedItsDesiredCount(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one, two := p.register(t, "good:1"), p.register(t, "good:2")
	in := input(one, 2)
	in.DeploymentConfiguration = &types.DeploymentConfiguration{MaximumPercent: aws.Int32(100), MinimumHealthyPercent: aws.Int32(50)}
	p.create(t, in)
	p.until(t, time.Minute, "steady", steady)
	p.update(t, &sdk.UpdateServiceInput{TaskDefinition: aws.String(two)})
	p.until(t, 10*time.Minute, "steady again", func(v types.Service) bool {
		if total := v.RunningCount + v.PendingCount; total > 2 || total < 1 {
			t.Errorf("on the way: got %d tasks, want 1 or 2", total)
		}
		return steady(v)
	})
	if v := p.describe(t); *v.TaskDefinition != two {
		t.Errorf("in the end: got %s", summary(v))
	}
}

func TestService_StopsATaskOnlyOnceItsTargetIsDrained(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.create(t, input(p.register(t, "good:1"), 1))
	p.until(t, time.Minute, "steady", steady)
	p.update(t, &sdk.UpdateServiceInput{DesiredCount: aws.Int32(0)})
	tasks := listTasks(t, p, types.DesiredStatusStopped)
	if got := describeTask(t, p, tasks[0]); *got.LastStatus != "DEACTIVATING" || *got.DesiredStatus != "STOPPED" {
		t.Errorf("right after: got %s and %s, want DEACTIVATING and STOPPED", *got.LastStatus, *got.DesiredStatus)
	}
	p.clock.Advance(drain - time.Second)
	if len(p.programs.running) != 1 {
		t.Errorf("while it drains: got %d programs, want the one", len(p.programs.running))
	}
	p.clock.Advance(10 * time.Second)
	if len(p.programs.running) != 0 {
		t.Errorf("once it is drained: got %d programs, want none", len(p.programs.running))
	}
	got := describeTask(t, p, tasks[0])
	if *got.LastStatus != "STOPPED" || got.StopCode != types.TaskStopCodeServiceSchedulerInitiated || !strings.HasPrefix(*got.StoppedReason, "Scaling activity initiated by (deployment ecs-svc/") {
		t.Errorf("in the end: got %s, %s, %q", *got.LastStatus, got.StopCode, *got.StoppedReason)
	}
	p.clock.Advance(61 * time.Minute)
	out, err := p.client.DescribeTasks(t.Context(), &sdk.DescribeTasksInput{Cluster: aws.String("main"), Tasks: tasks})
	if err != nil || len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" {
		t.Errorf("an hour later: got %+v, %v, want it MISSING", out, err)
	}
}

func TestService_CircuitBreaker(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		bad      string
		rollback bool
		reason   string // of the tasks
	}{
		"tasks that can't be started roll back":  {"missing", true, "CannotPullContainerError: pull image missing: not found"},
		"tasks that crash roll back":             {"crash", true, "Essential container in task exited"},
		"tasks that are never healthy roll back": {"sick:1", true, "Task failed ELB health checks in (target-group " + group + ")"},
		"without rollback the deployment fails":  {"missing", false, "CannotPullContainerError: pull image missing: not found"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			one, two := p.register(t, "good:1"), p.register(t, c.bad)
			in := input(one, 2)
			in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: c.rollback}}
			p.create(t, in)
			before := p.until(t, time.Minute, "steady", steady)
			bad := *p.update(t, &sdk.UpdateServiceInput{TaskDefinition: aws.String(two)}).Deployments[0].Id
			v := p.until(t, time.Hour, "failed", func(v types.Service) bool {
				return told(v, "(deployment "+bad+") deployment failed: tasks failed to start.")
			})
			var reasons []string
			for _, arn := range listTasks(t, p, types.DesiredStatusStopped) {
				reasons = append(reasons, *describeTask(t, p, arn).StoppedReason)
			}
			if !slices.Contains(reasons, c.reason) {
				t.Errorf("reasons: got %q, want %q among them", reasons, c.reason)
			}
			refused := p.programs.refused
			p.clock.Advance(30 * time.Minute)
			v = p.describe(t)
			wanted, state, reason := *before.Deployments[0].Id, types.DeploymentRolloutStateCompleted, "ECS deployment "+*before.Deployments[0].Id+" completed."
			if !c.rollback {
				wanted, state, reason = bad, types.DeploymentRolloutStateFailed, "ECS deployment circuit breaker: tasks failed to start."
			}
			if d := v.Deployments[0]; *d.Id != wanted || *d.Status != "PRIMARY" || d.RolloutState != state || *d.RolloutStateReason != reason {
				t.Errorf("in the end: got %s\nwant PRIMARY %s %s: %s", summary(v), wanted, state, reason)
			}
			if c.rollback != told(v, "rolling back to deployment "+*before.Deployments[0].Id+".") {
				t.Errorf("events: got %s, want a rollback told: %v", summary(v), c.rollback)
			}
			if v.RunningCount != 2 || p.programs.refused != refused {
				t.Errorf("in the end: got %d tasks and %d more starts, want the 2 old ones and none", v.RunningCount, p.programs.refused-refused)
			}
		})
	}
}

func TestService_WithoutCompletedDeploymentHasNothingToRollBackTo(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	in := input(p.register(t, "missing"), 1)
	in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
	p.create(t, in)
	v := p.until(t, time.Hour, "failed", func(v types.Service) bool { return v.Deployments[0].RolloutState == types.DeploymentRolloutStateFailed })
	if got := *v.Deployments[0].RolloutStateReason; got != "ECS deployment circuit breaker: no rollback candidate was found to run the rollback." {
		t.Errorf("reason: got %q", got)
	}
}

func TestService_ThrottlesTasksThatKeepFailing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.create(t, input(p.register(t, "missing"), 1))
	p.clock.Advance(10 * time.Minute)
	// At once, at once, after 10, 20, 40, 80, 160 and 320 s: 630 s for eight.
	if p.programs.refused != 7 {
		t.Errorf("starts in 10 minutes: got %d, want 7", p.programs.refused)
	}
	p.clock.Advance(4 * time.Hour)
	if v := p.describe(t); !told(v, "is unable to consistently start tasks successfully.") || p.programs.refused < 20 {
		t.Errorf("after 4 hours: got %d starts, want one every 15 minutes at least; %s", p.programs.refused, summary(v))
	}
}

func TestService_GivesTasksTheirGracePeriod(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	in := input(p.register(t, "sick:1"), 1)
	in.HealthCheckGracePeriodSeconds = aws.Int32(120)
	p.create(t, in)
	p.clock.Advance(119 * time.Second)
	if v := p.describe(t); told(v, "is unhealthy") || v.RunningCount != 1 {
		t.Errorf("within the grace period: got %s, want the task left alone", summary(v))
	}
	p.clock.Advance(2 * time.Second)
	if v := p.describe(t); !told(v, "is unhealthy in (target-group "+group+") due to (reason Health checks failed with these codes: [500]).") {
		t.Errorf("after it: got %s, want the task replaced", summary(v))
	}
}

func TestService_ReplacesWhatStops(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.create(t, input(p.register(t, "good:1"), 2))
	p.until(t, time.Minute, "steady", steady)
	first := listTasks(t, p, types.DesiredStatusRunning)
	for _, program := range p.programs.running {
		program.end(137)
		break
	}
	if _, err := p.client.StopTask(t.Context(), &sdk.StopTaskInput{Cluster: aws.String("main"), Task: aws.String(first[0]), Reason: aws.String("chaos")}); err != nil {
		t.Fatal(err)
	}
	p.until(t, 5*time.Minute, "steady again", func(v types.Service) bool {
		return steady(v) && len(p.programs.running) == 2 && len(p.balancer.targets) == 2
	})
}

func TestService_IgnoresAnUpdateToWhatItHas(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one := p.register(t, "good:1")
	p.create(t, input(one, 1))
	before := p.until(t, time.Minute, "steady", steady)
	after := p.update(t, &sdk.UpdateServiceInput{TaskDefinition: aws.String("web:1"), DesiredCount: aws.Int32(1)})
	if diff := cmp.Diff(*before.Deployments[0].Id, *after.Deployments[0].Id); diff != "" || len(after.Deployments) != 1 {
		t.Errorf("deployment (-want +got):\n%s\n%s", diff, summary(after))
	}
	forced := p.update(t, &sdk.UpdateServiceInput{ForceNewDeployment: true})
	if len(forced.Deployments) != 2 {
		t.Errorf("forced: got %s, want another deployment", summary(forced))
	}
	p.until(t, 5*time.Minute, "steady again", steady)
}

func TestService_DrainsWhenDeleted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.create(t, input(p.register(t, "good:1"), 1))
	p.until(t, time.Minute, "steady", steady)
	in := &sdk.DeleteServiceInput{Cluster: aws.String("main"), Service: aws.String("web")}
	_, err := p.client.DeleteService(t.Context(), in)
	wantCode(t, err, "InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
	in.Force = aws.Bool(true)
	out, err := p.client.DeleteService(t.Context(), in)
	if err != nil || *out.Service.Status != "DRAINING" {
		t.Fatalf("delete: got %v, %v, want it DRAINING", out, err)
	}
	_, err = p.client.UpdateService(t.Context(), &sdk.UpdateServiceInput{Cluster: aws.String("main"), Service: aws.String("web")})
	wantCode(t, err, "ServiceNotActiveException", "Service was not ACTIVE.")
	p.until(t, 5*time.Minute, "INACTIVE", func(v types.Service) bool { return *v.Status == "INACTIVE" && len(p.programs.running) == 0 })
	if _, err := p.client.DeleteCluster(t.Context(), &sdk.DeleteClusterInput{Cluster: aws.String("main")}); err != nil {
		t.Errorf("delete cluster: got %v", err)
	}
}

func TestService_Refuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one := p.register(t, "good:1")
	cases := map[string]struct {
		change        func(*sdk.CreateServiceInput)
		code, message string
	}{
		"a target group without load balancer": {func(in *sdk.CreateServiceInput) { in.LoadBalancers[0].TargetGroupArn = aws.String(detached) },
			"InvalidParameterException", "The target group with targetGroupArn " + detached + " does not have an associated load balancer."},
		"a container that is not defined": {func(in *sdk.CreateServiceInput) { in.LoadBalancers[0].ContainerName = aws.String("db") },
			"InvalidParameterException", "The container db does not exist in the task definition."},
		"a port that is not defined": {func(in *sdk.CreateServiceInput) { in.LoadBalancers[0].ContainerPort = aws.Int32(1) },
			"InvalidParameterException", "The container app did not have a container port 1 defined."},
		"a cluster that is not there": {func(in *sdk.CreateServiceInput) { in.Cluster = aws.String("other") },
			"ClusterNotFoundException", "Cluster not found."},
		"a task definition that is not there": {func(in *sdk.CreateServiceInput) { in.TaskDefinition = aws.String("web:99") },
			"ClientException", "TaskDefinition not found."},
		"percentages that block deployments": {func(in *sdk.CreateServiceInput) {
			in.DeploymentConfiguration = &types.DeploymentConfiguration{MaximumPercent: aws.Int32(100), MinimumHealthyPercent: aws.Int32(100)}
		}, "InvalidParameterException", "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."},
		"no network for awsvpc": {func(in *sdk.CreateServiceInput) { in.NetworkConfiguration = nil },
			"InvalidParameterException", "Network Configuration must be provided when networkMode 'awsvpc' is specified."},
		"a member it does not honour": {func(in *sdk.CreateServiceInput) {
			in.ServiceRegistries = []types.ServiceRegistry{{RegistryArn: aws.String("arn:aws:servicediscovery")}}
		}, "InvalidParameterException", "serviceRegistries: is unknown to the embedded AWS"},
	}
	for name, c := range cases {
		in := input(one, 1)
		c.change(in)
		_, err := p.client.CreateService(t.Context(), in)
		t.Log(name)
		wantCode(t, err, c.code, c.message)
	}
}

func TestService_LeavesServicesOfOthersAlone(t *testing.T) {
	t.Parallel()
	for _, controller := range []types.DeploymentControllerType{types.DeploymentControllerTypeCodeDeploy, types.DeploymentControllerTypeExternal} {
		p := newPlace(t)
		one := p.register(t, "good:1")
		in := input(one, 1)
		in.DeploymentController = &types.DeploymentController{Type: controller}
		if controller == types.DeploymentControllerTypeExternal {
			in.TaskDefinition = nil
		}
		p.create(t, in)
		p.clock.Advance(time.Minute)
		v := p.describe(t)
		if v.DeploymentController.Type != controller || len(v.Deployments) != 0 {
			t.Errorf("%s: got %s", controller, summary(v))
		}
		_, err := p.client.UpdateService(t.Context(), &sdk.UpdateServiceInput{Cluster: aws.String("main"), Service: aws.String("web"), TaskDefinition: aws.String(one)})
		wantCode(t, err, "InvalidParameterException", "Unable to update task definition on services with a "+string(controller)+" deployment controller.")
		p.update(t, &sdk.UpdateServiceInput{DesiredCount: aws.Int32(2)})
	}
}

func wantCode(t *testing.T, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Errorf("error: got %v, want %s: %s", err, code, message)
	}
}

func listTasks(t *testing.T, p *place, status types.DesiredStatus) []string {
	t.Helper()
	out, err := p.client.ListTasks(t.Context(), &sdk.ListTasksInput{Cluster: aws.String("main"), ServiceName: aws.String("web"), DesiredStatus: status})
	if err != nil {
		t.Fatal(err)
	}
	return out.TaskArns
}

func describeTask(t *testing.T, p *place, arn string) types.Task {
	t.Helper()
	out, err := p.client.DescribeTasks(t.Context(), &sdk.DescribeTasksInput{Cluster: aws.String("main"), Tasks: []string{arn}})
	if err != nil || len(out.Tasks) != 1 {
		t.Fatalf("describe %s: got %v, %v", arn, out, err)
	}
	return out.Tasks[0]
}
