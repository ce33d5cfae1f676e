package automation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
)

// A run is one execution under way. Its fields are guarded by the engine's lock.
type run struct {
	Start
	role    string
	connect func() (caller, error) // once; without the lock

	status     string
	started    time.Time
	ended      time.Time
	steps      []progress
	outputs    map[string]any // by "step.Output"
	at         int            // the current step, or the last
	attempt    *attempt       // at the current step; nil when it is over
	verdict    string         // what the first critical failure makes of the execution
	message    string
	cancelling bool
	completing bool
	deadline   clock.Timer // of cancelling
}

// progress is what became of a step.
type progress struct {
	id       string
	status   string
	started  time.Time
	ended    time.Time
	inputs   map[string]any
	outputs  map[string]any
	message  string
	details  *FailureDetails
	attempts int
}

// An attempt is one try at a step.
type attempt struct {
	task      *task
	ctx       context.Context
	cancel    context.CancelFunc
	timers    []clock.Timer // its timeout and its next move
	phase     phase
	hint      string
	retries   int // of the current move
	waiting   bool
	decisions []decision
}

func (a *attempt) stop() {
	a.cancel()
	for _, t := range a.timers {
		t.Stop()
	}
}

// retryDelays are the pauses before a call is made again that was throttled or
// met a server fault.
var retryDelays = []time.Duration{2 * time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}

// attemptDelay is the pause between attempts at a step.
const attemptDelay = 10 * time.Second

// enterLocked begins a step.
func (e *Engine) enterLocked(r *run, i int) {
	now := e.Clock.Now()
	r.at = i
	step, p := &r.Document.Steps[i], &r.steps[i]
	p.id, p.status, p.started = newID(), "InProgress", now
	sc := scope{document: r.Document, parameters: r.Parameters, outputs: r.outputs, id: r.ID, region: e.Region, account: e.Account, now: now}
	in, err := step.resolve(sc)
	if err != nil {
		e.overLocked(r, "Failed", resolving, unfit("%v", err), "")
		return
	}
	p.inputs = in
	e.tryLocked(r, sc, 0)
}

// tryLocked makes an attempt at the current step after a while.
func (e *Engine) tryLocked(r *run, sc scope, after time.Duration) {
	step, p := &r.Document.Steps[r.at], &r.steps[r.at]
	p.attempts++
	p.status = "InProgress"
	ctx, cancel := context.WithCancel(e.ctx)
	a := &attempt{ctx: ctx, cancel: cancel, phase: step.action.begin, task: &task{
		step: step, in: p.inputs, scope: sc, now: e.Clock.Now,
		token: fmt.Sprintf("%s/%s/%d", r.ID, step.Name, p.attempts),
	}}
	r.attempt = a
	if step.Timeout > 0 {
		a.timers = append(a.timers, e.Clock.AfterFunc(after+step.Timeout, func() { e.timeOut(r, a) }))
	}
	e.scheduleLocked(r, a, after, step.action.move)
}

func (e *Engine) scheduleLocked(r *run, a *attempt, after time.Duration, m move) {
	if after <= 0 {
		e.Clock.Go(func() { e.perform(r, a, m) })
		return
	}
	timer := e.Clock.AfterFunc(after, func() { e.perform(r, a, m) })
	if len(a.timers) < 2 {
		a.timers = append(a.timers, timer)
		return
	}
	a.timers[1] = timer
}

// perform makes a move without the lock, unless the attempt is over.
func (e *Engine) perform(r *run, a *attempt, m move) {
	e.mu.Lock()
	if e.closed || r.attempt != a {
		e.mu.Unlock()
		return
	}
	e.moves.Add(1)
	e.mu.Unlock()
	defer e.moves.Done()

	n, err := e.make(r, a, m)

	e.mu.Lock()
	if e.closed || r.attempt != a {
		e.mu.Unlock()
		return
	}
	e.settleLocked(r, a, m, n, err)
	x := r.snapshotLocked()
	e.mu.Unlock()
	e.Changed(x)
}

