package elbv2

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// Rule is a rule as it is described.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Rule.html
type Rule struct {
	RuleArn    string
	Priority   string // 1 to 50000, or default
	Conditions []Condition
	Actions    []Action
	IsDefault  bool
}

const defaultPriority = "default"

// priority puts the default rule last.
func (r *Rule) priority() int {
	n, err := strconv.Atoi(r.Priority)
	if err != nil {
		return 50001
	}
	return n
}

func (l *listener) sort() {
	slices.SortStableFunc(l.rules, func(a, b *Rule) int { return a.priority() - b.priority() })
}

// CreateRuleInput is a rule to be.
type CreateRuleInput struct {
	ListenerArn string      `aws:",required"`
	Priority    *int        `aws:",required"`
	Conditions  []Condition `aws:",required"`
	Actions     []Action    `aws:",required"`
	Tags        []Tag
}

// RulesOutput lists rules.
type RulesOutput struct{ Rules []Rule }

// CreateRule answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html
func (s *Service) CreateRule(_ context.Context, in *CreateRuleInput) (*RulesOutput, error) {
	actions, err := normaliseActions(in.Actions)
	if err != nil {
		return nil, err
	}
	conditions, err := normaliseConditions(in.Conditions)
	if err != nil {
		return nil, err
	}
	if err := validPriority(*in.Priority); err != nil {
		return nil, err
	}
	s.mu.Lock()
	r, err := s.newRuleLocked(in, conditions, actions)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return &RulesOutput{Rules: []Rule{r}}, s.apply()
}

func validPriority(n int) error {
	if n < 1 || n > 50000 {
		return validation("Priority '%d' must be between 1 and 50000", n)
	}
	return nil
}

func (s *Service) newRuleLocked(in *CreateRuleInput, conditions []Condition, actions []Action) (Rule, error) {
	l, err := s.listenerLocked(in.ListenerArn)
	if err != nil {
		return Rule{}, err
	}
	priority := strconv.Itoa(*in.Priority)
	total := 0
	for _, other := range s.listeners {
		if other.balancer == l.balancer {
			total += len(other.rules) - 1
		}
	}
	switch {
	case slices.ContainsFunc(l.rules, func(r *Rule) bool { return r.Priority == priority }):
		return Rule{}, refuse("PriorityInUse", "Priority '%s' is currently in use", priority)
	case total >= 100:
		return Rule{}, refuse("TooManyRules", "The maximum number of rules on load balancer '%s' has been reached", l.balancer.LoadBalancerArn)
	}
	if err := s.forwardableLocked(l.balancer, actions); err != nil {
		return Rule{}, err
	}
	stem := strings.Replace(l.arn, ":listener/", ":listener-rule/", 1)
	r := &Rule{RuleArn: stem + "/" + s.newIDLocked("rule"), Priority: priority, Conditions: conditions, Actions: actions}
	tags, err := s.mergedTagsLocked(r.RuleArn, in.Tags)
	if err != nil {
		return Rule{}, err
	}
	s.tags[r.RuleArn] = tags
	l.rules = append(l.rules, r)
	l.sort()
	return *r, nil
}

func (s *Service) ruleLocked(arn string) (*listener, *Rule, error) {
	for _, l := range s.listeners {
		for _, r := range l.rules {
			if r.RuleArn == arn {
				return l, r, nil
			}
		}
	}
	return nil, nil, refuse("RuleNotFound", "One or more rules not found")
}

// DescribeRulesInput names a listener, or rules.
type DescribeRulesInput struct {
	ListenerArn string
	RuleArns    []string
	Page
}

