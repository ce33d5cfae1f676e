// Package template is CloudFormation's template language: it reads a template
// (YAML or JSON), checks it, and evaluates its expressions.
//
// It changes nothing anywhere: a Template is immutable once parsed, so that
// parsing and evaluating are safe to repeat and to do from several goroutines.
// Work goes in this order:
//
//  1. Read turns text into nodes that know their lines; YAML's short tags
//     become the long intrinsics.
//  2. A transform (package sam) may rewrite the nodes.
//  3. Build makes sections of the nodes and checks everything that can be
//     known before a stack exists.
//  4. Bind gives parameters their values, and decides the conditions.
//  5. Scope.Eval resolves properties and outputs while a stack is worked on.
//
// Anything it does not know is a fault that names the thing and its place, and
// all faults of a template are told together. Known differences from AWS:
//
//   - The sections Rules and Hooks, macros other than the SAM transform, the
//     language extensions (Fn::ForEach, Fn::Length, Fn::ToJsonString, a default
//     in Fn::FindInMap) and dynamic references ({{resolve:...}}) are refused.
//   - Resource attributes CreationPolicy and UpdatePolicy are refused.
//   - Types are checked for properties by name and, for literals, by value
//     before a stack is touched; AWS finds some of these only as it goes.
package template
