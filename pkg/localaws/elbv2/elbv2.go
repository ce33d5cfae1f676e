package elbv2

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"cutover/pkg/localaws/alb"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsquery"
)

// Config says what a service is made of.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	Logger  *slog.Logger // nil discards

	Plane *alb.Proxy // the data plane
	// Address gives the loopback address for a listener to bind, by the name of
	// its load balancer and its port; nil means 127.0.0.1:0 for each.
	Address func(loadBalancer string, port int) string
	// Subnet finds a subnet's VPC and Availability Zone; nil knows every subnet.
	Subnet func(id string) (vpcID, zone string, ok bool)
	// Running says whether there is an instance of an ID that runs; nil knows none.
	Running func(instanceID string) bool
}

// A Service is the Elastic Load Balancing of one embedded AWS. It is safe for
// concurrent use.
type Service struct {
	Config
	clock clock.Clock

	applying sync.Mutex // before mu
	applied  applied    // under applying

	mu        sync.Mutex
	made      uint64 // ids given so far
	balancers []*loadBalancer
	groups    []*targetGroup
	listeners []*listener
	tags      map[string]map[string]string // by ARN
}

// New makes a service without load balancers.
func New(config Config) *Service {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Address == nil {
		config.Address = func(string, int) string { return "127.0.0.1:0" }
	}
	return &Service{
		Config: config, clock: config.Clock, tags: map[string]map[string]string{},
		applied: applied{groups: map[string]alb.TargetGroup{}, rules: map[string][]alb.Rule{}},
	}
}

// Wire is the service's API.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "elasticloadbalancing",
		Protocols: []wire.Protocol{awsquery.Protocol{Version: "2015-12-01", Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"}},
		Invalid:   func(message string) *wire.Error { return validation("%s", message) },
		Operations: []wire.Operation{
			wire.Op("CreateLoadBalancer", s.CreateLoadBalancer, wire.Needs(func(in *CreateLoadBalancerInput) []wire.Access {
				return creating("CreateLoadBalancer", s.arn("loadbalancer/app/"+in.Name+"/*"), in.Tags)
			})),
			wire.Op("DescribeLoadBalancers", s.DescribeLoadBalancers),
			wire.Op("DeleteLoadBalancer", s.DeleteLoadBalancer, wire.On(func(in *LoadBalancerInput) []string { return []string{in.LoadBalancerArn} })),
			wire.Op("DescribeLoadBalancerAttributes", s.DescribeLoadBalancerAttributes),
			wire.Op("ModifyLoadBalancerAttributes", s.ModifyLoadBalancerAttributes, wire.On(func(in *ModifyLoadBalancerAttributesInput) []string {
				return []string{in.LoadBalancerArn}
			})),
			wire.Op("SetSecurityGroups", s.SetSecurityGroups, wire.On(func(in *SetSecurityGroupsInput) []string { return []string{in.LoadBalancerArn} })),
			wire.Op("SetSubnets", s.SetSubnets, wire.On(func(in *SetSubnetsInput) []string { return []string{in.LoadBalancerArn} })),
			wire.Op("CreateTargetGroup", s.CreateTargetGroup, wire.Needs(func(in *CreateTargetGroupInput) []wire.Access {
				return creating("CreateTargetGroup", s.arn("targetgroup/"+in.Name+"/*"), in.Tags)
			})),
			wire.Op("DescribeTargetGroups", s.DescribeTargetGroups),
			wire.Op("ModifyTargetGroup", s.ModifyTargetGroup, wire.On(func(in *ModifyTargetGroupInput) []string { return []string{in.TargetGroupArn} })),
			wire.Op("DeleteTargetGroup", s.DeleteTargetGroup, wire.On(func(in *TargetGroupInput) []string { return []string{in.TargetGroupArn} })),
			wire.Op("DescribeTargetGroupAttributes", s.DescribeTargetGroupAttributes),
			wire.Op("ModifyTargetGroupAttributes", s.ModifyTargetGroupAttributes, wire.On(func(in *ModifyTargetGroupAttributesInput) []string {
				return []string{in.TargetGroupArn}
			})),
			wire.Op("RegisterTargets", s.RegisterTargets, wire.On(func(in *TargetsInput) []string { return []string{in.TargetGroupArn} })),
			wire.Op("DeregisterTargets", s.DeregisterTargets, wire.On(func(in *TargetsInput) []string { return []string{in.TargetGroupArn} })),
			wire.Op("DescribeTargetHealth", s.DescribeTargetHealth),
			wire.Op("CreateListener", s.CreateListener, wire.Needs(func(in *CreateListenerInput) []wire.Access {
				return creating("CreateListener", in.LoadBalancerArn, in.Tags)
			})),
			wire.Op("DescribeListeners", s.DescribeListeners),
			wire.Op("ModifyListener", s.ModifyListener, wire.On(func(in *ModifyListenerInput) []string { return []string{in.ListenerArn} })),
			wire.Op("DeleteListener", s.DeleteListener, wire.On(func(in *ListenerInput) []string { return []string{in.ListenerArn} })),
			wire.Op("CreateRule", s.CreateRule, wire.Needs(func(in *CreateRuleInput) []wire.Access {
				return creating("CreateRule", in.ListenerArn, in.Tags)
			})),
			wire.Op("DescribeRules", s.DescribeRules),
			wire.Op("ModifyRule", s.ModifyRule, wire.On(func(in *ModifyRuleInput) []string { return []string{in.RuleArn} })),
			wire.Op("DeleteRule", s.DeleteRule, wire.On(func(in *RuleInput) []string { return []string{in.RuleArn} })),
			wire.Op("SetRulePriorities", s.SetRulePriorities, wire.On(func(in *SetRulePrioritiesInput) []string {
				var arns []string
				for _, p := range in.RulePriorities {
					arns = append(arns, p.RuleArn)
				}
				return arns
			})),
			wire.Op("AddTags", s.AddTags, wire.On(func(in *AddTagsInput) []string { return in.ResourceArns })),
			wire.Op("RemoveTags", s.RemoveTags, wire.On(func(in *RemoveTagsInput) []string { return in.ResourceArns })),
			wire.Op("DescribeTags", s.DescribeTags),
		},
	}
}

