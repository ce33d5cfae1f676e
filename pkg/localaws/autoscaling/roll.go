package autoscaling

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// replacementLimit is how long a refresh goes on without any progress, besides
// the warm-up.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
const replacementLimit = time.Hour

// refreshLimit is how long a refresh can be active.
const refreshLimit = 14 * 24 * time.Hour

// A refresh replaces the instances of a group. Quantities are in capacity units.
type refresh struct {
	id           string
	preferences  RefreshPreferences // complete
	desired      *spec              // nil: what the group launches anyway
	irreversible string             // why it cannot be rolled back
	matching     []way              // what an instance is that SkipMatching leaves

	status, reason string
	start, end     time.Time
	total          int // to replace
	replaced       int // by instances that are ready
	percent        int
	checkpoint     int       // the next one
	resume         time.Time // after a checkpoint
	bake           time.Time // until when
	progress       time.Time // the latest
	rollback       *RollbackDetails
	percentBefore  int // the rollback
}

// A way is what an instance looks like when a spec launched it.
type way struct {
	template     string
	number       int64
	imageID      string // empty where only EC2 knows
	instanceType string // empty where any is good
}

// ways looks up what a refresh would launch; nil means nothing matches.
func (s *Service) ways(wanted *spec, current spec) ([]way, error) {
	if wanted == nil {
		wanted = &current
	}
	if wanted.configuration != "" {
		return nil, nil
	}
	var all []way
	for _, o := range wanted.options() {
		t, err := s.Instances.Template(o.template.key(), o.template.Version)
		if err != nil {
			return nil, invalid("You must use a valid fully-formed launch template. %s", reason(err))
		}
		w := way{template: t.ID, number: t.Number, imageID: t.ImageID, instanceType: t.InstanceType}
		if o.imageID != "" {
			w.imageID = o.imageID
		}
		if o.instanceType != "" {
			w.instanceType = o.instanceType
		}
		if !strings.HasPrefix(w.imageID, "ami-") {
			w.imageID = ""
		}
		all = append(all, w)
	}
	return all, nil
}

func (w way) fits(m *member) bool {
	return m.option.template != nil && m.option.template.LaunchTemplateId == w.template && m.number == w.number &&
		(w.imageID == "" || w.imageID == m.imageID) && (w.instanceType == "" || w.instanceType == m.instanceType)
}

func (r *refresh) on(b *bool) bool { return b != nil && *b }

func (r *refresh) over() bool { return !r.end.IsZero() }

// refreshing is the refresh that is under way.
func (g *group) refreshing() *refresh {
	if n := len(g.refreshes); n > 0 && !g.refreshes[n-1].over() {
		return g.refreshes[n-1]
	}
	return nil
}

// launching is what a group launches now, and the mark of what it launches.
func (g *group) launching() (spec, string) {
	r := g.refreshing()
	if r == nil || r.status == refreshPending || r.status == refreshCancelling {
		return g.spec, ""
	}
	if r.desired == nil || r.status == refreshRollback {
		return g.spec, r.mark()
	}
	return *r.desired, r.mark()
}

// mark is what tells the instances that a refresh, or its rollback, launched.
func (r *refresh) mark() string {
	if r.status == refreshRollback {
		return r.id + "/rollback"
	}
	return r.id
}

// refreshLocked takes the next steps of a refresh.
func (s *Service) refreshLocked(g *group, r *refresh, p *pass) {
	now := s.clock.Now()
	switch {
	case r.status == refreshPending:
		s.beginRefreshLocked(g, r)
		p.acted = true
		return
	case p.alarm != "" && (r.status == refreshInProgress || r.status == refreshBaking):
		s.failRefreshLocked(g, r, fmt.Sprintf("An alarm in the instance refresh's alarm specification went into the ALARM state: %s.", p.alarm))
		p.acted = true
		return
	case now.Sub(r.start) > refreshLimit:
		s.failRefreshLocked(g, r, "The instance refresh was active for the maximum of 14 days.")
	case r.status == refreshCancelling:
		s.scaleLocked(g, p)
		if !g.transitioning() {
			s.endRefreshLocked(g, r, refreshCancelled, "Cancelled due to user request.")
		}
	case r.status == refreshBaking:
		s.scaleLocked(g, p)
		if !now.Before(r.bake) {
			s.succeedLocked(g, r)
			p.acted = true
		}
	default:
		s.rollLocked(g, r, p)
	}
}

