package alb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"cutover/pkg/localaws/clock"
)

// TargetGroup is how a target group routes and checks. Zero fields mean AWS's
// defaults.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroup.html
type TargetGroup struct {
	Protocol            string         // HTTP (the default) or HTTPS
	DeregistrationDelay *time.Duration // nil means 300 s
	// LeastOutstanding is the algorithm least_outstanding_requests instead of
	// round_robin.
	LeastOutstanding bool
	HealthCheck      HealthCheck
}

// HealthCheck is how a group's targets are checked.
type HealthCheck struct {
	Protocol           string        // HTTP (the default) or HTTPS
	Path               string        // default /
	Port               int           // 0 is the traffic port
	Interval           time.Duration // default 30 s
	Timeout            time.Duration // default 5 s
	HealthyThreshold   int           // default 5
	UnhealthyThreshold int           // default 2
	Codes              Codes         // default 200
}

func (s TargetGroup) withDefaults() TargetGroup {
	if s.Protocol == "" {
		s.Protocol = "HTTP"
	}
	if s.DeregistrationDelay == nil {
		delay := 300 * time.Second
		s.DeregistrationDelay = &delay
	}
	h := &s.HealthCheck
	if h.Protocol == "" {
		h.Protocol = "HTTP"
	}
	if h.Path == "" {
		h.Path = "/"
	}
	if h.Interval == 0 {
		h.Interval = 30 * time.Second
	}
	if h.Timeout == 0 {
		h.Timeout = 5 * time.Second
	}
	if h.HealthyThreshold == 0 {
		h.HealthyThreshold = 5
	}
	if h.UnhealthyThreshold == 0 {
		h.UnhealthyThreshold = 2
	}
	if h.Codes.text == "" {
		h.Codes = Codes{text: "200", ranges: [][2]int{{200, 200}}}
	}
	return s
}

// Target is a place that answers requests; ID and Port together name it.
type Target struct {
	ID   string // an IP address or an instance's ID
	Port int
}

func (t Target) same(other Target) bool { return t.ID == other.ID && t.Port == other.Port }

// group is a target group. Its view is what requests see; the rest is under the
// proxy's mutex.
type group struct {
	id       string
	settings TargetGroup
	user     *balancer // nil while no listener uses it
	targets  []*target // in the order of registration
	view     atomic.Pointer[view]
	next     atomic.Uint64
	counters groupCounters
}

// view is the targets that may get requests: the healthy ones, or, failing open,
// all that are registered. It never changes.
type view struct {
	targets          []*target
	scheme           string
	leastOutstanding bool
}

type target struct {
	Target
	address   string
	transport *http.Transport
	inFlight  atomic.Int64
	// draining is set after the last view with the target is gone: a request that
	// chose the target and finds it set chooses again.
	draining atomic.Bool

	state  State
	reason Reason
	passes int // checks passed, or failed, in a row
	fails  int
	timer  clock.Timer
	// life counts what ends a series of health checks, so that the answer to a
	// check of an earlier series is not heard.
	life int
}

func (t *target) stopTimer() {
	t.life++
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}

// SetTargetGroup makes a target group or changes its settings. Targets keep their
// state; the next health checks go by the new settings.
func (p *Proxy) SetTargetGroup(id string, settings TargetGroup) error {
	if settings.HealthCheck.Interval < 0 || settings.HealthCheck.Timeout < 0 {
		return fmt.Errorf("set target group %s: negative interval or timeout", id)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("set target group %s: load balancer is closed", id)
	}
	g, ok := p.groups[id]
	if !ok {
		g = &group{id: id}
		p.groups[id] = g
	}
	g.settings = settings.withDefaults()
	g.publish()
	return nil
}

// RemoveTargetGroup forgets a group that no listener uses. One that is not known
// is forgotten already.
func (p *Proxy) RemoveTargetGroup(id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, ok := p.groups[id]
	if !ok {
		return nil
	}
	if g.user != nil {
		return fmt.Errorf("remove target group %s: load balancer %s uses it", id, g.user.id)
	}
	for _, t := range g.targets {
		t.leave()
	}
	delete(p.groups, id)
	return nil
}

// Register adds targets to a group. One that is registered stays as it is; one
// that is draining starts anew.
func (p *Proxy) Register(groupID string, targets ...Target) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.groupLocked(groupID)
	if err != nil {
		return fmt.Errorf("register targets: %w", err)
	}
	for _, wanted := range targets {
		p.registerLocked(g, wanted)
	}
	return nil
}

