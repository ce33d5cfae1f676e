package codepipeline

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExecution_FromCommitToSwap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.builds.outcome = Outcome{Succeeded: true, Artifact: []byte("image file"), Variables: map[string]string{"TAG": "v7"}}
	green := invoke("deploy-green", "tag=#{Built.TAG} colour=#{variables.COLOUR}")
	green.Namespace = "Green"
	green.InputArtifacts = []ArtifactName{{"BuildOutput"}}
	d := pipelineOf(build(), deploy(green), approve(), Stage{Name: "Swap", Actions: []Action{invoke("swap", "#{Green.side}")}})
	d.Variables = []VariableDeclaration{{Name: "COLOUR", DefaultValue: "blue"}}
	id := w.create(d)

	if got := w.builds.started; len(got) != 1 || string(got[0].Source) != "zip of c0ffee01" || got[0].SourceVersion != "c0ffee01" ||
		got[0].Initiator != "codepipeline/release" ||
		!cmp.Equal(got[0].Environment, map[string]string{"COMMIT": "c0ffee01", "RUN": id}) {
		t.Errorf("builds: got %+v", got)
	}
	job := w.functions.last(t)
	if got := job.Data.ActionConfiguration.Configuration["UserParameters"]; got != "tag=v7 colour=blue" {
		t.Errorf("parameters: got %q, want tag=v7 colour=blue", got)
	}
	at := job.Data.InputArtifacts[0].Location.S3Location
	if body, _ := w.objects.Get(at.BucketName, at.ObjectKey); string(body) != "image file" {
		t.Errorf("input artifact: got %q, want the build's", body)
	}
	if _, err := w.service.PutJobSuccessResult(t.Context(), &PutJobSuccessResultInput{JobId: job.ID, OutputVariables: map[string]string{"side": "b"}}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	approval := w.wantAction("Approve", "Approval", ActionInProgress)
	summary := "go"
	if _, err := w.service.PutApprovalResult(t.Context(), &PutApprovalResultInput{
		PipelineName: "release", StageName: "Approve", ActionName: "Approval", Token: approval.Token,
		Result: ApprovalResult{Status: "Approved", Summary: &summary},
	}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	job = w.functions.last(t)
	if got := job.Data.ActionConfiguration.Configuration; got["FunctionName"] != "swap" || got["UserParameters"] != "b" {
		t.Errorf("swap: got %v, want the side of deploy-green", got)
	}
	if err := w.succeed(job); err != nil {
		t.Fatal(err)
	}
	w.wantStatus(id, ExecutionSucceeded)

	list, err := w.service.ListActionExecutions(t.Context(), &ListActionExecutionsInput{PipelineName: "release"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range list.ActionExecutionDetails {
		names = append(names, a.StageName+"/"+a.ActionName)
	}
	if want := []string{"Swap/swap", "Approve/Approval", "Deploy/deploy-green", "Build/Image", "Source/Fetch"}; !slices.Equal(names, want) {
		t.Errorf("actions: got %q, want %q", names, want)
	}
	if got := list.ActionExecutionDetails[1].Input.ResolvedConfiguration["CustomData"]; got != "Release c0ffee01?" {
		t.Errorf("resolved configuration: got %q", got)
	}
	want := map[string]string{
		"CommitId": "c0ffee01", "CommitMessage": "change c0ffee01", "RepositoryName": "hello", "BranchName": "main",
		"AuthorDate": "2026-03-01T11:00:00Z", "CommitterDate": "2026-03-01T11:30:00Z",
	}
	if diff := cmp.Diff(want, list.ActionExecutionDetails[4].Output.OutputVariables); diff != "" {
		t.Errorf("source variables (-want +got):\n%s", diff)
	}
	if got := w.published.states("CodePipeline Pipeline Execution State Change"); !slices.Equal(got, []string{"STARTED", "SUCCEEDED"}) {
		t.Errorf("pipeline events: got %q", got)
	}
	if got := w.published.states("CodePipeline Stage Execution State Change"); len(got) != 10 {
		t.Errorf("stage events: got %q, want a start and an end for each of 5 stages", got)
	}
	if got := w.published.states("CodePipeline Action Execution State Change"); len(got) != 10 {
		t.Errorf("action events: got %q, want a start and an end for each of 5 actions", got)
	}
}

func TestExecution_RunOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := inOrder(1, invoke("a", ""))
	first.Namespace = "A"
	id := w.create(pipelineOf(deploy(first, inOrder(1, invoke("b", "")), inOrder(5, invoke("c", "#{A.x}")))))
	if n := len(w.functions.jobs); n != 2 {
		t.Fatalf("invocations: got %d, want a and b side by side", n)
	}
	if err := w.succeed(w.functions.jobs[1]); err != nil {
		t.Fatal(err)
	}
	if n := len(w.functions.jobs); n != 2 {
		t.Fatalf("invocations: got %d, want c to wait for a", n)
	}
	if _, err := w.service.PutJobSuccessResult(t.Context(), &PutJobSuccessResultInput{JobId: w.functions.jobs[0].ID, OutputVariables: map[string]string{"x": "1"}}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	job := w.functions.last(t)
	if got := job.Data.ActionConfiguration.Configuration["UserParameters"]; got != "1" {
		t.Errorf("c's parameters: got %q, want 1", got)
	}
	if err := w.succeed(job); err != nil {
		t.Fatal(err)
	}
	w.wantStatus(id, ExecutionSucceeded)
}

func TestExecution_UnresolvableReferenceFailsTheAction(t *testing.T) {
	t.Parallel()
	for _, parameters := range []string{"#{Source.Colour}", "#{Nowhere.x}", "#{codepipeline.Name}", "#{variables.X}", "#{plain}"} {
		t.Run(parameters, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.create(pipelineOf(deploy(invoke("swap", "see "+parameters))))
			w.wantStatus(id, ExecutionFailed)
			got := w.wantAction("Deploy", "swap", ActionFailed)
			if got.ErrorDetails.Code != "ConfigurationError" || !strings.Contains(got.ErrorDetails.Message, parameters) {
				t.Errorf("error details: got %+v, want a ConfigurationError that names %s", got.ErrorDetails, parameters)
			}
			if n := len(w.functions.jobs); n != 0 {
				t.Errorf("invocations: got %d, want none", n)
			}
		})
	}
}

func TestExecution_EachPermissionIsNeeded(t *testing.T) {
	t.Parallel()
	for action, at := range map[string][2]string{
		"codecommit:GetBranch":              {"Source", "Fetch"},
		"codecommit:GetCommit":              {"Source", "Fetch"},
		"codecommit:UploadArchive":          {"Source", "Fetch"},
		"codecommit:GetUploadArchiveStatus": {"Source", "Fetch"},
		"s3:PutObject":                      {"Source", "Fetch"},
		"codebuild:StartBuild":              {"Build", "Image"},
		"codebuild:BatchGetBuilds":          {"Build", "Image"},
		"lambda:InvokeFunction":             {"Deploy", "swap"},
		"sts:AssumeRole":                    {"Deploy", "swap"},
	} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.builds.outcome = Outcome{Succeeded: true, Artifact: []byte{}}
			w.roles.denied[action] = true
			swap := invoke("swap", "")
			swap.RoleArn = "arn:aws:iam::111122223333:role/action"
			id := w.create(pipelineOf(build(), deploy(swap)))
			w.wantStatus(id, ExecutionFailed)
			got := w.wantAction(at[0], at[1], ActionFailed)
			if got.ErrorDetails.Code != "PermissionError" || !strings.Contains(got.ErrorDetails.Message, "perform: "+action+" on resource: arn:aws:") {
				t.Errorf("error details: got %+v, want %s named", got.ErrorDetails, action)
			}
		})
	}
}

