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

	"cutover/pkg/awsclient"
)

// A Plan is what separates a group from launching an image.
type Plan struct {
	// Version is the next launch template version to be made, nil if none is
	// missing.
	Version *Version

	// Configuration is the launch configuration to be made, nil if none is.
	Configuration *autoscaling.CreateLaunchConfigurationInput

	// Conflict says why the plan cannot be carried out.
	Conflict string

	// Update is the change of the group, once nothing is to be made; nil if the
	// group is as it should be.
	Update *autoscaling.UpdateAutoScalingGroupInput

	// Desired is the same for an instance refresh; nil with a launch
	// configuration. It is set even if the group is as it should be.
	Desired *types.DesiredConfiguration

	// Launches names what the group launches when all is done: template
	// versions as ID:NUMBER, the first being the group's own, or the launch
	// configuration's name.
	Launches []string
}

// Ready tells whether all that the group is to launch from exists.
func (p Plan) Ready() bool { return p.Version == nil && p.Configuration == nil && p.Conflict == "" }

// Prepare reads what may already have been made for the image: versions that
// are equal to those wanted, or the configuration of the wanted name.
func (f *Fleet) Prepare(ctx context.Context, api APIs, image Image) (err error) {
	if f.Configuration != nil {
		if str(f.Configuration.ImageId) != image.ID() {
			f.prepared, err = configuration(ctx, api.AutoScaling, configurationName(f.configurationName(), image.ID()))
		}
		return err
	}
	f.equal = map[string]int64{}
	asked := map[string][]ec2types.LaunchTemplateVersion{} // by template
	for _, spec := range f.specs() {
		base := f.Versions[specKey(spec)]
		if launches(base, image) {
			continue
		}
		template := templateOf(spec)
		candidates, known := asked[template]
		if !known {
			candidates, err = versions(ctx, api.EC2, spec, &ec2.DescribeLaunchTemplateVersionsInput{
				Filters: []ec2types.Filter{{Name: ptr("image-id"), Values: []string{image.ID()}}},
			})
			if err != nil {
				return err
			}
			asked[template] = candidates
		}
		wanted := Version{Base: base, Image: image}
		for _, c := range candidates {
			// Of several the lowest, whichever tick asks.
			if number := f.equal[specKey(spec)]; wanted.is(c) && (number == 0 || *c.VersionNumber < number) {
				f.equal[specKey(spec)] = *c.VersionNumber
			}
		}
	}
	return nil
}

// configurationName is the name of the launch configuration in use.
func (f Fleet) configurationName() string { return str(f.LaunchConfigurationName) }

func launches(v ec2types.LaunchTemplateVersion, image Image) bool {
	return v.LaunchTemplateData != nil && str(v.LaunchTemplateData.ImageId) == image.ID()
}

// Plan is pure; it builds on what [Fleet.Prepare] read for the image.
func (f Fleet) Plan(image Image) Plan {
	if f.Configuration != nil {
		return f.planConfiguration(image)
	}
	number := func(spec types.LaunchTemplateSpecification) (n int64, base ec2types.LaunchTemplateVersion) {
		base = f.Versions[specKey(spec)]
		if launches(base, image) {
			return *base.VersionNumber, base
		}
		return f.equal[specKey(spec)], base
	}
	for _, spec := range f.specs() {
		if n, base := number(spec); n == 0 {
			return Plan{Version: &Version{Base: base, Image: image}}
		}
	}
	return f.planTemplates(func(spec types.LaunchTemplateSpecification) int64 { n, _ := number(spec); return n }, image.ID())
}

// Pin is the plan that refers to the template versions in use by their numbers
// and changes nothing else.
func (f Fleet) Pin() Plan {
	return f.planTemplates(func(spec types.LaunchTemplateSpecification) int64 { return *f.Versions[specKey(spec)].VersionNumber }, "")
}

