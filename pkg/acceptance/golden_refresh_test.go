package acceptance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/go-cmp/cmp"

	pipelines "cutover/pkg/localaws/codepipeline"
)

// refreshed is a world in which version 1 is live, and whose pipeline takes the
// fleet to a new image itself, without a deployment.
func refreshed(t testing.TB) *world {
	t.Helper()
	w := goldenReleased(t, options{product: goldenProduct.with("hello-functions", map[string]string{"InstanceRefresh": "true"})})
	w.clock.Advance(30 * time.Minute) // until the first instances are gone
	w.cut()
	if err := w.editAction(buildGoldenAMI, all(key("force", "true"), key("rollout", `"instance-refresh"`), key("refresh",
		`{"minHealthyPercent":100,"maxHealthyPercent":150,"checkpoints":[50,100],"checkpointSeconds":600,"bakeSeconds":300,"autoRollback":true}`))); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestGoldenAMI_RefreshesInstances(t *testing.T) {
	t.Parallel()
	w := refreshed(t)
	before := w.fleet()
	var shown []string
	w.cloud.CodePipeline.Watch(func(e pipelines.Event) {
		if e.Action == buildGoldenAMI {
			shown = append(shown, e.Summary)
		}
	})
	began := w.clock.Now()
	got := w.mustRelease(t, "1")
	if got["InstanceRefreshId"] == "" || got["Image"] != "built" || got["PreviousImageId"] != before.Image {
		t.Errorf("output variables: got %v, want a refresh to a new image in place of %s", got, before.Image)
	}
	if !slices.ContainsFunc(shown, func(s string) bool { return strings.Contains(s, "instance refresh "+got["InstanceRefreshId"]) }) {
		t.Errorf("summaries: got %q, want the refresh's progress", shown)
	}
	if took := w.clock.Now().Sub(began); took < 20*time.Minute { // a checkpoint and the bake
		t.Errorf("the rollout took %s, want it to wait at its checkpoint and to bake", took)
	}
	w.checkFleet(t, "1", got["ImageId"])
	after := w.fleet()
	if diff := cmp.Diff([]string{before.Group, before.Launches}, []string{after.Group, after.Launches}); diff != "" {
		t.Errorf("group and template, but for the image (-before +after):\n%s", diff)
	}
}

func TestGoldenAMI_RefreshThatFailsGoesBack(t *testing.T) {
	t.Parallel()
	w := refreshed(t)
	before := w.fleet()
	w.tasks.breakImages(before.Image)
	id, status := w.release("1")
	if status != "Failed" {
		t.Fatalf("release: got %s, want Failed", status)
	}
	why := w.why()
	for _, part := range []string{"BuildGoldenAMI: JobFailed: instance refresh ", "RollbackSuccessful", "launches " + before.Image, "2 instances in service", "retry the stage to refresh"} {
		if !strings.Contains(why, part) {
			t.Errorf("got %q, want %q in it", why, part)
		}
	}
	w.clock.Advance(time.Hour)
	after := w.fleet()
	if diff := cmp.Diff([]any{before.Group, before.Launches, before.Image, before.Running, before.Builders}, []any{after.Group, after.Launches, after.Image, after.Running, after.Builders}); diff != "" {
		t.Errorf("group (-before +after):\n%s", diff)
	}
	if got := w.versionOn(80); got != "1" {
		t.Errorf("production answers version %q, want 1", got)
	}
	for _, fault := range w.watcher.all() {
		t.Errorf("production was not served: %s", fault)
	}
	w.tasks.breakImages("")
	if status := w.retry(id, types.StageRetryModeFailedActions); status != "Succeeded" {
		t.Fatalf("retry: got %s, want Succeeded: %s", status, w.why())
	}
	got := w.outputs(id, buildGoldenAMI)["ImageId"]
	w.checkFleet(t, "1", got)
	if bakes := w.fleet().Bakes["Success"]; bakes != 2 {
		t.Errorf("Automations: got %d, want the retry to use what was baked", bakes)
	}
}

func TestGoldenAMI_RefusesToRefreshBesideAnotherRefresh(t *testing.T) {
	t.Parallel()
	w := refreshed(t)
	before := w.fleet()
	group := w.groupName()
	started, err := autoscaling.NewFromConfig(w.config()).StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: &group})
	if err != nil {
		t.Fatal(err)
	}
	// It lasts longer than the bake.
	w.tasks.breakImages("none")
	id, status := w.release("1")
	if status != "Failed" {
		t.Fatalf("release: got %s, want Failed", status)
	}
	if got, want := w.why(), "instance refresh "+*started.InstanceRefreshId+" of group "+group+" is InProgress and was not started for image"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
	if after := w.fleet(); after.Image != before.Image {
		t.Errorf("the group launches %s, want still %s", after.Image, before.Image)
	}
	w.tasks.breakImages("")
	w.clock.Advance(3 * time.Hour)
	if status := w.retry(id, types.StageRetryModeFailedActions); status != "Succeeded" {
		t.Fatalf("retry once it is over: got %s, want Succeeded: %s", status, w.why())
	}
	w.checkFleet(t, "1", w.outputs(id, buildGoldenAMI)["ImageId"])
}
