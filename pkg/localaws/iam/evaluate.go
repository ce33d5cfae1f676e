package iam

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// A verdict is what policies say of an access.
type verdict string

const (
	allowed      verdict = "allowed"
	implicitDeny verdict = "implicitDeny"
	explicitDeny verdict = "explicitDeny"
)

// evaluate applies AWS's logic: an explicit deny wins, then one allow is needed.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func evaluate(documents iter.Seq[*document], a wire.Access) verdict {
	result := implicitDeny
	for doc := range documents {
		for _, st := range doc.statements {
			if !st.applies(a) {
				continue
			}
			if st.deny {
				return explicitDeny
			}
			result = allowed
		}
	}
	return result
}

func (st statement) applies(a wire.Access) bool {
	action := func(pattern string) bool { return globFold(pattern, a.Action) }
	resource := func(pattern string) bool { return glob(pattern, a.Resource) }
	return covers(st.actions, st.notActions, action) &&
		covers(st.resources, st.notResources, resource) &&
		st.holds(a.Context)
}

func (st statement) holds(context map[string]string) bool {
	return !slices.ContainsFunc(st.conditions, func(c condition) bool { return !c.holds(context) })
}

// covers says whether one of the wanted patterns matches or, where the unwanted
// ones are given instead, none of those.
func covers(wanted, unwanted []string, matches func(pattern string) bool) bool {
	if wanted != nil {
		return slices.ContainsFunc(wanted, matches)
	}
	return !slices.ContainsFunc(unwanted, matches)
}

// glob matches text with a pattern in which * is any run of characters and ? any
// one. An access to "*" (an action without resources) needs a pattern that
// matches everything, which falls out of matching it as text.
func glob(pattern, text string) bool {
	p, t := 0, 0
	star, resume := -1, 0
	for t < len(text) {
		switch {
		// The star comes first: the text may hold one as well.
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func globFold(pattern, text string) bool {
	return glob(strings.ToLower(pattern), strings.ToLower(text))
}

// Allowed says whether the principal's policies allow the access. The
// administrator may do everything.
func (s *Service) Allowed(p wire.Principal, a wire.Access) bool {
	return p.Administrator() || s.RoleAllows(p.RoleARN, a)
}

// RoleAllows says whether a role's policies allow the access, for services that
// act in a role.
func (s *Service) RoleAllows(roleARN string, a wire.Access) bool {
	// Nobody can be kept from asking who they are:
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
	if a.Action == "sts:GetCallerIdentity" {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roleByARNLocked(roleARN)
	return r != nil && !s.removedLocked(r.name, a) && s.evaluateLocked(r, a) == allowed
}

func (s *Service) evaluateLocked(r *role, a wire.Access) verdict {
	a.Context = globals(r.arn, a)
	return evaluate(s.documentsLocked(r), a)
}

// globals adds the condition keys that AWS gives with every call.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func globals(roleARN string, a wire.Access) map[string]string {
	context := map[string]string{
		"aws:PrincipalArn":     roleARN,
		"aws:PrincipalAccount": account,
		"aws:PrincipalType":    "AssumedRole",
		"aws:RequestedRegion":  region,
	}
	if parts := strings.SplitN(a.Resource, ":", 6); len(parts) == 6 && parts[4] != "" {
		context["aws:ResourceAccount"] = parts[4]
	}
	maps.Copy(context, a.Context)
	return context
}

// A denial takes a permission away from a role without touching its policies.
type denial struct{ roleName, action string }

// Deny takes a permission away from a role whatever its policies say, until lift
// is called: what tests remove to see what happens without it. Action may hold
// wildcards. The refusal looks like that of a permission that was never given.
func (s *Service) Deny(roleName, action string) (lift func()) {
	d := &denial{roleName: roleName, action: action}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denials[d] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.denials, d)
	}
}

func (s *Service) removedLocked(roleName string, a wire.Access) bool {
	for d := range s.denials {
		if d.roleName == roleName && globFold(d.action, a.Action) {
			return true
		}
	}
	return false
}
