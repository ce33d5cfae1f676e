package autoscaling

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
)

// A Launch asks for one instance.
type Launch struct {
	Group string
	// TemplateID and Version (a number) name a launch template; or Configuration
	// is the launch configuration.
	TemplateID    string
	Version       int64
	Configuration *LaunchConfiguration
	// ImageID and InstanceType stand in for the template's; empty ones don't.
	ImageID      string
	InstanceType string
	Subnet       string // empty where the group names only Availability Zones
	Zone         string // empty where the subnet's is not known
	Tags         map[string]string
}

// An Instance is what EC2 tells of an instance.
type Instance struct {
	State        string // "pending", "running", "stopped", ...
	Zone         string
	Subnet       string
	ImageID      string
	InstanceType string
	Impaired     bool // a status check fails
}

// A Template is a version of a launch template.
type Template struct {
	ID, Name     string
	Number       int64
	ImageID      string // may be a Systems Manager parameter
	InstanceType string
	RoleARN      string // the role of its instance profile, empty if it has none
}

// Instances is what groups ask of EC2.
type Instances interface {
	Launch(l Launch) (id string, err error)
	// Terminate ends an instance. One that is gone is terminated already.
	Terminate(id string) error
	Instance(id string) (Instance, bool)
	// Template finds a version (a number, "$Latest", "$Default", or empty for the
	// default) of a template by its id or name.
	Template(idOrName, version string) (Template, error)
	// Role is the ARN of the role in an instance profile (its name or ARN).
	Role(instanceProfile string) string
}

// TargetGroups is what groups ask of Elastic Load Balancing. Port 0 is the
// target group's own.
type TargetGroups interface {
	Exists(arn string) bool
	Register(arn, id string, port int) error
	Deregister(arn, id string, port int) error
	// Health is a target's state as DescribeTargetHealth gives it; empty or
	// "unused" when it is not registered.
	Health(arn, id string, port int) (state, description string)
}

// Topics takes notifications.
type Topics interface {
	Publish(topicARN, subject, message string) error
}

// Events takes events for the default bus.
type Events interface {
	Publish(source, detailType string, resources []string, detail any)
}

// Alarms tells of CloudWatch alarms.
type Alarms interface {
	// InAlarm is the first of these alarms that is in ALARM.
	InAlarm(names []string) (name string, found bool)
}

// Config says what a service is made of.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	Logger  *slog.Logger // nil discards

	Instances    Instances
	TargetGroups TargetGroups
	Topics       Topics // nil drops notifications
	Events       Events // nil drops events
	Alarms       Alarms // nil knows no alarm
	// Subnet finds a subnet's VPC and Availability Zone; nil knows every subnet.
	Subnet func(id string) (vpcID, zone string, ok bool)
	// Launched hears of each instance that runs, as CodeDeploy does by a lifecycle
	// hook of its own: the instance is not put in service until done is called,
	// and given up if it was not deployed to. Nil puts it in service at once.
	Launched func(group, instanceID string, done func(deployed bool))
	// NoLaunchConfigurations makes the account one that was made too late to
	// create launch configurations (on or after 2024-10-01).
	// https://docs.aws.amazon.com/autoscaling/ec2/userguide/launch-configurations.html
	NoLaunchConfigurations bool
}

// A Service is the EC2 Auto Scaling of one embedded AWS. It is safe for
// concurrent use.
type Service struct {
	Config
	clock clock.Clock

	mu             sync.Mutex
	closed         bool
	made           uint64 // ids given so far
	groups         []*group
	configurations []*LaunchConfiguration
	running        sync.WaitGroup // passes
}

// New makes a service without groups.
func New(config Config) *Service {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{Config: config, clock: config.Clock}
}

// Close stops every timer and waits for what is under way. Instances stay as
// they are.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for _, g := range s.groups {
		if g.timer != nil {
			g.timer.Stop()
		}
		g.changedLocked()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// newIDLocked derives a UUID from how many were given before, so that the same
// calls make the same ids.
func (s *Service) newIDLocked(kind string) string {
	s.made++
	sum := sha256.Sum256(fmt.Appendf(nil, "autoscaling/%s/%s/%d", s.Account, kind, s.made))
	text := hex.EncodeToString(sum[:16])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

func (s *Service) arn(kind, id, name string) string {
	return fmt.Sprintf("arn:aws:autoscaling:%s:%s:%s:%s:%sName/%s", s.Region, s.Account, kind, id, kind, name)
}

func refuse(code, format string, args ...any) *wire.Error { return wire.Errorf(code, format, args...) }

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationError", format, args...)
}

// Empty is an answer without members.
type Empty struct{}
