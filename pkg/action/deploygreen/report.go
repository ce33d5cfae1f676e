package deploygreen

import (
	"fmt"

	"cutover/pkg/bluegreen"
)

// percent of a job's progress. Of a set it is half the mean and half the least:
// it grows when any service goes on, and when the last one does.
func percent(w World, all []Decision) int {
	sum, least := 0, 100
	for _, d := range all {
		of := percentOne(w.Releases[d.Release], d.Kind)
		sum, least = sum+of, min(least, of)
	}
	return (sum/len(all) + least) / 2
}

// percentOne counts what was done, then what runs and is healthy.
func percentOne(r Release, k Kind) int {
	switch k {
	case Claim:
		return 5
	case RouteTest:
		return 10
	case Register, Look:
		return 15
	case Update:
		return 20
	case Ready, Released:
		return 99
	}
	green, _ := r.Idle()
	desired := max(int(green.Service.DesiredCount), 1)
	running := min(started(green), desired)
	healthy := min(green.Health.Healthy, running) // the rest are tasks about to be replaced
	if r.Blind && len(unfinished(r)) == 0 {
		healthy = running // as ECS sees it
	}
	return 20 + 79*(running+healthy)/(2*desired)
}

// started is how many tasks of the newest deployment run.
func started(green bluegreen.Side) int {
	primary, _ := green.Primary()
	return int(primary.RunningCount)
}

// summary says what this tick did or saw: of a single pair, or of those of a set
// that are behind.
func summary(w World, all []Decision) string {
	now := next(all)
	if w.Set == "" {
		return describe(w.Releases[0], now[0])
	}
	var texts []string
	for _, d := range now {
		r := w.Releases[d.Release]
		if d.Kind == Follow && r.Blind && len(unfinished(r)) == 0 {
			continue // it is the others that are waited for
		}
		texts = append(texts, r.prefix()+describe(r, d))
	}
	if len(texts) == 0 {
		texts = []string{"all deployments are complete: next, the health of their targets is looked at"}
	}
	done := ""
	if now[0].Kind == Follow {
		done = fmt.Sprintf(", %d of %d services deployed", len(all)-len(texts), len(all))
	}
	return fmt.Sprintf("release set %s%s: %s", w.Set, done, few(texts, "; "))
}

// describe says what this tick did with a release, or saw of it.
func describe(r Release, d Decision) string {
	green, _ := r.Idle()
	live, _ := r.Live()
	name := RevisionName(d.TaskDefinition)
	switch d.Kind {
	case Claim:
		return fmt.Sprintf("named %s as green", green)
	case RouteTest:
		return fmt.Sprintf("pointed the test route at %s", green)
	case Register:
		return fmt.Sprintf("registered a task definition of %s with %s", str(r.base().Family), r.Image)
	case Look:
		return fmt.Sprintf("the task definitions of %s are looked at next", green)
	case Update:
		return fmt.Sprintf("updated service %s to %s, desired count %d", green.Name(), name, d.DesiredCount)
	case Ready:
		return fmt.Sprintf("green is ready: service %s runs %s, %s; test it at %s", green.Name(), name, counts(r, green), r.TestURL())
	case Released:
		return fmt.Sprintf("nothing to do: production already has this execution's release, on %s", live)
	}
	text := fmt.Sprintf("service %s deploys %s: %s", green.Name(), name, counts(r, green))
	if primary, _ := green.Primary(); primary.FailedTasks > 0 {
		text += fmt.Sprintf(", failed to start: %d", primary.FailedTasks)
	}
	if started(green) >= int(green.Service.DesiredCount) && (r.Blind || green.Health.Healthy >= int(green.Service.DesiredCount)) {
		text += "; waiting: " + d.Why
	}
	return text
}

// unfinished says what keeps green from being looked at closer.
func unfinished(r Release) []string {
	green, _ := r.Idle()
	why := green.Incomplete()
	if green.Service.RunningCount != green.Service.DesiredCount {
		why = append(why, fmt.Sprintf("service %s runs %d of its %d tasks", green.Name(), green.Service.RunningCount, green.Service.DesiredCount))
	}
	return why
}

// counts are the numbers that readiness is about.
func counts(r Release, green bluegreen.Side) string {
	desired := green.Service.DesiredCount
	if r.Blind {
		return fmt.Sprintf("%d of %d tasks running", started(green), desired)
	}
	text := fmt.Sprintf("%d of %d tasks running, %d of %d targets healthy", started(green), desired, green.Health.Healthy, desired)
	for i, reason := range green.Health.Reasons {
		if i == 0 {
			text += " (" + reason
		} else {
			text += ", " + reason
		}
	}
	if len(green.Health.Reasons) > 0 {
		text += ")"
	}
	return text
}

// outputs are the action's variables. Those of a set's services end in their
// names.
func outputs(w World, all []Decision) map[string]string {
	if w.Set == "" {
		return outputsOne(w.Releases[0], w.Execution, all[0])
	}
	out := map[string]string{"ReleaseSet": w.Set, "Execution": w.Execution, "Services": fmt.Sprint(len(all))}
	for _, d := range all {
		r := w.Releases[d.Release]
		one := outputsOne(r, w.Execution, d)
		for _, key := range []string{"GreenService", "TaskDefinition", "TestUrl"} {
			out[key+"_"+r.Name] = one[key]
		}
	}
	return out
}

func outputsOne(r Release, execution string, d Decision) map[string]string {
	green, _ := r.Idle()
	image := r.Image
	if d.Kind == Released {
		green, _ = r.Live()
		blue, _ := r.blueGreen()
		image = blue.Image(r.Container)
	}
	return map[string]string{
		"GreenSide":        green.Name(),
		"GreenService":     str(green.Service.ServiceArn),
		"GreenTargetGroup": green.TargetGroup,
		"TaskDefinition":   d.TaskDefinition,
		"Image":            image,
		"TestUrl":          r.TestURL(),
		"Execution":        execution,
	}
}
