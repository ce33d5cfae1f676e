package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"cutover/cmd/cutover/internal/setview"
	"cutover/pkg/bluegreen"
	"cutover/pkg/release"
	"cutover/pkg/rollout/preview"
)

// statusCommand shows where a set stands.
type statusCommand struct {
	setName
	File     string        `help:"The set's cutover.yaml: then also the pauses, and the sides with their health as they are now, are shown." placeholder:"FILE"`
	JSON     bool          `help:"Print JSON; with --watch, a value for each change."`
	Watch    bool          `help:"Show it again and again until the release has ended."`
	Interval time.Duration `help:"Time between two looks of --watch." default:"2s"`
}

// Validate joins the faults of the flags.
func (c *statusCommand) Validate() error {
	var errs []error
	if c.Interval < 200*time.Millisecond {
		errs = append(errs, fmt.Errorf("--interval is %s, less than 200ms", c.Interval))
	}
	return errors.Join(append(errs, c.setName.Validate())...)
}

// Run reads and changes nothing.
func (c *statusCommand) Run(ctx context.Context) error {
	r, err := connect(ctx)
	if err != nil {
		return err
	}
	return c.run(ctx, r, term.IsTerminal(int(os.Stdout.Fd())))
}

func (c *statusCommand) run(ctx context.Context, r *remote, screen bool) error {
	var file *release.File
	if c.File != "" {
		var err error
		if file, err = loadFile(c.File, r.err); err != nil {
			return err
		}
		if file.Set != c.Set {
			return fmt.Errorf("read release file: %s is of set %s, not %s", c.File, file.Set, c.Set)
		}
	}
	if !c.Watch {
		status, err := c.look(ctx, r, file)
		if err != nil {
			return err
		}
		return c.print(r, status)
	}
	return c.watch(ctx, r, file, screen)
}

func (c *statusCommand) look(ctx context.Context, r *remote, file *release.File) (setview.Status, error) {
	last, err := r.last(ctx, c.Set)
	if err != nil {
		return setview.Status{}, err
	}
	var seen []bluegreen.Observation
	if file != nil {
		if seen, err = bluegreen.ObserveSet(ctx, r.elb, r.ecs, preview.Pairs(file, ""), true); err != nil {
			return setview.Status{}, err
		}
	}
	return setview.NewStatus(c.Set, last, r.now(), file, seen), nil
}

func (c *statusCommand) print(r *remote, status setview.Status) error {
	if c.JSON {
		return r.printJSON(status)
	}
	return status.Write(r.out)
}

// watch redraws a terminal; elsewhere it writes what has changed. A look that
// fails is told and tried again.
func (c *statusCommand) watch(ctx context.Context, r *remote, file *release.File, screen bool) error {
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	var shown string
	for first := true; ; first = false {
		status, err := c.look(ctx, r, file)
		switch {
		case ctx.Err() != nil:
			return nil // Ctrl-C is how a watch ends
		case err != nil && first:
			return err
		case err != nil:
			r.say("%v", err)
		default:
			if shown, err = c.show(r, status, screen && !c.JSON, shown); err != nil {
				return err
			}
			if status.Over() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// show writes a status if it is another than what was shown. On a screen that
// includes the times, elsewhere only what has happened.
func (c *statusCommand) show(r *remote, status setview.Status, screen bool, shown string) (string, error) {
	key := status.Key()
	if !screen {
		if key == shown {
			return shown, nil
		}
		return key, c.print(r, status)
	}
	var text bytes.Buffer
	text.WriteString("\x1b[H\x1b[2J") // home, and erase what was there
	if err := status.Write(&text); err != nil {
		return shown, err
	}
	if _, err := io.Copy(r.out, &text); err != nil {
		return shown, fmt.Errorf("write output: %w", err)
	}
	return key, nil
}
