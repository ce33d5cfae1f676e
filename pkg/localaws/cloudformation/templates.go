package cloudformation

import (
	"context"
	"slices"

	"cutover/pkg/localaws/cloudformation/template"
)

// GetTemplateInput names a stack or a change set, and which form of its
// template: Original (the default) or Processed, after transforms.
type GetTemplateInput struct {
	StackName     string
	ChangeSetName string
	TemplateStage string
}

// GetTemplateOutput holds the template.
type GetTemplateOutput struct {
	TemplateBody    string
	StagesAvailable []string
}

// GetTemplate returns a stack's template.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplate.html
func (s *Service) GetTemplate(_ context.Context, in *GetTemplateInput) (*GetTemplateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.planOf(in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	out := &GetTemplateOutput{TemplateBody: string(p.body), StagesAvailable: []string{"Original", "Processed"}}
	switch in.TemplateStage {
	case "", "Original":
	case "Processed":
		out.TemplateBody = p.processed
	default:
		return nil, invalid("TemplateStage is %q, must be Original or Processed", in.TemplateStage)
	}
	return out, nil
}

// planOf finds the plan of a stack or of one of its change sets.
func (s *Service) planOf(stackName, changeSetName string) (*plan, error) {
	if changeSetName != "" {
		c, err := s.changeSet(stackName, changeSetName)
		if err != nil {
			return nil, err
		}
		return c.plan, nil
	}
	st, err := s.existing(stackName)
	if err != nil {
		return nil, err
	}
	if st.plan == nil {
		return nil, invalid("Stack %s has no template before its change set is executed", st.name)
	}
	return st.plan, nil
}

// A ParameterConstraints holds the values that a parameter may have.
type ParameterConstraints struct{ AllowedValues []string }

// A ParameterDeclaration is a parameter as a template declares it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ParameterDeclaration.html
type ParameterDeclaration struct {
	ParameterKey         string
	DefaultValue         *string
	ParameterType        string
	NoEcho               bool
	Description          string
	ParameterConstraints ParameterConstraints
}

// GetTemplateSummaryInput brings a template or names a stack.
type GetTemplateSummaryInput struct {
	TemplateBody string
	TemplateURL  string
	StackName    string
}

// GetTemplateSummaryOutput tells what the template needs.
type GetTemplateSummaryOutput struct {
	Parameters         []ParameterDeclaration
	Description        string
	Capabilities       []string
	CapabilitiesReason string
	ResourceTypes      []string
	Version            string
	DeclaredTransforms []string
}

// GetTemplateSummary tells what a template needs. Unlike AWS's it checks the
// template as strictly as the making of a stack does.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplateSummary.html
func (s *Service) GetTemplateSummary(_ context.Context, in *GetTemplateSummaryInput) (*GetTemplateSummaryOutput, error) {
	t, err := s.asked(in)
	if err != nil {
		return nil, answer(err)
	}
	out := &GetTemplateSummaryOutput{
		Description: t.Description, Version: "2010-09-09", DeclaredTransforms: t.Transforms,
		Parameters: []ParameterDeclaration{}, ResourceTypes: []string{},
	}
	out.Capabilities, out.CapabilitiesReason = needed(t)
	for _, p := range t.Parameters {
		out.Parameters = append(out.Parameters, ParameterDeclaration{
			ParameterKey: p.Name, DefaultValue: p.Default, ParameterType: p.Type, NoEcho: p.NoEcho,
			Description: p.Description, ParameterConstraints: ParameterConstraints{p.AllowedValues},
		})
	}
	for _, r := range t.Resources {
		if !slices.Contains(out.ResourceTypes, r.Type) {
			out.ResourceTypes = append(out.ResourceTypes, r.Type)
		}
	}
	return out, nil
}

func (s *Service) asked(in *GetTemplateSummaryInput) (*template.Template, error) {
	if in.StackName != "" {
		if in.TemplateBody != "" || in.TemplateURL != "" {
			return nil, invalid("Only one of StackName, TemplateBody and TemplateURL may be specified")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		p, err := s.planOf(in.StackName, "")
		if err != nil {
			return nil, err
		}
		return p.template, nil
	}
	body, err := s.load(in.TemplateBody, in.TemplateURL, nil, nil)
	if err != nil {
		return nil, err
	}
	t, _, err := s.read(body)
	return t, err
}

// ValidateTemplateInput brings a template.
type ValidateTemplateInput struct {
	TemplateBody string
	TemplateURL  string
}

// A TemplateParameter is a parameter as ValidateTemplate shows it.
type TemplateParameter struct {
	ParameterKey string
	DefaultValue *string
	NoEcho       bool
	Description  string
}

// ValidateTemplateOutput tells what a valid template needs.
type ValidateTemplateOutput struct {
	Parameters         []TemplateParameter
	Description        string
	Capabilities       []string
	CapabilitiesReason string
	DeclaredTransforms []string
}

// ValidateTemplate checks a template. All its faults are told at once, with
// their lines.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ValidateTemplate.html
func (s *Service) ValidateTemplate(_ context.Context, in *ValidateTemplateInput) (*ValidateTemplateOutput, error) {
	body, err := s.load(in.TemplateBody, in.TemplateURL, nil, nil)
	if err != nil {
		return nil, err
	}
	t, _, err := s.read(body)
	if err != nil {
		return nil, answer(err)
	}
	out := &ValidateTemplateOutput{
		Description: t.Description, DeclaredTransforms: t.Transforms, Parameters: []TemplateParameter{},
	}
	out.Capabilities, out.CapabilitiesReason = needed(t)
	for _, p := range t.Parameters {
		out.Parameters = append(out.Parameters, TemplateParameter{
			ParameterKey: p.Name, DefaultValue: p.Default, NoEcho: p.NoEcho, Description: p.Description,
		})
	}
	return out, nil
}
