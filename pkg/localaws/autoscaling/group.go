package autoscaling

import (
	"context"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/clock"
)

// AutoScalingGroup is a group as DescribeAutoScalingGroups shows it.
type AutoScalingGroup struct {
	AutoScalingGroupName             string
	AutoScalingGroupARN              string
	LaunchConfigurationName          string
	LaunchTemplate                   *LaunchTemplateSpecification
	MixedInstancesPolicy             *MixedInstancesPolicy
	MinSize                          int
	MaxSize                          int
	DesiredCapacity                  int
	DefaultCooldown                  int
	DefaultInstanceWarmup            *int
	AvailabilityZones                []string
	LoadBalancerNames                []string
	TargetGroupARNs                  []string
	HealthCheckType                  string
	HealthCheckGracePeriod           int
	Instances                        []GroupInstance
	CreatedTime                      time.Time
	SuspendedProcesses               []SuspendedProcess
	VPCZoneIdentifier                string
	EnabledMetrics                   []EnabledMetric
	Status                           string
	Tags                             []TagDescription
	TerminationPolicies              []string
	NewInstancesProtectedFromScaleIn bool
	ServiceLinkedRoleARN             string
}

// EnabledMetric is a group metric that is collected. There are none.
type EnabledMetric struct {
	Metric      string
	Granularity string
}

// GroupInstance is an instance of a group.
type GroupInstance struct {
	InstanceId              string
	InstanceType            string
	AvailabilityZone        string
	LifecycleState          string
	HealthStatus            string
	LaunchConfigurationName string
	LaunchTemplate          *LaunchTemplateSpecification
	ImageId                 string
	ProtectedFromScaleIn    bool
	WeightedCapacity        string
}

const (
	healthEC2 = "EC2"
	healthELB = "ELB"
)

// A group is one Auto Scaling group.
type group struct {
	name, arn string
	spec      spec
	created   time.Time

	min, max, desired int
	cooldown          int // seconds
	warmup            *int
	places            []place
	healthCheck       string // "EC2", "ELB"
	grace             int    // seconds
	policies          []string
	protect           bool

	targetGroups []string // attached
	leaving      []string // detached, still draining
	suspended    map[string]bool
	tags         []groupTag
	hooks        []*hook
	notices      []notice
	scaling      []*scalingPolicy

	members    []*member
	activities []*activity // oldest first
	refreshes  []*refresh  // oldest first

	causes     []string // why the next activities happen
	replacing  int      // instances to launch in place of unhealthy ones
	failures   int      // launches failed in a row
	failure    string   // the latest one's message
	notBefore  time.Time
	coolUntil  time.Time
	coolCauser string // activity or policy that began the cooldown
	deleting   bool
	gone       bool

	reconciling, again bool
	timer              clock.Timer
	waiting            []chan struct{}
}

func (g *group) changedLocked() {
	for _, c := range g.waiting {
		close(c)
	}
	g.waiting = nil
}

// groupLocked finds a group.
func (s *Service) groupLocked(name string) (*group, error) {
	for _, g := range s.groups {
		if g.name == name || g.arn == name {
			return g, nil
		}
	}
	return nil, invalid("AutoScalingGroup name not found - AutoScalingGroup '%s' not found", name)
}

// changeableLocked finds a group that is not being deleted.
func (s *Service) changeableLocked(name string) (*group, error) {
	g, err := s.groupLocked(name)
	if err != nil {
		return nil, err
	}
	if g.deleting {
		return nil, refuse("ScalingActivityInProgress", "AutoScalingGroup %s is pending delete", name)
	}
	return g, nil
}

// DescribeAutoScalingGroupsInput names groups; none means all.
type DescribeAutoScalingGroupsInput struct {
	AutoScalingGroupNames []string
	Filters               []Filter
	IncludeInstances      *bool
	Page
}

// Filter narrows a list: the values are alternatives.
type Filter struct {
	Name   string
	Values []string
}

