package main

import (
	"context"

	"cutover/cmd/cutover/internal/setview"
	"cutover/pkg/rollout/preview"
)

// planCommand says what a release would change.
type planCommand struct {
	File string `arg:"" help:"The set's cutover.yaml."`
	JSON bool   `help:"Print JSON."`
}

// Run reads the world and changes nothing.
func (c *planCommand) Run(ctx context.Context) error {
	r, err := connect(ctx)
	if err != nil {
		return err
	}
	return c.run(ctx, r)
}

func (c *planCommand) run(ctx context.Context, r *remote) error {
	file, err := loadFile(c.File, r.err)
	if err != nil {
		return err
	}
	p, err := preview.Read(ctx, r.apis(), file, r.now)
	if err != nil {
		return err
	}
	if c.JSON {
		err = r.printJSON(p)
	} else {
		err = setview.Plan(r.out, p)
	}
	if err == nil && len(p.Obstacles) > 0 {
		return errReported
	}
	return err
}
