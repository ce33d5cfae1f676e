package iam

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	awsPolicies = "arn:aws:iam::aws:policy/"
	// maxManaged is the quota on one managed policy, in characters.
	maxManaged = 6_144
	// maxAttached is the quota on managed policies of one role.
	maxAttached = 10
)

type managedPolicy struct {
	name, path, arn, id string
	description         string
	created, updated    time.Time
	document            *document
}

func policyARN(path, name string) string {
	return "arn:aws:iam::" + account + ":policy" + cmp.Or(path, "/") + name
}

// managedLocked finds a managed policy, the customer's or AWS's, or nil.
func (s *Service) managedLocked(arn string) *managedPolicy {
	path, ok := strings.CutPrefix(arn, awsPolicies)
	if !ok {
		return s.policies[arn]
	}
	text, ok := awsManaged(path)
	if !ok {
		return nil
	}
	doc, err := parse(text)
	if err != nil {
		panic("iam: " + path + ": " + err.Error()) // a mistake in managed.go
	}
	slash := strings.LastIndexByte("/"+path, '/')
	return &managedPolicy{
		name: path[slash:], path: "/" + path[:slash], arn: arn, id: "ANPA" + strings.ToUpper(path[slash:]),
		document: doc,
	}
}

func (s *Service) findManagedLocked(arn string) (*managedPolicy, error) {
	p := s.managedLocked(arn)
	if p == nil {
		return nil, noSuchEntity("Policy %s does not exist or is unknown to the embedded AWS.", arn)
	}
	return p, nil
}

// A Policy is a managed policy as answers show it.
type Policy struct {
	PolicyName       string
	PolicyId         string
	Arn              string
	Path             string
	DefaultVersionId string
	AttachmentCount  int
	IsAttachable     bool
	Description      string
	CreateDate       time.Time
	UpdateDate       time.Time
}

func (s *Service) viewLocked(p *managedPolicy) Policy {
	attached := 0
	for _, r := range s.roles {
		if slices.Contains(r.attached, p.arn) {
			attached++
		}
	}
	return Policy{
		PolicyName: p.name, PolicyId: p.id, Arn: p.arn, Path: p.path, DefaultVersionId: "v1",
		AttachmentCount: attached, IsAttachable: true, Description: p.description,
		CreateDate: p.created, UpdateDate: p.updated,
	}
}

// A CreatePolicyInput is a managed policy to be.
type CreatePolicyInput struct {
	PolicyName     string `aws:",required"`
	Path           string
	PolicyDocument string `aws:",required"`
	Description    string
}

// A PolicyOutput is one managed policy.
type PolicyOutput struct{ Policy Policy }

