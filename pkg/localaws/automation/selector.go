package automation

import (
	"fmt"
	"regexp"
	"strconv"
)

// A selector is a JSONPath of names, indices and [*].
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-aws-apis-calling.html
type selector []part

type part struct {
	name string
	at   int
	kind byte // '.' a name, 'n' an index, '*' every item
}

var selectorPart = regexp.MustCompile(`^(?:\.([A-Za-z0-9_-]+)|\['([^']+)'\]|\["([^"]+)"\]|\[(\d{1,9})\]|\[\*\])`)

func parseSelector(text string) (selector, error) {
	if text == "" || text[0] != '$' {
		return nil, fmt.Errorf("%q is not a JSONPath that begins with $", text)
	}
	parts := selector{}
	for rest := text[1:]; rest != ""; {
		m := selectorPart.FindStringSubmatch(rest)
		switch {
		case m == nil:
			return nil, fmt.Errorf("%q has %q, which is not supported: .name, ['name'], [n] and [*] are", text, rest)
		case m[0] == "[*]":
			parts = append(parts, part{kind: '*'})
		case m[4] != "":
			at, err := strconv.Atoi(m[4])
			if err != nil {
				return nil, fmt.Errorf("%q: %w", text, err)
			}
			parts = append(parts, part{kind: 'n', at: at})
		default:
			parts = append(parts, part{kind: '.', name: m[1] + m[2] + m[3]})
		}
		rest = rest[len(m[0]):]
	}
	return parts, nil
}

// find is what a tree has at the selector. With a [*] that is a list of what was
// found, else one value or none.
func (s selector) find(tree any) (any, bool) {
	for i, p := range s {
		switch p.kind {
		case '*':
			list, ok := tree.([]any)
			if !ok {
				return nil, false
			}
			return s[i+1:].each(list), true
		case 'n':
			list, ok := tree.([]any)
			if !ok || p.at >= len(list) {
				return nil, false
			}
			tree = list[p.at]
		default:
			m, ok := tree.(map[string]any)
			if !ok {
				return nil, false
			}
			if tree, ok = m[p.name]; !ok {
				return nil, false
			}
		}
	}
	return tree, tree != nil
}

func (s selector) each(list []any) []any {
	found := []any{}
	for _, item := range list {
		value, ok := s.find(item)
		if !ok {
			continue
		}
		if inner, isList := value.([]any); isList && s.many() {
			found = append(found, inner...)
			continue
		}
		found = append(found, value)
	}
	return found
}

// many says that the selector has a [*].
func (s selector) many() bool {
	for _, p := range s {
		if p.kind == '*' {
			return true
		}
	}
	return false
}

// as turns what an API answered into an output's type.
func as(value any, kind string) (any, error) {
	switch kind {
	case "String":
		return plain(value), nil
	case "StringList":
		return anyTexts(texts(value)), nil
	case "Integer":
		if n, ok := integer(value); ok {
			return n, nil
		}
	case "Boolean":
		switch v := value.(type) {
		case bool:
			return v, nil
		case string:
			if v == "true" || v == "false" {
				return v == "true", nil
			}
		}
	case "StringMap":
		if m, ok := value.(map[string]any); ok {
			return m, nil
		}
	case "MapList":
		if m, ok := value.(map[string]any); ok {
			return []any{m}, nil
		}
		if list, ok := value.([]any); ok {
			for _, item := range list {
				if _, ok := item.(map[string]any); !ok {
					return nil, fmt.Errorf("%s is not of type MapList", plain(value))
				}
			}
			return list, nil
		}
	}
	return nil, fmt.Errorf("%s is not of type %s", plain(value), kind)
}
