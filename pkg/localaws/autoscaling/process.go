package autoscaling

import (
	"context"
	"slices"
)

// Processes that can be suspended.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html
const (
	processLaunch    = "Launch"
	processTerminate = "Terminate"
	processBalancer  = "AddToLoadBalancer"
	processAlarm     = "AlarmNotification"
	processHealth    = "HealthCheck"
	processReplace   = "ReplaceUnhealthy"
)

func processes() []string {
	return []string{processBalancer, processAlarm, "AZRebalance", processHealth, "InstanceRefresh", processLaunch, processReplace, "ScheduledActions", processTerminate}
}

// SuspendedProcess is a process that does not run.
type SuspendedProcess struct {
	ProcessName      string
	SuspensionReason string
}

func (g *group) describeSuspended() []SuspendedProcess {
	all := []SuspendedProcess{}
	for _, name := range processes() {
		if g.suspended[name] {
			all = append(all, SuspendedProcess{ProcessName: name, SuspensionReason: "User suspended at the request of the caller"})
		}
	}
	return all
}

// ProcessesInput names processes of a group; none means all.
type ProcessesInput struct {
	AutoScalingGroupName string `aws:",required"`
	ScalingProcesses     []string
}

// SuspendProcesses answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SuspendProcesses.html
func (s *Service) SuspendProcesses(_ context.Context, in *ProcessesInput) (*Empty, error) {
	return s.setProcesses(in, true)
}

// ResumeProcesses answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_ResumeProcesses.html
func (s *Service) ResumeProcesses(_ context.Context, in *ProcessesInput) (*Empty, error) {
	return s.setProcesses(in, false)
}

func (s *Service) setProcesses(in *ProcessesInput, suspended bool) (*Empty, error) {
	names := in.ScalingProcesses
	if len(names) == 0 {
		names = processes()
	}
	for _, name := range names {
		if !slices.Contains(processes(), name) {
			return nil, invalid("Scaling process '%s' is not valid: the processes are %v", name, processes())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if suspended {
			g.suspended[name] = true
		} else {
			delete(g.suspended, name)
		}
	}
	s.wakeLocked(g)
	return &Empty{}, nil
}
