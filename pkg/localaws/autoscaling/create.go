package autoscaling

import (
	"context"
	"slices"
	"strings"
)

// GroupSettings are what a create and an update of a group have in common.
type GroupSettings struct {
	LaunchConfigurationName          string
	LaunchTemplate                   *LaunchTemplateSpecification
	MixedInstancesPolicy             *MixedInstancesPolicy
	MinSize                          *int
	MaxSize                          *int
	DesiredCapacity                  *int
	DefaultCooldown                  *int // seconds; 300 on create
	DefaultInstanceWarmup            *int // seconds; -1 unsets
	AvailabilityZones                []string
	HealthCheckType                  string
	HealthCheckGracePeriod           *int // seconds
	VPCZoneIdentifier                string
	TerminationPolicies              []string
	NewInstancesProtectedFromScaleIn *bool

	places []place // what prepare found
}

// A place is where instances run.
type place struct{ subnet, zone string }

// spec is what they say of launches; it may be empty.
func (in *GroupSettings) spec() spec {
	return spec{configuration: in.LaunchConfigurationName, template: in.LaunchTemplate, mixed: in.MixedInstancesPolicy}
}

// CreateAutoScalingGroupInput asks for a group.
type CreateAutoScalingGroupInput struct {
	AutoScalingGroupName string `aws:",required"`
	GroupSettings
	TargetGroupARNs                []string
	Tags                           []Tag
	LifecycleHookSpecificationList []HookSettings
}

// CreateAutoScalingGroup answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
func (s *Service) CreateAutoScalingGroup(_ context.Context, in *CreateAutoScalingGroupInput) (*Empty, error) {
	_, err := s.createGroup(in)
	if err != nil {
		return nil, err
	}
	return &Empty{}, nil
}

