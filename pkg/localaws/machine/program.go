package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strconv"
	"sync"
	"time"

	"cutover/pkg/localaws/machine/shell"
	"cutover/pkg/localaws/workload"
)

// stopTimeout is how long a program may take to end when it is asked to, unless
// its unit says otherwise: systemd's default.
const stopTimeout = 90 * time.Second

type stopTimeoutKey struct{}

// program is one program that runs, or comes to.
type program struct {
	process workload.Process // nil while it starts
}

// program runs the file at path as a program of the machine below the instance's
// root, and waits for its end or has it end with ctx. If PORT is in its
// environment, it serves that port of the instance.
func (m *machine) program(ctx context.Context, c *shell.Call, path string) int {
	dir, err := m.disk.Resolve(c.Dir, true)
	if err != nil {
		return c.Fail("%s", shell.Why(err))
	}
	p := &program{}
	ports, err := m.claim(p, c.Env["PORT"])
	if err != nil {
		return c.Fail("%v", err)
	}
	defer m.yield(p, ports)
	w := &waiter{machine: m}
	process, err := m.fleet.runner.Start(ctx, workload.Spec{
		Name: m.id + ":" + path, Root: m.disk.Dir(), WorkingDir: dir, Ports: ports, Env: maps.Clone(c.Env),
		EntryPoint: append([]string{path}, c.Args[1:]...),
		Stdout:     lineWriter(c.Stdout), Stderr: lineWriter(c.Stderr),
		OnExit: func(workload.Exit) { w.exited() },
	})
	if err != nil {
		c.Fail("%v", err)
		return shell.CannotRun
	}
	m.mu.Lock()
	p.process = process
	m.mu.Unlock()
	w.wait(ctx, process)
	if ctx.Err() != nil {
		limit, ok := ctx.Value(stopTimeoutKey{}).(time.Duration)
		if !ok {
			limit = stopTimeout
		}
		process.Stop(limit)
		<-process.Done()
	}
	exit, _ := process.Exited()
	return exit.Code
}

func lineWriter(w io.Writer) func(string) {
	return func(line string) { fmt.Fprintln(w, line) }
}

// claim takes the instance's port that a program will serve, if it has one. What
// is claimed must be yielded.
func (m *machine) claim(p *program, port string) ([]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.on {
		return nil, errors.New("the machine is shutting down")
	}
	ports, err := m.claimLocked(p, port)
	if err == nil {
		m.running.Add(1)
	}
	return ports, err
}

func (m *machine) claimLocked(p *program, port string) ([]int, error) {
	if port == "" {
		return nil, nil
	}
	number, err := strconv.Atoi(port)
	if err != nil || number < 1 || number > 65535 {
		return nil, fmt.Errorf("PORT=%s is not a port", port)
	}
	if m.programs[number] != nil {
		return nil, fmt.Errorf("listen tcp :%d: bind: address already in use", number)
	}
	m.programs[number] = p
	return []int{number}, nil
}

func (m *machine) yield(p *program, ports []int) {
	defer m.running.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, port := range ports {
		if m.programs[port] == p {
			delete(m.programs, port)
		}
	}
}

func (m *machine) address(port int) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.programs[port]
	if p == nil || p.process == nil {
		return "", false
	}
	host, ok := p.process.Ports()[port]
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(host)), ok
}

// waiter has a strand wait for a program's end.
type waiter struct {
	machine *machine

	mu    sync.Mutex
	ended bool
	wake  func()
}

func (w *waiter) exited() {
	w.mu.Lock()
	w.ended = true
	wake := w.wake
	w.mu.Unlock()
	if wake != nil {
		wake()
	}
}

func (w *waiter) wait(ctx context.Context, p workload.Process) {
	if _, ended := p.Exited(); ended {
		return
	}
	park(ctx, func(wake func()) func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.wake = wake
		if w.ended {
			w.machine.fleet.clock.Go(wake)
		}
		return func() {}
	})
}
