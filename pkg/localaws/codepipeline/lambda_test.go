package codepipeline

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/wire"
)

func TestLambda_EventHasAWSsShape(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := invoke("deploy-green", `{"commit":"#{Source.CommitId}","execution":"#{codepipeline.PipelineExecutionId}"}`)
	a.InputArtifacts = []ArtifactName{{"SourceOutput"}}
	a.OutputArtifacts = []ArtifactName{{"Report"}}
	d := pipelineOf(deploy(a))
	d.ArtifactStore.EncryptionKey = &EncryptionKey{Id: "arn:aws:kms:us-east-1:111122223333:key/k", Type: "KMS"}
	id := w.create(d)
	if err := w.resume(w.functions.last(t), "half way"); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)

	if n := len(w.functions.raw); n != 2 {
		t.Fatalf("invocations: got %d, want 2", n)
	}
	var got []any
	for _, raw := range w.functions.raw {
		var event any
		if err := json.Unmarshal(raw, &event); err != nil {
			t.Fatal(err)
		}
		job := event.(map[string]any)["CodePipeline.job"].(map[string]any)
		if id := job["id"].(string); !jobPattern.MatchString(id) {
			t.Errorf("job id: got %q, want a UUID in lower case", id)
		}
		job["id"] = "ID"
		data := job["data"].(map[string]any)
		for _, side := range []string{"inputArtifacts", "outputArtifacts"} {
			location := data[side].([]any)[0].(map[string]any)["location"].(map[string]any)["s3Location"].(map[string]any)
			key := location["objectKey"].(string)
			location["objectKey"] = key[:strings.LastIndex(key, "/")]
		}
		data["artifactCredentials"].(map[string]any)["accessKeyId"] = "KEY"
		got = append(got, event)
	}
	want := `[{"CodePipeline.job": {
		"id": "ID", "accountId": "111122223333",
		"data": {
			"actionConfiguration": {"configuration": {"FunctionName": "deploy-green",
				"UserParameters": "{\"commit\":\"c0ffee01\",\"execution\":\"` + id + `\"}"}},
			"inputArtifacts": [{"name": "SourceOutput", "revision": "c0ffee01",
				"location": {"type": "S3", "s3Location": {"bucketName": "artifacts", "objectKey": "release/SourceOutp"}}}],
			"outputArtifacts": [{"name": "Report", "revision": null,
				"location": {"type": "S3", "s3Location": {"bucketName": "artifacts", "objectKey": "release/Report"}}}],
			"artifactCredentials": {"accessKeyId": "KEY", "secretAccessKey": "secret", "sessionToken": "token", "expirationTime": 1772370000000},
			"encryptionKey": {"id": "arn:aws:kms:us-east-1:111122223333:key/k", "type": "KMS"}
		}}}]`
	var wanted []any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted[0], got[0]); diff != "" {
		t.Errorf("first event (-want +got):\n%s", diff)
	}
	continued := wanted[0].(map[string]any)["CodePipeline.job"].(map[string]any)["data"].(map[string]any)
	continued["continuationToken"] = "half way"
	if diff := cmp.Diff(wanted[0], got[1]); diff != "" {
		t.Errorf("continued event (-want +got):\n%s", diff)
	}
	if w.functions.jobs[0].ID == w.functions.jobs[1].ID {
		t.Error("job id: got the same for the continuation, want a new one")
	}
}

func TestLambda_ContinuationComesAfterTheDelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(pipelineOf(deploy(invoke("swap", ""))))
	percent, summary, external := 40, "shifted 40 percent", "shift-1"
	_, err := w.service.PutJobSuccessResult(t.Context(), &PutJobSuccessResultInput{
		JobId: w.functions.last(t).ID, ContinuationToken: &summary,
		ExecutionDetails: &ExecutionDetails{Summary: &summary, PercentComplete: &percent, ExternalExecutionId: &external},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := w.wantAction("Deploy", "swap", ActionInProgress)
	if got.Summary != summary || got.PercentComplete == nil || *got.PercentComplete != percent || got.ExternalExecutionId != external {
		t.Errorf("progress: got %+v, want %q, %d, %q", got, summary, percent, external)
	}
	w.clock.Advance(29 * time.Second)
	if n := len(w.functions.jobs); n != 1 {
		t.Errorf("invocations 29 s after the report: got %d, want 1", n)
	}
	w.clock.Advance(time.Second)
	if n := len(w.functions.jobs); n != 2 {
		t.Fatalf("invocations 30 s after the report: got %d, want 2", n)
	}
	if err := w.succeed(w.functions.last(t)); err != nil {
		t.Fatal(err)
	}
	w.wantStatus(id, ExecutionSucceeded)
}

func TestLambda_Timers(t *testing.T) {
	t.Parallel()
	t.Run("20 minutes of silence fail the action", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.create(pipelineOf(deploy(invoke("swap", ""))))
		w.clock.Advance(20*time.Minute - time.Second)
		w.wantStatus(id, ExecutionInProgress)
		w.clock.Advance(time.Second)
		w.wantStatus(id, ExecutionFailed)
		if got := w.action("Deploy", "swap").ErrorDetails; got == nil || !strings.Contains(got.Message, "failed to return a result") {
			t.Errorf("error details: got %+v, want that no result was returned", got)
		}
		wantCode(t, w.succeed(w.functions.last(t)), "InvalidJobStateException")
	})
	t.Run("each continuation restarts the silence timer, up to 24 hours in all", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.create(pipelineOf(deploy(invoke("swap", ""))))
		began := w.clock.Now()
		for range 24 * 4 {
			if w.execution(id).status != ExecutionInProgress {
				break
			}
			w.clock.Advance(15*time.Minute - 30*time.Second)
			if err := w.resume(w.functions.last(t), "more"); err != nil {
				t.Fatalf("continue after %v: %v", w.clock.Now().Sub(began), err)
			}
			w.clock.Advance(30 * time.Second)
		}
		if passed := w.clock.Now().Sub(began); passed != 24*time.Hour {
			t.Errorf("the action lived %v, want 24 h", passed)
		}
		w.wantStatus(id, ExecutionFailed)
		if got := w.action("Deploy", "swap").ErrorDetails; got == nil || !strings.Contains(got.Message, "24 hours") {
			t.Errorf("error details: got %+v, want the 24 hours named", got)
		}
		jobs := len(w.functions.jobs)
		w.clock.Advance(time.Hour)
		if n := len(w.functions.jobs); n != jobs {
			t.Errorf("invocations after the end: got %d more, want none", n-jobs)
		}
	})
}

func TestPutJobResult_Limits(t *testing.T) {
	t.Parallel()
	text := func(n int) *string { s := strings.Repeat("ü", n); return &s }
	number := func(n int) *int { return &n }
	success := func(change func(*PutJobSuccessResultInput)) func(*world, string) error {
		return func(w *world, id string) error {
			in := &PutJobSuccessResultInput{JobId: id}
			change(in)
			_, err := w.service.PutJobSuccessResult(w.t.Context(), in)
			return err
		}
	}
	failure := func(change func(*FailureDetails)) func(*world, string) error {
		return func(w *world, id string) error {
			in := &PutJobFailureResultInput{JobId: id, FailureDetails: FailureDetails{Type: "JobFailed", Message: "m"}}
			change(&in.FailureDetails)
			_, err := w.service.PutJobFailureResult(w.t.Context(), in)
			return err
		}
	}
	for _, c := range []struct {
		name   string
		report func(*world, string) error
		code   string
	}{
		{"a token of 2048 characters", success(func(in *PutJobSuccessResultInput) { in.ContinuationToken = text(2048) }), ""},
		{"a token of 2049 characters", success(func(in *PutJobSuccessResultInput) { in.ContinuationToken = text(2049) }), "ValidationException"},
		{"an empty token", success(func(in *PutJobSuccessResultInput) { in.ContinuationToken = text(0) }), "ValidationException"},
		{"a summary of 2048 characters", success(func(in *PutJobSuccessResultInput) { in.ExecutionDetails = &ExecutionDetails{Summary: text(2048)} }), ""},
		{"a summary of 2049 characters", success(func(in *PutJobSuccessResultInput) { in.ExecutionDetails = &ExecutionDetails{Summary: text(2049)} }), "ValidationException"},
		{"an empty summary", success(func(in *PutJobSuccessResultInput) { in.ExecutionDetails = &ExecutionDetails{Summary: text(0)} }), "ValidationException"},
		{"an external id of 1501 characters", success(func(in *PutJobSuccessResultInput) {
			in.ExecutionDetails = &ExecutionDetails{ExternalExecutionId: text(1501)}
		}), "ValidationException"},
		{"101 percent", success(func(in *PutJobSuccessResultInput) {
			in.ExecutionDetails = &ExecutionDetails{PercentComplete: number(101)}
		}), "ValidationException"},
		{"variables together with a token", success(func(in *PutJobSuccessResultInput) {
			in.ContinuationToken, in.OutputVariables = text(1), map[string]string{"a": "b"}
		}), "ValidationException"},
		{"a variable with a dot in its name", success(func(in *PutJobSuccessResultInput) { in.OutputVariables = map[string]string{"a.b": "c"} }), "ValidationException"},
		{"variables of 122880 bytes", success(func(in *PutJobSuccessResultInput) {
			in.OutputVariables = map[string]string{"k": strings.Repeat("v", 122879)}
		}), ""},
		{"variables of 122881 bytes", success(func(in *PutJobSuccessResultInput) {
			in.OutputVariables = map[string]string{"k": strings.Repeat("v", 122880)}
		}), "OutputVariablesSizeExceededException"},
		{"a message of 5000 characters", failure(func(d *FailureDetails) { d.Message = *text(5000) }), ""},
		{"a message of 5001 characters", failure(func(d *FailureDetails) { d.Message = *text(5001) }), "ValidationException"},
		{"an empty message", failure(func(d *FailureDetails) { d.Message = "" }), "ValidationException"},
		{"an unknown failure type", failure(func(d *FailureDetails) { d.Type = "Broken" }), "ValidationException"},
		{"an id that is none", func(w *world, _ string) error {
			return success(func(*PutJobSuccessResultInput) {})(w, "JOB")
		}, "ValidationException"},
		{"an unknown job", func(w *world, _ string) error {
			return success(func(*PutJobSuccessResultInput) {})(w, "00000000-0000-4000-8000-000000000000")
		}, "JobNotFoundException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create(pipelineOf(deploy(invoke("swap", ""))))
			job := w.functions.last(t)
			wantCode(t, c.report(w, job.ID), c.code)
			got, _ := w.service.Reports(job.ID)
			want := 0
			if c.code == "" {
				want = 1
			}
			if got.Accepted != want {
				t.Errorf("accepted reports: got %d, want %d", got.Accepted, want)
			}
			if c.code != "" {
				// A refused report leaves the job open.
				wantCode(t, w.succeed(job), "")
			}
		})
	}
}