// planTemplates replaces the version of each specification, and the images that
// overrides pin unless image is "".
func (f Fleet) planTemplates(number func(types.LaunchTemplateSpecification) int64, image string) Plan {
	var p Plan
	pinned := func(spec types.LaunchTemplateSpecification) *types.LaunchTemplateSpecification {
		base := f.Versions[specKey(spec)]
		version := strconv.FormatInt(number(spec), 10)
		if launched := str(base.LaunchTemplateId) + ":" + version; !slices.Contains(p.Launches, launched) {
			p.Launches = append(p.Launches, launched)
		}
		return &types.LaunchTemplateSpecification{LaunchTemplateId: base.LaunchTemplateId, Version: &version}
	}
	p.Desired = &types.DesiredConfiguration{}
	if f.LaunchTemplate != nil {
		p.Desired.LaunchTemplate = pinned(*f.LaunchTemplate)
	} else {
		p.Desired.MixedInstancesPolicy = f.mixed(pinned, image)
	}
	current := &types.DesiredConfiguration{LaunchTemplate: f.LaunchTemplate, MixedInstancesPolicy: f.MixedInstancesPolicy}
	if !sameDesired(current, p.Desired) {
		p.Update = &autoscaling.UpdateAutoScalingGroupInput{
			AutoScalingGroupName: f.AutoScalingGroupName,
			LaunchTemplate:       p.Desired.LaunchTemplate, MixedInstancesPolicy: p.Desired.MixedInstancesPolicy,
		}
	}
	return p
}

// mixed is the group's whole policy: AWS does not say what becomes of parts
// that are left out.
func (f Fleet) mixed(pinned func(types.LaunchTemplateSpecification) *types.LaunchTemplateSpecification, image string) *types.MixedInstancesPolicy {
	policy := *f.MixedInstancesPolicy
	template := *policy.LaunchTemplate
	policy.LaunchTemplate = &template
	if template.LaunchTemplateSpecification != nil {
		template.LaunchTemplateSpecification = pinned(*template.LaunchTemplateSpecification)
	}
	template.Overrides = slices.Clone(template.Overrides)
	for i := range template.Overrides {
		o := &template.Overrides[i]
		if o.LaunchTemplateSpecification != nil {
			o.LaunchTemplateSpecification = pinned(*o.LaunchTemplateSpecification)
		}
		if str(o.ImageId) != "" && image != "" {
			o.ImageId = &image
		}
	}
	return &policy
}

// sameDesired compares launch settings, whether or not AWS also tells the names
// of templates that are referred to by their ids.
func sameDesired(a, b *types.DesiredConfiguration) bool {
	if a == nil || b == nil {
		return a == b
	}
	plain := func(d types.DesiredConfiguration) types.DesiredConfiguration {
		unnamed := func(spec types.LaunchTemplateSpecification) *types.LaunchTemplateSpecification {
			if str(spec.LaunchTemplateId) != "" {
				spec.LaunchTemplateName = nil
			}
			return &spec
		}
		if d.LaunchTemplate != nil {
			d.LaunchTemplate = unnamed(*d.LaunchTemplate)
		}
		if p := d.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil {
			f := Fleet{AutoScalingGroup: types.AutoScalingGroup{MixedInstancesPolicy: p}}
			d.MixedInstancesPolicy = f.mixed(unnamed, "")
			d.MixedInstancesPolicy.LaunchTemplate.Overrides = orNil(d.MixedInstancesPolicy.LaunchTemplate.Overrides)
		}
		return d
	}
	return same(plain(*a), plain(*b))
}

func (f Fleet) planConfiguration(image Image) Plan {
	if str(f.Configuration.ImageId) == image.ID() {
		return Plan{Launches: []string{f.configurationName()}}
	}
	in := copyOf(*f.Configuration, image)
	name := str(in.LaunchConfigurationName)
	switch {
	case f.prepared == nil:
		return Plan{Configuration: in, Launches: []string{name}}
	case !equals(*f.prepared, in):
		return Plan{Conflict: fmt.Sprintf("launch configuration %s exists and is not a copy of %s with image %s: it has other settings (delete it if nothing uses it)", name, f.configurationName(), image.ID())}
	}
	return Plan{Launches: []string{name}, Update: &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: f.AutoScalingGroupName, LaunchConfigurationName: &name}}
}

// contended are the codes with which Auto Scaling asks to come again.
var contended = []string{"ResourceContention", "ScalingActivityInProgress"}

// Update changes what the group launches. Its instances stay as they are. If
// the group is busy, the next look tells that it is to be done again.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html
func Update(ctx context.Context, api AutoScaling, p Plan) error {
	if _, err := api.UpdateAutoScalingGroup(ctx, p.Update); err != nil && !awsclient.IsCode(err, contended...) {
		return fmt.Errorf("update Auto Scaling group %s to %s: %w", str(p.Update.AutoScalingGroupName), strings.Join(p.Launches, ", "), err)
	}
	return nil
}
