package main

import (
	"context"
	"fmt"
	"strings"

	"cutover/cmd/cutover/internal/setview"
	"cutover/pkg/record"
)

// A verbCommand says something to the release that is under way.
type verbCommand struct {
	setName
	Reason string `help:"Why; it is shown with the verb and recorded with a rollback." short:"m"`
}

// Validate bounds the reason: a verb is a parameter of 4 KB.
func (c verbCommand) Validate() error {
	if len(c.Reason) > 500 {
		return fmt.Errorf("--reason has %d bytes, more than 500", len(c.Reason))
	}
	return c.setName.Validate()
}

// said is the verb as it is recorded.
func (c verbCommand) said(r *remote, execution string) record.Said {
	return record.Said{Execution: execution, By: r.by, Reason: c.Reason, At: r.now()}
}

// soon is when a release notices: CodePipeline asks the function again at its own
// pace.
const soon = "at the release's next look, within a minute or so"

// underway is the release that a verb is for.
func (c verbCommand) underway(ctx context.Context, r *remote) (record.Look, error) {
	look, err := r.last(ctx, c.Set)
	if err != nil {
		return look, err
	}
	last := look.Record
	switch {
	case last.Ended != nil:
		return look, fmt.Errorf("release set %s has no release under way: the last one, %d, %s at %s", c.Set, last.Generation, ended(last), last.Ended.UTC().Format("2006-01-02 15:04:05"))
	case strings.HasPrefix(last.Execution, rollbackPrefix):
		return look, fmt.Errorf("release set %s is being rolled back %s, which takes no verbs", c.Set, last.Progress.Why)
	case !last.Held(r.now()):
		r.say("note: release %d has given no sign of life, and its lock expired at %s: it hears this only if its job goes on", last.Generation, last.Expires.UTC().Format("2006-01-02 15:04:05"))
	}
	return look, nil
}

func ended(r record.Record) string {
	if r.Verdict == record.RolledBack {
		return "was rolled back"
	}
	return r.Verdict
}

// forward is the release under way if it is not on its way back.
func (c verbCommand) forward(ctx context.Context, r *remote) (record.Look, error) {
	look, err := c.underway(ctx, r)
	switch {
	case err != nil:
		return look, err
	case look.Record.Progress.Back:
		return look, fmt.Errorf("release %d of set %s is already going back to blue, because %s", look.Record.Generation, c.Set, look.Record.Progress.Why)
	case look.Abort != nil:
		return look, fmt.Errorf("release %d of set %s was aborted by %s and is about to go back to blue", look.Record.Generation, c.Set, look.Abort.By)
	}
	return look, nil
}

// tell prints what will happen.
func (c verbCommand) tell(r *remote, format string, args ...any) error {
	return setview.Say(r.out, fmt.Sprintf(format, args...))
}

type (
	holdCommand     struct{ verbCommand }
	resumeCommand   struct{ verbCommand }
	promoteCommand  struct{ verbCommand }
	abortCommand    struct{ verbCommand }
	freezeCommand   struct{ verbCommand }
	unfreezeCommand struct{ verbCommand }
)

// Run keeps the release where it is.
func (c *holdCommand) Run(ctx context.Context) error { return withRemote(ctx, c.run) }

func (c *holdCommand) run(ctx context.Context, r *remote) error {
	look, err := c.forward(ctx, r)
	if err != nil {
		return err
	}
	if look.Promote != nil {
		r.say("note: %s promoted this release; a hold is stronger until somebody resumes or promotes again", look.Promote.By)
	}
	if err := r.store(c.Set).Hold(ctx, c.said(r, look.Record.Execution)); err != nil {
		return err
	}
	return c.tell(r, "Release %d of set %s holds %s (%s). Alarms, analysis and health still take it back. Go on with: cutover resume %s",
		look.Record.Generation, c.Set, soon, standing(look.Record), c.Set)
}

// Run ends a hold and approves the move that waits.
func (c *resumeCommand) Run(ctx context.Context) error { return withRemote(ctx, c.run) }

