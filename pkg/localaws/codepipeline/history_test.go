package codepipeline

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHistory_Filters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.create(pipelineOf(deploy(invoke("swap", "")), approve()))
	wantCode(t, w.fail(w.jobOf("swap"), "broken"), "")
	wantCode(t, w.retry("Deploy", first, FailedActions), "")
	wantCode(t, w.succeed(w.jobOf("swap")), "")
	second := w.start()

	stage := "Deploy"
	in := &ListPipelineExecutionsInput{PipelineName: "release", Filter: &ExecutionFilter{}}
	in.Filter.SucceededInStage = &struct {
		StageName string `aws:",required"`
	}{stage}
	executions, err := w.service.ListPipelineExecutions(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got := executions.PipelineExecutionSummaries; len(got) != 1 || got[0].PipelineExecutionId != first {
		t.Errorf("succeeded in Deploy: got %+v, want the first execution", got)
	}
	runs := func(id, latestRange string) (n int, err error) {
		f := &ActionFilter{PipelineExecutionId: id}
		if latestRange != "" {
			f.PipelineExecutionId = ""
			f.LatestInPipelineExecution = &struct {
				PipelineExecutionId string `aws:",required"`
				StartTimeRange      string `aws:",required"`
			}{id, latestRange}
		}
		out, err := w.service.ListActionExecutions(t.Context(), &ListActionExecutionsInput{PipelineName: "release", Filter: f})
		if err != nil {
			return 0, err
		}
		return len(out.ActionExecutionDetails), nil
	}
	for _, c := range []struct {
		id, latest string
		want       int
	}{
		{first, "", 4},        // fetch, swap twice, approval
		{first, "All", 4},     // the same
		{first, "Latest", 3},  // without the swap that was retried
		{second, "Latest", 2}, // fetch, swap
	} {
		got, err := runs(c.id, c.latest)
		if err != nil || got != c.want {
			t.Errorf("runs of execution in range %q: got %d (%v), want %d", c.latest, got, err, c.want)
		}
	}
	_, err = runs(newID(), "")
	wantCode(t, err, "PipelineExecutionNotFoundException")
}

func TestTrigger_StartsForARule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(pipelineOf(approve()))
	rule := "arn:aws:events:us-east-1:111122223333:rule/push"
	id, err := w.service.Trigger("arn:aws:codepipeline:us-east-1:111122223333:release", rule)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.execution(id).trigger; got != (Trigger{"CloudWatchEvent", rule}) {
		t.Errorf("trigger: got %+v, want the rule", got)
	}
	_, err = w.service.Trigger("arn:aws:codepipeline:us-east-1:111122223333:other", rule)
	wantCode(t, err, "PipelineNotFoundException")
	_, err = w.service.Trigger("arn:aws:codepipeline:eu-west-1:111122223333:release", rule)
	wantCode(t, err, "InvalidArnException")
}

func TestEvents_OfAFailedActionHaveAWSsShape(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(pipelineOf(deploy(invoke("swap", ""))))
	run := w.action("Deploy", "swap").ActionExecutionId
	wantCode(t, w.fail(w.jobOf("swap"), "green is unhealthy"), "")
	text, err := json.Marshal(w.published.details[len(w.published.details)-3:])
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	common := func(event map[string]any) map[string]any {
		event["source"], event["pipeline"], event["execution-id"] = "aws.codepipeline", "release", id
		event["resources"] = []any{"arn:aws:codepipeline:us-east-1:111122223333:release"}
		event["version"], event["pipeline-execution-attempt"], event["state"] = 1.0, 1.0, "FAILED"
		event["start-time"] = "2026-03-01T12:00:00.000Z"
		return event
	}
	want := []map[string]any{
		common(map[string]any{
			"detail-type": "CodePipeline Action Execution State Change", "stage": "Deploy", "action": "swap", "region": "us-east-1",
			"action-execution-id": run,
			"type":                map[string]any{"owner": "AWS", "provider": "Lambda", "category": "Invoke", "version": "1"},
			"input-artifacts":     []any{}, "output-artifacts": []any{},
			"execution-result": map[string]any{"external-execution-id": "", "external-execution-summary": "green is unhealthy", "error-code": "JobFailed"},
		}),
		common(map[string]any{"detail-type": "CodePipeline Stage Execution State Change", "stage": "Deploy"}),
		common(map[string]any{
			"detail-type":       "CodePipeline Pipeline Execution State Change",
			"execution-trigger": map[string]any{"trigger-type": "CreatePipeline", "trigger-detail": ""},
		}),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
