package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"cutover/cmd/cutover/internal/load"
	"cutover/cmd/cutover/internal/show"
	"cutover/cmd/cutover/internal/watch"
)

// runCommand releases two versions of each pipeline's example under load.
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

// release starts everything, releases both versions through each pipeline, all
// at the same time, and sums up.
func (c *runCommand) release(ctx context.Context, display show.Display) (summary show.Summary, err error) {
	site, err := c.start(ctx, display.Note)
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, site.Close()) }()
	summary.Pipelines = make([]show.Pipeline, len(site.pipelines))
	faults := make([]error, len(site.pipelines))
	var all sync.WaitGroup
	for i, p := range site.pipelines {
		all.Go(func() {
			report := &summary.Pipelines[i]
			report.Name = p.example
			if err := c.releaseBoth(ctx, p, display, report); err != nil {
				faults[i] = fmt.Errorf("%s: %w", p.example, err)
			}
		})
	}
	all.Wait()
	return summary, errors.Join(faults...)
}

// releaseBoth releases the first version, and the second one under traffic.
func (c *runCommand) releaseBoth(ctx context.Context, p *pipeline, display show.Display, report *show.Pipeline) error {
	if err := c.releaseVersion(ctx, p, display, "1", report); err != nil {
		return err
	}
	stream := load.Start(ctx, load.Config{URL: p.urls[80], Rate: c.Rate, Version: p.version})
	stopTraffic := showTraffic(display, p.example, stream)
	err := func() error {
		if p.between != nil {
			if err := p.between(ctx, p, display.Note); err != nil {
				return err
			}
		}
		if err := c.releaseVersion(ctx, p, display, "2", report); err != nil {
			return err
		}
		return c.settle(ctx, stream)
	}()
	stopTraffic()
	report.Traffic = stream.Stop()
	if err != nil {
		return err
	}
	if report.Live, err = p.production(ctx, p); err != nil {
		return err
	}
	return verdict(report.Traffic)
}

// settle lets traffic go on a little after the last release, so that what breaks
// just after a shift is seen too.
func (c *runCommand) settle(ctx context.Context, stream *load.Stream) error {
	before := answeredBy(stream.Report(), "2")
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for answeredBy(stream.Report(), "2") < before+2*c.Rate {
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

// answeredBy counts the answers of a version, whatever it ran on.
func answeredBy(r load.Report, version string) int {
	n := 0
	for label, count := range r.Answered {
		if label == version || strings.HasPrefix(label, version+" ") {
			n += count
		}
	}
	return n
}

func verdict(traffic load.Report) error {
	var faults []string
	if traffic.Failed > 0 {
		faults = append(faults, fmt.Sprintf("%d of %d requests failed", traffic.Failed, traffic.Sent))
	}
	for _, version := range []string{"1", "2"} {
		if answeredBy(traffic, version) == 0 {
			faults = append(faults, fmt.Sprintf("version %s answered no request", version))
		}
	}
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	return nil
}

// releaseVersion pushes a version and follows its execution to the end.
func (c *runCommand) releaseVersion(ctx context.Context, p *pipeline, display show.Display, version string, report *show.Pipeline) error {
	began := time.Now()
	display.Note("pushing version " + version + " of " + p.directory())
	commit, err := p.push(ctx, version)
	if err != nil {
		return err
	}
	watcher := &watch.Watcher{
		Client: p.client, Pipeline: p.outputs["PipelineName"], Approve: true,
		Seen: func(e watch.Execution) { display.Execution(show.Release{Pipeline: p.example, Version: version}, e) },
	}
	id, err := watcher.Started(ctx, commit)
	if err != nil {
		return fmt.Errorf("wait for the pipeline to start: %w", err)
	}
	e, err := watcher.Follow(ctx, id)
	if err != nil {
		return fmt.Errorf("follow the release of version %s: %w", version, err)
	}
	report.Executions = append(report.Executions, show.Ended{
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
func showTraffic(display show.Display, pipeline string, stream *load.Stream) (stop func()) {
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
				answered, failed := stream.Rates()
				display.Traffic(pipeline, answered, failed)
			}
		}
	}()
	return func() { close(quit); <-done }
}