func TestPutJobResult_SecondReportIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(pipelineOf(deploy(invoke("swap", ""))))
	job := w.functions.last(t)
	wantCode(t, w.resume(job, "more"), "")
	wantCode(t, w.succeed(job), "InvalidJobStateException")
	wantCode(t, w.fail(job, "late"), "InvalidJobStateException")
	w.wantAction("Deploy", "swap", ActionInProgress)
	got, ok := w.service.Reports(job.ID)
	if !ok || got.Accepted != 1 || got.Refused != 2 || got.Action != "swap" {
		t.Errorf("record: got %+v, want one report accepted and two refused for swap", got)
	}
	w.clock.Advance(30 * time.Second)
	wantCode(t, w.fail(w.functions.last(t), "no capacity"), "")
	wantCode(t, w.succeed(w.functions.last(t)), "InvalidJobStateException")
	if got := w.wantAction("Deploy", "swap", ActionFailed); got.ErrorDetails.Message != "no capacity" {
		t.Errorf("message: got %q, want %q", got.ErrorDetails.Message, "no capacity")
	}
	if n := len(w.service.Jobs()); n != 2 {
		t.Errorf("jobs: got %d, want 2", n)
	}
}

func TestLambda_CannotBeInvoked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		refuse error
		denied string
		code   string
		says   string
	}{
		{"the function does not exist", wire.Errorf("ResourceNotFoundException", "Function not found: swap"), "", "ConfigurationError", "Function not found: swap"},
		{"Lambda has a fault", errors.New("out of order"), "", "JobFailed", "out of order"},
		{"the role may not invoke", nil, "lambda:InvokeFunction", "PermissionError", "is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:111122223333:function:swap"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.functions.refuse = c.refuse
			w.roles.denied[c.denied] = true
			id := w.create(pipelineOf(deploy(invoke("swap", ""))))
			w.wantStatus(id, ExecutionFailed)
			got := w.wantAction("Deploy", "swap", ActionFailed)
			if got.ErrorDetails.Code != c.code || !strings.Contains(got.ErrorDetails.Message, c.says) {
				t.Errorf("error details: got %+v, want %s with %q", got.ErrorDetails, c.code, c.says)
			}
		})
	}
}

func TestGetJobDetails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(pipelineOf(deploy(invoke("swap", `{"a":1}`))))
	if err := w.resume(w.functions.last(t), "token"); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	job := w.functions.last(t)
	out, err := w.service.GetJobDetails(t.Context(), &GetJobDetailsInput{JobId: job.ID})
	if err != nil {
		t.Fatal(err)
	}
	d := out.JobDetails.Data
	if d.PipelineContext.PipelineExecutionId != id || d.PipelineContext.Stage.Name != "Deploy" || d.PipelineContext.Action.Name != "swap" ||
		d.PipelineContext.PipelineArn != "arn:aws:codepipeline:us-east-1:111122223333:release" || d.ContinuationToken != "token" ||
		d.ActionConfiguration.Configuration["UserParameters"] != `{"a":1}` || d.ArtifactCredentials.SecretAccessKey != "secret" {
		t.Errorf("details: got %+v", out.JobDetails)
	}
	_, err = w.service.GetJobDetails(t.Context(), &GetJobDetailsInput{JobId: id})
	wantCode(t, err, "JobNotFoundException")
}
