package events

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// A rule is a pattern and its targets.
type rule struct {
	name, description string
	enabled           bool
	text              string // of the pattern
	pattern           pattern
	targets           []EventTarget
	by                string
}

// PutRuleInput is the input of PutRule.
type PutRuleInput struct {
	Name         string `aws:",required"`
	EventPattern string `aws:",required"`
	Description  string
	State        string // ENABLED when empty, or DISABLED
	EventBusName string // default
}

// PutRuleOutput is its output.
type PutRuleOutput struct{ RuleArn string }

var rulePattern = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// PutRule makes a rule or changes one; its targets stay.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
func (s *Service) PutRule(ctx context.Context, in *PutRuleInput) (*PutRuleOutput, error) {
	if !rulePattern.MatchString(in.Name) {
		return nil, wire.Errorf("ValidationException", "Name: %q is not 1 to 64 of . - _ A-Z a-z 0-9", in.Name)
	}
	if in.State != "" && in.State != "ENABLED" && in.State != "DISABLED" {
		return nil, wire.Errorf("ValidationException", "State: is %q, neither ENABLED nor DISABLED", in.State)
	}
	if err := bus(in.EventBusName); err != nil {
		return nil, err
	}
	p, err := parsePattern([]byte(in.EventPattern))
	if err != nil {
		return nil, wire.Errorf("InvalidEventPatternException", "Event pattern is not valid. Reason: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rules[in.Name]
	if r == nil {
		r = &rule{name: in.Name, by: s.Account}
		s.rules[in.Name] = r
	}
	r.description, r.enabled = in.Description, in.State != "DISABLED"
	r.text, r.pattern = in.EventPattern, p
	return &PutRuleOutput{RuleArn: s.arn(in.Name)}, nil
}

// bus refuses event buses that do not exist: all but the default one.
func bus(name string) error {
	if name == "" || name == "default" || strings.HasSuffix(name, ":event-bus/default") {
		return nil
	}
	return wire.Errorf("ResourceNotFoundException", "Event bus %s does not exist.", name)
}

// find returns a rule; the lock is held.
func (s *Service) find(name, busName string) (*rule, error) {
	if err := bus(busName); err != nil {
		return nil, err
	}
	r, ok := s.rules[name]
	if !ok {
		return nil, wire.Errorf("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", name)
	}
	return r, nil
}

// DescribeRuleInput is the input of DescribeRule.
type DescribeRuleInput struct {
	Name         string `aws:",required"`
	EventBusName string
}

// DescribeRuleOutput is its output.
type DescribeRuleOutput struct {
	Rule
	CreatedBy string
}

// A Rule is a rule as it is listed.
type Rule struct {
	Name, Arn, EventPattern, State, Description, EventBusName string
}

// DescribeRule returns a rule.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html
func (s *Service) DescribeRule(_ context.Context, in *DescribeRuleInput) (*DescribeRuleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Name, in.EventBusName)
	if err != nil {
		return nil, err
	}
	return &DescribeRuleOutput{Rule: s.describe(r), CreatedBy: r.by}, nil
}

func (s *Service) describe(r *rule) Rule {
	state := "DISABLED"
	if r.enabled {
		state = "ENABLED"
	}
	return Rule{Name: r.name, Arn: s.arn(r.name), EventPattern: r.text, State: state, Description: r.description, EventBusName: "default"}
}

// DeleteRuleInput is the input of DeleteRule.
type DeleteRuleInput struct {
	Name         string `aws:",required"`
	EventBusName string
}

// DeleteRuleOutput is empty.
type DeleteRuleOutput struct{}

// DeleteRule removes a rule that has no targets; that there is none is fine.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteRule.html
func (s *Service) DeleteRule(_ context.Context, in *DeleteRuleInput) (*DeleteRuleOutput, error) {
	if err := bus(in.EventBusName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.rules[in.Name]; ok && len(r.targets) > 0 {
		return nil, wire.Errorf("ValidationException", "Rule can't be deleted since it has targets.")
	}
	delete(s.rules, in.Name)
	return &DeleteRuleOutput{}, nil
}

// ListRulesInput is the input of ListRules.
type ListRulesInput struct {
	NamePrefix   string
	EventBusName string
	Limit        *int
	NextToken    string
}

// ListRulesOutput is its output, in the order of names.
type ListRulesOutput struct {
	Rules     []Rule
	NextToken string
}

// ListRules lists rules.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html
func (s *Service) ListRules(_ context.Context, in *ListRulesInput) (*ListRulesOutput, error) {
	if err := bus(in.EventBusName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.rules)) {
		if strings.HasPrefix(name, in.NamePrefix) {
			names = append(names, name)
		}
	}
	names, next, err := page(names, func(name string) string { return name }, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ListRulesOutput{Rules: []Rule{}, NextToken: next}
	for _, name := range names {
		out.Rules = append(out.Rules, s.describe(s.rules[name]))
	}
	return out, nil
}

// page cuts one page out of a list; the token names the last item of the page
// before.
func page[T any](all []T, id func(T) string, limit *int, token string) ([]T, string, error) {
	size := 100
	if limit != nil {
		size = *limit
	}
	if size < 1 || size > 100 {
		return nil, "", wire.Errorf("ValidationException", "Limit: is %d, not within 1 to 100", size)
	}
	if token != "" {
		i := slices.IndexFunc(all, func(item T) bool { return id(item) == token })
		if i < 0 {
			return nil, "", wire.Errorf("ValidationException", "NextToken: %q was not given by this list", token)
		}
		all = all[i+1:]
	}
	if len(all) <= size {
		return all, "", nil
	}
	return all[:size], id(all[size-1]), nil
}
