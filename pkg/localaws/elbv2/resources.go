package elbv2

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// Resources lists the CloudFormation types of Elastic Load Balancing.
func (s *Service) Resources() []resource.Type {
	const prefix = "AWS::ElasticLoadBalancingV2::"
	return []resource.Type{
		resource.Define(prefix+"LoadBalancer", []string{"Name", "Scheme", "Type"}, s.createBalancerResource, s.updateBalancerResource, s.deleteBalancerResource),
		resource.Define(prefix+"TargetGroup", []string{"Name", "Port", "Protocol", "ProtocolVersion", "TargetType", "VpcId", "IpAddressType"},
			s.createGroupResource, s.updateGroupResource, s.deleteGroupResource),
		resource.Define(prefix+"Listener", []string{"LoadBalancerArn", "Port", "Protocol"}, s.createListenerResource, s.updateListenerResource, s.deleteListenerResource),
		resource.Define(prefix+"ListenerRule", []string{"ListenerArn"}, s.createRuleResource, s.updateRuleResource, s.deleteRuleResource),
	}
}

func tagsOf(from []resource.Tag) []Tag {
	var to []Tag
	for _, t := range from {
		to = append(to, Tag(t))
	}
	return to
}

// setTags makes a resource's tags exactly these.
func (s *Service) setTags(arn string, tags []resource.Tag) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	had := s.tags[arn]
	delete(s.tags, arn)
	merged, err := s.mergedTagsLocked(arn, tagsOf(tags))
	if err != nil {
		s.tags[arn] = had
		return fmt.Errorf("tag %s: %w", arn, err)
	}
	s.tags[arn] = merged
	return nil
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancingv2-loadbalancer.html
type balancerProperties struct {
	Name                   string
	Type                   string
	Scheme                 string
	IpAddressType          string
	Subnets                []string
	SecurityGroups         []string
	LoadBalancerAttributes []Attribute
	Tags                   []resource.Tag
}

func (s *Service) createBalancerResource(ctx context.Context, r resource.Request, p *balancerProperties) (resource.State, error) {
	name := cmp.Or(p.Name, r.GeneratedName(32))
	out, err := s.CreateLoadBalancer(ctx, &CreateLoadBalancerInput{
		Name: name, Type: p.Type, Scheme: p.Scheme, IpAddressType: p.IpAddressType, Subnets: p.Subnets, SecurityGroups: p.SecurityGroups, Tags: tagsOf(p.Tags),
	})
	if err != nil {
		return resource.State{}, fmt.Errorf("create load balancer %s: %w", name, err)
	}
	b := out.LoadBalancers[0]
	if err := s.balancerAttributes(ctx, b.LoadBalancerArn, p.LoadBalancerAttributes); err != nil {
		r.PhysicalID = b.LoadBalancerArn
		return resource.State{}, errors.Join(err, s.deleteBalancerResource(ctx, r))
	}
	return balancerState(b), nil
}

func (s *Service) balancerAttributes(ctx context.Context, arn string, attributes []Attribute) error {
	if len(attributes) == 0 {
		return nil
	}
	if _, err := s.ModifyLoadBalancerAttributes(ctx, &ModifyLoadBalancerAttributesInput{LoadBalancerArn: arn, Attributes: attributes}); err != nil {
		return fmt.Errorf("set attributes of load balancer %s: %w", arn, err)
	}
	return nil
}

func balancerState(b LoadBalancer) resource.State {
	return resource.State{PhysicalID: b.LoadBalancerArn, Attributes: map[string]any{
		"LoadBalancerArn": b.LoadBalancerArn, "DNSName": b.DNSName, "CanonicalHostedZoneID": b.CanonicalHostedZoneId,
		"LoadBalancerFullName": (&loadBalancer{LoadBalancer: b}).fullName(), "LoadBalancerName": b.LoadBalancerName, "SecurityGroups": texts(b.SecurityGroups),
	}}
}

// texts is a list as Fn::GetAtt gives it.
func texts(list []string) []any {
	all := []any{}
	for _, s := range list {
		all = append(all, s)
	}
	return all
}

