package ec2

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"

	"cutover/pkg/localaws/wire"
)

// CreateImageInput asks for an image of an instance.
type CreateImageInput struct {
	InstanceId          string `aws:",required"`
	Name                string `aws:",required"`
	Description         string
	NoReboot            *bool
	BlockDeviceMappings []BlockDeviceMapping      `aws:"BlockDeviceMapping"`
	TagSpecifications   []tagSpecificationRequest `aws:"TagSpecification"`
}

// ImageIDOutput names the image that was made.
type ImageIDOutput struct{ ImageId string }

// CreateImage answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
//
// A running instance is rebooted unless told otherwise: its programs stop, the
// disk is copied, and they start again.
func (s *Service) CreateImage(_ context.Context, in *CreateImageInput) (*ImageIDOutput, error) {
	made, err := specified(plainSpecifications(in.TagSpecifications), "image", "snapshot")
	if err != nil {
		return nil, err
	}
	fate, reason := s.ImageFate(in.InstanceId)
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.instanceLocked(in.InstanceId)
	if err != nil {
		return nil, err
	}
	switch i.state {
	case running, stopping, stopped:
	default:
		return nil, wire.Errorf("IncorrectState", "Instance '%s' is not in a state from which an image can be created: %s", i.id, i.state)
	}
	if err := s.checkNameLocked(in.Name, in.Description); err != nil {
		return nil, err
	}
	mappings, err := devices(i.devices(), in.BlockDeviceMappings, i.rootDevice)
	if err != nil {
		return nil, err
	}
	added := slices.DeleteFunc(slices.Clone(mappings), func(m BlockDeviceMapping) bool { return i.volumes[m.DeviceName].id != "" })
	if err := s.usableLocked(added); err != nil {
		return nil, err
	}
	image := s.newImageLocked(in.Name, in.Description, i.image)
	image.SourceInstanceId, image.SourceImageId, image.SourceImageRegion = i.id, i.image.ImageId, s.Region
	image.TagSet = made["image"]
	root := s.snapshotDevicesLocked(image, mappings, i, made["snapshot"])

	reboot := i.state == running && (in.NoReboot == nil || !*in.NoReboot)
	finish := s.imageEnd(&image.Image, fate, reason)
	s.Clock.AfterFunc(s.ImageTime, func() { finish("") })
	s.enqueueLocked(i, func(done func()) {
		s.copyDisk(i, root, reboot, func(reason string) { finish(reason); done() })
	})
	return &ImageIDOutput{image.ImageId}, nil
}

// imageNames are what names of images may be.
var imageNames = regexp.MustCompile(`^[a-zA-Z0-9()\[\] ./\-'@_]{3,128}$`)

// checkNameLocked holds the name of an image to be against EC2's rules.
func (s *Service) checkNameLocked(name, description string) error {
	if !imageNames.MatchString(name) {
		return wire.Errorf("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, "+
			"parentheses, square brackets, spaces, periods, slashes, dashes, single quotes, at-signs and underscores")
	}
	if len(description) > 255 {
		return wire.Errorf("InvalidParameterValue", "Value for parameter description is invalid. Descriptions have at most 255 characters.")
	}
	for _, i := range s.images {
		if i.Name == name && i.ImageOwnerId == s.Account {
			return wire.Errorf("InvalidAMIName.Duplicate", "AMI name %s is already in use by AMI %s", name, i.ImageId)
		}
	}
	return nil
}

// newImageLocked begins an image of the account's, of the kind of another.
func (s *Service) newImageLocked(name, description string, like Image) *image {
	id := randomID("ami")
	i := &image{place: s.nextLocked(), Image: Image{
		ImageId: id, ImageState: "pending", ImageOwnerId: s.Account, ImageLocation: s.Account + "/" + name,
		Name: name, Description: description, CreationDate: s.Clock.Now(), ImageType: "machine",
		Architecture: like.Architecture, VirtualizationType: like.VirtualizationType, Hypervisor: like.Hypervisor,
		EnaSupport: like.EnaSupport, BootMode: like.BootMode, ImdsSupport: like.ImdsSupport,
		PlatformDetails: like.PlatformDetails, UsageOperation: like.UsageOperation,
		RootDeviceName: like.RootDeviceName, RootDeviceType: like.RootDeviceType, DeregistrationProtection: "disabled",
	}}
	s.images[id] = i
	return i
}

// snapshotDevicesLocked gives the image its mappings, with a new snapshot of each
// of the instance's volumes, and returns the one of the root.
func (s *Service) snapshotDevicesLocked(image *image, mappings []BlockDeviceMapping, i *instance, tags []Tag) (root string) {
	for _, m := range mappings {
		if volume := i.volumes[m.DeviceName]; m.Ebs != nil && volume.id != "" {
			ebs := *m.Ebs
			v := s.newSnapshotLocked(volume.id, *cmp.Or(ebs.VolumeSize, new(int32)), "Created by CreateImage("+i.id+") for "+image.ImageId, tags)
			if m.DeviceName == i.rootDevice {
				v.content, root = v.SnapshotId, v.SnapshotId
			}
			ebs.SnapshotId = v.SnapshotId
			m.Ebs = &ebs
		}
		image.BlockDeviceMappings = append(image.BlockDeviceMappings, m)
	}
	return root
}

// imageEnd returns what to call twice (when the time is over, and when the disk
// was copied, with the reason if that went wrong): then the image comes to its end.
func (s *Service) imageEnd(i *Image, fate, reason string) func(reason string) {
	id, snapshots := i.ImageId, i.snapshotIDs()
	failed := make(chan string, 2)
	part := both(func() {
		if fate == "failed" {
			reason = cmp.Or(reason, "The image could not be made.")
		} else {
			reason = ""
		}
		for len(failed) > 0 {
			reason = <-failed
		}
		if fate != "pending" {
			s.endImage(id, snapshots, reason)
		}
	})
	return func(reason string) {
		if reason != "" {
			failed <- reason
		}
		part()
	}
}

