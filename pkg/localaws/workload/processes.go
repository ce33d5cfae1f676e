package workload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"cutover/pkg/localaws/clock"
)

// Processes runs programs as processes of this machine.
type Processes struct {
	clock  clock.Clock
	dir    string
	logger *slog.Logger
	store  *Store
	ports  ports

	mu      sync.Mutex
	closed  bool
	running map[*process]struct{}
	wait    sync.WaitGroup
}

// NewProcesses makes a runner that keeps images and the programs' directories
// below dir. A nil logger logs nothing.
func NewProcesses(clock clock.Clock, dir string, logger *slog.Logger) (*Processes, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(dir) // a program's own path must not depend on ours
	if err != nil {
		return nil, err
	}
	store, err := NewStore(filepath.Join(dir, "images"), logger)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o755); err != nil {
		return nil, fmt.Errorf("make run directory: %w", err)
	}
	return &Processes{
		clock: clock, dir: dir, logger: logger, store: store,
		ports: ports{used: map[int]bool{}}, running: map[*process]struct{}{},
	}, nil
}

// Pull fetches an image ahead of its first start; see Store.Pull.
func (r *Processes) Pull(ctx context.Context, ref string) (Image, error) {
	return r.store.Pull(ctx, ref)
}

// Start implements Runner.
func (r *Processes) Start(ctx context.Context, spec Spec) (Process, error) {
	image := Image{Root: spec.Root}
	if spec.Root == "" {
		var err error
		if image, err = r.store.Pull(ctx, spec.Image); err != nil {
			return nil, err
		}
	}
	p, err := r.start(spec, image)
	if err != nil {
		return nil, &Error{CannotStart, fmt.Errorf("start %s: %w", spec.Name, err)}
	}
	return p, nil
}

func (r *Processes) start(spec Spec, image Image) (_ *process, err error) {
	p := &process{
		runner: r, spec: spec, digest: image.Digest, stopSignal: image.Config.StopSignal,
		done: make(chan struct{}),
	}
	// From here on Close waits for this program, also if it is not yet one.
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, errors.New("runner is closed")
	}
	r.wait.Add(1)
	r.running[p] = struct{}{}
	r.mu.Unlock()
	defer func() {
		if err != nil {
			p.discard()
		}
	}()
	if p.ports, err = r.ports.take(spec.Ports); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp(filepath.Join(r.dir, "run"), "task-"); err != nil {
		return nil, err
	}
	root := image.Root
	if spec.Root == "" {
		root = filepath.Join(p.dir, "root")
		if err = copyTree(image.Root, root); err != nil {
			return nil, fmt.Errorf("copy image: %w", err)
		}
	}
	command, err := newCommand(root, spec, image.Config, p.ports)
	if err != nil {
		return nil, err
	}
	return p, p.run(command)
}

// newCommand puts together what to execute, with nothing of our own environment.
func newCommand(root string, spec Spec, config v1.Config, ports map[int]int) (*exec.Cmd, error) {
	argv := commandLine(spec, config)
	if len(argv) == 0 {
		return nil, errors.New("no command specified")
	}
	env := environment(spec, config, ports)
	workingDir := config.WorkingDir
	if spec.WorkingDir != "" {
		workingDir = spec.WorkingDir
	}
	dir, err := makeWorkingDir(root, workingDir)
	if err != nil {
		return nil, fmt.Errorf("make working directory %s: %w", workingDir, err)
	}
	path, err := findProgram(root, workingDir, argv[0], env["PATH"])
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: path, Args: argv, Dir: dir, Env: []string{}}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd, nil
}

// commandLine joins entry point and command as a container runtime does: an entry
// point of the task's own drops the image's command.
func commandLine(spec Spec, config v1.Config) []string {
	entryPoint, command := config.Entrypoint, config.Cmd
	if spec.EntryPoint != nil {
		entryPoint, command = spec.EntryPoint, nil
	}
	if spec.Command != nil {
		command = spec.Command
	}
	return append(append([]string{}, entryPoint...), command...)
}

// defaultPath is what container runtimes set when an image sets no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func environment(spec Spec, config v1.Config, ports map[int]int) map[string]string {
	env := map[string]string{"PATH": defaultPath}
	for _, variable := range config.Env {
		if name, value, ok := strings.Cut(variable, "="); ok {
			env[name] = value
		}
	}
	maps.Copy(env, spec.Env)
	maps.Copy(env, portVariables(spec.Ports, ports))
	return env
}

// Close implements Runner. Pulled images stay, for the next run.
func (r *Processes) Close() error {
	r.mu.Lock()
	r.closed = true
	running := make([]*process, 0, len(r.running))
	for p := range r.running {
		running = append(running, p)
	}
	r.mu.Unlock()
	r.store.Close()
	for _, p := range running {
		p.kill()
	}
	r.wait.Wait()
	return nil
}
