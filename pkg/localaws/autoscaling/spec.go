package autoscaling

import (
	"regexp"
	"strconv"
	"strings"
)

// LaunchTemplateSpecification names a version of a launch template.
type LaunchTemplateSpecification struct {
	LaunchTemplateId   string
	LaunchTemplateName string
	Version            string
}

// MixedInstancesPolicy is a launch template with overrides.
type MixedInstancesPolicy struct {
	LaunchTemplate        *LaunchTemplate
	InstancesDistribution *InstancesDistribution
}

// LaunchTemplate is the template of a MixedInstancesPolicy.
type LaunchTemplate struct {
	LaunchTemplateSpecification *LaunchTemplateSpecification
	Overrides                   []LaunchTemplateOverrides
}

// LaunchTemplateOverrides stand in for parts of the template.
type LaunchTemplateOverrides struct {
	InstanceType                string
	WeightedCapacity            string
	LaunchTemplateSpecification *LaunchTemplateSpecification
	ImageId                     string
}

// InstancesDistribution is how On-Demand and Spot are mixed.
type InstancesDistribution struct {
	OnDemandAllocationStrategy          string
	OnDemandBaseCapacity                *int
	OnDemandPercentageAboveBaseCapacity *int
	SpotAllocationStrategy              string
	SpotInstancePools                   *int
	SpotMaxPrice                        string
}

// A spec is what a group launches: exactly one of its members is set.
type spec struct {
	configuration string
	template      *LaunchTemplateSpecification
	mixed         *MixedInstancesPolicy
}

func (p spec) count() int {
	n := 0
	if p.configuration != "" {
		n++
	}
	if p.template != nil {
		n++
	}
	if p.mixed != nil {
		n++
	}
	return n
}

// specifications lists the template specifications in use, the group's first.
func (p spec) specifications() []*LaunchTemplateSpecification {
	if p.template != nil {
		return []*LaunchTemplateSpecification{p.template}
	}
	if p.mixed == nil || p.mixed.LaunchTemplate == nil {
		return nil
	}
	all := []*LaunchTemplateSpecification{p.mixed.LaunchTemplate.LaunchTemplateSpecification}
	for _, o := range p.mixed.LaunchTemplate.Overrides {
		if o.LaunchTemplateSpecification != nil {
			all = append(all, o.LaunchTemplateSpecification)
		}
	}
	return all
}

// floating says that a version may mean another template tomorrow.
func (p spec) floating() bool {
	for _, t := range p.specifications() {
		if t.Version == "" || strings.HasPrefix(t.Version, "$") {
			return true
		}
	}
	return false
}

// An option is one way to launch an instance of a spec.
type option struct {
	template     *LaunchTemplateSpecification
	imageID      string
	instanceType string
	weight       int
}

// options lists the ways to launch, the preferred one first.
func (p spec) options() []option {
	if p.mixed == nil {
		return []option{{template: p.template, weight: 1}}
	}
	own := p.mixed.LaunchTemplate.LaunchTemplateSpecification
	if len(p.mixed.LaunchTemplate.Overrides) == 0 {
		return []option{{template: own, weight: 1}}
	}
	var all []option
	for _, o := range p.mixed.LaunchTemplate.Overrides {
		way := option{template: own, imageID: o.ImageId, instanceType: o.InstanceType, weight: 1}
		if o.LaunchTemplateSpecification != nil {
			way.template = o.LaunchTemplateSpecification
		}
		if n, err := strconv.Atoi(o.WeightedCapacity); err == nil {
			way.weight = n
		}
		all = append(all, way)
	}
	return all
}

var overrideImage = regexp.MustCompile(`^ami-[a-z0-9]{1,17}$`)

// most is how many launch templates a group may name.
const mostTemplates = 20

// validate refuses a spec that AWS would, without asking EC2.
func (p spec) validate() error {
	if p.count() != 1 {
		return invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
	}
	if p.mixed != nil {
		if err := p.mixed.validate(); err != nil {
			return err
		}
	}
	for _, t := range p.specifications() {
		if (t.LaunchTemplateId == "") == (t.LaunchTemplateName == "") {
			return invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")
		}
	}
	return nil
}

