package watch_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"cutover/cmd/cutover/internal/watch"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/codepipeline"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/s3"
)

// repository has one commit, c0ffee.
type repository struct{}

func (repository) Archive(string, string) (codepipeline.Commit, []byte, error) {
	return codepipeline.Commit{ID: "c0ffee", Message: "Say hello"}, []byte("zip"), nil
}

// newPipeline makes a pipeline of a source and an approval, which starts by itself.
func newPipeline(t *testing.T) *sdk.Client {
	t.Helper()
	c := clock.NewScaled(100)
	objects := s3.New(c)
	if err := objects.CreateBucket("artifacts"); err != nil {
		t.Fatal(err)
	}
	s := codepipeline.New(codepipeline.Config{Clock: c, Region: "us-east-1", Account: "111122223333", Objects: objects, Repositories: repository{}})
	t.Cleanup(s.Close)
	config, _ := endpointtest.Serve(t, c, s.Wire())
	client := sdk.NewFromConfig(config)
	action := func(category types.ActionCategory, provider, name string, configuration map[string]string, outputs ...types.OutputArtifact) types.StageDeclaration {
		return types.StageDeclaration{Name: aws.String(name), Actions: []types.ActionDeclaration{{
			Name: aws.String(name), Configuration: configuration, OutputArtifacts: outputs,
			ActionTypeId: &types.ActionTypeId{Category: category, Owner: types.ActionOwnerAws, Provider: &provider, Version: aws.String("1")},
		}}}
	}
	_, err := client.CreatePipeline(t.Context(), &sdk.CreatePipelineInput{Pipeline: &types.PipelineDeclaration{
		Name: aws.String("p"), RoleArn: aws.String("arn:aws:iam::111122223333:role/pipeline"), PipelineType: types.PipelineTypeV2,
		ArtifactStore: &types.ArtifactStore{Type: types.ArtifactStoreTypeS3, Location: aws.String("artifacts")},
		Stages: []types.StageDeclaration{
			action(types.ActionCategorySource, "CodeCommit", "Source", map[string]string{"RepositoryName": "r", "BranchName": "main", "PollForSourceChanges": "false"}, types.OutputArtifact{Name: aws.String("Code")}),
			action(types.ActionCategoryApproval, "Manual", "Approve", nil),
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestWatcher_FollowsAndApproves(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen := 0
	w := &watch.Watcher{Client: newPipeline(t), Pipeline: "p", Approve: true, Every: 5 * time.Millisecond, Seen: func(watch.Execution) { seen++ }}
	id, err := w.Started(ctx, "c0ffee")
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.Follow(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if e.Status != "Succeeded" || len(e.Actions) != 2 || e.Actions[1].Summary != "approved by cutover local run" || seen == 0 {
		t.Errorf("got %+v, seen %d times, want it Succeeded and approved", e, seen)
	}

	// Another execution: what the first did does not show as its own.
	again, err := w.Client.StartPipelineExecution(ctx, &sdk.StartPipelineExecutionInput{Name: aws.String("p")})
	if err != nil {
		t.Fatal(err)
	}
	waiting := &watch.Watcher{Client: w.Client, Pipeline: "p", Every: 5 * time.Millisecond, Seen: func(e watch.Execution) {
		if a := e.Actions[1]; a.Status != "" && a.Status != "InProgress" {
			t.Errorf("approval: got %s, want none of the earlier execution's", a.Status)
		}
		if e.Actions[1].Status == "InProgress" {
			cancel() // it waits for somebody else
		}
	}}
	if _, err := waiting.Follow(ctx, *again.PipelineExecutionId); err == nil {
		t.Error("an execution that nobody approves: got its end")
	}
}
