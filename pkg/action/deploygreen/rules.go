package deploygreen

import (
	"context"
	"fmt"
	"maps"
	"slices"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"cutover/pkg/bluegreen"
)

// rules lets the test routes of a set be written without two reads for each:
// [bluegreen.Route.Shift] asks for its rule before and after it writes it, and is
// answered from one reading of all listeners and from what was written. Whether
// AWS has it so, [rules.confirm] reads at the end for all of them.
type rules struct {
	ELB
	listeners []string
	seen      map[string]elbtypes.Rule    // by ARN; nil before it is read
	defaults  map[string]string           // their default rules' ARNs, by listener
	before    map[string]map[string]int32 // weights that were overwritten, by rule
}

// newRules is for the test routes of the releases that are written.
func newRules(api ELB, releases []Release) *rules {
	r := &rules{ELB: api, defaults: map[string]string{}, before: map[string]map[string]int32{}}
	for _, release := range releases {
		if l := release.Test.Listener; !slices.Contains(r.listeners, l) {
			r.listeners = append(r.listeners, l)
		}
	}
	return r
}

func (r *rules) read(ctx context.Context) (map[string]elbtypes.Rule, error) {
	all := map[string]elbtypes.Rule{}
	for _, listener := range r.listeners {
		for in := (&elb.DescribeRulesInput{ListenerArn: &listener}); ; {
			out, err := r.ELB.DescribeRules(ctx, in)
			if err != nil {
				return nil, fmt.Errorf("read rules of listener %s: %w", listener, err)
			}
			for _, rule := range out.Rules {
				all[str(rule.RuleArn)] = rule
				if str(rule.Priority) == "default" {
					r.defaults[listener] = str(rule.RuleArn)
				}
			}
			if in.Marker = out.NextMarker; str(in.Marker) == "" {
				break
			}
		}
	}
	return all, nil
}

// DescribeRules implements bluegreen.RouteAPI, for one rule.
func (r *rules) DescribeRules(ctx context.Context, in *elb.DescribeRulesInput, _ ...func(*elb.Options)) (_ *elb.DescribeRulesOutput, err error) {
	if r.seen == nil {
		if r.seen, err = r.read(ctx); err != nil {
			return nil, err
		}
	}
	out := &elb.DescribeRulesOutput{}
	for _, arn := range in.RuleArns {
		if rule, found := r.seen[arn]; found {
			out.Rules = append(out.Rules, rule)
		}
	}
	return out, nil
}

// ModifyRule implements bluegreen.RouteAPI.
func (r *rules) ModifyRule(ctx context.Context, in *elb.ModifyRuleInput, options ...func(*elb.Options)) (*elb.ModifyRuleOutput, error) {
	out, err := r.ELB.ModifyRule(ctx, in, options...)
	if err == nil {
		r.written(str(in.RuleArn), in.Actions)
	}
	return out, err
}

// ModifyListener implements bluegreen.RouteAPI.
func (r *rules) ModifyListener(ctx context.Context, in *elb.ModifyListenerInput, options ...func(*elb.Options)) (*elb.ModifyListenerOutput, error) {
	out, err := r.ELB.ModifyListener(ctx, in, options...)
	if err != nil {
		return nil, err
	}
	r.written(r.defaults[str(in.ListenerArn)], in.DefaultActions)
	return out, nil
}

func (r *rules) written(arn string, actions []elbtypes.Action) {
	rule := r.seen[arn]
	r.before[arn] = bluegreen.Route{Actions: rule.Actions}.Weights()
	rule.Actions = actions
	r.seen[arn] = rule
}

// confirm reads back what was written, and tells which release's test route is
// not as it was left. One that AWS still shows as it was is not visible yet: the
// next observation decides.
func (r *rules) confirm(ctx context.Context, releases []Release) (Release, error) {
	if len(r.before) == 0 {
		return Release{}, nil
	}
	now, err := r.read(ctx)
	if err != nil {
		return Release{}, err
	}
	for _, release := range releases {
		before, wrote := r.before[release.Test.Rule]
		if !wrote {
			continue
		}
		rule, found := now[release.Test.Rule]
		if !found {
			return release, &bluegreen.ForeignEditError{Route: release.Test, AfterWrite: true}
		}
		weights := bluegreen.Route{Actions: rule.Actions}.Weights()
		ours := bluegreen.Route{Actions: r.seen[release.Test.Rule].Actions}.Weights()
		if !maps.Equal(weights, ours) && !maps.Equal(weights, before) {
			return release, &bluegreen.ForeignEditError{Route: release.Test, Found: weights, AfterWrite: true}
		}
	}
	return Release{}, nil
}
