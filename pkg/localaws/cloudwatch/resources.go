package cloudwatch

import (
	"context"
	"errors"
	"fmt"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// metricProperties are those of AWS::CloudWatch::Alarm.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
type metricProperties struct {
	AlarmName string
	Settings
	Watch
	Tags []Tag
}

// compositeProperties are those of AWS::CloudWatch::CompositeAlarm.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-compositealarm.html
type compositeProperties struct {
	AlarmName string
	AlarmRule string `aws:",required"`
	Settings
	Tags []Tag
}

// Resources lists the CloudFormation types of CloudWatch.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::CloudWatch::Alarm", []string{"AlarmName"}, s.putMetric, s.putMetric, s.deleteAlarm),
		resource.Define("AWS::CloudWatch::CompositeAlarm", []string{"AlarmName"}, s.putComposite, s.putComposite, s.deleteAlarm),
	}
}

func (s *Service) putMetric(ctx context.Context, r resource.Request, p *metricProperties) (resource.State, error) {
	name := alarmName(r, p.AlarmName)
	if _, err := s.PutMetricAlarm(ctx, &PutMetricAlarmInput{AlarmName: name, Settings: p.Settings, Watch: p.Watch, Tags: p.Tags}); err != nil {
		return resource.State{}, fmt.Errorf("put alarm %s: %w", name, err)
	}
	return s.putTags(name, p.Tags), nil
}

func (s *Service) putComposite(ctx context.Context, r resource.Request, p *compositeProperties) (resource.State, error) {
	name := alarmName(r, p.AlarmName)
	if _, err := s.PutCompositeAlarm(ctx, &PutCompositeAlarmInput{AlarmName: name, AlarmRule: p.AlarmRule, Settings: p.Settings, Tags: p.Tags}); err != nil {
		return resource.State{}, fmt.Errorf("put composite alarm %s: %w", name, err)
	}
	return s.putTags(name, p.Tags), nil
}

func alarmName(r resource.Request, wanted string) string {
	switch {
	case r.PhysicalID != "":
		return r.PhysicalID
	case wanted != "":
		return wanted
	}
	return r.GeneratedName(255)
}

// putTags replaces an alarm's tags, which a put of an alarm that exists does not.
func (s *Service) putTags(name string, tags []Tag) resource.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.alarms[name]; a != nil {
		a.tags = tags
	}
	return resource.State{PhysicalID: name, Attributes: map[string]any{"Arn": alarmARN(name)}}
}

func (s *Service) deleteAlarm(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteAlarms(ctx, &AlarmNamesInput{AlarmNames: []string{r.PhysicalID}})
	if no := (*wire.Error)(nil); errors.As(err, &no) && no.Code == "ResourceNotFound" {
		return nil // gone already
	}
	if err != nil {
		return fmt.Errorf("delete alarm %s: %w", r.PhysicalID, err)
	}
	return nil
}
