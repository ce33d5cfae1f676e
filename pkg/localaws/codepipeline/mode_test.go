package codepipeline

import (
	"testing"
	"time"
)

func modeOf(mode string) Declaration {
	d := pipelineOf(deploy(invoke("swap", "")), Stage{Name: "After", Actions: []Action{invoke("check", "")}})
	d.ExecutionMode = mode
	return d
}

func TestMode_SupersededKeepsTheNewestWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.create(modeOf(ModeSuperseded))
	second, third := w.start(), w.start()
	w.wantStatus(first, ExecutionInProgress)
	w.wantStatus(second, ExecutionSuperseded)
	w.wantStatus(third, ExecutionInProgress)
	if n := len(w.functions.jobs); n != 1 {
		t.Fatalf("invocations in the locked stage: got %d, want 1", n)
	}
	state, err := w.service.GetPipelineState(t.Context(), &GetPipelineStateInput{Name: "release"})
	if err != nil {
		t.Fatal(err)
	}
	if got := state.StageStates[1]; got.InboundExecution == nil || got.InboundExecution.PipelineExecutionId != third || got.LatestExecution.PipelineExecutionId != first {
		t.Errorf("stage Deploy: got inbound %+v, latest %+v, want the third and the first", got.InboundExecution, got.LatestExecution)
	}
	if err := w.succeed(w.functions.last(t)); err != nil {
		t.Fatal(err)
	}
	// The first goes on to After while the third enters Deploy.
	if n := len(w.functions.jobs); n != 3 {
		t.Errorf("invocations: got %d, want 3", n)
	}
	got, _ := w.service.Reports(w.functions.last(t).ID)
	other, _ := w.service.Reports(w.functions.jobs[1].ID)
	if a := map[string]string{got.Action: got.ExecutionID, other.Action: other.ExecutionID}; a["swap"] != third || a["check"] != first {
		t.Errorf("running: got %v, want the third in swap and the first in check", a)
	}
}

func TestMode_AFailedStageIsFreeForTheNext(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{ModeSuperseded, ModeQueued} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			first := w.create(modeOf(mode))
			second := w.start()
			if err := w.fail(w.functions.last(t), "broken"); err != nil {
				t.Fatal(err)
			}
			w.wantStatus(first, ExecutionFailed)
			got, _ := w.service.Reports(w.functions.last(t).ID)
			if got.ExecutionID != second {
				t.Errorf("in the stage: got %s, want the second execution", got.ExecutionID)
			}
			_, err := w.service.RetryStageExecution(t.Context(), &RetryStageExecutionInput{"release", "Deploy", first, FailedActions})
			wantCode(t, err, "NotLatestPipelineExecutionException")
		})
	}
}

