package customresource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Work makes, changes or deletes a resource as a request wants it. It may be
// called again for the same request at any time, and must find what it did. An
// error is the user's to read: it names the resource and what to do next. An
// answer beside an error counts for its PhysicalID only.
type Work func(ctx context.Context, r Request) (Answer, error)

// Config is what a function hands to its handler.
type Config struct {
	// Logger gets a line for each request and more when something is wrong.
	// Default: slog.Default().
	Logger *slog.Logger

	// HTTP sends the answers and follows no redirect. Default: a client of its own.
	HTTP *http.Client

	// PutTimeout bounds one attempt to answer. Default: 5 s.
	PutTimeout time.Duration

	// Margin is kept of the invocation's time for the answer. Default: a tenth of
	// what the invocation begins with, and at most 15 s.
	Margin time.Duration

	// Backoff is the wait before an answer is tried again, for the 1st, 2nd, ...
	// time. Default: 200 ms doubling to 3 s.
	Backoff func(attempt int) time.Duration

	// Fault is what is wrong with the function's own settings. Every request but a
	// delete of what was never made is then refused with it.
	Fault error
}

// A Handler answers requests. It is safe for concurrent use.
type Handler struct {
	config Config
	work   Work
}

// New makes the handler of a piece of work.
func New(c Config, work Work) *Handler {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if c.PutTimeout == 0 {
		c.PutTimeout = 5 * time.Second
	}
	if c.Backoff == nil {
		c.Backoff = func(attempt int) time.Duration {
			return min(200*time.Millisecond<<min(attempt-1, 8), 3*time.Second)
		}
	}
	return &Handler{config: c, work: work}
}

// Invoke answers one event, as lambda.Start calls it. Its error, which makes
// Lambda deliver the event again, means that CloudFormation has no answer.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	e, err := read(payload)
	log := h.config.Logger.With("request", e.RequestType, "requestId", e.RequestID, "stack", e.StackID, "resource", e.LogicalResourceID)
	if !e.answerable() {
		log.Error("an event has no ResponseURL that could be answered", "cause", fmt.Sprint(err))
		return nil, errors.Join(errors.New("read event: ResponseURL is not an HTTP URL"), err)
	}
	var answer Answer
	switch {
	case err != nil:
		err = fmt.Errorf("read the request: %w", err)
	case e.wasNeverCreated():
		log.Info("nothing was created, so nothing is deleted")
	case h.config.Fault != nil:
		err = fmt.Errorf("the function's settings are wrong: %w; correct its environment", h.config.Fault)
	default:
		answer, err = h.await(ctx, e.request(), log)
	}
	if err != nil {
		log.Error("request failed", "cause", err.Error())
		err = fmt.Errorf("%w%s", err, logStream())
	}
	if putErr := h.put(ctx, e.ResponseURL, e.encode(answer, err)); putErr != nil {
		log.Error("CloudFormation has no answer", "cause", putErr.Error())
		return nil, putErr
	}
	log.Info("answered", "failed", err != nil, "physicalId", e.physicalID(answer.PhysicalID, err != nil))
	return []byte("null"), nil
}

// logStream tells a reader of the stack's events where the function's log is.
func logStream() string {
	if lambdacontext.LogStreamName == "" {
		return ""
	}
	return fmt.Sprintf(" (log stream %s of %s)", lambdacontext.LogStreamName, lambdacontext.LogGroupName)
}

type outcome struct {
	answer Answer
	err    error
}

// await does the work and waits for it until the margin before the invocation's
// deadline. Work that does not heed its context is left behind and answered for
// all the same.
func (h *Handler) await(ctx context.Context, r Request, log *slog.Logger) (Answer, error) {
	cancel := context.CancelFunc(func() {})
	margin := h.config.Margin
	if deadline, ok := ctx.Deadline(); ok {
		if margin == 0 {
			margin = min(15*time.Second, time.Until(deadline)/10)
		}
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
	}
	defer cancel()

	ended := make(chan outcome, 1)
	go func() {
		out := outcome{err: errors.New("the work ended its goroutine; this is a fault of the function")}
		defer func() {
			if value := recover(); value != nil {
				log.Error("the work panicked", "cause", fmt.Sprint(value), "stack", string(debug.Stack()))
				out = outcome{err: fmt.Errorf("the work panicked: %v; this is a fault of the function; see its log", value)}
			}
			ended <- out
		}()
		out.answer, out.err = h.work(ctx, r)
	}()
	select {
	case out := <-ended:
		return out.answer, out.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(margin / 4)
	defer grace.Stop()
	select {
	case out := <-ended:
		return out.answer, out.err
	case <-grace.C:
		return Answer{}, errors.New("the work did not end in the function's time; try again: what is already done is found and not done again")
	}
}
