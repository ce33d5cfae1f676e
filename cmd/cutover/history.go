package main

import (
	"context"

	"cutover/cmd/cutover/internal/setview"
	"cutover/pkg/record"
)

// historyCommand shows a set's releases.
type historyCommand struct {
	setName
	JSON bool `help:"Print JSON."`
}

// Run reads the records and changes nothing.
func (c *historyCommand) Run(ctx context.Context) error {
	r, err := connect(ctx)
	if err != nil {
		return err
	}
	return c.run(ctx, r)
}

func (c *historyCommand) run(ctx context.Context, r *remote) error {
	history, err := r.store(c.Set).History(ctx)
	if err != nil {
		return err
	}
	if len(history) == 0 {
		return unknownSet(c.Set)
	}
	now := r.now()
	if c.JSON {
		return r.printJSON(struct {
			Releases []record.Record `json:"releases"`
			DORA     setview.DORA    `json:"dora"`
		}{history, setview.Figures(history, now)})
	}
	return setview.History(r.out, c.Set, history, now)
}
