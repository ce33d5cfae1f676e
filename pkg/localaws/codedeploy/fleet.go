package codedeploy

// healthConstraints is the message of a deployment that too many instances failed.
const healthConstraints = "The overall deployment failed because too many individual instances failed deployment, " +
	"too few healthy instances are available for deployment, or some instances in your deployment group are experiencing problems."

// A fleet is a number of instances that are worked on, some at a time.
type fleet struct {
	total, waiting, active, bad int
}

// take is how many more may be worked on now, so that enough stay healthy;
// stuck says that no more ever may.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/instances-health.html
func (f fleet) take(least MinimumHealthyHosts) (more int, stuck bool) {
	spare := f.total - f.bad - f.active - least.hosts(f.total)
	more = max(0, min(spare, f.waiting))
	return more, f.waiting > 0 && f.active == 0 && more == 0
}

// each works on instances as the deployment configuration allows, and then goes
// on if at least one succeeded; else the deployment has failed.
func (r *run) each(all []*target, work func(t *target, done func(ok bool)), then func()) {
	config, err := configNamed(r.d.settings.DeploymentConfigName)
	if err != nil || len(all) == 0 {
		r.fail("NO_INSTANCES", noInstances)
		return
	}
	f := fleet{total: len(all), waiting: len(all)}
	good, settled := 0, false
	var advance func()
	advance = func() {
		r.mu.Lock()
		more, stuck := f.take(config.MinimumHealthyHosts)
		batch := all[len(all)-f.waiting:][:more]
		f.waiting -= more
		f.active += more
		done := !settled && f.waiting == 0 && f.active == 0
		stuck = stuck && !settled
		settled = settled || done || stuck
		r.mu.Unlock()
		switch {
		case stuck, done && good == 0:
			r.fail("HEALTH_CONSTRAINTS", healthConstraints)
		case done:
			then()
		}
		for _, t := range batch {
			work(t, func(ok bool) {
				r.mu.Lock()
				f.active--
				if ok {
					good++
				} else {
					f.bad++
				}
				r.mu.Unlock()
				advance()
			})
		}
	}
	advance()
}

const noInstances = "The deployment failed because no instances were found for your deployment group. " +
	"Check your deployment group settings to make sure the tags for your EC2 instances or Auto Scaling groups correctly identify the instances you want to deploy to, and then try again."
