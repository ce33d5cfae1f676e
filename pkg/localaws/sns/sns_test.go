package sns_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/sns"
)

const (
	topicARN = "arn:aws:sns:us-east-1:111122223333:alerts"
	function = "arn:aws:lambda:us-east-1:111122223333:function:notify"
)

// A place is an SNS on a clock that the test moves, with functions that note
// their events.
type place struct {
	*sdk.Client
	clock   *clock.Manual
	service *sns.Service
	events  []string // FUNCTION EVENT
}

// InvokeAsync implements sns.Functions.
func (p *place) InvokeAsync(function string, payload []byte) error {
	if strings.HasSuffix(function, ":gone") {
		return errors.New("no such function")
	}
	p.events = append(p.events, function+" "+string(payload))
	return nil
}

// newPlace makes a place with the topic alerts.
func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{clock: clock.NewManual(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))}
	p.service = sns.New(sns.Config{Clock: p.clock, Region: "us-east-1", Account: "111122223333", Functions: p})
	config, _ := endpointtest.Serve(t, p.clock, p.service.Wire())
	p.Client = sdk.NewFromConfig(config, func(o *sdk.Options) { o.RetryMaxAttempts = 1 })
	out, err := p.CreateTopic(t.Context(), &sdk.CreateTopicInput{Name: aws.String("alerts"), Attributes: map[string]string{"DisplayName": "Alerts"}})
	if err != nil {
		t.Fatal(err)
	}
	if *out.TopicArn != topicARN {
		t.Fatalf("topic: got %s, want %s", *out.TopicArn, topicARN)
	}
	return p
}

