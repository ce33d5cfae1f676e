package acceptance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	pipelines "cutover/pkg/localaws/codepipeline"
)

// checkFleet holds the world against what a finished release leaves behind: the
// fleet runs the version on the image, and nothing else is left.
func (w *world) checkFleet(t testing.TB, version, image string) {
	t.Helper()
	// CodeDeploy keeps the old instances for a while after the traffic has moved.
	w.clock.Advance(30 * time.Minute)
	s := w.fleet()
	if s.Image != image || s.Published != image {
		t.Errorf("image: the group launches %s and the parameter holds %s, want %s", s.Image, s.Published, image)
	}
	if len(s.Running) < 2 || slices.ContainsFunc(s.Running, func(i string) bool { return i != image }) {
		t.Errorf("instances run %v, want at least two, all of %s", s.Running, image)
	}
	if len(s.Builders) > 0 || len(s.Snapshots) > 0 {
		t.Errorf("left behind: instances %v, snapshots %v", s.Builders, s.Snapshots)
	}
	if got := w.versionOn(80); got != version {
		t.Errorf("production answers version %q, want %q", got, version)
	}
	for _, fault := range w.watcher.all() {
		t.Errorf("production was not served: %s", fault)
	}
}

// mustRelease releases a version and returns BuildGoldenAMI's output variables.
func (w *world) mustRelease(t testing.TB, version string) map[string]string {
	t.Helper()
	id, status := w.release(version)
	if status != "Succeeded" {
		t.Fatalf("release %s: got %s, want Succeeded: %s\n%s", version, status, w.why(), w.log)
	}
	return w.outputs(id, buildGoldenAMI)
}

const buildGoldenAMI = "BuildGoldenAMI"

// ticks counts the jobs of an action since the first so many of all.
func (w *world) ticks(action string, since int) int {
	jobs := w.cloud.CodePipeline.Jobs()[since:]
	return len(slices.DeleteFunc(jobs, func(j pipelines.JobRecord) bool { return j.Action != action }))
}

func TestGoldenAMI_ReleasesAFleetOnAnImageOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newGolden(t, options{})
	before := w.fleet()
	var shown []pipelines.Event
	w.cloud.CodePipeline.Watch(func(e pipelines.Event) {
		if e.Action == buildGoldenAMI && e.PercentComplete != nil {
			shown = append(shown, e)
		}
	})
	got := w.mustRelease(t, "1")
	if got["Image"] != "built" || got["PreviousImageId"] != before.Image || got["ImageId"] == before.Image {
		t.Errorf("output variables: got %v, want an image that was built in place of %s", got, before.Image)
	}
	w.checkFleet(t, "1", got["ImageId"])
	w.checkReports(t, false)
	after := w.fleet()
	if diff := cmp.Diff(before.Launches, after.Launches); diff != "" {
		t.Errorf("template, but for its image (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"Success": 1}, after.Bakes); diff != "" {
		t.Errorf("Automations (-want +got):\n%s", diff)
	}
	t.Run("and the pipeline shows how it goes", func(t *testing.T) {
		percent, steps := -1, map[string]bool{}
		for _, e := range shown {
			if *e.PercentComplete < percent {
				t.Errorf("percent went from %d back to %d: %s", percent, *e.PercentComplete, e.Summary)
			}
			percent = *e.PercentComplete
			if _, step, found := strings.Cut(e.Summary, " runs step "); found {
				steps[strings.Fields(step)[0]] = true
			}
			if e.ExternalExecutionID != "" && e.ExternalExecutionID != got["AutomationExecutionId"] {
				t.Errorf("external execution: got %s, want the Automation's, %s", e.ExternalExecutionID, got["AutomationExecutionId"])
			}
		}
		if len(steps) < 3 {
			t.Errorf("steps shown: got %v, want several", steps)
		}
		a := w.action(buildGoldenAMI)
		if aws.ToString(a.ExternalExecutionId) != got["AutomationExecutionId"] || !strings.Contains(aws.ToString(a.Summary), got["ImageId"]) {
			t.Errorf("in the end: got external execution %s and summary %q", aws.ToString(a.ExternalExecutionId), aws.ToString(a.Summary))
		}
	})
}

