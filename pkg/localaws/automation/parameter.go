package automation

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Parameter is what a document says of one of its parameters.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-syntax-data-elements-parameters.html
type Parameter struct {
	Type           string
	Description    string
	Default        any // as written; nil where there is none, so that a value must be given
	AllowedValues  []string
	AllowedPattern string
	MinItems       *int64
	MaxItems       *int64
	MinChars       *int64
	MaxChars       *int64

	pattern *regexp.Regexp
}

// resourceType are types like AWS::EC2::Image::Id and List<AWS::EC2::Instance::Id>.
var resourceType = regexp.MustCompile(`^(AWS(::[a-zA-Z0-9]+){3}|List<AWS(::[a-zA-Z0-9]+){3}>)$`)

// kind is the parameter's type, one of outputTypes: resource types are strings
// and lists of strings.
func (p Parameter) kind() string {
	switch {
	case strings.HasPrefix(p.Type, "List<"):
		return "StringList"
	case strings.HasPrefix(p.Type, "AWS::"):
		return "String"
	}
	return p.Type
}

func (f *faults) parameter(path string, node any) Parameter {
	m := f.members(path, node, "type", "description", "default", "allowedValues", "allowedPattern",
		"minItems", "maxItems", "minChars", "maxChars", "displayType")
	p := Parameter{
		Type: f.text(path+".type", m["type"]), Description: f.text(path+".description", m["description"]),
		Default: m["default"], AllowedPattern: f.text(path+".allowedPattern", m["allowedPattern"]),
	}
	if !slices.Contains(outputTypes, p.Type) && !resourceType.MatchString(p.Type) {
		f.add(path+".type", "%q is not one of %s, or a type like AWS::EC2::Image::Id", p.Type, strings.Join(outputTypes, ", "))
		p.Default = nil
	}
	for _, v := range f.list(path+".allowedValues", m["allowedValues"]) {
		p.AllowedValues = append(p.AllowedValues, plain(v))
	}
	for key, bound := range map[string]**int64{"minItems": &p.MinItems, "maxItems": &p.MaxItems, "minChars": &p.MinChars, "maxChars": &p.MaxChars} {
		if m[key] != nil {
			n := f.whole(path+"."+key, m[key], 0)
			*bound = &n
		}
	}
	if p.AllowedPattern != "" {
		var err error
		if p.pattern, err = regexp.Compile(p.AllowedPattern); err != nil {
			f.add(path+".allowedPattern", "%v", err)
		}
	}
	if p.Default == nil {
		return p
	}
	values := p.defaults()
	if refers := slices.ContainsFunc(values, reference.MatchString); !refers {
		for _, why := range p.wrong(values) {
			f.add(path+".default", "%s", why)
		}
	}
	return p
}

// defaults is the default as a list of texts, as an execution shows it.
func (p Parameter) defaults() []string {
	list, isList := p.Default.([]any)
	switch p.kind() {
	case "StringList", "MapList":
		if isList {
			return texts(list)
		}
	}
	return []string{plain(p.Default)}
}

