package codedeploy

import (
	"fmt"
	"slices"
)

// inPlaceSteps lists what a deployment in place does.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/welcome.html#welcome-deployment-overview-in-place
func (r *run) inPlaceSteps() []func() {
	return []func(){r.findTargetGroups, r.findInstances, r.settle, r.installInPlace, r.updateOutdated, r.succeed}
}

func (r *run) inPlaceEvents() []string {
	return slices.Concat(r.onlyWithTraffic(blocking()), installing(), r.onlyWithTraffic(allowing()))
}

// findInstances makes the group's instances in service the targets.
func (r *run) findInstances() {
	r.mu.Lock()
	groups := r.d.group.scalingNames()
	r.mu.Unlock()
	var found []string
	for _, name := range groups {
		found = append(found, r.Groups.InService(name)...)
	}
	if len(found) == 0 {
		r.fail("NO_INSTANCES", noInstances)
		return
	}
	r.mu.Lock()
	for _, id := range found {
		r.addLocked(id, "", r.inPlaceEvents())
	}
	r.mu.Unlock()
	r.next()
}

// settle keeps Auto Scaling, until the deployment has ended in any way, from
// replacing or registering the instances that it takes out of traffic.
func (r *run) settle() {
	if !r.d.settings.traffic() {
		r.next()
		return
	}
	r.mu.Lock()
	groups := r.d.group.scalingNames()
	r.mu.Unlock()
	for _, name := range groups {
		if !r.permit("AmazonAutoScaling", r.scaling("SuspendProcesses", name), r.scaling("ResumeProcesses", name)) {
			return
		}
	}
	r.mu.Lock()
	r.suspended = groups
	r.mu.Unlock()
	for _, name := range groups {
		if err := r.Groups.Suspend(name, undoing()...); err != nil {
			r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The processes of the Auto Scaling group %s could not be suspended: %v", name, err))
			return
		}
	}
	r.next()
}

// unsettle lets Auto Scaling go on after a deployment in place.
func (r *run) unsettle(groups []string) {
	for _, name := range groups {
		if err := r.Groups.Resume(name, undoing()...); err != nil && r.Groups.Exists(name) {
			r.Logger.Warn("resume processes after a deployment", "deployment", r.d.id, "group", name, "error", err)
		}
	}
}

func (r *run) installInPlace() {
	r.each(r.labelled(""), func(t *target, done func(bool)) {
		r.events(t, r.inPlaceEvents(), func(ok bool) {
			if ok {
				r.mark(t, succeeded)
			}
			done(ok)
		})
	}, r.next)
}

// updateOutdated brings instances that were launched meanwhile, with the revision
// before, to this one.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeploymentGroup.html
func (r *run) updateOutdated() {
	r.mu.Lock()
	var behind []string
	if r.d.settings.OutdatedInstancesStrategy == "UPDATE" {
		behind = r.d.launched
	}
	var updates []*deployment
	for _, id := range behind {
		u := r.newLocked(r.d.group, r.d.settings, r.d.info.Revision, "CodeDeployAutoUpdate")
		u.only = []string{id}
		updates = append(updates, u)
	}
	r.mu.Unlock()
	for _, u := range updates {
		r.Clock.Go(u.run.begin)
	}
	r.next()
}
