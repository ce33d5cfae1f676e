package bluegreentest

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ContainerService is the world's ECS, with one cluster named main.
type ContainerService struct{ w *World }

// ECS returns the world's ECS.
func (w *World) ECS() ContainerService { return ContainerService{w} }

// DescribeServices answers the services that exist; others are failures.
func (e ContainerService) DescribeServices(_ context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return call(e.w, "DescribeServices", func() (*ecs.DescribeServicesOutput, error) {
		if *in.Cluster != "main" {
			return nil, &ecstypes.ClusterNotFoundException{Message: ptr("Cluster not found.")}
		}
		out := &ecs.DescribeServicesOutput{}
		for _, name := range in.Services {
			s, found := e.w.Services[name]
			if !found {
				out.Failures = append(out.Failures, ecstypes.Failure{Reason: ptr("MISSING"), Arn: ptr(name)})
				continue
			}
			snapshot := *s
			snapshot.Deployments = slices.Clone(s.Deployments)
			out.Services = append(out.Services, snapshot)
		}
		return out, nil
	})
}

// DescribeTaskDefinition answers a revision by its ARN, with its tags.
func (e ContainerService) DescribeTaskDefinition(_ context.Context, in *ecs.DescribeTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error) {
	return call(e.w, "DescribeTaskDefinition", func() (*ecs.DescribeTaskDefinitionOutput, error) {
		r := e.w.find(*in.TaskDefinition)
		if r == nil {
			return nil, &ecstypes.ClientException{Message: ptr("Unable to describe task definition.")}
		}
		t := r.TaskDefinition
		out := &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &t}
		if len(in.Include) > 0 {
			out.Tags = r.Tags
		}
		return out, nil
	})
}

func (w *World) find(arn string) *TaskDefinition {
	for i := range w.Revisions {
		if *w.Revisions[i].TaskDefinitionArn == arn {
			return &w.Revisions[i]
		}
	}
	return nil
}

// ListTaskDefinitions answers a family's active revisions, the newest first.
func (e ContainerService) ListTaskDefinitions(_ context.Context, in *ecs.ListTaskDefinitionsInput, _ ...func(*ecs.Options)) (*ecs.ListTaskDefinitionsOutput, error) {
	return call(e.w, "ListTaskDefinitions", func() (*ecs.ListTaskDefinitionsOutput, error) {
		if in.Sort != ecstypes.SortOrderDesc || in.Status != ecstypes.TaskDefinitionStatusActive {
			return nil, &ecstypes.InvalidParameterException{Message: ptr("this world lists active revisions, newest first")}
		}
		out := &ecs.ListTaskDefinitionsOutput{}
		for _, r := range slices.Backward(e.w.Revisions) {
			if *r.Family == *in.FamilyPrefix && r.Status == in.Status && len(out.TaskDefinitionArns) < int(*in.MaxResults) {
				out.TaskDefinitionArns = append(out.TaskDefinitionArns, *r.TaskDefinitionArn)
			}
		}
		return out, nil
	})
}

// RegisterTaskDefinition makes a revision, whatever exists.
func (e ContainerService) RegisterTaskDefinition(_ context.Context, in *ecs.RegisterTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.RegisterTaskDefinitionOutput, error) {
	return call(e.w, "RegisterTaskDefinition", func() (*ecs.RegisterTaskDefinitionOutput, error) {
		for _, t := range in.Tags {
			if len(*t.Key) > 3 && (*t.Key)[:4] == "aws:" {
				return nil, &ecstypes.InvalidParameterException{Message: ptr("aws: is reserved")}
			}
		}
		arn := e.w.add(ecstypes.TaskDefinition{
			Family: in.Family, ContainerDefinitions: in.ContainerDefinitions, Cpu: in.Cpu, Memory: in.Memory,
			NetworkMode: in.NetworkMode, ExecutionRoleArn: in.ExecutionRoleArn, TaskRoleArn: in.TaskRoleArn,
			RequiresCompatibilities: in.RequiresCompatibilities, Volumes: in.Volumes, RuntimePlatform: in.RuntimePlatform,
		}, in.Tags)
		t := e.w.find(arn).TaskDefinition
		return &ecs.RegisterTaskDefinitionOutput{TaskDefinition: &t, Tags: in.Tags}, nil
	})
}

// DeregisterTaskDefinition makes a revision inactive.
func (e ContainerService) DeregisterTaskDefinition(_ context.Context, in *ecs.DeregisterTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.DeregisterTaskDefinitionOutput, error) {
	return call(e.w, "DeregisterTaskDefinition", func() (*ecs.DeregisterTaskDefinitionOutput, error) {
		e.w.find(*in.TaskDefinition).Status = ecstypes.TaskDefinitionStatusInactive
		return &ecs.DeregisterTaskDefinitionOutput{}, nil
	})
}

// UpdateService starts a deployment if the task definition differs or is forced.
func (e ContainerService) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	return call(e.w, "UpdateService", func() (*ecs.UpdateServiceOutput, error) {
		s, found := e.w.Services[*in.Service]
		if !found {
			return nil, &ecstypes.ServiceNotFoundException{Message: ptr("Service not found.")}
		}
		if r := e.w.find(*in.TaskDefinition); r == nil || r.Status != ecstypes.TaskDefinitionStatusActive {
			return nil, &ecstypes.ClientException{Message: ptr("TaskDefinition is inactive")}
		}
		s.DesiredCount = *in.DesiredCount
		if *s.TaskDefinition != *in.TaskDefinition || in.ForceNewDeployment {
			e.w.deploy(s, *in.TaskDefinition)
		}
		snapshot := *s
		snapshot.Deployments = slices.Clone(s.Deployments)
		return &ecs.UpdateServiceOutput{Service: &snapshot}, nil
	})
}

func (w *World) deploy(s *ecstypes.Service, arn string) {
	previous := s.Deployments[0]
	previous.Status = ptr("ACTIVE")
	w.deployment++
	s.TaskDefinition = ptr(arn)
	s.RunningCount = 0
	s.Deployments = []ecstypes.Deployment{{
		Id: ptr(fmt.Sprintf("ecs-svc/%d", w.deployment)), Status: ptr("PRIMARY"), TaskDefinition: ptr(arn),
		DesiredCount: s.DesiredCount, RolloutState: ecstypes.DeploymentRolloutStateInProgress,
	}, previous}
	w.SetHealth(*s.LoadBalancers[0].TargetGroupArn, 0, 0)
}

// ListTasks answers the service's stopped tasks.
func (e ContainerService) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	return call(e.w, "ListTasks", func() (*ecs.ListTasksOutput, error) {
		out := &ecs.ListTasksOutput{}
		for _, t := range e.w.Stopped[*in.ServiceName] {
			out.TaskArns = append(out.TaskArns, *t.TaskArn)
		}
		return out, nil
	})
}

// DescribeTasks answers stopped tasks.
func (e ContainerService) DescribeTasks(_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	return call(e.w, "DescribeTasks", func() (*ecs.DescribeTasksOutput, error) {
		out := &ecs.DescribeTasksOutput{}
		for _, tasks := range e.w.Stopped {
			for _, t := range tasks {
				if slices.Contains(in.Tasks, *t.TaskArn) {
					out.Tasks = append(out.Tasks, t)
				}
			}
		}
		return out, nil
	})
}
