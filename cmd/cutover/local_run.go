package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"cutover/cmd/cutover/internal/load"
	"cutover/cmd/cutover/internal/show"
	"cutover/cmd/cutover/internal/watch"
)

// runCommand releases two versions of the example under load.
type runCommand struct {
	localFlags
	JSON    bool          `help:"Print JSON lines instead of text, the summary last."`
	Rate    int           `help:"Requests a second on the production port." default:"200"`
	Timeout time.Duration `help:"Give up after this long." default:"10m"`
}

// Validate names every flag that is out of range.
func (c *runCommand) Validate() error {
	var faults []error
	if c.Rate < 1 || c.Rate > 5000 {
		faults = append(faults, fmt.Errorf("--rate is %d, not 1 to 5000", c.Rate))
	}
	if c.Timeout < time.Minute {
		faults = append(faults, fmt.Errorf("--timeout is %v, less than 1m", c.Timeout))
	}
	return errors.Join(append(faults, c.localFlags.faults()...)...)
}

// Run carries the command out. It fails when a stage failed or a request was lost.
func (c *runCommand) Run(ctx context.Context, stop context.CancelFunc) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("not done after %v", c.Timeout))
	defer cancel()
	began := time.Now()
	display := c.display(stop)
	summary, err := c.release(ctx, display)
	if err != nil {
		summary.Why = err.Error()
	}
	summary.OK = err == nil
	summary.Seconds = time.Since(began).Seconds()
	display.End(summary)
	if err != nil {
		return errReported
	}
	return nil
}

func (c *runCommand) display(stop context.CancelFunc) show.Display {
	switch {
	case c.JSON:
		return show.NewJSON(os.Stdout)
	case term.IsTerminal(int(os.Stdout.Fd())) && term.IsTerminal(int(os.Stdin.Fd())):
		return show.NewTerminal(os.Stdout, stop)
	}
	return show.NewLines(os.Stdout)
}

// release starts everything, releases both versions and sums up.
func (c *runCommand) release(ctx context.Context, display show.Display) (summary show.Summary, err error) {
	site, err := c.start(ctx, display.Note)
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, site.Close()) }()

	if err := c.releaseVersion(ctx, site, display, "1", &summary); err != nil {
		return summary, err
	}
	stream := load.Start(ctx, load.Config{
		URL: site.productionURL, Rate: c.Rate,
		Version: func(r *http.Response) string { return r.Header.Get("X-Version") },
	})
	stopTraffic := showTraffic(display, stream)
	err = c.releaseVersion(ctx, site, display, "2", &summary)
	if err == nil {
		err = c.settle(ctx, stream)
	}
	stopTraffic()
	summary.Traffic = stream.Stop()
	if err != nil {
		return summary, err
	}
	if summary.LiveSide, err = site.liveSide(ctx); err != nil {
		return summary, err
	}
	return summary, verdict(summary)
}

// settle lets traffic go on a little after the last release, so that what breaks
// just after a swap is seen too.
func (c *runCommand) settle(ctx context.Context, stream *load.Stream) error {
	before := stream.Report().Answered["2"]
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for stream.Report().Answered["2"] < before+2*c.Rate {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
		if stream.Report().Failed > 0 {
			return nil // it will be in the verdict
		}
	}
	return nil
}

func verdict(s show.Summary) error {
	var faults []string
	if s.Traffic.Failed > 0 {
		faults = append(faults, fmt.Sprintf("%d of %d requests failed", s.Traffic.Failed, s.Traffic.Sent))
	}
	for _, version := range []string{"1", "2"} {
		if s.Traffic.Answered[version] == 0 {
			faults = append(faults, fmt.Sprintf("version %s answered no request", version))
		}
	}
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	return nil
}

// releaseVersion pushes a version and follows its execution to the end.
func (c *runCommand) releaseVersion(ctx context.Context, site *site, display show.Display, version string, summary *show.Summary) error {
	began := time.Now()
	display.Note("pushing version " + version + " of " + c.app())
	commit, err := site.push(ctx, version)
	if err != nil {
		return err
	}
	watcher := &watch.Watcher{
		Client: site.pipelines, Pipeline: site.pipeline, Approve: true,
		Seen: func(e watch.Execution) { display.Execution(version, e) },
	}
	id, err := watcher.Started(ctx, commit)
	if err != nil {
		return fmt.Errorf("wait for the pipeline to start: %w", err)
	}
	e, err := watcher.Follow(ctx, id)
	if err != nil {
		return fmt.Errorf("follow the release of version %s: %w", version, err)
	}
	summary.Executions = append(summary.Executions, show.Ended{
		Version: version, ID: id, Status: e.Status, Seconds: time.Since(began).Seconds(),
	})
	if e.Status != "Succeeded" {
		return fmt.Errorf("release of version %s ended as %s: %s", version, e.Status, firstError(e))
	}
	return nil
}

func firstError(e watch.Execution) string {
	for _, a := range e.Actions {
		if a.Error != "" {
			return a.Stage + "/" + a.Name + ": " + a.Error
		}
	}
	return "no action says why"
}

// showTraffic presents the stream's rates every second until it is stopped.
func showTraffic(display show.Display, stream *load.Stream) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				display.Traffic(stream.Rates())
			}
		}
	}()
	return func() { close(quit); <-done }
}
