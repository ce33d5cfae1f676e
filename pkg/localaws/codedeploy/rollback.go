package codedeploy

import (
	"fmt"
	"slices"

	"cutover/pkg/localaws/wire"
)

// rollbackLocked makes the deployment that rolls this one back, or none where
// nothing was changed, or there is nothing to go back to.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployments-rollback-and-redeploy.html
func (r *run) rollbackLocked() *deployment {
	d := r.d
	if d.rolls != nil || d.only != nil || d.committed || !d.changed() {
		return nil
	}
	revision := d.group.revision
	if revision == nil {
		if !d.settings.blueGreen() {
			d.info.RollbackInfo = &RollbackInfo{RollbackMessage: "The deployment group has no last successful revision to roll back to"}
			return nil
		}
		revision = d.info.Revision // of which nothing stays
	}
	back := r.newLocked(d.group, d.settings, revision, "codeDeployRollback")
	back.rolls, back.blue, back.green, back.provisioned = d, d.blue, d.green, true
	back.info.FileExistsBehavior = d.info.FileExistsBehavior
	back.info.Description = "Rollback of deployment " + d.id
	back.info.RollbackInfo = &RollbackInfo{
		RollbackTriggeringDeploymentId: d.id,
		RollbackMessage:                fmt.Sprintf("Deployment %s was created to roll back deployment %s", back.id, d.id),
	}
	d.info.RollbackInfo = &RollbackInfo{
		RollbackDeploymentId: back.id,
		RollbackMessage:      fmt.Sprintf("Deployment %s is rolled back by deployment %s", d.id, back.id),
	}
	d.group.attempted = back
	return back
}

// changed says whether a deployment has done anything to be rolled back.
func (d *deployment) changed() bool {
	if d.settings.blueGreen() {
		return d.green != ""
	}
	return slices.ContainsFunc(d.targets, func(t *target) bool {
		return slices.ContainsFunc(t.LifecycleEvents, func(e LifecycleEvent) bool { return !e.StartTime.IsZero() })
	})
}

// rollbackSteps lists what brings a blue/green deployment back: the original
// instances into traffic, then the new ones out of it, then away with these.
func (r *run) rollbackSteps() []func() {
	return []func(){r.findTargetGroups, r.gatherBack, r.allowBlue, r.resumeBlue, r.blockGreen, r.deleteGreen, r.succeed}
}

// gatherBack makes those instances targets whose traffic the rolled back
// deployment has changed.
func (r *run) gatherBack() {
	r.mu.Lock()
	for _, t := range r.d.rolls.targets {
		switch {
		case t.deregistered:
			r.addLocked(t.TargetId, "Blue", allowing())
		case t.registered:
			r.addLocked(t.TargetId, "Green", blocking())
		}
	}
	r.mu.Unlock()
	r.next()
}

// resumeBlue lets the original group look after its instances again, now that
// they are healthy.
func (r *run) resumeBlue() {
	r.mu.Lock()
	shifted := r.d.rolls.shifted
	r.mu.Unlock()
	if shifted && r.Groups.Exists(r.d.blue) {
		if !r.permit("AmazonAutoScaling", r.scaling("ResumeProcesses", r.d.blue)) {
			return
		}
		if err := r.Groups.Resume(r.d.blue, undoing()...); err != nil {
			r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The processes of the Auto Scaling group %s could not be resumed: %v", r.d.blue, err))
			return
		}
	}
	r.next()
}

// allowBlue returns traffic to the original instances. If one does not become
// healthy the new ones stay.
func (r *run) allowBlue() { r.all("Blue", allowing(), allowTraffic) }

func (r *run) blockGreen() { r.all("Green", blocking(), blockTraffic) }

// all runs events on all instances with a label at once, and goes on if the one
// that counts succeeded on each.
func (r *run) all(label string, events []string, counts string) {
	targets := r.labelled(label)
	left, bad, settled := len(targets), 0, false
	advance := func() {
		r.mu.Lock()
		done := left == 0 && !settled
		settled = settled || done
		r.mu.Unlock()
		switch {
		case done && bad > 0:
			r.fail("HEALTH_CONSTRAINTS", healthConstraints)
		case done:
			r.next()
		}
	}
	for _, t := range targets {
		r.events(t, events, func(ok bool) {
			if ok {
				r.mark(t, succeeded)
			}
			r.mu.Lock()
			left--
			if e := t.event(counts); e != nil && e.Status != succeeded {
				bad++
			}
			r.mu.Unlock()
			advance()
		})
	}
	advance()
}

// deleteGreen deletes the copied group.
func (r *run) deleteGreen() {
	if !r.Groups.Exists(r.d.green) {
		r.next()
		return
	}
	if !r.permit("AmazonAutoScaling", wire.Access{Action: "autoscaling:DescribeAutoScalingGroups", Resource: "*"}, r.scaling("DeleteAutoScalingGroup", r.d.green)) {
		return
	}
	if err := r.Groups.Delete(r.d.green); err != nil {
		r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The Auto Scaling group %s could not be deleted: %v", r.d.green, err))
		return
	}
	r.await(patience, func() bool { return !r.Groups.Exists(r.d.green) }, func(ok bool) {
		if !ok {
			r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The Auto Scaling group %s was not gone within an hour", r.d.green))
			return
		}
		r.next()
	})
}
