package codepipeline

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"cutover/pkg/localaws/wire"
)

// A pipeline is a declaration and all that ran under it.
type pipeline struct {
	declaration *Declaration
	versions    []*Declaration // the first is version 1
	created     time.Time
	updated     time.Time
	tags        []Tag
	executions  []*execution          // in the order of their start
	runs        []*actionRun          // in the order of their start
	latest      map[string]*execution // that entered a stage, by stage
	gates       map[string]*gate      // inbound transitions by stage
	started     map[string]string     // executions by client request token
}

func (p *pipeline) gate(stage string) *gate { return p.gates[stage] }

func (p *pipeline) execution(id string) *execution {
	for _, e := range p.executions {
		if e.id == id {
			return e
		}
	}
	return nil
}

// find returns a pipeline; the lock is held.
func (s *Service) find(name string) (*pipeline, error) {
	p, ok := s.pipelines[name]
	if !ok {
		return nil, wire.Errorf("PipelineNotFoundException", "The account with id '%s' does not include a pipeline with the name '%s'", s.Account, name)
	}
	return p, nil
}

// findStage returns a pipeline and the index of one of its stages.
func (s *Service) findStage(name, stage string) (*pipeline, int, error) {
	p, err := s.find(name)
	if err != nil {
		return nil, 0, err
	}
	i := p.declaration.stage(stage)
	if i < 0 {
		return nil, 0, wire.Errorf("StageNotFoundException", "The pipeline %s has no stage named %s", name, stage)
	}
	return p, i, nil
}

// CreatePipelineInput is the input of CreatePipeline.
type CreatePipelineInput struct {
	Pipeline Declaration `aws:",required"`
	Tags     []Tag
}

// CreatePipelineOutput is its output.
type CreatePipelineOutput struct {
	Pipeline *Declaration
	Tags     []Tag
}

// CreatePipeline makes a pipeline and, as AWS does, starts a first execution.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_CreatePipeline.html
func (s *Service) CreatePipeline(ctx context.Context, in *CreatePipelineInput) (*CreatePipelineOutput, error) {
	if err := s.validate(&in.Pipeline); err != nil {
		return nil, err
	}
	var out *CreatePipelineOutput
	err := s.turn(func(t *turn) error {
		p, err := t.create(in)
		if err != nil {
			return err
		}
		t.launch(p, Trigger{"CreatePipeline", wire.Caller(ctx).ARN})
		out = &CreatePipelineOutput{Pipeline: p.declaration.clone(), Tags: slices.Clone(p.tags)}
		return nil
	})
	return out, err
}

func (t *turn) create(in *CreatePipelineInput) (*pipeline, error) {
	name := in.Pipeline.Name
	if _, taken := t.pipelines[name]; taken {
		return nil, wire.Errorf("PipelineNameInUseException", "A pipeline with the name '%s' already exists in account '%s'", name, t.Account)
	}
	p := &pipeline{
		created: t.now, tags: slices.Clone(in.Tags),
		latest: map[string]*execution{}, gates: map[string]*gate{}, started: map[string]string{},
	}
	t.pipelines[name] = p
	t.revise(p, &in.Pipeline)
	return p, nil
}

// revise gives a pipeline its next structure. Stages keep their transitions.
func (t *turn) revise(p *pipeline, d *Declaration) {
	version := len(p.versions) + 1
	p.declaration = d.clone()
	p.declaration.Version = &version
	p.versions = append(p.versions, p.declaration)
	p.updated = t.now
	gates := map[string]*gate{}
	for _, stage := range p.declaration.Stages {
		gates[stage.Name] = p.gates[stage.Name]
		if gates[stage.Name] == nil {
			gates[stage.Name] = &gate{changed: t.now}
		}
	}
	p.gates = gates
}

// launch starts a pipeline's first execution, with the defaults of its variables.
func (t *turn) launch(p *pipeline, trigger Trigger) {
	e := t.newExecution(p, trigger, t.now)
	e.parameter = map[string]string{}
	for _, v := range p.declaration.Variables {
		if v.DefaultValue != "" {
			e.parameter[v.Name] = v.DefaultValue
		}
	}
	t.add(e)
	t.settle(p)
}

