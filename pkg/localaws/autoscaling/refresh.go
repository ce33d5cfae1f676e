package autoscaling

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Statuses of instance refreshes.
const (
	refreshPending            = "Pending"
	refreshInProgress         = "InProgress"
	refreshSuccessful         = "Successful"
	refreshFailed             = "Failed"
	refreshCancelling         = "Cancelling"
	refreshCancelled          = "Cancelled"
	refreshRollback           = "RollbackInProgress"
	refreshRollbackFailed     = "RollbackFailed"
	refreshRollbackSuccessful = "RollbackSuccessful"
	refreshBaking             = "Baking"
)

// refreshesKept is for how long a refresh is remembered.
const refreshesKept = 6 * 7 * 24 * time.Hour

// DesiredConfiguration is what a group is to launch after a refresh.
type DesiredConfiguration struct {
	LaunchTemplate       *LaunchTemplateSpecification
	MixedInstancesPolicy *MixedInstancesPolicy
}

// RefreshPreferences say how instances are replaced.
type RefreshPreferences struct {
	MinHealthyPercentage      *int // of the desired capacity, 0 to 100; 90 where not given
	MaxHealthyPercentage      *int // 100 to 200; 100 where not given
	InstanceWarmup            *int // seconds
	CheckpointPercentages     []int
	CheckpointDelay           *int // seconds; 3600 where not given
	SkipMatching              *bool
	AutoRollback              *bool
	ScaleInProtectedInstances string // Refresh, Ignore or Wait
	StandbyInstances          string // Terminate, Ignore or Wait; there is no standby here
	AlarmSpecification        *AlarmSpecification
	BakeTime                  *int // seconds
}

// AlarmSpecification names alarms that fail a refresh.
type AlarmSpecification struct{ Alarms []string }

// RollbackDetails are how a rollback stands.
type RollbackDetails struct {
	RollbackReason               string
	RollbackStartTime            time.Time
	PercentageCompleteOnRollback int
	InstancesToUpdateOnRollback  int
}

// InstanceRefresh is a refresh as DescribeInstanceRefreshes shows it.
type InstanceRefresh struct {
	InstanceRefreshId    string
	AutoScalingGroupName string
	Status               string
	StatusReason         string
	StartTime            time.Time
	EndTime              time.Time
	PercentageComplete   *int
	InstancesToUpdate    *int
	Preferences          *RefreshPreferences
	DesiredConfiguration *DesiredConfiguration
	RollbackDetails      *RollbackDetails
	Strategy             string
}

// StartInstanceRefreshInput asks to replace the instances of a group.
type StartInstanceRefreshInput struct {
	AutoScalingGroupName string `aws:",required"`
	Strategy             string
	DesiredConfiguration *DesiredConfiguration
	Preferences          *RefreshPreferences
}

// InstanceRefreshOutput names a refresh.
type InstanceRefreshOutput struct{ InstanceRefreshId string }

// StartInstanceRefresh answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html
func (s *Service) StartInstanceRefresh(_ context.Context, in *StartInstanceRefreshInput) (*InstanceRefreshOutput, error) {
	if in.Strategy != "" && in.Strategy != "Rolling" {
		return nil, invalid("Strategy '%s' is not one that the embedded AWS has: Rolling", in.Strategy)
	}
	var preferences RefreshPreferences
	if in.Preferences != nil {
		preferences = *in.Preferences
	}
	if err := preferences.complete(); err != nil {
		return nil, err
	}
	wanted, templates, err := s.desiredSpec(in.DesiredConfiguration)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	current, err := s.currentLocked(in.AutoScalingGroupName)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	ways, err := s.ways(wanted, current)
	if err != nil {
		return nil, err
	}
	_, inUse, err := s.resolve(current)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	r := &refresh{
		id: s.newIDLocked("refresh"), preferences: preferences, desired: wanted, start: s.clock.Now(), status: refreshPending, matching: ways,
		irreversible: irreversible(current, wanted, slices.Concat(inUse, templates)),
	}
	if err := s.startableLocked(g, r); err != nil {
		return nil, err
	}
	g.refreshes = append(g.refreshes, r)
	s.wakeLocked(g)
	return &InstanceRefreshOutput{r.id}, nil
}

