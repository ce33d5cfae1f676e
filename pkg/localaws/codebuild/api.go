package codebuild

import (
	"context"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// Wire is the service's API.
// https://docs.aws.amazon.com/codebuild/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "codebuild",
		Protocols: []wire.Protocol{awsjson.Protocol{Version: "1.1", Target: "CodeBuild_20161006", Naming: wire.LowerFirst}},
		Operations: []wire.Operation{
			wire.Op("BatchGetBuilds", s.BatchGetBuilds, wire.On(func(in *BatchGetBuildsInput) []string { return s.projectARNs(in.Ids) })),
			wire.Op("BatchGetProjects", s.BatchGetProjects, wire.On(func(in *BatchGetProjectsInput) []string { return s.projectARNs(in.Names) })),
			wire.Op("ListBuilds", s.ListBuilds),
			wire.Op("ListBuildsForProject", s.ListBuildsForProject, wire.On(func(in *ListBuildsForProjectInput) []string { return s.projectARNs([]string{in.ProjectName}) })),
			wire.Op("ListProjects", s.ListProjects),
			wire.Op("StopBuild", s.StopBuild, wire.On(func(in *StopBuildInput) []string { return s.projectARNs([]string{in.Id}) })),
		},
		Invalid: func(message string) *wire.Error { return wire.Errorf("InvalidInputException", "%s", message) },
	}
}

// projectARNs are the projects that build ids (PROJECT:UUID) or names belong to.
func (s *Service) projectARNs(ids []string) []string {
	arns := make([]string, len(ids))
	for i, id := range ids {
		name, _, _ := strings.Cut(id, ":")
		arns[i] = s.arn("project/" + name)
	}
	return arns
}

// BatchGetBuildsInput names builds.
type BatchGetBuildsInput struct {
	Ids []string `aws:",required"`
}

// BatchGetBuildsOutput describes those that exist.
type BatchGetBuildsOutput struct {
	Builds         []BuildDescription
	BuildsNotFound []string
}

// BuildDescription is a build as CodeBuild describes it.
type BuildDescription struct {
	Id                           string
	Arn                          string
	BuildNumber                  int
	ProjectName                  string
	Initiator                    string
	BuildStatus                  string
	BuildComplete                bool
	CurrentPhase                 string
	StartTime                    time.Time
	EndTime                      time.Time
	Phases                       []BuildPhase
	ExportedEnvironmentVariables []ExportedVariable
	Logs                         Logs
}

// BuildPhase is a phase that has ended.
type BuildPhase struct {
	PhaseType   string
	PhaseStatus string
}

// ExportedVariable is a variable that a build put out.
type ExportedVariable struct {
	Name  string
	Value string
}

// Logs says where a build's output is.
type Logs struct {
	GroupName  string
	StreamName string
}

// BatchGetBuilds answers
// https://docs.aws.amazon.com/codebuild/latest/APIReference/API_BatchGetBuilds.html
func (s *Service) BatchGetBuilds(_ context.Context, in *BatchGetBuildsInput) (*BatchGetBuildsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &BatchGetBuildsOutput{Builds: []BuildDescription{}, BuildsNotFound: []string{}}
	for _, id := range in.Ids {
		if b, ok := s.builds[id]; ok {
			out.Builds = append(out.Builds, b.describe())
		} else {
			out.BuildsNotFound = append(out.BuildsNotFound, id)
		}
	}
	return out, nil
}

func (b *build) describe() BuildDescription {
	d := BuildDescription{
		Id: b.id, Arn: b.arn, BuildNumber: b.number, ProjectName: b.project, Initiator: b.initiator,
		BuildStatus: b.status, BuildComplete: b.status != "IN_PROGRESS", StartTime: b.start, EndTime: b.end,
		CurrentPhase: "BUILD", Phases: slices.Clone(b.phases),
		Logs: Logs{GroupName: b.group, StreamName: b.stream},
	}
	if d.BuildComplete {
		d.CurrentPhase = "COMPLETED"
	}
	for name, value := range b.variables {
		d.ExportedEnvironmentVariables = append(d.ExportedEnvironmentVariables, ExportedVariable{Name: name, Value: value})
	}
	slices.SortFunc(d.ExportedEnvironmentVariables, func(a, b ExportedVariable) int { return strings.Compare(a.Name, b.Name) })
	return d
}

