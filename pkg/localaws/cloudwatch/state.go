package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"cutover/pkg/localaws/wire"
)

// enterLocked gives an alarm a state and says whether it is another one; the
// caller settles the composite alarms above it.
func (s *Service) enterLocked(a *alarm, state, reason, data string) bool {
	now := s.clock.Now()
	before := a.State
	a.StateValue, a.StateReason, a.StateReasonData, a.StateUpdatedTimestamp = state, reason, data, now
	if before.StateValue == state {
		return false
	}
	a.StateTransitionedTimestamp = now
	s.logger.Info("alarm changed state", "alarm", a.name, "from", before.StateValue, "to", state, "reason", reason)
	s.recordLocked(AlarmHistoryItem{
		AlarmName: a.name, AlarmType: a.kind(), HistoryItemType: "StateUpdate",
		HistorySummary: fmt.Sprintf("Alarm updated from %s to %s", before.StateValue, state),
		HistoryData:    historyData(map[string]any{"oldState": before.json(), "newState": a.State.json()}),
	})
	s.changedLocked(a, before)
	return true
}

func (st State) json() map[string]any {
	m := map[string]any{"stateValue": st.StateValue, "stateReason": st.StateReason}
	if st.StateReasonData != "" {
		m["stateReasonData"] = json.RawMessage(st.StateReasonData)
	}
	return m
}

// InAlarm names the first of some alarms that is in state ALARM.
func (s *Service) InAlarm(names []string) (name string, in bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if a := s.alarms[name]; a != nil && a.StateValue == stateAlarm {
			return name, true
		}
	}
	return "", false
}

// SetAlarmStateInput is the input of SetAlarmState.
type SetAlarmStateInput struct {
	AlarmName       string `aws:",required"`
	StateValue      string `aws:",required"`
	StateReason     string `aws:",required"`
	StateReasonData string // JSON
}

// SetAlarmState gives an alarm a state until its next evaluation: the next full
// minute for a metric alarm, the next change of an alarm in its rule for a
// composite one.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html
func (s *Service) SetAlarmState(_ context.Context, in *SetAlarmStateInput) (*Empty, error) {
	if !slices.Contains([]string{stateOK, stateAlarm, stateInsufficient}, in.StateValue) {
		return nil, invalid("The value %s for parameter StateValue is invalid.", in.StateValue)
	}
	if in.StateReasonData != "" && !json.Valid([]byte(in.StateReasonData)) {
		return nil, wire.Errorf("InvalidFormat", "StateReasonData is not valid JSON.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.alarms[in.AlarmName]
	if a == nil {
		return nil, notFound(in.AlarmName)
	}
	if s.enterLocked(a, in.StateValue, in.StateReason, in.StateReasonData) {
		s.settleLocked(map[string]bool{a.name: true})
	}
	return &Empty{}, nil
}

// AlarmNamesInput is the input of operations on up to 100 alarms.
type AlarmNamesInput struct {
	AlarmNames []string `aws:",required"`
}

func (in *AlarmNamesInput) validate() error {
	if n := len(in.AlarmNames); n == 0 || n > 100 {
		return invalid("The collection AlarmNames must have between 1 and 100 items; it has %d.", n)
	}
	return nil
}

// DeleteAlarms deletes alarms, all or none. An alarm that the rule of another
// names is not deleted without that one, and at most one composite alarm is
// deleted at a time.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
func (s *Service) DeleteAlarms(_ context.Context, in *AlarmNamesInput) (*Empty, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	composites := map[string]bool{}
	for _, name := range in.AlarmNames {
		a := s.alarms[name]
		if a == nil {
			return nil, notFound(name)
		}
		if a.rule != nil {
			composites[name] = true
		}
		for _, parent := range s.alarms {
			if parent.rule != nil && slices.Contains(children(parent.rule), name) && !slices.Contains(in.AlarmNames, parent.name) {
				return nil, invalid("Cannot delete %s as there are composite alarm(s) depending on it.", name)
			}
		}
	}
	if len(composites) > 1 {
		return nil, invalid("Only one composite alarm can be deleted per request.")
	}
	for _, name := range in.AlarmNames {
		if a := s.alarms[name]; a != nil { // not named twice
			s.deleteLocked(a)
		}
	}
	return &Empty{}, nil
}

func (s *Service) deleteLocked(a *alarm) {
	delete(s.alarms, a.name)
	s.recordLocked(AlarmHistoryItem{
		AlarmName: a.name, AlarmType: a.kind(), HistoryItemType: "ConfigurationUpdate",
		HistorySummary: fmt.Sprintf("Alarm %q deleted", a.name),
		HistoryData:    historyData(map[string]any{"type": "Delete"}),
	})
}

// EnableAlarmActions marks the actions of alarms as enabled; alarms that do not
// exist are passed over.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_EnableAlarmActions.html
func (s *Service) EnableAlarmActions(_ context.Context, in *AlarmNamesInput) (*Empty, error) {
	return s.setActions(in, true)
}

// DisableAlarmActions marks the actions of alarms as disabled; alarms that do not
// exist are passed over.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DisableAlarmActions.html
func (s *Service) DisableAlarmActions(_ context.Context, in *AlarmNamesInput) (*Empty, error) {
	return s.setActions(in, false)
}

func (s *Service) setActions(in *AlarmNamesInput, enabled bool) (*Empty, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range in.AlarmNames {
		a := s.alarms[name]
		if a == nil || *a.ActionsEnabled == enabled {
			continue
		}
		a.ActionsEnabled = &enabled
		a.configured = s.clock.Now()
		s.recordLocked(AlarmHistoryItem{
			AlarmName: name, AlarmType: a.kind(), HistoryItemType: "ConfigurationUpdate",
			HistorySummary: fmt.Sprintf("Alarm %q updated", name),
			HistoryData:    historyData(map[string]any{"type": "Update"}),
		})
	}
	return &Empty{}, nil
}
