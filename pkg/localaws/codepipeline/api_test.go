package codepipeline

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"

	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/wire"
)

// narrow is an IAM in which KEY is an administrator, and others may do what is
// listed, as "action on resource".
type narrow struct{ allowed map[string]bool }

func (narrow) Principal(key string) (wire.Principal, bool) {
	p := wire.Principal{ARN: "arn:aws:iam::111122223333:user/" + key, AccessKeyID: key}
	if key != "KEY" {
		p.RoleARN = "arn:aws:iam::111122223333:role/" + key
	}
	return p, true
}

func (n narrow) Allowed(_ wire.Principal, a wire.Access) bool {
	return n.allowed[a.Action+" on "+a.Resource]
}

// serve puts a world behind HTTP.
func serve(t *testing.T, iam endpoint.IAM) (w *world, address string) {
	w = newWorld(t)
	e := endpoint.New(endpoint.Config{
		Clock: w.clock, IAM: iam, Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{},
		Logger: slog.New(slog.DiscardHandler),
	})
	e.Add(w.service.Wire())
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return w, server.URL
}

func client(address, key string) *codepipeline.Client {
	return codepipeline.New(codepipeline.Options{
		Region: "us-east-1", BaseEndpoint: &address, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, "SECRET", ""),
	})
}

func lambdaAction(name string) types.ActionDeclaration {
	return types.ActionDeclaration{
		Name:         &name,
		ActionTypeId: &types.ActionTypeId{Category: types.ActionCategoryInvoke, Owner: types.ActionOwnerAws, Provider: aws.String("Lambda"), Version: aws.String("1")},
		Configuration: map[string]string{
			"FunctionName": name, "UserParameters": "#{Source.CommitId}",
		},
	}
}

func declaration() *types.PipelineDeclaration {
	return &types.PipelineDeclaration{
		Name: aws.String("release"), RoleArn: aws.String(roleARN), PipelineType: types.PipelineTypeV2, ExecutionMode: types.ExecutionModeQueued,
		ArtifactStore: &types.ArtifactStore{Type: types.ArtifactStoreTypeS3, Location: aws.String(bucket)},
		Stages: []types.StageDeclaration{
			{Name: aws.String("Source"), Actions: []types.ActionDeclaration{{
				Name: aws.String("Fetch"), Namespace: aws.String("Source"),
				ActionTypeId:    &types.ActionTypeId{Category: types.ActionCategorySource, Owner: types.ActionOwnerAws, Provider: aws.String("CodeCommit"), Version: aws.String("1")},
				Configuration:   map[string]string{"RepositoryName": "hello", "BranchName": "main", "PollForSourceChanges": "false"},
				OutputArtifacts: []types.OutputArtifact{{Name: aws.String("SourceOutput")}},
			}}},
			{Name: aws.String("Deploy"), Actions: []types.ActionDeclaration{lambdaAction("deploy-green")}},
			{Name: aws.String("Approve"), Actions: []types.ActionDeclaration{{
				Name:         aws.String("Approval"),
				ActionTypeId: &types.ActionTypeId{Category: types.ActionCategoryApproval, Owner: types.ActionOwnerAws, Provider: aws.String("Manual"), Version: aws.String("1")},
			}}},
		},
	}
}

