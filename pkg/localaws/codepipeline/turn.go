package codepipeline

import (
	"slices"
	"time"
)

// A turn is one change of the world under the lock, and what is to be done in
// other services once the lock is released.
type turn struct {
	*Service
	now   time.Time
	later []func()
}

// turn makes a change, then tells who watches, then does what the change asks
// for. A closed service changes no more.
func (s *Service) turn(change func(t *turn) error) error {
	s.mu.Lock()
	t := &turn{Service: s, now: s.Clock.Now()}
	err := change(t)
	if s.closed {
		t.later = nil
	}
	s.mu.Unlock()
	s.tell()
	for _, f := range t.later {
		s.Clock.Go(f)
	}
	return err
}

// settle moves a pipeline on until nothing moves.
func (t *turn) settle(p *pipeline) {
	for t.advanceAll(p) || t.admitAll(p) {
	}
}

func (t *turn) advanceAll(p *pipeline) bool {
	moved := false
	for _, e := range p.executions {
		moved = t.advance(e) || moved
	}
	return moved
}

// advance moves one execution by one step and says whether it moved.
func (t *turn) advance(e *execution) bool {
	if e.waiting {
		if e.stop == nil {
			return false
		}
		e.waiting = false
		t.setExecution(e, ExecutionStopped)
		return true
	}
	run := e.stages[e.at]
	if run == nil || run.settled {
		return false
	}
	stage := e.structure.Stages[e.at]
	step := next(stage, run.statuses(), e.stop != nil)
	moved := t.setStage(e, e.at, step.status)
	if step.status == StageFailed {
		moved = t.setExecution(e, ExecutionFailed) || moved
	}
	for _, a := range step.start {
		t.start(e, run, stage.Name, a)
		moved = true
	}
	if step.busy {
		return moved
	}
	run.settled = true
	switch step.status {
	case StageSucceeded:
		t.leave(e)
	case StageFailed:
		t.failed(e, run, stage)
	case StageStopped:
		t.setExecution(e, ExecutionStopped)
	}
	return true
}

// leave takes an execution out of a stage that it succeeded in.
func (t *turn) leave(e *execution) {
	switch {
	case e.kind == TypeRollback || e.at == len(e.structure.Stages)-1:
		t.setExecution(e, ExecutionSucceeded)
	case e.stop != nil:
		t.setExecution(e, ExecutionStopped)
	default:
		e.at++
		e.waiting = true
	}
}

// failed draws the consequences of a stage's failure once it has come to rest.
func (t *turn) failed(e *execution, run *stageRun, stage Stage) {
	if stage.OnFailure == nil || e.stop != nil {
		return
	}
	switch stage.OnFailure.Result {
	case "RETRY":
		if run.retry.automatic == 0 {
			run.retry.automatic++
			run.retry.trigger = "AutomatedStageRetry"
			t.retry(e, run, stage.OnFailure.retryMode())
		}
	case "ROLLBACK":
		target := rollbackTarget(e.pipeline.executions, e)
		if e.kind == TypeRollback || target == nil {
			return
		}
		back := t.newRollback(e.pipeline, e.at, target, Trigger{"AutomatedRollback", e.id}, t.now)
		t.add(back)
		t.enter(back)
	}
}

func (f *OnFailure) retryMode() string {
	if f.RetryConfiguration == nil || f.RetryConfiguration.RetryMode == "" {
		return FailedActions
	}
	return f.RetryConfiguration.RetryMode
}

// retry opens a stage again for the execution that came to rest in it.
func (t *turn) retry(e *execution, run *stageRun, mode string) {
	for name, a := range run.current {
		if mode == AllActions || a.status == ActionFailed || a.status == ActionAbandoned {
			delete(run.current, name)
		}
	}
	e.stop = nil
	e.attempt++
	run.settled = false
	t.setExecution(e, ExecutionInProgress)
	t.setStage(e, e.at, StageInProgress)
	e.pipeline.latest[e.structure.Stages[e.at].Name] = e
}

// admitAll lets executions into the stages that they wait for.
func (t *turn) admitAll(p *pipeline) bool {
	moved := false
	for i, stage := range p.declaration.Stages {
		var waiting []*execution
		locked := false
		for _, e := range p.executions {
			if e.waiting && e.at == i {
				waiting = append(waiting, e)
			}
			locked = locked || e.holds(i)
		}
		enter, superseded := admit(p.declaration.mode(), waiting, locked, p.gate(stage.Name).enabled())
		for _, e := range superseded {
			e.waiting = false
			t.setExecution(e, ExecutionSuperseded)
		}
		for _, e := range enter {
			t.enter(e)
		}
		moved = moved || len(enter)+len(superseded) > 0
	}
	return moved
}

