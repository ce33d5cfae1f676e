package ec2

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// RunInstancesInput asks for instances.
type RunInstancesInput struct {
	MinCount                          int `aws:",required"`
	MaxCount                          int `aws:",required"`
	LaunchTemplate                    *LaunchTemplateSpecification
	SubnetId                          string
	ClientToken                       string
	ImageId                           string
	InstanceType                      string
	KeyName                           string
	UserData                          string
	SecurityGroupIds                  []string `aws:"SecurityGroupId"`
	IamInstanceProfile                *IamInstanceProfile
	BlockDeviceMappings               []BlockDeviceMapping `aws:"BlockDeviceMapping"`
	MetadataOptions                   *MetadataOptions
	Monitoring                        *Monitoring
	EbsOptimized                      *bool
	TagSpecifications                 []tagSpecificationRequest `aws:"TagSpecification"`
	NetworkInterfaces                 []networkInterfaceRequest `aws:"NetworkInterface"`
	InstanceInitiatedShutdownBehavior string
	CreditSpecification               *CreditSpecification
	Placement                         *Placement
}

// LaunchTemplateSpecification names a version of a launch template; "" is the
// default one.
type LaunchTemplateSpecification struct {
	TemplateName
	Version string
}

// data is what the call itself says of its instances.
func (in *RunInstancesInput) data() LaunchTemplateData {
	return requestLaunchTemplateData{
		ImageId: in.ImageId, InstanceType: in.InstanceType, KeyName: in.KeyName, UserData: in.UserData,
		SecurityGroupIds: in.SecurityGroupIds, IamInstanceProfile: in.IamInstanceProfile,
		BlockDeviceMappings: in.BlockDeviceMappings, MetadataOptions: in.MetadataOptions, Monitoring: in.Monitoring,
		EbsOptimized: in.EbsOptimized, TagSpecifications: in.TagSpecifications, NetworkInterfaces: in.NetworkInterfaces,
		InstanceInitiatedShutdownBehavior: in.InstanceInitiatedShutdownBehavior,
		CreditSpecification:               in.CreditSpecification, Placement: in.Placement,
	}.data()
}

// RunInstances answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
func (s *Service) RunInstances(_ context.Context, in *RunInstancesInput) (*Reservation, error) {
	asked := *in
	asked.ClientToken = ""
	parameters := fingerprint(asked)
	s.mu.Lock()
	earlier, err := s.repeatedLocked("RunInstances", in.ClientToken, parameters)
	again := s.reservationLocked(earlier)
	s.mu.Unlock()
	if err != nil || earlier != "" {
		return again, err
	}
	data, used, err := s.launchData(in.LaunchTemplate, in.data())
	if err != nil {
		return nil, err
	}
	if in.SubnetId != "" && data.NetworkInterfaces != nil {
		return nil, wire.Errorf("InvalidParameterCombination", "Network interfaces and an instance-level subnet ID may not be specified on the same request")
	}
	p, err := s.prepare(data, used, in.SubnetId, in.MinCount, in.MaxCount, nil)
	if err != nil {
		return nil, err
	}
	p.token = in.ClientToken
	s.mu.Lock()
	defer s.mu.Unlock()
	// The same call may have come through meanwhile.
	if earlier, err = s.repeatedLocked("RunInstances", in.ClientToken, parameters); err != nil || earlier != "" {
		return s.reservationLocked(earlier), err
	}
	made, err := s.launchAllLocked(p)
	if err != nil {
		return nil, err
	}
	s.answerLocked("RunInstances", in.ClientToken, parameters, made[0].reservation)
	return &s.reservations(made)[0], nil
}

// reservationLocked is what an earlier launch made; instances that are not shown
// any more are left out.
func (s *Service) reservationLocked(id string) *Reservation {
	var all []*instance
	for _, i := range s.instances {
		if i.reservation == id {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b *instance) int { return cmp.Compare(a.place, b.place) })
	if len(all) == 0 {
		return &Reservation{ReservationId: id, OwnerId: s.Account, InstancesSet: []InstanceDescription{}}
	}
	return &s.reservations(all)[0]
}

