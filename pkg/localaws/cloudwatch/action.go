package cloudwatch

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Actions carries out what alarms ask for: notifications of topics, scaling
// policies, functions.
type Actions interface {
	// Act does one action of an alarm that entered, or is still in, a state.
	Act(Action) error
}

// An Action is what an alarm asks for.
type Action struct {
	ARN   string // of what is asked
	Alarm string // its name
	// Subject and Message are what a topic gets.
	Subject, Message string
	// Breach is by how much the metric is beyond the threshold, negative below it.
	Breach float64
}

// Events is EventBridge's default bus.
type Events interface {
	Publish(source, detailType string, resources []string, detail any)
}

// changedLocked tells of an alarm's new state: its actions for that state are
// carried out, and EventBridge gets an event. Both happen apart.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions.html
func (s *Service) changedLocked(a *alarm, before State) {
	if s.events != nil {
		detail, arn := a.event(before), alarmARN(a.name)
		s.clock.Go(func() {
			s.events.Publish("aws.cloudwatch", "CloudWatch Alarm State Change", []string{arn}, detail)
		})
	}
	for _, action := range a.actions() {
		s.actLocked(a, before, action)
	}
}

// stayedLocked carries out again what is repeated each minute while an alarm
// stays in a state: actions of Auto Scaling.
func (s *Service) stayedLocked(a *alarm) {
	for _, action := range a.actions() {
		if strings.HasPrefix(action, "arn:aws:autoscaling:") {
			s.actLocked(a, a.State, action)
		}
	}
}

// actions are those for the alarm's state, as far as they are enabled.
func (a *alarm) actions() []string {
	switch {
	case !*a.ActionsEnabled:
		return nil
	case a.StateValue == stateAlarm:
		return a.AlarmActions
	case a.StateValue == stateOK:
		return a.OKActions
	}
	return a.InsufficientDataActions
}

func (s *Service) actLocked(a *alarm, before State, action string) {
	if s.actions == nil {
		return
	}
	name, kind := a.name, a.kind()
	asked := Action{
		ARN: action, Alarm: name, Message: a.message(before),
		Subject: fmt.Sprintf("%s: %q in US East (N. Virginia)", a.StateValue, name),
	}
	if a.watch != nil {
		asked.Breach = a.value - *a.watch.Threshold
	}
	s.clock.Go(func() {
		err := s.actions.Act(asked)
		summary := fmt.Sprintf("Successfully executed action %s", action)
		if err != nil {
			summary = fmt.Sprintf("Failed to execute action %s. Received error: %q", action, err)
			s.logger.Warn("alarm action", "alarm", name, "action", action, "error", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.recordLocked(AlarmHistoryItem{
			AlarmName: name, AlarmType: kind, HistoryItemType: "Action", HistorySummary: summary,
			HistoryData: historyData(map[string]any{"actionState": map[bool]string{true: "Succeeded", false: "Failed"}[err == nil], "notificationResource": action}),
		})
	})
}

// message is the notification of a state, as topics get it.
func (a *alarm) message(before State) string {
	m := map[string]any{
		"AlarmName": a.name, "AlarmDescription": a.AlarmDescription, "AWSAccountId": account, "Region": "US East (N. Virginia)",
		"AlarmArn": alarmARN(a.name), "NewStateValue": a.StateValue, "NewStateReason": a.StateReason,
		"StateChangeTime": a.StateUpdatedTimestamp.Format("2006-01-02T15:04:05.000-0700"), "OldStateValue": before.StateValue,
		"OKActions": a.OKActions, "AlarmActions": a.AlarmActions, "InsufficientDataActions": a.InsufficientDataActions,
	}
	if a.watch != nil {
		m["Trigger"] = a.watch.trigger()
	} else {
		m["AlarmRule"] = a.ruleText
	}
	text, err := json.Marshal(m)
	if err != nil { // there is nothing in it that cannot be encoded
		return a.StateReason
	}
	return string(text)
}

func (w *Watch) trigger() map[string]any {
	dimensions := []map[string]string{}
	for _, d := range w.Dimensions {
		dimensions = append(dimensions, map[string]string{"name": d.Name, "value": d.Value})
	}
	return map[string]any{
		"MetricName": w.MetricName, "Namespace": w.Namespace, "Statistic": strings.ToUpper(w.Statistic),
		"ExtendedStatistic": w.ExtendedStatistic, "Dimensions": dimensions, "Period": w.Period,
		"EvaluationPeriods": w.EvaluationPeriods, "DatapointsToAlarm": w.needed(), "ComparisonOperator": w.ComparisonOperator,
		"Threshold": *w.Threshold, "TreatMissingData": w.TreatMissingData,
	}
}

// event is the detail of an EventBridge event.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func (a *alarm) event(before State) map[string]any {
	state := func(st State) map[string]any {
		m := map[string]any{"value": st.StateValue, "reason": st.StateReason, "timestamp": st.StateUpdatedTimestamp.Format("2006-01-02T15:04:05.000-0700")}
		if st.StateReasonData != "" {
			m["reasonData"] = st.StateReasonData
		}
		return m
	}
	configuration := map[string]any{"description": a.AlarmDescription}
	if a.watch == nil {
		configuration["alarmRule"] = a.ruleText
	} else {
		dimensions := map[string]string{}
		for _, d := range a.watch.Dimensions {
			dimensions[d.Name] = d.Value
		}
		configuration["metrics"] = []any{map[string]any{
			"id": "m1", "returnData": true,
			"metricStat": map[string]any{
				"metric": map[string]any{"namespace": a.watch.Namespace, "name": a.watch.MetricName, "dimensions": dimensions},
				"period": a.watch.Period, "stat": a.watch.Statistic + a.watch.ExtendedStatistic,
			},
		}}
	}
	return map[string]any{"alarmName": a.name, "state": state(a.State), "previousState": state(before), "configuration": configuration}
}
