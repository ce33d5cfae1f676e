package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// upCommand keeps an embedded AWS running.
type upCommand struct {
	localFlags
	Address string `help:"Address of the embedded AWS." default:"127.0.0.1:4580"`
}

// Validate names every flag that is out of range.
func (c *upCommand) Validate() error { return errors.Join(c.localFlags.faults()...) }

// Run starts everything, says how to use it, and waits for Ctrl-C.
func (c *upCommand) Run(ctx context.Context) (err error) {
	c.localFlags.address = c.Address
	site, err := c.start(ctx, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.Close()) }()
	c.explain(site)
	<-ctx.Done()
	fmt.Fprintln(os.Stderr, "stopping")
	return nil
}

// explain prints what to export and what to try, ready to paste.
func (c *upCommand) explain(s *site) {
	fmt.Printf("\nThe embedded AWS is up. In another terminal:\n\n")
	for _, variable := range s.cloud.Environment() {
		fmt.Println("  export " + variable)
	}
	fmt.Println()
	for _, p := range s.pipelines {
		fmt.Printf("Pipeline %s, of examples/%s:\n\n", p.outputs["PipelineName"], p.example)
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		for _, row := range p.commands() {
			fmt.Fprintf(w, "  %s\t%s\n", row[0], row[1])
		}
		w.Flush()
		fmt.Println()
	}
	fmt.Printf("Ctrl-C stops everything it started.\n")
}

// commands are what to try with a pipeline.
func (p *pipeline) commands() [][2]string {
	name := " --pipeline-name " + p.outputs["PipelineName"] + " --stage-name " + p.stage
	rows := [][2]string{
		{"release", "cd $(mktemp -d) && cp -R " + quoted(absolute(p.directory())) + "/. . && git init -qb main && git add -A && git commit -qm 'Say hello' && git push " + p.outputs["CloneUrlHttp"] + " main"},
		{"watch", "aws codepipeline get-pipeline-state --name " + p.outputs["PipelineName"]},
	}
	if p.approval != "" {
		rows = append(rows, [2]string{"approve", "aws codepipeline put-approval-result" + name + " --action-name " + p.approval + " --result status=Approved,summary=ok --token TOKEN"})
	}
	rows = append(rows, [][2]string{
		{"retry", "aws codepipeline retry-stage-execution" + name + " --retry-mode FAILED_ACTIONS --pipeline-execution-id ID"},
		{"roll back", "aws codepipeline rollback-stage" + name + " --target-pipeline-execution-id ID"},
	}...)
	for _, port := range slices.Sorted(maps.Keys(p.ports)) {
		rows = append(rows, [2]string{p.ports[port], "curl " + p.urls[port]})
	}
	return append(rows, [2]string{"git", p.outputs["CloneUrlHttp"]})
}

func quoted(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
