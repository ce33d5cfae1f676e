package bluegreen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// ELB is what [Observe] reads from Elastic Load Balancing.
type ELB interface {
	DescribeLoadBalancers(context.Context, *elb.DescribeLoadBalancersInput, ...func(*elb.Options)) (*elb.DescribeLoadBalancersOutput, error)
	DescribeListeners(context.Context, *elb.DescribeListenersInput, ...func(*elb.Options)) (*elb.DescribeListenersOutput, error)
	DescribeRules(context.Context, *elb.DescribeRulesInput, ...func(*elb.Options)) (*elb.DescribeRulesOutput, error)
	DescribeTags(context.Context, *elb.DescribeTagsInput, ...func(*elb.Options)) (*elb.DescribeTagsOutput, error)
	DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
}

// ECS is what [Observe] reads from ECS.
type ECS interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
}

// Observe reads the pair in eight calls. faults lists, in a fixed order,
// everything about the world that keeps the pair from being released; the
// pair is then filled as far as it could be read. err is a call that failed.
func Observe(ctx context.Context, elbAPI ELB, ecsAPI ECS, p Params) (pair Pair, faults []string, err error) {
	seen, err := ObserveSet(ctx, elbAPI, ecsAPI, []Params{p}, false)
	if err != nil {
		return seen[0].Pair, nil, err
	}
	return seen[0].Pair, seen[0].Faults, nil
}

type observation struct {
	elb      ELB
	ecs      ECS
	params   Params
	shifting bool // both sides may be live

	pair             Pair
	production, test *elbtypes.Listener // nil while not found
	faults           []string
}

func (o *observation) fault(format string, args ...any) {
	o.faults = append(o.faults, fmt.Sprintf(format, args...))
}

// balancer finds the load balancer.
func (o *observation) balancer(ctx context.Context) error {
	name := o.params.balancer()
	in := &elb.DescribeLoadBalancersInput{Names: []string{name}}
	if isARN(name) {
		in = &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{name}}
	}
	out, err := o.elb.DescribeLoadBalancers(ctx, in)
	if err != nil && !isGone(err) {
		return fmt.Errorf("describe load balancer %s: %w", name, err)
	}
	if err != nil || len(out.LoadBalancers) == 0 {
		o.fault("load balancer %q does not exist in this account and Region", name)
		return nil
	}
	if t := out.LoadBalancers[0].Type; t != "" && t != elbtypes.LoadBalancerTypeEnumApplication {
		o.fault("load balancer %q is of type %s: only Application Load Balancers are supported", name, t)
		return nil
	}
	o.pair.LoadBalancer = out.LoadBalancers[0]
	return nil
}

// listeners finds the production and the test listener.
func (o *observation) listeners(ctx context.Context) error {
	balancer := str(o.pair.LoadBalancer.LoadBalancerArn)
	if balancer == "" {
		return nil
	}
	var all []elbtypes.Listener
	for in := (&elb.DescribeListenersInput{LoadBalancerArn: &balancer}); ; {
		out, err := o.elb.DescribeListeners(ctx, in)
		if err != nil {
			return fmt.Errorf("describe listeners of load balancer %s: %w", balancer, err)
		}
		all = append(all, out.Listeners...)
		if in.Marker = out.NextMarker; str(in.Marker) == "" {
			break
		}
	}
	p := o.params
	o.production = o.listener(all, "production", p.ProductionListenerARN, p.ProductionRuleARN, 443, 80)
	o.test = o.listener(all, "test", p.TestListenerARN, p.TestRuleARN, 8443, 8080)
	return nil
}

// listener picks a listener by its ARN, by its rule's ARN, or by port.
func (o *observation) listener(all []elbtypes.Listener, name, arn, rule string, ports ...int32) *elbtypes.Listener {
	balancer := str(o.pair.LoadBalancer.LoadBalancerName)
	if rule != "" {
		arn = listenerOf(rule)
	}
	if arn != "" {
		i := slices.IndexFunc(all, func(l elbtypes.Listener) bool { return str(l.ListenerArn) == arn })
		if i < 0 {
			o.fault("%s listener %s does not exist on load balancer %s", name, arn, balancer)
			return nil
		}
		return &all[i]
	}
	for _, port := range ports {
		if i := slices.IndexFunc(all, func(l elbtypes.Listener) bool { return l.Port != nil && *l.Port == port }); i >= 0 {
			return &all[i]
		}
	}
	var has []string
	for _, l := range all {
		has = append(has, listenerName(l))
	}
	o.fault("load balancer %s has no %s listener on port %d or %d (it has %s)", balancer, name, ports[0], ports[1], list(has, "none"))
	return nil
}

