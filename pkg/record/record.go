package record

import (
	"encoding/json"
	"fmt"
	"time"
)

// How a release ended.
const (
	Succeeded  = "succeeded"
	RolledBack = "rolled back"
	Failed     = "failed" // it stopped where it stood; the record says why
)

// A Record is one release of a set.
type Record struct {
	Set        string `json:"set"`
	Generation int    `json:"generation"`
	Execution  string `json:"execution"` // the pipeline's
	// Revision counts the writes of the record.
	Revision int       `json:"revision"`
	Commit   *Commit   `json:"commit,omitempty"`
	Strategy string    `json:"strategy"`
	Started  time.Time `json:"started"`
	// Expires is when the lock ends without a sign of life.
	Expires  time.Time `json:"expires"`
	Progress Progress  `json:"progress"`
	// Images by service. They are left out of the parameter where they do not fit.
	Images map[string]string `json:"images,omitempty"`
	Steps  []Step            `json:"steps,omitempty"`

	Ended   *time.Time `json:"ended,omitempty"`
	Verdict string     `json:"verdict,omitempty"` // Succeeded, RolledBack or Failed
	// Why is the evidence of a release that did not succeed.
	Why string `json:"why,omitempty"`
	// Exposed is how many requests green answered with production's traffic.
	Exposed int64 `json:"exposed,omitempty"`
	// Detected is when what took the release back was seen; Restored when
	// production was back on blue.
	Detected *time.Time `json:"detected,omitempty"`
	Restored *time.Time `json:"restored,omitempty"`
	// Timings are known at the end.
	Timings *Timings `json:"timings,omitempty"`
}

// Timings are how long a release took, in whole seconds.
type Timings struct {
	// LeadTime is from the commit, or from the release's start where the commit's
	// time is not known, until green had all of production.
	LeadTime int64 `json:"leadTime,omitempty"`
	// TimeToDetect is from the first move to green until what was wrong with it
	// was seen.
	TimeToDetect int64 `json:"timeToDetect,omitempty"`
	// TimeToRestore is from the first move to green until production was back on
	// blue: how long it was affected.
	TimeToRestore int64 `json:"timeToRestore,omitempty"`
}

// Measure computes the timings of what the record tells.
func (r Record) Measure() Timings {
	var t Timings
	from := r.Started
	if r.Commit != nil && !r.Commit.At.IsZero() {
		from = r.Commit.At
	}
	exposed := r.Exposure()
	for _, s := range r.Steps {
		if s.Weight == 100 {
			t.LeadTime = seconds(from, s.At)
			break
		}
	}
	if r.Detected != nil {
		t.TimeToDetect = seconds(exposed, *r.Detected)
	}
	if r.Restored != nil {
		t.TimeToRestore = seconds(exposed, *r.Restored)
	}
	return t
}

// Exposure is when green first had production's traffic: its first step, or the
// moment before the routes were written if it never got as far. It is zero if
// nothing has moved.
func (r Record) Exposure() time.Time {
	for _, s := range r.Steps {
		if s.Weight > 0 {
			return s.At
		}
	}
	if r.Progress.Move < 0 {
		return time.Time{}
	}
	return r.Progress.Since
}

func seconds(from, to time.Time) int64 { return max(0, int64(to.Sub(from)/time.Second)) }

// A Commit is what is released.
type Commit struct {
	ID      string    `json:"id"`
	Author  string    `json:"author,omitempty"`
	Message string    `json:"message,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// Progress is how far production has moved. It is written before the routes are.
type Progress struct {
	// Move is the index of the move that is in force, or is being made; -1 before
	// the first.
	Move int `json:"move"`
	// Settled says that every route was seen to have it; Since is when.
	Settled bool `json:"settled,omitempty"`
	// Skipped says that nothing had moved before, whatever the plan has before
	// the move: there was no blue worth watching green next to.
	Skipped bool      `json:"skipped,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Back says that production goes back to blue, and Why.
	Back bool   `json:"back,omitempty"`
	Why  string `json:"why,omitempty"`
	// Passed is the last point at which a hook was asked and had nothing against it.
	Passed string `json:"passed,omitempty"`
	// Asking is the point at which a hook is being asked, and AskedSince when that
	// began.
	Asking     string    `json:"asking,omitempty"`
	AskedSince time.Time `json:"askedSince,omitzero"`
	// Baked is when all of production was on green and had been watched for long
	// enough: the release has succeeded, and blue is kept for a while.
	Baked time.Time `json:"baked,omitzero"`
	// Scaled is when blue was last scaled down, and Ceiling the most tasks that
	// any of its services is to have since. Zero means that it was not.
	Scaled  time.Time `json:"scaled,omitzero"`
	Ceiling int       `json:"ceiling,omitempty"`
}

// A Step is a move that was made.
type Step struct {
	Weight float64   `json:"weight"` // in percent
	At     time.Time `json:"at"`
	Why    string    `json:"why,omitempty"` // of one that goes back
}

// Held says whether the release has the set's lock.
func (r Record) Held(now time.Time) bool { return r.Ended == nil && now.Before(r.Expires) }

// Limits of what is kept.
const (
	maxValue   = 4096 // bytes of a standard parameter
	maxSteps   = 24
	maxWhy     = 1024
	maxMessage = 120
)

// encode writes the record as a parameter's value. What is too long is left out
// in the order of its worth: images, steps in the middle, the commit's message.
func (r Record) encode() (string, error) {
	r.Why, r.Progress.Why = cut(r.Why, maxWhy), cut(r.Progress.Why, maxWhy)
	if r.Ended != nil {
		r.Progress.Why = "" // Why has it
	}
	if r.Commit != nil {
		commit := *r.Commit
		commit.Message, commit.Author = cut(commit.Message, maxMessage), cut(commit.Author, maxMessage)
		r.Commit = &commit
	}
	for _, shorten := range []func(){
		func() {},
		func() { r.Images = nil },
		func() {
			if n := len(r.Steps); n > maxSteps {
				r.Steps = append(r.Steps[:maxSteps/2:maxSteps/2], r.Steps[n-maxSteps/2:]...)
			}
		},
		func() { r.Commit, r.Steps = nil, nil },
		func() { r.Why, r.Progress.Why = cut(r.Why, maxWhy/4), cut(r.Progress.Why, maxWhy/4) }, // it is mostly escapes
	} {
		shorten()
		text, err := json.Marshal(r)
		if err != nil {
			return "", fmt.Errorf("encode record of execution %s: %w", r.Execution, err)
		}
		if len(text) <= maxValue {
			return string(text), nil
		}
	}
	return "", fmt.Errorf("encode record of execution %s: it does not fit %d bytes", r.Execution, maxValue)
}

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for at := range text {
		if at > limit-len("…")-3 {
			return text[:at] + "…"
		}
	}
	return text
}
