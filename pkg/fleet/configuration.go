package fleet

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"cutover/pkg/awsclient"
)

// maxName is the longest name of a launch configuration, in characters.
const maxName = 255

// configurationName derives from the base and the image. A base that was made
// here for an earlier image is known by its ending, so names do not grow.
func configurationName(base, image string) string {
	if at := strings.LastIndex(base, "-ami-"); at > 0 && isHex(base[at+len("-ami-"):]) {
		base = base[:at]
	}
	if most := maxName - 1 - len(image); len(base) > most {
		base = base[:most]
	}
	return base + "-" + image
}

func isHex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdef") == ""
}

// copyOf is the call that makes a copy of the base with the image: every
// setting is kept, and only the root disk's snapshot, which would be launched
// in place of the image's, is left out.
func copyOf(base types.LaunchConfiguration, image Image) *autoscaling.CreateLaunchConfigurationInput {
	in := settings(base)
	in.LaunchConfigurationName = ptr(configurationName(str(base.LaunchConfigurationName), image.ID()))
	in.ImageId = image.ImageId
	in.BlockDeviceMappings = nil
	for _, m := range base.BlockDeviceMappings {
		if m.Ebs != nil && m.Ebs.SnapshotId != nil && str(m.DeviceName) == str(image.RootDeviceName) {
			ebs := *m.Ebs
			ebs.SnapshotId = nil
			m.Ebs = &ebs
		}
		in.BlockDeviceMappings = append(in.BlockDeviceMappings, m)
	}
	return in
}

// settings are everything that a configuration is made of. AWS answers "" for
// some settings that are not set, and does not take it.
func settings(c types.LaunchConfiguration) *autoscaling.CreateLaunchConfigurationInput {
	return &autoscaling.CreateLaunchConfigurationInput{
		LaunchConfigurationName:      c.LaunchConfigurationName,
		AssociatePublicIpAddress:     c.AssociatePublicIpAddress,
		BlockDeviceMappings:          c.BlockDeviceMappings,
		ClassicLinkVPCId:             given(c.ClassicLinkVPCId),
		ClassicLinkVPCSecurityGroups: orNil(c.ClassicLinkVPCSecurityGroups),
		EbsOptimized:                 c.EbsOptimized,
		IamInstanceProfile:           given(c.IamInstanceProfile),
		ImageId:                      given(c.ImageId),
		InstanceMonitoring:           c.InstanceMonitoring,
		InstanceType:                 given(c.InstanceType),
		KernelId:                     given(c.KernelId),
		KeyName:                      given(c.KeyName),
		MetadataOptions:              c.MetadataOptions,
		PlacementTenancy:             given(c.PlacementTenancy),
		RamdiskId:                    given(c.RamdiskId),
		SecurityGroups:               orNil(c.SecurityGroups),
		SpotPrice:                    given(c.SpotPrice),
		UserData:                     given(c.UserData),
	}
}

func given(s *string) *string {
	if str(s) == "" {
		return nil
	}
	return s
}

func orNil[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

// equals tells whether a configuration has the settings that the call makes.
func equals(c types.LaunchConfiguration, in *autoscaling.CreateLaunchConfigurationInput) bool {
	has := settings(c)
	has.BlockDeviceMappings, in.BlockDeviceMappings = orNil(has.BlockDeviceMappings), orNil(in.BlockDeviceMappings)
	return same(*has, *in)
}

// CreateConfiguration makes a launch configuration. One that exists by now is
// compared at the next look.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateLaunchConfiguration.html
func CreateConfiguration(ctx context.Context, api AutoScaling, in *autoscaling.CreateLaunchConfigurationInput) error {
	_, err := api.CreateLaunchConfiguration(ctx, in)
	if err != nil && !awsclient.IsCode(err, "AlreadyExists") && !awsclient.IsCode(err, contended...) {
		return fmt.Errorf("create launch configuration %s: %w", str(in.LaunchConfigurationName), err)
	}
	return nil
}

// NoConfigurations tells whether the account cannot make launch configurations
// at all, as those opened since October 2024 cannot.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/launch-configurations.html
func NoConfigurations(err error) bool { return awsclient.IsCode(err, "UnsupportedOperation") }
