package codedeploy

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// Config says what a service is made of.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	Logger  *slog.Logger // nil discards

	Groups       Groups       // Auto Scaling
	TargetGroups TargetGroups // Elastic Load Balancing
	Instances    Instances    // the inside of EC2 instances
	Objects      Objects      // S3, where revisions are
	Alarms       Alarms       // CloudWatch; nil means that no alarm ever is in alarm
	Topics       Topics       // SNS, for triggers; nil publishes nothing
	Events       Events       // EventBridge; nil publishes nothing
	Roles        Roles        // IAM; nil allows everything
}

// A Service holds the applications of one embedded AWS. It is safe for
// concurrent use. Its lock is never held over a call into another service.
type Service struct {
	Config

	mu           sync.Mutex
	closed       bool
	applications map[string]*application
	deployments  []*deployment // oldest first
	tags         map[string]map[string]string
	made         time.Time
}

// New makes a service without applications.
func New(config Config) *Service {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		Config: config, applications: map[string]*application{}, tags: map[string]map[string]string{},
		made: config.Clock.Now(),
	}
}

// Close ends what runs: no deployment goes on.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	running := slices.Clone(s.deployments)
	s.mu.Unlock()
	for _, d := range running {
		d.run.halt()
	}
}

// Wire is the service's API.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:       "codedeploy",
		Protocols:  []wire.Protocol{awsjson.Protocol{Version: "1.1", Target: "CodeDeploy_20141006", Naming: wire.LowerFirst}},
		Operations: slices.Concat(s.applicationOperations(), s.groupOperations(), s.deploymentOperations(), s.targetOperations()),
	}
}

// What IAM is asked on.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodedeploy.html

func (s *Service) applicationARN(name string) string { return s.arn("application:" + name) }

func (s *Service) groupARN(application, group string) string {
	return s.arn("deploymentgroup:" + application + "/" + group)
}

func (s *Service) configARN(name string) string { return s.arn("deploymentconfig:" + name) }

func (s *Service) arn(resource string) string {
	return "arn:aws:codedeploy:" + s.Region + ":" + s.Account + ":" + resource
}

func (s *Service) applicationOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateApplication", s.CreateApplication, wire.On(func(in *CreateApplicationInput) []string { return []string{s.applicationARN(in.ApplicationName)} })),
		wire.Op("GetApplication", s.GetApplication, wire.On(func(in *ApplicationInput) []string { return []string{s.applicationARN(in.ApplicationName)} })),
		wire.Op("DeleteApplication", s.DeleteApplication, wire.On(func(in *ApplicationInput) []string { return []string{s.applicationARN(in.ApplicationName)} })),
		wire.Op("ListApplications", s.ListApplications),
		wire.Op("RegisterApplicationRevision", s.RegisterApplicationRevision, wire.On(func(in *RegisterApplicationRevisionInput) []string {
			return []string{s.applicationARN(in.ApplicationName)}
		})),
		wire.Op("GetApplicationRevision", s.GetApplicationRevision, wire.On(func(in *GetApplicationRevisionInput) []string {
			return []string{s.applicationARN(in.ApplicationName)}
		})),
		wire.Op("ListApplicationRevisions", s.ListApplicationRevisions, wire.On(func(in *ListApplicationRevisionsInput) []string {
			return []string{s.applicationARN(in.ApplicationName)}
		})),
		wire.Op("GetDeploymentConfig", s.GetDeploymentConfig, wire.On(func(in *GetDeploymentConfigInput) []string { return []string{s.configARN(in.DeploymentConfigName)} })),
		wire.Op("ListDeploymentConfigs", s.ListDeploymentConfigs),
		wire.Op("TagResource", s.TagResource, wire.On(func(in *TagResourceInput) []string { return []string{in.ResourceArn} })),
		wire.Op("UntagResource", s.UntagResource, wire.On(func(in *UntagResourceInput) []string { return []string{in.ResourceArn} })),
		wire.Op("ListTagsForResource", s.ListTagsForResource, wire.On(func(in *ListTagsForResourceInput) []string { return []string{in.ResourceArn} })),
	}
}

