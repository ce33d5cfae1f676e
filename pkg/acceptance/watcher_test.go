package acceptance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	pipelines "cutover/pkg/localaws/codepipeline"
	"cutover/pkg/localaws/elbv2"
	"cutover/pkg/localaws/endpoint"
)

// A watcher hears of everything that happens in a world: it keeps how
// executions stand and which approvals wait, and checks after every call of a
// function that production is served.
type watcher struct {
	world *world

	mu       sync.Mutex
	statuses map[string]string
	tokens   map[string]string // of approvals that wait, by execution
	armed    bool              // production has been served: from now on it must be
	faults   []string
}

// hear takes CodePipeline's news.
func (w *watcher) hear(e pipelines.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.statuses == nil {
		w.statuses, w.tokens = map[string]string{}, map[string]string{}
	}
	switch {
	case e.Stage == "":
		w.statuses[e.ExecutionID] = e.Status
	case e.Token != "" && e.Status == "InProgress":
		w.tokens[e.ExecutionID] = e.Token
	}
}

func (w *watcher) status(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statuses[id]
}

func (w *watcher) takeToken(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	token := w.tokens[id]
	delete(w.tokens, id)
	return token
}

// arm begins the watch over production.
func (w *watcher) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = true
}

// disarm ends it.
func (w *watcher) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
}

// observe looks at production right after each call of a function that may have
// changed something.
func (w *watcher) observe(c endpoint.Call) {
	if functionOf(c) == "" || reads(c) {
		return
	}
	w.mu.Lock()
	armed := w.armed
	w.mu.Unlock()
	if !armed {
		return
	}
	if fault := w.world.unserved(); fault != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.faults = append(w.faults, fmt.Sprintf("after %s:%s: %s", c.Service, c.Operation, fault))
	}
}

// reads says that a call changes nothing.
func reads(c endpoint.Call) bool {
	return slices.ContainsFunc([]string{"Describe", "List", "Get"}, func(verb string) bool { return strings.HasPrefix(c.Operation, verb) })
}

func (w *watcher) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faults
}

// A state is how the pair stands, by target group name.
type state struct {
	production, test map[string]int // weights, those of 0 left out
	healthy          map[string]int // healthy targets
	tags             map[string]map[string]string
}

// look reads the pair from the load balancer itself.
func (w *world) look() state {
	ctx := context.Background()
	s := state{healthy: map[string]int{}, tags: map[string]map[string]string{}}
	groups, err := w.cloud.ELBV2.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{})
	must(err)
	names := map[string]string{}
	for _, g := range groups.TargetGroups {
		names[g.TargetGroupArn] = g.TargetGroupName
		health, err := w.cloud.ELBV2.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: g.TargetGroupArn})
		must(err)
		for _, target := range health.TargetHealthDescriptions {
			if target.TargetHealth.State == "healthy" {
				s.healthy[g.TargetGroupName]++
			}
		}
		tags, err := w.cloud.ELBV2.DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: []string{g.TargetGroupArn}})
		must(err)
		s.tags[g.TargetGroupName] = map[string]string{}
		for _, tag := range tags.TagDescriptions[0].Tags {
			s.tags[g.TargetGroupName][tag.Key] = tag.Value
		}
	}
	s.production, s.test = w.weights(80, names), w.weights(8080, names)
	return s
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// live is the one group that production goes to, or "" when it is not one.
func (s state) live() string {
	if len(s.production) != 1 {
		return ""
	}
	for name := range s.production {
		return name
	}
	return ""
}

// unserved says what of production goes to a group without healthy targets.
func (w *world) unserved() string {
	s := w.look()
	if len(s.production) == 0 {
		return "production goes nowhere"
	}
	for name := range s.production {
		if s.healthy[name] == 0 {
			return fmt.Sprintf("production goes to %s, which has no healthy target", name)
		}
	}
	return ""
}

// weights are those of the rule, on a listener's port, that forwards.
func (w *world) weights(port int32, names map[string]string) map[string]int {
	ctx := context.Background()
	balancers, err := w.cloud.ELBV2.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{w.product.name}})
	must(err)
	listeners, err := w.cloud.ELBV2.DescribeListeners(ctx, &elbv2.DescribeListenersInput{LoadBalancerArn: balancers.LoadBalancers[0].LoadBalancerArn})
	must(err)
	found := map[string]int{}
	for _, l := range listeners.Listeners {
		if int32(l.Port) != port {
			continue
		}
		rules, err := w.cloud.ELBV2.DescribeRules(ctx, &elbv2.DescribeRulesInput{ListenerArn: l.ListenerArn})
		must(err)
		for _, r := range rules.Rules {
			for _, a := range r.Actions {
				if a.ForwardConfig == nil {
					continue
				}
				for _, g := range a.ForwardConfig.TargetGroups {
					if g.Weight != nil && *g.Weight > 0 {
						found[names[g.TargetGroupArn]] = int(*g.Weight)
					}
				}
			}
		}
	}
	return found
}