// services reads the pair's two services.
func (o *observation) services(ctx context.Context) error {
	p := o.params
	out, err := o.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &p.Cluster, Services: p.Services})
	if _, missing := errors.AsType[*ecstypes.ClusterNotFoundException](err); missing {
		o.fault("cluster %q does not exist in this account and Region", p.Cluster)
		return nil
	}
	if err != nil {
		return fmt.Errorf("describe services %s of cluster %s: %w", strings.Join(p.Services, ", "), p.Cluster, err)
	}
	for n, asked := range p.Services {
		i := slices.IndexFunc(out.Services, func(s ecstypes.Service) bool { return names(s, asked) })
		if i < 0 {
			o.fault("service %q does not exist in cluster %q", asked, p.Cluster)
			continue
		}
		o.pair.Sides[n].Service = out.Services[i]
		o.faults = append(o.faults, serviceFaults(out.Services[i])...)
	}
	return nil
}

// routes finds the production and the test route, and each side's target
// group in them.
func (o *observation) routes(ctx context.Context) error {
	rules := map[string][]elbtypes.Rule{}
	for _, l := range []*elbtypes.Listener{o.production, o.test} {
		if l == nil || rules[*l.ListenerArn] != nil {
			continue
		}
		found, err := o.rules(ctx, *l.ListenerArn)
		if err != nil {
			return err
		}
		rules[*l.ListenerArn] = found
	}
	a, b := o.pair.Sides[0], o.pair.Sides[1]
	groups := slices.Concat(candidates(a.Service), candidates(b.Service))
	switch {
	case len(groups) == 0:
		return nil
	case len(groups) == 2 && groups[0] == groups[1]:
		o.shared(groups[0])
	}
	if o.production != nil {
		o.pair.Production = o.route("production", o.params.ProductionRuleARN, o.production, rules[*o.production.ListenerArn], groups)
	}
	if o.test != nil {
		o.pair.Test = o.route("test", o.params.TestRuleARN, o.test, rules[*o.test.ListenerArn], groups)
	}
	if p := o.pair; p.Production.Rule != "" && p.Production.Rule == p.Test.Rule {
		o.fault("production and test are the same route, %s (%s)", p.Production, p.Production.Rule)
	}
	return nil
}

func (o *observation) rules(ctx context.Context, listener string) ([]elbtypes.Rule, error) {
	all := []elbtypes.Rule{}
	for in := (&elb.DescribeRulesInput{ListenerArn: &listener}); ; {
		out, err := o.elb.DescribeRules(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("describe rules of listener %s: %w", listener, err)
		}
		all = append(all, out.Rules...)
		if in.Marker = out.NextMarker; str(in.Marker) == "" {
			return all, nil
		}
	}
}

// route picks the one rule that forwards to a group of the pair.
func (o *observation) route(name, arn string, l *elbtypes.Listener, rules []elbtypes.Rule, groups []string) Route {
	var matches []Route
	var others []string
	for _, rule := range rules {
		if arn != "" && str(rule.RuleArn) != arn {
			continue
		}
		r := Route{Listener: str(l.ListenerArn), Rule: str(rule.RuleArn), Priority: str(rule.Priority), Protocol: l.Protocol, Actions: rule.Actions}
		if l.Port != nil {
			r.Port = *l.Port
		}
		shares := r.Weights()
		if slices.ContainsFunc(groups, func(g string) bool { _, found := shares[g]; return found }) {
			matches = append(matches, r)
		} else {
			others = append(others, fmt.Sprintf("%s forwards to %s", r.within(), describeWeights(shares)))
		}
	}
	switch {
	case len(matches) == 1:
		return matches[0]
	case len(matches) > 1:
		var found []string
		for _, m := range matches {
			found = append(found, fmt.Sprintf("%s (%s)", m, m.Rule))
		}
		o.fault("the %s route is ambiguous: %s forward to the pair: name one with %sRuleArn", name, strings.Join(found, " and "), name)
	case arn != "" && len(others) == 0:
		o.fault("%s rule %s does not exist on listener %s", name, arn, listenerName(*l))
	case o.incomplete(): // that the rest of the pair is on no route is no news
	default:
		o.fault("no rule of the %s listener %s forwards to a target group of the pair (%s): %s", name, listenerName(*l), o.groupNames(), strings.Join(others, "; "))
	}
	return Route{}
}

