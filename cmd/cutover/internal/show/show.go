// Package show presents a local run as it goes: live on a terminal, as plain
// lines elsewhere, or as JSON lines for machines. What happened goes to one
// writer and nothing else changes.
package show

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"cutover/cmd/cutover/internal/load"
	"cutover/cmd/cutover/internal/watch"
)

// A Display presents what happens.
type Display interface {
	// Note says in a line what is being done.
	Note(line string)
	// Execution presents how a release stands.
	Execution(r Release, e watch.Execution)
	// Traffic presents the last second's answers of what a pipeline releases, by
	// version, and its failures.
	Traffic(pipeline string, answered map[string]int, failed int)
	// End presents the whole run. Nothing is presented after it.
	End(s Summary)
}

// A Release is a version on its way through a pipeline.
type Release struct {
	Pipeline string `json:"pipeline"`
	Version  string `json:"version"`
}

// A Summary is a whole run.
type Summary struct {
	Pipelines []Pipeline `json:"pipelines"`
	Seconds   float64    `json:"seconds"`
	OK        bool       `json:"ok"`
	Why       string     `json:"why,omitempty"` // what was wrong
}

// A Pipeline is what a run did with one pipeline.
type Pipeline struct {
	Name       string      `json:"pipeline"`
	Executions []Ended     `json:"executions"`
	Traffic    load.Report `json:"traffic"`
	Bad        *Bad        `json:"bad,omitempty"`
	Live       string      `json:"live,omitempty"` // what production is on at the end
}

// Bad is what a bad release did before it was taken back.
type Bad struct {
	Traffic load.Report `json:"traffic"`
	// Exposed is how many requests it answered, Errors how many of them wrongly.
	Exposed int `json:"exposed"`
	Errors  int `json:"errors"`
	// Affected is for how long it had production traffic, by the embedded AWS's
	// clock, in seconds.
	Affected float64 `json:"affectedSeconds"`
	Why      string  `json:"why"` // as the pipeline says
}

// Ended is an execution that has ended.
type Ended struct {
	Version string  `json:"version"`
	ID      string  `json:"execution"`
	Status  string  `json:"status"`
	Seconds float64 `json:"seconds"`
}

// seconds writes a duration as people read it at a glance.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// perVersion writes counts by version in order: "v1 120, v2 80".
func perVersion(counts map[string]int) string {
	var parts []string
	for _, version := range slices.Sorted(maps.Keys(counts)) {
		label := "v" + version
		if version == "" {
			label = "no version"
		}
		parts = append(parts, fmt.Sprintf("%s %d", label, counts[version]))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// writeSummary writes a summary as text.
func writeSummary(w io.Writer, s Summary) {
	for _, p := range s.Pipelines {
		writePipeline(w, p)
	}
	verdict := "every stage succeeded and no request was lost"
	if !s.OK {
		verdict = "NOT OK: " + s.Why
	}
	fmt.Fprintf(w, "\nwhole run           %.1f s: %s\n", s.Seconds, verdict)
}

func writePipeline(w io.Writer, p Pipeline) {
	fmt.Fprintf(w, "\npipeline %s\n", p.Name)
	for _, e := range p.Executions {
		fmt.Fprintf(w, "  release of v%s   %s in %.1f s   (execution %s)\n", e.Version, e.Status, e.Seconds, e.ID)
	}
	if t := p.Traffic; t.Sent > 0 {
		fmt.Fprintf(w, "  requests          %d sent, %d failed\n", t.Sent, t.Failed)
		fmt.Fprintf(w, "  answered by       %s\n", perVersion(t.Answered))
		fmt.Fprintf(w, "  answer time       median %.1f ms, 99th percentile %.1f ms, longest %.1f ms\n", t.Latency.P50, t.Latency.P99, t.Latency.Max)
		for _, why := range slices.Sorted(maps.Keys(t.Failures)) {
			fmt.Fprintf(w, "  failure           %d x %s (first: %s)\n", t.Failures[why], why, t.FirstFail)
		}
	}
	if b := p.Bad; b != nil {
		fmt.Fprintf(w, "  the bad release   answered %d of %d requests, %d of them with errors, for %.0f s of the embedded AWS; nothing else failed: %t\n",
			b.Exposed, b.Traffic.Sent, b.Errors, b.Affected, b.Traffic.Failed == b.Errors)
		fmt.Fprintf(w, "  and why it ended  %s\n", strings.ReplaceAll(b.Why, "\n", "\n                    "))
	}
	if p.Live != "" {
		fmt.Fprintf(w, "  production is on  %s\n", p.Live)
	}
}
