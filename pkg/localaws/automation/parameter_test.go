package automation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const typed = `
schemaVersion: '0.3'
assumeRole: '{{ Role }}'
parameters:
  Role: {type: AWS::IAM::Role::Arn, default: ''}
  Name: {type: String, allowedPattern: '^[a-z]+$', minChars: 2, maxChars: 5}
  Size: {type: Integer, default: 3, allowedValues: [1, 3, 5]}
  On: {type: Boolean, default: true}
  List: {type: StringList, default: [a, b], minItems: 1, maxItems: 3}
  Groups: {type: List<AWS::EC2::SecurityGroup::Id>, default: []}
  Map: {type: StringMap, default: {k: v}}
  Maps: {type: MapList, default: [{k: v}, {k: w}]}
  Image: {type: AWS::EC2::Image::Id, default: '{{ssm:/image}}'}
  Text: {type: String, default: 'from {{ Image }} in {{global:REGION}} at {{global:DATE_TIME}} by {{automation:EXECUTION_ID}}'}
mainSteps:
  - {name: a, action: 'aws:pause', inputs: {}}
`

func images(name string) (string, bool) { return "ami-1", name == "/image" }

func TestResolve_FillsInDefaults(t *testing.T) {
	t.Parallel()
	got, err := parse(t, typed).Resolve(map[string][]string{"Name": {"abc"}, "List": {"x"}}, images)
	if err != nil {
		t.Fatalf("Resolve: %v", err)
	}
	want := map[string][]string{
		"Role": {""}, "Name": {"abc"}, "Size": {"3"}, "On": {"true"}, "List": {"x"}, "Groups": {}, "Map": {`{"k":"v"}`},
		"Maps": {`{"k":"v"}`, `{"k":"w"}`}, "Image": {"ami-1"},
		"Text": {"from {{ Image }} in {{global:REGION}} at {{global:DATE_TIME}} by {{automation:EXECUTION_ID}}"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestResolve_ListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := parse(t, typed).Resolve(map[string][]string{
		"Nome": {"x"}, "Size": {"4"}, "On": {"yes"}, "List": {"a", "b", "c", "d"}, "Map": {"k=v"}, "Maps": {`{"k":"v"}`, "[1]"},
		"Image": {"{{ssm:/other}}"}, "Role": {"a", "b"},
	}, images)
	want := []string{
		"parameter Nome: is not defined in the document", "parameter Name: is required", `parameter Size: "4" is not one of the allowed values 1, 3, 5`,
		`parameter On: "yes" is not true or false`, "parameter List: has 4 items", `parameter Map: "k=v" is not a JSON map`, `parameter Maps: "[1]" is not a JSON map`,
		"parameter Image: Parameter Store has no parameter /other", "parameter Role: has 2 values, want one",
	}
	if err == nil {
		t.Fatalf("Resolve: got no error, want %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Resolve: got %v, want %q in it", err, w)
		}
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != len(want) {
		t.Errorf("faults: got %d, want %d", got, len(want))
	}
	for name, wrong := range map[string]string{"Abc": "does not match", "abcdef": "has 6 characters"} {
		if _, err := parse(t, typed).Resolve(map[string][]string{"Name": {name}}, images); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("Name %s: got %v, want %q in it", name, err, wrong)
		}
	}
}

func TestRole_IsTheParameters(t *testing.T) {
	t.Parallel()
	got, err := parse(t, typed).Role(map[string][]string{"Role": {"arn:aws:iam::111122223333:role/a"}})
	if want := "arn:aws:iam::111122223333:role/a"; err != nil || got != want {
		t.Errorf("Role: got %q, %v, want %q", got, err, want)
	}
}

func TestScope_Expands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := parse(t, typed)
	parameters, err := d.Resolve(map[string][]string{"Name": {"abc"}, "List": {`["x","y"]`}}, images)
	if err != nil {
		t.Fatal(err)
	}
	sc := scope{document: d, parameters: parameters, outputs: map[string]any{"a.Ids": []any{"i-1", "i-2"}, "a.Raw": "{{Name}}"},
		id: testID, region: "us-east-1", account: "111122223333", now: w.clock.Now()}
	cases := map[string]struct{ in, want any }{
		"a text without references":          {"plain {{ not this }} { {x} }", "plain {{ not this }} { {x} }"},
		"a reference keeps its type":         {"{{ Size }}", int64(3)},
		"a boolean":                          {" {{On}} ", true},
		"a list":                             {"{{List}}", []any{"x", "y"}},
		"a list within a list":               {[]any{"{{a.Ids}}", "i-3"}, []any{"i-1", "i-2", "i-3"}},
		"a list of lists that is no text":    {[]any{[]any{"{{a.Ids}}"}}, []any{[]any{"i-1", "i-2"}}},
		"a map":                              {map[string]any{"m": "{{Map}}"}, obj("m", obj("k", "v"))},
		"maps":                               {"{{Maps}}", []any{obj("k", "v"), obj("k", "w")}},
		"values within a text":               {"{{Name}}-{{Size}}-{{On}}-{{List}}-{{Map}}", `abc-3-true-["x","y"]-{"k":"v"}`},
		"system variables":                   {"{{global:ACCOUNT_ID}} {{global:AWS_PARTITION}} {{global:DATE}}", "111122223333 aws 2026-03-04"},
		"variables in a parameter's default": {"{{Text}}", "from ami-1 in us-east-1 at 2026-03-04_05.06.07 by " + testID},
		"no variables in an output":          {"{{a.Raw}}", "{{Name}}"},
		"numbers as they are":                {int64(7), int64(7)},
	}
	for name, tc := range cases {
		got, err := sc.expand(tc.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := sc.expand(map[string]any{"x": []any{"a {{a.Missing}}"}}); err == nil || !strings.Contains(err.Error(), "Failed to resolve input: a.Missing") {
		t.Errorf("a missing output: got %v, want it refused", err)
	}
}

func TestOf_MakesInputsOfTheirKinds(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		in   any
		kind kind
		want any
		err  string
	}{
		"a list of one as a string":     {[]any{"i-1"}, text, "i-1", ""},
		"a number as a string":          {int64(7), text, "7", ""},
		"a list of two as a string":     {[]any{"a", "b"}, text, nil, "is not a string"},
		"a comma-separated string":      {"a, b,", names, []any{"a", "b"}, ""},
		"an empty string as a list":     {"", names, nil, ""},
		"a map as a list":               {obj("a", "b"), names, nil, "is not a list"},
		"a string as a number":          {"12", count, int64(12), ""},
		"a word as a number":            {"twelve", count, nil, "is not a whole number"},
		"half as a number":              {1.5, count, nil, "is not a whole number"},
		"a string as a boolean":         {"true", flag, true, ""},
		"a word as a boolean":           {"yes", flag, nil, "is not of type Boolean"},
		"JSON as a tree":                {`{"a":["b"]}`, tree, obj("a", []any{"b"}), ""},
		"a word as a tree":              {"b", tree, nil, "is neither a map nor a list"},
		"nothing as a tree":             {"", tree, nil, ""},
		"nothing as a string":           {nil, text, nil, ""},
		"an empty list as no names":     {[]any{}, names, nil, ""},
		"a list with numbers as a list": {[]any{"a", int64(2)}, names, []any{"a", "2"}, ""},
	}
	for name, tc := range cases {
		got, err := of(tc.in, tc.kind)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: got error %v, want %q", name, err, tc.err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
