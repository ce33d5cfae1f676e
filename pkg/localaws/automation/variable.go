package automation

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// reference is how a variable stands in a text. Braces around anything else are
// text.
var reference = regexp.MustCompile(`\{\{\s*([a-zA-Z0-9_:./-]+)\s*\}\}`)

// globals are the system variables of the kind {{global:NAME}}.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-variables.html
var globals = []string{"ACCOUNT_ID", "AWS_PARTITION", "DATE", "DATE_TIME", "REGION"}

// A scope is what variables mean at one moment of an execution.
type scope struct {
	document   *Document
	parameters map[string][]string
	outputs    map[string]any // by "step.Output"
	id         string         // of the execution
	region     string
	account    string
	now        time.Time
}

// expand puts values in the place of references. A text that is one reference
// takes the value's own type; a list in a list takes its place among the items.
func (s scope) expand(node any) (any, error) {
	switch node := node.(type) {
	case string:
		return s.text(node)
	case []any:
		list := make([]any, 0, len(node))
		for _, item := range node {
			value, err := s.expand(item)
			if err != nil {
				return nil, err
			}
			_, wasText := item.(string)
			if inner, ok := value.([]any); ok && wasText {
				list = append(list, inner...)
				continue
			}
			list = append(list, value)
		}
		return list, nil
	case map[string]any:
		m := make(map[string]any, len(node))
		for key, item := range node {
			value, err := s.expand(item)
			if err != nil {
				return nil, err
			}
			m[key] = value
		}
		return m, nil
	}
	return node, nil
}

func (s scope) text(text string) (any, error) {
	trimmed := strings.TrimSpace(text)
	if m := reference.FindStringSubmatch(trimmed); m != nil && m[0] == trimmed {
		return s.value(m[1])
	}
	var wrong error
	text = reference.ReplaceAllStringFunc(text, func(match string) string {
		value, err := s.value(reference.FindStringSubmatch(match)[1])
		if err != nil && wrong == nil {
			wrong = err
		}
		return plain(value)
	})
	return text, wrong
}

func (s scope) value(ref string) (any, error) {
	if value, ok := s.system(ref); ok {
		return value, nil
	}
	if p, ok := s.document.Parameters[ref]; ok {
		value, err := p.typed(s.parameters[ref])
		if err != nil {
			return nil, unfit("Failed to resolve input: %s to type %s", ref, p.Type)
		}
		return s.within(value), nil
	}
	if value, ok := s.outputs[ref]; ok {
		return value, nil
	}
	return nil, unfit("Failed to resolve input: %s to type String. %s is not available, because its step has not succeeded", ref, ref)
}

func (s scope) system(ref string) (string, bool) {
	switch ref {
	case "global:ACCOUNT_ID":
		return s.account, true
	case "global:AWS_PARTITION":
		return "aws", true
	case "global:REGION":
		return s.region, true
	case "global:DATE":
		return s.now.Format("2006-01-02"), true
	case "global:DATE_TIME":
		return s.now.Format("2006-01-02_15.04.05"), true
	case "automation:EXECUTION_ID":
		return s.id, true
	}
	return "", false
}

// within replaces system variables and parameters inside a parameter's value,
// once: what stands in their values stays text.
func (s scope) within(value any) any {
	switch value := value.(type) {
	case string:
		return reference.ReplaceAllStringFunc(value, func(match string) string {
			ref := reference.FindStringSubmatch(match)[1]
			if text, ok := s.system(ref); ok {
				return text
			}
			if p, ok := s.document.Parameters[ref]; ok {
				if other, err := p.typed(s.parameters[ref]); err == nil {
					return plain(other)
				}
			}
			return match
		})
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = s.within(item)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(value))
		for key, item := range value {
			m[key] = s.within(item)
		}
		return m
	}
	return value
}

// plain is a value within a text: strings as they are, others as JSON.
func plain(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	}
	return encoded(value)
}

// encoded is a value as JSON.
func encoded(value any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return fmt.Sprint(value) // an API's answer holds nothing that JSON lacks
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// texts is a value as the API shows it: a list of strings.
func texts(value any) []string {
	list, ok := value.([]any)
	if !ok {
		return []string{plain(value)}
	}
	all := make([]string, len(list))
	for i, item := range list {
		all[i] = plain(item)
	}
	return all
}

// integer reads a whole number, also from a text.
func integer(node any) (int64, bool) {
	switch n := node.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<53
	case string:
		v, err := strconv.ParseInt(n, 10, 64)
		return v, err == nil
	}
	return 0, false
}
