package elbv2_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"cutover/pkg/localaws/alb"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/elbv2"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/endpoint/endpointtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A site is a load balancer with a listener on port 80 that forwards to blue,
// and an idle group green.
type site struct {
	*sdk.Client
	clock              *clock.Manual
	service            *elbv2.Service
	endpoint           *endpoint.Endpoint
	balancer, listener string
	blue, green        string
}

func newSite(t *testing.T) *site {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	proxy := alb.New(alb.Config{Clock: c})
	t.Cleanup(proxy.Close)
	s := &site{clock: c, service: elbv2.New(elbv2.Config{Clock: c, Region: "us-east-1", Account: "111122223333", Plane: proxy})}
	config, e := endpointtest.Serve(t, c, s.service.Wire())
	s.Client, s.endpoint = sdk.NewFromConfig(config, func(o *sdk.Options) { o.RetryMaxAttempts = 1 }), e
	ctx := t.Context()
	lb, err := s.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{Name: aws.String("web"), Subnets: []string{"subnet-1", "subnet-2"}})
	if err != nil {
		t.Fatal(err)
	}
	s.balancer = *lb.LoadBalancers[0].LoadBalancerArn
	s.blue, s.green = s.group(t, "blue"), s.group(t, "green")
	l, err := s.CreateListener(ctx, &sdk.CreateListenerInput{
		LoadBalancerArn: &s.balancer, Port: aws.Int32(80), Protocol: types.ProtocolEnumHttp, DefaultActions: forward(s.blue, 1, s.green, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.listener = *l.Listeners[0].ListenerArn
	return s
}

func (s *site) group(t *testing.T, name string) string {
	t.Helper()
	out, err := s.CreateTargetGroup(t.Context(), &sdk.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(8080), VpcId: aws.String("vpc-1"), TargetType: types.TargetTypeEnumIp,
		HealthCheckIntervalSeconds: aws.Int32(10), HealthyThresholdCount: aws.Int32(2),
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.TargetGroups[0].TargetGroupArn
}

// forward makes an action from target groups and weights.
func forward(groups ...any) []types.Action {
	config := &types.ForwardActionConfig{}
	for i := 0; i < len(groups); i += 2 {
		config.TargetGroups = append(config.TargetGroups, types.TargetGroupTuple{
			TargetGroupArn: aws.String(groups[i].(string)), Weight: aws.Int32(int32(groups[i+1].(int))),
		})
	}
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: config}}
}

// serve registers a server that answers with a group's name.
func (s *site) serve(t *testing.T, group, name string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) }))
	t.Cleanup(server.Close)
	if _, err := s.RegisterTargets(t.Context(), &sdk.RegisterTargetsInput{TargetGroupArn: &group, Targets: []types.TargetDescription{targetOf(server)}}); err != nil {
		t.Fatal(err)
	}
}

func targetOf(server *httptest.Server) types.TargetDescription {
	host, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	n, _ := strconv.Atoi(port)
	return types.TargetDescription{Id: &host, Port: aws.Int32(int32(n))}
}

