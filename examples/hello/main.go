// Command hello is a web service that says which version it is: something to
// release, and to see in the traffic which release answered.
//
// The file FAULTS makes it a bad release that still looks healthy: so many of a
// hundred answers are late, and are errors.
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
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// Both are set at link time. faults is how many of a hundred answers are late
// and are errors.
var version, faults = "dev", "0"

const (
	// late is how long an answer takes that is an error.
	late = 250 * time.Millisecond
	// linger is how long requests are taken after SIGTERM.
	linger = time.Second
	// grace is how long requests in flight may take after that. Both together
	// stay under the 30 s that ECS waits before it kills.
	grace = 20 * time.Second
)

func main() {
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("version", version)
	if err := run(logger); err != nil {
		logger.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func run(logger *slog.Logger) error {
	terminated, done := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer done()
	bad, err := strconv.Atoi(faults)
	if err != nil || bad < 0 || bad > 100 {
		return fmt.Errorf("FAULTS is %q: it must be 0 to 100", faults)
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("", port))
	if err != nil {
		return fmt.Errorf("listen on port %s: %w", port, err)
	}
	logger.Info("serving", "address", listener.Addr().String())
	lingered := make(chan struct{})
	context.AfterFunc(terminated, func() {
		logger.Info("terminating")
		time.AfterFunc(linger, func() { close(lingered) })
	})
	return serve(listener, handler(version, bad), terminated.Done(), lingered)
}

// handler answers all that hello answers.
func handler(version string, faults int) http.Handler {
	var asked atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		// 37 has no factor in common with 100: the errors lie scattered.
		if int(asked.Add(1)*37%100) < faults {
			select {
			case <-time.After(late):
			case <-r.Context().Done():
			}
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// An error here means that the client is gone.
		_ = json.NewEncoder(w).Encode(map[string]string{"message": "hello", "version": version})
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Version", version)
		mux.ServeHTTP(w, r)
	})
}

// serve answers requests until stop is closed and those in flight are done.
// From drain on, each answer closes its connection: shutting down must not hit
// a connection that the load balancer is about to use again.
func serve(listener net.Listener, h http.Handler, drain, stop <-chan struct{}) error {
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
	for stop != nil {
		select {
		case err := <-failed:
			return fmt.Errorf("serve: %w", err)
		case <-drain:
			draining.Store(true)
			drain = nil
		case <-stop:
			stop = nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("finish requests in flight: %w", err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
