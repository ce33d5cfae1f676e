package machine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/machine/disk"
	"cutover/pkg/localaws/workload"
)

// Config says what a fleet works with.
type Config struct {
	// Clock runs everything that takes time.
	Clock clock.Clock
	// Dir is the directory that holds the volumes and the snapshots; it is made.
	Dir string
	// Runner runs the instances' programs. Close the fleet before it.
	Runner workload.Runner
	// Environment gives variables that every program and script of an instance
	// sees; nil gives none. AWS_EC2_METADATA_SERVICE_ENDPOINT is where the
	// instance's http://169.254.169.254 really is.
	Environment func(id string) map[string]string
	// Logger is told what happens; nil logs nothing.
	Logger *slog.Logger
}

// A Fleet is the machines of all instances. Its methods are safe for concurrent
// use, and what they are given to call is called apart from them, by the clock,
// unless the fleet has been closed.
type Fleet struct {
	clock       clock.Clock
	dir         string
	runner      workload.Runner
	environment func(id string) map[string]string
	logger      *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	closed   bool
	machines map[string]*machine
	work     sync.WaitGroup // calls that are being made
}

// A Launch is a new machine.
type Launch struct {
	// ID is the instance's, e.g. i-0123456789abcdef0.
	ID string
	// Snapshot is what its volume is a copy of; empty for a bare Amazon Linux.
	Snapshot string
	// UserData is a script that its first boot runs, in plain text; empty for none.
	UserData string
}

// New makes a fleet without machines. Snapshots that are in the directory stay.
func New(config Config) (*Fleet, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Environment == nil {
		config.Environment = func(string) map[string]string { return nil }
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("find machines' directory: %w", err)
	}
	f := &Fleet{
		clock: config.Clock, dir: dir, runner: config.Runner, environment: config.Environment,
		logger: config.Logger, machines: map[string]*machine{},
	}
	for _, part := range []string{"instances", "snapshots"} {
		if err := os.MkdirAll(filepath.Join(dir, part), 0o755); err != nil {
			return nil, fmt.Errorf("make machines' directory: %w", err)
		}
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f, nil
}

// Launch makes a machine and boots it. booted is called when it is up, with an
// error if its volume could not be written; it is not if the machine is shut down
// before. What a script of the user data exits
// with is in /var/log/cloud-init-output.log and fails no boot.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
func (f *Fleet) Launch(l Launch, booted func(error)) error {
	m, err := f.make(l)
	if err != nil {
		return fmt.Errorf("launch machine %s: %w", l.ID, err)
	}
	m.powerOn()
	f.boot(m, booted)
	return nil
}

func (f *Fleet) make(l Launch) (*machine, error) {
	if err := checkName(l.ID); err != nil {
		return nil, err
	}
	if err := checkUserData(l.UserData); err != nil {
		return nil, err
	}
	m := newMachine(f, l.ID, l.UserData)
	if err := f.add(m); err != nil {
		return nil, err
	}
	if err := f.fill(m, l.Snapshot); err != nil {
		f.forget(m)
		return nil, errors.Join(err, os.RemoveAll(f.instanceDir(l.ID)))
	}
	return m, nil
}

func (f *Fleet) add(m *machine) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return errors.New("fleet is closed")
	}
	if f.machines[m.id] != nil {
		return errors.New("it exists")
	}
	f.machines[m.id] = m
	return nil
}

func (f *Fleet) forget(m *machine) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.machines, m.id)
}

// fill makes the machine's volume.
func (f *Fleet) fill(m *machine, snapshot string) error {
	dir := f.instanceDir(m.id)
	if snapshot == "" {
		if err := installSystem(dir, f.clock.Now()); err != nil {
			return err
		}
	} else {
		if err := checkName(snapshot); err != nil {
			return err
		}
		if err := disk.Copy(f.snapshotDir(snapshot), dir); err != nil {
			return err
		}
	}
	return m.open(dir)
}

// checkName refuses an id that would be a path.
func checkName(id string) error {
	if id == "" || id != filepath.Base(id) || id[0] == '.' {
		return fmt.Errorf("malformed id %q", id)
	}
	return nil
}

func (f *Fleet) instanceDir(id string) string { return filepath.Join(f.dir, "instances", id) }

