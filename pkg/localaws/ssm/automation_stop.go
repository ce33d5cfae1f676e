package ssm

import (
	"context"
	"slices"
	"strconv"
	"time"

	"cutover/pkg/localaws/automation"
	"cutover/pkg/localaws/wire"
)

// StopAutomationExecutionInput ends an automation early.
type StopAutomationExecutionInput struct {
	AutomationExecutionId string `aws:",required"`
	Type                  string // Cancel unless given, or Complete
}

// StopAutomationExecution answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StopAutomationExecution.html
func (s *Service) StopAutomationExecution(_ context.Context, in *StopAutomationExecutionInput) (*Empty, error) {
	kind := in.Type
	if kind == "" {
		kind = "Cancel"
	}
	if kind != "Cancel" && kind != "Complete" {
		return nil, invalid("Type: %q is neither Cancel nor Complete", kind)
	}
	e, err := s.execution(in.AutomationExecutionId)
	if err != nil {
		return nil, err
	}
	if e.Over() {
		return nil, refuse("InvalidAutomationStatusUpdateException", "Automation execution %s is in status %s and can't be stopped.", e.ID, e.Status)
	}
	if err := s.Automations.Stop(e.ID, kind); err != nil {
		return nil, refuse("InvalidAutomationStatusUpdateException", "%v", err)
	}
	return &Empty{}, nil
}

// SendAutomationSignalInput tells a waiting automation how to go on.
type SendAutomationSignalInput struct {
	AutomationExecutionId string `aws:",required"`
	SignalType            string `aws:",required"`
	Payload               map[string][]string
}

// SendAutomationSignal answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendAutomationSignal.html
func (s *Service) SendAutomationSignal(ctx context.Context, in *SendAutomationSignalInput) (*Empty, error) {
	if !slices.Contains([]string{"Approve", "Reject", "StartStep", "StopStep", "Resume", "Revoke"}, in.SignalType) {
		return nil, invalid("SignalType: %q is not one of Approve, Reject, StartStep, StopStep, Resume, Revoke", in.SignalType)
	}
	e, err := s.execution(in.AutomationExecutionId)
	if err != nil {
		return nil, err
	}
	if err := s.Automations.SignalBy(wire.Caller(ctx), e.ID, in.SignalType, in.Payload); err != nil {
		return nil, refuse("InvalidAutomationSignalException", "%v", err)
	}
	return &Empty{}, nil
}

// AutomationChanged tells the event bus of an automation's new status; a change
// that leaves the status is not told.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html
func (s *Service) AutomationChanged(e automation.Execution) {
	if !s.news(e.ID, e.Status) {
		return
	}
	const layout = "Jan 2, 2006 3:04:05 PM"
	version, err := strconv.ParseFloat(e.DocumentVersion, 64)
	if err != nil {
		s.Logger.Error("publish automation status", "execution", e.ID, "error", err)
		return
	}
	detail := map[string]any{
		"ExecutionId": e.ID, "Definition": e.DocumentName, "DefinitionVersion": version, "Status": e.Status,
		"StartTime": e.StartTime.Format(layout), "ExecutedBy": e.ExecutedBy,
	}
	if !e.EndTime.IsZero() {
		detail["EndTime"] = e.EndTime.Format(layout)
		detail["Time"] = float64(e.EndTime.Sub(e.StartTime) / time.Millisecond)
	}
	s.publish("EC2 Automation Execution Status-change Notification", []string{
		s.arn("automation-execution/" + e.ID), s.arn("automation-definition/" + e.DocumentName + ":" + e.DocumentVersion),
	}, detail)
}

// news notes an automation's status and says whether it is a new one.
func (s *Service) news(id, status string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.executions[id]
	if e == nil || e.told == status {
		return false
	}
	e.told = status
	return true
}