// transitioning says that instances come or go.
func (g *group) transitioning() bool {
	return slices.ContainsFunc(g.members, func(m *member) bool { return m.state != inService })
}

// beginRefreshLocked marks what is to be replaced.
func (s *Service) beginRefreshLocked(g *group, r *refresh) {
	r.status, r.progress = refreshInProgress, s.clock.Now()
	for _, m := range g.members {
		matching := r.on(r.preferences.SkipMatching) && slices.ContainsFunc(r.matching, func(w way) bool { return w.fits(m) })
		ignored := m.protected && r.preferences.ScaleInProtectedInstances == "Ignore"
		m.old = !m.leavingGroup() && !matching && !ignored
		if m.old {
			r.total += m.option.weight
		}
	}
	s.tellRefreshLocked(g, r, "Started")
}

// A tally is a group in the middle of a refresh.
type tally struct {
	active, old   int // capacity; of it to be replaced
	fresh, ready  int // launched by the refresh; of it ready
	healthy       int // ready, old or new
	waiting       *member
	minimum, most int
	limit         int // of fresh capacity before the next checkpoint
}

func (s *Service) tallyLocked(g *group, r *refresh) tally {
	var t tally
	for _, m := range g.members {
		if m.leavingGroup() {
			continue
		}
		w := m.option.weight
		t.active += w
		isFresh, isReady := !m.old && m.refresh == r.mark(), m.ready()
		switch {
		case m.old:
			t.old += w
		case isFresh:
			t.fresh += w
			isReady = s.warmLocked(g, r, m)
		}
		if isReady {
			t.healthy += w
		} else if !m.old && t.waiting == nil {
			t.waiting = m
		}
		if isFresh && isReady {
			t.ready += w
		}
	}
	least, most := *r.preferences.MinHealthyPercentage, *r.preferences.MaxHealthyPercentage
	t.minimum, t.most = (g.desired*least+99)/100, g.desired
	if most > 100 {
		t.most = max(g.desired*most/100, g.desired+1)
	} else {
		t.minimum = min(t.minimum, g.desired-1) // else nothing would ever be replaced
	}
	// What the desired capacity leaves to the refresh: it moves with the capacity.
	r.total = max(g.desired-(t.active-t.old-t.fresh), 0)
	r.replaced, t.limit = min(t.ready, r.total), r.limit()
	return t
}

// limit is how much may have been replaced before the next checkpoint is passed.
func (r *refresh) limit() int {
	if points := r.preferences.CheckpointPercentages; len(points) > 0 && r.status != refreshRollback {
		return (r.total*points[min(r.checkpoint, len(points)-1)] + 99) / 100
	}
	return r.total
}

// warmLocked says that a new instance is in service, healthy and warmed up.
func (s *Service) warmLocked(g *group, r *refresh, m *member) bool {
	if !m.ready() || s.clock.Now().Before(m.served.Add(r.warmup(g))) {
		return false
	}
	if strings.Contains(g.healthCheck, healthELB) {
		for _, arn := range g.targetGroups {
			if state := m.targets[arn]; state != "healthy" && state != "unused" { // unused: no load balancer asks
				return false
			}
		}
	}
	return true
}

// warmup is the refresh's, else the group's default, else its grace period.
func (r *refresh) warmup(g *group) time.Duration {
	seconds := g.grace
	if g.warmup != nil {
		seconds = *g.warmup
	}
	if r.preferences.InstanceWarmup != nil {
		seconds = *r.preferences.InstanceWarmup
	}
	return time.Duration(seconds) * time.Second
}

// rollLocked replaces what may be replaced now.
func (s *Service) rollLocked(g *group, r *refresh, p *pass) {
	now, before := s.clock.Now(), r.replaced
	t := s.tallyLocked(g, r)
	if r.replaced > before {
		r.progress = now
	}
	r.count()
	reached := t.ready >= t.limit && t.fresh == t.ready
	complete := t.old == 0 && t.waiting == nil && t.active == g.desired
	switch {
	case complete, reached && r.lastLeg() && (t.old == 0 || t.limit < r.total):
		s.bakeLocked(g, r)
		p.acted = true
		return
	case reached && !r.lastLeg():
		s.checkpointLocked(g, r)
		p.acted = true
		return
	}
	holding := now.Before(r.resume)
	if holding {
		r.progress = now
	} else if now.Sub(r.progress) > replacementLimit+r.warmup(g) {
		s.failRefreshLocked(g, r, "The instance refresh could not replace any instance within an hour: "+r.reason)
		p.acted = true
		return
	}
	s.explain(g, r, t, holding)
	s.exchangeLocked(g, r, t, holding, p)
}

