package autoscaling

import (
	"context"
	"slices"
)

// Copy makes a group like another one with a capacity of its own: the same
// launch specification, subnets, health check, termination policies, hooks,
// notifications, scaling policies and tags, but no target groups, no instances
// and no suspended processes. It is what CodeDeploy's COPY_AUTO_SCALING_GROUP does.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/integrations-aws-auto-scaling.html
func (s *Service) Copy(from, to string, capacity int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	model, err := s.changeableLocked(from)
	if err != nil {
		return err
	}
	if _, err := s.groupLocked(to); err == nil {
		return refuse("AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name %s already exists", to)
	}
	if capacity < 0 || capacity > model.max {
		return invalid("Desired capacity:%d must be between the specified min size:0 and max size:%d", capacity, model.max)
	}
	g := &group{
		name: to, arn: s.arn("autoScalingGroup", s.newIDLocked("group"), to), created: s.clock.Now(), spec: model.spec.clone(),
		min: min(model.min, capacity), max: model.max, desired: capacity, cooldown: model.cooldown, warmup: model.warmup, places: slices.Clone(model.places),
		healthCheck: model.healthCheck, grace: model.grace, policies: slices.Clone(model.policies), protect: model.protect,
		suspended: map[string]bool{}, tags: slices.Clone(model.tags), notices: slices.Clone(model.notices),
	}
	for _, h := range model.hooks {
		g.hooks = append(g.hooks, new(*h))
	}
	for _, p := range model.scaling {
		c := new(*p)
		c.AutoScalingGroupName, c.PolicyARN = to, s.policyARNLocked(to, p.PolicyName)
		g.scaling = append(g.scaling, c)
	}
	g.causes = []string{s.at("a user request created an AutoScalingGroup changing the desired capacity from 0 to %d.", capacity)}
	s.groups = append(s.groups, g)
	s.wakeLocked(g)
	return nil
}

// PolicyARNs are the ARNs of a group's scaling policies by name, for who copies
// the alarms of a copied group.
func (s *Service) PolicyARNs(name string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]string{}
	if g, err := s.groupLocked(name); err == nil {
		for _, p := range g.scaling {
			all[p.PolicyName] = p.PolicyARN
		}
	}
	return all
}

// TargetGroupARNs are the target groups that are attached to a group.
func (s *Service) TargetGroupARNs(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(name)
	if err != nil {
		return nil
	}
	return slices.Clone(g.targetGroups)
}

// Suspend suspends processes of a group; none means all.
func (s *Service) Suspend(name string, processes ...string) error {
	_, err := s.setProcesses(&ProcessesInput{AutoScalingGroupName: name, ScalingProcesses: processes}, true)
	return err
}

// Resume resumes processes of a group; none means all.
func (s *Service) Resume(name string, processes ...string) error {
	_, err := s.setProcesses(&ProcessesInput{AutoScalingGroupName: name, ScalingProcesses: processes}, false)
	return err
}

// InService lists the healthy instances of a group that are in service.
func (s *Service) InService(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(name)
	if err != nil {
		return nil
	}
	var ids []string
	for _, m := range g.members {
		if m.ready() {
			ids = append(ids, m.id)
		}
	}
	return ids
}

// Exists says that a group is there and not being deleted.
func (s *Service) Exists(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.changeableLocked(name)
	return err == nil
}

// Delete force-deletes a group: its instances are terminated too. It returns
// before they are gone. A group that is not there is deleted already.
func (s *Service) Delete(name string) error {
	if !s.Exists(name) {
		return nil
	}
	_, err := s.DeleteAutoScalingGroup(context.Background(), &DeleteAutoScalingGroupInput{AutoScalingGroupName: name, ForceDelete: new(true)})
	return err
}