func (m *MixedInstancesPolicy) validate() error {
	if m.LaunchTemplate == nil || m.LaunchTemplate.LaunchTemplateSpecification == nil {
		return invalid("MixedInstancesPolicy must contain a LaunchTemplate with a LaunchTemplateSpecification")
	}
	weights, templates := 0, 1
	for _, o := range m.LaunchTemplate.Overrides {
		if o.WeightedCapacity != "" {
			weights++
			if n, err := strconv.Atoi(o.WeightedCapacity); err != nil || n < 1 || n > 999 {
				return invalid("WeightedCapacity '%s' must be an integer between 1 and 999", o.WeightedCapacity)
			}
			if o.InstanceType == "" {
				return invalid("An override with WeightedCapacity must contain an InstanceType")
			}
		}
		if o.LaunchTemplateSpecification != nil {
			templates++
		}
		if o.ImageId != "" && !overrideImage.MatchString(o.ImageId) {
			return invalid("ImageId '%s' of an override must match %s", o.ImageId, overrideImage)
		}
	}
	if weights > 0 && weights < len(m.LaunchTemplate.Overrides) {
		return invalid("WeightedCapacity must be specified for all overrides or for none of them")
	}
	if templates > mostTemplates {
		return invalid("A group can have at most %d launch templates", mostTemplates)
	}
	return m.InstancesDistribution.validate()
}

func (d *InstancesDistribution) validate() error {
	if d == nil {
		return nil
	}
	if p := d.OnDemandPercentageAboveBaseCapacity; p != nil && (*p < 0 || *p > 100) {
		return invalid("OnDemandPercentageAboveBaseCapacity must be between 0 and 100, but is %d", *p)
	}
	switch d.OnDemandAllocationStrategy {
	case "", "prioritized", "lowest-price":
	default:
		return invalid("OnDemandAllocationStrategy '%s' is not valid", d.OnDemandAllocationStrategy)
	}
	switch d.SpotAllocationStrategy {
	case "", "lowest-price", "capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized":
	default:
		return invalid("SpotAllocationStrategy '%s' is not valid", d.SpotAllocationStrategy)
	}
	return nil
}

// resolve asks EC2 for the templates of a spec and returns a copy that names
// each by id and name, as AWS describes them, and the roles of their profiles.
func (s *Service) resolve(p spec) (spec, []Template, error) {
	p = p.clone()
	var templates []Template
	for _, t := range p.specifications() {
		found, err := s.Instances.Template(t.key(), t.Version)
		if err != nil {
			return spec{}, nil, invalid("You must use a valid fully-formed launch template. %s", reason(err))
		}
		t.LaunchTemplateId, t.LaunchTemplateName = found.ID, found.Name
		templates = append(templates, found)
	}
	return p, templates, nil
}

// key is what names the template.
func (t *LaunchTemplateSpecification) key() string {
	if t.LaunchTemplateId != "" {
		return t.LaunchTemplateId
	}
	return t.LaunchTemplateName
}

// clone copies a spec, so that what callers gave and what groups keep never
// share memory.
func (p spec) clone() spec {
	p.template = p.template.clone()
	p.mixed = p.mixed.clone()
	return p
}

func (t *LaunchTemplateSpecification) clone() *LaunchTemplateSpecification {
	if t == nil {
		return nil
	}
	return new(*t)
}

func (m *MixedInstancesPolicy) clone() *MixedInstancesPolicy {
	if m == nil {
		return nil
	}
	c := *m
	if m.LaunchTemplate != nil {
		c.LaunchTemplate = &LaunchTemplate{LaunchTemplateSpecification: m.LaunchTemplate.LaunchTemplateSpecification.clone()}
		for _, o := range m.LaunchTemplate.Overrides {
			o.LaunchTemplateSpecification = o.LaunchTemplateSpecification.clone()
			c.LaunchTemplate.Overrides = append(c.LaunchTemplate.Overrides, o)
		}
	}
	if m.InstancesDistribution != nil {
		c.InstancesDistribution = new(*m.InstancesDistribution)
	}
	return &c
}
