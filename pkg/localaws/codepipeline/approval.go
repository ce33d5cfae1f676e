package codepipeline

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"cutover/pkg/localaws/wire"
)

// manualApproval waits for somebody's word.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-manual-approval.html
func manualApproval() provider {
	return provider{
		optional: []string{"CustomData", "ExternalEntityLink"},
		timeout:  7 * 24 * time.Hour,
		token:    true,
		late: func(r *actionRun) string {
			return fmt.Sprintf("The approval %s was not answered in time", r.action.Name)
		},
	}
}

// PutApprovalResultInput is the input of PutApprovalResult.
type PutApprovalResultInput struct {
	PipelineName string         `aws:",required"`
	StageName    string         `aws:",required"`
	ActionName   string         `aws:",required"`
	Result       ApprovalResult `aws:",required"`
	Token        string         `aws:",required"`
}

// An ApprovalResult is a reviewer's word.
type ApprovalResult struct {
	Status  string  `aws:",required"` // Approved or Rejected
	Summary *string `aws:",required"` // up to 512 characters, may be empty
}

// PutApprovalResultOutput is its output.
type PutApprovalResultOutput struct{ ApprovedAt time.Time }

// PutApprovalResult answers a manual approval by its token, which GetPipelineState
// shows.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html
func (s *Service) PutApprovalResult(ctx context.Context, in *PutApprovalResultInput) (*PutApprovalResultOutput, error) {
	if in.Result.Status != "Approved" && in.Result.Status != "Rejected" {
		return nil, wire.Errorf("ValidationException", "result.status: is %q, neither Approved nor Rejected", in.Result.Status)
	}
	if n := utf8.RuneCountInString(*in.Result.Summary); n > 512 {
		return nil, wire.Errorf("ValidationException", "result.summary: is %d characters long, not within 0 to 512", n)
	}
	var out *PutApprovalResultOutput
	err := s.turn(func(t *turn) error {
		r, err := t.approval(in)
		if err != nil {
			return err
		}
		end := ending{summary: *in.Result.Summary, by: wire.Caller(ctx).ARN}
		status := ActionSucceeded
		if in.Result.Status == "Rejected" {
			status = ActionFailed
			end.fault = &ErrorDetails{"JobFailed", fmt.Sprintf("Rejected by %s. %s", end.by, end.summary)}
		}
		t.finish(r, status, end)
		t.settle(r.execution.pipeline)
		out = &PutApprovalResultOutput{ApprovedAt: t.now}
		return nil
	})
	return out, err
}

// approval finds the run that a token answers.
func (t *turn) approval(in *PutApprovalResultInput) (*actionRun, error) {
	p, i, err := t.findStage(in.PipelineName, in.StageName)
	if err != nil {
		return nil, err
	}
	if _, ok := p.declaration.Stages[i].action(in.ActionName); !ok {
		return nil, wire.Errorf("ActionNotFoundException", "The stage %s has no action named %s", in.StageName, in.ActionName)
	}
	for _, r := range p.runs {
		if r.stage != in.StageName || r.action.Name != in.ActionName || r.token == "" || r.token != in.Token {
			continue
		}
		switch {
		case r.status == ActionInProgress:
			return r, nil
		case r.status == ActionSucceeded || r.updatedBy != "":
			return nil, wire.Errorf("ApprovalAlreadyCompletedException", "The approval %s was answered before", in.ActionName)
		}
		return nil, wire.Errorf("InvalidApprovalTokenException", "The approval %s has expired", in.ActionName)
	}
	return nil, wire.Errorf("InvalidApprovalTokenException", "The token does not belong to the approval %s", in.ActionName)
}
