package codecommit

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// Wire is the service's API.
// https://docs.aws.amazon.com/codecommit/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "codecommit",
		Protocols: []wire.Protocol{awsjson.Protocol{Version: "1.1", Target: "CodeCommit_20150413", Naming: wire.LowerFirst}},
		Operations: []wire.Operation{
			wire.Op("GetRepository", s.GetRepository, wire.On(func(in *GetRepositoryInput) []string { return []string{s.arn(in.RepositoryName)} })),
			wire.Op("ListRepositories", s.ListRepositories),
			wire.Op("GetBranch", s.GetBranch, wire.On(func(in *GetBranchInput) []string { return []string{s.arn(in.RepositoryName)} })),
			wire.Op("ListBranches", s.ListBranches, wire.On(func(in *ListBranchesInput) []string { return []string{s.arn(in.RepositoryName)} })),
			wire.Op("GetCommit", s.GetCommit, wire.On(func(in *GetCommitInput) []string { return []string{s.arn(in.RepositoryName)} })),
		},
		Invalid: func(message string) *wire.Error { return wire.Errorf("InvalidInputException", "%s", message) },
	}
}

// GetRepositoryInput names a repository.
type GetRepositoryInput struct {
	RepositoryName string `aws:",required"`
}

// GetRepositoryOutput describes it.
type GetRepositoryOutput struct{ RepositoryMetadata RepositoryMetadata }

// RepositoryMetadata is a repository as CodeCommit describes it.
type RepositoryMetadata struct {
	AccountId             string
	RepositoryId          string
	RepositoryName        string
	RepositoryDescription string
	DefaultBranch         string
	LastModifiedDate      time.Time
	CreationDate          time.Time
	CloneUrlHttp          string
	Arn                   string `aws:"Arn"` // unlike the others
}

