package ec2

import (
	"slices"

	"cutover/pkg/localaws/wire"
)

// BlockDeviceMapping is a volume of an image, of a launch template or of an
// instance to be.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_BlockDeviceMapping.html
type BlockDeviceMapping struct {
	DeviceName  string
	VirtualName string
	Ebs         *EBS
	NoDevice    *string // given: the image's device of this name is left out
}

// EBS is an EBS volume to be.
type EBS struct {
	SnapshotId          string
	VolumeSize          *int32 // GiB
	VolumeType          string
	Iops                *int32
	Throughput          *int32 // MiB/s
	DeleteOnTermination *bool
	Encrypted           *bool
	KmsKeyId            string
}

// devices lays mappings over those of an image, device by device, as EC2 does
// when an instance is launched or an image is made.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html
func devices(image, over []BlockDeviceMapping, root string) ([]BlockDeviceMapping, error) {
	all := slices.Clone(image)
	for _, o := range over {
		if o.DeviceName == "" {
			return nil, wire.Errorf("MissingParameter", "The request must contain the parameter deviceName")
		}
		at := slices.IndexFunc(all, func(m BlockDeviceMapping) bool { return m.DeviceName == o.DeviceName })
		switch {
		case o.NoDevice != nil && o.DeviceName == root:
			return nil, wire.Errorf("InvalidBlockDeviceMapping", "The root device '%s' cannot be left out.", root)
		case o.NoDevice != nil && at >= 0:
			all = slices.Delete(all, at, at+1)
		case o.NoDevice != nil:
		case at < 0 || all[at].Ebs == nil || o.Ebs == nil:
			if o.Ebs != nil && o.Ebs.SnapshotId == "" && o.Ebs.VolumeSize == nil {
				return nil, wire.Errorf("InvalidBlockDeviceMapping", "Either snapshot ID or volume size must be provided for: %s", o.DeviceName)
			}
			if at >= 0 {
				all = slices.Delete(all, at, at+1)
			}
			all = append(all, o)
		default:
			ebs, err := all[at].Ebs.overlaid(*o.Ebs, o.DeviceName == root)
			if err != nil {
				return nil, err
			}
			all[at].Ebs = ebs
		}
	}
	return all, nil
}

// overlaid is a volume with more said of it. The root device's content is the
// image's and can't be another snapshot.
func (e EBS) overlaid(o EBS, root bool) (*EBS, error) {
	if root && o.SnapshotId != "" && o.SnapshotId != e.SnapshotId {
		return nil, wire.Errorf("InvalidBlockDeviceMapping", "snapshotId cannot be modified on root device")
	}
	if o.VolumeSize != nil && e.VolumeSize != nil && *o.VolumeSize < *e.VolumeSize && (o.SnapshotId == "" || o.SnapshotId == e.SnapshotId) {
		return nil, wire.Errorf("InvalidBlockDeviceMapping", "Volume of size %dGB is smaller than snapshot '%s', expect size >= %dGB",
			*o.VolumeSize, e.SnapshotId, *e.VolumeSize)
	}
	overlay(&e, o)
	return &e, nil
}

// withoutSnapshots copies mappings and leaves their snapshots out.
func withoutSnapshots(from []BlockDeviceMapping) []BlockDeviceMapping {
	to := slices.Clone(from)
	for i, m := range to {
		if m.Ebs != nil {
			ebs := *m.Ebs
			ebs.SnapshotId = ""
			to[i].Ebs = &ebs
		}
	}
	return to
}
