package ec2

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// addDefaultVpc makes the VPC that every account comes with: a subnet in each
// Availability Zone, for instances that name none.
// https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc.html
func (s *Service) addDefaultVpc() {
	const suffix = "-0de1fa01700000000"
	vpc := "vpc" + suffix
	s.vpcs[vpc] = &Vpc{VpcId: vpc, State: "available", CidrBlock: "172.31.0.0/16", OwnerId: s.Account, IsDefault: true}
	s.addDefaultGroup(vpc)
	for n, letter := range zoneLetters {
		id := "subnet" + suffix[:len(suffix)-1] + string(letter)
		s.nets[id] = &Subnet{
			SubnetId: id, VpcId: vpc, State: "available", CidrBlock: fmt.Sprintf("172.31.%d.0/20", 16*n), AvailabilityZone: s.Region + string(letter),
			MapPublicIpOnLaunch: true, DefaultForAz: true, OwnerId: s.Account,
		}
	}
}

// addDefaultGroup makes the security group that every VPC comes with.
func (s *Service) addDefaultGroup(vpcID string) {
	group := defaultGroup(vpcID)
	if s.groups[group] == nil {
		s.groups[group] = &SecurityGroup{
			GroupId: group, GroupName: "default", GroupDescription: "default VPC security group", VpcId: vpcID, OwnerId: s.Account,
		}
	}
}

// defaultGroup is the id of a VPC's default security group.
func defaultGroup(vpcID string) string { return "sg-" + strings.TrimPrefix(vpcID, "vpc-") }

// defaultSubnetLocked is the default subnet of a zone, or of the first one.
func (s *Service) defaultSubnetLocked(zone string) string {
	for _, id := range slices.Sorted(maps.Keys(s.nets)) {
		if n := s.nets[id]; n.DefaultForAz && (zone == "" || zone == n.AvailabilityZone) {
			return id
		}
	}
	return ""
}

// zoneLetters are the Region's Availability Zones.
const zoneLetters = "abc"

// Vpc is a VPC as EC2 describes it.
type Vpc struct {
	VpcId     string
	State     string
	CidrBlock string
	OwnerId   string
	IsDefault bool
	TagSet    []Tag
}

// DescribeVpcsInput names VPCs; none means all.
type DescribeVpcsInput struct {
	VpcIds []string `aws:"VpcId"`
}

// DescribeVpcsOutput lists them.
type DescribeVpcsOutput struct{ VpcSet []Vpc }

// DescribeVpcs answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html
func (s *Service) DescribeVpcs(_ context.Context, in *DescribeVpcsInput) (*DescribeVpcsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := pick(s.vpcs, in.VpcIds, "InvalidVpcID.NotFound", "vpc ID")
	return &DescribeVpcsOutput{VpcSet: found}, err
}

// Subnet is a subnet as EC2 describes it.
type Subnet struct {
	SubnetId            string
	VpcId               string
	State               string
	CidrBlock           string
	AvailabilityZone    string
	MapPublicIpOnLaunch bool
	DefaultForAz        bool
	OwnerId             string
	TagSet              []Tag
}

// DescribeSubnetsInput names subnets; none means all.
type DescribeSubnetsInput struct {
	SubnetIds []string `aws:"SubnetId"`
}

// DescribeSubnetsOutput lists them.
type DescribeSubnetsOutput struct{ SubnetSet []Subnet }

// DescribeSubnets answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html
func (s *Service) DescribeSubnets(_ context.Context, in *DescribeSubnetsInput) (*DescribeSubnetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := pick(s.nets, in.SubnetIds, "InvalidSubnetID.NotFound", "subnet ID")
	return &DescribeSubnetsOutput{SubnetSet: found}, err
}

// Subnet finds a subnet's VPC and Availability Zone.
func (s *Service) Subnet(id string) (vpcID, zone string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.nets[id]
	if !ok {
		return "", "", false
	}
	return n.VpcId, n.AvailabilityZone, true
}

// SecurityGroup is a security group as EC2 describes it.
type SecurityGroup struct {
	GroupId          string
	GroupName        string
	GroupDescription string
	VpcId            string
	OwnerId          string
	TagSet           []Tag
}

// DescribeSecurityGroupsInput names groups; none means all.
type DescribeSecurityGroupsInput struct {
	GroupIds []string `aws:"GroupId"`
}

// DescribeSecurityGroupsOutput lists them.
type DescribeSecurityGroupsOutput struct{ SecurityGroupInfo []SecurityGroup }

// DescribeSecurityGroups answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html
func (s *Service) DescribeSecurityGroups(_ context.Context, in *DescribeSecurityGroupsInput) (*DescribeSecurityGroupsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := pick(s.groups, in.GroupIds, "InvalidGroup.NotFound", "security group")
	return &DescribeSecurityGroupsOutput{SecurityGroupInfo: found}, err
}

// DescribeAvailabilityZonesInput has no members of use.
type DescribeAvailabilityZonesInput struct{}

// DescribeAvailabilityZonesOutput lists the Region's zones.
type DescribeAvailabilityZonesOutput struct{ AvailabilityZoneInfo []AvailabilityZone }

// AvailabilityZone is a zone as EC2 describes it.
type AvailabilityZone struct {
	ZoneName   string
	ZoneState  string
	RegionName string
}

// DescribeAvailabilityZones answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html
func (s *Service) DescribeAvailabilityZones(context.Context, *DescribeAvailabilityZonesInput) (*DescribeAvailabilityZonesOutput, error) {
	out := &DescribeAvailabilityZonesOutput{}
	for _, letter := range zoneLetters {
		out.AvailabilityZoneInfo = append(out.AvailabilityZoneInfo, AvailabilityZone{
			ZoneName: s.Region + string(letter), ZoneState: "available", RegionName: s.Region,
		})
	}
	return out, nil
}

// pick finds records by id, all of them in order of their ids where none is named.
func pick[T any](from map[string]*T, ids []string, code, kind string) ([]T, error) {
	if len(ids) == 0 {
		for id := range from {
			ids = append(ids, id)
		}
		slices.Sort(ids)
	}
	found := []T{}
	for _, id := range ids {
		record, ok := from[id]
		if !ok {
			return nil, wire.Errorf(code, "The %s '%s' does not exist", kind, id)
		}
		found = append(found, *record)
	}
	return found, nil
}

// newID derives an id from where the resource stands, so that a create that is
// repeated names the same thing.
func newID(prefix string, r resource.Request) string {
	h := fnv.New64a()
	h.Write([]byte(r.StackID + "/" + r.LogicalID + "/" + fmt.Sprint(r.Properties)))
	return fmt.Sprintf("%s-0%016x", prefix, h.Sum64())
}

func kindOf(typeName string) string { return typeName[strings.LastIndex(typeName, ":")+1:] }