// ListBuildsInput says in which order of their start; newest first by default.
type ListBuildsInput struct{ SortOrder string }

// ListBuildsOutput lists build ids.
type ListBuildsOutput struct{ Ids []string }

// ListBuilds answers
// https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ListBuilds.html
func (s *Service) ListBuilds(_ context.Context, in *ListBuildsInput) (*ListBuildsOutput, error) {
	return &ListBuildsOutput{Ids: s.buildIDs("", in.SortOrder)}, nil
}

// ListBuildsForProjectInput names a project.
type ListBuildsForProjectInput struct {
	ProjectName string `aws:",required"`
	SortOrder   string
}

// ListBuildsForProject answers
// https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ListBuildsForProject.html
func (s *Service) ListBuildsForProject(_ context.Context, in *ListBuildsForProjectInput) (*ListBuildsOutput, error) {
	s.mu.Lock()
	_, ok := s.projects[in.ProjectName]
	s.mu.Unlock()
	if !ok {
		return nil, wire.Errorf("ResourceNotFoundException", "The provided project %s does not exist", s.arn("project/"+in.ProjectName))
	}
	return &ListBuildsOutput{Ids: s.buildIDs(in.ProjectName, in.SortOrder)}, nil
}

func (s *Service) buildIDs(project, order string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := []string{}
	for _, id := range s.order {
		if project == "" || s.builds[id].project == project {
			ids = append(ids, id)
		}
	}
	if order != "ASCENDING" {
		slices.Reverse(ids)
	}
	return ids
}

// ListProjectsInput has no members of use.
type ListProjectsInput struct {
	SortBy    string
	SortOrder string
}

// ListProjectsOutput lists project names.
type ListProjectsOutput struct{ Projects []string }

// ListProjects answers
// https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ListProjects.html
func (s *Service) ListProjects(context.Context, *ListProjectsInput) (*ListProjectsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &ListProjectsOutput{Projects: s.namesLocked()}, nil
}

// BatchGetProjectsInput names projects.
type BatchGetProjectsInput struct {
	Names []string `aws:",required"`
}

// BatchGetProjectsOutput describes those that exist.
type BatchGetProjectsOutput struct {
	Projects         []ProjectDescription
	ProjectsNotFound []string
}

// ProjectDescription is a project as CodeBuild describes it.
type ProjectDescription struct {
	Name             string
	Arn              string
	Description      string
	ServiceRole      string
	TimeoutInMinutes int
	Created          time.Time
	LastModified     time.Time
}

// BatchGetProjects answers
// https://docs.aws.amazon.com/codebuild/latest/APIReference/API_BatchGetProjects.html
func (s *Service) BatchGetProjects(_ context.Context, in *BatchGetProjectsInput) (*BatchGetProjectsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &BatchGetProjectsOutput{Projects: []ProjectDescription{}, ProjectsNotFound: []string{}}
	for _, name := range in.Names {
		p, ok := s.projects[name]
		if !ok {
			out.ProjectsNotFound = append(out.ProjectsNotFound, name)
			continue
		}
		out.Projects = append(out.Projects, ProjectDescription{
			Name: name, Arn: s.arn("project/" + name), Description: p.Description, ServiceRole: p.ServiceRole,
			TimeoutInMinutes: int(p.timeout().Minutes()), Created: p.created, LastModified: p.modified,
		})
	}
	return out, nil
}

// StopBuildInput names a build.
type StopBuildInput struct {
	Id string `aws:",required"`
}

// StopBuildOutput describes it.
type StopBuildOutput struct{ Build BuildDescription }

// StopBuild answers
// https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StopBuild.html
func (s *Service) StopBuild(_ context.Context, in *StopBuildInput) (*StopBuildOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.builds[in.Id]
	if !ok {
		return nil, wire.Errorf("ResourceNotFoundException", "Build %s does not exist", in.Id)
	}
	if b.status == "IN_PROGRESS" {
		b.stopped = true
		b.cancel()
	}
	return &StopBuildOutput{Build: b.describe()}, nil
}
