// Package ec2 holds the network resources that templates create in EC2: records
// with ids, that other resources name.
//
// Known differences from EC2: nothing is routed or filtered by them. Tasks and
// load balancers listen on loopback, whatever subnets and security groups say.
// Everything fits one page.
package ec2

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsquery"
)

// Config says where the network is.
type Config struct {
	Region  string
	Account string
}

// A Service holds the network of one embedded AWS.
type Service struct {
	Config
	mu     sync.Mutex
	vpcs   map[string]*Vpc
	nets   map[string]*Subnet
	groups map[string]*SecurityGroup
	// others are the ids of what has no operation of its own: gateways, route
	// tables, associations.
	others map[string]string // id to type
}

// New makes a service without resources.
func New(config Config) *Service {
	return &Service{
		Config: config, vpcs: map[string]*Vpc{}, nets: map[string]*Subnet{},
		groups: map[string]*SecurityGroup{}, others: map[string]string{},
	}
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
		},
		Invalid: func(message string) *wire.Error { return wire.Errorf("InvalidParameterValue", "%s", message) },
	}
}

// A Tag as EC2 writes it.
type Tag struct {
	Key   string
	Value string
}

func tags(from []resource.Tag) []Tag {
	var to []Tag
	for _, t := range from {
		to = append(to, Tag(t))
	}
	return to
}

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
	for _, letter := range "abc" {
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
