// Package codebuild is the embedded AWS's build service: it runs a project's
// buildspec as a shell in a directory of its own, with an environment of its own.
//
// A build unpacks its source, runs the phases, packs the artifacts and removes
// its directory; it can be repeated without harm. Known differences from
// CodeBuild: commands run on this machine rather than in a container of the
// project's image (Config.Environment stands for what the image would set),
// runtime-versions and caches are those of this machine, credentials come as
// environment variables, batch builds, reports and parameter or secret
// variables are refused, and everything fits one page.
package codebuild

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
)

// Credentials are those of the session that a build acts in.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Config says where builds run and what they see.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	Logger  *slog.Logger
	// Dir is where builds get their directories. It must exist.
	Dir string
	// Endpoint is the embedded AWS's URL, for AWS_ENDPOINT_URL.
	Endpoint func() string
	// Environment is what the build image would set: PATH, caches, proxies.
	Environment []string
	// Assume opens a session of a project's service role.
	Assume func(roleARN, session string) (Credentials, error)
	// Log takes a line of output.
	Log func(group, stream, message string)
}

// A Service runs the builds of one embedded AWS.
type Service struct {
	Config
	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex
	projects map[string]*project
	builds   map[string]*build
	order    []string // build ids, oldest first
}

// New makes a service without projects. Close ends what it started.
func New(config Config) *Service {
	ctx, stop := context.WithCancel(context.Background())
	return &Service{Config: config, ctx: ctx, stop: stop, projects: map[string]*project{}, builds: map[string]*build{}}
}

// Close ends the builds that run, and waits for them.
func (s *Service) Close() {
	s.stop()
	s.done.Wait()
}

// A Build asks for one run of a project.
type Build struct {
	Project          string
	Source           []byte            // the primary source, a zip
	SecondarySources map[string][]byte // the others by name, for CODEBUILD_SRC_DIR_NAME
	SourceVersion    string            // for CODEBUILD_RESOLVED_SOURCE_VERSION
	Environment      map[string]string
	Initiator        string // e.g. "codepipeline/NAME"
}

// An Outcome is how a build ended.
type Outcome struct {
	BuildID   string
	Succeeded bool
	Message   string            // why not
	Artifact  []byte            // zip of the primary artifact; nil when there is none
	Secondary map[string][]byte // by artifact identifier
	Variables map[string]string // exported
}

type build struct {
	id, arn, project, initiator string
	number                      int
	status                      string // IN_PROGRESS, SUCCEEDED, FAILED, STOPPED
	start, end                  time.Time
	phases                      []BuildPhase
	variables                   map[string]string
	group, stream               string
	cancel                      context.CancelFunc
	stopped                     bool
}

// Run starts a build and calls done once when it has ended.
func (s *Service) Run(b Build, done func(Outcome)) (string, error) {
	s.mu.Lock()
	p, ok := s.projects[b.Project]
	if !ok {
		s.mu.Unlock()
		return "", wire.Errorf("ResourceNotFoundException", "Project cannot be found: %s", s.arn("project/"+b.Project))
	}
	p.runs++
	unique := uuid()
	run := &build{
		id: b.Project + ":" + unique, arn: s.arn("build/" + b.Project + ":" + unique), project: b.Project, initiator: b.Initiator,
		number: p.runs, status: "IN_PROGRESS", start: s.Clock.Now(), group: p.logGroup(), stream: unique,
	}
	ctx, cancel := context.WithTimeout(s.ctx, p.timeout())
	run.cancel = cancel
	s.builds[run.id] = run
	s.order = append(s.order, run.id)
	properties := p.projectProperties
	s.mu.Unlock()

	s.done.Go(func() {
		defer cancel()
		outcome := s.carryOut(ctx, b, properties, run)
		s.finish(run, &outcome)
		done(outcome)
	})
	return run.id, nil
}

func (s *Service) finish(run *build, outcome *Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	outcome.BuildID = run.id
	run.end, run.variables = s.Clock.Now(), outcome.Variables
	switch {
	case run.stopped:
		run.status, outcome.Message = "STOPPED", "build was stopped"
	case outcome.Succeeded:
		run.status = "SUCCEEDED"
	default:
		run.status = "FAILED"
	}
}

