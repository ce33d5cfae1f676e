package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// ours begins the description of a template version made here.
const ours = "cutover: "

// A Version is a launch template version to be made: base's settings with the
// image.
type Version struct {
	Base  types.LaunchTemplateVersion
	Image Image
}

// String names the version's base in messages.
func (v Version) String() string {
	return fmt.Sprintf("%s:%d", str(v.Base.LaunchTemplateId), *v.Base.VersionNumber)
}

// mappings are the base's disks. The snapshot of the root disk is left out: it
// would be launched in place of the new image's own.
func (v Version) mappings() []types.LaunchTemplateBlockDeviceMapping {
	mappings := slices.Clone(v.Base.LaunchTemplateData.BlockDeviceMappings)
	for i, m := range mappings {
		if m.Ebs != nil && m.Ebs.SnapshotId != nil && str(m.DeviceName) == str(v.Image.RootDeviceName) {
			ebs := *m.Ebs
			ebs.SnapshotId = nil
			mappings[i].Ebs = &ebs
		}
	}
	return mappings
}

// is tells whether the version is the one that is to be made.
func (v Version) is(other types.LaunchTemplateVersion) bool {
	if other.LaunchTemplateData == nil {
		return false
	}
	want := *v.Base.LaunchTemplateData
	want.ImageId, want.BlockDeviceMappings = v.Image.ImageId, v.mappings()
	return same(want, *other.LaunchTemplateData)
}

// same compares what AWS answered, or would, of the same type.
func same[T any](a, b T) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(x) == string(y)
}

// input is the call that makes the version: all settings are inherited on
// AWS's side, so that also those that this code does not know are kept. Only
// snapshots are not inherited, and must be given again.
func (v Version) input(attempt string) *ec2.CreateLaunchTemplateVersionInput {
	data := &types.RequestLaunchTemplateData{ImageId: v.Image.ImageId}
	if slices.ContainsFunc(v.Base.LaunchTemplateData.BlockDeviceMappings, hasSnapshot) {
		for _, m := range v.mappings() {
			data.BlockDeviceMappings = append(data.BlockDeviceMappings, request(m))
		}
	}
	base := strconv.FormatInt(*v.Base.VersionNumber, 10)
	return &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId:   v.Base.LaunchTemplateId,
		SourceVersion:      &base,
		VersionDescription: ptr(fmt.Sprintf("%sversion %s with %s", ours, base, v.Image.ID())),
		LaunchTemplateData: data,
		ClientToken:        ptr(token(attempt, v.String(), v.Image.ID())),
	}
}

func hasSnapshot(m types.LaunchTemplateBlockDeviceMapping) bool {
	return m.Ebs != nil && m.Ebs.SnapshotId != nil
}

func request(m types.LaunchTemplateBlockDeviceMapping) types.LaunchTemplateBlockDeviceMappingRequest {
	r := types.LaunchTemplateBlockDeviceMappingRequest{DeviceName: m.DeviceName, NoDevice: m.NoDevice, VirtualName: m.VirtualName}
	if e := m.Ebs; e != nil {
		r.Ebs = &types.LaunchTemplateEbsBlockDeviceRequest{
			DeleteOnTermination: e.DeleteOnTermination, EbsCardIndex: e.EbsCardIndex, Encrypted: e.Encrypted, Iops: e.Iops,
			KmsKeyId: e.KmsKeyId, SnapshotId: e.SnapshotId, Throughput: e.Throughput,
			VolumeInitializationRate: e.VolumeInitializationRate, VolumeSize: e.VolumeSize, VolumeType: e.VolumeType,
		}
	}
	return r
}

// token is of 64 characters, the most that EC2 takes, and the same whenever the
// same is asked for in the same attempt.
func token(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}

// CreateVersion makes the version. warning is what AWS says of settings that
// will not launch; they are the base's own then.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html
func CreateVersion(ctx context.Context, api EC2, v Version, attempt string) (number int64, warning string, err error) {
	out, err := api.CreateLaunchTemplateVersion(ctx, v.input(attempt))
	if err != nil {
		return 0, "", fmt.Errorf("create a launch template version from %s with image %s: %w", v, v.Image.ID(), err)
	}
	if out.Warning != nil {
		var texts []string
		for _, e := range out.Warning.Errors {
			texts = append(texts, fmt.Sprintf("%s: %s", str(e.Code), str(e.Message)))
		}
		warning = strings.Join(texts, "; ")
	}
	return *out.LaunchTemplateVersion.VersionNumber, warning, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
