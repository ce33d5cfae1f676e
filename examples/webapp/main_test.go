package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	const root = `{"version":"7","commit":"c0ffee","image":"ami-1","instance":"i-1"}` + "\n"
	for name, test := range map[string]struct {
		method, path string
		status       int
		body         string
	}{
		"the root tells version and image": {"GET", "/", 200, root},
		"the health check is ok":           {"GET", "/health", 200, "ok\n"},
		"other paths are not found":        {"GET", "/other", 404, "404 page not found\n"},
		"only reading is allowed here":     {"POST", "/", 405, "Method Not Allowed\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			handler(page{"7", "c0ffee", instance{"ami-1", "i-1"}}).ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, test.status, test.body)
			}
			for header, want := range map[string]string{"X-Version": "7", "X-Commit": "c0ffee", "X-Image": "ami-1"} {
				if got := w.Header().Get(header); got != want {
					t.Errorf("got %s %q, want %q", header, got, want)
				}
			}
		})
	}
}

// metadata answers as version 2 of the service does, and not before it has been
// asked so many times for a token.
func metadata(t *testing.T, deaf int32) string {
	t.Helper()
	var asked atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /imds/latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= deaf || r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") != "60" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "token")
	})
	mux.HandleFunc("GET /imds/latest/meta-data/{name}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-aws-ec2-metadata-token") != "token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, map[string]string{"ami-id": "ami-1", "instance-id": "i-1\n"}[r.PathValue("name")])
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return metadataService(func(name string) (string, bool) {
		return map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.URL + "/imds/"}[name], true
	})
}

func TestDescribe_AsksUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	got, err := describe(t.Context(), metadata(t, 2))
	if want := (instance{"ami-1", "i-1"}); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestDescribe_GivesUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	got, err := describe(ctx, metadata(t, 1000))
	if want := (instance{"unknown", "unknown"}); err == nil || got != want {
		t.Errorf("got %v, %v, want %v and why", got, err, want)
	}
}

func TestMetadataService_IsTheInstancesOwnByDefault(t *testing.T) {
	t.Parallel()
	got := metadataService(func(string) (string, bool) { return "", false })
	if want := "http://169.254.169.254"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestServe_LosesNothingWhenItIsTerminated(t *testing.T) {
	t.Parallel()
	arrived, finish := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) { close(arrived); <-finish; io.WriteString(w, "done") })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "done") })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	get := func(path string) (closes bool) {
		answer, err := client.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Errorf("get %s: %v", path, err)
			return true
		}
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "done" {
			t.Errorf("got %q, %v from %s, want done", body, err, path)
		}
		return answer.Close
	}

	terminated, terminate := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(terminated, 300*time.Millisecond, listener, mux) }()
	slow := make(chan bool, 1)
	go func() { slow <- get("/slow") }()
	<-arrived
	if get("/") {
		t.Error("got a connection that closes before the end, want it kept")
	}
	terminate()
	for deadline := time.Now().Add(10 * time.Second); !get("/"); { // still answered, until it is told to go
		if time.Now().After(deadline) {
			t.Fatal("got connections that are kept while draining, want them closed")
		}
	}
	close(finish)
	<-slow
	if err := <-ended; err != nil {
		t.Errorf("got %v, want a clean end", err)
	}
}

func TestServe_TellsWhyItCannotServe(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := serve(t.Context(), time.Second, listener, http.NotFoundHandler()); err == nil {
		t.Error("got a clean end, want the listener's error")
	}
}
