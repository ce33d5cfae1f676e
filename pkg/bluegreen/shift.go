package bluegreen

import (
	"context"
	"fmt"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// RouteAPI is what [Route.Shift] calls.
type RouteAPI interface {
	DescribeRules(context.Context, *elb.DescribeRulesInput, ...func(*elb.Options)) (*elb.DescribeRulesOutput, error)
	ModifyRule(context.Context, *elb.ModifyRuleInput, ...func(*elb.Options)) (*elb.ModifyRuleOutput, error)
	ModifyListener(context.Context, *elb.ModifyListenerInput, ...func(*elb.Options)) (*elb.ModifyListenerOutput, error)
}

// A ForeignEditError says that someone else changed a route between our
// reading and our writing of it, or right after our write.
type ForeignEditError struct {
	Route      Route            // as we had read it
	Found      map[string]int32 // the weights found instead; nil when the rule is gone
	AfterWrite bool             // found when reading our write back
}

// Error tells what was found.
func (e *ForeignEditError) Error() string {
	found := "the rule is gone"
	if e.Found != nil {
		found = "it now forwards to " + describeWeights(e.Found)
	}
	when := "since it was read, so nothing was written"
	if e.AfterWrite {
		when = "right after it was written"
	}
	return fmt.Sprintf("%s was changed by someone else %s: %s", e.Route, when, found)
}

// Shift makes the route forward to the given groups and nothing else. It
// reads the route first: if that is already so it writes nothing, and if the
// route is not what r says it writes nothing and returns a *ForeignEditError.
// ELB has no compare-and-swap, so the read back after the write is what tells
// a lost race. The returned route is the one read back; should AWS not show
// the write yet, it is the route as it was.
//
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyRule.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html
func (r Route) Shift(ctx context.Context, api RouteAPI, to ...Weight) (Route, error) {
	wanted := r.Pointing(to...)
	before, found, err := r.read(ctx, api)
	switch {
	case err != nil:
		return r, err
	case !found:
		return r, &ForeignEditError{Route: r}
	case sameActions(before.Actions, wanted):
		return before, nil
	case !sameActions(before.Actions, r.Actions):
		return r, &ForeignEditError{Route: r, Found: before.Weights()}
	}
	if err := r.write(ctx, api, wanted); err != nil {
		return r, err
	}
	after, found, err := r.read(ctx, api)
	switch {
	case err != nil:
		return r, err
	case !found:
		return r, &ForeignEditError{Route: r, AfterWrite: true}
	case sameActions(after.Actions, before.Actions):
		return after, nil // not visible yet: the next observation decides
	case !sameActions(after.Actions, wanted):
		return r, &ForeignEditError{Route: r, Found: after.Weights(), AfterWrite: true}
	}
	return after, nil
}

func (r Route) read(ctx context.Context, api RouteAPI) (Route, bool, error) {
	out, err := api.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{r.Rule}})
	switch {
	case isGone(err):
		return r, false, nil
	case err != nil:
		return r, false, fmt.Errorf("read rule %s: %w", r.Rule, err)
	case len(out.Rules) == 0:
		return r, false, nil
	}
	r.Actions = out.Rules[0].Actions
	return r, true, nil
}

func (r Route) write(ctx context.Context, api RouteAPI, actions []elbtypes.Action) error {
	if r.IsDefault() { // ModifyRule refuses default rules
		if _, err := api.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: &r.Listener, DefaultActions: actions}); err != nil {
			return fmt.Errorf("modify listener %s: %w", r.Listener, err)
		}
		return nil
	}
	if _, err := api.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: &r.Rule, Actions: actions}); err != nil {
		return fmt.Errorf("modify rule %s: %w", r.Rule, err)
	}
	return nil
}
