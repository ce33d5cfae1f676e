package codedeploy

import (
	"maps"
	"slices"
	"time"
)

// How often a deployment looks, and how long it waits for something to happen.
// AWS publishes no figures but the hour of a script.
const (
	lookInterval  = 5 * time.Second
	alarmInterval = 10 * time.Second
	patience      = time.Hour
)

// A run carries a deployment out, step by step. The fields are guarded by the
// service's lock; no step is taken and nothing is waited for once it is over.
type run struct {
	*Service
	d *deployment

	steps     []func() // still to take
	over      bool
	balanced  []targetGroup
	suspended []string // Auto Scaling groups whose processes the end resumes
	waits     int
	pending   map[int]func() // what ends each wait early
	holding   string         // what ContinueDeployment would continue
	held      int            // the wait of that
}

// begin takes the first step.
func (r *run) begin() {
	if r.ended() {
		return
	}
	r.tell("START") // as Created, which triggers of AWS show too
	r.mu.Lock()
	if r.over || r.closed {
		r.mu.Unlock()
		return
	}
	r.d.info.Status, r.d.info.StartTime = inProgress, r.Clock.Now()
	r.mu.Unlock()
	switch {
	case r.d.rolls != nil && r.d.settings.blueGreen():
		r.steps = r.rollbackSteps()
	case r.d.only != nil:
		r.steps = r.launchSteps()
	case r.d.settings.blueGreen():
		r.watchAlarms()
		r.steps = r.blueGreenSteps()
	default:
		r.watchAlarms()
		r.steps = r.inPlaceSteps()
	}
	r.next()
}

// next takes the next step.
func (r *run) next() {
	r.mu.Lock()
	if r.over || r.closed || len(r.steps) == 0 {
		r.mu.Unlock()
		return
	}
	step := r.steps[0]
	r.steps = r.steps[1:]
	r.mu.Unlock()
	step()
}

// ended says that nothing is to be done any more.
func (r *run) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over || r.closed
}

// later calls f after a while, unless the run is over by then.
func (r *run) later(after time.Duration, f func()) (wait int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.closed {
		return 0
	}
	wait = r.waitLocked()
	timer := r.Clock.AfterFunc(after, func() {
		if r.take(wait) {
			f()
		}
	})
	r.expectLocked(wait, func() { timer.Stop() })
	return wait
}

// waitLocked numbers something that the run waits for; expectLocked says what
// ends it early. Each is taken once: by what was waited for, or by the end.
func (r *run) waitLocked() int {
	r.waits++
	r.pending[r.waits] = func() {}
	return r.waits
}

func (r *run) expectLocked(wait int, cancel func()) {
	if _, waiting := r.pending[wait]; waiting {
		r.pending[wait] = cancel
	}
}

// take ends a wait and says whether it was still waited for.
func (r *run) take(wait int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, waiting := r.pending[wait]
	delete(r.pending, wait)
	return waiting && !r.over && !r.closed
}

// await looks until it is so or the time is over, and then says which.
func (r *run) await(limit time.Duration, so func() bool, then func(ok bool)) {
	end := r.Clock.Now().Add(limit)
	var look func()
	look = func() {
		switch {
		case so():
			then(true)
		case !r.Clock.Now().Before(end):
			then(false)
		default:
			r.later(lookInterval, look)
		}
	}
	look()
}

