package ec2

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// PublishAmazonImage has Amazon publish a new Amazon Linux 2023 image for an
// architecture (x86_64 or arm64), and returns its id. Machines made from it
// start from nothing: its snapshot's content is "".
func (s *Service) PublishAmazonImage(architecture string) (imageID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now()
	release := 0
	for _, i := range s.images {
		if i.ImageOwnerId == amazon && i.Architecture == architecture {
			release++
		}
	}
	version := fmt.Sprintf("2023.%d.%s.0", 6+release, now.Format("20060102"))
	name := "al2023-ami-" + version + "-kernel-6.1-" + architecture
	h := fnv.New64a()
	h.Write([]byte(name))
	suffix := fmt.Sprintf("-0%016x", h.Sum64())
	size, yes, no := int32(8), true, false
	iops, throughput := int32(3000), int32(125)
	s.snapshots["snap"+suffix] = &snapshot{place: s.nextLocked(), Snapshot: Snapshot{
		SnapshotId: "snap" + suffix, VolumeId: "vol-ffffffff", Status: "completed", Progress: "100%",
		StartTime: now, CompletionTime: now, OwnerId: amazon, OwnerAlias: "amazon", VolumeSize: size, StorageTier: "standard",
	}}
	boot := "uefi-preferred"
	if architecture == "arm64" {
		boot = "uefi"
	}
	s.images["ami"+suffix] = &image{place: s.nextLocked(), Image: Image{
		ImageId: "ami" + suffix, ImageState: "available", ImageOwnerId: amazon, ImageOwnerAlias: "amazon", IsPublic: true,
		ImageLocation: "amazon/" + name, Name: name, CreationDate: now, ImageType: "machine",
		Description:  "Amazon Linux 2023 AMI " + version + " " + architecture + " HVM kernel-6.1",
		Architecture: architecture, VirtualizationType: "hvm", Hypervisor: "xen", EnaSupport: true, BootMode: boot, ImdsSupport: "v2.0",
		PlatformDetails: "Linux/UNIX", UsageOperation: "RunInstances", RootDeviceName: "/dev/xvda", RootDeviceType: "ebs",
		DeregistrationProtection: "disabled",
		BlockDeviceMappings: []BlockDeviceMapping{{DeviceName: "/dev/xvda", Ebs: &EBS{
			SnapshotId: "snap" + suffix, VolumeSize: &size, VolumeType: "gp3", Iops: &iops, Throughput: &throughput,
			DeleteOnTermination: &yes, Encrypted: &no,
		}}},
	}}
	return "ami" + suffix
}

// PublicImages are the public parameters that name Amazon's newest images, with
// the images' ids.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html
func (s *Service) PublicImages() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := map[string]*image{}
	for _, i := range s.images {
		if held := newest[i.Architecture]; i.ImageOwnerId == amazon && (held == nil || held.place < i.place) {
			newest[i.Architecture] = i
		}
	}
	parameters := map[string]string{}
	for architecture, i := range newest {
		for _, kernel := range []string{"default", "6.1"} {
			parameters[strings.Join([]string{"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel", kernel, architecture}, "-")] = i.ImageId
		}
	}
	return parameters
}
