package bluegreen_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/bluegreen"
	fake "cutover/pkg/bluegreen/bluegreentest"
)

const (
	groupC = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/other/cccccccccccccccc"
	rule10 = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener-rule/app/hello/50dc6c495c0c9188/0000000000000080/0000000000000010"
	rule20 = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener-rule/app/hello/50dc6c495c0c9188/0000000000000080/0000000000000020"
)

func ptr[T any](v T) *T { return &v }

func observe(t *testing.T, w *fake.World, p bluegreen.Params) (bluegreen.Pair, []string) {
	t.Helper()
	pair, faults, err := bluegreen.Observe(t.Context(), w.ELB(), w.ECS(), p)
	if err != nil {
		t.Fatalf("observe: %v", err)
	}
	return pair, faults
}

func TestObserve_ReadsThePairInEightCalls(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Tags[fake.GroupA]["cutover:execution"] = "before"
	w.SetHealth(fake.GroupB, 1, 1)
	pair, faults := observe(t, w, params())
	if len(faults) > 0 {
		t.Fatalf("got faults %q, want none", faults)
	}
	live, _ := pair.Live()
	idle, _ := pair.Idle()
	if live.Name() != "hello-a" || live.TargetGroup != fake.GroupA || live.Execution() != "before" || live.Health.Healthy != 2 {
		t.Errorf("got live %s of %q with %s, want hello-a on hello-a of execution before with 2 healthy", live, live.Execution(), live.Health)
	}
	if got, want := idle.String()+": "+idle.Health.String(), "service hello-b (target group hello-b): 1 of 2 targets healthy (Elb.InitialHealthChecking)"; got != want {
		t.Errorf("got idle %q, want %q", got, want)
	}
	if got, want := pair.Standing(), "production is on service hello-a (target group hello-a), 2 of 2 targets healthy"; got != want {
		t.Errorf("got standing %q, want %q", got, want)
	}
	if got, want := pair.TestURL(), "http://hello-1.us-east-1.elb.amazonaws.com:8080"; got != want {
		t.Errorf("got test URL %q, want %q", got, want)
	}
	if calls := w.Calls(); len(calls) != 8 {
		t.Errorf("got %d calls %q, want 8", len(calls), calls)
	}
}

func TestObserve_FindsRoutes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world      func(*fake.World)
		params     func(*bluegreen.Params)
		production string
		live       string
	}{
		"a rule beside a default action that answers something else": {func(w *fake.World) {
			w.Rules[fake.Listener80][0].Actions = []elbtypes.Action{{Type: elbtypes.ActionTypeEnumFixedResponse}}
			w.AddRule(fake.Listener80, rule10, "10", fake.Forward(fake.GroupB, 1))
			w.Rules[fake.Listener8080][0].Actions = fake.Forward(fake.GroupA, 1)
		}, nil, "rule 10 of listener HTTP:80", "hello-b"},
		"a rule named among several that forward to the pair": {func(w *fake.World) {
			w.AddRule(fake.Listener80, rule10, "10", fake.Forward(fake.GroupB, 100, fake.GroupA, 0))
		}, func(p *bluegreen.Params) { p.ProductionRuleARN = rule10 }, "rule 10 of listener HTTP:80", "hello-b"},
		"the HTTPS listener before the HTTP one": {func(w *fake.World) {
			w.AddListener("arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/app/hello/50dc6c495c0c9188/0000000000000443", elbtypes.ProtocolEnumHttps, 443, rule20, fake.Forward(fake.GroupB, 100, fake.GroupA, 0))
		}, nil, "default action of listener HTTPS:443", "hello-b"},
		"listeners on other ports by ARN, and no load balancer's name": {func(w *fake.World) {
			w.Listeners[0].Port, w.Listeners[1].Port = ptr(int32(9000)), ptr(int32(9001))
		}, func(p *bluegreen.Params) {
			p.LoadBalancer, p.ProductionListenerARN, p.TestListenerARN = "", fake.Listener80, fake.Listener8080
		}, "default action of listener HTTP:9000", "hello-a"},
		"the load balancer by ARN": {func(*fake.World) {}, func(p *bluegreen.Params) { p.LoadBalancer = fake.LoadBalancer },
			"default action of listener HTTP:80", "hello-a"},
		"a single group without a weight": {func(w *fake.World) {
			w.Rules[fake.Listener80][0].Actions = []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: ptr(fake.GroupA)}}
		}, nil, "default action of listener HTTP:80", "hello-a"},
		"a service that is also on a group of another load balancer": {func(w *fake.World) {
			w.Services["hello-a"].LoadBalancers = append([]ecstypes.LoadBalancer{{TargetGroupArn: ptr(groupC)}}, w.Services["hello-a"].LoadBalancers...)
		}, nil, "default action of listener HTTP:80", "hello-a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := fake.New(), params()
			c.world(w)
			if c.params != nil {
				c.params(&p)
			}
			pair, faults := observe(t, w, p)
			if len(faults) > 0 {
				t.Fatalf("got faults %q, want none", faults)
			}
			live, _ := pair.Live()
			if got := pair.Production.String(); got != c.production || live.Name() != c.live {
				t.Errorf("got %s live on %q, want %s live on %q", live.Name(), got, c.live, c.production)
			}
		})
	}
}

