package ecr

import (
	"context"
	"strings"
	"time"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// repositoryProperties are those of AWS::ECR::Repository. The ones of type any
// are accepted without effect.
type repositoryProperties struct {
	RepositoryName             string
	ImageTagMutability         string
	ImageScanningConfiguration any
	EncryptionConfiguration    any
	LifecyclePolicy            any
	RepositoryPolicyText       any
	EmptyOnDelete              bool
	Tags                       []resource.Tag
}

// Resources lists the CloudFormation types of ECR.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::ECR::Repository", []string{"RepositoryName", "EncryptionConfiguration"}, s.create, s.update, s.remove),
	}
}

func (s *Service) create(_ context.Context, r resource.Request, p *repositoryProperties) (resource.State, error) {
	name := p.RepositoryName
	if name == "" {
		name = strings.ToLower(r.GeneratedName(256))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.repositories[name]; ok {
		return resource.State{}, wire.Errorf("RepositoryAlreadyExistsException", "The repository with name '%s' already exists in the registry with id '%s'", name, s.Account)
	}
	s.repositories[name] = &repository{name: name, created: s.Clock.Now(), pushed: map[string]time.Time{}}
	return s.configureLocked(name, p), nil
}

func (s *Service) update(_ context.Context, r resource.Request, p *repositoryProperties) (resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.findLocked(r.PhysicalID); err != nil {
		return resource.State{}, err
	}
	return s.configureLocked(r.PhysicalID, p), nil
}

func (s *Service) configureLocked(name string, p *repositoryProperties) resource.State {
	repo := s.repositories[name]
	repo.immutable = strings.HasPrefix(p.ImageTagMutability, "IMMUTABLE")
	repo.tags = p.Tags
	return resource.State{PhysicalID: name, Attributes: map[string]any{
		"Arn":           s.arn(name),
		"RepositoryUri": s.uri(name),
	}}
}

// remove deletes the repository, with its images only where the template said
// so when it was made or changed last.
func (s *Service) remove(ctx context.Context, r resource.Request) error {
	emptied := r.Properties["EmptyOnDelete"]
	if emptied != true && emptied != "true" {
		tags, err := s.tagged(ctx, r.PhysicalID)
		if err == nil && len(tags) > 0 {
			return wire.Errorf("RepositoryNotEmptyException", "The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", r.PhysicalID, s.Account)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.repositories, r.PhysicalID)
	return nil
}
