package iam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// Resources lists the CloudFormation types of IAM.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::IAM::Role", []string{"RoleName", "Path"}, s.createRole, s.updateRole, s.deleteRole),
		resource.Define("AWS::IAM::Policy", []string{"PolicyName"}, s.createInline, s.updateInline, s.deleteInline),
		resource.Define("AWS::IAM::ManagedPolicy", []string{"ManagedPolicyName", "Path", "Description"}, s.createManaged, s.updateManaged, s.deleteManaged),
		resource.Define("AWS::IAM::InstanceProfile", []string{"InstanceProfileName", "Path"}, s.createProfile, s.updateProfile, s.deleteProfile),
	}
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html
type roleProperties struct {
	RoleName                 string
	Path                     string
	Description              string
	AssumeRolePolicyDocument any  `aws:",required"`
	MaxSessionDuration       *int // seconds
	ManagedPolicyArns        []string
	Policies                 []rolePolicy
	Tags                     []Tag
}

type rolePolicy struct {
	PolicyName     string `aws:",required"`
	PolicyDocument any    `aws:",required"`
}

func (s *Service) createRole(ctx context.Context, r resource.Request, p *roleProperties) (resource.State, error) {
	trust, err := text(p.AssumeRolePolicyDocument)
	if err != nil {
		return resource.State{}, err
	}
	name := cmp.Or(p.RoleName, r.GeneratedName(64))
	_, err = s.CreateRole(ctx, &CreateRoleInput{
		RoleName: name, Path: p.Path, AssumeRolePolicyDocument: trust,
		Description: p.Description, MaxSessionDuration: p.MaxSessionDuration, Tags: p.Tags,
	})
	if err != nil {
		return resource.State{}, fmt.Errorf("create role %s: %w", name, err)
	}
	r.PhysicalID = name
	if err := s.givePolicies(ctx, r, p); err != nil {
		// A role that came without its policies must not stay behind.
		return resource.State{}, errors.Join(fmt.Errorf("create role %s: %w", name, err), s.deleteRole(ctx, r))
	}
	return s.roleState(name), nil
}

func (s *Service) updateRole(ctx context.Context, r resource.Request, p *roleProperties) (resource.State, error) {
	trust, err := text(p.AssumeRolePolicyDocument)
	if err != nil {
		return resource.State{}, err
	}
	if _, err := s.UpdateAssumeRolePolicy(ctx, &UpdateAssumeRolePolicyInput{RoleName: r.PhysicalID, PolicyDocument: trust}); err != nil {
		return resource.State{}, fmt.Errorf("update role %s: %w", r.PhysicalID, err)
	}
	if err := s.givePolicies(ctx, r, p); err != nil {
		return resource.State{}, fmt.Errorf("update role %s: %w", r.PhysicalID, err)
	}
	s.mu.Lock()
	held := s.roles[r.PhysicalID]
	held.description, held.tags = p.Description, p.Tags
	if p.MaxSessionDuration != nil {
		held.maxSession = *p.MaxSessionDuration
	}
	s.mu.Unlock()
	return s.roleState(r.PhysicalID), nil
}

// givePolicies puts the template's policies and takes those that it no longer
// has; policies that came another way stay.
func (s *Service) givePolicies(ctx context.Context, r resource.Request, p *roleProperties) error {
	for _, policy := range p.Policies {
		doc, err := text(policy.PolicyDocument)
		if err != nil {
			return err
		}
		if _, err := s.PutRolePolicy(ctx, &PutRolePolicyInput{RoleName: r.PhysicalID, PolicyName: policy.PolicyName, PolicyDocument: doc}); err != nil {
			return fmt.Errorf("put policy %s: %w", policy.PolicyName, err)
		}
	}
	for _, arn := range p.ManagedPolicyArns {
		if _, err := s.AttachRolePolicy(ctx, &attachInput{RoleName: r.PhysicalID, PolicyArn: arn}); err != nil {
			return fmt.Errorf("attach policy %s: %w", arn, err)
		}
	}
	var before roleProperties
	resource.Decode(r.Previous, &before) // they passed when they were the wanted ones
	for _, policy := range before.Policies {
		if slices.ContainsFunc(p.Policies, func(now rolePolicy) bool { return now.PolicyName == policy.PolicyName }) {
			continue
		}
		_, err := s.DeleteRolePolicy(ctx, &inlineInput{RoleName: r.PhysicalID, PolicyName: policy.PolicyName})
		if err != nil && !isNoSuchEntity(err) {
			return fmt.Errorf("delete policy %s: %w", policy.PolicyName, err)
		}
	}
	for _, arn := range before.ManagedPolicyArns {
		if slices.Contains(p.ManagedPolicyArns, arn) {
			continue
		}
		_, err := s.DetachRolePolicy(ctx, &attachInput{RoleName: r.PhysicalID, PolicyArn: arn})
		if err != nil && !isNoSuchEntity(err) {
			return fmt.Errorf("detach policy %s: %w", arn, err)
		}
	}
	return nil
}

