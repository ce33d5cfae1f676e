// Package sts is the embedded AWS's Security Token Service: who calls, and
// temporary credentials of a role whose trust policy and whose caller's own
// policies both allow it. Repeating a call is harmless; each AssumeRole starts a
// session of its own that expires by the embedded AWS's clock.
//
// Known differences from AWS: AssumeRole takes no session policy, tags, external
// id or MFA; the caller needs sts:AssumeRole also where the role trusts it by
// name.
package sts

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"cutover/pkg/localaws/iam"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsquery"
)

// account is the one account of the embedded AWS.
const account = "111122223333"

// IAM is what the service asks of IAM.
type IAM interface {
	// Begin starts a session of a role that trusts the principal.
	Begin(iam.Assumption) (iam.Credentials, error)
	// MaxSession is how long a session of a role may last; false for no such role.
	MaxSession(roleARN string) (time.Duration, bool)
	// RoleID is the unique id of a role.
	RoleID(roleARN string) string
}

// Config says what the service is made of.
type Config struct {
	IAM IAM
}

// A Service is the STS of one embedded AWS.
type Service struct{ iam IAM }

// New makes an STS.
func New(c Config) *Service { return &Service{iam: c.IAM} }

// Wire is STS's API.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "sts",
		Protocols: []wire.Protocol{awsquery.Protocol{Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"}},
		Invalid:   func(message string) *wire.Error { return wire.Errorf("ValidationError", "%s", message) },
		Operations: []wire.Operation{
			wire.Op("GetCallerIdentity", s.GetCallerIdentity),
			wire.Op("AssumeRole", s.AssumeRole, wire.On(func(in *AssumeRoleInput) []string { return []string{in.RoleArn} })),
		},
	}
}

// A GetCallerIdentityInput has no members.
type GetCallerIdentityInput struct{}

// A GetCallerIdentityOutput says who calls.
type GetCallerIdentityOutput struct {
	UserId  string
	Account string
	Arn     string
}

// GetCallerIdentity says who calls; no policy can forbid it.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (s *Service) GetCallerIdentity(ctx context.Context, _ *GetCallerIdentityInput) (*GetCallerIdentityOutput, error) {
	p := wire.Caller(ctx)
	id := "AIDALOCALADMINISTRATOR"
	if !p.Administrator() {
		id = s.iam.RoleID(p.RoleARN) + ":" + p.ARN[strings.LastIndexByte(p.ARN, '/')+1:]
	}
	return &GetCallerIdentityOutput{UserId: id, Account: account, Arn: p.ARN}, nil
}

// An AssumeRoleInput names the role and the session.
type AssumeRoleInput struct {
	RoleArn         string `aws:",required"`
	RoleSessionName string `aws:",required"`
	DurationSeconds *int   // 900 to the role's own maximum; 3600 when not given
}

// Credentials are a session's.
type Credentials struct {
	AccessKeyId     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

// An AssumedRoleUser is who the session is.
type AssumedRoleUser struct {
	AssumedRoleId string
	Arn           string
}

// An AssumeRoleOutput is a session.
type AssumeRoleOutput struct {
	Credentials     Credentials
	AssumedRoleUser AssumedRoleUser
}

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// AssumeRole starts a session of a role that trusts the caller.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (s *Service) AssumeRole(ctx context.Context, in *AssumeRoleInput) (*AssumeRoleOutput, error) {
	if !sessionName.MatchString(in.RoleSessionName) {
		return nil, wire.Errorf("ValidationError", "RoleSessionName: %q must match %s", in.RoleSessionName, sessionName)
	}
	length := time.Hour
	if in.DurationSeconds != nil {
		length = time.Duration(*in.DurationSeconds) * time.Second
	}
	longest, ok := s.iam.MaxSession(in.RoleArn)
	if ok && (length < 15*time.Minute || length > longest) {
		return nil, wire.Errorf("ValidationError", "The requested DurationSeconds %v is not between 900 and the MaxSessionDuration set for this role, %v", length.Seconds(), longest.Seconds())
	}
	c, err := s.iam.Begin(iam.Assumption{RoleARN: in.RoleArn, Session: in.RoleSessionName, Principal: wire.Caller(ctx), Duration: length})
	if err != nil {
		return nil, err
	}
	name := in.RoleArn[strings.LastIndexByte(in.RoleArn, '/')+1:]
	return &AssumeRoleOutput{
		Credentials: Credentials{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration},
		AssumedRoleUser: AssumedRoleUser{
			AssumedRoleId: s.iam.RoleID(in.RoleArn) + ":" + in.RoleSessionName,
			Arn:           fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", account, name, in.RoleSessionName),
		},
	}, nil
}
