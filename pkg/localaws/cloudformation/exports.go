package cloudformation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// publish evaluates the outputs and makes them the stack's. An export that
// another stack uses must stay as it is.
func (w *work) publish() error {
	var outputs []Output
	exports := map[string]string{}
	for _, o := range w.to.template.Outputs {
		if !w.to.scope.Holds(o.Condition) {
			continue
		}
		value, export, err := w.to.scope.Output(o)
		if err != nil {
			//lint:ignore ST1005 the words are AWS's
			return fmt.Errorf("Template error: %w", err)
		}
		out := Output{OutputKey: o.Name, OutputValue: fmt.Sprint(value), Description: o.Description}
		if name, ok := export.(string); ok {
			if _, twice := exports[name]; twice {
				//lint:ignore ST1005 the words are AWS's
				return fmt.Errorf("Template error: export name %s is used twice", name)
			}
			out.ExportName, exports[name] = name, out.OutputValue
		}
		outputs = append(outputs, out)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.checkExports(w.st, exports); err != nil {
		return err
	}
	w.st.outputs, w.st.exports = outputs, exports
	return nil
}

// checkExports refuses exports that another stack has, and to change or drop
// those that another stack uses.
func (s *Service) checkExports(st *stack, next map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if other := s.exporter(name); other != nil && other != st {
			return fmt.Errorf("Export with name %s is already exported by stack %s", name, other.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(st.exports)) {
		users := s.importers(name)
		value, stays := next[name]
		switch {
		case len(users) == 0:
		case !stays:
			return fmt.Errorf("Export %s cannot be deleted as it is in use by %s", name, listed(users))
		case value != st.exports[name]:
			return fmt.Errorf("Export %s cannot be updated as it is in use by %s", name, listed(users))
		}
	}
	return nil
}

// listed reads "A, B and C".
func listed(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// An Export is an output that other stacks can import.
type Export struct {
	ExportingStackId string
	Name             string
	Value            string
}

// ListExportsInput has no members: all exports fit one page.
type ListExportsInput struct{}

// ListExportsOutput lists exports by name.
type ListExportsOutput struct{ Exports []Export }

// ListExports lists the exports of all stacks.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListExports.html
func (s *Service) ListExports(context.Context, *ListExportsInput) (*ListExportsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &ListExportsOutput{Exports: []Export{}}
	for _, st := range s.stacks {
		for name, value := range st.exports {
			out.Exports = append(out.Exports, Export{ExportingStackId: st.id, Name: name, Value: value})
		}
	}
	slices.SortFunc(out.Exports, func(a, b Export) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// ListImportsInput names an export.
type ListImportsInput struct {
	ExportName string `aws:",required"`
}

// ListImportsOutput lists the names of the stacks that import it.
type ListImportsOutput struct{ Imports []string }

// ListImports lists the stacks that use an export.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListImports.html
func (s *Service) ListImports(_ context.Context, in *ListImportsInput) (*ListImportsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exporter(in.ExportName) == nil {
		return nil, invalid("Export '%s' does not exist.", in.ExportName)
	}
	users := s.importers(in.ExportName)
	if len(users) == 0 {
		return nil, invalid("Export '%s' is not imported by any stack.", in.ExportName)
	}
	return &ListImportsOutput{Imports: users}, nil
}
