package template

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Value is a parameter's value in a stack.
type Value struct {
	Given    string // by the caller, or the default
	Resolved string // from Parameter Store; empty for other types
}

// Effective is the value that Ref sees.
func (v Value) Effective(p *Parameter) string {
	if p.FromStore() {
		return v.Resolved
	}
	return v.Given
}

// Bind gives every parameter its value: the given one or its default. Values of
// Parameter Store are looked up with store. The error joins all faults, with
// CloudFormation's texts.
func (t *Template) Bind(given map[string]string, store func(name string) (string, error)) (map[string]Value, error) {
	var unknown, missing []string
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if t.Parameter(name) == nil {
			unknown = append(unknown, name)
		}
	}
	values := map[string]Value{}
	for _, p := range t.Parameters {
		text, ok := given[p.Name]
		if !ok && p.Default != nil {
			text, ok = *p.Default, true
		}
		if !ok {
			missing = append(missing, p.Name)
			continue
		}
		value := Value{Given: text}
		if p.FromStore() {
			resolved, err := store(text)
			if err != nil {
				//lint:ignore ST1005 the words are AWS's
				faults = append(faults, fmt.Errorf("Unable to fetch parameters [%s] from parameter store for this account: %w", text, err))
				continue
			}
			value.Resolved = resolved
		}
		for _, fault := range p.check(value.Effective(p)) {
			faults = append(faults, errors.New(fault))
		}
		values[p.Name] = value
	}
	if len(missing) > 0 {
		//lint:ignore ST1005 the words are AWS's
		faults = append(faults, fmt.Errorf("Parameters: [%s] must have values", strings.Join(missing, ", ")))
	}
	if len(unknown) > 0 {
		//lint:ignore ST1005 the words are AWS's
		faults = append(faults, fmt.Errorf("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", ")))
	}
	return values, errors.Join(faults...)
}

// Parameter finds a parameter by name, or nil.
func (t *Template) Parameter(name string) *Parameter {
	for _, p := range t.Parameters {
		if p.Name == name {
			return p
		}
	}
	return nil
}
