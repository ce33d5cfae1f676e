package swaplistener

import (
	"context"
	"strings"
	"time"

	"cutover/pkg/hook"
	"cutover/pkg/release"
	"cutover/pkg/rollout"
)

// hookTimeout is how long a hook may say that it is not done, unless the file says
// otherwise.
const hookTimeout = 5 * time.Minute

// timeout is a hook's, 0 where there is none.
func timeout(h *release.Hook) time.Duration {
	if h == nil {
		return 0
	}
	return h.Timeout.Or(hookTimeout)
}

// ask asks the hook of a point, or makes the checks. That production is back is
// seen to before anybody is told.
func (t *setTick) ask(ctx context.Context, point string) {
	if point == rollout.PointChecks {
		t.world.Answers[point] = t.check(ctx)
		return
	}
	key, _, _ := strings.Cut(point, "/")
	function := map[string]*release.Hook{
		rollout.PointBeforeShift: t.file.Hooks.BeforeShift, "afterStep": t.file.Hooks.AfterStep,
		rollout.PointAfterShift: t.file.Hooks.AfterShift, rollout.PointOnRollback: t.file.Hooks.OnRollback,
	}[key].Function
	a := hook.Ask(ctx, t.clients.Lambda(), function, t.call(key))
	t.world.Answers[point] = rollout.Answer{Done: a.Status == hook.Succeeded, Failed: a.Status == hook.Failed, Why: a.Message}
}

// call is what a hook is told.
func (t *setTick) call(key string) hook.Call {
	p := t.world.Progress
	c := hook.Call{
		Hook: key, Set: t.file.Set, Execution: t.job.Params.Execution, Generation: t.record.Generation,
		Move: p.Move, Weight: t.weight(), Since: p.AskedSince.UTC(), Strategy: t.file.Traffic.Strategy(), Why: p.Why,
	}
	for i, pair := range t.pairs {
		green := t.greens[i]
		blue := pair.Other(green)
		c.Services = append(c.Services, hook.Service{
			Name: t.file.Services[i].Name, Image: t.record.Images[t.file.Services[i].Name],
			GreenService: green.Name(), GreenTargetGroup: green.TargetGroup,
			BlueService: blue.Name(), BlueTargetGroup: blue.TargetGroup, TestURL: pair.TestURL(),
		})
	}
	return c
}

// weight is green's share of production, in percent, as far as every service has
// it.
func (t *setTick) weight() float64 {
	least := release.Whole
	for _, p := range t.world.Pairs {
		least = min(least, p.Share)
	}
	return float64(least) / 10
}
