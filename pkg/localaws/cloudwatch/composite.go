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
		s.enterLocked(a, state, reason, "")
		s.settleLocked(map[string]bool{a.name: true})
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

// settleLocked evaluates the composite alarms whose rule names one of the alarms
// that just went to another state, and those above them in turn: children first
// and each once, so that none shows a state that lasts for no time.
func (s *Service) settleLocked(changed map[string]bool) {
	done := map[string]bool{}
	var settle func(name string)
	settle = func(name string) {
		a := s.alarms[name]
		if a == nil || a.rule == nil || done[name] {
			return
		}
		done[name] = true
		cause := ""
		for _, child := range children(a.rule) {
			if settle(child); changed[child] {
				cause = child
			}
		}
		if cause != "" && s.followLocked(a, s.alarms[cause]) {
			changed[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
		settle(name)
	}
}

// followLocked evaluates a composite alarm after a change of one in its rule, and
// says whether it changed too.
func (s *Service) followLocked(a, child *alarm) bool {
	at := child.StateTransitionedTimestamp
	state := s.composedLocked(a)
	return state != a.StateValue && s.enterLocked(a, state,
		fmt.Sprintf("%s transitioned to %s at %s", alarmARN(child.name), child.StateValue, at.Format("Monday 02 January, 2006 15:04:05 MST")),
		encode(map[string]any{"triggeringAlarms": []any{map[string]any{
			"arn":   alarmARN(child.name),
			"state": map[string]any{"value": child.StateValue, "timestamp": at.Format(jsonTime)},
		}}}))
}
