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
	for i, green := range t.greens {
		if back := bluegreen.RolledBack(t.job.Params.Execution); green.Execution() != back {
			if err := bluegreen.Tag(ctx, t.elb, green.TargetGroup, map[string]string{bluegreen.TagExecution: back}); err != nil {
				return t.stand(err)
			}
			t.greens[i].Tags[bluegreen.TagExecution] = back
		}
	}
	restored := t.job.Now
	t.record.Restored = &restored
	t.record.Steps = append(t.record.Steps, record.Step{At: restored, Why: "rolled back"})
	exposed, err := t.exposed(ctx)
	if err == nil {
		t.record.Exposed = exposed
	}
	if err := t.end(ctx, record.RolledBack, why); err != nil {
		return t.stand(err)
	}
	return t.rolledBack(err)
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
	return job.Failed("release set %s was rolled back %s: %s\nProduction is back on blue%s, all %d services; %s. Find the cause, then start the pipeline with a new execution: this one is not released again.",
		t.file.Set, at, r.Why, took, len(t.pairs), exposure)
}

// shifted follows production to green: the test routes go to the old sides, and
// the tags say which side is which.
func (t *setTick) shifted(ctx context.Context) (job.Result[State], error) {
	for i, pair := range t.pairs {
		blue := pair.Other(t.greens[i])
		if pair.Test.PointsTo(blue.TargetGroup) {
			continue
		}
		if _, err := pair.Test.Shift(ctx, t.elb, bluegreen.Weight{TargetGroup: blue.TargetGroup, Weight: 100}); err != nil {
			return job.Result[State]{}, t.stand(fmt.Errorf("the test route of %s: %w", t.file.Services[i].Name, err))
		}
	}
	for i, pair := range t.pairs {
		for _, s := range []struct {
			side       bluegreen.Side
			production string
		}{{t.greens[i], "True"}, {pair.Other(t.greens[i]), "False"}} {
			if s.side.Tags[bluegreen.TagIsProduction] == s.production {
				continue
			}
			if err := bluegreen.Tag(ctx, t.elb, s.side.TargetGroup, map[string]string{bluegreen.TagIsProduction: s.production}); err != nil {
				return job.Result[State]{}, t.stand(err)
			}
		}
	}
	if exposed, err := t.exposed(ctx); err == nil {
		t.record.Exposed = exposed
	}
	if err := t.end(ctx, record.Succeeded, ""); err != nil {
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
	return fmt.Sprintf("release set %s is on %s, after %s", t.file.Set, strings.Join(names, ", "), t.record.Strategy)
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
	ended := t.job.Now
	t.record.Ended, t.record.Verdict, t.record.Why = &ended, verdict, why
	if t.record.Progress.Move >= 0 && why == "" {
		t.record.Why = t.record.Progress.Why
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
	if err := t.put(ctx); err != nil {
		return err
	}
	return t.store.Prune(ctx, kept)
}
