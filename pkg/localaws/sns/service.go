package sns

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsquery"
)

// Config says what a service is made of.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	Logger  *slog.Logger // nil discards

	Functions Functions // nil: there are no functions to subscribe
}

// Functions are the functions that can subscribe.
type Functions interface {
	// InvokeAsync queues an event for a function, named by its ARN.
	InvokeAsync(function string, payload []byte) error
}

// A Service is the SNS of one embedded AWS. It is safe for concurrent use.
type Service struct {
	Config

	mu            sync.Mutex
	topics        map[string]*topic // by ARN
	subscriptions []*subscription   // oldest first
}

// A topic and what was published to it.
type topic struct {
	arn         string
	displayName string
	policy      string
	key         string // KmsMasterKeyId
	tags        map[string]string
	messages    []Message
	deleted     int // subscriptions that are no more
}

// A subscription is a function or a mailbox that wants a topic's messages.
type subscription struct {
	arn      string
	topic    string
	protocol string
	endpoint string
	pending  bool // until confirmed, which mailboxes never are
}

// A Message is what was published.
type Message struct {
	ID        string
	TopicARN  string
	Subject   string
	Message   string
	Published time.Time
}

// New makes a service without topics.
func New(config Config) *Service {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{Config: config, topics: map[string]*topic{}}
}

// Wire is the service's API.
// https://docs.aws.amazon.com/sns/latest/api/welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "sns",
		Protocols: []wire.Protocol{awsquery.Protocol{Version: "2010-03-31", Namespace: "http://sns.amazonaws.com/doc/2010-03-31/"}},
		Invalid:   func(message string) *wire.Error { return invalid("%s", message) },
		Operations: []wire.Operation{
			wire.Op("CreateTopic", s.CreateTopic, wire.On(func(in *CreateTopicInput) []string { return []string{s.arn(in.Name)} })),
			wire.Op("DeleteTopic", s.DeleteTopic, wire.On(func(in *DeleteTopicInput) []string { return []string{in.TopicArn} })),
			wire.Op("ListTopics", s.ListTopics),
			wire.Op("GetTopicAttributes", s.GetTopicAttributes, wire.On(func(in *GetTopicAttributesInput) []string { return []string{in.TopicArn} })),
			wire.Op("SetTopicAttributes", s.SetTopicAttributes, wire.On(func(in *SetTopicAttributesInput) []string { return []string{in.TopicArn} })),
			wire.Op("Subscribe", s.Subscribe, wire.On(func(in *SubscribeInput) []string { return []string{in.TopicArn} })),
			wire.Op("Unsubscribe", s.Unsubscribe, wire.On(func(in *UnsubscribeInput) []string { return []string{topicOf(in.SubscriptionArn)} })),
			wire.Op("ListSubscriptionsByTopic", s.ListSubscriptionsByTopic, wire.On(func(in *ListSubscriptionsByTopicInput) []string {
				return []string{in.TopicArn}
			})),
			wire.Op("Publish", s.publishMessage, wire.On(func(in *PublishInput) []string { return []string{in.TopicArn + in.TargetArn} })),
		},
	}
}

func (s *Service) arn(name string) string {
	return fmt.Sprintf("arn:aws:sns:%s:%s:%s", s.Region, s.Account, name)
}

// topicOf is the ARN of a subscription's topic.
func topicOf(subscription string) string {
	return subscription[:max(strings.LastIndexByte(subscription, ':'), 0)]
}

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("InvalidParameter", "Invalid parameter: "+format, args...)
}

func notFound(what string) *wire.Error {
	return wire.Errorf("NotFound", "%s does not exist", what).WithStatus(404)
}

// topicLocked finds a topic.
func (s *Service) topicLocked(arn string) (*topic, error) {
	if !strings.HasPrefix(arn, "arn:aws:sns:") || strings.Count(arn, ":") != 5 {
		return nil, invalid("TopicArn Reason: %q is not the ARN of a topic", arn)
	}
	t := s.topics[arn]
	if t == nil {
		return nil, notFound("Topic")
	}
	return t, nil
}

// newID makes a random UUID (version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// pageSize is how many items a page has.
const pageSize = 100

// page cuts one page from a list.
func page[T any](all []T, token string) (part []T, next string, err error) {
	from := 0
	if token != "" {
		from, err = strconv.Atoi(token)
		if err != nil || from < 0 || from > len(all) {
			return nil, "", invalid("NextToken Reason: %q is not one that this API gave", token)
		}
	}
	to := min(from+pageSize, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return append([]T{}, all[from:to]...), next, nil
}

// Empty is an answer without members.
type Empty struct{}
