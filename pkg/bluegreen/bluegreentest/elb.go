package bluegreentest

import (
	"context"
	"slices"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// call runs one operation between Before and After.
func call[Out any](w *World, operation string, do func() (*Out, error)) (*Out, error) {
	if w.Before != nil {
		if err := w.Before(operation); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	w.calls = append(w.calls, operation)
	out, err := do()
	w.mu.Unlock()
	if err == nil && w.After != nil {
		if lost := w.After(operation); lost != nil {
			return nil, lost
		}
	}
	return out, err
}

// ElasticLoadBalancing is the world's Elastic Load Balancing.
type ElasticLoadBalancing struct{ w *World }

// ELB returns the world's Elastic Load Balancing.
func (w *World) ELB() ElasticLoadBalancing { return ElasticLoadBalancing{w} }

// DescribeLoadBalancers finds by name or ARN.
func (e ElasticLoadBalancing) DescribeLoadBalancers(_ context.Context, in *elb.DescribeLoadBalancersInput, _ ...func(*elb.Options)) (*elb.DescribeLoadBalancersOutput, error) {
	return call(e.w, "DescribeLoadBalancers", func() (*elb.DescribeLoadBalancersOutput, error) {
		for _, lb := range e.w.LoadBalancers {
			if slices.Contains(in.Names, *lb.LoadBalancerName) || slices.Contains(in.LoadBalancerArns, *lb.LoadBalancerArn) {
				return &elb.DescribeLoadBalancersOutput{LoadBalancers: []elbtypes.LoadBalancer{lb}}, nil
			}
		}
		return nil, &elbtypes.LoadBalancerNotFoundException{Message: ptr("not found")}
	})
}

// DescribeListeners answers one listener a page.
func (e ElasticLoadBalancing) DescribeListeners(_ context.Context, in *elb.DescribeListenersInput, _ ...func(*elb.Options)) (*elb.DescribeListenersOutput, error) {
	return call(e.w, "DescribeListeners", func() (*elb.DescribeListenersOutput, error) {
		return &elb.DescribeListenersOutput{Listeners: e.w.Listeners}, nil
	})
}

// DescribeRules answers a listener's rules, or one rule.
func (e ElasticLoadBalancing) DescribeRules(_ context.Context, in *elb.DescribeRulesInput, _ ...func(*elb.Options)) (*elb.DescribeRulesOutput, error) {
	return call(e.w, "DescribeRules", func() (*elb.DescribeRulesOutput, error) {
		if in.ListenerArn != nil {
			return &elb.DescribeRulesOutput{Rules: slices.Clone(e.w.Rules[*in.ListenerArn])}, nil
		}
		for _, rules := range e.w.Rules {
			for _, r := range rules {
				if *r.RuleArn == in.RuleArns[0] {
					return &elb.DescribeRulesOutput{Rules: []elbtypes.Rule{r}}, nil
				}
			}
		}
		return nil, &elbtypes.RuleNotFoundException{Message: ptr("not found")}
	})
}

// DescribeTags answers the tags of target groups.
func (e ElasticLoadBalancing) DescribeTags(_ context.Context, in *elb.DescribeTagsInput, _ ...func(*elb.Options)) (*elb.DescribeTagsOutput, error) {
	return call(e.w, "DescribeTags", func() (*elb.DescribeTagsOutput, error) {
		out := &elb.DescribeTagsOutput{}
		for _, arn := range in.ResourceArns {
			d := elbtypes.TagDescription{ResourceArn: ptr(arn)}
			for k, v := range e.w.Tags[arn] {
				d.Tags = append(d.Tags, elbtypes.Tag{Key: ptr(k), Value: ptr(v)})
			}
			out.TagDescriptions = append(out.TagDescriptions, d)
		}
		return out, nil
	})
}

// DescribeTargetHealth answers a group's targets.
func (e ElasticLoadBalancing) DescribeTargetHealth(_ context.Context, in *elb.DescribeTargetHealthInput, _ ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	return call(e.w, "DescribeTargetHealth", func() (*elb.DescribeTargetHealthOutput, error) {
		return &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: e.w.Targets[*in.TargetGroupArn]}, nil
	})
}

// ModifyRule replaces a rule's actions; it refuses default rules.
func (e ElasticLoadBalancing) ModifyRule(_ context.Context, in *elb.ModifyRuleInput, _ ...func(*elb.Options)) (*elb.ModifyRuleOutput, error) {
	return call(e.w, "ModifyRule", func() (*elb.ModifyRuleOutput, error) {
		for listener, rules := range e.w.Rules {
			for i := range rules {
				if *rules[i].RuleArn != *in.RuleArn {
					continue
				}
				if *rules[i].IsDefault {
					return nil, &elbtypes.OperationNotPermittedException{Message: ptr("default rule")}
				}
				rules[i].Actions = in.Actions
				e.w.checkProduction(listener, in.Actions)
				return &elb.ModifyRuleOutput{Rules: []elbtypes.Rule{rules[i]}}, nil
			}
		}
		return nil, &elbtypes.RuleNotFoundException{Message: ptr("not found")}
	})
}

// ModifyListener replaces a listener's default actions.
func (e ElasticLoadBalancing) ModifyListener(_ context.Context, in *elb.ModifyListenerInput, _ ...func(*elb.Options)) (*elb.ModifyListenerOutput, error) {
	return call(e.w, "ModifyListener", func() (*elb.ModifyListenerOutput, error) {
		rules, found := e.w.Rules[*in.ListenerArn]
		if !found {
			return nil, &elbtypes.ListenerNotFoundException{Message: ptr("not found")}
		}
		rules[len(rules)-1].Actions = in.DefaultActions
		e.w.checkProduction(*in.ListenerArn, in.DefaultActions)
		return &elb.ModifyListenerOutput{}, nil
	})
}

// checkProduction notes a production route that points at no healthy target.
func (w *World) checkProduction(listener string, actions []elbtypes.Action) {
	if listener != Listener80 {
		return
	}
	for _, g := range actions[len(actions)-1].ForwardConfig.TargetGroups {
		healthy := slices.ContainsFunc(w.Targets[*g.TargetGroupArn], func(t elbtypes.TargetHealthDescription) bool {
			return t.TargetHealth.State == elbtypes.TargetHealthStateEnumHealthy
		})
		if *g.Weight > 0 && !healthy {
			w.violations = append(w.violations, "production points at "+*g.TargetGroupArn+", which has no healthy target")
		}
	}
}

// AddTags sets tags.
func (e ElasticLoadBalancing) AddTags(_ context.Context, in *elb.AddTagsInput, _ ...func(*elb.Options)) (*elb.AddTagsOutput, error) {
	return call(e.w, "AddTags", func() (*elb.AddTagsOutput, error) {
		for _, arn := range in.ResourceArns {
			for _, t := range in.Tags {
				e.w.Tags[arn][*t.Key] = *t.Value
			}
		}
		return &elb.AddTagsOutput{}, nil
	})
}
