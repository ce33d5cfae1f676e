package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// A pipeline is one of the product's, deployed with the example that it releases.
type pipeline struct {
	example string // its directory's name below examples, also the application's name
	stacks  []stack
	ports   map[int]string // listeners that people may want to ask, by port: what each is for
	stage   string         // that is retried and rolled back
	// approval is the action in the stage that somebody has to approve, if there is one.
	approval string
	// version tells which release answered.
	version func(*http.Response) string
	// production tells what production is on.
	production func(ctx context.Context, p *pipeline) (string, error)
	// between happens before the second release; nil means nothing does.
	between func(ctx context.Context, p *pipeline, note func(string)) error

	// spoil makes the example's working copy one that looks healthy and is bad; nil
	// where no release is taken back by itself.
	spoil func(p *pipeline) error

	site    *site
	outputs map[string]string // of its stacks
	urls    map[int]string    // by port
	client  *codepipeline.Client
}

// The stacks that pipelines share. Functions are named after the first example.
const (
	networkStack   = "hello-network"
	functionsStack = "hello-functions"
)

func sharedStacks(functions []byte) []stack {
	return []stack{
		{networkStack, "infra/network.yaml", nil, map[string]string{"Name": "hello"}},
		{functionsStack, "template.yaml", functions, map[string]string{"Architecture": architecture()}},
	}
}

// architecture is this machine's, as Lambda and ECS call it.
func architecture() string {
	return map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
}

// wanted are the pipelines that the flags name.
func (f *localFlags) wanted() []*pipeline {
	switch f.Pipeline {
	case "ecs":
		return []*pipeline{ecsPipeline()}
	case "ami":
		return []*pipeline{amiPipeline()}
	}
	return []*pipeline{ecsPipeline(), amiPipeline()}
}

// ecsPipeline releases images to a pair of ECS services by swapping listener
// rules.
func ecsPipeline() *pipeline {
	return &pipeline{
		example: "hello",
		stacks: []stack{
			{"hello-ecs", "infra/ecs.yaml", nil, map[string]string{"Name": "hello", "Architecture": architecture(), "ErrorsPerMinute": "3"}},
			{"hello-pipeline", "infra/pipeline.yaml", nil, map[string]string{"Name": "hello", "FunctionsStack": functionsStack, "ReleaseFile": "cutover.yaml"}},
		},
		ports:      map[int]string{80: "production", 8080: "test"},
		stage:      "Release",
		approval:   "Approve",
		version:    func(r *http.Response) string { return r.Header.Get("X-Version") },
		production: liveSide,
		spoil: func(p *pipeline) error {
			return os.WriteFile(filepath.Join(p.work(), "FAULTS"), []byte("30\n"), 0o644)
		},
	}
}

// amiPipeline bakes golden images and releases to a fleet of instances of them.
func amiPipeline() *pipeline {
	named := func(more ...string) map[string]string {
		parameters := map[string]string{"Name": "webapp"}
		for i := 0; i < len(more); i += 2 {
			parameters[more[i]] = more[i+1]
		}
		return parameters
	}
	image := "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-" + architecture()
	return &pipeline{
		example: "webapp",
		stacks: []stack{
			{"webapp-image", "infra/golden-ami-document.yaml", nil, named("Architecture", architecture())},
			{"webapp-fleet", "infra/web-fleet.yaml", nil, named("Architecture", architecture(), "Image", image, "FunctionsStack", functionsStack)},
			{"webapp-pipeline", "infra/golden-ami-pipeline.yaml", nil, named("FunctionsStack", functionsStack)},
		},
		ports: map[int]string{80: "production"},
		stage: "Deploy",
		version: func(r *http.Response) string {
			return r.Header.Get("X-Version") + " on " + r.Header.Get("X-Image")
		},
		production: goldenImage,
		between: func(_ context.Context, p *pipeline, note func(string)) error {
			note("Amazon publishes a newer Amazon Linux image: " + p.site.cloud.EC2.PublishAmazonImage(architecture()))
			return nil
		},
	}
}

func (p *pipeline) directory() string {
	return filepath.Join(p.site.flags.Root, "examples", p.example)
}

// deploy creates the pipeline's stacks and learns where things are.
func (p *pipeline) deploy(ctx context.Context, note func(string)) error {
	p.outputs, p.urls = map[string]string{}, map[int]string{}
	p.client = codepipeline.NewFromConfig(p.site.cloud.AWSConfig())
	for _, st := range p.stacks {
		outputs, err := p.site.put(ctx, st, note)
		if err != nil {
			return err
		}
		maps.Copy(p.outputs, outputs)
	}
	for port := range p.ports {
		address, ok := p.site.cloud.ELBV2.Listens(p.example, port)
		if !ok {
			return fmt.Errorf("find listener: load balancer %s has none on port %d", p.example, port)
		}
		p.urls[port] = "http://" + address + "/"
	}
	return nil
}

// work is the example's working copy.
func (p *pipeline) work() string { return filepath.Join(p.site.scratch, p.example) }

// push commits a version of the example to its repository and returns the commit.
func (p *pipeline) push(ctx context.Context, version string) (string, error) {
	work := p.work()
	if _, err := os.Stat(work); errors.Is(err, os.ErrNotExist) {
		if err := os.CopyFS(work, os.DirFS(p.directory())); err != nil {
			return "", fmt.Errorf("copy %s: %w", p.directory(), err)
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
		{"push", "--quiet", p.outputs["CloneUrlHttp"], "main"},
	} {
		if _, err := git(ctx, work, args...); err != nil {
			return "", err
		}
	}
	return git(ctx, work, "rev-parse", "HEAD")
}

// goldenImage is the image that was published last.
func goldenImage(ctx context.Context, p *pipeline) (string, error) {
	name := p.outputs["ImageParameter"]
	out, err := ssm.NewFromConfig(p.site.cloud.AWSConfig()).GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return "", fmt.Errorf("get parameter %s: %w", name, err)
	}
	return "instances of " + aws.ToString(out.Parameter.Value), nil
}

// liveSide asks the load balancer which target group production goes to.
func liveSide(ctx context.Context, p *pipeline) (string, error) {
	balancers := elasticloadbalancingv2.NewFromConfig(p.site.cloud.AWSConfig())
	groups, err := balancers.DescribeTargetGroups(ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{})
	if err != nil {
		return "", fmt.Errorf("describe target groups: %w", err)
	}
	names := map[string]string{}
	for _, g := range groups.TargetGroups {
		names[aws.ToString(g.TargetGroupArn)] = aws.ToString(g.TargetGroupName)
	}
	balancer, err := balancers.DescribeLoadBalancers(ctx, &elasticloadbalancingv2.DescribeLoadBalancersInput{Names: []string{p.example}})
	if err != nil {
		return "", fmt.Errorf("describe load balancer: %w", err)
	}
	listeners, err := balancers.DescribeListeners(ctx, &elasticloadbalancingv2.DescribeListenersInput{LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn})
	if err != nil {
		return "", fmt.Errorf("describe listeners: %w", err)
	}
	for _, listener := range listeners.Listeners {
		if aws.ToInt32(listener.Port) != 80 {
			continue
		}
		rules, err := balancers.DescribeRules(ctx, &elasticloadbalancingv2.DescribeRulesInput{ListenerArn: listener.ListenerArn})
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
