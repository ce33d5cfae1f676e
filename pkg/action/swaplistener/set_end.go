package swaplistener

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cutover/pkg/bluegreen"
	"cutover/pkg/job"
	"cutover/pkg/record"
)

// kept is how many releases of a set are kept in Parameter Store.
const kept = 20

// refuse ends a release that has not moved anything.
func (t *setTick) refuse(ctx context.Context, why string) error {
	if err := t.end(ctx, record.Failed, why); err != nil {
		return t.stand(err)
	}
	return job.ConfigurationError(fmt.Sprintf("release set %s does not start: %s; so nothing was moved: %s; correct this, then retry the stage", t.file.Set, why, t.standing()))
}

// stop ends a release that somebody else has interfered with, as it stands.
func (t *setTick) stop(ctx context.Context, why string) error {
	if err := t.end(ctx, record.Failed, why); err != nil {
		return t.stand(err)
	}
	return job.Failed("%s\nNothing more was touched: %s. See who else manages the routes; bring them back to where the release left them and retry the stage, or take production back by hand.", why, t.standing())
}

// returned ends a release whose production is back on blue.
func (t *setTick) returned(ctx context.Context, why string) error {
	if err := t.disown(ctx); err != nil {
		return t.stand(err)
	}
	t.record.Restored = t.restored()
	t.record.Steps = append(t.record.Steps, record.Step{At: *t.record.Restored, Why: "rolled back"})
	exposed, err := t.exposed(ctx)
	if err == nil {
		t.record.Exposed = exposed
	}
	if err := t.end(ctx, record.RolledBack, why); err != nil {
		return t.stand(err)
	}
	return t.rolledBack(err)
}

// restored is when production was first seen back on blue.
func (t *setTick) restored() *time.Time {
	if t.record.Restored != nil {
		return t.record.Restored
	}
	now := t.job.Now
	return &now
}

// disown marks greens as rolled back, so that they are not released again, and
// undoes what follow did if the release had come that far.
func (t *setTick) disown(ctx context.Context) error {
	for i, green := range t.greens {
		if back := bluegreen.RolledBack(t.job.Params.Execution); green.Execution() != back {
			if err := bluegreen.Tag(ctx, t.clients.ELB, green.TargetGroup, map[string]string{bluegreen.TagExecution: back}); err != nil {
				return err
			}
			t.greens[i].Tags[bluegreen.TagExecution] = back
		}
	}
	if t.record.Progress.Baked.IsZero() {
		return nil
	}
	return t.mark(ctx, func(green, blue bluegreen.Side) (live, idle bluegreen.Side) { return blue, green })
}

// rolledBack is how the job fails after a rollback, with the evidence. unknown is
// why the requests could not be counted.
func (t *setTick) rolledBack(unknown error) error {
	r := t.record
	at := "before any traffic was seen on green"
	if n := len(r.Steps); n > 1 {
		at = fmt.Sprintf("at %v %%", r.Steps[n-2].Weight)
	}
	exposure := fmt.Sprintf("green had answered %d requests of production", r.Exposed)
	if unknown != nil {
		exposure = fmt.Sprintf("how many requests green had answered could not be read (%v)", unknown)
	}
	took := ""
	if r.Detected != nil && r.Restored != nil {
		took = fmt.Sprintf(", %s after it was noticed", r.Restored.Sub(*r.Detected).Round(time.Second))
	}
	return job.Failed("%s", t.noted(fmt.Sprintf("release set %s was rolled back %s: %s\nProduction is back on blue%s, all %d services; %s. Find the cause, then start the pipeline with a new execution: this one is not released again.",
		t.file.Set, at, r.Why, took, len(t.pairs), exposure)))
}

// follow follows production to green.
func (t *setTick) follow(ctx context.Context) error {
	return t.mark(ctx, func(green, blue bluegreen.Side) (live, idle bluegreen.Side) { return green, blue })
}

