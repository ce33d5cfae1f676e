package ssm

import (
	"context"
	"slices"
	"time"

	"cutover/pkg/localaws/automation"
)

// stepsShown is how many steps GetAutomationExecution lists; AWS says only that
// it may cut them. https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AutomationExecution.html
const stepsShown = 20

// GetAutomationExecutionInput names an automation.
type GetAutomationExecutionInput struct {
	AutomationExecutionId string `aws:",required"`
}

// GetAutomationExecutionOutput is how it goes.
type GetAutomationExecutionOutput struct{ AutomationExecution *AutomationExecution }

// AutomationExecution is an automation as GetAutomationExecution shows it.
type AutomationExecution struct {
	AutomationExecutionId     string
	DocumentName              string
	DocumentVersion           string
	ExecutionStartTime        time.Time
	ExecutionEndTime          time.Time
	AutomationExecutionStatus string
	StepExecutions            []StepExecution
	StepExecutionsTruncated   bool
	Parameters                map[string][]string
	Outputs                   map[string][]string
	FailureMessage            string
	Mode                      string
	ExecutedBy                string
	CurrentStepName           string
	CurrentAction             string
}

// StepExecution is a step of an automation.
type StepExecution struct {
	StepName           string
	Action             string
	TimeoutSeconds     *int
	OnFailure          string
	MaxAttempts        *int
	ExecutionStartTime time.Time
	ExecutionEndTime   time.Time
	StepStatus         string
	Inputs             map[string]string
	Outputs            map[string][]string
	FailureMessage     string
	FailureDetails     *FailureDetails
	StepExecutionId    string
	IsEnd              *bool
	NextStep           string
	IsCritical         *bool
	ValidNextSteps     []string
}

// FailureDetails says where and how a step failed.
type FailureDetails struct {
	FailureStage string // InputValidation, PreVerification, Invocation, PostVerification
	FailureType  string // Action, Permission, Throttling, Verification, Internal
	Details      map[string][]string
}

// GetAutomationExecution answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetAutomationExecution.html
func (s *Service) GetAutomationExecution(_ context.Context, in *GetAutomationExecutionInput) (*GetAutomationExecutionOutput, error) {
	e, err := s.execution(in.AutomationExecutionId)
	if err != nil {
		return nil, err
	}
	out := &AutomationExecution{
		AutomationExecutionId: e.ID, DocumentName: e.DocumentName, DocumentVersion: e.DocumentVersion,
		ExecutionStartTime: e.StartTime, ExecutionEndTime: e.EndTime, AutomationExecutionStatus: e.Status, StepExecutions: []StepExecution{},
		Parameters: e.Parameters, Outputs: e.Outputs, FailureMessage: e.FailureMessage, Mode: e.Mode, ExecutedBy: e.ExecutedBy,
		CurrentStepName: e.CurrentStep, CurrentAction: e.CurrentAction,
	}
	for _, step := range e.Steps[:min(len(e.Steps), stepsShown)] {
		out.StepExecutions = append(out.StepExecutions, stepOf(step))
	}
	out.StepExecutionsTruncated = len(e.Steps) > stepsShown
	return &GetAutomationExecutionOutput{out}, nil
}

// execution is how an automation goes.
func (s *Service) execution(id string) (automation.Execution, error) {
	s.mu.Lock()
	known := s.executions[id] != nil
	s.mu.Unlock()
	if known {
		if e, ok := s.Automations.Execution(id); ok {
			return e, nil
		}
	}
	return automation.Execution{}, refuse("AutomationExecutionNotFoundException", "Couldn't find Automation execution with id %s", id)
}

