package sam

import (
	"encoding/json"
	"fmt"

	"cutover/pkg/localaws/cloudformation/template"
)

// Package does what `sam package` does to a template: the code of each
// serverless function becomes the S3 object that uri gives for its logical id.
// The result is JSON. It does not touch S3.
func Package(source []byte, uri func(logicalID string) (string, error)) ([]byte, error) {
	var faults template.Faults
	root := template.Read(source, &faults)
	if err := faults.Err(); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	resources := root.Get("Resources")
	if resources == nil {
		return nil, fmt.Errorf("read template: it has no Resources")
	}
	for _, p := range resources.Pairs {
		if kind, _ := p.Value.Get("Type").IsString(); kind != functionType {
			continue
		}
		properties := p.Value.Get("Properties")
		if properties == nil {
			properties = template.Map(p.Line)
			p.Value.With("Properties", properties)
		}
		if properties.Get("InlineCode") != nil {
			continue
		}
		address, err := uri(p.Key)
		if err != nil {
			return nil, fmt.Errorf("package function %s: %w", p.Key, err)
		}
		properties.With("CodeUri", template.String(p.Line, address))
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode packaged template: %w", err)
	}
	return append(text, '\n'), nil
}
