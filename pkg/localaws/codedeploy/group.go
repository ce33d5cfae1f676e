package codedeploy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cutover/pkg/localaws/wire"
)

// A group is a deployment group.
type group struct {
	id, name    string
	application *application
	settings    Settings
	scaling     []scalingGroup
	revision    *RevisionLocation // the last one deployed with success
	attempted   *deployment
	succeeded   *deployment
}

// A scalingGroup is an Auto Scaling group that a deployment group deploys to.
type scalingGroup struct{ name, hook string }

// CreateDeploymentGroupInput is the input of CreateDeploymentGroup.
type CreateDeploymentGroupInput struct {
	ApplicationName     string
	DeploymentGroupName string
	Settings
	Fleet
	AutoScalingGroups []string
	Tags              []Tag
}

// Fleet are the other ways to find instances, which are not served: they may
// only be empty.
type Fleet struct {
	Ec2TagFilters                []EC2TagFilter
	Ec2TagSet                    *EC2TagSet
	OnPremisesInstanceTagFilters []EC2TagFilter
	TerminationHookEnabled       *bool
}

// EC2TagFilter finds instances by a tag.
type EC2TagFilter struct {
	Key   string `aws:"Key"`
	Value string `aws:"Value"`
	Type  string `aws:"Type"`
}

// EC2TagSet finds instances by several tags.
type EC2TagSet struct{ Ec2TagSetList [][]EC2TagFilter }

// CreateDeploymentGroupOutput is its output.
type CreateDeploymentGroupOutput struct{ DeploymentGroupId string }

// UpdateDeploymentGroupInput is the input of UpdateDeploymentGroup.
type UpdateDeploymentGroupInput struct {
	ApplicationName            string
	CurrentDeploymentGroupName string
	NewDeploymentGroupName     string
	Settings
	Fleet
	AutoScalingGroups []string // nil leaves them as they are
}

// HooksNotCleanedUp is the answer of a change that may leave hooks behind in
// Auto Scaling groups, which none here does.
type HooksNotCleanedUp struct {
	HooksNotCleanedUp []AutoScalingGroup
}

// DeploymentGroupInput names a deployment group.
type DeploymentGroupInput struct {
	ApplicationName     string
	DeploymentGroupName string
}

// GetDeploymentGroupOutput describes it.
type GetDeploymentGroupOutput struct{ DeploymentGroupInfo DeploymentGroupInfo }

// BatchGetDeploymentGroupsInput names deployment groups.
type BatchGetDeploymentGroupsInput struct {
	ApplicationName      string
	DeploymentGroupNames []string
}

// BatchGetDeploymentGroupsOutput describes those that exist.
type BatchGetDeploymentGroupsOutput struct {
	DeploymentGroupsInfo []DeploymentGroupInfo
	ErrorMessage         string
}

// ListDeploymentGroupsInput asks for all groups of an application, one page.
type ListDeploymentGroupsInput struct {
	ApplicationName string
	NextToken       string
}

// ListDeploymentGroupsOutput lists names.
type ListDeploymentGroupsOutput struct {
	ApplicationName  string
	DeploymentGroups []string
}

// DeploymentGroupInfo describes a deployment group.
type DeploymentGroupInfo struct {
	ApplicationName     string
	DeploymentGroupId   string
	DeploymentGroupName string
	Settings
	Ec2TagFilters                []EC2TagFilter
	OnPremisesInstanceTagFilters []EC2TagFilter
	AutoScalingGroups            []AutoScalingGroup
	TargetRevision               *RevisionLocation
	LastSuccessfulDeployment     *LastDeploymentInfo
	LastAttemptedDeployment      *LastDeploymentInfo
	ComputePlatform              string
	TerminationHookEnabled       bool
}

// AutoScalingGroup is an Auto Scaling group and the lifecycle hook in it.
type AutoScalingGroup struct {
	Name string
	Hook string
}

// LastDeploymentInfo tells of a group's latest deployment.
type LastDeploymentInfo struct {
	DeploymentId string
	Status       string
	EndTime      time.Time
	CreateTime   time.Time
}

