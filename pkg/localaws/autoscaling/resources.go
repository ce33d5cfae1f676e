package autoscaling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/resource"
)

// Resources lists the CloudFormation types of EC2 Auto Scaling.
func (s *Service) Resources() []resource.Type {
	const prefix = "AWS::AutoScaling::"
	return []resource.Type{
		resource.Define(prefix+"AutoScalingGroup", []string{"AutoScalingGroupName"}, s.createGroupResource, s.updateGroupResource, s.deleteGroupResource),
		resource.Define(prefix+"LaunchConfiguration", nil, s.createConfigurationResource, nil, s.deleteConfigurationResource),
		resource.Define(prefix+"ScalingPolicy", []string{"AutoScalingGroupName"}, s.createPolicyResource, s.updatePolicyResource, s.deletePolicyResource),
		resource.Define(prefix+"LifecycleHook", []string{"AutoScalingGroupName", "LifecycleHookName", "LifecycleTransition"},
			s.createHookResource, s.updateHookResource, s.deleteHookResource),
	}
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-autoscaling-autoscalinggroup.html
type groupProperties struct {
	AutoScalingGroupName             string
	LaunchConfigurationName          string
	LaunchTemplate                   *LaunchTemplateSpecification
	MixedInstancesPolicy             *MixedInstancesPolicy
	MinSize                          *int `aws:",required"`
	MaxSize                          *int `aws:",required"`
	DesiredCapacity                  *int
	Cooldown                         *int
	DefaultInstanceWarmup            *int
	AvailabilityZones                []string
	HealthCheckType                  string
	HealthCheckGracePeriod           *int
	VPCZoneIdentifier                []string
	TerminationPolicies              []string
	NewInstancesProtectedFromScaleIn *bool
	TargetGroupARNs                  []string
	LifecycleHookSpecificationList   []HookSettings
	NotificationConfigurations       []noticeProperties
	Tags                             []tagProperties
}

type noticeProperties struct {
	TopicARN          string `aws:",required"`
	NotificationTypes []string
}

type tagProperties struct {
	Key               string `aws:",required"`
	Value             string `aws:",required"`
	PropagateAtLaunch *bool  `aws:",required"`
}

// settings are the properties for which wanted says so.
func (p *groupProperties) settings(wanted func(property string) bool) GroupSettings {
	var in GroupSettings
	set := map[string]func(){
		"LaunchConfigurationName":          func() { in.LaunchConfigurationName = p.LaunchConfigurationName },
		"LaunchTemplate":                   func() { in.LaunchTemplate = p.LaunchTemplate },
		"MixedInstancesPolicy":             func() { in.MixedInstancesPolicy = p.MixedInstancesPolicy },
		"MinSize":                          func() { in.MinSize = p.MinSize },
		"MaxSize":                          func() { in.MaxSize = p.MaxSize },
		"DesiredCapacity":                  func() { in.DesiredCapacity = p.DesiredCapacity },
		"Cooldown":                         func() { in.DefaultCooldown = p.Cooldown },
		"DefaultInstanceWarmup":            func() { in.DefaultInstanceWarmup = p.DefaultInstanceWarmup },
		"AvailabilityZones":                func() { in.AvailabilityZones = p.AvailabilityZones },
		"HealthCheckType":                  func() { in.HealthCheckType = p.HealthCheckType },
		"HealthCheckGracePeriod":           func() { in.HealthCheckGracePeriod = p.HealthCheckGracePeriod },
		"VPCZoneIdentifier":                func() { in.VPCZoneIdentifier = strings.Join(p.VPCZoneIdentifier, ",") },
		"TerminationPolicies":              func() { in.TerminationPolicies = p.TerminationPolicies },
		"NewInstancesProtectedFromScaleIn": func() { in.NewInstancesProtectedFromScaleIn = p.NewInstancesProtectedFromScaleIn },
	}
	for property, f := range set {
		if wanted(property) {
			f()
		}
	}
	return in
}

func (p *groupProperties) tags(name string) []Tag {
	var all []Tag
	for _, t := range p.Tags {
		all = append(all, Tag{ResourceId: name, ResourceType: tagged, Key: t.Key, Value: t.Value, PropagateAtLaunch: t.PropagateAtLaunch})
	}
	return all
}

func (s *Service) createGroupResource(ctx context.Context, r resource.Request, p *groupProperties) (resource.State, error) {
	name := cmp.Or(p.AutoScalingGroupName, r.GeneratedName(255))
	in := &CreateAutoScalingGroupInput{
		AutoScalingGroupName: name, GroupSettings: p.settings(func(string) bool { return true }), TargetGroupARNs: p.TargetGroupARNs,
		Tags: p.tags(name), LifecycleHookSpecificationList: p.LifecycleHookSpecificationList,
	}
	if _, err := s.CreateAutoScalingGroup(ctx, in); err != nil {
		return resource.State{}, fmt.Errorf("create group %s: %w", name, err)
	}
	if err := s.putNotices(ctx, name, p.NotificationConfigurations); err != nil {
		r.PhysicalID = name
		return resource.State{}, errors.Join(err, s.deleteGroupResource(ctx, r))
	}
	return s.groupState(name)
}

func (s *Service) putNotices(ctx context.Context, name string, notices []noticeProperties) error {
	for _, n := range notices {
		kinds := n.NotificationTypes
		if len(kinds) == 0 {
			kinds = []string{noticeLaunch, noticeLaunchError, noticeTerminate, noticeTerminateError}
		}
		in := &PutNotificationConfigurationInput{AutoScalingGroupName: name, TopicARN: n.TopicARN, NotificationTypes: kinds}
		if _, err := s.PutNotificationConfiguration(ctx, in); err != nil {
			return fmt.Errorf("put notification configuration of group %s: %w", name, err)
		}
	}
	return nil
}

func (s *Service) groupState(name string) (resource.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(name)
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{PhysicalID: name, Attributes: map[string]any{"AutoScalingGroupARN": g.arn}}, nil
}

// updateGroupResource changes only what changed in the template, so that what
// others set since (a launch template version, a capacity) stays.
func (s *Service) updateGroupResource(ctx context.Context, r resource.Request, p *groupProperties) (resource.State, error) {
	name := r.PhysicalID
	var before groupProperties
	if faults := resource.Decode(r.Previous, &before); len(faults) > 0 {
		return resource.State{}, fmt.Errorf("read previous properties of %s: %s", r.LogicalID, strings.Join(faults, "; "))
	}
	in := &UpdateAutoScalingGroupInput{AutoScalingGroupName: name, GroupSettings: p.settings(r.Changed)}
	if _, err := s.UpdateAutoScalingGroup(ctx, in); err != nil {
		return resource.State{}, fmt.Errorf("update group %s: %w", name, err)
	}
	for _, update := range []func(context.Context, string, *groupProperties, *groupProperties) error{s.updateTargetGroups, s.updateTags, s.updateNotices, s.updateHooks} {
		if err := update(ctx, name, &before, p); err != nil {
			return resource.State{}, err
		}
	}
	return s.groupState(name)
}

func (s *Service) updateTargetGroups(ctx context.Context, name string, before, p *groupProperties) error {
	gone := without(before.TargetGroupARNs, p.TargetGroupARNs)
	gone = slices.DeleteFunc(gone, func(arn string) bool { return !slices.Contains(s.TargetGroupARNs(name), arn) })
	if len(gone) > 0 {
		if _, err := s.DetachLoadBalancerTargetGroups(ctx, &TargetGroupsInput{AutoScalingGroupName: name, TargetGroupARNs: gone}); err != nil {
			return fmt.Errorf("detach target groups of group %s: %w", name, err)
		}
	}
	if err := s.AttachTargetGroups(name, without(p.TargetGroupARNs, before.TargetGroupARNs)); err != nil {
		return fmt.Errorf("attach target groups to group %s: %w", name, err)
	}
	return nil
}

// without is a list without the items of another.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(item string) bool { return slices.Contains(other, item) })
}