func TestGoldenAMI_UsesAnImageAgainAsLongAsNothingInItWouldChange(t *testing.T) {
	t.Parallel()
	w := goldenReleased(t, options{})
	first := w.fleet()
	jobs := len(w.cloud.CodePipeline.Jobs())
	got := w.mustRelease(t, "2")
	if got["Image"] != "reused" || got["ImageId"] != first.Image || got["AutomationExecutionId"] != "" {
		t.Errorf("output variables: got %v, want %s reused", got, first.Image)
	}
	w.checkFleet(t, "2", first.Image)
	if diff := cmp.Diff(first.Bakes, w.fleet().Bakes); diff != "" {
		t.Errorf("Automations (-before +after):\n%s", diff)
	}
	if n := w.ticks(buildGoldenAMI, jobs); n != 1 {
		t.Errorf("unchanged rerun: got %d ticks, want 1", n)
	}
	t.Run("and changes nothing", func(t *testing.T) {
		jobs, calls := len(w.cloud.CodePipeline.Jobs()), len(w.functionCalls())
		got := w.mustRelease(t, "3")
		if n := w.ticks(buildGoldenAMI, jobs); n != 1 || got["Image"] != "reused" {
			t.Errorf("got %d ticks and %v, want 1 and reused", n, got)
		}
		for _, c := range w.functionCalls()[calls:] {
			if !reads(c) && c.Service != "codepipeline" {
				t.Errorf("an unchanged rerun calls %s:%s", c.Service, c.Operation)
			}
		}
		w.checkFleet(t, "3", first.Image)
	})
	t.Run("but not once it is revoked", func(t *testing.T) {
		w.tag(first.Image, "cutover:revoked", "CVE-2026-0001")
		got := w.mustRelease(t, "4")
		if got["Image"] != "built" || got["ImageId"] == first.Image {
			t.Errorf("got %v, want an image in place of the revoked one", got)
		}
		w.checkFleet(t, "4", got["ImageId"])
	})
}

func TestGoldenAMI_BakesWhenAmazonPublishesANewImage(t *testing.T) {
	t.Parallel()
	w := goldenReleased(t, options{})
	first := w.fleet()
	source := w.cloud.EC2.PublishAmazonImage("x86_64")
	got := w.mustRelease(t, "2")
	if got["Image"] != "built" || got["SourceImageId"] != source || got["PreviousImageId"] != first.Image {
		t.Errorf("output variables: got %v, want one built of %s in place of %s", got, source, first.Image)
	}
	w.checkFleet(t, "2", got["ImageId"])
	if diff := cmp.Diff(first.Launches, w.fleet().Launches); diff != "" {
		t.Errorf("template, but for its image (-before +after):\n%s", diff)
	}
	t.Run("and when it is told to", func(t *testing.T) {
		if err := w.editAction(buildGoldenAMI, key("force", "true")); err != nil {
			t.Fatal(err)
		}
		forced := w.mustRelease(t, "3")
		if forced["Image"] != "built" || forced["ImageId"] == got["ImageId"] {
			t.Errorf("output variables: got %v, want an image beside %s", forced, got["ImageId"])
		}
		w.checkFleet(t, "3", forced["ImageId"])
	})
}

