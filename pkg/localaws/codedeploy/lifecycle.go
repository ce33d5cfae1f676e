package codedeploy

// The lifecycle events of an instance.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html#appspec-hooks-server
const (
	applicationStop    = "ApplicationStop"
	downloadBundle     = "DownloadBundle"
	beforeInstall      = "BeforeInstall"
	install            = "Install"
	afterInstall       = "AfterInstall"
	applicationStart   = "ApplicationStart"
	validateService    = "ValidateService"
	beforeBlockTraffic = "BeforeBlockTraffic"
	blockTraffic       = "BlockTraffic"
	afterBlockTraffic  = "AfterBlockTraffic"
	beforeAllowTraffic = "BeforeAllowTraffic"
	allowTraffic       = "AllowTraffic"
	afterAllowTraffic  = "AfterAllowTraffic"
)

func installing() []string {
	return []string{applicationStop, downloadBundle, beforeInstall, install, afterInstall, applicationStart, validateService}
}

func blocking() []string { return []string{beforeBlockTraffic, blockTraffic, afterBlockTraffic} }

func allowing() []string { return []string{beforeAllowTraffic, allowTraffic, afterAllowTraffic} }

// events runs lifecycle events of an instance in order and then says whether
// all succeeded. The first that does not is the last, except in the rollback of
// a blue/green deployment, where nothing must keep traffic from returning.
func (r *run) events(t *target, names []string, then func(ok bool)) {
	r.eventsFrom(t, names, true, then)
}

func (r *run) eventsFrom(t *target, names []string, well bool, then func(ok bool)) {
	if len(names) == 0 {
		if !well {
			r.mark(t, failed)
		}
		then(well)
		return
	}
	r.start(t, names[0])
	r.event(t, names[0], func(d Diagnostics) {
		ok := r.finish(t, names[0], d)
		if !ok && !r.forgiven(names[0]) {
			r.mark(t, failed)
			then(false)
			return
		}
		r.eventsFrom(t, names[1:], well && (ok || r.d.rolls == nil), then)
	})
}

// forgiven says whether a failed event is not the end of its instance.
func (r *run) forgiven(event string) bool {
	if r.d.rolls != nil && r.d.settings.blueGreen() {
		return true
	}
	return event == applicationStop && r.d.info.IgnoreApplicationStopFailures
}

func (r *run) event(t *target, name string, done func(Diagnostics)) {
	switch name {
	case allowTraffic:
		r.allow(t, done)
	case blockTraffic:
		r.block(t, done)
	default:
		r.await(patience, func() bool { return r.Instances.AgentActive(t.TargetId) }, func(ok bool) {
			if !ok {
				done(Diagnostics{ErrorCode: "UnknownError", Message: "CodeDeploy agent was not able to receive the lifecycle event. " +
					"Check the CodeDeploy agent logs on your host and make sure the agent is running and can connect to the CodeDeploy server."})
				return
			}
			r.execute(t, name, done)
		})
	}
}

// start notes that an event begins.
func (r *run) start(t *target, event string) {
	r.mu.Lock()
	first := t.Status == pending
	now := r.Clock.Now()
	t.Status, t.LastUpdatedAt = inProgress, now
	if e := t.event(event); e != nil {
		e.Status, e.StartTime = inProgress, now
	}
	r.mu.Unlock()
	if first {
		r.tellInstance(t, "START")
	}
}

// finish notes how an event ended, and says whether well.
func (r *run) finish(t *target, event string, d Diagnostics) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	ok := d.ErrorCode == "Success"
	now := r.Clock.Now()
	t.LastUpdatedAt = now
	if e := t.event(event); e != nil && !r.over {
		e.Diagnostics, e.EndTime, e.Status = &d, now, failed
		if ok {
			e.Status = succeeded
		}
	}
	return ok
}

func (t *target) event(name string) *LifecycleEvent {
	for i := range t.LifecycleEvents {
		if t.LifecycleEvents[i].LifecycleEventName == name {
			return &t.LifecycleEvents[i]
		}
	}
	return nil
}

// mark sets an instance's status; a failed one skips the events to come.
func (r *run) mark(t *target, status string) {
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return
	}
	t.Status, t.LastUpdatedAt = status, r.Clock.Now()
	for i := range t.LifecycleEvents {
		if e := &t.LifecycleEvents[i]; e.Status == pending && status == failed {
			e.Status = skipped
		}
	}
	r.mu.Unlock()
	state := map[string]string{succeeded: "SUCCESS", failed: "FAILURE", ready: "READY"}[status]
	if state != "" {
		r.tellInstance(t, state)
	}
}

func success() Diagnostics { return Diagnostics{ErrorCode: "Success", Message: "Succeeded"} }

func fault(message string) Diagnostics {
	return Diagnostics{ErrorCode: "UnknownError", Message: message}
}
