package cloudformation

import (
	"context"
	"encoding/json"
	"slices"

	"cutover/pkg/localaws/wire"
)

// DescribeStacksInput names a stack; none means all that are not deleted.
type DescribeStacksInput struct{ StackName string }

// DescribeStacksOutput holds the stacks, newest first.
type DescribeStacksOutput struct{ Stacks []StackDescription }

// DescribeStacks describes stacks. A deleted one is found by its id.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func (s *Service) DescribeStacks(_ context.Context, in *DescribeStacksInput) (*DescribeStacksOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &DescribeStacksOutput{Stacks: []StackDescription{}}
	if in.StackName != "" {
		st, err := s.existing(in.StackName)
		if err != nil {
			return nil, err
		}
		out.Stacks = append(out.Stacks, st.describe())
		return out, nil
	}
	for _, st := range slices.Backward(s.stacks) {
		if st.status != "DELETE_COMPLETE" {
			out.Stacks = append(out.Stacks, st.describe())
		}
	}
	return out, nil
}

func (st *stack) describe() StackDescription {
	d := StackDescription{
		StackId: st.id, StackName: st.name, ChangeSetId: st.changeSetID,
		CreationTime: st.created, LastUpdatedTime: st.updated, DeletionTime: st.deleted,
		StackStatus: st.status, StackStatusReason: st.reason, DisableRollback: st.disableRollback,
		Outputs: slices.Clone(st.outputs), DriftInformation: notChecked(),
	}
	if st.plan != nil {
		d.Description = st.plan.template.Description
		d.Capabilities, d.Tags = st.plan.capabilities, st.plan.tags
		d.Parameters = st.plan.shown()
	}
	return d
}

func notChecked() DriftInformation { return DriftInformation{StackDriftStatus: "NOT_CHECKED"} }

func resourceNotChecked() ResourceDriftInformation {
	return ResourceDriftInformation{StackResourceDriftStatus: "NOT_CHECKED"}
}

// shown are the parameters as a stack shows them.
func (p *plan) shown() []ShownParameter {
	var list []ShownParameter
	for _, parameter := range p.template.Parameters {
		v := p.scope.Parameters[parameter.Name]
		shown := ShownParameter{ParameterKey: parameter.Name, ParameterValue: &v.Given, ResolvedValue: v.Resolved}
		if parameter.NoEcho {
			masked := "****"
			shown.ParameterValue, shown.ResolvedValue = &masked, ""
		}
		list = append(list, shown)
	}
	return list
}

// ListStacksInput selects stacks by status; none means all, deleted ones too.
type ListStacksInput struct{ StackStatusFilter []string }

// ListStacksOutput holds the stacks, newest first.
type ListStacksOutput struct{ StackSummaries []StackSummary }

// ListStacks lists stacks.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html
func (s *Service) ListStacks(_ context.Context, in *ListStacksInput) (*ListStacksOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &ListStacksOutput{StackSummaries: []StackSummary{}}
	for _, st := range slices.Backward(s.stacks) {
		if len(in.StackStatusFilter) > 0 && !slices.Contains(in.StackStatusFilter, st.status) {
			continue
		}
		d := st.describe()
		out.StackSummaries = append(out.StackSummaries, StackSummary{
			StackId: d.StackId, StackName: d.StackName, TemplateDescription: d.Description,
			CreationTime: d.CreationTime, LastUpdatedTime: d.LastUpdatedTime, DeletionTime: d.DeletionTime,
			StackStatus: d.StackStatus, StackStatusReason: d.StackStatusReason, DriftInformation: d.DriftInformation,
		})
	}
	return out, nil
}

// DescribeStackEventsInput names a stack.
type DescribeStackEventsInput struct {
	StackName string `aws:",required"`
}

// DescribeStackEventsOutput holds its events, newest first.
type DescribeStackEventsOutput struct{ StackEvents []StackEvent }

// DescribeStackEvents tells what happened to a stack.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
func (s *Service) DescribeStackEvents(_ context.Context, in *DescribeStackEventsInput) (*DescribeStackEventsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.StackName)
	if st == nil {
		return nil, invalid("Stack [%s] does not exist", in.StackName)
	}
	events := slices.Clone(st.events)
	slices.Reverse(events)
	return &DescribeStackEventsOutput{StackEvents: events}, nil
}

