package codepipeline

import (
	"context"
	"unicode/utf8"

	"cutover/pkg/localaws/wire"
)

// StopPipelineExecutionInput is the input of StopPipelineExecution.
type StopPipelineExecutionInput struct {
	PipelineName        string `aws:",required"`
	PipelineExecutionId string `aws:",required"`
	Abandon             bool
	Reason              string // up to 200 characters
}

// StopPipelineExecutionOutput is its output.
type StopPipelineExecutionOutput struct{ PipelineExecutionId string }

// StopPipelineExecution keeps an execution from starting more actions. It waits
// for those in progress or, with abandon, leaves them to themselves.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StopPipelineExecution.html
func (s *Service) StopPipelineExecution(_ context.Context, in *StopPipelineExecutionInput) (*StopPipelineExecutionOutput, error) {
	if n := utf8.RuneCountInString(in.Reason); n > 200 {
		return nil, wire.Errorf("ValidationException", "reason: is %d characters long, not within 0 to 200", n)
	}
	err := s.turn(func(t *turn) error {
		p, err := t.find(in.PipelineName)
		if err != nil {
			return err
		}
		e := p.execution(in.PipelineExecutionId)
		if e == nil || !e.live() {
			return wire.Errorf("PipelineExecutionNotStoppableException", "The execution %s is not in progress", in.PipelineExecutionId)
		}
		if e.stop != nil && (e.stop.abandon || !in.Abandon) {
			return wire.Errorf("DuplicatedStopRequestException", "The execution %s is being stopped already", in.PipelineExecutionId)
		}
		e.stop = &stop{abandon: in.Abandon, reason: in.Reason}
		t.setExecution(e, ExecutionStopping)
		if in.Abandon {
			for _, r := range e.running() {
				t.finish(r, ActionAbandoned, ending{})
			}
		}
		t.settle(p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &StopPipelineExecutionOutput{PipelineExecutionId: in.PipelineExecutionId}, nil
}
