// Command webapp is a web application that runs on a fleet of instances, and
// says which version of it answers, and on which image: something to release
// with the image under it.
//
// It listens on $PORT (8080 if unset). On SIGTERM it goes on serving for a
// moment, so that a load balancer that has not noticed yet loses no request,
// then finishes what is in flight and exits.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// These are set at link time.
var (
	version = "dev"
	commit  = "unknown"
)

const (
	// lookup is how long the instance is asked about itself before the first
	// request is taken.
	lookup = 3 * time.Second
	// linger is how long requests are taken after SIGTERM.
	linger = time.Second
	// grace is how long requests in flight may take after that. Both together
	// stay under the TimeoutStopSec of webapp.service.
	grace = 20 * time.Second
)

func main() {
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("version", version, "commit", commit)
	if err := run(logger); err != nil {
		logger.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func run(logger *slog.Logger) error {
	terminated, done := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer done()
	asking, answered := context.WithTimeout(terminated, lookup)
	where, err := describe(asking, metadataService(os.LookupEnv))
	answered()
	if err != nil { // as on a machine that is no instance
		logger.Warn("does not know its instance", "error", err)
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("", port))
	if err != nil {
		return fmt.Errorf("listen on port %s: %w", port, err)
	}
	logger.Info("serving", "address", listener.Addr().String(), "image", where.Image, "instance", where.Instance)
	return serve(terminated, linger, listener, handler(page{version, commit, where}))
}

// page is what the root tells.
type page struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	instance
}

// handler answers all that webapp answers.
func handler(p page) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// An error here means that the client is gone.
		_ = json.NewEncoder(w).Encode(p)
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Version", p.Version)
		w.Header().Set("X-Commit", p.Commit)
		w.Header().Set("X-Image", p.Image)
		mux.ServeHTTP(w, r)
	})
}

// serve answers requests until the context has ended, a moment has passed, and
// those in flight are done. In that moment each answer closes its connection:
// shutting down must not hit one that the load balancer is about to use again.
func serve(ctx context.Context, moment time.Duration, listener net.Listener, h http.Handler) error {
	var draining atomic.Bool
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if draining.Load() {
				w.Header().Set("Connection", "close")
			}
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 5 * time.Second,
		// Longer than the 60 s of a load balancer: who keeps connections for
		// reuse must be the first to close them.
		IdleTimeout: 75 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	draining.Store(true)
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-time.After(moment):
	}
	ending, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return fmt.Errorf("finish requests in flight: %w", err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
