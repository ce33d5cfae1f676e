package bluegreen

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// A Route is the listener rule, or the listener's default action, that carries
// one kind of the pair's traffic.
type Route struct {
	Listener string // ARN
	Rule     string // ARN; the default action has one too
	Priority string // "default" for the default action
	Protocol elbtypes.ProtocolEnum
	Port     int32
	Actions  []elbtypes.Action // as AWS told them, the forward last
}

// A Weight is a target group's share of a route.
type Weight struct {
	TargetGroup string // ARN
	Weight      int32  // 0-999, relative to the sum of the route's weights
}

// IsDefault tells whether the route is its listener's default action.
func (r Route) IsDefault() bool { return r.Priority == "default" }

// String names the route for messages.
func (r Route) String() string {
	if r.IsDefault() {
		return fmt.Sprintf("default action of listener %s:%d", r.Protocol, r.Port)
	}
	return fmt.Sprintf("rule %s of listener %s:%d", r.Priority, r.Protocol, r.Port)
}

// within names the route for messages that name its listener.
func (r Route) within() string {
	if r.IsDefault() {
		return "the default action"
	}
	return "rule " + r.Priority
}

// Weights are the route's target groups with their weights.
func (r Route) Weights() map[string]int32 { return weights(r.Actions) }

func weights(actions []elbtypes.Action) map[string]int32 {
	shares := map[string]int32{}
	for _, a := range actions {
		if a.Type != elbtypes.ActionTypeEnumForward {
			continue
		}
		if a.ForwardConfig == nil || len(a.ForwardConfig.TargetGroups) == 0 {
			if a.TargetGroupArn != nil {
				shares[*a.TargetGroupArn] = 1
			}
			continue
		}
		for _, g := range a.ForwardConfig.TargetGroups {
			share := int32(1) // one group alone needs no weight
			if g.Weight != nil {
				share = *g.Weight
			}
			shares[str(g.TargetGroupArn)] = share
		}
	}
	return shares
}

// PointsTo tells whether all the route's traffic goes to the group.
func (r Route) PointsTo(group string) bool {
	shares := r.Weights()
	for g, w := range shares {
		if w > 0 && g != group {
			return false
		}
	}
	return shares[group] > 0
}

// Sticky tells whether the route keeps a client on its target group.
func (r Route) Sticky() bool {
	for _, a := range r.Actions {
		if f := a.ForwardConfig; f != nil && f.TargetGroupStickinessConfig != nil && isTrue(f.TargetGroupStickinessConfig.Enabled) {
			return true
		}
	}
	return false
}

// Pointing returns the route's actions with only the forward's target groups
// replaced: its stickiness and the actions before it stay as they are.
func (r Route) Pointing(to ...Weight) []elbtypes.Action {
	actions := slices.Clone(r.Actions)
	for i := range actions {
		a := &actions[i]
		switch a.Type {
		case elbtypes.ActionTypeEnumForward:
			forward := elbtypes.ForwardActionConfig{}
			if a.ForwardConfig != nil {
				forward.TargetGroupStickinessConfig = a.ForwardConfig.TargetGroupStickinessConfig
			}
			for _, w := range to {
				forward.TargetGroups = append(forward.TargetGroups, elbtypes.TargetGroupTuple{TargetGroupArn: &w.TargetGroup, Weight: &w.Weight})
			}
			a.TargetGroupArn, a.ForwardConfig = nil, &forward
		case elbtypes.ActionTypeEnumAuthenticateOidc:
			// The client secret is never read back: AWS keeps the one it has
			// only when told so.
			if a.AuthenticateOidcConfig != nil {
				oidc, keep := *a.AuthenticateOidcConfig, true
				oidc.ClientSecret, oidc.UseExistingClientSecret = nil, &keep
				a.AuthenticateOidcConfig = &oidc
			}
		}
	}
	return actions
}

// sameActions tells whether two action lists mean the same, whichever of
// AWS's equivalent spellings they use.
func sameActions(a, b []elbtypes.Action) bool { return canonical(a) == canonical(b) }

func canonical(actions []elbtypes.Action) string {
	ordered := slices.Clone(actions)
	slices.SortStableFunc(ordered, func(a, b elbtypes.Action) int { return cmp.Compare(order(a), order(b)) })
	var text strings.Builder
	for _, a := range ordered {
		a.Order = nil
		if a.Type == elbtypes.ActionTypeEnumForward {
			shares := weights([]elbtypes.Action{a})
			for _, g := range slices.Sorted(maps.Keys(shares)) {
				share := shares[g]
				if len(shares) == 1 && share > 0 {
					share = 1 // any weight alone is all of it
				}
				fmt.Fprintf(&text, "%s=%d ", g, share)
			}
			if f := a.ForwardConfig; f != nil && f.TargetGroupStickinessConfig != nil && isTrue(f.TargetGroupStickinessConfig.Enabled) {
				seconds := int32(0)
				if d := f.TargetGroupStickinessConfig.DurationSeconds; d != nil {
					seconds = *d
				}
				fmt.Fprintf(&text, "sticky=%d", seconds)
			}
			text.WriteByte('\n')
			continue
		}
		if a.AuthenticateOidcConfig != nil {
			oidc := *a.AuthenticateOidcConfig
			oidc.ClientSecret, oidc.UseExistingClientSecret = nil, nil
			a.AuthenticateOidcConfig = &oidc
		}
		encoded, err := json.Marshal(a)
		if err != nil { // plain structs of strings and numbers
			panic(fmt.Sprintf("encode listener action: %v", err))
		}
		text.Write(encoded)
		text.WriteByte('\n')
	}
	return text.String()
}

func order(a elbtypes.Action) int32 {
	if a.Order == nil {
		return 0
	}
	return *a.Order
}

func isTrue(b *bool) bool { return b != nil && *b }

// describeWeights tells the shares for messages, the greatest first.
func describeWeights(shares map[string]int32) string {
	groups := slices.SortedFunc(maps.Keys(shares), func(a, b string) int {
		return cmp.Or(cmp.Compare(shares[b], shares[a]), cmp.Compare(GroupName(a), GroupName(b)))
	})
	parts := make([]string, len(groups))
	for i, g := range groups {
		parts[i] = fmt.Sprintf("%s %d", GroupName(g), shares[g])
	}
	if len(parts) == 0 {
		return "no target group"
	}
	return strings.Join(parts, ", ")
}