func (s *Service) updateTags(ctx context.Context, name string, before, p *groupProperties) error {
	var gone []Tag
	for _, t := range before.tags(name) {
		if !slices.ContainsFunc(p.Tags, func(have tagProperties) bool { return have.Key == t.Key }) {
			gone = append(gone, Tag{ResourceId: name, ResourceType: tagged, Key: t.Key})
		}
	}
	if _, err := s.DeleteTags(ctx, &TagsInput{Tags: gone}); err != nil {
		return fmt.Errorf("untag group %s: %w", name, err)
	}
	if _, err := s.CreateOrUpdateTags(ctx, &TagsInput{Tags: p.tags(name)}); err != nil {
		return fmt.Errorf("tag group %s: %w", name, err)
	}
	return nil
}

func (s *Service) updateNotices(ctx context.Context, name string, before, p *groupProperties) error {
	var added []noticeProperties
	for _, n := range p.NotificationConfigurations {
		same := func(have noticeProperties) bool {
			return have.TopicARN == n.TopicARN && slices.Equal(have.NotificationTypes, n.NotificationTypes)
		}
		if !slices.ContainsFunc(before.NotificationConfigurations, same) {
			added = append(added, n)
		}
	}
	for _, n := range before.NotificationConfigurations {
		if slices.ContainsFunc(p.NotificationConfigurations, func(have noticeProperties) bool { return have.TopicARN == n.TopicARN }) {
			continue
		}
		if _, err := s.DeleteNotificationConfiguration(ctx, &DeleteNotificationConfigurationInput{AutoScalingGroupName: name, TopicARN: n.TopicARN}); err != nil {
			return fmt.Errorf("delete notification configuration of group %s: %w", name, err)
		}
	}
	return s.putNotices(ctx, name, added)
}

