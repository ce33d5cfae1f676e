package cloudwatch

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// DescribeAlarmsInput is the input of DescribeAlarms.
type DescribeAlarmsInput struct {
	AlarmNames      []string
	AlarmNamePrefix string
	AlarmTypes      []string // empty means MetricAlarm alone
	StateValue      string
	MaxRecords      *int // 1-100, nil means 50
	NextToken       string
}

// A MetricAlarm is a metric alarm as DescribeAlarms shows it.
type MetricAlarm struct {
	AlarmName                          string
	AlarmArn                           string
	AlarmConfigurationUpdatedTimestamp time.Time
	Settings
	Watch
	State
}

// A CompositeAlarm is a composite alarm as DescribeAlarms shows it.
type CompositeAlarm struct {
	AlarmName                          string
	AlarmArn                           string
	AlarmConfigurationUpdatedTimestamp time.Time
	AlarmRule                          string
	Settings
	State
}

// DescribeAlarmsOutput is the output of DescribeAlarms.
type DescribeAlarmsOutput struct {
	MetricAlarms    []MetricAlarm
	CompositeAlarms []CompositeAlarm
	NextToken       string
}

// DescribeAlarms shows alarms by name; one that does not exist is just absent.
// Composite alarms are shown only to who asks for them, and may see all alarms:
// to others they are hidden without an error.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
func (s *Service) DescribeAlarms(ctx context.Context, in *DescribeAlarmsInput) (*DescribeAlarmsOutput, error) {
	limit, err := in.validate()
	if err != nil {
		return nil, err
	}
	composites := slices.Contains(in.AlarmTypes, "CompositeAlarm") && s.seesComposites(ctx)
	metrics := len(in.AlarmTypes) == 0 || slices.Contains(in.AlarmTypes, "MetricAlarm")

	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*alarm
	for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
		a := s.alarms[name]
		if (a.rule == nil && metrics || a.rule != nil && composites) && in.wants(a) {
			all = append(all, a)
		}
	}
	shown, next, err := page(all, in.NextToken, limit)
	if err != nil {
		return nil, err
	}
	out := &DescribeAlarmsOutput{MetricAlarms: []MetricAlarm{}, CompositeAlarms: []CompositeAlarm{}, NextToken: next}
	for _, a := range shown {
		if a.rule != nil {
			out.CompositeAlarms = append(out.CompositeAlarms, CompositeAlarm{
				AlarmName: a.name, AlarmArn: alarmARN(a.name), AlarmConfigurationUpdatedTimestamp: a.configured,
				AlarmRule: a.ruleText, Settings: a.Settings, State: a.State,
			})
			continue
		}
		out.MetricAlarms = append(out.MetricAlarms, MetricAlarm{
			AlarmName: a.name, AlarmArn: alarmARN(a.name), AlarmConfigurationUpdatedTimestamp: a.configured,
			Settings: a.Settings, Watch: *a.watch, State: a.State,
		})
	}
	return out, nil
}

func (s *Service) seesComposites(ctx context.Context) bool {
	caller := wire.Caller(ctx)
	return s.iam == nil || caller == (wire.Principal{}) ||
		s.iam.Allowed(caller, wire.Access{Action: "cloudwatch:DescribeAlarms", Resource: "*"})
}

func (in *DescribeAlarmsInput) validate() (limit int, err error) {
	for _, kind := range in.AlarmTypes {
		if kind != "MetricAlarm" && kind != "CompositeAlarm" {
			return 0, invalid("AlarmTypes: the embedded AWS has no %q.", kind)
		}
	}
	if !slices.Contains([]string{"", stateOK, stateAlarm, stateInsufficient}, in.StateValue) {
		return 0, invalid("The value %s for parameter StateValue is invalid.", in.StateValue)
	}
	if len(in.AlarmNames) > 100 {
		return 0, invalid("The collection AlarmNames must not have a size greater than 100; it has %d.", len(in.AlarmNames))
	}
	if len(in.AlarmNames) > 0 && in.AlarmNamePrefix != "" {
		return 0, invalid("AlarmNamePrefix and AlarmNames are mutually exclusive.")
	}
	return records(in.MaxRecords, 50)
}

// records is how many a page has.
func records(given *int, otherwise int) (int, error) {
	if given == nil {
		return otherwise, nil
	}
	if *given < 1 || *given > 100 {
		return 0, invalid("The parameter MaxRecords must be between 1 and 100.")
	}
	return *given, nil
}

func (in *DescribeAlarmsInput) wants(a *alarm) bool {
	return (len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, a.name)) &&
		strings.HasPrefix(a.name, in.AlarmNamePrefix) &&
		(in.StateValue == "" || in.StateValue == a.StateValue)
}
