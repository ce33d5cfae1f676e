package elbv2

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// Tag is a resource tag.
type Tag struct {
	Key   string
	Value string
}

// AddTagsInput sets tags of resources.
type AddTagsInput struct {
	ResourceArns []string `aws:",required"`
	Tags         []Tag    `aws:",required"`
}

// RemoveTagsInput removes tags of resources.
type RemoveTagsInput struct {
	ResourceArns []string `aws:",required"`
	TagKeys      []string `aws:",required"`
}

// DescribeTagsInput names up to 20 resources.
type DescribeTagsInput struct {
	ResourceArns []string `aws:",required"`
}

// Empty is an answer without members.
type Empty struct{}

// TagDescription are the tags of one resource.
type TagDescription struct {
	ResourceArn string
	Tags        []Tag
}

// DescribeTagsOutput lists tags by resource.
type DescribeTagsOutput struct{ TagDescriptions []TagDescription }

// AddTags answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTags.html
func (s *Service) AddTags(_ context.Context, in *AddTagsInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, arn := range in.ResourceArns {
		if err := s.knownLocked(arn); err != nil {
			return nil, err
		}
		if _, err := s.mergedTagsLocked(arn, in.Tags); err != nil {
			return nil, err
		}
	}
	for _, arn := range in.ResourceArns {
		merged, err := s.mergedTagsLocked(arn, in.Tags)
		if err != nil {
			return nil, err
		}
		s.tags[arn] = merged
	}
	return &Empty{}, nil
}

// mergedTagsLocked are a resource's tags with more of them.
func (s *Service) mergedTagsLocked(arn string, tags []Tag) (map[string]string, error) {
	all := map[string]string{}
	maps.Copy(all, s.tags[arn])
	given := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256:
			return nil, validation("Tag key '%s' must have 1 to 128 characters, its value at most 256", t.Key)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, validation("Tag key '%s' is reserved", t.Key)
		case given[t.Key]:
			return nil, refuse("DuplicateTagKeys", "Tag key '%s' was specified more than once", t.Key)
		}
		given[t.Key] = true
		all[t.Key] = t.Value
	}
	if len(all) > 50 {
		return nil, refuse("TooManyTags", "The maximum number of tags on '%s' has been reached", arn)
	}
	return all, nil
}

// RemoveTags answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RemoveTags.html
func (s *Service) RemoveTags(_ context.Context, in *RemoveTagsInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, arn := range in.ResourceArns {
		if err := s.knownLocked(arn); err != nil {
			return nil, err
		}
	}
	for _, arn := range in.ResourceArns {
		for _, key := range in.TagKeys {
			delete(s.tags[arn], key)
		}
	}
	return &Empty{}, nil
}

// DescribeTags answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
func (s *Service) DescribeTags(_ context.Context, in *DescribeTagsInput) (*DescribeTagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(in.ResourceArns) > 20 {
		return nil, validation("The tags of at most 20 resources can be described in a single call")
	}
	out := &DescribeTagsOutput{TagDescriptions: []TagDescription{}}
	for _, arn := range in.ResourceArns {
		if err := s.knownLocked(arn); err != nil {
			return nil, err
		}
		description := TagDescription{ResourceArn: arn, Tags: []Tag{}}
		for _, key := range slices.Sorted(maps.Keys(s.tags[arn])) {
			description.Tags = append(description.Tags, Tag{Key: key, Value: s.tags[arn][key]})
		}
		out.TagDescriptions = append(out.TagDescriptions, description)
	}
	return out, nil
}

// knownLocked refuses an ARN of nothing that is there.
func (s *Service) knownLocked(arn string) error {
	var err error
	switch rest := arn[strings.LastIndex(arn, ":")+1:]; {
	case strings.HasPrefix(rest, "loadbalancer/"):
		_, err = s.balancerLocked(arn)
	case strings.HasPrefix(rest, "targetgroup/"):
		_, err = s.groupLocked(arn)
	case strings.HasPrefix(rest, "listener/"):
		_, err = s.listenerLocked(arn)
	case strings.HasPrefix(rest, "listener-rule/"):
		_, _, err = s.ruleLocked(arn)
	default:
		err = validation("'%s' is not a valid load balancer, target group, listener or rule ARN", arn)
	}
	return err
}
