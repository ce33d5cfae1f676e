package swaplistener

import (
	"errors"
	"fmt"
	"testing"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"

	"cutover/pkg/bluegreen"
	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/job"
)

var errCut = errors.New("connection reset")

func cleanCalls(t *testing.T) int {
	t.Helper()
	w := deployed()
	if _, _, err := follow(t, w, params(), State{}); err != nil {
		t.Fatalf("clean run: %v", err)
	}
	return len(w.Calls())
}

func TestCrash_AtAnyCallEndsInTheSameWorld(t *testing.T) {
	t.Parallel()
	calls := cleanCalls(t)
	for nth := 1; nth <= calls; nth++ {
		for _, lostAnswer := range []bool{false, true} {
			for _, fresh := range []bool{false, true} {
				t.Run(fmt.Sprintf("call %d, answer lost %t, state lost %t", nth, lostAnswer, fresh), func(t *testing.T) {
					t.Parallel()
					w, n, s := deployed(), 0, State{}
					cut := func(string) error {
						if n++; n == nth {
							return errCut
						}
						return nil
					}
					if lostAnswer {
						w.After = cut
					} else {
						w.Before = cut
					}
					for ticks := 0; ; ticks++ {
						if ticks == 20 {
							t.Fatal("not done after 20 ticks")
						}
						r, err := tick(t, w, params(), s)
						if err == nil && r.Done() {
							break
						}
						switch {
						case err == nil:
							s = r.State()
						case !errors.Is(err, errCut):
							t.Fatalf("step: %v", err)
						case fresh:
							s = State{}
						}
					}
					swapped(t, w)
				})
			}
		}
	}
}

// A second delivery runs whole inside every call of the first, with the first
// one's state or, as a late duplicate of the first tick, with none.
func TestCrash_TwoDeliveriesAtOnceEndInTheSameWorld(t *testing.T) {
	t.Parallel()
	calls := cleanCalls(t)
	for nth := 1; nth <= calls; nth++ {
		for _, after := range []bool{false, true} {
			for _, whole := range []bool{false, true} {
				t.Run(fmt.Sprintf("inside call %d, after it %t, to the end %t", nth, after, whole), func(t *testing.T) {
					t.Parallel()
					w, n, s := deployed(), 0, State{}
					twin := func(string) error {
						if n++; n != nth {
							return nil
						}
						if whole {
							if _, _, err := follow(t, w, params(), State{}); err != nil {
								t.Errorf("second delivery: %v", err)
							}
						} else if _, err := tick(t, w, params(), s); err != nil {
							t.Errorf("second delivery: %v", err)
						}
						return nil
					}
					if after {
						w.After = twin
					} else {
						w.Before = twin
					}
					for ticks := 0; ; ticks++ {
						if ticks == 20 {
							t.Fatal("not done after 20 ticks")
						}
						r, err := tick(t, w, params(), s)
						if err != nil {
							t.Fatalf("first delivery: %v", err)
						}
						if r.Done() {
							break
						}
						s = r.State()
					}
					swapped(t, w)
				})
			}
		}
	}
}

