package cloudformation_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cutover/pkg/localaws/cloudformation/sam"
	"cutover/pkg/localaws/cloudformation/template"
)

// TestTemplates_OfThisRepository parses, transforms and resolves what ops
// deploy, with types that take every property: no section, intrinsic, reference
// or pseudo parameter in them may be unknown.
func TestTemplates_OfThisRepository(t *testing.T) {
	t.Parallel()
	const root = "../../.."
	files, err := filepath.Glob(root + "/infra/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, root+"/template.yaml")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var faults template.Faults
			source, err = sam.Package(source, func(id string) (string, error) { return "s3://artifacts/" + id, nil })
			if err != nil {
				t.Fatal(err)
			}
			nodes := template.Read(source, &faults)
			transforms := template.DeclaredTransforms(nodes)
			if len(transforms) > 0 {
				sam.Transform(nodes, &faults)
			}
			built, err := template.Build(nodes, &faults, template.Options{
				Type: func(name string) (reflect.Type, bool) {
					return nil, strings.HasPrefix(name, "AWS::") || strings.HasPrefix(name, "Custom::")
				},
				Transforms:     []string{sam.Name},
				ParameterStore: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			resolve(t, built)
		})
	}
}

func resolve(t *testing.T, built *template.Template) {
	t.Helper()
	given := map[string]string{}
	for _, p := range built.Parameters {
		if p.Default == nil {
			t.Logf("parameter %s (%s) has no default", p.Name, p.Type)
			given[p.Name] = "value"
		}
	}
	values, err := built.Bind(given, func(string) (string, error) { return "value", nil })
	if err != nil {
		t.Fatal(err)
	}
	s := &template.Scope{
		Template: built, Parameters: values, AccountID: "111122223333", Region: "us-east-1", Partition: "aws",
		URLSuffix: "amazonaws.com", StackName: "demo", StackID: "arn:stack", Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"},
		Resource: func(id, attribute string) (any, error) { return id + "." + attribute, nil },
		Import:   func(name string) (string, error) { return name, nil },
	}
	if err := s.Decide(); err != nil {
		t.Fatal(err)
	}
	ordered, err := s.Order()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range ordered {
		if _, err := s.Properties(r); err != nil {
			t.Error(err)
		}
	}
	for _, o := range built.Outputs {
		if s.Holds(o.Condition) {
			if _, _, err := s.Output(o); err != nil {
				t.Error(err)
			}
		}
	}
}
