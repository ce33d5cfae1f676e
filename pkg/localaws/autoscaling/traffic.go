package autoscaling

import (
	"context"
	"slices"
)

// LoadBalancerTargetGroupState is a target group of a group.
type LoadBalancerTargetGroupState struct {
	LoadBalancerTargetGroupARN string
	State                      string
}

// TargetGroupsInput names target groups of a group.
type TargetGroupsInput struct {
	AutoScalingGroupName string   `aws:",required"`
	TargetGroupARNs      []string `aws:",required"`
}

func (s *Service) targetGroupsExist(arns []string) error {
	for _, arn := range arns {
		if !s.TargetGroups.Exists(arn) {
			return invalid("Provided Target Groups may not be valid. Please ensure they exist and try again.")
		}
	}
	return nil
}

// AttachLoadBalancerTargetGroups answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AttachLoadBalancerTargetGroups.html
func (s *Service) AttachLoadBalancerTargetGroups(_ context.Context, in *TargetGroupsInput) (*Empty, error) {
	if err := s.AttachTargetGroups(in.AutoScalingGroupName, in.TargetGroupARNs); err != nil {
		return nil, err
	}
	return &Empty{}, nil
}

// AttachTargetGroups makes a group's instances targets of more target groups,
// for the services beside.
func (s *Service) AttachTargetGroups(name string, arns []string) error {
	if err := s.targetGroupsExist(arns); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(name)
	if err != nil {
		return err
	}
	for _, arn := range arns {
		g.leaving = slices.DeleteFunc(g.leaving, func(have string) bool { return have == arn })
		if !slices.Contains(g.targetGroups, arn) {
			g.targetGroups = append(g.targetGroups, arn)
		}
	}
	s.wakeLocked(g)
	return nil
}

// DetachLoadBalancerTargetGroups answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DetachLoadBalancerTargetGroups.html
// The instances' targets are drained; the instances run on.
func (s *Service) DetachLoadBalancerTargetGroups(_ context.Context, in *TargetGroupsInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	for _, arn := range in.TargetGroupARNs {
		if !slices.Contains(g.targetGroups, arn) {
			return nil, invalid("Target group %s is not attached to AutoScalingGroup %s", arn, g.name)
		}
	}
	for _, arn := range in.TargetGroupARNs {
		g.targetGroups = slices.DeleteFunc(g.targetGroups, func(have string) bool { return have == arn })
		g.leaving = append(g.leaving, arn)
	}
	s.wakeLocked(g)
	return &Empty{}, nil
}

// stillLeaving are the detached target groups that instances are targets of.
func (g *group) stillLeaving() []string {
	var all []string
	for _, arn := range g.leaving {
		if slices.ContainsFunc(g.members, func(m *member) bool { return slices.Contains(m.registered, arn) || slices.Contains(m.draining, arn) }) {
			all = append(all, arn)
		}
	}
	return all
}

// DescribeLoadBalancerTargetGroupsInput names a group.
type DescribeLoadBalancerTargetGroupsInput struct {
	AutoScalingGroupName string `aws:",required"`
	Page
}

// DescribeLoadBalancerTargetGroupsOutput lists its target groups.
type DescribeLoadBalancerTargetGroupsOutput struct {
	LoadBalancerTargetGroups []LoadBalancerTargetGroupState
	NextToken                string
}

// DescribeLoadBalancerTargetGroups answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLoadBalancerTargetGroups.html
func (s *Service) DescribeLoadBalancerTargetGroups(_ context.Context, in *DescribeLoadBalancerTargetGroupsInput) (*DescribeLoadBalancerTargetGroupsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	var all []LoadBalancerTargetGroupState
	for _, arn := range g.targetGroups {
		all = append(all, LoadBalancerTargetGroupState{arn, g.attachment(arn)})
	}
	for _, arn := range g.leaving {
		all = append(all, LoadBalancerTargetGroupState{arn, "Removing"})
	}
	items, next, err := cut(all, in.Page, 100, 100)
	if err != nil {
		return nil, err
	}
	return &DescribeLoadBalancerTargetGroupsOutput{LoadBalancerTargetGroups: items, NextToken: next}, nil
}

// attachment is the state of a target group: "Adding" until every instance is
// registered, then "Added", and "InService" once one passes its health checks.
func (g *group) attachment(arn string) string {
	state := "Added"
	for _, m := range g.members {
		if m.state != inService {
			continue
		}
		if !slices.Contains(m.registered, arn) {
			return "Adding"
		}
		if m.targets[arn] == "healthy" {
			state = inService
		}
	}
	return state
}
