// Package wire is what the embedded AWS's services share with the outside: how
// an operation is declared, how an error looks, and how a request's members
// become an operation's input and its output an answer's members.
//
// A service declares its operations with typed inputs and outputs:
//
//	wire.Op("DescribeServices", s.DescribeServices, wire.On(serviceARNs))
//
// One package per protocol below this one turns HTTP into those types and back.
// Nothing is ignored on the way in: a member that an input type does not have,
// has with another type, or lacks though it is required is a fault, and every
// fault of a request is named in one answer. Input types therefore list only the
// members that the service honours.
//
// Struct tags: `aws:"name"` gives the name on the wire where it is not the
// field's own name in the protocol's case; after a comma may stand `required`,
// or item=NAME for a list whose elements have a name of their own in XML.
// Optional scalars are pointers. Strings, times, slices and maps are left out of
// an answer when empty (nil); numbers and booleans only when they are nil
// pointers.
package wire

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// An Error is an answer that says no, with AWS's own code.
type Error struct {
	Code    string // as on the wire, e.g. "ServiceNotFoundException" or "RuleNotFound"
	Message string
	Status  int // HTTP status; zero means 400
}

// Errorf makes an error with AWS's code and a message.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithStatus sets the HTTP status of the answer and returns e.
func (e *Error) WithStatus(status int) *Error {
	e.Status = status
	return e
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus is the status of the answer.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// A Principal is who makes a call.
type Principal struct {
	ARN         string // as GetCallerIdentity shows it
	RoleARN     string // the IAM role behind an assumed role; empty for the administrator
	AccessKeyID string
}

// Administrator says that the principal may do everything.
func (p Principal) Administrator() bool { return p.RoleARN == "" }

// RoleName is the role's name without its path, or "" for the administrator.
func (p Principal) RoleName() string {
	return p.RoleARN[strings.LastIndexByte(p.RoleARN, '/')+1:]
}

type principalKey struct{}

// WithPrincipal notes in the context who calls.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// Caller is who calls, or an empty principal for calls within the embedded AWS.
func Caller(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// An Access is one thing that IAM must allow for a call to go through.
type Access struct {
	Action   string // "ecs:UpdateService"
	Resource string // an ARN, or "*"
	// Context holds the condition keys of the call, e.g. "iam:PassedToService".
	Context map[string]string
}

// An Operation is one operation of a service's API.
type Operation struct {
	Name   string
	in     reflect.Type
	out    reflect.Type
	call   func(ctx context.Context, in any) (any, error)
	access []func(in any) []Access // with Action empty where it is the operation itself
	action string                  // its IAM action where that has another name
}

// An Option says more of an operation.
type Option func(*Operation)

// Op declares an operation by its name and the function that carries it out.
// Unless On says otherwise, IAM is asked for the action on resource "*".
func Op[In, Out any](name string, f func(context.Context, *In) (*Out, error), options ...Option) Operation {
	op := Operation{
		Name: name,
		in:   reflect.TypeFor[In](),
		out:  reflect.TypeFor[Out](),
		call: func(ctx context.Context, in any) (any, error) {
			out, err := f(ctx, in.(*In))
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
	for _, option := range options {
		option(&op)
	}
	return op
}

// On names the resources, as ARNs, that IAM is asked for the operation on.
func On[In any](resources func(*In) []string) Option {
	return func(op *Operation) {
		op.access = append(op.access, func(in any) []Access {
			var all []Access
			for _, resource := range resources(in.(*In)) {
				all = append(all, Access{Resource: resource})
			}
			return all
		})
	}
}

// Needs names what IAM must allow besides or instead (Action set) of the
// operation on its own resources, such as iam:PassRole.
func Needs[In any](access func(*In) []Access) Option {
	return func(op *Operation) {
		op.access = append(op.access, func(in any) []Access { return access(in.(*In)) })
	}
}

// As gives the IAM action of an operation that has another name than it, such as
// "lambda:InvokeFunction" for Invoke.
func As(action string) Option {
	return func(op *Operation) { op.action = action }
}

// NewInput makes an empty input of the operation: a pointer to its input type.
func (op Operation) NewInput() any { return reflect.New(op.in).Interface() }

// Output is the type of the operation's output.
func (op Operation) Output() reflect.Type { return op.out }

// Call carries the operation out.
func (op Operation) Call(ctx context.Context, in any) (any, error) { return op.call(ctx, in) }

// Access lists what IAM must allow for this call; action is the operation's own.
func (op Operation) Access(in any, action string) []Access {
	var all []Access
	own := false
	if op.action != "" {
		action = op.action
	}
	for _, f := range op.access {
		for _, a := range f(in) {
			if a.Action == "" {
				a.Action = action
			}
			own = own || a.Action == action
			all = append(all, a)
		}
	}
	if !own {
		all = append([]Access{{Action: action, Resource: "*"}}, all...)
	}
	return all
}

// A Service is one service of the embedded AWS as the wire sees it.
type Service struct {
	// Name is the name in SigV4's credential scope, e.g. "elasticloadbalancing".
	Name string
	// IAM is the prefix of its actions where it is not Name, e.g. "logs".
	IAM string
	// Protocols it speaks; the first that knows a request takes it.
	Protocols []Protocol
	// Operations it serves. Any other name is refused loudly.
	Operations []Operation
	// Invalid makes the error for a malformed input; nil means
	// ValidationException.
	Invalid func(message string) *Error
}

// Action is the IAM action of an operation.
func (s Service) Action(operation string) string {
	prefix := s.IAM
	if prefix == "" {
		prefix = s.Name
	}
	return prefix + ":" + operation
}

// Operation finds an operation by name.
func (s Service) Operation(name string) (Operation, bool) {
	for _, op := range s.Operations {
		if op.Name == name {
			return op, true
		}
	}
	return Operation{}, false
}

// InvalidInput is the one error that names every fault of an input.
func (s Service) InvalidInput(faults []string) *Error {
	message := strings.Join(faults, "; ")
	if s.Invalid != nil {
		return s.Invalid(message)
	}
	return Errorf("ValidationException", "%s", message)
}

// A Request is an HTTP request whose body has been read.
type Request struct {
	*http.Request
	Body []byte
}

// A Protocol turns requests into inputs and outputs into answers.
type Protocol interface {
	// Operation names the operation that r asks for, or says that r is not of
	// this protocol.
	Operation(r Request) (name string, ok bool)
	// Decode fills in (a pointer to a struct) and lists every fault.
	Decode(r Request, operation string, in any) (faults []string)
	// Encode writes the answer.
	Encode(w http.ResponseWriter, operation string, out any, requestID string)
	// EncodeError writes the answer that says no.
	EncodeError(w http.ResponseWriter, err *Error, requestID string)
	// Denied, Throttled and Unknown are this protocol's codes for a call that
	// IAM refuses, that comes too often, and of an operation nobody knows.
	Denied() string
	Throttled() string
	Unknown() string
}
