package autoscaling

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Kinds of policies and of adjustments.
const (
	simpleScaling  = "SimpleScaling"
	stepScaling    = "StepScaling"
	targetTracking = "TargetTrackingScaling"

	changeInCapacity = "ChangeInCapacity"
	exactCapacity    = "ExactCapacity"
	percentChange    = "PercentChangeInCapacity"
)

// PolicySettings are what a scaling policy is made of.
type PolicySettings struct {
	PolicyType                  string
	AdjustmentType              string
	MinAdjustmentMagnitude      *int
	ScalingAdjustment           *int
	Cooldown                    *int // seconds
	MetricAggregationType       string
	StepAdjustments             []StepAdjustment
	EstimatedInstanceWarmup     *int // seconds
	TargetTrackingConfiguration *TargetTrackingConfiguration
	Enabled                     *bool
}

// StepAdjustment is what to do for a range of breaches of the alarm's threshold.
type StepAdjustment struct {
	MetricIntervalLowerBound *float64
	MetricIntervalUpperBound *float64
	ScalingAdjustment        *int `aws:",required"`
}

// TargetTrackingConfiguration is a metric and the value to keep it at.
type TargetTrackingConfiguration struct {
	PredefinedMetricSpecification *PredefinedMetricSpecification
	CustomizedMetricSpecification *CustomizedMetricSpecification
	TargetValue                   *float64 `aws:",required"`
	DisableScaleIn                *bool
}

// PredefinedMetricSpecification names one of Auto Scaling's metrics.
type PredefinedMetricSpecification struct {
	PredefinedMetricType string `aws:",required"`
	ResourceLabel        string
}

// CustomizedMetricSpecification names a metric of CloudWatch.
type CustomizedMetricSpecification struct {
	MetricName string
	Namespace  string
	Dimensions []MetricDimension
	Statistic  string
	Unit       string
}

// MetricDimension is a dimension of a metric.
type MetricDimension struct{ Name, Value string }

// ScalingPolicy is a policy as DescribePolicies shows it.
type ScalingPolicy struct {
	AutoScalingGroupName string
	PolicyName           string
	PolicyARN            string
	PolicySettings
	Alarms []PolicyAlarm
}

// PolicyAlarm is an alarm that Auto Scaling made for a policy. There are none.
type PolicyAlarm struct{ AlarmName, AlarmARN string }

type scalingPolicy struct{ ScalingPolicy }

// PutScalingPolicyInput makes or changes a policy.
type PutScalingPolicyInput struct {
	AutoScalingGroupName string `aws:",required"`
	PolicyName           string `aws:",required"`
	PolicySettings
}

// PutScalingPolicyOutput names the policy.
type PutScalingPolicyOutput struct {
	PolicyARN string
	Alarms    []PolicyAlarm
}

