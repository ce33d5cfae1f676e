package goldenami

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// Where the parts of the work begin, in percent.
const (
	bakeBegins    = 3
	bakeEnds      = 70
	refreshBegins = 84
	refreshEnds   = 97
)

// percent of a job's progress.
func percent(w World, d Decision) int {
	switch d.Kind {
	case Stop, Mark:
		if w.ImageID != "" {
			return 98
		}
		return 1
	case Start:
		return bakeBegins
	case Follow:
		done, all := w.Bake.steps()
		return bakeBegins + (bakeEnds-bakeBegins)*done/max(all, done, 1)
	case AwaitImage:
		return 72
	case Tag:
		return 74
	case Publish:
		return 76
	case AwaitStore:
		return 77
	case AwaitGroup:
		return 78
	case Pin:
		return 79
	case Make:
		return 80
	case Update:
		return 82
	case Replace:
		return refreshBegins
	case AwaitFleet:
		return refreshBegins + (refreshEnds-refreshBegins)*min(d.Refresh.Percent(), 100)/100
	}
	return 99
}

// steps are how many of the bake's are over, and how many there are.
func (b Bake) steps() (done, all int) {
	for _, step := range b.Steps {
		if (Bake{Status: step.StepStatus}).Over() {
			done++
		}
	}
	return done, len(b.Steps)
}

// step is the one that runs, "" between two.
func (b Bake) step() (name string, number int) {
	for i, step := range b.Steps {
		if step.StepStatus != types.AutomationExecutionStatusPending && !(Bake{Status: step.StepStatus}).Over() {
			return str(step.StepName), i + 1
		}
	}
	return "", 0
}

// summary says what this tick did or saw.
func summary(w World, d Decision, s State) string {
	group := w.Fleet.Name()
	switch d.Kind {
	case Stop:
		return "stopped what earlier executions left running: " + strings.Join(s.Orphans, ", ")
	case Mark:
		return fmt.Sprintf("marked image %s as released", d.Images[0].ID())
	case Start:
		if s.Automation == "" {
			return "the Automation could not be started yet: too many run, or it is about to be found"
		}
		return fmt.Sprintf("started Automation %s from source image %s%s", s.Automation, orUnknown(s.Source), orphans(s))
	case Follow:
		return following(*w.Bake) + orphans(s)
	case AwaitImage:
		return fmt.Sprintf("waiting for image %s: %s", w.ImageID, d.Why)
	case Tag:
		return fmt.Sprintf("tagged image %s", w.ImageID)
	case Publish:
		return fmt.Sprintf("published image %s", w.ImageID)
	case AwaitStore:
		return fmt.Sprintf("waiting for the parameter to hold image %s: %s", w.ImageID, d.Why)
	case AwaitGroup:
		return fmt.Sprintf("waiting with group %s: %s", group, d.Why)
	case Make:
		return fmt.Sprintf("made what group %s is to launch image %s from", group, w.ImageID)
	case Pin:
		return fmt.Sprintf("pinned the template versions that group %s launches", group)
	case Update:
		return fmt.Sprintf("updated group %s to %s", group, strings.Join(w.Plan.Launches, ", "))
	case Replace:
		return fmt.Sprintf("started to replace the instances of group %s", group)
	case AwaitFleet:
		return refreshing(w, d)
	case Prune:
		return fmt.Sprintf("removed %d older things so far", s.Pruned)
	}
	return ""
}

func following(b Bake) string {
	done, all := b.steps()
	name, number := b.step()
	switch {
	case b.Status == "":
		return fmt.Sprintf("Automation %s is about to start", b.ID)
	case name == "":
		return fmt.Sprintf("Automation %s is %s, %d of %d steps are over", b.ID, b.Status, done, all)
	}
	text := fmt.Sprintf("Automation %s runs step %s (%d of %d)", b.ID, name, number, all)
	if b.Status != types.AutomationExecutionStatusInprogress {
		text += fmt.Sprintf(", and is %s", b.Status)
	}
	return text
}

func refreshing(w World, d Decision) string {
	text := fmt.Sprintf("instance refresh %s of group %s is %s, %d%%", d.Refresh.ID(), w.Fleet.Name(), d.Refresh.Status, d.Refresh.Percent())
	for _, why := range []string{str(d.Refresh.StatusReason), d.Why} {
		if why != "" {
			text += "; " + why
		}
	}
	return text
}

func orphans(s State) string {
	switch {
	case len(s.Orphans) == 0:
		return ""
	case s.Stopped:
		return "; stopped what earlier executions left running: " + strings.Join(s.Orphans, ", ")
	}
	return "; an earlier execution's Automation still runs: " + strings.Join(s.Orphans, ", ") + " (stop it, or set stopOrphans)"
}

func orUnknown(s string) string {
	if s == "" {
		return "that the document knows"
	}
	return s
}

// doneSummary says how the release ended.
func doneSummary(w World, p Params, s State) string {
	verb := "built"
	if s.Reused {
		verb = "used again, since nothing in it would change,"
	}
	text := []string{fmt.Sprintf("image %s was %s and is what group %s launches (%s)", w.ImageID, verb, w.Fleet.Name(), strings.Join(w.Plan.Launches, ", "))}
	if s.Previous != "" && s.Previous != w.ImageID {
		text[0] += fmt.Sprintf("; before it was %s", s.Previous)
	}
	if p.PublishTo != "" {
		text = append(text, "parameter "+p.PublishTo+" holds it")
	}
	if s.Warning != "" {
		text = append(text, "AWS warns of the launch template: "+s.Warning)
	}
	if what := pruned(w, p, s); what != "" {
		text = append(text, what)
	}
	return strings.Join(text, "; ") + orphans(s)
}

// outputs are the action's variables.
func outputs(w World, p Params, s State) map[string]string {
	out := map[string]string{
		"ImageId":               w.ImageID,
		"PreviousImageId":       s.Previous,
		"AutomationExecutionId": s.Automation,
		"Image":                 "built",
		"AutoScalingGroupName":  w.Fleet.Name(),
		"Execution":             p.Execution,
	}
	if s.Reused {
		out["Image"] = "reused"
	}
	if s.Source != "" {
		out["SourceImageId"] = s.Source
	}
	if s.Refresh != "" {
		out["InstanceRefreshId"] = s.Refresh
	}
	if len(w.Plan.Launches) > 0 {
		if template, version, isTemplate := strings.Cut(w.Plan.Launches[0], ":"); isTemplate && w.Fleet.Configuration == nil {
			out["LaunchTemplateId"], out["LaunchTemplateVersion"] = template, version
		} else {
			out["LaunchConfigurationName"] = w.Plan.Launches[0]
		}
	}
	return out
}
