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

// failure tells what failed, why as far as ECS knows, how production stands
// and what to do.
func (a *Action) failure(ctx context.Context, w World, p Params, d Decision) error {
	r := w.Releases[d.Release]
	if !d.Broken {
		return job.Failed("%s; %s; start the pipeline again to release this image", d.Why, r.Standing())
	}
	green, _ := r.Idle()
	text := []string{d.Why}
	if stopped := a.stopped(ctx, p.Cluster, green, d.TaskDefinition); stopped != "" {
		text = append(text, stopped)
	}
	if events := lastEvents(green.Service.Events); events != "" {
		text = append(text, "last events of the service: "+events)
	}
	text = append(text, r.Standing(), "fix what stops the tasks and push again, or retry the stage to deploy the same image once more")
	return job.Failed("%s", strings.Join(text, "; "))
}

// invalid lists the faults, with how production stands.
func invalid(first bool, pair bluegreen.Pair, faults []string) error {
	did := "Nothing was changed"
	if !first {
		did = "Nothing more was changed"
	}
	list := job.ConfigurationError(faults...).Error()
	return &job.Failure{
		Type: cptypes.FailureTypeConfigurationError,
		Message: fmt.Sprintf("%s\n%s: %s. Correct this and retry the stage; if you change the pipeline or the source for it, start the pipeline instead.",
			list, did, pair.Standing()),
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
