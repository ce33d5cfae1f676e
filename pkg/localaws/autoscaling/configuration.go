package autoscaling

import (
	"context"
	"errors"
	"slices"
	"time"

	"cutover/pkg/localaws/wire"
)

// LaunchConfiguration is what an instance is launched with, without a template.
// KernelId, RamdiskId and KeyName are described even when they are unset.
type LaunchConfiguration struct {
	LaunchConfigurationName      string
	LaunchConfigurationARN       string
	ImageId                      string
	KeyName                      *string
	SecurityGroups               []string
	ClassicLinkVPCId             string
	ClassicLinkVPCSecurityGroups []string
	UserData                     string
	InstanceType                 string
	KernelId                     *string
	RamdiskId                    *string
	BlockDeviceMappings          []BlockDeviceMapping
	InstanceMonitoring           *InstanceMonitoring
	SpotPrice                    string
	IamInstanceProfile           string
	CreatedTime                  time.Time
	EbsOptimized                 *bool
	AssociatePublicIpAddress     *bool
	PlacementTenancy             string
	MetadataOptions              *InstanceMetadataOptions
}

// BlockDeviceMapping is a volume of an instance.
type BlockDeviceMapping struct {
	VirtualName string
	DeviceName  string `aws:",required"`
	Ebs         *Ebs
	NoDevice    *bool
}

// Ebs is an EBS volume.
type Ebs struct {
	SnapshotId          string
	VolumeSize          *int
	VolumeType          string
	DeleteOnTermination *bool
	Iops                *int
	Encrypted           *bool
	Throughput          *int
}

// InstanceMonitoring is detailed monitoring.
type InstanceMonitoring struct{ Enabled *bool }

// InstanceMetadataOptions are the settings of the metadata service.
type InstanceMetadataOptions struct {
	HttpTokens              string
	HttpPutResponseHopLimit *int
	HttpEndpoint            string
}

// CreateLaunchConfigurationInput asks for a launch configuration.
type CreateLaunchConfigurationInput struct {
	LaunchConfigurationName      string `aws:",required"`
	ImageId                      string
	KeyName                      *string
	SecurityGroups               []string
	ClassicLinkVPCId             string
	ClassicLinkVPCSecurityGroups []string
	UserData                     string
	InstanceType                 string
	KernelId                     *string
	RamdiskId                    *string
	BlockDeviceMappings          []BlockDeviceMapping
	InstanceMonitoring           *InstanceMonitoring
	SpotPrice                    string
	IamInstanceProfile           string
	EbsOptimized                 *bool
	AssociatePublicIpAddress     *bool
	PlacementTenancy             string
	MetadataOptions              *InstanceMetadataOptions
}

// mostConfigurations is the default quota of a Region.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html
const mostConfigurations = 200

// mostUserData is the Base64 form of 16 KB.
const mostUserData = 21847

// CreateLaunchConfiguration answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateLaunchConfiguration.html
func (s *Service) CreateLaunchConfiguration(_ context.Context, in *CreateLaunchConfigurationInput) (*Empty, error) {
	if s.NoLaunchConfigurations {
		return nil, refuse("UnsupportedOperation", "The Launch Configuration creation operation is not available in your account. "+
			"Use launch templates to create configuration templates for your Auto Scaling groups.")
	}
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.configurationLocked(in.LaunchConfigurationName) != nil {
		return nil, refuse("AlreadyExists", "Launch Configuration by this name already exists - A launch configuration already exists with the name %s", in.LaunchConfigurationName)
	}
	if len(s.configurations) >= mostConfigurations {
		return nil, refuse("LimitExceeded", "Launch Configuration limit exceeded: the quota of %d launch configurations has been reached", mostConfigurations)
	}
	s.configurations = append(s.configurations, s.newConfigurationLocked(in))
	return &Empty{}, nil
}

func (in *CreateLaunchConfigurationInput) validate() error {
	var faults []error
	if n := len(in.LaunchConfigurationName); n < 1 || n > 255 {
		faults = append(faults, invalid("LaunchConfigurationName must have 1 to 255 characters"))
	}
	if in.ImageId == "" || in.InstanceType == "" {
		faults = append(faults, invalid("Valid requests must contain the ImageId and InstanceType parameters"))
	}
	if len(in.UserData) > mostUserData {
		faults = append(faults, invalid("User data is limited to %d characters of Base64, but has %d", mostUserData, len(in.UserData)))
	}
	for i, value := range []*string{in.KernelId, in.KeyName, in.RamdiskId} {
		if value != nil && *value == "" {
			name := []string{"kernelId", "keyName", "ramdiskId"}[i]
			faults = append(faults, invalid("1 validation error detected: Value '' at '%s' failed to satisfy constraint: Member must have length greater than or equal to 1", name))
		}
	}
	return joined(faults)
}

