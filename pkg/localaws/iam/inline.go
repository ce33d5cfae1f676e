package iam

import (
	"context"
	"maps"
	"slices"
)

// maxInline is the quota on all inline policies of one role, in characters.
const maxInline = 10_240

// A PutRolePolicyInput is an inline policy to be.
type PutRolePolicyInput struct {
	RoleName       string `aws:",required"`
	PolicyName     string `aws:",required"`
	PolicyDocument string `aws:",required"`
}

// PutRolePolicy adds or replaces an inline policy of a role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html
func (s *Service) PutRolePolicy(_ context.Context, in *PutRolePolicyInput) (*Empty, error) {
	doc, err := parse(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	if !entityName.MatchString(in.PolicyName) {
		return nil, invalid("PolicyName: " + in.PolicyName + " is not a policy's")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.roleLocked(in.RoleName)
	if err != nil {
		return nil, err
	}
	total := size(doc.text)
	for name, other := range r.inline {
		if name != in.PolicyName {
			total += size(other.text)
		}
	}
	if total > maxInline {
		return nil, limitExceeded("Maximum policy size of %d bytes exceeded for role %s", maxInline, r.name)
	}
	r.inline[in.PolicyName] = doc
	return &Empty{}, nil
}

type inlineInput struct {
	RoleName   string `aws:",required"`
	PolicyName string `aws:",required"`
}

// A GetRolePolicyOutput is an inline policy, URL-encoded.
type GetRolePolicyOutput struct {
	RoleName       string
	PolicyName     string
	PolicyDocument string
}

// GetRolePolicy shows an inline policy of a role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html
func (s *Service) GetRolePolicy(_ context.Context, in *inlineInput) (*GetRolePolicyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	doc, err := s.inlineLocked(in)
	if err != nil {
		return nil, err
	}
	return &GetRolePolicyOutput{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: encoded(doc.text)}, nil
}

func (s *Service) inlineLocked(in *inlineInput) (*document, error) {
	r, err := s.roleLocked(in.RoleName)
	if err != nil {
		return nil, err
	}
	doc := r.inline[in.PolicyName]
	if doc == nil {
		return nil, noSuchEntity("The role policy with name %s cannot be found.", in.PolicyName)
	}
	return doc, nil
}

// DeleteRolePolicy removes an inline policy from a role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePolicy.html
func (s *Service) DeleteRolePolicy(_ context.Context, in *inlineInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.inlineLocked(in); err != nil {
		return nil, err
	}
	delete(s.roles[in.RoleName].inline, in.PolicyName)
	return &Empty{}, nil
}

// A PolicyNamesOutput lists inline policies.
type PolicyNamesOutput struct {
	PolicyNames []string
	IsTruncated bool
}

// ListRolePolicies lists the inline policies of a role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html
func (s *Service) ListRolePolicies(_ context.Context, in *roleInput) (*PolicyNamesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.roleLocked(in.RoleName)
	if err != nil {
		return nil, err
	}
	return &PolicyNamesOutput{PolicyNames: append([]string{}, slices.Sorted(maps.Keys(r.inline))...)}, nil
}
