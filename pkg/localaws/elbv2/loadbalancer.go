package elbv2

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// AvailabilityZone is where a load balancer has a subnet.
type AvailabilityZone struct {
	ZoneName string
	SubnetId string
}

// State is the state of a load balancer.
type State struct {
	Code string // active
}

// LoadBalancer is a load balancer as it is described.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancer.html
type LoadBalancer struct {
	LoadBalancerArn       string
	DNSName               string
	CanonicalHostedZoneId string
	CreatedTime           time.Time
	LoadBalancerName      string
	Scheme                string
	VpcId                 string
	State                 State
	Type                  string
	AvailabilityZones     []AvailabilityZone
	SecurityGroups        []string
	IpAddressType         string
}

// A loadBalancer is one as it is kept.
type loadBalancer struct {
	LoadBalancer
	input      CreateLoadBalancerInput // as created
	attributes map[string]string
}

// fullName is what CloudWatch calls the load balancer: app/NAME/ID.
func (b *loadBalancer) fullName() string {
	_, name, _ := strings.Cut(b.LoadBalancerArn, ":loadbalancer/")
	return name
}

// CreateLoadBalancerInput is a load balancer to be.
type CreateLoadBalancerInput struct {
	Name           string `aws:",required"`
	Subnets        []string
	SecurityGroups []string
	Scheme         string // internet-facing where empty
	Type           string // application
	IpAddressType  string // ipv4 where empty
	Tags           []Tag
}

// LoadBalancersOutput lists load balancers.
type LoadBalancersOutput struct{ LoadBalancers []LoadBalancer }

// hostedZone is the zone of the Region's load balancers in Route 53.
const hostedZone = "Z35SXDOTRQ7X7K"