func TestMode_QueuedKeepsAllInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := []string{w.create(modeOf(ModeQueued)), w.start(), w.start(), w.start()}
	var order []string
	for range all {
		var swap jobEvent
		for _, j := range w.service.Jobs() {
			if j.Action == "swap" && j.Accepted == 0 {
				order = append(order, j.ExecutionID)
				swap.ID = j.ID
			}
		}
		if err := w.succeed(swap); err != nil {
			t.Fatal(err)
		}
		for _, j := range w.service.Jobs() {
			if j.Action == "check" && j.Accepted == 0 {
				if err := w.succeed(jobEvent{ID: j.ID}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for i, id := range all {
		w.wantStatus(id, ExecutionSucceeded)
		if order[i] != id {
			t.Errorf("turn %d: got %s, want %s", i, order[i], id)
		}
	}
}

func TestMode_ParallelLocksNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(modeOf(ModeParallel))
	for range 49 {
		w.start()
	}
	if n := len(w.functions.jobs); n != 50 {
		t.Errorf("running side by side: got %d, want 50", n)
	}
	_, err := w.service.StartPipelineExecution(t.Context(), &StartPipelineExecutionInput{Name: "release"})
	wantCode(t, err, "ConcurrentPipelineExecutionsLimitExceededException")
	_, err = w.service.RollbackStage(t.Context(), &RollbackStageInput{"release", "Deploy", w.service.pipelines["release"].executions[0].id})
	wantCode(t, err, "UnableToRollbackStageException")
}

func TestTransition_DisabledHoldsExecutionsBack(t *testing.T) {
	t.Parallel()
	for _, side := range []struct{ name, stage, kind string }{
		{"into the stage", "Deploy", "Inbound"}, {"out of the stage before", "Source", "Outbound"},
	} {
		t.Run(side.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			first := w.create(modeOf(ModeSuperseded))
			if err := w.fail(w.functions.last(t), "broken"); err != nil {
				t.Fatal(err)
			}
			_, err := w.service.DisableStageTransition(t.Context(), &DisableStageTransitionInput{"release", side.stage, side.kind, "freeze"})
			wantCode(t, err, "")
			second := w.start()
			state, err := w.service.GetPipelineState(t.Context(), &GetPipelineStateInput{Name: "release"})
			if err != nil {
				t.Fatal(err)
			}
			got := state.StageStates[1]
			if got.InboundTransitionState.Enabled || got.InboundTransitionState.DisabledReason != "freeze" || got.InboundExecution.PipelineExecutionId != second {
				t.Errorf("stage Deploy: got %+v, want it closed with the second execution before it", got)
			}
			// The first execution is still the stage's latest and may be retried.
			_, err = w.service.RetryStageExecution(t.Context(), &RetryStageExecutionInput{"release", "Deploy", first, FailedActions})
			wantCode(t, err, "")
			w.settle()
			if err := w.succeed(w.functions.last(t)); err != nil {
				t.Fatal(err)
			}
			_, err = w.service.EnableStageTransition(t.Context(), &EnableStageTransitionInput{"release", side.stage, side.kind})
			wantCode(t, err, "")
			w.settle()
			if got, _ := w.service.Reports(w.functions.last(t).ID); got.ExecutionID != second || got.Action != "swap" {
				t.Errorf("in the stage: got %+v, want the second execution", got)
			}
		})
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	stop := func(w *world, id string, abandon bool) error {
		_, err := w.service.StopPipelineExecution(w.t.Context(), &StopPipelineExecutionInput{PipelineName: "release", PipelineExecutionId: id, Abandon: abandon, Reason: "wrong day"})
		w.settle()
		return err
	}
	t.Run("waits for the action in progress, continuations included", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.create(modeOf(ModeSuperseded))
		wantCode(t, stop(w, id, false), "")
		w.wantStatus(id, ExecutionStopping)
		wantCode(t, stop(w, id, false), "DuplicatedStopRequestException")
		wantCode(t, w.resume(w.functions.last(t), "more"), "")
		w.clock.Advance(time.Minute)
		wantCode(t, w.succeed(w.functions.last(t)), "")
		w.wantStatus(id, ExecutionStopped)
		if n := len(w.functions.jobs); n != 2 {
			t.Errorf("invocations: got %d, want none after the stage", n)
		}
		wantCode(t, stop(w, id, true), "PipelineExecutionNotStoppableException")
		list, err := w.service.ListPipelineExecutions(t.Context(), &ListPipelineExecutionsInput{PipelineName: "release"})
		if err != nil {
			t.Fatal(err)
		}
		if got := list.PipelineExecutionSummaries[0].StopTrigger; got == nil || got.Reason != "wrong day" {
			t.Errorf("stop trigger: got %+v, want the reason", got)
		}
	})
	t.Run("abandons the action, whose job is then closed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.create(modeOf(ModeSuperseded))
		wantCode(t, stop(w, id, false), "")
		wantCode(t, stop(w, id, true), "")
		w.wantStatus(id, ExecutionStopped)
		w.wantAction("Deploy", "swap", ActionAbandoned)
		wantCode(t, w.succeed(w.functions.last(t)), "InvalidJobStateException")
		// A stopped stage can be retried.
		_, err := w.service.RetryStageExecution(t.Context(), &RetryStageExecutionInput{"release", "Deploy", id, FailedActions})
		wantCode(t, err, "")
		w.settle()
		w.wantStatus(id, ExecutionInProgress)
		wantCode(t, w.succeed(w.functions.last(t)), "")
		wantCode(t, w.succeed(w.functions.last(t)), "")
		w.wantStatus(id, ExecutionSucceeded)
	})
	t.Run("an abandoned continuation is not invoked again", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.create(modeOf(ModeSuperseded))
		wantCode(t, w.resume(w.functions.last(t), "more"), "")
		wantCode(t, stop(w, id, true), "")
		w.clock.Advance(time.Hour)
		if n := len(w.functions.jobs); n != 1 {
			t.Errorf("invocations: got %d, want 1", n)
		}
	})
	t.Run("an execution that only waits stops at once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.create(modeOf(ModeQueued))
		second := w.start()
		wantCode(t, stop(w, second, false), "")
		w.wantStatus(second, ExecutionStopped)
	})
}
