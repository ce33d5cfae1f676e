package sns

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Tag is a resource tag.
type Tag struct {
	Key   string `aws:",required"`
	Value string `aws:",required"`
}

// CreateTopicInput makes a standard topic.
type CreateTopicInput struct {
	Name       string            `aws:",required"`
	Attributes map[string]string // DisplayName, Policy, KmsMasterKeyId
	Tags       []Tag
}

// CreateTopicOutput names the topic.
type CreateTopicOutput struct{ TopicArn string }

var topicName = regexp.MustCompile(`^[a-zA-Z0-9_\-]{1,256}$`)

// CreateTopic answers
// https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
func (s *Service) CreateTopic(_ context.Context, in *CreateTopicInput) (*CreateTopicOutput, error) {
	if !topicName.MatchString(in.Name) {
		return nil, invalid("Topic Name: %q must have 1 to 256 letters, digits, hyphens and underscores", in.Name)
	}
	t := &topic{arn: s.arn(in.Name), tags: map[string]string{}}
	for name, value := range in.Attributes {
		if err := t.set(name, value); err != nil {
			return nil, err
		}
	}
	for _, tag := range in.Tags {
		if tag.Key == "" || len(tag.Key) > 128 || len(tag.Value) > 256 || strings.HasPrefix(strings.ToLower(tag.Key), "aws:") {
			return nil, invalid("Tags Reason: %q is not a key of 1 to 128 characters with a value of at most 256", tag.Key)
		}
		t.tags[tag.Key] = tag.Value
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if there := s.topics[t.arn]; there != nil {
		for name, value := range in.Attributes {
			if there.attribute(name) != value {
				return nil, invalid("Attributes Reason: Topic already exists with different attributes")
			}
		}
		if len(t.tags) > 0 && !reflect.DeepEqual(t.tags, there.tags) {
			return nil, invalid("Tags Reason: Topic already exists with different tags")
		}
		return &CreateTopicOutput{t.arn}, nil
	}
	s.topics[t.arn] = t
	return &CreateTopicOutput{t.arn}, nil
}

// set changes an attribute.
func (t *topic) set(name, value string) error {
	switch name {
	case "DisplayName":
		if utf8.RuneCountInString(value) > 100 {
			return invalid("DisplayName Reason: has more than 100 characters")
		}
		t.displayName = value
	case "Policy":
		if value != "" && !json.Valid([]byte(value)) {
			return invalid("Policy Error: the policy is not JSON")
		}
		t.policy = value
	case "KmsMasterKeyId":
		t.key = value
	default:
		return invalid("AttributeName: %s is not one that the embedded AWS keeps: DisplayName, Policy, KmsMasterKeyId", name)
	}
	return nil
}

func (t *topic) attribute(name string) string {
	return map[string]string{"DisplayName": t.displayName, "Policy": t.policy, "KmsMasterKeyId": t.key}[name]
}

// DeleteTopicInput names a topic.
type DeleteTopicInput struct {
	TopicArn string `aws:",required"`
}

// DeleteTopic deletes a topic with its subscriptions; one that is not there is
// no error.
// https://docs.aws.amazon.com/sns/latest/api/API_DeleteTopic.html
func (s *Service) DeleteTopic(_ context.Context, in *DeleteTopicInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.topics, in.TopicArn)
	s.subscriptions = slices.DeleteFunc(s.subscriptions, func(sub *subscription) bool { return sub.topic == in.TopicArn })
	return &Empty{}, nil
}

// ListTopicsInput asks for a page.
type ListTopicsInput struct{ NextToken string }

// ListTopicsOutput are the topics, by ARN.
type ListTopicsOutput struct {
	Topics    []Topic
	NextToken string
}

// Topic names a topic.
type Topic struct{ TopicArn string }

// ListTopics answers
// https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html
func (s *Service) ListTopics(_ context.Context, in *ListTopicsInput) (*ListTopicsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Topic
	for _, arn := range slices.Sorted(maps.Keys(s.topics)) {
		all = append(all, Topic{arn})
	}
	items, next, err := page(all, in.NextToken)
	return &ListTopicsOutput{items, next}, err
}

// GetTopicAttributesInput names a topic.
type GetTopicAttributesInput struct {
	TopicArn string `aws:",required"`
}

// GetTopicAttributesOutput are its attributes.
type GetTopicAttributesOutput struct{ Attributes map[string]string }

// GetTopicAttributes answers
// https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html
func (s *Service) GetTopicAttributes(_ context.Context, in *GetTopicAttributesInput) (*GetTopicAttributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topicLocked(in.TopicArn)
	if err != nil {
		return nil, err
	}
	pending, confirmed := 0, 0
	for _, sub := range s.subscriptions {
		switch {
		case sub.topic != t.arn:
		case sub.pending:
			pending++
		default:
			confirmed++
		}
	}
	attributes := map[string]string{
		"TopicArn": t.arn, "Owner": s.Account, "DisplayName": t.displayName, "Policy": s.policyOf(t),
		"SubscriptionsConfirmed": strconv.Itoa(confirmed), "SubscriptionsPending": strconv.Itoa(pending),
		"SubscriptionsDeleted": strconv.Itoa(t.deleted),
	}
	if t.key != "" {
		attributes["KmsMasterKeyId"] = t.key
	}
	return &GetTopicAttributesOutput{attributes}, nil
}

// policyOf is a topic's policy: unless another was set, its account may do all.
func (s *Service) policyOf(t *topic) string {
	if t.policy != "" {
		return t.policy
	}
	return `{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},` +
		`"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],` +
		`"Resource":"` + t.arn + `","Condition":{"StringEquals":{"AWS:SourceOwner":"` + s.Account + `"}}}]}`
}

// SetTopicAttributesInput changes one attribute.
type SetTopicAttributesInput struct {
	TopicArn       string `aws:",required"`
	AttributeName  string `aws:",required"` // DisplayName, Policy, KmsMasterKeyId
	AttributeValue string
}

// SetTopicAttributes answers
// https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
func (s *Service) SetTopicAttributes(_ context.Context, in *SetTopicAttributesInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topicLocked(in.TopicArn)
	if err != nil {
		return nil, err
	}
	if err := t.set(in.AttributeName, in.AttributeValue); err != nil {
		return nil, err
	}
	return &Empty{}, nil
}
