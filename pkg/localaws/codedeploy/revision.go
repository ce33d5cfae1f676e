package codedeploy

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// A revision is what an application knows of one of its revisions.
type revision struct {
	location    RevisionLocation
	description string
	groups      []string
	registered  time.Time
	first, last time.Time // when it was deployed
}

// RevisionLocation says where a revision is.
type RevisionLocation struct {
	RevisionType string // S3
	S3Location   *S3Location
}

// S3Location is an object in S3.
type S3Location struct {
	Bucket     string
	Key        string
	BundleType string // zip
	ETag       string
}

// GenericRevisionInfo tells of a revision's use.
type GenericRevisionInfo struct {
	Description      string
	DeploymentGroups []string
	FirstUsedTime    time.Time
	LastUsedTime     time.Time
	RegisterTime     time.Time
}

// RegisterApplicationRevisionInput is the input of RegisterApplicationRevision.
type RegisterApplicationRevisionInput struct {
	ApplicationName string
	Description     string
	Revision        *RevisionLocation
}

// GetApplicationRevisionInput names a revision.
type GetApplicationRevisionInput struct {
	ApplicationName string
	Revision        *RevisionLocation
}

// GetApplicationRevisionOutput tells of it.
type GetApplicationRevisionOutput struct {
	ApplicationName string
	Revision        RevisionLocation
	RevisionInfo    GenericRevisionInfo
}

// ListApplicationRevisionsInput filters revisions.
type ListApplicationRevisionsInput struct {
	ApplicationName string
	SortBy          string // registerTime (the default), firstUsedTime or lastUsedTime
	SortOrder       string // ascending (the default) or descending
	S3Bucket        string
	S3KeyPrefix     string
	Deployed        string // include, exclude, ignore (the default): those in use
	NextToken       string
}

// ListApplicationRevisionsOutput lists revisions.
type ListApplicationRevisionsOutput struct {
	Revisions []RevisionLocation
	NextToken string
}

func (l *RevisionLocation) check() error {
	switch {
	case l == nil:
		return wire.Errorf("RevisionRequiredException", "Revision is required")
	case l.RevisionType != "S3":
		return wire.Errorf("InvalidRevisionException", "The revision type %q is not served by the embedded AWS, only S3 is", l.RevisionType)
	case l.S3Location == nil || l.S3Location.Bucket == "" || l.S3Location.Key == "":
		return wire.Errorf("InvalidRevisionException", "An S3 location must name a bucket and a key")
	case l.S3Location.BundleType != "zip":
		return wire.Errorf("InvalidRevisionException", "The bundle type %q is not served by the embedded AWS, only zip is", l.S3Location.BundleType)
	}
	return nil
}

func (l RevisionLocation) same(other RevisionLocation) bool {
	return *l.S3Location == *other.S3Location
}

// registerLocked makes a revision known, if it is not.
func (a *application) registerLocked(l RevisionLocation, description string, now time.Time) *revision {
	for _, known := range a.revisions {
		if known.location.same(l) {
			known.description = cmp.Or(description, known.description)
			return known
		}
	}
	made := &revision{location: l, description: cmp.Or(description, "Application revision registered by Deployment ID"), registered: now}
	a.revisions = append(a.revisions, made)
	return made
}

// RegisterApplicationRevision answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_RegisterApplicationRevision.html
func (s *Service) RegisterApplicationRevision(_ context.Context, in *RegisterApplicationRevisionInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.applicationLocked(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if err := in.Revision.check(); err != nil {
		return nil, err
	}
	a.registerLocked(*in.Revision, in.Description, s.Clock.Now())
	return &Empty{}, nil
}

// GetApplicationRevision answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetApplicationRevision.html
func (s *Service) GetApplicationRevision(_ context.Context, in *GetApplicationRevisionInput) (*GetApplicationRevisionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.applicationLocked(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if err := in.Revision.check(); err != nil {
		return nil, err
	}
	for _, known := range a.revisions {
		if known.location.same(*in.Revision) {
			return &GetApplicationRevisionOutput{ApplicationName: in.ApplicationName, Revision: known.location, RevisionInfo: GenericRevisionInfo{
				Description: known.description, DeploymentGroups: append([]string{}, known.groups...),
				FirstUsedTime: known.first, LastUsedTime: known.last, RegisterTime: known.registered,
			}}, nil
		}
	}
	return nil, wire.Errorf("RevisionDoesNotExistException", "No revision found for the location s3://%s/%s", in.Revision.S3Location.Bucket, in.Revision.S3Location.Key)
}

// ListApplicationRevisions answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListApplicationRevisions.html
func (s *Service) ListApplicationRevisions(_ context.Context, in *ListApplicationRevisionsInput) (*ListApplicationRevisionsOutput, error) {
	times := map[string]func(*revision) time.Time{
		"":              func(r *revision) time.Time { return r.registered },
		"registerTime":  func(r *revision) time.Time { return r.registered },
		"firstUsedTime": func(r *revision) time.Time { return r.first },
		"lastUsedTime":  func(r *revision) time.Time { return r.last },
	}
	switch {
	case times[in.SortBy] == nil:
		return nil, wire.Errorf("InvalidSortByException", "Revisions cannot be sorted by %q", in.SortBy)
	case !slices.Contains([]string{"", "ascending", "descending"}, in.SortOrder):
		return nil, wire.Errorf("InvalidSortOrderException", "The sort order is %q, neither ascending nor descending", in.SortOrder)
	case !slices.Contains([]string{"", "include", "exclude", "ignore"}, in.Deployed):
		return nil, wire.Errorf("InvalidDeployedStateFilterException", "The filter of deployed revisions is %q, none of include, exclude and ignore", in.Deployed)
	case in.S3KeyPrefix != "" && in.S3Bucket == "":
		return nil, wire.Errorf("BucketNameFilterRequiredException", "A key prefix needs a bucket")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.applicationLocked(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	list := slices.Clone(a.revisions)
	slices.SortStableFunc(list, func(x, y *revision) int { return times[in.SortBy](x).Compare(times[in.SortBy](y)) })
	if in.SortOrder == "descending" {
		slices.Reverse(list)
	}
	var all []RevisionLocation
	for _, r := range list {
		if at := r.location.S3Location; in.S3Bucket != "" && (at.Bucket != in.S3Bucket || !strings.HasPrefix(at.Key, in.S3KeyPrefix)) {
			continue
		}
		used := a.inUse(r)
		if in.Deployed == "include" && !used || in.Deployed == "exclude" && used {
			continue
		}
		all = append(all, r.location)
	}
	out := &ListApplicationRevisionsOutput{}
	out.Revisions, out.NextToken, err = page(all, in.NextToken)
	return out, err
}

// inUse says whether a revision is a group's target revision.
func (a *application) inUse(r *revision) bool {
	for _, g := range a.groups {
		if g.revision != nil && g.revision.same(r.location) {
			return true
		}
	}
	return false
}
