package sns_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/resource"
)

func (p *place) typeOf(t *testing.T, name string) resource.Type {
	t.Helper()
	for _, r := range p.service.Resources() {
		if r.Name == "AWS::SNS::"+name {
			return r
		}
	}
	t.Fatalf("there is no resource type %s", name)
	return resource.Type{}
}

func (p *place) make(t *testing.T, kind string, properties map[string]any) (resource.Request, resource.State) {
	t.Helper()
	r := resource.Request{StackName: "app", StackID: "id", LogicalID: kind, Properties: properties}
	state, err := p.typeOf(t, kind).Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.PhysicalID = state.PhysicalID
	return r, state
}

func (p *place) attribute(t *testing.T, arn, name string) string {
	t.Helper()
	out, err := p.GetTopicAttributes(t.Context(), &sdk.GetTopicAttributesInput{TopicArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes[name]
}

func mailboxes(addresses ...string) (list []any) {
	for _, a := range addresses {
		list = append(list, map[string]any{"Protocol": "email", "Endpoint": a})
	}
	return list
}

func (p *place) endpoints(t *testing.T, arn string) (got []string) {
	t.Helper()
	out, err := p.ListSubscriptionsByTopic(t.Context(), &sdk.ListSubscriptionsByTopicInput{TopicArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range out.Subscriptions {
		got = append(got, *s.Endpoint)
	}
	return got
}

func TestTopicResource_FollowsItsTemplate(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r, state := p.make(t, "Topic", map[string]any{"DisplayName": "One", "Subscription": mailboxes("a@example.com", "b@example.com")})
	name, _ := state.Attributes["TopicName"].(string)
	want := resource.State{PhysicalID: "arn:aws:sns:us-east-1:111122223333:" + name, Attributes: map[string]any{"TopicArn": state.PhysicalID, "TopicName": name}}
	if diff := cmp.Diff(want, state); diff != "" || !strings.HasPrefix(name, "app-Topic-") {
		t.Errorf("state of %s (-want +got):\n%s", name, diff)
	}
	// Somebody subscribed by hand, whom an update leaves alone.
	if _, err := p.Subscribe(t.Context(), &sdk.SubscribeInput{TopicArn: &state.PhysicalID, Protocol: aws.String("email"), Endpoint: aws.String("hand@example.com")}); err != nil {
		t.Fatal(err)
	}
	r.Previous, r.Properties = r.Properties, map[string]any{"DisplayName": "Two", "Subscription": mailboxes("b@example.com", "c@example.com")}
	if _, err := p.typeOf(t, "Topic").Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := p.attribute(t, state.PhysicalID, "DisplayName"); got != "Two" {
		t.Errorf("display name: got %s, want Two", got)
	}
	if diff := cmp.Diff([]string{"b@example.com", "hand@example.com", "c@example.com"}, p.endpoints(t, state.PhysicalID)); diff != "" {
		t.Errorf("subscriptions (-want +got):\n%s", diff)
	}
	_, err := p.typeOf(t, "Topic").Create(t.Context(), resource.Request{Properties: map[string]any{"TopicName": "alerts"}})
	if err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("a name that is taken: got %v, want it refused", err)
	}
	if err := p.typeOf(t, "Topic").Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	_, err = p.GetTopicAttributes(t.Context(), &sdk.GetTopicAttributesInput{TopicArn: &state.PhysicalID})
	wantCode(t, err, "NotFound", "Topic")
}

func TestTopicPolicyResource_ComesAndGoes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	before := p.attribute(t, topicARN, "Policy")
	r, _ := p.make(t, "TopicPolicy", map[string]any{"Topics": []any{topicARN}, "PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{}}})
	if got, want := p.attribute(t, topicARN, "Policy"), `{"Statement":[],"Version":"2012-10-17"}`; got != want {
		t.Errorf("policy: got %s, want %s", got, want)
	}
	if err := p.typeOf(t, "TopicPolicy").Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := p.attribute(t, topicARN, "Policy"); got != before {
		t.Errorf("after deletion: got %s, want the default %s", got, before)
	}
}

func TestSubscriptionResource_SubscribesAFunction(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r, state := p.make(t, "Subscription", map[string]any{"TopicArn": topicARN, "Protocol": "lambda", "Endpoint": function})
	if !strings.HasPrefix(state.PhysicalID, topicARN+":") {
		t.Errorf("got %s, want the ARN of a subscription", state.PhysicalID)
	}
	if diff := cmp.Diff([]string{function}, p.endpoints(t, topicARN)); diff != "" {
		t.Errorf("subscriptions (-want +got):\n%s", diff)
	}
	if err := p.typeOf(t, "Subscription").Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := p.endpoints(t, topicARN); got != nil {
		t.Errorf("after deletion: got %v", got)
	}
}
