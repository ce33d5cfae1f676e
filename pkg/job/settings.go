package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cutover/pkg/awsclient"
)

// Settings are a function's environment.
type Settings struct {
	// AWS is how AWS is called.
	AWS awsclient.Settings

	// LogLevel is AWS_LAMBDA_LOG_LEVEL. Default INFO.
	LogLevel slog.Level

	// Limits are CUTOVER_PROGRESS_DEADLINE, CUTOVER_TOTAL_DEADLINE and
	// CUTOVER_FAULT_BUDGET, as "15m". Parameters may override them.
	Limits Limits

	faults []error
}

// SettingsFrom reads the environment, with os.LookupEnv as the usual lookup.
func SettingsFrom(lookup func(string) (string, bool)) Settings {
	s := Settings{AWS: awsclient.FromEnvironment(lookup)}
	level, _ := lookup("AWS_LAMBDA_LOG_LEVEL")
	switch strings.ToUpper(level) {
	case "TRACE", "DEBUG":
		s.LogLevel = slog.LevelDebug
	case "WARN":
		s.LogLevel = slog.LevelWarn
	case "ERROR", "FATAL":
		s.LogLevel = slog.LevelError
	}
	for _, setting := range []struct {
		name string
		to   *time.Duration
	}{
		{"CUTOVER_PROGRESS_DEADLINE", &s.Limits.Progress},
		{"CUTOVER_TOTAL_DEADLINE", &s.Limits.Total},
		{"CUTOVER_FAULT_BUDGET", &s.Limits.Faults},
	} {
		text, _ := lookup(setting.name)
		if text == "" {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > longest {
			s.faults = append(s.faults, fmt.Errorf("%s %q is not a duration of at most %s, as \"15m\"", setting.name, text, longest))
			continue
		}
		*setting.to = d
	}
	return s
}

// Validate joins every fault of the settings, but for those of AWS: without
// them nothing can be reported.
func (s Settings) Validate() error { return errors.Join(s.faults...) }

// Function makes the handler of a whole function. The action is made when a job
// first needs it, with the clients that it asks for. Settings that are wrong
// are every job's failure; without settings for AWS every invocation fails.
func Function[P, S any](s Settings, action string, newStep func(*awsclient.Clients) Step[P, S]) *Handler {
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: s.LogLevel}))
	clients, err := awsclient.New(s.AWS)
	if err != nil {
		return &Handler{config: Config{Action: action, Logger: log}, broken: err}
	}
	step := sync.OnceValue(func() Step[P, S] { return newStep(clients) })
	return NewHandler(Config{
		Action:       action,
		CodePipeline: clients.CodePipeline(),
		S3:           func(provider aws.CredentialsProvider) S3 { return clients.S3(provider) },
		Span:         clients.Span,
		Logger:       log,
		Now:          clients.Now,
		Limits:       s.Limits,
		Fault:        s.Validate(),
	}, func(ctx context.Context, j Job[P], state S) (Result[S], error) { return step()(ctx, j, state) })
}