// CreatePolicy makes a managed policy that nobody has yet.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
func (s *Service) CreatePolicy(_ context.Context, in *CreatePolicyInput) (*PolicyOutput, error) {
	path := cmp.Or(in.Path, "/")
	if !entityName.MatchString(in.PolicyName) || !entityPath.MatchString(path) {
		return nil, invalid("PolicyName and Path: " + in.PolicyName + " and " + path + " are not a policy's")
	}
	doc, err := parseManaged(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	now := s.now()
	p := &managedPolicy{
		name: in.PolicyName, path: path, arn: policyARN(path, in.PolicyName), id: uniqueID("ANPA", 17),
		description: in.Description, created: now, updated: now, document: doc,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.policies[p.arn] != nil {
		return nil, alreadyExists("A policy called %s already exists. Duplicate names are not allowed.", p.name)
	}
	s.policies[p.arn] = p
	return &PolicyOutput{s.viewLocked(p)}, nil
}

func parseManaged(text string) (*document, error) {
	if size(text) > maxManaged {
		return nil, limitExceeded("Cannot exceed quota for PolicySize: %d", maxManaged)
	}
	return parse(text)
}

type policyInput struct {
	PolicyArn string `aws:",required"`
}

// GetPolicy shows a managed policy.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html
func (s *Service) GetPolicy(_ context.Context, in *policyInput) (*PolicyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findManagedLocked(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &PolicyOutput{s.viewLocked(p)}, nil
}

// A GetPolicyVersionInput names a version; there is only v1.
type GetPolicyVersionInput struct {
	PolicyArn string `aws:",required"`
	VersionId string `aws:",required"`
}

// A GetPolicyVersionOutput is a managed policy's document, URL-encoded.
type GetPolicyVersionOutput struct {
	PolicyVersion struct {
		Document         string
		VersionId        string
		IsDefaultVersion bool
		CreateDate       time.Time
	}
}

// GetPolicyVersion shows a managed policy's document.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html
func (s *Service) GetPolicyVersion(_ context.Context, in *GetPolicyVersionInput) (*GetPolicyVersionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findManagedLocked(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	if in.VersionId != "v1" {
		return nil, noSuchEntity("Policy %s version %s does not exist or is not attachable.", in.PolicyArn, in.VersionId)
	}
	out := &GetPolicyVersionOutput{}
	out.PolicyVersion.Document = encoded(p.document.text)
	out.PolicyVersion.VersionId = "v1"
	out.PolicyVersion.IsDefaultVersion = true
	out.PolicyVersion.CreateDate = p.updated
	return out, nil
}

// A ListPoliciesInput asks for a page of managed policies.
type ListPoliciesInput struct {
	Scope        string // All, AWS or Local
	OnlyAttached *bool
	PathPrefix   string
	Marker       string
	MaxItems     *int
}

// A ListPoliciesOutput is a page of managed policies.
type ListPoliciesOutput struct {
	Policies    []Policy
	IsTruncated bool
	Marker      string
}

// ListPolicies lists managed policies by ARN.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html
func (s *Service) ListPolicies(_ context.Context, in *ListPoliciesInput) (*ListPoliciesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var arns []string
	switch scope := cmp.Or(in.Scope, "All"); scope {
	case "All", "AWS", "Local":
		if scope != "AWS" {
			arns = slices.Collect(maps.Keys(s.policies))
		}
		if scope != "Local" {
			for _, path := range awsManagedPaths() {
				arns = append(arns, awsPolicies+path)
			}
		}
	default:
		return nil, invalid("Scope: " + in.Scope + " is not All, AWS or Local")
	}
	slices.Sort(arns)
	policies := []Policy{}
	for _, arn := range arns {
		view := s.viewLocked(s.managedLocked(arn))
		unwanted := in.OnlyAttached != nil && *in.OnlyAttached && view.AttachmentCount == 0
		if !unwanted && strings.HasPrefix(view.Path, in.PathPrefix) {
			policies = append(policies, view)
		}
	}
	policies, next, err := page(policies, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListPoliciesOutput{Policies: policies, IsTruncated: next != "", Marker: next}, nil
}

// DeletePolicy removes a managed policy that no role has.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
func (s *Service) DeletePolicy(_ context.Context, in *policyInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.policies[in.PolicyArn]
	if p == nil {
		return nil, noSuchEntity("Policy %s was not found.", in.PolicyArn)
	}
	if s.viewLocked(p).AttachmentCount > 0 {
		return nil, deleteConflict("Cannot delete a policy attached to entities.")
	}
	delete(s.policies, p.arn)
	return &Empty{}, nil
}

type attachInput struct {
	RoleName  string `aws:",required"`
	PolicyArn string `aws:",required"`
}

// AttachRolePolicy gives a role a managed policy; that it has it is fine.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html
func (s *Service) AttachRolePolicy(_ context.Context, in *attachInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.roleLocked(in.RoleName)
	if err != nil {
		return nil, err
	}
	if _, err := s.findManagedLocked(in.PolicyArn); err != nil {
		return nil, err
	}
	if slices.Contains(r.attached, in.PolicyArn) {
		return &Empty{}, nil
	}
	if len(r.attached) >= maxAttached {
		return nil, limitExceeded("Cannot exceed quota for PoliciesPerRole: %d", maxAttached)
	}
	r.attached = append(r.attached, in.PolicyArn)
	return &Empty{}, nil
}

// DetachRolePolicy takes a managed policy from a role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DetachRolePolicy.html
func (s *Service) DetachRolePolicy(_ context.Context, in *attachInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.roleLocked(in.RoleName)
	if err != nil {
		return nil, err
	}
	i := slices.Index(r.attached, in.PolicyArn)
	if i < 0 {
		return nil, noSuchEntity("Policy %s was not found.", in.PolicyArn)
	}
	r.attached = slices.Delete(r.attached, i, i+1)
	return &Empty{}, nil
}

// An AttachedPolicy is a managed policy that a role has.
type AttachedPolicy struct {
	PolicyName string
	PolicyArn  string
}

// An AttachedPoliciesOutput lists managed policies of a role.
type AttachedPoliciesOutput struct {
	AttachedPolicies []AttachedPolicy
	IsTruncated      bool
}

// ListAttachedRolePolicies lists the managed policies of a role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedRolePolicies.html
func (s *Service) ListAttachedRolePolicies(_ context.Context, in *roleInput) (*AttachedPoliciesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.roleLocked(in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &AttachedPoliciesOutput{AttachedPolicies: []AttachedPolicy{}}
	for _, arn := range r.attached {
		out.AttachedPolicies = append(out.AttachedPolicies, AttachedPolicy{PolicyName: arn[strings.LastIndexByte(arn, '/')+1:], PolicyArn: arn})
	}
	return out, nil
}
