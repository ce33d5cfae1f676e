package acceptance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	pipelines "cutover/pkg/localaws/codepipeline"
	"cutover/pkg/localaws/endpoint"
)

// burst is more calls than the SDK tries in a tick: in process several ticks'
// worth; with processes, whose retries really wait, one tick's.
var burst = map[bool]int{true: 10, false: 4}[binaries == ""]

// whole asks for every fault at every call; with processes, or of a bake, that takes
// half an hour of waiting.
var whole = os.Getenv("CUTOVER_MATRIX") == "whole"

// A fault is what can happen to a call.
type fault struct {
	name  string
	kind  endpoint.Kind
	times int
}

// worthwhile spares processes what shows nothing new: at a call that only reads,
// the difference that a process makes is its death.
func (f fault) worthwhile(p point) bool {
	killed := f.kind == endpoint.KillBefore || f.kind == endpoint.KillAfter
	return binaries == "" || whole || killed || !reads(endpoint.Call{Operation: p.operation})
}

// sparse keeps, of the calls that only read, the first and the last of a kind.
func sparse(all []point) []point {
	last := map[point]int{}
	for _, p := range all {
		last[point{p.function, p.service, p.operation, 0}] = p.nth
	}
	return slices.DeleteFunc(all, func(p point) bool {
		middle := p.nth > 1 && p.nth < last[point{p.function, p.service, p.operation, 0}]
		return middle && reads(endpoint.Call{Operation: p.operation})
	})
}

// faults are all of them.
var faults = []fault{
	{"throttle burst", endpoint.Throttle, burst},
	{"500 burst", endpoint.ServerError, burst},
	{"dropped before", endpoint.DropBefore, 1},
	{"dropped before, burst", endpoint.DropBefore, burst},
	{"dropped after", endpoint.DropAfter, 1},
	{"dropped after, burst", endpoint.DropAfter, burst},
	{"killed before", endpoint.KillBefore, 1},
	{"killed after", endpoint.KillAfter, 1},
}

// A point is one call of a release: the nth of its kind that a function makes.
type point struct {
	function, service, operation string
	nth                          int
}

func (p point) String() string {
	return fmt.Sprintf("%s %s:%s #%d", p.function, p.service, p.operation, p.nth)
}

// points lists the calls of a clean release, in order.
func points(calls []endpoint.Call) []point {
	seen := map[point]int{}
	var all []point
	for _, c := range calls {
		p := point{function: functionOf(c), service: c.Service, operation: c.Operation}
		seen[p]++
		p.nth = seen[p]
		all = append(all, p)
	}
	return all
}

