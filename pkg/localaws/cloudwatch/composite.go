package cloudwatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// PutCompositeAlarmInput is the input of PutCompositeAlarm.
type PutCompositeAlarmInput struct {
	AlarmName string `aws:",required"`
	AlarmRule string `aws:",required"`
	Settings
	Tags []Tag
}

// PutCompositeAlarm makes a composite alarm or gives one another configuration,
// and evaluates it. It may be repeated. Rules that name alarms that do not exist,
// or that the alarm itself depends on, are refused.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
func (s *Service) PutCompositeAlarm(_ context.Context, in *PutCompositeAlarmInput) (*Empty, error) {
	r, err := parseRule(in.AlarmRule)
	if err != nil {
		return nil, invalid("AlarmRule of %s: %s", in.AlarmName, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, child := range children(r) {
		if s.dependsLocked(child, in.AlarmName) {
			return nil, invalid("AlarmRule of %s: %s depends on %s, so that neither could be evaluated", in.AlarmName, child, in.AlarmName)
		}
		if s.alarms[child] == nil {
			return nil, invalid("AlarmRule of %s: alarm %s does not exist", in.AlarmName, child)
		}
	}
	existed := s.alarms[in.AlarmName] != nil
	a, err := s.putLocked(in.AlarmName, in.Settings, in.Tags, "CompositeAlarm")
	if err != nil {
		return nil, err
	}
	a.rule, a.ruleText = r, in.AlarmRule
	state, change := s.composedLocked(a), "created"
	if existed {
		change = "updated"
	}
	if state != a.StateValue {
		reason := fmt.Sprintf("%s was %s and its alarm rule evaluates to %s", alarmARN(a.name), change, state)
		s.transitionLocked(a, state, reason, "")
	}
	return &Empty{}, nil
}

// dependsLocked says whether an alarm is, or depends on, another.
func (s *Service) dependsLocked(name, on string) bool {
	seen := map[string]bool{}
	var walk func(string) bool
	walk = func(name string) bool {
		if name == on {
			return true
		}
		a := s.alarms[name]
		if a == nil || a.rule == nil || seen[name] {
			return false
		}
		seen[name] = true
		return slices.ContainsFunc(children(a.rule), walk)
	}
	return walk(name)
}

// composedLocked evaluates a composite alarm. Once evaluated it is never without
// data.
func (s *Service) composedLocked(a *alarm) string {
	if a.rule.holds(func(name string) string {
		if child := s.alarms[name]; child != nil {
			return child.StateValue
		}
		return "" // in no state; deletion keeps the children of rules
	}) {
		return stateAlarm
	}
	return stateOK
}

// composeLocked evaluates the composite alarms whose rule names an alarm that
// just went to another state, and those above them in turn.
func (s *Service) composeLocked(child *alarm) {
	for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
		a := s.alarms[name]
		if a.rule == nil || !slices.Contains(children(a.rule), child.name) {
			continue
		}
		state := s.composedLocked(a)
		if state == a.StateValue {
			continue
		}
		at := child.StateTransitionedTimestamp
		reason := fmt.Sprintf("%s transitioned to %s at %s", alarmARN(child.name), child.StateValue,
			at.Format("Monday 02 January, 2006 15:04:05 MST"))
		s.transitionLocked(a, state, reason, encode(map[string]any{"triggeringAlarms": []any{map[string]any{
			"arn":   alarmARN(child.name),
			"state": map[string]any{"value": child.StateValue, "timestamp": at.Format(jsonTime)},
		}}}))
	}
}
