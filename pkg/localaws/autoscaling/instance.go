package autoscaling

import (
	"context"
	"fmt"
	"slices"
)

// AutoScalingInstance is an instance as DescribeAutoScalingInstances shows it.
type AutoScalingInstance struct {
	GroupInstance
	AutoScalingGroupName string
}

// DescribeAutoScalingInstancesInput names instances; none means all.
type DescribeAutoScalingInstancesInput struct {
	InstanceIds []string
	Page
}

// DescribeAutoScalingInstancesOutput lists instances.
type DescribeAutoScalingInstancesOutput struct {
	AutoScalingInstances []AutoScalingInstance
	NextToken            string
}

// DescribeAutoScalingInstances answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html
func (s *Service) DescribeAutoScalingInstances(_ context.Context, in *DescribeAutoScalingInstancesInput) (*DescribeAutoScalingInstancesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []AutoScalingInstance
	for _, g := range s.groups {
		for _, m := range g.members {
			if m.id == "" || len(in.InstanceIds) > 0 && !slices.Contains(in.InstanceIds, m.id) {
				continue
			}
			d := AutoScalingInstance{GroupInstance: m.describe(), AutoScalingGroupName: g.name}
			if m.health == healthy { // in capitals here, unlike in DescribeAutoScalingGroups
				d.HealthStatus = "HEALTHY"
			} else {
				d.HealthStatus = "UNHEALTHY"
			}
			all = append(all, d)
		}
	}
	items, next, err := cut(all, in.Page, 50, 50)
	if err != nil {
		return nil, err
	}
	return &DescribeAutoScalingInstancesOutput{AutoScalingInstances: items, NextToken: next}, nil
}

// TerminateInstanceInput names an instance of a group.
type TerminateInstanceInput struct {
	InstanceId                     string `aws:",required"`
	ShouldDecrementDesiredCapacity *bool  `aws:",required"`
}

// TerminateInstanceOutput is the activity that began.
type TerminateInstanceOutput struct{ Activity *Activity }

// TerminateInstanceInAutoScalingGroup answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
func (s *Service) TerminateInstanceInAutoScalingGroup(_ context.Context, in *TerminateInstanceInput) (*TerminateInstanceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, m, err := s.memberLocked(in.InstanceId)
	if err != nil {
		return nil, err
	}
	if m.leavingGroup() {
		return nil, refuse("ScalingActivityInProgress", "Activity %s is in progress and blocks this action: instance %s is %s", m.act.ActivityId, m.id, m.state)
	}
	if *in.ShouldDecrementDesiredCapacity {
		if err := s.shrinkLocked(g, 1); err != nil {
			return nil, err
		}
	}
	s.endLocked(g, m, s.at("instance %s was taken out of service in response to a user request%s.", m.id, shrinking(*in.ShouldDecrementDesiredCapacity, g.desired+1, g.desired)))
	s.wakeLocked(g)
	return &TerminateInstanceOutput{Activity: new(m.act.Activity)}, nil
}

// shrinkLocked takes instances off the desired capacity.
func (s *Service) shrinkLocked(g *group, n int) error {
	if g.desired-n < g.min {
		return invalid("Currently, desiredSize equals minSize (%d). Terminating or detaching instance without replacement will violate group's min size constraint. "+
			"Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", g.min)
	}
	g.desired -= n
	return nil
}

// AttachInstancesInput names running instances.
type AttachInstancesInput struct {
	AutoScalingGroupName string   `aws:",required"`
	InstanceIds          []string `aws:",required"`
}