// GetRepository answers
// https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetRepository.html
func (s *Service) GetRepository(_ context.Context, in *GetRepositoryInput) (*GetRepositoryOutput, error) {
	repo, err := s.find(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	branches, err := s.references(repo.name)
	if err != nil {
		return nil, err
	}
	defaultBranch := ""
	if len(branches) > 0 {
		defaultBranch = "main"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &GetRepositoryOutput{RepositoryMetadata{
		AccountId: s.Account, RepositoryId: repo.id, RepositoryName: repo.name, RepositoryDescription: repo.description,
		DefaultBranch: defaultBranch, LastModifiedDate: repo.modified, CreationDate: repo.created,
		CloneUrlHttp: s.CloneURL(repo.name), Arn: s.arn(repo.name),
	}}, nil
}

// ListRepositoriesInput has no members of use.
type ListRepositoriesInput struct {
	SortBy string
	Order  string
}

// ListRepositoriesOutput lists all repositories by name.
type ListRepositoriesOutput struct{ Repositories []RepositoryNameIDPair }

// RepositoryNameIDPair names a repository.
type RepositoryNameIDPair struct {
	RepositoryName string
	RepositoryId   string
}

// ListRepositories answers
// https://docs.aws.amazon.com/codecommit/latest/APIReference/API_ListRepositories.html
func (s *Service) ListRepositories(context.Context, *ListRepositoriesInput) (*ListRepositoriesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &ListRepositoriesOutput{Repositories: []RepositoryNameIDPair{}}
	for _, name := range slices.Sorted(maps.Keys(s.repositories)) {
		out.Repositories = append(out.Repositories, RepositoryNameIDPair{RepositoryName: name, RepositoryId: s.repositories[name].id})
	}
	return out, nil
}

// GetBranchInput names a branch.
type GetBranchInput struct {
	RepositoryName string `aws:",required"`
	BranchName     string `aws:",required"`
}

// GetBranchOutput tells its commit.
type GetBranchOutput struct{ Branch Branch }

// Branch is a branch and the commit at its tip.
type Branch struct {
	BranchName string
	CommitId   string
}

// GetBranch answers
// https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetBranch.html
func (s *Service) GetBranch(_ context.Context, in *GetBranchInput) (*GetBranchOutput, error) {
	repo, err := s.find(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	references, err := s.references(repo.name)
	if err != nil {
		return nil, err
	}
	commit, ok := references["refs/heads/"+in.BranchName]
	if !ok {
		return nil, wire.Errorf("BranchDoesNotExistException", "Branch %s does not exist in %s", in.BranchName, in.RepositoryName)
	}
	return &GetBranchOutput{Branch{BranchName: in.BranchName, CommitId: commit}}, nil
}

// ListBranchesInput names a repository.
type ListBranchesInput struct {
	RepositoryName string `aws:",required"`
}

// ListBranchesOutput lists its branches.
type ListBranchesOutput struct{ Branches []string }

// ListBranches answers
// https://docs.aws.amazon.com/codecommit/latest/APIReference/API_ListBranches.html
func (s *Service) ListBranches(_ context.Context, in *ListBranchesInput) (*ListBranchesOutput, error) {
	repo, err := s.find(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	references, err := s.references(repo.name)
	if err != nil {
		return nil, err
	}
	out := &ListBranchesOutput{Branches: []string{}}
	for _, ref := range slices.Sorted(maps.Keys(references)) {
		if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			out.Branches = append(out.Branches, name)
		}
	}
	return out, nil
}

// GetCommitInput names a commit.
type GetCommitInput struct {
	RepositoryName string `aws:",required"`
	CommitId       string `aws:",required"`
}

// GetCommitOutput describes it.
type GetCommitOutput struct{ Commit CommitDetail }

// CommitDetail is a commit as CodeCommit describes it.
type CommitDetail struct {
	CommitId  string
	TreeId    string
	Parents   []string
	Message   string
	Author    UserInfo
	Committer UserInfo
}

// UserInfo is who made a commit, and when.
type UserInfo struct {
	Name  string
	Email string
	Date  string
}

// GetCommit answers
// https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetCommit.html
func (s *Service) GetCommit(_ context.Context, in *GetCommitInput) (*GetCommitOutput, error) {
	c, err := s.Commit(in.RepositoryName, in.CommitId)
	if err != nil {
		return nil, err
	}
	return &GetCommitOutput{CommitDetail{
		CommitId: c.ID, TreeId: c.Tree, Parents: c.Parents, Message: c.Message,
		Author:    UserInfo{Name: c.Author, Email: c.Email, Date: c.AuthorDate},
		Committer: UserInfo{Name: c.Author, Email: c.Email, Date: c.CommitterDate},
	}}, nil
}

// repositoryProperties are those of AWS::CodeCommit::Repository.
type repositoryProperties struct {
	RepositoryName        string `aws:",required"`
	RepositoryDescription string
	Tags                  []resource.Tag
}

// Resources lists the CloudFormation types of CodeCommit.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::CodeCommit::Repository", []string{"RepositoryName"}, s.createResource, s.updateResource, s.deleteResource),
	}
}

func (s *Service) createResource(_ context.Context, r resource.Request, p *repositoryProperties) (resource.State, error) {
	id := strings.ToLower(r.GeneratedName(100))
	if err := s.create(id, p.RepositoryName, p.RepositoryDescription); err != nil {
		return resource.State{}, err
	}
	return s.state(id, p.RepositoryName), nil
}

func (s *Service) updateResource(_ context.Context, r resource.Request, p *repositoryProperties) (resource.State, error) {
	repo, err := s.find(p.RepositoryName)
	if err != nil {
		return resource.State{}, err
	}
	s.mu.Lock()
	repo.description = p.RepositoryDescription
	s.mu.Unlock()
	return s.state(r.PhysicalID, p.RepositoryName), nil
}

func (s *Service) deleteResource(_ context.Context, r resource.Request) error {
	name, _ := r.Properties["RepositoryName"].(string)
	return s.remove(name)
}

func (s *Service) state(id, name string) resource.State {
	return resource.State{PhysicalID: id, Attributes: map[string]any{
		"Arn": s.arn(name), "Name": name, "CloneUrlHttp": s.CloneURL(name),
	}}
}
