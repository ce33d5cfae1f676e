package autoscaling

import (
	"context"
	"slices"
)

// UpdateAutoScalingGroupInput changes a group. What is not given stays.
type UpdateAutoScalingGroupInput struct {
	AutoScalingGroupName string `aws:",required"`
	GroupSettings
}

// UpdateAutoScalingGroup answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html
// Instances that run stay as they are.
func (s *Service) UpdateAutoScalingGroup(_ context.Context, in *UpdateAutoScalingGroupInput) (*Empty, error) {
	settings, err := s.prepare(in.GroupSettings)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if r := g.refreshing(); r != nil && r.desired != nil && settings.spec().count() > 0 {
		return nil, invalid("An active instance refresh with a desired configuration exists. All configuration options derived from the desired configuration " +
			"are not available for update while the instance refresh is active.")
	}
	before := g.desired
	if err := s.applyLocked(g, &settings); err != nil {
		return nil, err
	}
	if g.desired != before {
		g.causes = append(g.causes, s.at("a user request update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d changing the desired capacity from %d to %d.",
			g.min, g.max, g.desired, before, g.desired))
	}
	s.wakeLocked(g)
	return &Empty{}, nil
}

// SetDesiredCapacityInput sets a group's capacity.
type SetDesiredCapacityInput struct {
	AutoScalingGroupName string `aws:",required"`
	DesiredCapacity      *int   `aws:",required"`
	HonorCooldown        *bool
}

// SetDesiredCapacity answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetDesiredCapacity.html
func (s *Service) SetDesiredCapacity(_ context.Context, in *SetDesiredCapacityInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	switch n := *in.DesiredCapacity; {
	case n < g.min:
		return nil, invalid("New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", n, g.min)
	case n > g.max:
		return nil, invalid("New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", n, g.max)
	}
	if in.HonorCooldown != nil && *in.HonorCooldown {
		if err := s.cooledLocked(g); err != nil {
			return nil, err
		}
	}
	if before := g.desired; before != *in.DesiredCapacity {
		g.desired = *in.DesiredCapacity
		g.causes = append(g.causes, s.at("a user request explicitly set group desired capacity changing the desired capacity from %d to %d.", before, g.desired))
	}
	s.wakeLocked(g)
	return &Empty{}, nil
}

// cooledLocked refuses while a cooldown lasts.
func (s *Service) cooledLocked(g *group) error {
	if s.clock.Now().Before(g.coolUntil) {
		return refuse("ScalingActivityInProgress", "Scaling activity %s is in progress and blocks this action", g.coolCauser)
	}
	return nil
}

// DeleteAutoScalingGroupInput names a group.
type DeleteAutoScalingGroupInput struct {
	AutoScalingGroupName string `aws:",required"`
	ForceDelete          *bool
}

// DeleteAutoScalingGroup answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html
// With ForceDelete its instances are terminated too; the group is there, with
// the status "Delete in progress", until they are gone.
func (s *Service) DeleteAutoScalingGroup(_ context.Context, in *DeleteAutoScalingGroupInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if in.ForceDelete == nil || !*in.ForceDelete {
		if slices.ContainsFunc(g.members, func(m *member) bool { return !m.leavingGroup() && m.id != "" }) {
			return nil, refuse("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")
		}
		if len(g.members) > 0 || g.deleting {
			return nil, refuse("ScalingActivityInProgress", "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.")
		}
	}
	s.deleteLocked(g)
	return &Empty{}, nil
}

// deleteLocked begins the end of a group and all of its instances.
func (s *Service) deleteLocked(g *group) {
	if g.deleting {
		return
	}
	g.deleting = true
	g.min, g.desired = 0, 0
	if r := g.refreshing(); r != nil {
		s.endRefreshLocked(g, r, refreshCancelled, "Cancelled because the Auto Scaling group is being deleted.")
	}
	cause := s.at("a user request force deleted the AutoScalingGroup %s.", g.name)
	for _, m := range slices.Clone(g.members) {
		m.force = true
		if !m.leavingGroup() && m.id != "" {
			s.endLocked(g, m, cause)
		}
		m.waits, m.draining = nil, nil
	}
	s.wakeLocked(g)
}
