package deploygreen

import (
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"cutover/pkg/bluegreen"
)

// A Kind is what is to be done with a release; of several releases the ones
// that are behind go first, so the lowest kind is done next.
type Kind int

// The kinds, in order.
const (
	Fail      Kind = iota // nothing will make this green
	Claim                 // tag the idle target group
	RouteTest             // point the test route at it
	Register              // register the task definition
	Look                  // find the task definition, by a later tick
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

// decide is pure. It returns what each release is in need of.
func decide(w World) []Decision {
	all := make([]Decision, len(w.Releases))
	for i, r := range w.Releases {
		all[i] = decideOne(r, w.Execution)
		all[i].Release = i
	}
	return all
}

// next are the decisions about the releases that are behind: what to do now,
// of one kind.
func next(all []Decision) []Decision {
	behind := slices.MinFunc(all, func(a, b Decision) int { return int(a.Kind - b.Kind) }).Kind
	return slices.DeleteFunc(slices.Clone(all), func(d Decision) bool { return d.Kind != behind })
}

func decideOne(r Release, execution string) Decision {
	live, found := r.Live()
	if !found { // observe has refused this already
		return Decision{Kind: Fail, Why: "no side is live"}
	}
	green := r.Other(live)
	retired, rolledBack := bluegreen.Retired(execution), bluegreen.RolledBack(execution)
	switch {
	case r.Green != "" && r.Green != green.TargetGroup:
		return Decision{Kind: Fail, Why: fmt.Sprintf("production was moved to %s by someone else while green was being deployed there, so it may serve either image", live)}
	case live.Execution() == execution:
		// Had another execution's swap moved production to a green that this one
		// had only just claimed, the claim would name an image that never ran.
		blue, _ := r.blueGreen()
		if claimed, runs := live.Tags[bluegreen.TagImage], blue.Image(r.Container); claimed != "" && claimed != runs {
			return Decision{Kind: Fail, Why: fmt.Sprintf("%s carries execution %s with %s, but runs %s: it became production before it was deployed, or was deployed to since", live, execution, claimed, runs)}
		}
		return Decision{Kind: Released, TaskDefinition: str(live.Service.TaskDefinition)}
	case green.Execution() == rolledBack || live.Execution() == rolledBack:
		return Decision{Kind: Fail, Why: fmt.Sprintf("execution %s was rolled back, and is not released again", execution)}
	case live.Execution() == retired:
		return Decision{Kind: Fail, Why: fmt.Sprintf("execution %s was released before and is being replaced by a later one", execution)}
	case green.Execution() == retired:
		return Decision{Kind: Fail, Why: fmt.Sprintf("execution %s was released before and has been replaced by %s", execution, bluegreen.DescribeExecution(live.Execution()))}
	case r.Green != "" && green.Execution() != execution:
		return Decision{Kind: Fail, Why: fmt.Sprintf("%s took over %s, which was being deployed by execution %s", bluegreen.DescribeExecution(green.Execution()), green, execution)}
	case !tagged(green, execution, r.Image):
		return Decision{Kind: Claim}
	case !r.Test.PointsTo(green.TargetGroup):
		return Decision{Kind: RouteTest}
	}
	return decideDeployment(r, live, green)
}

// decideDeployment takes green's service from a task definition to a finished
// deployment.
func decideDeployment(r Release, live, green bluegreen.Side) Decision {
	primary, _ := green.Primary()
	arn := r.TaskDefinition
	switch {
	case arn == "" && r.Looked:
		return Decision{Kind: Register}
	case arn == "":
		return Decision{Kind: Look}
	}
	count := max(int(live.Service.DesiredCount), r.MinimumCount, 1)
	desired := max(green.Service.DesiredCount, int32(count))
	update := Decision{Kind: Update, TaskDefinition: arn, DesiredCount: desired}
	failed := primary.RolloutState == types.DeploymentRolloutStateFailed
	switch elsewhere := str(primary.TaskDefinition) != arn; {
	case elsewhere && r.Deployment != "":
		return Decision{Kind: Fail, Broken: true, TaskDefinition: arn, Why: replaced(green, arn, primary)}
	case failed && r.Deployment != "":
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
		if r.Blind && len(why) == 1 {
			why[0] = "the health of its targets, which is read when all of the set is deployed"
		}
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
