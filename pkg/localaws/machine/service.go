package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/machine/shell"
)

// States of a service, in systemd's words.
const (
	inactive   = "inactive"
	activating = "activating"
	active     = "active"
	failed     = "failed"
)

// A service that fails this often in this time is not started again.
const (
	startLimitBurst    = 5
	startLimitInterval = 10 * time.Second
)

// target is what enabled services are wanted by: what a machine boots to.
const target = "multi-user.target"

// service is what a unit has come to. Its fields are guarded by the machine's
// lock.
type service struct {
	machine *machine
	name    string
	unit    *unit
	state   string
	since   time.Time
	code    int // of the last end
	strand  *strand
	restart clock.Timer
	starts  []time.Time
}

// complaint is an error in systemd's own words.
type complaint string

// Error implements error.
func (c complaint) Error() string { return string(c) }

// service finds what is known of a service, or begins to know it.
func (m *machine) service(name string) *service {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = unitName(name)
	s := m.services[name]
	if s == nil {
		s = &service{machine: m, name: name, state: inactive}
		m.services[name] = s
	}
	return s
}

func (m *machine) active(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.services[unitName(name)]
	return m.on && s != nil && s.state == active
}

// startEnabled starts the services that the target wants, by name.
func (m *machine) startEnabled(ctx context.Context) {
	entries, err := m.disk.ReadDir("/etc/systemd/system/" + target + ".wants")
	if err != nil {
		return // nothing is wanted
	}
	for _, entry := range entries {
		if err := m.startService(ctx, entry.Name()); err != nil {
			m.fleet.logger.Warn("start service", "instance", m.id, "service", entry.Name(), "error", err)
		}
	}
}

// startService brings a service up. It returns when its program runs or, for a
// oneshot service, has ended.
func (m *machine) startService(ctx context.Context, name string) error {
	u, err := m.findUnit(name)
	if errors.Is(err, fs.ErrNotExist) {
		return complaint(fmt.Sprintf("Unit %s.service not found.", unitName(name)))
	}
	if err != nil {
		return err
	}
	s := m.service(name)
	if !s.toStart(u) {
		return nil
	}
	if u.kind == "oneshot" {
		code := s.run(ctx)
		s.ended(nil, code)
		if code != 0 {
			return s.jobFailed()
		}
		return nil
	}
	return s.launch()
}

func (s *service) jobFailed() error {
	return complaint(fmt.Sprintf("Job for %s.service failed because the control process exited with error code.", s.name))
}

// toStart notes that the service is being started, unless it is up.
func (s *service) toStart(u *unit) bool {
	s.machine.mu.Lock()
	defer s.machine.mu.Unlock()
	if s.state == active || s.strand != nil {
		return false
	}
	if s.restart != nil {
		s.restart.Stop()
	}
	s.unit, s.restart, s.starts = u, nil, nil
	s.setLocked(activating)
	return true
}

func (s *service) setLocked(state string) {
	s.state, s.since = state, s.machine.fleet.clock.Now()
}

// launch starts the service in a strand of its own.
func (s *service) launch() error {
	m := s.machine
	work := m.strand()
	if work == nil {
		return errors.New("the machine is shutting down")
	}
	m.mu.Lock()
	s.strand = work
	s.code = 0
	s.starts = append(s.starts, m.fleet.clock.Now())
	m.mu.Unlock()
	m.start(work, func(ctx context.Context) { s.ended(work, s.run(ctx)) })
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.strand == nil && s.code == startFailed {
		return s.jobFailed()
	}
	return nil
}

// startFailed is the code of a service whose start did not come to its program.
const startFailed = -1