// A Launch is an instance to be, for services that launch them.
type Launch struct {
	// TemplateID is the id or name of a launch template; "" is none.
	TemplateID      string
	TemplateVersion string // a number, $Latest, or $Default, which "" means too
	// Data is laid over the template's, member by member.
	Data LaunchTemplateData
	// SubnetID is in the place of that of the template's network interface.
	SubnetID string
	Tags     []Tag // over those of the template; aws: ones too
}

// Launch launches one instance, as RunInstances does.
func (s *Service) Launch(_ context.Context, l Launch) (instanceID string, err error) {
	var from *LaunchTemplateSpecification
	if l.TemplateID != "" {
		from = &LaunchTemplateSpecification{Version: l.TemplateVersion}
		if templateID.MatchString(l.TemplateID) {
			from.LaunchTemplateId = l.TemplateID
		} else {
			from.LaunchTemplateName = l.TemplateID
		}
	}
	data, used, err := s.launchData(from, l.Data)
	if err != nil {
		return "", err
	}
	p, err := s.prepare(data, used, l.SubnetID, 1, 1, l.Tags)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	made, err := s.launchAllLocked(p)
	if err != nil {
		return "", err
	}
	return made[0].id, nil
}

// A usedTemplate is the version of a launch template that instances come from.
type usedTemplate struct {
	LaunchTemplateId string
	version          int64
}

