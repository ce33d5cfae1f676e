package template

import (
	"reflect"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// resourcesSection reads Resources.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html
func (b *builder) resourcesSection(n *Node) {
	if !b.section(n, "Resources", maxResources) {
		return
	}
	if len(n.Pairs) == 0 {
		b.Add(n.Line, "Resources", "at least one resource must be defined")
	}
	for _, p := range n.Pairs {
		path := at("Resources", p.Key)
		if b.parameters[p.Key] != nil {
			b.Add(p.Line, path, "a parameter has this name too")
		}
		if !b.dict(p.Value, path) {
			continue
		}
		r := &Resource{LogicalID: p.Key, Line: p.Line}
		for _, m := range p.Value.Pairs {
			b.resource(r, m, at(path, m.Key))
		}
		b.typed(r, p.Line, path)
		b.t.Resources = append(b.t.Resources, r)
	}
}

// resource reads one attribute of a resource.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-product-attribute-reference.html
func (b *builder) resource(r *Resource, m Pair, path string) {
	switch m.Key {
	case "Type":
		r.Type = b.text(m.Value, path)
	case "Properties":
		r.Properties = m.Value
		if b.dict(m.Value, path) {
			b.value(m.Value, path, inProperty)
		}
	case "Condition":
		r.Condition = b.conditionName(m.Value, path)
	case "DependsOn":
		r.DependsOn = b.texts(m.Value, path)
		for _, name := range r.DependsOn {
			if b.resources[name] == nil {
				b.Add(m.Line, path, "unknown resource %s", name)
			}
		}
	case "DeletionPolicy":
		r.DeletionPolicy = b.policy(m, path, "Delete", "Retain", "RetainExceptOnCreate")
	case "UpdateReplacePolicy":
		r.UpdateReplacePolicy = b.policy(m, path, "Delete", "Retain")
	case "Metadata":
		r.Metadata = m.Value
		b.dict(m.Value, path)
	default:
		b.Add(m.Line, path, "unknown resource attribute")
	}
}

// policy reads a policy. Snapshot is not among those allowed: no resource type
// here can be restored from one.
func (b *builder) policy(m Pair, path string, allowed ...string) string {
	policy := b.text(m.Value, path)
	if !slices.Contains(allowed, policy) {
		b.Add(m.Line, path, "is %q, must be one of %s", policy, strings.Join(allowed, ", "))
	}
	return policy
}

// typed checks a resource's type, and the properties that the type has.
func (b *builder) typed(r *Resource, line int, path string) {
	if r.Type == "" {
		b.Add(line, path, "Type is missing")
		return
	}
	properties, ok := b.Type(r.Type)
	if !ok {
		b.Add(line, at(path, "Type"), "unknown resource type %s", r.Type)
		return
	}
	if properties == nil || properties.Kind() != reflect.Struct {
		return
	}
	n := r.Properties
	if n == nil {
		n = Map(line)
	}
	b.shape(n, properties, at(path, "Properties"))
}

// shape checks a value against the type that a service decodes it into, as far
// as it is literal.
func (b *builder) shape(n *Node, t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if function, argument, ok := n.Call(); ok {
		if function == "Fn::If" && argument.Kind == List && len(argument.Items) == 3 {
			b.shape(argument.Items[1], t, item(path, 1))
			b.shape(argument.Items[2], t, item(path, 2))
		}
		return
	}
	switch t.Kind() {
	case reflect.Interface:
	case reflect.Struct:
		if t.PkgPath() == "time" {
			b.literal(n, t, path)
			return
		}
		b.members(n, t, path)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			b.literal(n, t, path)
			return
		}
		if n.Kind != List {
			b.Add(n.Line, path, "is %s, not a list", n.kind())
			return
		}
		for i, value := range n.Items {
			b.shape(value, t.Elem(), item(path, i))
		}
	case reflect.Map:
		if b.dict(n, path) {
			for _, p := range n.Pairs {
				b.shape(p.Value, t.Elem(), at(path, p.Key))
			}
		}
	default:
		b.literal(n, t, path)
	}
}

func (b *builder) members(n *Node, t reflect.Type, path string) {
	if !b.dict(n, path) {
		return
	}
	fields := map[string]reflect.Type{}
	for _, f := range wire.Fields(t, wire.AsIs) {
		fields[f.Name] = f.Type
		if f.Required && n.Get(f.Name) == nil {
			b.Add(n.Line, at(path, f.Name), "is required")
		}
	}
	for _, p := range n.Pairs {
		if intrinsicName(p.Key) {
			continue // told by value already
		}
		field, ok := fields[p.Key]
		if !ok {
			b.Add(p.Line, at(path, p.Key), "unknown property")
			continue
		}
		b.shape(p.Value, field, at(path, p.Key))
	}
}

// literal checks a scalar by decoding it as the service will.
func (b *builder) literal(n *Node, t reflect.Type, path string) {
	if n.Kind != Scalar {
		b.Add(n.Line, path, "is %s, not a scalar", n.kind())
		return
	}
	for _, fault := range (wire.Dialect{Naming: wire.AsIs, Lenient: true}).Fill(reflect.New(t).Interface(), n.Value) {
		b.Add(n.Line, path, "%s", strings.TrimPrefix(fault, "input: "))
	}
}
