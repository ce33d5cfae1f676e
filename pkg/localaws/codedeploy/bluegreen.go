package codedeploy

import (
	"fmt"
	"time"

	"cutover/pkg/localaws/wire"
)

// unsettling are the Auto Scaling processes that would change a fleet under a
// deployment.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/integrations-aws-auto-scaling.html
func unsettling() []string {
	return []string{"AZRebalance", "AlarmNotification", "ScheduledActions", "ReplaceUnhealthy"}
}

// undoing are the processes that would undo a change of traffic besides: they
// register instances again, and count those that are not as unhealthy.
func undoing() []string { return append(unsettling(), "HealthCheck", "AddToLoadBalancer") }

// blueGreenSteps lists what a blue/green deployment does.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/welcome.html#welcome-deployment-overview-blue-green
func (r *run) blueGreenSteps() []func() {
	return []func(){
		r.findTargetGroups, r.copyGroup, r.awaitFleet, r.installGreen, r.awaitReady,
		r.allowGreen, r.blockBlue, r.awaitTermination, r.commit, r.retireBlue, r.release,
	}
}

// copyGroup makes the new group, as large as the original one is healthy.
func (r *run) copyGroup() {
	r.mu.Lock()
	blue := r.d.group.scaling[0].name
	green := "CodeDeploy_" + r.d.info.DeploymentGroupName + "_" + r.d.id
	r.mu.Unlock()
	if !r.Groups.Exists(blue) {
		r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The Auto Scaling group %s does not exist", blue))
		return
	}
	healthy := r.Groups.InService(blue)
	if len(healthy) == 0 {
		r.fail("NO_INSTANCES", noInstances)
		return
	}
	if !r.permit("AmazonAutoScaling", wire.Access{Action: "autoscaling:DescribeAutoScalingGroups", Resource: "*"},
		r.scaling("CreateAutoScalingGroup", green), r.scaling("SuspendProcesses", green)) {
		return
	}
	r.mu.Lock()
	r.d.blue, r.d.green = blue, green
	for _, id := range healthy {
		r.addLocked(id, "Blue", r.onlyWithTraffic(blocking()))
	}
	r.mu.Unlock()
	if err := r.Groups.Copy(blue, green, len(healthy)); err != nil {
		r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The Auto Scaling group %s could not be copied: %v", blue, err))
		return
	}
	if err := r.Groups.Suspend(green, unsettling()...); err != nil {
		r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The processes of the Auto Scaling group %s could not be suspended: %v", green, err))
		return
	}
	r.next()
}

func (r *run) onlyWithTraffic(events []string) []string {
	if r.d.settings.traffic() {
		return events
	}
	return nil
}

// awaitFleet waits until as many new instances are in service as there are
// original ones.
func (r *run) awaitFleet() {
	wanted := len(r.labelled("Blue"))
	var found []string
	r.await(patience, func() bool {
		found = r.Groups.InService(r.d.green)
		return len(found) >= wanted
	}, func(ok bool) {
		if !ok {
			r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The Auto Scaling group %s did not come into service within an hour: %d of %d instances are", r.d.green, len(found), wanted))
			return
		}
		r.mu.Lock()
		r.d.provisioned = true
		for _, id := range found {
			r.addLocked(id, "Green", append(installing(), r.onlyWithTraffic(allowing())...))
		}
		r.mu.Unlock()
		r.next()
	})
}

func (r *run) installGreen() {
	r.each(r.labelled("Green"), func(t *target, done func(bool)) { r.events(t, installing(), done) }, r.next)
}

// awaitReady waits, if it is configured, for somebody to have traffic rerouted.
func (r *run) awaitReady() {
	option := r.d.settings.BlueGreenDeploymentConfiguration.DeploymentReadyOption
	if option.ActionOnTimeout == "CONTINUE_DEPLOYMENT" {
		r.next()
		return
	}
	r.mu.Lock()
	if !r.over {
		r.d.info.Status = ready
	}
	r.mu.Unlock()
	for _, t := range r.labelled("Green") {
		r.mark(t, ready)
	}
	r.tell("READY")
	r.hold("READY_WAIT", minutes(option.WaitTimeInMinutes), func() {
		r.stop("TIMEOUT", "The deployment was stopped because traffic rerouting was not started before the wait time ended",
			r.d.settings.AutoRollbackConfiguration.on(onRequest))
	})
}

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

