package codedeploy

import (
	"context"
	"maps"
	"strings"

	"cutover/pkg/localaws/wire"
)

// Tag is a resource tag.
type Tag struct {
	Key   string `aws:"Key"`
	Value string `aws:"Value"`
}

// TagResourceInput sets tags of an application or a deployment group.
type TagResourceInput struct {
	ResourceArn string `aws:"ResourceArn"`
	Tags        []Tag  `aws:"Tags"`
}

// UntagResourceInput removes tags.
type UntagResourceInput struct {
	ResourceArn string   `aws:"ResourceArn"`
	TagKeys     []string `aws:"TagKeys"`
}

// ListTagsForResourceInput names an application or a deployment group.
type ListTagsForResourceInput struct {
	ResourceArn string `aws:"ResourceArn"`
	NextToken   string `aws:"NextToken"`
}

// ListTagsForResourceOutput lists its tags.
type ListTagsForResourceOutput struct {
	Tags []Tag `aws:"Tags"`
}

// TagResource answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_TagResource.html
func (s *Service) TagResource(_ context.Context, in *TagResourceInput) (*Empty, error) {
	if len(in.Tags) == 0 {
		return nil, wire.Errorf("TagRequiredException", "At least one tag is required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.taggableLocked(in.ResourceArn); err != nil {
		return nil, err
	}
	return &Empty{}, s.tagLocked(in.ResourceArn, in.Tags)
}

// UntagResource answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_UntagResource.html
func (s *Service) UntagResource(_ context.Context, in *UntagResourceInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.taggableLocked(in.ResourceArn); err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(s.tags[in.ResourceArn], key)
	}
	return &Empty{}, nil
}

// ListTagsForResource answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(_ context.Context, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	if err := onePage(in.NextToken); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.taggableLocked(in.ResourceArn); err != nil {
		return nil, err
	}
	out := &ListTagsForResourceOutput{Tags: []Tag{}}
	for key := range sorted(s.tags[in.ResourceArn]) {
		out.Tags = append(out.Tags, Tag{key, s.tags[in.ResourceArn][key]})
	}
	return out, nil
}

func (s *Service) taggableLocked(arn string) error {
	if arn == "" {
		return wire.Errorf("ResourceArnRequiredException", "The resource ARN is required")
	}
	for name, a := range s.applications {
		if arn == s.applicationARN(name) {
			return nil
		}
		for group := range a.groups {
			if arn == s.groupARN(name, group) {
				return nil
			}
		}
	}
	return wire.Errorf("InvalidArnException", "The ARN %s names neither an application nor a deployment group", arn)
}

// tagLocked adds tags to a resource's, or none of them if any is not allowed.
func (s *Service) tagLocked(arn string, tags []Tag) error {
	all := map[string]string{}
	maps.Copy(all, s.tags[arn])
	for _, t := range tags {
		switch {
		case t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256:
			return wire.Errorf("InvalidTagsToAddException", "The key %q of a tag must have 1 to 128 characters, its value at most 256", t.Key)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return wire.Errorf("InvalidTagsToAddException", "The key %q of a tag cannot start with aws:", t.Key)
		}
		all[t.Key] = t.Value
	}
	if len(all) > 50 {
		return wire.Errorf("TagLimitExceededException", "A resource can have at most 50 tags")
	}
	s.tags[arn] = all
	return nil
}
