package preview

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// AlarmAPI is what [ReadAlarms] calls of CloudWatch.
type AlarmAPI interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
}

// An Alarm is one of the file's, as it is now.
type Alarm struct {
	Name string `json:"name"`
	// State is OK, ALARM or INSUFFICIENT_DATA; empty if there is no such alarm.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

// Obstacle says why the alarm keeps a release from starting, if it does.
func (a Alarm) Obstacle() string {
	switch a.State {
	case "":
		return fmt.Sprintf("alarm %q does not exist, or it may not be seen (composite alarms need cloudwatch:DescribeAlarms on *)", a.Name)
	case string(types.StateValueAlarm):
		return fmt.Sprintf("alarm %s is in ALARM: %s", a.Name, a.Reason)
	}
	return ""
}

// ReadAlarms reads at most 100 alarms, metric and composite, in one call, in the
// order of their names in the file.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
func ReadAlarms(ctx context.Context, api AlarmAPI, names []string) ([]Alarm, error) {
	alarms := make([]Alarm, len(names))
	for i, name := range names {
		alarms[i].Name = name
	}
	if len(names) == 0 {
		return alarms, nil
	}
	limit := int32(100)
	out, err := api.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: names, MaxRecords: &limit, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return nil, fmt.Errorf("describe alarms %s: %w", strings.Join(names, ", "), err)
	}
	note := func(name, reason *string, state types.StateValue) {
		if i := slices.Index(names, deref(name)); i >= 0 {
			alarms[i].State, alarms[i].Reason = string(state), deref(reason)
		}
	}
	for _, a := range out.MetricAlarms {
		note(a.AlarmName, a.StateReason, a.StateValue)
	}
	for _, a := range out.CompositeAlarms {
		note(a.AlarmName, a.StateReason, a.StateValue)
	}
	return alarms, nil
}
