package automation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A choice is one choice of a branch: a condition and where it leads.
type choice struct {
	next string
	when condition
}

// A condition is And, Or or Not of others, or one comparison of a variable.
type condition struct {
	operator string
	variable string
	operand  any
	of       []condition
}

var comparisons = []string{
	"StringEquals", "EqualsIgnoreCase", "StartsWith", "EndsWith", "Contains",
	"NumericEquals", "NumericGreater", "NumericLesser", "NumericGreaterOrEquals", "NumericLesserOrEquals",
	"BooleanEquals",
}

// branch leads to the step of the first choice that holds, else to the default.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-branch.html
func branch() *action {
	return &action{
		inputs: map[string]input{"Choices": {tree, true}, "Default": {text, false}},
		begin:  executing,
		check:  checkBranch,
		move: func(_ context.Context, t *task) (next, error) {
			sc := t.scope
			for _, c := range t.step.choices {
				ok, err := c.when.holds(sc)
				if err != nil {
					return next{}, unfit("%v", err)
				}
				if ok {
					return next{jump: c.next}, nil
				}
			}
			otherwise, _ := t.step.Inputs["Default"].(string)
			return next{jump: otherwise}, nil
		},
	}
}

func checkBranch(path string, s *Step, f *faults) {
	f.text(path+".inputs.Default", s.Inputs["Default"])
	for i, node := range f.list(path+".inputs.Choices", s.Inputs["Choices"]) {
		at := fmt.Sprintf("%s.inputs.Choices[%d]", path, i)
		m := f.dict(at, node)
		c := choice{next: f.text(at+".NextStep", m["NextStep"])}
		if c.next == "" {
			f.add(at, "has no NextStep")
		}
		c.when = f.condition(at, m, "NextStep")
		s.choices = append(s.choices, c)
	}
}

// condition reads a condition among other keys.
func (f *faults) condition(path string, node any, others ...string) condition {
	m := f.dict(path, node)
	var c condition
	for key, value := range sorted(m) {
		switch {
		case slices.Contains(others, key):
		case key == "Variable":
			c.variable = f.text(path+".Variable", value)
		case c.operator != "":
			f.add(path, "has both %s and %s", c.operator, key)
		case key == "And" || key == "Or":
			c.operator = key
			for i, part := range f.list(path+"."+key, value) {
				c.of = append(c.of, f.condition(fmt.Sprintf("%s.%s[%d]", path, key, i), part))
			}
		case key == "Not":
			c.operator = key
			c.of = []condition{f.condition(path+".Not", value)}
		case slices.Contains(comparisons, key):
			c.operator, c.operand = key, value
		default:
			f.add(path, "%q is not an operation; there are And, Or, Not, %s", key, strings.Join(comparisons, ", "))
			c.operator = key
		}
	}
	switch {
	case c.operator == "":
		f.add(path, "has no operation, such as StringEquals")
	case c.of == nil && c.variable == "" && slices.Contains(comparisons, c.operator):
		f.add(path, "has no Variable")
	}
	return c
}

// holds evaluates a condition; parts that do not matter are not looked at.
func (c condition) holds(sc scope) (bool, error) {
	switch c.operator {
	case "And", "Or":
		for _, part := range c.of {
			ok, err := part.holds(sc)
			if err != nil || ok == (c.operator == "Or") {
				return ok, err
			}
		}
		return c.operator == "And", nil
	case "Not":
		ok, err := c.of[0].holds(sc)
		return !ok, err
	}
	value, err := sc.expand(c.variable)
	if err != nil {
		return false, err
	}
	operand, err := sc.expand(c.operand)
	if err != nil {
		return false, err
	}
	return compare(c.operator, value, operand)
}

func compare(operator string, value, operand any) (bool, error) {
	a, b := plain(value), plain(operand)
	switch operator {
	case "StringEquals":
		return a == b, nil
	case "EqualsIgnoreCase":
		return strings.EqualFold(a, b), nil
	case "StartsWith":
		return strings.HasPrefix(a, b), nil
	case "EndsWith":
		return strings.HasSuffix(a, b), nil
	case "Contains":
		if list, ok := value.([]any); ok {
			return slices.Contains(texts(list), b), nil
		}
		return strings.Contains(a, b), nil
	case "BooleanEquals":
		x, err := strconv.ParseBool(a)
		y, err2 := strconv.ParseBool(b)
		if err != nil || err2 != nil {
			return false, fmt.Errorf("BooleanEquals compares %q with %q, which are not both booleans", a, b)
		}
		return x == y, nil
	}
	x, err := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err != nil || err2 != nil {
		return false, fmt.Errorf("%s compares %q with %q, which are not both numbers", operator, a, b)
	}
	switch operator {
	case "NumericGreater":
		return x > y, nil
	case "NumericLesser":
		return x < y, nil
	case "NumericGreaterOrEquals":
		return x >= y, nil
	case "NumericLesserOrEquals":
		return x <= y, nil
	}
	return x == y, nil
}
