// Package resource is how services offer the resource types that CloudFormation
// creates, updates and deletes in them.
//
// Each service lists its types; package cloudformation drives them. A type's
// properties are decoded as strictly as API inputs: a property that the type
// does not honour is an error that names it.
package resource

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// A Type is one resource type, e.g. "AWS::ECS::Service".
type Type struct {
	Name string
	// CreateOnly lists top-level properties whose change replaces the resource.
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
	CreateOnly []string
	// Properties is the struct that properties are decoded into; nil when only
	// the service knows them. Templates are checked against it before a stack is
	// touched.
	Properties reflect.Type
	Create     func(ctx context.Context, r Request) (State, error)
	Update     func(ctx context.Context, r Request) (State, error)
	Delete     func(ctx context.Context, r Request) error
}

// A Request asks to create, update or delete one resource.
type Request struct {
	StackName string
	StackID   string
	LogicalID string
	// PhysicalID is what Ref returned so far; empty on create.
	PhysicalID string
	// Replaces is the physical id of the resource that a create stands in for;
	// that one is deleted afterwards.
	Replaces string
	// Properties as wanted; Previous as they were before an update.
	Properties map[string]any
	Previous   map[string]any
}

// Changed says whether an update changes a top-level property.
func (r Request) Changed(property string) bool {
	return !reflect.DeepEqual(r.Properties[property], r.Previous[property])
}

// GeneratedName is the name CloudFormation gives where the template names none:
// STACK-LOGICALID-SUFFIX with a suffix of twelve characters, cut to limit.
func (r Request) GeneratedName(limit int) string {
	suffix := "-" + suffix(r.StackID+"/"+r.LogicalID+"/"+r.Replaces)
	stem := r.StackName + "-" + r.LogicalID
	if len(stem)+len(suffix) > limit {
		stem = strings.TrimRight(stem[:limit-len(suffix)], "-")
	}
	return stem + suffix
}

// suffix derives 12 letters and digits from a text, so that a create that is
// repeated names the same thing.
func suffix(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var hash uint64 = 14695981039346656037 // FNV-1a
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * 1099511628211
	}
	out := make([]byte, 12)
	for i := range out {
		out[i] = alphabet[hash&31]
		hash >>= 5
	}
	return string(out)
}

// State is a resource as it is after a create or an update.
type State struct {
	PhysicalID string         // what Ref returns
	Attributes map[string]any // what Fn::GetAtt returns, by attribute name ("Endpoint.Port" keeps its dot)
}

// Define makes a Type from functions of decoded properties. P is a struct with
// CloudFormation's property names; update may be nil when every change replaces.
func Define[P any](
	name string, createOnly []string,
	create func(ctx context.Context, r Request, p *P) (State, error),
	update func(ctx context.Context, r Request, p *P) (State, error),
	remove func(ctx context.Context, r Request) error,
) Type {
	decoded := func(f func(context.Context, Request, *P) (State, error)) func(context.Context, Request) (State, error) {
		return func(ctx context.Context, r Request) (State, error) {
			p := new(P)
			if faults := Decode(r.Properties, p); len(faults) > 0 {
				return State{}, fmt.Errorf("read properties of %s (%s): %s", r.LogicalID, name, strings.Join(faults, "; "))
			}
			return f(ctx, r, p)
		}
	}
	t := Type{Name: name, CreateOnly: createOnly, Properties: reflect.TypeFor[P](), Create: decoded(create), Delete: remove}
	if update != nil {
		t.Update = decoded(update)
	}
	return t
}

// Decode fills a struct from template properties and lists every fault.
func Decode(properties map[string]any, into any) []string {
	return wire.Dialect{Naming: wire.AsIs, Lenient: true}.Fill(into, properties)
}

// Replaces says whether going from one set of properties to another replaces the
// resource rather than updating it.
func (t Type) Replaces(from, to map[string]any) bool {
	if t.Update == nil {
		return !reflect.DeepEqual(from, to)
	}
	return slices.ContainsFunc(t.CreateOnly, func(p string) bool {
		return !reflect.DeepEqual(from[p], to[p])
	})
}

// A Tag is a resource tag as templates write it.
type Tag struct {
	Key   string `aws:",required"`
	Value string `aws:",required"`
}