// creating is what IAM must allow to create something on a resource, with tags.
func creating(operation, resource string, tags []Tag) []wire.Access {
	access := []wire.Access{{Resource: resource}}
	if len(tags) > 0 {
		access = append(access, wire.Access{
			Action: "elasticloadbalancing:AddTags", Resource: resource,
			Context: map[string]string{"elasticloadbalancing:CreateAction": operation},
		})
	}
	return access
}

func (s *Service) arn(rest string) string {
	return fmt.Sprintf("arn:aws:elasticloadbalancing:%s:%s:%s", s.Region, s.Account, rest)
}

// newIDLocked derives 16 hexadecimal digits from how many were given before, so
// that the same calls make the same ARNs.
func (s *Service) newIDLocked(name string) string {
	s.made++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", name, s.made))
	return hex.EncodeToString(sum[:8])
}

func refuse(code, format string, args ...any) *wire.Error { return wire.Errorf(code, format, args...) }

// validation is the error for input that breaks a rule.
func validation(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationError", format, args...)
}

// validName holds for load balancers and target groups: up to 32 letters, digits
// and hyphens, none of them at either end.
func validName(name string) error {
	if name == "" || len(name) > 32 {
		return validation("Name '%s' must have 1 to 32 characters", name)
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return validation("Name '%s' can only contain characters that are alphanumeric characters and hyphens(-)", name)
		}
	}
	if strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") {
		return validation("Name '%s' cannot begin or end with a hyphen", name)
	}
	return nil
}

// An Attribute is a setting of a load balancer or a target group.
type Attribute struct {
	Key   string
	Value string
}

// A Page is what callers may say of pages. All fits one.
type Page struct {
	Marker   string
	PageSize *int
}

func (p Page) validate() error {
	if p.Marker != "" {
		return validation("Marker '%s' is not one that this API gave", p.Marker)
	}
	if p.PageSize != nil && (*p.PageSize < 1 || *p.PageSize > 400) {
		return validation("Page size %d must be between 1 and 400", *p.PageSize)
	}
	return nil
}