// Whatever the world, the action writes production at most once, only to a
// green that is named, complete and has at least blue's healthy targets, and
// what it leaves is left alone by a repetition.
func TestStep_Properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := fake.New()
		executions := rapid.SampledFrom([]string{"", execution, execution, "other", "retired:" + execution, "retired:other"})
		for i, name := range []string{"hello-a", "hello-b"} {
			group := []string{fake.GroupA, fake.GroupB}[i]
			if e := executions.Draw(rt, "execution"); e != "" {
				w.Tags[group]["cutover:execution"] = e
			}
			s := w.Services[name]
			s.DesiredCount = int32(rapid.IntRange(0, 3).Draw(rt, "desired"))
			s.RunningCount = int32(rapid.IntRange(0, 3).Draw(rt, "running"))
			w.SetHealth(group, rapid.IntRange(0, 3).Draw(rt, "healthy"), rapid.IntRange(0, 1).Draw(rt, "initial"))
			s.Deployments[0].RolloutState = rapid.SampledFrom([]ecstypes.DeploymentRolloutState{ecstypes.DeploymentRolloutStateCompleted, ecstypes.DeploymentRolloutStateCompleted, ecstypes.DeploymentRolloutStateInProgress, ecstypes.DeploymentRolloutStateFailed}).Draw(rt, "rollout")
		}
		weights := rapid.SampledFrom([][4]any{{fake.GroupA, 100, fake.GroupB, 0}, {fake.GroupB, 100, fake.GroupA, 0}, {fake.GroupA, 50, fake.GroupB, 50}})
		production := weights.Draw(rt, "production")
		w.Rules[fake.Listener80][0].Actions = fake.Forward(production[:]...)
		testRoute := weights.Draw(rt, "test")
		w.Rules[fake.Listener8080][0].Actions = fake.Forward(testRoute[:]...)

		before, faults, err := bluegreen.Observe(t.Context(), w.ELB(), w.ECS(), params().Params)
		if err != nil {
			rt.Fatal(err)
		}
		route := w.Route(fake.Listener80)
		run := func() (writes int, done bool) {
			w.Calls()
			s := State{}
			for range 10 {
				r, err := New(Clients{ELB: w.ELB(), ECS: w.ECS()}).Step(t.Context(), job.Job[Params]{Params: params()}, s)
				if err != nil {
					return len(w.Writes()), false
				}
				if r.Done() {
					return len(w.Writes()), true
				}
				s = r.State()
			}
			rt.Fatal("not done after 10 ticks")
			return
		}
		_, done := run()
		moved := w.Route(fake.Listener80) != route
		if moved {
			blue, _ := before.Live()
			green := before.Other(blue)
			primary, _ := green.Primary()
			if len(faults) > 0 || green.Execution() != execution || blue.Execution() == execution || primary.RolloutState != ecstypes.DeploymentRolloutStateCompleted ||
				green.Health.Healthy < max(blue.Health.Healthy, 1) || green.Service.RunningCount != green.Service.DesiredCount {
				rt.Fatalf("moved production from %v to %v", blue, green)
			}
			if !done {
				rt.Fatal("moved production and did not finish")
			}
		}
		if v := w.Violations(); len(v) > 0 {
			rt.Fatal(v)
		}
		route = w.Route(fake.Listener80)
		if writes, again := run(); writes > 0 || again != done || w.Route(fake.Listener80) != route {
			rt.Fatalf("a repetition wrote %d times, ended done %t after %t, and left production %s after %s", writes, again, done, w.Route(fake.Listener80), route)
		}
	})
}

func TestDecide_PairsOfASetMoveTogether(t *testing.T) {
	t.Parallel()
	observe := func(change func(*fake.World)) bluegreen.Pair {
		w := deployed()
		w.Tags[fake.GroupA]["cutover:execution"] = "retired:" + earlier
		change(w)
		pair, faults, err := bluegreen.Observe(t.Context(), w.ELB(), w.ECS(), params().Params)
		if err != nil || len(faults) > 0 {
			t.Fatalf("observe: %v, faults %q", err, faults)
		}
		return pair
	}
	due := observe(func(*fake.World) {})
	moved := observe(func(w *fake.World) {
		w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupB, 100, fake.GroupA, 0)
	})
	unfit := observe(func(w *fake.World) { w.SetHealth(fake.GroupB, 0, 2) })
	for name, c := range map[string]struct {
		pairs []bluegreen.Pair
		kind  Kind
		which []int
	}{
		"all that are due move at once":                   {[]bluegreen.Pair{due, due}, Shift, []int{0, 1}},
		"one that has moved waits for the others":         {[]bluegreen.Pair{moved, due}, Shift, []int{1}},
		"none moves while one is not fit":                 {[]bluegreen.Pair{due, unfit, due}, Refuse, []int{1}},
		"test routes follow when production is all moved": {[]bluegreen.Pair{moved, moved}, RouteTest, []int{0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := decide(World{Pairs: c.pairs}, params(), State{})
			var which []int
			for _, d := range next {
				if d.Kind != c.kind {
					t.Errorf("got kind %d, want %d", d.Kind, c.kind)
				}
				which = append(which, d.Pair)
			}
			if fmt.Sprint(which) != fmt.Sprint(c.which) {
				t.Errorf("got pairs %v, want %v", which, c.which)
			}
		})
	}
}
