package bluegreen

import (
	"fmt"
	"slices"
	"strings"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// A Side is one half of a pair as it is now.
type Side struct {
	Service     ecstypes.Service
	TargetGroup string            // ARN
	Tags        map[string]string // of the target group
	Health      Health            // of the target group's targets
}

// Name is the ECS service's name, by which people know the side.
func (s Side) Name() string { return str(s.Service.ServiceName) }

// Execution is the pipeline execution whose release the side holds, or "".
func (s Side) Execution() string { return s.Tags[TagExecution] }

// String names the side for messages.
func (s Side) String() string {
	return fmt.Sprintf("service %s (target group %s)", s.Name(), GroupName(s.TargetGroup))
}

// Primary is the service's newest deployment, if it has one.
func (s Side) Primary() (ecstypes.Deployment, bool) {
	for _, d := range s.Service.Deployments {
		if str(d.Status) == "PRIMARY" {
			return d, true
		}
	}
	return ecstypes.Deployment{}, false
}

// Unready says what keeps the side from carrying production with at least
// count tasks; nothing if it could. An empty side is not ready, however
// little is asked.
func (s Side) Unready(count int) []string {
	desired, running := int(s.Service.DesiredCount), int(s.Service.RunningCount)
	count = max(count, 1)
	why := s.Incomplete()
	if desired < count {
		why = append(why, fmt.Sprintf("service %s has a desired count of %d, needed are %d", s.Name(), desired, count))
	}
	if running != desired {
		why = append(why, fmt.Sprintf("service %s runs %d of its %d tasks", s.Name(), running, desired))
	}
	if need := max(desired, count); s.Health.Healthy < need {
		why = append(why, fmt.Sprintf("target group %s has %s, needed are %d", GroupName(s.TargetGroup), s.Health, need))
	}
	return why
}

// Incomplete says what the side's deployment lacks to be complete.
func (s Side) Incomplete() []string {
	primary, found := s.Primary()
	switch {
	case !found:
		return []string{fmt.Sprintf("service %s has no primary deployment", s.Name())}
	case primary.RolloutState != ecstypes.DeploymentRolloutStateCompleted:
		return []string{fmt.Sprintf("the deployment of service %s is %s%s", s.Name(), orNone(string(primary.RolloutState)), because(str(primary.RolloutStateReason)))}
	}
	return nil
}

// Health counts a target group's targets by state
// (https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html).
type Health struct {
	Healthy  int
	Other    int      // initial, unhealthy, unused or unavailable
	Draining int      // on their way out; neither counted for nor against
	Reasons  []string // of the others, sorted, each once
}

func countHealth(targets []elbtypes.TargetHealthDescription) Health {
	var h Health
	for _, t := range targets {
		if t.TargetHealth == nil {
			h.Other++
			continue
		}
		switch t.TargetHealth.State {
		case elbtypes.TargetHealthStateEnumHealthy:
			h.Healthy++
		case elbtypes.TargetHealthStateEnumDraining, elbtypes.TargetHealthStateEnumUnhealthyDraining:
			h.Draining++
		default:
			h.Other++
			if r := string(t.TargetHealth.Reason); r != "" && !slices.Contains(h.Reasons, r) {
				h.Reasons = append(h.Reasons, r)
			}
		}
	}
	slices.Sort(h.Reasons)
	return h
}

// String tells the count and, of the targets that are not healthy, why.
func (h Health) String() string {
	if h.Healthy+h.Other == 0 {
		return "no targets"
	}
	text := fmt.Sprintf("%d of %d targets healthy", h.Healthy, h.Healthy+h.Other)
	if len(h.Reasons) > 0 {
		text += " (" + strings.Join(h.Reasons, ", ") + ")"
	}
	return text
}

// serviceFaults lists why the service's routes and deployments are not ours
// to manage.
func serviceFaults(s ecstypes.Service) []string {
	var faults []string
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Sprintf("service %s "+format, append([]any{str(s.ServiceName)}, args...)...))
	}
	if status := str(s.Status); status != "ACTIVE" {
		fault("is %s, not ACTIVE", status)
	}
	if c := s.DeploymentController; c != nil && c.Type != "" && c.Type != ecstypes.DeploymentControllerTypeEcs {
		fault("has the deployment controller %s, which owns its routes: only ECS is supported", c.Type)
	}
	if c := s.DeploymentConfiguration; c != nil && c.Strategy != "" && c.Strategy != ecstypes.DeploymentStrategyRolling {
		fault("has the deployment strategy %s, which owns its routes: only ROLLING is supported", c.Strategy)
	}
	if s.ResourceManagementType == ecstypes.ResourceManagementTypeEcs {
		fault("is an Express service, which ECS manages itself")
	}
	if s.SchedulingStrategy == ecstypes.SchedulingStrategyDaemon {
		fault("has the scheduling strategy DAEMON, which has no desired count: only REPLICA is supported")
	}
	if len(s.LoadBalancers) == 0 {
		fault("has no target group")
	}
	return faults
}

// candidates are the target groups that the service registers its tasks in.
func candidates(s ecstypes.Service) []string {
	var groups []string
	for _, lb := range s.LoadBalancers {
		if g := str(lb.TargetGroupArn); g != "" && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orNone(s string) string {
	if s == "" {
		return "without a rollout state"
	}
	return s
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + strings.TrimSuffix(reason, ".") + ")"
}
