package iam

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// A document is a policy, read and checked.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type document struct {
	text       string // as it was put
	statements []statement
}

type statement struct {
	deny bool
	// One of each pair is set.
	actions, notActions     []string
	resources, notResources []string
	conditions              []condition
	principals              []principal // in trust policies
}

// A principal that a trust policy names: a service, or an ARN, account or "*".
type principal struct {
	service string
	aws     string
}

// parse reads an identity policy.
func parse(text string) (*document, error) { return read(text, false) }

// parseTrust reads a role's trust policy.
func parseTrust(text string) (*document, error) { return read(text, true) }

func read(text string, trust bool) (*document, error) {
	tree, err := awsjson.Parse([]byte(text))
	if err != nil {
		return nil, malformed("Syntax errors in policy: %v", err)
	}
	r := reader{trust: trust}
	doc := &document{text: text, statements: r.document(tree)}
	if len(r.faults) > 0 {
		return nil, malformed("%s", strings.Join(r.faults, "; "))
	}
	return doc, nil
}

// text is a policy document as a template gives it, a structure or a string, as
// JSON.
func text(tree any) (string, error) {
	if text, ok := tree.(string); ok {
		return text, nil
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		return "", malformed("Policy is not JSON: %v", err)
	}
	return string(raw), nil
}

func malformed(format string, args ...any) *wire.Error {
	return wire.Errorf("MalformedPolicyDocument", format, args...)
}

// A reader turns a tree into statements and collects every fault.
type reader struct {
	trust  bool
	faults []string
}

func (r *reader) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *reader) document(tree any) []statement {
	members, ok := tree.(map[string]any)
	if !ok {
		r.fault("Policy is not a structure")
		return nil
	}
	r.known("Policy", members, "Version", "Id", "Statement")
	if v, given := members["Version"]; given && v != "2012-10-17" && v != "2008-10-17" {
		r.fault("Version: %v is neither 2012-10-17 nor 2008-10-17", v)
	}
	list, ok := members["Statement"].([]any)
	if !ok && members["Statement"] != nil {
		list = []any{members["Statement"]}
	}
	if len(list) == 0 {
		r.fault("Statement: is required")
	}
	var statements []statement
	for i, item := range list {
		statements = append(statements, r.statement(fmt.Sprintf("Statement[%d]", i), item))
	}
	return statements
}

func (r *reader) statement(at string, tree any) statement {
	var st statement
	members, ok := tree.(map[string]any)
	if !ok {
		r.fault("%s: is not a structure", at)
		return st
	}
	r.known(at, members, "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal")
	switch members["Effect"] {
	case "Allow":
	case "Deny":
		st.deny = true
	default:
		r.fault("%s.Effect: is neither Allow nor Deny", at)
	}
	st.actions, st.notActions = r.either(at, members, "Action", "NotAction")
	for _, action := range slices.Concat(st.actions, st.notActions) {
		if vendor, name, ok := strings.Cut(action, ":"); action != "*" && (!ok || vendor == "" || name == "") {
			r.fault("%s: action %q is not a vendor and a name", at, action)
		}
	}
	if r.trust {
		if members["Resource"] != nil || members["NotResource"] != nil {
			r.fault("%s: Has prohibited field Resource", at)
		}
		st.principals = r.principals(at+".Principal", members["Principal"])
	} else {
		r.resources(at, members, &st)
	}
	if c, given := members["Condition"]; given {
		st.conditions = r.conditions(at+".Condition", c)
	}
	return st
}

func (r *reader) resources(at string, members map[string]any, st *statement) {
	if members["Principal"] != nil {
		r.fault("%s: Policy document should not specify a principal", at)
	}
	st.resources, st.notResources = r.either(at, members, "Resource", "NotResource")
	for _, resource := range slices.Concat(st.resources, st.notResources) {
		if !strings.HasPrefix(resource, "*") && !strings.HasPrefix(resource, "arn:") {
			r.fault("%s: Resource %s must be in ARN format or \"*\"", at, resource)
		}
	}
}

// either reads the one of two exclusive lists that is given.
func (r *reader) either(at string, members map[string]any, is, not string) (wanted, unwanted []string) {
	_, hasIs := members[is]
	_, hasNot := members[not]
	switch {
	case hasIs == hasNot:
		r.fault("%s: needs either %s or %s", at, is, not)
	case hasIs:
		return r.texts(at+"."+is, members[is]), nil
	}
	return nil, r.texts(at+"."+not, members[not])
}

func (r *reader) known(at string, members map[string]any, names ...string) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(names, name) {
			r.fault("%s.%s: is unknown to the embedded AWS", at, name)
		}
	}
}

// texts reads a string or a list of strings.
func (r *reader) texts(at string, tree any) []string {
	list, ok := tree.([]any)
	if !ok {
		list = []any{tree}
	}
	if len(list) == 0 && tree != nil {
		r.fault("%s: is empty", at)
	}
	var texts []string
	for _, item := range list {
		text, ok := scalar(item)
		switch {
		case !ok || text == "":
			r.fault("%s: is not a string or a list of strings", at)
		case strings.Contains(text, "${"):
			r.fault("%s: the embedded AWS knows no policy variables: %s", at, text)
		default:
			texts = append(texts, text)
		}
	}
	return texts
}

func scalar(tree any) (string, bool) {
	switch v := tree.(type) {
	case string:
		return v, true
	case bool, json.Number:
		return fmt.Sprint(v), true
	}
	return "", false
}

func (r *reader) principals(at string, tree any) []principal {
	if tree == "*" {
		return []principal{{aws: "*"}}
	}
	members, ok := tree.(map[string]any)
	if !ok || len(members) == 0 {
		r.fault("%s: is required", at)
		return nil
	}
	r.known(at, members, "Service", "AWS")
	var all []principal
	if services, given := members["Service"]; given {
		for _, name := range r.texts(at+".Service", services) {
			all = append(all, principal{service: name})
		}
	}
	if callers, given := members["AWS"]; given {
		for _, arn := range r.texts(at+".AWS", callers) {
			all = append(all, principal{aws: arn})
		}
	}
	return all
}
