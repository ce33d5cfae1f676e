package template

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// A Scope is what a template's expressions are evaluated in: one stack at one
// moment of its life.
type Scope struct {
	Template   *Template
	Parameters map[string]Value
	AccountID  string
	Region     string
	Partition  string
	URLSuffix  string
	StackName  string
	StackID    string
	// Zones are the region's Availability Zones.
	Zones []string
	// Resource is a resource's physical id, or its attribute where one is named.
	// It may return Unknown for what only the work on the stack will tell.
	Resource func(logicalID, attribute string) (any, error)
	// Import finds an exported value by name.
	Import func(name string) (string, error)

	conditions map[string]bool
}

// Unknown is a value that is not known yet. Whatever is made of it is unknown.
type Unknown struct{}

// noValue is what Ref AWS::NoValue gives: the property is left out.
type noValue struct{}

// Decide evaluates the conditions. It must precede all else.
func (s *Scope) Decide() error {
	s.conditions = map[string]bool{}
	for _, c := range s.Template.Conditions {
		holds, err := s.condition(c.expr, at("Conditions", c.Name))
		if err != nil {
			return err
		}
		s.conditions[c.Name] = holds
	}
	return nil
}

// Holds says whether a condition is met; no name means yes.
func (s *Scope) Holds(condition string) bool { return condition == "" || s.conditions[condition] }

// Properties evaluates a resource's properties.
func (s *Scope) Properties(r *Resource) (map[string]any, error) {
	if r.Properties == nil {
		return map[string]any{}, nil
	}
	v, err := s.eval(r.Properties, at(at("Resources", r.LogicalID), "Properties"))
	if err != nil {
		return nil, err
	}
	properties, ok := v.(map[string]any)
	if !ok {
		return nil, fault(r.Properties, at("Resources", r.LogicalID), "properties are not a map")
	}
	return properties, nil
}

// Output evaluates an output's value and, if it is exported, the export's name.
// Either is Unknown{} or a string.
func (s *Scope) Output(o *Output) (value, export any, err error) {
	path := at("Outputs", o.Name)
	if value, err = s.evalText(o.Value, at(path, "Value")); err != nil || o.Export == nil {
		return value, nil, err
	}
	export, err = s.evalText(o.Export, at(path, "Export.Name"))
	return value, export, err
}

func fault(n *Node, path, format string, args ...any) error {
	return &Error{Faults: []Fault{{Line: n.Line, Path: path, Message: fmt.Sprintf(format, args...)}}}
}

func (s *Scope) eval(n *Node, path string) (any, error) {
	if function, argument, ok := n.Call(); ok {
		return s.call(function, argument, at(path, function))
	}
	switch n.Kind {
	case List:
		list := []any{}
		for i, node := range n.Items {
			v, err := s.eval(node, item(path, i))
			if err != nil {
				return nil, err
			}
			if !is[noValue](v) {
				list = append(list, v)
			}
		}
		return list, nil
	case Dict:
		dict := map[string]any{}
		for _, p := range n.Pairs {
			v, err := s.eval(p.Value, at(path, p.Key))
			if err != nil {
				return nil, err
			}
			if !is[noValue](v) {
				dict[p.Key] = v
			}
		}
		return dict, nil
	}
	return n.Value, nil
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

func (s *Scope) call(function string, n *Node, path string) (any, error) {
	switch function {
	case "Ref":
		return s.name(n.Text, n, path)
	case "Fn::GetAtt":
		return s.getAtt(n, path)
	case "Fn::Sub":
		return s.sub(n, path)
	case "Fn::Join":
		return s.join(n, path)
	case "Fn::Select":
		return s.sel(n, path)
	case "Fn::Split":
		return s.split(n, path)
	case "Fn::If":
		return s.eval(n.Items[s.branch(n)], path)
	case "Fn::FindInMap":
		return s.findInMap(n, path)
	case "Fn::ImportValue":
		return s.importValue(n, path)
	case "Fn::GetAZs":
		return s.getAZs(n, path)
	case "Fn::Base64":
		text, err := s.evalText(n, path)
		if t, ok := text.(string); ok {
			return base64.StdEncoding.EncodeToString([]byte(t)), err
		}
		return text, err
	case "Fn::Cidr":
		return s.cidr(n, path)
	}
	return s.condition(Call(n.Line, function, n), path)
}

// branch is the index of Fn::If's argument that counts.
func (s *Scope) branch(n *Node) int {
	if s.conditions[n.Items[0].Text] {
		return 1
	}
	return 2
}

// name is what Ref gives.
func (s *Scope) name(name string, n *Node, path string) (any, error) {
	switch name {
	case "AWS::AccountId":
		return s.AccountID, nil
	case "AWS::NoValue":
		return noValue{}, nil
	case "AWS::NotificationARNs":
		return []any{}, nil
	case "AWS::Partition":
		return s.Partition, nil
	case "AWS::Region":
		return s.Region, nil
	case "AWS::StackId":
		return s.StackID, nil
	case "AWS::StackName":
		return s.StackName, nil
	case "AWS::URLSuffix":
		return s.URLSuffix, nil
	}
	if p := s.Template.Parameter(name); p != nil {
		value := s.Parameters[name].Effective(p)
		if !p.list() {
			return value, nil
		}
		list := []any{}
		for _, v := range splitList(value) {
			list = append(list, v)
		}
		return list, nil
	}
	return s.resource(name, "", n, path)
}

func (s *Scope) resource(id, attribute string, n *Node, path string) (any, error) {
	v, err := s.Resource(id, attribute)
	if err != nil {
		return nil, fault(n, path, "%v", err)
	}
	return v, nil
}

func (s *Scope) getAtt(n *Node, path string) (any, error) {
	id, attribute, _ := getAttParts(n)
	name, err := s.evalText(attribute, path)
	if err != nil {
		return nil, err
	}
	text, ok := name.(string)
	if !ok {
		return name, nil
	}
	return s.resource(id, text, n, path)
}

func (s *Scope) sub(n *Node, path string) (any, error) {
	text, variables, _ := subParts(n)
	parts, err := splitSub(text)
	if err != nil {
		return nil, fault(n, path, "%v", err)
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.literal)
		if p.variable == "" {
			continue
		}
		v, err := s.variable(p.variable, variables, n, path)
		if err != nil || is[Unknown](v) {
			return v, err
		}
		t, ok := scalar(v)
		if !ok {
			return nil, fault(n, path, "${%s} is %s, not a string", p.variable, describe(v))
		}
		b.WriteString(t)
	}
	return b.String(), nil
}

