package codepipeline

import (
	"slices"
	"testing"
)

func (w *world) retry(stage, id, mode string) error {
	_, err := w.service.RetryStageExecution(w.t.Context(), &RetryStageExecutionInput{"release", stage, id, mode})
	w.settle()
	return err
}

// jobOf returns the latest job of an action.
func (w *world) jobOf(action string) jobEvent {
	w.t.Helper()
	for _, j := range slices.Backward(w.service.Jobs()) {
		if j.Action == action {
			return jobEvent{ID: j.ID}
		}
	}
	w.t.Fatalf("action %s has no job", action)
	return jobEvent{}
}

func TestRetry_FailedAndAllActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode string
		want int // invocations after the retry, of a and b
	}{{FailedActions, 1}, {AllActions, 2}} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.create(pipelineOf(deploy(invoke("a", ""), invoke("b", ""))))
			wantCode(t, w.succeed(w.jobOf("a")), "")
			wantCode(t, w.resume(w.jobOf("b"), "token"), "")
			w.clock.Advance(60e9)
			failed := w.action("Deploy", "b").ActionExecutionId
			wantCode(t, w.fail(w.jobOf("b"), "broken"), "")
			w.wantStatus(id, ExecutionFailed)
			before := len(w.functions.jobs)

			wantCode(t, w.retry("Deploy", id, c.mode), "")
			w.wantStatus(id, ExecutionInProgress)
			if n := len(w.functions.jobs) - before; n != c.want {
				t.Errorf("invocations: got %d, want %d", n, c.want)
			}
			if job := w.functions.last(t); job.Data.ContinuationToken != "" {
				t.Errorf("continuation token of the retried job: got %q, want none", job.Data.ContinuationToken)
			}
			if got := w.action("Deploy", "b"); got.ActionExecutionId == failed || got.ErrorDetails != nil {
				t.Errorf("action b: got %+v, want a new run without error", got)
			}
			wantCode(t, w.retry("Deploy", id, c.mode), "StageNotRetryableException")
			for _, a := range []string{"b", "a"}[:c.want] {
				wantCode(t, w.succeed(w.jobOf(a)), "")
			}
			w.wantStatus(id, ExecutionSucceeded)

			state, err := w.service.GetPipelineState(t.Context(), &GetPipelineStateInput{Name: "release"})
			if err != nil {
				t.Fatal(err)
			}
			if m := state.StageStates[1].RetryStageMetadata; m == nil || m.ManualStageRetryAttempt == nil || *m.ManualStageRetryAttempt != 1 || m.LatestRetryTrigger != "ManualStageRetry" {
				t.Errorf("retry metadata: got %+v, want one manual retry", m)
			}
			if got := w.published.states("CodePipeline Pipeline Execution State Change"); !slices.Equal(got, []string{"STARTED", "FAILED", "RESUMED", "SUCCEEDED"}) {
				t.Errorf("pipeline events: got %q", got)
			}
			list, err := w.service.ListActionExecutions(t.Context(), &ListActionExecutionsInput{PipelineName: "release", Filter: &ActionFilter{PipelineExecutionId: id}})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(list.ActionExecutionDetails); n != 3+c.want {
				t.Errorf("history: got %d runs, want %d", n, 3+c.want)
			}
		})
	}
}

func TestRetry_Refusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(pipelineOf(deploy(invoke("a", ""), invoke("b", "")), approve()))
	wantCode(t, w.retry("Deploy", id, FailedActions), "StageNotRetryableException")
	wantCode(t, w.retry("Approve", id, FailedActions), "StageNotRetryableException")
	wantCode(t, w.retry("Nowhere", id, FailedActions), "StageNotFoundException")
	wantCode(t, w.retry("Deploy", newID(), FailedActions), "ValidationException")
	wantCode(t, w.retry("Deploy", id, "SOME_ACTIONS"), "ValidationException")

	// One failure fails the stage though the other action goes on.
	wantCode(t, w.fail(w.jobOf("a"), "broken"), "")
	w.wantStatus(id, ExecutionFailed)
	w.wantAction("Deploy", "b", ActionInProgress)
	wantCode(t, w.retry("Deploy", id, AllActions), "StageNotRetryableException")
	second := w.start()
	if got := w.execution(second); !got.waiting || got.at != 1 {
		t.Errorf("second execution: got waiting %v at stage %d, want it to wait while an action runs in the failed stage", got.waiting, got.at)
	}
	before := w.jobOf("b").ID
	wantCode(t, w.retry("Deploy", id, FailedActions), "")
	if w.jobOf("b").ID != before {
		t.Error("the action in progress was invoked again by a retry of the failed ones")
	}
	wantCode(t, w.fail(w.jobOf("b"), "broken too"), "")
	wantCode(t, w.fail(w.jobOf("a"), "broken again"), "")

	d := w.service.pipelines["release"].declaration.clone()
	d.Stages[1].Actions[0].Configuration["UserParameters"] = "new"
	_, err := w.service.UpdatePipeline(t.Context(), &UpdatePipelineInput{Pipeline: *d})
	wantCode(t, err, "")
	w.wantStatus(second, ExecutionCancelled)
	wantCode(t, w.retry("Deploy", second, FailedActions), "StageNotRetryableException")
}

