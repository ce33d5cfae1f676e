package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cutover/cmd/cutover/internal/deploy"
	"cutover/pkg/localaws"
	"cutover/pkg/localaws/clock"
)

// localFlags are what both local commands take.
type localFlags struct {
	Root    string  `help:"Cutover's source directory, with template.yaml and infra." default:"." type:"existingdir"`
	State   string  `help:"Directory for repositories, builds, images and logs; kept. By default a temporary one, removed at the end." type:"path"`
	Speed   float64 `help:"How many times faster than the wall AWS's own timers run: health checks, re-invocations, alarm periods." default:"60"`
	Verbose bool    `help:"Log what the embedded AWS does to standard error." short:"v"`

	address string // of the embedded AWS; empty means a free port
}

func (f *localFlags) faults() []error {
	var faults []error
	if f.Speed < 1 || f.Speed > 1000 {
		faults = append(faults, fmt.Errorf("--speed is %v, not 1 to 1000", f.Speed))
	}
	for _, name := range []string{"template.yaml", "infra", filepath.Join("examples", "hello")} {
		if _, err := os.Stat(filepath.Join(f.Root, name)); err != nil {
			faults = append(faults, fmt.Errorf("--root %s has no %s: run this in Cutover's source directory, or name it", f.Root, name))
		}
	}
	return faults
}

func (f *localFlags) app() string { return filepath.Join(f.Root, "examples", "hello") }

// A site is an embedded AWS with the pipeline deployed.
type site struct {
	cloud   *localaws.Cloud
	flags   *localFlags
	scratch string // a directory for the working copy, removed by Close

	stacks    *cloudformation.Client
	pipelines *codepipeline.Client
	balancers *elasticloadbalancingv2.Client

	outputs       map[string]string // of all stacks
	pipeline      string
	productionURL string
	testURL       string
}

// The release of an example is deployed under this name.
const application = "hello"

// start brings up the embedded AWS and deploys everything into it.
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
	s := &site{cloud: cloud, flags: f, outputs: map[string]string{}}
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
	s.pipelines = codepipeline.NewFromConfig(config)
	s.balancers = elasticloadbalancingv2.NewFromConfig(config)
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

// push commits a version of the example to its repository and returns the commit.
func (s *site) push(ctx context.Context, version string) (string, error) {
	work := filepath.Join(s.scratch, "app")
	if _, err := os.Stat(work); errors.Is(err, os.ErrNotExist) {
		if err := os.CopyFS(work, os.DirFS(s.flags.app())); err != nil {
			return "", fmt.Errorf("copy %s: %w", s.flags.app(), err)
		}
		if _, err := git(ctx, work, "init", "--quiet", "--initial-branch=main"); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(filepath.Join(work, "VERSION"), []byte(version+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("write version: %w", err)
	}
	for _, args := range [][]string{
		{"add", "--all"},
		{"commit", "--quiet", "--allow-empty", "--message", "Release version " + version},
		{"push", "--quiet", s.outputs["CloneUrlHttp"], "main"},
	} {
		if _, err := git(ctx, work, args...); err != nil {
			return "", err
		}
	}
	return git(ctx, work, "rev-parse", "HEAD")
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

// deploy packages the functions and creates the stacks in the order in which
// they need each other.
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
	architecture := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	for _, stack := range []struct {
		name, file string
		template   []byte // instead of the file's
		parameters map[string]string
	}{
		{application + "-network", "infra/network.yaml", nil, map[string]string{"Name": application}},
		{application + "-ecs", "infra/ecs.yaml", nil, map[string]string{"Name": application, "Architecture": architecture}},
		{application + "-functions", "template.yaml", functions, map[string]string{"Architecture": architecture}},
		{application + "-pipeline", "infra/pipeline.yaml", nil, map[string]string{"Name": application, "FunctionsStack": application + "-functions"}},
	} {
		note("deploying " + stack.file + " as stack " + stack.name)
		if stack.template == nil {
			if stack.template, err = os.ReadFile(filepath.Join(s.flags.Root, stack.file)); err != nil {
				return fmt.Errorf("read template: %w", err)
			}
		}
		outputs, err := deploy.Put(ctx, s.stacks, deploy.Stack{Name: stack.name, Template: stack.template, Parameters: stack.parameters})
		if err != nil {
			return err
		}
		maps.Copy(s.outputs, outputs)
	}
	return s.find(ctx)
}

// find learns where the pipeline and the two ports are.
func (s *site) find(ctx context.Context) error {
	s.pipeline = s.outputs["PipelineName"]
	for port, url := range map[int]*string{80: &s.productionURL, 8080: &s.testURL} {
		address, ok := s.cloud.ELBV2.Listens(application, port)
		if !ok {
			return fmt.Errorf("find listener: load balancer %s has none on port %d", application, port)
		}
		*url = "http://" + address + "/"
	}
	return nil
}

// liveSide asks the load balancer which target group production goes to.
func (s *site) liveSide(ctx context.Context) (string, error) {
	groups, err := s.balancers.DescribeTargetGroups(ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{})
	if err != nil {
		return "", fmt.Errorf("describe target groups: %w", err)
	}
	names := map[string]string{}
	for _, g := range groups.TargetGroups {
		names[aws.ToString(g.TargetGroupArn)] = aws.ToString(g.TargetGroupName)
	}
	balancer, err := s.balancers.DescribeLoadBalancers(ctx, &elasticloadbalancingv2.DescribeLoadBalancersInput{Names: []string{application}})
	if err != nil {
		return "", fmt.Errorf("describe load balancer: %w", err)
	}
	listeners, err := s.balancers.DescribeListeners(ctx, &elasticloadbalancingv2.DescribeListenersInput{LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn})
	if err != nil {
		return "", fmt.Errorf("describe listeners: %w", err)
	}
	for _, listener := range listeners.Listeners {
		if aws.ToInt32(listener.Port) != 80 {
			continue
		}
		rules, err := s.balancers.DescribeRules(ctx, &elasticloadbalancingv2.DescribeRulesInput{ListenerArn: listener.ListenerArn})
		if err != nil {
			return "", fmt.Errorf("describe rules: %w", err)
		}
		for _, rule := range rules.Rules {
			for _, action := range rule.Actions {
				if action.ForwardConfig == nil {
					continue
				}
				for _, g := range action.ForwardConfig.TargetGroups {
					if aws.ToInt32(g.Weight) > 0 {
						return names[aws.ToString(g.TargetGroupArn)], nil
					}
				}
			}
		}
	}
	return "", errors.New("find live side: no rule on port 80 forwards to anything")
}

// absolute makes a path that holds in another terminal too.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}
