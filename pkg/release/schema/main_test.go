package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"cutover/pkg/release"
)

const published = "../../../docs/cutover.schema.json"

func TestSchema_IsWhatTheTypesSay(t *testing.T) {
	t.Parallel()
	want, err := generate("../../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("docs/cutover.schema.json is not up to date: run go run ./pkg/release/schema > docs/cutover.schema.json")
	}
}

// Whatever the schema refuses, Load must refuse; Load knows more.
func TestSchema_AgreesWithLoad(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile(published)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile("../testdata/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const minimal = "set: shop\nservices: [{name: web, loadBalancer: shop, cluster: shop, services: [a, b]}]\n"
	for name, c := range map[string]struct {
		text  string
		valid bool
	}{
		"every key":                {string(whole), true},
		"the least":                {minimal, true},
		"all at once":              {minimal + "traffic: all-at-once", true},
		"an unknown key":           {minimal + "trafic: all-at-once", false},
		"no services":              {"set: shop\nservices: []", false},
		"two strategies":           {minimal + "traffic: {canary: {percent: 1, interval: 1m}, linear: {percent: 1, interval: 1m}}", false},
		"an unknown strategy":      {minimal + "traffic: blue-green", false},
		"a duration without unit":  {minimal + "bake: 5", false},
		"a name with a space":      {strings.Replace(minimal, "shop", "my shop", 1), false},
		"a percentage that is 100": {minimal + "traffic: {canary: {percent: 100, interval: 1m}}", false},
		"a missing function":       {minimal + "hooks: {afterStep: {timeout: 1m}}", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var value any
			if err := yaml.Unmarshal([]byte(c.text), &value); err != nil {
				t.Fatal(err)
			}
			bySchema := schema.Validate(value)
			_, byLoad := release.Load([]byte(c.text))
			if (bySchema == nil) != c.valid || (byLoad == nil) != c.valid {
				t.Errorf("got %v by the schema and %v by Load, want valid: %v", bySchema, byLoad, c.valid)
			}
		})
	}
}