// PutScalingPolicy answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutScalingPolicy.html
func (s *Service) PutScalingPolicy(_ context.Context, in *PutScalingPolicyInput) (*PutScalingPolicyOutput, error) {
	settings := in.PolicySettings
	if err := settings.complete(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	p := g.policy(in.PolicyName)
	if p == nil {
		p = &scalingPolicy{ScalingPolicy{AutoScalingGroupName: g.name, PolicyName: in.PolicyName, PolicyARN: s.policyARNLocked(g.name, in.PolicyName), Alarms: []PolicyAlarm{}}}
		g.scaling = append(g.scaling, p)
	}
	p.PolicySettings = settings
	return &PutScalingPolicyOutput{PolicyARN: p.PolicyARN, Alarms: []PolicyAlarm{}}, nil
}

func (s *Service) policyARNLocked(group, policy string) string {
	return fmt.Sprintf("arn:aws:autoscaling:%s:%s:scalingPolicy:%s:autoScalingGroupName/%s:policyName/%s", s.Region, s.Account, s.newIDLocked("policy"), group, policy)
}

// complete sets defaults and lists every fault.
func (p *PolicySettings) complete() error {
	if p.PolicyType == "" {
		p.PolicyType = simpleScaling
	}
	if p.Enabled == nil {
		p.Enabled = new(true)
	}
	var faults []error
	switch p.PolicyType {
	case simpleScaling:
		if p.ScalingAdjustment == nil || len(p.StepAdjustments) > 0 || p.TargetTrackingConfiguration != nil {
			faults = append(faults, invalid("A SimpleScaling policy needs ScalingAdjustment, and neither StepAdjustments nor TargetTrackingConfiguration"))
		}
	case stepScaling:
		if len(p.StepAdjustments) == 0 || p.ScalingAdjustment != nil || p.TargetTrackingConfiguration != nil || p.Cooldown != nil {
			faults = append(faults, invalid("A StepScaling policy needs StepAdjustments, and neither ScalingAdjustment, Cooldown nor TargetTrackingConfiguration"))
		}
		if p.MetricAggregationType == "" {
			p.MetricAggregationType = "Average"
		}
	case targetTracking:
		if p.TargetTrackingConfiguration == nil || p.ScalingAdjustment != nil || len(p.StepAdjustments) > 0 || p.AdjustmentType != "" {
			faults = append(faults, invalid("A TargetTrackingScaling policy needs TargetTrackingConfiguration, and neither AdjustmentType, ScalingAdjustment nor StepAdjustments"))
		}
		return joined(faults)
	default:
		faults = append(faults, invalid("PolicyType '%s' must be %s, %s or %s", p.PolicyType, simpleScaling, stepScaling, targetTracking))
	}
	if !slices.Contains([]string{changeInCapacity, exactCapacity, percentChange}, p.AdjustmentType) {
		faults = append(faults, invalid("AdjustmentType '%s' must be %s, %s or %s", p.AdjustmentType, changeInCapacity, exactCapacity, percentChange))
	}
	if p.MinAdjustmentMagnitude != nil && p.AdjustmentType != percentChange {
		faults = append(faults, invalid("MinAdjustmentMagnitude is only for the adjustment type %s", percentChange))
	}
	return joined(faults)
}

func (g *group) policy(nameOrARN string) *scalingPolicy {
	for _, p := range g.scaling {
		if p.PolicyName == nameOrARN || p.PolicyARN == nameOrARN {
			return p
		}
	}
	return nil
}

// DescribePoliciesInput narrows the policies of one group or all.
type DescribePoliciesInput struct {
	AutoScalingGroupName string
	PolicyNames          []string // names or ARNs
	PolicyTypes          []string
	Page
}

// DescribePoliciesOutput lists policies.
type DescribePoliciesOutput struct {
	ScalingPolicies []ScalingPolicy
	NextToken       string
}

// DescribePolicies answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribePolicies.html
func (s *Service) DescribePolicies(_ context.Context, in *DescribePoliciesInput) (*DescribePoliciesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := s.groups
	if in.AutoScalingGroupName != "" {
		g, err := s.groupLocked(in.AutoScalingGroupName)
		if err != nil {
			return nil, err
		}
		groups = []*group{g}
	}
	var all []ScalingPolicy
	for _, g := range groups {
		for _, p := range g.scaling {
			named := len(in.PolicyNames) == 0 || slices.Contains(in.PolicyNames, p.PolicyName) || slices.Contains(in.PolicyNames, p.PolicyARN)
			if named && (len(in.PolicyTypes) == 0 || slices.Contains(in.PolicyTypes, p.PolicyType)) {
				all = append(all, p.ScalingPolicy)
			}
		}
	}
	items, next, err := cut(all, in.Page, 50, 100)
	if err != nil {
		return nil, err
	}
	return &DescribePoliciesOutput{ScalingPolicies: items, NextToken: next}, nil
}

// PolicyInput names a policy by its ARN, or by its name and group.
type PolicyInput struct {
	AutoScalingGroupName string
	PolicyName           string `aws:",required"`
}

// DeletePolicy answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeletePolicy.html
func (s *Service) DeletePolicy(_ context.Context, in *PolicyInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, p, err := s.policyLocked(in.AutoScalingGroupName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	g.scaling = slices.DeleteFunc(g.scaling, func(have *scalingPolicy) bool { return have == p })
	return &Empty{}, nil
}

func (s *Service) policyLocked(groupName, nameOrARN string) (*group, *scalingPolicy, error) {
	if groupName != "" {
		g, err := s.groupLocked(groupName)
		if err != nil {
			return nil, nil, err
		}
		if p := g.policy(nameOrARN); p != nil {
			return g, p, nil
		}
	} else if strings.HasPrefix(nameOrARN, "arn:") {
		for _, g := range s.groups {
			if p := g.policy(nameOrARN); p != nil {
				return g, p, nil
			}
		}
	} else {
		return nil, nil, invalid("AutoScalingGroupName is required where the policy is given by its name")
	}
	return nil, nil, invalid("PolicyName or AutoScalingGroup name not found - No policy found for %s", nameOrARN)
}

// ExecutePolicyInput carries a policy out.
type ExecutePolicyInput struct {
	AutoScalingGroupName string
	PolicyName           string `aws:",required"`
	HonorCooldown        *bool
	MetricValue          *float64
	BreachThreshold      *float64
}

// ExecutePolicy answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_ExecutePolicy.html
func (s *Service) ExecutePolicy(_ context.Context, in *ExecutePolicyInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, p, err := s.policyLocked(in.AutoScalingGroupName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	breach := 0.0
	switch {
	case p.PolicyType == targetTracking:
		return nil, invalid("Policies of type %s cannot be executed", targetTracking)
	case p.PolicyType == stepScaling && (in.MetricValue == nil || in.BreachThreshold == nil):
		return nil, invalid("MetricValue and BreachThreshold are required for policies of type %s", stepScaling)
	case p.PolicyType == stepScaling:
		breach = *in.MetricValue - *in.BreachThreshold
	case in.HonorCooldown != nil && *in.HonorCooldown:
		if err := s.cooledLocked(g); err != nil {
			return nil, err
		}
	}
	s.adjustLocked(g, p, breach, fmt.Sprintf("a user request executed policy %s", p.PolicyName))
	return &Empty{}, nil
}

// ExecuteAlarm carries a policy out for an alarm that is in ALARM. breach is by
// how much the metric passes the threshold (metric minus threshold), which step
// policies go by. It honours cooldowns, warm-ups and suspended processes, so
// CloudWatch repeats it every minute for as long as the alarm lasts, as AWS's does.
func (s *Service) ExecuteAlarm(policyARN, alarmName string, breach float64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, p, err := s.policyLocked("", policyARN)
	if err != nil {
		return err
	}
	if g.suspended[processAlarm] || g.deleting || p.Enabled != nil && !*p.Enabled || p.PolicyType == targetTracking {
		return nil
	}
	if p.PolicyType == simpleScaling && s.cooledLocked(g) != nil {
		return nil
	}
	s.adjustLocked(g, p, breach, fmt.Sprintf("a monitor alarm %s in state ALARM triggered policy %s", alarmName, p.PolicyName))
	return nil
}

// adjustLocked changes the capacity as a policy says.
func (s *Service) adjustLocked(g *group, p *scalingPolicy, breach float64, who string) {
	adjustment, from := 0, g.desired
	if p.PolicyType == stepScaling {
		step, found := p.step(breach)
		if !found {
			return
		}
		adjustment, from = step, g.desired-s.warmingLocked(g, p)
	} else {
		adjustment = *p.ScalingAdjustment
	}
	wanted := min(max(p.adjusted(from, adjustment), g.min), g.max)
	if p.PolicyType == stepScaling && from < g.desired && wanted <= g.desired {
		return // what warms up is enough, and nothing is taken out meanwhile
	}
	if wanted == g.desired {
		return
	}
	g.causes = append(g.causes, s.at("%s changing the desired capacity from %d to %d.", who, g.desired, wanted))
	g.desired = wanted
	if p.PolicyType == simpleScaling {
		wait := g.cooldown
		if p.Cooldown != nil {
			wait = *p.Cooldown
		}
		g.coolUntil, g.coolCauser = s.clock.Now().Add(time.Duration(wait)*time.Second), p.PolicyName
	}
	s.wakeLocked(g)
}

// step finds the adjustment for a breach of an alarm's threshold.
func (p *scalingPolicy) step(breach float64) (adjustment int, found bool) {
	for _, a := range p.StepAdjustments {
		above := a.MetricIntervalLowerBound == nil || breach >= *a.MetricIntervalLowerBound
		below := a.MetricIntervalUpperBound == nil || breach < *a.MetricIntervalUpperBound
		if a.MetricIntervalLowerBound == nil && a.MetricIntervalUpperBound != nil { // a range below the threshold holds its upper bound
			below = breach <= *a.MetricIntervalUpperBound
		}
		if above && below {
			return *a.ScalingAdjustment, true
		}
	}
	return 0, false
}

// adjusted is a capacity after an adjustment.
func (p *scalingPolicy) adjusted(from, adjustment int) int {
	switch p.AdjustmentType {
	case exactCapacity:
		return adjustment
	case percentChange:
		return from + p.percent(from, adjustment)
	}
	return from + adjustment
}

// percent rounds as AWS does: above 1 and below -1 towards 0, between 0 and 1 to
// 1, between -1 and 0 to -1.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html
func (p *scalingPolicy) percent(from, adjustment int) int {
	exact := float64(from) * float64(adjustment) / 100
	change := int(math.Trunc(exact))
	if change == 0 && exact != 0 {
		change = int(math.Copysign(1, exact))
	}
	if p.MinAdjustmentMagnitude != nil && change != 0 {
		least := *p.MinAdjustmentMagnitude
		if change > 0 {
			return max(change, least)
		}
		return min(change, -least)
	}
	return change
}

// warmingLocked is the capacity that has been launched but does not count yet.
func (s *Service) warmingLocked(g *group, p *scalingPolicy) int {
	warmup := g.cooldown
	if g.warmup != nil {
		warmup = *g.warmup
	}
	if p.EstimatedInstanceWarmup != nil {
		warmup = *p.EstimatedInstanceWarmup
	}
	n := max(g.desired-g.units(), 0)
	for _, m := range g.members {
		if !m.leavingGroup() && (m.state != inService || s.clock.Now().Before(m.served.Add(time.Duration(warmup)*time.Second))) {
			n += m.option.weight
		}
	}
	return n
}
