package job

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// A tick is one invocation: one job, one step, one report.
type tick struct {
	config   Config
	id       string
	job      *eventJob // nil if the event could not be read
	secrets  eventCredentials
	log      *slog.Logger
	margin   time.Duration // left for the report
	annotate func(key, value string)
	limits   Limits
	token    token
}

// run moves the job by one step and says what to report.
func run[P, S any](ctx context.Context, t *tick, step Step[P, S]) (v verdict) {
	var (
		job   Job[P]
		state S
		ready bool
	)
	if v, ready = t.guarded(func() (verdict, bool) { return prepare(t, &job, &state) }); !ready {
		return v
	}
	defer func() {
		if err := job.artifacts.close(); err != nil {
			t.log.Warn("an artifact's file could not be closed", "cause", t.scrub(err.Error()))
		}
	}()
	out := t.await(ctx, func(ctx context.Context) (any, error) { return step(ctx, job, state) })
	v, _ = t.guarded(func() (verdict, bool) {
		result, _ := out.result.(Result[S])
		return settle(t, out, result), true
	})
	return v
}

// prepare reads what the event tells about the job. Unless it returns true, the
// verdict is already known.
func prepare[P, S any](t *tick, j *Job[P], state *S) (verdict, bool) {
	t.limits = t.config.Limits
	if text := t.job.Data.ContinuationToken; text == "" {
		t.token = token{Attempt: t.id}
	} else {
		var err error
		if t.token, err = decodeToken(text); err != nil {
			return failed("%v, so the job cannot go on; retry the stage: what is already done is found and not done again", err), false
		}
	}
	t.log = t.log.With("attempt", t.token.Attempt)

	params, faults := decodeParams[P](t.job.Data.ActionConfiguration.Configuration.UserParameters)
	t.mark(&params) // what of them is there, so that a refused job is found by it too
	if len(faults) > 0 {
		did := "Nothing was done"
		if len(t.token.State) > 0 { // the function was replaced by one that is stricter
			did = "Nothing more was done"
		}
		return refused("%s\n%s. Correct the action's UserParameters in the pipeline, then start the pipeline again.", listed(faults), did), false
	}
	if d, ok := capability[Deadlines](&params); ok {
		t.limits = d.Deadlines().over(t.limits)
	}
	if len(t.token.State) > 0 {
		if err := json.Unmarshal(t.token.State, state); err != nil {
			return failed("the state in the continuation token is not this function's, so the job cannot go on: it was replaced while the job ran; retry the stage"), false
		}
	}
	now := t.now()
	if now.IsZero() {
		now = time.Now().UTC() // the best there is before AWS's first answer
	}
	started := now
	if t.token.Started > 0 {
		started = t.token.Started.time()
	}
	*j = Job[P]{
		ID: t.id, Attempt: t.token.Attempt, AccountID: t.job.AccountID, Params: params, Now: now, Started: started,
		Inputs: locations(t.job.Data.InputArtifacts), Outputs: locations(t.job.Data.OutputArtifacts),
		artifacts: newArtifacts(t.job, t.config.S3),
	}
	return verdict{}, true
}

// mark puts the parameters' annotations on the log and the trace.
func (t *tick) mark(params any) {
	annotated, ok := capability[interface{ Annotations() map[string]string }](params)
	if !ok {
		return
	}
	annotations := annotated.Annotations()
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		value := t.scrub(annotations[key])
		if value == "" {
			continue
		}
		t.annotate(key, value)
		if key != "action" { // it is there already
			t.log = t.log.With(key, value)
		}
	}
}

func locations(from []eventArtifact) []Artifact {
	artifacts := make([]Artifact, len(from))
	for i, a := range from {
		artifacts[i] = Artifact{Name: a.Name, Revision: a.Revision, Bucket: a.Location.S3.Bucket, Key: a.Location.S3.Key}
	}
	return artifacts
}

// now is AWS's time, or zero if this process has had no answer of AWS and no
// earlier tick left a time. It does not go back.
func (t *tick) now() time.Time {
	now := t.config.Now()
	if written := t.token.Written.time(); t.token.Written > 0 && now.Before(written) {
		return written
	}
	return now.UTC()
}

// scrub takes the job's credentials out of a text that leaves the function.
func (t *tick) scrub(text string) string { return t.secrets.scrub(text) }

// settle turns what the step came to into a verdict.
func settle[S any](t *tick, out outcome, result Result[S]) verdict {
	now := t.now()
	if t.token.Started == 0 {
		// The clocks start with the first step's end: only AWS's answers to it
		// may have told AWS's time.
		t.token.Started, t.token.Progress = at(now), at(now)
	}
	t.token.Written = at(now)
	switch {
	case out.panicked != nil:
		return out.panicked.verdict(t)
	case out.slow:
		return t.again(now, "the step took longer than the function's time and is repeated")
	case out.err != nil:
		return t.judge(now, out.err)
	case !result.made:
		return failed("the action returned neither an error nor a result, which is a fault of the function; retry the stage")
	case result.done:
		return done(result)
	}
	state, err := json.Marshal(result.state)
	if err != nil {
		return failed("write the action's state: %v, which is a fault of the function; retry the stage", err)
	}
	percent := min(max(result.percent, 0), maxPercent)
	t.token.State, t.token.Faulty, t.token.Summary = state, 0, t.scrub(result.summary)
	if percent > t.token.Percent {
		t.token.Percent, t.token.Progress = percent, at(now)
	}
	if v, passed := t.deadline(now, result.summary); passed {
		return v
	}
	return t.next(percent, result.summary, result.externalID)
}

// again repeats the step with the state that it had.
func (t *tick) again(now time.Time, why string) verdict {
	summary := why
	if t.token.Summary != "" {
		summary += "; before: " + t.token.Summary
	}
	if v, passed := t.deadline(now, summary); passed {
		return v
	}
	return t.next(t.token.Percent, summary, "")
}

// next has the job continued.
func (t *tick) next(percent int, summary, externalID string) verdict {
	text, err := t.token.encode()
	if err != nil {
		return failed("%v, which is a fault of the function; retry the stage", err)
	}
	return verdict{token: text, percent: percent, summary: summary, externalID: externalID}
}

// deadline tells which of the two clocks has run out.
func (t *tick) deadline(now time.Time, summary string) (verdict, bool) {
	if t.token.Started == 0 {
		return verdict{}, false
	}
	started, progress := t.token.Started.time(), t.token.Progress.time()
	var passed string
	switch {
	case now.Sub(progress) >= t.limits.Progress:
		passed = fmt.Sprintf("there was no progress for %s, and the progress deadline is %s", rounded(now.Sub(progress)), t.limits.Progress)
	case now.Sub(started) >= t.limits.Total:
		passed = fmt.Sprintf("the job has run for %s, and its total deadline is %s", rounded(now.Sub(started)), t.limits.Total)
	default:
		return verdict{}, false
	}
	return failed("%s; the last progress, %d%%, was at %s; now: %s; nothing more is done; see to what it waits for, then retry the stage: what is already done is not done again",
		passed, t.token.Percent, progress.Format(time.RFC3339), cut(summary, maxSummary, "no summary")), true
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Second) }
