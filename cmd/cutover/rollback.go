package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cutover/cmd/cutover/internal/setview"
	"cutover/pkg/bluegreen"
	"cutover/pkg/record"
	"cutover/pkg/release"
	"cutover/pkg/rollout"
	"cutover/pkg/rollout/preview"
)

// rollbackPrefix begins the execution of a rollback's own record.
const rollbackPrefix = setview.RollbackPrefix

// rollbackExpires is how long the set stays locked when the command dies.
const rollbackExpires = 10 * time.Minute

// rollbackCommand takes a set back after its release has ended.
type rollbackCommand struct {
	verbCommand
	File   string `help:"The set's cutover.yaml." required:"" placeholder:"FILE"`
	DryRun bool   `help:"Say what would be moved, and move nothing."`
	Force  bool   `help:"Go back also to a side that has less than half as many healthy targets as the one that production is on."`
}

// Run locks the set, moves all production routes back to the sides that they were
// on before the last release, and records it.
func (c *rollbackCommand) Run(ctx context.Context) error { return withRemote(ctx, c.run) }

func (c *rollbackCommand) run(ctx context.Context, r *remote) error {
	file, err := loadFile(c.File, r.err)
	if err != nil {
		return err
	}
	if file.Set != c.Set {
		return fmt.Errorf("read release file: %s is of set %s, not %s", c.File, file.Set, c.Set)
	}
	b := &rollback{remote: r, command: c, file: file}
	if err := b.choose(ctx); err != nil {
		return err
	}
	if err := b.observe(ctx); err != nil {
		return err
	}
	if err := setview.Rollback(r.out, b.of, b.returns()); err != nil {
		return err
	}
	if err := b.fit(); err != nil {
		return err
	}
	if c.DryRun {
		return c.tell(r, "Nothing was moved: this was a dry run.")
	}
	// Once begun it is brought to its end: half of a set on each side helps nobody.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackExpires/2)
	defer cancel()
	return b.apply(ctx)
}

// A rollback is one under way.
type rollback struct {
	*remote
	command *rollbackCommand
	file    *release.File

	next   int           // the generation that it takes
	of     record.Record // the release that is taken back
	pairs  []bluegreen.Pair
	greens []bluegreen.Side // of that release, by pair
	world  rollout.World
	plan   rollout.Plan
	own    record.Record
}

// choose finds the release to take back: the last one that moved anything.
func (b *rollback) choose(ctx context.Context) error {
	set := b.command.Set
	history, err := b.store(set).History(ctx)
	if err != nil {
		return err
	}
	if len(history) == 0 {
		return unknownSet(set)
	}
	switch last := history[0]; {
	case last.Held(b.now()) && strings.HasPrefix(last.Execution, rollbackPrefix):
		return fmt.Errorf("roll back release set %s: it is being rolled back already, %s; if that died, its lock expires at %s", set, last.Progress.Why, last.Expires.UTC().Format(time.RFC3339))
	case last.Held(b.now()):
		return fmt.Errorf("roll back release set %s: release %d (execution %s) is under way: take it back with: cutover abort %s", set, last.Generation, last.Execution, set)
	}
	b.next = history[0].Generation + 1
	for _, h := range history {
		own := strings.HasPrefix(h.Execution, rollbackPrefix)
		switch {
		case own && h.Verdict == record.RolledBack:
			return fmt.Errorf("roll back release set %s: nothing is left to take back: %s, at %s; release a commit that is good", set, h.Why, h.Started.UTC().Format(time.RFC3339))
		case own, h.Progress.Move < 0:
			continue // it has moved nothing, or not all
		case h.Verdict == record.RolledBack:
			return fmt.Errorf("roll back release set %s: release %d was rolled back itself, and production is on the side before it", set, h.Generation)
		}
		b.of = h
		return nil
	}
	return fmt.Errorf("roll back release set %s: no recorded release has moved its production", set)
}

