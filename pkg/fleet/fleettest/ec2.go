package fleettest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// ElasticCompute is the world's EC2.
type ElasticCompute struct{ w *World }

// EC2 returns the world's EC2.
func (w *World) EC2() ElasticCompute { return ElasticCompute{w} }

// DescribeImages answers images by their ids or by one filter, of a tag.
func (e ElasticCompute) DescribeImages(_ context.Context, in *ec2.DescribeImagesInput, _ ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error) {
	return call(e.w, "DescribeImages", func() (*ec2.DescribeImagesOutput, error) {
		out := &ec2.DescribeImagesOutput{}
		for _, id := range in.ImageIds {
			i := e.w.Images[id]
			if i == nil {
				return refuse[ec2.DescribeImagesOutput]("InvalidAMIID.NotFound", "%s", id)
			}
			out.Images = append(out.Images, clone(*i))
		}
		for _, f := range in.Filters {
			for _, id := range slices.Sorted(maps.Keys(e.w.Images)) {
				if e.w.Tag(id, strings.TrimPrefix(*f.Name, "tag:")) == f.Values[0] {
					out.Images = append(out.Images, clone(*e.w.Images[id]))
				}
			}
		}
		return out, nil
	})
}

// Tag is the value of an image's tag. Tests outside a Change take care that
// nothing runs.
func (w *World) Tag(image, key string) string {
	for _, t := range w.Images[image].Tags {
		if *t.Key == key {
			return *t.Value
		}
	}
	return ""
}

// CreateTags sets tags on images; snapshots only have to exist.
func (e ElasticCompute) CreateTags(_ context.Context, in *ec2.CreateTagsInput, _ ...func(*ec2.Options)) (*ec2.CreateTagsOutput, error) {
	return call(e.w, "CreateTags", func() (*ec2.CreateTagsOutput, error) {
		for _, id := range in.Resources {
			i := e.w.Images[id]
			if i == nil {
				if !e.w.Snapshots[id] {
					return refuse[ec2.CreateTagsOutput]("InvalidID", "%s", id)
				}
				continue
			}
			for _, t := range in.Tags {
				i.Tags = slices.DeleteFunc(i.Tags, func(old types.Tag) bool { return *old.Key == *t.Key })
				i.Tags = append(i.Tags, t)
			}
		}
		return &ec2.CreateTagsOutput{}, nil
	})
}

// DeregisterImage removes an image with its snapshots. That something refers to
// it is a violation, since AWS does not mind.
func (e ElasticCompute) DeregisterImage(_ context.Context, in *ec2.DeregisterImageInput, _ ...func(*ec2.Options)) (*ec2.DeregisterImageOutput, error) {
	return call(e.w, "DeregisterImage", func() (*ec2.DeregisterImageOutput, error) {
		i := e.w.Images[*in.ImageId]
		if i == nil {
			return refuse[ec2.DeregisterImageOutput]("InvalidAMIID.NotFound", "%s", *in.ImageId)
		}
		for _, r := range e.w.references(*in.ImageId) {
			e.w.violations = append(e.w.violations, fmt.Sprintf("image %s was removed and is referred to by %s", *in.ImageId, r))
		}
		for _, m := range i.BlockDeviceMappings {
			delete(e.w.Snapshots, *m.Ebs.SnapshotId)
		}
		delete(e.w.Images, *in.ImageId)
		return &ec2.DeregisterImageOutput{}, nil
	})
}

// references are everything that names an image.
func (w *World) references(image string) (by []string) {
	for id, versions := range w.Templates {
		for _, v := range versions {
			if str(v.LaunchTemplateData.ImageId) == image {
				by = append(by, fmt.Sprintf("%s:%d", id, *v.VersionNumber))
			}
		}
	}
	for name, c := range w.Configurations {
		if *c.ImageId == image {
			by = append(by, name)
		}
	}
	for id, i := range w.Instances {
		if *i.ImageId == image && i.State.Name == types.InstanceStateNameRunning {
			by = append(by, id)
		}
	}
	for name, p := range w.Parameters {
		if *p.Value == image {
			by = append(by, name)
		}
	}
	return by
}

// DescribeInstances answers those that run, by their ids or their images.
func (e ElasticCompute) DescribeInstances(_ context.Context, in *ec2.DescribeInstancesInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	return call(e.w, "DescribeInstances", func() (*ec2.DescribeInstancesOutput, error) {
		r := types.Reservation{}
		for _, id := range slices.Sorted(maps.Keys(e.w.Instances)) {
			i := e.w.Instances[id]
			property := map[string]string{"instance-id": id, "image-id": *i.ImageId}[*in.Filters[0].Name]
			if slices.Contains(in.Filters[0].Values, property) && i.State.Name == types.InstanceStateNameRunning {
				r.Instances = append(r.Instances, clone(*i))
			}
		}
		return &ec2.DescribeInstancesOutput{Reservations: []types.Reservation{r}}, nil
	})
}

// DescribeInstanceTypes answers the architecture of types.
func (e ElasticCompute) DescribeInstanceTypes(_ context.Context, in *ec2.DescribeInstanceTypesInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstanceTypesOutput, error) {
	return call(e.w, "DescribeInstanceTypes", func() (*ec2.DescribeInstanceTypesOutput, error) {
		out := &ec2.DescribeInstanceTypesOutput{}
		for _, t := range in.InstanceTypes {
			out.InstanceTypes = append(out.InstanceTypes, types.InstanceTypeInfo{
				InstanceType:                 t,
				ProcessorInfo:                &types.ProcessorInfo{SupportedArchitectures: []types.ArchitectureType{e.w.Architectures[string(t)]}},
				SupportedVirtualizationTypes: []types.VirtualizationType{types.VirtualizationTypeHvm},
			})
		}
		return out, nil
	})
}

