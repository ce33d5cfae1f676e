package iam

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsquery"
)

// account is the one account of the embedded AWS, and region its region.
const (
	account = "111122223333"
	region  = "us-east-1"
)

// Config says what IAM is made of.
type Config struct {
	Clock clock.Clock
}

// A Service is the IAM of one embedded AWS. It is safe for concurrent use.
type Service struct {
	clock clock.Clock

	mu       sync.Mutex
	roles    map[string]*role          // by name
	policies map[string]*managedPolicy // customer managed, by ARN
	profiles map[string]*profile       // by name
	sessions map[string]*session       // by access key
	denials  map[*denial]bool
}

// New makes an IAM without roles.
func New(c Config) *Service {
	return &Service{
		clock:    c.Clock,
		roles:    map[string]*role{},
		policies: map[string]*managedPolicy{},
		profiles: map[string]*profile{},
		sessions: map[string]*session{},
		denials:  map[*denial]bool{},
	}
}

// Wire is IAM's API.
func (s *Service) Wire() wire.Service {
	onRole := wire.On(func(in *roleInput) []string { return []string{s.arnOfRole(in.RoleName)} })
	onInline := wire.On(func(in *inlineInput) []string { return []string{s.arnOfRole(in.RoleName)} })
	onAttach := wire.On(func(in *attachInput) []string { return []string{s.arnOfRole(in.RoleName)} })
	onPolicy := wire.On(func(in *policyInput) []string { return []string{in.PolicyArn} })
	onProfile := wire.On(func(in *profileInput) []string { return []string{profileARN(in.InstanceProfileName)} })
	return wire.Service{
		Name:      "iam",
		Protocols: []wire.Protocol{awsquery.Protocol{Version: "2010-05-08", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/"}},
		Invalid:   invalid,
		Operations: []wire.Operation{
			wire.Op("CreateRole", s.CreateRole, wire.On(func(in *CreateRoleInput) []string {
				return []string{roleARN(in.Path, in.RoleName)}
			})),
			wire.Op("GetRole", s.GetRole, onRole),
			wire.Op("ListRoles", s.ListRoles),
			wire.Op("DeleteRole", s.DeleteRole, onRole),
			wire.Op("UpdateAssumeRolePolicy", s.UpdateAssumeRolePolicy, wire.On(func(in *UpdateAssumeRolePolicyInput) []string {
				return []string{s.arnOfRole(in.RoleName)}
			})),
			wire.Op("PutRolePolicy", s.PutRolePolicy, wire.On(func(in *PutRolePolicyInput) []string {
				return []string{s.arnOfRole(in.RoleName)}
			})),
			wire.Op("GetRolePolicy", s.GetRolePolicy, onInline),
			wire.Op("DeleteRolePolicy", s.DeleteRolePolicy, onInline),
			wire.Op("ListRolePolicies", s.ListRolePolicies, onRole),
			wire.Op("AttachRolePolicy", s.AttachRolePolicy, onAttach),
			wire.Op("DetachRolePolicy", s.DetachRolePolicy, onAttach),
			wire.Op("ListAttachedRolePolicies", s.ListAttachedRolePolicies, onRole),
			wire.Op("ListRoleTags", s.ListRoleTags, onRole),
			wire.Op("CreatePolicy", s.CreatePolicy, wire.On(func(in *CreatePolicyInput) []string {
				return []string{policyARN(in.Path, in.PolicyName)}
			})),
			wire.Op("GetPolicy", s.GetPolicy, onPolicy),
			wire.Op("GetPolicyVersion", s.GetPolicyVersion, wire.On(func(in *GetPolicyVersionInput) []string {
				return []string{in.PolicyArn}
			})),
			wire.Op("ListPolicies", s.ListPolicies),
			wire.Op("DeletePolicy", s.DeletePolicy, onPolicy),
			wire.Op("GetInstanceProfile", s.GetInstanceProfile, onProfile),
			wire.Op("ListInstanceProfilesForRole", s.ListInstanceProfilesForRole, onRole),
			wire.Op("SimulatePrincipalPolicy", s.SimulatePrincipalPolicy, wire.On(func(in *SimulatePrincipalPolicyInput) []string {
				return []string{in.PolicySourceArn}
			})),
		},
	}
}

func invalid(message string) *wire.Error { return wire.Errorf("ValidationError", "%s", message) }

// An Empty is an input or output without members.
type Empty struct{}

// A Tag is a resource tag.
type Tag struct {
	Key   string `aws:",required"`
	Value string `aws:",required"`
}

func noSuchEntity(format string, args ...any) error {
	return wire.Errorf("NoSuchEntity", format, args...).WithStatus(404)
}

func alreadyExists(format string, args ...any) error {
	return wire.Errorf("EntityAlreadyExists", format, args...).WithStatus(409)
}

func deleteConflict(format string, args ...any) error {
	return wire.Errorf("DeleteConflict", format, args...).WithStatus(409)
}

// uniqueID makes an identifier as AWS's look, such as AROA followed by 17
// letters and digits.
func uniqueID(prefix string, length int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	raw := make([]byte, length)
	rand.Read(raw)
	for i := range raw {
		raw[i] = alphabet[raw[i]&31]
	}
	return prefix + string(raw)
}

// page cuts one page out of a list that starts at a marker: an offset that the
// page before gave.
func page[T any](all []T, marker string, size *int) (items []T, next string, err error) {
	start := 0
	if marker != "" {
		start, err = strconv.Atoi(marker)
		if err != nil || start < 0 || start > len(all) {
			return nil, "", invalid(fmt.Sprintf("Marker: %q is not one that this API gave", marker))
		}
	}
	count := 100
	if size != nil {
		count = *size
	}
	if count < 1 || count > 1000 {
		return nil, "", invalid(fmt.Sprintf("MaxItems: %d is not between 1 and 1000", count))
	}
	end := min(start+count, len(all))
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return all[start:end], next, nil
}

func (s *Service) now() time.Time { return s.clock.Now().Truncate(time.Second) }