func TestGoldenAMI_KeepsTheNewestImagesAndThoseInUse(t *testing.T) {
	t.Parallel()
	w := goldenReleased(t, options{})
	if err := w.editAction(buildGoldenAMI, all(changed(`"keep":5`, `"keep":2`), key("force", "true"))); err != nil {
		t.Fatal(err)
	}
	built := []string{w.fleet().Image}
	for _, version := range []string{"2", "3", "4"} {
		got := w.mustRelease(t, version)
		built = append(built, got["ImageId"])
		w.checkFleet(t, version, got["ImageId"])
	}
	want := slices.Sorted(slices.Values(built[2:])) // the newest two; the one before ran while it was decided
	got := w.fleet()
	if !slices.Contains(got.Images, want[0]) || !slices.Contains(got.Images, want[1]) || slices.Contains(got.Images, built[0]) || len(got.Images) > 3 {
		t.Errorf("images: got %v of %v, want the newest two and at most the one that ran before", got.Images, built)
	}
}

// The way back: the older image's id is the source of nothing, it is an image
// like any other. Revoking the bad one makes the next release bake anew; to go
// back at once, the parameter document and the group are given the older one by
// a release of the pipeline in which the newer one is revoked and the older
// one's inputs hold again.
func TestGoldenAMI_GoesBackToAnOlderImage(t *testing.T) {
	t.Parallel()
	w := goldenReleased(t, options{})
	w.mustRelease(t, "1") // notes that it has proven itself
	older := w.fleet().Image
	source := w.cloud.EC2.PublishAmazonImage("x86_64")
	newer := w.mustRelease(t, "2")["ImageId"]
	w.checkFleet(t, "2", newer)
	w.tag(newer, "cutover:revoked", "it is slow")
	// The document is told to bake of what the older one was made of.
	before := w.sourceOf(older)
	if before == source {
		t.Fatalf("both images are made of %s", source)
	}
	if err := w.editAction(buildGoldenAMI, changed(`"parameters":{`, `"parameters":{"SourceImageId":"`+before+`",`)); err != nil {
		t.Fatal(err)
	}
	got := w.mustRelease(t, "3")
	if got["Image"] != "reused" || got["ImageId"] != older {
		t.Errorf("output variables: got %v, want %s reused", got, older)
	}
	w.checkFleet(t, "3", older)
}

// sourceOf is what an image was made of.
func (w *world) sourceOf(image string) string {
	i, _ := w.cloud.EC2.Image(image)
	for _, tag := range i.TagSet {
		if tag.Key == "cutover:source" {
			return tag.Value
		}
	}
	return ""
}

// An orphan is a bake of an execution that is no more.
func TestGoldenAMI_StopsWhatACancelledExecutionLeft(t *testing.T) {
	t.Parallel()
	w := newGolden(t, options{})
	w.cut()
	id := w.start("1")
	w.untilStep(t, "patch")
	w.stopExecution(id)
	if status := w.finish(id); status != "Stopped" {
		t.Fatalf("stopped execution: got %s", status)
	}
	got := w.mustRelease(t, "2")
	w.clock.Advance(time.Hour)
	s := w.fleet()
	if len(s.Builders) > 0 || s.Bakes["Cancelled"] != 1 || s.Bakes["Success"] != 1 || len(s.Images) != 1 || s.Image != got["ImageId"] {
		t.Errorf("got %+v, want one bake cancelled, one succeeded with its image, and no builder", s)
	}
	if summary := aws.ToString(w.action(buildGoldenAMI).Summary); !strings.Contains(summary, "stopped what earlier executions left running") {
		t.Errorf("summary: got %q, want it to name what was stopped", summary)
	}
}

// untilStep moves the clock until a running Automation is at a step.
func (w *world) untilStep(t testing.TB, step string) (automation string) {
	t.Helper()
	client := ssm.NewFromConfig(w.config())
	at := func() bool {
		listed, err := client.DescribeAutomationExecutions(t.Context(), &ssm.DescribeAutomationExecutionsInput{})
		must(err)
		for _, e := range listed.AutomationExecutionMetadataList {
			if aws.ToString(e.CurrentStepName) == step && e.AutomationExecutionStatus == "InProgress" {
				automation = *e.AutomationExecutionId
			}
		}
		return automation != ""
	}
	if !w.clock.AdvanceUntil(3*time.Hour, at) {
		t.Fatalf("no Automation has come to step %s", step)
	}
	return automation
}
