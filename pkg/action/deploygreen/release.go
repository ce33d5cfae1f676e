package deploygreen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"cutover/pkg/bluegreen"
)

// A World is what decide decides on.
type World struct {
	Execution string    // that releases
	Set       string    // name of the release set, or ""
	Releases  []Release // one a pair
}

// A Release is a pair with what is to be released on it.
type Release struct {
	bluegreen.Pair
	Progress
	Name         string // within the set, or ""
	Cluster      string
	MinimumCount int    // of green's tasks; 0 is 1
	Container    string // whose image is replaced; once Running is read it is known
	Blind        bool   // the health of the targets was not read

	Running [2]Revision // the services' task definitions, in the order of Sides; read only when needed
	Looked  bool        // Running and Recent were read, to find the wanted one
	Recent  []Revision  // the family's newest active ones; read only while neither service has the wanted one
}

// state is what the next tick is to know.
func (w World) state(follow bool) State {
	if w.Set == "" {
		return State{Progress: w.Releases[0].Progress}
	}
	marks := make([]mark, len(w.Releases))
	for i, r := range w.Releases {
		marks[i] = r.mark()
	}
	return State{Set: packMarks(marks), Follow: follow}
}

// standing tells how production stands now, for messages.
func (w World) standing() string {
	if w.Set == "" {
		return w.Releases[0].Standing()
	}
	var sides, others []string
	for _, r := range w.Releases {
		if live, found := r.Live(); found {
			sides = append(sides, live.Name())
		} else {
			others = append(others, r.prefix()+r.Standing())
		}
	}
	text := "of release set " + w.Set
	if len(sides) > 0 {
		text += ", production is on " + few(sides, ", ")
	}
	if len(others) > 0 {
		text += ", " + few(others, ", ")
	}
	return text
}

// few lists items, but not a hundred of them.
func few(items []string, separator string) string {
	const shown = 5
	if len(items) > shown+1 {
		items = append(slices.Clone(items[:shown]), fmt.Sprintf("%d more", len(items)-shown))
	}
	return strings.Join(items, separator)
}

// due tells whether it is the release's turn to get its task definition: green
// is named, and on the test route.
func (r Release) due(execution string) bool {
	green, found := r.Idle()
	return found && r.TaskDefinition == "" && tagged(green, execution, r.Image) && r.Test.PointsTo(green.TargetGroup)
}

// released tells whether production carries the execution already.
func (r Release) released(execution string) bool {
	live, found := r.Live()
	return found && live.Execution() == execution
}

// blueGreen are the two services' revisions by role.
func (r Release) blueGreen() (blue, green Revision) {
	if live, _ := r.Live(); live.TargetGroup == r.Sides[0].TargetGroup {
		return r.Running[0], r.Running[1]
	}
	return r.Running[1], r.Running[0]
}

// base is the task definition that the new one is made from: what serves
// production now, where a change made for one side is carried to the other.
// Services with families of their own keep them: then it is green's. So it is
// always of green's family.
func (r Release) base() Revision {
	blue, green := r.blueGreen()
	if str(blue.Family) == str(green.Family) {
		return blue
	}
	return green
}

// wanted is what to register if nothing equal exists.
func (r Release) wanted(execution string) *ecs.RegisterTaskDefinitionInput {
	return r.base().withImage(r.Container, r.Image, execution)
}

// runningWanted is the wanted revision's ARN if one of the services has it.
func (r Release) runningWanted() string {
	wanted := r.wanted("")
	blue, green := r.blueGreen()
	switch {
	case green.equals(wanted):
		return green.ARN()
	case blue.equals(wanted) && blue.Status == types.TaskDefinitionStatusActive:
		return blue.ARN()
	}
	return ""
}

// revision is the ARN of the revision to run, or "" when it is yet to be
// registered. Of equal recent ones it is the lowest: whatever concurrent ticks
// registered, all choose the same.
func (r Release) revision() string {
	if arn := r.runningWanted(); arn != "" {
		return arn
	}
	return lowestEqual(r.Recent, r.wanted(""))
}

func lowestEqual(recent []Revision, wanted *ecs.RegisterTaskDefinitionInput) string {
	for _, r := range recent {
		if r.equals(wanted) {
			return r.ARN()
		}
	}
	return ""
}

// container settles whose image is replaced.
func (r Release) container() (name, fault string) {
	asked := r.Container
	for _, running := range r.Running {
		has := running.containers()
		switch {
		case running.ARN() == "": // its service is missing, which is a fault already
		case asked != "" && !slices.Contains(has, asked):
			return "", fmt.Sprintf("task definition %s has no container %q (it has %s)", RevisionName(running.ARN()), asked, strings.Join(has, ", "))
		case asked == "" && len(has) != 1:
			return "", fmt.Sprintf("container is missing: task definition %s has %d containers (%s)", RevisionName(running.ARN()), len(has), strings.Join(has, ", "))
		}
	}
	if asked == "" && r.Running[0].ARN() != "" && r.Running[1].ARN() != "" {
		asked = r.base().containers()[0]
	}
	return asked, ""
}

// RevisionName is FAMILY:REVISION of a task definition's ARN.
func RevisionName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