func (s *Service) currentLocked(name string) (spec, error) {
	g, err := s.changeableLocked(name)
	if err != nil {
		return spec{}, err
	}
	return g.spec.clone(), nil
}

// startableLocked refuses a refresh that AWS would.
func (s *Service) startableLocked(g *group, r *refresh) error {
	if g.refreshing() != nil {
		return refuse("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.")
	}
	if r.on(r.preferences.AutoRollback) && r.irreversible != "" {
		return invalid("The instance refresh cannot be started with auto rollback: %s", r.irreversible)
	}
	if r.on(r.preferences.SkipMatching) && r.desired == nil && g.spec.configuration != "" {
		return invalid("Skip matching is not supported for groups with a launch configuration.")
	}
	return nil
}

// desiredSpec resolves a desired configuration; nil stays nil.
func (s *Service) desiredSpec(d *DesiredConfiguration) (*spec, []Template, error) {
	if d == nil {
		return nil, nil, nil
	}
	wanted := spec{template: d.LaunchTemplate, mixed: d.MixedInstancesPolicy}
	if err := wanted.validate(); err != nil {
		return nil, nil, err
	}
	resolved, templates, err := s.resolve(wanted)
	if err != nil {
		return nil, nil, err
	}
	return &resolved, templates, nil
}

// irreversible says why a refresh cannot be rolled back, or ""; templates are
// those of both configurations.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-rollback.html
func irreversible(current spec, wanted *spec, templates []Template) string {
	parameter := func(t Template) bool { return t.ImageID != "" && !strings.HasPrefix(t.ImageID, "ami-") }
	switch {
	case wanted == nil:
		return "no desired configuration was specified."
	case current.configuration != "":
		return "the Auto Scaling group uses a launch configuration."
	case current.floating():
		return "the Auto Scaling group uses the $Latest or $Default version of its launch template."
	case slices.ContainsFunc(templates, parameter):
		return "a launch template uses a Systems Manager parameter for its image."
	}
	return ""
}

// complete sets defaults and lists every fault.
func (p *RefreshPreferences) complete() error {
	var faults []error
	between := func(name string, value **int, usual, least, most int) {
		if *value == nil {
			*value = new(usual)
		}
		if n := **value; n < least || n > most {
			faults = append(faults, invalid("%s must be between %d and %d, but is %d", name, least, most, n))
		}
	}
	if p.MaxHealthyPercentage != nil && p.MinHealthyPercentage == nil {
		faults = append(faults, invalid("MinHealthyPercentage must be specified with MaxHealthyPercentage"))
	}
	between("MinHealthyPercentage", &p.MinHealthyPercentage, 90, 0, 100)
	between("MaxHealthyPercentage", &p.MaxHealthyPercentage, 100, 100, 200)
	if *p.MaxHealthyPercentage-*p.MinHealthyPercentage > 100 {
		faults = append(faults, invalid("The difference between MaxHealthyPercentage and MinHealthyPercentage must not be greater than 100"))
	}
	if p.InstanceWarmup != nil {
		between("InstanceWarmup", &p.InstanceWarmup, 0, 0, 1<<31-1)
	}
	if p.BakeTime != nil {
		between("BakeTime", &p.BakeTime, 0, 0, 172800)
	}
	if len(p.CheckpointPercentages) > 0 {
		between("CheckpointDelay", &p.CheckpointDelay, 3600, 0, 172800)
	} else if p.CheckpointDelay != nil {
		faults = append(faults, invalid("CheckpointDelay needs CheckpointPercentages"))
	}
	before := 0
	for _, n := range p.CheckpointPercentages {
		if n <= before || n > 100 {
			faults = append(faults, invalid("CheckpointPercentages must be ascending and between 1 and 100, but are %v", p.CheckpointPercentages))
			break
		}
		before = n
	}
	if a := p.AlarmSpecification; a != nil && (len(a.Alarms) < 1 || len(a.Alarms) > 10) {
		faults = append(faults, invalid("AlarmSpecification must name 1 to 10 alarms, but names %d", len(a.Alarms)))
	}
	p.SkipMatching, p.AutoRollback = orFalse(p.SkipMatching), orFalse(p.AutoRollback)
	faults = append(faults, one("ScaleInProtectedInstances", &p.ScaleInProtectedInstances, "Wait", "Refresh", "Ignore", "Wait"),
		one("StandbyInstances", &p.StandbyInstances, "Wait", "Terminate", "Ignore", "Wait"))
	return joined(slices.DeleteFunc(faults, func(err error) bool { return err == nil }))
}

