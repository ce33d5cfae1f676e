package deploygreen

import (
	"fmt"

	"cutover/pkg/bluegreen"
)

// percent of a job's progress: what was done, then what runs and is healthy.
func percent(w World, next []Decision) int {
	switch d := next[0]; d.Kind {
	case Claim:
		return 5
	case RouteTest:
		return 10
	case Register:
		return 15
	case Follow:
		green, _ := w.Releases[d.Release].Idle()
		desired := max(int(green.Service.DesiredCount), 1)
		running := min(started(green), desired)
		healthy := min(green.Health.Healthy, running) // the rest are tasks about to be replaced
		return 20 + 79*(running+healthy)/(2*desired)
	}
	return 20
}

// started is how many tasks of the newest deployment run.
func started(green bluegreen.Side) int {
	primary, _ := green.Primary()
	return int(primary.RunningCount)
}

// summary says what this tick did or saw, of the first release it concerns.
func summary(w World, next []Decision) string {
	d := next[0]
	r := w.Releases[d.Release]
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
	case Update:
		return fmt.Sprintf("updated service %s to %s, desired count %d", green.Name(), name, d.DesiredCount)
	case Ready:
		return fmt.Sprintf("green is ready: service %s runs %s, %s; test it at %s", green.Name(), name, counts(green), r.TestURL())
	case Released:
		return fmt.Sprintf("nothing to do: production already has this execution's release, on %s", live)
	}
	text := fmt.Sprintf("service %s deploys %s: %s", green.Name(), name, counts(green))
	if primary, _ := green.Primary(); primary.FailedTasks > 0 {
		text += fmt.Sprintf(", failed to start: %d", primary.FailedTasks)
	}
	if started(green) >= int(green.Service.DesiredCount) && green.Health.Healthy >= int(green.Service.DesiredCount) {
		text += "; waiting: " + d.Why
	}
	return text
}

// counts are the numbers that readiness is about.
func counts(green bluegreen.Side) string {
	desired := green.Service.DesiredCount
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

// outputs are the action's variables.
func outputs(w World, p Params, d Decision) map[string]string {
	r := w.Releases[d.Release]
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
		"Execution":        p.Execution,
	}
}
