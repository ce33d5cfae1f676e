package events

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// maxTargets is how many targets a rule may have.
const maxTargets = 5

// An EventTarget is where a rule's events go.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
type EventTarget struct {
	Id      string `aws:",required"`
	Arn     string `aws:",required"`
	RoleArn string // required of pipelines
	Input   string // JSON that is delivered instead of the event
}

// PutTargetsInput is the input of PutTargets.
type PutTargetsInput struct {
	Rule         string        `aws:",required"`
	Targets      []EventTarget `aws:",required"`
	EventBusName string
}

// PutTargetsOutput is its output; a target that cannot be is refused as a whole.
type PutTargetsOutput struct {
	FailedEntryCount int
	FailedEntries    []struct{}
}

func passRoles(in *PutTargetsInput) []wire.Access {
	var all []wire.Access
	for _, t := range in.Targets {
		if t.RoleArn != "" {
			all = append(all, wire.Access{
				Action: "iam:PassRole", Resource: t.RoleArn,
				Context: map[string]string{"iam:PassedToService": "events.amazonaws.com"},
			})
		}
	}
	return all
}

// PutTargets adds targets to a rule, or changes those with the same id.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
func (s *Service) PutTargets(_ context.Context, in *PutTargetsInput) (*PutTargetsOutput, error) {
	if err := s.validate(in.Targets); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Rule, in.EventBusName)
	if err != nil {
		return nil, err
	}
	targets := without(r.targets, func(old EventTarget) bool {
		return slices.ContainsFunc(in.Targets, func(t EventTarget) bool { return t.Id == old.Id })
	})
	targets = append(targets, in.Targets...)
	if len(targets) > maxTargets {
		return nil, wire.Errorf("LimitExceededException", "The rule %s would have %d targets; %d are allowed.", in.Rule, len(targets), maxTargets)
	}
	r.targets = targets
	return &PutTargetsOutput{FailedEntries: []struct{}{}}, nil
}

func without(targets []EventTarget, drop func(EventTarget) bool) []EventTarget {
	return slices.DeleteFunc(slices.Clone(targets), drop)
}

// serviceOf is the service of an ARN, or "".
func serviceOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return ""
	}
	return parts[2]
}

var targetPattern = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

func (s *Service) validate(targets []EventTarget) error {
	var faults []string
	ids := map[string]bool{}
	for _, t := range targets {
		add := func(format string, args ...any) {
			faults = append(faults, fmt.Sprintf("target %s: ", t.Id)+fmt.Sprintf(format, args...))
		}
		if !targetPattern.MatchString(t.Id) || ids[t.Id] {
			add("the id is not 1 to 64 of . - _ A-Z a-z 0-9, or used twice")
		}
		ids[t.Id] = true
		service := serviceOf(t.Arn)
		switch {
		case service == "codepipeline" && s.Pipelines != nil:
			if t.RoleArn == "" {
				add("RoleArn is required for target %s", t.Arn)
			}
			if t.Input != "" {
				add("Input for a pipeline is unknown to the embedded AWS")
			}
		case s.Targets[service] == nil:
			add("the embedded AWS delivers no events to %s", t.Arn)
		}
		if t.Input != "" {
			if _, err := decode([]byte(t.Input)); err != nil {
				add("Input: %v", err)
			}
		}
	}
	if len(faults) > 0 {
		return wire.Service{}.InvalidInput(faults)
	}
	return nil
}

// RemoveTargetsInput is the input of RemoveTargets.
type RemoveTargetsInput struct {
	Rule         string   `aws:",required"`
	Ids          []string `aws:",required"`
	EventBusName string
}

// RemoveTargetsOutput is its output.
type RemoveTargetsOutput struct {
	FailedEntryCount int
	FailedEntries    []struct{}
}

// RemoveTargets takes targets from a rule; those it does not have are fine.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RemoveTargets.html
func (s *Service) RemoveTargets(_ context.Context, in *RemoveTargetsInput) (*RemoveTargetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Rule, in.EventBusName)
	if err != nil {
		return nil, err
	}
	r.targets = without(r.targets, func(t EventTarget) bool { return slices.Contains(in.Ids, t.Id) })
	return &RemoveTargetsOutput{FailedEntries: []struct{}{}}, nil
}

// ListTargetsByRuleInput is the input of ListTargetsByRule.
type ListTargetsByRuleInput struct {
	Rule         string `aws:",required"`
	EventBusName string
	Limit        *int
	NextToken    string
}

// ListTargetsByRuleOutput is its output.
type ListTargetsByRuleOutput struct {
	Targets   []EventTarget
	NextToken string
}

// ListTargetsByRule lists a rule's targets.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListTargetsByRule.html
func (s *Service) ListTargetsByRule(_ context.Context, in *ListTargetsByRuleInput) (*ListTargetsByRuleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Rule, in.EventBusName)
	if err != nil {
		return nil, err
	}
	targets, next, err := page(slices.Clone(r.targets), func(t EventTarget) string { return t.Id }, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &ListTargetsByRuleOutput{Targets: targets, NextToken: next}, nil
}
