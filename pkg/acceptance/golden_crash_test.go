package acceptance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/endpoint"
	locallambda "cutover/pkg/localaws/lambda"
)

// A sequel is what follows a fault.
type sequel string

const (
	sameJob   sequel = "the same job goes on"
	byConsole sequel = "the stage is retried"
	delivered sequel = "each event is delivered twice"
)

var sequels = []sequel{sameJob, byConsole, delivered}

// A crash is a case of the matrix.
type crash struct {
	point
	fault
	sequel
}

func (c crash) String() string { return fmt.Sprintf("%s, %s, %s", c.point, c.fault.name, c.sequel) }

// TestCrashMatrix_GoldenAMI meets each call that BuildGoldenAMI makes in a bake
// with each fault and each sequel. Whatever happens, one Automation runs, the
// group is on its image with all other settings as they were, nothing is left
// behind, and each job gets one report. By default each kind of call meets a few
// of them, a different few each; with CUTOVER_MATRIX=whole all meet all.
func TestCrashMatrix_GoldenAMI(t *testing.T) {
	t.Parallel()
	clean := baked(t, sameJob)
	calls := len(clean.functionCalls())
	clean.bake(t)
	all := points(slices.DeleteFunc(clean.functionCalls()[calls:], func(c endpoint.Call) bool { return functionOf(c) != buildGoldenAMI }))
	if len(all) < 50 {
		t.Fatalf("a bake makes %d calls: %v", len(all), all)
	}
	if !whole {
		all = thin(all)
	}
	var mu sync.Mutex
	outcomes := map[string]map[string]string{}
	t.Run("after a fault", func(t *testing.T) {
		for _, next := range sequels {
			for n, shard := range shards(crashes(all, next)) {
				t.Run(fmt.Sprintf("%s/%d", next, n), func(t *testing.T) {
					t.Parallel()
					w := baked(t, next)
					for _, c := range shard {
						outcome := w.crashBake(t, c)
						if t.Failed() {
							t.Fatalf("at %s", c)
						}
						mu.Lock()
						row := outcomes[c.point.String()]
						if row == nil {
							row = map[string]string{}
							outcomes[c.point.String()] = row
						}
						row[c.fault.name] = strings.TrimSpace(row[c.fault.name] + " " + outcome)
						mu.Unlock()
					}
				})
			}
		}
	})
	t.Log("\n" + table(all, outcomes))
}

// thin keeps, of the calls that only read, the first and the last of a kind, and
// of the reports those that follow a change: the others are of ticks that waited.
func thin(all []point) []point {
	var kept []point
	changed := true
	for _, p := range all {
		if p.service != "codepipeline" {
			changed = changed || !reads(endpoint.Call{Operation: p.operation})
			kept = append(kept, p)
			continue
		}
		if changed {
			kept = append(kept, p)
		}
		changed = false
	}
	return sparse(kept)
}

// crashes are the faults that calls meet before a sequel: all of them, or a
// sample in which each call meets one fault before one sequel.
func crashes(all []point, next sequel) (chosen []crash) {
	if binaries != "" && next == delivered {
		return nil // events are doubled within the test's own process
	}
	j := slices.Index(sequels, next)
	for i, p := range all {
		for n, f := range faults {
			sampled := n == i*3%len(faults) && i%len(sequels) == j
			if f.worthwhile(p) && (whole || sampled) {
				chosen = append(chosen, crash{p, f, next})
			}
		}
	}
	return chosen
}

// shards are what is done in a world each.
func shards(all []crash) [][]crash {
	const most = 16
	return slices.Collect(slices.Chunk(all, most))
}

// baked is a world in which an image was released and another baked, every
// execution bakes and keeps nothing that is not used, and the pipeline ends
// there.
func baked(t testing.TB, next sequel) *world {
	t.Helper()
	var o options
	if next == delivered {
		o.wrap = func(h lambda.Handler) locallambda.Handler { return twiceInARow{h} }
	}
	w := goldenReleased(t, o)
	w.cut()
	if err := w.editAction(buildGoldenAMI, all(changed(`"keep":5`, `"keep":1`), key("force", "true"))); err != nil {
		t.Fatal(err)
	}
	w.bake(t)
	return w
}