// joined is one refusal that names every fault.
func joined(faults []error) error {
	switch len(faults) {
	case 0:
		return nil
	case 1:
		return faults[0]
	}
	text := ""
	for i, f := range faults {
		if i > 0 {
			text += "; "
		}
		text += reason(f)
	}
	return invalid("%s", text)
}

// reason is an error's text without AWS's code, where it has one.
func reason(err error) string {
	if refusal, ok := errors.AsType[*wire.Error](err); ok {
		return refusal.Message
	}
	return err.Error()
}

func (s *Service) newConfigurationLocked(in *CreateLaunchConfigurationInput) *LaunchConfiguration {
	text := func(p *string) *string {
		if p == nil {
			return new("")
		}
		return p
	}
	c := &LaunchConfiguration{
		LaunchConfigurationName: in.LaunchConfigurationName,
		LaunchConfigurationARN:  s.arn("launchConfiguration", s.newIDLocked("configuration"), in.LaunchConfigurationName),
		ImageId:                 in.ImageId, KeyName: text(in.KeyName), SecurityGroups: slices.Clone(in.SecurityGroups),
		ClassicLinkVPCId: in.ClassicLinkVPCId, ClassicLinkVPCSecurityGroups: slices.Clone(in.ClassicLinkVPCSecurityGroups),
		UserData: in.UserData, InstanceType: in.InstanceType, KernelId: text(in.KernelId), RamdiskId: text(in.RamdiskId),
		BlockDeviceMappings: slices.Clone(in.BlockDeviceMappings), InstanceMonitoring: in.InstanceMonitoring, SpotPrice: in.SpotPrice,
		IamInstanceProfile: in.IamInstanceProfile, CreatedTime: s.clock.Now(), EbsOptimized: in.EbsOptimized,
		AssociatePublicIpAddress: in.AssociatePublicIpAddress, PlacementTenancy: in.PlacementTenancy, MetadataOptions: in.MetadataOptions,
	}
	if c.InstanceMonitoring == nil || c.InstanceMonitoring.Enabled == nil {
		c.InstanceMonitoring = &InstanceMonitoring{Enabled: new(true)}
	}
	if c.EbsOptimized == nil {
		c.EbsOptimized = new(false)
	}
	return c
}

func (s *Service) configurationLocked(name string) *LaunchConfiguration {
	for _, c := range s.configurations {
		if c.LaunchConfigurationName == name {
			return c
		}
	}
	return nil
}

// DescribeLaunchConfigurationsInput names launch configurations; none means all.
type DescribeLaunchConfigurationsInput struct {
	LaunchConfigurationNames []string
	Page
}

// DescribeLaunchConfigurationsOutput lists launch configurations.
type DescribeLaunchConfigurationsOutput struct {
	LaunchConfigurations []LaunchConfiguration
	NextToken            string
}

// DescribeLaunchConfigurations answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLaunchConfigurations.html
func (s *Service) DescribeLaunchConfigurations(_ context.Context, in *DescribeLaunchConfigurationsInput) (*DescribeLaunchConfigurationsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []LaunchConfiguration
	for _, c := range s.configurations {
		if len(in.LaunchConfigurationNames) == 0 || slices.Contains(in.LaunchConfigurationNames, c.LaunchConfigurationName) {
			all = append(all, *c)
		}
	}
	items, next, err := cut(all, in.Page, 50, 100)
	if err != nil {
		return nil, err
	}
	return &DescribeLaunchConfigurationsOutput{LaunchConfigurations: items, NextToken: next}, nil
}

// DeleteLaunchConfigurationInput names a launch configuration.
type DeleteLaunchConfigurationInput struct {
	LaunchConfigurationName string `aws:",required"`
}

// DeleteLaunchConfiguration answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLaunchConfiguration.html
func (s *Service) DeleteLaunchConfiguration(_ context.Context, in *DeleteLaunchConfigurationInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.configurationLocked(in.LaunchConfigurationName)
	if c == nil {
		return nil, unknownConfiguration(in.LaunchConfigurationName)
	}
	for _, g := range s.groups {
		if g.spec.configuration == in.LaunchConfigurationName {
			return nil, refuse("ResourceInUse", "Cannot delete launch configuration %s because it is attached to AutoScalingGroup %s", in.LaunchConfigurationName, g.name)
		}
	}
	s.configurations = slices.DeleteFunc(s.configurations, func(have *LaunchConfiguration) bool { return have == c })
	return &Empty{}, nil
}

func unknownConfiguration(name string) *wire.Error {
	return invalid("Launch configuration name not found - A launch configuration with the name: %s does not exist", name)
}
