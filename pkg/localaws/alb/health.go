package alb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// State is a target's health, as DescribeTargetHealth shows it.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
type State string

// The states of a target.
const (
	Initial   State = "initial"
	Healthy   State = "healthy"
	Unhealthy State = "unhealthy"
	Unused    State = "unused"
	Draining  State = "draining"
)

// Reason is why a target is not healthy: AWS's code and its words.
type Reason struct{ Code, Description string }

// The reasons that are always the same.
var (
	RegistrationInProgress   = Reason{"Elb.RegistrationInProgress", "Target registration is in progress"}
	InitialHealthChecking    = Reason{"Elb.InitialHealthChecking", "Initial health checks in progress"}
	NotInUse                 = Reason{"Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"}
	DeregistrationInProgress = Reason{"Target.DeregistrationInProgress", "Target deregistration is in progress"}
	timedOut                 = Reason{"Target.Timeout", "Request timed out"}
	failedChecks             = Reason{"Target.FailedHealthChecks", "Health checks failed"}
)

// TargetHealth is how a registered target stands.
type TargetHealth struct {
	Target
	State  State
	Reason Reason // zero if healthy
	// HealthCheckPort is where the target is checked.
	HealthCheckPort int
	// InFlight is how many requests the target is answering. Once it is 0 for a
	// draining target it stays 0.
	InFlight int
}

// Health tells of each registered or draining target, in the order of registration.
func (p *Proxy) Health(groupID string) ([]TargetHealth, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, ok := p.groups[groupID]
	if !ok {
		return nil, fmt.Errorf("read health: target group %s is not known", groupID)
	}
	health := make([]TargetHealth, len(g.targets))
	for i, t := range g.targets {
		health[i] = TargetHealth{
			Target: t.Target, State: t.state, Reason: t.reason,
			HealthCheckPort: g.checkPort(t), InFlight: int(t.inFlight.Load()),
		}
	}
	return health, nil
}

func (g *group) checkPort(t *target) int {
	if port := g.settings.HealthCheck.Port; port != 0 {
		return port
	}
	return t.Port
}

// registrationTime is how long a target takes to be registered, by the clock.
const registrationTime = time.Second

// useLocked notes which load balancer uses a group: with the first, its targets
// start over as initial; without one, they are not checked.
func (p *Proxy) useLocked(g *group, user *balancer) {
	if g.user == user {
		return
	}
	g.user = user
	g.counters.healthy, g.counters.unhealthy = level{}, level{}
	for _, t := range g.targets {
		if t.state == Draining {
			continue
		}
		t.stopTimer()
		p.beginLocked(g, t)
	}
	g.publish()
}

// beginLocked starts a target's series of health checks, if its group is in use.
func (p *Proxy) beginLocked(g *group, t *target) {
	t.passes, t.fails = 0, 0
	if g.user == nil {
		t.state, t.reason = Unused, NotInUse
		return
	}
	t.state, t.reason = Initial, RegistrationInProgress
	p.scheduleLocked(g, t, registrationTime)
}

func (p *Proxy) scheduleLocked(g *group, t *target, delay time.Duration) {
	life := t.life
	t.timer = p.config.Clock.AfterFunc(delay, func() { p.check(g, t, life) })
}

// check makes one health check and notes its result.
func (p *Proxy) check(g *group, t *target, life int) {
	if !p.gate.enter() {
		return
	}
	defer p.gate.leave()
	p.mu.Lock()
	if p.closed || t.life != life {
		p.mu.Unlock()
		return
	}
	if t.state == Initial {
		t.reason = InitialHealthChecking
	}
	settings, port, began := g.settings.HealthCheck, g.checkPort(t), p.config.Clock.Now()
	p.mu.Unlock()

	fault := p.probe(settings, t.ID, port)

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || t.life != life {
		return
	}
	before := t.state
	t.note(fault, g.settings.HealthCheck)
	if t.state != before {
		p.config.Logger.Debug("target health", "targetGroup", g.id, "target", t.address, "state", t.state, "reason", t.reason.Code)
		g.publish()
	}
	passed := p.config.Clock.Now().Sub(began)
	p.scheduleLocked(g, t, max(g.settings.HealthCheck.Interval-passed, 0))
}

// note counts one result. A target that was never checked needs one pass to be
// healthy; after that the thresholds decide.
func (t *target) note(fault *Reason, settings HealthCheck) {
	if fault == nil {
		t.passes, t.fails = t.passes+1, 0
		if t.state == Initial || t.state == Unhealthy && t.passes >= settings.HealthyThreshold {
			t.state, t.reason = Healthy, Reason{}
		}
		return
	}
	t.passes, t.fails = 0, t.fails+1
	if t.fails >= settings.UnhealthyThreshold {
		t.state, t.reason = Unhealthy, *fault
	}
}

func (p *Proxy) newCheckTransport() *http.Transport {
	return &http.Transport{
		DialContext:        p.dial,
		DisableKeepAlives:  true,
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, // a load balancer doesn't verify targets
	}
}

// probe asks a target how it is. Nil means well.
func (p *Proxy) probe(settings HealthCheck, host string, port int) *Reason {
	ctx, cancel := context.WithTimeout(p.ctx, p.wall(settings.Timeout))
	defer cancel()
	path, query, _ := strings.Cut(settings.Path, "?")
	request := (&http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Scheme: strings.ToLower(settings.Protocol), Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: path, RawQuery: query},
		Header: http.Header{"User-Agent": {"ELB-HealthChecker/2.0"}},
	}).WithContext(ctx)
	response, err := p.checks.RoundTrip(request)
	if errors.Is(err, context.DeadlineExceeded) {
		return &timedOut
	}
	if err != nil {
		return &failedChecks
	}
	_, _ = io.CopyN(io.Discard, response.Body, 1024) // the status is the answer
	_ = response.Body.Close()
	if !settings.Codes.Match(response.StatusCode) {
		return &Reason{"Target.ResponseCodeMismatch", fmt.Sprintf("Health checks failed with these codes: [%d]", response.StatusCode)}
	}
	return nil
}

// wall is how long a health check waits, by the wall.
func (p *Proxy) wall(timeout time.Duration) time.Duration {
	patience := min(timeout, p.config.Patience)
	if scaled, ok := p.config.Clock.(interface {
		Wall(time.Duration) time.Duration
	}); ok {
		return max(scaled.Wall(timeout), patience)
	}
	return patience
}