// DescribeAutoScalingGroupsOutput lists groups.
type DescribeAutoScalingGroupsOutput struct {
	AutoScalingGroups []AutoScalingGroup
	NextToken         string
}

// DescribeAutoScalingGroups answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html
// Names of groups that are not there are simply missing from the answer.
func (s *Service) DescribeAutoScalingGroups(_ context.Context, in *DescribeAutoScalingGroupsInput) (*DescribeAutoScalingGroupsOutput, error) {
	for _, f := range in.Filters {
		if f.Name != "tag-key" && f.Name != "tag-value" && !strings.HasPrefix(f.Name, "tag:") {
			return nil, invalid("Filter type %s is not correct. Allowed Filter types are: [tag-key, tag-value, tag:<key>]", f.Name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []AutoScalingGroup
	for _, g := range s.groups {
		named := len(in.AutoScalingGroupNames) == 0 || slices.Contains(in.AutoScalingGroupNames, g.name) || slices.Contains(in.AutoScalingGroupNames, g.arn)
		if !named || !g.matches(in.Filters) {
			continue
		}
		d := s.describeLocked(g)
		if in.IncludeInstances != nil && !*in.IncludeInstances {
			d.Instances = []GroupInstance{}
		}
		all = append(all, d)
	}
	items, next, err := cut(all, in.Page, 50, 100)
	if err != nil {
		return nil, err
	}
	return &DescribeAutoScalingGroupsOutput{AutoScalingGroups: items, NextToken: next}, nil
}

// matches says that a group's tags pass every filter.
func (g *group) matches(filters []Filter) bool {
	for _, f := range filters {
		pass := slices.ContainsFunc(g.tags, func(t groupTag) bool {
			switch f.Name {
			case "tag-key":
				return slices.Contains(f.Values, t.key)
			case "tag-value":
				return slices.Contains(f.Values, t.value)
			}
			return f.Name == "tag:"+t.key && slices.Contains(f.Values, t.value)
		})
		if !pass {
			return false
		}
	}
	return true
}

func (s *Service) describeLocked(g *group) AutoScalingGroup {
	c := g.spec.clone()
	d := AutoScalingGroup{
		AutoScalingGroupName: g.name, AutoScalingGroupARN: g.arn, LaunchConfigurationName: c.configuration, LaunchTemplate: c.template,
		MixedInstancesPolicy: c.mixed, MinSize: g.min, MaxSize: g.max, DesiredCapacity: g.desired, DefaultCooldown: g.cooldown,
		DefaultInstanceWarmup: g.warmup, AvailabilityZones: g.zones(), LoadBalancerNames: []string{},
		TargetGroupARNs: append([]string{}, g.targetGroups...), HealthCheckType: g.healthCheck, HealthCheckGracePeriod: g.grace,
		Instances: []GroupInstance{}, CreatedTime: g.created, SuspendedProcesses: g.describeSuspended(), VPCZoneIdentifier: g.subnets(),
		EnabledMetrics: []EnabledMetric{}, Tags: g.describeTags(), TerminationPolicies: append([]string{}, g.policies...),
		NewInstancesProtectedFromScaleIn: g.protect,
		ServiceLinkedRoleARN:             "arn:aws:iam::" + s.Account + ":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
	}
	if g.deleting {
		d.Status = "Delete in progress"
	}
	for _, m := range g.members {
		if m.id != "" {
			d.Instances = append(d.Instances, m.describe())
		}
	}
	return d
}

// zones lists the Availability Zones of a group, its own or those of its
// subnets as far as they are known.
func (g *group) zones() []string {
	all := []string{}
	for _, p := range g.places {
		if p.zone != "" && !slices.Contains(all, p.zone) {
			all = append(all, p.zone)
		}
	}
	slices.Sort(all)
	return all
}

// subnets is VPCZoneIdentifier.
func (g *group) subnets() string {
	var all []string
	for _, p := range g.places {
		if p.subnet != "" {
			all = append(all, p.subnet)
		}
	}
	return strings.Join(all, ",")
}