func (c *resumeCommand) run(ctx context.Context, r *remote) error {
	look, err := c.forward(ctx, r)
	if err != nil {
		return err
	}
	p := look.Record.Progress
	said := c.said(r, look.Record.Execution)
	// A move that is not settled yet is not what somebody has looked at.
	said.Move = max(0, p.Move)
	if p.Settled {
		said.Move = p.Move + 1
	}
	if look.Resume != nil {
		said.Move = max(said.Move, look.Resume.Move)
	}
	if err := r.store(c.Set).Resume(ctx, said); err != nil {
		return err
	}
	if look.Hold != nil {
		if err := c.tell(r, "Release %d of set %s is no longer held (it was by %s).", look.Record.Generation, c.Set, look.Hold.By); err != nil {
			return err
		}
	}
	if !p.Settled {
		return c.tell(r, "Release %d of set %s goes on %s. No move is complete that could wait for approval: say it again when one does.", look.Record.Generation, c.Set, soon)
	}
	return c.tell(r, "Release %d of set %s may go on past move %d (%s), %s. A pause of fixed length is still waited for.", look.Record.Generation, c.Set, p.Move+1, standing(look.Record), soon)
}

// Run skips what the release still waits for.
func (c *promoteCommand) Run(ctx context.Context) error { return withRemote(ctx, c.run) }

func (c *promoteCommand) run(ctx context.Context, r *remote) error {
	look, err := c.forward(ctx, r)
	if err != nil {
		return err
	}
	if err := r.store(c.Set).Promote(ctx, c.said(r, look.Record.Execution)); err != nil {
		return err
	}
	return c.tell(r, "Release %d of set %s skips pauses, approvals and the bake, %s: %s now, then one move after another. Health, alarms and hooks still count.",
		look.Record.Generation, c.Set, soon, standing(look.Record))
}

// Run takes the release back to blue.
func (c *abortCommand) Run(ctx context.Context) error { return withRemote(ctx, c.run) }

func (c *abortCommand) run(ctx context.Context, r *remote) error {
	look, err := c.underway(ctx, r)
	if err != nil {
		return err
	}
	last := look.Record
	if last.Progress.Back {
		return c.tell(r, "Release %d of set %s is already going back to blue, because %s", last.Generation, c.Set, last.Progress.Why)
	}
	if err := r.store(c.Set).Abort(ctx, c.said(r, last.Execution)); err != nil {
		return err
	}
	if last.Progress.Move < 0 {
		return c.tell(r, "Release %d of set %s ends before anything has moved, %s.", last.Generation, c.Set, soon)
	}
	return c.tell(r, "Release %d of set %s goes back to blue, all services, %s: %s now. Watch it with: cutover status %s --watch",
		last.Generation, c.Set, soon, standing(last), c.Set)
}

// Run keeps releases from starting.
func (c *freezeCommand) Run(ctx context.Context) error { return withRemote(ctx, c.run) }

func (c *freezeCommand) run(ctx context.Context, r *remote) error {
	history, err := r.store(c.Set).History(ctx)
	if err != nil {
		return err
	}
	if err := r.store(c.Set).Freeze(ctx, c.said(r, "")); err != nil {
		return err
	}
	switch {
	case len(history) == 0:
		r.say("note: no release of set %s is recorded yet: see that the name is right", c.Set)
	case history[0].Held(r.now()):
		r.say("note: release %d is under way and goes on; stop it with hold or abort", history[0].Generation)
	}
	return c.tell(r, "No release of set %s may start, from now on. Allow them with: cutover unfreeze %s", c.Set, c.Set)
}

// Run lets releases start again.
func (c *unfreezeCommand) Run(ctx context.Context) error { return withRemote(ctx, c.run) }

func (c *unfreezeCommand) run(ctx context.Context, r *remote) error {
	look, err := r.store(c.Set).Read(ctx, 0)
	if err != nil {
		return err
	}
	if look.Freeze == nil {
		return fmt.Errorf("unfreeze release set %s: it is not frozen", c.Set)
	}
	if err := r.store(c.Set).Unfreeze(ctx); err != nil {
		return err
	}
	return c.tell(r, "Releases of set %s may start again; retry the stage of those that were refused. It was frozen by %s since %s.", c.Set, look.Freeze.By, look.Freeze.At.UTC().Format("2006-01-02 15:04:05"))
}

// withRemote runs a command against AWS.
func withRemote(ctx context.Context, run func(context.Context, *remote) error) error {
	r, err := connect(ctx)
	if err != nil {
		return err
	}
	return run(ctx, r)
}

// standing is how much of production a release has given green.
func standing(r record.Record) string {
	if n := len(r.Steps); n > 0 {
		return fmt.Sprintf("green has %g %% of production", r.Steps[n-1].Weight)
	}
	return "green has none of production"
}