func (s *Service) createGroup(in *CreateAutoScalingGroupInput) (*group, error) {
	if n := len(in.AutoScalingGroupName); n < 1 || n > 255 || strings.Contains(in.AutoScalingGroupName, ":") {
		return nil, invalid("AutoScalingGroupName must have 1 to 255 characters and no colon")
	}
	if in.MinSize == nil || in.MaxSize == nil {
		return nil, invalid("MinSize and MaxSize are required")
	}
	if in.VPCZoneIdentifier == "" && len(in.AvailabilityZones) == 0 {
		return nil, invalid("At least one Availability Zone or VPC Subnet is required.")
	}
	if in.spec().count() == 0 {
		return nil, in.spec().validate()
	}
	if err := s.targetGroupsExist(in.TargetGroupARNs); err != nil {
		return nil, err
	}
	settings, err := s.prepare(in.GroupSettings)
	if err != nil {
		return nil, err
	}
	if settings.DesiredCapacity == nil {
		settings.DesiredCapacity = settings.MinSize
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.groupLocked(in.AutoScalingGroupName); err == nil {
		return nil, refuse("AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name %s already exists", in.AutoScalingGroupName)
	}
	g := &group{
		name: in.AutoScalingGroupName, created: s.clock.Now(), cooldown: 300, healthCheck: healthEC2,
		policies: []string{"Default"}, suspended: map[string]bool{}, targetGroups: slices.Clone(in.TargetGroupARNs),
	}
	if err := s.applyLocked(g, &settings); err != nil {
		return nil, err
	}
	if g.tags, err = mergeTags(nil, in.Tags); err != nil {
		return nil, err
	}
	for _, h := range in.LifecycleHookSpecificationList {
		if err := g.putHook(h); err != nil {
			return nil, err
		}
	}
	g.arn = s.arn("autoScalingGroup", s.newIDLocked("group"), g.name)
	g.causes = []string{s.at("a user request created an AutoScalingGroup changing the desired capacity from 0 to %d.", g.desired)}
	s.groups = append(s.groups, g)
	s.wakeLocked(g)
	return g, nil
}

// applyLocked checks prepared settings against a group and, if all hold, sets them.
func (s *Service) applyLocked(g *group, in *GroupSettings) error {
	changed := *g
	for _, set := range []func(*group, *GroupSettings) error{sizes, checks, s.launches} {
		if err := set(&changed, in); err != nil {
			return err
		}
	}
	if len(in.places) > 0 {
		changed.places = in.places
	}
	*g = changed
	return nil
}

// sizes sets the bounds and the capacity. A bound that passes the capacity
// moves it.
func sizes(g *group, in *GroupSettings) error {
	to := []*int{&g.min, &g.max, &g.cooldown, &g.grace}
	for i, value := range []*int{in.MinSize, in.MaxSize, in.DefaultCooldown, in.HealthCheckGracePeriod} {
		if value == nil {
			continue
		}
		if *value < 0 {
			return invalid("MinSize, MaxSize, DefaultCooldown and HealthCheckGracePeriod must not be negative, but one is %d", *value)
		}
		*to[i] = *value
	}
	if g.max < g.min {
		return invalid("Max bound, %d, must be greater than or equal to min bound, %d", g.max, g.min)
	}
	if in.DesiredCapacity != nil {
		g.desired = *in.DesiredCapacity
		if g.desired < g.min || g.desired > g.max {
			return invalid("Desired capacity:%d must be between the specified min size:%d and max size:%d", g.desired, g.min, g.max)
		}
	}
	g.desired = min(max(g.desired, g.min), g.max)
	if w := in.DefaultInstanceWarmup; w != nil {
		if *w < -1 {
			return invalid("DefaultInstanceWarmup must be -1 or greater, but is %d", *w)
		}
		g.warmup = nil
		if *w >= 0 {
			g.warmup = new(*w)
		}
	}
	return nil
}

// prepare checks and completes settings by what other services know: the
// templates' ids, names and versions, and the subnets' zones.
func (s *Service) prepare(in GroupSettings) (GroupSettings, error) {
	if wanted := in.spec(); wanted.count() > 0 {
		if err := wanted.validate(); err != nil {
			return in, err
		}
		resolved, _, err := s.resolve(wanted)
		if err != nil {
			return in, err
		}
		in.LaunchTemplate, in.MixedInstancesPolicy = resolved.template, resolved.mixed
	}
	if in.VPCZoneIdentifier == "" {
		for _, zone := range in.AvailabilityZones {
			in.places = append(in.places, place{zone: zone})
		}
		return in, nil
	}
	for id := range strings.SplitSeq(in.VPCZoneIdentifier, ",") {
		at := place{subnet: strings.TrimSpace(id)}
		if s.Subnet != nil {
			var ok bool
			if _, at.zone, ok = s.Subnet(at.subnet); !ok {
				return in, invalid("The subnet ID '%s' does not exist", at.subnet)
			}
		}
		in.places = append(in.places, at)
	}
	return in, nil
}

// checks sets how health is judged and what is terminated first.
func checks(g *group, in *GroupSettings) error {
	if in.HealthCheckType != "" {
		for kind := range strings.SplitSeq(in.HealthCheckType, ",") {
			if kind != healthEC2 && kind != healthELB {
				return invalid("Invalid health check type %s: the embedded AWS has EC2 and ELB", kind)
			}
		}
		g.healthCheck = in.HealthCheckType
	}
	for _, p := range in.TerminationPolicies {
		if !slices.Contains([]string{"Default", "OldestInstance", "NewestInstance", "OldestLaunchConfiguration", "OldestLaunchTemplate"}, p) {
			return invalid("Termination policy '%s' is not one that the embedded AWS has", p)
		}
	}
	if len(in.TerminationPolicies) > 0 {
		g.policies = slices.Clone(in.TerminationPolicies)
	}
	if in.NewInstancesProtectedFromScaleIn != nil {
		g.protect = *in.NewInstancesProtectedFromScaleIn
	}
	return nil
}

// launches sets what is launched from now on.
func (s *Service) launches(g *group, in *GroupSettings) error {
	wanted := in.spec()
	if wanted.count() == 0 {
		return nil
	}
	if wanted.configuration != "" && s.configurationLocked(wanted.configuration) == nil {
		return unknownConfiguration(wanted.configuration)
	}
	g.spec = wanted.clone()
	return nil
}
