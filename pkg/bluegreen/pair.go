package bluegreen

import (
	"fmt"
	"strings"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// A Pair is two services behind one load balancer, as they are now.
type Pair struct {
	LoadBalancer elbtypes.LoadBalancer
	Production   Route
	Test         Route
	Sides        [2]Side // in the order of Params.Services
}

// Live is the side that has production's traffic, and whether exactly one has.
func (p Pair) Live() (Side, bool) {
	for _, s := range p.Sides {
		if s.TargetGroup != "" && p.Production.PointsTo(s.TargetGroup) {
			return s, true
		}
	}
	return Side{}, false
}

// Idle is the side without production traffic, and whether exactly one has none.
func (p Pair) Idle() (Side, bool) {
	live, found := p.Live()
	if !found {
		return Side{}, false
	}
	return p.Other(live), true
}

// Other is the side that s is not.
func (p Pair) Other(s Side) Side {
	if p.Sides[0].TargetGroup == s.TargetGroup {
		return p.Sides[1]
	}
	return p.Sides[0]
}

// Standing tells how production stands now, for messages.
func (p Pair) Standing() string {
	live, found := p.Live()
	if !found {
		if len(p.Production.Actions) == 0 {
			return "how production stands could not be read"
		}
		return "production's route, " + p.Production.String() + ", forwards to " + describeWeights(p.Production.Weights())
	}
	return fmt.Sprintf("production is on %s, %s", live, live.Health)
}

// TestURL is where green can be looked at before it takes production.
func (p Pair) TestURL() string {
	scheme, usual := "http", int32(80)
	if p.Test.Protocol == elbtypes.ProtocolEnumHttps {
		scheme, usual = "https", 443
	}
	host := str(p.LoadBalancer.DNSName)
	if p.Test.Port != usual {
		host = fmt.Sprintf("%s:%d", host, p.Test.Port)
	}
	return scheme + "://" + host
}

// weightFaults lists why the production route does not tell one live side.
func (p Pair) weightFaults() []string {
	shares := p.Production.Weights()
	a, b := p.Sides[0], p.Sides[1]
	switch wa, wb := shares[a.TargetGroup], shares[b.TargetGroup]; {
	case wa > 0 && wb > 0:
		return []string{fmt.Sprintf("both sides are live: the production route (%s) sends %d to %s, %s, and %d to %s, %s: another release is in mid-shift, finish it or set one weight to 0",
			p.Production, wa, a, holder(a), wb, b, holder(b))}
	case wa == 0 && wb == 0:
		return []string{fmt.Sprintf("neither side is live: the production route (%s) forwards to %s", p.Production, describeWeights(shares))}
	}
	return nil
}

// holder tells whose release a side holds.
func holder(s Side) string {
	if s.Execution() == "" {
		return "which carries no execution"
	}
	return "which carries " + DescribeExecution(s.Execution())
}

// foreignFaults lists the route's target groups that are neither side's:
// they would be dropped by a write of ours.
func (p Pair) foreignFaults(name string, r Route) []string {
	var foreign []string
	for _, w := range sortedGroups(r.Weights()) {
		if w != p.Sides[0].TargetGroup && w != p.Sides[1].TargetGroup {
			foreign = append(foreign, GroupName(w))
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the %s route (%s) also forwards to %s, which neither service of the pair uses", name, r, strings.Join(foreign, ", "))}
}