// Resolve makes an execution's parameters of those given: defaults fill in,
// {{ssm:name}} is replaced by what parameter knows under that name, and all are
// checked against their types and what is allowed. The error joins every fault.
func (d *Document) Resolve(given map[string][]string, parameter func(name string) (string, bool)) (map[string][]string, error) {
	var wrong []error
	for name := range sorted(given) {
		if _, known := d.Parameters[name]; !known {
			wrong = append(wrong, fmt.Errorf("parameter %s: is not defined in the document", name))
		}
	}
	all := map[string][]string{}
	for name, p := range sorted(d.Parameters) {
		values, ok := given[name]
		if !ok && p.Default == nil {
			wrong = append(wrong, fmt.Errorf("parameter %s: is required", name))
			continue
		}
		if !ok {
			values = p.defaults()
		}
		values, missing := stored(values, parameter)
		for _, why := range append(missing, p.wrong(values)...) {
			wrong = append(wrong, fmt.Errorf("parameter %s: %s", name, why))
		}
		all[name] = values
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return all, nil
}

// Role is the role that an execution with these parameters assumes, or "" where
// it keeps the permissions of its caller.
func (d *Document) Role(parameters map[string][]string) (string, error) {
	role, err := scope{document: d, parameters: parameters}.text(d.AssumeRole)
	if err != nil {
		return "", fmt.Errorf("resolve assumeRole: %w", err)
	}
	return strings.TrimSpace(plain(role)), nil
}

// stored puts values of Parameter Store in the place of {{ssm:name}}.
func stored(values []string, parameter func(name string) (string, bool)) (all, missing []string) {
	all = make([]string, len(values))
	for i, value := range values {
		all[i] = reference.ReplaceAllStringFunc(value, func(match string) string {
			name, ok := strings.CutPrefix(reference.FindStringSubmatch(match)[1], "ssm:")
			if !ok {
				return match
			}
			if parameter != nil {
				if text, found := parameter(name); found {
					return text
				}
			}
			missing = append(missing, fmt.Sprintf("Parameter Store has no parameter %s", name))
			return match
		})
	}
	return all, missing
}

// typed turns the texts of a value into the parameter's type.
func (p Parameter) typed(values []string) (any, error) {
	switch p.kind() {
	case "StringList":
		if len(values) == 1 && strings.HasPrefix(strings.TrimSpace(values[0]), "[") {
			var list []any
			if err := json.Unmarshal([]byte(values[0]), &list); err != nil {
				return nil, errors.New("is not a JSON list")
			}
			return anyTexts(texts(list)), nil
		}
		return anyTexts(values), nil
	case "MapList":
		return mapList(values)
	}
	if len(values) != 1 {
		return nil, fmt.Errorf("has %d values, want one", len(values))
	}
	text := values[0]
	switch p.kind() {
	case "Boolean":
		if b := strings.ToLower(text); b == "true" || b == "false" {
			return b == "true", nil
		}
		return nil, fmt.Errorf("%q is not true or false", text)
	case "Integer":
		if n, ok := integer(text); ok {
			return n, nil
		}
		return nil, fmt.Errorf("%q is not a whole number", text)
	case "StringMap":
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			return nil, fmt.Errorf("%q is not a JSON map", text)
		}
		return m, nil
	}
	return text, nil
}

func mapList(values []string) (any, error) {
	list := []any{}
	for _, text := range values {
		var maps []map[string]any
		var one map[string]any
		if err := json.Unmarshal([]byte(text), &maps); err != nil {
			if err := json.Unmarshal([]byte(text), &one); err != nil {
				return nil, fmt.Errorf("%q is not a JSON map", text)
			}
			maps = []map[string]any{one}
		}
		for _, m := range maps {
			list = append(list, m)
		}
	}
	return list, nil
}

func anyTexts(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// wrong says what does not fit the parameter.
func (p Parameter) wrong(values []string) (all []string) {
	value, err := p.typed(values)
	if err != nil {
		return []string{err.Error()}
	}
	items := texts(value)
	if list, ok := value.([]any); ok {
		if p.MinItems != nil && int64(len(list)) < *p.MinItems || p.MaxItems != nil && int64(len(list)) > *p.MaxItems {
			all = append(all, fmt.Sprintf("has %d items, which is not within its minItems and maxItems", len(list)))
		}
	}
	for _, item := range items {
		length := int64(utf8.RuneCountInString(item))
		switch {
		case len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, item):
			all = append(all, fmt.Sprintf("%q is not one of the allowed values %s", item, strings.Join(p.AllowedValues, ", ")))
		case p.pattern != nil && !p.pattern.MatchString(item):
			all = append(all, fmt.Sprintf("%q does not match the allowed pattern %s", item, p.AllowedPattern))
		case p.MinChars != nil && length < *p.MinChars || p.MaxChars != nil && length > *p.MaxChars:
			all = append(all, fmt.Sprintf("%q has %d characters, which is not within its minChars and maxChars", item, length))
		}
	}
	return all
}