// enter takes an execution into the stage that it waits for.
func (t *turn) enter(e *execution) {
	e.waiting = false
	e.stages[e.at] = &stageRun{current: map[string]*actionRun{}}
	e.pipeline.latest[e.structure.Stages[e.at].Name] = e
	t.setStage(e, e.at, StageInProgress)
}

// add makes an execution known.
func (t *turn) add(e *execution) {
	e.pipeline.executions = append(e.pipeline.executions, e)
	t.noteExecution(e)
}

// start begins a run of an action. What keeps it from running fails it at once.
func (t *turn) start(e *execution, run *stageRun, stage string, a Action) {
	r := &actionRun{
		id: newID(), execution: e, stage: stage, action: a,
		status: ActionInProgress, started: t.now, updated: t.now,
	}
	run.current[a.Name] = r
	run.history = append(run.history, r)
	e.pipeline.runs = append(e.pipeline.runs, r)
	provider, _ := providerOf(a.ActionTypeId)
	if provider.token {
		r.token = newID()
	}
	var fault string
	if r.configuration, fault = e.resolve(a.Configuration); fault == "" {
		r.inputs, fault = e.inputs(a)
	}
	r.outputs = e.outputs(a)
	t.noteAction(r, true)
	if fault != "" {
		t.finish(r, ActionFailed, ending{fault: &ErrorDetails{"ConfigurationError", fault}})
		return
	}
	if limit := provider.limit(a); limit > 0 {
		r.total = t.Clock.AfterFunc(limit, func() { t.expire(r, provider.late(r)) })
	}
	if provider.run != nil {
		t.later = append(t.later, func() { provider.run(t.Service, r) })
	}
}

// An ending is what a run of an action leaves behind.
type ending struct {
	summary    string
	externalID string
	by         string // who ended it, for approvals
	fault      *ErrorDetails
	variables  map[string]string
	revision   *revision
}

// finish ends a run, and says whether it had still been in progress.
func (t *turn) finish(r *actionRun, status ActionStatus, end ending) bool {
	if r.status != ActionInProgress {
		return false
	}
	r.stopTimers()
	r.status, r.updated, r.fault, r.revision = status, t.now, end.fault, end.revision
	r.variables, r.updatedBy = end.variables, end.by
	if end.summary != "" {
		r.summary = end.summary
	}
	if end.externalID != "" {
		r.externalID = end.externalID
	}
	if status == ActionSucceeded {
		t.export(r)
	}
	t.noteAction(r, true)
	return true
}

// export hands what a run made to the actions after it.
func (t *turn) export(r *actionRun) {
	e := r.execution
	for _, a := range r.outputs {
		if r.revision != nil {
			a.Revision = &r.revision.id
		}
		e.artifacts[a.Name] = a
	}
	if r.action.Namespace != "" {
		e.exported[r.action.Namespace] = r.variables
	}
	if r.revision != nil {
		e.revisions = slices.DeleteFunc(e.revisions, func(old revision) bool { return old.action == r.action.Name })
		e.revisions = append(e.revisions, *r.revision)
	}
}

// succeed ends a run well.
func (s *Service) succeed(r *actionRun, end ending) {
	s.end(r, ActionSucceeded, end)
}

// fail ends a run with a failure.
func (s *Service) fail(r *actionRun, code, message string) {
	s.end(r, ActionFailed, ending{fault: &ErrorDetails{code, message}})
}

// expire fails a run that took too long.
func (s *Service) expire(r *actionRun, message string) {
	s.end(r, ActionFailed, ending{fault: &ErrorDetails{"JobFailed", message}})
}

func (s *Service) end(r *actionRun, status ActionStatus, end ending) {
	s.turn(func(t *turn) error {
		if !t.closed && t.finish(r, status, end) {
			t.settle(r.execution.pipeline)
		}
		return nil
	})
}

// cancel ends everything in progress, because the structure changed or the
// pipeline is gone.
func (t *turn) cancel(p *pipeline) {
	for _, e := range p.executions {
		for _, r := range e.running() {
			t.finish(r, ActionAbandoned, ending{})
		}
		for i, run := range e.stages {
			if run != nil && !run.settled {
				run.settled = true
				if run.status != StageFailed {
					t.setStage(e, i, StageCancelled)
				}
			}
		}
		if e.live() {
			e.waiting = false
			t.setExecution(e, ExecutionCancelled)
		}
	}
}
