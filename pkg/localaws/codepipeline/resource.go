package codepipeline

import (
	"context"
	"fmt"
	"strconv"

	"cutover/pkg/localaws/resource"
)

// properties are those of AWS::CodePipeline::Pipeline.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codepipeline-pipeline.html
type properties struct {
	Name                           string
	RoleArn                        string         `aws:",required"`
	ArtifactStore                  *ArtifactStore `aws:",required"`
	Stages                         []Stage        `aws:",required"`
	ExecutionMode                  string
	PipelineType                   string
	Variables                      []VariableDeclaration
	DisableInboundStageTransitions []struct {
		StageName string `aws:",required"`
		Reason    string `aws:",required"`
	}
	RestartExecutionOnUpdate bool
	Tags                     []Tag
}

func (p *properties) declaration(name string) Declaration {
	return Declaration{
		Name: name, RoleArn: p.RoleArn, ArtifactStore: p.ArtifactStore, Stages: p.Stages,
		ExecutionMode: p.ExecutionMode, PipelineType: p.PipelineType, Variables: p.Variables,
	}
}

// Resources lists the CloudFormation types of CodePipeline.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::CodePipeline::Pipeline", []string{"Name"}, s.createResource, s.updateResource, s.deleteResource),
	}
}

func (s *Service) createResource(ctx context.Context, r resource.Request, p *properties) (resource.State, error) {
	name := p.Name
	if name == "" {
		name = r.GeneratedName(100)
	}
	out, err := s.CreatePipeline(ctx, &CreatePipelineInput{Pipeline: p.declaration(name), Tags: p.Tags})
	if err != nil {
		return resource.State{}, fmt.Errorf("create pipeline %s: %w", name, err)
	}
	return s.configure(ctx, out.Pipeline, nil, p)
}

func (s *Service) updateResource(ctx context.Context, r resource.Request, p *properties) (resource.State, error) {
	before := new(properties)
	resource.Decode(r.Previous, before)
	out, err := s.UpdatePipeline(ctx, &UpdatePipelineInput{Pipeline: p.declaration(r.PhysicalID)})
	if err != nil {
		return resource.State{}, fmt.Errorf("update pipeline %s: %w", r.PhysicalID, err)
	}
	if r.Changed("Tags") {
		if err := s.retag(ctx, r.PhysicalID, before.Tags, p.Tags); err != nil {
			return resource.State{}, fmt.Errorf("tag pipeline %s: %w", r.PhysicalID, err)
		}
	}
	state, err := s.configure(ctx, out.Pipeline, before, p)
	if err == nil && p.RestartExecutionOnUpdate {
		_, err = s.StartPipelineExecution(ctx, &StartPipelineExecutionInput{Name: r.PhysicalID})
	}
	return state, err
}

func (s *Service) retag(ctx context.Context, name string, before, after []Tag) error {
	var keys []string
	for _, tag := range before {
		keys = append(keys, tag.Key)
	}
	if _, err := s.UntagResource(ctx, &UntagResourceInput{ResourceArn: s.arn(name), TagKeys: keys}); err != nil {
		return err
	}
	_, err := s.TagResource(ctx, &TagResourceInput{ResourceArn: s.arn(name), Tags: after})
	return err
}

// configure sets the transitions that the template disables, and enables those
// that it disabled before.
func (s *Service) configure(ctx context.Context, d *Declaration, before, after *properties) (resource.State, error) {
	if before != nil {
		for _, g := range before.DisableInboundStageTransitions {
			if d.stage(g.StageName) < 0 {
				continue
			}
			if _, err := s.EnableStageTransition(ctx, &EnableStageTransitionInput{PipelineName: d.Name, StageName: g.StageName, TransitionType: "Inbound"}); err != nil {
				return resource.State{}, fmt.Errorf("enable transition into stage %s: %w", g.StageName, err)
			}
		}
	}
	for _, g := range after.DisableInboundStageTransitions {
		if _, err := s.DisableStageTransition(ctx, &DisableStageTransitionInput{PipelineName: d.Name, StageName: g.StageName, TransitionType: "Inbound", Reason: g.Reason}); err != nil {
			return resource.State{}, fmt.Errorf("disable transition into stage %s: %w", g.StageName, err)
		}
	}
	return resource.State{PhysicalID: d.Name, Attributes: map[string]any{"Version": strconv.Itoa(*d.Version)}}, nil
}

func (s *Service) deleteResource(ctx context.Context, r resource.Request) error {
	_, err := s.DeletePipeline(ctx, &DeletePipelineInput{Name: r.PhysicalID})
	return err
}
