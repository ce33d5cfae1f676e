package template

import (
	"bytes"
	"reflect"
	"slices"
)

// A Template is a template that has passed every check that needs no stack.
type Template struct {
	Description string
	Transforms  []string // as declared, e.g. "AWS::Serverless-2016-10-31"
	Metadata    *Node    // nil when there is none
	Parameters  []*Parameter
	Conditions  []*Condition // in an order in which each names only earlier ones
	Resources   []*Resource  // in the order of the text
	Outputs     []*Output

	mappings map[string]map[string]map[string]any
}

// A Condition is a named condition.
type Condition struct {
	Name string
	expr *Node
}

// A Resource is a resource as the template declares it.
type Resource struct {
	LogicalID           string
	Type                string
	Line                int
	Condition           string // empty: always
	DependsOn           []string
	DeletionPolicy      string // Delete, Retain, RetainExceptOnCreate or Snapshot; empty: Delete
	UpdateReplacePolicy string
	Metadata            *Node
	Properties          *Node // nil when there are none
}

// An Output is a value that a stack shows.
type Output struct {
	Name        string
	Description string
	Condition   string
	Value       *Node
	Export      *Node // the export's name; nil when it is not exported
}

// Options say what a template may use.
type Options struct {
	// Type finds a resource type. Its properties are a struct type as package
	// resource decodes them, or nil when only the service knows them.
	Type func(name string) (properties reflect.Type, ok bool)
	// Transforms that have been applied.
	Transforms []string
	// ParameterStore says that parameters may take their values from Systems
	// Manager.
	ParameterStore bool
}

// Read turns a template's text into nodes. It notes faults; the root is nil when
// there is nothing to go on with. As in CloudFormation, a text that begins with
// a brace is JSON and any other is YAML.
func Read(source []byte, faults *Faults) *Node {
	var root *Node
	if bytes.HasPrefix(bytes.TrimSpace(source), []byte("{")) {
		root = readJSON(source, faults)
	} else {
		root = readYAML(source, faults)
	}
	if root == nil {
		if len(faults.all) == 0 {
			faults.Add(0, "", "the template is empty")
		}
		return nil
	}
	if root.Kind != Dict {
		faults.Add(root.Line, "", "the template is %s, not a map of sections", root.kind())
		return nil
	}
	return root
}

// Quotas of a template.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const (
	maxParameters  = 200
	maxMappings    = 200
	maxResources   = 500
	maxOutputs     = 200
	maxDescription = 1024
)

// Build makes a template of nodes and checks it. The error is an *Error that
// tells every fault, those noted so far too.
func Build(root *Node, faults *Faults, options Options) (*Template, error) {
	if root == nil {
		return nil, faults.Err()
	}
	b := &builder{Faults: faults, Options: options, t: &Template{mappings: map[string]map[string]map[string]any{}}}
	b.sections(root)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return b.t, nil
}

// A builder checks a template section by section.
type builder struct {
	*Faults
	Options
	t          *Template
	parameters map[string]*Parameter
	conditions map[string]*Node
	resources  map[string]*Node
}

func (b *builder) sections(root *Node) {
	// Names first: sections refer to each other in any order.
	b.parameters = map[string]*Parameter{}
	b.conditions = b.index(root, "Conditions")
	b.resources = b.index(root, "Resources")
	if root.Get("Resources") == nil {
		b.Add(root.Line, "", "section Resources is missing: at least one resource must be defined")
	}
	if n := root.Get("Parameters"); n != nil {
		b.parametersSection(n)
	}
	if n := root.Get("Mappings"); n != nil {
		b.mappingsSection(n)
	}
	for _, p := range root.Pairs {
		switch p.Key {
		case "AWSTemplateFormatVersion":
			if v, _ := p.Value.IsString(); v != "2010-09-09" {
				b.Add(p.Line, p.Key, "must be \"2010-09-09\"")
			}
		case "Description":
			b.t.Description = b.text(p.Value, p.Key)
			if len(b.t.Description) > maxDescription {
				b.Add(p.Line, p.Key, "has %d bytes, the limit is %d", len(b.t.Description), maxDescription)
			}
		case "Transform":
			b.transforms(p.Value)
		case "Metadata":
			b.metadataSection(p.Value)
		case "Conditions":
			b.conditionsSection(p.Value)
		case "Resources":
			b.resourcesSection(p.Value)
		case "Outputs":
			b.outputsSection(p.Value)
		case "Parameters", "Mappings":
		default:
			b.Add(p.Line, p.Key, "unknown section")
		}
	}
}

// index lists what a section defines by name.
func (b *builder) index(root *Node, section string) map[string]*Node {
	names := map[string]*Node{}
	if n := root.Get(section); n != nil && n.Kind == Dict {
		for _, p := range n.Pairs {
			names[p.Key] = p.Value
		}
	}
	return names
}

// dict says whether a node is a map, and notes a fault if not.
func (b *builder) dict(n *Node, path string) bool {
	if n.Kind != Dict {
		b.Add(n.Line, path, "is %s, not a map", n.kind())
		return false
	}
	return true
}

// section says whether a node is a section of at most limit entries with
// alphanumeric names.
func (b *builder) section(n *Node, name string, limit int) bool {
	if !b.dict(n, name) {
		return false
	}
	if len(n.Pairs) > limit {
		b.Add(n.Line, name, "has %d entries, the limit is %d", len(n.Pairs), limit)
	}
	for _, p := range n.Pairs {
		if !alphanumeric(p.Key) {
			b.Add(p.Line, at(name, p.Key), "the name must be alphanumeric and at most 255 characters long")
		}
	}
	return true
}

