package sns

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"cutover/pkg/localaws/resource"
)

// Resources lists the CloudFormation types of SNS.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::SNS::Topic", []string{"TopicName"}, s.createTopic, s.updateTopic, s.deleteTopic),
		resource.Define("AWS::SNS::TopicPolicy", nil, s.createPolicy, s.updatePolicy, s.deletePolicy),
		resource.Define("AWS::SNS::Subscription", []string{"TopicArn", "Protocol", "Endpoint"}, s.createSubscription, nil, s.deleteSubscription),
	}
}

// topicProperties are those of AWS::SNS::Topic.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
type topicProperties struct {
	TopicName      string
	DisplayName    string
	KmsMasterKeyId string
	Subscription   []endpointProperties
	Tags           []resource.Tag
}

// endpointProperties are a subscription within a topic.
type endpointProperties struct {
	Protocol string `aws:",required"`
	Endpoint string `aws:",required"`
}

func (p *topicProperties) tags() map[string]string {
	tags := map[string]string{}
	for _, t := range p.Tags {
		tags[t.Key] = t.Value
	}
	return tags
}

func (s *Service) createTopic(ctx context.Context, r resource.Request, p *topicProperties) (resource.State, error) {
	name := p.TopicName
	if name == "" {
		name = r.GeneratedName(256)
	}
	arn := s.arn(name)
	if s.known(arn) {
		return resource.State{}, fmt.Errorf("create topic %s: it already exists", name)
	}
	if err := p.validate(arn); err != nil {
		return resource.State{}, fmt.Errorf("create topic %s: %w", name, err)
	}
	in := &CreateTopicInput{Name: name, Attributes: map[string]string{}}
	if p.DisplayName != "" {
		in.Attributes["DisplayName"] = p.DisplayName
	}
	if p.KmsMasterKeyId != "" {
		in.Attributes["KmsMasterKeyId"] = p.KmsMasterKeyId
	}
	for _, t := range p.Tags {
		in.Tags = append(in.Tags, Tag(t))
	}
	if _, err := s.CreateTopic(ctx, in); err != nil {
		return resource.State{}, fmt.Errorf("create topic %s: %w", name, err)
	}
	return s.subscribeAll(arn, p), nil
}

func (s *Service) known(arn string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.topics[arn] != nil
}

// validate checks the subscriptions, before a topic is made for them.
func (p *topicProperties) validate(arn string) error {
	for _, e := range p.Subscription {
		in := &SubscribeInput{TopicArn: arn, Protocol: e.Protocol, Endpoint: e.Endpoint}
		if err := in.validate(); err != nil {
			return fmt.Errorf("subscribe %s: %w", e.Endpoint, err)
		}
	}
	return nil
}

// subscribeAll makes the subscriptions of a topic that is there.
func (s *Service) subscribeAll(arn string, p *topicProperties) resource.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range p.Subscription {
		s.subscribeLocked(&SubscribeInput{TopicArn: arn, Protocol: e.Protocol, Endpoint: e.Endpoint})
	}
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	return resource.State{PhysicalID: arn, Attributes: map[string]any{"TopicArn": arn, "TopicName": name}}
}

// updateTopic sets what changed, and ends the subscriptions that the template
// no longer has.
func (s *Service) updateTopic(_ context.Context, r resource.Request, p *topicProperties) (resource.State, error) {
	if err := p.validate(r.PhysicalID); err != nil {
		return resource.State{}, fmt.Errorf("update topic %s: %w", r.PhysicalID, err)
	}
	before := new(topicProperties)
	resource.Decode(r.Previous, before)
	if err := s.change(r.PhysicalID, p, before); err != nil {
		return resource.State{}, fmt.Errorf("update topic %s: %w", r.PhysicalID, err)
	}
	return s.subscribeAll(r.PhysicalID, p), nil
}

func (s *Service) change(arn string, p, before *topicProperties) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topicLocked(arn)
	if err != nil {
		return err
	}
	if err := t.set("DisplayName", p.DisplayName); err != nil {
		return err
	}
	t.key, t.tags = p.KmsMasterKeyId, p.tags()
	s.subscriptions = slices.DeleteFunc(s.subscriptions, func(sub *subscription) bool {
		of := endpointProperties{sub.protocol, sub.endpoint}
		return sub.topic == arn && slices.Contains(before.Subscription, of) && !slices.Contains(p.Subscription, of)
	})
	return nil
}

func (s *Service) deleteTopic(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteTopic(ctx, &DeleteTopicInput{TopicArn: r.PhysicalID})
	return err
}

// policyProperties are those of AWS::SNS::TopicPolicy.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topicpolicy.html
type policyProperties struct {
	PolicyDocument any      `aws:",required"`
	Topics         []string `aws:",required"`
}

func (s *Service) createPolicy(_ context.Context, r resource.Request, p *policyProperties) (resource.State, error) {
	return s.putPolicy(r.GeneratedName(128), p)
}

func (s *Service) updatePolicy(ctx context.Context, r resource.Request, p *policyProperties) (resource.State, error) {
	before := new(policyProperties)
	resource.Decode(r.Previous, before)
	before.Topics = slices.DeleteFunc(before.Topics, func(arn string) bool { return slices.Contains(p.Topics, arn) })
	s.dropPolicy(before.Topics)
	return s.putPolicy(r.PhysicalID, p)
}

func (s *Service) putPolicy(id string, p *policyProperties) (resource.State, error) {
	text, err := json.Marshal(p.PolicyDocument)
	if err != nil {
		return resource.State{}, fmt.Errorf("put topic policy: encode PolicyDocument: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, arn := range p.Topics {
		if _, err := s.topicLocked(arn); err != nil {
			return resource.State{}, fmt.Errorf("put policy of topic %s: %w", arn, err)
		}
	}
	for _, arn := range p.Topics {
		s.topics[arn].policy = string(text)
	}
	return resource.State{PhysicalID: id, Attributes: map[string]any{"Id": id}}, nil
}

func (s *Service) deletePolicy(_ context.Context, r resource.Request) error {
	p := new(policyProperties)
	resource.Decode(r.Properties, p)
	s.dropPolicy(p.Topics)
	return nil
}

// dropPolicy gives topics the default policy back.
func (s *Service) dropPolicy(topics []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, arn := range topics {
		if t := s.topics[arn]; t != nil {
			t.policy = ""
		}
	}
}

// subscriptionProperties are those of AWS::SNS::Subscription.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-subscription.html
type subscriptionProperties struct {
	TopicArn string `aws:",required"`
	Protocol string `aws:",required"`
	Endpoint string `aws:",required"`
}

func (s *Service) createSubscription(ctx context.Context, _ resource.Request, p *subscriptionProperties) (resource.State, error) {
	out, err := s.Subscribe(ctx, &SubscribeInput{TopicArn: p.TopicArn, Protocol: p.Protocol, Endpoint: p.Endpoint, ReturnSubscriptionArn: true})
	if err != nil {
		return resource.State{}, fmt.Errorf("subscribe %s to %s: %w", p.Endpoint, p.TopicArn, err)
	}
	return resource.State{PhysicalID: out.SubscriptionArn, Attributes: map[string]any{"Arn": out.SubscriptionArn}}, nil
}

func (s *Service) deleteSubscription(ctx context.Context, r resource.Request) error {
	_, err := s.Unsubscribe(ctx, &UnsubscribeInput{SubscriptionArn: r.PhysicalID})
	return err
}
