package codedeploy

import (
	"context"
	"slices"
	"unicode/utf8"

	"cutover/pkg/localaws/wire"
)

// CreateDeploymentInput is the input of CreateDeployment.
type CreateDeploymentInput struct {
	ApplicationName               string
	DeploymentGroupName           string
	Revision                      *RevisionLocation
	DeploymentConfigName          string
	Description                   string // up to 256 characters
	IgnoreApplicationStopFailures bool
	AutoRollbackConfiguration     *AutoRollbackConfiguration
	FileExistsBehavior            string // DISALLOW (the default), OVERWRITE or RETAIN
	OverrideAlarmConfiguration    *AlarmConfiguration
}

// CreateDeploymentOutput is its output.
type CreateDeploymentOutput struct{ DeploymentId string }

// CreateDeployment answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeployment.html
func (s *Service) CreateDeployment(_ context.Context, in *CreateDeploymentInput) (*CreateDeploymentOutput, error) {
	d, err := s.create(in, "user", nil)
	if err != nil {
		return nil, err
	}
	return &CreateDeploymentOutput{DeploymentId: d.id}, nil
}

// Deploy makes a deployment for the services beside, and calls report once it
// has ended.
func (s *Service) Deploy(in *CreateDeploymentInput, report func(Outcome)) (deploymentID string, err error) {
	d, err := s.create(in, "user", report)
	if err != nil {
		return "", err
	}
	return d.id, nil
}

func (s *Service) create(in *CreateDeploymentInput, creator string, report func(Outcome)) (*deployment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(in.ApplicationName, in.DeploymentGroupName)
	if err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	settings := g.settings.merge(Settings{
		DeploymentConfigName: in.DeploymentConfigName, AutoRollbackConfiguration: in.AutoRollbackConfiguration, AlarmConfiguration: in.OverrideAlarmConfiguration,
	})
	if err := settings.check(g.scalingNames()); err != nil {
		return nil, err
	}
	if running := s.activeLocked(g); running != nil {
		return nil, wire.Errorf("DeploymentLimitExceededException", "The Deployment Group '%s' already has an active Deployment '%s'", g.name, running.id)
	}
	d := s.newLocked(g, settings, in.Revision, creator)
	d.info.Description, d.info.IgnoreApplicationStopFailures = in.Description, in.IgnoreApplicationStopFailures
	d.info.OverrideAlarmConfiguration = in.OverrideAlarmConfiguration
	if in.FileExistsBehavior != "" {
		d.info.FileExistsBehavior = in.FileExistsBehavior
	}
	if report != nil {
		d.report = append(d.report, report)
	}
	g.attempted = d
	r := g.application.registerLocked(*in.Revision, "", d.info.CreateTime)
	if !slices.Contains(r.groups, g.name) {
		r.groups = append(r.groups, g.name)
	}
	if r.first.IsZero() {
		r.first = d.info.CreateTime
	}
	r.last = d.info.CreateTime
	s.Clock.Go(d.run.begin)
	return d, nil
}

func (in *CreateDeploymentInput) check() error {
	if err := in.Revision.check(); err != nil {
		return err
	}
	switch {
	case utf8.RuneCountInString(in.Description) > 256:
		return wire.Errorf("DescriptionTooLongException", "The description is longer than 256 characters")
	case !slices.Contains([]string{"", "DISALLOW", "OVERWRITE", "RETAIN"}, in.FileExistsBehavior):
		return wire.Errorf("InvalidFileExistsBehaviorException", "The file exists behavior %q is invalid", in.FileExistsBehavior)
	}
	return nil
}

// newLocked makes a deployment known that has not begun.
func (s *Service) newLocked(g *group, settings Settings, revision *RevisionLocation, creator string) *deployment {
	id := newDeploymentID()
	d := &deployment{
		id: id, group: g, groupID: g.id, settings: settings, role: settings.ServiceRoleArn,
		info: DeploymentInfo{
			ApplicationName: g.application.info.ApplicationName, DeploymentGroupName: g.name, DeploymentId: id,
			DeploymentConfigName: settings.DeploymentConfigName, PreviousRevision: g.revision, Revision: revision, Status: created,
			CreateTime: s.Clock.Now(), Creator: creator, AutoRollbackConfiguration: settings.AutoRollbackConfiguration,
			DeploymentStyle: settings.DeploymentStyle, BlueGreenDeploymentConfiguration: settings.BlueGreenDeploymentConfiguration,
			LoadBalancerInfo: settings.LoadBalancerInfo, FileExistsBehavior: "DISALLOW", ComputePlatform: "Server",
		},
	}
	d.run = &run{Service: s, d: d, pending: map[int]func(){}}
	s.deployments = append(s.deployments, d)
	return d
}

// DeploymentConfig names the deployment configuration of a deployment group for
// the services beside; "" if there is no such group.
func (s *Service) DeploymentConfig(application, group string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(application, group)
	if err != nil {
		return ""
	}
	return g.settings.DeploymentConfigName
}