func (s *Service) groupOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateDeploymentGroup", s.CreateDeploymentGroup,
			wire.On(func(in *CreateDeploymentGroupInput) []string {
				return []string{s.groupARN(in.ApplicationName, in.DeploymentGroupName)}
			}),
			wire.Needs(func(in *CreateDeploymentGroupInput) []wire.Access { return passRole(in.ServiceRoleArn) })),
		wire.Op("UpdateDeploymentGroup", s.UpdateDeploymentGroup,
			wire.On(func(in *UpdateDeploymentGroupInput) []string {
				return []string{s.groupARN(in.ApplicationName, in.CurrentDeploymentGroupName)}
			}),
			wire.Needs(func(in *UpdateDeploymentGroupInput) []wire.Access { return passRole(in.ServiceRoleArn) })),
		wire.Op("GetDeploymentGroup", s.GetDeploymentGroup, wire.On(s.groupOf)),
		wire.Op("DeleteDeploymentGroup", s.DeleteDeploymentGroup, wire.On(s.groupOf)),
		wire.Op("BatchGetDeploymentGroups", s.BatchGetDeploymentGroups, wire.On(func(in *BatchGetDeploymentGroupsInput) []string {
			var all []string
			for _, name := range in.DeploymentGroupNames {
				all = append(all, s.groupARN(in.ApplicationName, name))
			}
			return all
		})),
		wire.Op("ListDeploymentGroups", s.ListDeploymentGroups, wire.On(func(in *ListDeploymentGroupsInput) []string { return []string{s.groupARN(in.ApplicationName, "*")} })),
	}
}

func (s *Service) groupOf(in *DeploymentGroupInput) []string {
	return []string{s.groupARN(in.ApplicationName, in.DeploymentGroupName)}
}

func (s *Service) deploymentOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateDeployment", s.CreateDeployment, wire.On(func(in *CreateDeploymentInput) []string {
			return []string{s.groupARN(in.ApplicationName, in.DeploymentGroupName)}
		})),
		wire.Op("GetDeployment", s.GetDeployment, wire.On(func(in *DeploymentInput) []string { return s.groupsOf(in.DeploymentId) })),
		wire.Op("BatchGetDeployments", s.BatchGetDeployments, wire.On(func(in *BatchGetDeploymentsInput) []string { return s.groupsOf(in.DeploymentIds...) })),
		wire.Op("ListDeployments", s.ListDeployments, wire.On(func(in *ListDeploymentsInput) []string {
			if in.ApplicationName == "" {
				return []string{"*"}
			}
			return []string{s.groupARN(in.ApplicationName, in.DeploymentGroupName)}
		})),
		wire.Op("StopDeployment", s.StopDeployment, wire.On(func(in *StopDeploymentInput) []string { return s.groupsOf(in.DeploymentId) })),
		wire.Op("ContinueDeployment", s.ContinueDeployment, wire.On(func(in *ContinueDeploymentInput) []string { return s.groupsOf(in.DeploymentId) })),
	}
}

func (s *Service) targetOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("ListDeploymentTargets", s.ListDeploymentTargets, wire.On(func(in *ListDeploymentTargetsInput) []string { return s.groupsOf(in.DeploymentId) })),
		wire.Op("BatchGetDeploymentTargets", s.BatchGetDeploymentTargets, wire.On(func(in *BatchGetDeploymentTargetsInput) []string { return s.groupsOf(in.DeploymentId) })),
		wire.Op("GetDeploymentTarget", s.GetDeploymentTarget, wire.On(func(in *GetDeploymentTargetInput) []string { return s.groupsOf(in.DeploymentId) })),
		wire.Op("ListDeploymentInstances", s.ListDeploymentInstances, wire.On(func(in *ListDeploymentInstancesInput) []string { return s.groupsOf(in.DeploymentId) })),
		wire.Op("GetDeploymentInstance", s.GetDeploymentInstance, wire.On(func(in *GetDeploymentInstanceInput) []string { return s.groupsOf(in.DeploymentId) })),
	}
}

// groupsOf names the deployment groups of deployments; of one that does not
// exist nobody knows the group.
func (s *Service) groupsOf(deploymentIDs ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, id := range deploymentIDs {
		resource := "*"
		if d := s.findLocked(id); d != nil {
			resource = s.groupARN(d.info.ApplicationName, d.info.DeploymentGroupName)
		}
		if !slices.Contains(all, resource) {
			all = append(all, resource)
		}
	}
	return all
}

// newID makes a random UUID (version 4), as ids of applications and groups are.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newDeploymentID makes an id such as d-A1B2C3D4E.
func newDeploymentID() string {
	return "d-" + strings.ToUpper(rand.Text()[:9])
}
