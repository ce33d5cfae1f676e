package main

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"release", "cd $(mktemp -d) && cp -R " + quoted(absolute(c.app())) + "/. . && git init -qb main && git add -A && git commit -qm 'Say hello' && git push " + s.outputs["CloneUrlHttp"] + " main"},
		{"watch", "aws codepipeline get-pipeline-state --name " + s.pipeline},
		{"approve", "aws codepipeline put-approval-result --pipeline-name " + s.pipeline + " --stage-name Release --action-name Approve --result status=Approved,summary=ok --token TOKEN"},
		{"retry", "aws codepipeline retry-stage-execution --pipeline-name " + s.pipeline + " --stage-name Release --retry-mode FAILED_ACTIONS --pipeline-execution-id ID"},
		{"roll back", "aws codepipeline rollback-stage --pipeline-name " + s.pipeline + " --stage-name Release --target-pipeline-execution-id ID"},
		{"production", "curl " + s.productionURL},
		{"test", "curl " + s.testURL},
		{"git", s.outputs["CloneUrlHttp"]},
	} {
		fmt.Fprintf(w, "  %s\t%s\n", row[0], row[1])
	}
	w.Flush()
	fmt.Printf("\nCtrl-C stops everything it started.\n")
}

func quoted(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
