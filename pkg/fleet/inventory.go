package fleet

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// ReadHoldings reads all that may refer to one of the images. h holds them and
// whatever is known otherwise.
func ReadHoldings(ctx context.Context, api APIs, parameters Parameters, h Holdings) (Holdings, error) {
	r := reader{api: api, h: h}
	for _, i := range h.Images {
		r.images = append(r.images, i.ID)
	}
	groups, err := r.groups(ctx)
	if err != nil {
		return Holdings{}, err
	}
	if err := r.configurations(ctx); err != nil {
		return Holdings{}, err
	}
	if err := r.versions(ctx, groups); err != nil {
		return Holdings{}, err
	}
	if err := r.instances(ctx); err != nil {
		return Holdings{}, err
	}
	names, err := r.parameterNames(ctx, parameters)
	if err != nil {
		return Holdings{}, err
	}
	return r.h, r.parameters(ctx, parameters, names)
}

type reader struct {
	api    APIs
	images []string
	h      Holdings
}

func (r *reader) groups(ctx context.Context) (groups []Fleet, err error) {
	for pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(r.api.AutoScaling, &autoscaling.DescribeAutoScalingGroupsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describe Auto Scaling groups: %w", err)
		}
		for _, g := range page.AutoScalingGroups {
			groups = append(groups, Fleet{AutoScalingGroup: g})
		}
	}
	return groups, nil
}

func (r *reader) configurations(ctx context.Context) error {
	for pages := autoscaling.NewDescribeLaunchConfigurationsPaginator(r.api.AutoScaling, &autoscaling.DescribeLaunchConfigurationsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("describe launch configurations: %w", err)
		}
		for _, c := range page.LaunchConfigurations {
			name, image := str(c.LaunchConfigurationName), str(c.ImageId)
			// Configurations cannot be tagged: those made here are known by name.
			r.h.Configurations = append(r.h.Configurations, HeldConfiguration{Name: name, Image: image, Ours: strings.HasSuffix(name, "-"+image)})
		}
	}
	return nil
}

// versions reads the default and the latest version of every template, and of
// those that groups launch also the versions in use and those with the images.
func (r *reader) versions(ctx context.Context, groups []Fleet) error {
	in := &ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"$Latest", "$Default"}}
	latest, byDefault := map[string]int64{}, map[string]int64{}
	for pages := ec2.NewDescribeLaunchTemplateVersionsPaginator(r.api.EC2, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("describe the latest and default versions of launch templates: %w", err)
		}
		for _, v := range page.LaunchTemplateVersions {
			id := str(v.LaunchTemplateId)
			latest[id] = max(latest[id], *v.VersionNumber)
			if v.DefaultVersion != nil && *v.DefaultVersion {
				byDefault[id] = *v.VersionNumber
			}
			r.add(v, latest[id])
		}
	}
	used := map[string][]string{} // version numbers by template
	for _, g := range groups {
		r.h.Groups = append(r.h.Groups, r.group(g, used, latest, byDefault))
	}
	for _, template := range sortedKeys(used) {
		spec := types.LaunchTemplateSpecification{LaunchTemplateId: &template}
		asked := []*ec2.DescribeLaunchTemplateVersionsInput{}
		for some := range slices.Chunk(used[template], filterValues) {
			asked = append(asked, &ec2.DescribeLaunchTemplateVersionsInput{Versions: some})
		}
		for some := range slices.Chunk(r.images, filterValues) {
			asked = append(asked, &ec2.DescribeLaunchTemplateVersionsInput{Filters: []ec2types.Filter{{Name: ptr("image-id"), Values: some}}})
		}
		for _, in := range asked {
			found, err := versions(ctx, r.api.EC2, spec, in)
			if err != nil {
				return err
			}
			for _, v := range found {
				r.add(v, latest[template])
			}
		}
	}
	return nil
}

// add notes a version once.
func (r *reader) add(v ec2types.LaunchTemplateVersion, latest int64) {
	if v.LaunchTemplateData == nil {
		return
	}
	held := HeldVersion{
		Template: str(v.LaunchTemplateId), Number: *v.VersionNumber, Image: str(v.LaunchTemplateData.ImageId),
		Ours:    strings.HasPrefix(str(v.VersionDescription), ours),
		Default: v.DefaultVersion != nil && *v.DefaultVersion,
		Latest:  *v.VersionNumber == latest,
	}
	known := slices.ContainsFunc(r.h.Versions, func(other HeldVersion) bool {
		return other.Template == held.Template && other.Number == held.Number
	})
	if !known {
		r.h.Versions = append(r.h.Versions, held)
	}
}

// group notes what the group and its instances launch from.
func (r *reader) group(g Fleet, used map[string][]string, latest, byDefault map[string]int64) HeldGroup {
	var held HeldGroup
	refer := func(spec types.LaunchTemplateSpecification) {
		id, version := templateOf(spec), versionOf(spec)
		switch version {
		case "$Latest":
			version = strconv.FormatInt(latest[id], 10)
		case "$Default":
			version = strconv.FormatInt(byDefault[id], 10)
		}
		held.Versions = append(held.Versions, id+":"+version)
		if !slices.Contains(used[id], version) && version != "0" {
			used[id] = append(used[id], version)
		}
	}
	for _, spec := range g.specs() {
		refer(spec)
	}
	for _, o := range g.overrides() {
		held.Images = append(held.Images, str(o.ImageId))
	}
	if name := str(g.LaunchConfigurationName); name != "" {
		held.Configurations = append(held.Configurations, name)
	}
	for _, i := range g.Instances {
		if i.LaunchTemplate != nil {
			refer(*i.LaunchTemplate)
		}
		if name := str(i.LaunchConfigurationName); name != "" {
			held.Configurations = append(held.Configurations, name)
		}
	}
	return held
}

func (r *reader) instances(ctx context.Context) error {
	found, err := Instances(ctx, r.api.EC2, "image-id", r.images)
	for _, i := range found {
		r.h.Instances = append(r.h.Instances, str(i.ImageId))
	}
	return err
}

// parameterNames are the parameters that hold an image by their type, and those
// that templates take theirs from.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html
func (r *reader) parameterNames(ctx context.Context, api Parameters) (names []string, err error) {
	for _, v := range r.h.Versions {
		if name, is := strings.CutPrefix(v.Image, "resolve:ssm:"); is && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	in := &ssm.DescribeParametersInput{ParameterFilters: []ssmtypes.ParameterStringFilter{{Key: ptr("DataType"), Option: ptr("Equals"), Values: []string{"aws:ec2:image"}}}}
	for pages := ssm.NewDescribeParametersPaginator(api, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describe parameters of type aws:ec2:image: %w", err)
		}
		for _, p := range page.Parameters {
			if name := str(p.Name); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

func (r *reader) parameters(ctx context.Context, api Parameters, names []string) error {
	for some := range slices.Chunk(names, 10) { // the most that it takes
		out, err := api.GetParameters(ctx, &ssm.GetParametersInput{Names: some})
		if err != nil {
			return fmt.Errorf("get parameters %s: %w", strings.Join(some, ", "), err)
		}
		for _, p := range out.Parameters {
			r.h.Parameters = append(r.h.Parameters, str(p.Value))
		}
	}
	return nil
}
