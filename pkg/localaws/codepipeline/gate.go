package codepipeline

import (
	"context"
	"time"
	"unicode/utf8"

	"cutover/pkg/localaws/wire"
)

// A gate is the inbound transition of a stage. The zero value is enabled.
type gate struct {
	closed  bool
	reason  string
	by      string
	changed time.Time
}

func (g *gate) enabled() bool { return !g.closed }

// DisableStageTransitionInput is the input of DisableStageTransition.
type DisableStageTransitionInput struct {
	PipelineName   string `aws:",required"`
	StageName      string `aws:",required"`
	TransitionType string `aws:",required"` // Inbound or Outbound
	Reason         string `aws:",required"` // 1 to 300 characters
}

// DisableStageTransitionOutput is empty.
type DisableStageTransitionOutput struct{}

// DisableStageTransition keeps executions from entering (or leaving) a stage.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_DisableStageTransition.html
func (s *Service) DisableStageTransition(ctx context.Context, in *DisableStageTransitionInput) (*DisableStageTransitionOutput, error) {
	if n := utf8.RuneCountInString(in.Reason); n < 1 || n > 300 {
		return nil, wire.Errorf("ValidationException", "reason: is %d characters long, not within 1 to 300", n)
	}
	err := s.setGate(in.PipelineName, in.StageName, in.TransitionType, gate{closed: true, reason: in.Reason, by: wire.Caller(ctx).ARN})
	if err != nil {
		return nil, err
	}
	return &DisableStageTransitionOutput{}, nil
}

// EnableStageTransitionInput is the input of EnableStageTransition.
type EnableStageTransitionInput struct {
	PipelineName   string `aws:",required"`
	StageName      string `aws:",required"`
	TransitionType string `aws:",required"` // Inbound or Outbound
}

// EnableStageTransitionOutput is empty.
type EnableStageTransitionOutput struct{}

// EnableStageTransition lets executions in again, at once.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_EnableStageTransition.html
func (s *Service) EnableStageTransition(ctx context.Context, in *EnableStageTransitionInput) (*EnableStageTransitionOutput, error) {
	err := s.setGate(in.PipelineName, in.StageName, in.TransitionType, gate{by: wire.Caller(ctx).ARN})
	if err != nil {
		return nil, err
	}
	return &EnableStageTransitionOutput{}, nil
}

func (s *Service) setGate(pipeline, stage, side string, g gate) error {
	return s.turn(func(t *turn) error {
		p, i, err := t.findStage(pipeline, stage)
		if err != nil {
			return err
		}
		switch side {
		case "Inbound":
		case "Outbound":
			i++
		default:
			return wire.Errorf("ValidationException", "transitionType: is %q, neither Inbound nor Outbound", side)
		}
		if i == len(p.declaration.Stages) {
			return wire.Errorf("ValidationException", "transitionType: nothing goes out of the last stage %s", stage)
		}
		g.changed = t.now
		*p.gate(p.declaration.Stages[i].Name) = g
		t.settle(p)
		return nil
	})
}
