package ssm

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// A Tag is a resource tag.
type Tag struct {
	Key   string `aws:",required"`
	Value string `aws:",required"`
}

// taggable names something that bears tags: a Parameter by its name, a Document
// by its name, an Automation by its execution's id.
type taggable struct{ kind, id string }

// AddTagsToResourceInput sets tags.
type AddTagsToResourceInput struct {
	ResourceType string `aws:",required"`
	ResourceId   string `aws:",required"`
	Tags         []Tag  `aws:",required"`
}

// RemoveTagsFromResourceInput removes tags.
type RemoveTagsFromResourceInput struct {
	ResourceType string   `aws:",required"`
	ResourceId   string   `aws:",required"`
	TagKeys      []string `aws:",required"`
}

// ListTagsForResourceInput names a resource.
type ListTagsForResourceInput struct {
	ResourceType string `aws:",required"`
	ResourceId   string `aws:",required"`
}

// ListTagsForResourceOutput are its tags, by key.
type ListTagsForResourceOutput struct{ TagList []Tag }

// AddTagsToResource answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AddTagsToResource.html
func (s *Service) AddTagsToResource(_ context.Context, in *AddTagsToResourceInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, err := s.taggableLocked(in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	if err := s.tagLocked(of, in.Tags); err != nil {
		return nil, err
	}
	return &Empty{}, nil
}

// RemoveTagsFromResource answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_RemoveTagsFromResource.html
func (s *Service) RemoveTagsFromResource(_ context.Context, in *RemoveTagsFromResourceInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, err := s.taggableLocked(in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(s.tags[of], key)
	}
	return &Empty{}, nil
}

// ListTagsForResource answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(_ context.Context, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, err := s.taggableLocked(in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	return &ListTagsForResourceOutput{TagList: append([]Tag{}, s.tagsLocked(of)...)}, nil
}

func (s *Service) taggableLocked(kind, id string) (taggable, error) {
	known := false
	switch kind {
	case "Parameter":
		if p := s.parameters[id]; p != nil {
			known = len(p.versions) > 0
		}
	case "Document":
		known = s.documents[id] != nil
	case "Automation":
		known = s.executions[id] != nil
	default:
		return taggable{}, refuse("InvalidResourceType", "The resource type %s is not valid. Valid resource types are Parameter, Document and Automation.", kind)
	}
	if !known {
		return taggable{}, refuse("InvalidResourceId", "The resource ID %q is not valid. Verify the ID and try again.", id)
	}
	return taggable{kind, id}, nil
}

// tagsLocked lists tags by key; nil when there are none.
func (s *Service) tagsLocked(of taggable) []Tag {
	var tags []Tag
	for _, key := range slices.Sorted(maps.Keys(s.tags[of])) {
		tags = append(tags, Tag{Key: key, Value: s.tags[of][key]})
	}
	return tags
}

// tagLocked sets tags, all or none.
func (s *Service) tagLocked(of taggable, tags []Tag) error {
	if err := validTags(tags); err != nil {
		return err
	}
	all := map[string]string{}
	maps.Copy(all, s.tags[of])
	for _, t := range tags {
		all[t.Key] = t.Value
	}
	if len(all) > mostTags {
		return refuse("TooManyTagsError", "The Targets parameter includes too many tags. Remove one or more tags and try the command again.")
	}
	s.setTagsLocked(of, tags)
	return nil
}

// mostTags is how many tags a resource can have.
const mostTags = 50

func validTags(tags []Tag) error {
	if len(tags) > mostTags {
		return refuse("TooManyTagsError", "The Targets parameter includes too many tags. Remove one or more tags and try the command again.")
	}
	given := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256:
			return invalid("Tag key '%s' must have 1 to 128 characters, its value at most 256", t.Key)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return invalid("Tag key '%s' begins with aws:, which is reserved", t.Key)
		case given[t.Key]:
			return invalid("Tag key '%s' is given more than once", t.Key)
		}
		given[t.Key] = true
	}
	return nil
}

// setTagsLocked sets tags that are valid.
func (s *Service) setTagsLocked(of taggable, tags []Tag) {
	for _, t := range tags {
		if s.tags[of] == nil {
			s.tags[of] = map[string]string{}
		}
		s.tags[of][t.Key] = t.Value
	}
}
