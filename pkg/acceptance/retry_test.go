package acceptance

import (
	"context"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	locallambda "cutover/pkg/localaws/lambda"
)

// twiceInARow delivers each event again after it was answered.
type twiceInARow struct{ lambda.Handler }

func (h twiceInARow) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	out, err := h.Handler.Invoke(ctx, payload)
	if _, again := h.Handler.Invoke(ctx, payload); again != nil {
		return nil, again // a duplicate must end quietly
	}
	return out, err
}

// twiceAtOnce delivers each event to two invocations at the same time.
type twiceAtOnce struct{ lambda.Handler }

func (h twiceAtOnce) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var both sync.WaitGroup
	var errs [2]error
	for i := range errs {
		both.Go(func() { _, errs[i] = h.Handler.Invoke(ctx, payload) })
	}
	both.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func TestDuplicates_EndInTheSameWorld(t *testing.T) {
	t.Parallel()
	if binaries != "" {
		t.Skip("skipped: events are doubled within the test's own process")
	}
	for name, wrap := range map[string]func(lambda.Handler) locallambda.Handler{
		"twice in a row": func(h lambda.Handler) locallambda.Handler { return twiceInARow{h} },
		"twice at once":  func(h lambda.Handler) locallambda.Handler { return twiceAtOnce{h} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := released(t, options{wrap: wrap})
			before := len(w.taskDefinitions())
			if _, status := w.release("2"); status != "Succeeded" {
				t.Fatalf("release: got %s, want Succeeded: %s", status, w.why())
			}
			w.check(t, "2")
			w.checkReports(t, false)
			if now := len(w.taskDefinitions()); now != before+1 {
				t.Errorf("task definitions: got %d active, want one more than %d", now, before)
			}
			for _, i := range w.cloud.Lambda.Invocations() {
				if i.Error != "" {
					t.Errorf("an invocation failed: %s", i.Error)
				}
			}
		})
	}
}

func TestRetry_OfAllActionsAfterAFinishedSwapMovesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{edit: failAfterSwap})
	var id string
	for _, version := range []string{"1", "2"} {
		var status string
		if id, status = w.release(version); status != "Failed" {
			t.Fatalf("release of version %s: got %s, want Failed by the action after the swap", version, status)
		}
		w.check(t, version)
		w.watcher.arm()
	}
	moved, definitions := w.look(), len(w.taskDefinitions())
	if status := w.retry(id, types.StageRetryModeAllActions); status != "Failed" {
		t.Fatalf("retry: got %s, want Failed by the same action", status)
	}
	w.check(t, "2")
	if got := w.look(); got.live() != moved.live() {
		t.Errorf("live side: got %s, want it to stay %s", got.live(), moved.live())
	}
	if got := len(w.taskDefinitions()); got != definitions {
		t.Errorf("task definitions: got %d, want still %d", got, definitions)
	}
}

// failAfterSwap puts an action behind SwapListener that always fails, so that
// the stage can be retried after a finished swap.
func failAfterSwap(file, template string) string {
	if file != "infra/pipeline.yaml" {
		return template
	}
	return replaceOnce(template, "              Namespace: Live\n", `              Namespace: Live
            - Name: AlwaysFails
              RunOrder: 4
              ActionTypeId: {Category: Invoke, Owner: AWS, Provider: Lambda, Version: '1'}
              Configuration:
                FunctionName:
                  Fn::ImportValue: !Sub '${FunctionsStack}-SwapListenerFunction'
                UserParameters: '{}'
`)
}

func TestRollback_MovesBackQuicklyToTheWarmSide(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	first, status := w.release("1")
	if status != "Succeeded" {
		t.Fatalf("release 1: got %s: %s", status, w.why())
	}
	w.watcher.arm()
	if _, status := w.release("2"); status != "Succeeded" {
		t.Fatalf("release 2: got %s: %s", status, w.why())
	}
	w.check(t, "2")
	definitions, jobs := len(w.taskDefinitions()), len(w.cloud.CodePipeline.Jobs())
	back, err := w.pipelines.RollbackStage(t.Context(), &codepipeline.RollbackStageInput{
		PipelineName: aws.String(w.product.name), StageName: aws.String("Release"), TargetPipelineExecutionId: &first,
	})
	if err != nil {
		t.Fatal(err)
	}
	if status := w.finish(*back.PipelineExecutionId); status != "Succeeded" {
		t.Fatalf("rollback: got %s, want Succeeded: %s", status, w.why())
	}
	w.check(t, "1")
	if got := len(w.taskDefinitions()); got != definitions {
		t.Errorf("task definitions: got %d, want still %d: version 1 is warm", got, definitions)
	}
	// DeployGreen: name green, point the test route, see that it is ready.
	// SwapListener: retire, production, test route, tags, done.
	if ticks := len(w.cloud.CodePipeline.Jobs()) - jobs; ticks > 10 {
		t.Errorf("rollback took %d ticks, want at most 10", ticks)
	}
}

func TestRelease_OfABrokenVersionLeavesProductionAlone(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]string{
		"unhealthy": "DeployGreen: JobFailed: ",
		"crashes":   "DeployGreen: JobFailed: ",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := released(t, options{})
			before := w.look()
			w.tasks.breakVersion("2", how)
			_, status := w.release("2")
			if got := w.why(); status != "Failed" || len(got) < len(want) || got[:len(want)] != want {
				t.Errorf("release: got %s, %s, want it Failed as %s...", status, got, want)
			}
			if got := w.look().live(); got != before.live() {
				t.Errorf("live side: got %s, want still %s", got, before.live())
			}
			if got := w.versionOn(80); got != "1" {
				t.Errorf("production answers version %q, want 1", got)
			}
			w.tasks.breakVersion("2", "")
			if _, status := w.release("3"); status != "Succeeded" {
				t.Errorf("next release: got %s, want Succeeded: %s", status, w.why())
			}
			w.check(t, "3")
		})
	}
}
