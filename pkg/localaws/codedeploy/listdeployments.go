package codedeploy

import (
	"context"
	"slices"
	"time"

	"cutover/pkg/localaws/wire"
)

// DeploymentInput names a deployment.
type DeploymentInput struct{ DeploymentId string }

// GetDeploymentOutput describes a deployment.
type GetDeploymentOutput struct{ DeploymentInfo DeploymentInfo }

// BatchGetDeploymentsInput names up to 25 deployments.
type BatchGetDeploymentsInput struct{ DeploymentIds []string }

// BatchGetDeploymentsOutput describes those that exist.
type BatchGetDeploymentsOutput struct{ DeploymentsInfo []DeploymentInfo }

// ListDeploymentsInput filters deployments.
type ListDeploymentsInput struct {
	ApplicationName     string
	DeploymentGroupName string
	IncludeOnlyStatuses []string
	CreateTimeRange     *TimeRange
	NextToken           string
}

// TimeRange is a span of time, open where an end is not given.
type TimeRange struct {
	Start time.Time
	End   time.Time
}

// ListDeploymentsOutput lists ids, the newest first.
type ListDeploymentsOutput struct {
	Deployments []string
	NextToken   string
}

// GetDeployment answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeployment.html
func (s *Service) GetDeployment(_ context.Context, in *DeploymentInput) (*GetDeploymentOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.deploymentLocked(in.DeploymentId)
	if err != nil {
		return nil, err
	}
	return &GetDeploymentOutput{DeploymentInfo: d.description()}, nil
}

// BatchGetDeployments answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BatchGetDeployments.html
func (s *Service) BatchGetDeployments(_ context.Context, in *BatchGetDeploymentsInput) (*BatchGetDeploymentsOutput, error) {
	switch {
	case len(in.DeploymentIds) == 0:
		return nil, wire.Errorf("DeploymentIdRequiredException", "Deployment ID is required")
	case len(in.DeploymentIds) > 25:
		return nil, wire.Errorf("BatchLimitExceededException", "At most 25 deployments can be named")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &BatchGetDeploymentsOutput{DeploymentsInfo: []DeploymentInfo{}}
	for _, id := range in.DeploymentIds {
		if d := s.findLocked(id); d != nil {
			out.DeploymentsInfo = append(out.DeploymentsInfo, d.description())
		}
	}
	return out, nil
}

// ListDeployments answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListDeployments.html
func (s *Service) ListDeployments(_ context.Context, in *ListDeploymentsInput) (*ListDeploymentsOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.ApplicationName != "" {
		if _, err := s.groupLocked(in.ApplicationName, in.DeploymentGroupName); err != nil {
			return nil, err
		}
	}
	var all []string
	for _, d := range slices.Backward(s.deployments) {
		if in.matches(d) {
			all = append(all, d.id)
		}
	}
	var err error
	out := &ListDeploymentsOutput{}
	out.Deployments, out.NextToken, err = page(all, in.NextToken)
	return out, err
}

func (in *ListDeploymentsInput) check() error {
	if in.ApplicationName == "" && in.DeploymentGroupName != "" {
		return wire.Errorf("ApplicationNameRequiredException", "Application name is required")
	}
	statuses := []string{created, "Queued", inProgress, "Baking", succeeded, failed, stopped, ready}
	for _, status := range in.IncludeOnlyStatuses {
		if !slices.Contains(statuses, status) {
			return wire.Errorf("InvalidDeploymentStatusException", "The deployment status %q is invalid", status)
		}
	}
	if r := in.CreateTimeRange; r != nil && !r.End.IsZero() && r.End.Before(r.Start) {
		return wire.Errorf("InvalidTimeRangeException", "The time range ends before it starts")
	}
	return nil
}

func (in *ListDeploymentsInput) matches(d *deployment) bool {
	if in.ApplicationName != "" && (d.info.ApplicationName != in.ApplicationName || d.info.DeploymentGroupName != in.DeploymentGroupName) {
		return false
	}
	if r := in.CreateTimeRange; r != nil {
		if d.info.CreateTime.Before(r.Start) || !r.End.IsZero() && d.info.CreateTime.After(r.End) {
			return false
		}
	}
	return len(in.IncludeOnlyStatuses) == 0 || slices.Contains(in.IncludeOnlyStatuses, d.info.Status)
}
