package iam

import (
	"context"
	"strings"

	"cutover/pkg/localaws/wire"
)

// A SimulatePrincipalPolicyInput asks what a role may do.
type SimulatePrincipalPolicyInput struct {
	PolicySourceArn string   `aws:",required"`
	ActionNames     []string `aws:",required"`
	ResourceArns    []string // none means "*"
	ContextEntries  []struct {
		ContextKeyName   string
		ContextKeyValues []string // one each
		ContextKeyType   string
	}
}

// An EvaluationResult says what the policies decide on one action and resource.
type EvaluationResult struct {
	EvalActionName   string
	EvalResourceName string
	EvalDecision     string // allowed, implicitDeny or explicitDeny
}

// A SimulatePrincipalPolicyOutput lists the results by action, then resource.
type SimulatePrincipalPolicyOutput struct {
	EvaluationResults []EvaluationResult
	IsTruncated       bool
}

// SimulatePrincipalPolicy evaluates a role's policies without a call.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
func (s *Service) SimulatePrincipalPolicy(_ context.Context, in *SimulatePrincipalPolicyInput) (*SimulatePrincipalPolicyOutput, error) {
	given := map[string]string{}
	for _, entry := range in.ContextEntries {
		if len(entry.ContextKeyValues) != 1 {
			return nil, wire.Errorf("InvalidInput", "ContextEntries: %s needs exactly one value here, got %s", entry.ContextKeyName, strings.Join(entry.ContextKeyValues, ", "))
		}
		given[entry.ContextKeyName] = entry.ContextKeyValues[0]
	}
	resources := in.ResourceArns
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roleByARNLocked(in.PolicySourceArn)
	if r == nil {
		return nil, noSuchEntity("%s is not a role of this account.", in.PolicySourceArn)
	}
	out := &SimulatePrincipalPolicyOutput{EvaluationResults: []EvaluationResult{}}
	for _, action := range in.ActionNames {
		for _, resource := range resources {
			v := s.evaluateLocked(r, wire.Access{Action: action, Resource: resource, Context: given})
			out.EvaluationResults = append(out.EvaluationResults, EvaluationResult{action, resource, string(v)})
		}
	}
	return out, nil
}