// CreateDeploymentGroup answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeploymentGroup.html
func (s *Service) CreateDeploymentGroup(_ context.Context, in *CreateDeploymentGroupInput) (*CreateDeploymentGroupOutput, error) {
	if err := checkGroupName(in.DeploymentGroupName); err != nil {
		return nil, err
	}
	if err := in.Fleet.check(); err != nil {
		return nil, err
	}
	if err := s.checkScaling(in.AutoScalingGroups); err != nil {
		return nil, err
	}
	settings := in.Settings.complete()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.applicationLocked(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if a.groups[in.DeploymentGroupName] != nil {
		return nil, groupExists(in.DeploymentGroupName)
	}
	if err := settings.check(in.AutoScalingGroups); err != nil {
		return nil, err
	}
	if err := s.tagLocked(s.groupARN(in.ApplicationName, in.DeploymentGroupName), in.Tags); err != nil {
		return nil, err
	}
	g := &group{id: newID(), name: in.DeploymentGroupName, application: a, settings: settings}
	g.use(in.AutoScalingGroups)
	a.groups[g.name] = g
	return &CreateDeploymentGroupOutput{DeploymentGroupId: g.id}, nil
}

// UpdateDeploymentGroup answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_UpdateDeploymentGroup.html
func (s *Service) UpdateDeploymentGroup(_ context.Context, in *UpdateDeploymentGroupInput) (*HooksNotCleanedUp, error) {
	if err := in.Fleet.check(); err != nil {
		return nil, err
	}
	if err := s.checkScaling(in.AutoScalingGroups); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(in.ApplicationName, in.CurrentDeploymentGroupName)
	if err != nil {
		return nil, err
	}
	wanted := g.scalingNames()
	if in.AutoScalingGroups != nil {
		wanted = in.AutoScalingGroups
	}
	settings := g.settings.merge(in.Settings)
	if !settings.complete().blueGreen() {
		settings.BlueGreenDeploymentConfiguration = in.BlueGreenDeploymentConfiguration
	}
	settings = settings.complete()
	if err := settings.check(wanted); err != nil {
		return nil, err
	}
	if err := s.renameLocked(g, in.NewDeploymentGroupName); err != nil {
		return nil, err
	}
	g.settings = settings
	g.use(wanted)
	return &HooksNotCleanedUp{HooksNotCleanedUp: []AutoScalingGroup{}}, nil
}

func (s *Service) renameLocked(g *group, name string) error {
	if name == "" || name == g.name {
		return nil
	}
	if err := checkGroupName(name); err != nil {
		return err
	}
	if g.application.groups[name] != nil {
		return groupExists(name)
	}
	application := g.application.info.ApplicationName
	s.tags[s.groupARN(application, name)] = s.tags[s.groupARN(application, g.name)]
	delete(s.tags, s.groupARN(application, g.name))
	delete(g.application.groups, g.name)
	g.name = name
	g.application.groups[name] = g
	return nil
}

// GetDeploymentGroup answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentGroup.html
func (s *Service) GetDeploymentGroup(_ context.Context, in *DeploymentGroupInput) (*GetDeploymentGroupOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(in.ApplicationName, in.DeploymentGroupName)
	if err != nil {
		return nil, err
	}
	return &GetDeploymentGroupOutput{DeploymentGroupInfo: g.describe()}, nil
}

// BatchGetDeploymentGroups answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BatchGetDeploymentGroups.html
func (s *Service) BatchGetDeploymentGroups(_ context.Context, in *BatchGetDeploymentGroupsInput) (*BatchGetDeploymentGroupsOutput, error) {
	switch {
	case len(in.DeploymentGroupNames) == 0:
		return nil, wire.Errorf("DeploymentGroupNameRequiredException", "Deployment group name is required")
	case len(in.DeploymentGroupNames) > 100:
		return nil, wire.Errorf("BatchLimitExceededException", "At most 100 deployment groups can be named")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.applicationLocked(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	out := &BatchGetDeploymentGroupsOutput{DeploymentGroupsInfo: []DeploymentGroupInfo{}}
	for _, name := range in.DeploymentGroupNames {
		if g := a.groups[name]; g != nil {
			out.DeploymentGroupsInfo = append(out.DeploymentGroupsInfo, g.describe())
		} else {
			out.ErrorMessage = fmt.Sprintf("No Deployment Group found for name: %s", name)
		}
	}
	return out, nil
}

// ListDeploymentGroups answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListDeploymentGroups.html
func (s *Service) ListDeploymentGroups(_ context.Context, in *ListDeploymentGroupsInput) (*ListDeploymentGroupsOutput, error) {
	if err := onePage(in.NextToken); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.applicationLocked(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	return &ListDeploymentGroupsOutput{ApplicationName: in.ApplicationName, DeploymentGroups: slices.AppendSeq([]string{}, sorted(a.groups))}, nil
}

// DeleteDeploymentGroup deletes a group that is not being deployed to; one that
// does not exist is deleted already.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeleteDeploymentGroup.html
func (s *Service) DeleteDeploymentGroup(_ context.Context, in *DeploymentGroupInput) (*HooksNotCleanedUp, error) {
	if err := checkGroupName(in.DeploymentGroupName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.applicationLocked(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if g := a.groups[in.DeploymentGroupName]; g != nil {
		if d := s.activeLocked(g); d != nil {
			return nil, wire.Errorf("InvalidOperationException", "The deployment %s of the deployment group is still in progress", d.id)
		}
		delete(a.groups, g.name)
		delete(s.tags, s.groupARN(in.ApplicationName, g.name))
	}
	return &HooksNotCleanedUp{HooksNotCleanedUp: []AutoScalingGroup{}}, nil
}

func checkGroupName(name string) error {
	switch {
	case name == "":
		return wire.Errorf("DeploymentGroupNameRequiredException", "Deployment group name is required")
	case !namePattern.MatchString(name):
		return wire.Errorf("InvalidDeploymentGroupNameException", "Deployment group name must have 1 to 100 characters")
	}
	return nil
}

func groupExists(name string) error {
	return wire.Errorf("DeploymentGroupAlreadyExistsException", "Deployment group already exists: %s", name)
}

func (f Fleet) check() error {
	refuse := func(code, what string) error {
		return wire.Errorf(code, "%s are not served by the embedded AWS; name Auto Scaling groups instead", what)
	}
	switch {
	case len(f.Ec2TagFilters) > 0:
		return refuse("InvalidEC2TagException", "ec2TagFilters")
	case f.Ec2TagSet != nil && len(f.Ec2TagSet.Ec2TagSetList) > 0:
		return refuse("InvalidEC2TagCombinationException", "ec2TagSet")
	case len(f.OnPremisesInstanceTagFilters) > 0:
		return refuse("InvalidTagException", "onPremisesInstanceTagFilters")
	case f.TerminationHookEnabled != nil && *f.TerminationHookEnabled:
		return wire.Errorf("InvalidInputException", "terminationHookEnabled is not served by the embedded AWS")
	}
	return nil
}

// checkScaling finds Auto Scaling groups that do not exist.
func (s *Service) checkScaling(names []string) error {
	for _, name := range names {
		if name != "" && !s.Groups.Exists(name) {
			return wire.Errorf("InvalidAutoScalingGroupException", "The Auto Scaling group %s does not exist", name)
		}
	}
	return nil
}

func (s *Service) groupLocked(application, name string) (*group, error) {
	a, err := s.applicationLocked(application)
	if err != nil {
		return nil, err
	}
	if err := checkGroupName(name); err != nil {
		return nil, err
	}
	g := a.groups[name]
	if g == nil {
		return nil, wire.Errorf("DeploymentGroupDoesNotExistException", "No Deployment Group found for name: %s", name)
	}
	return g, nil
}

// use makes Auto Scaling groups the ones to deploy to, and keeps the hooks of
// those that are already.
func (g *group) use(names []string) {
	var all []scalingGroup
	for _, name := range names {
		i := slices.IndexFunc(g.scaling, func(known scalingGroup) bool { return known.name == name })
		if i >= 0 {
			all = append(all, g.scaling[i])
			continue
		}
		all = append(all, scalingGroup{name, "CodeDeploy-managed-automatic-launch-deployment-hook-" + g.name + "-" + newID()})
	}
	g.scaling = all
}

func (g *group) scalingNames() []string {
	var names []string
	for _, each := range g.scaling {
		names = append(names, each.name)
	}
	return names
}

func (g *group) describe() DeploymentGroupInfo {
	info := DeploymentGroupInfo{
		ApplicationName: g.application.info.ApplicationName, DeploymentGroupId: g.id, DeploymentGroupName: g.name, Settings: g.settings,
		Ec2TagFilters: []EC2TagFilter{}, OnPremisesInstanceTagFilters: []EC2TagFilter{}, AutoScalingGroups: []AutoScalingGroup{},
		TargetRevision: g.revision, LastSuccessfulDeployment: g.succeeded.last(), LastAttemptedDeployment: g.attempted.last(),
		ComputePlatform: "Server",
	}
	for _, each := range g.scaling {
		info.AutoScalingGroups = append(info.AutoScalingGroups, AutoScalingGroup{each.name, each.hook})
	}
	if info.TriggerConfigurations == nil {
		info.TriggerConfigurations = []TriggerConfig{}
	}
	return info
}

// last tells of a deployment, or nothing of none.
func (d *deployment) last() *LastDeploymentInfo {
	if d == nil {
		return nil
	}
	return &LastDeploymentInfo{DeploymentId: d.id, Status: d.info.Status, EndTime: d.info.CompleteTime, CreateTime: d.info.CreateTime}
}
