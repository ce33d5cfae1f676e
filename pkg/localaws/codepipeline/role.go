package codepipeline

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// Roles is what pipelines ask of IAM.
type Roles interface {
	// Assume makes temporary credentials of a role.
	Assume(roleARN, session string) (Credentials, error)
	// RoleAllows says whether the role's policies allow the access.
	RoleAllows(roleARN string, a wire.Access) bool
}

// Credentials are temporary credentials of a role.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expiration                                 time.Time
}

// passRole is what IAM must allow whoever hands a pipeline its role.
func passRole(roleARN string) []wire.Access {
	return []wire.Access{{
		Action: "iam:PassRole", Resource: roleARN,
		Context: map[string]string{"iam:PassedToService": "codepipeline.amazonaws.com"},
	}}
}

// permit says what keeps an action's role from all of the accesses; "" means
// nothing does.
func (s *Service) permit(r *actionRun, all ...wire.Access) string {
	if s.Roles == nil {
		return ""
	}
	if own := r.action.RoleArn; own != "" {
		assume := wire.Access{Action: "sts:AssumeRole", Resource: own}
		if !s.Roles.RoleAllows(r.execution.structure.RoleArn, assume) {
			return s.denial(r.execution.structure.RoleArn, assume)
		}
	}
	for _, a := range all {
		if !s.Roles.RoleAllows(r.role(), a) {
			return s.denial(r.role(), a)
		}
	}
	return ""
}

func (s *Service) denial(roleARN string, a wire.Access) string {
	return fmt.Sprintf("The role %s is not authorized to perform: %s on resource: %s", roleARN, a.Action, a.Resource)
}

// role is who an action acts as.
func (r *actionRun) role() string {
	if r.action.RoleArn != "" {
		return r.action.RoleArn
	}
	return r.execution.structure.RoleArn
}

// arn names a pipeline, one of its stages, or one of a stage's actions.
func (s *Service) arn(path ...string) string {
	return "arn:aws:codepipeline:" + s.Region + ":" + s.Account + ":" + strings.Join(path, "/")
}

// newID makes a random UUID (version 4) in lower case, as all ids of executions,
// actions and jobs are.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
