package automation

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/cloudformation/template"
)

// maxContent is the size of a document at most.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
const maxContent = 64 << 10

// A Document is a checked Automation document.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-schemas-features.html
type Document struct {
	Description string
	AssumeRole  string // as written: an ARN, a reference to a parameter, or ""
	Parameters  map[string]Parameter
	Steps       []Step
	Outputs     []string // "step.Output"
}

// A Step is one of a document's main steps, with defaults filled in.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-actions.html
type Step struct {
	Name        string
	Action      string
	Description string
	MaxAttempts int
	Timeout     time.Duration // of an attempt; zero means none
	OnFailure   string        // Abort, Continue or step:NAME
	OnCancel    string        // Abort or step:NAME
	NextStep    string        // "" means the following one
	IsEnd       bool
	IsCritical  bool
	Inputs      map[string]any // as written
	Outputs     []Output

	action  *action
	choices []choice // of aws:branch
}

// An Output is a part of an API's answer that a step keeps.
type Output struct {
	Name     string
	Selector string // JSONPath
	Type     string // String, StringList, Boolean, Integer, StringMap or MapList

	path selector
}

// faults collects what is wrong with a document.
type faults struct{ all []error }

func (f *faults) add(path, format string, args ...any) {
	f.all = append(f.all, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

var outputTypes = []string{"String", "StringList", "Boolean", "Integer", "StringMap", "MapList"}

// Parse reads a document; format is JSON or YAML. The error joins everything
// that is wrong with it, each fault with its place.
func Parse(content, format string) (*Document, error) {
	var f faults
	root := read(content, format, &f)
	if root == nil {
		return nil, errors.Join(f.all...)
	}
	d := &Document{Parameters: map[string]Parameter{}}
	m := f.members("document", root, "schemaVersion", "description", "assumeRole", "parameters", "mainSteps", "outputs")
	if v := fmt.Sprint(m["schemaVersion"]); v != "0.3" {
		f.add("schemaVersion", "is %s; an Automation document has schema version 0.3", written(m["schemaVersion"]))
	}
	d.Description = f.text("description", m["description"])
	d.AssumeRole = f.text("assumeRole", m["assumeRole"])
	for name, node := range sorted(f.dict("parameters", m["parameters"])) {
		d.Parameters[name] = f.parameter("parameters."+name, node)
	}
	steps := f.list("mainSteps", m["mainSteps"])
	if len(steps) == 0 {
		f.add("mainSteps", "has no steps")
	}
	for i, node := range steps {
		d.Steps = append(d.Steps, f.step(fmt.Sprintf("mainSteps[%d]", i), node))
	}
	for i, node := range f.list("outputs", m["outputs"]) {
		d.Outputs = append(d.Outputs, f.text(fmt.Sprintf("outputs[%d]", i), node))
	}
	d.check(&f)
	if len(f.all) > 0 {
		return nil, errors.Join(f.all...)
	}
	return d, nil
}

// read turns the text into maps, lists and scalars, or notes why it cannot.
func read(content, format string, f *faults) any {
	switch {
	case len(content) > maxContent:
		f.add("document", "has %d bytes, more than %d", len(content), maxContent)
		return nil
	case strings.TrimSpace(content) == "":
		f.add("document", "is empty")
		return nil
	case format == "JSON" && !json.Valid([]byte(content)):
		f.add("document", "is not well-formed JSON")
		return nil
	case format == "JSON" && !strings.HasPrefix(strings.TrimSpace(content), "{"):
		f.add("document", "is not a JSON object")
		return nil
	case format != "JSON" && format != "YAML":
		f.add("document", "has format %s; an Automation document is JSON or YAML", format)
		return nil
	}
	var syntax template.Faults
	root := template.Read([]byte(content), &syntax)
	if err := syntax.Err(); err != nil {
		f.add("document", "is not well-formed: %v", err)
		return nil
	}
	return root.Literal()
}

// members is a map whose keys must be among those named.
func (f *faults) members(path string, node any, keys ...string) map[string]any {
	m := f.dict(path, node)
	for key := range sorted(m) {
		if !slices.Contains(keys, key) {
			f.add(path, "has unknown key %q", key)
		}
	}
	return m
}

func (f *faults) dict(path string, node any) map[string]any {
	m, ok := node.(map[string]any)
	if !ok && node != nil {
		f.add(path, "is %s, not a map", written(node))
	}
	return m
}

func (f *faults) list(path string, node any) []any {
	l, ok := node.([]any)
	if !ok && node != nil {
		f.add(path, "is %s, not a list", written(node))
	}
	return l
}

func (f *faults) text(path string, node any) string {
	s, ok := node.(string)
	if !ok && node != nil {
		f.add(path, "is %s, not a string", written(node))
	}
	return s
}

func (f *faults) flag(path string, node any, otherwise bool) bool {
	switch v := node.(type) {
	case nil:
		return otherwise
	case bool:
		return v
	case string:
		if v == "true" || v == "false" {
			return v == "true"
		}
	}
	f.add(path, "is %s, not true or false", written(node))
	return otherwise
}

func (f *faults) whole(path string, node any, least int64) int64 {
	n, ok := integer(node)
	if node == nil {
		return 0
	}
	if !ok || n < least {
		f.add(path, "is %s, not a whole number of at least %d", written(node), least)
	}
	return n
}

// written is a node as a message shows it.
func written(node any) string {
	switch node := node.(type) {
	case nil:
		return "missing"
	case map[string]any:
		return "a map"
	case []any:
		return "a list"
	case string:
		return fmt.Sprintf("%q", node)
	}
	return fmt.Sprint(node)
}

var stepName = regexp.MustCompile(`^[a-zA-Z0-9_]{1,128}$`)

// step reads one step and fills in its defaults.
func (f *faults) step(path string, node any) Step {
	m := f.members(path, node, "name", "action", "description", "maxAttempts", "timeoutSeconds",
		"onFailure", "onCancel", "nextStep", "isEnd", "isCritical", "inputs", "outputs")
	s := Step{Name: f.text(path+".name", m["name"]), Action: f.text(path+".action", m["action"])}
	if !stepName.MatchString(s.Name) {
		f.add(path+".name", "%q is not made of 1 to 128 letters, digits and underscores", s.Name)
	} else {
		path = "step " + s.Name
	}
	s.Description = f.text(path+".description", m["description"])
	s.MaxAttempts = max(1, int(f.whole(path+".maxAttempts", m["maxAttempts"], 1)))
	s.Timeout = time.Duration(f.whole(path+".timeoutSeconds", m["timeoutSeconds"], 1)) * time.Second
	s.OnFailure = f.text(path+".onFailure", m["onFailure"])
	s.OnCancel = f.text(path+".onCancel", m["onCancel"])
	s.NextStep = f.text(path+".nextStep", m["nextStep"])
	s.IsEnd = f.flag(path+".isEnd", m["isEnd"], false)
	if s.OnFailure == "" {
		s.OnFailure = "Abort"
	}
	if s.OnCancel == "" {
		s.OnCancel = "Abort"
	}
	s.IsCritical = f.flag(path+".isCritical", m["isCritical"], s.OnFailure != "Continue")
	s.Inputs = f.dict(path+".inputs", m["inputs"])
	for i, node := range f.list(path+".outputs", m["outputs"]) {
		s.Outputs = append(s.Outputs, f.output(fmt.Sprintf("%s.outputs[%d]", path, i), node))
	}
	s.action = f.action(path, s)
	if s.action == nil {
		return s
	}
	if s.Timeout == 0 {
		s.Timeout = s.action.timeout
	}
	f.inputs(path, &s)
	return s
}

func (f *faults) output(path string, node any) Output {
	m := f.members(path, node, "Name", "Selector", "Type")
	o := Output{
		Name: f.text(path+".Name", m["Name"]), Selector: f.text(path+".Selector", m["Selector"]),
		Type: f.text(path+".Type", m["Type"]),
	}
	if o.Type == "" {
		o.Type = "String"
	}
	if !stepName.MatchString(o.Name) {
		f.add(path+".Name", "%q is not made of 1 to 128 letters, digits and underscores", o.Name)
	}
	if !slices.Contains(outputTypes, o.Type) {
		f.add(path+".Type", "%q is not one of %s", o.Type, strings.Join(outputTypes, ", "))
	}
	var err error
	if o.path, err = parseSelector(o.Selector); err != nil {
		f.add(path+".Selector", "%v", err)
	}
	return o
}

// action finds a step's action by its name.
func (f *faults) action(path string, s Step) *action {
	a := actions()[s.Action]
	switch {
	case a != nil:
		if len(s.Outputs) > 0 && !a.declares {
			f.add(path+".outputs", "%s has its own outputs: %s", s.Action, strings.Join(a.outputs, ", "))
		}
	case s.Action == "aws:executeScript":
		f.add(path+".action", "aws:executeScript is not supported: the embedded AWS runs no scripts of a document; use aws:executeAwsApi, or aws:runCommand on an instance")
	case s.Action == "":
		f.add(path+".action", "is missing")
	default:
		f.add(path+".action", "%q is not a supported action; there are %s", s.Action, strings.Join(slices.Sorted(maps.Keys(actions())), ", "))
	}
	return a
}

// inputs checks the names of a step's inputs, then what its action asks for.
func (f *faults) inputs(path string, s *Step) {
	for name := range sorted(s.Inputs) {
		if _, known := s.action.inputs[name]; !known && !s.action.open {
			f.add(path+".inputs", "%s has no input %q; it has %s", s.Action, name, strings.Join(slices.Sorted(maps.Keys(s.action.inputs)), ", "))
		}
	}
	for name, in := range sorted(s.action.inputs) {
		if in.required && s.Inputs[name] == nil {
			f.add(path+".inputs", "%s needs the input %q", s.Action, name)
		}
	}
	if s.action.check != nil {
		s.action.check(path, s, f)
	}
}

// sorted goes through a map by key, so that faults come in an order.
func sorted[V any](m map[string]V) func(func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
