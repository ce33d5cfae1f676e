package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"cutover/pkg/localaws/machine/shell"
)

// maxOutput is how much of a script's output is kept of each stream, in bytes:
// more than Systems Manager shows (24,000 characters).
const maxOutput = 64 * 1024

// A Run is a script to run on an instance, as its SSM agent does.
type Run struct {
	// ID is the instance's.
	ID string
	// Script is the text; without "#!" it is a shell script.
	Script string
	// Dir is the working directory; empty for the top of the volume.
	Dir string
	// Env is added to what every program of the instance sees.
	Env map[string]string
	// Timeout ends it when it has passed by the clock; 0 for never.
	Timeout time.Duration
}

// A Result is how a script ended.
type Result struct {
	// ExitCode is the script's, or 137 if it was ended.
	ExitCode int
	// Stdout and Stderr are the first 64 KiB that it wrote to each.
	Stdout, Stderr string
	// TimedOut says that its time was over.
	TimedOut bool
	// Canceled says that it was canceled, or its machine shut down.
	Canceled bool
}

// Run runs a script on an instance that is up, and calls done once when it has
// ended, also when it is canceled. cancel ends it, and waits until it has ended.
func (f *Fleet) Run(r Run, done func(Result)) (cancel func(), err error) {
	m, err := f.machine(r.ID)
	if err == nil && !m.isOn() {
		err = errors.New("it does not run")
	}
	if err != nil {
		return nil, fmt.Errorf("run script on machine %s: %w", r.ID, err)
	}
	s := &script{machine: m, run: r, done: done}
	f.soon(s.start)
	return func() { s.stop(func(result *Result) { result.Canceled = true }) }, nil
}

type script struct {
	machine *machine
	run     Run
	done    func(Result)

	mu     sync.Mutex
	strand *strand
	why    func(*Result) // it was asked to end
}

func (s *script) start() {
	if s.stopped() != nil { // canceled before it began
		s.tell(Result{ExitCode: shell.Killed})
		return
	}
	var timer interface{ Stop() bool }
	if s.run.Timeout > 0 {
		timer = s.machine.fleet.after(s.run.Timeout, func() { s.stop(func(r *Result) { r.TimedOut = true }) })
	}
	work := s.machine.strand()
	if work == nil { // it was shut down meanwhile
		s.tell(Result{ExitCode: shell.Killed, Canceled: true})
		return
	}
	s.mu.Lock()
	s.strand = work
	s.mu.Unlock()
	s.machine.start(work, func(ctx context.Context) {
		result := s.execute(ctx)
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			result.ExitCode, result.Canceled = shell.Killed, true
		}
		s.tell(result)
	})
}

func (s *script) stopped() func(*Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// stop ends the script, for the first reason there is.
func (s *script) stop(why func(*Result)) {
	s.mu.Lock()
	if s.why == nil {
		s.why = why
	}
	running := s.strand
	s.mu.Unlock()
	if running != nil {
		running.end(context.Background())
	}
}

func (s *script) tell(result Result) {
	if why := s.stopped(); why != nil && result.ExitCode == shell.Killed {
		result.Canceled = false
		why(&result)
	}
	s.machine.fleet.soon(func() { s.done(result) })
}

// execute puts the script on the disk, where the agent puts it, and runs it.
func (s *script) execute(ctx context.Context) Result {
	m, out, errs := s.machine, &output{}, &output{}
	code, err := func() (int, error) {
		dir := "/var/lib/amazon/ssm/" + m.id + "/document/orchestration/" + strconv.Itoa(m.number())
		file := dir + "/_script.sh"
		if err := m.disk.MkdirAll(dir, 0o700); err != nil {
			return 0, err
		}
		if err := m.disk.WriteFile(file, []byte(s.run.Script), 0o700); err != nil {
			return 0, err
		}
		where := path.Join("/", s.run.Dir)
		if info, err := m.disk.Stat(where); err != nil || !info.IsDir() {
			fmt.Fprintf(errs, "chdir %s: no such directory\n", where)
			return 1, m.disk.RemoveAll(dir)
		}
		env := m.variables()
		maps.Copy(env, s.run.Env)
		code := m.shell.Exec(ctx, &shell.Call{Args: []string{file}, Dir: where, Env: env, Stdout: out, Stderr: errs})
		return code, m.disk.RemoveAll(dir)
	}()
	if err != nil {
		fmt.Fprintf(errs, "%v\n", err)
		code = max(code, 1)
	}
	return Result{ExitCode: code, Stdout: out.String(), Stderr: errs.String()}
}

// output keeps the first part of what is written to it.
type output struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept.Write(p[:min(len(p), maxOutput-o.kept.Len())])
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.ToValidUTF8(o.kept.String(), "\uFFFD")
}

// sleepTool waits for seconds, or with a suffix s, m, h or d, by the clock.
func (m *machine) sleepTool(ctx context.Context, c *shell.Call) int {
	if len(c.Args) < 2 {
		return c.Fail("missing operand")
	}
	var total time.Duration
	for _, arg := range c.Args[1:] {
		d, err := duration(arg)
		if err != nil {
			return c.Fail("invalid time interval '%s'", arg)
		}
		total += d
	}
	if !sleep(ctx, m.fleet.clock, total) {
		return shell.Killed
	}
	return 0
}

// duration reads 5, 0.5, 5s, 2min, 1h 30min as shells and units write them.
func duration(text string) (time.Duration, error) {
	units := map[string]time.Duration{
		"": time.Second, "s": time.Second, "sec": time.Second, "m": time.Minute, "min": time.Minute,
		"ms": time.Millisecond, "h": time.Hour, "d": 24 * time.Hour,
	}
	var total time.Duration
	for _, part := range strings.Fields(text) {
		digits := len(part) - len(strings.TrimLeft(part, "0123456789."))
		unit, known := units[part[digits:]]
		var number float64
		if _, err := fmt.Sscan(part[:digits], &number); err != nil || !known {
			return 0, fmt.Errorf("malformed duration %q", text)
		}
		total += time.Duration(number * float64(unit))
	}
	if strings.TrimSpace(text) == "" {
		return 0, errors.New("no duration")
	}
	return total, nil
}

// timeoutTool runs a command for so long by the clock.
func (m *machine) timeoutTool(ctx context.Context, c *shell.Call) int {
	args := c.Args[1:]
	if len(args) < 2 || strings.HasPrefix(args[0], "-") {
		c.Fail("only in the form timeout DURATION COMMAND")
		return 125
	}
	limit, err := duration(args[0])
	if err != nil {
		c.Fail("invalid time interval '%s'", args[0])
		return 125
	}
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	own := ctx.Value(strandKey{}).(*strand)
	timer := m.fleet.clock.AfterFunc(limit, func() {
		cancel()
		own.nudge()
	})
	defer timer.Stop()
	code := c.Exec(limited, args[1:]...)
	if limited.Err() != nil && ctx.Err() == nil {
		return 124
	}
	return code
}

// hostnameTool tells the name, also as hostnamectl hostname.
func (m *machine) hostnameTool(_ context.Context, c *shell.Call) int {
	if len(c.Args) > 2 || len(c.Args) == 2 && c.Args[1] != "-f" && c.Args[1] != "-s" && c.Args[1] != "hostname" {
		return c.Fail("%s is not supported", strings.Join(c.Args[1:], " "))
	}
	name := m.hostname()
	if len(c.Args) == 2 && c.Args[1] == "-s" {
		name, _, _ = strings.Cut(name, ".")
	}
	fmt.Fprintln(c.Stdout, name)
	return 0
}
