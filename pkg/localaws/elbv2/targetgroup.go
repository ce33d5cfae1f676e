package elbv2

import (
	"cmp"
	"context"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Matcher says which HTTP codes a health check takes for success, e.g. "200,301-302".
type Matcher struct {
	HttpCode string
}

// TargetGroup is a target group as it is described.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroup.html
type TargetGroup struct {
	TargetGroupArn             string
	TargetGroupName            string
	Protocol                   string
	ProtocolVersion            string
	Port                       int
	VpcId                      string
	HealthCheckProtocol        string
	HealthCheckPort            string // a number, or traffic-port
	HealthCheckEnabled         bool
	HealthCheckIntervalSeconds int
	HealthCheckTimeoutSeconds  int
	HealthyThresholdCount      int
	UnhealthyThresholdCount    int
	HealthCheckPath            string
	Matcher                    Matcher
	LoadBalancerArns           []string
	TargetType                 string // instance, ip
	IpAddressType              string
}

// A targetGroup is one as it is kept; its targets are the data plane's.
type targetGroup struct {
	TargetGroup
	input      CreateTargetGroupInput // as created
	attributes map[string]string
}

// fullName is what CloudWatch calls the target group: targetgroup/NAME/ID.
func (g *targetGroup) fullName() string { return groupName(g.TargetGroupArn) }

// deregistrationDelay is how long a target drains.
func (g *targetGroup) deregistrationDelay() time.Duration {
	seconds, err := strconv.Atoi(g.attributes[deregistrationDelay])
	if err != nil {
		return 300 * time.Second // not set
	}
	return time.Duration(seconds) * time.Second
}

// Attributes that can be set.
const (
	deregistrationDelay = "deregistration_delay.timeout_seconds"
	algorithm           = "load_balancing.algorithm.type"
	leastOutstanding    = "least_outstanding_requests"
)

// HealthCheck are the settings of a group's health checks that can be changed.
type HealthCheck struct {
	HealthCheckProtocol        string
	HealthCheckPort            string
	HealthCheckEnabled         *bool
	HealthCheckPath            string
	HealthCheckIntervalSeconds *int
	HealthCheckTimeoutSeconds  *int
	HealthyThresholdCount      *int
	UnhealthyThresholdCount    *int
	Matcher                    *Matcher
}

// CreateTargetGroupInput is a target group to be.
type CreateTargetGroupInput struct {
	Name            string `aws:",required"`
	Protocol        string
	ProtocolVersion string // HTTP1
	Port            *int
	VpcId           string
	TargetType      string // instance where empty
	IpAddressType   string
	HealthCheck
	Tags []Tag
}

// TargetGroupsOutput lists target groups.
type TargetGroupsOutput struct{ TargetGroups []TargetGroup }

// CreateTargetGroup answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
// Creating one again with the same settings answers with it.
func (s *Service) CreateTargetGroup(_ context.Context, in *CreateTargetGroupInput) (*TargetGroupsOutput, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	for _, g := range s.groups {
		if g.TargetGroupName == in.Name {
			defer s.mu.Unlock()
			if !reflect.DeepEqual(g.input, *in) {
				return nil, refuse("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", in.Name)
			}
			return &TargetGroupsOutput{TargetGroups: []TargetGroup{s.describeGroupLocked(g)}}, nil
		}
	}
	g := &targetGroup{
		TargetGroup: TargetGroup{
			TargetGroupArn:  s.arn("targetgroup/" + in.Name + "/" + s.newIDLocked("targetgroup")),
			TargetGroupName: in.Name, Protocol: in.Protocol, ProtocolVersion: "HTTP1", Port: *in.Port, VpcId: in.VpcId,
			HealthCheckProtocol: "HTTP", HealthCheckPort: "traffic-port", HealthCheckEnabled: true, HealthCheckIntervalSeconds: 30,
			HealthCheckTimeoutSeconds: 5, HealthyThresholdCount: 5, UnhealthyThresholdCount: 2, HealthCheckPath: "/",
			Matcher: Matcher{HttpCode: "200"}, TargetType: cmp.Or(in.TargetType, "instance"), IpAddressType: cmp.Or(in.IpAddressType, "ipv4"),
		},
		input:      *in,
		attributes: map[string]string{},
	}
	err := g.check(in.HealthCheck)
	if err == nil {
		s.tags[g.TargetGroupArn], err = s.mergedTagsLocked(g.TargetGroupArn, in.Tags)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	s.groups = append(s.groups, g)
	out := &TargetGroupsOutput{TargetGroups: []TargetGroup{s.describeGroupLocked(g)}}
	s.mu.Unlock()
	return out, s.apply()
}

func (in *CreateTargetGroupInput) validate() error {
	if err := validName(in.Name); err != nil {
		return err
	}
	switch {
	case cmp.Or(in.TargetType, "instance") != "instance" && in.TargetType != "ip":
		return validation("The embedded AWS has no targets of type '%s'", in.TargetType)
	case in.Protocol == "" || in.Port == nil || in.VpcId == "":
		return validation("A protocol, a port and a VPC must be specified")
	case in.Protocol != "HTTP" && in.Protocol != "HTTPS":
		return validation("Target groups of an application load balancer have no protocol '%s'", in.Protocol)
	case cmp.Or(in.ProtocolVersion, "HTTP1") != "HTTP1":
		return validation("The embedded AWS has no target groups of protocol version '%s'", in.ProtocolVersion)
	case *in.Port < 1 || *in.Port > 65535:
		return validation("Port %d must be between 1 and 65535", *in.Port)
	}
	return nil
}

var httpCodes = regexp.MustCompile(`^\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*$`)

// check takes over health check settings, or none of them.
func (g *targetGroup) check(h HealthCheck) error {
	to := g.TargetGroup
	to.HealthCheckProtocol = cmp.Or(h.HealthCheckProtocol, to.HealthCheckProtocol)
	to.HealthCheckPort = cmp.Or(h.HealthCheckPort, to.HealthCheckPort)
	to.HealthCheckPath = cmp.Or(h.HealthCheckPath, to.HealthCheckPath)
	for value, set := range map[*int]*int{
		&to.HealthCheckIntervalSeconds: h.HealthCheckIntervalSeconds, &to.HealthCheckTimeoutSeconds: h.HealthCheckTimeoutSeconds,
		&to.HealthyThresholdCount: h.HealthyThresholdCount, &to.UnhealthyThresholdCount: h.UnhealthyThresholdCount,
	} {
		if set != nil {
			*value = *set
		}
	}
	if h.Matcher != nil {
		to.Matcher = *h.Matcher
	}
	port, err := strconv.Atoi(to.HealthCheckPort)
	switch {
	case h.HealthCheckEnabled != nil && !*h.HealthCheckEnabled:
		return validation("Health check enabled must be true for target groups with target type '%s'", to.TargetType)
	case to.HealthCheckProtocol != "HTTP" && to.HealthCheckProtocol != "HTTPS":
		return validation("Health checks of an application load balancer have no protocol '%s'", to.HealthCheckProtocol)
	case to.HealthCheckPort != "traffic-port" && (err != nil || port < 1 || port > 65535):
		return validation("Health check port '%s' must be 'traffic-port' or a port number", to.HealthCheckPort)
	case !strings.HasPrefix(to.HealthCheckPath, "/"):
		return validation("Health check path '%s' must begin with a '/' character", to.HealthCheckPath)
	case to.HealthCheckIntervalSeconds < 5 || to.HealthCheckIntervalSeconds > 300:
		return validation("Health check interval %d must be between 5 and 300 seconds", to.HealthCheckIntervalSeconds)
	case to.HealthCheckTimeoutSeconds < 2 || to.HealthCheckTimeoutSeconds > 120:
		return validation("Health check timeout %d must be between 2 and 120 seconds", to.HealthCheckTimeoutSeconds)
	case to.HealthCheckTimeoutSeconds >= to.HealthCheckIntervalSeconds:
		return validation("Health check timeout '%d' must be smaller than the interval '%d'", to.HealthCheckTimeoutSeconds, to.HealthCheckIntervalSeconds)
	case to.HealthyThresholdCount < 2 || to.HealthyThresholdCount > 10:
		return validation("Healthy threshold count %d must be between 2 and 10", to.HealthyThresholdCount)
	case to.UnhealthyThresholdCount < 2 || to.UnhealthyThresholdCount > 10:
		return validation("Unhealthy threshold count %d must be between 2 and 10", to.UnhealthyThresholdCount)
	case !httpCodes.MatchString(to.Matcher.HttpCode):
		return validation("Health check matcher HTTP code '%s' must be a code, a list or a range of codes", to.Matcher.HttpCode)
	}
	g.TargetGroup = to
	return nil
}

func (s *Service) groupLocked(arn string) (*targetGroup, error) {
	for _, g := range s.groups {
		if g.TargetGroupArn == arn {
			return g, nil
		}
	}
	return nil, refuse("TargetGroupNotFound", "One or more target groups not found")
}

// describeGroupLocked is the target group with the load balancers that use it.
func (s *Service) describeGroupLocked(g *targetGroup) TargetGroup {
	out := g.TargetGroup
	out.LoadBalancerArns = []string{}
	if b := s.userLocked(g.TargetGroupArn); b != nil {
		out.LoadBalancerArns = append(out.LoadBalancerArns, b.LoadBalancerArn)
	}
	return out
}

// userLocked is the load balancer whose rules name a target group, with any
// weight; nil for none.
func (s *Service) userLocked(groupARN string) *loadBalancer {
	for _, l := range s.listeners {
		for _, r := range l.rules {
			if slices.Contains(groupsOf(r.Actions), groupARN) {
				return l.balancer
			}
		}
	}
	return nil
}

// DescribeTargetGroupsInput names target groups; nothing means all.
type DescribeTargetGroupsInput struct {
	LoadBalancerArn string
	TargetGroupArns []string
	Names           []string
	Page
}

// DescribeTargetGroups answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
func (s *Service) DescribeTargetGroups(_ context.Context, in *DescribeTargetGroupsInput) (*TargetGroupsOutput, error) {
	if err := in.Page.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.LoadBalancerArn != "" {
		if _, err := s.balancerLocked(in.LoadBalancerArn); err != nil {
			return nil, err
		}
	}
	out := &TargetGroupsOutput{TargetGroups: []TargetGroup{}}
	found := map[string]bool{}
	for _, g := range s.groups {
		described := s.describeGroupLocked(g)
		named := slices.Contains(in.TargetGroupArns, g.TargetGroupArn) || slices.Contains(in.Names, g.TargetGroupName)
		used := in.LoadBalancerArn == "" || slices.Contains(described.LoadBalancerArns, in.LoadBalancerArn)
		if (named || len(in.TargetGroupArns)+len(in.Names) == 0) && used {
			found[g.TargetGroupArn], found[g.TargetGroupName] = true, true
			out.TargetGroups = append(out.TargetGroups, described)
		}
	}
	for _, wanted := range slices.Concat(in.TargetGroupArns, in.Names) {
		if !found[wanted] {
			return nil, refuse("TargetGroupNotFound", "One or more target groups not found")
		}
	}
	return out, nil
}

// ModifyTargetGroupInput changes health check settings.
type ModifyTargetGroupInput struct {
	TargetGroupArn string `aws:",required"`
	HealthCheck
}

// ModifyTargetGroup answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html
func (s *Service) ModifyTargetGroup(_ context.Context, in *ModifyTargetGroupInput) (*TargetGroupsOutput, error) {
	s.mu.Lock()
	g, err := s.groupLocked(in.TargetGroupArn)
	if err == nil {
		err = g.check(in.HealthCheck)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	out := &TargetGroupsOutput{TargetGroups: []TargetGroup{s.describeGroupLocked(g)}}
	s.mu.Unlock()
	return out, s.apply()
}

// TargetGroupInput names a target group.
type TargetGroupInput struct {
	TargetGroupArn string `aws:",required"`
}

// DeleteTargetGroup answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteTargetGroup.html
// One that is not there is deleted already.
func (s *Service) DeleteTargetGroup(_ context.Context, in *TargetGroupInput) (*Empty, error) {
	s.mu.Lock()
	if s.userLocked(in.TargetGroupArn) != nil {
		s.mu.Unlock()
		return nil, refuse("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", in.TargetGroupArn)
	}
	s.groups = slices.DeleteFunc(s.groups, func(g *targetGroup) bool { return g.TargetGroupArn == in.TargetGroupArn })
	delete(s.tags, in.TargetGroupArn)
	s.mu.Unlock()
	return &Empty{}, s.apply()
}

// targetGroupDefaults are a target group's attributes and what they are unless
// set. Only those in targetGroupFree can be set to anything else.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
var targetGroupDefaults = map[string]string{
	deregistrationDelay:                           "300",
	"load_balancing.algorithm.anomaly_mitigation": "off",
	algorithm:                                "round_robin",
	"load_balancing.cross_zone.enabled":      "use_load_balancer_configuration",
	"slow_start.duration_seconds":            "0",
	"stickiness.app_cookie.cookie_name":      "",
	"stickiness.app_cookie.duration_seconds": "86400",
	"stickiness.enabled":                     "false",
	"stickiness.lb_cookie.duration_seconds":  "86400",
	"stickiness.type":                        "lb_cookie",
	"target_group_health.dns_failover.minimum_healthy_targets.count":                 "1",
	"target_group_health.dns_failover.minimum_healthy_targets.percentage":            "off",
	"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count":      "1",
	"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}

var targetGroupFree = []string{deregistrationDelay, algorithm}

// DescribeTargetGroupAttributes answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroupAttributes.html
func (s *Service) DescribeTargetGroupAttributes(_ context.Context, in *TargetGroupInput) (*AttributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	return &AttributesOutput{Attributes: listed(g.attributes, targetGroupDefaults)}, nil
}

// ModifyTargetGroupAttributesInput sets attributes.
type ModifyTargetGroupAttributesInput struct {
	TargetGroupArn string      `aws:",required"`
	Attributes     []Attribute `aws:",required"`
}

// ModifyTargetGroupAttributes answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroupAttributes.html
func (s *Service) ModifyTargetGroupAttributes(_ context.Context, in *ModifyTargetGroupAttributesInput) (*AttributesOutput, error) {
	s.mu.Lock()
	g, err := s.groupLocked(in.TargetGroupArn)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	merged, err := merge(g.attributes, in.Attributes, targetGroupDefaults, targetGroupFree)
	if err == nil {
		if n, bad := strconv.Atoi(cmp.Or(merged[deregistrationDelay], "300")); bad != nil || n < 0 || n > 3600 {
			err = validation("Deregistration delay '%s' must be between 0 and 3600 seconds", merged[deregistrationDelay])
		}
		if a := cmp.Or(merged[algorithm], "round_robin"); a != "round_robin" && a != leastOutstanding {
			err = validation("The embedded AWS does not serve the algorithm '%s'", a)
		}
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	g.attributes = merged
	s.mu.Unlock()
	return &AttributesOutput{Attributes: listed(merged, targetGroupDefaults)}, s.apply()
}
