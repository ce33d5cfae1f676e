package job

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
)

// Config is what a function hands to its handler.
type Config struct {
	// Action names the function's action in traces, logs and messages.
	Action string

	// CodePipeline takes the reports. Required.
	CodePipeline Reporter

	// S3 makes a client with the job's credentials. It is called once in a tick
	// that reads or writes an artifact. Default: there are no artifacts.
	S3 func(aws.CredentialsProvider) S3

	// Span opens a span of the invocation's trace. annotate adds what traces are
	// searched by; end closes the span with the error that it ended in, or nil.
	// Default: no traces.
	Span func(ctx context.Context, name string) (_ context.Context, annotate func(key, value string), end func(error))

	// Logger gets one line a tick and more when something is wrong. Default:
	// slog.Default().
	Logger *slog.Logger

	// Now is AWS's time, zero as long as it is not known. Default: time.Now.
	Now func() time.Time

	// Limits are the function's; zero fields have defaults.
	Limits Limits

	// Margin is kept of the invocation's time for the report: when no more is
	// left, the step is no longer waited for. Default: a tenth of the time that
	// the invocation begins with, and at most 2 s.
	Margin time.Duration

	// Backoff is the wait before a report is tried again, for the 1st, 2nd, ...
	// time, on top of what the client itself does. Default: 200 ms doubling to
	// 3 s.
	Backoff func(attempt int) time.Duration

	// Fault is what is wrong with the function's own settings. Every job is then
	// answered with it, as a ConfigurationError, and no step is run.
	Fault error
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Span == nil {
		c.Span = func(ctx context.Context, _ string) (context.Context, func(string, string), func(error)) {
			return ctx, func(string, string) {}, func(error) {}
		}
	}
	if c.Backoff == nil {
		c.Backoff = func(attempt int) time.Duration {
			return min(200*time.Millisecond<<min(attempt-1, 8), 3*time.Second)
		}
	}
	c.Limits = c.Limits.over(defaults())
	return c
}

// A Handler answers jobs. It is safe for concurrent use.
type Handler struct {
	config Config
	run    func(context.Context, *tick) verdict
	broken error // why it cannot answer at all
}

// NewHandler makes the handler of an action's step.
func NewHandler[P, S any](config Config, step Step[P, S]) *Handler {
	h := &Handler{config: config.withDefaults()}
	h.run = func(ctx context.Context, t *tick) verdict { return run(ctx, t, step) }
	return h
}

// Invoke answers one event, as lambda.Start calls it. Its error, which makes
// Lambda count the invocation as failed, means that no report could be made.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if err := h.answer(ctx, payload); err != nil {
		return nil, err
	}
	return []byte("null"), nil
}

func (h *Handler) answer(ctx context.Context, payload []byte) error {
	log := h.config.Logger.With("action", h.config.Action)
	if call, ok := lambdacontext.FromContext(ctx); ok {
		log = log.With("requestId", call.AwsRequestID)
	}
	if h.broken != nil {
		log.Error("the function cannot call AWS, and so not report on its job", "cause", h.broken.Error())
		return h.broken
	}
	job, id, err := decodeEvent(payload)
	if id == "" {
		log.Error("an event has no job that could be reported on", "cause", err.Error())
		return fmt.Errorf("read event: %w", err)
	}
	t := &tick{config: h.config, id: id, job: job, log: log.With("job", id), margin: h.margin(ctx)}
	if err != nil {
		t.secrets = salvage(payload)
	} else {
		t.secrets = job.Data.ArtifactCredentials
	}
	spanned, annotate, end := h.config.Span(ctx, h.config.Action)
	annotate("action", h.config.Action)
	t.annotate = annotate

	var v verdict
	switch {
	case err != nil:
		v = failed("the event that CodePipeline sent cannot be read: %v; nothing was done; retry the stage", err)
	case h.config.Fault != nil:
		v = refused("the function's settings are wrong: %s; nothing was done; correct its environment, then retry the stage", listed(unjoined(h.config.Fault)))
	default:
		v = h.run(spanned, t)
	}
	err = t.report(spanned, &v)
	if err == nil && v.failure != nil {
		end(&Failure{Type: v.failure.Type, Message: t.scrub(v.failure.Message)})
		return nil
	}
	end(err)
	return err
}

// margin is how much of the invocation's time the step must leave.
func (h *Handler) margin(ctx context.Context) time.Duration {
	if h.config.Margin > 0 {
		return h.config.Margin
	}
	margin := 2 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		margin = min(margin, time.Until(deadline)/10)
	}
	return margin
}
