package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	JSON     bool          `help:"Print JSON lines instead of text, the summary last."`
	Rate     int           `help:"Requests a second on the production port." default:"200"`
	Scenario string        `help:"What the ECS pipeline releases after the first version: good (a version that works), bad (one that is healthy, but wrong and slow in 30 of 100 answers), or all." enum:"good,bad,all" default:"all"`
	Timeout  time.Duration `help:"Give up after this long." default:"10m"`
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

// releaseBoth releases the first version, the second one under traffic, and then
// one that is bad.
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
	if err := verdict(report.Traffic); err != nil {
		return err
	}
	if p.spoil != nil && c.Scenario != "good" {
		if report.Bad, err = c.releaseBad(ctx, p, display, report); err != nil {
			return err
		}
	}
	report.Live, err = p.production(ctx, p)
	return err
}

// releaseBad releases a version that is healthy and yet bad, under traffic, and
// expects the pipeline to take it back by itself.
func (c *runCommand) releaseBad(ctx context.Context, p *pipeline, display show.Display, report *show.Pipeline) (*show.Bad, error) {
	const version = "3"
	before, err := p.production(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := p.spoil(p); err != nil {
		return nil, err
	}
	exposure := &exposure{version: version, of: p.version}
	stream := load.Start(ctx, load.Config{URL: p.urls[80], Rate: c.Rate, Version: exposure.note})
	stopTraffic := showTraffic(display, p.example, stream)
	e, err := c.follow(ctx, p, display, version, report)
	stopTraffic()
	bad := &show.Bad{Traffic: stream.Stop(), Affected: exposure.lasted().Seconds() * c.Speed}
	if err != nil {
		return bad, err
	}
	bad.Errors = bad.Traffic.Errors[version]
	bad.Exposed = answeredBy(bad.Traffic, version) + bad.Errors
	bad.Why = firstError(e)
	after, err := p.production(ctx, p)
	switch {
	case err != nil:
		return bad, err
	case e.Status != "Failed" || !strings.Contains(bad.Why, "rolled back"):
		return bad, fmt.Errorf("the bad release ended as %s, want it rolled back: %s", e.Status, bad.Why)
	case before != after:
		return bad, fmt.Errorf("after the bad release production is on %s, before it was on %s", after, before)
	case bad.Exposed == 0:
		return bad, errors.New("the bad release answered no request")
	case bad.Traffic.Failed > bad.Errors:
		return bad, fmt.Errorf("%d requests failed that the bad release did not answer", bad.Traffic.Failed-bad.Errors)
	}
	return bad, nil
}

// An exposure is for how long a version answered.
type exposure struct {
	version string
	of      func(*http.Response) string

	mu          sync.Mutex
	first, last time.Time
}

// note is the version of an answer.
func (x *exposure) note(r *http.Response) string {
	version := x.of(r)
	if version == x.version {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.last = time.Now(); x.first.IsZero() {
			x.first = x.last
		}
	}
	return version
}

func (x *exposure) lasted() time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.last.Sub(x.first)
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

// releaseVersion takes a version through the pipeline.
func (c *runCommand) releaseVersion(ctx context.Context, p *pipeline, display show.Display, version string, report *show.Pipeline) error {
	e, err := c.follow(ctx, p, display, version, report)
	if err == nil && e.Status != "Succeeded" {
		err = fmt.Errorf("release of version %s ended as %s: %s", version, e.Status, firstError(e))
	}
	return err
}

// follow pushes a version and follows its execution to the end.
func (c *runCommand) follow(ctx context.Context, p *pipeline, display show.Display, version string, report *show.Pipeline) (watch.Execution, error) {
	began := time.Now()
	display.Note("pushing version " + version + " of " + p.directory())
	commit, err := p.push(ctx, version)
	if err != nil {
		return watch.Execution{}, err
	}
	watcher := &watch.Watcher{
		Client: p.client, Pipeline: p.outputs["PipelineName"], Approve: true,
		Seen: func(e watch.Execution) { display.Execution(show.Release{Pipeline: p.example, Version: version}, e) },
	}
	id, err := watcher.Started(ctx, commit)
	if err != nil {
		return watch.Execution{}, fmt.Errorf("wait for the pipeline to start: %w", err)
	}
	e, err := watcher.Follow(ctx, id)
	if err != nil {
		return e, fmt.Errorf("follow the release of version %s: %w", version, err)
	}
	report.Executions = append(report.Executions, show.Ended{
		Version: version, ID: id, Status: e.Status, Seconds: time.Since(began).Seconds(),
	})
	return e, nil
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
