package codedeploy

import (
	"context"

	"cutover/pkg/localaws/wire"
)

// StopDeploymentInput is the input of StopDeployment.
type StopDeploymentInput struct {
	DeploymentId        string
	AutoRollbackEnabled *bool // nil means as the deployment group has it
}

// StopDeploymentOutput says whether it is stopped.
type StopDeploymentOutput struct {
	Status        string // Pending or Succeeded
	StatusMessage string
}

// ContinueDeploymentInput is the input of ContinueDeployment.
type ContinueDeploymentInput struct {
	DeploymentId       string
	DeploymentWaitType string // READY_WAIT (the default) or TERMINATION_WAIT
}

// StopDeployment stops a deployment, and rolls it back if that is wanted.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_StopDeployment.html
func (s *Service) StopDeployment(_ context.Context, in *StopDeploymentInput) (*StopDeploymentOutput, error) {
	s.mu.Lock()
	d, err := s.deploymentLocked(in.DeploymentId)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	final, committed := d.final(), d.committed
	s.mu.Unlock()
	switch {
	case final:
		return nil, alreadyCompleted(d.id)
	case committed:
		return &StopDeploymentOutput{Status: "Pending", StatusMessage: "The original instances are being terminated; the deployment cannot be stopped any more"}, nil
	}
	rollback := d.settings.AutoRollbackConfiguration.on(onRequest)
	if in.AutoRollbackEnabled != nil {
		rollback = *in.AutoRollbackEnabled
	}
	d.run.stop("MANUAL_STOP", "The deployment was stopped on request", rollback)
	return &StopDeploymentOutput{Status: "Succeeded", StatusMessage: "No more commands will be scheduled for execution in the deployment instances"}, nil
}

// ContinueDeployment ends a wait of a blue/green deployment.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ContinueDeployment.html
func (s *Service) ContinueDeployment(_ context.Context, in *ContinueDeploymentInput) (*Empty, error) {
	kind := def(in.DeploymentWaitType, "READY_WAIT")
	if kind != "READY_WAIT" && kind != "TERMINATION_WAIT" {
		return nil, wire.Errorf("InvalidDeploymentWaitTypeException", "The deployment wait type %q is neither READY_WAIT nor TERMINATION_WAIT", kind)
	}
	s.mu.Lock()
	d, err := s.deploymentLocked(in.DeploymentId)
	if err == nil {
		err = d.continuable(kind)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if !d.run.resume(kind) {
		return nil, wire.Errorf("DeploymentIsNotInReadyStateException", "The deployment %s is not in a wait of type %s", d.id, kind)
	}
	s.Clock.Go(d.run.next)
	return &Empty{}, nil
}

func (d *deployment) continuable(kind string) error {
	switch {
	case !d.settings.blueGreen():
		return wire.Errorf("UnsupportedActionForDeploymentTypeException", "Only blue/green deployments can be continued")
	case d.final():
		return alreadyCompleted(d.id)
	case d.info.Status == created:
		return wire.Errorf("DeploymentNotStartedException", "The deployment %s has not started", d.id)
	case kind == "READY_WAIT" && d.info.Status != ready:
		return wire.Errorf("DeploymentIsNotInReadyStateException", "The deployment %s is not in a ready state", d.id)
	}
	return nil
}

func alreadyCompleted(id string) error {
	return wire.Errorf("DeploymentAlreadyCompletedException", "The deployment %s is already completed", id)
}
