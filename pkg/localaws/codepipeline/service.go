package codepipeline

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// Config says what a service is made of.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	Logger  *slog.Logger // nil discards

	Objects      Objects      // where artifacts are
	Functions    Functions    // Lambda, for invoke actions
	Builds       Builds       // CodeBuild, for build actions
	Repositories Repositories // CodeCommit, for source actions
	Deployments  Deployments  // CodeDeploy, for deploy actions
	Roles        Roles        // IAM; nil allows everything
	Events       Events       // EventBridge; nil publishes nothing

	// Continuation is the time from the report that continues a job to the
	// next invocation, by the clock; zero means 30 s.
	Continuation time.Duration
}

// A Service holds the pipelines of one embedded AWS. It is safe for concurrent
// use.
type Service struct {
	Config

	mu        sync.Mutex
	closed    bool
	pipelines map[string]*pipeline
	jobs      map[string]*job
	jobOrder  []*job
	watchers  []*watcher
	notices   []notice
	telling   bool // somebody is delivering notices
}

// New makes a service without pipelines.
func New(config Config) *Service {
	if config.Continuation == 0 {
		config.Continuation = 30 * time.Second
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{Config: config, pipelines: map[string]*pipeline{}, jobs: map[string]*job{}}
}

// Close stops all timers and lets nothing happen any more.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, p := range s.pipelines {
		for _, e := range p.executions {
			for _, r := range e.running() {
				r.stopTimers()
			}
		}
	}
}

// Wire is the service's API.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "codepipeline",
		Protocols: []wire.Protocol{awsjson.Protocol{Version: "1.1", Target: "CodePipeline_20150709", Naming: wire.LowerFirst}},
		Operations: slices.Concat(
			s.pipelineOperations(), s.executionOperations(), s.historyOperations(),
			[]wire.Operation{
				// Jobs are of no pipeline as far as IAM knows.
				wire.Op("PutJobSuccessResult", s.PutJobSuccessResult),
				wire.Op("PutJobFailureResult", s.PutJobFailureResult),
				wire.Op("GetJobDetails", s.GetJobDetails),
			}),
	}
}

func (s *Service) pipelineOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreatePipeline", s.CreatePipeline,
			wire.On(func(in *CreatePipelineInput) []string { return []string{s.arn(in.Pipeline.Name)} }),
			wire.Needs(func(in *CreatePipelineInput) []wire.Access { return passRole(in.Pipeline.RoleArn) })),
		wire.Op("UpdatePipeline", s.UpdatePipeline,
			wire.On(func(in *UpdatePipelineInput) []string { return []string{s.arn(in.Pipeline.Name)} }),
			wire.Needs(func(in *UpdatePipelineInput) []wire.Access { return passRole(in.Pipeline.RoleArn) })),
		wire.Op("GetPipeline", s.GetPipeline, wire.On(func(in *GetPipelineInput) []string { return []string{s.arn(in.Name)} })),
		wire.Op("DeletePipeline", s.DeletePipeline, wire.On(func(in *DeletePipelineInput) []string { return []string{s.arn(in.Name)} })),
		wire.Op("ListPipelines", s.ListPipelines),
		wire.Op("ListTagsForResource", s.ListTagsForResource, wire.On(func(in *ListTagsForResourceInput) []string { return []string{in.ResourceArn} })),
		wire.Op("TagResource", s.TagResource, wire.On(func(in *TagResourceInput) []string { return []string{in.ResourceArn} })),
		wire.Op("UntagResource", s.UntagResource, wire.On(func(in *UntagResourceInput) []string { return []string{in.ResourceArn} })),
	}
}

func (s *Service) executionOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("StartPipelineExecution", s.StartPipelineExecution, wire.On(func(in *StartPipelineExecutionInput) []string { return []string{s.arn(in.Name)} })),
		wire.Op("StopPipelineExecution", s.StopPipelineExecution, wire.On(func(in *StopPipelineExecutionInput) []string { return []string{s.arn(in.PipelineName)} })),
		wire.Op("RetryStageExecution", s.RetryStageExecution, wire.On(func(in *RetryStageExecutionInput) []string { return []string{s.arn(in.PipelineName, in.StageName)} })),
		wire.Op("RollbackStage", s.RollbackStage, wire.On(func(in *RollbackStageInput) []string { return []string{s.arn(in.PipelineName, in.StageName)} })),
		wire.Op("PutApprovalResult", s.PutApprovalResult, wire.On(func(in *PutApprovalResultInput) []string {
			return []string{s.arn(in.PipelineName, in.StageName, in.ActionName)}
		})),
		wire.Op("DisableStageTransition", s.DisableStageTransition, wire.On(func(in *DisableStageTransitionInput) []string {
			return []string{s.arn(in.PipelineName, in.StageName)}
		})),
		wire.Op("EnableStageTransition", s.EnableStageTransition, wire.On(func(in *EnableStageTransitionInput) []string {
			return []string{s.arn(in.PipelineName, in.StageName)}
		})),
	}
}

func (s *Service) historyOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("GetPipelineState", s.GetPipelineState, wire.On(func(in *GetPipelineStateInput) []string { return []string{s.arn(in.Name)} })),
		wire.Op("GetPipelineExecution", s.GetPipelineExecution, wire.On(func(in *GetPipelineExecutionInput) []string { return []string{s.arn(in.PipelineName)} })),
		wire.Op("ListPipelineExecutions", s.ListPipelineExecutions, wire.On(func(in *ListPipelineExecutionsInput) []string { return []string{s.arn(in.PipelineName)} })),
		wire.Op("ListActionExecutions", s.ListActionExecutions, wire.On(func(in *ListActionExecutionsInput) []string { return []string{s.arn(in.PipelineName)} })),
	}
}