func TestRetry_OnFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode string
		want int // invocations in all
	}{{"", 3}, {FailedActions, 3}, {AllActions, 4}} {
		t.Run("mode "+c.mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			d := pipelineOf(deploy(invoke("a", ""), invoke("b", "")))
			d.Stages[1].OnFailure = &OnFailure{Result: "RETRY"}
			if c.mode != "" {
				d.Stages[1].OnFailure.RetryConfiguration = &RetryConfiguration{RetryMode: c.mode}
			}
			id := w.create(d)
			wantCode(t, w.fail(w.jobOf("a"), "broken"), "")
			w.wantStatus(id, ExecutionFailed) // b still runs
			wantCode(t, w.succeed(w.jobOf("b")), "")
			w.wantStatus(id, ExecutionInProgress)
			if n := len(w.functions.jobs); n != c.want {
				t.Errorf("invocations: got %d, want %d", n, c.want)
			}
			wantCode(t, w.fail(w.jobOf("a"), "broken again"), "")
			if c.mode == AllActions {
				wantCode(t, w.succeed(w.jobOf("b")), "")
			}
			w.wantStatus(id, ExecutionFailed) // one attempt only
			run := w.execution(id).stages[1]
			if m := run.retry.metadata(); m == nil || *m.AutoStageRetryAttempt != 1 || m.LatestRetryTrigger != "AutomatedStageRetry" {
				t.Errorf("retry metadata: got %+v, want one automatic retry", m)
			}
		})
	}
}

func TestRollback_RunsTheStageWithTheTargetsArtifactsAndVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	swap := invoke("swap", "#{Source.CommitId}")
	swap.InputArtifacts = []ArtifactName{{"SourceOutput"}}
	d := pipelineOf(deploy(swap), Stage{Name: "After", Actions: []Action{invoke("check", "")}})
	first := w.create(d)
	old := w.functions.last(t)
	wantCode(t, w.succeed(w.jobOf("swap")), "")
	w.commits.tip = "c0ffee02"
	second := w.start()
	wantCode(t, w.succeed(w.jobOf("check")), "")

	roll := func(stage, target string) (string, error) {
		out, err := w.service.RollbackStage(t.Context(), &RollbackStageInput{"release", stage, target})
		w.settle()
		if err != nil {
			return "", err
		}
		return out.PipelineExecutionId, nil
	}
	_, err := roll("Deploy", first)
	wantCode(t, err, "UnableToRollbackStageException") // the second runs there
	wantCode(t, w.fail(w.jobOf("swap"), "broken"), "")
	for target, code := range map[[2]string]string{
		{"Source", first}:   "UnableToRollbackStageException",
		{"Deploy", second}:  "UnableToRollbackStageException",
		{"Deploy", newID()}: "PipelineExecutionNotFoundException",
		{"Nowhere", first}:  "StageNotFoundException",
	} {
		_, err := roll(target[0], target[1])
		wantCode(t, err, code)
	}
	third, err := roll("Deploy", first)
	wantCode(t, err, "")
	job := w.functions.last(t)
	if job.Data.ActionConfiguration.Configuration["UserParameters"] != "c0ffee01" || job.Data.InputArtifacts[0].Location != old.Data.InputArtifacts[0].Location {
		t.Errorf("job of the rollback: got %+v, want the first execution's commit and artifact", job.Data)
	}
	wantCode(t, w.succeed(job), "")
	w.wantStatus(third, ExecutionSucceeded) // the stage After is not run
	_, err = roll("Deploy", third)
	wantCode(t, err, "UnableToRollbackStageException")
	out, err := w.service.GetPipelineExecution(t.Context(), &GetPipelineExecutionInput{"release", third})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.PipelineExecution; got.ExecutionType != TypeRollback || got.RollbackMetadata.RollbackTargetPipelineExecutionId != first ||
		got.Trigger.TriggerType != "ManualRollback" || got.ArtifactRevisions[0].RevisionId != "c0ffee01" {
		t.Errorf("execution: got %+v, want a rollback to the first", got)
	}
	wantCode(t, w.retry("Deploy", second, FailedActions), "NotLatestPipelineExecutionException")

	changed := w.service.pipelines["release"].declaration.clone()
	changed.Stages[2].Actions[0].Configuration["UserParameters"] = "new"
	if _, err := w.service.UpdatePipeline(t.Context(), &UpdatePipelineInput{Pipeline: *changed}); err != nil {
		t.Fatal(err)
	}
	_, err = roll("Deploy", first)
	wantCode(t, err, "PipelineExecutionOutdatedException")
}

func TestRollback_OnFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := pipelineOf(deploy(invoke("swap", "#{Source.CommitId}")))
	d.Stages[1].OnFailure = &OnFailure{Result: "ROLLBACK"}
	first := w.create(d)
	wantCode(t, w.fail(w.jobOf("swap"), "nothing to go back to"), "")
	w.wantStatus(first, ExecutionFailed)
	second := w.start()
	wantCode(t, w.succeed(w.jobOf("swap")), "")
	w.wantStatus(second, ExecutionSucceeded)
	w.commits.tip = "c0ffee02"
	third := w.start()
	waiting := w.start()
	wantCode(t, w.fail(w.jobOf("swap"), "broken"), "")
	w.wantStatus(third, ExecutionFailed)

	executions := w.service.pipelines["release"].executions
	back := executions[len(executions)-1]
	if back.kind != TypeRollback || back.target != second || back.trigger != (Trigger{"AutomatedRollback", third}) {
		t.Errorf("latest execution: got %s to %s by %+v, want a rollback to the second", back.kind, back.target, back.trigger)
	}
	if got := w.functions.last(t).Data.ActionConfiguration.Configuration["UserParameters"]; got != "c0ffee01" {
		t.Errorf("parameters: got %q, want the second's commit", got)
	}
	wantCode(t, w.fail(w.jobOf("swap"), "broken too"), "")
	w.wantStatus(back.id, ExecutionFailed)
	if got, _ := w.service.Reports(w.functions.last(t).ID); got.ExecutionID != waiting {
		t.Errorf("in the stage after the failed rollback: got %+v, want the execution that waited", got)
	}
}