// carryOut runs a build from its source to its artifacts.
func (s *Service) carryOut(ctx context.Context, b Build, p projectProperties, run *build) (outcome Outcome) {
	fail := func(err error) Outcome {
		s.Log(run.group, run.stream, "[Container] "+err.Error())
		outcome.Message = err.Error()
		return outcome
	}
	dir, err := os.MkdirTemp(s.Dir, "build-")
	if err != nil {
		return fail(fmt.Errorf("make build directory: %w", err))
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "src")
	if err := unpack(b.Source, source); err != nil {
		return fail(fmt.Errorf("unpack source: %w", err))
	}
	for name, archive := range b.SecondarySources {
		if err := unpack(archive, secondaryDir(dir, name)); err != nil {
			return fail(fmt.Errorf("unpack source %s: %w", name, err))
		}
	}
	text, err := p.buildspec(source)
	if err != nil {
		return fail(err)
	}
	spec, err := ParseBuildspec(text)
	if err != nil {
		return fail(err)
	}
	environment, err := s.environment(b, p, spec, run, dir)
	if err != nil {
		return fail(err)
	}
	runErr := s.shell(ctx, spec, run, dir, source, environment)
	outcome.Variables = exported(filepath.Join(dir, "environment"), spec.Env.ExportedVariables)
	if runErr != nil {
		return fail(runErr)
	}
	if spec.Artifacts != nil {
		if outcome.Artifact, outcome.Secondary, err = collect(source, *spec.Artifacts); err != nil {
			return fail(err)
		}
	}
	outcome.Succeeded = true
	return outcome
}

func secondaryDir(dir, name string) string { return filepath.Join(dir, "src-"+name) }

// environment is all that a build's shell sees.
func (s *Service) environment(b Build, p projectProperties, spec *Buildspec, run *build, dir string) ([]string, error) {
	credentials, err := s.Assume(p.ServiceRole, "AWSCodeBuild-"+run.stream)
	if err != nil {
		return nil, fmt.Errorf("assume service role of project %s: %w", p.Name, err)
	}
	values := map[string]string{
		"HOME":                              filepath.Join(dir, "home"),
		"TMPDIR":                            filepath.Join(dir, "tmp"),
		"AWS_REGION":                        s.Region,
		"AWS_DEFAULT_REGION":                s.Region,
		"AWS_ACCESS_KEY_ID":                 credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":             credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN":                 credentials.SessionToken,
		"AWS_ENDPOINT_URL":                  s.Endpoint(),
		"CODEBUILD_BUILD_ARN":               run.arn,
		"CODEBUILD_BUILD_ID":                run.id,
		"CODEBUILD_BUILD_NUMBER":            fmt.Sprint(run.number),
		"CODEBUILD_INITIATOR":               b.Initiator,
		"CODEBUILD_LOG_PATH":                run.stream,
		"CODEBUILD_RESOLVED_SOURCE_VERSION": b.SourceVersion,
		"CODEBUILD_SOURCE_VERSION":          b.SourceVersion,
		"CODEBUILD_SRC_DIR":                 filepath.Join(dir, "src"),
		"CODEBUILD_START_TIME":              fmt.Sprint(run.start.UnixMilli()),
		"CUTOVER_ENVIRONMENT":               filepath.Join(dir, "environment"),
		"CUTOVER_PHASES":                    filepath.Join(dir, "phases"),
	}
	for name := range b.SecondarySources {
		values["CODEBUILD_SRC_DIR_"+name] = secondaryDir(dir, name)
	}
	for _, sub := range []string{"home", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("make build directory: %w", err)
		}
	}
	// What stands closer to the build wins: image, buildspec, project, this run.
	maps.Copy(values, spec.Env.Variables)
	for _, v := range p.Environment.EnvironmentVariables {
		values[v.Name] = v.Value
	}
	maps.Copy(values, b.Environment)
	environment := slices.Clone(s.Environment)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		environment = append(environment, name+"="+values[name])
	}
	return environment, nil
}

