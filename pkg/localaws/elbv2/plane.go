package elbv2

import (
	"cmp"
	"reflect"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/alb"
)

// applied is what the data plane was told last.
type applied struct {
	groups map[string]alb.TargetGroup // by full name
	rules  map[string][]alb.Rule      // by listener ARN; those open
}

// A plan is what the data plane is to be: the records in its own terms.
type plan struct {
	groups    map[string]alb.TargetGroup
	listeners []plannedListener
}

type plannedListener struct {
	alb.Listener
	rules []alb.Rule
}

// apply makes the data plane what the records say, and returns once requests
// meet it. Whoever applies last has read the records last, so that of two
// changes at a time the later one stays.
func (s *Service) apply() error {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.mu.Lock()
	want := s.planLocked()
	s.mu.Unlock()
	for id, settings := range want.groups {
		if had, ok := s.applied.groups[id]; ok && reflect.DeepEqual(had, settings) {
			continue
		}
		if err := s.Plane.SetTargetGroup(id, settings); err != nil {
			return err
		}
		s.applied.groups[id] = settings
	}
	keep := map[string]bool{}
	for _, l := range want.listeners {
		keep[l.ID] = true
		if err := s.applyListener(l); err != nil {
			return err
		}
	}
	for id := range s.applied.rules {
		if !keep[id] {
			s.Plane.Unlisten(id)
			delete(s.applied.rules, id)
		}
	}
	for id := range s.applied.groups {
		if _, ok := want.groups[id]; ok {
			continue
		}
		if err := s.Plane.RemoveTargetGroup(id); err != nil {
			return err
		}
		delete(s.applied.groups, id)
	}
	return nil
}

func (s *Service) applyListener(l plannedListener) error {
	had, open := s.applied.rules[l.ID]
	if !open {
		address, err := s.Plane.Listen(l.Listener)
		if err != nil {
			return err
		}
		s.mu.Lock()
		if of, err := s.listenerLocked(l.ID); err == nil {
			of.address = address.String()
		}
		s.mu.Unlock()
		s.applied.rules[l.ID] = nil
	}
	if open && reflect.DeepEqual(had, l.rules) {
		return nil
	}
	if err := s.Plane.SetRules(l.ID, l.rules); err != nil {
		return err
	}
	s.applied.rules[l.ID] = l.rules
	return nil
}

func (s *Service) planLocked() plan {
	p := plan{groups: map[string]alb.TargetGroup{}}
	for _, g := range s.groups {
		p.groups[g.fullName()] = g.settings()
	}
	for _, l := range s.listeners {
		planned := plannedListener{Listener: alb.Listener{
			ID: l.arn, LoadBalancer: l.balancer.fullName(), Port: l.port, TLS: l.protocol == "HTTPS",
			Address: s.Address(l.balancer.LoadBalancerName, l.port),
		}}
		for _, r := range l.rules {
			planned.rules = append(planned.rules, r.route())
		}
		p.listeners = append(p.listeners, planned)
	}
	return p
}

// settings are the group's in the data plane's terms.
func (g *targetGroup) settings() alb.TargetGroup {
	codes, err := alb.ParseCodes(g.Matcher.HttpCode)
	if err != nil { // check let nothing else through
		codes, _ = alb.ParseCodes("200")
	}
	port, err := strconv.Atoi(g.HealthCheckPort)
	if err != nil {
		port = 0 // traffic-port
	}
	return alb.TargetGroup{
		Protocol: g.Protocol, DeregistrationDelay: new(g.deregistrationDelay()),
		LeastOutstanding: g.attributes[algorithm] == leastOutstanding,
		HealthCheck: alb.HealthCheck{
			Protocol: g.HealthCheckProtocol, Path: g.HealthCheckPath, Port: port, Codes: codes,
			Interval: time.Duration(g.HealthCheckIntervalSeconds) * time.Second, Timeout: time.Duration(g.HealthCheckTimeoutSeconds) * time.Second,
			HealthyThreshold: g.HealthyThresholdCount, UnhealthyThreshold: g.UnhealthyThresholdCount,
		},
	}
}

// route is the rule in the data plane's terms.
func (r *Rule) route() alb.Rule {
	to := alb.Rule{ID: r.RuleArn, Default: r.IsDefault}
	if !r.IsDefault {
		to.Priority = r.priority()
	}
	for _, c := range r.Conditions {
		to.Conditions = append(to.Conditions, c.route())
	}
	a := r.Actions[0]
	switch a.Type {
	case "forward":
		to.Action.Forward = a.ForwardConfig.route()
	case "redirect":
		c := a.RedirectConfig
		status, _ := strconv.Atoi(strings.TrimPrefix(c.StatusCode, "HTTP_")) // normaliseActions checked it
		to.Action.Redirect = &alb.Redirect{Protocol: c.Protocol, Host: c.Host, Port: c.Port, Path: c.Path, Query: c.Query, StatusCode: status}
	case "fixed-response":
		c := a.FixedResponseConfig
		to.Action.FixedResponse = &alb.FixedResponse{StatusCode: c.status(), ContentType: cmp.Or(c.ContentType, "text/plain"), Body: c.MessageBody}
	}
	return to
}

func (c *ForwardConfig) route() *alb.Forward {
	to := &alb.Forward{}
	for _, g := range c.TargetGroups {
		to.TargetGroups = append(to.TargetGroups, alb.WeightedGroup{TargetGroup: groupName(g.TargetGroupArn), Weight: *g.Weight})
	}
	if sticky := c.TargetGroupStickinessConfig; *sticky.Enabled {
		to.Stickiness = time.Duration(*sticky.DurationSeconds) * time.Second
	}
	return to
}

// groupName is a target group's full name: what the data plane knows it by.
func groupName(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }

func (c *Condition) route() alb.Condition {
	to := alb.Condition{Field: c.Field, Values: c.Values}
	switch c.Field {
	case "http-request-method":
		to.Values = c.HttpRequestMethodConfig.Values
	case "source-ip":
		to.Values = c.SourceIpConfig.Values
	case "http-header":
		to.HeaderName, to.Values = c.HttpHeaderConfig.HttpHeaderName, c.HttpHeaderConfig.Values
	case "query-string":
		for _, pair := range c.QueryStringConfig.Values {
			to.Query = append(to.Query, alb.QueryPair{Key: pair.Key, Value: pair.Value})
		}
	}
	return to
}
