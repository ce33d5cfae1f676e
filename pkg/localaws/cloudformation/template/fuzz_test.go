package template_test

import (
	"os"
	"strings"
	"testing"

	"cutover/pkg/localaws/cloudformation/template"
)

// FuzzBuild holds that no text makes the reader panic, and that what it takes
// can be bound, ordered and evaluated without one.
func FuzzBuild(f *testing.F) {
	for _, name := range []string{"faults.yaml", "faults.json", "syntax.yaml", "syntax.json", "readfaults.yaml"} {
		source, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source))
	}
	f.Add(preamble + "!Sub '${R.Arn}'")
	f.Add(parameters)
	f.Add(`{"Resources": {"R": {"Type": "Test::R", "Properties": {"V": {"Fn::Cidr": ["::/0", 256, 64]}}}}}`)
	f.Fuzz(func(t *testing.T, source string) {
		built, err := build(source)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without a text")
			}
			return
		}
		values, err := built.Bind(nil, func(string) (string, error) { return "stored", nil })
		if err != nil {
			return
		}
		s := &template.Scope{
			Template: built, Parameters: values, Region: "us-east-1",
			Resource: func(string, string) (any, error) { return template.Unknown{}, nil },
			Import:   func(string) (string, error) { return "imported", nil },
		}
		if s.Decide() != nil {
			return
		}
		ordered, err := s.Order()
		if err != nil {
			return
		}
		for _, r := range ordered {
			if p, err := s.Properties(r); err == nil {
				template.Canonical(p)
			}
		}
		for _, o := range built.Outputs {
			_, _, _ = s.Output(o)
		}
	})
}
