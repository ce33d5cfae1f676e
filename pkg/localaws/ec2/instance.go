package ec2

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// The states of an instance.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
const (
	pending      = "pending"
	running      = "running"
	shuttingDown = "shutting-down"
	terminated   = "terminated"
	stopping     = "stopping"
	stopped      = "stopped"
)

// stateCodes are EC2's numbers of the states.
var stateCodes = map[string]int{pending: 0, running: 16, shuttingDown: 32, terminated: 48, stopping: 64, stopped: 80}

// InstanceState is a state as EC2 writes it.
type InstanceState struct {
	Code int
	Name string
}

func stateOf(name string) InstanceState { return InstanceState{stateCodes[name], name} }

type instance struct {
	id          string
	place       int
	reservation string
	index       int // within its reservation
	token       string
	image       Image // as it was at launch
	rootDevice  string
	data        LaunchTemplateData // what it was launched with
	kind        InstanceTypeInfo
	subnet      Subnet
	groups      []GroupIdentifier
	address     string
	profileARN  string
	profileID   string
	role        string // the ARN of its profile's
	metadata    MetadataOptions
	volumes     map[string]volume
	tags        []Tag
	launched    time.Time // of the last start
	held        Credentials
	sessions    []string // tokens of its metadata service

	state   string
	reason  string // of the last transition asked for
	why     *StateReason
	epoch   int // counts transitions: a later one makes earlier ones void
	checked bool
	boot    string // "", "passed", "failed": whether the machine came up

	steps []step
	busy  bool
}

type volume struct {
	id      string
	mapping BlockDeviceMapping
}

// GroupIdentifier names a security group.
type GroupIdentifier struct {
	GroupId   string
	GroupName string
}

// devices are the instance's volumes as an image of it has them.
func (i *instance) devices() []BlockDeviceMapping {
	var all []BlockDeviceMapping
	for _, name := range i.deviceNames() {
		all = append(all, i.volumes[name].mapping)
	}
	return all
}

