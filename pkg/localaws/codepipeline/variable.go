package codepipeline

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// reference is how a configuration refers to a variable: #{namespace.key}.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
var reference = regexp.MustCompile(`#\{([^{}]*)\}`)

// maxResolved is the most that an action's resolved configuration may take, in
// bytes.
const maxResolved = 100 << 10

// resolve replaces the references in a configuration. The fault names every
// reference that leads nowhere.
func (e *execution) resolve(configuration map[string]string) (resolved map[string]string, fault string) {
	resolved = make(map[string]string, len(configuration))
	var lost []string
	size := 0
	for _, key := range slices.Sorted(maps.Keys(configuration)) {
		resolved[key] = reference.ReplaceAllStringFunc(configuration[key], func(text string) string {
			value, ok := e.variable(text[len("#{") : len(text)-len("}")])
			if !ok {
				lost = append(lost, text)
			}
			return value
		})
		size += len(key) + len(resolved[key])
	}
	if len(lost) > 0 {
		return resolved, fmt.Sprintf("The action's configuration refers to variables that no earlier action of this execution provides: %s", strings.Join(lost, ", "))
	}
	if size > maxResolved {
		return resolved, fmt.Sprintf("The action's configuration takes %d bytes with its variables resolved; %d are allowed", size, maxResolved)
	}
	return resolved, ""
}

// variable is the value of namespace.key.
func (e *execution) variable(name string) (string, bool) {
	namespace, key, ok := strings.Cut(name, ".")
	if !ok {
		return "", false
	}
	switch namespace {
	case "codepipeline":
		return e.id, key == "PipelineExecutionId"
	case "variables":
		value, ok := e.parameter[key]
		return value, ok
	}
	value, ok := e.exported[namespace][key]
	return value, ok
}