// launchData lays what a call says over the launch template that it names.
func (s *Service) launchData(from *LaunchTemplateSpecification, over LaunchTemplateData) (LaunchTemplateData, *usedTemplate, error) {
	if from == nil {
		return over, nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.templateLocked(from.TemplateName)
	if err != nil {
		return over, nil, err
	}
	v, err := t.version(from.Version)
	if err != nil {
		return over, nil, err
	}
	data := v.data
	specifications := slices.Concat(data.TagSpecifications, over.TagSpecifications)
	// Security groups given by the call stand in for those of the template's
	// interfaces, and the other way round.
	if over.SecurityGroupIds != nil && data.NetworkInterfaces != nil && over.NetworkInterfaces == nil {
		return over, nil, wire.Errorf("InvalidParameterCombination", "Network interfaces and an instance-level security groups may not be specified on the same request")
	}
	overlay(&data, over)
	data.TagSpecifications = specifications
	return data, &usedTemplate{t.LaunchTemplateId, v.number}, nil
}

const resolvePrefix = "resolve:ssm:"

// resolvedImage is the id of an image that may be named by a parameter; "" where
// there is no such parameter.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-launch-template.html#use-an-ssm-parameter-instead-of-an-ami-id
func (s *Service) resolvedImage(id string) string {
	name, ok := strings.CutPrefix(id, resolvePrefix)
	if !ok {
		return id
	}
	value, _ := s.Parameter(name)
	return value
}

// A prepared launch is checked as far as it can be without holding the service.
type prepared struct {
	data       LaunchTemplateData
	userData   string
	count      int
	subnet     string
	groups     []string
	token      string
	imageID    string
	kind       InstanceTypeInfo
	tags       []Tag
	profileARN string
	profileID  string
	role       string
}

func (s *Service) prepare(data LaunchTemplateData, used *usedTemplate, subnet string, least, most int, tags []Tag) (p prepared, err error) {
	switch {
	case least < 1:
		return p, wire.Errorf("InvalidParameterValue", "Value (%d) for parameter minCount is invalid. Minimum value is 1.", least)
	case most < least:
		return p, wire.Errorf("InvalidParameterCombination", "The maxCount parameter (%d) must not be less than minCount (%d).", most, least)
	case data.ImageId == "":
		return p, wire.Errorf("MissingParameter", "The request must contain the parameter ImageId")
	case data.SecurityGroupIds != nil && data.NetworkInterfaces != nil:
		return p, wire.Errorf("InvalidParameterCombination", "Network interfaces and an instance-level security groups may not be specified on the same request")
	}
	if p.imageID = s.resolvedImage(data.ImageId); p.imageID == "" {
		return p, wire.Errorf("InvalidParameterValue", "The parameter of %s could not be resolved to an image.", data.ImageId)
	}
	if p.kind, err = launchable(cmp.Or(data.InstanceType, "m1.small")); err != nil {
		return p, err
	}
	if p.userData, err = userData(data.UserData); err != nil {
		return p, err
	}
	if named := data.IamInstanceProfile; named != nil {
		if p.profileARN, p.profileID, p.role, err = s.Profiles.InstanceProfileRole(named.nameOrARN()); err != nil {
			return p, invalidProfile(*named, err)
		}
	}
	made, err := specified(data.TagSpecifications, "instance", "volume", "network-interface")
	if err != nil {
		return p, err
	}
	network := data.network(subnet)
	p.data, p.count, p.subnet, p.groups = data, most, network.subnet, network.groups
	p.tags = withTags(made["instance"], tags)
	if used != nil {
		// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/launch-instances-from-launch-template.html
		p.tags = withTags(p.tags, []Tag{
			{"aws:ec2launchtemplate:id", used.LaunchTemplateId}, {"aws:ec2launchtemplate:version", fmt.Sprint(used.version)},
		})
	}
	return p, nil
}

func invalidProfile(named IamInstanceProfile, err error) error {
	member := "name"
	if named.Arn != "" {
		member = "arn"
	}
	var why *wire.Error
	if !errors.As(err, &why) {
		return err
	}
	return wire.Errorf("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.%s is invalid. Invalid IAM Instance Profile %s: %s",
		named.nameOrARN(), member, member, why.Message)
}

// launchable finds an instance type that can be launched.
func launchable(name string) (InstanceTypeInfo, error) {
	t, ok := typeOf(name)
	if !ok {
		return t, wire.Errorf("InvalidParameterValue", "Invalid value '%s' for InstanceType.", name)
	}
	return t, nil
}

// fits refuses an instance type that can't run an image.
func fits(t InstanceTypeInfo, i Image) error {
	if !slices.Contains(t.ProcessorInfo.SupportedArchitectures, i.Architecture) {
		return wire.Errorf("InvalidParameterValue", "The architecture '%s' of the specified instance type does not match the architecture '%s' of the specified AMI. "+
			"Specify an instance type and an AMI that have matching architectures, and try again. "+
			"You can use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI.",
			strings.Join(t.ProcessorInfo.SupportedArchitectures, ","), i.Architecture)
	}
	if !slices.Contains(t.SupportedVirtualizationTypes, i.VirtualizationType) {
		return wire.Errorf("InvalidParameterCombination", "Non-Windows instances with a virtualization type of '%s' are currently not supported for this instance type : %s",
			i.VirtualizationType, t.InstanceType)
	}
	return nil
}

// mostUserData is the most user data, in bytes before it is encoded.
const mostUserData = 16 << 10

// userData decodes user data.
func userData(encoded string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", wire.Errorf("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
	}
	if len(raw) > mostUserData {
		return "", wire.Errorf("InvalidParameterValue", "User data is limited to %d bytes", mostUserData)
	}
	return string(raw), nil
}

// launchAllLocked makes the instances of one launch.
func (s *Service) launchAllLocked(p prepared) ([]*instance, error) {
	found, err := s.findImagesLocked([]string{p.imageID})
	if err != nil {
		return nil, err
	}
	image := found[0]
	if image.ImageState != "available" {
		return nil, wire.Errorf("InvalidAMIID.Unavailable", "The image ID '%s' is not available", image.ImageId)
	}
	if err := fits(p.kind, image.Image); err != nil {
		return nil, err
	}
	subnet, groups, err := s.placeLocked(p)
	if err != nil {
		return nil, err
	}
	mappings, err := devices(image.BlockDeviceMappings, p.data.BlockDeviceMappings, image.RootDeviceName)
	if err != nil {
		return nil, err
	}
	if err := s.usableLocked(mappings); err != nil {
		return nil, err
	}
	content := s.snapshots[image.root().SnapshotId].content
	reservation := randomID("r")
	made := make([]*instance, p.count)
	for n := range made {
		made[n] = &instance{
			id: randomID("i"), place: s.nextLocked(), reservation: reservation, index: n, token: p.token,
			image: image.Image, rootDevice: image.RootDeviceName, data: p.data, kind: p.kind, subnet: *subnet, groups: groups,
			address: s.addressLocked(subnet), profileARN: p.profileARN, profileID: p.profileID, role: p.role,
			metadata: metadataOptions(p.data.MetadataOptions, image.ImdsSupport), volumes: attached(mappings), tags: p.tags, launched: s.Clock.Now(),
		}
		s.instances[made[n].id] = made[n]
		s.launchLocked(made[n], content, p.userData)
	}
	return made, nil
}

