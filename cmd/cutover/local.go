package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cutover/cmd/cutover/internal/deploy"
	"cutover/pkg/localaws"
	"cutover/pkg/localaws/clock"
)

// localFlags are what both local commands take.
type localFlags struct {
	Root     string  `help:"Cutover's source directory, with template.yaml and infra." default:"." type:"existingdir"`
	State    string  `help:"Directory for repositories, builds, images and logs; kept. By default a temporary one, removed at the end." type:"path"`
	Speed    float64 `help:"How many times faster than the wall AWS's own timers run: health checks, re-invocations, alarm periods." default:"60"`
	Pipeline string  `help:"Which pipelines: ecs (blue/green on ECS), ami (golden image and fleet), or all." enum:"ecs,ami,all" default:"all"`
	Verbose  bool    `help:"Log what the embedded AWS does to standard error." short:"v"`

	address string // of the embedded AWS; empty means a free port
}

func (f *localFlags) faults() []error {
	var faults []error
	if f.Speed < 1 || f.Speed > 1000 {
		faults = append(faults, fmt.Errorf("--speed is %v, not 1 to 1000", f.Speed))
	}
	for _, name := range []string{"template.yaml", "infra", "examples"} {
		if _, err := os.Stat(filepath.Join(f.Root, name)); err != nil {
			faults = append(faults, fmt.Errorf("--root %s has no %s: run this in Cutover's source directory, or name it", f.Root, name))
		}
	}
	return faults
}

// A site is an embedded AWS with pipelines deployed.
type site struct {
	cloud   *localaws.Cloud
	flags   *localFlags
	scratch string // a directory for working copies, removed by Close

	stacks    *cloudformation.Client
	pipelines []*pipeline
}

// start brings up the embedded AWS and deploys the pipelines into it.
func (f *localFlags) start(ctx context.Context, note func(string)) (_ *site, err error) {
	environment, err := buildEnvironment(ctx)
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.DiscardHandler)
	if f.Verbose {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	cloud, err := localaws.New(localaws.Config{
		Clock: clock.NewScaled(f.Speed), Dir: f.State, Address: f.address, ListenerAddress: listenerAddress,
		BuildEnvironment: environment, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	s := &site{cloud: cloud, flags: f}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.scratch, err = os.MkdirTemp("", "cutover-work-"); err != nil {
		return nil, fmt.Errorf("make working directory: %w", err)
	}
	note("embedded AWS at " + cloud.URL() + ", its timers " + strconv.FormatFloat(f.Speed, 'f', -1, 64) + " times as fast as the wall")
	config := cloud.AWSConfig()
	s.stacks = cloudformation.NewFromConfig(config)
	if err := s.deploy(ctx, s3.NewFromConfig(config), note); err != nil {
		return nil, err
	}
	return s, nil
}

// listenerAddress puts listeners where people find them, if the place is free:
// port 80 at 8000, and ports that need no privilege where they are.
func listenerAddress(_ string, port int) string {
	preferred := port
	if port < 1024 {
		preferred = 8000 + port - 80
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(preferred))
	probe, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	probe.Close()
	return address
}

// buildEnvironment is what a build image would set: where tools and Go's caches
// are, and nothing of the user's own.
func buildEnvironment(ctx context.Context) ([]string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOFLAGS", "GOTOOLCHAIN").Output()
	if err != nil {
		return nil, fmt.Errorf("ask go for its environment: %w", err)
	}
	environment := []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "GOARCH=" + runtime.GOARCH}
	values := strings.Split(string(out), "\n")
	for i, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOFLAGS", "GOTOOLCHAIN"} {
		if values[i] != "" {
			environment = append(environment, name+"="+values[i])
		}
	}
	return environment, nil
}

// Close ends the embedded AWS and removes what this run made.
func (s *site) Close() error {
	return errors.Join(s.cloud.Close(), os.RemoveAll(s.scratch))
}

// git runs git as somebody, whatever the user's configuration says.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "user.name=Cutover", "-c", "user.email=cutover@localhost", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return strings.TrimSpace(string(out)), nil
}

// absolute makes a path that holds in another terminal too.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// deploy packages the functions and creates the stacks in the order in which
// they need each other: what pipelines share, then each pipeline's own.
func (s *site) deploy(ctx context.Context, objects *s3.Client, note func(string)) error {
	const bucket = "cutover-deployments"
	if _, err := objects.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return fmt.Errorf("create bucket %s: %w", bucket, err)
	}
	packager := &deploy.Packager{S3: objects, Bucket: bucket, GOARCH: runtime.GOARCH, Note: note}
	functions, err := packager.Package(ctx, filepath.Join(s.flags.Root, "template.yaml"))
	if err != nil {
		return err
	}
	for _, shared := range sharedStacks(functions) {
		if _, err := s.put(ctx, shared, note); err != nil {
			return err
		}
	}
	for _, p := range s.flags.wanted() {
		p.site = s
		if err := p.deploy(ctx, note); err != nil {
			return err
		}
		s.pipelines = append(s.pipelines, p)
	}
	return nil
}

// A stack is one to deploy, from a file of Cutover's or a template made of it.
type stack struct {
	name, file string
	template   []byte // instead of the file's
	parameters map[string]string
}

// put deploys a stack and returns its outputs.
func (s *site) put(ctx context.Context, st stack, note func(string)) (map[string]string, error) {
	note("deploying " + st.file + " as stack " + st.name)
	if st.template == nil {
		var err error
		if st.template, err = os.ReadFile(filepath.Join(s.flags.Root, st.file)); err != nil {
			return nil, fmt.Errorf("read template: %w", err)
		}
	}
	return deploy.Put(ctx, s.stacks, deploy.Stack{Name: st.name, Template: st.template, Parameters: st.parameters})
}
