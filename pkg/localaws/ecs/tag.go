package ecs

import (
	"context"
	"slices"
	"strings"
)

// Tag is a resource tag.
type Tag struct {
	Key   string
	Value string
}

// TagResourceInput sets tags of a resource.
type TagResourceInput struct {
	ResourceArn string `aws:",required"`
	Tags        []Tag  `aws:",required"`
}

// UntagResourceInput removes tags of a resource.
type UntagResourceInput struct {
	ResourceArn string   `aws:",required"`
	TagKeys     []string `aws:",required"`
}

// ListTagsForResourceInput names a resource.
type ListTagsForResourceInput struct {
	ResourceArn string `aws:",required"`
}

// TagOutput is an answer without members.
type TagOutput struct{}

// ListTagsForResourceOutput lists a resource's tags.
type ListTagsForResourceOutput struct{ Tags []Tag }

// TagResource answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TagResource.html
func (s *Service) TagResource(_ context.Context, in *TagResourceInput) (*TagOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.taggableLocked(in.ResourceArn); err != nil {
		return nil, err
	}
	return &TagOutput{}, s.tagLocked(in.ResourceArn, in.Tags)
}

// UntagResource answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UntagResource.html
func (s *Service) UntagResource(_ context.Context, in *UntagResourceInput) (*TagOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.taggableLocked(in.ResourceArn); err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(s.tags[in.ResourceArn], key)
	}
	return &TagOutput{}, nil
}

// ListTagsForResource answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(_ context.Context, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.taggableLocked(in.ResourceArn); err != nil {
		return nil, err
	}
	return &ListTagsForResourceOutput{Tags: given(s.tagsLocked(in.ResourceArn))}, nil
}

func (s *Service) taggableLocked(arn string) error {
	_, isDefinition := s.definitions[arn]
	_, isService := s.services[arn]
	_, isCluster := s.clusters[arn]
	if !isDefinition && !isService && !isCluster {
		return invalid("The specified resource %s was not found.", arn)
	}
	return nil
}

// tagLocked adds tags to a resource's, or sets none if any is not allowed.
func (s *Service) tagLocked(arn string, tags []Tag) error {
	all := map[string]string{}
	for key, value := range s.tags[arn] {
		all[key] = value
	}
	for _, t := range tags {
		switch {
		case t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256:
			return invalid("Tag key %q must have 1 to 128 characters, its value at most 256.", t.Key)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return invalid("Tag keys cannot start with aws:.")
		}
		all[t.Key] = t.Value
	}
	if len(all) > 50 {
		return invalid("The resource can have at most 50 tags.")
	}
	s.tags[arn] = all
	return nil
}

func (s *Service) tagsLocked(arn string) []Tag {
	var tags []Tag
	for key, value := range s.tags[arn] {
		tags = append(tags, Tag{Key: key, Value: value})
	}
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}