// allowGreen brings the new instances into traffic, and the new group's later
// ones too.
func (r *run) allowGreen() {
	r.mu.Lock()
	if !r.over {
		r.d.info.Status = inProgress
	}
	r.mu.Unlock()
	work := func(t *target, done func(bool)) {
		r.events(t, r.onlyWithTraffic(allowing()), func(ok bool) {
			if ok {
				r.mark(t, succeeded)
			}
			done(ok)
		})
	}
	r.each(r.labelled("Green"), work, func() {
		if len(r.balanced) > 0 {
			if !r.permit("AmazonAutoScaling", r.scaling("AttachLoadBalancerTargetGroups", r.d.green)) {
				return
			}
			if err := r.Groups.AttachTargetGroups(r.d.green, arns(r.balanced)); err != nil {
				r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The target groups could not be attached to the Auto Scaling group %s: %v", r.d.green, err))
				return
			}
		}
		r.next()
	})
}

// blockBlue takes the original instances out of traffic. The deployment
// configuration is not for them: one that cannot be taken out fails it.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/instances-health.html
func (r *run) blockBlue() {
	if !r.permit("AmazonAutoScaling", r.scaling("SuspendProcesses", r.d.blue)) {
		return
	}
	r.mu.Lock()
	r.d.shifted = true // so that a rollback resumes the processes
	r.mu.Unlock()
	if err := r.Groups.Suspend(r.d.blue, undoing()...); err != nil {
		r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The processes of the Auto Scaling group %s could not be suspended: %v", r.d.blue, err))
		return
	}
	r.all("Blue", r.onlyWithTraffic(blocking()), blockTraffic)
}

// awaitTermination leaves time to look before the original instances are gone.
func (r *run) awaitTermination() {
	end := r.d.settings.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess
	if end.Action != "TERMINATE" || end.TerminationWaitTimeInMinutes == 0 {
		r.next()
		return
	}
	r.mu.Lock()
	r.d.info.InstanceTerminationWaitTimeStarted = true
	r.mu.Unlock()
	r.hold("TERMINATION_WAIT", minutes(end.TerminationWaitTimeInMinutes), r.next)
}

// commit makes the new group the deployment group's. From here on there is no
// way back.
func (r *run) commit() {
	end := r.d.settings.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess
	accesses := []wire.Access{r.scaling("ResumeProcesses", r.d.green)}
	if end.Action == "TERMINATE" {
		accesses = append(accesses, r.scaling("DeleteAutoScalingGroup", r.d.blue))
	} else {
		accesses = append(accesses, r.scaling("ResumeProcesses", r.d.blue), r.scaling("DetachLoadBalancerTargetGroups", r.d.blue))
	}
	if !r.permit("AmazonAutoScaling", accesses...) {
		return
	}
	r.mu.Lock()
	if !r.over {
		r.d.committed = true
		r.d.group.use([]string{r.d.green})
	}
	r.mu.Unlock()
	r.next()
}

// retireBlue deletes the original group, or leaves it running out of traffic.
func (r *run) retireBlue() {
	end := r.d.settings.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess
	if end.Action == "KEEP_ALIVE" {
		if err := r.Groups.DetachTargetGroups(r.d.blue, arns(r.balanced)); err != nil {
			r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The target groups could not be detached from the Auto Scaling group %s: %v", r.d.blue, err))
			return
		}
		if err := r.Groups.Resume(r.d.blue, undoing()...); err != nil {
			r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The processes of the Auto Scaling group %s could not be resumed: %v", r.d.blue, err))
			return
		}
		r.next()
		return
	}
	if err := r.Groups.Delete(r.d.blue); err != nil {
		r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The Auto Scaling group %s could not be deleted: %v", r.d.blue, err))
		return
	}
	r.await(patience, func() bool { return !r.Groups.Exists(r.d.blue) }, func(ok bool) {
		if !ok {
			r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The Auto Scaling group %s was not gone within an hour", r.d.blue))
			return
		}
		r.next()
	})
}

// release lets the new group live by itself.
func (r *run) release() {
	if err := r.Groups.Resume(r.d.green, unsettling()...); err != nil {
		r.fail("AUTO_SCALING_CONFIGURATION", fmt.Sprintf("The processes of the Auto Scaling group %s could not be resumed: %v", r.d.green, err))
		return
	}
	r.succeed()
}
