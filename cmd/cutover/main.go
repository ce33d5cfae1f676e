// Command cutover runs Cutover's pipelines on this machine.
//
//	cutover local run    a release from git push to live traffic, on the embedded AWS
//	cutover local up     the same embedded AWS, kept running for you to work with
//
// What the user asked for goes to standard output; all else to standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	Local struct {
		Run runCommand `cmd:"" help:"Release examples/hello twice through the whole pipeline, under live traffic, and report."`
		Up  upCommand  `cmd:"" help:"Start the embedded AWS with the pipeline deployed, and keep it running until Ctrl-C."`
	} `cmd:"" help:"The embedded AWS: no account, no Docker, everything on loopback."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var c cli
	command := kong.Parse(&c,
		kong.Name("cutover"),
		kong.Description("Blue/green releases for AWS CodePipeline. The functions are deployed with SAM (template.yaml); this command runs their pipelines on this machine."),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(stop),
	)
	err := command.Run()
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errReported):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "cutover:", err)
		os.Exit(1)
	}
}

// errReported ends the command with status 1 when what went wrong has been shown.
var errReported = errors.New("reported already")

type versionCommand struct{}

// Run prints the version that the Go toolchain recorded.
func (versionCommand) Run() error {
	version := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	_, err := fmt.Println("cutover", version)
	return err
}
