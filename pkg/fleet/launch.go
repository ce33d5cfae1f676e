package fleet

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"cutover/pkg/awsclient"
)

// specs are the group's references to launch templates: its own, that of its
// mixed instances policy, and those of the policy's overrides.
func (f Fleet) specs() []types.LaunchTemplateSpecification {
	if f.LaunchTemplate != nil {
		return []types.LaunchTemplateSpecification{*f.LaunchTemplate}
	}
	var specs []types.LaunchTemplateSpecification
	if p := f.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil && p.LaunchTemplate.LaunchTemplateSpecification != nil {
		specs = append(specs, *p.LaunchTemplate.LaunchTemplateSpecification)
	}
	for _, o := range f.overrides() {
		if o.LaunchTemplateSpecification != nil {
			specs = append(specs, *o.LaunchTemplateSpecification)
		}
	}
	return specs
}

func (f Fleet) overrides() []types.LaunchTemplateOverrides {
	if p := f.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil {
		return p.LaunchTemplate.Overrides
	}
	return nil
}

// specKey is ID:VERSION of a specification, as it is given: $Latest is not
// resolved. AWS takes a version left out as $Default.
func specKey(s types.LaunchTemplateSpecification) string {
	return templateOf(s) + ":" + versionOf(s)
}

func templateOf(s types.LaunchTemplateSpecification) string {
	if id := str(s.LaunchTemplateId); id != "" {
		return id
	}
	return str(s.LaunchTemplateName)
}

func versionOf(s types.LaunchTemplateSpecification) string {
	if v := str(s.Version); v != "" {
		return v
	}
	return "$Default"
}

// readLaunch reads the versions or the configuration in use.
func (f *Fleet) readLaunch(ctx context.Context, api APIs) (faults []string, err error) {
	if name := str(f.LaunchConfigurationName); name != "" {
		if f.Configuration, err = configuration(ctx, api.AutoScaling, name); err == nil && f.Configuration == nil {
			faults = append(faults, fmt.Sprintf("launch configuration %s of group %s does not exist", name, f.Name()))
		}
		return faults, err
	}
	specs := f.specs()
	if len(specs) == 0 {
		return []string{fmt.Sprintf("group %s has no launch template and no launch configuration", f.Name())}, nil
	}
	f.Versions = map[string]ec2types.LaunchTemplateVersion{}
	for _, spec := range specs {
		key := specKey(spec)
		if _, known := f.Versions[key]; known {
			continue
		}
		found, err := versions(ctx, api.EC2, spec, &ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{versionOf(spec)}})
		switch {
		case awsclient.IsCode(err, "InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.VersionNotFound", "InvalidLaunchTemplateName.NotFoundException"):
			faults = append(faults, fmt.Sprintf("launch template %s of group %s does not exist", key, f.Name()))
			continue
		case err != nil:
			return nil, err
		case len(found) != 1 || found[0].LaunchTemplateData == nil || found[0].VersionNumber == nil:
			faults = append(faults, fmt.Sprintf("launch template %s of group %s is not to be read", key, f.Name()))
			continue
		}
		f.Versions[key] = found[0]
	}
	return faults, nil
}

// versions reads versions of the specification's template, whichever in asks for.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html
func versions(ctx context.Context, api EC2, spec types.LaunchTemplateSpecification, in *ec2.DescribeLaunchTemplateVersionsInput) ([]ec2types.LaunchTemplateVersion, error) {
	if id := str(spec.LaunchTemplateId); id != "" {
		in.LaunchTemplateId = &id
	} else {
		in.LaunchTemplateName = spec.LaunchTemplateName
	}
	var all []ec2types.LaunchTemplateVersion
	for pages := ec2.NewDescribeLaunchTemplateVersionsPaginator(api, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describe versions of launch template %s: %w", templateOf(spec), err)
		}
		all = append(all, page.LaunchTemplateVersions...)
	}
	return all, nil
}

// configuration reads a launch configuration; nil if there is none.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLaunchConfigurations.html
func configuration(ctx context.Context, api AutoScaling, name string) (*types.LaunchConfiguration, error) {
	out, err := api.DescribeLaunchConfigurations(ctx, &autoscaling.DescribeLaunchConfigurationsInput{LaunchConfigurationNames: []string{name}})
	if err != nil {
		return nil, fmt.Errorf("describe launch configuration %s: %w", name, err)
	}
	if len(out.LaunchConfigurations) == 0 {
		return nil, nil
	}
	return &out.LaunchConfigurations[0], nil
}

// InstanceTypes are those that the group is set to launch, without repetition.
// Types chosen by requirements are not among them: there, AWS chooses such as
// fit the image.
func (f Fleet) InstanceTypes() []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if f.Configuration != nil {
		add(str(f.Configuration.InstanceType))
	}
	for _, o := range f.overrides() {
		add(str(o.InstanceType))
	}
	if len(f.overrides()) > 0 {
		return names // they stand in place of the template's
	}
	for _, spec := range f.specs() {
		if data := f.Versions[specKey(spec)].LaunchTemplateData; data != nil {
			add(string(data.InstanceType))
		}
	}
	return names
}

// Pinned tells whether every template is referred to by a number.
func (f Fleet) Pinned() bool {
	for _, spec := range f.specs() {
		if _, err := strconv.ParseInt(versionOf(spec), 10, 64); err != nil {
			return false
		}
	}
	return true
}
