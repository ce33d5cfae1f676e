package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// A permission is one statement of a function's resource policy.
type permission struct {
	sid, action, principal, sourceARN, sourceAccount string
}

// An AddPermissionInput lets a service or account use a function.
type AddPermissionInput struct {
	FunctionName  string `aws:",required"`
	StatementId   string `aws:",required"`
	Action        string `aws:",required"`
	Principal     string `aws:",required"`
	SourceArn     string // may hold wildcards
	SourceAccount string
}

// An AddPermissionOutput is the statement as JSON.
type AddPermissionOutput struct{ Statement string }

// AddPermission adds a statement to a function's resource policy.
// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
func (s *Service) AddPermission(_ context.Context, in *AddPermissionInput) (*AddPermissionOutput, error) {
	p := permission{in.StatementId, in.Action, in.Principal, in.SourceArn, in.SourceAccount}
	if p.action != "*" && !strings.HasPrefix(p.action, "lambda:") {
		return nil, invalid("Action: " + p.action + " is not one of Lambda's")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.findLocked(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(f.policy, func(other permission) bool { return other.sid == p.sid }) {
		return nil, conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", p.sid)
	}
	f.policy = append(f.policy, p)
	return &AddPermissionOutput{text(p.statement(f.arn()))}, nil
}

func (p permission) statement(functionARN string) map[string]any {
	who := map[string]string{"Service": p.principal}
	switch {
	case p.principal == "*":
		who = map[string]string{"AWS": "*"}
	case !strings.HasSuffix(p.principal, ".amazonaws.com"):
		who = map[string]string{"AWS": p.principal}
	}
	st := map[string]any{"Sid": p.sid, "Effect": "Allow", "Principal": who, "Action": p.action, "Resource": functionARN}
	condition := map[string]any{}
	if p.sourceARN != "" {
		condition["ArnLike"] = map[string]string{"AWS:SourceArn": p.sourceARN}
	}
	if p.sourceAccount != "" {
		condition["StringEquals"] = map[string]string{"AWS:SourceAccount": p.sourceAccount}
	}
	if len(condition) > 0 {
		st["Condition"] = condition
	}
	return st
}

// text is a tree of strings as JSON.
func text(tree any) string {
	raw, err := json.Marshal(tree)
	if err != nil {
		panic("lambda: encode: " + err.Error()) // trees of strings always can be
	}
	return string(raw)
}

// A GetPolicyOutput is a function's resource policy as JSON.
type GetPolicyOutput struct{ Policy string }

// GetPolicy shows a function's resource policy.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
func (s *Service) GetPolicy(_ context.Context, in *NameInput) (*GetPolicyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.qualifiedLocked(in)
	if err != nil {
		return nil, err
	}
	if len(f.policy) == 0 {
		return nil, notFound("No policy is associated with the given resource.")
	}
	var statements []any
	for _, p := range f.policy {
		statements = append(statements, p.statement(f.arn()))
	}
	return &GetPolicyOutput{text(map[string]any{"Version": "2012-10-17", "Id": "default", "Statement": statements})}, nil
}

// A RemovePermissionInput names a statement.
type RemovePermissionInput struct {
	FunctionName string `aws:",required"`
	StatementId  string `aws:",required"`
}

// RemovePermission takes a statement out of a function's resource policy.
// https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html
func (s *Service) RemovePermission(_ context.Context, in *RemovePermissionInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.findLocked(in.FunctionName)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(f.policy, func(p permission) bool { return p.sid == in.StatementId })
	if i < 0 {
		return nil, notFound("Statement %s is not found in resource policy.", in.StatementId)
	}
	f.policy = slices.Delete(f.policy, i, i+1)
	return done(), nil
}

// Permits says whether a function's resource policy lets a service, such as
// "events.amazonaws.com", invoke it for a resource.
func (s *Service) Permits(function, service, sourceARN string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.findLocked(function)
	return err == nil && slices.ContainsFunc(f.policy, func(p permission) bool {
		return p.principal == service && slices.Contains([]string{"*", "lambda:*", "lambda:InvokeFunction"}, p.action) &&
			(p.sourceARN == "" || like(p.sourceARN, sourceARN)) && cmp.Or(p.sourceAccount, account) == account
	})
}

// like matches text with a pattern in which * stands for any run of characters.
func like(pattern, text string) bool {
	head, tail, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	if !strings.HasPrefix(text, head) {
		return false
	}
	for rest := text[len(head):]; ; rest = rest[1:] {
		if like(tail, rest) {
			return true
		}
		if rest == "" {
			return false
		}
	}
}
