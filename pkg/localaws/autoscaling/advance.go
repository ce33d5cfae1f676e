package autoscaling

import (
	"slices"
	"strings"
	"time"
)

// advanceLocked moves one instance on by what was seen of it.
func (s *Service) advanceLocked(g *group, m *member, look sight, p *pass) {
	m.note(look)
	switch m.state {
	case pending:
		s.awaitBootLocked(g, m, look, p)
	case pendingWait, pendingProceed:
		s.awaitLaunchHooksLocked(g, m, look, p)
	case inService:
		s.registerLocked(g, m, p)
		s.checkLocked(g, m, look, p)
	default:
		s.leaveLocked(g, m, look, p)
	}
}

// note keeps what instances of a group are described with.
func (m *member) note(look sight) {
	if look.found {
		m.zone, m.imageID, m.instanceType = look.zone, look.image, look.kind
		if look.subnet != "" {
			m.subnet = look.subnet
		}
	}
	m.targets = look.targets
	m.draining = slices.DeleteFunc(m.draining, func(arn string) bool {
		state, seen := look.targets[arn]
		return seen && (state == "" || state == "unused")
	})
}

// over says that an instance will not run again.
func (look sight) over() bool {
	return !look.found || look.state == "terminated" || look.state == "shutting-down"
}

func (s *Service) awaitBootLocked(g *group, m *member, look sight, p *pass) {
	switch {
	case look.over() || look.state == "stopped" || look.state == "stopping":
		s.launchFailedLocked(g, m, "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: the instance is "+
			stateName(look)+".", p)
		if !look.over() {
			p.later(func() { s.terminate(g, m.id) })
		}
	case look.state == "running":
		p.acted = true
		if s.holdLocked(g, m, transitionLaunching, p) {
			m.state, m.act.StatusCode, m.act.Progress = pendingWait, statusMid, 40
			return
		}
		s.serveLocked(g, m, p)
	}
}

func stateName(look sight) string {
	if !look.found {
		return "gone"
	}
	return look.state
}

func (s *Service) awaitLaunchHooksLocked(g *group, m *member, look sight, p *pass) {
	if look.over() {
		m.waits = nil
		s.launchFailedLocked(g, m, "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: the instance is "+stateName(look)+".", p)
		return
	}
	if m.state == pendingWait && s.waitingLocked(m) {
		return
	}
	p.acted = true
	if m.abandoned {
		s.finishLocked(m.act, statusCancelled, "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token "+m.act.ActivityId+" was abandoned: Lifecycle Action Completed with ABANDON Result")
		s.noticeLocked(g, noticeLaunchError, m.act, p.later)
		m.act = nil
		s.endLocked(g, m, s.at("an instance was taken out of service in response to a launch that was abandoned by a lifecycle hook."))
		m.hooked = true // its termination is not hooked
		g.failures++
		g.notBefore = s.clock.Now().Add(backoff(g.failures))
		return
	}
	m.state = pendingProceed
	s.serveLocked(g, m, p)
}

// serveLocked puts an instance in service.
func (s *Service) serveLocked(g *group, m *member, p *pass) {
	m.state, m.served, m.hooked = inService, s.clock.Now(), false
	p.acted = true
	g.failures = 0
	s.registerLocked(g, m, p)
	if m.act != nil {
		s.finishLocked(m.act, statusSuccessful, "")
		s.noticeLocked(g, noticeLaunch, m.act, p.later)
		m.act = nil
	}
}

// registerLocked makes an instance in service a target of the group's target
// groups, and of no other.
func (s *Service) registerLocked(g *group, m *member, p *pass) {
	for _, arn := range g.targetGroups {
		if slices.Contains(m.registered, arn) || g.suspended[processBalancer] {
			continue
		}
		m.registered = append(m.registered, arn)
		m.draining = slices.DeleteFunc(m.draining, func(d string) bool { return d == arn })
		p.later(func() { s.register(g, m, arn) })
	}
	for _, arn := range slices.Clone(m.registered) {
		if !slices.Contains(g.targetGroups, arn) {
			s.deregisterLocked(m, arn, p)
		}
	}
}

