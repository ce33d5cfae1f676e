package codedeploy

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"time"

	"cutover/pkg/localaws/wire"
)

// An application holds deployment groups and the revisions made for them.
type application struct {
	info      ApplicationInfo
	groups    map[string]*group
	revisions []*revision // oldest first
}

// ApplicationInfo describes an application.
type ApplicationInfo struct {
	ApplicationId   string
	ApplicationName string
	CreateTime      time.Time
	LinkedToGitHub  bool
	ComputePlatform string
}

// CreateApplicationInput is the input of CreateApplication.
type CreateApplicationInput struct {
	ApplicationName string
	ComputePlatform string // Server, which is the default
	Tags            []Tag
}

// CreateApplicationOutput is its output.
type CreateApplicationOutput struct{ ApplicationId string }

// ApplicationInput names an application.
type ApplicationInput struct{ ApplicationName string }

// GetApplicationOutput describes an application.
type GetApplicationOutput struct{ Application ApplicationInfo }

// ListApplicationsInput asks for all applications, which are one page.
type ListApplicationsInput struct{ NextToken string }

// ListApplicationsOutput lists names.
type ListApplicationsOutput struct{ Applications []string }

// Empty is an answer without members.
type Empty struct{}

var namePattern = regexp.MustCompile(`^.{1,100}$`)

// CreateApplication answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateApplication.html
func (s *Service) CreateApplication(_ context.Context, in *CreateApplicationInput) (*CreateApplicationOutput, error) {
	if err := checkApplicationName(in.ApplicationName); err != nil {
		return nil, err
	}
	if in.ComputePlatform != "" && in.ComputePlatform != "Server" {
		return nil, wire.Errorf("InvalidComputePlatformException",
			"The compute platform %s is not served by the embedded AWS, only Server is", in.ComputePlatform)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.applications[in.ApplicationName] != nil {
		return nil, wire.Errorf("ApplicationAlreadyExistsException", "Application already exists: %s", in.ApplicationName)
	}
	if err := s.tagLocked(s.applicationARN(in.ApplicationName), in.Tags); err != nil {
		return nil, err
	}
	a := &application{groups: map[string]*group{}, info: ApplicationInfo{
		ApplicationId: newID(), ApplicationName: in.ApplicationName, CreateTime: s.Clock.Now(), ComputePlatform: "Server",
	}}
	s.applications[in.ApplicationName] = a
	return &CreateApplicationOutput{ApplicationId: a.info.ApplicationId}, nil
}

// GetApplication answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetApplication.html
func (s *Service) GetApplication(_ context.Context, in *ApplicationInput) (*GetApplicationOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.applicationLocked(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	return &GetApplicationOutput{Application: a.info}, nil
}

// ListApplications answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListApplications.html
func (s *Service) ListApplications(_ context.Context, in *ListApplicationsInput) (*ListApplicationsOutput, error) {
	if err := onePage(in.NextToken); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &ListApplicationsOutput{Applications: slices.AppendSeq([]string{}, sorted(s.applications))}, nil
}

// DeleteApplication deletes an application with all of its groups and revisions;
// one that does not exist is deleted already.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeleteApplication.html
func (s *Service) DeleteApplication(_ context.Context, in *ApplicationInput) (*Empty, error) {
	if err := checkApplicationName(in.ApplicationName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.applications[in.ApplicationName]
	if a == nil {
		return &Empty{}, nil
	}
	for _, g := range a.groups {
		if d := s.activeLocked(g); d != nil {
			return nil, wire.Errorf("InvalidOperationException", "The deployment %s of the deployment group %s is still in progress", d.info.DeploymentId, g.name)
		}
	}
	for _, g := range a.groups {
		delete(s.tags, s.groupARN(in.ApplicationName, g.name))
	}
	delete(s.tags, s.applicationARN(in.ApplicationName))
	delete(s.applications, in.ApplicationName)
	return &Empty{}, nil
}

func checkApplicationName(name string) error {
	switch {
	case name == "":
		return wire.Errorf("ApplicationNameRequiredException", "Application name is required")
	case !namePattern.MatchString(name):
		return wire.Errorf("InvalidApplicationNameException", "Application name must have 1 to 100 characters")
	}
	return nil
}

func (s *Service) applicationLocked(name string) (*application, error) {
	if err := checkApplicationName(name); err != nil {
		return nil, err
	}
	a := s.applications[name]
	if a == nil {
		return nil, wire.Errorf("ApplicationDoesNotExistException", "No application found for name: %s", name)
	}
	return a, nil
}

// sorted goes through the keys of a map in order.
func sorted[V any](m map[string]V) func(yield func(string) bool) {
	return slices.Values(slices.Sorted(maps.Keys(m)))
}