// deviceNames are the volumes' device names, the root first.
func (i *instance) deviceNames() []string {
	names := []string{i.rootDevice}
	var others []string
	for name := range i.volumes {
		if name != i.rootDevice {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(names, others...)
}

// InstanceDescription is an instance as EC2 describes it.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
type InstanceDescription struct {
	InstanceId          string
	ImageId             string
	InstanceState       InstanceState
	PrivateDnsName      string
	PrivateIpAddress    string
	Reason              string
	StateReason         *StateReason
	KeyName             string
	AmiLaunchIndex      int
	InstanceType        string
	LaunchTime          time.Time
	Placement           Placement
	Monitoring          MonitoringState
	SubnetId            string
	VpcId               string
	GroupSet            []GroupIdentifier
	SourceDestCheck     bool
	Architecture        string
	RootDeviceType      string
	RootDeviceName      string
	BlockDeviceMappings []AttachedVolume `aws:"blockDeviceMapping"`
	VirtualizationType  string
	Hypervisor          string
	ClientToken         string
	EbsOptimized        bool
	EnaSupport          bool
	IamInstanceProfile  *AttachedProfile
	MetadataOptions     AppliedMetadataOptions
	PlatformDetails     string
	UsageOperation      string
	TagSet              []Tag
}

// MonitoringState is "enabled" or "disabled".
type MonitoringState struct{ State string }

// AttachedProfile is the instance profile that an instance has.
type AttachedProfile struct {
	Arn string
	Id  string
}

// AppliedMetadataOptions are the metadata options that an instance has.
type AppliedMetadataOptions struct {
	State string
	MetadataOptions
}

// AttachedVolume is a volume that an instance has.
type AttachedVolume struct {
	DeviceName string
	Ebs        AttachedEBS
}

// AttachedEBS says which one it is.
type AttachedEBS struct {
	VolumeId            string
	Status              string
	AttachTime          time.Time
	DeleteOnTermination bool
}

func (i *instance) describe() InstanceDescription {
	d := InstanceDescription{
		InstanceId: i.id, ImageId: i.image.ImageId, InstanceState: stateOf(i.state), Reason: i.reason, StateReason: i.why,
		KeyName: i.data.KeyName, AmiLaunchIndex: i.index, InstanceType: i.kind.InstanceType, LaunchTime: i.launched,
		Placement: i.placement(), Monitoring: MonitoringState{"disabled"}, Architecture: i.image.Architecture, RootDeviceType: i.image.RootDeviceType,
		RootDeviceName: i.rootDevice, VirtualizationType: i.image.VirtualizationType, Hypervisor: "xen", ClientToken: i.token,
		EbsOptimized: i.data.EbsOptimized != nil && *i.data.EbsOptimized, EnaSupport: i.image.EnaSupport,
		MetadataOptions: AppliedMetadataOptions{"applied", i.metadata}, PlatformDetails: i.image.PlatformDetails,
		UsageOperation: i.image.UsageOperation, TagSet: i.tags,
	}
	if m := i.data.Monitoring; m != nil && m.Enabled != nil && *m.Enabled {
		d.Monitoring.State = "enabled"
	}
	if i.profileARN != "" {
		d.IamInstanceProfile = &AttachedProfile{i.profileARN, i.profileID}
	}
	if i.state == terminated {
		return d // which has left its network and lost its volumes
	}
	d.PrivateIpAddress, d.PrivateDnsName, d.SubnetId, d.VpcId = i.address, i.hostname(), i.subnet.SubnetId, i.subnet.VpcId
	d.GroupSet, d.SourceDestCheck = i.groups, true
	for _, name := range i.deviceNames() {
		v := i.volumes[name]
		if v.id == "" {
			continue
		}
		d.BlockDeviceMappings = append(d.BlockDeviceMappings, AttachedVolume{name, AttachedEBS{
			VolumeId: v.id, Status: "attached", AttachTime: i.launched,
			DeleteOnTermination: v.mapping.Ebs.DeleteOnTermination != nil && *v.mapping.Ebs.DeleteOnTermination,
		}})
	}
	return d
}

func (i *instance) placement() Placement {
	p := Placement{AvailabilityZone: i.subnet.AvailabilityZone, Tenancy: "default"}
	if given := i.data.Placement; given != nil {
		p.GroupName = given.GroupName
		if given.Tenancy != "" {
			p.Tenancy = given.Tenancy
		}
	}
	return p
}

func (i *instance) hostname() string {
	return "ip-" + strings.ReplaceAll(i.address, ".", "-") + ".ec2.internal"
}

// DescribeInstancesInput asks for instances.
type DescribeInstancesInput struct {
	InstanceIds []string `aws:"InstanceId"`
	Filters     []Filter `aws:"Filter"`
	Page
}

// DescribeInstancesOutput lists instances by the call that launched them.
type DescribeInstancesOutput struct {
	ReservationSet []Reservation
	NextToken      string
}

// Reservation are the instances of one launch.
type Reservation struct {
	ReservationId string
	OwnerId       string
	GroupSet      []GroupIdentifier
	InstancesSet  []InstanceDescription
}

var instanceFilters = tagged[*instance]{tags: func(i *instance) []Tag { return i.tags }, filters: filters[*instance]{
	"instance-id":              func(i *instance) []string { return []string{i.id} },
	"instance-state-name":      func(i *instance) []string { return []string{i.state} },
	"instance-state-code":      func(i *instance) []string { return []string{strconv.Itoa(stateCodes[i.state])} },
	"instance-type":            func(i *instance) []string { return []string{i.kind.InstanceType} },
	"image-id":                 func(i *instance) []string { return []string{i.image.ImageId} },
	"architecture":             func(i *instance) []string { return []string{i.image.Architecture} },
	"key-name":                 func(i *instance) []string { return []string{i.data.KeyName} },
	"availability-zone":        func(i *instance) []string { return []string{i.subnet.AvailabilityZone} },
	"subnet-id":                func(i *instance) []string { return i.network(i.subnet.SubnetId) },
	"vpc-id":                   func(i *instance) []string { return i.network(i.subnet.VpcId) },
	"private-ip-address":       func(i *instance) []string { return i.network(i.address) },
	"private-dns-name":         func(i *instance) []string { return i.network(i.hostname()) },
	"reservation-id":           func(i *instance) []string { return []string{i.reservation} },
	"client-token":             func(i *instance) []string { return []string{i.token} },
	"launch-time":              func(i *instance) []string { return []string{stamp(i.launched)} },
	"root-device-name":         func(i *instance) []string { return []string{i.rootDevice} },
	"iam-instance-profile.arn": func(i *instance) []string { return []string{i.profileARN} },
	"instance.group-id": func(i *instance) []string {
		var ids []string
		for _, g := range i.groups {
			ids = append(ids, i.network(g.GroupId)...)
		}
		return ids
	},
}}

// network is a property of an instance's network, which it leaves at its end.
func (i *instance) network(property string) []string {
	if i.state == terminated {
		return nil
	}
	return []string{property}
}

// DescribeInstances answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
func (s *Service) DescribeInstances(_ context.Context, in *DescribeInstancesInput) (*DescribeInstancesOutput, error) {
	if err := instanceFilters.check(in.Filters); err != nil {
		return nil, err
	}
	if err := unpaged(in.Page, "instancesSet", in.InstanceIds); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.chosenLocked(in.InstanceIds)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(i *instance) bool { return !instanceFilters.keeps(in.Filters, i) })
	found, next, err := cut(in.Page, limits{5, 1000}, all, func(i *instance) int { return i.place })
	if err != nil {
		return nil, err
	}
	return &DescribeInstancesOutput{ReservationSet: s.reservations(found), NextToken: next}, nil
}

// reservations groups instances by the call that launched them.
func (s *Service) reservations(instances []*instance) []Reservation {
	all := []Reservation{}
	for _, i := range instances {
		at := slices.IndexFunc(all, func(r Reservation) bool { return r.ReservationId == i.reservation })
		if at < 0 {
			at = len(all)
			all = append(all, Reservation{ReservationId: i.reservation, OwnerId: s.Account})
		}
		all[at].InstancesSet = append(all[at].InstancesSet, i.describe())
	}
	return all
}

var instanceID = regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)

