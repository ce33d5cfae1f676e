package codepipeline

import (
	"context"

	"cutover/pkg/localaws/wire"
)

// What a retry runs again.
const (
	FailedActions = "FAILED_ACTIONS"
	AllActions    = "ALL_ACTIONS"
)

// RetryStageExecutionInput is the input of RetryStageExecution.
type RetryStageExecutionInput struct {
	PipelineName        string `aws:",required"`
	StageName           string `aws:",required"`
	PipelineExecutionId string `aws:",required"`
	RetryMode           string `aws:",required"`
}

// RetryStageExecutionOutput is its output: the same execution.
type RetryStageExecutionOutput struct{ PipelineExecutionId string }

// RetryStageExecution runs the failed or all actions of a failed or stopped
// stage again, as the same execution.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_RetryStageExecution.html
func (s *Service) RetryStageExecution(_ context.Context, in *RetryStageExecutionInput) (*RetryStageExecutionOutput, error) {
	if in.RetryMode != FailedActions && in.RetryMode != AllActions {
		return nil, wire.Errorf("ValidationException", "retryMode: is %q, neither FAILED_ACTIONS nor ALL_ACTIONS", in.RetryMode)
	}
	err := s.turn(func(t *turn) error {
		p, i, err := t.findStage(in.PipelineName, in.StageName)
		if err != nil {
			return err
		}
		e := p.execution(in.PipelineExecutionId)
		if e == nil {
			return wire.Errorf("ValidationException", "The pipeline %s has no execution %s", in.PipelineName, in.PipelineExecutionId)
		}
		if err := p.retryable(e, i, in.RetryMode); err != nil {
			return err
		}
		run := e.stages[i]
		run.retry.manual++
		run.retry.trigger = "ManualStageRetry"
		t.retry(e, run, in.RetryMode)
		t.settle(p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &RetryStageExecutionOutput{PipelineExecutionId: in.PipelineExecutionId}, nil
}

// retryable says why an execution cannot be retried in a stage, if so.
func (p *pipeline) retryable(e *execution, stage int, mode string) error {
	refuse := func(format string, args ...any) error {
		return wire.Errorf("StageNotRetryableException", format, args...)
	}
	name := p.declaration.Stages[stage].Name
	if e.version() != *p.declaration.Version {
		return refuse("The structure of the pipeline has changed since the execution %s started", e.id)
	}
	if p.declaration.mode() != ModeParallel && e.stages[stage] != nil && p.latest[name] != e {
		return wire.Errorf("NotLatestPipelineExecutionException", "The execution %s is not the latest in the stage %s", e.id, name)
	}
	run := e.stages[stage]
	if run == nil || run.status != StageFailed && run.status != StageStopped {
		return refuse("The stage %s is not in a failed or stopped state for the execution %s", name, e.id)
	}
	if mode == AllActions && !run.settled {
		return refuse("The stage %s has actions in progress; all actions can be retried once they have ended", name)
	}
	return nil
}
