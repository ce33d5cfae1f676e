package codepipeline

import (
	"context"
	"slices"
	"time"
)

// GetPipelineStateInput is the input of GetPipelineState.
type GetPipelineStateInput struct {
	Name string `aws:",required"`
}

// GetPipelineStateOutput is its output.
type GetPipelineStateOutput struct {
	PipelineName     string
	PipelineVersion  int
	StageStates      []StageState
	Created, Updated time.Time
}

// A StageState is how a stage stands.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StageState.html
type StageState struct {
	StageName              string
	InboundExecution       *StageExecution
	InboundExecutions      []StageExecution
	InboundTransitionState TransitionState
	ActionStates           []ActionState
	LatestExecution        *StageExecution
	RetryStageMetadata     *RetryStageMetadata
}

// A StageExecution is an execution in a stage or before it.
type StageExecution struct {
	PipelineExecutionId string
	Status              StageStatus
	Type                string
}

// A TransitionState is how the way into a stage stands.
type TransitionState struct {
	Enabled        bool
	LastChangedBy  string
	LastChangedAt  time.Time
	DisabledReason string
}

// RetryStageMetadata counts a stage's retries.
type RetryStageMetadata struct {
	AutoStageRetryAttempt   *int
	ManualStageRetryAttempt *int
	LatestRetryTrigger      string
}

// An ActionState is how an action stood last, whatever execution that was in.
type ActionState struct {
	ActionName      string
	CurrentRevision *ActionRevision
	LatestExecution *ActionExecution
	RevisionUrl     string
}

// An ActionRevision is what a source action found.
type ActionRevision struct {
	RevisionId       string
	RevisionChangeId string
	Created          time.Time
}

// An ActionExecution is a run of an action in GetPipelineState.
type ActionExecution struct {
	ActionExecutionId    string
	Status               ActionStatus
	Summary              string
	LastStatusChange     time.Time
	Token                string
	LastUpdatedBy        string
	ExternalExecutionId  string
	ExternalExecutionUrl string
	PercentComplete      *int
	ErrorDetails         *ErrorDetails
}

// GetPipelineState shows each stage with its latest execution and what waits for
// it.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GetPipelineState.html
func (s *Service) GetPipelineState(_ context.Context, in *GetPipelineStateInput) (*GetPipelineStateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	out := &GetPipelineStateOutput{
		PipelineName: in.Name, PipelineVersion: *p.declaration.Version,
		Created: p.created, Updated: p.updated,
	}
	for i := range p.declaration.Stages {
		out.StageStates = append(out.StageStates, p.stageState(i))
	}
	return out, nil
}

func (p *pipeline) stageState(index int) StageState {
	stage := p.declaration.Stages[index]
	g := p.gate(stage.Name)
	state := StageState{
		StageName: stage.Name,
		InboundTransitionState: TransitionState{
			Enabled: g.enabled(), DisabledReason: g.reason, LastChangedBy: g.by, LastChangedAt: g.changed,
		},
	}
	for _, e := range p.executions {
		if e.waiting && e.at == index {
			state.InboundExecutions = append(state.InboundExecutions, StageExecution{e.id, StageInProgress, e.kind})
			state.InboundExecution = &state.InboundExecutions[len(state.InboundExecutions)-1]
		}
	}
	if e := p.latest[stage.Name]; e != nil {
		run := e.stages[e.structure.stage(stage.Name)]
		state.LatestExecution = &StageExecution{e.id, run.status, e.kind}
		state.RetryStageMetadata = run.retry.metadata()
	}
	for _, a := range stage.Actions {
		state.ActionStates = append(state.ActionStates, p.actionState(stage.Name, a.Name))
	}
	return state
}

func (r retryRecord) metadata() *RetryStageMetadata {
	if r.trigger == "" {
		return nil
	}
	m := &RetryStageMetadata{LatestRetryTrigger: r.trigger}
	if r.automatic > 0 {
		m.AutoStageRetryAttempt = &r.automatic
	}
	if r.manual > 0 {
		m.ManualStageRetryAttempt = &r.manual
	}
	return m
}

func (p *pipeline) actionState(stage, action string) ActionState {
	state := ActionState{ActionName: action}
	for _, r := range slices.Backward(p.runs) {
		if r.stage != stage || r.action.Name != action {
			continue
		}
		state.LatestExecution = &ActionExecution{
			ActionExecutionId: r.id, Status: r.status, Summary: r.summary, LastStatusChange: r.updated,
			LastUpdatedBy: r.updatedBy, ExternalExecutionId: r.externalID, ExternalExecutionUrl: r.externalURL, PercentComplete: r.percent, ErrorDetails: r.fault,
		}
		if r.status == ActionInProgress {
			state.LatestExecution.Token = r.token
		}
		if r.revision != nil {
			state.CurrentRevision = &ActionRevision{r.revision.id, r.revision.id, r.revision.created}
			state.RevisionUrl = r.revision.url
		}
		break
	}
	return state
}
