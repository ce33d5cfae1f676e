package workload

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"cutover/pkg/localaws/clock"
)

// process is one program that a Processes runner started.
type process struct {
	runner     *Processes
	spec       Spec
	digest     string
	stopSignal string
	dir        string // its own, removed at the end
	ports      map[int]int
	streams    []*stream
	done       chan struct{}

	mu       sync.Mutex
	running  *os.Process // nil before it runs and after it was reaped
	doomed   bool        // kill it even if it comes to run only now
	stopping bool
	killer   clock.Timer
	ended    bool
	exit     Exit
}

// run starts the command and, apart, waits for its end.
func (p *process) run(cmd *exec.Cmd) error {
	isolate(cmd)
	stdout, err := p.stream(p.spec.Stdout)
	if err != nil {
		return err
	}
	defer stdout.Close() // the program holds it, or nobody does
	stderr, err := p.stream(p.spec.Stderr)
	if err != nil {
		return err
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	launched := make(chan error)
	go p.live(cmd, launched)
	return <-launched
}

// live is the program's life from fork to reaping. It keeps to one thread: the
// kernel ends the program (Pdeathsig) when the thread that forked it ends.
func (p *process) live(cmd *exec.Cmd, launched chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, err := launch(cmd)
	if err == nil {
		p.mu.Lock()
		p.running = cmd.Process
		if p.doomed {
			p.killLocked()
		}
		p.mu.Unlock()
	}
	launched <- err
	if err != nil {
		return
	}
	_ = cmd.Wait() // the state says it all
	killGroup(cmd.Process.Pid)
	p.mu.Lock()
	p.running = nil
	if p.killer != nil {
		p.killer.Stop()
	}
	p.mu.Unlock()
	p.finish(exitOf(cmd.ProcessState))
}

// launch starts the command. The file may just have been written: a process that
// was forked in that moment holds it open until it execs, and until then the file
// is busy (https://go.dev/issue/22315).
func launch(cmd *exec.Cmd) (*exec.Cmd, error) {
	for try := 1; ; try++ {
		attempt := *cmd
		err := attempt.Start()
		if try == 50 || !errors.Is(err, syscall.ETXTBSY) {
			return &attempt, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// finish notes the end and tells of it.
func (p *process) finish(exit Exit) {
	p.closeStreams()
	p.mu.Lock()
	p.exit, p.ended = exit, true
	p.mu.Unlock()
	close(p.done)
	p.runner.logger.Debug("program ended", "name", p.spec.Name, "exit", exit.String())
	if p.spec.OnExit != nil {
		p.spec.OnExit(exit)
	}
	p.discard()
}

// discard gives back what the program had. It is the last thing in its life.
func (p *process) discard() {
	p.closeStreams()
	if p.dir != "" {
		if err := os.RemoveAll(p.dir); err != nil {
			p.runner.logger.Warn("remove program's directory", "directory", p.dir, "error", err)
		}
	}
	p.runner.ports.giveBack(p.ports)
	p.runner.mu.Lock()
	delete(p.runner.running, p)
	p.runner.mu.Unlock()
	p.runner.wait.Done()
}

// Stop implements Process.
func (p *process) Stop(timeout time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping || p.running == nil {
		return
	}
	p.stopping = true
	p.killer = p.runner.clock.AfterFunc(timeout, p.kill)
	if err := p.running.Signal(signalNamed(p.stopSignal)); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.runner.logger.Warn("signal program", "name", p.spec.Name, "error", err)
	}
}

// kill ends the program and all that it started, now or as soon as it runs.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = true
	p.killLocked()
}

func (p *process) killLocked() {
	if p.running != nil {
		killGroup(p.running.Pid)
		_ = p.running.Kill() // fails only if it has ended
	}
}

// Ports implements Process.
func (p *process) Ports() map[int]int { return maps.Clone(p.ports) }

// Digest implements Process.
func (p *process) Digest() string { return p.digest }

// Done implements Process.
func (p *process) Done() <-chan struct{} { return p.done }

// Exited implements Process.
func (p *process) Exited() (Exit, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit, p.ended
}

// exitOf reads how a reaped process ended, with a shell's code for signals.
func exitOf(state *os.ProcessState) Exit {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return Exit{Code: 128 + int(status.Signal()), Signal: status.Signal().String()}
	}
	return Exit{Code: state.ExitCode()}
}

// stream makes a pipe whose lines go to sink, and gives its writing end.
func (p *process) stream(sink func(string)) (*os.File, error) {
	if sink == nil {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	p.streams = append(p.streams, newStream(read, sink))
	return write, nil
}

func (p *process) closeStreams() {
	for _, s := range p.streams {
		s.close()
	}
	p.streams = nil
}
