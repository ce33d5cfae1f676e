package workload

import (
	"context"
	"fmt"
	"time"
)

// A Runner starts programs. Its methods are safe for concurrent use.
type Runner interface {
	// Start pulls the image if need be and starts its program. It returns when the
	// program runs, which is before it listens. Its errors are of type *Error. ctx
	// bounds the pull, not the life of the program.
	Start(ctx context.Context, spec Spec) (Process, error)
	// Close kills every program, waits until each has ended and its OnExit has
	// returned, and removes their directories. Start fails from then on.
	Close() error
}

// Spec says what to run, in a container definition's terms.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
type Spec struct {
	// Name is for logs only.
	Name string
	// Image is a reference to pull: HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST.
	Image string
	// Root is an unpacked file system to run from instead of an Image.
	Root string
	// EntryPoint replaces the image's entry point and drops its command; Command
	// replaces the image's command. Nil keeps what the image says.
	EntryPoint []string
	Command    []string
	// Env is added to the image's environment, and nothing of ours is.
	Env map[string]string
	// WorkingDir replaces the image's; a path inside it.
	WorkingDir string
	// Ports are the container ports to give host ports to. The first one's host
	// port is in PORT, whatever Env says, and each one's in PORT_<container port>.
	Ports []int
	// Stdout and Stderr get each line that the program writes, without its end,
	// one at a time per stream; nil discards. They must not block for long.
	Stdout func(line string)
	Stderr func(line string)
	// OnExit is called once, after the program has ended and its last line was
	// handed on, apart from Start and maybe as Start returns. It is not called
	// when Start fails.
	OnExit func(Exit)
}

// A Process is one program that was started. Its methods are safe for concurrent
// use and return at once.
type Process interface {
	// Ports maps each container port of the Spec to its host port on 127.0.0.1.
	Ports() map[int]int
	// Stop asks the program to end (SIGTERM, or the image's stop signal) and kills
	// it when timeout has passed by the clock. Asking again changes nothing.
	Stop(timeout time.Duration)
	// Exited says how the program ended, and false while it runs.
	Exited() (Exit, bool)
	// Done is closed when the program has ended, before OnExit is called.
	Done() <-chan struct{}
	// Digest is the digest of the image's manifest, e.g. sha256:...; empty for a Root.
	Digest() string
}

// Exit says how a program ended.
type Exit struct {
	// Code is its exit status, or 128 plus the signal's number.
	Code int
	// Signal is what ended it, e.g. "killed"; empty if it ended by itself.
	Signal string
}

// String is how people read it.
func (e Exit) String() string {
	if e.Signal != "" {
		return fmt.Sprintf("exit code %d (%s)", e.Code, e.Signal)
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Codes of an Error: the words that a stopped task's reason begins with.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
const (
	CannotPull  = "CannotPullContainerError"
	CannotStart = "CannotStartContainerError"
)

// An Error says why a program did not start.
type Error struct {
	Code string // CannotPull or CannotStart
	Err  error
}

// Error implements error, in the form of a stopped task's reason.
func (e *Error) Error() string { return e.Code + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