func TestExecution_WhatSourcesAndBuildsMayDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(*world)
		stage   string
		action  string
		says    string
	}{
		{"the branch does not exist", func(w *world) { w.commits.refuse = errors.New("no branch main") }, "Source", "Fetch", "no branch main"},
		{"the project does not exist", func(w *world) { w.builds.refuse = errors.New("no project hello") }, "Build", "Image", "no project hello"},
		{"the build fails", func(w *world) { w.builds.outcome = Outcome{Message: "go vet: exit status 1"} }, "Build", "Image", "go vet: exit status 1"},
		{"the build makes no artifact", func(w *world) { w.builds.outcome = Outcome{Succeeded: true} }, "Build", "Image", "did not make the artifact BuildOutput"},
		{"the build never ends", func(w *world) { w.builds.hold = true }, "Build", "Image", "36 hours"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.prepare(w)
			id := w.create(pipelineOf(build()))
			w.clock.Advance(37 * time.Hour)
			w.wantStatus(id, ExecutionFailed)
			if got := w.wantAction(c.stage, c.action, ActionFailed).ErrorDetails; !strings.Contains(got.Message, c.says) {
				t.Errorf("error details: got %+v, want %q in it", got, c.says)
			}
		})
	}
}

func TestBuild_SeveralArtifacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.builds.outcome = Outcome{Succeeded: true, Secondary: map[string][]byte{"One": []byte("1"), "Two": []byte("2")}}
	d := pipelineOf(build())
	other := source().Actions[0]
	other.Name, other.Namespace, other.OutputArtifacts = "Other", "", []ArtifactName{{"OtherOutput"}}
	d.Stages[0].Actions = append(d.Stages[0].Actions, other)
	b := &d.Stages[1].Actions[0]
	b.InputArtifacts = append(b.InputArtifacts, ArtifactName{"OtherOutput"})
	b.OutputArtifacts = []ArtifactName{{"One"}, {"Two"}}
	b.Configuration["PrimarySource"] = "SourceOutput"
	id := w.create(d)
	w.wantStatus(id, ExecutionSucceeded)
	if got := w.builds.started[0]; string(got.SecondarySources["OtherOutput"]) != "zip of c0ffee01" {
		t.Errorf("secondary sources: got %q", got.SecondarySources)
	}
	two := w.execution(id).artifacts["Two"]
	if body, err := w.objects.Get(two.Bucket, two.Key); string(body) != "2" {
		t.Errorf("artifact Two: got %q (%v), want 2", body, err)
	}
}

