// Package sam is the transform AWS::Serverless-2016-10-31: it rewrites the
// serverless functions of a template into the resources that CloudFormation
// makes of them.
//
// It works on the nodes of a template, before the template is built, and
// changes nothing else; expanding the same text again gives the same resources.
// For each AWS::Serverless::Function Name, in this order, stand then
//
//   - Name, an AWS::Lambda::Function,
//   - NameRole, an AWS::IAM::Role, unless the function names its role,
//   - NameEventInvokeConfig, an AWS::Lambda::EventInvokeConfig, where asked for.
//
// Known differences from AWS: AWS::Serverless::Function is the only type; of its
// properties those that this file and function.go list; CodeUri must be an
// object of S3, as `sam package` leaves it; SAM's policy templates, Events and
// AutoPublishAlias are refused by name. SAM_RESOURCE_ID metadata is not added.
package sam

import (
	"slices"

	"cutover/pkg/localaws/cloudformation/template"
)

// Name of the transform in a template's section Transform.
const Name = "AWS::Serverless-2016-10-31"

const functionType = "AWS::Serverless::Function"

// Transform expands a template's root in place, noting faults with their lines.
func Transform(root *template.Node, faults *template.Faults) {
	t := transform{Faults: faults}
	globals := t.globals(root)
	resources := root.Get("Resources")
	if resources == nil || resources.Kind != template.Dict {
		return
	}
	var pairs []template.Pair
	for _, p := range resources.Pairs {
		if kind, _ := p.Value.Get("Type").IsString(); kind != functionType {
			pairs = append(pairs, p)
			continue
		}
		for _, made := range t.function(p, globals) {
			if made.Key != p.Key && resources.Get(made.Key) != nil {
				t.Add(p.Line, "Resources."+p.Key, "makes a resource %s, which the template defines too", made.Key)
				continue
			}
			pairs = append(pairs, made)
		}
	}
	resources.Pairs = pairs
}

type transform struct{ *template.Faults }

// globals takes Globals.Function out of the root.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
func (t *transform) globals(root *template.Node) *template.Node {
	globals := root.Get("Globals")
	if globals == nil {
		return nil
	}
	root.Pairs = slices.DeleteFunc(root.Pairs, func(p template.Pair) bool { return p.Key == "Globals" })
	if globals.Kind != template.Dict {
		t.Add(globals.Line, "Globals", "is not a map")
		return nil
	}
	for _, p := range globals.Pairs {
		if p.Key != "Function" {
			t.Add(p.Line, "Globals."+p.Key, "unknown section of Globals")
		}
	}
	function := globals.Get("Function")
	if function == nil {
		return nil
	}
	if function.Kind != template.Dict {
		t.Add(function.Line, "Globals.Function", "is not a map")
		return nil
	}
	for _, p := range function.Pairs {
		if !slices.Contains(globalProperties, p.Key) {
			t.Add(p.Line, "Globals.Function."+p.Key, "unknown property of Globals.Function")
		}
	}
	return function
}

// globalProperties are those of a function that Globals may set.
var globalProperties = []string{
	"Architectures", "AssumeRolePolicyDocument", "CodeUri", "Description", "Environment", "EphemeralStorage",
	"EventInvokeConfig", "Handler", "KmsKeyArn", "Layers", "LoggingConfig", "MemorySize", "PermissionsBoundary",
	"PropagateTags", "ReservedConcurrentExecutions", "RolePath", "Runtime", "Tags", "Timeout", "Tracing", "VpcConfig",
}

// merged lays a function's properties over the global ones: maps are merged,
// lists appended, anything else replaced.
func merged(global, own *template.Node) *template.Node {
	if global == nil {
		return own
	}
	if own == nil {
		return global
	}
	if isCall(global) || isCall(own) || global.Kind != own.Kind {
		return own
	}
	switch own.Kind {
	case template.List:
		return template.Listing(own.Line, append(slices.Clone(global.Items), own.Items...)...)
	case template.Dict:
		both := &template.Node{Kind: template.Dict, Line: own.Line, Pairs: slices.Clone(global.Pairs)}
		for _, p := range own.Pairs {
			both.With(p.Key, merged(global.Get(p.Key), p.Value))
		}
		return both
	}
	return own
}

func isCall(n *template.Node) bool {
	_, _, ok := n.Call()
	return ok
}
