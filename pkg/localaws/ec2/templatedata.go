package ec2

import "reflect"

// LaunchTemplateData is what instances are launched with: the content of a
// launch template's version, with CloudFormation's property names. What is
// stored is returned as it was given.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RequestLaunchTemplateData.html
type LaunchTemplateData struct {
	ImageId                           string
	InstanceType                      string
	KeyName                           string
	UserData                          string // Base64
	SecurityGroupIds                  []string
	IamInstanceProfile                *IamInstanceProfile
	BlockDeviceMappings               []BlockDeviceMapping
	MetadataOptions                   *MetadataOptions
	Monitoring                        *Monitoring
	EbsOptimized                      *bool
	TagSpecifications                 []TagSpecification
	NetworkInterfaces                 []NetworkInterface
	InstanceInitiatedShutdownBehavior string
	CreditSpecification               *CreditSpecification
	Placement                         *Placement
}

// IamInstanceProfile names an instance profile by one of the two.
type IamInstanceProfile struct {
	Arn  string
	Name string
}

func (p IamInstanceProfile) nameOrARN() string {
	if p.Arn != "" {
		return p.Arn
	}
	return p.Name
}

// MetadataOptions say how an instance's metadata can be read.
type MetadataOptions struct {
	HttpEndpoint            string // enabled, disabled
	HttpTokens              string // required, optional
	HttpPutResponseHopLimit *int32
	HttpProtocolIpv6        string
	InstanceMetadataTags    string // enabled, disabled
}

// Monitoring says whether detailed monitoring is on.
type Monitoring struct{ Enabled *bool }

// CreditSpecification is of burstable types: standard or unlimited.
type CreditSpecification struct{ CpuCredits string }

// Placement says where an instance is to run.
type Placement struct {
	AvailabilityZone string
	GroupName        string
	Tenancy          string
}

// NetworkInterface is a network interface to be.
type NetworkInterface struct {
	DeviceIndex              *int32
	SubnetId                 string
	Groups                   []string
	AssociatePublicIpAddress *bool
	DeleteOnTermination      *bool
	Description              string
}

// requestLaunchTemplateData is the same as requests write it.
type requestLaunchTemplateData struct {
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

type networkInterfaceRequest struct {
	DeviceIndex              *int32
	SubnetId                 string
	Groups                   []string `aws:"SecurityGroupId"`
	AssociatePublicIpAddress *bool
	DeleteOnTermination      *bool
	Description              string
}

func (r requestLaunchTemplateData) data() LaunchTemplateData {
	return LaunchTemplateData{
		ImageId: r.ImageId, InstanceType: r.InstanceType, KeyName: r.KeyName, UserData: r.UserData,
		SecurityGroupIds: r.SecurityGroupIds, IamInstanceProfile: r.IamInstanceProfile,
		BlockDeviceMappings: r.BlockDeviceMappings, MetadataOptions: r.MetadataOptions, Monitoring: r.Monitoring,
		EbsOptimized: r.EbsOptimized, TagSpecifications: plainSpecifications(r.TagSpecifications),
		NetworkInterfaces: plainInterfaces(r.NetworkInterfaces), InstanceInitiatedShutdownBehavior: r.InstanceInitiatedShutdownBehavior,
		CreditSpecification: r.CreditSpecification, Placement: r.Placement,
	}
}

func plainInterfaces(requests []networkInterfaceRequest) []NetworkInterface {
	var all []NetworkInterface
	for _, r := range requests {
		all = append(all, NetworkInterface(r))
	}
	return all
}

// ResponseLaunchTemplateData is the same as answers write it.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResponseLaunchTemplateData.html
type ResponseLaunchTemplateData struct {
	ImageId                           string
	InstanceType                      string
	KeyName                           string
	UserData                          string
	SecurityGroupIds                  []string `aws:"securityGroupIdSet"`
	IamInstanceProfile                *IamInstanceProfile
	BlockDeviceMappings               []BlockDeviceMapping `aws:"blockDeviceMappingSet"`
	MetadataOptions                   *MetadataOptions
	Monitoring                        *Monitoring
	EbsOptimized                      *bool
	TagSpecifications                 []tagSpecificationResponse `aws:"tagSpecificationSet"`
	NetworkInterfaces                 []networkInterfaceResponse `aws:"networkInterfaceSet"`
	InstanceInitiatedShutdownBehavior string
	CreditSpecification               *CreditSpecification
	Placement                         *Placement
}

type tagSpecificationResponse struct {
	ResourceType string
	Tags         []Tag `aws:"tagSet"`
}

type networkInterfaceResponse struct {
	DeviceIndex              *int32
	SubnetId                 string
	Groups                   []string `aws:"groupSet,item=groupId"`
	AssociatePublicIpAddress *bool
	DeleteOnTermination      *bool
	Description              string
}

func (d LaunchTemplateData) response() ResponseLaunchTemplateData {
	r := ResponseLaunchTemplateData{
		ImageId: d.ImageId, InstanceType: d.InstanceType, KeyName: d.KeyName, UserData: d.UserData,
		SecurityGroupIds: d.SecurityGroupIds, IamInstanceProfile: d.IamInstanceProfile,
		BlockDeviceMappings: d.BlockDeviceMappings, MetadataOptions: d.MetadataOptions, Monitoring: d.Monitoring,
		EbsOptimized: d.EbsOptimized, InstanceInitiatedShutdownBehavior: d.InstanceInitiatedShutdownBehavior,
		CreditSpecification: d.CreditSpecification, Placement: d.Placement,
	}
	for _, t := range d.TagSpecifications {
		r.TagSpecifications = append(r.TagSpecifications, tagSpecificationResponse(t))
	}
	for _, n := range d.NetworkInterfaces {
		r.NetworkInterfaces = append(r.NetworkInterfaces, networkInterfaceResponse(n))
	}
	return r
}

// overlay sets the members of a struct that another one gives, as EC2 lays one
// set of launch parameters over another: member by member, none merged.
func overlay[T any](under *T, over T) {
	to, from := reflect.ValueOf(under).Elem(), reflect.ValueOf(over)
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
}

// A networkPlace is where an instance's primary network interface is.
type networkPlace struct {
	subnet string
	groups []string
}

// network is where an instance is to be: in the subnet asked for, or in that of
// the primary interface.
func (d LaunchTemplateData) network(subnet string) networkPlace {
	n := networkPlace{subnet: subnet, groups: d.SecurityGroupIds}
	for _, i := range d.NetworkInterfaces {
		if i.DeviceIndex != nil && *i.DeviceIndex != 0 {
			continue
		}
		if n.subnet == "" {
			n.subnet = i.SubnetId
		}
		n.groups = i.Groups
	}
	return n
}
