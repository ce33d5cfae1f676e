package ecs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// poll is how often the health of a service's targets is looked at.
const poll = 5 * time.Second

// reconcile brings a service nearer to what was asked, until nothing is left to
// do now. It is called after every event and by the service's timer; a call
// while another is at work makes that one look again.
func (s *Service) reconcile(v *service) {
	s.mu.Lock()
	if v.reconciling {
		v.again = true
		s.mu.Unlock()
		return
	}
	v.reconciling = true
	for more := true; more && !s.closed; {
		v.again = false
		targets := v.targets()
		s.mu.Unlock()
		health := s.observe(targets)
		s.mu.Lock()
		deregister, acted := s.actLocked(v, health)
		s.mu.Unlock()
		s.deregister(deregister)
		s.mu.Lock()
		more = acted || v.again
	}
	v.reconciling = false
	v.changedLocked()
	s.mu.Unlock()
}

func (v *service) targets() []target {
	var all []target
	for _, t := range v.tasks {
		all = append(all, t.targets...)
	}
	return all
}

type targetHealth struct{ state, why string }

// observe reads the health of targets. It calls another service, so no lock is
// held; what changes meanwhile is an event that makes reconcile look again.
func (s *Service) observe(targets []target) map[target]targetHealth {
	all := map[target]targetHealth{}
	for _, b := range targets {
		state, why := s.LoadBalancing.Health(b.group, loopback, b.port)
		all[b] = targetHealth{state, why}
	}
	return all
}

// actLocked decides on what was observed and does it. It returns the targets to
// deregister, and whether anything changed, so that another pass is due.
func (s *Service) actLocked(v *service, health map[target]targetHealth) (deregister []target, acted bool) {
	if v.primary() == nil {
		return nil, false // EXTERNAL, or deleted
	}
	w := s.worldLocked(v, health)
	s.noteHealthLocked(v, w)
	d := decide(w)
	acted = s.breakLocked(v, d)
	for _, id := range d.finish {
		t := v.task(id)
		s.endLocked(t)
		s.endSoonLocked(v, t)
	}
	deregister = append(s.retireLocked(v, d.retire), s.replaceLocked(v, w, d.replace)...)
	s.scaleUpLocked(v, d.start)
	moved := len(d.finish)+len(d.retire)+len(d.replace)+d.start > 0
	if moved {
		v.steady = false
	}
	acted = acted || moved
	if d.complete {
		s.completeLocked(v)
	}
	if d.steady && !v.steady {
		v.steady = true
		s.tellLocked(v, "has reached a steady state.")
	}
	if d.steady && v.status == statusDraining {
		v.status, v.deployments, acted = statusInactive, nil, false
	}
	s.scheduleLocked(v, d, len(v.targets()) > 0)
	return deregister, acted
}

func (v *service) task(id string) *task {
	return v.tasks[slices.IndexFunc(v.tasks, func(t *task) bool { return t.id == id })]
}

// worldLocked gathers what a decision needs.
func (s *Service) worldLocked(v *service, health map[target]targetHealth) world {
	w := world{
		now: s.clock.Now(), desired: v.desired,
		minHealthy: (v.desired*v.minimumHealthyPercent() + 99) / 100,
		maxTotal:   v.desired * v.maximumPercent() / 100,
	}
	if b := v.configuration.DeploymentCircuitBreaker; b != nil && b.Enable && v.controller == controllerECS {
		w.threshold, w.rollback = threshold(v.desired), b.Rollback
	}
	if v.grace != nil {
		w.grace = time.Duration(*v.grace) * time.Second
	}
	for _, d := range v.deployments {
		w.deployments = append(w.deployments, seenDeployment{id: d.id, primary: d.primary, state: d.state, failed: d.failed, notBefore: d.notBefore})
	}
	for _, t := range v.tasks {
		seen := seenTask{id: t.id, deployment: t.deployment, state: t.state, started: t.startedAt, balanced: len(t.targets) > 0}
		seen.health, seen.why = worst(t.targets, health)
		w.tasks = append(w.tasks, seen)
	}
	return w
}

func (v *service) minimumHealthyPercent() int { return *v.configuration.MinimumHealthyPercent }
func (v *service) maximumPercent() int        { return *v.configuration.MaximumPercent }

// worst is the state of a task's targets that is farthest from healthy; for
// targets that drain, "" once all of them are gone.
func worst(targets []target, health map[target]targetHealth) (state, why string) {
	order := []string{"", "healthy", "draining", "unavailable", "unused", "initial", "unhealthy.draining", "unhealthy"}
	at := 0
	for _, b := range targets {
		seen, known := health[b]
		if !known {
			seen.state = "initial" // registered since
		}
		if i := slices.Index(order, seen.state); i > at {
			at, state, why = i, seen.state, seen.why
		}
	}
	return state, why
}

// noteHealthLocked ends a row of failures when a task is healthy for the first time.
func (s *Service) noteHealthLocked(v *service, w world) {
	for _, seen := range w.tasks {
		t := v.task(seen.id)
		if t.healthy || !seen.healthy(w.now) {
			continue
		}
		t.healthy = true
		if d := v.deployment(t.deployment); d != nil {
			d.failed, d.notBefore, d.toldTrouble = 0, time.Time{}, false
		}
	}
}