func TestObserve_ListsEveryFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world  func(*fake.World)
		params func(*bluegreen.Params)
		want   []string
	}{
		"no such load balancer, cluster": {nil, func(p *bluegreen.Params) { p.LoadBalancer, p.Cluster = "helo", "mian" }, []string{
			`load balancer "helo" does not exist in this account and Region`,
			`cluster "mian" does not exist in this account and Region`,
		}},
		"a network load balancer": {func(w *fake.World) { w.LoadBalancers[0].Type = elbtypes.LoadBalancerTypeEnumNetwork }, nil, []string{
			`load balancer "hello" is of type network: only Application Load Balancers are supported`,
		}},
		"no listeners on the usual ports, no such service": {func(w *fake.World) {
			w.Listeners[0].Port, w.Listeners[1].Port = ptr(int32(81)), ptr(int32(82))
		}, func(p *bluegreen.Params) { p.Services[1] = "hello-c" }, []string{
			"load balancer hello has no production listener on port 443 or 80 (it has HTTP:81, HTTP:82)",
			"load balancer hello has no test listener on port 8443 or 8080 (it has HTTP:81, HTTP:82)",
			`service "hello-c" does not exist in cluster "main"`,
		}},
		"no such listener, no such rule": {nil, func(p *bluegreen.Params) {
			p.ProductionRuleARN = rule10
			p.TestListenerARN = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/app/hello/50dc6c495c0c9188/1"
		}, []string{
			"test listener arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/app/hello/50dc6c495c0c9188/1 does not exist on load balancer hello",
			"production rule " + rule10 + " does not exist on listener HTTP:80",
		}},
		"a named rule that forwards elsewhere": {func(w *fake.World) {
			w.AddRule(fake.Listener80, rule10, "10", fake.Forward(groupC, 1))
		}, func(p *bluegreen.Params) { p.ProductionRuleARN = rule10 }, []string{
			"no rule of the production listener HTTP:80 forwards to a target group of the pair (hello-a of service hello-a, hello-b of service hello-b): rule 10 forwards to other 1",
		}},
		"two rules that forward to the pair": {func(w *fake.World) {
			w.AddRule(fake.Listener80, rule10, "10", fake.Forward(fake.GroupB, 1))
		}, nil, []string{
			"the production route is ambiguous: rule 10 of listener HTTP:80 (" + rule10 + ") and default action of listener HTTP:80 (" + fake.ProductionRule + ") forward to the pair: name one with productionRuleArn",
		}},
		"services on other groups than the routes": {func(w *fake.World) {
			w.Services["hello-b"].LoadBalancers[0].TargetGroupArn = ptr(groupC)
			w.Rules[fake.Listener8080][0].Actions = fake.Forward(fake.GroupA, 1)
		}, nil, []string{
			"service hello-b is on target group other, which neither route forwards to (production: hello-a 100, hello-b 0; test: hello-a 1)",
		}},
		"the same group on both services": {func(w *fake.World) {
			w.Services["hello-b"].LoadBalancers[0].TargetGroupArn = ptr(fake.GroupA)
			w.Rules[fake.Listener8080][0].Actions = fake.Forward(fake.GroupA, 1)
		}, nil, []string{
			"services hello-a and hello-b are both on target group hello-a: each side needs its own",
		}},
		"both sides live": {func(w *fake.World) {
			w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 90, fake.GroupB, 10)
			w.Tags[fake.GroupB]["cutover:execution"] = "somebody-else"
		}, nil, []string{
			"both sides are live: the production route (default action of listener HTTP:80) sends 90 to service hello-a (target group hello-a), which carries no execution, " +
				"and 10 to service hello-b (target group hello-b), which carries execution somebody-else: another release is in mid-shift, finish it or set one weight to 0",
		}},
		"no side live": {func(w *fake.World) {
			w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 0, fake.GroupB, 0)
		}, nil, []string{
			"neither side is live: the production route (default action of listener HTTP:80) forwards to hello-a 0, hello-b 0",
		}},
		"a third group on a route": {func(w *fake.World) {
			w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 90, groupC, 10)
		}, nil, []string{
			"the production route (default action of listener HTTP:80) also forwards to other, which neither service of the pair uses",
		}},
		"services that others manage, or that are no services": {func(w *fake.World) {
			a, b := w.Services["hello-a"], w.Services["hello-b"]
			a.Status = ptr("DRAINING")
			a.DeploymentController.Type = ecstypes.DeploymentControllerTypeCodeDeploy
			a.SchedulingStrategy = ecstypes.SchedulingStrategyDaemon
			b.DeploymentConfiguration = &ecstypes.DeploymentConfiguration{Strategy: ecstypes.DeploymentStrategyCanary}
			b.ResourceManagementType = ecstypes.ResourceManagementTypeEcs
		}, nil, []string{
			"service hello-a is DRAINING, not ACTIVE",
			"service hello-a has the deployment controller CODE_DEPLOY, which owns its routes: only ECS is supported",
			"service hello-a has the scheduling strategy DAEMON, which has no desired count: only REPLICA is supported",
			"service hello-b has the deployment strategy CANARY, which owns its routes: only ROLLING is supported",
			"service hello-b is an Express service, which ECS manages itself",
		}},
		"a service without a load balancer": {func(w *fake.World) { w.Services["hello-b"].LoadBalancers = nil }, nil, []string{
			"service hello-b has no target group",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := fake.New(), params()
			if c.world != nil {
				c.world(w)
			}
			if c.params != nil {
				c.params(&p)
			}
			_, faults := observe(t, w, p)
			if diff := cmp.Diff(c.want, faults); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObserve_NamesTheCallThatFailed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	clean := fake.New()
	observe(t, clean, params())
	for _, operation := range slices.Compact(clean.Calls()) {
		w := fake.New()
		w.Before = func(op string) error {
			if op == operation {
				return broken
			}
			return nil
		}
		_, faults, err := bluegreen.Observe(context.Background(), w.ELB(), w.ECS(), params())
		if !errors.Is(err, broken) || len(faults) > 0 {
			t.Errorf("%s fails: got error %v and faults %q, want its error alone", operation, err, faults)
		}
	}
}
