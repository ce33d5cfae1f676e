package codedeploy

import (
	"context"
	"slices"
	"time"

	"cutover/pkg/localaws/wire"
)

// More statuses of instances and of lifecycle events.
const (
	pending = "Pending"
	skipped = "Skipped"
	unknown = "Unknown"
)

// A target is one instance of a deployment.
type target struct {
	InstanceTarget
	registered   bool // with the target groups, by this deployment
	deregistered bool // from them, by this deployment
}

// InstanceTarget describes one instance of a deployment.
type InstanceTarget struct {
	DeploymentId    string
	TargetId        string
	TargetArn       string
	Status          string
	LastUpdatedAt   time.Time
	LifecycleEvents []LifecycleEvent
	InstanceLabel   string // Blue or Green, in blue/green deployments
}

// LifecycleEvent is one event of an instance.
type LifecycleEvent struct {
	LifecycleEventName string
	Diagnostics        *Diagnostics
	StartTime          time.Time
	EndTime            time.Time
	Status             string
}

// Diagnostics says how a script of an event ended.
type Diagnostics struct {
	ErrorCode  string // Success, ScriptMissing, ScriptNotExecutable, ScriptTimedOut, ScriptFailed, UnknownError
	ScriptName string
	Message    string
	LogTail    string
}

// DeploymentTarget describes one target.
type DeploymentTarget struct {
	DeploymentTargetType string
	InstanceTarget       InstanceTarget
}

// InstanceSummary describes one instance in the older form.
type InstanceSummary struct {
	DeploymentId    string
	InstanceId      string // an ARN
	Status          string
	LastUpdatedAt   time.Time
	LifecycleEvents []LifecycleEvent
	InstanceType    string
}

// ListDeploymentTargetsInput filters a deployment's targets.
type ListDeploymentTargetsInput struct {
	DeploymentId  string
	NextToken     string
	TargetFilters map[string][]string // TargetStatus, ServerInstanceLabel
}

// ListDeploymentTargetsOutput lists ids.
type ListDeploymentTargetsOutput struct {
	TargetIds []string
	NextToken string
}

// BatchGetDeploymentTargetsInput names up to 25 targets.
type BatchGetDeploymentTargetsInput struct {
	DeploymentId string
	TargetIds    []string
}

// BatchGetDeploymentTargetsOutput describes them.
type BatchGetDeploymentTargetsOutput struct{ DeploymentTargets []DeploymentTarget }

// GetDeploymentTargetInput names a target.
type GetDeploymentTargetInput struct {
	DeploymentId string
	TargetId     string
}

// GetDeploymentTargetOutput describes it.
type GetDeploymentTargetOutput struct{ DeploymentTarget DeploymentTarget }

// ListDeploymentInstancesInput filters a deployment's instances.
type ListDeploymentInstancesInput struct {
	DeploymentId         string
	NextToken            string
	InstanceStatusFilter []string
	InstanceTypeFilter   []string
}

// ListDeploymentInstancesOutput lists ids.
type ListDeploymentInstancesOutput struct {
	InstancesList []string
	NextToken     string
}

// GetDeploymentInstanceInput names an instance.
type GetDeploymentInstanceInput struct {
	DeploymentId string
	InstanceId   string
}

// GetDeploymentInstanceOutput describes it.
type GetDeploymentInstanceOutput struct{ InstanceSummary InstanceSummary }

// ListDeploymentTargets answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListDeploymentTargets.html
func (s *Service) ListDeploymentTargets(_ context.Context, in *ListDeploymentTargetsInput) (*ListDeploymentTargetsOutput, error) {
	for name := range in.TargetFilters {
		if name != "TargetStatus" && name != "ServerInstanceLabel" {
			return nil, wire.Errorf("InvalidTargetFilterNameException", "The target filter %q is invalid", name)
		}
	}
	all, err := s.listTargets(in.DeploymentId, in.TargetFilters["TargetStatus"], in.TargetFilters["ServerInstanceLabel"])
	if err != nil {
		return nil, err
	}
	out := &ListDeploymentTargetsOutput{}
	out.TargetIds, out.NextToken, err = page(all, in.NextToken)
	return out, err
}

// ListDeploymentInstances answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListDeploymentInstances.html
func (s *Service) ListDeploymentInstances(_ context.Context, in *ListDeploymentInstancesInput) (*ListDeploymentInstancesOutput, error) {
	all, err := s.listTargets(in.DeploymentId, in.InstanceStatusFilter, in.InstanceTypeFilter)
	if err != nil {
		return nil, err
	}
	out := &ListDeploymentInstancesOutput{}
	out.InstancesList, out.NextToken, err = page(all, in.NextToken)
	return out, err
}