func (s *Service) endImage(id string, snapshots []string, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, snapshot := range snapshots {
		if v := s.snapshots[snapshot]; v != nil && v.Status == "pending" {
			s.endSnapshotLocked(snapshot, reason)
		}
	}
	i, ok := s.images[id]
	if !ok {
		return // it was deregistered meanwhile
	}
	if reason != "" {
		i.ImageState, i.StateReason = "failed", &StateReason{Code: "Server.InternalError", Message: reason}
		return
	}
	i.ImageState = "available"
}

// copyDisk has the machine's disk copied into a snapshot, between a stop and a
// start where it is to be rebooted.
func (s *Service) copyDisk(i *instance, snapshot string, reboot bool, done func(reason string)) {
	take := func() (reason string) {
		if err := s.Machines.Snapshot(i.id, snapshot); err != nil {
			s.Logger.Error("an image can't be made", "instance", i.id, "error", err)
			return "snapshot instance " + i.id + ": " + err.Error()
		}
		s.madeContent(snapshot)
		return ""
	}
	if !reboot {
		done(take())
		return
	}
	err := s.Machines.Stop(i.id, func() {
		reason := take()
		if err := s.Machines.Start(i.id, s.booted(i)); err != nil {
			s.Logger.Error("an instance does not come back after its image was made", "instance", i.id, "error", err)
		}
		done(reason)
	})
	if err != nil {
		done("stop instance " + i.id + ": " + err.Error())
	}
}

// CopyImageInput asks for a copy of an image within the Region.
type CopyImageInput struct {
	SourceImageId     string `aws:",required"`
	SourceRegion      string `aws:",required"`
	Name              string `aws:",required"`
	Description       string
	CopyImageTags     *bool
	ClientToken       string
	TagSpecifications []tagSpecificationRequest `aws:"TagSpecification"`
}

// CopyImage answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CopyImage.html
func (s *Service) CopyImage(_ context.Context, in *CopyImageInput) (*ImageIDOutput, error) {
	made, err := specified(plainSpecifications(in.TagSpecifications), "image", "snapshot")
	if err != nil {
		return nil, err
	}
	if in.SourceRegion != s.Region {
		return nil, wire.Errorf("InvalidRegion", "The specified region '%s' has no image %s.", in.SourceRegion, in.SourceImageId)
	}
	asked := *in
	asked.ClientToken = ""
	parameters := fingerprint(asked)
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, err := s.repeatedLocked("CopyImage", in.ClientToken, parameters); err != nil || id != "" {
		return &ImageIDOutput{id}, err
	}
	sources, err := s.findImagesLocked([]string{in.SourceImageId})
	if err != nil {
		return nil, err
	}
	source := sources[0]
	if source.ImageState != "available" {
		return nil, wire.Errorf("InvalidAMIID.Unavailable", "The image ID '%s' is not available", source.ImageId)
	}
	if err := s.checkNameLocked(in.Name, in.Description); err != nil {
		return nil, err
	}
	image := s.newImageLocked(in.Name, in.Description, source.Image)
	image.SourceImageId, image.SourceImageRegion = source.ImageId, in.SourceRegion
	if in.CopyImageTags != nil && *in.CopyImageTags && source.ImageOwnerId == s.Account {
		image.TagSet = withTags(nil, source.TagSet)
	}
	image.TagSet = withTags(image.TagSet, made["image"])
	contents := s.copyDevicesLocked(image, source, made["snapshot"])
	finish := s.imageEnd(&image.Image, "", "")
	s.Clock.AfterFunc(s.ImageTime, func() { finish("") })
	s.Clock.Go(func() { finish(s.copyContents(contents)) })
	s.answerLocked("CopyImage", in.ClientToken, parameters, image.ImageId)
	return &ImageIDOutput{image.ImageId}, nil
}

// copyDevicesLocked gives the image the source's mappings with snapshots of its
// own, and says what is to be copied where.
func (s *Service) copyDevicesLocked(image, source *image, tags []Tag) (contents map[string]string) {
	contents = map[string]string{}
	for _, m := range source.BlockDeviceMappings {
		if m.Ebs != nil && m.Ebs.SnapshotId != "" {
			from := s.snapshots[m.Ebs.SnapshotId]
			to := s.newSnapshotLocked("vol-ffffffff", from.VolumeSize, "Copied for DestinationAmi "+image.ImageId+" from SourceAmi "+source.ImageId, tags)
			if from.content != "" {
				to.content = to.SnapshotId
				contents[from.content] = to.content
			}
			ebs := *m.Ebs
			ebs.SnapshotId = to.SnapshotId
			m.Ebs = &ebs
		}
		image.BlockDeviceMappings = append(image.BlockDeviceMappings, m)
	}
	return contents
}

func (s *Service) copyContents(contents map[string]string) (reason string) {
	for from, to := range contents {
		if err := s.Machines.CopySnapshot(from, to); err != nil {
			s.Logger.Error("an image can't be copied", "snapshot", from, "error", err)
			return "copy snapshot " + from + ": " + err.Error()
		}
		s.madeContent(to)
	}
	return ""
}

// fingerprint tells the parameters of calls apart.
func fingerprint(in any) string {
	text, err := json.Marshal(in)
	if err != nil {
		panic("ec2: an input that has no JSON: " + err.Error()) // no input holds functions or channels
	}
	return string(text)
}
