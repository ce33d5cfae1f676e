package job

import "time"

// A Job is what a step may know of the job that it moves.
type Job[P any] struct {
	// ID is the id of this tick's job. Every continuation has a new one: it is
	// for logs only.
	ID string

	// Attempt is the id of the attempt's first job: the same for a duplicate
	// delivery and for all continuations, new when the stage is retried. Client
	// tokens derive from it.
	Attempt string

	// AccountID is the pipeline's account, 12 digits.
	AccountID string

	// Params are the action's UserParameters.
	Params P

	// Now is AWS's time at the beginning of this tick, by the last answer of
	// AWS that this process or an earlier tick saw.
	Now time.Time

	// Started is AWS's time at the end of the attempt's first tick; in that
	// tick itself it is Now.
	Started time.Time

	// Inputs and Outputs are the action's artifacts in its order, 0 to 5 each.
	// Every output must have been written when the job is done.
	Inputs, Outputs []Artifact

	artifacts *artifacts
}