func (s *Service) listTargets(deploymentID string, statuses, labels []string) ([]string, error) {
	for _, status := range statuses {
		if !slices.Contains([]string{pending, inProgress, succeeded, failed, skipped, unknown, ready}, status) {
			return nil, wire.Errorf("InvalidInstanceStatusException", "The instance status %q is invalid", status)
		}
	}
	for _, label := range labels {
		if label != "Blue" && label != "Green" {
			return nil, wire.Errorf("InvalidInstanceTypeException", "The instance type %q is neither Blue nor Green", label)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.deploymentLocked(deploymentID)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, t := range d.targets {
		if (len(statuses) == 0 || slices.Contains(statuses, t.Status)) && (len(labels) == 0 || slices.Contains(labels, t.InstanceLabel)) {
			all = append(all, t.TargetId)
		}
	}
	return all, nil
}

// BatchGetDeploymentTargets answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BatchGetDeploymentTargets.html
func (s *Service) BatchGetDeploymentTargets(_ context.Context, in *BatchGetDeploymentTargetsInput) (*BatchGetDeploymentTargetsOutput, error) {
	switch {
	case len(in.TargetIds) == 0:
		return nil, wire.Errorf("DeploymentTargetIdRequiredException", "A deployment target ID is required")
	case len(in.TargetIds) > 25:
		return nil, wire.Errorf("DeploymentTargetListSizeExceededException", "At most 25 targets can be named")
	}
	out := &BatchGetDeploymentTargetsOutput{}
	for _, id := range in.TargetIds {
		t, err := s.instanceTarget(in.DeploymentId, id)
		if err != nil {
			return nil, err
		}
		out.DeploymentTargets = append(out.DeploymentTargets, DeploymentTarget{"InstanceTarget", t})
	}
	return out, nil
}

// GetDeploymentTarget answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentTarget.html
func (s *Service) GetDeploymentTarget(_ context.Context, in *GetDeploymentTargetInput) (*GetDeploymentTargetOutput, error) {
	if in.TargetId == "" {
		return nil, wire.Errorf("DeploymentTargetIdRequiredException", "A deployment target ID is required")
	}
	t, err := s.instanceTarget(in.DeploymentId, in.TargetId)
	if err != nil {
		return nil, err
	}
	return &GetDeploymentTargetOutput{DeploymentTarget: DeploymentTarget{"InstanceTarget", t}}, nil
}

func (s *Service) instanceTarget(deploymentID, id string) (InstanceTarget, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.deploymentLocked(deploymentID)
	if err != nil {
		return InstanceTarget{}, err
	}
	t := d.target(id)
	if t == nil {
		return InstanceTarget{}, wire.Errorf("DeploymentTargetDoesNotExistException", "The deployment %s has no target %s", deploymentID, id)
	}
	return t.copied(), nil
}

// GetDeploymentInstance answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentInstance.html
func (s *Service) GetDeploymentInstance(_ context.Context, in *GetDeploymentInstanceInput) (*GetDeploymentInstanceOutput, error) {
	if in.InstanceId == "" {
		return nil, wire.Errorf("InstanceIdRequiredException", "An instance ID is required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.deploymentLocked(in.DeploymentId)
	if err != nil {
		return nil, err
	}
	found := d.target(in.InstanceId)
	if found == nil {
		return nil, wire.Errorf("InstanceDoesNotExistException", "The deployment %s has no instance %s", in.DeploymentId, in.InstanceId)
	}
	t := found.copied()
	return &GetDeploymentInstanceOutput{InstanceSummary: InstanceSummary{
		DeploymentId: t.DeploymentId, InstanceId: t.TargetArn, Status: t.Status, LastUpdatedAt: t.LastUpdatedAt,
		LifecycleEvents: t.LifecycleEvents, InstanceType: t.InstanceLabel,
	}}, nil
}

func (d *deployment) target(id string) *target {
	for _, t := range d.targets {
		if t.TargetId == id || t.TargetArn == id {
			return t
		}
	}
	return nil
}

func (t *target) copied() InstanceTarget {
	shown := t.InstanceTarget
	shown.LifecycleEvents = slices.Clone(shown.LifecycleEvents)
	return shown
}

// addLocked makes an instance a target, with its events to come.
func (r *run) addLocked(id, label string, events []string) *target {
	t := &target{InstanceTarget: InstanceTarget{
		DeploymentId: r.d.id, TargetId: id, TargetArn: "arn:aws:ec2:" + r.Region + ":" + r.Account + ":instance/" + id,
		Status: pending, LastUpdatedAt: r.Clock.Now(), InstanceLabel: label,
	}}
	for _, name := range events {
		t.LifecycleEvents = append(t.LifecycleEvents, LifecycleEvent{LifecycleEventName: name, Status: pending})
	}
	r.d.targets = append(r.d.targets, t)
	return t
}

// labelled lists the targets with a label, "" for all, that have not failed.
func (r *run) labelled(label string) []*target {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*target
	for _, t := range r.d.targets {
		if (label == "" || t.InstanceLabel == label) && t.Status != failed && t.Status != skipped {
			all = append(all, t)
		}
	}
	return all
}