// breakLocked carries out what the circuit breaker decided.
func (s *Service) breakLocked(v *service, d decision) bool {
	if !d.trip {
		return false
	}
	now := s.clock.Now()
	lost := v.primary()
	lost.setState(failed, "ECS deployment circuit breaker: tasks failed to start.", now)
	s.tellLocked(v, "(deployment %s) deployment failed: tasks failed to start.", lost.id)
	back := v.deployment(d.rollback)
	if back != nil {
		lost.primary, back.primary, back.rolledBack = false, true, true
		back.failed, back.notBefore = 0, time.Time{}
		back.setState(inProgress, "ECS deployment circuit breaker: rolling back to deploymentId "+back.id, now)
		s.tellLocked(v, "rolling back to deployment %s.", back.id)
		v.balancers = back.balancers
	} else if v.configuration.DeploymentCircuitBreaker.Rollback {
		lost.reason = "ECS deployment circuit breaker: no rollback candidate was found to run the rollback."
	}
	v.steady = false
	return true
}

// retireLocked begins the end of tasks that are in surplus.
func (s *Service) retireLocked(v *service, ids []string) (deregister []target) {
	if len(ids) == 0 {
		return nil
	}
	var named []string
	draining := 0
	for _, id := range ids {
		t := v.task(id)
		targets := s.stopLocked(v, t, "ServiceSchedulerInitiated", fmt.Sprintf("Scaling activity initiated by (deployment %s)", v.primary().id), false)
		s.endSoonLocked(v, t)
		if len(targets) > 0 {
			draining++
		}
		deregister = append(deregister, targets...)
		named = append(named, fmt.Sprintf("(task %s)", t.id))
	}
	s.tellLocked(v, "has stopped %d running tasks: %s.", len(named), strings.Join(named, " "))
	s.tellDrainingLocked(v, deregister, draining)
	return deregister
}

// replaceLocked begins the end of tasks that failed their health checks.
func (s *Service) replaceLocked(v *service, w world, ids []string) (deregister []target) {
	for _, seen := range w.tasks {
		if !slices.Contains(ids, seen.id) {
			continue
		}
		t := v.task(seen.id)
		for _, b := range t.targets {
			s.tellLocked(v, "(port %d) is unhealthy in (target-group %s) due to (reason %s).", b.port, b.group, seen.why)
		}
		reason := fmt.Sprintf("Task failed ELB health checks in (target-group %s)", t.targets[0].group)
		targets := s.stopLocked(v, t, "ServiceSchedulerInitiated", reason, true)
		s.tellLocked(v, "has stopped 1 running tasks: (task %s).", t.id)
		s.tellDrainingLocked(v, targets, 1)
		deregister = append(deregister, targets...)
	}
	return deregister
}

func (s *Service) tellDrainingLocked(v *service, targets []target, tasks int) {
	groups := map[string]int{}
	for _, b := range targets {
		groups[b.group]++
	}
	for _, b := range v.balancers {
		if n := groups[b.TargetGroupArn]; n > 0 {
			s.tellLocked(v, "deregistered %d targets in (target-group %s)", n, b.TargetGroupArn)
		}
	}
	if tasks > 0 {
		s.tellLocked(v, "has begun draining connections on %d tasks.", tasks)
	}
}

// stopLocked orders a task to stop: at once, or after its targets, which it
// returns, have been deregistered and drained.
func (s *Service) stopLocked(v *service, t *task, code, reason string, blamed bool) []target {
	if t.ordered {
		return nil
	}
	s.orderLocked(v, t, code, reason, blamed)
	if t.state == taskRunning && len(t.targets) > 0 {
		t.state = taskDeactivating
		return t.targets
	}
	s.endLocked(t)
	return nil
}

// endSoonLocked files a task that has nothing left to wait for, once the lock is
// free; one with containers is filed when they exit.
func (s *Service) endSoonLocked(v *service, t *task) {
	if t.over() {
		s.clock.Go(func() { s.ended(v, t) })
	}
}

func (s *Service) scaleUpLocked(v *service, n int) {
	if n == 0 {
		return
	}
	var named []string
	for range n {
		t := s.startLocked(v, v.primary())
		named = append(named, fmt.Sprintf("(task %s)", t.id))
	}
	s.tellLocked(v, "has started %d tasks: %s.", n, strings.Join(named, " "))
}

// completeLocked makes the primary deployment all there is.
func (s *Service) completeLocked(v *service) {
	d := v.primary()
	d.setState(completed, fmt.Sprintf("ECS deployment %s completed.", d.id), s.clock.Now())
	v.deployments = []*deployment{d}
	s.tellLocked(v, "(deployment %s) deployment completed.", d.id)
}

// scheduleLocked sets the timer for the next look at the service.
func (s *Service) scheduleLocked(v *service, d decision, balanced bool) {
	if v.timer != nil {
		v.timer.Stop()
		v.timer = nil
	}
	wait := time.Duration(-1)
	if !d.wake.IsZero() {
		wait = d.wake.Sub(s.clock.Now())
	}
	if balanced && (wait < 0 || wait > poll) {
		wait = poll
	}
	if wait >= 0 && !s.closed {
		v.timer = s.clock.AfterFunc(wait, func() { s.reconcile(v) })
	}
}

// Close stops every timer and every task, and waits until the Runner has let go
// of those it was starting.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for _, v := range s.services {
		if v.timer != nil {
			v.timer.Stop()
		}
		v.changedLocked()
		for _, t := range v.tasks {
			t.cancel()
			for _, c := range t.containers {
				if c.process != nil && !c.exited {
					c.process.Stop(0)
				}
			}
		}
	}
	s.mu.Unlock()
	s.running.Wait()
}
