package automation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// noCancel are the actions that onCancel cannot lead to.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-actions.html
var noCancel = []string{
	"aws:approve", "aws:copyImage", "aws:createImage", "aws:createTags", "aws:pause", "aws:runInstances", "aws:sleep",
}

// check looks at what only the whole document shows: steps named twice, steps
// and variables that are not there, and ways that lead back.
func (d *Document) check(f *faults) {
	steps := map[string]*Step{}
	for i := range d.Steps {
		s := &d.Steps[i]
		if steps[s.Name] != nil && s.Name != "" {
			f.add("step "+s.Name, "there is more than one step of this name")
			continue
		}
		steps[s.Name] = s
	}
	for i := range d.Steps {
		d.checkTargets(&d.Steps[i], steps, f)
	}
	d.checkVariables(steps, f)
	if len(steps) == len(d.Steps) {
		d.checkWays(f)
	}
}

func (d *Document) checkTargets(s *Step, steps map[string]*Step, f *faults) {
	path := "step " + s.Name
	known := func(key, name string) *Step {
		if name != "" && steps[name] == nil {
			f.add(path+"."+key, "there is no step %q", name)
		}
		return steps[name]
	}
	known("nextStep", s.NextStep)
	if name, ok := strings.CutPrefix(s.OnFailure, "step:"); ok {
		known("onFailure", name)
	} else if s.OnFailure != "Abort" && s.OnFailure != "Continue" {
		f.add(path+".onFailure", "%q is not Abort, Continue or step:NAME", s.OnFailure)
	}
	if name, ok := strings.CutPrefix(s.OnCancel, "step:"); ok {
		if target := known("onCancel", name); target != nil && slices.Contains(noCancel, target.Action) {
			f.add(path+".onCancel", "cannot lead to an %s step", target.Action)
		}
	} else if s.OnCancel != "Abort" {
		f.add(path+".onCancel", "%q is not Abort or step:NAME", s.OnCancel)
	}
	for _, c := range s.choices {
		known("inputs.Choices", c.next)
	}
	if s.Action == "aws:branch" {
		name, _ := s.Inputs["Default"].(string)
		known("inputs.Default", name)
	}
}

// checkVariables looks for references to what is not there.
func (d *Document) checkVariables(steps map[string]*Step, f *faults) {
	for name, p := range sorted(d.Parameters) {
		d.checkTexts("parameters."+name+".default", p.Default, f, func(ref string) string {
			if strings.HasPrefix(ref, "ssm:") {
				return ""
			}
			return d.undefined(ref, nil)
		})
	}
	d.checkTexts("assumeRole", d.AssumeRole, f, func(ref string) string {
		if strings.HasPrefix(ref, "ssm:") {
			return "a Parameter Store parameter cannot be the assumeRole"
		}
		return d.undefined(ref, nil)
	})
	for _, s := range d.Steps {
		d.checkTexts("step "+s.Name+".inputs", s.Inputs, f, func(ref string) string {
			if strings.HasPrefix(ref, "ssm:") {
				return "a Parameter Store parameter cannot stand in a step's inputs; make it the default of a parameter of the document"
			}
			return d.undefined(ref, steps)
		})
	}
	for i, ref := range d.Outputs {
		if why := d.undefined(ref, steps); why != "" || !strings.Contains(ref, ".") {
			f.add(fmt.Sprintf("outputs[%d]", i), "%q is not the output of a step", ref)
		}
	}
}

func (d *Document) checkTexts(path string, node any, f *faults, wrong func(ref string) string) {
	switch node := node.(type) {
	case string:
		for _, m := range reference.FindAllStringSubmatch(node, -1) {
			if why := wrong(m[1]); why != "" {
				f.add(path, "{{%s}}: %s", m[1], why)
			}
		}
	case []any:
		for i, item := range node {
			d.checkTexts(fmt.Sprintf("%s[%d]", path, i), item, f, wrong)
		}
	case map[string]any:
		for key, item := range sorted(node) {
			d.checkTexts(path+"."+key, item, f, wrong)
		}
	}
}

// undefined says why a reference means nothing, or "". Outputs of steps count
// where steps are given.
func (d *Document) undefined(ref string, steps map[string]*Step) string {
	if prefix, name, ok := strings.Cut(ref, ":"); ok {
		if prefix == "global" && slices.Contains(globals, name) || ref == "automation:EXECUTION_ID" {
			return ""
		}
		return "there is no such variable"
	}
	if _, ok := d.Parameters[ref]; ok {
		return ""
	}
	name, output, dotted := strings.Cut(ref, ".")
	s := steps[name]
	switch {
	case !dotted:
		return "there is no such parameter"
	case steps == nil:
		return "only parameters and system variables can stand here"
	case s == nil:
		return fmt.Sprintf("there is no step %q", name)
	case s.action == nil: // reported already
		return ""
	}
	has := slices.Clone(s.action.outputs)
	for _, o := range s.Outputs {
		has = append(has, o.Name)
	}
	if !slices.Contains(has, output) {
		return fmt.Sprintf("step %q (%s) has no output %q; it has [%s]", name, s.Action, output, strings.Join(has, ", "))
	}
	return ""
}

// checkWays refuses ways that lead back to a step.
func (d *Document) checkWays(f *faults) {
	const entered, left = 1, 2
	state := map[string]int{}
	var trail []string
	var visit func(name string)
	visit = func(name string) {
		i := d.index(name)
		if i < 0 || state[name] == left {
			return
		}
		trail = append(trail, name)
		defer func() { trail = trail[:len(trail)-1] }()
		if state[name] == entered {
			f.add("mainSteps", "the way %s leads back, which is not supported", strings.Join(trail[slices.Index(trail, name):], " -> "))
			return
		}
		state[name] = entered
		for next := range d.ways(i) {
			visit(next)
		}
		state[name] = left
	}
	for _, s := range d.Steps {
		visit(s.Name)
	}
}

// ways are the steps that can come directly after one.
func (d *Document) ways(i int) func(func(string) bool) {
	s := d.Steps[i]
	all := map[string]bool{}
	for _, c := range s.choices {
		all[c.next] = true
	}
	if name, _ := s.Inputs["Default"].(string); s.Action == "aws:branch" {
		all[name] = true
	}
	for _, on := range []string{s.OnFailure, s.OnCancel} {
		if name, ok := strings.CutPrefix(on, "step:"); ok {
			all[name] = true
		}
	}
	if next, ok := d.following(i); ok {
		all[next] = true
	}
	return func(yield func(string) bool) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !yield(name) {
				return
			}
		}
	}
}

// index is where a step is, or -1.
func (d *Document) index(name string) int {
	return slices.IndexFunc(d.Steps, func(s Step) bool { return s.Name == name })
}

// following is the step after one that neither failed nor branched.
func (d *Document) following(i int) (name string, ok bool) {
	switch s := d.Steps[i]; {
	case s.IsEnd:
		return "", false
	case s.NextStep != "":
		return s.NextStep, true
	case i+1 < len(d.Steps):
		return d.Steps[i+1].Name, true
	}
	return "", false
}