// TestCrashMatrix meets each call that the functions make in a clean release
// with each fault, one release a fault. Whatever happens, the pipeline ends
// succeeded, by itself or after one retry from the console, and the world is
// right. A call's releases follow each other in one world, so that what a fault
// left behind would show in the next.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	clean := releasedTwice(t)
	before := len(clean.functionCalls())
	if _, status := clean.release("3"); status != "Succeeded" {
		t.Fatalf("clean release: got %s, want Succeeded: %s", status, clean.why())
	}
	all := points(clean.functionCalls()[before:])
	if len(all) < 50 {
		t.Fatalf("a clean release makes %d calls: %v", len(all), all)
	}
	if !whole {
		all = sparse(all)
	}
	var mu sync.Mutex
	outcomes := map[string]map[string]string{}
	t.Run("call", func(t *testing.T) {
		for _, p := range all {
			t.Run(p.String(), func(t *testing.T) {
				t.Parallel()
				w := releasedTwice(t)
				row := map[string]string{}
				for i, f := range faults {
					if !f.worthwhile(p) {
						continue
					}
					row[f.name] = w.crash(t, p, f.kind, f.times, strconv.Itoa(3+i))
					if t.Failed() {
						t.Fatalf("at fault: %s", f.name)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				outcomes[p.String()] = row
			})
		}
	})
	text := table(all, outcomes)
	t.Log("\n" + text)
	if missed, most := strings.Count(text, "not met"), len(all)/10; missed > most {
		t.Errorf("%d faults met no call, want at most %d", missed, most)
	}
}

// crash releases a version with one fault and says how it went.
func (w *world) crash(t *testing.T, p point, kind endpoint.Kind, times int, version string) string {
	registered, jobs := w.taskDefinitions(), len(w.cloud.CodePipeline.Jobs())
	w.cloud.Faults.Add(endpoint.Fault{Service: p.service, Operation: p.operation, Role: w.roleOf(p), Nth: p.nth, Times: times, Kind: kind})
	before := len(w.cloud.Calls.All())
	id, status := w.release(version)
	hit := slices.ContainsFunc(w.cloud.Calls.All()[before:], func(c endpoint.Call) bool { return c.Fault == kind })
	w.cloud.Faults.Clear()
	outcome := "by itself"
	switch {
	case hit:
	case binaries != "":
		// On a busy machine a process may need a tick more in the clean release
		// than in this one: then this call is not there to be met.
		outcome = "not met"
	default:
		t.Errorf("the fault met no call")
	}
	if status == "Failed" {
		outcome = "one retry"
		status = w.retry(id, types.StageRetryModeFailedActions)
	}
	if status != "Succeeded" {
		t.Errorf("pipeline: got %s, want Succeeded at most one retry later: %s", status, w.why())
	}
	w.check(t, version)
	if now := w.taskDefinitions(); len(now) != len(registered)+1 {
		t.Errorf("task definitions: got %d active, want one more than %d: %v", len(now), len(registered), now)
	}
	killed := kind == endpoint.KillBefore || kind == endpoint.KillAfter
	checkReportsOf(t, w.cloud.CodePipeline.Jobs()[jobs:], killed)
	return outcome
}

// releasedTwice is a world in which both sides have been live.
func releasedTwice(t testing.TB) *world {
	t.Helper()
	w := released(t, options{})
	if _, status := w.release("2"); status != "Succeeded" {
		t.Fatalf("second release: got %s, want Succeeded: %s", status, w.why())
	}
	return w
}

// released is a world in which version 1 is live.
func released(t testing.TB, o options) *world {
	t.Helper()
	w := newWorld(t, o)
	if _, status := w.release("1"); status != "Succeeded" {
		t.Fatalf("first release: got %s, want Succeeded: %s\n%s", status, w.why(), w.log)
	}
	w.watcher.arm()
	return w
}

// check holds the world against what a finished release leaves behind.
func (w *world) check(t testing.TB, version string) {
	t.Helper()
	s := w.look()
	live := s.live()
	if live == "" {
		t.Errorf("production: got %v, want one side", s.production)
		return
	}
	old := app + "-blue"
	if live == old {
		old = app + "-green"
	}
	if s.healthy[live] == 0 {
		t.Errorf("live side %s has no healthy target", live)
	}
	if len(s.test) != 1 || s.test[old] == 0 {
		t.Errorf("test route: got %v, want the old side, %s", s.test, old)
	}
	if got := w.versionOn(80); got != version {
		t.Errorf("production answers version %q, want %q", got, version)
	}
	if s.tags[live]["IsProduction"] != "True" || s.tags[old]["IsProduction"] != "False" {
		t.Errorf("IsProduction: got %q on the live and %q on the old side, want True and False", s.tags[live]["IsProduction"], s.tags[old]["IsProduction"])
	}
	for _, fault := range w.watcher.all() {
		t.Errorf("production was not served: %s", fault)
	}
}

// checkReports holds that each job was reported on exactly once, but for one
// whose function was killed.
func (w *world) checkReports(t testing.TB, killed bool) {
	t.Helper()
	checkReportsOf(t, w.cloud.CodePipeline.Jobs(), killed)
}

func checkReportsOf(t testing.TB, jobs []pipelines.JobRecord, killed bool) {
	t.Helper()
	silent := 0
	for _, j := range jobs {
		switch j.Accepted {
		case 0:
			silent++
		case 1:
		default:
			t.Errorf("job %s of %s: got %d accepted reports, want 1", j.ID, j.Action, j.Accepted)
		}
	}
	if most := map[bool]int{true: 1, false: 0}[killed]; silent > most {
		t.Errorf("got %d jobs without a report, want at most %d", silent, most)
	}
}

// versionOn asks a listener's port which version answers there.
func (w *world) versionOn(port int) string {
	address, ok := w.cloud.ELBV2.Listens(w.product.name, port)
	if !ok {
		return fmt.Sprintf("no listener on port %d", port)
	}
	response, err := http.Get("http://" + address + "/")
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	return response.Header.Get("X-Version")
}

func (w *world) taskDefinitions() []string {
	w.t.Helper()
	list, err := w.services.ListTaskDefinitions(context.Background(), &ecs.ListTaskDefinitionsInput{FamilyPrefix: aws.String(app)})
	if err != nil {
		w.t.Fatal(err)
	}
	return list.TaskDefinitionArns
}

// roleOf finds the role that made a function's calls in this world.
func (w *world) roleOf(p point) string {
	w.t.Helper()
	for _, c := range w.functionCalls() {
		if functionOf(c) == p.function && (c.Service == "s3") == (p.service == "s3") {
			return c.Principal.RoleName()
		}
	}
	w.t.Fatalf("no call of %s", p.function)
	return ""
}

// table shows how each case ended, a row a call, a column a fault.
func table(all []point, outcomes map[string]map[string]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "call")
	for _, f := range faults {
		fmt.Fprint(w, "\t", f.name)
	}
	fmt.Fprintln(w)
	for _, p := range all {
		fmt.Fprint(w, p)
		for _, f := range faults {
			fmt.Fprint(w, "\t", outcomes[p.String()][f.name])
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	return b.String()
}
