package ssm

import (
	"context"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/automation"
)

// DescribeAutomationExecutionsInput filters automations.
type DescribeAutomationExecutionsInput struct {
	Filters    []Filter
	MaxResults *int // 1 to 50
	NextToken  string
}

// DescribeAutomationExecutionsOutput are those that match, latest first.
type DescribeAutomationExecutionsOutput struct {
	AutomationExecutionMetadataList []AutomationExecutionMetadata
	NextToken                       string
}

// AutomationExecutionMetadata is an automation without its steps.
type AutomationExecutionMetadata struct {
	AutomationExecutionId     string
	DocumentName              string
	DocumentVersion           string
	AutomationExecutionStatus string
	ExecutionStartTime        time.Time
	ExecutionEndTime          time.Time
	ExecutedBy                string
	Outputs                   map[string][]string
	Mode                      string
	CurrentStepName           string
	CurrentAction             string
	FailureMessage            string
	AutomationType            string
}

// DescribeAutomationExecutions answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeAutomationExecutions.html
func (s *Service) DescribeAutomationExecutions(_ context.Context, in *DescribeAutomationExecutionsInput) (*DescribeAutomationExecutionsOutput, error) {
	err := validateFilters(in.Filters, "DocumentNamePrefix", "ExecutionStatus", "ExecutionId", "CurrentAction", "StartTimeBefore", "StartTimeAfter", "AutomationType", "TagKey")
	if err != nil {
		return nil, err
	}
	all := []AutomationExecutionMetadata{}
	for _, listed := range s.latestFirst() {
		e, ok := s.Automations.Execution(listed.id)
		if !ok || slices.ContainsFunc(in.Filters, func(f Filter) bool { return !executionMeets(e, listed.tags, f) }) {
			continue
		}
		all = append(all, AutomationExecutionMetadata{
			AutomationExecutionId: e.ID, DocumentName: e.DocumentName, DocumentVersion: e.DocumentVersion, AutomationExecutionStatus: e.Status,
			ExecutionStartTime: e.StartTime, ExecutionEndTime: e.EndTime, ExecutedBy: e.ExecutedBy, Outputs: e.Outputs, Mode: e.Mode,
			CurrentStepName: e.CurrentStep, CurrentAction: e.CurrentAction, FailureMessage: e.FailureMessage, AutomationType: "Local",
		})
	}
	items, next, err := page(all, in.MaxResults, 50, in.NextToken)
	return &DescribeAutomationExecutionsOutput{items, next}, err
}

// A listing is an automation with the keys of its tags.
type listing struct {
	id   string
	tags []string
}

func (s *Service) latestFirst() []listing {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []listing
	for _, e := range slices.Backward(s.order) {
		l := listing{id: e.id}
		for _, t := range s.tagsLocked(taggable{"Automation", e.id}) {
			l.tags = append(l.tags, t.Key)
		}
		all = append(all, l)
	}
	return all
}

func executionMeets(e automation.Execution, tags []string, f Filter) bool {
	value := map[string]string{
		"ExecutionStatus": e.Status, "ExecutionId": e.ID, "CurrentAction": e.CurrentAction, "AutomationType": "Local",
	}
	if of, ok := value[f.Key]; ok {
		return slices.Contains(f.Values, of)
	}
	switch f.Key {
	case "DocumentNamePrefix":
		return slices.ContainsFunc(f.Values, func(prefix string) bool { return strings.HasPrefix(e.DocumentName, prefix) })
	case "TagKey":
		return slices.ContainsFunc(f.Values, func(key string) bool { return slices.Contains(tags, key) })
	}
	return startedMatches(f, e.StartTime)
}