func TestAPI_AReleaseThroughTheSDK(t *testing.T) {
	t.Parallel()
	w, address := serve(t, narrow{})
	c, ctx, name := client(address, "KEY"), t.Context(), aws.String("release")
	created, err := c.CreatePipeline(ctx, &codepipeline.CreatePipelineInput{Pipeline: declaration(), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}})
	if err != nil {
		t.Fatal(err)
	}
	if *created.Pipeline.Version != 1 || *created.Tags[0].Key != "team" {
		t.Errorf("created: got %+v", created)
	}
	w.settle()
	list, err := c.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: name})
	if err != nil {
		t.Fatal(err)
	}
	first := list.PipelineExecutionSummaries[0]
	if first.Status != types.PipelineExecutionStatusInProgress || first.Trigger.TriggerType != types.TriggerTypeCreatePipeline || !first.StartTime.Equal(w.clock.Now()) {
		t.Errorf("first execution: got %+v", first)
	}
	job := w.functions.last(t).ID
	details, err := c.GetJobDetails(ctx, &codepipeline.GetJobDetailsInput{JobId: &job})
	if err != nil {
		t.Fatal(err)
	}
	if got := *details.JobDetails.Data.PipelineContext.PipelineExecutionId; got != *first.PipelineExecutionId {
		t.Errorf("job details: got execution %s, want %s", got, *first.PipelineExecutionId)
	}
	if _, err := c.PutJobFailureResult(ctx, &codepipeline.PutJobFailureResultInput{JobId: &job, FailureDetails: &types.FailureDetails{Type: types.FailureTypeJobFailed, Message: aws.String("unhealthy")}}); err != nil {
		t.Fatal(err)
	}
	var state *types.InvalidJobStateException
	if _, err := c.PutJobSuccessResult(ctx, &codepipeline.PutJobSuccessResultInput{JobId: &job}); !errors.As(err, &state) {
		t.Errorf("second report: got %v, want InvalidJobStateException", err)
	}
	if _, err := c.RetryStageExecution(ctx, &codepipeline.RetryStageExecutionInput{PipelineName: name, StageName: aws.String("Deploy"), PipelineExecutionId: first.PipelineExecutionId, RetryMode: types.StageRetryModeFailedActions}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	job = w.functions.last(t).ID
	if _, err := c.PutJobSuccessResult(ctx, &codepipeline.PutJobSuccessResultInput{
		JobId: &job, OutputVariables: map[string]string{"side": "green"},
		ExecutionDetails: &types.ExecutionDetails{Summary: aws.String("green is up"), PercentComplete: aws.Int32(100)},
	}); err != nil {
		t.Fatal(err)
	}
	shown, err := c.GetPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	approval := shown.StageStates[2].ActionStates[0].LatestExecution
	if got := shown.StageStates[1].ActionStates[0].LatestExecution; got.Status != types.ActionExecutionStatusSucceeded || *got.Summary != "green is up" || *got.PercentComplete != 100 {
		t.Errorf("deploy: got %+v", got)
	}
	if _, err := c.PutApprovalResult(ctx, &codepipeline.PutApprovalResultInput{
		PipelineName: name, StageName: aws.String("Approve"), ActionName: aws.String("Approval"), Token: approval.Token,
		Result: &types.ApprovalResult{Status: types.ApprovalStatusApproved, Summary: aws.String("")},
	}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: name, PipelineExecutionId: first.PipelineExecutionId})
	if err != nil {
		t.Fatal(err)
	}
	if got.PipelineExecution.Status != types.PipelineExecutionStatusSucceeded || *got.PipelineExecution.ArtifactRevisions[0].RevisionId != "c0ffee01" {
		t.Errorf("execution: got %+v", got.PipelineExecution)
	}
	rolled, err := c.RollbackStage(ctx, &codepipeline.RollbackStageInput{PipelineName: name, StageName: aws.String("Deploy"), TargetPipelineExecutionId: first.PipelineExecutionId})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.StopPipelineExecution(ctx, &codepipeline.StopPipelineExecutionInput{PipelineName: name, PipelineExecutionId: rolled.PipelineExecutionId, Abandon: true}); err != nil {
		t.Fatal(err)
	}
	actions, err := c.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: name, MaxResults: aws.Int32(3)})
	if err != nil {
		t.Fatal(err)
	}
	more, err := c.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: name, NextToken: actions.NextToken})
	if err != nil {
		t.Fatal(err)
	}
	all := append(actions.ActionExecutionDetails, more.ActionExecutionDetails...)
	if len(all) != 5 || all[0].Status != types.ActionExecutionStatusAbandoned || *all[4].Output.OutputArtifacts[0].S3location.Bucket != bucket {
		t.Errorf("actions: got %d, the first %s, want 5 and Abandoned", len(all), all[0].Status)
	}
}

func TestAPI_RoundTripOfAStructure(t *testing.T) {
	t.Parallel()
	_, address := serve(t, narrow{})
	c, ctx := client(address, "KEY"), t.Context()
	if _, err := c.CreatePipeline(ctx, &codepipeline.CreatePipelineInput{Pipeline: declaration()}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: aws.String("release")})
	if err != nil {
		t.Fatal(err)
	}
	if *got.Metadata.PipelineArn != "arn:aws:codepipeline:us-east-1:111122223333:release" {
		t.Errorf("ARN: got %s", *got.Metadata.PipelineArn)
	}
	updated, err := c.UpdatePipeline(ctx, &codepipeline.UpdatePipelineInput{Pipeline: got.Pipeline})
	if err != nil {
		t.Fatal(err)
	}
	if *updated.Pipeline.Version != 1 {
		t.Errorf("version after a round trip: got %d, want 1: nothing changed", *updated.Pipeline.Version)
	}
	list, err := c.ListPipelines(ctx, &codepipeline.ListPipelinesInput{})
	if err != nil || len(list.Pipelines) != 1 || list.Pipelines[0].ExecutionMode != types.ExecutionModeQueued {
		t.Errorf("list: got %+v, %v", list, err)
	}
}