// register tells Elastic Load Balancing; a refusal is tried again.
func (s *Service) register(g *group, m *member, arn string) {
	err := s.TargetGroups.Register(arn, m.id, 0)
	if err == nil {
		return
	}
	s.Logger.Warn("register target", "group", g.name, "instance", m.id, "target group", arn, "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.registered = slices.DeleteFunc(m.registered, func(r string) bool { return r == arn })
}

func (s *Service) deregisterLocked(m *member, arn string, p *pass) {
	m.registered = slices.DeleteFunc(m.registered, func(r string) bool { return r == arn })
	m.draining = append(m.draining, arn)
	p.acted = true
	p.later(func() {
		if err := s.TargetGroups.Deregister(arn, m.id, 0); err != nil {
			s.Logger.Warn("deregister target", "instance", m.id, "target group", arn, "error", err)
		}
	})
}

// checkLocked judges the health of an instance in service and replaces it when
// it is bad.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html
func (s *Service) checkLocked(g *group, m *member, look sight, p *pass) {
	if m.health == healthy && !g.suspended[processHealth] {
		if why := s.ailment(g, m, look); why != "" {
			m.health, m.why = unhealthy, why
			p.acted = true
		}
	}
	if m.health == healthy || g.suspended[processReplace] || g.suspended[processTerminate] {
		return
	}
	s.endLocked(g, m, s.at("an instance was taken out of service in response to %s", m.why))
	g.replacing++
	p.acted = true
}

// ailment says what is wrong with an instance, or "". Within the grace period
// only that it does not run counts.
func (s *Service) ailment(g *group, m *member, look sight) string {
	if look.over() || look.state == "stopped" || look.state == "stopping" {
		return "an EC2 health check indicating it has been terminated or stopped."
	}
	if g.inGrace(m, s.clock.Now()) {
		return ""
	}
	if look.ailing {
		return "an EC2 instance status checks failure."
	}
	if strings.Contains(g.healthCheck, healthELB) {
		for _, arn := range m.registered {
			if look.targets[arn] == "unhealthy" {
				return "an ELB system health check failure."
			}
		}
	}
	return ""
}

// inGrace says that an instance is too young for its health to count.
func (g *group) inGrace(m *member, now time.Time) bool {
	return m.state == inService && now.Before(m.served.Add(time.Duration(g.grace)*time.Second))
}

// endLocked orders the end of an instance.
func (s *Service) endLocked(g *group, m *member, cause string) {
	if m.act != nil && !m.act.over() {
		s.finishLocked(m.act, statusCancelled, "The instance was terminated while it was being launched.")
	}
	m.state, m.hooked, m.waits, m.abandoned = terminating, false, nil, false
	m.act = s.beginLocked(g, m.id, "Terminating EC2 instance: "+m.id, cause, m)
	m.old = false
}

// leaveLocked takes an instance out: its targets drain, its hooks run, EC2
// terminates it, and once that is done it is forgotten.
func (s *Service) leaveLocked(g *group, m *member, look sight, p *pass) {
	for _, arn := range slices.Clone(m.registered) {
		s.deregisterLocked(m, arn, p)
	}
	if len(m.draining) > 0 && !m.force && !look.over() {
		m.act.StatusCode = statusDraining
		m.act.Description = s.leaving(m) + " - Waiting For ELB Connection Draining."
		return
	}
	if m.state == detaching {
		m.act.Description = s.leaving(m)
		s.finishLocked(m.act, statusSuccessful, "")
		s.eventLocked(g, "EC2 Instance Detach Successful", m.act, p.later)
		s.forgetLocked(g, m, p)
		return
	}
	if !m.force && !look.over() && s.heldLocked(g, m, p) {
		return
	}
	if !m.terminated && !look.over() {
		m.act.StatusCode, m.act.Description = statusInProgress, s.leaving(m)
		m.terminated = true // no other pass is due for it: EC2 takes its time, or refuses and is asked again at the next look
		p.later(func() { s.terminate(g, m.id) })
		return
	}
	if !look.found || look.state == "terminated" {
		m.act.Description = s.leaving(m)
		s.finishLocked(m.act, statusSuccessful, "")
		s.noticeLocked(g, noticeTerminate, m.act, p.later)
		s.forgetLocked(g, m, p)
	}
}

func (s *Service) leaving(m *member) string {
	if m.state == detaching {
		return "Detaching EC2 instance: " + m.id
	}
	return "Terminating EC2 instance: " + m.id
}

// heldLocked says that lifecycle hooks keep an instance from its end.
func (s *Service) heldLocked(g *group, m *member, p *pass) bool {
	if m.state == terminating {
		if m.hooked || !s.holdLocked(g, m, transitionTerminating, p) {
			return false
		}
		m.state, m.act.StatusCode, m.act.Progress = terminatingWait, statusMid, 60
		m.act.Description = s.leaving(m)
	}
	if m.state == terminatingWait {
		if s.waitingLocked(m) {
			return true
		}
		m.state = terminatingProceed
		p.acted = true
	}
	return false
}

// terminate asks EC2 to end an instance; a refusal is tried again.
func (s *Service) terminate(g *group, id string) {
	err := s.Instances.Terminate(id)
	if err == nil {
		return
	}
	s.Logger.Warn("terminate instance", "group", g.name, "instance", id, "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := g.member(id); m != nil {
		m.terminated = false
		m.act.StatusMessage = reason(err)
	}
}

func (s *Service) forgetLocked(g *group, m *member, p *pass) {
	g.members = slices.DeleteFunc(g.members, func(have *member) bool { return have == m })
	p.acted = true
}