// DescribeStackResourceInput names a stack and one of its resources.
type DescribeStackResourceInput struct {
	StackName         string `aws:",required"`
	LogicalResourceId string `aws:",required"`
}

// DescribeStackResourceOutput holds the resource.
type DescribeStackResourceOutput struct{ StackResourceDetail StackResourceDetail }

// DescribeStackResource describes a resource.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html
func (s *Service) DescribeStackResource(_ context.Context, in *DescribeStackResourceInput) (*DescribeStackResourceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.StackName)
	if st == nil {
		return nil, invalid("Stack '%s' does not exist", in.StackName)
	}
	r := st.records[in.LogicalResourceId]
	if r == nil {
		return nil, invalid("Resource %s does not exist for stack %s", in.LogicalResourceId, st.name)
	}
	metadata := ""
	if r.metadata != nil {
		text, err := json.Marshal(r.metadata)
		if err != nil {
			return nil, wire.Errorf("InternalFailure", "encode metadata of %s: %v", r.logicalID, err)
		}
		metadata = string(text)
	}
	return &DescribeStackResourceOutput{StackResourceDetail{
		StackName: st.name, StackId: st.id, LogicalResourceId: r.logicalID, PhysicalResourceId: r.physicalID,
		ResourceType: r.kind, LastUpdatedTimestamp: r.changed, ResourceStatus: r.status,
		ResourceStatusReason: r.reason, Metadata: metadata, DriftInformation: resourceNotChecked(),
	}}, nil
}

// DescribeStackResourcesInput names a stack, or a resource by its physical id.
type DescribeStackResourcesInput struct {
	StackName          string
	LogicalResourceId  string
	PhysicalResourceId string
}

// DescribeStackResourcesOutput holds the resources by name.
type DescribeStackResourcesOutput struct{ StackResources []StackResource }

// DescribeStackResources describes the resources of a stack, or those of the
// stack that a physical resource belongs to.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html
func (s *Service) DescribeStackResources(_ context.Context, in *DescribeStackResourcesInput) (*DescribeStackResourcesOutput, error) {
	if (in.StackName == "") == (in.PhysicalResourceId == "") {
		return nil, invalid("You must specify either StackName or PhysicalResourceId, but not both")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.StackName)
	if in.PhysicalResourceId != "" {
		st = s.owner(in.PhysicalResourceId)
	}
	if st == nil {
		return nil, invalid("Stack for %s does not exist", in.StackName+in.PhysicalResourceId)
	}
	out := &DescribeStackResourcesOutput{StackResources: []StackResource{}}
	for _, r := range st.listed() {
		if in.LogicalResourceId != "" && in.LogicalResourceId != r.logicalID {
			continue
		}
		out.StackResources = append(out.StackResources, StackResource{
			StackName: st.name, StackId: st.id, LogicalResourceId: r.logicalID, PhysicalResourceId: r.physicalID,
			ResourceType: r.kind, Timestamp: r.changed, ResourceStatus: r.status,
			ResourceStatusReason: r.reason, DriftInformation: resourceNotChecked(),
		})
	}
	return out, nil
}

// owner finds the stack that a physical resource belongs to.
func (s *Service) owner(physicalID string) *stack {
	for _, st := range s.stacks {
		for _, r := range st.live() {
			if r.physicalID == physicalID {
				return st
			}
		}
	}
	return nil
}

// ListStackResourcesInput names a stack.
type ListStackResourcesInput struct {
	StackName string `aws:",required"`
}

// ListStackResourcesOutput holds its resources by name.
type ListStackResourcesOutput struct{ StackResourceSummaries []StackResourceSummary }

// ListStackResources lists the resources of a stack.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html
func (s *Service) ListStackResources(_ context.Context, in *ListStackResourcesInput) (*ListStackResourcesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.existing(in.StackName)
	if err != nil {
		return nil, err
	}
	out := &ListStackResourcesOutput{StackResourceSummaries: []StackResourceSummary{}}
	for _, r := range st.listed() {
		out.StackResourceSummaries = append(out.StackResourceSummaries, StackResourceSummary{
			LogicalResourceId: r.logicalID, PhysicalResourceId: r.physicalID, ResourceType: r.kind,
			LastUpdatedTimestamp: r.changed, ResourceStatus: r.status, ResourceStatusReason: r.reason,
			DriftInformation: resourceNotChecked(),
		})
	}
	return out, nil
}
