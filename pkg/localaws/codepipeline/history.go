package codepipeline

import (
	"context"
	"maps"
	"slices"
	"time"

	"cutover/pkg/localaws/wire"
)

// GetPipelineExecutionInput is the input of GetPipelineExecution.
type GetPipelineExecutionInput struct {
	PipelineName        string `aws:",required"`
	PipelineExecutionId string `aws:",required"`
}

// GetPipelineExecutionOutput is its output.
type GetPipelineExecutionOutput struct{ PipelineExecution PipelineExecution }

// A PipelineExecution is an execution as it stands.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html
type PipelineExecution struct {
	PipelineName        string
	PipelineVersion     int
	PipelineExecutionId string
	Status              ExecutionStatus
	ArtifactRevisions   []ArtifactRevision
	Variables           []ResolvedVariable
	Trigger             Trigger
	ExecutionMode       string
	ExecutionType       string
	RollbackMetadata    *RollbackMetadata
}

// An ArtifactRevision is the revision of a source artifact.
type ArtifactRevision struct {
	Name                     string
	RevisionId               string
	RevisionChangeIdentifier string
	RevisionSummary          string
	Created                  time.Time
	RevisionUrl              string
}

// A ResolvedVariable is a pipeline variable's value.
type ResolvedVariable struct{ Name, ResolvedValue string }

// RollbackMetadata names what a rollback goes back to.
type RollbackMetadata struct{ RollbackTargetPipelineExecutionId string }

// GetPipelineExecution returns one execution.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GetPipelineExecution.html
func (s *Service) GetPipelineExecution(_ context.Context, in *GetPipelineExecutionInput) (*GetPipelineExecutionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.PipelineName)
	if err != nil {
		return nil, err
	}
	e := p.execution(in.PipelineExecutionId)
	if e == nil {
		return nil, notFound(in.PipelineName, in.PipelineExecutionId)
	}
	out := PipelineExecution{
		PipelineName: in.PipelineName, PipelineVersion: e.version(), PipelineExecutionId: e.id, Status: e.status,
		Trigger: e.trigger, ExecutionMode: e.structure.mode(), ExecutionType: e.kind, RollbackMetadata: e.rollback(),
		ArtifactRevisions: []ArtifactRevision{}, Variables: []ResolvedVariable{},
	}
	for _, r := range e.revisions {
		out.ArtifactRevisions = append(out.ArtifactRevisions, ArtifactRevision{r.artifact, r.id, r.id, r.summary, r.created, r.url})
	}
	for _, name := range slices.Sorted(maps.Keys(e.parameter)) {
		out.Variables = append(out.Variables, ResolvedVariable{name, e.parameter[name]})
	}
	return &GetPipelineExecutionOutput{out}, nil
}

func notFound(pipeline, execution string) error {
	return wire.Errorf("PipelineExecutionNotFoundException", "The pipeline %s has no execution %s", pipeline, execution)
}

func (e *execution) rollback() *RollbackMetadata {
	if e.kind != TypeRollback {
		return nil
	}
	return &RollbackMetadata{e.target}
}

// ListPipelineExecutionsInput is the input of ListPipelineExecutions.
type ListPipelineExecutionsInput struct {
	PipelineName string `aws:",required"`
	MaxResults   *int
	NextToken    string
	Filter       *ExecutionFilter
}

// An ExecutionFilter picks executions.
type ExecutionFilter struct {
	SucceededInStage *struct {
		StageName string `aws:",required"`
	}
}

// ListPipelineExecutionsOutput is its output, newest first.
type ListPipelineExecutionsOutput struct {
	PipelineExecutionSummaries []ExecutionSummary
	NextToken                  string
}

// An ExecutionSummary is an execution in a list.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecutionSummary.html
type ExecutionSummary struct {
	PipelineExecutionId       string
	Status                    ExecutionStatus
	StartTime, LastUpdateTime time.Time
	SourceRevisions           []SourceRevision
	Trigger                   Trigger
	StopTrigger               *StopTrigger
	ExecutionMode             string
	ExecutionType             string
	RollbackMetadata          *RollbackMetadata
}

// A SourceRevision is what a source action found.
type SourceRevision struct{ ActionName, RevisionId, RevisionSummary, RevisionUrl string }

// A StopTrigger says why an execution was stopped.
type StopTrigger struct{ Reason string }

// ListPipelineExecutions lists executions, newest first.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListPipelineExecutions.html
func (s *Service) ListPipelineExecutions(_ context.Context, in *ListPipelineExecutionsInput) (*ListPipelineExecutionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.PipelineName)
	if err != nil {
		return nil, err
	}
	var picked []*execution
	for _, e := range slices.Backward(p.executions) {
		if in.Filter != nil && in.Filter.SucceededInStage != nil &&
			!e.succeededIn(max(0, e.structure.stage(in.Filter.SucceededInStage.StageName))) {
			continue
		}
		picked = append(picked, e)
	}
	picked, next, err := page(picked, func(e *execution) string { return e.id }, in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ListPipelineExecutionsOutput{PipelineExecutionSummaries: []ExecutionSummary{}, NextToken: next}
	for _, e := range picked {
		out.PipelineExecutionSummaries = append(out.PipelineExecutionSummaries, e.summarize())
	}
	return out, nil
}

