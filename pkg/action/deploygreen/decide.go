package deploygreen

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"cutover/pkg/bluegreen"
)

// A State is what a tick hands to the next. It only helps to find things and
// to tell this attempt's deployment from an earlier one: the world decides.
// Its zero value starts an attempt.
type State struct {
	Image          string `json:"image,omitempty"`          // as found in the input artifact
	Green          string `json:"green,omitempty"`          // target group that this attempt has claimed
	TaskDefinition string `json:"taskDefinition,omitempty"` // that green was seen to deploy
	Deployment     string `json:"deployment,omitempty"`     // by this deployment
}

// A Kind is what is to be done with a release; of several releases the ones
// that are behind go first, so the lowest kind is done next.
type Kind int

// The kinds, in order.
const (
	Fail      Kind = iota // nothing will make this green
	Claim                 // tag the idle target group
	RouteTest             // point the test route at it
	Register              // register the task definition
	Update                // update the service
	Follow                // wait for the deployment
	Ready                 // green is healthy
	Released              // production already carries this execution
)

// A Decision is what to do next with one release.
type Decision struct {
	Kind           Kind
	Release        int    // index in World.Releases
	Why            string // of Fail; of Follow what is missing
	Broken         bool   // Fail: the deployment failed, its tasks may tell why
	TaskDefinition string // of Update, Follow and Ready: the ARN
	DesiredCount   int32  // of Update
	Force          bool   // of Update: start a deployment of the present task definition again
}

// decide is pure. It returns what to do now: the same kind for each release
// that is behind.
func decide(w World, p Params, s State) []Decision {
	var next []Decision
	for i, r := range w.Releases {
		d := decideOne(r, p, s)
		d.Release = i
		switch {
		case len(next) == 0 || d.Kind < next[0].Kind:
			next = []Decision{d}
		case d.Kind == next[0].Kind:
			next = append(next, d)
		}
	}
	return next
}

func decideOne(r Release, p Params, s State) Decision {
	live, found := r.Live()
	if !found { // observe has refused this already
		return Decision{Kind: Fail, Why: "no side is live"}
	}
	green := r.Other(live)
	retired := bluegreen.Retired(p.Execution)
	switch {
	case s.Green != "" && s.Green != green.TargetGroup:
		return Decision{Kind: Fail, Why: fmt.Sprintf("production was moved to %s by someone else while green was being deployed there, so it may serve either image", live)}
	case live.Execution() == p.Execution:
		// Had another execution's swap moved production to a green that this one
		// had only just claimed, the claim would name an image that never ran.
		blue, _ := r.blueGreen()
		if claimed, runs := live.Tags[bluegreen.TagImage], blue.Image(r.Container); claimed != "" && claimed != runs {
			return Decision{Kind: Fail, Why: fmt.Sprintf("%s carries execution %s with %s, but runs %s: it became production before it was deployed, or was deployed to since", live, p.Execution, claimed, runs)}
		}
		return Decision{Kind: Released, TaskDefinition: str(live.Service.TaskDefinition)}
	case live.Execution() == retired:
		return Decision{Kind: Fail, Why: fmt.Sprintf("execution %s was released before and is being replaced by a later one", p.Execution)}
	case green.Execution() == retired:
		return Decision{Kind: Fail, Why: fmt.Sprintf("execution %s was released before and has been replaced by %s", p.Execution, bluegreen.DescribeExecution(live.Execution()))}
	case s.Green != "" && green.Execution() != p.Execution:
		return Decision{Kind: Fail, Why: fmt.Sprintf("%s took over %s, which was being deployed by execution %s", bluegreen.DescribeExecution(green.Execution()), green, p.Execution)}
	case !tagged(green, p.Execution, r.Image):
		return Decision{Kind: Claim}
	case !r.Test.PointsTo(green.TargetGroup):
		return Decision{Kind: RouteTest}
	}
	return decideDeployment(r, live, green, p, s)
}

// decideDeployment takes green's service from a task definition to a finished
// deployment.
func decideDeployment(r Release, live, green bluegreen.Side, p Params, s State) Decision {
	primary, _ := green.Primary()
	arn := s.TaskDefinition
	if arn == "" {
		if arn = r.revision(); arn == "" {
			return Decision{Kind: Register}
		}
	}
	count := max(int(live.Service.DesiredCount), p.minimumCount())
	desired := max(green.Service.DesiredCount, int32(count))
	update := Decision{Kind: Update, TaskDefinition: arn, DesiredCount: desired}
	failed := primary.RolloutState == types.DeploymentRolloutStateFailed
	switch elsewhere := str(primary.TaskDefinition) != arn; {
	case elsewhere && s.Deployment != "":
		return Decision{Kind: Fail, Broken: true, TaskDefinition: arn, Why: replaced(green, arn, primary)}
	case failed && s.Deployment != "":
		return Decision{Kind: Fail, Broken: true, TaskDefinition: arn, Why: fmt.Sprintf("the deployment of %s on service %s failed%s", RevisionName(arn), green.Name(), because(primary))}
	case elsewhere:
		return update
	case failed: // an earlier attempt's: the same task definition alone would start nothing
		update.Force = true
		return update
	case green.Service.DesiredCount < desired:
		return update
	}
	if why := green.Unready(count); len(why) > 0 {
		return Decision{Kind: Follow, TaskDefinition: arn, Why: why[0]}
	}
	return Decision{Kind: Ready, TaskDefinition: arn}
}

// replaced says how green's deployment came to be another than ours.
func replaced(green bluegreen.Side, arn string, primary types.Deployment) string {
	for _, d := range green.Service.Deployments {
		if str(d.TaskDefinition) == arn && d.RolloutState == types.DeploymentRolloutStateFailed {
			return fmt.Sprintf("the deployment of %s on service %s failed%s and ECS went back to %s", RevisionName(arn), green.Name(), because(d), RevisionName(str(primary.TaskDefinition)))
		}
	}
	return fmt.Sprintf("service %s deploys %s in place of %s%s", green.Name(), RevisionName(str(primary.TaskDefinition)), RevisionName(arn), because(primary))
}

func because(d types.Deployment) string {
	if reason := str(d.RolloutStateReason); reason != "" {
		return " (" + reason + ")"
	}
	return ""
}

// tagged tells whether green is named, and with its image.
func tagged(green bluegreen.Side, execution, image string) bool {
	for key, value := range claim(execution, image) {
		if green.Tags[key] != value {
			return false
		}
	}
	return true
}

// claim is how green is tagged. An image too long for a tag is left out.
func claim(execution, image string) map[string]string {
	tags := map[string]string{bluegreen.TagExecution: execution}
	if len(image) <= 256 {
		tags[bluegreen.TagImage] = image
	}
	return tags
}
