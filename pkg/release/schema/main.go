// Command schema writes the JSON Schema of cutover.yaml to standard output, made
// from the types and comments of package release. Run it in the source directory:
//
//	go run ./pkg/release/schema > docs/cutover.schema.json
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"cutover/pkg/release"
)

func main() {
	text, err := generate(".")
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

// generate makes the schema from the module in root.
func generate(root string) ([]byte, error) {
	r := &jsonschema.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		DoNotReference:             true,
		Mapper:                     special,
	}
	const dir = "pkg/release"
	if err := r.AddGoComments("cutover", root+"/"+dir, jsonschema.WithFullComment()); err != nil {
		return nil, fmt.Errorf("read comments of %s: %w", dir, err)
	}
	r.CommentMap = trimmed(r.CommentMap)
	s := r.Reflect(&release.File{})
	s.Title = "cutover.yaml"
	s.ID = ""
	allowName(s)
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

// trimmed joins the lines of comments, and has their keys begin with the module,
// from wherever they were read.
func trimmed(comments map[string]string) map[string]string {
	out := map[string]string{}
	for key, text := range comments {
		_, name, _ := strings.Cut(key, "pkg/")
		out["cutover/pkg/"+name] = strings.Join(strings.Fields(text), " ")
	}
	return out
}

const durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`

// special are the types that are not written as Go has them.
func special(t reflect.Type) *jsonschema.Schema {
	duration := &jsonschema.Schema{Type: "string", Pattern: durationPattern, Examples: []any{"90s", "5m", "1h30m"}}
	switch t {
	case reflect.TypeFor[release.Duration]():
		return duration
	case reflect.TypeFor[release.Pause]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{duration, {Const: "approval"}}}
	}
	return nil
}

// allowName lets traffic be said by its name, all-at-once, and by only one of
// its keys.
func allowName(s *jsonschema.Schema) {
	traffic, ok := s.Properties.Get("traffic")
	if !ok {
		return
	}
	mapping := *traffic
	one := uint64(1)
	mapping.MaxProperties = &one
	mapping.Description = ""
	s.Properties.Set("traffic", &jsonschema.Schema{
		Description: traffic.Description,
		OneOf:       []*jsonschema.Schema{{Const: "all-at-once"}, &mapping},
	})
}
