package cloudwatch

import (
	"context"
	"strings"

	"cutover/pkg/localaws/wire"
)

// ListTagsForResourceInput is the input of ListTagsForResource.
type ListTagsForResourceInput struct {
	ResourceARN string `aws:",required"`
}

// ListTagsForResourceOutput is the output of ListTagsForResource.
type ListTagsForResourceOutput struct {
	Tags []Tag
}

// ListTagsForResource lists the tags that an alarm was made with.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(_ context.Context, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	name, ok := strings.CutPrefix(in.ResourceARN, alarmARN(""))
	if !ok {
		return nil, badValue("The value %s for parameter ResourceARN is invalid.", in.ResourceARN)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.alarms[name]
	if a == nil {
		return nil, wire.Errorf("ResourceNotFoundException", "Unknown alarm: %s", name).WithStatus(404)
	}
	out := &ListTagsForResourceOutput{Tags: []Tag{}}
	out.Tags = append(out.Tags, a.tags...)
	return out, nil
}