func TestAPI_UnknownMembersAndOperationsAreNamed(t *testing.T) {
	t.Parallel()
	_, address := serve(t, narrow{})
	c, ctx := client(address, "KEY"), t.Context()
	d := declaration()
	d.Stages[1].BeforeEntry = &types.BeforeEntryConditions{Conditions: []types.Condition{}}
	d.Triggers = []types.PipelineTriggerDeclaration{{ProviderType: types.PipelineTriggerProviderTypeCodeStarSourceConnection, GitConfiguration: &types.GitConfiguration{SourceActionName: aws.String("Fetch")}}}
	_, err := c.CreatePipeline(ctx, &codepipeline.CreatePipelineInput{Pipeline: d})
	for _, says := range []string{"ValidationException", "pipeline.stages[1].beforeEntry: is unknown", "pipeline.triggers: is unknown"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("create: got %v, want %q in it", err, says)
		}
	}
	_, err = c.ListWebhooks(ctx, &codepipeline.ListWebhooksInput{})
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "UnknownOperationException" || !strings.Contains(refused.ErrorMessage(), "ListWebhooks") {
		t.Errorf("list webhooks: got %v, want UnknownOperationException that names it", err)
	}
}

func TestAPI_PermissionsAreForPipelinesStagesAndActions(t *testing.T) {
	t.Parallel()
	const pipeline = "arn:aws:codepipeline:us-east-1:111122223333:release"
	iam := narrow{map[string]bool{}}
	w, address := serve(t, iam)
	w.create(pipelineOf(deploy(invoke("swap", "")), approve()))
	c, ctx, name := client(address, "OPS"), t.Context(), aws.String("release")
	stage, id, job := aws.String("Deploy"), aws.String(newID()), aws.String(newID())
	for _, call := range []struct {
		action, resource string
		make             func() error
	}{
		{"StartPipelineExecution", pipeline, func() error {
			_, err := c.StartPipelineExecution(ctx, &codepipeline.StartPipelineExecutionInput{Name: name})
			return err
		}},
		{"GetPipelineState", pipeline, func() error {
			_, err := c.GetPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: name})
			return err
		}},
		{"RetryStageExecution", pipeline + "/Deploy", func() error {
			_, err := c.RetryStageExecution(ctx, &codepipeline.RetryStageExecutionInput{PipelineName: name, StageName: stage, PipelineExecutionId: id, RetryMode: types.StageRetryModeAllActions})
			return err
		}},
		{"PutApprovalResult", pipeline + "/Approve/Approval", func() error {
			_, err := c.PutApprovalResult(ctx, &codepipeline.PutApprovalResultInput{
				PipelineName: name, StageName: aws.String("Approve"), ActionName: aws.String("Approval"), Token: id,
				Result: &types.ApprovalResult{Status: types.ApprovalStatusApproved, Summary: aws.String("")},
			})
			return err
		}},
		{"PutJobSuccessResult", "*", func() error {
			_, err := c.PutJobSuccessResult(ctx, &codepipeline.PutJobSuccessResultInput{JobId: job})
			return err
		}},
	} {
		code := func() string {
			var refused smithy.APIError
			if err := call.make(); errors.As(err, &refused) {
				return refused.ErrorCode()
			}
			return ""
		}
		if got := code(); got != "AccessDeniedException" {
			t.Errorf("%s without permission: got %q, want AccessDeniedException", call.action, got)
		}
		iam.allowed["codepipeline:"+call.action+" on "+call.resource] = true
		if got := code(); got == "AccessDeniedException" {
			t.Errorf("%s on %s: got AccessDeniedException though it is allowed", call.action, call.resource)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, body := range []string{`{}`, `{"pipeline":{"name":"a","roleArn":"arn:aws:iam::1:role/a","artifactStore":{"type":"S3","location":"b"},"stages":[{"name":"S","actions":[]}]}}`, `{"jobId":"x","outputVariables":{"a":1}}`} {
		f.Add("CreatePipeline", []byte(body))
		f.Add("PutJobSuccessResult", []byte(body))
	}
	f.Fuzz(func(t *testing.T, operation string, body []byte) {
		w := newWorld(t)
		s := w.service.Wire()
		op, ok := s.Operation(operation)
		if !ok {
			return
		}
		in := op.NewInput()
		request := httptest.NewRequest(http.MethodPost, "/", nil)
		if faults := s.Protocols[0].Decode(wire.Request{Request: request, Body: body}, operation, in); len(faults) > 0 {
			return
		}
		op.Call(t.Context(), in)
		w.settle()
	})
}