func stepOf(step automation.StepExecution) StepExecution {
	out := StepExecution{
		StepName: step.Name, Action: step.Action, OnFailure: step.OnFailure, ExecutionStartTime: step.StartTime, ExecutionEndTime: step.EndTime,
		StepStatus: step.Status, Inputs: step.Inputs, Outputs: step.Outputs,
		FailureMessage: step.FailureMessage, StepExecutionId: step.ID, IsEnd: &step.IsEnd, NextStep: step.NextStep, IsCritical: &step.IsCritical,
		MaxAttempts: &step.MaxAttempts, ValidNextSteps: step.ValidNextSteps,
	}
	if step.Timeout > 0 {
		seconds := int(step.Timeout / time.Second)
		out.TimeoutSeconds = &seconds
	}
	if d := step.FailureDetails; d != nil {
		out.FailureDetails = &FailureDetails{FailureStage: d.FailureStage, FailureType: d.FailureType, Details: map[string][]string{}}
	}
	return out
}

// Filter is one condition, met by any of its values; all filters must be met.
type Filter struct {
	Key    string   `aws:",required"`
	Values []string `aws:",required"`
}

// validateFilters holds filters against the keys that an operation knows.
func validateFilters(filters []Filter, keys ...string) error {
	for _, f := range filters {
		if !slices.Contains(keys, f.Key) {
			return refuse("InvalidFilterKey", "The specified key isn't valid: %s. The embedded AWS knows %v.", f.Key, keys)
		}
		if n := len(f.Values); n < 1 || n > 10 {
			return refuse("InvalidFilterValue", "The filter value isn't valid. Key %s has %d values, not 1 to 10.", f.Key, n)
		}
		if f.Key == "StartTimeBefore" || f.Key == "StartTimeAfter" {
			if _, err := time.Parse(time.RFC3339, f.Values[0]); err != nil {
				return refuse("InvalidFilterValue", "The filter value isn't valid. %s %q is not a time such as 2026-01-02T15:04:05Z.", f.Key, f.Values[0])
			}
		}
	}
	if len(filters) > 10 {
		return invalid("Filters: has %d members, more than 10", len(filters))
	}
	return nil
}

// startedMatches compares a start with the time of a valid filter.
func startedMatches(f Filter, started time.Time) bool {
	limit, err := time.Parse(time.RFC3339, f.Values[0])
	if err != nil {
		return false
	}
	if f.Key == "StartTimeBefore" {
		return !started.After(limit)
	}
	return !started.Before(limit)
}

// DescribeAutomationStepExecutionsInput names an automation, and filters its
// steps.
type DescribeAutomationStepExecutionsInput struct {
	AutomationExecutionId string `aws:",required"`
	Filters               []Filter
	MaxResults            *int // 1 to 50
	NextToken             string
	ReverseOrder          bool
}

// DescribeAutomationStepExecutionsOutput are the steps that match.
type DescribeAutomationStepExecutionsOutput struct {
	StepExecutions []StepExecution
	NextToken      string
}

// DescribeAutomationStepExecutions answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeAutomationStepExecutions.html
func (s *Service) DescribeAutomationStepExecutions(_ context.Context, in *DescribeAutomationStepExecutionsInput) (*DescribeAutomationStepExecutionsOutput, error) {
	if err := validateFilters(in.Filters, "StartTimeBefore", "StartTimeAfter", "StepExecutionStatus", "StepExecutionId", "StepName", "Action"); err != nil {
		return nil, err
	}
	e, err := s.execution(in.AutomationExecutionId)
	if err != nil {
		return nil, err
	}
	all := []StepExecution{}
	for _, step := range e.Steps {
		if !slices.ContainsFunc(in.Filters, func(f Filter) bool { return !stepMeets(step, f) }) {
			all = append(all, stepOf(step))
		}
	}
	if in.ReverseOrder {
		slices.Reverse(all)
	}
	items, next, err := page(all, in.MaxResults, 50, in.NextToken)
	return &DescribeAutomationStepExecutionsOutput{items, next}, err
}

func stepMeets(step automation.StepExecution, f Filter) bool {
	value := map[string]string{
		"StepExecutionStatus": step.Status, "StepExecutionId": step.ID, "StepName": step.Name, "Action": step.Action,
	}
	if of, ok := value[f.Key]; ok {
		return slices.Contains(f.Values, of)
	}
	return startedMatches(f, step.StartTime)
}
