package elbv2

import (
	"context"
	"net"
	"strconv"

	"cutover/pkg/localaws/alb"
)

// Target is a place that answers requests.
type Target struct {
	Id               string `aws:",required"` // an address, or an instance's id
	Port             *int   // the group's where not given
	AvailabilityZone string
}

// TargetsInput names targets of a group.
type TargetsInput struct {
	TargetGroupArn string   `aws:",required"`
	Targets        []Target `aws:",required"`
}

// RegisterTargets answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
// A target that is registered stays as it is.
func (s *Service) RegisterTargets(_ context.Context, in *TargetsInput) (*Empty, error) {
	g, err := s.group(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	var targets []alb.Target
	for _, t := range in.Targets {
		target, err := s.resolve(g, t)
		if err != nil {
			return nil, err
		}
		targets = append(targets, target)
	}
	return &Empty{}, s.Plane.Register(groupName(g.TargetGroupArn), targets...)
}

// group is a copy of a target group's record.
func (s *Service) group(arn string) (TargetGroup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(arn)
	if err != nil {
		return TargetGroup{}, err
	}
	return g.TargetGroup, nil
}

// resolve finds out where a target is.
func (s *Service) resolve(g TargetGroup, t Target) (alb.Target, error) {
	to := alb.Target{ID: t.Id, Port: g.Port}
	if t.Port != nil {
		to.Port = *t.Port
	}
	if to.Port < 1 || to.Port > 65535 {
		return to, validation("Port '%d' of target '%s' must be between 1 and 65535", to.Port, t.Id)
	}
	if g.TargetType == "ip" {
		if net.ParseIP(t.Id) == nil {
			return to, validation("The IP address '%s' is not a valid IPv4 address", t.Id)
		}
		return to, nil
	}
	if s.Running == nil || !s.Running(t.Id) {
		return to, refuse("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", t.Id)
	}
	return to, nil
}

// DeregisterTargets answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html
// A target without port is deregistered on all of them. One that is not
// registered is deregistered already.
func (s *Service) DeregisterTargets(_ context.Context, in *TargetsInput) (*Empty, error) {
	g, err := s.group(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	name := groupName(g.TargetGroupArn)
	registered, err := s.Plane.Health(name)
	if err != nil {
		return nil, err
	}
	var leaving []alb.Target
	for _, r := range registered {
		for _, t := range in.Targets {
			if r.ID == t.Id && (t.Port == nil || *t.Port == r.Port) {
				leaving = append(leaving, r.Target)
			}
		}
	}
	return &Empty{}, s.Plane.Deregister(name, leaving...)
}

// TargetHealth is how a target stands.
type TargetHealth struct {
	State       string
	Reason      string
	Description string
}

// TargetHealthDescription is a target and how it stands.
type TargetHealthDescription struct {
	Target          Target
	HealthCheckPort string
	TargetHealth    TargetHealth
}

// DescribeTargetHealthInput names a group, and targets where not all are meant.
type DescribeTargetHealthInput struct {
	TargetGroupArn string `aws:",required"`
	Targets        []Target
}

// DescribeTargetHealthOutput lists targets.
type DescribeTargetHealthOutput struct {
	TargetHealthDescriptions []TargetHealthDescription
}

// DescribeTargetHealth answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
func (s *Service) DescribeTargetHealth(_ context.Context, in *DescribeTargetHealthInput) (*DescribeTargetHealthOutput, error) {
	g, err := s.group(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	registered, err := s.Plane.Health(groupName(g.TargetGroupArn))
	if err != nil {
		return nil, err
	}
	out := &DescribeTargetHealthOutput{TargetHealthDescriptions: []TargetHealthDescription{}}
	if len(in.Targets) == 0 {
		for _, r := range registered {
			out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, describeTarget(r))
		}
		return out, nil
	}
	for _, t := range in.Targets {
		if t.Port == nil {
			t.Port = new(g.Port)
		}
		out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, pickTarget(registered, t))
	}
	return out, nil
}

func describeTarget(r alb.TargetHealth) TargetHealthDescription {
	return TargetHealthDescription{
		Target: Target{Id: r.ID, Port: new(r.Port)}, HealthCheckPort: strconv.Itoa(r.HealthCheckPort),
		TargetHealth: TargetHealth{State: string(r.State), Reason: r.Reason.Code, Description: r.Reason.Description},
	}
}

// pickTarget is one target's health; a target that nobody registered is unused.
func pickTarget(registered []alb.TargetHealth, t Target) TargetHealthDescription {
	for _, r := range registered {
		if r.ID == t.Id && r.Port == *t.Port {
			return describeTarget(r)
		}
	}
	return TargetHealthDescription{Target: t, TargetHealth: TargetHealth{
		State: "unused", Reason: "Target.NotRegistered", Description: "Target is not registered to the target group",
	}}
}

// FindTargetGroup looks a target group up by its name; port is its own.
func (s *Service) FindTargetGroup(name string) (arn string, port int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		if g.TargetGroupName == name {
			return g.TargetGroupArn, g.Port, true
		}
	}
	return "", 0, false
}

// TargetGroup says whether a target group exists, what its targets are, and
// whether a load balancer uses it. Package ecs asks.
func (s *Service) TargetGroup(arn string) (targetType string, attached, exists bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(arn)
	if err != nil {
		return "", false, false
	}
	return g.TargetType, s.userLocked(arn) != nil, true
}

// Register adds a target, for the services beside. Port 0 is the group's own, here
// and below.
func (s *Service) Register(targetGroupARN, id string, port int) error {
	return s.Plane.Register(groupName(targetGroupARN), alb.Target{ID: id, Port: s.portOf(targetGroupARN, port)})
}

func (s *Service) portOf(targetGroupARN string, port int) int {
	if port != 0 {
		return port
	}
	g, err := s.group(targetGroupARN)
	if err != nil {
		return 0 // the group is gone, and its targets with it
	}
	return g.Port
}

// Deregister begins to drain a target. A group that is gone has no targets.
func (s *Service) Deregister(targetGroupARN, id string, port int) error {
	if _, _, exists := s.TargetGroup(targetGroupARN); !exists {
		return nil
	}
	return s.Plane.Deregister(groupName(targetGroupARN), alb.Target{ID: id, Port: s.portOf(targetGroupARN, port)})
}

// Health is a target's state and its description; empty when it is not registered.
func (s *Service) Health(targetGroupARN, id string, port int) (state, description string) {
	registered, err := s.Plane.Health(groupName(targetGroupARN))
	if err != nil {
		return "", "" // the group is gone, and its targets with it
	}
	port = s.portOf(targetGroupARN, port)
	for _, r := range registered {
		if r.ID == id && r.Port == port {
			return string(r.State), r.Reason.Description
		}
	}
	return "", ""
}