// CreateLoadBalancer answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
// Creating one again with the same settings answers with it.
func (s *Service) CreateLoadBalancer(_ context.Context, in *CreateLoadBalancerInput) (*LoadBalancersOutput, error) {
	if err := validName(in.Name); err != nil {
		return nil, err
	}
	if strings.HasPrefix(in.Name, "internal-") {
		return nil, validation("Name '%s' cannot begin with 'internal-'", in.Name)
	}
	if cmp.Or(in.Type, "application") != "application" {
		return nil, validation("The embedded AWS has no load balancers of type '%s'", in.Type)
	}
	if scheme := cmp.Or(in.Scheme, "internet-facing"); scheme != "internet-facing" && scheme != "internal" {
		return nil, validation("Scheme '%s' must be internet-facing or internal", scheme)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.balancers {
		if b.LoadBalancerName == in.Name {
			if !reflect.DeepEqual(b.input, *in) {
				return nil, refuse("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", in.Name)
			}
			return &LoadBalancersOutput{LoadBalancers: []LoadBalancer{b.LoadBalancer}}, nil
		}
	}
	vpc, zones, err := s.zones(in.Subnets)
	if err != nil {
		return nil, err
	}
	id := s.newIDLocked("loadbalancer")
	b := &loadBalancer{
		LoadBalancer: LoadBalancer{
			LoadBalancerArn:       s.arn("loadbalancer/app/" + in.Name + "/" + id),
			DNSName:               fmt.Sprintf("%s-%s.%s.elb.localhost", strings.ToLower(in.Name), id[:10], s.Region),
			CanonicalHostedZoneId: hostedZone, CreatedTime: s.clock.Now(), LoadBalancerName: in.Name,
			Scheme: cmp.Or(in.Scheme, "internet-facing"), VpcId: vpc, State: State{Code: "active"}, Type: "application",
			AvailabilityZones: zones, SecurityGroups: in.SecurityGroups, IpAddressType: cmp.Or(in.IpAddressType, "ipv4"),
		},
		input:      *in,
		attributes: map[string]string{},
	}
	tags, err := s.mergedTagsLocked(b.LoadBalancerArn, in.Tags)
	if err != nil {
		return nil, err
	}
	s.tags[b.LoadBalancerArn] = tags
	s.balancers = append(s.balancers, b)
	return &LoadBalancersOutput{LoadBalancers: []LoadBalancer{b.LoadBalancer}}, nil
}

// zones looks subnets up: an Application Load Balancer needs two zones of one VPC.
func (s *Service) zones(subnets []string) (vpcID string, zones []AvailabilityZone, err error) {
	distinct := map[string]bool{}
	for i, id := range subnets {
		vpc, zone, ok := "vpc-0123456789abcdef0", s.Region+string(rune('a'+i%6)), true
		if s.Subnet != nil {
			vpc, zone, ok = s.Subnet(id)
		}
		switch {
		case !ok:
			return "", nil, refuse("SubnetNotFound", "The subnet ID '%s' does not exist", id)
		case vpcID != "" && vpc != vpcID:
			return "", nil, validation("The subnets must be of one VPC")
		case distinct[zone]:
			return "", nil, refuse("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}
		vpcID, distinct[zone] = vpc, true
		zones = append(zones, AvailabilityZone{ZoneName: zone, SubnetId: id})
	}
	if len(zones) < 2 {
		return "", nil, validation("At least two subnets in two different Availability Zones must be specified")
	}
	return vpcID, zones, nil
}

func (s *Service) balancerLocked(arn string) (*loadBalancer, error) {
	for _, b := range s.balancers {
		if b.LoadBalancerArn == arn {
			return b, nil
		}
	}
	return nil, refuse("LoadBalancerNotFound", "Load balancer '%s' not found", arn)
}

// DescribeLoadBalancersInput names load balancers; nothing means all.
type DescribeLoadBalancersInput struct {
	LoadBalancerArns []string
	Names            []string
	Page
}

// DescribeLoadBalancers answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html
func (s *Service) DescribeLoadBalancers(_ context.Context, in *DescribeLoadBalancersInput) (*LoadBalancersOutput, error) {
	if err := in.Page.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &LoadBalancersOutput{LoadBalancers: []LoadBalancer{}}
	found := map[string]bool{}
	for _, b := range s.balancers {
		named := slices.Contains(in.LoadBalancerArns, b.LoadBalancerArn) || slices.Contains(in.Names, b.LoadBalancerName)
		if named || len(in.LoadBalancerArns)+len(in.Names) == 0 {
			found[b.LoadBalancerArn], found[b.LoadBalancerName] = true, true
			out.LoadBalancers = append(out.LoadBalancers, b.LoadBalancer)
		}
	}
	for _, wanted := range slices.Concat(in.LoadBalancerArns, in.Names) {
		if !found[wanted] {
			return nil, refuse("LoadBalancerNotFound", "Load balancers '[%s]' not found", wanted)
		}
	}
	return out, nil
}

// LoadBalancerInput names a load balancer.
type LoadBalancerInput struct {
	LoadBalancerArn string `aws:",required"`
}

// DeleteLoadBalancer answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html
// Its listeners and rules go with it. One that is not there is deleted already.
func (s *Service) DeleteLoadBalancer(_ context.Context, in *LoadBalancerInput) (*Empty, error) {
	s.mu.Lock()
	b, err := s.balancerLocked(in.LoadBalancerArn)
	if err != nil {
		s.mu.Unlock()
		return &Empty{}, nil
	}
	if b.attributes["deletion_protection.enabled"] == "true" {
		s.mu.Unlock()
		return nil, refuse("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", b.LoadBalancerArn)
	}
	var mine []string
	for _, l := range s.listeners {
		if l.balancer == b {
			mine = append(mine, l.arn)
		}
	}
	s.balancers = slices.DeleteFunc(s.balancers, func(other *loadBalancer) bool { return other == b })
	delete(s.tags, b.LoadBalancerArn)
	s.mu.Unlock()
	for _, arn := range mine {
		s.removeListener(arn)
	}
	return &Empty{}, nil
}

// loadBalancerDefaults are a load balancer's attributes and what they are unless
// set. Only those in loadBalancerFree can be set to anything else.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
var loadBalancerDefaults = map[string]string{
	"access_logs.s3.bucket":                                    "",
	"access_logs.s3.enabled":                                   "false",
	"access_logs.s3.prefix":                                    "",
	"client_keep_alive.seconds":                                "3600",
	"connection_logs.s3.bucket":                                "",
	"connection_logs.s3.enabled":                               "false",
	"connection_logs.s3.prefix":                                "",
	"deletion_protection.enabled":                              "false",
	"idle_timeout.timeout_seconds":                             "60",
	"load_balancing.cross_zone.enabled":                        "true",
	"routing.http.desync_mitigation_mode":                      "defensive",
	"routing.http.drop_invalid_header_fields.enabled":          "false",
	"routing.http.preserve_host_header.enabled":                "false",
	"routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
	"routing.http.xff_client_port.enabled":                     "false",
	"routing.http.xff_header_processing.mode":                  "append",
	"routing.http2.enabled":                                    "true",
	"waf.fail_open.enabled":                                    "false",
	"zonal_shift.config.enabled":                               "false",
}

var loadBalancerFree = []string{"deletion_protection.enabled"}

// merge checks attributes to set and adds them to those that are.
func merge(have map[string]string, set []Attribute, defaults map[string]string, free []string) (map[string]string, error) {
	all := maps.Clone(have)
	for _, a := range set {
		usual, known := defaults[a.Key]
		if !known {
			return nil, validation("Attribute key '%s' is not recognized", a.Key)
		}
		if a.Value != usual && !slices.Contains(free, a.Key) {
			return nil, validation("The embedded AWS does not serve attribute '%s' with value '%s', only its default '%s'", a.Key, a.Value, usual)
		}
		all[a.Key] = a.Value
	}
	return all, nil
}

// listed is all of the attributes in order of their keys.
func listed(set, defaults map[string]string) []Attribute {
	all := []Attribute{}
	for _, key := range slices.Sorted(maps.Keys(defaults)) {
		value := defaults[key]
		if v, ok := set[key]; ok {
			value = v
		}
		all = append(all, Attribute{Key: key, Value: value})
	}
	return all
}

// AttributesOutput lists attributes.
type AttributesOutput struct{ Attributes []Attribute }

// DescribeLoadBalancerAttributes answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancerAttributes.html
func (s *Service) DescribeLoadBalancerAttributes(_ context.Context, in *LoadBalancerInput) (*AttributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.balancerLocked(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	return &AttributesOutput{Attributes: listed(b.attributes, loadBalancerDefaults)}, nil
}

// ModifyLoadBalancerAttributesInput sets attributes.
type ModifyLoadBalancerAttributesInput struct {
	LoadBalancerArn string      `aws:",required"`
	Attributes      []Attribute `aws:",required"`
}

// ModifyLoadBalancerAttributes answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyLoadBalancerAttributes.html
func (s *Service) ModifyLoadBalancerAttributes(_ context.Context, in *ModifyLoadBalancerAttributesInput) (*AttributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.balancerLocked(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	merged, err := merge(b.attributes, in.Attributes, loadBalancerDefaults, loadBalancerFree)
	if err != nil {
		return nil, err
	}
	b.attributes = merged
	return &AttributesOutput{Attributes: listed(merged, loadBalancerDefaults)}, nil
}

// SetSecurityGroupsInput replaces a load balancer's security groups.
type SetSecurityGroupsInput struct {
	LoadBalancerArn string   `aws:",required"`
	SecurityGroups  []string `aws:",required"`
}

// SetSecurityGroupsOutput are the security groups now.
type SetSecurityGroupsOutput struct{ SecurityGroupIds []string }

// SetSecurityGroups answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSecurityGroups.html
func (s *Service) SetSecurityGroups(_ context.Context, in *SetSecurityGroupsInput) (*SetSecurityGroupsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.balancerLocked(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	b.SecurityGroups, b.input.SecurityGroups = in.SecurityGroups, in.SecurityGroups
	return &SetSecurityGroupsOutput{SecurityGroupIds: in.SecurityGroups}, nil
}

// SetSubnetsInput replaces a load balancer's subnets.
type SetSubnetsInput struct {
	LoadBalancerArn string   `aws:",required"`
	Subnets         []string `aws:",required"`
}

// SetSubnetsOutput are the zones now.
type SetSubnetsOutput struct{ AvailabilityZones []AvailabilityZone }

// SetSubnets answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSubnets.html
func (s *Service) SetSubnets(_ context.Context, in *SetSubnetsInput) (*SetSubnetsOutput, error) {
	vpc, zones, err := s.zones(in.Subnets)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.balancerLocked(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	if vpc != b.VpcId {
		return nil, refuse("InvalidSubnet", "The subnets are not of the load balancer's VPC '%s'", b.VpcId)
	}
	b.AvailabilityZones, b.input.Subnets = zones, in.Subnets
	return &SetSubnetsOutput{AvailabilityZones: zones}, nil
}
