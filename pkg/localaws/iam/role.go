package iam

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"cutover/pkg/localaws/wire"
)

type role struct {
	name, path, arn, id string
	description         string
	maxSession          int // seconds
	created             time.Time
	trust               *document
	inline              map[string]*document // by policy name
	attached            []string             // ARNs of managed policies
	tags                []Tag
}

// A Role as answers show it. The trust policy is URL-encoded, as in AWS.
type Role struct {
	Path                     string
	RoleName                 string
	RoleId                   string
	Arn                      string
	CreateDate               time.Time
	AssumeRolePolicyDocument string
	Description              string
	MaxSessionDuration       int // seconds
	Tags                     []Tag
}

func (r *role) view() Role {
	return Role{
		Path: r.path, RoleName: r.name, RoleId: r.id, Arn: r.arn, CreateDate: r.created,
		AssumeRolePolicyDocument: encoded(r.trust.text),
		Description:              r.description, MaxSessionDuration: r.maxSession, Tags: r.tags,
	}
}

// encoded is a document as IAM's answers carry it: by RFC 3986.
func encoded(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func roleARN(path, name string) string {
	return "arn:aws:iam::" + account + ":role" + cmp.Or(path, "/") + name
}

// arnOfRole is the ARN of the role with that name, or what it would be.
func (s *Service) arnOfRole(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.roles[name]; r != nil {
		return r.arn
	}
	return roleARN("/", name)
}

func (s *Service) roleLocked(name string) (*role, error) {
	r := s.roles[name]
	if r == nil {
		return nil, noSuchEntity("The role with name %s cannot be found.", name)
	}
	return r, nil
}

// documentsLocked are all the policies that decide on what a role may do.
func (s *Service) documentsLocked(r *role) iter.Seq[*document] {
	return func(yield func(*document) bool) {
		for _, doc := range r.inline {
			if !yield(doc) {
				return
			}
		}
		for _, arn := range r.attached {
			if p := s.managedLocked(arn); p != nil && !yield(p.document) {
				return
			}
		}
	}
}

var (
	entityName = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)
	entityPath = regexp.MustCompile(`^/([\x21-\x7e]+/)?$`)
)

// A CreateRoleInput asks for a role.
type CreateRoleInput struct {
	RoleName                 string `aws:",required"`
	Path                     string
	AssumeRolePolicyDocument string `aws:",required"`
	Description              string
	MaxSessionDuration       *int // seconds
	Tags                     []Tag
}

// A RoleOutput is one role.
type RoleOutput struct{ Role Role }

// CreateRole makes a role that may do nothing yet.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
func (s *Service) CreateRole(_ context.Context, in *CreateRoleInput) (*RoleOutput, error) {
	path := cmp.Or(in.Path, "/")
	if !entityName.MatchString(in.RoleName) || len(in.RoleName) > 64 || !entityPath.MatchString(path) {
		return nil, invalid("RoleName and Path: " + in.RoleName + " and " + path + " are not a role's")
	}
	trust, err := parseTrust(in.AssumeRolePolicyDocument)
	if err != nil {
		return nil, err
	}
	r := &role{
		name: in.RoleName, path: path, arn: roleARN(path, in.RoleName), id: uniqueID("AROA", 17),
		description: in.Description, maxSession: 3600, created: s.now(),
		trust: trust, inline: map[string]*document{}, tags: in.Tags,
	}
	if in.MaxSessionDuration != nil {
		r.maxSession = *in.MaxSessionDuration
	}
	if r.maxSession < 3600 || r.maxSession > 43200 {
		return nil, invalid("MaxSessionDuration: is not between 3600 and 43200 seconds")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.roles[r.name] != nil {
		return nil, alreadyExists("Role with name %s already exists.", r.name)
	}
	s.roles[r.name] = r
	return &RoleOutput{r.view()}, nil
}

type roleInput struct {
	RoleName string `aws:",required"`
}

// GetRole shows a role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
func (s *Service) GetRole(_ context.Context, in *roleInput) (*RoleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.roleLocked(in.RoleName)
	if err != nil {
		return nil, err
	}
	return &RoleOutput{r.view()}, nil
}

// A ListRolesInput asks for a page of roles.
type ListRolesInput struct {
	PathPrefix string
	Marker     string
	MaxItems   *int
}

// A ListRolesOutput is a page of roles.
type ListRolesOutput struct {
	Roles       []Role
	IsTruncated bool
	Marker      string
}

// ListRoles lists roles by name.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
func (s *Service) ListRoles(_ context.Context, in *ListRolesInput) (*ListRolesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	roles := []Role{}
	for _, name := range slices.Sorted(maps.Keys(s.roles)) {
		if r := s.roles[name]; strings.HasPrefix(r.path, in.PathPrefix) {
			roles = append(roles, r.view())
		}
	}
	roles, next, err := page(roles, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListRolesOutput{Roles: roles, IsTruncated: next != "", Marker: next}, nil
}

// DeleteRole removes a role that has no policies left. Its sessions end.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
func (s *Service) DeleteRole(_ context.Context, in *roleInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.roleLocked(in.RoleName)
	if err != nil {
		return nil, err
	}
	if len(r.inline) > 0 {
		return nil, deleteConflict("Cannot delete entity, must delete policies first.")
	}
	if len(r.attached) > 0 {
		return nil, deleteConflict("Cannot delete entity, must detach all policies first.")
	}
	for _, p := range s.profiles {
		if p.role == r.name {
			return nil, deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
		}
	}
	delete(s.roles, r.name)
	// A role of the same name is another role.
	maps.DeleteFunc(s.sessions, func(_ string, held *session) bool { return held.principal.RoleARN == r.arn })
	return &Empty{}, nil
}

// An UpdateAssumeRolePolicyInput replaces a trust policy.
type UpdateAssumeRolePolicyInput struct {
	RoleName       string `aws:",required"`
	PolicyDocument string `aws:",required"`
}

// UpdateAssumeRolePolicy replaces a role's trust policy.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html
func (s *Service) UpdateAssumeRolePolicy(_ context.Context, in *UpdateAssumeRolePolicyInput) (*Empty, error) {
	trust, err := parseTrust(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.roleLocked(in.RoleName)
	if err != nil {
		return nil, err
	}
	r.trust = trust
	return &Empty{}, nil
}

// A TagsOutput lists tags.
type TagsOutput struct {
	Tags        []Tag
	IsTruncated bool
}

// ListRoleTags lists a role's tags.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoleTags.html
func (s *Service) ListRoleTags(_ context.Context, in *roleInput) (*TagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.roleLocked(in.RoleName)
	if err != nil {
		return nil, err
	}
	return &TagsOutput{Tags: append([]Tag{}, r.tags...)}, nil
}

// size counts a policy's characters as IAM's quotas do: without white space.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func size(text string) int {
	n := 0
	for _, c := range text {
		if !unicode.IsSpace(c) {
			n++
		}
	}
	return n
}

func limitExceeded(format string, args ...any) error {
	return wire.Errorf("LimitExceeded", format, args...).WithStatus(409)
}