func (s *Scope) variable(name string, variables, n *Node, path string) (any, error) {
	if v := variables.Get(name); v != nil {
		return s.eval(v, at(path, name))
	}
	if id, attribute, ok := strings.Cut(name, "."); ok {
		return s.resource(id, attribute, n, path)
	}
	return s.name(name, n, path)
}

// scalar is a value as it stands within a string.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

func describe(v any) string {
	switch v.(type) {
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	case noValue:
		return "AWS::NoValue"
	}
	return fmt.Sprintf("a %T", v)
}

// evalText evaluates to a string, or Unknown{}.
func (s *Scope) evalText(n *Node, path string) (any, error) {
	if _, _, call := n.Call(); !call && n.Kind == Scalar {
		return n.Text, nil // numbers as they are written
	}
	v, err := s.eval(n, path)
	if err != nil || is[Unknown](v) {
		return v, err
	}
	text, ok := scalar(v)
	if !ok {
		return nil, fault(n, path, "is %s, not a string", describe(v))
	}
	return text, nil
}

// evalList evaluates to a list of values, or Unknown{}.
func (s *Scope) evalList(n *Node, path string) (list []any, known bool, err error) {
	v, err := s.eval(n, path)
	if err != nil || is[Unknown](v) {
		return nil, false, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false, fault(n, path, "is %s, not a list", describe(v))
	}
	return list, true, nil
}

func (s *Scope) join(n *Node, path string) (any, error) {
	list, known, err := s.evalList(n.Items[1], item(path, 1))
	if err != nil || !known {
		return Unknown{}, err
	}
	texts := make([]string, len(list))
	for i, v := range list {
		if is[Unknown](v) {
			return v, nil
		}
		text, ok := scalar(v)
		if !ok {
			return nil, fault(n, path, "item %d is %s, not a string", i, describe(v))
		}
		texts[i] = text
	}
	// Numbers stand in the text as they are written there.
	if literals := n.Items[1].Items; len(literals) == len(texts) {
		for i, literal := range literals {
			if literal.Kind == Scalar {
				texts[i] = literal.Text
			}
		}
	}
	return strings.Join(texts, n.Items[0].Text), nil
}

func (s *Scope) sel(n *Node, path string) (any, error) {
	at, err := s.evalText(n.Items[0], item(path, 0))
	if err != nil || is[Unknown](at) {
		return at, err
	}
	list, known, err := s.evalList(n.Items[1], item(path, 1))
	if err != nil || !known {
		return Unknown{}, err
	}
	i, err := strconv.Atoi(at.(string))
	if err != nil || i < 0 || i >= len(list) {
		return nil, fault(n, path, "cannot select item %s of a list of %d", at, len(list))
	}
	return list[i], nil
}

func (s *Scope) split(n *Node, path string) (any, error) {
	text, err := s.evalText(n.Items[1], item(path, 1))
	if err != nil || is[Unknown](text) {
		return text, err
	}
	list := []any{}
	for part := range strings.SplitSeq(text.(string), n.Items[0].Text) {
		list = append(list, part)
	}
	return list, nil
}

func (s *Scope) findInMap(n *Node, path string) (any, error) {
	keys := make([]string, 3)
	for i, node := range n.Items {
		key, err := s.evalText(node, item(path, i))
		if err != nil || is[Unknown](key) {
			return key, err
		}
		keys[i] = key.(string)
	}
	v, ok := s.Template.mappings[keys[0]][keys[1]][keys[2]]
	if !ok {
		return nil, fault(n, path, "the mapping %s does not exist", strings.Join(keys, "."))
	}
	return v, nil
}

func (s *Scope) importValue(n *Node, path string) (any, error) {
	name, err := s.evalText(n, path)
	if err != nil || is[Unknown](name) {
		return name, err
	}
	v, err := s.Import(name.(string))
	if err != nil {
		return nil, fault(n, path, "%v", err)
	}
	return v, nil
}

func (s *Scope) getAZs(n *Node, path string) (any, error) {
	region, err := s.evalText(n, path)
	if err != nil || is[Unknown](region) {
		return region, err
	}
	if region != "" && region != s.Region {
		return nil, fault(n, path, "the embedded AWS has only the region %s, not %s", s.Region, region)
	}
	list := []any{}
	for _, zone := range s.Zones {
		list = append(list, zone)
	}
	return list, nil
}
