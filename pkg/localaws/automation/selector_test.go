package automation

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSelector_Finds(t *testing.T) {
	t.Parallel()
	answer := obj(
		"Reservations", []any{
			obj("Instances", []any{obj("InstanceId", "i-1", "Tags", []any{obj("Key", "a")}), obj("InstanceId", "i-2")}),
			obj("Instances", []any{obj("InstanceId", "i-3")}),
		},
		"Count", int64(3), "odd name", "x", "Empty", []any{}, "Nil", nil,
	)
	cases := map[string]struct {
		want any
		ok   bool
	}{
		"$":       {answer, true},
		"$.Count": {int64(3), true},
		"$.Reservations[0].Instances[1].InstanceId":          {"i-2", true},
		"$.Reservations[*].Instances[*].InstanceId":          {[]any{"i-1", "i-2", "i-3"}, true},
		"$.Reservations[1].Instances[*].InstanceId":          {[]any{"i-3"}, true},
		"$.Reservations[*].Instances[0].InstanceId":          {[]any{"i-1", "i-3"}, true},
		"$.Reservations[*].Instances[*].Tags":                {[]any{[]any{obj("Key", "a")}}, true},
		"$['odd name']":                                      {"x", true},
		`$["Reservations"][0]['Instances'][0]["InstanceId"]`: {"i-1", true},
		"$.Empty[*].Name":                                    {[]any{}, true},
		"$.Empty[0]":                                         {nil, false},
		"$.Missing":                                          {nil, false},
		"$.Count.Value":                                      {nil, false},
		"$.Count[0]":                                         {nil, false},
		"$.Count[*]":                                         {nil, false},
		"$.Nil":                                              {nil, false},
	}
	for path, tc := range cases {
		s, err := parseSelector(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got, ok := s.find(answer)
		if ok != tc.ok || !ok && got != nil {
			t.Errorf("%s: got %v, %v, want %v, %v", path, got, ok, tc.want, tc.ok)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, path := range []string{"", "Images", "$..Id", "$.a[?(@.b)]", "$.a[-1]", "$.a[", "$.", "$.a[9999999999]", "$.a.*"} {
		if s, err := parseSelector(path); err == nil {
			t.Errorf("parse %q: got %v, want an error", path, s)
		}
	}
}

func TestAs_MakesOutputsOfTheirTypes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		in   any
		kind string
		want any
	}{
		{"x", "String", "x"},
		{int64(3), "String", "3"},
		{[]any{"a"}, "String", `["a"]`},
		{"a", "StringList", []any{"a"}},
		{[]any{"a", int64(1)}, "StringList", []any{"a", "1"}},
		{int64(3), "Integer", int64(3)},
		{"3", "Integer", int64(3)},
		{"x", "Integer", nil},
		{true, "Boolean", true},
		{"false", "Boolean", false},
		{"x", "Boolean", nil},
		{obj("a", "b"), "StringMap", obj("a", "b")},
		{"x", "StringMap", nil},
		{obj("a", "b"), "MapList", []any{obj("a", "b")}},
		{[]any{obj("a", "b")}, "MapList", []any{obj("a", "b")}},
		{[]any{"a"}, "MapList", nil},
		{"x", "MapList", nil},
	}
	for _, tc := range cases {
		got, err := as(tc.in, tc.kind)
		if (err != nil) != (tc.want == nil) || !cmp.Equal(got, tc.want) {
			t.Errorf("%v as %s: got %v, %v, want %v", tc.in, tc.kind, got, err, tc.want)
		}
	}
}
