package codepipeline

import "slices"

// This file decides; it changes nothing. turn.go carries out what is decided.

// A StageStatus is how a stage stands for one execution.
type StageStatus string

// The statuses of a stage.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StageExecution.html
const (
	StageCancelled  StageStatus = "Cancelled"
	StageInProgress StageStatus = "InProgress"
	StageFailed     StageStatus = "Failed"
	StageStopped    StageStatus = "Stopped"
	StageStopping   StageStatus = "Stopping"
	StageSucceeded  StageStatus = "Succeeded"
)

// An ActionStatus is how one run of an action stands.
type ActionStatus string

// The statuses of an action.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionExecution.html
const (
	ActionInProgress ActionStatus = "InProgress"
	ActionAbandoned  ActionStatus = "Abandoned"
	ActionSucceeded  ActionStatus = "Succeeded"
	ActionFailed     ActionStatus = "Failed"
)

// A step is what a stage does next.
type step struct {
	start  []Action // to be started, at once
	status StageStatus
	busy   bool // an action is in progress: the stage stays locked
}

// next decides a stage's next step from the current run of each of its actions.
// Actions of one run order run side by side; the next order waits until all of
// them have succeeded. The first failure fails the stage, though the others go
// on.
func next(stage Stage, current map[string]ActionStatus, stopping bool) step {
	var failed, abandoned, busy bool
	for _, status := range current {
		failed = failed || status == ActionFailed
		abandoned = abandoned || status == ActionAbandoned
		busy = busy || status == ActionInProgress
	}
	due := due(stage, current)
	switch {
	case failed:
		return step{status: StageFailed, busy: busy}
	case len(due) == 0 && !busy && !abandoned:
		return step{status: StageSucceeded}
	case (stopping || abandoned) && busy:
		return step{status: StageStopping, busy: true}
	case stopping || abandoned:
		return step{status: StageStopped}
	}
	return step{start: due, status: StageInProgress, busy: busy || len(due) > 0}
}

// due lists the actions of the lowest unfinished run order that have no run yet.
func due(stage Stage, current map[string]ActionStatus) []Action {
	order := 0
	for _, a := range stage.Actions {
		if current[a.Name] != ActionSucceeded && (order == 0 || a.order() < order) {
			order = a.order()
		}
	}
	var due []Action
	for _, a := range stage.Actions {
		if _, begun := current[a.Name]; a.order() == order && !begun {
			due = append(due, a)
		}
	}
	return due
}

// admit decides which of the executions that wait for a stage enter it, and
// which are superseded there. They come oldest first. A stage that is locked or
// whose inbound transition is disabled lets none in; they are superseded all the
// same, for a newer one waits.
func admit(mode string, waiting []*execution, locked, open bool) (enter, superseded []*execution) {
	if len(waiting) == 0 {
		return nil, nil
	}
	switch mode {
	case ModeParallel:
		if open {
			enter = waiting
		}
	case ModeQueued:
		if open && !locked {
			enter = waiting[:1]
		}
	default:
		newest := len(waiting) - 1
		superseded = waiting[:newest]
		if open && !locked {
			enter = waiting[newest:]
		}
	}
	return enter, superseded
}

// rollbackTarget is the execution that a failed stage goes back to: the latest
// that succeeded in it under the same structure and was no rollback itself.
func rollbackTarget(executions []*execution, failed *execution) *execution {
	for _, e := range slices.Backward(executions) {
		if e != failed && e.kind == TypeStandard && e.version() == failed.version() && e.succeededIn(failed.at) {
			return e
		}
	}
	return nil
}
