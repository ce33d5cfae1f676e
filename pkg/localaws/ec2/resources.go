package ec2

import (
	"context"
	"fmt"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

type vpcProperties struct {
	CidrBlock          string `aws:",required"`
	EnableDnsSupport   bool
	EnableDnsHostnames bool
	InstanceTenancy    string
	Tags               []resource.Tag
}

type subnetProperties struct {
	VpcId               string `aws:",required"`
	CidrBlock           string `aws:",required"`
	AvailabilityZone    string
	MapPublicIpOnLaunch bool
	Tags                []resource.Tag
}

type securityGroupProperties struct {
	GroupName            string
	GroupDescription     string `aws:",required"`
	VpcId                string `aws:",required"`
	SecurityGroupIngress []ruleProperties
	SecurityGroupEgress  []ruleProperties
	Tags                 []resource.Tag
}

// ruleProperties are those of a rule inside a group, and, with GroupId, of
// AWS::EC2::SecurityGroupIngress and Egress.
type ruleProperties struct {
	GroupId                    string
	IpProtocol                 string `aws:",required"`
	FromPort                   *int32
	ToPort                     *int32
	CidrIp                     string
	CidrIpv6                   string
	Description                string
	SourceSecurityGroupId      string
	SourcePrefixListId         string
	DestinationSecurityGroupId string
	DestinationPrefixListId    string
}

type internetGatewayProperties struct{ Tags []resource.Tag }

type attachmentProperties struct {
	VpcId             string `aws:",required"`
	InternetGatewayId string `aws:",required"`
}

type routeTableProperties struct {
	VpcId string `aws:",required"`
	Tags  []resource.Tag
}

type routeProperties struct {
	RouteTableId         string `aws:",required"`
	DestinationCidrBlock string `aws:",required"`
	GatewayId            string
	NatGatewayId         string
}

type associationProperties struct {
	RouteTableId string `aws:",required"`
	SubnetId     string `aws:",required"`
}

type addressProperties struct {
	Domain string
	Tags   []resource.Tag
}

type natGatewayProperties struct {
	AllocationId string `aws:",required"`
	SubnetId     string `aws:",required"`
	Tags         []resource.Tag
}

type endpointProperties struct {
	VpcId             string `aws:",required"`
	ServiceName       string `aws:",required"`
	VpcEndpointType   string
	RouteTableIds     []string
	SubnetIds         []string
	SecurityGroupIds  []string
	PrivateDnsEnabled bool
	PolicyDocument    any
}

// Resources lists the CloudFormation types of EC2.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::EC2::LaunchTemplate", []string{"LaunchTemplateName"}, s.createTemplate, s.updateTemplate, s.deleteTemplate),
		resource.Define("AWS::EC2::VPC", []string{"CidrBlock"}, s.putVpc, s.putVpc, s.remove),
		resource.Define("AWS::EC2::Subnet", []string{"VpcId", "CidrBlock", "AvailabilityZone"}, s.putSubnet, s.putSubnet, s.remove),
		resource.Define("AWS::EC2::SecurityGroup", []string{"GroupName", "GroupDescription", "VpcId"}, s.putGroup, s.putGroup, s.remove),
		inert[ruleProperties](s, "AWS::EC2::SecurityGroupIngress", "sgr", nil),
		inert[ruleProperties](s, "AWS::EC2::SecurityGroupEgress", "sgr", nil),
		inert[internetGatewayProperties](s, "AWS::EC2::InternetGateway", "igw", func(id string) map[string]any {
			return map[string]any{"InternetGatewayId": id}
		}),
		inert[attachmentProperties](s, "AWS::EC2::VPCGatewayAttachment", "attachment", nil),
		inert[routeTableProperties](s, "AWS::EC2::RouteTable", "rtb", func(id string) map[string]any { return map[string]any{"RouteTableId": id} }),
		inert[routeProperties](s, "AWS::EC2::Route", "route", nil),
		inert[associationProperties](s, "AWS::EC2::SubnetRouteTableAssociation", "rtbassoc", nil),
		inert[addressProperties](s, "AWS::EC2::EIP", "eipalloc", func(id string) map[string]any {
			return map[string]any{"AllocationId": id, "PublicIp": "127.0.0.1"}
		}),
		inert[natGatewayProperties](s, "AWS::EC2::NatGateway", "nat", func(id string) map[string]any { return map[string]any{"NatGatewayId": id} }),
		inert[endpointProperties](s, "AWS::EC2::VPCEndpoint", "vpce", func(id string) map[string]any { return map[string]any{"Id": id} }),
	}
}