func (s *Service) updateBalancerResource(ctx context.Context, r resource.Request, p *balancerProperties) (resource.State, error) {
	arn := r.PhysicalID
	if r.Changed("Subnets") {
		if _, err := s.SetSubnets(ctx, &SetSubnetsInput{LoadBalancerArn: arn, Subnets: p.Subnets}); err != nil {
			return resource.State{}, fmt.Errorf("set subnets of load balancer %s: %w", arn, err)
		}
	}
	if r.Changed("SecurityGroups") {
		if _, err := s.SetSecurityGroups(ctx, &SetSecurityGroupsInput{LoadBalancerArn: arn, SecurityGroups: p.SecurityGroups}); err != nil {
			return resource.State{}, fmt.Errorf("set security groups of load balancer %s: %w", arn, err)
		}
	}
	if r.Changed("IpAddressType") {
		return resource.State{}, fmt.Errorf("set address type of load balancer %s: the embedded AWS does not change it", arn)
	}
	if err := s.balancerAttributes(ctx, arn, p.LoadBalancerAttributes); err != nil {
		return resource.State{}, err
	}
	if err := s.setTags(arn, p.Tags); err != nil {
		return resource.State{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.balancerLocked(arn)
	if err != nil {
		return resource.State{}, err
	}
	return balancerState(b.LoadBalancer), nil
}

func (s *Service) deleteBalancerResource(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteLoadBalancer(ctx, &LoadBalancerInput{LoadBalancerArn: r.PhysicalID})
	return err
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancingv2-targetgroup.html
type groupProperties struct {
	Name            string
	Protocol        string
	ProtocolVersion string
	Port            *int
	VpcId           string
	TargetType      string
	IpAddressType   string
	HealthCheck
	TargetGroupAttributes []Attribute
	Targets               []Target
	Tags                  []resource.Tag
}

func (s *Service) createGroupResource(ctx context.Context, r resource.Request, p *groupProperties) (resource.State, error) {
	name := cmp.Or(p.Name, r.GeneratedName(32))
	out, err := s.CreateTargetGroup(ctx, &CreateTargetGroupInput{
		Name: name, Protocol: p.Protocol, ProtocolVersion: p.ProtocolVersion, Port: p.Port, VpcId: p.VpcId, TargetType: p.TargetType,
		IpAddressType: p.IpAddressType, HealthCheck: p.HealthCheck, Tags: tagsOf(p.Tags),
	})
	if err != nil {
		return resource.State{}, fmt.Errorf("create target group %s: %w", name, err)
	}
	g := out.TargetGroups[0]
	err = s.groupAttributes(ctx, g.TargetGroupArn, p.TargetGroupAttributes)
	if err == nil && len(p.Targets) > 0 {
		_, err = s.RegisterTargets(ctx, &TargetsInput{TargetGroupArn: g.TargetGroupArn, Targets: p.Targets})
	}
	if err != nil {
		r.PhysicalID = g.TargetGroupArn
		return resource.State{}, errors.Join(err, s.deleteGroupResource(ctx, r))
	}
	return s.groupState(g.TargetGroupArn)
}

func (s *Service) groupAttributes(ctx context.Context, arn string, attributes []Attribute) error {
	if len(attributes) == 0 {
		return nil
	}
	if _, err := s.ModifyTargetGroupAttributes(ctx, &ModifyTargetGroupAttributesInput{TargetGroupArn: arn, Attributes: attributes}); err != nil {
		return fmt.Errorf("set attributes of target group %s: %w", arn, err)
	}
	return nil
}

func (s *Service) groupState(arn string) (resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(arn)
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{PhysicalID: arn, Attributes: map[string]any{
		"TargetGroupArn": arn, "TargetGroupName": g.TargetGroupName, "TargetGroupFullName": g.fullName(),
		"LoadBalancerArns": texts(s.describeGroupLocked(g).LoadBalancerArns),
	}}, nil
}

func (s *Service) updateGroupResource(ctx context.Context, r resource.Request, p *groupProperties) (resource.State, error) {
	if _, err := s.ModifyTargetGroup(ctx, &ModifyTargetGroupInput{TargetGroupArn: r.PhysicalID, HealthCheck: p.HealthCheck}); err != nil {
		return resource.State{}, fmt.Errorf("modify target group %s: %w", r.PhysicalID, err)
	}
	if err := s.groupAttributes(ctx, r.PhysicalID, p.TargetGroupAttributes); err != nil {
		return resource.State{}, err
	}
	if r.Changed("Targets") {
		if err := s.replaceTargets(ctx, r, p.Targets); err != nil {
			return resource.State{}, err
		}
	}
	if err := s.setTags(r.PhysicalID, p.Tags); err != nil {
		return resource.State{}, err
	}
	return s.groupState(r.PhysicalID)
}

// replaceTargets registers the template's targets and deregisters those that
// were in it before.
func (s *Service) replaceTargets(ctx context.Context, r resource.Request, wanted []Target) error {
	var before groupProperties
	if faults := resource.Decode(r.Previous, &before); len(faults) > 0 {
		return fmt.Errorf("read former properties of %s: %s", r.LogicalID, faults[0])
	}
	gone := slices.DeleteFunc(before.Targets, func(old Target) bool {
		return slices.ContainsFunc(wanted, func(t Target) bool { return t.Id == old.Id && *cmp.Or(t.Port, new(0)) == *cmp.Or(old.Port, new(0)) })
	})
	if len(gone) > 0 {
		if _, err := s.DeregisterTargets(ctx, &TargetsInput{TargetGroupArn: r.PhysicalID, Targets: gone}); err != nil {
			return fmt.Errorf("deregister targets of %s: %w", r.PhysicalID, err)
		}
	}
	if len(wanted) > 0 {
		if _, err := s.RegisterTargets(ctx, &TargetsInput{TargetGroupArn: r.PhysicalID, Targets: wanted}); err != nil {
			return fmt.Errorf("register targets of %s: %w", r.PhysicalID, err)
		}
	}
	return nil
}

func (s *Service) deleteGroupResource(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteTargetGroup(ctx, &TargetGroupInput{TargetGroupArn: r.PhysicalID})
	return err
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancingv2-listener.html
type listenerProperties struct {
	LoadBalancerArn string `aws:",required"`
	Protocol        string
	Port            *int
	Certificates    []Certificate
	SslPolicy       string
	DefaultActions  []Action `aws:",required"`
	Tags            []resource.Tag
}

func (s *Service) createListenerResource(ctx context.Context, r resource.Request, p *listenerProperties) (resource.State, error) {
	if p.Protocol == "" || p.Port == nil {
		return resource.State{}, fmt.Errorf("create listener %s: Protocol and Port are required for an Application Load Balancer", r.LogicalID)
	}
	out, err := s.CreateListener(ctx, &CreateListenerInput{
		LoadBalancerArn: p.LoadBalancerArn, Protocol: p.Protocol, Port: p.Port, Certificates: p.Certificates, SslPolicy: p.SslPolicy,
		DefaultActions: p.DefaultActions, Tags: tagsOf(p.Tags),
	})
	if err != nil {
		return resource.State{}, fmt.Errorf("create listener %s: %w", r.LogicalID, err)
	}
	return listenerState(out.Listeners[0].ListenerArn), nil
}

func listenerState(arn string) resource.State {
	return resource.State{PhysicalID: arn, Attributes: map[string]any{"ListenerArn": arn}}
}

func (s *Service) updateListenerResource(ctx context.Context, r resource.Request, p *listenerProperties) (resource.State, error) {
	in := &ModifyListenerInput{ListenerArn: r.PhysicalID}
	if r.Changed("DefaultActions") { // else weights that were shifted meanwhile stay
		in.DefaultActions = p.DefaultActions
	}
	if r.Changed("Certificates") {
		in.Certificates = p.Certificates
	}
	if r.Changed("SslPolicy") {
		in.SslPolicy = p.SslPolicy
	}
	if _, err := s.ModifyListener(ctx, in); err != nil {
		return resource.State{}, fmt.Errorf("modify listener %s: %w", r.PhysicalID, err)
	}
	return listenerState(r.PhysicalID), s.setTags(r.PhysicalID, p.Tags)
}

func (s *Service) deleteListenerResource(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteListener(ctx, &ListenerInput{ListenerArn: r.PhysicalID})
	return unless("ListenerNotFound", err)
}

// unless drops an error of this code: what is to be deleted is not there.
func unless(code string, err error) error {
	var refused *wire.Error
	if errors.As(err, &refused) && refused.Code == code {
		return nil
	}
	return err
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancingv2-listenerrule.html
type ruleProperties struct {
	ListenerArn string      `aws:",required"`
	Priority    *int        `aws:",required"`
	Conditions  []Condition `aws:",required"`
	Actions     []Action    `aws:",required"`
	Tags        []resource.Tag
}

func (s *Service) createRuleResource(ctx context.Context, r resource.Request, p *ruleProperties) (resource.State, error) {
	out, err := s.CreateRule(ctx, &CreateRuleInput{ListenerArn: p.ListenerArn, Priority: p.Priority, Conditions: p.Conditions, Actions: p.Actions, Tags: tagsOf(p.Tags)})
	if err != nil {
		return resource.State{}, fmt.Errorf("create rule %s: %w", r.LogicalID, err)
	}
	return ruleState(out.Rules[0].RuleArn), nil
}

func ruleState(arn string) resource.State {
	return resource.State{PhysicalID: arn, Attributes: map[string]any{"RuleArn": arn, "IsDefault": false}}
}

func (s *Service) updateRuleResource(ctx context.Context, r resource.Request, p *ruleProperties) (resource.State, error) {
	in := &ModifyRuleInput{RuleArn: r.PhysicalID}
	if r.Changed("Actions") { // else weights that were shifted meanwhile stay
		in.Actions = p.Actions
	}
	if r.Changed("Conditions") {
		in.Conditions = p.Conditions
	}
	if _, err := s.ModifyRule(ctx, in); err != nil {
		return resource.State{}, fmt.Errorf("modify rule %s: %w", r.PhysicalID, err)
	}
	if r.Changed("Priority") {
		priorities := []RulePriority{{RuleArn: r.PhysicalID, Priority: p.Priority}}
		if _, err := s.SetRulePriorities(ctx, &SetRulePrioritiesInput{RulePriorities: priorities}); err != nil {
			return resource.State{}, fmt.Errorf("set priority of rule %s: %w", r.PhysicalID, err)
		}
	}
	return ruleState(r.PhysicalID), s.setTags(r.PhysicalID, p.Tags)
}

func (s *Service) deleteRuleResource(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteRule(ctx, &RuleInput{RuleArn: r.PhysicalID})
	return unless("RuleNotFound", err)
}
