package template

import "reflect"

// condition decides a condition.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html
func (s *Scope) condition(n *Node, path string) (bool, error) {
	if name := namedCondition(n); name != nil {
		return s.conditions[name.Text], nil
	}
	function, argument, _ := n.Call()
	path = at(path, function)
	switch function {
	case "Fn::Equals":
		return s.equal(argument, path)
	case "Fn::Not":
		holds, err := s.condition(argument.Items[0], path)
		return !holds, err
	}
	// Fn::And stops at the first that does not hold, Fn::Or at the first that does.
	stop := function == "Fn::Or"
	for _, c := range argument.Items {
		holds, err := s.condition(c, path)
		if err != nil || holds == stop {
			return holds, err
		}
	}
	return !stop, nil
}

func (s *Scope) equal(n *Node, path string) (bool, error) {
	var sides [2]any
	for i := range sides {
		v, err := s.eval(n.Items[i], item(path, i))
		if err != nil {
			return false, err
		}
		if n.Items[i].Kind == Scalar {
			v = n.Items[i].Text
		}
		sides[i] = Canonical(v)
	}
	return reflect.DeepEqual(sides[0], sides[1]), nil
}

// Canonical makes values comparable: scalars become strings, since "80" and 80,
// or "true" and true, mean the same to a resource.
func Canonical(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = Canonical(v[i])
		}
		return list
	case map[string]any:
		dict := make(map[string]any, len(v))
		for key := range v {
			dict[key] = Canonical(v[key])
		}
		return dict
	}
	if text, ok := scalar(v); ok {
		return text
	}
	return v
}
