package template_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/cloudformation/template"
)

const parameters = `
Parameters:
  Name: {Type: String, AllowedPattern: "[a-z]+", MinLength: 2, MaxLength: 4}
  Size: {Type: Number, Default: 2, MinValue: 1, MaxValue: 3.5}
  Kind: {Type: String, Default: a, AllowedValues: [a, b], ConstraintDescription: choose a or b}
  Ports: {Type: List<Number>, Default: "1, 2"}
  Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /golden}
Resources: {R: {Type: Test::R}}
`

func bind(t *testing.T, given map[string]string) (map[string]template.Value, error) {
	t.Helper()
	var faults template.Faults
	root := template.Read([]byte(parameters), &faults)
	built, err := template.Build(root, &faults, template.Options{Type: types, ParameterStore: true})
	if err != nil {
		t.Fatal(err)
	}
	return built.Bind(given, func(name string) (string, error) {
		if name == "/golden" {
			return "ami-1", nil
		}
		return "", errors.New("ParameterNotFound")
	})
}

func TestBind_TakesGivenValuesAndDefaults(t *testing.T) {
	t.Parallel()
	got, err := bind(t, map[string]string{"Name": "web", "Size": "3.5"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]template.Value{
		"Name": {Given: "web"}, "Size": {Given: "3.5"}, "Kind": {Given: "a"}, "Ports": {Given: "1, 2"},
		"Image": {Given: "/golden", Resolved: "ami-1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestBind_ListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := bind(t, map[string]string{
		"Size": "4", "Kind": "c", "Ports": "1,x", "Image": "/none", "Colour": "red", "Shape": "round",
	})
	want := strings.Join([]string{
		"Parameter 'Size' must be a number not greater than 3.5",
		"Parameter Kind failed to satisfy constraint: choose a or b",
		"Parameter 'Ports' must be a number",
		"Unable to fetch parameters [/none] from parameter store for this account: ParameterNotFound",
		"Parameters: [Name] must have values",
		"Parameters: [Colour, Shape] do not exist in the template",
	}, "\n")
	if err == nil {
		t.Fatal("got no error, want one")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestBind_ChecksLengthAndPattern(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"a value that is too short", "a", "Parameter 'Name' must contain at least 2 characters"},
		{"a value that is too long", "abcde", "Parameter 'Name' must contain at most 4 characters"},
		{"a value that only begins like the pattern", "ab1", "Parameter 'Name' must match pattern [a-z]+"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := bind(t, map[string]string{"Name": c.value})
			if err == nil || err.Error() != c.want {
				t.Errorf("got error %v, want %s", err, c.want)
			}
		})
	}
}