func (s *site) get(t *testing.T, path string) string {
	t.Helper()
	address, ok := s.service.ListenerAddress(s.listener)
	if !ok {
		t.Fatal("the listener has no address")
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}

func TestService_MovesTrafficWhereTheRulesSay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	s.serve(t, s.blue, "blue")
	s.serve(t, s.green, "green")
	health := func(group string) string {
		out, err := s.DescribeTargetHealth(ctx, &sdk.DescribeTargetHealthInput{TargetGroupArn: &group})
		if err != nil {
			t.Fatal(err)
		}
		h := out.TargetHealthDescriptions[0].TargetHealth
		return string(h.State) + " " + string(h.Reason)
	}
	if got := health(s.green); !strings.HasPrefix(got, "initial ") {
		t.Errorf("health at first: got %s, want initial", got)
	}
	if !s.clock.AdvanceUntil(time.Minute, func() bool { return health(s.blue)+health(s.green) == "healthy healthy " }) {
		t.Fatalf("health: got %s and %s, want both healthy, also the group at weight 0", health(s.blue), health(s.green))
	}
	if got := s.get(t, "/"); got != "200 blue" {
		t.Errorf("before: got %s, want blue", got)
	}
	if _, err := s.ModifyListener(ctx, &sdk.ModifyListenerInput{ListenerArn: &s.listener, DefaultActions: forward(s.blue, 0, s.green, 100)}); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "/"); got != "200 green" {
		t.Errorf("after: got %s, want green", got)
	}
	rule, err := s.CreateRule(ctx, &sdk.CreateRuleInput{
		ListenerArn: &s.listener, Priority: aws.Int32(10), Actions: forward(s.blue, 5),
		Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/api/*"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "/api/x"); got != "200 blue" {
		t.Errorf("by a rule's path: got %s, want blue", got)
	}
	if _, err := s.ModifyRule(ctx, &sdk.ModifyRuleInput{RuleArn: rule.Rules[0].RuleArn, Actions: []types.Action{{
		Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("503"), MessageBody: aws.String("later")},
	}}}); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "/api/x"); got != "503 later" {
		t.Errorf("by a fixed response: got %s", got)
	}
	if _, err := s.DeleteRule(ctx, &sdk.DeleteRuleInput{RuleArn: rule.Rules[0].RuleArn}); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "/api/x"); got != "200 green" {
		t.Errorf("without the rule: got %s, want green", got)
	}
	if address, ok := s.service.Listens("web", 80); !ok || !strings.HasPrefix(address, "127.0.0.1:") {
		t.Errorf("address of port 80: got %q, %v", address, ok)
	}
	if _, err := s.DeleteListener(ctx, &sdk.DeleteListenerInput{ListenerArn: &s.listener}); err != nil {
		t.Fatal(err)
	}
	if got := health(s.green); got != "unused Target.NotInUse" {
		t.Errorf("without listener: got %s, want unused", got)
	}
}

func TestService_DescribesRulesAsAWSDoes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	created, err := s.CreateRule(ctx, &sdk.CreateRuleInput{
		ListenerArn: &s.listener, Priority: aws.Int32(10), Actions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &s.green}},
		Conditions: []types.RuleCondition{{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"a.example"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	off := &types.TargetGroupStickinessConfig{Enabled: aws.Bool(false)}
	stem := strings.Replace(s.listener, ":listener/", ":listener-rule/", 1) + "/"
	out, err := s.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: &s.listener})
	if err != nil {
		t.Fatal(err)
	}
	want := []types.Rule{
		{
			RuleArn: created.Rules[0].RuleArn, Priority: aws.String("10"), IsDefault: aws.Bool(false),
			Conditions: []types.RuleCondition{{Field: aws.String("host-header"), Values: []string{"a.example"}, HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"a.example"}}}},
			Actions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &s.green, Order: aws.Int32(1), ForwardConfig: &types.ForwardActionConfig{
				TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &s.green, Weight: aws.Int32(1)}}, TargetGroupStickinessConfig: off,
			}}},
		},
		{
			RuleArn: out.Rules[1].RuleArn, Priority: aws.String("default"), IsDefault: aws.Bool(true), Conditions: []types.RuleCondition{},
			Actions: []types.Action{{Type: types.ActionTypeEnumForward, Order: aws.Int32(1), ForwardConfig: &types.ForwardActionConfig{
				TargetGroups:                []types.TargetGroupTuple{{TargetGroupArn: &s.blue, Weight: aws.Int32(1)}, {TargetGroupArn: &s.green, Weight: aws.Int32(0)}},
				TargetGroupStickinessConfig: off,
			}}},
		},
	}
	if diff := cmp.Diff(want, out.Rules, cmpopts.IgnoreUnexported(types.Rule{}, types.RuleCondition{}, types.HostHeaderConditionConfig{}, types.Action{},
		types.ForwardActionConfig{}, types.TargetGroupTuple{}, types.TargetGroupStickinessConfig{})); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	for i, r := range out.Rules {
		if !strings.HasPrefix(*r.RuleArn, stem) || len(*r.RuleArn) != len(stem)+16 {
			t.Errorf("rule %d: got ARN %s, want %s and 16 hexadecimal digits", i, *r.RuleArn, stem)
		}
	}
	groups, err := s.DescribeTargetGroups(ctx, &sdk.DescribeTargetGroupsInput{LoadBalancerArn: &s.balancer})
	if err != nil || len(groups.TargetGroups) != 2 || groups.TargetGroups[1].LoadBalancerArns[0] != s.balancer {
		t.Errorf("groups of the load balancer: got %+v, %v, want both", groups, err)
	}
}

func TestService_Refuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	var many []any
	for i := range 6 {
		many = append(many, s.group(t, fmt.Sprintf("g%d", i)), 1)
	}
	path := []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/x"}}}
	create := func(actions []types.Action, priority int32) error {
		_, err := s.CreateRule(ctx, &sdk.CreateRuleInput{ListenerArn: &s.listener, Priority: &priority, Actions: actions, Conditions: path})
		return err
	}
	if err := create(forward(s.green, 1), 1); err != nil {
		t.Fatal(err)
	}
	rules, err := s.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: &s.listener})
	if err != nil {
		t.Fatal(err)
	}
	first, last := rules.Rules[0].RuleArn, rules.Rules[1].RuleArn
	other, err := s.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{Name: aws.String("other"), Subnets: []string{"subnet-1", "subnet-2"}})
	if err != nil {
		t.Fatal(err)
	}
	unknown := strings.Replace(s.blue, "blue", "gone", 1)
	sticky := forward(s.green, 1)
	sticky[0].ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true)}
	both := forward(s.green, 1, s.blue, 1)
	both[0].TargetGroupArn = &s.green
	weightless := forward(s.green, 1, s.blue, 1)
	weightless[0].ForwardConfig.TargetGroups[1].Weight = nil
	listener := func(balancer *string, port int32) error {
		_, err := s.CreateListener(ctx, &sdk.CreateListenerInput{LoadBalancerArn: balancer, Port: &port, Protocol: types.ProtocolEnumHttp, DefaultActions: forward(s.blue, 1)})
		return err
	}
	errorOf := func(_ any, err error) error { return err }
	cases := map[string]struct {
		err  error
		code string
	}{
		"a weight above 999":                        {create(forward(s.green, 1000), 2), "ValidationError"},
		"a negative weight":                         {create(forward(s.green, -1), 2), "ValidationError"},
		"no weight where there are several":         {create(weightless, 2), "ValidationError"},
		"more than five groups":                     {create(forward(many...), 2), "ValidationError"},
		"a group twice":                             {create(forward(s.green, 1, s.green, 2), 2), "ValidationError"},
		"a single group besides several":            {create(both, 2), "ValidationError"},
		"stickiness without duration":               {create(sticky, 2), "ValidationError"},
		"two forwards":                              {create(append(forward(s.green, 1), forward(s.blue, 1)...), 2), "TooManyActions"},
		"a group that is not there":                 {create(forward(unknown, 1), 2), "TargetGroupNotFound"},
		"a priority that is taken":                  {create(forward(s.green, 1), 1), "PriorityInUse"},
		"a priority above 50000":                    {create(forward(s.green, 1), 50001), "ValidationError"},
		"a group of another load balancer":          {listener(other.LoadBalancers[0].LoadBalancerArn, 80), "TargetGroupAssociationLimit"},
		"a port that is taken":                      {listener(&s.balancer, 80), "DuplicateListener"},
		"to modify the default rule":                {errorOf(s.ModifyRule(ctx, &sdk.ModifyRuleInput{RuleArn: last, Actions: forward(s.green, 1)})), "OperationNotPermitted"},
		"to delete the default rule":                {errorOf(s.DeleteRule(ctx, &sdk.DeleteRuleInput{RuleArn: last})), "OperationNotPermitted"},
		"to delete a group in use":                  {errorOf(s.DeleteTargetGroup(ctx, &sdk.DeleteTargetGroupInput{TargetGroupArn: &s.blue})), "ResourceInUse"},
		"a rule that is not there":                  {errorOf(s.ModifyRule(ctx, &sdk.ModifyRuleInput{RuleArn: aws.String(*first + "0")})), "RuleNotFound"},
		"a listener that is not there":              {errorOf(s.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: aws.String(s.listener + "0")})), "ListenerNotFound"},
		"a load balancer that is not there":         {errorOf(s.DescribeListeners(ctx, &sdk.DescribeListenersInput{LoadBalancerArn: aws.String(s.balancer + "0")})), "LoadBalancerNotFound"},
		"tags of nothing":                           {errorOf(s.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: []string{unknown}})), "TargetGroupNotFound"},
		"an attribute that it would not honour":     {errorOf(s.ModifyTargetGroupAttributes(ctx, attribute(s.blue, "slow_start.duration_seconds", "30"))), "ValidationError"},
		"a deregistration delay above an hour":      {errorOf(s.ModifyTargetGroupAttributes(ctx, attribute(s.blue, "deregistration_delay.timeout_seconds", "3601"))), "ValidationError"},
		"a timeout as long as the interval":         {errorOf(s.ModifyTargetGroup(ctx, &sdk.ModifyTargetGroupInput{TargetGroupArn: &s.blue, HealthCheckTimeoutSeconds: aws.Int32(10)})), "ValidationError"},
		"an instance that nobody knows":             {register(s, "i-0123"), "InvalidTarget"},
		"a name with an underscore":                 {errorOf(s.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{Name: aws.String("a_b"), Subnets: []string{"a", "b"}})), "ValidationError"},
		"one subnet":                                {errorOf(s.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{Name: aws.String("ab"), Subnets: []string{"a"}})), "ValidationError"},
		"a load balancer's name with other subnets": {errorOf(s.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{Name: aws.String("web"), Subnets: []string{"a", "b"}})), "DuplicateLoadBalancerName"},
		"a member it does not honour":               {errorOf(s.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{Name: aws.String("ab"), CustomerOwnedIpv4Pool: aws.String("pool")})), "ValidationError"},
	}
	for name, c := range cases {
		var api smithy.APIError
		if !errors.As(c.err, &api) || api.ErrorCode() != c.code {
			t.Errorf("%s: got %v, want %s", name, c.err, c.code)
		}
	}
	after, err := s.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: &s.listener})
	if err != nil || len(after.Rules) != 2 {
		t.Errorf("rules after all that: got %+v, %v, want the two of before", after, err)
	}
}

func attribute(group, key, value string) *sdk.ModifyTargetGroupAttributesInput {
	return &sdk.ModifyTargetGroupAttributesInput{TargetGroupArn: &group, Attributes: []types.TargetGroupAttribute{{Key: &key, Value: &value}}}
}

// register registers an instance in a group of instances.
func register(s *site, id string) error {
	ctx := context.Background()
	g, err := s.CreateTargetGroup(ctx, &sdk.CreateTargetGroupInput{Name: aws.String("instances"), Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-1")})
	if err != nil {
		return err
	}
	_, err = s.RegisterTargets(ctx, &sdk.RegisterTargetsInput{TargetGroupArn: g.TargetGroups[0].TargetGroupArn, Targets: []types.TargetDescription{{Id: &id}}})
	return err
}

func TestService_SwapsPriorities(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	var arns []*string
	for i, path := range []string{"/a", "/b"} {
		out, err := s.CreateRule(ctx, &sdk.CreateRuleInput{ListenerArn: &s.listener, Priority: aws.Int32(int32(i + 1)), Actions: forward(s.blue, 1),
			Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{path}}}})
		if err != nil {
			t.Fatal(err)
		}
		arns = append(arns, out.Rules[0].RuleArn)
	}
	if _, err := s.SetRulePriorities(ctx, &sdk.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{
		{RuleArn: arns[0], Priority: aws.Int32(2)}, {RuleArn: arns[1], Priority: aws.Int32(1)},
	}}); err != nil {
		t.Fatal(err)
	}
	out, err := s.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: &s.listener})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Rules[0].RuleArn != *arns[1] || *out.Rules[1].RuleArn != *arns[0] {
		t.Errorf("order: got %s first, want %s", *out.Rules[0].RuleArn, *arns[1])
	}
}

func TestService_Tags(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	arns := []string{s.blue, s.listener, s.balancer}
	if _, err := s.AddTags(ctx, &sdk.AddTagsInput{ResourceArns: arns, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RemoveTags(ctx, &sdk.RemoveTagsInput{ResourceArns: arns[1:], TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	out, err := s.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: arns})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{2, 1, 1} {
		if got := len(out.TagDescriptions[i].Tags); got != want || *out.TagDescriptions[i].ResourceArn != arns[i] {
			t.Errorf("tags of %s: got %d, want %d", arns[i], got, want)
		}
	}
}

func TestService_AsksIAMForTheResourcesItChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	if _, err := s.CreateRule(ctx, &sdk.CreateRuleInput{ListenerArn: &s.listener, Priority: aws.Int32(1), Actions: forward(s.blue, 1),
		Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/a"}}}}); err != nil {
		t.Fatal(err)
	}
	rules, err := s.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: &s.listener})
	if err != nil {
		t.Fatal(err)
	}
	rule := *rules.Rules[0].RuleArn
	if _, err := s.ModifyRule(ctx, &sdk.ModifyRuleInput{RuleArn: &rule, Actions: forward(s.green, 1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ModifyListener(ctx, &sdk.ModifyListenerInput{ListenerArn: &s.listener, DefaultActions: forward(s.green, 1)}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"ModifyRule": rule, "ModifyListener": s.listener, "CreateRule": s.listener, "DescribeRules": "*"}
	for _, call := range s.endpoint.Calls.All() {
		if resource, ok := want[call.Operation]; ok && (len(call.Resources) != 1 || call.Resources[0] != resource) {
			t.Errorf("%s: got %q, want %s", call.Operation, call.Resources, resource)
		}
	}
}
