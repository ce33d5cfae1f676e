package codepipeline

import (
	"context"

	"cutover/pkg/localaws/wire"
)

// RollbackStageInput is the input of RollbackStage.
type RollbackStageInput struct {
	PipelineName              string `aws:",required"`
	StageName                 string `aws:",required"`
	TargetPipelineExecutionId string `aws:",required"`
}

// RollbackStageOutput is its output: the execution that rolls back.
type RollbackStageOutput struct{ PipelineExecutionId string }

// RollbackStage runs a stage again with the artifacts and variables of an earlier
// execution that succeeded in it, as a new execution.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_RollbackStage.html
func (s *Service) RollbackStage(ctx context.Context, in *RollbackStageInput) (*RollbackStageOutput, error) {
	var id string
	err := s.turn(func(t *turn) error {
		p, i, err := t.findStage(in.PipelineName, in.StageName)
		if err != nil {
			return err
		}
		target := p.execution(in.TargetPipelineExecutionId)
		if target == nil {
			return wire.Errorf("PipelineExecutionNotFoundException", "The pipeline %s has no execution %s", in.PipelineName, in.TargetPipelineExecutionId)
		}
		if err := p.revertible(i, target); err != nil {
			return err
		}
		e := t.newRollback(p, i, target, Trigger{"ManualRollback", wire.Caller(ctx).ARN}, t.now)
		t.add(e)
		t.enter(e)
		t.settle(p)
		id = e.id
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &RollbackStageOutput{PipelineExecutionId: id}, nil
}

// revertible says why a stage cannot go back to an execution, if so.
func (p *pipeline) revertible(stage int, target *execution) error {
	refuse := func(format string, args ...any) error {
		return wire.Errorf("UnableToRollbackStageException", format, args...)
	}
	name := p.declaration.Stages[stage].Name
	switch {
	case stage == 0:
		return refuse("The stage %s is a source stage, which cannot be rolled back", name)
	case p.declaration.mode() == ModeParallel:
		return refuse("The pipeline runs executions in parallel; its stages cannot be rolled back")
	case target.kind == TypeRollback:
		return refuse("The execution %s is a rollback itself and cannot be rolled back to", target.id)
	case target.version() != *p.declaration.Version:
		return wire.Errorf("PipelineExecutionOutdatedException", "The structure of the pipeline has changed since the execution %s started", target.id)
	case !target.succeededIn(stage):
		return refuse("The execution %s has not succeeded in the stage %s", target.id, name)
	}
	for _, e := range p.executions {
		if e.holds(stage) {
			return refuse("The stage %s is running the execution %s", name, e.id)
		}
	}
	return nil
}
