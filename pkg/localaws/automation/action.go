package automation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// pollInterval is how often a step looks again at what it waits for.
const pollInterval = 10 * time.Second

// An action is what the steps of one kind do.
type action struct {
	inputs   map[string]input
	open     bool          // further inputs are those of an API
	outputs  []string      // that every such step has
	declares bool          // a step may declare outputs of its own
	timeout  time.Duration // of a step that does not say; zero means none
	check    func(path string, s *Step, f *faults)
	begin    phase
	move     move
}

// actions are all that there are, by name.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-actions.html
func actions() map[string]*action {
	return map[string]*action{
		"aws:approve":                    approve(),
		"aws:assertAwsResourceProperty":  assertProperty(),
		"aws:branch":                     branch(),
		"aws:changeInstanceState":        changeInstanceState(),
		"aws:copyImage":                  copyImage(),
		"aws:createImage":                createImage(),
		"aws:createTags":                 createTags(),
		"aws:deleteImage":                deleteImage(),
		"aws:executeAwsApi":              executeAPI(),
		"aws:pause":                      {begin: executing, move: pause},
		"aws:runCommand":                 runCommand(),
		"aws:runInstances":               runInstances(),
		"aws:sleep":                      sleep(),
		"aws:waitForAwsResourceProperty": waitForProperty(),
	}
}

// A kind is the type of an action's input.
type kind int

const (
	text  kind = iota // a string; a list of one will do
	names             // a list of strings; a comma-separated string will do
	count             // a whole number
	flag              // true or false
	tree              // a map or list as the API takes it
)

// An input is what an action takes under one name.
type input struct {
	kind     kind
	required bool
}

// A phase is what a step is at, in AWS's words, for the message of a failure.
type phase struct{ doing, stage string }

var (
	resolving        = phase{"validating and resolving the step inputs", "InputValidation"}
	executing        = phase{"Execute/Cancelling action", "Invocation"}
	polling          = phase{"Poll action status for completion", "PostVerification"}
	launching        = phase{"launching the instance(s)", "Invocation"}
	verifyingLaunch  = phase{"verifying launched instance(s) are ready to be used", "PostVerification"}
	verifyingAgent   = phase{"verifying the SSM Agent availability on the target instance(s)", "PreVerification"}
	verifyingCommand = phase{"verifying the command has completed", "PostVerification"}
)

const guide = "Please refer to Automation Service Troubleshooting Guide for more diagnosis details."

// A move is one bounded part of a step: it makes calls and says what is next. It
// runs without any lock, one at a time for a step.
type move func(ctx context.Context, t *task) (next, error)

// next says how a step goes on: with a move after a while, waiting for a signal,
// or not at all.
type next struct {
	after   time.Duration
	phase   phase
	move    move
	hint    string // what is not there yet, for the message of a timeout
	waiting bool
	outputs map[string]any // of a step that is done
	jump    string         // the step that a branch leads to
}

// later goes on with a move.
func later(after time.Duration, p phase, m move) next { return next{after: after, phase: p, move: m} }

// done ends a step that succeeded.
func done(outputs map[string]any) next { return next{outputs: outputs} }

// A task is one attempt at a step, as its moves see it.
type task struct {
	step  *Step
	in    map[string]any // inputs, resolved and of their kinds
	scope scope          // what variables meant when the step began
	token string         // names this attempt: "execution/step/attempt"
	now   func() time.Time
	aws   caller
	polls int // that did not find yet what was just made
}

// A failure is why a step failed, when it is more than an API's refusal.
type failure struct {
	kind    string // FailureType
	message string
	outputs map[string]any
}

// Error implements error.
func (f *failure) Error() string { return f.message }

// unfit is a failure of the step's own work.
func unfit(format string, args ...any) *failure {
	return &failure{kind: "Action", message: fmt.Sprintf(format, args...)}
}

// unverified is a failure of what the step found.
func unverified(format string, args ...any) *failure {
	return &failure{kind: "Verification", message: fmt.Sprintf(format, args...)}
}

// call calls an API and leaves out inputs that are nil or empty.
func (t *task) call(ctx context.Context, service, operation string, in map[string]any) (any, error) {
	given := map[string]any{}
	for name, value := range in {
		if value != nil && value != "" {
			given[name] = value
		}
	}
	return t.aws.call(ctx, service, operation, given)
}

// text is an input of kind text, or "".
func (t *task) text(name string) string {
	s, _ := t.in[name].(string)
	return s
}

// names is an input of kind names.
func (t *task) names(name string) []any {
	l, _ := t.in[name].([]any)
	return l
}

// flag is an input of kind flag.
func (t *task) flag(name string) bool {
	b, _ := t.in[name].(bool)
	return b
}

// pick takes some inputs as they are.
func (t *task) pick(names ...string) map[string]any {
	m := map[string]any{}
	for _, name := range names {
		if v, ok := t.in[name]; ok {
			m[name] = v
		}
	}
	return m
}

// patience is how many polls a thing that was just made may be unknown for: EC2
// and Systems Manager show new things only after a while.
const patience = 12

// pending says that an error only means that a thing just made does not show yet.
func (t *task) pending(err error, codes ...string) bool {
	var refused *callError
	if !errors.As(err, &refused) {
		return false
	}
	for _, code := range codes {
		if refused.code == code && t.polls < patience {
			t.polls++
			return true
		}
	}
	return false
}

// resolve makes a step's inputs of what is written: variables replaced, each of
// its kind.
func (s *Step) resolve(sc scope) (map[string]any, error) {
	in := map[string]any{}
	for name, written := range sorted(s.Inputs) {
		if s.Action == "aws:branch" {
			break // looks at its variables itself, one choice after another
		}
		value, err := sc.expand(written)
		if err != nil {
			return nil, err
		}
		if want, known := s.action.inputs[name]; known {
			if value, err = of(value, want.kind); err != nil {
				return nil, unfit("Failed to resolve input: %s. %v", name, err)
			}
			if want.required && (value == nil || value == "") {
				return nil, unfit("Failed to resolve input: %s. It is empty", name)
			}
		}
		if value != nil {
			in[name] = value
		}
	}
	return in, nil
}

// of makes a value one of a kind; nil where it is empty.
func of(value any, k kind) (any, error) {
	switch k {
	case text:
		list, isList := value.([]any)
		if isList && len(list) == 1 {
			value = list[0]
		}
		switch value := value.(type) {
		case []any, map[string]any:
			return nil, fmt.Errorf("%s is not a string", plain(value))
		case nil:
			return nil, nil
		}
		return plain(value), nil
	case names:
		return nameList(value)
	case count:
		if n, ok := integer(value); ok {
			return n, nil
		}
		return nil, fmt.Errorf("%s is not a whole number", plain(value))
	case flag:
		return as(value, "Boolean")
	}
	if s, ok := value.(string); ok {
		if s == "" {
			return nil, nil
		}
		var parsed any
		if err := json.Unmarshal([]byte(s), &parsed); err != nil {
			return nil, fmt.Errorf("%q is neither a map nor a list", s)
		}
		return parsed, nil
	}
	return value, nil
}

func nameList(value any) (any, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return nil, fmt.Errorf("%s is not a list of strings", plain(value))
	case []any:
		if len(value) == 0 {
			return nil, nil
		}
		return anyTexts(texts(value)), nil
	}
	list := []any{}
	for name := range strings.SplitSeq(plain(value), ",") {
		if name = strings.TrimSpace(name); name != "" {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	return list, nil
}