// incomplete tells that the sides have not a target group each, which is a
// fault already.
func (o *observation) incomplete() bool {
	a, b := candidates(o.pair.Sides[0].Service), candidates(o.pair.Sides[1].Service)
	return len(a) == 0 || len(b) == 0 || slices.Equal(a, b)
}

// groupNames lists the target groups with the services that are on them.
func (o *observation) groupNames() string {
	var names []string
	for _, s := range o.pair.Sides {
		for _, g := range candidates(s.Service) {
			names = append(names, fmt.Sprintf("%s of service %s", GroupName(g), s.Name()))
		}
	}
	return strings.Join(names, ", ")
}

// shared is the fault of two services on one target group.
func (o *observation) shared(group string) {
	a, b := o.pair.Sides[0], o.pair.Sides[1]
	o.fault("services %s and %s are both on target group %s: each side needs its own", a.Name(), b.Name(), GroupName(group))
}

// groups reads each side's target group and settles which side is live.
func (o *observation) groups(ctx context.Context) error {
	p := &o.pair
	if p.Production.Rule == "" || p.Test.Rule == "" || p.Production.Rule == p.Test.Rule {
		return nil
	}
	for i := range p.Sides {
		p.Sides[i].TargetGroup = o.group(p.Sides[i])
	}
	a, b := p.Sides[0], p.Sides[1]
	if a.TargetGroup == "" || b.TargetGroup == "" {
		return nil
	}
	if a.TargetGroup == b.TargetGroup {
		if !o.incomplete() { // else it is told
			o.shared(a.TargetGroup)
		}
		return nil
	}
	if err := o.tags(ctx); err != nil {
		return err
	}
	if err := o.health(ctx); err != nil {
		return err
	}
	o.faults = append(o.faults, p.foreignFaults("test", p.Test)...)
	if !o.shifting { // else what a release gave is compared with what there is
		o.faults = slices.Concat(o.faults, p.foreignFaults("production", p.Production), p.weightFaults())
	}
	return nil
}

// group is the one of the service's target groups that the routes know.
func (o *observation) group(s Side) string {
	production, test := o.pair.Production.Weights(), o.pair.Test.Weights()
	var known, has []string
	for _, g := range candidates(s.Service) {
		has = append(has, GroupName(g))
		_, p := production[g]
		_, t := test[g]
		if p || t {
			known = append(known, g)
		}
	}
	switch {
	case len(known) == 1:
		return known[0]
	case len(has) == 0: // already a fault: the service is missing or has none
	case len(known) == 0:
		o.fault("service %s is on target group %s, which neither route forwards to (production: %s; test: %s)",
			s.Name(), strings.Join(has, ", "), describeWeights(production), describeWeights(test))
	default:
		o.fault("service %s is on %d target groups of the routes (%s): a side needs exactly one", s.Name(), len(known), strings.Join(has, ", "))
	}
	return ""
}

func (o *observation) tags(ctx context.Context) error {
	sides := &o.pair.Sides
	tags, err := ReadTags(ctx, o.elb, sides[0].TargetGroup, sides[1].TargetGroup)
	if err != nil {
		return err
	}
	for i := range sides {
		sides[i].Tags = tags[sides[i].TargetGroup]
	}
	return nil
}

func (o *observation) health(ctx context.Context) error {
	for i := range o.pair.Sides {
		side := &o.pair.Sides[i]
		out, err := o.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &side.TargetGroup})
		if err != nil {
			return fmt.Errorf("describe target health of %s: %w", side.TargetGroup, err)
		}
		side.Health = countHealth(out.TargetHealthDescriptions)
	}
	return nil
}

// isGone tells an error that says the named thing does not exist.
func isGone(err error) bool {
	if _, gone := errors.AsType[*elbtypes.LoadBalancerNotFoundException](err); gone {
		return true
	}
	_, gone := errors.AsType[*elbtypes.RuleNotFoundException](err)
	return gone
}

func listenerName(l elbtypes.Listener) string {
	if l.Port == nil {
		return string(l.Protocol)
	}
	return fmt.Sprintf("%s:%d", l.Protocol, *l.Port)
}

func list(items []string, none string) string {
	if len(items) == 0 {
		return none
	}
	return strings.Join(items, ", ")
}