// placeLocked finds the subnet and the security groups of a launch.
func (s *Service) placeLocked(p prepared) (*Subnet, []GroupIdentifier, error) {
	zone := ""
	if at := p.data.Placement; at != nil {
		zone = at.AvailabilityZone
	}
	if p.subnet == "" {
		if p.subnet = s.defaultSubnetLocked(zone); p.subnet == "" {
			return nil, nil, wire.Errorf("InvalidParameterValue", "Invalid availability zone: [%s]", zone)
		}
	}
	subnet, ok := s.nets[p.subnet]
	if !ok {
		return nil, nil, wire.Errorf("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", p.subnet)
	}
	if zone != "" && zone != subnet.AvailabilityZone {
		return nil, nil, wire.Errorf("InvalidParameterValue", "The subnet '%s' is not in the Availability Zone '%s'.", p.subnet, zone)
	}
	ids := p.groups
	if len(ids) == 0 {
		ids = []string{defaultGroup(subnet.VpcId)}
	}
	var groups []GroupIdentifier
	for _, id := range ids {
		g, ok := s.groups[id]
		if !ok {
			return nil, nil, wire.Errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
		}
		if g.VpcId != subnet.VpcId {
			return nil, nil, wire.Errorf("InvalidParameter", "Security group %s and subnet %s belong to different networks.", id, p.subnet)
		}
		groups = append(groups, GroupIdentifier{g.GroupId, g.GroupName})
	}
	return subnet, groups, nil
}

// addressLocked gives out the next address of a subnet. The first four belong to
// AWS: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
func (s *Service) addressLocked(subnet *Subnet) string {
	prefix, err := netip.ParsePrefix(subnet.CidrBlock)
	if err != nil {
		return ""
	}
	const reserved = 4
	usable := 1<<min(prefix.Addr().BitLen()-prefix.Bits(), 16) - reserved - 1
	address := prefix.Masked().Addr()
	for range reserved + s.addresses[subnet.SubnetId]%max(usable, 1) {
		address = address.Next()
	}
	s.addresses[subnet.SubnetId]++
	return address.String()
}

// attached makes the volumes of an instance.
func attached(mappings []BlockDeviceMapping) map[string]volume {
	volumes := map[string]volume{}
	for _, m := range mappings {
		v := volume{mapping: m}
		if m.Ebs != nil {
			ebs := *m.Ebs
			if ebs.DeleteOnTermination == nil {
				yes := true
				ebs.DeleteOnTermination = &yes
			}
			ebs.VolumeType = cmp.Or(ebs.VolumeType, "gp2")
			v = volume{id: randomID("vol"), mapping: BlockDeviceMapping{DeviceName: m.DeviceName, Ebs: &ebs}}
		}
		volumes[m.DeviceName] = v
	}
	return volumes
}

// metadataOptions are what an instance gets: version 2 only where its image says
// so, unless its launch does.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html
func metadataOptions(given *MetadataOptions, imdsSupport string) MetadataOptions {
	hops := int32(1)
	o := MetadataOptions{HttpEndpoint: "enabled", HttpTokens: "optional", HttpProtocolIpv6: "disabled", InstanceMetadataTags: "disabled"}
	if imdsSupport == "v2.0" {
		o.HttpTokens, hops = "required", 2
	}
	o.HttpPutResponseHopLimit = &hops
	if given != nil {
		overlay(&o, *given)
	}
	return o
}
