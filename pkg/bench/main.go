// Command bench measures what Cutover promises about speed and size, each figure
// next to a reference that was measured in the same run:
//
//	functions   cold start, memory and size, next to a bare aws-lambda-go function
//	balancer    the embedded load balancer, next to a bare httputil.ReverseProxy
//	run         the time and memory of `cutover local run`
//	shifts      real releases back and forth under load, in which no request may
//	            fail, and what each action asks of AWS in them
//
// Arguments name the parts to run; without any, all run.
//
// It runs in Cutover's source directory, where it builds what it measures with
// the Makefile's own targets. It changes nothing there; what it makes is in a
// temporary directory that it removes. It exits with 1 when a request failed or
// something could not be measured; a goal that was missed is only marked, as it
// depends on what else the machine does.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// atMost bounds the whole run.
const atMost = 10 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeoutCause(ctx, atMost, fmt.Errorf("not done after %v", atMost))
	err := run(ctx, os.Args[1:])
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A part is one measurement; it prints a table of its own.
type part struct {
	name    string
	measure func(context.Context, artifacts) error
}

// run measures the parts that are named, or all.
func run(ctx context.Context, names []string) (err error) {
	parts := []part{{"functions", functions}, {"balancer", balancer}, {"run", localRun}, {"shifts", shifts}}
	for _, name := range names {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("no part is named %q, only functions, balancer, run and shifts", name)
		}
	}
	dir, err := os.MkdirTemp("", "cutover-bench-")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	began := time.Now()
	fmt.Printf("%s, %s/%s, %d cores%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpuModel())
	printLoad()
	built, err := build(ctx, dir)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if len(names) > 0 && !slices.Contains(names, part.name) {
			continue
		}
		if err := part.measure(ctx, built); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return fmt.Errorf("%w: %w", cause, err)
			}
			return err
		}
	}
	fmt.Printf("\nmeasured in %s\n", time.Since(began).Round(time.Second))
	printLoad()
	return nil
}

// printLoad tells how busy Linux says that the machine is: with more than its
// cores, times on the wall say little, and ratios less than they could.
func printLoad() {
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Printf("load average %s\n", strings.Join(strings.Fields(string(load))[:3], ", "))
	}
}

// cpuModel is how Linux names the processor; elsewhere nothing.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return ", " + strings.TrimSpace(value)
		}
	}
	return ""
}

// table prints rows of cells in columns below a title.
func table(title string, rows [][]string) error {
	fmt.Printf("\n%s\n", title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t")+"\t")
	}
	return w.Flush()
}

// goal says what was aimed at, and whether it was met.
func goal(text string, met bool) string {
	if met {
		return text
	}
	return text + " MISSED"
}
