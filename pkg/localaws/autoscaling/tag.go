package autoscaling

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Tag is a tag of a group as calls give it.
type Tag struct {
	ResourceId        string
	ResourceType      string
	Key               string `aws:",required"`
	Value             string
	PropagateAtLaunch *bool
}

// TagDescription is a tag of a group as answers show it.
type TagDescription struct {
	ResourceId        string
	ResourceType      string
	Key               string
	Value             string
	PropagateAtLaunch bool
}

type groupTag struct {
	key, value string
	propagate  bool
}

const tagged = "auto-scaling-group"

// mergeTags is a group's tags with more of them.
func mergeTags(have []groupTag, more []Tag) ([]groupTag, error) {
	all := slices.Clone(have)
	for _, t := range more {
		switch {
		case t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256:
			return nil, invalid("Tag key '%s' must have 1 to 128 characters, its value at most 256", t.Key)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, invalid("Tag key '%s' is reserved: keys must not begin with aws:", t.Key)
		}
		tag := groupTag{key: t.Key, value: t.Value, propagate: t.PropagateAtLaunch != nil && *t.PropagateAtLaunch}
		if i := slices.IndexFunc(all, func(have groupTag) bool { return have.key == t.Key }); i >= 0 {
			all[i] = tag
		} else {
			all = append(all, tag)
		}
	}
	if len(all) > 50 {
		return nil, refuse("LimitExceeded", "A group can have at most 50 tags")
	}
	return all, nil
}

func (g *group) describeTags() []TagDescription {
	all := []TagDescription{}
	for _, t := range g.tags {
		all = append(all, TagDescription{ResourceId: g.name, ResourceType: tagged, Key: t.key, Value: t.value, PropagateAtLaunch: t.propagate})
	}
	return all
}

// instanceTags are the tags that a new instance gets.
func (g *group) instanceTags() map[string]string {
	all := map[string]string{"aws:autoscaling:groupName": g.name}
	for _, t := range g.tags {
		if t.propagate {
			all[t.key] = t.value
		}
	}
	return all
}

// TagsInput names tags of groups.
type TagsInput struct {
	Tags []Tag `aws:",required"`
}

func (in *TagsInput) validate() error {
	for _, t := range in.Tags {
		if t.ResourceType != tagged {
			return invalid("Tag resource type '%s' is not valid: the only one is %s", t.ResourceType, tagged)
		}
	}
	return nil
}

// CreateOrUpdateTags answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateOrUpdateTags.html
// Instances that run keep theirs.
func (s *Service) CreateOrUpdateTags(_ context.Context, in *TagsInput) (*Empty, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	merged := map[*group][]groupTag{}
	for _, t := range in.Tags {
		g, err := s.changeableLocked(t.ResourceId)
		if err != nil {
			return nil, err
		}
		if _, begun := merged[g]; !begun {
			merged[g] = g.tags
		}
		if merged[g], err = mergeTags(merged[g], []Tag{t}); err != nil {
			return nil, err
		}
	}
	for g, tags := range merged {
		g.tags = tags
	}
	return &Empty{}, nil
}

// DeleteTags answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteTags.html
func (s *Service) DeleteTags(_ context.Context, in *TagsInput) (*Empty, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range in.Tags {
		if _, err := s.changeableLocked(t.ResourceId); err != nil {
			return nil, err
		}
	}
	for _, t := range in.Tags {
		g, err := s.changeableLocked(t.ResourceId)
		if err != nil {
			return nil, err
		}
		g.tags = slices.DeleteFunc(g.tags, func(have groupTag) bool { return have.key == t.Key && (t.Value == "" || have.value == t.Value) })
	}
	return &Empty{}, nil
}

// DescribeTagsInput narrows the tags of all groups.
type DescribeTagsInput struct {
	Filters []Filter
	Page
}

// DescribeTagsOutput lists tags.
type DescribeTagsOutput struct {
	Tags      []TagDescription
	NextToken string
}

// DescribeTags answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeTags.html
func (s *Service) DescribeTags(_ context.Context, in *DescribeTagsInput) (*DescribeTagsOutput, error) {
	by := map[string]func(TagDescription) string{
		"auto-scaling-group":  func(t TagDescription) string { return t.ResourceId },
		"key":                 func(t TagDescription) string { return t.Key },
		"value":               func(t TagDescription) string { return t.Value },
		"propagate-at-launch": func(t TagDescription) string { return strconv.FormatBool(t.PropagateAtLaunch) },
	}
	for _, f := range in.Filters {
		if by[f.Name] == nil {
			return nil, invalid("Filter type %s is not correct. Allowed Filter types are: %s", f.Name, slices.Sorted(maps.Keys(by)))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []TagDescription
	for _, g := range s.groups {
		for _, t := range g.describeTags() {
			if !slices.ContainsFunc(in.Filters, func(f Filter) bool { return !slices.Contains(f.Values, by[f.Name](t)) }) {
				all = append(all, t)
			}
		}
	}
	items, next, err := cut(all, in.Page, 50, 100)
	if err != nil {
		return nil, err
	}
	return &DescribeTagsOutput{Tags: items, NextToken: next}, nil
}
