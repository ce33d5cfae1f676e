package lambda

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// initTime is how long a process may take to ask for its first event, on the wall.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
const initTime = 10 * time.Second

// A process runs a function's bootstrap.
type process struct {
	sandbox *sandbox
	api     *runtimeAPI
	exited  chan struct{} // closed when the process is gone, or never came up

	mu      sync.Mutex
	command *exec.Cmd
	alive   bool // started and not yet gone
	killed  bool

	// Set by start.
	server *http.Server
	served chan struct{}
	output *output
	temp   string // the process's own TMPDIR
	result string // how it exited, once it has
}

func newProcess(sb *sandbox) *process {
	exited := make(chan struct{})
	return &process{sandbox: sb, exited: exited, api: newRuntimeAPI(exited)}
}

func (p *process) start() *failure {
	bootstrap := filepath.Join(p.sandbox.code.directory, "bootstrap")
	if info, err := os.Stat(bootstrap); err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return &failure{kind: invalidEntrypoint, message: "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"}
	}
	if err := p.launch(bootstrap); err != nil {
		return &failure{kind: exitError, message: err.Error()}
	}
	timer := time.NewTimer(initTime)
	defer timer.Stop()
	select {
	case <-p.api.ready:
		p.output.flush()
		return nil
	case f := <-p.api.initial:
		p.output.flush()
		return f
	case <-p.exited:
		p.output.close()
		select {
		case f := <-p.api.initial: // the process said why before it went
			return f
		default:
		}
		return p.exitFailure()
	case <-timer.C:
		return &failure{kind: timedOut, message: fmt.Sprintf("Init timed out after %.2f seconds", initTime.Seconds())}
	}
}

// launch starts the process and its Runtime API.
func (p *process) launch(bootstrap string) error {
	temp, err := p.sandbox.service.makeDirectory("tmp-*")
	if err != nil {
		return err
	}
	p.temp = temp
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the runtime: %w", err)
	}
	p.server = &http.Server{Handler: p.api.handler()}
	p.served = make(chan struct{})
	go func() {
		defer close(p.served)
		p.server.Serve(listener) // until stop closes it
	}()
	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	err = p.run(bootstrap, p.environment(listener.Addr().String()), writer)
	writer.Close() // the process has its own
	if err != nil {
		reader.Close()
		return err
	}
	p.output = readOutput(reader, p.sandbox.log)
	go p.wait()
	return nil
}

func (p *process) environment(address string) []string {
	env := p.sandbox.environment()
	env["AWS_LAMBDA_RUNTIME_API"] = address
	env["LAMBDA_TASK_ROOT"] = p.sandbox.code.directory
	env["TMPDIR"] = p.temp
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// run starts the process, unless it was killed before. While any other process is
// being forked, the file just unpacked may still be open for writing in the fork,
// and the kernel calls it busy; that passes in a moment.
func (p *process) run(bootstrap string, env []string, output *os.File) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return errors.New("runtime exited with error: signal: killed")
	}
	for busy := time.Now().Add(2 * time.Second); ; time.Sleep(time.Millisecond) {
		command := exec.Command(bootstrap)
		command.Dir, command.Env = p.sandbox.code.directory, env
		command.Stdout, command.Stderr = output, output
		command.SysProcAttr = processAttributes()
		err := command.Start()
		if err == nil {
			p.command, p.alive = command, true
			return nil
		}
		if !errors.Is(err, syscall.ETXTBSY) || time.Now().After(busy) {
			return fmt.Errorf("start bootstrap: %w", err)
		}
	}
}

// wait reaps the process, and kills what it left behind in its group.
func (p *process) wait() {
	err := p.command.Wait()
	p.mu.Lock()
	p.alive = false
	syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	p.mu.Unlock()
	p.result = "exit status 0"
	if err != nil {
		p.result = err.Error()
	}
	close(p.exited)
}

// exitFailure says how the process went; call it only after it has.
func (p *process) exitFailure() *failure {
	return &failure{kind: exitError, message: "Runtime exited with error: " + p.result}
}

func (p *process) invoke(inv invocation, trace string, timeout time.Duration) outcome {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	overdue := func() outcome {
		p.kill()
		<-p.exited
		p.output.close()
		return outcome{dead: true, failure: late(timeout)}
	}
	gone := func() outcome {
		p.output.close()
		return outcome{dead: true, failure: p.exitFailure()}
	}
	p.api.expect(inv.requestID)
	select {
	case p.api.events <- delivery{invocation: inv, trace: trace, deadline: time.Now().Add(timeout), arn: p.sandbox.function.arn()}:
	case <-p.exited:
		return gone()
	case <-timer.C:
		return overdue()
	}
	var answer posted
	select {
	case answer = <-p.api.answers:
	case <-p.exited:
		select {
		case answer = <-p.api.answers: // the last thing it did
		default:
			return gone()
		}
	case <-timer.C:
		return overdue()
	}
	end := outcome{payload: answer.payload, failure: answer.failure}
	// An invocation is over when the process asks for the next event. One that
	// exits instead (as aws-lambda-go does after a panic) has still answered.
	select {
	case <-p.api.ready:
		p.output.flush()
	case <-p.exited:
		p.output.close()
		end.dead = true
	case <-timer.C:
		p.kill()
		end.dead = true
	}
	return end
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	if p.alive {
		syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	}
}

func (p *process) stop() {
	p.kill()
	if p.output != nil {
		<-p.exited
		p.output.close()
	}
	if p.server != nil {
		p.server.Close()
		<-p.served
	}
	if p.temp != "" {
		if err := os.RemoveAll(p.temp); err != nil {
			p.sandbox.service.Logger.Error("remove temporary directory", "error", err)
		}
	}
}

func (p *process) peakMemory() int64 {
	if p.output == nil {
		return 0
	}
	select {
	case <-p.exited:
		return maxRSS(p.command.ProcessState)
	default:
		return currentPeak(p.command.Process.Pid)
	}
}