// run runs the unit's commands, one after the other, and gives the exit code of
// the last or of the first that failed.
func (s *service) run(ctx context.Context) int {
	m, u := s.machine, s.unit
	log := &journal{machine: m, name: s.name, tag: s.name}
	defer log.flush()
	notes := &journal{machine: m, name: s.name, tag: "systemd[1]"}
	fmt.Fprintf(notes, "Starting %s.service - %s...\n", s.name, u.description)
	env, err := u.variables(m)
	if err != nil {
		fmt.Fprintf(notes, "%v\n", err)
		return startFailed
	}
	ctx = context.WithValue(shell.Kernel(ctx), stopTimeoutKey{}, u.stopTimeout)
	for _, command := range u.before {
		if s.command(ctx, log, notes, command, env) != 0 {
			return startFailed
		}
	}
	if u.kind != "oneshot" {
		s.up()
		fmt.Fprintf(notes, "Started %s.service - %s.\n", s.name, u.description)
	}
	code := 0
	for _, command := range u.commands {
		if code = s.command(ctx, log, notes, command, env); code != 0 {
			break
		}
	}
	return code
}

func (s *service) up() {
	s.machine.mu.Lock()
	defer s.machine.mu.Unlock()
	if s.state == activating {
		s.setLocked(active)
	}
}

func (s *service) command(ctx context.Context, log, notes *journal, command string, env map[string]string) int {
	args, lenient, err := arguments(command, env)
	if err != nil {
		fmt.Fprintf(notes, "%v\n", err)
		return startFailed
	}
	dir, absentIsFine := strings.CutPrefix(s.unit.dir, "-")
	dir = path.Join("/", dir)
	if info, err := s.machine.disk.Stat(dir); err != nil || !info.IsDir() {
		if !absentIsFine {
			fmt.Fprintf(notes, "Changing to the requested working directory failed: %s\n", dir)
			return 200 // EXIT_CHDIR
		}
		dir = "/"
	}
	code := s.machine.shell.Exec(ctx, &shell.Call{Args: args, Dir: dir, Env: env, Stdout: log, Stderr: log})
	if code == shell.NotFound {
		fmt.Fprintf(notes, "Failed to locate executable %s: No such file or directory\n", args[0])
		code = 203 // EXIT_EXEC
	}
	if lenient {
		return 0
	}
	return code
}

// ended notes that the service's commands have ended by themselves, and starts it
// again if its unit says so. work is the strand it was in, nil for none.
func (s *service) ended(work *strand, code int) {
	m := s.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.strand != work || !m.on || m.services[s.name] != s {
		return // it was stopped, which says what it is now
	}
	s.strand, s.code = nil, code
	u := s.unit
	again := u.restart == "always" || u.restart == "on-failure" && code != 0 || u.restart == "on-success" && code == 0
	switch {
	case again && s.mayRestartLocked():
		s.setLocked(activating)
		s.restart = m.fleet.after(u.restartAfter, s.startAgain)
	case code == 0 && u.kind == "oneshot" && u.remains:
		s.setLocked(active)
	case code == 0:
		s.setLocked(inactive)
	default:
		s.setLocked(failed)
	}
}

// mayRestartLocked holds a service that fails at once to a few starts.
func (s *service) mayRestartLocked() bool {
	now := s.machine.fleet.clock.Now()
	recent := 0
	for _, at := range s.starts {
		if now.Sub(at) < startLimitInterval {
			recent++
		}
	}
	return recent < startLimitBurst
}

func (s *service) startAgain() {
	m := s.machine
	m.mu.Lock()
	due := s.state == activating && s.strand == nil && m.on && m.services[s.name] == s
	m.mu.Unlock()
	if !due {
		return
	}
	if err := s.launch(); err != nil {
		m.fleet.logger.Warn("restart service", "instance", m.id, "service", s.name, "error", err)
	}
}

// stopService ends a service and waits for its end. One that does not run is as
// it should be; one that is not known is an error.
func (m *machine) stopService(ctx context.Context, name string) error {
	if _, err := m.findUnit(name); errors.Is(err, fs.ErrNotExist) {
		return complaint(fmt.Sprintf("Unit %s.service not loaded.", unitName(name)))
	}
	s := m.service(name)
	m.mu.Lock()
	work := s.strand
	s.forgetLocked()
	m.mu.Unlock()
	if work != nil {
		work.end(ctx)
	}
	return nil
}

// forgetLocked makes the service a stopped one, whatever it does still.
func (s *service) forgetLocked() {
	s.strand = nil
	if s.restart != nil {
		s.restart.Stop()
		s.restart = nil
	}
	s.setLocked(inactive)
}