// shell runs the phases, and logs what they print line by line.
func (s *Service) shell(ctx context.Context, spec *Buildspec, run *build, dir, source string, environment []string) error {
	program := spec.Env.Shell
	if program == "" {
		program = "/bin/sh"
	}
	cmd := exec.CommandContext(ctx, program, "-c", spec.script())
	cmd.Dir, cmd.Env = source, environment
	detach(cmd)
	cmd.WaitDelay = 2 * time.Second
	output, input, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start build: %w", err)
	}
	cmd.Stdout, cmd.Stderr = input, input
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start build: %w", err), input.Close(), output.Close())
	}
	input.Close()
	tail := s.copyLines(output, run)
	err = cmd.Wait()
	phases := s.readPhases(filepath.Join(dir, "phases"), run)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("run build: %w", context.Cause(ctx))
	}
	return fmt.Errorf("run phase %s: %w; last output: %s", phases, err, strings.Join(tail, " | "))
}

// copyLines logs the build's output until it ends and returns its last lines.
func (s *Service) copyLines(output *os.File, run *build) (tail []string) {
	defer output.Close()
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		s.Log(run.group, run.stream, line)
		if tail = append(tail, line); len(tail) > 5 {
			tail = tail[1:]
		}
	}
	if lines.Err() != nil { // a line too long to log: keep the build from blocking on it
		io.Copy(io.Discard, output)
	}
	return tail
}

// readPhases notes how the phases went and names the first that failed.
func (s *Service) readPhases(path string, run *build) (failed string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "install"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		status := "SUCCEEDED"
		if f[2] != "1" {
			status = "FAILED"
			if failed == "" {
				failed = f[1]
			}
		}
		run.phases = append(run.phases, BuildPhase{PhaseType: strings.ToUpper(f[1]), PhaseStatus: status})
	}
	if failed == "" {
		failed = "after the last that was reported"
	}
	return failed
}

// exported reads the values that variables had when the build's shell ended.
func exported(path string, names []string) map[string]string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	values := map[string]string{}
	for _, pair := range strings.Split(string(text), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		if slices.Contains(names, name) {
			values[name] = value
		}
	}
	return values
}

// unpack writes a zip's files below a directory, and refuses paths out of it.
func unpack(archive []byte, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range r.File {
		if err := unpackFile(root, f); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

func unpackFile(root *os.Root, f *zip.File) error {
	if f.FileInfo().IsDir() {
		return root.MkdirAll(filepath.Clean(f.Name), 0o755)
	}
	if dir := filepath.Dir(f.Name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(f.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// collect packs the artifacts that a buildspec names.
func collect(source string, a Artifacts) (primary []byte, secondary map[string][]byte, err error) {
	if len(a.Files) > 0 {
		if primary, err = pack(source, a); err != nil {
			return nil, nil, err
		}
	}
	secondary = map[string][]byte{}
	for name, artifact := range a.Secondary {
		if secondary[name], err = pack(source, artifact); err != nil {
			return nil, nil, fmt.Errorf("secondary artifact %s: %w", name, err)
		}
	}
	return primary, secondary, nil
}

func pack(source string, a Artifacts) ([]byte, error) {
	base := filepath.Join(source, a.BaseDirectory)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	packed := 0
	err := filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if !slices.ContainsFunc(a.Files, func(pattern string) bool { return matches(pattern, name) }) {
			return nil
		}
		if a.DiscardPaths == "yes" {
			name = filepath.Base(name)
		}
		packed++
		return packFile(w, path, name, entry)
	})
	if err != nil {
		return nil, fmt.Errorf("pack artifacts: %w", err)
	}
	if packed == 0 {
		return nil, fmt.Errorf("pack artifacts: no matching files found for %s", strings.Join(a.Files, ", "))
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack artifacts: %w", err)
	}
	return b.Bytes(), nil
}

func packFile(w *zip.Writer, path, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header := &zip.FileHeader{Name: name, Method: zip.Deflate}
	header.SetMode(info.Mode())
	out, err := w.CreateHeader(header)
	if err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}

// matches compares a path with a pattern in which ** stands for any folders.
func matches(pattern, name string) bool {
	pattern = strings.TrimPrefix(pattern, "./")
	if before, after, ok := strings.Cut(pattern, "**/"); ok {
		rest, inside := strings.CutPrefix(name, before)
		if !inside {
			return false
		}
		for {
			if matches(after, rest) {
				return true
			}
			_, deeper, more := strings.Cut(rest, "/")
			if !more {
				return false
			}
			rest = deeper
		}
	}
	ok, err := filepath.Match(pattern, name)
	return ok && err == nil
}

func (s *Service) arn(resource string) string {
	return fmt.Sprintf("arn:aws:codebuild:%s:%s:%s", s.Region, s.Account, resource)
}

func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