// make makes a move with the execution's credentials.
func (e *Engine) make(r *run, a *attempt, m move) (next, error) {
	aws, err := r.connect()
	if err != nil {
		return next{}, &failure{kind: "Permission", message: fmt.Sprintf("The defined assume role is unable to be assumed: %v", err)}
	}
	a.task.aws = aws
	return m(a.ctx, a.task)
}

// settleLocked goes on from what a move yielded.
func (e *Engine) settleLocked(r *run, a *attempt, m move, n next, err error) {
	var refused *callError
	switch {
	case errors.As(err, &refused) && refused.transient() && a.retries < len(retryDelays):
		e.Logger.Debug("automation call to be made again", "execution", r.ID, "step", a.task.step.Name, "error", err)
		e.scheduleLocked(r, a, retryDelays[a.retries], m)
		a.retries++
	case err != nil:
		e.failLocked(r, a.phase, err)
	case n.waiting:
		a.waiting = true
		r.steps[r.at].status = "Waiting"
		if !r.cancelling {
			r.status = "Waiting"
		}
	case n.move != nil:
		a.phase, a.hint, a.retries = n.phase, n.hint, 0
		e.scheduleLocked(r, a, n.after, n.move)
	default:
		e.succeedLocked(r, n.outputs, n.jump)
	}
}

// succeedLocked ends the current step well; a branch's jump leads on.
func (e *Engine) succeedLocked(r *run, outputs map[string]any, jump string) {
	r.attempt.stop()
	e.yieldLocked(r, outputs)
	p := &r.steps[r.at]
	p.status, p.ended = "Success", e.Clock.Now()
	p.message, p.details = "", nil
	e.leaveLocked(r, true, jump)
}

// yieldLocked notes what the current step has put out.
func (e *Engine) yieldLocked(r *run, outputs map[string]any) {
	if len(outputs) == 0 {
		return
	}
	r.steps[r.at].outputs = outputs
	for name, value := range outputs {
		r.outputs[r.Document.Steps[r.at].Name+"."+name] = value
	}
}

// failLocked ends an attempt that failed.
func (e *Engine) failLocked(r *run, at phase, err error) {
	var own *failure
	var refused *callError
	switch {
	case errors.As(err, &own):
	case errors.As(err, &refused):
		own = &failure{kind: refused.failureType(), message: refused.Error()}
	default:
		own = unfit("%v", err)
	}
	e.overLocked(r, "Failed", at, own, "")
}

// timeOut ends an attempt that took too long.
func (e *Engine) timeOut(r *run, a *attempt) {
	e.mu.Lock()
	if e.closed || r.attempt != a {
		e.mu.Unlock()
		return
	}
	e.overLocked(r, "TimedOut", a.phase, unfit(""), a.hint)
	x := r.snapshotLocked()
	e.mu.Unlock()
	e.Changed(x)
}

// overLocked ends an attempt badly: with another one, or the step is over.
func (e *Engine) overLocked(r *run, status string, at phase, why *failure, hint string) {
	step, p := &r.Document.Steps[r.at], &r.steps[r.at]
	message := fmt.Sprintf("Step fails when it is %s. %s. %s", at.doing, strings.TrimSuffix(why.message, "."), guide)
	if status == "TimedOut" {
		message = fmt.Sprintf("Step timed out while step is %s.%s %s", at.doing, hint, guide)
	}
	p.message, p.details = message, &FailureDetails{FailureStage: at.stage, FailureType: why.kind}
	e.Logger.Debug("automation step attempt over", "execution", r.ID, "step", step.Name, "status", status, "message", message)
	if r.attempt != nil && at != resolving {
		r.attempt.stop()
		if p.attempts < step.MaxAttempts {
			if r.status == "Waiting" {
				r.status = "InProgress"
			}
			e.tryLocked(r, r.attempt.task.scope, attemptDelay)
			return
		}
	}
	e.yieldLocked(r, why.outputs)
	p.status, p.ended = status, e.Clock.Now()
	if step.IsCritical && r.verdict == "" && !r.cancelling {
		r.verdict, r.message = status, message
	}
	e.leaveLocked(r, false, "")
}

