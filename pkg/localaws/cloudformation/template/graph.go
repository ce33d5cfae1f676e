package template

import (
	"fmt"
	"slices"
	"strings"
)

// Order lists the resources whose conditions hold so that each follows those it
// depends on, by reference or DependsOn, and otherwise in the order of the text.
func (s *Scope) Order() ([]*Resource, error) {
	byID := map[string]*Resource{}
	for _, r := range s.Template.Resources {
		if s.Holds(r.Condition) {
			byID[r.LogicalID] = r
		}
	}
	const visiting, done = 1, 2
	state := map[string]int{}
	var faults Faults
	var order []*Resource
	var visit func(r *Resource, trail []string)
	visit = func(r *Resource, trail []string) {
		id := r.LogicalID
		switch state[id] {
		case done:
			return
		case visiting:
			cycle := append(slices.Clone(trail[slices.Index(trail, id):]), id)
			faults.Add(r.Line, at("Resources", id), "circular dependency between resources: %s", strings.Join(cycle, " -> "))
			return
		}
		state[id] = visiting
		for _, other := range s.dependencies(r, byID, &faults) {
			visit(other, append(slices.Clone(trail), id))
		}
		state[id] = done
		order = append(order, r)
	}
	for _, r := range s.Template.Resources {
		if byID[r.LogicalID] != nil {
			visit(r, nil)
		}
	}
	for _, o := range s.Template.Outputs {
		if s.Holds(o.Condition) {
			s.unresolved(o.Value, byID, at("Outputs", o.Name), &faults)
		}
	}
	return order, faults.Err()
}

// Dependencies lists the resources that one depends on, after Order.
func (s *Scope) Dependencies(r *Resource) []string {
	byID := map[string]*Resource{}
	for _, other := range s.Template.Resources {
		if s.Holds(other.Condition) {
			byID[other.LogicalID] = other
		}
	}
	var ids []string
	for _, other := range s.dependencies(r, byID, &Faults{}) {
		ids = append(ids, other.LogicalID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// dependencies lists what a resource depends on. DependsOn of a resource whose
// condition does not hold is ignored, a reference to it is a fault.
func (s *Scope) dependencies(r *Resource, byID map[string]*Resource, faults *Faults) []*Resource {
	var others []*Resource
	for _, id := range r.DependsOn {
		if other := byID[id]; other != nil {
			others = append(others, other)
		}
	}
	if r.Properties == nil {
		return others
	}
	for _, id := range s.unresolved(r.Properties, byID, at("Resources", r.LogicalID), faults) {
		others = append(others, byID[id])
	}
	return others
}

// unresolved lists the resources that an expression names, and notes those that
// there will not be.
func (s *Scope) unresolved(n *Node, byID map[string]*Resource, path string, faults *Faults) (known []string) {
	for _, ref := range s.references(n) {
		if byID[ref.id] == nil {
			faults.Add(ref.line, path, "unresolved resource dependencies [%s]: its condition does not hold", ref.id)
			continue
		}
		known = append(known, ref.id)
	}
	return known
}

type reference struct {
	id   string
	line int
}

// references lists the resources that an expression names, leaving out the
// branches of Fn::If that do not count.
func (s *Scope) references(n *Node) []reference {
	var refs []reference
	function, argument, call := n.Call()
	switch {
	case call && function == "Ref":
		return s.named(argument.Text, n.Line)
	case call && function == "Fn::GetAtt":
		id, _, _ := getAttParts(argument)
		return []reference{{id, n.Line}}
	case call && function == "Fn::If":
		return s.references(argument.Items[s.branch(argument)])
	case call && function == "Fn::Sub":
		text, variables, _ := subParts(argument)
		parts, _ := splitSub(text)
		for _, p := range parts {
			id, _, isAttribute := strings.Cut(p.variable, ".")
			switch {
			case p.variable == "" || variables.Get(p.variable) != nil:
			case isAttribute:
				refs = append(refs, reference{id, n.Line})
			default:
				refs = append(refs, s.named(p.variable, n.Line)...)
			}
		}
	}
	for _, child := range n.Items {
		refs = append(refs, s.references(child)...)
	}
	for _, p := range n.Pairs {
		refs = append(refs, s.references(p.Value)...)
	}
	return refs
}

func (s *Scope) named(name string, line int) []reference {
	if strings.HasPrefix(name, "AWS::") || s.Template.Parameter(name) != nil {
		return nil
	}
	return []reference{{name, line}}
}

// Attribute finds an attribute among those that a resource has, or tells which
// it has.
func Attribute(attributes map[string]any, logicalID, name string) (any, error) {
	if v, ok := attributes[name]; ok {
		return v, nil
	}
	// An attribute may be a structure whose members are attributes too.
	if head, rest, ok := strings.Cut(name, "."); ok {
		if members, isMap := attributes[head].(map[string]any); isMap {
			if v, found := members[rest]; found {
				return v, nil
			}
		}
	}
	known := make([]string, 0, len(attributes))
	for attribute := range attributes {
		known = append(known, attribute)
	}
	slices.Sort(known)
	return nil, fmt.Errorf("unknown attribute %s of resource %s; it has: %s", name, logicalID, strings.Join(known, ", "))
}
