package swaplistener

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cutover/pkg/bluegreen"
	"cutover/pkg/job"
	"cutover/pkg/record"
	"cutover/pkg/release"
	"cutover/pkg/rollout"
)

// note records progress before anything is done about it. The very first one
// marks the old executions as retired, so that no late duplicate of their jobs
// takes production back.
func (t *setTick) note(ctx context.Context, p record.Progress) error {
	was := t.record.Progress
	if was.Move < 0 && p.Move == 0 {
		if err := t.retire(ctx); err != nil {
			return err
		}
	}
	if was.Baked.IsZero() && !p.Baked.IsZero() {
		if err := t.follow(ctx); err != nil {
			return err
		}
	}
	next := t.record
	next.Progress, next.Expires = p, t.job.Now.Add(t.expiry())
	switch {
	case p.Asking == rollout.PointOnRollback && was.Asking != p.Asking: // production comes first, then the hook
		if err := t.disown(ctx); err != nil {
			return err
		}
		next.Restored = t.restored()
	case p.Back && !was.Back:
		detected := t.job.Now
		next.Detected = &detected
		t.done = append(t.done, "going back: "+p.Why)
	case p.Settled && !was.Settled:
		weight := t.plan.Moves[p.Move].Weight
		next.Steps = append(slices.Clone(next.Steps), record.Step{Weight: float64(weight) / 10, At: t.job.Now})
		t.done = append(t.done, fmt.Sprintf("green has %s of the traffic", weight))
		if reason := t.unjudged(p.Move); reason != "" {
			t.world.Unsure = reason // what was read is of the move before
		}
	}
	written, err := t.store.Put(ctx, next)
	if err != nil && (!p.Back || errors.Is(err, record.ErrStale)) {
		return err
	}
	if err != nil {
		// Production comes first: a crash in the next moments would lose the
		// reason, and nothing else.
		t.done = append(t.done, fmt.Sprintf("(%v)", err))
		written = next
	}
	t.record, t.world.Progress = written, p
	t.state.Moved = t.state.Moved || p.Move >= 0
	if p.Settled && !was.Settled {
		t.announce(ctx, moved)
	}
	return nil
}

func (t *setTick) retire(ctx context.Context) error {
	for i, pair := range t.pairs {
		blue := pair.Other(t.greens[i])
		if retired := bluegreen.Retired(blue.Execution()); retired != blue.Execution() {
			if err := bluegreen.Tag(ctx, t.clients.ELB, blue.TargetGroup, map[string]string{bluegreen.TagExecution: retired}); err != nil {
				return err
			}
		}
	}
	return nil
}

// write gives green its share on the routes of some pairs, and sees that it has
// it.
func (t *setTick) write(ctx context.Context, d rollout.Decision) error {
	if d.Target > 0 {
		if err := t.confirmSet(ctx, d.Pairs); err != nil {
			return err
		}
	}
	for _, i := range d.Pairs {
		pair := t.pairs[i]
		green, blue := t.greens[i].TargetGroup, pair.Other(t.greens[i]).TargetGroup
		route, err := pair.Production.Shift(ctx, t.clients.ELB, weights(green, blue, d.Target)...)
		if err != nil {
			return fmt.Errorf("%s: %w", t.file.Services[i].Name, err)
		}
		t.pairs[i].Production = route
		t.describe(i)
	}
	return nil
}

// weights are those of a route on which green has a share. A weight is at most
// 999, so all of the traffic is 100 of 100.
func weights(green, blue string, share release.Weight) []bluegreen.Weight {
	switch share {
	case 0:
		return []bluegreen.Weight{{TargetGroup: green}, {TargetGroup: blue, Weight: 100}}
	case release.Whole:
		return []bluegreen.Weight{{TargetGroup: green, Weight: 100}, {TargetGroup: blue}}
	}
	return []bluegreen.Weight{{TargetGroup: green, Weight: int32(share)}, {TargetGroup: blue, Weight: int32(release.Whole - share)}}
}

// confirmSet reads the names of greens again right before production moves to
// them: in the stage before, a later execution may just have claimed one.
func (t *setTick) confirmSet(ctx context.Context, pairs []int) error {
	for part := range slices.Chunk(pairs, 20) { // as many as a call takes
		var groups []string
		for _, i := range part {
			groups = append(groups, t.greens[i].TargetGroup)
		}
		tags, err := bluegreen.ReadTags(ctx, t.clients.ELB, groups...)
		if err != nil {
			return err
		}
		for _, i := range part {
			if now := tags[t.greens[i].TargetGroup][bluegreen.TagExecution]; now != t.job.Params.Execution {
				return job.Failed("%s: %s just took over %s, so no more production was moved to it: %s; release that execution, or start the pipeline again",
					t.file.Services[i].Name, bluegreen.DescribeExecution(now), t.greens[i], t.standing())
			}
		}
	}
	return nil
}

// wait ends the tick. A lock that has used up a quarter of its time is renewed.
func (t *setTick) wait(ctx context.Context, why string) (job.Result[State], error) {
	if left := t.record.Expires.Sub(t.job.Now); left < t.expiry()*3/4 {
		t.record.Expires = t.job.Now.Add(t.expiry())
		if err := t.put(ctx); err != nil {
			return job.Result[State]{}, t.stand(err)
		}
	}
	return job.Continue(t.state, t.percent(), t.noted(strings.Join(append(t.done, why), "; "))), nil
}

// put writes the record as it is.
func (t *setTick) put(ctx context.Context) (err error) {
	t.record, err = t.store.Put(ctx, t.record)
	return err
}

// percent is how far the release is: half for the moves that were made, half for
// the traffic.
func (t *setTick) percent() int {
	p := t.world.Progress
	if p.Move < 0 {
		return 1
	}
	share := 0
	if p.Settled {
		share = int(t.plan.Moves[p.Move].Weight)
	}
	return 5 + 45*(p.Move+btoi(p.Settled))/len(t.plan.Moves) + 45*share/int(release.Whole)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// stand says of a failed change how production stands and what to do. An edit by
// someone else ends the release.
func (t *setTick) stand(err error) error {
	if _, told := errors.AsType[*job.Failure](err); told {
		return err
	}
	if _, edited := errors.AsType[*bluegreen.ForeignEditError](err); edited {
		return job.Failed("%v; nothing more was touched: %s; see who else manages the route, then retry the stage", err, t.standing())
	}
	return fmt.Errorf("%w; %s", err, t.standing())
}

// standing tells how production stands now: of each share, which services.
func (t *setTick) standing() string {
	shares := map[string][]string{}
	var order []string
	for i, p := range t.world.Pairs {
		name := t.file.Services[i].Name
		text := "not known"
		switch {
		case p.Foreign != "":
			text = p.Foreign
		case p.Name != "":
			text = p.Share.String()
		}
		if shares[text] == nil {
			order = append(order, text)
		}
		shares[text] = append(shares[text], name)
	}
	var parts []string
	for _, text := range order {
		of := strings.Join(shares[text], ", ")
		if len(order) == 1 && len(t.world.Pairs) > 1 {
			of = fmt.Sprintf("all %d services", len(t.world.Pairs))
		}
		parts = append(parts, fmt.Sprintf("%s for %s", text, of))
	}
	return "green's share of production is " + strings.Join(parts, ", ")
}