func (p *Proxy) groupLocked(id string) (*group, error) {
	if p.closed {
		return nil, errors.New("load balancer is closed")
	}
	g, ok := p.groups[id]
	if !ok {
		return nil, fmt.Errorf("target group %s is not known", id)
	}
	return g, nil
}

func (p *Proxy) registerLocked(g *group, wanted Target) {
	var old *target
	if i := slices.IndexFunc(g.targets, func(t *target) bool { return t.same(wanted) }); i >= 0 {
		old = g.targets[i]
		if old.state != Draining {
			return
		}
		g.targets = slices.Delete(g.targets, i, i+1)
	}
	t := &target{
		Target:    wanted,
		address:   net.JoinHostPort(wanted.ID, strconv.Itoa(wanted.Port)),
		transport: p.newTargetTransport(),
	}
	g.targets = append(g.targets, t)
	p.beginLocked(g, t)
	g.publish()
	if old != nil {
		old.leave()
	}
}

// Deregister takes targets out of their group: they get no request that begins
// after Deregister has returned, drain for the deregistration delay and are gone.
// A target of a group that no listener uses is gone at once. A target that is not
// registered is left so.
func (p *Proxy) Deregister(groupID string, targets ...Target) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.groupLocked(groupID)
	if err != nil {
		return fmt.Errorf("deregister targets: %w", err)
	}
	var leaving []*target
	for _, t := range g.targets {
		if t.state != Draining && slices.ContainsFunc(targets, t.same) {
			leaving = append(leaving, t)
			t.stopTimer()
			t.state, t.reason = Draining, DeregistrationInProgress
		}
	}
	g.publish()
	for _, t := range leaving {
		t.draining.Store(true)
		if g.user == nil || *g.settings.DeregistrationDelay <= 0 {
			p.dropLocked(g, t)
			continue
		}
		life := t.life
		t.timer = p.config.Clock.AfterFunc(*g.settings.DeregistrationDelay, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if t.life == life {
				p.dropLocked(g, t)
			}
		})
	}
	return nil
}

func (p *Proxy) dropLocked(g *group, t *target) {
	g.targets = slices.DeleteFunc(g.targets, func(other *target) bool { return other == t })
	t.leave()
}

// leave ends what a target that is in no view any more has of its own; requests
// in flight finish.
func (t *target) leave() {
	t.stopTimer()
	t.draining.Store(true)
	t.transport.CloseIdleConnections()
}

// done takes a request off. The last one of a target that leaves takes the
// connections with it.
func (t *target) done() {
	if t.inFlight.Add(-1) == 0 && t.draining.Load() {
		t.transport.CloseIdleConnections()
	}
}

// publish lets requests see the targets as they are now, under the proxy's mutex.
func (g *group) publish() {
	v := &view{scheme: "http", leastOutstanding: g.settings.LeastOutstanding}
	if g.settings.Protocol == "HTTPS" {
		v.scheme = "https"
	}
	var registered []*target
	for _, t := range g.targets {
		if t.state != Draining {
			registered = append(registered, t)
		}
		if t.state == Healthy {
			v.targets = append(v.targets, t)
		}
	}
	g.counters.observeHosts(len(v.targets), len(registered), g.user != nil)
	if len(v.targets) == 0 {
		v.targets = registered // fail open
	}
	g.view.Store(v)
}

// pick chooses a target and counts the request as in flight there; whoever picks
// must call its done. It is nil if there is none.
func (g *group) pick() (*target, *view) {
	for {
		v := g.view.Load()
		if len(v.targets) == 0 {
			return nil, v
		}
		t := v.targets[(g.next.Add(1)-1)%uint64(len(v.targets))]
		if v.leastOutstanding {
			t = v.leastBusy()
		}
		t.inFlight.Add(1)
		if !t.draining.Load() {
			return t, v
		}
		t.done()
	}
}

// leastBusy is the target with the fewest requests in flight, by chance among
// equals.
func (v *view) leastBusy() *target {
	start := rand.IntN(len(v.targets))
	best := v.targets[start]
	least := best.inFlight.Load()
	for i := 1; i < len(v.targets) && least > 0; i++ {
		t := v.targets[(start+i)%len(v.targets)]
		if n := t.inFlight.Load(); n < least {
			best, least = t, n
		}
	}
	return best
}
