package ec2

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsquery"
)

// Config says what an EC2 is made of.
type Config struct {
	Region  string
	Account string
	// Clock drives states; nil means the wall's pace.
	Clock  clock.Clock
	Logger *slog.Logger // nil discards
	// Machines are the inside of instances; nil means that there is none:
	// instances are records.
	Machines Machines
	// Profiles finds instance profiles; nil means that there are none.
	Profiles Profiles
	// Parameter finds the value of an SSM parameter for an image id of the form
	// resolve:ssm:NAME[:VERSION-OR-LABEL]; nil means that there are none.
	Parameter func(name string) (value string, found bool)
	// Allowed says whether a caller may do what a call does on the way, such as
	// deleting an image's snapshots; nil means yes.
	Allowed func(wire.Principal, wire.Access) bool
	// ImageFate decides what becomes of an image of this instance: "available"
	// (the same as ""), "failed" with a reason, or "pending" for ever. Nil means
	// that every image becomes available.
	ImageFate func(instanceID string) (state, reason string)

	// How long things take by the clock; zero means the usual time.
	PendingTime      time.Duration // of a start: 15 s
	StoppingTime     time.Duration // of a stop: 20 s
	ShuttingDownTime time.Duration // of a termination: 20 s
	StatusCheckTime  time.Duration // from running to passed status checks: 2 min
	ImageTime        time.Duration // until an image is available: 3 min
	ShownTime        time.Duration // of an instance after it was terminated: 1 h
}

func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = clock.NewScaled(1)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Machines == nil {
		c.Machines = records{}
	}
	if c.Profiles == nil {
		c.Profiles = records{}
	}
	if c.Parameter == nil {
		c.Parameter = func(string) (string, bool) { return "", false }
	}
	if c.Allowed == nil {
		c.Allowed = func(wire.Principal, wire.Access) bool { return true }
	}
	if c.ImageFate == nil {
		c.ImageFate = func(string) (string, string) { return "", "" }
	}
	c.PendingTime = cmp.Or(c.PendingTime, 15*time.Second)
	c.StoppingTime = cmp.Or(c.StoppingTime, 20*time.Second)
	c.ShuttingDownTime = cmp.Or(c.ShuttingDownTime, 20*time.Second)
	c.StatusCheckTime = cmp.Or(c.StatusCheckTime, 2*time.Minute)
	c.ImageTime = cmp.Or(c.ImageTime, 3*time.Minute)
	c.ShownTime = cmp.Or(c.ShownTime, time.Hour)
	return c
}

// A Service is the EC2 of one embedded AWS.
type Service struct {
	Config
	mu     sync.Mutex
	closed bool
	made   int // how many things were made: each one's place in lists

	vpcs   map[string]*Vpc
	nets   map[string]*Subnet
	groups map[string]*SecurityGroup
	// others are the ids of what has no operation of its own: gateways, route
	// tables, associations.
	others map[string]string // id to type

	images    map[string]*image
	snapshots map[string]*snapshot
	instances map[string]*instance
	templates map[string]*template
	tokens    map[string]answered // by operation and ClientToken
	addresses map[string]int      // how many addresses of a subnet were given out
}

// New makes a service that holds what a new account sees: Amazon's public images
// and the default VPC.
func New(config Config) *Service {
	s := &Service{
		Config: config.withDefaults(),
		vpcs:   map[string]*Vpc{}, nets: map[string]*Subnet{},
		groups: map[string]*SecurityGroup{}, others: map[string]string{},
		images: map[string]*image{}, snapshots: map[string]*snapshot{},
		instances: map[string]*instance{}, templates: map[string]*template{},
		tokens: map[string]answered{}, addresses: map[string]int{},
	}
	s.addDefaultVpc()
	s.PublishAmazonImage("x86_64")
	s.PublishAmazonImage("arm64")
	return s
}

