package ec2

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// A Tag as EC2 writes it.
type Tag struct {
	Key   string
	Value string
}

// TagSpecification are the tags of what is made of one resource type.
type TagSpecification struct {
	ResourceType string
	Tags         []Tag
}

// tagSpecificationRequest is the same as requests write it.
type tagSpecificationRequest struct {
	ResourceType string
	Tags         []Tag `aws:"Tag"`
}

func tags(from []resource.Tag) []Tag {
	var to []Tag
	for _, t := range from {
		to = append(to, Tag(t))
	}
	return to
}

// specified checks the specifications of a call that makes some resource types,
// and finds the tags of each.
func specified(specifications []TagSpecification, made ...string) (map[string][]Tag, error) {
	all := map[string][]Tag{}
	for _, spec := range specifications {
		if !slices.Contains(made, spec.ResourceType) {
			return nil, wire.Errorf("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", spec.ResourceType)
		}
		if err := checkTags(spec.Tags); err != nil {
			return nil, err
		}
		all[spec.ResourceType] = withTags(all[spec.ResourceType], spec.Tags)
	}
	return all, nil
}

func plainSpecifications(requests []tagSpecificationRequest) []TagSpecification {
	var all []TagSpecification
	for _, r := range requests {
		all = append(all, TagSpecification(r))
	}
	return all
}