func orFalse(b *bool) *bool {
	if b == nil {
		return new(false)
	}
	return b
}

func one(name string, value *string, usual string, known ...string) error {
	if *value == "" {
		*value = usual
	}
	if !slices.Contains(known, *value) {
		return invalid("%s '%s' must be one of %v", name, *value, known)
	}
	return nil
}

// DescribeInstanceRefreshesInput names refreshes of a group; none means all.
type DescribeInstanceRefreshesInput struct {
	AutoScalingGroupName string `aws:",required"`
	InstanceRefreshIds   []string
	Page
}

// DescribeInstanceRefreshesOutput lists refreshes, the latest first.
type DescribeInstanceRefreshesOutput struct {
	InstanceRefreshes []InstanceRefresh
	NextToken         string
}

// DescribeInstanceRefreshes answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeInstanceRefreshes.html
func (s *Service) DescribeInstanceRefreshes(_ context.Context, in *DescribeInstanceRefreshesInput) (*DescribeInstanceRefreshesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	g.refreshes = slices.DeleteFunc(g.refreshes, func(r *refresh) bool { return r.over() && s.clock.Now().Sub(r.end) > refreshesKept })
	var all []InstanceRefresh
	for _, r := range slices.Backward(g.refreshes) {
		if len(in.InstanceRefreshIds) == 0 || slices.Contains(in.InstanceRefreshIds, r.id) {
			all = append(all, r.describe(g))
		}
	}
	items, next, err := cut(all, in.Page, 50, 100)
	if err != nil {
		return nil, err
	}
	return &DescribeInstanceRefreshesOutput{InstanceRefreshes: items, NextToken: next}, nil
}

// CancelInstanceRefreshInput names a group.
type CancelInstanceRefreshInput struct {
	AutoScalingGroupName          string `aws:",required"`
	WaitForTransitioningInstances *bool
}

// CancelInstanceRefresh answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CancelInstanceRefresh.html
// Instances that were replaced stay so.
func (s *Service) CancelInstanceRefresh(_ context.Context, in *CancelInstanceRefreshInput) (*InstanceRefreshOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, r, err := s.activeLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if in.WaitForTransitioningInstances != nil && !*in.WaitForTransitioningInstances {
		s.endRefreshLocked(g, r, refreshCancelled, "Cancelled due to user request.")
	} else {
		r.status, r.reason = refreshCancelling, "Replacement of instances in progress: the cancellation waits for them."
	}
	s.wakeLocked(g)
	return &InstanceRefreshOutput{r.id}, nil
}

// AutoScalingGroupInput names a group.
type AutoScalingGroupInput struct {
	AutoScalingGroupName string `aws:",required"`
}

// RollbackInstanceRefresh answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RollbackInstanceRefresh.html
func (s *Service) RollbackInstanceRefresh(_ context.Context, in *AutoScalingGroupInput) (*InstanceRefreshOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, r, err := s.activeLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if r.status == refreshRollback || r.status == refreshCancelling {
		return nil, refuse("IrreversibleInstanceRefresh", "The instance refresh %s is %s and cannot be rolled back.", r.id, r.status)
	}
	if r.irreversible != "" {
		return nil, refuse("IrreversibleInstanceRefresh", "The instance refresh %s cannot be rolled back: %s", r.id, r.irreversible)
	}
	s.rollBackLocked(g, r, "Rollback initiated by user.")
	s.wakeLocked(g)
	return &InstanceRefreshOutput{r.id}, nil
}

func (s *Service) activeLocked(name string) (*group, *refresh, error) {
	g, err := s.changeableLocked(name)
	if err != nil {
		return nil, nil, err
	}
	r := g.refreshing()
	if r == nil {
		return nil, nil, refuse("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group %s", g.name)
	}
	return g, r, nil
}