func TestStart_TokensVariablesAndRevisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := pipelineOf(deploy(invoke("swap", "#{variables.A} #{variables.B}")))
	d.Variables = []VariableDeclaration{{Name: "A", DefaultValue: "a"}, {Name: "B"}}
	w.create(d)
	ctx := t.Context()
	token := "once"
	in := &StartPipelineExecutionInput{
		Name: "release", ClientRequestToken: &token, Variables: []PipelineVariable{{"B", "b"}},
		SourceRevisions: []SourceRevisionOverride{{"Fetch", "COMMIT_ID", "0ld"}},
	}
	first, err := w.service.StartPipelineExecution(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.service.StartPipelineExecution(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if first.PipelineExecutionId != again.PipelineExecutionId {
		t.Error("the same client request token: got two executions, want one")
	}
	w.settle()
	if got := w.functions.last(t).Data.ActionConfiguration.Configuration["UserParameters"]; got != "a b" {
		t.Errorf("parameters: got %q, want a b", got)
	}
	if got := w.commits.asked[len(w.commits.asked)-1]; got != "hello@0ld" {
		t.Errorf("commit: got %s, want the override", got)
	}
	out, err := w.service.GetPipelineExecution(ctx, &GetPipelineExecutionInput{PipelineName: "release", PipelineExecutionId: first.PipelineExecutionId})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.PipelineExecution; got.ArtifactRevisions[0].RevisionId != "0ld" || !slices.Equal(got.Variables, []ResolvedVariable{{"A", "a"}, {"B", "b"}}) {
		t.Errorf("execution: got %+v", got)
	}
	for name, bad := range map[string]*StartPipelineExecutionInput{
		"a variable without a value": {Name: "release"},
		"an unknown variable":        {Name: "release", Variables: []PipelineVariable{{"B", "b"}, {"C", "c"}}},
		"another revision type":      {Name: "release", Variables: in.Variables, SourceRevisions: []SourceRevisionOverride{{"Fetch", "IMAGE_DIGEST", "x"}}},
		"an unknown source":          {Name: "release", Variables: in.Variables, SourceRevisions: []SourceRevisionOverride{{"Get", "COMMIT_ID", "x"}}},
	} {
		_, err := w.service.StartPipelineExecution(ctx, bad)
		if err == nil {
			t.Errorf("%s: got no error", name)
			continue
		}
		wantCode(t, err, "ValidationException")
	}
}

func TestApproval(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*world, string, func(status, token string) error) {
		w := newWorld(t)
		id := w.create(pipelineOf(approve()))
		return w, id, func(status, token string) error {
			why := "because"
			_, err := w.service.PutApprovalResult(t.Context(), &PutApprovalResultInput{
				PipelineName: "release", StageName: "Approve", ActionName: "Approval", Token: token,
				Result: ApprovalResult{Status: status, Summary: &why},
			})
			return err
		}
	}
	t.Run("a rejection fails the execution", func(t *testing.T) {
		t.Parallel()
		w, id, put := setup(t)
		wantCode(t, put("Rejected", w.action("Approve", "Approval").Token), "")
		w.wantStatus(id, ExecutionFailed)
		if got := w.action("Approve", "Approval"); got.Summary != "because" || got.Token != "" {
			t.Errorf("action: got %+v, want the reviewer's summary and no token", got)
		}
	})
	t.Run("a second answer is refused", func(t *testing.T) {
		t.Parallel()
		w, id, put := setup(t)
		token := w.action("Approve", "Approval").Token
		wantCode(t, put("Approved", token), "")
		wantCode(t, put("Rejected", token), "ApprovalAlreadyCompletedException")
		w.wantStatus(id, ExecutionSucceeded)
	})
	t.Run("a wrong token and a wrong status are refused", func(t *testing.T) {
		t.Parallel()
		w, id, put := setup(t)
		wantCode(t, put("Approved", newID()), "InvalidApprovalTokenException")
		wantCode(t, put("Maybe", w.action("Approve", "Approval").Token), "ValidationException")
		w.wantStatus(id, ExecutionInProgress)
	})
	t.Run("no answer within 7 days fails the execution, and then it is too late", func(t *testing.T) {
		t.Parallel()
		w, id, put := setup(t)
		token := w.action("Approve", "Approval").Token
		w.clock.Advance(7*24*time.Hour - time.Second)
		w.wantStatus(id, ExecutionInProgress)
		w.clock.Advance(time.Second)
		w.wantStatus(id, ExecutionFailed)
		wantCode(t, put("Approved", token), "InvalidApprovalTokenException")
	})
	t.Run("timeoutInMinutes shortens the wait", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		d := pipelineOf(approve())
		minutes := 5
		d.Stages[1].Actions[0].TimeoutInMinutes = &minutes
		id := w.create(d)
		w.clock.Advance(5 * time.Minute)
		w.wantStatus(id, ExecutionFailed)
	})
}

func TestWatch_TellsInOrderAndMayCallBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var got []string
	stop := w.service.Watch(func(e Event) {
		got = append(got, strings.TrimSuffix(e.Stage+"/"+e.Action+" "+e.Status, " "))
		if e.Token != "" {
			ok := "ok"
			if _, err := w.service.PutApprovalResult(t.Context(), &PutApprovalResultInput{
				PipelineName: e.Pipeline, StageName: e.Stage, ActionName: e.Action, Token: e.Token,
				Result: ApprovalResult{Status: "Approved", Summary: &ok},
			}); err != nil {
				t.Errorf("approve from a watcher: %v", err)
			}
		}
	})
	w.create(pipelineOf(approve()))
	want := []string{
		"/ InProgress",
		"Source/ InProgress", "Source/Fetch InProgress", "Source/Fetch Succeeded", "Source/ Succeeded",
		"Approve/ InProgress", "Approve/Approval InProgress", "Approve/Approval Succeeded", "Approve/ Succeeded",
		"/ Succeeded",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	stop()
	seen := len(got)
	w.start()
	if len(got) != seen {
		t.Errorf("events after stop: got %d more, want none", len(got)-seen)
	}
}

func TestClose_EndsAllTimers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(pipelineOf(deploy(invoke("swap", ""))))
	w.service.Close()
	w.clock.Advance(48 * time.Hour)
	w.wantStatus(id, ExecutionInProgress)
}
