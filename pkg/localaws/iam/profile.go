package iam

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// A profile carries a role to an EC2 instance.
type profile struct {
	name, path, id string
	role           string // name, or empty
	created        time.Time
}

func profileARN(name string) string {
	return "arn:aws:iam::" + account + ":instance-profile/" + name
}

func (p *profile) arn() string {
	return "arn:aws:iam::" + account + ":instance-profile" + cmp.Or(p.path, "/") + p.name
}

// An InstanceProfile as answers show it.
type InstanceProfile struct {
	Path                string
	InstanceProfileName string
	InstanceProfileId   string
	Arn                 string
	CreateDate          time.Time
	Roles               []Role
}

func (s *Service) profileViewLocked(p *profile) InstanceProfile {
	view := InstanceProfile{
		Path: p.path, InstanceProfileName: p.name, InstanceProfileId: p.id, Arn: p.arn(),
		CreateDate: p.created, Roles: []Role{},
	}
	if r := s.roles[p.role]; r != nil {
		view.Roles = append(view.Roles, r.view())
	}
	return view
}

type profileInput struct {
	InstanceProfileName string `aws:",required"`
}

// An InstanceProfileOutput is one instance profile.
type InstanceProfileOutput struct{ InstanceProfile InstanceProfile }

// GetInstanceProfile shows an instance profile and its role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetInstanceProfile.html
func (s *Service) GetInstanceProfile(_ context.Context, in *profileInput) (*InstanceProfileOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.profiles[in.InstanceProfileName]
	if p == nil {
		return nil, noSuchEntity("Instance Profile %s cannot be found.", in.InstanceProfileName)
	}
	return &InstanceProfileOutput{s.profileViewLocked(p)}, nil
}

// InstanceProfile finds an instance profile, for services beside.
func (s *Service) InstanceProfile(name string) (InstanceProfile, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.profiles[name]
	if p == nil {
		return InstanceProfile{}, false
	}
	return s.profileViewLocked(p), true
}

// An InstanceProfilesOutput lists instance profiles.
type InstanceProfilesOutput struct {
	InstanceProfiles []InstanceProfile
	IsTruncated      bool
}

// ListInstanceProfilesForRole lists the instance profiles that carry a role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html
func (s *Service) ListInstanceProfilesForRole(_ context.Context, in *roleInput) (*InstanceProfilesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.roleLocked(in.RoleName); err != nil {
		return nil, err
	}
	out := &InstanceProfilesOutput{InstanceProfiles: []InstanceProfile{}}
	for _, name := range slices.Sorted(maps.Keys(s.profiles)) {
		if p := s.profiles[name]; p.role == in.RoleName {
			out.InstanceProfiles = append(out.InstanceProfiles, s.profileViewLocked(p))
		}
	}
	return out, nil
}
