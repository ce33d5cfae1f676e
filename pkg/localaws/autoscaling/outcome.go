package autoscaling

import (
	"fmt"
	"time"
)

// bakeLocked begins the bake of a refresh that has replaced everything, or ends
// it where there is none.
func (s *Service) bakeLocked(g *group, r *refresh) {
	if r.status == refreshInProgress && r.preferences.BakeTime != nil && *r.preferences.BakeTime > 0 {
		wait := time.Duration(*r.preferences.BakeTime) * time.Second
		r.status, r.percent, r.bake = refreshBaking, 100, s.clock.Now().Add(wait)
		r.reason = fmt.Sprintf("The instance refresh bakes for %d seconds.", *r.preferences.BakeTime)
		s.tellRefreshLocked(g, r, "Started Baking")
		return
	}
	s.succeedLocked(g, r)
}

// succeedLocked ends a refresh well. What it launched is what the group
// launches from now on; a rollback has left the group as it was.
func (s *Service) succeedLocked(g *group, r *refresh) {
	if r.status == refreshRollback {
		s.endRefreshLocked(g, r, refreshRollbackSuccessful, r.rollback.RollbackReason)
		return
	}
	if r.desired != nil {
		g.spec = r.desired.clone()
	}
	s.endRefreshLocked(g, r, refreshSuccessful, "")
}

// failRefreshLocked ends a refresh, or begins to undo it.
func (s *Service) failRefreshLocked(g *group, r *refresh, why string) {
	switch {
	case r.status == refreshRollback:
		s.endRefreshLocked(g, r, refreshRollbackFailed, why)
	case r.on(r.preferences.AutoRollback) && r.irreversible == "" && r.status != refreshCancelling:
		s.rollBackLocked(g, r, why)
	default:
		s.endRefreshLocked(g, r, refreshFailed, why)
	}
}

// rollBackLocked marks what the refresh launched, to be replaced by what the
// group launched before.
func (s *Service) rollBackLocked(g *group, r *refresh, why string) {
	mark := r.mark()
	r.rollback = &RollbackDetails{
		RollbackReason: why, RollbackStartTime: s.clock.Now(), PercentageCompleteOnRollback: r.percent, InstancesToUpdateOnRollback: max(r.total-r.replaced, 0),
	}
	r.percentBefore, r.total, r.replaced, r.progress, r.resume = r.percent, 0, 0, s.clock.Now(), time.Time{}
	for _, m := range g.members {
		m.old = m.refresh == mark && !m.leavingGroup()
		if m.old {
			r.total += m.option.weight
		}
	}
	g.failures, g.notBefore = 0, time.Time{}
	r.status, r.reason = refreshRollback, why
	s.tellRefreshLocked(g, r, "Rollback Started")
}

// endRefreshLocked ends a refresh.
func (s *Service) endRefreshLocked(g *group, r *refresh, status, why string) {
	if status == refreshSuccessful {
		r.percent, r.replaced = 100, r.total
	}
	r.status, r.reason, r.end = status, why, s.clock.Now()
	for _, m := range g.members {
		m.old = false
	}
	events := map[string]string{
		refreshSuccessful: "Succeeded", refreshFailed: "Failed", refreshCancelled: "Cancelled",
		refreshRollbackSuccessful: "Rollback Succeeded", refreshRollbackFailed: "Rollback Failed",
	}
	s.tellRefreshLocked(g, r, events[status])
}

// tellRefreshLocked puts an event on the bus.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
func (s *Service) tellRefreshLocked(g *group, r *refresh, what string) {
	detail := map[string]any{"InstanceRefreshId": r.id, "AutoScalingGroupName": g.name}
	if what == "Checkpoint Reached" {
		detail["CheckpointPercentage"] = fmt.Sprint(r.preferences.CheckpointPercentages[r.checkpoint-1])
		detail["CheckpointDelay"] = fmt.Sprint(*r.preferences.CheckpointDelay)
	}
	s.publishLocked("EC2 Auto Scaling Instance Refresh "+what, []string{g.arn}, detail, s.clock.Go)
}

func (r *refresh) describe(g *group) InstanceRefresh {
	preferences := r.preferences
	d := InstanceRefresh{
		InstanceRefreshId: r.id, AutoScalingGroupName: g.name, Status: r.status, StatusReason: r.reason, StartTime: r.start, EndTime: r.end,
		PercentageComplete: new(r.percent), InstancesToUpdate: new(max(r.total-r.replaced, 0)), Preferences: &preferences, RollbackDetails: r.rollback, Strategy: "Rolling",
	}
	if r.desired != nil {
		c := r.desired.clone()
		d.DesiredConfiguration = &DesiredConfiguration{LaunchTemplate: c.template, MixedInstancesPolicy: c.mixed}
	}
	return d
}
