package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A pattern says which events a rule is for: every field that it names must
// match, whatever else the event has.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
type pattern struct {
	fields map[string]pattern // of an object
	tests  []test             // of a leaf: one must pass
}

// A test looks at the values of a field: one, the items of a list, or none if the
// field is absent.
type test func(values []any) bool

// parsePattern reads an event pattern. Errors name where it is wrong.
func parsePattern(text []byte) (pattern, error) {
	tree, err := decode(text)
	if err != nil {
		return pattern{}, err
	}
	return compile(tree, "pattern")
}

// decode reads one JSON value, keeping numbers as they stand.
func decode(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("parse JSON: more than one value")
	}
	return tree, nil
}

func compile(tree any, path string) (pattern, error) {
	switch node := tree.(type) {
	case map[string]any:
		if len(node) == 0 {
			return pattern{}, fmt.Errorf("%s: an empty object matches nothing", path)
		}
		p := pattern{fields: map[string]pattern{}}
		for _, key := range slices.Sorted(maps.Keys(node)) {
			if strings.HasPrefix(key, "$") {
				return pattern{}, fmt.Errorf("%s: the operator %s is unknown to the embedded AWS", path, key)
			}
			field, err := compile(node[key], path+"."+key)
			if err != nil {
				return pattern{}, err
			}
			p.fields[key] = field
		}
		return p, nil
	case []any:
		if len(node) == 0 {
			return pattern{}, fmt.Errorf("%s: an empty list matches nothing", path)
		}
		p := pattern{}
		for _, item := range node {
			t, err := compileTest(item, path)
			if err != nil {
				return pattern{}, err
			}
			p.tests = append(p.tests, t)
		}
		return p, nil
	}
	return pattern{}, fmt.Errorf("%s: a value must stand in a list", path)
}

func compileTest(item any, path string) (test, error) {
	operators, ok := item.(map[string]any)
	if !ok {
		if _, list := item.([]any); list {
			return nil, fmt.Errorf("%s: a list within a list matches nothing", path)
		}
		return anyOf(func(value any) bool { return equal(value, item) }), nil
	}
	if len(operators) != 1 {
		return nil, fmt.Errorf("%s: an item has %d operators, not 1", path, len(operators))
	}
	for name, operand := range operators {
		t, err := compileOperator(name, operand)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return t, nil
	}
	panic("events: a map of one entry has none")
}

func compileOperator(name string, operand any) (test, error) {
	switch name {
	case "exists":
		want, ok := operand.(bool)
		if !ok {
			return nil, fmt.Errorf("exists takes true or false")
		}
		return func(values []any) bool { return (len(values) > 0) == want }, nil
	case "prefix":
		prefix, ok := operand.(string)
		if !ok {
			return nil, fmt.Errorf("prefix takes a string")
		}
		return anyOf(func(value any) bool { return hasPrefix(value, prefix) }), nil
	case "anything-but":
		return compileAnythingBut(operand)
	case "numeric":
		return compileNumeric(operand)
	}
	return nil, fmt.Errorf("the operator %s is unknown to the embedded AWS", name)
}

func compileAnythingBut(operand any) (test, error) {
	switch but := operand.(type) {
	case map[string]any:
		prefix, ok := but["prefix"].(string)
		if !ok || len(but) != 1 {
			return nil, fmt.Errorf("anything-but takes values or a prefix; other operators in it are unknown to the embedded AWS")
		}
		return anyOf(func(value any) bool { return !hasPrefix(value, prefix) }), nil
	case []any:
		if len(but) == 0 {
			return nil, fmt.Errorf("anything-but takes at least one value")
		}
		for _, item := range but {
			if !scalar(item) {
				return nil, fmt.Errorf("anything-but takes strings or numbers")
			}
		}
		return anyOf(func(value any) bool {
			return !slices.ContainsFunc(but, func(item any) bool { return equal(value, item) })
		}), nil
	}
	if !scalar(operand) {
		return nil, fmt.Errorf("anything-but takes strings or numbers")
	}
	return anyOf(func(value any) bool { return !equal(value, operand) }), nil
}

// compileNumeric reads comparisons: [">", 0, "<=", 5].
func compileNumeric(operand any) (test, error) {
	list, ok := operand.([]any)
	if !ok || len(list) != 2 && len(list) != 4 {
		return nil, fmt.Errorf("numeric takes one or two comparisons and numbers")
	}
	var all []func(float64) bool
	for i := 0; i < len(list); i += 2 {
		bound, ok := number(list[i+1])
		if !ok {
			return nil, fmt.Errorf("numeric compares with numbers")
		}
		switch list[i] {
		case "=":
			all = append(all, func(n float64) bool { return n == bound })
		case "<":
			all = append(all, func(n float64) bool { return n < bound })
		case "<=":
			all = append(all, func(n float64) bool { return n <= bound })
		case ">":
			all = append(all, func(n float64) bool { return n > bound })
		case ">=":
			all = append(all, func(n float64) bool { return n >= bound })
		default:
			return nil, fmt.Errorf("numeric knows no comparison %v", list[i])
		}
	}
	return anyOf(func(value any) bool {
		n, ok := number(value)
		if !ok {
			return false
		}
		for _, holds := range all {
			if !holds(n) {
				return false
			}
		}
		return true
	}), nil
}

// matches says whether an event, or a part of one, fits. An absent part is nil.
func (p pattern) matches(node any, present bool) bool {
	if p.fields == nil {
		var values []any
		if list, ok := node.([]any); ok {
			values = list
		} else if _, object := node.(map[string]any); present && !object {
			values = []any{node}
		}
		return slices.ContainsFunc(p.tests, func(t test) bool { return t(values) })
	}
	object, _ := node.(map[string]any)
	for key, field := range p.fields {
		value, ok := object[key]
		if !field.matches(value, ok) {
			return false
		}
	}
	return true
}

func anyOf(passes func(any) bool) test {
	return func(values []any) bool { return slices.ContainsFunc(values, passes) }
}

func equal(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	return scalarOrNil(a) && scalarOrNil(b) && a == b
}

func hasPrefix(value any, prefix string) bool {
	text, ok := value.(string)
	return ok && strings.HasPrefix(text, prefix)
}

func number(value any) (float64, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

func scalar(value any) bool {
	switch value.(type) {
	case string, json.Number:
		return true
	}
	return false
}

func scalarOrNil(value any) bool {
	switch value.(type) {
	case nil, string, bool, json.Number:
		return true
	}
	return false
}
