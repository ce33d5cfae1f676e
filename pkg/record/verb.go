package record

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// A Said is a verb that somebody said to a release.
type Said struct {
	Execution string    `json:"execution,omitempty"` // empty for freeze
	Move      int       `json:"move,omitempty"`      // of resume: the moves, from the first, that may go on
	By        string    `json:"by"`
	Reason    string    `json:"reason,omitempty"`
	At        time.Time `json:"at"`
}

// The verbs, as their parameters are called.
const (
	freeze  = "freeze"
	abort   = "verbs/abort"
	hold    = "verbs/hold"
	resume  = "verbs/resume"
	promote = "verbs/promote"
)

// A Look is what a release reads of its set on every tick: one call.
type Look struct {
	Record Record
	Found  bool
	// Lost says that a later release has taken the lock.
	Lost bool
	// Freeze keeps releases from starting.
	Freeze *Said
	// What was said to this release, nil if it was not.
	Abort, Hold, Resume, Promote *Said
}

// Read looks at a release and at what was said to it.
func (s *Store) Read(ctx context.Context, generation int) (Look, error) {
	own, next := s.generation(generation), s.generation(generation+1)
	names := []string{own, next, s.path(freeze), s.path(abort), s.path(hold), s.path(resume), s.path(promote)}
	out, err := s.api.GetParameters(ctx, &ssm.GetParametersInput{Names: names})
	if err != nil {
		return Look{}, fmt.Errorf("get parameters of release set %s: %w", s.set, err)
	}
	var look Look
	said := map[string]*Said{}
	for _, p := range out.Parameters {
		switch name := deref(p.Name); name {
		case own:
			if look.Record, err = decode(p); err != nil {
				return look, err
			}
			look.Found = true
		case next:
			look.Lost = true
		default:
			verb := new(Said)
			if err := json.Unmarshal([]byte(deref(p.Value)), verb); err != nil {
				return look, fmt.Errorf("read parameter %s: it is no verb: %w", name, err)
			}
			said[name] = verb
		}
	}
	toThis := func(verb string) *Said {
		if v := said[s.path(verb)]; v != nil && look.Found && v.Execution == look.Record.Execution {
			return v
		}
		return nil
	}
	look.Freeze = said[s.path(freeze)]
	look.Abort, look.Hold, look.Resume, look.Promote = toThis(abort), toThis(hold), toThis(resume), toThis(promote)
	return look, nil
}

func (s *Store) say(ctx context.Context, verb string, v Said) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode verb: %w", err)
	}
	return s.putParameter(ctx, s.path(verb), string(text), true)
}

// Freeze keeps releases of the set from starting. One under way goes on.
func (s *Store) Freeze(ctx context.Context, v Said) error { return s.say(ctx, freeze, v) }

// Unfreeze lets releases start again.
func (s *Store) Unfreeze(ctx context.Context) error { return s.remove(ctx, s.path(freeze)) }

// Abort takes a release back to blue.
func (s *Store) Abort(ctx context.Context, v Said) error { return s.say(ctx, abort, v) }

// Hold keeps a release where it is, watched all the same.
func (s *Store) Hold(ctx context.Context, v Said) error { return s.say(ctx, hold, v) }

// Resume ends a hold, and lets a release go on past the moves that v names.
func (s *Store) Resume(ctx context.Context, v Said) error {
	if err := s.say(ctx, resume, v); err != nil {
		return err
	}
	return s.remove(ctx, s.path(hold))
}

// Promote skips what a release still waits for: pauses, approvals and the bake.
func (s *Store) Promote(ctx context.Context, v Said) error {
	if err := s.say(ctx, promote, v); err != nil {
		return err
	}
	return s.remove(ctx, s.path(hold))
}
