package job

import (
	"context"
	"maps"
)

// A Step moves the job's work forward by one bounded step. It never sleeps and
// never waits in a loop: it looks at the world, makes at most one change and
// says with [Done] or [Continue] how things stand. It may be run again with the
// same state at any time, also at the same time, so repeating it must be
// harmless. ctx ends shortly before the function's own deadline.
//
// Its errors become reports as the package comment tells.
type Step[P, S any] func(ctx context.Context, j Job[P], state S) (Result[S], error)

// A Result is how a step left its job. [Done] and [Continue] make one.
type Result[S any] struct {
	made       bool
	done       bool
	state      S
	percent    int
	summary    string
	outputs    map[string]string
	externalID string
}

// Done ends the job successfully. The summary (cut at 2,048 characters) is
// shown in the console; outputs are the action's variables: keys of letters,
// digits, "@", "-" and "_", together at most 122,880 bytes.
func Done[S any](summary string, outputs map[string]string) Result[S] {
	return Result[S]{made: true, done: true, percent: 100, summary: summary, outputs: maps.Clone(outputs)}
}

// Continue lets CodePipeline call again soon, with a new job that carries
// state, as JSON, in its continuation token. The token holds about 1,400 bytes
// of incompressible state; more than fits is a failure of the job.
//
// percent (0 to 100) is how far the work is. Progress, which the progress
// deadline waits for, is a percent that no earlier tick of the attempt reached.
// The summary (cut at 2,048 characters) is shown in the console.
func Continue[S any](state S, percent int, summary string) Result[S] {
	return Result[S]{made: true, state: state, percent: percent, summary: summary}
}

// WithExternalID links the action to what it follows: the id is shown in the
// console as the external execution's (cut at 1,500 characters).
func (r Result[S]) WithExternalID(id string) Result[S] {
	r.externalID = id
	return r
}

// Done reports whether the job is finished.
func (r Result[S]) Done() bool { return r.done }

// State is what a continued job goes on with.
func (r Result[S]) State() S { return r.state }

// Percent is how far the work is, as the step gave it; 100 when done.
func (r Result[S]) Percent() int { return r.percent }

// Summary is the text shown in the console, as the step gave it.
func (r Result[S]) Summary() string { return r.summary }

// Outputs are the variables of a finished job.
func (r Result[S]) Outputs() map[string]string { return maps.Clone(r.outputs) }

// ExternalID is the id given by [Result.WithExternalID].
func (r Result[S]) ExternalID() string { return r.externalID }
