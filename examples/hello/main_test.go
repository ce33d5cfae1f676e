package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, path string
		status       int
		body         string
	}{
		"the root tells the version":   {"GET", "/", 200, `{"message":"hello","version":"7"}` + "\n"},
		"the health check is ok":       {"GET", "/healthz", 200, "ok\n"},
		"other paths are not found":    {"GET", "/other", 404, "404 page not found\n"},
		"only reading is allowed here": {"POST", "/", 405, "Method Not Allowed\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			handler("7", 0).ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, test.status, test.body)
			}
			if got := w.Header().Get("X-Version"); got != "7" {
				t.Errorf("got version %q, want 7", got)
			}
		})
	}
}

func TestServe_FinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	arrived, finish := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-finish
		}
		io.WriteString(w, "done")
	})
	s := start(t, slow)

	answer := make(chan string, 1)
	go func() { answer <- s.get(t, "/slow").body }()
	<-arrived
	close(s.drain)
	close(s.stop)
	s.await(t, "connections to be refused", func() bool {
		conn, err := net.Dial("tcp", s.listener.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(finish)

	if got := <-answer; got != "done" {
		t.Errorf("got %q for the request in flight, want %q", got, "done")
	}
	if err := <-s.ended; err != nil {
		t.Errorf("got %v, want a clean end", err)
	}
}

func TestServe_AnswersAndClosesConnectionsWhileDraining(t *testing.T) {
	t.Parallel()
	s := start(t, handler("7", 0))
	if s.get(t, "/").closed {
		t.Error("got a closed connection before draining, want it kept")
	}
	close(s.drain)
	s.await(t, "an answer that closes its connection", func() bool {
		got := s.get(t, "/")
		if got.status != 200 {
			t.Errorf("got status %d while draining, want 200", got.status)
		}
		return got.closed
	})
	close(s.stop)
	if err := <-s.ended; err != nil {
		t.Errorf("got %v, want a clean end", err)
	}
}

func TestServe_TellsWhyItCannotServe(t *testing.T) {
	t.Parallel()
	s := start(t, handler("7", 0))
	s.listener.Close()
	if err := <-s.ended; err == nil {
		t.Error("got a clean end, want the listener's error")
	}
}

// A server is serve at work.
type server struct {
	listener    net.Listener
	client      *http.Client
	drain, stop chan struct{}
	ended       chan error
}

func start(t *testing.T, h http.Handler) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	s := &server{
		listener: listener, client: &http.Client{Transport: transport},
		drain: make(chan struct{}), stop: make(chan struct{}), ended: make(chan error, 1),
	}
	go func() { s.ended <- serve(listener, h, s.drain, s.stop) }()
	return s
}

type answer struct {
	status int
	body   string
	closed bool
}

func (s *server) get(t *testing.T, path string) answer {
	t.Helper()
	r, err := s.client.Get("http://" + s.listener.Addr().String() + path)
	if err != nil {
		t.Errorf("get %s: %v", path, err)
		return answer{}
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("read %s: %v", path, err)
	}
	return answer{r.StatusCode, string(body), r.Close}
}

// await returns once a condition holds; the server sees a closed channel some
// time after it was closed.
func (s *server) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("got nothing in 10 s, want %s", what)
		}
	}
}

func TestHandler_BadReleaseLooksHealthy(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(handler("3", 30))
	defer server.Close()
	got := map[int]int{}
	var all sync.WaitGroup
	var mu sync.Mutex
	for range 100 {
		all.Go(func() {
			r, err := http.Get(server.URL)
			if err != nil {
				t.Error(err)
				return
			}
			r.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			got[r.StatusCode]++
		})
	}
	all.Wait()
	if got[http.StatusInternalServerError] != 30 || got[http.StatusOK] != 70 {
		t.Errorf("got answers %v, want 30 errors of 100", got)
	}
	r, err := http.Get(server.URL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("health: got %d, want 200", r.StatusCode)
	}
}