// DescribeRules answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeRules.html
func (s *Service) DescribeRules(_ context.Context, in *DescribeRulesInput) (*RulesOutput, error) {
	if err := in.Page.validate(); err != nil {
		return nil, err
	}
	if (in.ListenerArn == "") == (len(in.RuleArns) == 0) {
		return nil, validation("You must specify either listener rule ARNs or a listener ARN")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &RulesOutput{Rules: []Rule{}}
	if in.ListenerArn != "" {
		l, err := s.listenerLocked(in.ListenerArn)
		if err != nil {
			return nil, err
		}
		for _, r := range l.rules {
			out.Rules = append(out.Rules, *r)
		}
	}
	for _, arn := range in.RuleArns {
		_, r, err := s.ruleLocked(arn)
		if err != nil {
			return nil, err
		}
		out.Rules = append(out.Rules, *r)
	}
	return out, nil
}

// ModifyRuleInput says what to change of a rule.
type ModifyRuleInput struct {
	RuleArn    string `aws:",required"`
	Conditions []Condition
	Actions    []Action
}

// ModifyRule answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyRule.html
// What is left out stays. The default rule is changed with ModifyListener.
func (s *Service) ModifyRule(_ context.Context, in *ModifyRuleInput) (*RulesOutput, error) {
	var conditions []Condition
	var actions []Action
	var err error
	if in.Conditions != nil {
		if conditions, err = normaliseConditions(in.Conditions); err != nil {
			return nil, err
		}
	}
	if in.Actions != nil {
		if actions, err = normaliseActions(in.Actions); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	l, r, err := s.ruleLocked(in.RuleArn)
	if err == nil && r.IsDefault {
		err = refuse("OperationNotPermitted", "Default rule '%s' cannot be modified", in.RuleArn)
	}
	if err == nil {
		err = s.forwardableLocked(l.balancer, actions)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	if conditions != nil {
		r.Conditions = conditions
	}
	if actions != nil {
		r.Actions = actions
	}
	out := &RulesOutput{Rules: []Rule{*r}}
	s.mu.Unlock()
	return out, s.apply()
}

// RuleInput names a rule.
type RuleInput struct {
	RuleArn string `aws:",required"`
}

// DeleteRule answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteRule.html
func (s *Service) DeleteRule(_ context.Context, in *RuleInput) (*Empty, error) {
	s.mu.Lock()
	l, r, err := s.ruleLocked(in.RuleArn)
	if err == nil && r.IsDefault {
		err = refuse("OperationNotPermitted", "Default rule '%s' cannot be deleted", in.RuleArn)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	l.rules = slices.DeleteFunc(l.rules, func(other *Rule) bool { return other == r })
	delete(s.tags, in.RuleArn)
	s.mu.Unlock()
	return &Empty{}, s.apply()
}

// RulePriority is a rule and the priority it is to have.
type RulePriority struct {
	RuleArn  string `aws:",required"`
	Priority *int   `aws:",required"`
}

// SetRulePrioritiesInput gives rules of one listener other priorities.
type SetRulePrioritiesInput struct {
	RulePriorities []RulePriority `aws:",required"`
}

// SetRulePriorities answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetRulePriorities.html
// Rules may swap theirs: only the outcome must be free of conflicts.
func (s *Service) SetRulePriorities(_ context.Context, in *SetRulePrioritiesInput) (*RulesOutput, error) {
	s.mu.Lock()
	out, err := s.prioritiesLocked(in.RulePriorities)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return out, s.apply()
}

func (s *Service) prioritiesLocked(wanted []RulePriority) (*RulesOutput, error) {
	change := map[*Rule]string{}
	var of *listener
	for _, p := range wanted {
		l, r, err := s.ruleLocked(p.RuleArn)
		switch {
		case err != nil:
			return nil, err
		case r.IsDefault:
			return nil, refuse("OperationNotPermitted", "The priority of default rule '%s' cannot be modified", r.RuleArn)
		case of != nil && of != l:
			return nil, validation("The rules must be of one listener")
		}
		if err := validPriority(*p.Priority); err != nil {
			return nil, err
		}
		of, change[r] = l, strconv.Itoa(*p.Priority)
	}
	if of == nil {
		return nil, validation("You must specify rule priorities")
	}
	taken := map[string]bool{}
	for _, r := range of.rules {
		priority := r.Priority
		if to, ok := change[r]; ok {
			priority = to
		}
		if taken[priority] {
			return nil, refuse("PriorityInUse", "Priority '%s' is currently in use", priority)
		}
		taken[priority] = true
	}
	out := &RulesOutput{}
	for r, priority := range change {
		r.Priority = priority
	}
	of.sort()
	for _, p := range wanted {
		_, r, err := s.ruleLocked(p.RuleArn)
		if err != nil {
			return nil, err
		}
		out.Rules = append(out.Rules, *r)
	}
	return out, nil
}