func (f *Fleet) snapshotDir(id string) string { return filepath.Join(f.dir, "snapshots", id) }

func (f *Fleet) machine(id string) (*machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.machines[id]; m != nil && m.disk != nil {
		return m, nil
	}
	return nil, errors.New("no such machine")
}

// soon makes a call by the clock unless the fleet is closed before.
func (f *Fleet) soon(call func()) { f.clock.Go(func() { f.now(call) }) }

// after makes a call when d has passed, unless the fleet is closed before.
func (f *Fleet) after(d time.Duration, call func()) clock.Timer {
	return f.clock.AfterFunc(d, func() { f.now(call) })
}

func (f *Fleet) now(call func()) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return
	}
	f.work.Add(1)
	f.mu.Unlock()
	defer f.work.Done()
	call()
}

// boot brings a machine up that is on.
func (f *Fleet) boot(m *machine, booted func(error)) {
	f.soon(func() {
		m.begin(func(ctx context.Context) {
			err := m.boot(ctx)
			if ctx.Err() == nil && booted != nil {
				f.soon(func() { booted(err) })
			}
		})
	})
}

// Start boots a machine that was stopped: its enabled services start.
func (f *Fleet) Start(id string, booted func(error)) error {
	m, err := f.machine(id)
	if err != nil {
		return fmt.Errorf("start machine %s: %w", id, err)
	}
	if !m.powerOn() {
		return fmt.Errorf("start machine %s: it runs", id)
	}
	f.boot(m, booted)
	return nil
}

// Stop shuts a machine down and keeps its disk. Stopping one that is stopped is
// no error.
func (f *Fleet) Stop(id string, stopped func()) error {
	m, err := f.machine(id)
	if err != nil {
		return fmt.Errorf("stop machine %s: %w", id, err)
	}
	f.soon(func() {
		m.powerOff()
		if stopped != nil {
			f.soon(stopped)
		}
	})
	return nil
}

// Terminate shuts a machine down and removes its disk. Its id is forgotten when
// gone is called; terminating it again before is no error.
func (f *Fleet) Terminate(id string, gone func()) error {
	m, err := f.machine(id)
	if err != nil {
		return fmt.Errorf("terminate machine %s: %w", id, err)
	}
	f.soon(func() {
		m.powerOff()
		if err := m.erase(); err != nil {
			f.logger.Warn("remove machine's volume", "instance", id, "error", err)
		}
		f.forget(m)
		if gone != nil {
			f.soon(gone)
		}
	})
	return nil
}

// Address is where the program that serves a port of the instance listens, as
// 127.0.0.1:PORT; false while no program does. A program's port differs each
// time it starts.
func (f *Fleet) Address(id string, port int) (address string, ok bool) {
	m, err := f.machine(id)
	if err != nil {
		return "", false
	}
	return m.address(port)
}

// Active says whether a service of an instance runs, e.g. amazon-ssm-agent.
func (f *Fleet) Active(id, service string) bool {
	m, err := f.machine(id)
	return err == nil && m.active(service)
}

// Root opens an instance's volume. The caller closes it. Absolute links on it
// lead outside, and are refused: they mean the instance's paths.
func (f *Fleet) Root(id string) (*os.Root, error) {
	m, err := f.machine(id)
	if err != nil {
		return nil, fmt.Errorf("open volume of machine %s: %w", id, err)
	}
	return os.OpenRoot(m.disk.Dir())
}

// Packages are those installed on an instance, by name; none if there is no such
// instance.
func (f *Fleet) Packages(id string) []Package {
	m, err := f.machine(id)
	if err != nil {
		return nil
	}
	return m.packages()
}

// Close ends all that runs and waits for it. The volumes of machines are removed;
// snapshots stay.
func (f *Fleet) Close() error {
	f.mu.Lock()
	f.closed = true
	machines := make([]*machine, 0, len(f.machines))
	for _, m := range f.machines {
		machines = append(machines, m)
	}
	f.mu.Unlock()
	f.cancel()
	var faults []error
	for _, m := range machines {
		m.powerOff()
	}
	f.work.Wait()
	for _, m := range machines {
		m.powerOff() // a boot that was under way may have begun meanwhile
		faults = append(faults, m.erase())
	}
	return errors.Join(faults...)
}
