package iam

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A condition is one operator on one key.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type condition struct {
	operator operator
	negated  bool // StringNotEquals: none of the values may match
	ifExists bool // holds when the call does not give the key
	key      string
	values   []string
}

// An operator compares the call's value with one of the policy's.
type operator func(got, want string) bool

// operators holds those that compare one value of the call. A name with Not in
// it is the negation of the one without.
func operators(name string) (op operator, negated, ok bool) {
	positive := strings.Replace(name, "Not", "", 1)
	negated = positive != name
	switch positive {
	case "StringEquals":
		op = func(got, want string) bool { return got == want }
	case "StringEqualsIgnoreCase":
		op = strings.EqualFold
	case "StringLike":
		op = func(got, want string) bool { return glob(want, got) }
	case "ArnEquals", "ArnLike": // the same: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
		op = arnLike
	case "NumericEquals":
		op = numeric(func(got, want float64) bool { return got == want })
	case "NumericLessThan":
		op = numeric(func(got, want float64) bool { return got < want })
	case "NumericLessThanEquals":
		op = numeric(func(got, want float64) bool { return got <= want })
	case "NumericGreaterThan":
		op = numeric(func(got, want float64) bool { return got > want })
	case "NumericGreaterThanEquals":
		op = numeric(func(got, want float64) bool { return got >= want })
	case "Bool":
		op = strings.EqualFold
	}
	// AWS negates the equalities and the patterns, nothing else.
	onlyPositive := positive == "Bool" || strings.HasPrefix(positive, "NumericLess") || strings.HasPrefix(positive, "NumericGreater")
	return op, negated, op != nil && !(negated && onlyPositive)
}

func numeric(compare func(got, want float64) bool) operator {
	return func(got, want string) bool {
		g, err := strconv.ParseFloat(got, 64)
		if err != nil {
			return false
		}
		w, err := strconv.ParseFloat(want, 64)
		return err == nil && compare(g, w)
	}
}

// arnLike compares the six parts of an ARN one by one, so that a wildcard does
// not reach over a colon of the first five.
func arnLike(got, want string) bool {
	g, w := strings.SplitN(got, ":", 6), strings.SplitN(want, ":", 6)
	return len(g) == 6 && len(w) == 6 && slices.EqualFunc(g, w, func(g, w string) bool { return glob(w, g) })
}

func (r *reader) conditions(at string, tree any) []condition {
	byOperator, ok := tree.(map[string]any)
	if !ok {
		r.fault("%s: is not a structure", at)
		return nil
	}
	var all []condition
	for _, name := range slices.Sorted(maps.Keys(byOperator)) {
		bare, ifExists := strings.CutSuffix(name, "IfExists")
		op, negated, known := operators(bare)
		if bare == "Null" && !ifExists {
			known = true // no operator on the value: holds looks at presence
		}
		byKey, ok := byOperator[name].(map[string]any)
		switch {
		case !known:
			r.fault("%s: the embedded AWS knows no condition operator %s", at, name)
			continue
		case !ok:
			r.fault("%s.%s: is not a structure", at, name)
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(byKey)) {
			values := r.texts(at+"."+name+"."+key, byKey[key])
			all = append(all, condition{operator: op, negated: negated, ifExists: ifExists, key: key, values: values})
		}
	}
	return all
}

// holds says whether the call meets the condition. A key that the call does not
// give meets no positive operator; the negated ones it does, as in AWS.
func (c condition) holds(context map[string]string) bool {
	got, given := lookup(context, c.key)
	if c.operator == nil { // Null
		return slices.ContainsFunc(c.values, func(want string) bool { return strings.EqualFold(want, strconv.FormatBool(!given)) })
	}
	if !given {
		return c.ifExists || c.negated
	}
	return slices.ContainsFunc(c.values, func(want string) bool { return c.operator(got, want) }) != c.negated
}

// lookup finds a condition key; their names are not case-sensitive.
func lookup(context map[string]string, key string) (string, bool) {
	if value, ok := context[key]; ok {
		return value, true
	}
	for name, value := range context {
		if strings.EqualFold(name, key) {
			return value, true
		}
	}
	return "", false
}