// exchangeLocked launches new instances and terminates old ones.
func (s *Service) exchangeLocked(g *group, r *refresh, t tally, holding bool, p *pass) {
	more := g.desired - t.active
	if !holding {
		more = max(more, min(t.most-t.active, g.desired-(t.active-t.old), t.limit-t.fresh))
	}
	from, mark := g.launching()
	for more > 0 && s.launchableLocked(g) {
		more -= s.launchLocked(g, from, mark, p)
	}
	if holding || g.suspended[processTerminate] {
		return
	}
	old := t.old
	for _, m := range g.replaceable() {
		w := m.option.weight
		if old-w < r.total-t.limit {
			break
		}
		if m.protected && r.preferences.ScaleInProtectedInstances == "Wait" {
			r.reason = "Waiting for instances that are protected from scale in. For example: " + m.id + " is protected from scale in."
			continue
		}
		if m.ready() {
			if t.healthy-w < t.minimum {
				break
			}
			t.healthy -= w
		}
		old -= w
		r.progress = s.clock.Now()
		s.endLocked(g, m, s.at("an instance was taken out of service in response to an instance refresh."))
		p.acted = true
	}
	if t.old == 0 {
		s.scaleLocked(g, p)
	}
}

// replaceable are the instances to replace, those that are no use first, then
// the oldest.
func (g *group) replaceable() []*member {
	var all []*member
	for _, m := range g.members {
		if m.old && !m.leavingGroup() && m.id != "" {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b *member) int {
		if a.ready() != b.ready() {
			if a.ready() {
				return 1
			}
			return -1
		}
		return a.launched.Compare(b.launched)
	})
	return all
}

// count sets the percentage, which a rollback counts down.
func (r *refresh) count() {
	share := 100
	if r.total > 0 {
		share = min(r.replaced*100/r.total, 100)
	}
	r.percent = share
	if r.status == refreshRollback {
		r.percent = r.percentBefore * (100 - share) / 100
	}
}

// lastLeg says that no checkpoint is left to wait at.
func (r *refresh) lastLeg() bool {
	return r.status == refreshRollback || r.checkpoint >= len(r.preferences.CheckpointPercentages)-1
}

// checkpointLocked begins the wait at a checkpoint.
func (s *Service) checkpointLocked(g *group, r *refresh) {
	r.resume = s.clock.Now().Add(time.Duration(*r.preferences.CheckpointDelay) * time.Second)
	r.reason = fmt.Sprintf("Checkpoint of %d%% reached. The instance refresh waits until %s before it continues.",
		r.preferences.CheckpointPercentages[r.checkpoint], r.resume.Format("2006-01-02T15:04:05Z"))
	r.checkpoint++
	s.tellRefreshLocked(g, r, "Checkpoint Reached")
}

// explain says what a refresh waits for.
func (s *Service) explain(g *group, r *refresh, t tally, holding bool) {
	switch m := t.waiting; {
	case holding:
	case g.failures > 0 && t.active < g.desired:
		r.reason = "Waiting for remaining instances to be available. The latest launch failed: " + g.failure
	case m == nil:
		r.reason = ""
	case m.id == "":
		r.reason = "Waiting for remaining instances to be available."
	case !m.ready():
		r.reason = fmt.Sprintf("Waiting for remaining instances to be available. For example: %s has lifecycle state %s and is %s.", m.id, m.state, m.health)
	case s.clock.Now().Before(m.served.Add(r.warmup(g))):
		r.reason = fmt.Sprintf("Waiting for instances to warm up before continuing. For example: %s is warming up.", m.id)
	default:
		r.reason = fmt.Sprintf("Waiting for remaining instances to be available. For example: %s fails the health checks of its target groups.", m.id)
	}
}
