// Command cutover runs Cutover's pipelines on this machine, and is how people
// look at release sets and talk to them, on AWS or the embedded one.
//
//	cutover local run    a release from git push to live traffic, on the embedded AWS
//	cutover local up     the same embedded AWS, kept running for you to work with
//
//	cutover check FILE                          what is wrong with a cutover.yaml; offline
//	cutover plan FILE                           what a release would change; changes nothing
//	cutover status SET, history SET             where a set stands, and how its releases went
//	cutover hold|resume|promote|abort SET       to the release under way, by parameters that it reads
//	cutover freeze|unfreeze SET                 whether releases may start
//	cutover rollback SET --file FILE            moves production back, after the end
//
// All of them may be repeated: a verb said twice is said once, and a rollback
// that was cut off goes on when it is said again and its lock has expired.
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
	Check    checkCommand    `cmd:"" help:"Check a cutover.yaml, offline: every fault with its line."`
	Plan     planCommand     `cmd:"" help:"Say what a release would change in the world as it is, and what would keep it from starting; then the exit status is 1."`
	Status   statusCommand   `cmd:"" help:"Show where a release set stands and what is next."`
	Hold     holdCommand     `cmd:"" help:"Keep the release under way where it is; it is watched all the same."`
	Resume   resumeCommand   `cmd:"" help:"End a hold, or let a release go on that waits for approval."`
	Promote  promoteCommand  `cmd:"" help:"Skip what the release under way still waits for."`
	Abort    abortCommand    `cmd:"" help:"Take the release under way back to blue, now."`
	Rollback rollbackCommand `cmd:"" help:"After a release has ended, take production back to where it was before."`
	Freeze   freezeCommand   `cmd:"" help:"Keep releases of a set from starting."`
	Unfreeze unfreezeCommand `cmd:"" help:"Let releases of a set start again."`
	History  historyCommand  `cmd:"" help:"List a set's releases, with the four DORA figures."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var c cli
	command := kong.Parse(&c,
		kong.Name("cutover"),
		kong.Description("Blue/green releases for AWS CodePipeline. The functions are deployed with SAM (template.yaml); this command runs their pipelines on this machine, and talks to releases on AWS: it takes Region, credentials and endpoint from AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL and so on."),
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
