package logs

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"cutover/pkg/localaws/resource"
)

// Resources lists the CloudFormation types of CloudWatch Logs.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::Logs::LogGroup", []string{"LogGroupName"}, s.createGroup, s.updateGroup, s.deleteGroup),
	}
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
type groupProperties struct {
	LogGroupName    string
	RetentionInDays *int
	LogGroupClass   string // STANDARD
	Tags            []resource.Tag
}

func (s *Service) createGroup(ctx context.Context, r resource.Request, p *groupProperties) (resource.State, error) {
	name := cmp.Or(p.LogGroupName, r.GeneratedName(512))
	if _, err := s.CreateLogGroup(ctx, &CreateLogGroupInput{LogGroupName: name}); err != nil {
		return resource.State{}, fmt.Errorf("create log group %s: %w", name, err)
	}
	r.PhysicalID = name
	state, err := s.updateGroup(ctx, r, p)
	if err != nil {
		// Nobody would know of the group after a failed create.
		return state, errors.Join(err, s.deleteGroup(ctx, r))
	}
	return state, nil
}

func (s *Service) updateGroup(ctx context.Context, r resource.Request, p *groupProperties) (resource.State, error) {
	if cmp.Or(p.LogGroupClass, "STANDARD") != "STANDARD" {
		return resource.State{}, fmt.Errorf("set class of log group %s: the embedded AWS has no class %s", r.PhysicalID, p.LogGroupClass)
	}
	var err error
	if p.RetentionInDays != nil {
		_, err = s.PutRetentionPolicy(ctx, &PutRetentionPolicyInput{LogGroupName: r.PhysicalID, RetentionInDays: *p.RetentionInDays})
	} else {
		_, err = s.DeleteRetentionPolicy(ctx, &GroupInput{LogGroupName: r.PhysicalID})
	}
	if err != nil {
		return resource.State{}, fmt.Errorf("set retention of log group %s: %w", r.PhysicalID, err)
	}
	tags := map[string]string{}
	for _, tag := range p.Tags {
		tags[tag.Key] = tag.Value
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(r.PhysicalID)
	if err != nil {
		return resource.State{}, err
	}
	g.tags = tags
	return resource.State{PhysicalID: g.name, Attributes: map[string]any{"Arn": arnPrefix + g.name + ":*"}}, nil
}

func (s *Service) deleteGroup(_ context.Context, r resource.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.groups, r.PhysicalID)
	return nil
}