// AttachInstances answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AttachInstances.html
// The desired capacity grows by as many.
func (s *Service) AttachInstances(_ context.Context, in *AttachInstancesInput) (*Empty, error) {
	found := make([]Instance, len(in.InstanceIds))
	for i, id := range in.InstanceIds {
		var ok bool
		if found[i], ok = s.Instances.Instance(id); !ok {
			return nil, invalid("Invalid Instance ID(s): [%s] specified", id)
		}
		if found[i].State != "running" {
			return nil, invalid("Instance %s is in incorrect state %s: only running instances can be attached", id, found[i].State)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if n := len(in.InstanceIds); g.desired+n > g.max {
		return nil, invalid("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To attach %d more instance, please update the AutoScalingGroup sizes appropriately.",
			g.name, g.min, g.max, g.desired, n)
	}
	for _, id := range in.InstanceIds {
		if other, _, err := s.memberLocked(id); err == nil {
			return nil, invalid("Instance %s is already part of AutoScalingGroup: %s", id, other.name)
		}
	}
	for i, id := range in.InstanceIds {
		m := &member{id: id, option: option{weight: 1}, zone: found[i].Zone, subnet: found[i].Subnet, imageID: found[i].ImageID, instanceType: found[i].InstanceType,
			state: pending, health: healthy, protected: g.protect, launched: s.clock.Now()}
		m.act = s.beginLocked(g, id, "Attaching an existing EC2 instance: "+id, s.at("an instance was attached in response to a user request."), m)
		g.members = append(g.members, m)
		g.desired++
	}
	s.wakeLocked(g)
	return &Empty{}, nil
}

// DetachInstancesInput names instances of a group.
type DetachInstancesInput struct {
	AutoScalingGroupName           string   `aws:",required"`
	InstanceIds                    []string `aws:",required"`
	ShouldDecrementDesiredCapacity *bool    `aws:",required"`
}

// ActivitiesOutput lists the activities that began.
type ActivitiesOutput struct{ Activities []Activity }

// DetachInstances answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DetachInstances.html
// Their targets are drained; the instances run on without a group.
func (s *Service) DetachInstances(_ context.Context, in *DetachInstancesInput) (*ActivitiesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	for _, id := range in.InstanceIds {
		if m := g.member(id); m == nil || m.state != inService {
			return nil, invalid("The instance %s is not part of Auto Scaling group %s, or not in service.", id, g.name)
		}
	}
	if *in.ShouldDecrementDesiredCapacity {
		if err := s.shrinkLocked(g, len(in.InstanceIds)); err != nil {
			return nil, err
		}
	}
	out := &ActivitiesOutput{Activities: []Activity{}}
	for _, id := range in.InstanceIds {
		m := g.member(id)
		m.state, m.old = detaching, false
		m.act = s.beginLocked(g, id, "Detaching EC2 instance: "+id, s.at("instance %s was detached in response to a user request%s.", id,
			shrinking(*in.ShouldDecrementDesiredCapacity, g.desired+len(in.InstanceIds), g.desired)), m)
		out.Activities = append(out.Activities, m.act.Activity)
	}
	s.wakeLocked(g)
	return out, nil
}

// SetInstanceHealthInput says how an instance is.
type SetInstanceHealthInput struct {
	InstanceId               string `aws:",required"`
	HealthStatus             string `aws:",required"`
	ShouldRespectGracePeriod *bool
}

// SetInstanceHealth answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceHealth.html
func (s *Service) SetInstanceHealth(_ context.Context, in *SetInstanceHealthInput) (*Empty, error) {
	if in.HealthStatus != healthy && in.HealthStatus != unhealthy {
		return nil, invalid("'%s' is an invalid health status. Please specify a valid health status: (Healthy, Unhealthy)", in.HealthStatus)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, m, err := s.memberLocked(in.InstanceId)
	if err != nil {
		return nil, err
	}
	respect := in.ShouldRespectGracePeriod == nil || *in.ShouldRespectGracePeriod
	if respect && in.HealthStatus == unhealthy && g.inGrace(m, s.clock.Now()) {
		return &Empty{}, nil
	}
	m.health, m.why = in.HealthStatus, "a user health-check."
	s.wakeLocked(g)
	return &Empty{}, nil
}

// SetInstanceProtectionInput protects instances from scale-in, or not.
type SetInstanceProtectionInput struct {
	AutoScalingGroupName string   `aws:",required"`
	InstanceIds          []string `aws:",required"`
	ProtectedFromScaleIn *bool    `aws:",required"`
}

// SetInstanceProtection answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceProtection.html
func (s *Service) SetInstanceProtection(_ context.Context, in *SetInstanceProtectionInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	for _, id := range in.InstanceIds {
		if g.member(id) == nil {
			return nil, invalid("The instance %s is not part of Auto Scaling group %s.", id, g.name)
		}
	}
	for _, id := range in.InstanceIds {
		g.member(id).protected = *in.ProtectedFromScaleIn
	}
	s.wakeLocked(g)
	return &Empty{}, nil
}

// shrinking is the end of a sentence on an instance that nothing replaces.
func shrinking(so bool, from, to int) string {
	if !so {
		return ""
	}
	return fmt.Sprintf(", shrinking the capacity from %d to %d", from, to)
}