func (e *execution) summarize() ExecutionSummary {
	summary := ExecutionSummary{
		PipelineExecutionId: e.id, Status: e.status, StartTime: e.started, LastUpdateTime: e.updated,
		Trigger: e.trigger, ExecutionMode: e.structure.mode(), ExecutionType: e.kind, RollbackMetadata: e.rollback(),
		SourceRevisions: []SourceRevision{},
	}
	for _, r := range e.revisions {
		summary.SourceRevisions = append(summary.SourceRevisions, SourceRevision{r.action, r.id, r.summary, r.url})
	}
	if e.stop != nil {
		summary.StopTrigger = &StopTrigger{e.stop.reason}
	}
	return summary
}

// ListActionExecutionsInput is the input of ListActionExecutions.
type ListActionExecutionsInput struct {
	PipelineName string `aws:",required"`
	Filter       *ActionFilter
	MaxResults   *int
	NextToken    string
}

// An ActionFilter picks the runs of one execution.
type ActionFilter struct {
	PipelineExecutionId       string
	LatestInPipelineExecution *struct {
		PipelineExecutionId string `aws:",required"`
		StartTimeRange      string `aws:",required"` // Latest or All
	}
}

// ListActionExecutionsOutput is its output, newest first.
type ListActionExecutionsOutput struct {
	ActionExecutionDetails []ActionExecutionDetail
	NextToken              string
}

// An ActionExecutionDetail is a run of an action in full.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionExecutionDetail.html
type ActionExecutionDetail struct {
	PipelineExecutionId       string
	ActionExecutionId         string
	PipelineVersion           int
	StageName, ActionName     string
	StartTime, LastUpdateTime time.Time
	UpdatedBy                 string
	Status                    ActionStatus
	Input                     ActionInput
	Output                    ActionOutput
}

// An ActionInput is what an action was started with.
type ActionInput struct {
	ActionTypeId          ActionType
	Configuration         map[string]string
	ResolvedConfiguration map[string]string
	RoleArn, Region       string
	InputArtifacts        []ArtifactDetail
	Namespace             string
}

// An ActionOutput is what an action left behind.
type ActionOutput struct {
	OutputArtifacts []ArtifactDetail
	ExecutionResult *ExecutionResult
	OutputVariables map[string]string
}

// An ExecutionResult is how an action went.
type ExecutionResult struct {
	ExternalExecutionId      string
	ExternalExecutionUrl     string
	ExternalExecutionSummary string
	ErrorDetails             *ErrorDetails
}

// An ArtifactDetail is where an artifact is.
type ArtifactDetail struct {
	Name       string
	S3Location struct{ Bucket, Key string } `aws:"s3location"`
}

// ListActionExecutions lists runs of actions, newest first.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListActionExecutions.html
func (s *Service) ListActionExecutions(_ context.Context, in *ListActionExecutionsInput) (*ListActionExecutionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.PipelineName)
	if err != nil {
		return nil, err
	}
	keep, err := p.filter(in)
	if err != nil {
		return nil, err
	}
	var picked []*actionRun
	for _, r := range slices.Backward(p.runs) {
		if keep(r) {
			picked = append(picked, r)
		}
	}
	picked, next, err := page(picked, func(r *actionRun) string { return r.id }, in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ListActionExecutionsOutput{ActionExecutionDetails: []ActionExecutionDetail{}, NextToken: next}
	for _, r := range picked {
		out.ActionExecutionDetails = append(out.ActionExecutionDetails, s.detail(r))
	}
	return out, nil
}

// filter says which runs a list is of. Latest leaves out runs that a retry has
// replaced.
func (p *pipeline) filter(in *ListActionExecutionsInput) (func(*actionRun) bool, error) {
	if in.Filter == nil {
		return func(*actionRun) bool { return true }, nil
	}
	id, latest := in.Filter.PipelineExecutionId, false
	if f := in.Filter.LatestInPipelineExecution; f != nil {
		if id != "" {
			return nil, wire.Errorf("ValidationException", "filter: has both pipelineExecutionId and latestInPipelineExecution")
		}
		id, latest = f.PipelineExecutionId, f.StartTimeRange == "Latest"
	}
	e := p.execution(id)
	if e == nil {
		return nil, notFound(in.PipelineName, id)
	}
	return func(r *actionRun) bool {
		if r.execution != e {
			return false
		}
		return !latest || e.stages[e.structure.stage(r.stage)].current[r.action.Name] == r
	}, nil
}

func (s *Service) detail(r *actionRun) ActionExecutionDetail {
	d := ActionExecutionDetail{
		PipelineExecutionId: r.execution.id, ActionExecutionId: r.id, PipelineVersion: r.execution.version(),
		StageName: r.stage, ActionName: r.action.Name, StartTime: r.started, LastUpdateTime: r.updated,
		UpdatedBy: r.updatedBy, Status: r.status,
		Input: ActionInput{
			ActionTypeId: r.action.ActionTypeId, Configuration: r.action.Configuration, ResolvedConfiguration: r.configuration,
			RoleArn: r.action.RoleArn, Region: s.Region, Namespace: r.action.Namespace, InputArtifacts: details(r.inputs),
		},
	}
	d.Output.ExecutionResult = &ExecutionResult{r.externalID, r.externalURL, r.summary, r.fault}
	d.Output.OutputVariables = r.variables
	if r.status == ActionSucceeded {
		d.Output.OutputArtifacts = details(r.outputs)
	}
	return d
}

func details(artifacts []artifact) []ArtifactDetail {
	all := make([]ArtifactDetail, len(artifacts))
	for i, a := range artifacts {
		all[i].Name, all[i].S3Location.Bucket, all[i].S3Location.Key = a.Name, a.Bucket, a.Key
	}
	return all
}
