package autoscaling

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// backoff is how long a group waits after launches that failed in a row.
func backoff(failures int) time.Duration {
	return min(30*time.Second<<min(max(failures-1, 0), 5), 15*time.Minute)
}

// scaleLocked launches and terminates until a group has its desired capacity.
func (s *Service) scaleLocked(g *group, p *pass) {
	before := g.units()
	from, mark := g.launching()
	for n := before; n < g.desired && s.launchableLocked(g); {
		n += s.launchLocked(g, from, mark, p)
	}
	if g.suspended[processTerminate] {
		return
	}
	for surplus := before - g.desired; surplus > 0; {
		m := g.victim()
		if m == nil || m.option.weight > surplus {
			return
		}
		surplus -= m.option.weight
		s.endLocked(g, m, g.because(s.at("an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from %d to %d.",
			before, before-1), s.at("instance %s was selected for termination.", m.id)))
		before--
		p.acted = true
	}
}

func (s *Service) launchableLocked(g *group) bool {
	return !g.suspended[processLaunch] && !s.clock.Now().Before(g.notBefore)
}

// launchLocked begins one launch and returns its weight.
func (s *Service) launchLocked(g *group, from spec, refresh string, p *pass) int {
	options := from.options()
	way := options[g.failures%len(options)]
	m := &member{
		option: way, configuration: from.configuration, state: pending, health: healthy, protected: g.protect, launched: s.clock.Now(), refresh: refresh,
	}
	at := g.emptiest()
	m.subnet, m.zone = at.subnet, at.zone
	cause := s.at("an instance was started in response to a difference between desired and actual capacity, increasing the capacity from %d to %d.", g.units(), g.units()+way.weight)
	if g.replacing > 0 {
		cause = s.at("an instance was launched in response to an unhealthy instance needing to be replaced.")
		g.replacing--
	} else if refresh != "" {
		cause = s.at("an instance was launched in response to an instance refresh.")
	}
	m.act = s.beginLocked(g, "", "Launching a new EC2 instance", g.because(cause), m)
	m.act.StatusCode, m.act.Progress = statusPreService, 30
	g.members = append(g.members, m)
	p.acted = true
	l := Launch{Group: g.name, ImageID: way.imageID, InstanceType: way.instanceType, Subnet: m.subnet, Zone: m.zone, Tags: g.instanceTags()}
	if from.configuration != "" {
		if c := s.configurationLocked(from.configuration); c != nil {
			l.Configuration = new(*c)
		}
	}
	template := way.template.clone()
	p.later(func() { s.launch(g, m, l, template) })
	return way.weight
}

// launch asks EC2 for an instance. The template's version is looked up now, so
// that "$Latest" is what it is at this moment.
func (s *Service) launch(g *group, m *member, l Launch, template *LaunchTemplateSpecification) {
	var id string
	var err error
	if template != nil {
		var found Template
		if found, err = s.Instances.Template(template.key(), template.Version); err == nil {
			l.TemplateID, l.Version = found.ID, found.Number
			template = &LaunchTemplateSpecification{LaunchTemplateId: found.ID, LaunchTemplateName: found.Name, Version: strconv.FormatInt(found.Number, 10)}
		}
	}
	if err == nil {
		id, err = s.Instances.Launch(l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g.again = true
	if err != nil {
		p := &pass{}
		s.launchFailedLocked(g, m, reason(err), p)
		s.carryOutLocked(p)
		return
	}
	m.id, m.option.template, m.number = id, template, l.Version
	m.act.instance, m.act.Description = id, "Launching a new EC2 instance: "+id
	if g.deleting {
		m.force = true
		s.endLocked(g, m, s.at("the group was deleted while the instance was being launched."))
	}
}

// launchFailedLocked records that a launch failed and forgets the instance.
func (s *Service) launchFailedLocked(g *group, m *member, why string, p *pass) {
	if m.id == "" {
		m.act.Description = "Launching a new EC2 instance.  Status Reason: " + why + " Launching EC2 instance failed."
	}
	s.finishLocked(m.act, statusFailed, why+" Launching EC2 instance failed.")
	s.noticeLocked(g, noticeLaunchError, m.act, p.later)
	g.failures++
	g.failure, g.notBefore = why, s.clock.Now().Add(backoff(g.failures))
	s.forgetLocked(g, m, p)
}

// emptiest is the place with the fewest instances.
func (g *group) emptiest() place {
	return slices.MinFunc(g.places, func(a, b place) int { return cmp.Compare(g.population(a), g.population(b)) })
}

func (g *group) population(at place) int {
	n := 0
	for _, m := range g.members {
		if !m.leavingGroup() && at.has(m) {
			n++
		}
	}
	return n
}

func (p place) has(m *member) bool {
	if p.subnet != "" {
		return m.subnet == p.subnet
	}
	return m.zone == p.zone
}

// crowd is how many instances are where an instance is.
func (g *group) crowd(m *member) int {
	for _, p := range g.places {
		if p.has(m) {
			return g.population(p)
		}
	}
	return 0
}

// victim is the instance that a scale-in terminates: one that is not protected,
// in the fullest place, by the group's termination policies.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-instance-termination.html
func (g *group) victim() *member {
	var all []*member
	for _, m := range g.members {
		if !m.leavingGroup() && !m.protected && m.id != "" {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil
	}
	fullest := g.crowd(slices.MaxFunc(all, func(a, b *member) int { return cmp.Compare(g.crowd(a), g.crowd(b)) }))
	all = slices.DeleteFunc(all, func(m *member) bool { return g.crowd(m) < fullest })
	return slices.MinFunc(all, g.doomed)
}

// doomed orders instances by the termination policies.
func (g *group) doomed(a, b *member) int {
	for _, policy := range g.policies {
		order := 0
		switch policy {
		case "NewestInstance":
			order = b.launched.Compare(a.launched)
		case "OldestInstance":
			order = a.launched.Compare(b.launched)
		case "OldestLaunchTemplate", "OldestLaunchConfiguration":
			order = compareLaunch(g, a, b)
		default:
			order = cmp.Or(compareLaunch(g, a, b), a.launched.Compare(b.launched))
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// compareLaunch puts what the group would not launch any more before what it
// would, and lower versions of a template before higher ones.
func compareLaunch(g *group, a, b *member) int {
	current := func(m *member) int {
		if m.configuration == g.spec.configuration && (m.option.template == nil) == (g.spec.configuration != "") {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(current(a), current(b)), cmp.Compare(a.number, b.number))
}
