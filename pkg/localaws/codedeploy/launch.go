package codedeploy

// InstanceLaunched has an instance that Auto Scaling launched brought to the
// revision of the deployment groups that deploy to its Auto Scaling group, and
// calls done, if it is not nil, once it is, or at once if nothing is to be done.
// Auto Scaling keeps the instance out of service until then, and gives it up if
// deployed is false.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/integrations-aws-auto-scaling.html
func (s *Service) InstanceLaunched(scalingGroup, instanceID string, done func(deployed bool)) {
	if done == nil {
		done = func(bool) {}
	}
	s.mu.Lock()
	d := s.launchLocked(scalingGroup, instanceID)
	if d != nil {
		d.after = done
	}
	s.mu.Unlock()
	if d == nil {
		done(true)
		return
	}
	s.Clock.Go(d.run.begin)
}

// launchLocked makes the deployment to a launched instance, or none where no
// revision has been deployed yet. The first instances of a copied group are
// targets of the deployment that copied it.
func (s *Service) launchLocked(scalingGroup, instanceID string) *deployment {
	for _, running := range s.deployments {
		if running.green != scalingGroup || running.final() {
			continue
		}
		if !running.provisioned {
			return nil
		}
		return s.launchOneLocked(running.group, running.settings, running.info.Revision, instanceID)
	}
	for name := range sorted(s.applications) {
		a := s.applications[name]
		for groupName := range sorted(a.groups) {
			g := a.groups[groupName]
			if !g.deploysTo(scalingGroup) || g.revision == nil {
				continue
			}
			if running := s.activeLocked(g); running != nil {
				running.launched = append(running.launched, instanceID)
			}
			return s.launchOneLocked(g, g.settings, g.revision, instanceID)
		}
	}
	return nil
}

func (s *Service) launchOneLocked(g *group, settings Settings, revision *RevisionLocation, instanceID string) *deployment {
	d := s.newLocked(g, settings, revision, "autoscaling")
	d.only = []string{instanceID}
	return d
}

func (g *group) deploysTo(scalingGroup string) bool {
	for _, each := range g.scaling {
		if each.name == scalingGroup {
			return true
		}
	}
	return false
}

// launchSteps lists what a deployment to a single launched instance does. Its
// traffic is Auto Scaling's affair.
func (r *run) launchSteps() []func() {
	return []func(){func() {
		r.mu.Lock()
		for _, id := range r.d.only {
			r.addLocked(id, "", installing())
		}
		r.mu.Unlock()
		r.next()
	}, func() {
		r.each(r.labelled(""), func(t *target, done func(bool)) {
			r.events(t, installing(), func(ok bool) {
				if ok {
					r.mark(t, succeeded)
				}
				done(ok)
			})
		}, r.succeed)
	}}
}
