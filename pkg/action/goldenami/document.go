package goldenami

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"cutover/pkg/awsclient"
)

// A Document is the Automation document with what it is given.
type Document struct {
	Version string              // its number
	Hash    string              // of its content; "" if AWS does not tell
	Given   map[string][]string // the parameters to start it with, {{ssm:...}} resolved
	Source  string              // the source image's id, "" if it is not known
}

// readDocument reads the document and resolves its parameters. What is wrong
// with them comes as faults.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeDocument.html
func (a *Action) readDocument(ctx context.Context, p Params) (d Document, faults []string, err error) {
	in := &ssm.DescribeDocumentInput{Name: &p.Document}
	if p.DocumentVersion != "" {
		in.DocumentVersion = &p.DocumentVersion
	}
	out, err := a.clients.SSM().DescribeDocument(ctx, in)
	switch {
	case awsclient.IsCode(err, "InvalidDocument"):
		return d, []string{fmt.Sprintf("there is no document %s", p.Document)}, nil
	case awsclient.IsCode(err, "InvalidDocumentVersion"):
		return d, []string{fmt.Sprintf("document %s has no version %s", p.Document, p.DocumentVersion)}, nil
	case err != nil:
		return d, nil, fmt.Errorf("describe document %s: %w", p.Document, err)
	}
	described := out.Document
	if described.DocumentType != types.DocumentTypeAutomation {
		return d, []string{fmt.Sprintf("document %s is of type %s, want Automation", p.Document, described.DocumentType)}, nil
	}
	d.Version, d.Hash, d.Given = str(described.DocumentVersion), str(described.Hash), map[string][]string{}
	for name, values := range p.Parameters {
		d.Given[name] = slices.Clone(values)
	}
	faults = mismatch(p, described.Parameters)
	unresolved, err := a.resolve(ctx, described.Parameters, d.Given)
	if err != nil {
		return d, nil, err
	}
	faults = append(faults, unresolved...)
	source, fault := p.source(described.Parameters, d.Given)
	if fault != "" {
		faults = append(faults, fault)
	}
	d.Source = source
	return d, faults, nil
}

// mismatch are parameters that the document does not have. Whether one is
// missing AWS tells at the start: described, no default looks like an empty one.
func mismatch(p Params, declared []types.DocumentParameter) (faults []string) {
	var names []string
	for _, param := range declared {
		names = append(names, str(param.Name))
	}
	slices.Sort(names)
	has := "it has " + strings.Join(names, ", ")
	if len(names) == 0 {
		has = "it has none"
	}
	for _, name := range sortedKeys(p.Parameters) {
		if !slices.Contains(names, name) {
			faults = append(faults, fmt.Sprintf("parameters.%s is not a parameter of document %s (%s)", name, p.Document, has))
		}
	}
	return faults
}

// resolve replaces {{ssm:NAME}} in given, and gives values to parameters whose
// default it is: the image must be of what was looked at.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-variables.html
func (a *Action) resolve(ctx context.Context, declared []types.DocumentParameter, given map[string][]string) (faults []string, err error) {
	for _, param := range declared {
		name := str(param.Name)
		if _, known := given[name]; !known && stored(str(param.DefaultValue)) != "" {
			given[name] = []string{str(param.DefaultValue)}
		}
	}
	for _, name := range sortedKeys(given) {
		for i, value := range given[name] {
			parameter := stored(value)
			if parameter == "" {
				continue
			}
			found, err := a.parameter(ctx, parameter)
			switch {
			case err != nil:
				return nil, err
			case !found.Exists:
				faults = append(faults, fmt.Sprintf("parameter %s, which %s of the document is to be, does not exist", parameter, name))
			}
			given[name][i] = found.Value
		}
	}
	return faults, nil
}

// stored is NAME of a value {{ssm:NAME}}, else "".
func stored(value string) string {
	inner, opened := strings.CutPrefix(strings.TrimSpace(value), "{{")
	inner, closed := strings.CutSuffix(inner, "}}")
	name, is := strings.CutPrefix(strings.TrimSpace(inner), "ssm:")
	if !opened || !closed || !is {
		return ""
	}
	return strings.TrimSpace(name)
}

// source finds the image that the document starts from.
func (p Params) source(declared []types.DocumentParameter, given map[string][]string) (id, fault string) {
	values := map[string]string{}
	for _, param := range declared {
		values[str(param.Name)] = str(param.DefaultValue)
	}
	for name, list := range given {
		if len(list) > 0 {
			values[name] = list[0]
		}
	}
	if name := p.SourceParameter; name != "" {
		value, exists := values[name]
		switch {
		case !exists:
			return "", fmt.Sprintf("sourceParameter %q is not a parameter of document %s", name, p.Document)
		case !isImage(value):
			return "", fmt.Sprintf("sourceParameter: %s of document %s is %q, which is not an image's id", name, p.Document, value)
		}
		return value, ""
	}
	for _, name := range []string{"SourceAmiId", "SourceImageId"} {
		if isImage(values[name]) {
			return values[name], ""
		}
	}
	var images []string
	for _, value := range values {
		if isImage(value) {
			images = append(images, value)
		}
	}
	switch {
	case len(images) == 1:
		return images[0], ""
	case p.Reuse != nil:
		return "", fmt.Sprintf("reuse needs the source image, and %d parameters of document %s are an image's id: give sourceParameter", len(images), p.Document)
	}
	return "", ""
}

func isImage(value string) bool {
	id, is := strings.CutPrefix(value, "ami-")
	return is && id != "" && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

// fingerprint tells images apart that are not made of the same; "" if it is not
// known what this one is made of.
func (p Params) fingerprint(d Document) string {
	if d.Source == "" {
		return ""
	}
	content := d.Hash
	if content == "" {
		content = "version " + d.Version
	}
	counted := map[string][]string{}
	for name, values := range d.Given {
		if p.Reuse != nil && slices.Contains(p.Reuse.Except, name) {
			continue
		}
		if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, p.Execution) }) {
			continue
		}
		counted[name] = values
	}
	text, err := json.Marshal([]any{p.Document, content, d.Source, counted}) // maps come sorted
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
