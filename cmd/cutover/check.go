package main

import (
	"fmt"
	"io"
	"os"
)

// checkCommand reads a release file and calls nothing.
type checkCommand struct {
	File string `arg:"" help:"The set's cutover.yaml."`
}

// Run prints one line on success, every fault otherwise.
func (c *checkCommand) Run() error { return c.run(os.Stdout, os.Stderr) }

func (c *checkCommand) run(out, faults io.Writer) error {
	file, err := loadFile(c.File, faults)
	if err != nil {
		return err
	}
	services := "1 service"
	if n := len(file.Services); n > 1 {
		services = fmt.Sprintf("%d services", n)
	}
	if _, err := fmt.Fprintf(out, "ok: set %s, %s, %s\n", file.Set, services, file.Traffic.Strategy()); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