// bake runs the pipeline once more. That the live image has proven itself is to
// be noted each time.
func (w *world) bake(t testing.TB) {
	t.Helper()
	w.forgetReleased()
	if _, status := w.release("2"); status != "Succeeded" {
		t.Fatalf("bake: got %s, want Succeeded: %s\n%s", status, w.why(), w.log)
	}
}

// forgetReleased takes off the live image that it was released.
func (w *world) forgetReleased() {
	client := ec2.NewFromConfig(w.config())
	images, _ := ownImages(w.t.Context(), client)
	_, err := client.DeleteTags(w.t.Context(), &ec2.DeleteTagsInput{Resources: images, Tags: []ec2types.Tag{{Key: aws.String("cutover:released")}}})
	must(err)
}

// crashBake bakes once with a fault and says how it went.
func (w *world) crashBake(t *testing.T, c crash) string {
	p, f := c.point, c.fault
	w.forgetReleased()
	before, jobs := w.fleet(), len(w.cloud.CodePipeline.Jobs())
	w.cloud.Faults.Add(endpoint.Fault{Service: p.service, Operation: p.operation, Role: w.roleOf(p), Nth: p.nth, Times: f.times, Kind: f.kind})
	var lifts []func()
	hit := w.after(f.kind, func() {
		if c.sequel == byConsole { // the next tick fails for good
			role := w.roleOf(p)
			for _, action := range []string{"ssm:GetAutomationExecution", "codedeploy:GetDeploymentGroup"} {
				lifts = append(lifts, w.cloud.IAM.Deny(role, action))
			}
		}
	})
	id, status := w.release("2")
	w.cloud.Faults.Clear()
	for _, lift := range lifts {
		lift()
	}
	if !hit() {
		if binaries != "" {
			return "not met"
		}
		t.Errorf("the fault met no call")
	}
	outcome := "by itself"
	if status == "Failed" {
		outcome = "one retry"
		status = w.retry(id, types.StageRetryModeFailedActions)
	}
	if status != "Succeeded" {
		t.Errorf("pipeline: got %s, want Succeeded at most one retry later: %s", status, w.why())
	}
	bakes := 1
	if f.times > 1 && len(w.fleet().Images) > 2 {
		// Removing what is not used gives up on a fault that lasts, since the
		// image is live by then: the next bake sees to it.
		w.bake(t)
		id, bakes = w.last(), 2
	}
	w.checkBake(t, before, bakes, w.outputs(id, buildGoldenAMI))
	killed := f.kind == endpoint.KillBefore || f.kind == endpoint.KillAfter
	checkReportsOf(t, w.cloud.CodePipeline.Jobs()[jobs:], killed)
	return outcome
}

// after does something once a fault of a kind was met, and tells whether it was.
func (w *world) after(kind endpoint.Kind, do func()) (met func() bool) {
	observe := w.watcher.observe
	var once sync.Once
	var done atomic.Bool
	w.cloud.Calls.Observe = func(c endpoint.Call) {
		observe(c)
		if c.Fault == kind {
			once.Do(func() { done.Store(true); do() })
		}
	}
	return done.Load
}

// checkBake holds what a bake leaves behind against what was there before.
func (w *world) checkBake(t testing.TB, before fleetState, bakes int, outputs map[string]string) {
	t.Helper()
	after := w.fleet()
	if after.Image == before.Image || after.Image != outputs["ImageId"] || after.Published != after.Image {
		t.Errorf("image: the group launches %s and the parameter holds %s, want the new one, %s", after.Image, after.Published, outputs["ImageId"])
	}
	if bakes == 1 && outputs["PreviousImageId"] != before.Image {
		t.Errorf("previous image: got %s, want %s", outputs["PreviousImageId"], before.Image)
	}
	// The new one and the one that instances run: what was baked in between is gone.
	want := before
	want.Image, want.Published = after.Image, after.Published
	want.Images = slices.Sorted(slices.Values([]string{before.Running[0], after.Image}))
	want.Bakes = maps.Clone(before.Bakes)
	want.Bakes["Success"] += bakes
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("fleet (-want +got):\n%s", diff)
	}
	for _, fault := range w.watcher.all() {
		t.Errorf("production was not served: %s", fault)
	}
}
