package ecs

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// A pass never takes healthy tasks below the minimum (but for those that the
// desired count itself gives up), nor starts tasks beyond the maximum.
func TestDecide_KeepsWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := world{now: noon, desired: rapid.IntRange(0, 6).Draw(t, "desired")}
		w.minHealthy = (w.desired*rapid.IntRange(0, 100).Draw(t, "minimum") + 99) / 100
		w.maxTotal = w.desired * rapid.IntRange(100, 200).Draw(t, "maximum") / 100
		w.deployments = []seenDeployment{
			{id: "new", primary: true, state: rapid.SampledFrom([]string{inProgress, completed, failed}).Draw(t, "state")}, {id: "old", state: completed},
		}
		for i := range rapid.IntRange(0, 10).Draw(t, "tasks") {
			w.tasks = append(w.tasks, seenTask{
				id: fmt.Sprint(i), balanced: true, deployment: rapid.SampledFrom([]string{"new", "old"}).Draw(t, "deployment"),
				state:  rapid.SampledFrom([]taskState{taskPending, taskRunning, taskDeactivating}).Draw(t, "task"),
				health: rapid.SampledFrom([]string{"initial", "healthy", "unhealthy"}).Draw(t, "health"), started: noon.Add(-time.Minute),
			})
		}
		d := decide(w)
		gone := map[string]bool{}
		for _, id := range append(d.retire, d.replace...) {
			if gone[id] {
				t.Errorf("task %s is ended twice", id)
			}
			gone[id] = true
		}
		healthy, left, alive := 0, 0, 0
		for _, s := range w.tasks {
			if s.healthy(w.now) {
				healthy++
				if !gone[s.id] {
					left++
				}
			}
			if s.alive() && s.health != "unhealthy" {
				alive++
			}
		}
		if left < min(healthy, w.minHealthy) {
			t.Errorf("got %d healthy tasks left of %d, want at least %d", left, healthy, w.minHealthy)
		}
		if d.start > 0 && alive+d.start > w.maxTotal {
			t.Errorf("got %d tasks started besides %d, want at most %d in all", d.start, alive, w.maxTotal)
		}
		if d.steady && (len(gone) > 0 || d.start > 0) {
			t.Errorf("got steady, though %d tasks are to end and %d to start", len(gone), d.start)
		}
	})
}

func TestDecide(t *testing.T) {
	t.Parallel()
	task := func(id, deployment string, state taskState, health string) seenTask {
		return seenTask{id: id, deployment: deployment, state: state, balanced: true, health: health, started: noon.Add(-time.Hour)}
	}
	both := []seenDeployment{{id: "new", primary: true, state: inProgress}, {id: "old", state: completed}}
	cases := map[string]struct {
		w    world
		want decision
	}{
		"a new deployment starts what there is room for": {
			world{now: noon, desired: 2, minHealthy: 2, maxTotal: 3, deployments: both, tasks: []seenTask{task("a", "old", taskRunning, "healthy"), task("b", "old", taskRunning, "healthy")}},
			decision{start: 1},
		},
		"an old task goes for a new one that is healthy": {
			world{now: noon, desired: 2, minHealthy: 2, maxTotal: 3, deployments: both, tasks: []seenTask{
				task("a", "old", taskRunning, "healthy"), task("b", "old", taskRunning, "healthy"), task("c", "new", taskRunning, "healthy")}},
			decision{retire: []string{"a"}},
		},
		"an old task that is not healthy makes room at once": {
			world{now: noon, desired: 1, minHealthy: 1, maxTotal: 1, deployments: both, tasks: []seenTask{task("a", "old", taskPending, "")}},
			decision{retire: []string{"a"}},
		},
		"a drained task is finished, and nothing is complete before": {
			world{now: noon, desired: 1, minHealthy: 1, maxTotal: 2, deployments: both, tasks: []seenTask{task("a", "old", taskDeactivating, ""), task("c", "new", taskRunning, "healthy")}},
			decision{finish: []string{"a"}},
		},
		"a draining task is waited for": {
			world{now: noon, desired: 1, minHealthy: 1, maxTotal: 2, deployments: both, tasks: []seenTask{task("a", "old", taskDeactivating, "draining"), task("c", "new", taskRunning, "healthy")}},
			decision{},
		},
		"what is all there is completes": {
			world{now: noon, desired: 1, minHealthy: 1, maxTotal: 2, deployments: both, tasks: []seenTask{task("c", "new", taskRunning, "healthy")}},
			decision{complete: true, steady: true},
		},
		"failures up to the threshold trip the breaker": {
			world{now: noon, desired: 1, threshold: 3, rollback: true, deployments: []seenDeployment{{id: "new", primary: true, state: inProgress, failed: 3}, {id: "mid", state: failed}, {id: "old", state: completed}}},
			decision{trip: true, rollback: "old"},
		},
		"starts wait for the delay after failures": {
			world{now: noon, desired: 1, maxTotal: 2, deployments: []seenDeployment{{id: "new", primary: true, state: inProgress, failed: 2, notBefore: noon.Add(time.Second)}}},
			decision{wake: noon.Add(time.Second)},
		},
		"a failed deployment starts nothing": {
			world{now: noon, desired: 1, maxTotal: 2, deployments: []seenDeployment{{id: "new", primary: true, state: failed}}},
			decision{},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, decide(c.w), cmp.AllowUnexported(decision{})); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{0: 0, 1: 0, 2: 10 * time.Second, 3: 20 * time.Second, 8: 640 * time.Second, 9: 15 * time.Minute, 1000: 15 * time.Minute} {
		if got := backoff(n); got != want {
			t.Errorf("after %d failures: got %v, want %v", n, got, want)
		}
	}
	for desired, want := range map[int]int{0: 3, 1: 3, 6: 3, 7: 4, 100: 50, 1000: 200} {
		if got := threshold(desired); got != want {
			t.Errorf("threshold of %d: got %d, want %d", desired, got, want)
		}
	}
}
