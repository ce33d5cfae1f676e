package automation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
)

// Errors of the engine; use errors.Is.
var (
	ErrNotFound = errors.New("there is no such automation execution")
	ErrExists   = errors.New("there is such an automation execution already")
	ErrOver     = errors.New("the automation execution is over or already being stopped")
	ErrKind     = errors.New("the kind of stop is not Cancel or Complete")
	ErrSignal   = errors.New("the automation execution does not wait for this signal")
	ErrApprover = errors.New("the caller is not among the approvers")
)

// Config says what an engine is made of.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	// AWS gives the configuration of SDK clients that act as the role, or as the
	// caller where roleARN is "". It is asked once for an execution.
	AWS func(roleARN string, caller wire.Principal, session string) (aws.Config, error)
	// Changed hears of every change of an execution; nil: nobody does.
	Changed func(Execution)
	Logger  *slog.Logger // nil discards
}

// An Engine runs executions. It is safe for concurrent use.
type Engine struct {
	Config
	dial func(aws.Config) caller

	ctx    context.Context // of all calls, until Close
	cancel context.CancelFunc
	moves  sync.WaitGroup // that are being made

	mu     sync.Mutex
	closed bool
	runs   map[string]*run
	order  []*run // oldest first
}

// New makes an engine without executions.
func New(config Config) *Engine {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Changed == nil {
		config.Changed = func(Execution) {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Engine{Config: config, dial: newClient, ctx: ctx, cancel: cancel, runs: map[string]*run{}}
}

// A Start asks for an execution.
type Start struct {
	ID              string // a UUID, of the caller's making
	DocumentName    string
	DocumentVersion string
	Document        *Document
	Parameters      map[string][]string // as Document.Resolve made them
	Caller          wire.Principal
	ExecutedBy      string // an ARN
	Mode            string // Auto, or "" for it
}

// Start begins an execution: it is in progress when Start returns.
func (e *Engine) Start(s Start) error {
	role, err := s.Document.Role(s.Parameters)
	if err != nil {
		return fmt.Errorf("start automation %s: %w", s.ID, err)
	}
	if s.Mode == "" {
		s.Mode = "Auto"
	}
	if s.Mode != "Auto" {
		return fmt.Errorf("start automation %s: mode %s is not supported by the embedded AWS", s.ID, s.Mode)
	}
	r := &run{Start: s, role: role, status: "InProgress", started: e.Clock.Now(), outputs: map[string]any{}}
	for range s.Document.Steps {
		r.steps = append(r.steps, progress{status: "Pending"})
	}
	r.connect = sync.OnceValues(func() (caller, error) {
		config, err := e.AWS(role, s.Caller, "Automation-"+s.ID)
		if err != nil {
			return nil, err
		}
		return e.dial(config), nil
	})
	e.mu.Lock()
	if e.closed || e.runs[s.ID] != nil {
		e.mu.Unlock()
		return fmt.Errorf("start automation %s: %w", s.ID, ErrExists)
	}
	e.runs[s.ID] = r
	e.order = append(e.order, r)
	e.enterLocked(r, 0)
	x := r.snapshotLocked()
	e.mu.Unlock()
	e.Changed(x)
	return nil
}

// Execution is what is known of an execution.
func (e *Engine) Execution(id string) (Execution, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.runs[id]
	if r == nil {
		return Execution{}, false
	}
	return r.snapshotLocked(), true
}

// Executions are all of them, oldest first.
func (e *Engine) Executions() []Execution {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []Execution
	for _, r := range e.order {
		all = append(all, r.snapshotLocked())
	}
	return all
}

// Stop ends an execution early. Kind Cancel ends its current step at once and
// gives the steps of onCancel two minutes; Complete lets the current step finish.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StopAutomationExecution.html
func (e *Engine) Stop(id, kind string) error {
	if kind != "Cancel" && kind != "Complete" {
		return fmt.Errorf("stop automation %s as %s: %w", id, kind, ErrKind)
	}
	return e.change(id, "stop", func(r *run) error {
		if !r.ended.IsZero() || r.cancelling || r.completing && kind == "Complete" {
			return ErrOver
		}
		if kind == "Complete" {
			r.completing = true
			return nil
		}
		e.cancelLocked(r)
		return nil
	})
}

// Signal gives an execution a signal of the embedded AWS itself, which counts for
// any approver.
func (e *Engine) Signal(id, signal string, payload map[string][]string) error {
	return e.SignalBy(wire.Principal{}, id, signal, payload)
}

// SignalBy gives an execution a principal's signal: Approve or Reject to an
// aws:approve step, Resume to an aws:pause one. Of the payload, StepName must be
// the step that waits where it is given; others are for people.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendAutomationSignal.html
func (e *Engine) SignalBy(p wire.Principal, id, signal string, payload map[string][]string) error {
	return e.change(id, "signal", func(r *run) error {
		s := r.Document.Steps[r.at]
		if r.attempt == nil || !r.attempt.waiting {
			return ErrSignal
		}
		if named := payload["StepName"]; len(named) > 0 && named[0] != s.Name {
			return ErrSignal
		}
		switch {
		case signal == "Resume" && s.Action == "aws:pause":
			e.succeedLocked(r, nil, "")
			return nil
		case (signal == "Approve" || signal == "Reject") && s.Action == "aws:approve":
			return e.decideLocked(r, p, signal)
		}
		return ErrSignal
	})
}

// change changes a run under the lock, then tells of it.
func (e *Engine) change(id, verb string, f func(r *run) error) error {
	e.mu.Lock()
	r := e.runs[id]
	if r == nil {
		e.mu.Unlock()
		return fmt.Errorf("%s automation %s: %w", verb, id, ErrNotFound)
	}
	err := f(r)
	x := r.snapshotLocked()
	e.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s automation %s: %w", verb, id, err)
	}
	e.Changed(x)
	return nil
}

// Close ends all work: calls under way are given up, executions stay as they are.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	for _, r := range e.order {
		if r.attempt != nil {
			r.attempt.stop()
		}
		if r.deadline != nil {
			r.deadline.Stop()
		}
	}
	e.mu.Unlock()
	e.cancel()
	e.moves.Wait()
}

// newID makes a random UUID (version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// cancelTime is how long the steps of onCancel may take.
const cancelTime = 2 * time.Minute