func (w *World) version(template string, number int64, data types.ResponseLaunchTemplateData, description string, byDefault bool) types.LaunchTemplateVersion {
	return types.LaunchTemplateVersion{
		LaunchTemplateId: ptr(template), LaunchTemplateName: ptr(strings.TrimPrefix(template, "lt-0")), VersionNumber: ptr(number),
		LaunchTemplateData: &data, VersionDescription: ptr(description), DefaultVersion: ptr(byDefault),
	}
}

// find resolves a version as it is given.
func (w *World) find(template, version string) *types.LaunchTemplateVersion {
	versions := w.Templates[template]
	for i := range versions {
		v := &versions[i]
		if version == strconv.FormatInt(*v.VersionNumber, 10) || version == "$Default" && *v.DefaultVersion || version == "$Latest" && i == len(versions)-1 {
			return v
		}
	}
	return nil
}

// DescribeLaunchTemplateVersions answers versions of one template by number or
// by image, or the given ones of all templates.
func (e ElasticCompute) DescribeLaunchTemplateVersions(_ context.Context, in *ec2.DescribeLaunchTemplateVersionsInput, _ ...func(*ec2.Options)) (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
	return call(e.w, "DescribeLaunchTemplateVersions", func() (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
		out := &ec2.DescribeLaunchTemplateVersionsOutput{}
		templates := []string{str(in.LaunchTemplateId)}
		if in.LaunchTemplateId == nil {
			templates = slices.Sorted(maps.Keys(e.w.Templates))
		}
		for _, template := range templates {
			for _, version := range in.Versions {
				v := e.w.find(template, version)
				if v == nil {
					return refuse[ec2.DescribeLaunchTemplateVersionsOutput]("InvalidLaunchTemplateId.VersionNotFound", "%s:%s", template, version)
				}
				out.LaunchTemplateVersions = append(out.LaunchTemplateVersions, clone(*v))
			}
			for _, f := range in.Filters {
				for _, v := range e.w.Templates[template] {
					if slices.Contains(f.Values, *v.LaunchTemplateData.ImageId) {
						out.LaunchTemplateVersions = append(out.LaunchTemplateVersions, clone(v))
					}
				}
			}
		}
		return out, nil
	})
}

// CreateLaunchTemplateVersion makes a version from another, or replays its
// token's. Snapshots are inherited only if given again.
func (e ElasticCompute) CreateLaunchTemplateVersion(_ context.Context, in *ec2.CreateLaunchTemplateVersionInput, _ ...func(*ec2.Options)) (*ec2.CreateLaunchTemplateVersionOutput, error) {
	return call(e.w, "CreateLaunchTemplateVersion", func() (*ec2.CreateLaunchTemplateVersionOutput, error) {
		w, template := e.w, *in.LaunchTemplateId
		if len(*in.ClientToken) > 64 {
			return refuse[ec2.CreateLaunchTemplateVersionOutput]("InvalidParameterValue", "client token")
		}
		if known := w.Tokens[*in.ClientToken]; known != "" {
			return &ec2.CreateLaunchTemplateVersionOutput{LaunchTemplateVersion: w.find(template, known)}, nil
		}
		data := clone(*w.find(template, *in.SourceVersion).LaunchTemplateData)
		for i := range data.BlockDeviceMappings {
			data.BlockDeviceMappings[i].Ebs.SnapshotId = nil
		}
		if given := in.LaunchTemplateData.BlockDeviceMappings; given != nil {
			data.BlockDeviceMappings = nil
			for _, m := range given {
				ebs := types.LaunchTemplateEbsBlockDevice{SnapshotId: m.Ebs.SnapshotId, VolumeSize: m.Ebs.VolumeSize, Encrypted: m.Ebs.Encrypted}
				data.BlockDeviceMappings = append(data.BlockDeviceMappings, types.LaunchTemplateBlockDeviceMapping{DeviceName: m.DeviceName, Ebs: &ebs})
			}
		}
		data.ImageId = in.LaunchTemplateData.ImageId
		versions := w.Templates[template]
		v := w.version(template, *versions[len(versions)-1].VersionNumber+1, data, *in.VersionDescription, false)
		w.Templates[template] = append(versions, v)
		w.Tokens[*in.ClientToken] = strconv.FormatInt(*v.VersionNumber, 10)
		return &ec2.CreateLaunchTemplateVersionOutput{LaunchTemplateVersion: ptr(clone(v))}, nil
	})
}

// DeleteLaunchTemplateVersions removes versions.
func (e ElasticCompute) DeleteLaunchTemplateVersions(_ context.Context, in *ec2.DeleteLaunchTemplateVersionsInput, _ ...func(*ec2.Options)) (*ec2.DeleteLaunchTemplateVersionsOutput, error) {
	return call(e.w, "DeleteLaunchTemplateVersions", func() (*ec2.DeleteLaunchTemplateVersionsOutput, error) {
		template := *in.LaunchTemplateId
		e.w.Templates[template] = slices.DeleteFunc(e.w.Templates[template], func(v types.LaunchTemplateVersion) bool {
			return slices.Contains(in.Versions, strconv.FormatInt(*v.VersionNumber, 10))
		})
		return &ec2.DeleteLaunchTemplateVersionsOutput{}, nil
	})
}
