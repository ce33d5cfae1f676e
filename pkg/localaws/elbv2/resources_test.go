package elbv2_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/resource"
)

func (s *site) typeOf(t *testing.T, name string) resource.Type {
	t.Helper()
	for _, r := range s.service.Resources() {
		if r.Name == "AWS::ElasticLoadBalancingV2::"+name {
			return r
		}
	}
	t.Fatalf("there is no resource type %s", name)
	return resource.Type{}
}

func (s *site) make(t *testing.T, kind string, properties map[string]any) resource.State {
	t.Helper()
	state, err := s.typeOf(t, kind).Create(t.Context(), resource.Request{StackName: "app", StackID: "id", LogicalID: kind, Properties: properties})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// weighted is an action as templates write it.
func weighted(groups ...any) []any {
	var tuples []any
	for i := 0; i < len(groups); i += 2 {
		tuples = append(tuples, map[string]any{"TargetGroupArn": groups[i], "Weight": groups[i+1]})
	}
	return []any{map[string]any{"Type": "forward", "ForwardConfig": map[string]any{"TargetGroups": tuples}}}
}

func TestResources_HaveAWSsAttributes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	lb := s.make(t, "LoadBalancer", map[string]any{"Name": "app", "Subnets": []any{"a", "b"}, "SecurityGroups": []any{"sg-1"},
		"LoadBalancerAttributes": []any{map[string]any{"Key": "idle_timeout.timeout_seconds", "Value": "60"}}})
	id := lb.PhysicalID[strings.LastIndexByte(lb.PhysicalID, '/')+1:]
	want := map[string]any{
		"LoadBalancerArn": lb.PhysicalID, "LoadBalancerName": "app", "LoadBalancerFullName": "app/app/" + id, "SecurityGroups": []any{"sg-1"},
		"CanonicalHostedZoneID": "Z35SXDOTRQ7X7K", "DNSName": "app-" + id[:10] + ".us-east-1.elb.localhost",
	}
	if diff := cmp.Diff(want, lb.Attributes); diff != "" {
		t.Errorf("load balancer (-want +got):\n%s", diff)
	}
	group := s.make(t, "TargetGroup", map[string]any{"Protocol": "HTTP", "Port": "8080", "VpcId": "vpc-1", "TargetType": "ip",
		"TargetGroupAttributes": []any{map[string]any{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}}})
	name := group.Attributes["TargetGroupName"].(string)
	if full := group.Attributes["TargetGroupFullName"].(string); !strings.HasPrefix(full, "targetgroup/"+name+"/") || !strings.HasPrefix(name, "app-TargetGroup-") || len(name) > 32 {
		t.Errorf("target group: got name %s and full name %s", name, full)
	}
	attributes, err := s.DescribeTargetGroupAttributes(t.Context(), &sdk.DescribeTargetGroupAttributesInput{TargetGroupArn: &group.PhysicalID})
	if err != nil || *attributes.Attributes[0].Key != "deregistration_delay.timeout_seconds" || *attributes.Attributes[0].Value != "30" {
		t.Errorf("attributes: got %+v, %v, want a delay of 30", attributes, err)
	}
}

// A stack update that leaves a rule's actions alone leaves shifted weights alone.
func TestResources_UpdateOnlyWhatTheTemplateChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	properties := func(blue, green int, path string, priority int) map[string]any {
		return map[string]any{
			"ListenerArn": s.listener, "Priority": priority, "Actions": weighted(s.blue, blue, s.green, green),
			"Conditions": []any{map[string]any{"Field": "path-pattern", "PathPatternConfig": map[string]any{"Values": []any{path}}}},
		}
	}
	rules := s.typeOf(t, "ListenerRule")
	r := resource.Request{LogicalID: "Rule", Properties: properties(100, 0, "/*", 10)}
	r.PhysicalID = s.make(t, "ListenerRule", r.Properties).PhysicalID
	if _, err := s.ModifyRule(t.Context(), &sdk.ModifyRuleInput{RuleArn: &r.PhysicalID, Actions: forward(s.blue, 0, s.green, 100)}); err != nil {
		t.Fatal(err)
	}
	update := func(to map[string]any) string {
		t.Helper()
		r.Previous, r.Properties = r.Properties, to
		if _, err := rules.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		out, err := s.DescribeRules(t.Context(), &sdk.DescribeRulesInput{RuleArns: []string{r.PhysicalID}})
		if err != nil {
			t.Fatal(err)
		}
		got := out.Rules[0]
		weights := got.Actions[0].ForwardConfig.TargetGroups
		return strings.Join([]string{*got.Priority, got.Conditions[0].Values[0], aws.ToString(weights[0].TargetGroupArn), string(rune('0' + *weights[0].Weight/50))}, " ")
	}
	if got, want := update(properties(100, 0, "/app/*", 20)), "20 /app/* "+s.blue+" 0"; got != want {
		t.Errorf("path and priority changed: got %s, want %s", got, want)
	}
	if got, want := update(properties(50, 50, "/app/*", 20)), "20 /app/* "+s.blue+" 1"; got != want {
		t.Errorf("weights changed: got %s, want %s", got, want)
	}
	for range 2 {
		if err := rules.Delete(t.Context(), r); err != nil {
			t.Errorf("delete: got %v", err)
		}
	}
}

func TestResources_ReplaceWhatCannotBeUpdated(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	group := s.typeOf(t, "TargetGroup")
	if !group.Replaces(map[string]any{"Port": 80}, map[string]any{"Port": 81}) {
		t.Error("another port: got an update, want a replacement")
	}
	if group.Replaces(map[string]any{"HealthCheckPath": "/"}, map[string]any{"HealthCheckPath": "/health"}) {
		t.Error("another health check path: got a replacement, want an update")
	}
	_, err := group.Create(t.Context(), resource.Request{LogicalID: "G", Properties: map[string]any{"Protocl": "HTTP"}})
	if err == nil || !strings.Contains(err.Error(), "Protocl: is unknown to the embedded AWS") {
		t.Errorf("an unknown property: got %v, want it named", err)
	}
}

func TestResources_GoInTheOrderOfAStack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	lb := s.make(t, "LoadBalancer", map[string]any{"Subnets": []any{"a", "b"}})
	group := s.make(t, "TargetGroup", map[string]any{"Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1", "TargetType": "ip"})
	listener := s.make(t, "Listener", map[string]any{"LoadBalancerArn": lb.PhysicalID, "Port": 443, "Protocol": "HTTPS",
		"Certificates": []any{map[string]any{"CertificateArn": "arn:aws:acm:c"}}, "DefaultActions": weighted(group.PhysicalID, 1)})
	redirect := s.make(t, "Listener", map[string]any{"LoadBalancerArn": lb.PhysicalID, "Port": 80, "Protocol": "HTTP", "DefaultActions": []any{map[string]any{
		"Type": "redirect", "RedirectConfig": map[string]any{"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}}})
	if err := s.typeOf(t, "TargetGroup").Delete(t.Context(), resource.Request{PhysicalID: group.PhysicalID}); err == nil {
		t.Error("delete the group while it is in use: got no error")
	}
	for _, gone := range []struct {
		kind  string
		state resource.State
	}{{"Listener", redirect}, {"Listener", listener}, {"TargetGroup", group}, {"LoadBalancer", lb}} {
		if err := s.typeOf(t, gone.kind).Delete(t.Context(), resource.Request{PhysicalID: gone.state.PhysicalID}); err != nil {
			t.Errorf("delete %s: got %v", gone.kind, err)
		}
	}
}
