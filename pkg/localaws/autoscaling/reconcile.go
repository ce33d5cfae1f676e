package autoscaling

import "time"

// How often a group is looked at: while something is under way, and otherwise.
const (
	busyPoll = 5 * time.Second
	idlePoll = 15 * time.Second
)

// A sight is an instance as the services beside showed it before a pass.
type sight struct {
	found   bool
	state   string
	zone    string
	image   string
	kind    string
	subnet  string
	ailing  bool
	targets map[string]string // states by target group
}

// A pass is one look at a group and what is to be done about it. What calls
// other services is put off until the lock is free.
type pass struct {
	seen    map[string]sight // by instance
	alarm   string           // the alarm that is in ALARM, of those the refresh watches
	effects []func()
	acted   bool // something changed, so that another pass is due
}

func (p *pass) later(f func()) { p.effects = append(p.effects, f) }

// wakeLocked makes a pass due now.
func (s *Service) wakeLocked(g *group) { s.scheduleLocked(g, 0) }

func (s *Service) scheduleLocked(g *group, wait time.Duration) {
	g.again = true
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	if !s.closed && !g.gone {
		g.timer = s.clock.AfterFunc(wait, func() { s.reconcile(g) })
	}
}

// reconcile brings a group nearer to what was asked, until nothing is left to
// do now. A call while another is at work makes that one look again.
func (s *Service) reconcile(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || g.gone {
		return
	}
	if g.reconciling {
		g.again = true
		return
	}
	s.running.Add(1)
	defer s.running.Done()
	g.reconciling = true
	for more := true; more && !s.closed; {
		g.again = false
		p := s.lookLocked(g)
		s.actLocked(g, p)
		s.carryOutLocked(p)
		more = p.acted || g.again
	}
	g.reconciling = false
	s.restLocked(g)
	g.changedLocked()
}

// carryOutLocked makes the calls of a pass without the lock.
func (s *Service) carryOutLocked(p *pass) {
	s.mu.Unlock()
	defer s.mu.Lock()
	for _, f := range p.effects {
		f()
	}
}

// lookLocked looks at a group's instances without the lock.
func (s *Service) lookLocked(g *group) *pass {
	type asked struct {
		id     string
		groups []string
	}
	var all []asked
	for _, m := range g.members {
		if m.id != "" {
			all = append(all, asked{m.id, append(append([]string{}, m.registered...), m.draining...)})
		}
	}
	var alarms []string
	if r := g.refreshing(); r != nil && r.preferences.AlarmSpecification != nil {
		alarms = r.preferences.AlarmSpecification.Alarms
	}
	s.mu.Unlock()
	defer s.mu.Lock()
	p := &pass{seen: map[string]sight{}}
	for _, a := range all {
		i, found := s.Instances.Instance(a.id)
		look := sight{found: found, state: i.State, zone: i.Zone, image: i.ImageID, kind: i.InstanceType, subnet: i.Subnet, ailing: i.Impaired, targets: map[string]string{}}
		for _, arn := range a.groups {
			look.targets[arn], _ = s.TargetGroups.Health(arn, a.id, 0)
		}
		p.seen[a.id] = look
	}
	if len(alarms) > 0 && s.Alarms != nil {
		p.alarm, _ = s.Alarms.InAlarm(alarms)
	}
	return p
}

// actLocked decides on what was seen and does it.
func (s *Service) actLocked(g *group, p *pass) {
	for _, m := range append([]*member{}, g.members...) {
		if look, seen := p.seen[m.id]; seen {
			s.advanceLocked(g, m, look, p)
		}
	}
	g.leaving = g.stillLeaving()
	if g.deleting {
		if len(g.members) == 0 {
			s.dropLocked(g)
		}
		return
	}
	if r := g.refreshing(); r != nil && !g.suspended["InstanceRefresh"] {
		s.refreshLocked(g, r, p)
	} else {
		s.scaleLocked(g, p)
	}
	if g.settled() {
		g.causes, g.replacing = nil, 0
	}
}

// settled says that nothing is left to launch or terminate.
func (g *group) settled() bool { return g.units() == g.desired }

// dropLocked forgets a group whose instances are gone.
func (s *Service) dropLocked(g *group) {
	g.gone = true
	for i, have := range s.groups {
		if have == g {
			s.groups = append(s.groups[:i:i], s.groups[i+1:]...)
			break
		}
	}
}

// restLocked sets the timer for the next look.
func (s *Service) restLocked(g *group) {
	if len(g.members) == 0 && g.units() == g.desired && g.refreshing() == nil {
		return // the next call wakes it
	}
	wait := idlePoll
	if !g.settled() || g.refreshing() != nil || len(g.leaving) > 0 {
		wait = busyPoll
	}
	for _, m := range g.members {
		if m.state != inService || len(m.draining) > 0 || len(m.registered) < len(g.targetGroups) {
			wait = busyPoll
		}
	}
	s.scheduleLocked(g, wait)
	g.again = false
}
