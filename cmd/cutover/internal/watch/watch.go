// Package watch follows one execution of a pipeline through CodePipeline's API,
// and answers its manual approvals. It changes nothing else.
package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// An Action is an action of an execution as it stands.
type Action struct {
	Stage   string        `json:"stage"`
	Name    string        `json:"action"`
	Status  string        `json:"status"` // as CodePipeline says: InProgress, Succeeded, ...; empty before it starts
	Percent int           `json:"percent,omitempty"`
	Summary string        `json:"summary,omitempty"`
	Error   string        `json:"error,omitempty"`
	Elapsed time.Duration `json:"-"` // on the wall, since it was first seen
}

// An Execution is an execution of a pipeline as it stands.
type Execution struct {
	ID      string        `json:"execution"`
	Status  string        `json:"status"`
	Actions []Action      `json:"actions"`
	Elapsed time.Duration `json:"-"` // on the wall, since Follow began
}

// Ended says that nothing more will happen by itself.
func (e Execution) Ended() bool {
	return e.Status != "" && e.Status != string(types.PipelineExecutionStatusInProgress) && e.Status != string(types.PipelineExecutionStatusStopping)
}

// A Watcher follows executions of one pipeline.
type Watcher struct {
	Client   *codepipeline.Client
	Pipeline string
	// Approve answers manual approvals as they come up.
	Approve bool
	// Every is how often it asks, on the wall. Zero means 200 ms.
	Every time.Duration
	// Seen hears of every change, with the whole execution each time.
	Seen func(Execution)
}

// Started waits for an execution of a commit and returns its id.
func (w *Watcher) Started(ctx context.Context, commit string) (string, error) {
	return poll(ctx, w.every(), func() (string, bool, error) {
		list, err := w.Client.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: &w.Pipeline})
		if err != nil {
			return "", false, fmt.Errorf("list executions of %s: %w", w.Pipeline, err)
		}
		for _, e := range list.PipelineExecutionSummaries {
			for _, revision := range e.SourceRevisions {
				if aws.ToString(revision.RevisionId) == commit {
					return aws.ToString(e.PipelineExecutionId), true, nil
				}
			}
		}
		return "", false, nil
	})
}

// Follow watches an execution until it ends, and returns how it ended.
func (w *Watcher) Follow(ctx context.Context, id string) (Execution, error) {
	began := time.Now()
	first := map[string]time.Time{}
	lasted := map[string]time.Duration{}
	var last Execution
	return poll(ctx, w.every(), func() (Execution, bool, error) {
		now, tokens, err := w.look(ctx, id)
		if err != nil {
			return last, false, err
		}
		now.Elapsed = time.Since(began)
		for i := range now.Actions {
			a := &now.Actions[i]
			key := a.Stage + "/" + a.Name
			if a.Status == "" {
				continue
			}
			if _, ok := first[key]; !ok {
				first[key] = time.Now()
			}
			if a.Status == string(types.ActionExecutionStatusInProgress) || lasted[key] == 0 {
				lasted[key] = time.Since(first[key])
			}
			a.Elapsed = lasted[key]
		}
		last = now
		w.Seen(now)
		if w.Approve {
			if err := w.approve(ctx, tokens); err != nil {
				return last, false, err
			}
		}
		return now, now.Ended(), nil
	})
}

// A request is a manual approval that waits for an answer.
type request struct{ stage, action, token string }

// look reads an execution, and the approvals it waits for.
func (w *Watcher) look(ctx context.Context, id string) (Execution, []request, error) {
	execution, err := w.Client.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: &w.Pipeline, PipelineExecutionId: &id})
	if err != nil {
		return Execution{}, nil, fmt.Errorf("get execution %s of %s: %w", id, w.Pipeline, err)
	}
	state, err := w.Client.GetPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: &w.Pipeline})
	if err != nil {
		return Execution{}, nil, fmt.Errorf("get state of %s: %w", w.Pipeline, err)
	}
	ours, err := w.runs(ctx, id)
	if err != nil {
		return Execution{}, nil, err
	}
	e := Execution{ID: id, Status: string(execution.PipelineExecution.Status)}
	var waiting []request
	for _, stage := range state.StageStates {
		for _, a := range stage.ActionStates {
			action := Action{Stage: aws.ToString(stage.StageName), Name: aws.ToString(a.ActionName)}
			if x := a.LatestExecution; x != nil && ours[aws.ToString(x.ActionExecutionId)] {
				action.Status, action.Summary = string(x.Status), aws.ToString(x.Summary)
				action.Percent = int(aws.ToInt32(x.PercentComplete))
				if x.ErrorDetails != nil {
					action.Error = aws.ToString(x.ErrorDetails.Message)
				}
				if x.Token != nil && x.Status == types.ActionExecutionStatusInProgress {
					waiting = append(waiting, request{action.Stage, action.Name, *x.Token})
				}
			}
			e.Actions = append(e.Actions, action)
		}
	}
	return e, waiting, nil
}

// runs are the ids of an execution's action executions: a pipeline's state shows
// an action as it ran last, which may have been for an earlier execution.
func (w *Watcher) runs(ctx context.Context, id string) (map[string]bool, error) {
	list, err := w.Client.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{
		PipelineName: &w.Pipeline, Filter: &types.ActionExecutionFilter{PipelineExecutionId: &id},
	})
	if err != nil {
		return nil, fmt.Errorf("list actions of execution %s of %s: %w", id, w.Pipeline, err)
	}
	ids := map[string]bool{}
	for _, a := range list.ActionExecutionDetails {
		ids[aws.ToString(a.ActionExecutionId)] = true
	}
	return ids, nil
}

func (w *Watcher) approve(ctx context.Context, waiting []request) error {
	for _, r := range waiting {
		_, err := w.Client.PutApprovalResult(ctx, &codepipeline.PutApprovalResultInput{
			PipelineName: &w.Pipeline, StageName: &r.stage, ActionName: &r.action, Token: &r.token,
			Result: &types.ApprovalResult{Status: types.ApprovalStatusApproved, Summary: aws.String("approved by cutover local run")},
		})
		if err != nil {
			return fmt.Errorf("approve %s in %s: %w", r.action, r.stage, err)
		}
	}
	return nil
}

func (w *Watcher) every() time.Duration {
	if w.Every == 0 {
		return 200 * time.Millisecond
	}
	return w.Every
}

// poll asks until the answer is final or the context ends.
func poll[T any](ctx context.Context, every time.Duration, ask func() (T, bool, error)) (T, error) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		answer, final, err := ask()
		if final || err != nil {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
