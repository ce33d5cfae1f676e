package ecs

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// LoadBalancing is what services ask of Elastic Load Balancing.
type LoadBalancing interface {
	// TargetGroup says whether a target group exists, what its targets are
	// ("ip", "instance"), and whether a load balancer uses it.
	TargetGroup(arn string) (targetType string, attached, exists bool)
	// Register adds a target; Deregister begins to drain it.
	Register(targetGroupARN, id string, port int) error
	Deregister(targetGroupARN, id string, port int) error
	// Health is a target's state as DescribeTargetHealth gives it, and why;
	// an empty state when it is not registered.
	Health(targetGroupARN, id string, port int) (state, description string)
}

// Logs takes the output of containers.
type Logs interface {
	// Put writes one line; it makes the group and the stream when missing.
	Put(group, stream, message string)
}

// Config says what a service is made of.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	Logger  *slog.Logger // nil discards

	Runner        Runner
	LoadBalancing LoadBalancing
	Logs          Logs // nil drops output
	// Environment gives a task's containers variables besides those of its
	// definition, such as the credentials of its role (empty if it has none).
	Environment func(taskRoleARN, taskID string) (map[string]string, error)
}

// A Service is the ECS of one embedded AWS. It is safe for concurrent use.
type Service struct {
	Config
	clock clock.Clock

	mu          sync.Mutex
	closed      bool
	clusters    map[string]*Cluster        // by ARN
	services    map[string]*service        // by ARN
	definitions map[string]*TaskDefinition // by ARN
	order       []*TaskDefinition          // in order of registration
	revisions   map[string]int             // newest by family
	tags        map[string]map[string]string
	made        uint64         // ids given so far
	running     sync.WaitGroup // calls into the Runner
}

// New makes an ECS without clusters.
func New(config Config) *Service {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		Config: config, clock: config.Clock,
		clusters: map[string]*Cluster{}, services: map[string]*service{}, definitions: map[string]*TaskDefinition{},
		revisions: map[string]int{}, tags: map[string]map[string]string{},
	}
}

// Wire is the service's API.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "ecs",
		Protocols: []wire.Protocol{awsjson.Protocol{Version: "1.1", Target: "AmazonEC2ContainerServiceV20141113", Naming: wire.LowerFirst}},
		Invalid:   func(message string) *wire.Error { return wire.Errorf("InvalidParameterException", "%s", message) },
		Operations: []wire.Operation{
			wire.Op("CreateCluster", s.CreateCluster, wire.On(func(in *CreateClusterInput) []string { return []string{s.clusterARN(in.ClusterName)} })),
			wire.Op("DeleteCluster", s.DeleteCluster, wire.On(func(in *ClusterInput) []string { return []string{s.clusterARN(in.Cluster)} })),
			wire.Op("DescribeClusters", s.DescribeClusters, wire.On(func(in *DescribeClustersInput) []string {
				arns := []string{}
				for _, name := range in.Clusters {
					arns = append(arns, s.clusterARN(name))
				}
				return arns
			})),
			wire.Op("ListClusters", s.ListClusters),
			wire.Op("RegisterTaskDefinition", s.RegisterTaskDefinition, wire.Needs(s.registerAccess)),
			wire.Op("DescribeTaskDefinition", s.DescribeTaskDefinition),
			wire.Op("DeregisterTaskDefinition", s.DeregisterTaskDefinition),
			wire.Op("ListTaskDefinitions", s.ListTaskDefinitions),
			wire.Op("CreateService", s.CreateService, wire.Needs(func(in *CreateServiceInput) []wire.Access {
				access := s.serviceAccess(in.Cluster, in.TaskDefinition, in.ServiceName)
				return append(access, tagAccess("CreateService", access[0].Resource, in.Tags)...)
			})),
			wire.Op("UpdateService", s.UpdateService, wire.Needs(func(in *UpdateServiceInput) []wire.Access {
				return s.serviceAccess(in.Cluster, in.TaskDefinition, in.Service)
			})),
			wire.Op("DeleteService", s.DeleteService, wire.Needs(func(in *DeleteServiceInput) []wire.Access {
				return s.serviceAccess(in.Cluster, "", in.Service)
			})),
			wire.Op("DescribeServices", s.DescribeServices, wire.Needs(func(in *DescribeServicesInput) []wire.Access {
				return s.serviceAccess(in.Cluster, "", in.Services...)
			})),
			wire.Op("ListServices", s.ListServices, wire.Needs(func(in *ListServicesInput) []wire.Access {
				return []wire.Access{{Resource: "*", Context: map[string]string{"ecs:cluster": s.clusterARN(in.Cluster)}}}
			})),
			wire.Op("ListTasks", s.ListTasks, wire.Needs(func(in *ListTasksInput) []wire.Access {
				return []wire.Access{{Resource: "*", Context: map[string]string{"ecs:cluster": s.clusterARN(in.Cluster)}}}
			})),
			wire.Op("DescribeTasks", s.DescribeTasks, wire.Needs(func(in *DescribeTasksInput) []wire.Access { return s.taskAccess(in.Cluster, in.Tasks...) })),
			wire.Op("StopTask", s.StopTask, wire.Needs(func(in *StopTaskInput) []wire.Access { return s.taskAccess(in.Cluster, in.Task) })),
			wire.Op("TagResource", s.TagResource, wire.On(func(in *TagResourceInput) []string { return []string{in.ResourceArn} })),
			wire.Op("UntagResource", s.UntagResource, wire.On(func(in *UntagResourceInput) []string { return []string{in.ResourceArn} })),
			wire.Op("ListTagsForResource", s.ListTagsForResource, wire.On(func(in *ListTagsForResourceInput) []string { return []string{in.ResourceArn} })),
		},
	}
}

