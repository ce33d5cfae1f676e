package sns

import (
	"context"
	"net/mail"
	"slices"
	"strings"
)

// pendingARN stands for the ARN of a subscription that is not confirmed.
const (
	pendingARN      = "PendingConfirmation"
	pendingResponse = "pending confirmation"
)

// SubscribeInput subscribes an endpoint to a topic.
type SubscribeInput struct {
	TopicArn              string `aws:",required"`
	Protocol              string `aws:",required"` // lambda, email, email-json
	Endpoint              string `aws:",required"`
	ReturnSubscriptionArn bool   // also of one that is pending
}

// SubscribeOutput is the subscription's ARN, or "pending confirmation".
type SubscribeOutput struct{ SubscriptionArn string }

// Subscribe answers
// https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
func (s *Service) Subscribe(_ context.Context, in *SubscribeInput) (*SubscribeOutput, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.topicLocked(in.TopicArn); err != nil {
		return nil, err
	}
	sub := s.subscribeLocked(in)
	if sub.pending && !in.ReturnSubscriptionArn {
		return &SubscribeOutput{pendingResponse}, nil
	}
	return &SubscribeOutput{sub.arn}, nil
}

func (in *SubscribeInput) validate() error {
	switch in.Protocol {
	case "lambda":
		if !strings.HasPrefix(in.Endpoint, "arn:aws:lambda:") {
			return invalid("Lambda endpoint ARN")
		}
	case "email", "email-json":
		if _, err := mail.ParseAddress(in.Endpoint); err != nil {
			return invalid("Email address")
		}
	default:
		return invalid("Protocol Reason: %s is not one that the embedded AWS delivers with: lambda, email, email-json", in.Protocol)
	}
	return nil
}

// subscribeLocked is the subscription of an endpoint, made unless it is there.
func (s *Service) subscribeLocked(in *SubscribeInput) *subscription {
	at := slices.IndexFunc(s.subscriptions, func(sub *subscription) bool {
		return sub.topic == in.TopicArn && sub.protocol == in.Protocol && sub.endpoint == in.Endpoint
	})
	if at >= 0 {
		return s.subscriptions[at]
	}
	sub := &subscription{
		arn: in.TopicArn + ":" + newID(), topic: in.TopicArn, protocol: in.Protocol, endpoint: in.Endpoint, pending: in.Protocol != "lambda",
	}
	s.subscriptions = append(s.subscriptions, sub)
	return sub
}

// UnsubscribeInput names a subscription.
type UnsubscribeInput struct {
	SubscriptionArn string `aws:",required"`
}

// Unsubscribe ends a subscription; one that is not there is no error.
// https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html
func (s *Service) Unsubscribe(_ context.Context, in *UnsubscribeInput) (*Empty, error) {
	if !strings.HasPrefix(in.SubscriptionArn, "arn:aws:sns:") || strings.Count(in.SubscriptionArn, ":") != 6 {
		return nil, invalid("SubscriptionArn Reason: %q is not the ARN of a subscription", in.SubscriptionArn)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.subscriptions)
	s.subscriptions = slices.DeleteFunc(s.subscriptions, func(sub *subscription) bool { return sub.arn == in.SubscriptionArn })
	if t := s.topics[topicOf(in.SubscriptionArn)]; t != nil {
		t.deleted += before - len(s.subscriptions)
	}
	return &Empty{}, nil
}

// ListSubscriptionsByTopicInput names a topic.
type ListSubscriptionsByTopicInput struct {
	TopicArn  string `aws:",required"`
	NextToken string
}

// ListSubscriptionsByTopicOutput are its subscriptions, oldest first.
type ListSubscriptionsByTopicOutput struct {
	Subscriptions []Subscription
	NextToken     string
}

// Subscription is a subscription as answers show it.
type Subscription struct {
	SubscriptionArn string // PendingConfirmation until it is confirmed
	Owner           string
	Protocol        string
	Endpoint        string
	TopicArn        string
}

// ListSubscriptionsByTopic answers
// https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
func (s *Service) ListSubscriptionsByTopic(_ context.Context, in *ListSubscriptionsByTopicInput) (*ListSubscriptionsByTopicOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.topicLocked(in.TopicArn); err != nil {
		return nil, err
	}
	var all []Subscription
	for _, sub := range s.subscriptions {
		if sub.topic != in.TopicArn {
			continue
		}
		shown := Subscription{SubscriptionArn: sub.arn, Owner: s.Account, Protocol: sub.protocol, Endpoint: sub.endpoint, TopicArn: sub.topic}
		if sub.pending {
			shown.SubscriptionArn = pendingARN
		}
		all = append(all, shown)
	}
	items, next, err := page(all, in.NextToken)
	return &ListSubscriptionsByTopicOutput{items, next}, err
}