// inert makes a type that is only its id: what it would do to packets has no
// place on loopback.
func inert[P any](s *Service, name, prefix string, attributes func(id string) map[string]any) resource.Type {
	put := func(_ context.Context, r resource.Request, _ *P) (resource.State, error) {
		id := r.PhysicalID
		if id == "" {
			id = newID(prefix, r)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.others[id] = kindOf(name)
		state := resource.State{PhysicalID: id}
		if attributes != nil {
			state.Attributes = attributes(id)
		}
		return state, nil
	}
	return resource.Define(name, nil, put, put, s.remove)
}

func (s *Service) putVpc(_ context.Context, r resource.Request, p *vpcProperties) (resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.PhysicalID
	if id == "" {
		id = newID("vpc", r)
	}
	s.vpcs[id] = &Vpc{VpcId: id, State: "available", CidrBlock: p.CidrBlock, OwnerId: s.Account, TagSet: tags(p.Tags)}
	s.addDefaultGroup(id)
	return resource.State{PhysicalID: id, Attributes: map[string]any{"VpcId": id, "CidrBlock": p.CidrBlock, "DefaultSecurityGroup": defaultGroup(id)}}, nil
}

func (s *Service) putSubnet(_ context.Context, r resource.Request, p *subnetProperties) (resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.vpcs[p.VpcId]; !ok {
		return resource.State{}, wire.Errorf("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", p.VpcId)
	}
	id := r.PhysicalID
	if id == "" {
		id = newID("subnet", r)
	}
	zone := p.AvailabilityZone
	if zone == "" {
		zone = s.Region + "a"
	}
	s.nets[id] = &Subnet{
		SubnetId: id, VpcId: p.VpcId, State: "available", CidrBlock: p.CidrBlock, AvailabilityZone: zone,
		MapPublicIpOnLaunch: p.MapPublicIpOnLaunch, OwnerId: s.Account, TagSet: tags(p.Tags),
	}
	return resource.State{PhysicalID: id, Attributes: map[string]any{
		"SubnetId": id, "VpcId": p.VpcId, "AvailabilityZone": zone, "CidrBlock": p.CidrBlock,
	}}, nil
}

func (s *Service) putGroup(_ context.Context, r resource.Request, p *securityGroupProperties) (resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.vpcs[p.VpcId]; !ok {
		return resource.State{}, wire.Errorf("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", p.VpcId)
	}
	id := r.PhysicalID
	if id == "" {
		id = newID("sg", r)
	}
	name := p.GroupName
	if name == "" {
		name = r.GeneratedName(255)
	}
	s.groups[id] = &SecurityGroup{
		GroupId: id, GroupName: name, GroupDescription: p.GroupDescription, VpcId: p.VpcId, OwnerId: s.Account, TagSet: tags(p.Tags),
	}
	return resource.State{PhysicalID: id, Attributes: map[string]any{"GroupId": id, "VpcId": p.VpcId}}, nil
}

// remove deletes any of them; a VPC only once nothing is left in it.
func (s *Service) remove(_ context.Context, r resource.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.vpcs[r.PhysicalID]; ok {
		for _, n := range s.nets {
			if n.VpcId == r.PhysicalID {
				return fmt.Errorf("delete %s: %w", r.PhysicalID, wire.Errorf("DependencyViolation", "The vpc '%s' has dependencies and cannot be deleted.", r.PhysicalID))
			}
		}
	}
	if _, ok := s.vpcs[r.PhysicalID]; ok {
		delete(s.groups, defaultGroup(r.PhysicalID))
	}
	delete(s.vpcs, r.PhysicalID)
	delete(s.nets, r.PhysicalID)
	delete(s.groups, r.PhysicalID)
	delete(s.others, r.PhysicalID)
	return nil
}