// UpdatePipelineInput is the input of UpdatePipeline. The version in it counts
// for nothing.
type UpdatePipelineInput struct {
	Pipeline Declaration `aws:",required"`
}

// UpdatePipelineOutput is its output.
type UpdatePipelineOutput struct{ Pipeline *Declaration }

// UpdatePipeline gives a pipeline a new structure and cancels what is in
// progress. The same structure again changes nothing.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_UpdatePipeline.html
func (s *Service) UpdatePipeline(_ context.Context, in *UpdatePipelineInput) (*UpdatePipelineOutput, error) {
	if err := s.validate(&in.Pipeline); err != nil {
		return nil, err
	}
	var out *UpdatePipelineOutput
	err := s.turn(func(t *turn) error {
		p, err := t.find(in.Pipeline.Name)
		if err != nil {
			// The operation has no error of its own for this.
			return wire.Errorf("ValidationException", "The account does not include a pipeline with the name '%s'", in.Pipeline.Name)
		}
		wanted := in.Pipeline.clone()
		wanted.Version = p.declaration.Version
		if !reflect.DeepEqual(wanted, p.declaration) {
			t.cancel(p)
			t.revise(p, wanted)
		}
		out = &UpdatePipelineOutput{Pipeline: p.declaration.clone()}
		return nil
	})
	return out, err
}

// GetPipelineInput is the input of GetPipeline.
type GetPipelineInput struct {
	Name    string `aws:",required"`
	Version *int
}

// GetPipelineOutput is its output.
type GetPipelineOutput struct {
	Pipeline *Declaration
	Metadata PipelineMetadata
}

// PipelineMetadata is what a pipeline is besides its structure.
type PipelineMetadata struct {
	PipelineArn      string
	Created, Updated time.Time
}

// GetPipeline returns a structure, the current one unless a version is named.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GetPipeline.html
func (s *Service) GetPipeline(_ context.Context, in *GetPipelineInput) (*GetPipelineOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	d := p.declaration
	if in.Version != nil {
		if *in.Version < 1 || *in.Version > len(p.versions) {
			return nil, wire.Errorf("PipelineVersionNotFoundException", "The pipeline %s has no version %d", in.Name, *in.Version)
		}
		d = p.versions[*in.Version-1]
	}
	return &GetPipelineOutput{
		Pipeline: d.clone(),
		Metadata: PipelineMetadata{PipelineArn: s.arn(in.Name), Created: p.created, Updated: p.updated},
	}, nil
}

// DeletePipelineInput is the input of DeletePipeline.
type DeletePipelineInput struct {
	Name string `aws:",required"`
}

// DeletePipelineOutput is empty.
type DeletePipelineOutput struct{}

// DeletePipeline removes a pipeline with its history; that there is none is fine.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_DeletePipeline.html
func (s *Service) DeletePipeline(_ context.Context, in *DeletePipelineInput) (*DeletePipelineOutput, error) {
	return &DeletePipelineOutput{}, s.turn(func(t *turn) error {
		if p, ok := t.pipelines[in.Name]; ok {
			t.cancel(p)
			delete(t.pipelines, in.Name)
		}
		return nil
	})
}

// ListPipelinesInput is the input of ListPipelines.
type ListPipelinesInput struct {
	MaxResults *int
	NextToken  string
}

// ListPipelinesOutput is its output, in the order of names.
type ListPipelinesOutput struct {
	Pipelines []PipelineSummary
	NextToken string
}

// A PipelineSummary is a pipeline in a list.
type PipelineSummary struct {
	Name                        string
	Version                     int
	PipelineType, ExecutionMode string
	Created, Updated            time.Time
}

// ListPipelines lists all pipelines.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListPipelines.html
func (s *Service) ListPipelines(_ context.Context, in *ListPipelinesInput) (*ListPipelinesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.pipelines))
	names, next, err := page(names, func(name string) string { return name }, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ListPipelinesOutput{Pipelines: []PipelineSummary{}, NextToken: next}
	for _, name := range names {
		p := s.pipelines[name]
		out.Pipelines = append(out.Pipelines, PipelineSummary{
			Name: name, Version: *p.declaration.Version, PipelineType: p.declaration.kind(),
			ExecutionMode: p.declaration.mode(), Created: p.created, Updated: p.updated,
		})
	}
	return out, nil
}