func (p *place) subscribe(t *testing.T, protocol, endpoint string) string {
	t.Helper()
	out, err := p.Subscribe(t.Context(), &sdk.SubscribeInput{TopicArn: aws.String(topicARN), Protocol: &protocol, Endpoint: &endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return *out.SubscriptionArn
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var refused smithy.APIError
	switch {
	case !errors.As(err, &refused):
		t.Errorf("got %v, want error %s", err, code)
	case refused.ErrorCode() != code || !strings.Contains(refused.ErrorMessage(), text):
		t.Errorf("got %s (%s), want %s that says %q", refused.ErrorCode(), refused.ErrorMessage(), code, text)
	}
}

func TestPublish_GoesToFunctions(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	subscription := p.subscribe(t, "lambda", function)
	p.subscribe(t, "lambda", "arn:aws:lambda:us-east-1:111122223333:function:gone")
	p.subscribe(t, "email", "someone@example.com")
	out, err := p.Publish(t.Context(), &sdk.PublishInput{TopicArn: aws.String(topicARN), Subject: aws.String("Shift"), Message: aws.String("100 % green\n")})
	if err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(time.Second)
	if len(p.events) != 1 {
		t.Fatalf("events: got %q, want one, to %s", p.events, function)
	}
	to, payload, _ := strings.Cut(p.events[0], " ")
	var event events.SNSEvent
	if err := json.Unmarshal([]byte(payload), &event); err != nil {
		t.Fatal(err)
	}
	if to != function || len(event.Records) != 1 {
		t.Fatalf("got %d records for %s, want one for %s", len(event.Records), to, function)
	}
	r := event.Records[0]
	if r.EventSource != "aws:sns" || r.EventVersion != "1.0" || r.EventSubscriptionArn != subscription {
		t.Errorf("record: got %+v", r)
	}
	n := r.SNS
	if n.MessageID != *out.MessageId || n.Type != "Notification" || n.TopicArn != topicARN || n.Subject != "Shift" || n.Message != "100 % green\n" || !n.Timestamp.Equal(p.clock.Now().Add(-time.Second)) {
		t.Errorf("notification: got %+v", n)
	}
}

// What a topic's messages are stays for tests and people: the latest hundred.
func TestPublish_KeepsAHundredMessages(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for i := range 105 {
		if err := p.service.Publish(topicARN, "", fmt.Sprint("message ", i)); err != nil {
			t.Fatal(err)
		}
	}
	got := p.service.Messages(topicARN)
	if len(got) != 100 || got[0].Message != "message 5" || got[99].Message != "message 104" {
		t.Errorf("got %d messages from %q, want 100 from message 5", len(got), got[0].Message)
	}
	if err := p.service.Publish("arn:aws:sns:us-east-1:111122223333:none", "", "x"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a topic that is not there: got %v", err)
	}
}

func TestSubscribe_ListsWhoIsThere(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first := p.subscribe(t, "lambda", function)
	if again := p.subscribe(t, "lambda", function); again != first {
		t.Errorf("subscribed again: got %s, want %s", again, first)
	}
	if got := p.subscribe(t, "email", "someone@example.com"); got != "pending confirmation" {
		t.Errorf("a mailbox: got %s, want pending confirmation", got)
	}
	list := func() (got []string) {
		out, err := p.ListSubscriptionsByTopic(t.Context(), &sdk.ListSubscriptionsByTopicInput{TopicArn: aws.String(topicARN)})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.Subscriptions {
			got = append(got, fmt.Sprint(*s.Protocol, " ", *s.Endpoint, " ", *s.SubscriptionArn))
		}
		return got
	}
	if got, want := list(), []string{"lambda " + function + " " + first, "email someone@example.com PendingConfirmation"}; !slices.Equal(got, want) {
		t.Errorf("subscriptions: got %q, want %q", got, want)
	}
	if _, err := p.Unsubscribe(t.Context(), &sdk.UnsubscribeInput{SubscriptionArn: &first}); err != nil {
		t.Fatal(err)
	}
	if got := list(); len(got) != 1 {
		t.Errorf("after the end of one: got %q", got)
	}
	out, err := p.GetTopicAttributes(t.Context(), &sdk.GetTopicAttributesInput{TopicArn: aws.String(topicARN)})
	if err != nil {
		t.Fatal(err)
	}
	if a := out.Attributes; a["SubscriptionsPending"] != "1" || a["SubscriptionsConfirmed"] != "0" || a["SubscriptionsDeleted"] != "1" || a["DisplayName"] != "Alerts" || !json.Valid([]byte(a["Policy"])) {
		t.Errorf("attributes: got %v", a)
	}
}

func TestTopics_AreListedAndDeleted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for i := range 110 {
		if _, err := p.CreateTopic(t.Context(), &sdk.CreateTopicInput{Name: aws.String(fmt.Sprint("topic-", i))}); err != nil {
			t.Fatal(err)
		}
	}
	p.subscribe(t, "lambda", function)
	if _, err := p.DeleteTopic(t.Context(), &sdk.DeleteTopicInput{TopicArn: aws.String(topicARN)}); err != nil {
		t.Fatal(err)
	}
	count := 0
	pages := sdk.NewListTopicsPaginator(p, &sdk.ListTopicsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		count += len(page.Topics)
	}
	if count != 110 {
		t.Errorf("topics: got %d, want 110", count)
	}
	_, err := p.Publish(t.Context(), &sdk.PublishInput{TopicArn: aws.String(topicARN), Message: aws.String("x")})
	wantCode(t, err, "NotFound", "Topic does not exist")
	if _, err := p.DeleteTopic(t.Context(), &sdk.DeleteTopicInput{TopicArn: aws.String(topicARN)}); err != nil {
		t.Errorf("delete again: got %v, want no error", err)
	}
	if _, err := p.CreateTopic(t.Context(), &sdk.CreateTopicInput{Name: aws.String("alerts")}); err != nil {
		t.Fatal(err)
	}
	out, err := p.ListSubscriptionsByTopic(t.Context(), &sdk.ListSubscriptionsByTopicInput{TopicArn: aws.String(topicARN)})
	if err != nil || len(out.Subscriptions) != 0 {
		t.Errorf("made again: got %+v, %v, want no subscriptions", out, err)
	}
}

func TestSetTopicAttributes_Changes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	policy := `{"Version":"2012-10-17","Statement":[]}`
	for name, value := range map[string]string{"DisplayName": "New", "Policy": policy} {
		if _, err := p.SetTopicAttributes(t.Context(), &sdk.SetTopicAttributesInput{TopicArn: aws.String(topicARN), AttributeName: &name, AttributeValue: &value}); err != nil {
			t.Fatal(err)
		}
	}
	out, err := p.GetTopicAttributes(t.Context(), &sdk.GetTopicAttributesInput{TopicArn: aws.String(topicARN)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"New", policy}, []string{out.Attributes["DisplayName"], out.Attributes["Policy"]}); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func TestWire_Refuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ctx, topic := t.Context(), aws.String(topicARN)
	call := map[string]struct {
		call       func() error
		code, text string
	}{
		"a name of other characters": {func() error {
			_, err := p.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("a b")})
			return err
		}, "InvalidParameter", "Topic Name"},
		"the same topic with other attributes": {func() error {
			_, err := p.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("alerts"), Attributes: map[string]string{"DisplayName": "Other"}})
			return err
		}, "InvalidParameter", "already exists"},
		"a FIFO topic": {func() error {
			_, err := p.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("a"), Attributes: map[string]string{"FifoTopic": "true"}})
			return err
		}, "InvalidParameter", "FifoTopic"},
		"an attribute that is not kept": {func() error {
			_, err := p.SetTopicAttributes(ctx, &sdk.SetTopicAttributesInput{TopicArn: topic, AttributeName: aws.String("TracingConfig"), AttributeValue: aws.String("Active")})
			return err
		}, "InvalidParameter", "TracingConfig"},
		"a policy that is not JSON": {func() error {
			_, err := p.SetTopicAttributes(ctx, &sdk.SetTopicAttributesInput{TopicArn: topic, AttributeName: aws.String("Policy"), AttributeValue: aws.String("{")})
			return err
		}, "InvalidParameter", "Policy"},
		"a queue as subscriber": {func() error {
			_, err := p.Subscribe(ctx, &sdk.SubscribeInput{TopicArn: topic, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:us-east-1:111122223333:q")})
			return err
		}, "InvalidParameter", "sqs"},
		"a mailbox that is none": {func() error {
			_, err := p.Subscribe(ctx, &sdk.SubscribeInput{TopicArn: topic, Protocol: aws.String("email"), Endpoint: aws.String("nobody")})
			return err
		}, "InvalidParameter", "Email"},
		"a topic that is not there": {func() error {
			_, err := p.Subscribe(ctx, &sdk.SubscribeInput{TopicArn: aws.String(topicARN + "-none"), Protocol: aws.String("lambda"), Endpoint: aws.String(function)})
			return err
		}, "NotFound", "Topic does not exist"},
		"an ARN that is none": {func() error {
			_, err := p.Publish(ctx, &sdk.PublishInput{TopicArn: aws.String("alerts"), Message: aws.String("x")})
			return err
		}, "InvalidParameter", "TopicArn"},
		"a subject of two lines": {func() error {
			_, err := p.Publish(ctx, &sdk.PublishInput{TopicArn: topic, Message: aws.String("x"), Subject: aws.String("a\nb")})
			return err
		}, "InvalidParameter", "Subject"},
		"more than 256 KB": {func() error {
			_, err := p.Publish(ctx, &sdk.PublishInput{TopicArn: topic, Message: aws.String(strings.Repeat("x", 256<<10+1))})
			return err
		}, "InvalidParameter", "too long"},
		"message attributes": {func() error {
			_, err := p.Publish(ctx, &sdk.PublishInput{TopicArn: topic, Message: aws.String("x"), MessageAttributes: map[string]types.MessageAttributeValue{
				"a": {DataType: aws.String("String"), StringValue: aws.String("b")},
			}})
			return err
		}, "InvalidParameter", "MessageAttributes"},
		"an operation that is not served": {func() error {
			_, err := p.ListPhoneNumbersOptedOut(ctx, &sdk.ListPhoneNumbersOptedOutInput{})
			return err
		}, "InvalidAction", "sns:ListPhoneNumbersOptedOut"},
	}
	for name, c := range call {
		t.Run(name, func(t *testing.T) { wantCode(t, c.call(), c.code, c.text) })
	}
	if got := p.service.Messages(topicARN); len(got) != 0 {
		t.Errorf("messages: got %v, want none", got)
	}
}