// checkTags holds tags against EC2's rules.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
func checkTags(given []Tag) error {
	seen := map[string]bool{}
	for _, t := range given {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > 128:
			return wire.Errorf("InvalidParameterValue", "Tag key '%s' must have 1 to 128 characters", t.Key)
		case utf8.RuneCountInString(t.Value) > 256:
			return wire.Errorf("InvalidParameterValue", "Tag value exceeds the maximum length of 256 characters")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return wire.Errorf("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		case seen[t.Key]:
			return wire.Errorf("InvalidParameterValue", "Duplicate tag key '%s' specified.", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

// withTags sets tags over those held, sorted by key.
func withTags(held, set []Tag) []Tag {
	all := slices.Clone(held)
	for _, t := range set {
		all = slices.DeleteFunc(all, func(h Tag) bool { return h.Key == t.Key })
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// tagsLocked finds the tags of a resource, or nil where there is no such one.
func (s *Service) tagsLocked(id string) *[]Tag {
	switch kindOfID(id) {
	case "image":
		if i, ok := s.images[id]; ok {
			return &i.TagSet
		}
	case "snapshot":
		if v, ok := s.snapshots[id]; ok {
			return &v.TagSet
		}
	case "instance":
		if i, ok := s.instances[id]; ok {
			return &i.tags
		}
	case "launch-template":
		if t, ok := s.templates[id]; ok {
			return &t.TagSet
		}
	case "vpc":
		if v, ok := s.vpcs[id]; ok {
			return &v.TagSet
		}
	case "subnet":
		if n, ok := s.nets[id]; ok {
			return &n.TagSet
		}
	case "security-group":
		if g, ok := s.groups[id]; ok {
			return &g.TagSet
		}
	}
	return nil
}

// missing are the codes for ids of nothing, by resource type.
var missing = map[string]string{
	"image": "InvalidAMIID.NotFound", "snapshot": "InvalidSnapshot.NotFound", "instance": "InvalidInstanceID.NotFound",
	"launch-template": "InvalidLaunchTemplateId.NotFound", "vpc": "InvalidVpcID.NotFound", "subnet": "InvalidSubnetID.NotFound",
	"security-group": "InvalidGroup.NotFound",
}

// taggedLocked finds the tags of resources, all or none.
func (s *Service) taggedLocked(ids []string) ([]*[]Tag, error) {
	var all []*[]Tag
	for _, id := range ids {
		held := s.tagsLocked(id)
		if held == nil {
			kind := kindOfID(id)
			code, ok := missing[kind]
			if !ok {
				return nil, wire.Errorf("InvalidID", "The ID '%s' is not valid", id)
			}
			return nil, wire.Errorf(code, "The %s ID '%s' does not exist", kind, id)
		}
		all = append(all, held)
	}
	return all, nil
}

// Return is the answer of operations that only say that they were done.
type Return struct{ Return bool }

// CreateTagsInput sets tags of resources.
type CreateTagsInput struct {
	Resources []string `aws:"ResourceId,required"`
	Tags      []Tag    `aws:"Tag,required"`
}

// CreateTags answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html
func (s *Service) CreateTags(_ context.Context, in *CreateTagsInput) (*Return, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.taggedLocked(in.Resources)
	if err != nil {
		return nil, err
	}
	for _, held := range all {
		if len(withTags(*held, in.Tags)) > 50 {
			return nil, wire.Errorf("TagLimitExceeded", "Maximum number of tags is 50")
		}
	}
	for _, held := range all {
		*held = withTags(*held, in.Tags)
	}
	return &Return{true}, nil
}

// DeleteTagsInput removes tags from resources: by key, by key and value, or all.
type DeleteTagsInput struct {
	Resources []string      `aws:"ResourceId,required"`
	Tags      []TagToDelete `aws:"Tag"`
}

// TagToDelete is a tag's key; with a value only a tag that has it is removed.
type TagToDelete struct {
	Key   string `aws:",required"`
	Value *string
}

// DeleteTags answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html
func (s *Service) DeleteTags(_ context.Context, in *DeleteTagsInput) (*Return, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.taggedLocked(in.Resources)
	if err != nil {
		return nil, err
	}
	for _, held := range all {
		*held = slices.DeleteFunc(slices.Clone(*held), func(t Tag) bool {
			own := !strings.HasPrefix(t.Key, "aws:")
			return own && (in.Tags == nil || slices.ContainsFunc(in.Tags, func(d TagToDelete) bool {
				return d.Key == t.Key && (d.Value == nil || *d.Value == t.Value)
			}))
		})
	}
	return &Return{true}, nil
}

// DescribeTagsInput asks for tags.
type DescribeTagsInput struct {
	Filters []Filter `aws:"Filter"`
	Page
}

// TagDescription is a tag with what it is on.
type TagDescription struct {
	Key          string
	Value        string
	ResourceId   string
	ResourceType string
}

// DescribeTagsOutput lists tags.
type DescribeTagsOutput struct {
	TagSet    []TagDescription
	NextToken string
}

var tagFilters = tagged[TagDescription]{filters: filters[TagDescription]{
	"key":           func(t TagDescription) []string { return []string{t.Key} },
	"value":         func(t TagDescription) []string { return []string{t.Value} },
	"resource-id":   func(t TagDescription) []string { return []string{t.ResourceId} },
	"resource-type": func(t TagDescription) []string { return []string{t.ResourceType} },
}}

// DescribeTags answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html
func (s *Service) DescribeTags(_ context.Context, in *DescribeTagsInput) (*DescribeTagsOutput, error) {
	if err := tagFilters.check(in.Filters); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []TagDescription{}
	for _, id := range s.taggableLocked() {
		for _, t := range *s.tagsLocked(id) {
			d := TagDescription{Key: t.Key, Value: t.Value, ResourceId: id, ResourceType: kindOfID(id)}
			if tagFilters.keeps(in.Filters, d) {
				all = append(all, d)
			}
		}
	}
	places := map[TagDescription]int{}
	for i, d := range all {
		places[d] = i
	}
	found, next, err := cut(in.Page, limits{5, 1000}, all, func(d TagDescription) int { return places[d] })
	return &DescribeTagsOutput{TagSet: found, NextToken: next}, err
}

// taggableLocked lists the ids of all that can have tags, sorted.
func (s *Service) taggableLocked() []string {
	var ids []string
	for id := range s.images {
		ids = append(ids, id)
	}
	for id := range s.snapshots {
		ids = append(ids, id)
	}
	for id := range s.instances {
		ids = append(ids, id)
	}
	for id := range s.templates {
		ids = append(ids, id)
	}
	for id := range s.vpcs {
		ids = append(ids, id)
	}
	for id := range s.nets {
		ids = append(ids, id)
	}
	for id := range s.groups {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
