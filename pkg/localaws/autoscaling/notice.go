package autoscaling

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Kinds of notifications.
const (
	noticeLaunch         = "autoscaling:EC2_INSTANCE_LAUNCH"
	noticeLaunchError    = "autoscaling:EC2_INSTANCE_LAUNCH_ERROR"
	noticeTerminate      = "autoscaling:EC2_INSTANCE_TERMINATE"
	noticeTerminateError = "autoscaling:EC2_INSTANCE_TERMINATE_ERROR"
	noticeTest           = "autoscaling:TEST_NOTIFICATION"
)

type notice struct{ topic, kind string }

// NotificationConfiguration is a kind of event that a topic hears of.
type NotificationConfiguration struct {
	AutoScalingGroupName string
	TopicARN             string
	NotificationType     string
}

// PutNotificationConfigurationInput says which events a topic hears of, in
// place of those it heard of so far.
type PutNotificationConfigurationInput struct {
	AutoScalingGroupName string   `aws:",required"`
	TopicARN             string   `aws:",required"`
	NotificationTypes    []string `aws:",required"`
}

// PutNotificationConfiguration answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutNotificationConfiguration.html
// The topic gets a test notification; one that cannot be published is refused.
func (s *Service) PutNotificationConfiguration(_ context.Context, in *PutNotificationConfigurationInput) (*Empty, error) {
	for _, kind := range in.NotificationTypes {
		if !slices.Contains([]string{noticeLaunch, noticeLaunchError, noticeTerminate, noticeTerminateError, noticeTest}, kind) {
			return nil, invalid("%s is not a valid notification type", kind)
		}
	}
	s.mu.Lock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	text := encode(map[string]any{"AccountId": s.Account, "RequestId": s.newIDLocked("notification"), "AutoScalingGroupARN": g.arn,
		"AutoScalingGroupName": g.name, "Service": "AWS Auto Scaling", "Event": noticeTest, "Time": s.stamp()})
	s.mu.Unlock()
	if s.Topics != nil {
		if err := s.Topics.Publish(in.TopicARN, fmt.Sprintf("Auto Scaling: test notification for group %q", g.name), text); err != nil {
			return nil, invalid("Unable to publish notification message to notification target %s: %s", in.TopicARN, reason(err))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g.notices = slices.DeleteFunc(g.notices, func(n notice) bool { return n.topic == in.TopicARN })
	for _, kind := range in.NotificationTypes {
		g.notices = append(g.notices, notice{in.TopicARN, kind})
	}
	return &Empty{}, nil
}

// DescribeNotificationConfigurationsInput names groups; none means all.
type DescribeNotificationConfigurationsInput struct {
	AutoScalingGroupNames []string
	Page
}

// DescribeNotificationConfigurationsOutput lists notifications.
type DescribeNotificationConfigurationsOutput struct {
	NotificationConfigurations []NotificationConfiguration
	NextToken                  string
}

// DescribeNotificationConfigurations answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeNotificationConfigurations.html
func (s *Service) DescribeNotificationConfigurations(_ context.Context, in *DescribeNotificationConfigurationsInput) (*DescribeNotificationConfigurationsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []NotificationConfiguration
	for _, g := range s.groups {
		if len(in.AutoScalingGroupNames) > 0 && !slices.Contains(in.AutoScalingGroupNames, g.name) {
			continue
		}
		for _, n := range g.notices {
			all = append(all, NotificationConfiguration{AutoScalingGroupName: g.name, TopicARN: n.topic, NotificationType: n.kind})
		}
	}
	items, next, err := cut(all, in.Page, 50, 100)
	if err != nil {
		return nil, err
	}
	return &DescribeNotificationConfigurationsOutput{NotificationConfigurations: items, NextToken: next}, nil
}

// DeleteNotificationConfigurationInput names a topic that shall hear no more.
type DeleteNotificationConfigurationInput struct {
	AutoScalingGroupName string `aws:",required"`
	TopicARN             string `aws:",required"`
}

// DeleteNotificationConfiguration answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteNotificationConfiguration.html
func (s *Service) DeleteNotificationConfiguration(_ context.Context, in *DeleteNotificationConfigurationInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	had := len(g.notices)
	g.notices = slices.DeleteFunc(g.notices, func(n notice) bool { return n.topic == in.TopicARN })
	if len(g.notices) == had {
		return nil, invalid("No notification configuration for topic %s found for group %s", in.TopicARN, g.name)
	}
	return &Empty{}, nil
}

// noticeLocked tells topics and the event bus how an activity ended.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-sns-notifications.html
func (s *Service) noticeLocked(g *group, kind string, a *activity, later func(func())) {
	verb, event := "launch", "EC2 Instance Launch Successful"
	switch kind {
	case noticeLaunchError:
		verb, event = "failed launch", "EC2 Instance Launch Unsuccessful"
	case noticeTerminate:
		verb, event = "termination", "EC2 Instance Terminate Successful"
	}
	s.eventLocked(g, event, a, later)
	if s.Topics == nil {
		return
	}
	message := s.told(g, a)
	message["Event"], message["Service"], message["Time"], message["AccountId"] = kind, "AWS Auto Scaling", s.stamp(), s.Account
	message["AutoScalingGroupARN"], message["Progress"] = g.arn, a.Progress/2 // AWS announces a launch and a termination at 50
	text := encode(message)
	subject := fmt.Sprintf("Auto Scaling: %s for group %q", verb, g.name)
	for _, n := range g.notices {
		if n.kind == kind {
			later(func() { s.send(n.topic, subject, text) })
		}
	}
}

// told is an activity as notifications and events tell it.
func (s *Service) told(g *group, a *activity) map[string]any {
	status := "InProgress" // also of what succeeded
	if a.StatusCode == statusFailed || a.StatusCode == statusCancelled {
		status = a.StatusCode
	}
	return map[string]any{
		"StatusCode": status, "StatusMessage": a.StatusMessage, "Description": a.Description, "AutoScalingGroupName": g.name, "ActivityId": a.ActivityId,
		"RequestId": a.ActivityId, "Details": json.RawMessage(a.Details), "StartTime": a.StartTime.Format(stampLayout), "EndTime": a.EndTime.Format(stampLayout),
		"EC2InstanceId": a.instance, "Cause": a.Cause,
	}
}

// eventLocked puts an activity on the event bus.
func (s *Service) eventLocked(g *group, kind string, a *activity, later func(func())) {
	resources := []string{g.arn}
	if a.instance != "" {
		resources = append(resources, fmt.Sprintf("arn:aws:ec2:%s:%s:instance/%s", s.Region, s.Account, a.instance))
	}
	s.publishLocked(kind, resources, s.told(g, a), later)
}

func (s *Service) publishLocked(kind string, resources []string, detail any, later func(func())) {
	if s.Events != nil {
		later(func() { s.Events.Publish("aws.autoscaling", kind, resources, detail) })
	}
}

// send publishes to a topic. A topic that is gone hears nothing.
func (s *Service) send(topic, subject, message string) {
	if err := s.Topics.Publish(topic, subject, message); err != nil {
		s.Logger.Warn("publish notification", "topic", topic, "subject", subject, "error", err)
	}
}

const stampLayout = "2006-01-02T15:04:05.000Z"

func (s *Service) stamp() string { return s.clock.Now().Format(stampLayout) }

func encode(message map[string]any) string {
	text, err := json.Marshal(message)
	if err != nil {
		panic("autoscaling: a notification does not encode: " + err.Error())
	}
	return string(text)
}