func alphanumeric(name string) bool {
	if name == "" || len(name) > 255 {
		return false
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// text is a literal string; numbers count as their text.
func (b *builder) text(n *Node, path string) string {
	if n.Kind != Scalar || n.Value == nil {
		b.Add(n.Line, path, "is %s, not a string", n.kind())
		return ""
	}
	return n.Text
}

// texts is a literal string or a list of them.
func (b *builder) texts(n *Node, path string) []string {
	if n.Kind != List {
		return []string{b.text(n, path)}
	}
	list := make([]string, len(n.Items))
	for i, node := range n.Items {
		list[i] = b.text(node, item(path, i))
	}
	return list
}

func (b *builder) transforms(n *Node) {
	b.t.Transforms = b.texts(n, "Transform")
	for _, name := range b.t.Transforms {
		if !slices.Contains(b.Transforms, name) {
			b.Add(n.Line, "Transform", "unknown transform %s", name)
		}
	}
}

// DeclaredTransforms lists the transforms that a root names; whatever is
// malformed is left for Build to tell.
func DeclaredTransforms(root *Node) []string {
	n := root.Get("Transform")
	if n == nil {
		return nil
	}
	if name, ok := n.IsString(); ok {
		return []string{name}
	}
	var names []string
	for _, entry := range n.Items {
		if name, ok := entry.IsString(); ok {
			names = append(names, name)
		}
	}
	return names
}

// mappingsSection reads Mappings.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/mappings-section-structure.html
func (b *builder) mappingsSection(n *Node) {
	if !b.section(n, "Mappings", maxMappings) {
		return
	}
	for _, m := range n.Pairs {
		path := at("Mappings", m.Key)
		tops := map[string]map[string]any{}
		b.t.mappings[m.Key] = tops
		if !b.dict(m.Value, path) {
			continue
		}
		for _, top := range m.Value.Pairs {
			topPath := at(path, top.Key)
			tops[top.Key] = map[string]any{}
			if !b.dict(top.Value, topPath) {
				continue
			}
			for _, second := range top.Value.Pairs {
				tops[top.Key][second.Key] = b.mapped(second.Value, at(topPath, second.Key))
			}
		}
	}
}

// mapped is a mapping's value: a scalar or a list of scalars.
func (b *builder) mapped(n *Node, path string) any {
	if n.Kind == List {
		for i, value := range n.Items {
			if value.Kind != Scalar || value.Value == nil {
				b.Add(value.Line, item(path, i), "is %s; mappings hold strings and lists of strings", value.kind())
			}
		}
	} else if n.Kind != Scalar || n.Value == nil {
		b.Add(n.Line, path, "is %s; mappings hold strings and lists of strings", n.kind())
	}
	return n.Literal()
}

// metadataSection checks the part of Metadata that CloudFormation reads.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-cloudformation-interface.html
func (b *builder) metadataSection(n *Node) {
	if !b.dict(n, "Metadata") {
		return
	}
	b.t.Metadata = n
	face := n.Get("AWS::CloudFormation::Interface")
	path := at("Metadata", "AWS::CloudFormation::Interface")
	if face == nil || !b.dict(face, path) {
		return
	}
	for _, p := range face.Pairs {
		switch p.Key {
		case "ParameterGroups":
			b.parameterGroups(p.Value, at(path, p.Key))
		case "ParameterLabels":
			if b.dict(p.Value, at(path, p.Key)) {
				for _, label := range p.Value.Pairs {
					b.interfaceParameter(label.Key, label.Line, at(path, p.Key))
				}
			}
		default:
			b.Add(p.Line, at(path, p.Key), "is unknown")
		}
	}
}

func (b *builder) parameterGroups(n *Node, path string) {
	for i, group := range n.Items {
		parameters := group.Get("Parameters")
		if parameters == nil {
			continue
		}
		for _, name := range parameters.Items {
			b.interfaceParameter(name.Text, name.Line, at(item(path, i), "Parameters"))
		}
	}
}

func (b *builder) interfaceParameter(name string, line int, path string) {
	if b.parameters[name] == nil {
		b.Add(line, path, "unknown parameter %s", name)
	}
}

// outputsSection reads Outputs.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/outputs-section-structure.html
func (b *builder) outputsSection(n *Node) {
	if !b.section(n, "Outputs", maxOutputs) {
		return
	}
	for _, p := range n.Pairs {
		path := at("Outputs", p.Key)
		if !b.dict(p.Value, path) {
			continue
		}
		out := &Output{Name: p.Key}
		for _, m := range p.Value.Pairs {
			b.output(out, m, at(path, m.Key))
		}
		if out.Value == nil {
			b.Add(p.Line, path, "Value is missing")
		}
		b.t.Outputs = append(b.t.Outputs, out)
	}
}

func (b *builder) output(out *Output, m Pair, path string) {
	switch m.Key {
	case "Value":
		out.Value = m.Value
		b.value(m.Value, path, inProperty)
	case "Description":
		out.Description = b.text(m.Value, path)
	case "Condition":
		out.Condition = b.conditionName(m.Value, path)
	case "Export":
		if !b.dict(m.Value, path) {
			return
		}
		for _, e := range m.Value.Pairs {
			if e.Key != "Name" {
				b.Add(e.Line, at(path, e.Key), "is unknown")
				continue
			}
			out.Export = e.Value
			b.value(e.Value, at(path, e.Key), inName)
		}
		if out.Export == nil {
			b.Add(m.Line, path, "Name is missing")
		}
	default:
		b.Add(m.Line, path, "is unknown")
	}
}