// mark points the test routes at the idle sides, and has the tags say which side is
// which.
func (t *setTick) mark(ctx context.Context, sides func(green, blue bluegreen.Side) (live, idle bluegreen.Side)) error {
	for i, pair := range t.pairs {
		_, idle := sides(t.greens[i], pair.Other(t.greens[i]))
		if pair.Test.PointsTo(idle.TargetGroup) {
			continue
		}
		route, err := pair.Test.Shift(ctx, t.clients.ELB, bluegreen.Weight{TargetGroup: idle.TargetGroup, Weight: 100})
		if err != nil {
			return fmt.Errorf("the test route of %s: %w", t.file.Services[i].Name, err)
		}
		t.pairs[i].Test = route
	}
	for i, pair := range t.pairs {
		live, idle := sides(t.greens[i], pair.Other(t.greens[i]))
		for _, s := range []struct {
			side       bluegreen.Side
			production string
		}{{live, "True"}, {idle, "False"}} {
			if s.side.Tags[bluegreen.TagIsProduction] == s.production {
				continue
			}
			if err := bluegreen.Tag(ctx, t.clients.ELB, s.side.TargetGroup, map[string]string{bluegreen.TagIsProduction: s.production}); err != nil {
				return err
			}
			s.side.Tags[bluegreen.TagIsProduction] = s.production
		}
	}
	return nil
}

// shifted ends a release that has succeeded. why is what became of blue, if that is
// not what was asked for.
func (t *setTick) shifted(ctx context.Context, why string) (job.Result[State], error) {
	if err := t.follow(ctx); err != nil {
		return job.Result[State]{}, t.stand(err)
	}
	if exposed, err := t.exposed(ctx); err == nil {
		t.record.Exposed = exposed
	}
	if err := t.end(ctx, record.Succeeded, why); err != nil {
		return job.Result[State]{}, t.stand(err)
	}
	return t.over()
}

// over tells how a release has ended, as often as it is asked.
func (t *setTick) over() (job.Result[State], error) {
	switch r := t.record; r.Verdict {
	case record.Succeeded:
		return job.Done[State](t.summary(), t.outputs()), nil
	case record.RolledBack:
		return job.Result[State]{}, t.rolledBack(nil)
	default:
		return job.Result[State]{}, job.Failed("release set %s: %s; %s", t.file.Set, r.Why, t.standing())
	}
}

func (t *setTick) summary() string {
	var names []string
	for _, g := range t.greens {
		names = append(names, g.Name())
	}
	if len(names) > 5 {
		names = append(names[:5], fmt.Sprintf("%d more", len(t.greens)-5))
	}
	text := fmt.Sprintf("release set %s is on %s, after %s", t.file.Set, strings.Join(names, ", "), t.record.Strategy)
	if t.record.Why != "" {
		text += "; " + t.record.Why
	}
	return t.noted(text)
}

// outputs are the action's variables.
func (t *setTick) outputs() map[string]string {
	return map[string]string{
		"ReleaseSet": t.file.Set, "Generation": fmt.Sprint(t.record.Generation), "Verdict": t.record.Verdict,
		"Services": fmt.Sprint(len(t.pairs)),
	}
}

// end writes the record's last version, which releases the lock, and the output
// artifact if there is one.
func (t *setTick) end(ctx context.Context, verdict, why string) error {
	now := t.job.Now
	t.record.Ended, t.record.Verdict, t.record.Why = &now, verdict, why
	if t.record.Progress.Move >= 0 && why == "" {
		t.record.Why = t.record.Progress.Why
	}
	if timings := t.record.Measure(); timings != (record.Timings{}) {
		t.record.Timings = &timings
	}
	if len(t.job.Outputs) > 0 && verdict == record.Succeeded { // a failed action has no artifacts
		text, err := json.MarshalIndent(t.record, "", "  ")
		if err != nil {
			return fmt.Errorf("encode record: %w", err)
		}
		if err := t.job.WriteOutput(ctx, t.job.Outputs[0].Name, map[string][]byte{"release.json": append(text, '\n')}); err != nil {
			return err
		}
	}
	t.keep(ctx)
	if err := t.put(ctx); err != nil {
		return err
	}
	if verdict == record.RolledBack {
		t.announce(ctx, rolledBack)
	}
	t.announce(ctx, ended)
	return t.store.Prune(ctx, kept)
}
