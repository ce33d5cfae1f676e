package automation

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// executeAPI calls one operation and keeps parts of its answer.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeAwsApi.html
func executeAPI() *action {
	return &action{
		inputs: apiInputs(nil), open: true, declares: true, begin: executing,
		check: checkAPI,
		move: func(ctx context.Context, t *task) (next, error) {
			answer, err := t.api(ctx)
			if err != nil {
				return next{}, err
			}
			outputs := map[string]any{}
			for _, o := range t.step.Outputs {
				found, ok := o.path.find(answer)
				if !ok {
					continue // then it is not available, as that of a step that did not run
				}
				if outputs[o.Name], err = as(found, o.Type); err != nil {
					return next{}, unfit("The output %s at %s: %v", o.Name, o.Selector, err)
				}
			}
			return done(outputs), nil
		},
	}
}

// waitForProperty calls an operation until its answer has a wanted value.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-waitForAwsResourceProperty.html
func waitForProperty() *action {
	var look move
	look = func(ctx context.Context, t *task) (next, error) {
		ok, _, err := t.property(ctx)
		if err != nil {
			return next{}, err
		}
		if !ok {
			return later(pollInterval, polling, look), nil
		}
		return done(nil), nil
	}
	return &action{
		inputs: apiInputs(map[string]input{"PropertySelector": {text, true}, "DesiredValues": {tree, true}}),
		open:   true, timeout: time.Hour, begin: executing, check: checkAPI, move: look,
	}
}

// assertProperty calls an operation once and fails unless its answer has a wanted
// value.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-assertAwsResourceProperty.html
func assertProperty() *action {
	return &action{
		inputs: apiInputs(map[string]input{"PropertySelector": {text, true}, "DesiredValues": {tree, true}}),
		open:   true, begin: executing, check: checkAPI,
		move: func(ctx context.Context, t *task) (next, error) {
			ok, found, err := t.property(ctx)
			if err != nil {
				return next{}, err
			}
			if !ok {
				return next{}, unverified("The property %s of %s is %s, not one of %s",
					t.text("PropertySelector"), t.text("Api"), found, encoded(t.in["DesiredValues"]))
			}
			return done(nil), nil
		},
	}
}

// apiInputs are the inputs that are not the API's own.
func apiInputs(more map[string]input) map[string]input {
	all := map[string]input{"Service": {text, true}, "Api": {text, true}}
	maps.Copy(all, more)
	return all
}

// checkAPI looks for the operation and for inputs it does not have.
func checkAPI(path string, s *Step, f *faults) {
	service, _ := s.Inputs["Service"].(string)
	name, _ := s.Inputs["Api"].(string)
	if service == "" || name == "" {
		return // reported as missing
	}
	op, ok := find(service, name)
	if !ok {
		f.add(path+".inputs", "%s cannot call %s of %s; it can call %s", s.Action, name, service, strings.Join(Operations(), ", "))
		return
	}
	own := map[string]any{}
	for key, value := range s.Inputs {
		if _, ours := s.action.inputs[key]; !ours {
			own[key] = value
		}
	}
	for _, stranger := range strangers(op.in, own, "") {
		f.add(path+".inputs", "%s of %s has no input %q", op.name, service, stranger)
	}
	if written, ok := s.Inputs["PropertySelector"].(string); ok {
		if _, err := parseSelector(written); err != nil {
			f.add(path+".inputs.PropertySelector", "%v", err)
		}
	}
	if values, given := s.Inputs["DesiredValues"]; given {
		if list, ok := values.([]any); !ok || len(list) == 0 {
			f.add(path+".inputs.DesiredValues", "is %s, not a list with at least one value", written(values))
		}
	}
}

// api makes the call that a step describes.
func (t *task) api(ctx context.Context) (any, error) {
	in := map[string]any{}
	for name, value := range t.in {
		if _, ours := t.step.action.inputs[name]; !ours {
			in[name] = value
		}
	}
	return t.aws.call(ctx, t.text("Service"), t.text("Api"), in)
}

// property makes the call and says whether the answer has a wanted value.
func (t *task) property(ctx context.Context) (ok bool, found string, err error) {
	answer, err := t.api(ctx)
	if err != nil {
		return false, "", err
	}
	path, err := parseSelector(t.text("PropertySelector"))
	if err != nil {
		return false, "", unfit("The property selector: %v", err)
	}
	value, there := path.find(answer)
	if !there {
		return false, "not there", nil
	}
	found = plain(value)
	return slices.Contains(texts(t.in["DesiredValues"]), found), found, nil
}