// registerAccess is what IAM must allow for a registration: the revision to be,
// its tags, and that its roles are passed to tasks.
func (s *Service) registerAccess(in *RegisterTaskDefinitionInput) []wire.Access {
	revision := s.arn("task-definition", in.Family+":*")
	access := append([]wire.Access{{Resource: revision}}, tagAccess("RegisterTaskDefinition", revision, in.Tags)...)
	for _, role := range []string{in.TaskRoleArn, in.ExecutionRoleArn} {
		if role != "" {
			access = append(access, wire.Access{
				Action: "iam:PassRole", Resource: s.roleARN(role),
				Context: map[string]string{"iam:PassedToService": "ecs-tasks.amazonaws.com"},
			})
		}
	}
	return access
}

// roleARN is the ARN of a role that may be given by its name.
func (s *Service) roleARN(role string) string {
	if len(role) > 4 && role[:4] == "arn:" {
		return role
	}
	return fmt.Sprintf("arn:aws:iam::%s:role/%s", s.Account, role)
}

// tagAccess is what tagging on creation needs.
func tagAccess(operation, resource string, tags []Tag) []wire.Access {
	if len(tags) == 0 {
		return nil
	}
	return []wire.Access{{Action: "ecs:TagResource", Resource: resource, Context: map[string]string{"ecs:CreateAction": operation}}}
}

func (s *Service) serviceAccess(cluster, definition string, services ...string) []wire.Access {
	var all []wire.Access
	for _, name := range services {
		keys := map[string]string{"ecs:cluster": s.clusterARN(cluster)}
		if definition != "" {
			keys["ecs:task-definition"] = definition
		}
		all = append(all, wire.Access{Resource: s.serviceARN(cluster, name), Context: keys})
	}
	return all
}

func (s *Service) taskAccess(cluster string, tasks ...string) []wire.Access {
	var all []wire.Access
	for _, id := range tasks {
		all = append(all, wire.Access{Resource: s.taskARN(cluster, id), Context: map[string]string{"ecs:cluster": s.clusterARN(cluster)}})
	}
	return all
}

func (s *Service) arn(kind, name string) string {
	return fmt.Sprintf("arn:aws:ecs:%s:%s:%s/%s", s.Region, s.Account, kind, name)
}

// newID derives 32 hexadecimal digits from how many were given before, so that
// the same calls make the same ids.
func (s *Service) newIDLocked(kind string) string {
	s.made++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", kind, s.made))
	return hex.EncodeToString(sum[:16])
}

// newDeploymentIDLocked makes an id like "ecs-svc/1234567890123456789".
func (s *Service) newDeploymentIDLocked() string {
	s.made++
	sum := sha256.Sum256(fmt.Appendf(nil, "deployment/%d", s.made))
	const first, span = 1e18, 8e18
	return fmt.Sprintf("ecs-svc/%d", uint64(first)+binary.BigEndian.Uint64(sum[:8])%uint64(span))
}

func refuse(code, format string, args ...any) *wire.Error { return wire.Errorf(code, format, args...) }

func clientError(format string, args ...any) *wire.Error {
	return wire.Errorf("ClientException", format, args...)
}

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("InvalidParameterException", format, args...)
}