func (s *Service) updateHooks(ctx context.Context, name string, before, p *groupProperties) error {
	for _, h := range p.LifecycleHookSpecificationList {
		if _, err := s.PutLifecycleHook(ctx, &PutLifecycleHookInput{AutoScalingGroupName: name, HookSettings: h}); err != nil {
			return fmt.Errorf("put lifecycle hook %s of group %s: %w", h.LifecycleHookName, name, err)
		}
	}
	for _, h := range before.LifecycleHookSpecificationList {
		if slices.ContainsFunc(p.LifecycleHookSpecificationList, func(have HookSettings) bool { return have.LifecycleHookName == h.LifecycleHookName }) {
			continue
		}
		if _, err := s.DeleteLifecycleHook(ctx, &LifecycleHookInput{AutoScalingGroupName: name, LifecycleHookName: h.LifecycleHookName}); err != nil {
			return fmt.Errorf("delete lifecycle hook %s of group %s: %w", h.LifecycleHookName, name, err)
		}
	}
	return nil
}

// deletion is how long CloudFormation waits for a group's instances to be gone.
const deletion = time.Hour

// deleteGroupResource deletes a group with its instances and waits until they
// are gone.
func (s *Service) deleteGroupResource(ctx context.Context, r resource.Request) error {
	s.mu.Lock()
	g, err := s.groupLocked(r.PhysicalID)
	if err != nil {
		s.mu.Unlock()
		return nil // deleted already
	}
	s.deleteLocked(g)
	s.mu.Unlock()
	if !s.await(ctx, g, func() bool { return g.gone }) {
		return fmt.Errorf("delete group %s: its instances were not terminated", g.name)
	}
	return nil
}

// await waits until done, which is called under the lock, says so. On a clock
// that stands still unless moved it moves the clock, since nobody else does
// while the caller waits.
func (s *Service) await(ctx context.Context, g *group, done func() bool) bool {
	locked := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return done()
	}
	if still, ok := s.clock.(interface {
		AdvanceUntil(time.Duration, func() bool) bool
	}); ok {
		return still.AdvanceUntil(deletion, locked)
	}
	late := make(chan struct{})
	timer := s.clock.AfterFunc(deletion, func() { close(late) })
	defer timer.Stop()
	for {
		s.mu.Lock()
		if done() || s.closed {
			defer s.mu.Unlock()
			return done()
		}
		change := make(chan struct{})
		g.waiting = append(g.waiting, change)
		s.mu.Unlock()
		select {
		case <-change:
		case <-late:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
