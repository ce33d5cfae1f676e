package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"cutover/pkg/localaws/wire"
)

// A Stack is what Deploy makes.
type Stack struct {
	Name     string
	Template []byte
	// Parameters override defaults and what the stack was given before.
	Parameters map[string]string
	Tags       []Tag // nil keeps those there are
}

// Deploy creates or updates a stack as `aws cloudformation deploy` does, with all
// capabilities, and returns when the work is done: it runs in the calling
// goroutine, whatever the clock. A stack that is as it should be is left alone.
// The error names each resource that failed, and why.
func (s *Service) Deploy(ctx context.Context, in Stack) error {
	if len(in.Template) > maxObject {
		return fmt.Errorf("deploy stack %s: the template has %d bytes, the limit is %d", in.Name, len(in.Template), maxObject)
	}
	src := source{
		body: in.Template, parameters: in.Parameters, tags: in.Tags, reviewed: true,
		capabilities: []string{"CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"},
	}
	s.mu.Lock()
	st := s.find(in.Name)
	since := 0
	if st != nil {
		since = len(st.events)
	}
	s.mu.Unlock()
	var run func()
	var err error
	if st == nil {
		st, run, err = s.create(ctx, in.Name, src, "ROLLBACK")
	} else {
		run, err = s.updateDeployed(ctx, st, src)
	}
	if run == nil {
		if err != nil {
			return fmt.Errorf("deploy stack %s: %w", in.Name, err)
		}
		return nil
	}
	run()
	return s.outcome(st, since)
}

// updateDeployed begins an update in which parameters that are not given keep
// their values; run is nil when there is nothing to do.
func (s *Service) updateDeployed(ctx context.Context, st *stack, src source) (run func(), err error) {
	t, _, err := s.read(src.body)
	if err != nil {
		return nil, err
	}
	given := map[string]string{}
	s.mu.Lock()
	if src.tags == nil && st.plan != nil {
		src.tags = st.plan.tags
	}
	for _, p := range t.Parameters {
		if value, ok := st.parameter(p.Name); ok {
			given[p.Name] = value
		}
	}
	s.mu.Unlock()
	maps.Copy(given, src.parameters)
	src.parameters = given
	run, err = s.update(ctx, st, src, false)
	var refusal *wire.Error
	if errors.As(err, &refusal) && refusal.Message == "No updates are to be performed." {
		return nil, nil
	}
	return run, err
}

// outcome is nil for a stack that is complete, else what its events tell.
func (s *Service) outcome(st *stack, since int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.status == "CREATE_COMPLETE" || st.status == "UPDATE_COMPLETE" {
		return nil
	}
	var reasons []string
	for _, e := range st.events[since:] {
		switch {
		case e.ResourceType != stackType && strings.HasSuffix(e.ResourceStatus, "_FAILED"):
			reasons = append(reasons, fmt.Sprintf("%s (%s) %s: %s", e.LogicalResourceId, e.ResourceType, e.ResourceStatus, e.ResourceStatusReason))
		case e.ResourceType == stackType && strings.Contains(e.ResourceStatus, "ROLLBACK_IN_PROGRESS"):
			reasons = append(reasons, e.ResourceStatusReason)
		}
	}
	return fmt.Errorf("deploy stack %s: it ended in %s: %s", st.name, st.status, strings.Join(reasons, "; "))
}

// Outputs are a stack's outputs by name; nil when there is no such stack.
func (s *Service) Outputs(stackName string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(stackName)
	if st == nil {
		return nil
	}
	outputs := map[string]string{}
	for _, o := range st.outputs {
		outputs[o.OutputKey] = o.OutputValue
	}
	return outputs
}
