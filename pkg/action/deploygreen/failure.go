package deploygreen

import (
	"context"
	"fmt"
	"strings"

	cptypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"cutover/pkg/bluegreen"
	"cutover/pkg/job"
)

// shownEvents is how many of the service's last events a failure quotes.
const shownEvents = 3

// shownCauses is of how many services of a set a failure tells the cause.
const shownCauses = 3

// failure tells what failed, why as far as ECS knows, how production stands
// and what to do.
func (a *Action) failure(ctx context.Context, w World, failed []Decision) error {
	var text, more []string
	broken := false
	for i, d := range failed {
		r := w.Releases[d.Release]
		broken = broken || d.Broken
		if i < shownCauses {
			text = append(text, r.prefix()+strings.Join(a.cause(ctx, r, d), "; "))
		} else {
			more = append(more, r.Name)
		}
	}
	if len(more) > 0 {
		text = append(text, "so it is with "+few(more, ", "))
	}
	images, image := "this image", "the same image"
	if w.Set != "" {
		images, image = "these images", "the same images"
	}
	text = append(text, w.standing())
	if broken {
		text = append(text, "fix what stops the tasks and push again, or retry the stage to deploy "+image+" once more")
	} else {
		text = append(text, "start the pipeline again to release "+images)
	}
	return job.Failed("%s", strings.Join(text, "; "))
}

// cause is why a release failed and, if tasks did, what ECS tells of them.
func (a *Action) cause(ctx context.Context, r Release, d Decision) []string {
	cause := []string{d.Why}
	if !d.Broken {
		return cause
	}
	green, _ := r.Idle()
	if stopped := a.stopped(ctx, r.Cluster, green, d.TaskDefinition); stopped != "" {
		cause = append(cause, stopped)
	}
	if events := lastEvents(green.Service.Events); events != "" {
		cause = append(cause, "last events of the service: "+events)
	}
	return cause
}

// invalid lists the faults, with how production stands.
func invalid(first bool, w World, faults []string) error {
	did := "Nothing was changed"
	if !first {
		did = "Nothing more was changed"
	}
	list := job.ConfigurationError(faults...).Error()
	return &job.Failure{
		Type: cptypes.FailureTypeConfigurationError,
		Message: fmt.Sprintf("%s\n%s: %s. Correct this and retry the stage; if you change the pipeline or the source for it, start the pipeline instead.",
			list, did, w.standing()),
	}
}

func lastEvents(events []types.ServiceEvent) string {
	var texts []string
	for _, e := range events[:min(len(events), shownEvents)] { // AWS tells the newest first
		texts = append(texts, fmt.Sprintf("%q", str(e.Message)))
	}
	return strings.Join(texts, ", ")
}

// stopped tells why the last task of the task definition stopped. It is an
// addition to a failure, so what keeps it from being read is told in its place.
func (a *Action) stopped(ctx context.Context, cluster string, green bluegreen.Side, taskDefinition string) string {
	listed, err := a.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &cluster, ServiceName: green.Service.ServiceName, DesiredStatus: types.DesiredStatusStopped})
	if err != nil {
		return fmt.Sprintf("why its tasks stopped is not known: %v", err)
	}
	if len(listed.TaskArns) == 0 {
		return ""
	}
	arns := listed.TaskArns[:min(len(listed.TaskArns), 100)] // the most that DescribeTasks takes
	out, err := a.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: arns})
	if err != nil {
		return fmt.Sprintf("why its tasks stopped is not known: %v", err)
	}
	var last *types.Task
	for i := range out.Tasks {
		t := &out.Tasks[i]
		if str(t.TaskDefinitionArn) != taskDefinition || t.StoppedAt == nil {
			continue
		}
		if last == nil || t.StoppedAt.After(*last.StoppedAt) {
			last = t
		}
	}
	if last == nil {
		return ""
	}
	return "its last task stopped: " + stopReason(*last)
}

func stopReason(t types.Task) string {
	reasons := []string{}
	if r := str(t.StoppedReason); r != "" {
		reasons = append(reasons, r)
	}
	for _, c := range t.Containers {
		detail := str(c.Reason)
		if c.ExitCode != nil {
			detail = strings.TrimSpace(fmt.Sprintf("exit code %d %s", *c.ExitCode, detail))
		}
		if detail != "" {
			reasons = append(reasons, fmt.Sprintf("container %s: %s", str(c.Name), detail))
		}
	}
	if len(reasons) == 0 {
		return string(t.StopCode)
	}
	return strings.Join(reasons, ", ")
}
