package codedeploy

import (
	"fmt"
)

// A targetGroup is one that the deployment's instances serve.
type targetGroup struct {
	name, arn string
	port      int
}

// findTargetGroups looks the deployment's target groups up, before anything is
// changed.
func (r *run) findTargetGroups() {
	var all []targetGroup
	if r.d.settings.traffic() {
		for _, named := range r.d.settings.LoadBalancerInfo.TargetGroupInfoList {
			arn, port, ok := r.TargetGroups.Find(named.Name)
			if !ok {
				r.fail("ELASTIC_LOAD_BALANCING_INVALID", fmt.Sprintf("The target group %s could not be found", named.Name))
				return
			}
			all = append(all, targetGroup{named.Name, arn, port})
		}
		if !r.permit("AmazonElasticLoadBalancing", append(balancing("RegisterTargets", all), balancing("DeregisterTargets", all)...)...) {
			return
		}
	}
	r.mu.Lock()
	r.balanced = all
	r.mu.Unlock()
	r.next()
}

// allow registers an instance with the target groups and waits until it is
// healthy in all of them.
func (r *run) allow(t *target, done func(Diagnostics)) {
	r.shift(t, func() { t.registered = true })
	for _, g := range r.balanced {
		if err := r.TargetGroups.Register(g.arn, t.TargetId, g.port); err != nil {
			done(fault(fmt.Sprintf("The instance %s could not be registered with the target group %s: %v", t.TargetId, g.name, err)))
			return
		}
	}
	var last string
	healthy := func() bool {
		for _, g := range r.balanced {
			if state, why := r.TargetGroups.Health(g.arn, t.TargetId, g.port); state != "healthy" {
				last = fmt.Sprintf("%s in the target group %s: %s", state, g.name, why)
				return false
			}
		}
		return true
	}
	r.await(patience, healthy, func(ok bool) {
		if !ok {
			done(fault(fmt.Sprintf("The instance %s did not become healthy within an hour; it is %s", t.TargetId, last)))
			return
		}
		done(success())
	})
}

// block deregisters an instance from the target groups and waits until it is
// drained from all of them.
func (r *run) block(t *target, done func(Diagnostics)) {
	r.shift(t, func() { t.deregistered = true })
	for _, g := range r.balanced {
		if err := r.TargetGroups.Deregister(g.arn, t.TargetId, g.port); err != nil {
			done(fault(fmt.Sprintf("The instance %s could not be deregistered from the target group %s: %v", t.TargetId, g.name, err)))
			return
		}
	}
	var last string
	gone := func() bool {
		for _, g := range r.balanced {
			if state, _ := r.TargetGroups.Health(g.arn, t.TargetId, g.port); state != "" && state != "unused" {
				last = fmt.Sprintf("%s in the target group %s", state, g.name)
				return false
			}
		}
		return true
	}
	r.await(patience, gone, func(ok bool) {
		if !ok {
			done(fault(fmt.Sprintf("The instance %s was not drained within an hour; it is %s", t.TargetId, last)))
			return
		}
		done(success())
	})
}

// shift notes, before it happens, that an instance's traffic changes.
func (r *run) shift(t *target, note func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.d.shifted = true
	note()
}

func arns(all []targetGroup) []string {
	var list []string
	for _, g := range all {
		list = append(list, g.arn)
	}
	return list
}
