package events

import (
	"context"
	"encoding/json"
	"fmt"

	"cutover/pkg/localaws/resource"
)

// properties are those of AWS::Events::Rule.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
type properties struct {
	Name         string
	Description  string
	EventBusName string
	EventPattern any `aws:",required"`
	State        string
	Targets      []EventTarget
}

// Resources lists the CloudFormation types of EventBridge.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::Events::Rule", []string{"Name", "EventBusName"}, s.createResource, s.updateResource, s.deleteResource),
	}
}

func (s *Service) createResource(ctx context.Context, r resource.Request, p *properties) (resource.State, error) {
	name := p.Name
	if name == "" {
		name = r.GeneratedName(64)
	}
	return s.put(ctx, name, p)
}

// updateResource puts the rule as wanted and takes away the targets that the
// template no longer names.
func (s *Service) updateResource(ctx context.Context, r resource.Request, p *properties) (resource.State, error) {
	wanted := map[string]bool{}
	for _, t := range p.Targets {
		wanted[t.Id] = true
	}
	before := new(properties)
	resource.Decode(r.Previous, before)
	var gone []string
	for _, t := range before.Targets {
		if !wanted[t.Id] {
			gone = append(gone, t.Id)
		}
	}
	if len(gone) > 0 {
		if _, err := s.RemoveTargets(ctx, &RemoveTargetsInput{Rule: r.PhysicalID, Ids: gone}); err != nil {
			return resource.State{}, fmt.Errorf("remove targets of rule %s: %w", r.PhysicalID, err)
		}
	}
	return s.put(ctx, r.PhysicalID, p)
}

func (s *Service) put(ctx context.Context, name string, p *properties) (resource.State, error) {
	text, err := json.Marshal(p.EventPattern)
	if err != nil {
		return resource.State{}, fmt.Errorf("put rule %s: encode pattern: %w", name, err)
	}
	// Both are checked before either takes effect, or a refused target would
	// leave a rule behind.
	if err := s.validate(p.Targets); err != nil {
		return resource.State{}, fmt.Errorf("put targets of rule %s: %w", name, err)
	}
	out, err := s.PutRule(ctx, &PutRuleInput{
		Name: name, Description: p.Description, EventBusName: p.EventBusName, EventPattern: string(text), State: p.State,
	})
	if err != nil {
		return resource.State{}, fmt.Errorf("put rule %s: %w", name, err)
	}
	if len(p.Targets) > 0 {
		if _, err := s.PutTargets(ctx, &PutTargetsInput{Rule: name, Targets: p.Targets}); err != nil {
			return resource.State{}, fmt.Errorf("put targets of rule %s: %w", name, err)
		}
	}
	return resource.State{PhysicalID: name, Attributes: map[string]any{"Arn": out.RuleArn}}, nil
}

func (s *Service) deleteResource(_ context.Context, r resource.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rules, r.PhysicalID)
	return nil
}