// Close ends the service: nothing is asked of machines any more.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// Wire is the service's API.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "ec2",
		Protocols: []wire.Protocol{awsquery.Protocol{Version: "2016-11-15", Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/", EC2: true}},
		Operations: []wire.Operation{
			wire.Op("DescribeVpcs", s.DescribeVpcs),
			wire.Op("DescribeSubnets", s.DescribeSubnets),
			wire.Op("DescribeSecurityGroups", s.DescribeSecurityGroups),
			wire.Op("DescribeAvailabilityZones", s.DescribeAvailabilityZones),

			wire.Op("DescribeImages", s.DescribeImages),
			wire.Op("CreateImage", s.CreateImage, wire.Needs(s.createImageAccess)),
			wire.Op("CopyImage", s.CopyImage, wire.Needs(s.copyImageAccess)),
			wire.Op("DeregisterImage", s.DeregisterImage, wire.Needs(func(in *DeregisterImageInput) []wire.Access { return s.accessTo(in.ImageId) })),
			wire.Op("EnableImageDeregistrationProtection", s.EnableImageDeregistrationProtection,
				wire.Needs(func(in *EnableImageDeregistrationProtectionInput) []wire.Access { return s.accessTo(in.ImageId) })),
			wire.Op("DisableImageDeregistrationProtection", s.DisableImageDeregistrationProtection,
				wire.Needs(func(in *DisableImageDeregistrationProtectionInput) []wire.Access { return s.accessTo(in.ImageId) })),
			wire.Op("DescribeSnapshots", s.DescribeSnapshots),
			wire.Op("DeleteSnapshot", s.DeleteSnapshot, wire.Needs(func(in *DeleteSnapshotInput) []wire.Access { return s.accessTo(in.SnapshotId) })),

			wire.Op("RunInstances", s.RunInstances, wire.Needs(s.runInstancesAccess)),
			wire.Op("DescribeInstances", s.DescribeInstances),
			wire.Op("DescribeInstanceStatus", s.DescribeInstanceStatus),
			wire.Op("DescribeInstanceTypes", s.DescribeInstanceTypes),
			wire.Op("StartInstances", s.StartInstances, wire.Needs(func(in *StartInstancesInput) []wire.Access { return s.accessTo(in.InstanceIds...) })),
			wire.Op("StopInstances", s.StopInstances, wire.Needs(func(in *StopInstancesInput) []wire.Access { return s.accessTo(in.InstanceIds...) })),
			wire.Op("RebootInstances", s.RebootInstances, wire.Needs(func(in *RebootInstancesInput) []wire.Access { return s.accessTo(in.InstanceIds...) })),
			wire.Op("TerminateInstances", s.TerminateInstances, wire.Needs(func(in *TerminateInstancesInput) []wire.Access { return s.accessTo(in.InstanceIds...) })),

			wire.Op("CreateTags", s.CreateTags, wire.Needs(s.createTagsAccess)),
			wire.Op("DeleteTags", s.DeleteTags, wire.Needs(func(in *DeleteTagsInput) []wire.Access { return s.accessTo(in.Resources...) })),
			wire.Op("DescribeTags", s.DescribeTags),

			wire.Op("CreateLaunchTemplate", s.CreateLaunchTemplate, wire.Needs(s.createLaunchTemplateAccess)),
			wire.Op("CreateLaunchTemplateVersion", s.CreateLaunchTemplateVersion,
				wire.Needs(func(in *CreateLaunchTemplateVersionInput) []wire.Access { return s.accessToTemplate(in.TemplateName) })),
			wire.Op("DescribeLaunchTemplates", s.DescribeLaunchTemplates),
			wire.Op("DescribeLaunchTemplateVersions", s.DescribeLaunchTemplateVersions),
			wire.Op("ModifyLaunchTemplate", s.ModifyLaunchTemplate,
				wire.Needs(func(in *ModifyLaunchTemplateInput) []wire.Access { return s.accessToTemplate(in.TemplateName) })),
			wire.Op("DeleteLaunchTemplate", s.DeleteLaunchTemplate,
				wire.Needs(func(in *DeleteLaunchTemplateInput) []wire.Access { return s.accessToTemplate(in.TemplateName) })),
			wire.Op("DeleteLaunchTemplateVersions", s.DeleteLaunchTemplateVersions,
				wire.Needs(func(in *DeleteLaunchTemplateVersionsInput) []wire.Access { return s.accessToTemplate(in.TemplateName) })),
		},
		Invalid: invalid,
	}
}

// invalid is the error for a malformed input: a single missing parameter has a
// code of its own.
func invalid(message string) *wire.Error {
	if name, ok := strings.CutSuffix(message, ": is required"); ok && !strings.Contains(name, ";") {
		return wire.Errorf("MissingParameter", "The request must contain the parameter %s", name)
	}
	return wire.Errorf("InvalidParameterValue", "%s", message)
}

// nextLocked counts what is made.
func (s *Service) nextLocked() int {
	s.made++
	return s.made
}

// randomID makes an id such as i-0123456789abcdef0.
func randomID(prefix string) string {
	b := make([]byte, 8)
	rand.Read(b) // never fails
	return prefix + "-0" + hex.EncodeToString(b)
}

// An answered call is what a ClientToken stands for.
type answered struct {
	parameters string // of the call
	result     string // the id of what it made
}

// repeatedLocked finds what an earlier call with this token made, or "".
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
func (s *Service) repeatedLocked(operation, token, parameters string) (string, error) {
	earlier, ok := s.tokens[operation+" "+token]
	switch {
	case token == "" || !ok:
		return "", nil
	case earlier.parameters != parameters:
		return "", wire.Errorf("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
	}
	return earlier.result, nil
}

func (s *Service) answerLocked(operation, token, parameters, result string) {
	if token != "" {
		s.tokens[operation+" "+token] = answered{parameters, result}
	}
}