// hold waits for ContinueDeployment, and takes the next step then.
func (r *run) hold(kind string, limit time.Duration, late func()) {
	wait := r.later(limit, func() {
		r.mu.Lock()
		r.holding = ""
		r.mu.Unlock()
		late()
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, waiting := r.pending[wait]; waiting {
		r.holding, r.held = kind, wait
	}
}

// resume ends a wait of this kind, and says whether there was one.
func (r *run) resume(kind string) bool {
	r.mu.Lock()
	cancel, waiting := r.pending[r.held]
	if r.holding != kind || !waiting {
		r.mu.Unlock()
		return false
	}
	r.holding = ""
	delete(r.pending, r.held)
	r.mu.Unlock()
	cancel()
	return true
}

// halt lets nothing happen any more.
func (r *run) halt() {
	r.mu.Lock()
	r.over = true
	cancels := r.cancelsLocked()
	r.mu.Unlock()
	for _, cancel := range cancels {
		cancel()
	}
}

func (r *run) cancelsLocked() []func() {
	cancels := slices.Collect(maps.Values(r.pending))
	clear(r.pending)
	return cancels
}

// fail ends the deployment with an error, and rolls it back if that is wanted.
func (r *run) fail(code, message string) {
	r.end(failed, &ErrorInformation{code, message}, r.d.settings.AutoRollbackConfiguration.on(onFailure))
}

// stop ends the deployment before its time.
func (r *run) stop(code, message string, rollback bool) {
	r.end(stopped, &ErrorInformation{code, message}, rollback)
}

// succeed ends the deployment well.
func (r *run) succeed() { r.end(succeeded, nil, false) }

// end ends the deployment, unless it is over.
func (r *run) end(status string, fault *ErrorInformation, rollback bool) {
	r.mu.Lock()
	if r.over || r.closed {
		r.mu.Unlock()
		return
	}
	r.over = true
	cancels := r.cancelsLocked()
	r.d.info.Status, r.d.info.ErrorInformation, r.d.info.CompleteTime = status, fault, r.Clock.Now()
	r.d.info.InstanceTerminationWaitTimeStarted = r.d.info.InstanceTerminationWaitTimeStarted && status != succeeded
	if status == succeeded {
		r.succeededLocked()
	} else {
		r.skipLocked()
	}
	var back *deployment
	if rollback && status != succeeded {
		back = r.rollbackLocked()
	}
	outcome, report, suspended := r.d.outcome(), r.d.report, r.suspended
	r.mu.Unlock()
	for _, cancel := range cancels {
		cancel()
	}
	r.unsettle(suspended)
	r.tell(map[string]string{succeeded: "SUCCESS", failed: "FAILURE", stopped: "STOP"}[status])
	if back != nil {
		r.trigger("DeploymentRollback")
		r.Clock.Go(back.run.begin)
	}
	for _, f := range report {
		f(outcome)
	}
	if r.d.after != nil {
		r.d.after(outcome.Succeeded)
	}
}

// succeededLocked makes the deployment's revision the group's.
func (r *run) succeededLocked() {
	if r.d.only != nil || r.d.rolls != nil && r.d.settings.blueGreen() {
		return
	}
	r.d.group.revision, r.d.group.succeeded = r.d.info.Revision, r.d
}

// skipLocked gives up on the instances that are not done.
func (r *run) skipLocked() {
	now := r.Clock.Now()
	for _, t := range r.d.targets {
		if t.Status == succeeded || t.Status == failed {
			continue
		}
		t.Status, t.LastUpdatedAt = skipped, now
		for i := range t.LifecycleEvents {
			if e := &t.LifecycleEvents[i]; e.Status == pending || e.Status == inProgress {
				e.Status = skipped
			}
		}
	}
}

// watchAlarms stops the deployment when one of its alarms goes off. A rollback
// is not watched: what it rolls back may well be why an alarm is on.
func (r *run) watchAlarms() {
	config := r.d.settings.AlarmConfiguration
	names := config.names()
	if len(names) == 0 || r.Alarms == nil || r.d.rolls != nil {
		return
	}
	r.mu.Lock()
	committed := r.d.committed
	r.mu.Unlock()
	if committed {
		return
	}
	if !config.IgnorePollAlarmFailure && !r.permit("AmazonCloudWatch", r.alarming(names)...) {
		return
	}
	if name, in := r.Alarms.InAlarm(names); in {
		r.stop("ALARM_ACTIVE", "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, "+
			"and the affected deployments have been stopped. Activated alarms: "+name, r.d.settings.AutoRollbackConfiguration.on(onAlarm))
		return
	}
	r.later(alarmInterval, r.watchAlarms)
}
