package sns

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// What a message may be.
const (
	messageSize  = 256 << 10 // bytes
	messagesKept = 100       // a topic
)

// PublishInput publishes a message to a topic.
type PublishInput struct {
	TopicArn  string
	TargetArn string // the same as TopicArn, which one of them gives
	Message   string `aws:",required"`
	Subject   string
}

// PublishOutput names the message.
type PublishOutput struct{ MessageId string }

// publishMessage answers
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func (s *Service) publishMessage(_ context.Context, in *PublishInput) (*PublishOutput, error) {
	if (in.TopicArn == "") == (in.TargetArn == "") {
		return nil, invalid("TopicArn or TargetArn Reason: one of them is required")
	}
	id, err := s.publish(in.TopicArn+in.TargetArn, in.Subject, in.Message)
	if err != nil {
		return nil, err
	}
	return &PublishOutput{id}, nil
}

// Publish publishes a message for another service of the embedded AWS. The
// subject may be empty.
func (s *Service) Publish(topicARN, subject, message string) error {
	if _, err := s.publish(topicARN, subject, message); err != nil {
		return fmt.Errorf("publish to %s: %w", topicARN, err)
	}
	return nil
}

func (s *Service) publish(topicARN, subject, message string) (id string, err error) {
	if err := validMessage(subject, message); err != nil {
		return "", err
	}
	m := Message{ID: newID(), TopicARN: topicARN, Subject: subject, Message: message, Published: s.Clock.Now()}
	to, err := s.keep(m)
	if err != nil {
		return "", err
	}
	for _, sub := range to {
		s.Clock.Go(func() { s.deliver(m, sub) })
	}
	return m.ID, nil
}

func validMessage(subject, message string) error {
	switch {
	case message == "":
		return invalid("Empty message")
	case len(message)+len(subject) > messageSize:
		return invalid("Message too long")
	case len(subject) > 100 || strings.ContainsAny(subject, "\n\r") || strings.IndexFunc(subject, func(r rune) bool { return r < ' ' || r > '~' }) >= 0:
		return invalid("Subject")
	}
	return nil
}

// keep notes a message and lists the functions to hand it to.
func (s *Service) keep(m Message) ([]subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topicLocked(m.TopicARN)
	if err != nil {
		return nil, err
	}
	t.messages = append(t.messages, m)
	if extra := len(t.messages) - messagesKept; extra > 0 {
		t.messages = slices.Delete(t.messages, 0, extra)
	}
	var to []subscription
	for _, sub := range s.subscriptions {
		if sub.topic == t.arn && !sub.pending {
			to = append(to, *sub)
		}
	}
	return to, nil
}

// Messages lists a topic's latest messages, oldest first.
func (s *Service) Messages(topicARN string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[topicARN]
	if t == nil {
		return nil
	}
	return slices.Clone(t.messages)
}

// A record is a message as functions get it.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
type record struct {
	EventVersion         string
	EventSubscriptionArn string
	EventSource          string
	Sns                  notification
}

type notification struct {
	SignatureVersion  string
	Timestamp         string
	Signature         string
	SigningCertURL    string `json:"SigningCertUrl"`
	MessageID         string `json:"MessageId"`
	Message           string
	MessageAttributes map[string]any
	Type              string
	UnsubscribeURL    string `json:"UnsubscribeUrl"`
	TopicArn          string
	Subject           *string // null when there is none
}

// deliver hands a message to a function. What goes wrong is logged: Lambda
// retries by itself once it has taken the event.
func (s *Service) deliver(m Message, sub subscription) {
	if err := s.invoke(m, sub); err != nil {
		s.Logger.Error("deliver message", "topic", m.TopicARN, "function", sub.endpoint, "message", m.ID, "error", err)
	}
}

func (s *Service) invoke(m Message, sub subscription) error {
	if s.Functions == nil {
		return wire.Errorf("ResourceNotFoundException", "Function not found: %s", sub.endpoint)
	}
	n := notification{
		SignatureVersion: "1", Timestamp: m.Published.UTC().Format("2006-01-02T15:04:05.000Z"), Signature: "EXAMPLE",
		SigningCertURL: "EXAMPLE", MessageID: m.ID, Message: m.Message, MessageAttributes: map[string]any{}, Type: "Notification",
		UnsubscribeURL: fmt.Sprintf("https://sns.%s.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=%s", s.Region, sub.arn), TopicArn: m.TopicARN,
	}
	if m.Subject != "" {
		n.Subject = &m.Subject
	}
	event, err := json.Marshal(map[string][]record{"Records": {{
		EventVersion: "1.0", EventSubscriptionArn: sub.arn, EventSource: "aws:sns", Sns: n,
	}}})
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return s.Functions.InvokeAsync(sub.endpoint, event)
}