func (s *Service) instanceLocked(id string) (*instance, error) {
	if !instanceID.MatchString(id) {
		return nil, wire.Errorf("InvalidInstanceID.Malformed", "Invalid id: %q", id)
	}
	i, ok := s.instances[id]
	if !ok {
		return nil, wire.Errorf("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
	}
	return i, nil
}

// chosenLocked finds instances by id, or all where none is named.
func (s *Service) chosenLocked(ids []string) ([]*instance, error) {
	var all []*instance
	if len(ids) == 0 {
		for _, i := range s.instances {
			all = append(all, i)
		}
		return all, nil
	}
	var missing []string
	for _, id := range ids {
		i, err := s.instanceLocked(id)
		switch {
		case err == nil:
			if !slices.Contains(all, i) {
				all = append(all, i)
			}
		case !instanceID.MatchString(id):
			return nil, err
		default:
			missing = append(missing, id)
		}
	}
	switch {
	case len(missing) == 1:
		return nil, wire.Errorf("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", missing[0])
	case len(missing) > 1:
		return nil, wire.Errorf("InvalidInstanceID.NotFound", "The instance IDs '%s' do not exist", strings.Join(missing, ", "))
	}
	return all, nil
}

// An Instance is an instance as other services see it.
type Instance struct {
	ID               string
	State            string // pending, running, shutting-down, terminated, stopping, stopped
	StateReason      string
	ImageID          string
	Type             string
	SubnetID         string
	VPCID            string
	Zone             string
	PrivateIPAddress string
	LaunchTime       time.Time
	// Status is what its two status checks say together: ok, initializing,
	// impaired, or not-applicable where it does not run.
	Status string
	Tags   map[string]string
}

// Instance finds an instance.
func (s *Service) Instance(id string) (Instance, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.instances[id]
	if !ok {
		return Instance{}, false
	}
	view := Instance{
		ID: i.id, State: i.state, ImageID: i.image.ImageId, Type: i.kind.InstanceType, SubnetID: i.subnet.SubnetId, VPCID: i.subnet.VpcId,
		Zone: i.subnet.AvailabilityZone, PrivateIPAddress: i.address, LaunchTime: i.launched, Status: i.instanceStatus(), Tags: map[string]string{},
	}
	if i.why != nil {
		view.StateReason = i.why.Message
	}
	for _, t := range i.tags {
		view.Tags[t.Key] = t.Value
	}
	return view, true
}

// Address is where the program that serves a port of an instance can be reached
// from outside; ok is false while none does.
func (s *Service) Address(instanceID string, port int) (address string, ok bool) {
	return s.Machines.Address(instanceID, port)
}
