package ec2

import (
	"context"
	"slices"
)

// DescribeInstanceStatusInput asks how running instances are; all on demand.
type DescribeInstanceStatusInput struct {
	InstanceIds         []string `aws:"InstanceId"`
	Filters             []Filter `aws:"Filter"`
	IncludeAllInstances *bool
	Page
}

// DescribeInstanceStatusOutput lists how they are.
type DescribeInstanceStatusOutput struct {
	InstanceStatusSet []InstanceStatus
	NextToken         string
}

// InstanceStatus are the two checks of an instance.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-system-instance-status-check.html
type InstanceStatus struct {
	InstanceId       string
	AvailabilityZone string
	InstanceState    InstanceState
	SystemStatus     StatusSummary
	InstanceStatus   StatusSummary
}

// StatusSummary is one of them: ok, initializing, impaired, not-applicable.
type StatusSummary struct {
	Status  string
	Details []StatusDetail
}

// StatusDetail is what it is about.
type StatusDetail struct {
	Name   string
	Status string // passed, initializing, failed
}

func summary(status string) StatusSummary {
	detail, ok := map[string]string{"ok": "passed", "initializing": "initializing", "impaired": "failed"}[status]
	if !ok {
		return StatusSummary{Status: status}
	}
	return StatusSummary{Status: status, Details: []StatusDetail{{Name: "reachability", Status: detail}}}
}

// systemStatus is of what the instance runs on, which never fails.
func (i *instance) systemStatus() string {
	switch {
	case i.state != running:
		return "not-applicable"
	case !i.checked:
		return "initializing"
	}
	return "ok"
}

// instanceStatus is of the instance itself: it must have come up.
func (i *instance) instanceStatus() string {
	switch {
	case i.state != running:
		return "not-applicable"
	case !i.checked || i.boot == "":
		return "initializing"
	case i.boot == "failed":
		return "impaired"
	}
	return "ok"
}

var statusFilters = tagged[*instance]{filters: filters[*instance]{
	"availability-zone":            instanceFilters.filters["availability-zone"],
	"instance-state-name":          instanceFilters.filters["instance-state-name"],
	"instance-state-code":          instanceFilters.filters["instance-state-code"],
	"instance-status.status":       func(i *instance) []string { return []string{i.instanceStatus()} },
	"system-status.status":         func(i *instance) []string { return []string{i.systemStatus()} },
	"instance-status.reachability": func(i *instance) []string { return reachability(i.instanceStatus()) },
	"system-status.reachability":   func(i *instance) []string { return reachability(i.systemStatus()) },
}}

func reachability(status string) []string {
	var all []string
	for _, d := range summary(status).Details {
		all = append(all, d.Status)
	}
	return all
}

// DescribeInstanceStatus answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html
func (s *Service) DescribeInstanceStatus(_ context.Context, in *DescribeInstanceStatusInput) (*DescribeInstanceStatusOutput, error) {
	if err := statusFilters.check(in.Filters); err != nil {
		return nil, err
	}
	if err := unpaged(in.Page, "instancesSet", in.InstanceIds); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.chosenLocked(in.InstanceIds)
	if err != nil {
		return nil, err
	}
	every := in.IncludeAllInstances != nil && *in.IncludeAllInstances
	all = slices.DeleteFunc(all, func(i *instance) bool { return !every && i.state != running || !statusFilters.keeps(in.Filters, i) })
	found, next, err := cut(in.Page, limits{5, 1000}, all, func(i *instance) int { return i.place })
	out := &DescribeInstanceStatusOutput{InstanceStatusSet: []InstanceStatus{}, NextToken: next}
	for _, i := range found {
		out.InstanceStatusSet = append(out.InstanceStatusSet, InstanceStatus{
			InstanceId: i.id, AvailabilityZone: i.subnet.AvailabilityZone, InstanceState: stateOf(i.state),
			SystemStatus: summary(i.systemStatus()), InstanceStatus: summary(i.instanceStatus()),
		})
	}
	return out, err
}
