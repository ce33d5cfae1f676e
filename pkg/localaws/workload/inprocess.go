package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"cutover/pkg/localaws/clock"
)

// An App is a program that runs inside this process: what an image is to an
// InProcess runner. It is called once per start and answers the requests of that
// one program until it ends. An app whose handler answers 500 is an unhealthy
// one; one that calls t.Exit before it returns crashes on start; one that passes
// t.Exit to t.AfterFunc crashes later.
type App func(t *Task) http.Handler

// Apps says which app an image reference names or, for a program of a Root, the
// path of the program there: the first word of its entry point or command.
type Apps interface {
	App(image string) (App, bool)
}

// Images are apps by their exact reference. Change it only before it is in use.
type Images map[string]App

// App implements Apps.
func (m Images) App(image string) (App, bool) {
	app, ok := m[image]
	return app, ok
}

// InProcess runs apps in this process. On a manual clock everything it does
// happens in the goroutine that starts, stops or moves the clock; only requests
// are answered apart.
type InProcess struct {
	clock clock.Clock
	apps  Apps

	mu      sync.Mutex
	closed  bool
	running map[*Task]struct{}
	servers sync.WaitGroup
}

// NewInProcess makes a runner of apps on clock.
func NewInProcess(clock clock.Clock, apps Apps) *InProcess {
	return &InProcess{clock: clock, apps: apps, running: map[*Task]struct{}{}}
}

// A Task is one running app, as the app sees it. It is also its Process.
type Task struct {
	// Image, Root, Env and Command are the Spec's; Env holds the ports too.
	Image   string
	Root    string
	Env     map[string]string
	Command []string

	runner *InProcess
	spec   Spec
	ports  map[int]int
	server *http.Server

	mu      sync.Mutex
	started bool
	ended   bool
	exit    Exit
	done    chan struct{}
}

// Start implements Runner.
func (r *InProcess) Start(ctx context.Context, spec Spec) (Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, &Error{CannotPull, fmt.Errorf("pull image %s: %w", spec.Image, err)}
	}
	app, err := r.find(spec)
	if err != nil {
		return nil, err
	}
	t := &Task{
		Image: spec.Image, Root: spec.Root, Env: maps.Clone(spec.Env), Command: spec.Command,
		runner: r, spec: spec, ports: map[int]int{}, done: make(chan struct{}),
	}
	if t.Env == nil {
		t.Env = map[string]string{}
	}
	listeners, err := t.listen()
	if err != nil {
		return nil, &Error{CannotStart, err}
	}
	if err := r.add(t); err != nil {
		closeAll(listeners)
		return nil, &Error{CannotStart, err}
	}
	handler := app(t)
	t.serve(listeners, handler)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.started = true
	if t.ended {
		r.clock.Go(t.tell)
	}
	return t, nil
}

// find looks up the app of an image, or of a program of a Root.
func (r *InProcess) find(spec Spec) (App, error) {
	if spec.Root == "" {
		app, ok := r.apps.App(spec.Image)
		if !ok {
			return nil, &Error{CannotPull, fmt.Errorf("pull image %s: not found", spec.Image)}
		}
		return app, nil
	}
	argv := commandLine(spec, v1.Config{})
	if len(argv) == 0 {
		return nil, &Error{CannotStart, errors.New("no command specified")}
	}
	app, ok := r.apps.App(argv[0])
	if !ok {
		return nil, &Error{CannotStart, fmt.Errorf("find program %s: not found", argv[0])}
	}
	return app, nil
}

func (t *Task) listen() ([]net.Listener, error) {
	var listeners []net.Listener
	for _, port := range t.spec.Ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			closeAll(listeners)
			return nil, fmt.Errorf("listen for container port %d: %w", port, err)
		}
		listeners = append(listeners, l)
		t.ports[port] = l.Addr().(*net.TCPAddr).Port
	}
	maps.Copy(t.Env, portVariables(t.spec.Ports, t.ports))
	return listeners, nil
}

func (r *InProcess) add(t *Task) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errors.New("start program: runner is closed")
	}
	r.running[t] = struct{}{}
	return nil
}

// serve answers requests unless the app has ended already or has no handler.
func (t *Task) serve(listeners []net.Listener, handler http.Handler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || handler == nil {
		closeAll(listeners)
		return
	}
	t.server = &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	server := t.server
	for _, l := range listeners {
		t.runner.servers.Go(func() { _ = server.Serve(l) }) // always ErrServerClosed
	}
}

// Exit ends the app with code, as os.Exit would: connections break.
func (t *Task) Exit(code int) { t.end(Exit{Code: code}, true) }

// AfterFunc calls f when d has passed by the clock, if the app still runs then.
func (t *Task) AfterFunc(d time.Duration, f func()) {
	t.runner.clock.AfterFunc(d, func() {
		t.mu.Lock()
		ended := t.ended
		t.mu.Unlock()
		if !ended {
			f()
		}
	})
}

// Log writes one line to the app's standard output.
func (t *Task) Log(line string) {
	if t.spec.Stdout != nil {
		t.spec.Stdout(line)
	}
}

// end notes the exit, once, and stops the server.
func (t *Task) end(exit Exit, abrupt bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended, t.exit = true, exit
	close(t.done)
	if t.server != nil {
		t.halt(abrupt)
	}
	if t.started {
		t.runner.clock.Go(t.tell)
	}
}

// halt closes the server: at once, or so that requests in flight finish.
func (t *Task) halt(abrupt bool) {
	server := t.server
	if abrupt {
		_ = server.Close()
		return
	}
	t.runner.servers.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	})
}

// tell calls OnExit, unless Close has done so.
func (t *Task) tell() {
	t.runner.mu.Lock()
	_, ours := t.runner.running[t]
	delete(t.runner.running, t)
	t.runner.mu.Unlock()
	if ours && t.spec.OnExit != nil {
		t.spec.OnExit(t.exit)
	}
}

// Stop implements Process. An app ends with code 0 as soon as it is asked to;
// its requests in flight finish.
func (t *Task) Stop(time.Duration) { t.end(Exit{}, false) }

// Ports implements Process.
func (t *Task) Ports() map[int]int { return maps.Clone(t.ports) }

// Digest implements Process: the image's reference after the @, if it has one.
func (t *Task) Digest() string { return referenceDigest(t.Image) }

// Exited implements Process.
func (t *Task) Exited() (Exit, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.exit, t.ended
}

// Done implements Process.
func (t *Task) Done() <-chan struct{} { return t.done }

// Close implements Runner.
func (r *InProcess) Close() error {
	r.mu.Lock()
	r.closed = true
	tasks := make([]*Task, 0, len(r.running))
	for t := range r.running {
		tasks = append(tasks, t)
	}
	r.mu.Unlock()
	for _, t := range tasks {
		t.end(Exit{Code: 137, Signal: "killed"}, true)
		t.tell()
	}
	r.servers.Wait()
	return nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}