func (s *Service) roleState(name string) resource.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roles[name]
	return resource.State{PhysicalID: name, Attributes: map[string]any{"Arn": r.arn, "RoleId": r.id}}
}

// deleteRole removes the role with the policies that its template gave it.
func (s *Service) deleteRole(ctx context.Context, r resource.Request) error {
	var given roleProperties
	resource.Decode(r.Properties, &given)
	s.mu.Lock()
	if held := s.roles[r.PhysicalID]; held != nil {
		for _, policy := range given.Policies {
			delete(held.inline, policy.PolicyName)
		}
		held.attached = slices.DeleteFunc(held.attached, func(arn string) bool {
			return slices.Contains(given.ManagedPolicyArns, arn)
		})
	}
	s.mu.Unlock()
	_, err := s.DeleteRole(ctx, &roleInput{RoleName: r.PhysicalID})
	if err != nil && !isNoSuchEntity(err) {
		return fmt.Errorf("delete role %s: %w", r.PhysicalID, err)
	}
	return nil
}

func isNoSuchEntity(err error) bool {
	var refused *wire.Error
	return errors.As(err, &refused) && refused.Code == "NoSuchEntity"
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-policy.html
type inlineProperties struct {
	PolicyName     string   `aws:",required"`
	PolicyDocument any      `aws:",required"`
	Roles          []string `aws:",required"`
}

func (s *Service) createInline(ctx context.Context, r resource.Request, p *inlineProperties) (resource.State, error) {
	return s.putInline(ctx, r.GeneratedName(128), p)
}

func (s *Service) updateInline(ctx context.Context, r resource.Request, p *inlineProperties) (resource.State, error) {
	var before inlineProperties
	resource.Decode(r.Previous, &before)
	before.Roles = slices.DeleteFunc(before.Roles, func(name string) bool { return slices.Contains(p.Roles, name) })
	if err := s.removeInline(ctx, &before); err != nil {
		return resource.State{}, err
	}
	return s.putInline(ctx, r.PhysicalID, p)
}

func (s *Service) putInline(ctx context.Context, id string, p *inlineProperties) (resource.State, error) {
	doc, err := text(p.PolicyDocument)
	if err != nil {
		return resource.State{}, err
	}
	for _, name := range p.Roles {
		if _, err := s.PutRolePolicy(ctx, &PutRolePolicyInput{RoleName: name, PolicyName: p.PolicyName, PolicyDocument: doc}); err != nil {
			return resource.State{}, fmt.Errorf("put policy %s of role %s: %w", p.PolicyName, name, err)
		}
	}
	return resource.State{PhysicalID: id, Attributes: map[string]any{"Id": id}}, nil
}

func (s *Service) deleteInline(ctx context.Context, r resource.Request) error {
	var given inlineProperties
	resource.Decode(r.Properties, &given)
	return s.removeInline(ctx, &given)
}

func (s *Service) removeInline(ctx context.Context, p *inlineProperties) error {
	for _, name := range p.Roles {
		_, err := s.DeleteRolePolicy(ctx, &inlineInput{RoleName: name, PolicyName: p.PolicyName})
		if err != nil && !isNoSuchEntity(err) {
			return fmt.Errorf("delete policy %s of role %s: %w", p.PolicyName, name, err)
		}
	}
	return nil
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-managedpolicy.html
type managedProperties struct {
	ManagedPolicyName string
	Path              string
	Description       string
	PolicyDocument    any `aws:",required"`
	Roles             []string
}

func (s *Service) createManaged(ctx context.Context, r resource.Request, p *managedProperties) (resource.State, error) {
	doc, err := text(p.PolicyDocument)
	if err != nil {
		return resource.State{}, err
	}
	name := cmp.Or(p.ManagedPolicyName, r.GeneratedName(128))
	out, err := s.CreatePolicy(ctx, &CreatePolicyInput{PolicyName: name, Path: p.Path, Description: p.Description, PolicyDocument: doc})
	if err != nil {
		return resource.State{}, fmt.Errorf("create policy %s: %w", name, err)
	}
	return s.attach(ctx, out.Policy.Arn, p.Roles)
}

func (s *Service) updateManaged(ctx context.Context, r resource.Request, p *managedProperties) (resource.State, error) {
	raw, err := text(p.PolicyDocument)
	if err != nil {
		return resource.State{}, err
	}
	doc, err := parseManaged(raw)
	if err != nil {
		return resource.State{}, fmt.Errorf("update policy %s: %w", r.PhysicalID, err)
	}
	now := s.now()
	s.mu.Lock()
	held := s.policies[r.PhysicalID]
	if held != nil {
		held.document, held.updated = doc, now
	}
	s.mu.Unlock()
	if held == nil {
		return resource.State{}, noSuchEntity("Policy %s was not found.", r.PhysicalID)
	}
	var before managedProperties
	resource.Decode(r.Previous, &before)
	for _, name := range before.Roles {
		if slices.Contains(p.Roles, name) {
			continue
		}
		_, err := s.DetachRolePolicy(ctx, &attachInput{RoleName: name, PolicyArn: r.PhysicalID})
		if err != nil && !isNoSuchEntity(err) {
			return resource.State{}, fmt.Errorf("detach policy %s from role %s: %w", r.PhysicalID, name, err)
		}
	}
	return s.attach(ctx, r.PhysicalID, p.Roles)
}

func (s *Service) attach(ctx context.Context, arn string, roles []string) (resource.State, error) {
	for _, name := range roles {
		if _, err := s.AttachRolePolicy(ctx, &attachInput{RoleName: name, PolicyArn: arn}); err != nil {
			return resource.State{}, fmt.Errorf("attach policy %s to role %s: %w", arn, name, err)
		}
	}
	return resource.State{PhysicalID: arn, Attributes: map[string]any{"PolicyArn": arn}}, nil
}

func (s *Service) deleteManaged(ctx context.Context, r resource.Request) error {
	var given managedProperties
	resource.Decode(r.Properties, &given)
	for _, name := range given.Roles {
		_, err := s.DetachRolePolicy(ctx, &attachInput{RoleName: name, PolicyArn: r.PhysicalID})
		if err != nil && !isNoSuchEntity(err) {
			return fmt.Errorf("detach policy %s from role %s: %w", r.PhysicalID, name, err)
		}
	}
	_, err := s.DeletePolicy(ctx, &policyInput{PolicyArn: r.PhysicalID})
	if err != nil && !isNoSuchEntity(err) {
		return fmt.Errorf("delete policy %s: %w", r.PhysicalID, err)
	}
	return nil
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-instanceprofile.html
type profileProperties struct {
	InstanceProfileName string
	Path                string
	Roles               []string `aws:",required"` // exactly one
}

func (s *Service) createProfile(_ context.Context, r resource.Request, p *profileProperties) (resource.State, error) {
	name := cmp.Or(p.InstanceProfileName, r.GeneratedName(128))
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.profiles[name] != nil {
		return resource.State{}, alreadyExists("Instance Profile %s already exists.", name)
	}
	made := &profile{name: name, path: cmp.Or(p.Path, "/"), id: uniqueID("AIPA", 17), created: now}
	if err := s.carryLocked(made, p.Roles); err != nil {
		return resource.State{}, err
	}
	s.profiles[name] = made
	return resource.State{PhysicalID: name, Attributes: map[string]any{"Arn": made.arn()}}, nil
}

func (s *Service) carryLocked(p *profile, roles []string) error {
	if len(roles) != 1 {
		return invalid(fmt.Sprintf("Roles: an instance profile carries exactly one role, not %d", len(roles)))
	}
	if _, err := s.roleLocked(roles[0]); err != nil {
		return err
	}
	p.role = roles[0]
	return nil
}

func (s *Service) updateProfile(_ context.Context, r resource.Request, p *profileProperties) (resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.profiles[r.PhysicalID]
	if held == nil {
		return resource.State{}, noSuchEntity("Instance Profile %s cannot be found.", r.PhysicalID)
	}
	if err := s.carryLocked(held, p.Roles); err != nil {
		return resource.State{}, err
	}
	return resource.State{PhysicalID: held.name, Attributes: map[string]any{"Arn": held.arn()}}, nil
}

func (s *Service) deleteProfile(_ context.Context, r resource.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.profiles, r.PhysicalID)
	return nil
}
