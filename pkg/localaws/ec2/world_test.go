package ec2_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/ec2"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const role = "arn:aws:iam::111122223333:role/web"

// A place is an EC2 on a clock that the test moves, with machines that note what
// is done to them, and a subnet.
type place struct {
	clock    *clock.Manual
	service  *ec2.Service
	client   *sdk.Client
	config   aws.Config
	machines *machines
	vpc      string
	subnet   string
	group    string
}

func newPlace(t testing.TB, change ...func(*ec2.Config)) *place {
	t.Helper()
	p := &place{clock: clock.NewManual(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)), machines: &machines{}}
	config := ec2.Config{
		Region: "us-east-1", Account: "111122223333", Clock: p.clock, Machines: p.machines, Profiles: profiles{},
		Parameter: func(name string) (string, bool) { return "", false },
	}
	for _, f := range change {
		f(&config)
	}
	p.service = ec2.New(config)
	t.Cleanup(p.service.Close)
	p.vpc = put(t, p.service, "AWS::EC2::VPC", "Vpc", map[string]any{"CidrBlock": "10.0.0.0/16"}).PhysicalID
	p.subnet = put(t, p.service, "AWS::EC2::Subnet", "A", map[string]any{
		"VpcId": p.vpc, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1b",
	}).PhysicalID
	p.group = put(t, p.service, "AWS::EC2::SecurityGroup", "Web", map[string]any{"VpcId": p.vpc, "GroupDescription": "web"}).PhysicalID
	p.config, _ = endpointtest.Serve(t, p.clock, p.service.Wire())
	p.client = sdk.NewFromConfig(p.config)
	return p
}

// amazon is Amazon's newest image for x86_64.
func (p *place) amazon() string {
	return p.service.PublicImages()["/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"]
}

// input launches one instance of an image.
func (p *place) input(image string) *sdk.RunInstancesInput {
	return &sdk.RunInstancesInput{
		ImageId: &image, InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &p.subnet,
	}
}

// run launches an instance and lets it boot.
func (p *place) run(t testing.TB, in *sdk.RunInstancesInput) string {
	t.Helper()
	out, err := p.client.RunInstances(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(3 * time.Minute)
	return *out.Instances[0].InstanceId
}

func (p *place) instance(t testing.TB, id string) types.Instance {
	t.Helper()
	out, err := p.client.DescribeInstances(t.Context(), &sdk.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Reservations[0].Instances[0]
}

func (p *place) state(t testing.TB, id string) types.InstanceStateName {
	t.Helper()
	return p.instance(t, id).State.Name
}

func (p *place) image(t testing.TB, id string) types.Image {
	t.Helper()
	out, err := p.client.DescribeImages(t.Context(), &sdk.DescribeImagesInput{ImageIds: []string{id}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Images[0]
}

// makeImage makes an image of an instance and waits for its end.
func (p *place) makeImage(t testing.TB, instance, name string) string {
	t.Helper()
	out, err := p.client.CreateImage(t.Context(), &sdk.CreateImageInput{InstanceId: &instance, Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(10 * time.Minute)
	return *out.ImageId
}

func put(t testing.TB, s *ec2.Service, kind, id string, properties map[string]any) resource.State {
	t.Helper()
	state, err := resourceType(t, s, kind).Create(t.Context(), resource.Request{StackName: "net", StackID: "net/1", LogicalID: id, Properties: properties})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func resourceType(t testing.TB, s *ec2.Service, name string) resource.Type {
	t.Helper()
	for _, r := range s.Resources() {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no resource type %s", name)
	return resource.Type{}
}

// refused holds that a call was refused with a code.
func refused(t testing.TB, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: got error %v, want %s", what, err, code)
	}
}

func encoded(text string) *string { return aws.String(base64.StdEncoding.EncodeToString([]byte(text))) }

// machines note what is done to them, in order. A test may hold boots and stops
// back, and break what it names.
type machines struct {
	mu     sync.Mutex
	done   []string
	broken string // the first word of what fails
	held   bool   // boots and stops are kept until let
	kept   []func()
}

func (m *machines) note(parts ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if parts[0] == m.broken {
		return errors.New(m.broken + " is broken")
	}
	m.done = append(m.done, strings.Join(parts, " "))
	return nil
}

func (m *machines) soon(f func()) {
	m.mu.Lock()
	if m.held {
		m.kept = append(m.kept, f)
		m.mu.Unlock()
		return
	}
	m.mu.Unlock()
	f()
}

// hold keeps boots and stops from ending until let is called.
func (m *machines) hold() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = true
}

func (m *machines) let() {
	m.mu.Lock()
	kept := m.kept
	m.kept, m.held = nil, false
	m.mu.Unlock()
	for _, f := range kept {
		f()
	}
}

// took takes what was noted since the last time.
func (m *machines) took() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	done := m.done
	m.done = nil
	return done
}

func (m *machines) Launch(l ec2.Machine, booted func(error)) error {
	if err := m.note("launch", l.ID, l.Snapshot, l.UserData); err != nil {
		return err
	}
	m.soon(func() { booted(m.note("boot", l.ID)) })
	return nil
}

func (m *machines) Start(id string, booted func(error)) error {
	if err := m.note("start", id); err != nil {
		return err
	}
	m.soon(func() { booted(nil) })
	return nil
}

func (m *machines) Stop(id string, stopped func()) error {
	if err := m.note("stop", id); err != nil {
		return err
	}
	m.soon(stopped)
	return nil
}

func (m *machines) Terminate(id string, gone func()) error {
	if err := m.note("terminate", id); err != nil {
		return err
	}
	m.soon(gone)
	return nil
}

func (m *machines) Snapshot(id, snapshot string) error   { return m.note("snapshot", id, snapshot) }
func (m *machines) CopySnapshot(from, to string) error   { return m.note("copy", from, to) }
func (m *machines) DeleteSnapshot(snapshot string) error { return m.note("delete", snapshot) }
func (m *machines) Address(string, int) (string, bool)   { return "127.0.0.1:4711", true }

// profiles know one profile, web, of the role web.
type profiles struct{}

func (profiles) InstanceProfileRole(name string) (string, string, string, error) {
	const arn = "arn:aws:iam::111122223333:instance-profile/web"
	if !slices.Contains([]string{"web", arn}, name) {
		return "", "", "", wire.Errorf("NoSuchEntity", "Instance Profile %s cannot be found.", name)
	}
	return arn, "AIPAEXAMPLE", role, nil
}

func (profiles) Credentials(roleARN, instanceID string) (ec2.Credentials, error) {
	return ec2.Credentials{
		AccessKeyID: "ASIA" + instanceID, SecretAccessKey: "secret of " + roleARN, SessionToken: "session",
		Expiration: time.Date(2126, 1, 2, 18, 0, 0, 0, time.UTC),
	}, nil
}
