package codebuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// projectProperties are those of AWS::CodeBuild::Project. The ones of type any
// are accepted without effect.
type projectProperties struct {
	Name        string
	Description string
	ServiceRole string `aws:",required"`
	Source      struct {
		Type      string `aws:",required"`
		BuildSpec string
	} `aws:",required"`
	Artifacts struct {
		Type string `aws:",required"`
	} `aws:",required"`
	Environment struct {
		Type                 string `aws:",required"`
		ComputeType          string `aws:",required"`
		Image                string `aws:",required"`
		PrivilegedMode       bool
		EnvironmentVariables []EnvironmentVariable
	} `aws:",required"`
	LogsConfig *struct {
		CloudWatchLogs *struct {
			Status     string
			GroupName  string
			StreamName string
		}
	}
	TimeoutInMinutes       int
	QueuedTimeoutInMinutes int
	EncryptionKey          string
	Cache                  any
	Tags                   []resource.Tag
}

// EnvironmentVariable is a plaintext variable of a build.
type EnvironmentVariable struct {
	Name  string `aws:",required"`
	Value string `aws:",required"`
	Type  string
}

type project struct {
	projectProperties
	created, modified time.Time
	runs              int
}

func (p *project) logGroup() string {
	if p.LogsConfig != nil && p.LogsConfig.CloudWatchLogs != nil && p.LogsConfig.CloudWatchLogs.GroupName != "" {
		return p.LogsConfig.CloudWatchLogs.GroupName
	}
	return "/aws/codebuild/" + p.Name
}

// timeout is how long a build may take. Builds are real processes, so it passes
// on the wall's clock.
func (p *project) timeout() time.Duration {
	if p.TimeoutInMinutes == 0 {
		return time.Hour
	}
	return time.Duration(p.TimeoutInMinutes) * time.Minute
}

// buildspec is the project's own, inline or by name, or buildspec.yml.
func (p *projectProperties) buildspec(source string) ([]byte, error) {
	if strings.Contains(p.Source.BuildSpec, "\n") {
		return []byte(p.Source.BuildSpec), nil
	}
	name := p.Source.BuildSpec
	if name == "" {
		name = "buildspec.yml"
	}
	root, err := os.OpenRoot(source)
	if err != nil {
		return nil, fmt.Errorf("read buildspec: %w", err)
	}
	defer root.Close()
	text, err := root.ReadFile(filepath.Clean(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read buildspec: the source has no %s", name)
	}
	return text, err
}

func (p *projectProperties) faults() (faults []string) {
	if p.Source.Type != "CODEPIPELINE" {
		faults = append(faults, fmt.Sprintf("Source.Type is %s: the embedded AWS builds for CODEPIPELINE only", p.Source.Type))
	}
	if p.Artifacts.Type != "CODEPIPELINE" {
		faults = append(faults, fmt.Sprintf("Artifacts.Type is %s: the embedded AWS builds for CODEPIPELINE only", p.Artifacts.Type))
	}
	for _, v := range p.Environment.EnvironmentVariables {
		if v.Type != "" && v.Type != "PLAINTEXT" {
			faults = append(faults, fmt.Sprintf("EnvironmentVariables %s is of type %s: the embedded AWS knows PLAINTEXT only", v.Name, v.Type))
		}
	}
	if p.TimeoutInMinutes != 0 && (p.TimeoutInMinutes < 5 || p.TimeoutInMinutes > 2160) {
		faults = append(faults, fmt.Sprintf("TimeoutInMinutes is %d, not 5 to 2160", p.TimeoutInMinutes))
	}
	return faults
}

// Resources lists the CloudFormation types of CodeBuild.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::CodeBuild::Project", []string{"Name"}, s.createProject, s.updateProject, s.deleteProject),
	}
}

func (s *Service) createProject(_ context.Context, r resource.Request, p *projectProperties) (resource.State, error) {
	if p.Name == "" {
		p.Name = r.GeneratedName(150)
	}
	if faults := p.faults(); len(faults) > 0 {
		return resource.State{}, wire.Errorf("InvalidInputException", "%s", strings.Join(faults, "; "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.projects[p.Name]; ok {
		return resource.State{}, wire.Errorf("ResourceAlreadyExistsException", "Project already exists: %s", s.arn("project/"+p.Name))
	}
	now := s.Clock.Now()
	s.projects[p.Name] = &project{projectProperties: *p, created: now, modified: now}
	return s.state(p.Name), nil
}

func (s *Service) updateProject(_ context.Context, r resource.Request, p *projectProperties) (resource.State, error) {
	p.Name = r.PhysicalID
	if faults := p.faults(); len(faults) > 0 {
		return resource.State{}, wire.Errorf("InvalidInputException", "%s", strings.Join(faults, "; "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.projects[p.Name]
	if !ok {
		return resource.State{}, wire.Errorf("ResourceNotFoundException", "Project cannot be found: %s", p.Name)
	}
	held.projectProperties, held.modified = *p, s.Clock.Now()
	return s.state(p.Name), nil
}

func (s *Service) deleteProject(_ context.Context, r resource.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.projects, r.PhysicalID)
	return nil
}

func (s *Service) state(name string) resource.State {
	return resource.State{PhysicalID: name, Attributes: map[string]any{"Arn": s.arn("project/" + name)}}
}

// namesLocked lists project names in order. s.mu must be held.
func (s *Service) namesLocked() []string {
	names := []string{}
	for name := range s.projects {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