// observe reads the set, and finds the sides of the release by their tags.
func (b *rollback) observe(ctx context.Context) error {
	seen, err := bluegreen.ObserveSet(ctx, b.elb, b.ecs, preview.Pairs(b.file, ""), true)
	if err != nil {
		return err
	}
	b.pairs, b.greens = make([]bluegreen.Pair, len(seen)), make([]bluegreen.Side, len(seen))
	b.world = rollout.World{Now: b.now(), Pairs: make([]rollout.Pair, len(seen))}
	b.plan = rollout.Plan{Moves: []release.Move{{Weight: release.Whole}}}
	if b.of.Verdict == record.Succeeded {
		b.world.Progress = record.Progress{Settled: true}
	} else { // it stopped on its way, and may have written part of a move
		b.plan.Moves, b.world.Progress = b.file.Moves(), b.of.Progress
	}
	b.world.Progress.Back, b.world.Progress.Why = true, b.why()
	var faults []string
	for i, o := range seen {
		name := b.file.Services[i].Name
		for _, fault := range o.Faults {
			faults = append(faults, name+": "+fault)
		}
		if len(o.Faults) > 0 {
			continue
		}
		b.pairs[i] = o.Pair
		if why := b.identify(i); why != "" {
			faults = append(faults, name+": "+why)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("roll back release set %s: nothing was moved:\n  %s", b.command.Set, strings.Join(faults, "\n  "))
	}
	return nil
}

// identify finds a pair's side of the release, and sees that the other one still
// holds what was there before.
func (b *rollback) identify(i int) string {
	pair, execution := b.pairs[i], b.of.Execution
	for _, side := range pair.Sides {
		if e := side.Execution(); e == execution || e == bluegreen.RolledBack(execution) {
			b.greens[i] = side
		}
	}
	green := b.greens[i]
	if green.TargetGroup == "" {
		return fmt.Sprintf("no side carries execution %s any more", execution)
	}
	if e := pair.Other(green).Execution(); e != "" && (e != bluegreen.Retired(e) || strings.HasPrefix(e, bluegreen.RolledBack(""))) {
		return fmt.Sprintf("what production was on before is gone: %s now holds %s; release the commit that was good", pair.Other(green), bluegreen.DescribeExecution(e))
	}
	b.describe(i)
	if foreign := b.world.Pairs[i].Foreign; foreign != "" {
		return foreign
	}
	return ""
}

// describe puts a pair before rollout.Decide.
func (b *rollback) describe(i int) {
	green, pair := b.greens[i], b.pairs[i]
	share, foreign := pair.Share(green)
	of := func(s bluegreen.Side) rollout.Side {
		return rollout.Side{Healthy: s.Health.Healthy, Desired: int(s.Service.DesiredCount), Unready: s.Incomplete()}
	}
	b.world.Pairs[i] = rollout.Pair{
		Name: b.file.Services[i].Name, Share: release.Weight(share), Foreign: foreign,
		Green: of(green), Blue: of(pair.Other(green)),
	}
}

func (b *rollback) returns() []setview.Return {
	services := make([]setview.Return, len(b.pairs))
	for i, p := range b.pairs {
		services[i] = setview.Return{Name: b.file.Services[i].Name, Percent: float64(b.world.Pairs[i].Share) / 10, From: b.greens[i], To: p.Other(b.greens[i])}
	}
	return services
}

// fit says what keeps the rollback from starting: a side that does not work, an
// edit by someone else, a side too small.
func (b *rollback) fit() error {
	refuse := func(why, todo string) error {
		return fmt.Errorf("roll back release set %s: nothing was moved: %s%s", b.command.Set, why, todo)
	}
	for _, p := range b.world.Pairs { // each by itself: a set is moved whole or not at all
		world := b.world
		world.Pairs = []rollout.Pair{p}
		switch d := rollout.Decide(world, b.plan); d.Kind {
		case rollout.Wait:
			return refuse(d.Why, "; scale it up or repair it, then say this again")
		case rollout.Stop:
			return refuse(d.Why, "")
		}
	}
	var small []string
	for _, p := range b.world.Pairs {
		if !b.command.Force && p.Share > 0 && 2*p.Blue.Healthy < p.Green.Healthy {
			small = append(small, fmt.Sprintf("%s: the side before has %d healthy targets, production's has %d", p.Name, p.Blue.Healthy, p.Green.Healthy))
		}
	}
	if len(small) > 0 {
		return refuse(strings.Join(small, "; "), "; scale it up first, or say --force")
	}
	return nil
}

func (b *rollback) why() string {
	text := "by " + b.by
	if b.command.Reason != "" {
		text += " (" + b.command.Reason + ")"
	}
	return text
}

// apply takes the lock, moves production, and records how it went.
func (b *rollback) apply(ctx context.Context) error {
	if err := b.lock(ctx); err != nil {
		return err
	}
	err := b.observe(ctx) // again: who had the lock in between may have changed it
	if err == nil {
		err = b.fit()
	}
	if err == nil {
		err = b.move(ctx)
	}
	if err == nil {
		restored := b.now()
		b.own.Restored = &restored
		err = b.follow(ctx)
	}
	if err != nil {
		return errors.Join(err, b.end(ctx, record.Failed, err.Error()))
	}
	if err := b.end(ctx, record.RolledBack, fmt.Sprintf("release %d was rolled back %s", b.of.Generation, b.why())); err != nil {
		return err
	}
	return b.command.tell(b.remote, "Production of set %s is back, all %d services, as generation %d records. Release a commit that is good with a new execution.", b.command.Set, len(b.pairs), b.own.Generation)
}

func (b *rollback) lock(ctx context.Context) error {
	now := b.now()
	own, err := b.store(b.command.Set).Acquire(ctx, now, record.Record{
		Execution: fmt.Sprintf("%s%d", rollbackPrefix, b.next), Strategy: fmt.Sprintf("rollback of release %d", b.of.Generation),
		Started: now, Expires: now.Add(rollbackExpires), Detected: &now,
		Progress: record.Progress{Move: -1, Back: true, Why: b.why()},
	})
	if err != nil {
		return fmt.Errorf("roll back release set %s: %w", b.command.Set, err)
	}
	if !own.Started.Equal(now) || own.Progress.Why != b.why() {
		return fmt.Errorf("roll back release set %s: somebody else was faster: it is rolled back %s", b.command.Set, own.Progress.Why)
	}
	b.own = own
	return nil
}

// move writes the production routes until all of them are seen to be back. AWS
// may show a write only a moment later.
func (b *rollback) move(ctx context.Context) error {
	for range 30 {
		d := rollout.Decide(b.world, b.plan)
		switch d.Kind {
		case rollout.Returned:
			return nil
		case rollout.Write:
		default:
			return fmt.Errorf("roll back release set %s: %s", b.command.Set, d.Why)
		}
		for _, i := range d.Pairs {
			pair := b.pairs[i]
			green, blue := b.greens[i].TargetGroup, pair.Other(b.greens[i]).TargetGroup
			route, err := pair.Production.Shift(ctx, b.elb, bluegreen.Weight{TargetGroup: green}, bluegreen.Weight{TargetGroup: blue, Weight: 100})
			if err != nil {
				return fmt.Errorf("roll back %s: %w", b.file.Services[i].Name, err)
			}
			b.pairs[i].Production = route
			b.describe(i)
		}
		if rollout.Decide(b.world, b.plan).Kind == rollout.Returned {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("roll back release set %s: %w", b.command.Set, ctx.Err())
		case <-time.After(time.Second):
		}
	}
	return fmt.Errorf("roll back release set %s: the load balancer does not show what was written", b.command.Set)
}

// follow brings tags and test routes after production, as a release does.
func (b *rollback) follow(ctx context.Context) error {
	for i, green := range b.greens {
		blue := b.pairs[i].Other(green)
		if err := bluegreen.Tag(ctx, b.elb, green.TargetGroup, map[string]string{
			bluegreen.TagExecution: bluegreen.RolledBack(b.of.Execution), bluegreen.TagIsProduction: "False",
		}); err != nil {
			return err
		}
		if err := bluegreen.Tag(ctx, b.elb, blue.TargetGroup, map[string]string{bluegreen.TagIsProduction: "True"}); err != nil {
			return err
		}
		if _, err := b.pairs[i].Test.Shift(ctx, b.elb, bluegreen.Weight{TargetGroup: green.TargetGroup, Weight: 100}); err != nil {
			return fmt.Errorf("the test route of %s: %w", b.file.Services[i].Name, err)
		}
	}
	return nil
}

// end writes the record's last version, which releases the lock.
func (b *rollback) end(ctx context.Context, verdict, why string) error {
	ended := b.now()
	b.own.Ended, b.own.Verdict, b.own.Why = &ended, verdict, why
	if _, err := b.store(b.command.Set).Put(ctx, b.own); err != nil {
		return fmt.Errorf("record the rollback: %w", err)
	}
	return b.store(b.command.Set).Prune(ctx, 20)
}
