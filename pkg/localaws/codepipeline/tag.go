package codepipeline

import (
	"context"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// TagResourceInput is the input of TagResource.
type TagResourceInput struct {
	ResourceArn string `aws:",required"`
	Tags        []Tag  `aws:",required"`
}

// TagResourceOutput is empty.
type TagResourceOutput struct{}

// TagResource sets tags of a pipeline.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_TagResource.html
func (s *Service) TagResource(_ context.Context, in *TagResourceInput) (*TagResourceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := slices.DeleteFunc(slices.Clone(p.tags), func(old Tag) bool {
		return slices.ContainsFunc(in.Tags, func(t Tag) bool { return t.Key == old.Key })
	})
	tags = append(tags, in.Tags...)
	if len(tags) > 50 {
		return nil, wire.Errorf("TooManyTagsException", "%s would have %d tags; 50 are allowed", in.ResourceArn, len(tags))
	}
	p.tags = tags
	return &TagResourceOutput{}, nil
}

// UntagResourceInput is the input of UntagResource.
type UntagResourceInput struct {
	ResourceArn string   `aws:",required"`
	TagKeys     []string `aws:",required"`
}

// UntagResourceOutput is empty.
type UntagResourceOutput struct{}

// UntagResource removes tags of a pipeline.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_UntagResource.html
func (s *Service) UntagResource(_ context.Context, in *UntagResourceInput) (*UntagResourceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	p.tags = slices.DeleteFunc(p.tags, func(t Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return &UntagResourceOutput{}, nil
}

// ListTagsForResourceInput is the input of ListTagsForResource.
type ListTagsForResourceInput struct {
	ResourceArn string `aws:",required"`
	MaxResults  *int
	NextToken   string
}

// ListTagsForResourceOutput is its output.
type ListTagsForResourceOutput struct {
	Tags      []Tag
	NextToken string
}

// ListTagsForResource lists a pipeline's tags.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(_ context.Context, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, next, err := page(append([]Tag{}, p.tags...), func(t Tag) string { return t.Key }, in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &ListTagsForResourceOutput{Tags: tags, NextToken: next}, nil
}

// tagged finds the pipeline of an ARN; the lock is held.
func (s *Service) tagged(arn string) (*pipeline, error) {
	name, ok := strings.CutPrefix(arn, s.arn(""))
	if !ok || strings.Contains(name, "/") {
		return nil, wire.Errorf("InvalidArnException", "%s is not the ARN of a pipeline in %s", arn, s.Region)
	}
	p, found := s.pipelines[name]
	if !found {
		return nil, wire.Errorf("ResourceNotFoundException", "No pipeline has the ARN %s", arn)
	}
	return p, nil
}

// page cuts one page out of a list. The token names the last item of the page
// before, so that pages fit together though the list grows at its front.
func page[T any](all []T, id func(T) string, limit *int, most int, token string) ([]T, string, error) {
	if limit != nil && (*limit < 1 || *limit > most) {
		return nil, "", wire.Errorf("ValidationException", "maxResults: is %d, not within 1 to %d", *limit, most)
	}
	if token != "" {
		i := slices.IndexFunc(all, func(item T) bool { return id(item) == token })
		if i < 0 {
			return nil, "", wire.Errorf("InvalidNextTokenException", "The next token %s was not given by this list", token)
		}
		all = all[i+1:]
	}
	size := min(most, 100)
	if limit != nil {
		size = *limit
	}
	if len(all) <= size {
		return all, "", nil
	}
	return all[:size], id(all[size-1]), nil
}