// leaveLocked goes on from a step that is over.
func (e *Engine) leaveLocked(r *run, ok bool, jump string) {
	r.attempt = nil
	if r.status == "Waiting" {
		r.status = "InProgress"
	}
	name, more := r.Document.route(r.at, ok, jump)
	if !more || r.completing && !r.cancelling {
		e.endLocked(r)
		return
	}
	e.enterLocked(r, r.Document.index(name))
}

// route says which step comes after one that is over, if any.
func (d *Document) route(i int, ok bool, jump string) (name string, more bool) {
	s := d.Steps[i]
	switch target, to := strings.CutPrefix(s.OnFailure, "step:"); {
	case ok && jump != "":
		return jump, true
	case ok || s.OnFailure == "Continue" || s.IsEnd:
		return d.following(i)
	case to:
		return target, true
	}
	return "", false
}

// endLocked ends an execution.
func (e *Engine) endLocked(r *run) {
	r.attempt = nil
	r.ended = e.Clock.Now()
	if r.deadline != nil {
		r.deadline.Stop()
	}
	switch {
	case r.cancelling:
		r.status = "Cancelled"
	case r.verdict != "":
		r.status = r.verdict
	default:
		r.status = "Success"
	}
	e.Logger.Debug("automation over", "execution", r.ID, "document", r.DocumentName, "status", r.status)
}

// cancelLocked ends the current step and goes on where its onCancel leads.
func (e *Engine) cancelLocked(r *run) {
	if r.attempt != nil {
		r.attempt.stop()
		r.attempt = nil
	}
	r.cancelling, r.status = true, "Cancelling"
	p := &r.steps[r.at]
	p.status, p.ended = "Cancelled", e.Clock.Now()
	name, to := strings.CutPrefix(r.Document.Steps[r.at].OnCancel, "step:")
	if !to {
		e.Clock.Go(func() { e.giveUp(r) })
		return
	}
	r.deadline = e.Clock.AfterFunc(cancelTime, func() { e.giveUp(r) })
	e.enterLocked(r, r.Document.index(name))
}

// giveUp ends an execution that is being cancelled.
func (e *Engine) giveUp(r *run) {
	e.mu.Lock()
	if e.closed || !r.ended.IsZero() {
		e.mu.Unlock()
		return
	}
	if a := r.attempt; a != nil {
		a.stop()
		r.steps[r.at].status, r.steps[r.at].ended = "Cancelled", e.Clock.Now()
	}
	e.endLocked(r)
	x := r.snapshotLocked()
	e.mu.Unlock()
	e.Changed(x)
}

// decideLocked notes what an approver says.
func (e *Engine) decideLocked(r *run, p wire.Principal, signal string) error {
	a := r.attempt
	if !maySay(p, texts(a.task.in["Approvers"])) {
		return ErrApprover
	}
	status := map[string]string{"Approve": "Approved", "Reject": "Rejected"}[signal]
	said := decision{approver: p.ARN, status: status}
	kept := []decision{said}
	for _, d := range a.decisions {
		if d.approver != p.ARN {
			kept = append(kept, d)
		}
	}
	a.decisions = kept
	list := []any{}
	for _, d := range kept {
		list = append(list, map[string]any{"approver": d.approver, "status": d.status})
	}
	outputs := map[string]any{"ApprovalStatus": status, "ApproverDecisions": list}
	switch {
	case signal == "Reject":
		why := unverified("The approval was rejected by %s", p.ARN)
		why.outputs = outputs
		e.overLocked(r, "Failed", executing, why, "")
	case int64(len(kept)) >= a.task.required():
		e.succeedLocked(r, outputs, "")
	default:
		outputs["ApprovalStatus"] = "Waiting"
		r.steps[r.at].outputs = outputs
	}
	return nil
}
