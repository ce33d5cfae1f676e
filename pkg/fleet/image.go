package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"cutover/pkg/awsclient"
)

// An Image is an AMI as EC2 describes it.
type Image struct{ types.Image }

// ID is the image's id.
func (i Image) ID() string { return str(i.ImageId) }

// Tag is the value of a tag, "" without it.
func (i Image) Tag(key string) string {
	value, _ := i.Tagged(key)
	return value
}

// Tagged is the value of a tag and whether it is there.
func (i Image) Tagged(key string) (string, bool) {
	for _, t := range i.Tags {
		if str(t.Key) == key {
			return str(t.Value), true
		}
	}
	return "", false
}

// Created is when the image was made, zero if EC2 does not tell.
func (i Image) Created() time.Time {
	at, err := time.Parse(time.RFC3339, str(i.CreationDate))
	if err != nil {
		return time.Time{}
	}
	return at
}

// Snapshots are the ids of the snapshots that the image's disks are made from.
func (i Image) Snapshots() []string {
	var ids []string
	for _, m := range i.BlockDeviceMappings {
		if m.Ebs != nil && str(m.Ebs.SnapshotId) != "" {
			ids = append(ids, *m.Ebs.SnapshotId)
		}
	}
	return ids
}

// Protected tells whether the image cannot be deregistered at present.
func (i Image) Protected() bool {
	p := str(i.DeregistrationProtection)
	return p != "" && p != "disabled"
}

// Pending tells whether the image may still become available.
func (i Image) Pending() bool {
	return i.State == types.ImageStatePending || i.State == types.ImageStateTransient
}

// Broken says why the image will not become available; "" if it is or may.
func (i Image) Broken() string {
	if i.Pending() || i.State == types.ImageStateAvailable {
		return ""
	}
	why := "is " + string(i.State)
	if i.StateReason != nil && str(i.StateReason.Message) != "" {
		why += " (" + str(i.StateReason.Message) + ")"
	}
	return why
}

// FindImage reads an image; found is false while EC2 does not know it, which
// may be so for moments after it was made.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
func FindImage(ctx context.Context, api EC2, id string) (_ Image, found bool, _ error) {
	out, err := api.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}})
	switch {
	case awsclient.IsCode(err, "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"):
		return Image{}, false, nil
	case err != nil:
		return Image{}, false, fmt.Errorf("describe image %s: %w", id, err)
	case len(out.Images) == 0:
		return Image{}, false, nil
	}
	return Image{out.Images[0]}, true, nil
}

// TaggedImages reads this account's images with a tag, the newest first.
func TaggedImages(ctx context.Context, api EC2, key, value string) ([]Image, error) {
	in := &ec2.DescribeImagesInput{
		Owners:  []string{"self"},
		Filters: []types.Filter{{Name: ptr("tag:" + key), Values: []string{value}}},
	}
	var images []Image
	for pages := ec2.NewDescribeImagesPaginator(api, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describe images tagged %s=%s: %w", key, value, err)
		}
		for _, i := range page.Images {
			images = append(images, Image{i})
		}
	}
	slices.SortFunc(images, func(a, b Image) int {
		if c := b.Created().Compare(a.Created()); c != 0 {
			return c
		}
		return strings.Compare(a.ID(), b.ID())
	})
	return images, nil
}

// TagImage sets tags on an image and its snapshots; tags of other keys stay.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html
func TagImage(ctx context.Context, api EC2, image Image, tags map[string]string) error {
	in := &ec2.CreateTagsInput{Resources: append([]string{image.ID()}, image.Snapshots()...)}
	for _, key := range sortedKeys(tags) {
		in.Tags = append(in.Tags, types.Tag{Key: &key, Value: ptr(tags[key])})
	}
	if _, err := api.CreateTags(ctx, in); err != nil {
		return fmt.Errorf("tag image %s: %w", image.ID(), err)
	}
	return nil
}

// Types reads what the instance types need of an image.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
func Types(ctx context.Context, api EC2, names []string) ([]types.InstanceTypeInfo, error) {
	var all []types.InstanceTypeInfo
	for some := range slices.Chunk(names, 100) { // the most that it takes
		in := &ec2.DescribeInstanceTypesInput{}
		for _, name := range some {
			in.InstanceTypes = append(in.InstanceTypes, types.InstanceType(name))
		}
		for pages := ec2.NewDescribeInstanceTypesPaginator(api, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("describe instance types %s: %w", strings.Join(some, ", "), err)
			}
			all = append(all, page.InstanceTypes...)
		}
	}
	return all, nil
}

// Unfit says why the instance types cannot be launched from the image, a fault
// for each.
func Unfit(i Image, types []types.InstanceTypeInfo) []string {
	var faults []string
	for _, t := range types {
		if t.ProcessorInfo != nil && len(t.ProcessorInfo.SupportedArchitectures) > 0 && !contains(t.ProcessorInfo.SupportedArchitectures, string(i.Architecture)) {
			faults = append(faults, fmt.Sprintf("image %s is for %s, and instance type %s runs %s", i.ID(), i.Architecture, t.InstanceType, list(t.ProcessorInfo.SupportedArchitectures)))
		}
		if len(t.SupportedVirtualizationTypes) > 0 && i.VirtualizationType != "" && !contains(t.SupportedVirtualizationTypes, string(i.VirtualizationType)) {
			faults = append(faults, fmt.Sprintf("image %s is virtualised as %s, and instance type %s takes %s", i.ID(), i.VirtualizationType, t.InstanceType, list(t.SupportedVirtualizationTypes)))
		}
	}
	return faults
}

func contains[T ~string](all []T, one string) bool {
	return slices.ContainsFunc(all, func(t T) bool { return string(t) == one })
}

func list[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, t := range all {
		texts[i] = string(t)
	}
	return strings.Join(texts, ", ")
}
