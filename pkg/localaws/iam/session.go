package iam

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// The administrator's key pair, the same in every embedded AWS. It opens nothing
// but a process on loopback.
const (
	AdministratorAccessKeyID     = "LOCALADMINISTRATOR"
	AdministratorSecretAccessKey = "no-secret-for-an-aws-on-loopback"
	AdministratorARN             = "arn:aws:iam::" + account + ":user/administrator"
)

// sessionTime is how long services' sessions last: a role's longest.
const sessionTime = 12 * time.Hour

// Credentials are a session's temporary ones.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time // by the embedded AWS's clock
}

type session struct {
	principal wire.Principal
	expires   time.Time
}

// Principal finds who holds an access key; expired and revoked ones nobody does.
func (s *Service) Principal(accessKeyID string) (wire.Principal, bool) {
	if accessKeyID == AdministratorAccessKeyID {
		return wire.Principal{ARN: AdministratorARN, AccessKeyID: accessKeyID}, true
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.sessions[accessKeyID]
	if !ok || !now.Before(held.expires) {
		return wire.Principal{}, false
	}
	return held.principal, true
}

// An Assumption is a wish to act in a role.
type Assumption struct {
	RoleARN string
	Session string // the session's name
	// Who assumes it: the service ("lambda.amazonaws.com"), or the principal.
	Service   string
	Principal wire.Principal
	// SourceARN is the resource that the service acts for, the condition key
	// aws:SourceArn; aws:SourceAccount comes with every service.
	SourceARN string
	// Duration of the session; zero means 12 hours.
	Duration time.Duration
}

// Begin starts a session of a role whose trust policy allows it.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (s *Service) Begin(a Assumption) (Credentials, error) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roleByARNLocked(a.RoleARN)
	if r == nil || !r.trust.trusts(a) {
		who := cmp.Or(a.Principal.ARN, a.Service)
		return Credentials{}, wire.Errorf("AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", who, a.RoleARN).WithStatus(403)
	}
	c := Credentials{
		AccessKeyID:     uniqueID("ASIA", 16),
		SecretAccessKey: uniqueID("", 40),
		SessionToken:    uniqueID("", 64),
		Expiration:      now.Add(cmp.Or(a.Duration, sessionTime)).Truncate(time.Second),
	}
	s.dropExpiredLocked(now)
	s.sessions[c.AccessKeyID] = &session{expires: c.Expiration, principal: wire.Principal{
		ARN:         "arn:aws:sts::" + account + ":assumed-role/" + r.name + "/" + a.Session,
		RoleARN:     r.arn,
		AccessKeyID: c.AccessKeyID,
	}}
	return c, nil
}

// dropExpiredLocked forgets sessions that can't be used any more.
func (s *Service) dropExpiredLocked(now time.Time) {
	for key, held := range s.sessions {
		if now.After(held.expires) {
			delete(s.sessions, key)
		}
	}
}

// AssumeAs starts a session for a service, such as "lambda.amazonaws.com". It
// lasts 12 hours.
func (s *Service) AssumeAs(service, roleARN, session string) (Credentials, error) {
	return s.Begin(Assumption{Service: service, RoleARN: roleARN, Session: session})
}

// Assume starts a session for a service of the embedded AWS that does not say
// which one it is: the role must trust any service.
func (s *Service) Assume(roleARN, session string) (Credentials, error) {
	return s.Begin(Assumption{Service: anyService, RoleARN: roleARN, Session: session})
}

// anyService stands for whatever service a trust policy names.
const anyService = "an AWS service"

// Revoke ends the session that holds an access key.
func (s *Service) Revoke(accessKeyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, accessKeyID)
}

// RoleID is the unique id (AROA...) of a role, or "".
func (s *Service) RoleID(roleARN string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.roleByARNLocked(roleARN); r != nil {
		return r.id
	}
	return ""
}

// trusts says whether a trust policy lets somebody assume its role.
func (d *document) trusts(a Assumption) bool {
	context := map[string]string{}
	if a.Service != "" {
		context["aws:SourceAccount"] = account
		if a.SourceARN != "" {
			context["aws:SourceArn"] = a.SourceARN
		}
	} else {
		context["aws:PrincipalArn"] = cmp.Or(a.Principal.RoleARN, a.Principal.ARN)
		context["aws:PrincipalAccount"] = account
	}
	trusted := false
	for _, st := range d.statements {
		action := func(pattern string) bool { return globFold(pattern, "sts:AssumeRole") }
		if !covers(st.actions, st.notActions, action) || !st.holds(context) ||
			!slices.ContainsFunc(st.principals, func(p principal) bool { return p.is(a) }) {
			continue
		}
		if st.deny {
			return false
		}
		trusted = true
	}
	return trusted
}

func (p principal) is(a Assumption) bool {
	if a.Service != "" {
		return p.service == a.Service || p.service != "" && a.Service == anyService
	}
	switch p.aws {
	case "":
		return false
	case "*", account, "arn:aws:iam::" + account + ":root", a.Principal.ARN, a.Principal.RoleARN:
		return true
	}
	return false
}

// roleByARNLocked finds a role by its ARN, or by its name alone.
func (s *Service) roleByARNLocked(arn string) *role {
	r := s.roles[arn[strings.LastIndexByte(arn, '/')+1:]]
	if r == nil || r.arn != arn && r.name != arn {
		return nil
	}
	return r
}

// MaxSession is how long a session of a role may last at most; false when there
// is no such role.
func (s *Service) MaxSession(roleARN string) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roleByARNLocked(roleARN)
	if r == nil {
		return 0, false
	}
	return time.Duration(r.maxSession) * time.Second, true
}
