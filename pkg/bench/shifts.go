package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// How much load there is to be, and over how much; both at least.
const (
	requests = 100_000
	moves    = 10
)

// The load, and the time that all of it may take.
const (
	rate        = 2500 // requests a second
	connections = 32
	loadTime    = 2 * time.Minute
)

// shifts releases back and forth under load.
func shifts(ctx context.Context, built artifacts) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, loadTime, fmt.Errorf("shifts under load not done after %v", loadTime))
	defer cancel()
	s, err := newSite(ctx, built)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.cloud.Close()) }()
	if _, err := s.releaseNext(ctx, 1); err != nil { // there is nothing to serve before it
		return err
	}
	s.takeCalls()
	address, ok := s.cloud.ELBV2.Listens(app, 80)
	if !ok {
		return errors.New("find listener: there is none on port 80")
	}
	load := &traffic{url: "http://" + address + "/", rate: rate, connections: connections}
	loadCtx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	began := time.Now()
	go func() { defer close(ended); load.run(loadCtx) }()
	releases, err := s.shift(ctx, load)
	stop()
	<-ended
	took := time.Since(began)
	return errors.Join(err, printTraffic(load, len(releases), took), printCalls(releases), load.fault())
}

// fault says that a request failed.
func (t *traffic) fault() error {
	if failed := t.failed.Load(); failed > 0 {
		return fmt.Errorf("%d of %d requests failed; the first: %s", failed, t.sent.Load(), t.firstFail)
	}
	return nil
}

// A release is what one execution of the pipeline took.
type release struct {
	took  time.Duration
	ticks map[string]int            // by action
	calls map[string]map[string]int // by action and operation
}

// shift releases one version after the other until there was enough of both
// releases and requests. After each it sees that production has moved.
func (s *site) shift(ctx context.Context, load *traffic) (releases []release, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for number := 2; len(releases) < moves || load.sent.Load() < requests; number++ {
		began := time.Now()
		id, err := s.releaseNext(ctx, number)
		if err != nil {
			return releases, err
		}
		r := release{took: time.Since(began), ticks: map[string]int{}, calls: s.takeCalls()}
		for _, job := range s.cloud.CodePipeline.Jobs() {
			if job.ExecutionID == id {
				r.ticks[job.Action]++
			}
		}
		if version, err := get(client, load.url); err != nil || version != versionOf(number) {
			return releases, fmt.Errorf("release %d: production answers as version %q (%v), not %s", number, version, err, versionOf(number))
		}
		releases = append(releases, r)
		if load.failed.Load() > 0 {
			return releases, nil
		}
	}
	return releases, nil
}

func printTraffic(t *traffic, shifts int, took time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return table(fmt.Sprintf("Production under load: whole releases back and forth, timers %dx, real functions and tasks", speed), [][]string{
		{"requests", "failed", "shifts", "by version 1", "by version 2", "requests/s", "median", "p99", "most", "goal"},
		{
			fmt.Sprint(t.sent.Load()), fmt.Sprint(t.failed.Load()), fmt.Sprint(shifts), fmt.Sprint(t.versions["1"]), fmt.Sprint(t.versions["2"]),
			fmt.Sprintf("%.0f", float64(t.sent.Load())/took.Seconds()),
			milliseconds(t.latencies.quantile(0.5)), milliseconds(t.latencies.quantile(0.99)), milliseconds(t.latencies.quantile(1)),
			goal(fmt.Sprintf("0 of %d, %d shifts", requests, moves), t.failed.Load() == 0 && t.sent.Load() >= requests && shifts >= moves),
		},
	})
}

// printCalls tells what each action takes in those releases: of the one that is
// the median by calls, and what the calls are.
func printCalls(releases []release) error {
	if len(releases) == 0 {
		return nil
	}
	rows := [][]string{{"", "ticks", "AWS calls", "most", "calls a tick"}}
	var lines []string
	for _, action := range []string{"DeployGreen", "SwapListener"} {
		var calls []int
		for _, r := range releases {
			calls = append(calls, sum(r.calls[action]))
		}
		i := middle(calls)
		ticks := releases[i].ticks[action]
		rows = append(rows, []string{
			action, fmt.Sprint(ticks), fmt.Sprint(calls[i]), fmt.Sprint(slices.Max(calls)), fmt.Sprintf("%.1f", float64(calls[i])/float64(ticks)),
		})
		lines = append(lines, action+": "+operations(releases[i].calls[action]))
	}
	var took durations
	for _, r := range releases {
		took = append(took, r.took)
	}
	title := fmt.Sprintf("What an action asks of AWS: the median of these %d releases, which took %s each on the wall, source to end", len(releases), took.quantile(0.5).Round(100*time.Millisecond))
	if err := table(title, rows); err != nil {
		return err
	}
	_, err := fmt.Println(strings.Join(lines, "\n"))
	return err
}

// middle is the index of the median.
func middle(values []int) int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return values[a] - values[b] })
	return order[(len(order)-1)/2]
}

func sum(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

func operations(counts map[string]int) string {
	var list []string
	for _, operation := range slices.Sorted(maps.Keys(counts)) {
		_, name, _ := strings.Cut(operation, ":")
		list = append(list, fmt.Sprintf("%s %d", name, counts[operation]))
	}
	return strings.Join(list, ", ")
}
