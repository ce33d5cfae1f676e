package acceptance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/endpoint"
)

var update = flag.Bool("update", false, "rewrite golden files")

const (
	deployGreen  = "DeployGreen"
	swapListener = "SwapListener"

	// The sides once version 1 is released: green of version 2 is the idle one.
	live = app + "-green"
	idle = app + "-blue"
)

// A badInput is one thing that is wrong, and the action that must say so.
type badInput struct {
	name    string   // a sentence
	actions []string // that meet it, each in a world of its own; both by default

	// What is wrong, as far as it is set. Version 1 is live when it comes to be:
	// a pipeline's fault before version 2 is released, the world's right before
	// the action begins, that of a moment right after one of the action's calls.
	template func(file, template string) string
	artifact map[string]string
	action   edit
	world    func(*world)
	moment   *moment

	version string // "2" by default
	deploys bool   // green is deployed all the same: only production stays as it was
	failure string // ConfigurationError by default; a case of another type says why
}

// A moment is right after the nth call of an operation by the action.
type moment struct {
	operation string
	nth       int
	do        func(*world)
}

// TestBadInput spoils one thing each and releases a version. The action that
// meets it says everything that is wrong, how production stands and what to do
// next, as the golden file has it, and it changes nothing.
func TestBadInput(t *testing.T) {
	if binaries != "" {
		t.Skip("what the functions say does not depend on where they run")
	}
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range slices.Concat(badParameters, badImages, badWorlds, badMoments) {
		actions := c.actions
		if actions == nil {
			actions = []string{deployGreen, swapListener}
		}
		for _, action := range actions {
			golden := filepath.Join("testdata", "badinput", action, slug(c.name)+".txt")
			seen[golden] = true
			t.Run(action+": "+c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, action, golden)
			})
		}
	}
	for _, c := range badBakes {
		seen[c.golden()] = true
	}
	kept, err := filepath.Glob(filepath.Join("testdata", "badinput", "*", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range kept {
		if !seen[file] {
			t.Errorf("golden file %s belongs to no case", file)
		}
	}
}

func (c badInput) run(t *testing.T, action, golden string) {
	w := c.prepare(t)
	if c.action != nil {
		if err := w.editAction(action, c.action); err != nil {
			t.Fatal(err)
		}
	}
	if c.world != nil && action == deployGreen {
		c.world(w)
	}
	before := w.snapshot()
	if c.moment != nil {
		w.at(action, *c.moment, func() { before = w.snapshot() })
	}
	version := c.version
	if version == "" {
		version = "2"
	}
	id := w.start(version)
	if action == swapListener {
		w.untilApproval(t, id)
		if c.world != nil {
			c.world(w)
		}
		before = w.snapshot()
	}
	if status := w.finish(id); status != "Failed" {
		t.Fatalf("release: got %s, want Failed", status)
	}
	failure := c.failure
	if failure == "" {
		failure = "ConfigurationError"
	}
	got := w.why()
	if want := action + ": " + failure + ": "; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	compare(t, golden, w.anonymous(got, id)+"\n")
	after := w.snapshot()
	if c.deploys {
		before, after = production(before), production(after)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("world (-before +after):\n%s", diff)
	}
	w.checkReports(t, false)
}

// prepare is a world in which version 1 is live, and which only then learns of
// the case's artifact.
func (c badInput) prepare(t *testing.T) *world {
	o := options{edit: c.template}
	if c.artifact != nil {
		o.artifact = func(version string) map[string]string {
			if version == "1" {
				return map[string]string{"imageDetail.json": fmt.Sprintf(`{"ImageURI": %q}`, image(version))}
			}
			return c.artifact
		}
	}
	w := newWorld(t, o)
	if _, status := w.release("1"); status != "Succeeded" {
		t.Fatalf("first release: got %s, want Succeeded: %s\n%s", status, w.why(), w.log)
	}
	return w
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v; with -update it is written", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

func slug(name string) string {
	return strings.Trim(notWord.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// UserParameters are over-long if CodePipeline says so: it refuses them.
func TestBadInput_CodePipelineRefusesOverlongParameters(t *testing.T) {
	t.Parallel()
	w := released(t, options{})
	for _, action := range []string{deployGreen, swapListener} {
		before := w.snapshot()
		err := w.editAction(action, key("imageKey", fmt.Sprintf("%q", strings.Repeat("k", 1000))))
		want := "InvalidActionDeclarationException"
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "UserParameters") {
			t.Errorf("%s: got error %v, want %s naming UserParameters", action, err, want)
		}
		if diff := cmp.Diff(before, w.snapshot()); diff != "" {
			t.Errorf("world (-before +after):\n%s", diff)
		}
	}
	if _, status := w.release("2"); status != "Succeeded" {
		t.Errorf("release with the parameters as they were: got %s, want Succeeded: %s", status, w.why())
	}
}

// What a message promises: what it names is corrected, and the retried stage
// or the next release succeeds.
func TestBadInput_OnceCorrectedIsReleased(t *testing.T) {
	t.Parallel()
	t.Run("the world, and the stage is retried", func(t *testing.T) {
		t.Parallel()
		w := badInput{}.prepare(t)
		w.weigh(80, map[string]int32{live: 50, idle: 50})
		id, status := w.release("2")
		if status != "Failed" {
			t.Fatalf("release: got %s, want Failed", status)
		}
		w.weigh(80, map[string]int32{live: 100, idle: 0})
		if status := w.retry(id, types.StageRetryModeFailedActions); status != "Succeeded" {
			t.Fatalf("retry: got %s, want Succeeded: %s", status, w.why())
		}
		w.check(t, "2")
	})
	t.Run("the pipeline, and it is started again", func(t *testing.T) {
		t.Parallel()
		w := released(t, options{})
		if err := w.editAction(deployGreen, renamed("cluster", "clutser")); err != nil {
			t.Fatal(err)
		}
		if _, status := w.release("2"); status != "Failed" {
			t.Fatalf("release: got %s, want Failed", status)
		}
		if err := w.editAction(deployGreen, renamed("clutser", "cluster")); err != nil {
			t.Fatal(err)
		}
		if _, status := w.release("2"); status != "Succeeded" {
			t.Fatalf("next release: got %s, want Succeeded: %s", status, w.why())
		}
		w.check(t, "2")
	})
}

// editAction changes an action in the pipeline's declaration, as its console does.
func (w *world) editAction(name string, change edit) error {
	w.t.Helper()
	ctx := context.Background()
	got, err := w.pipelines.GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: aws.String(w.product.name)})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, stage := range got.Pipeline.Stages {
		for i := range stage.Actions {
			if *stage.Actions[i].Name == name {
				change(w, &stage.Actions[i])
			}
		}
	}
	_, err = w.pipelines.UpdatePipeline(ctx, &codepipeline.UpdatePipelineInput{Pipeline: got.Pipeline})
	return err
}

// untilApproval moves the clock until green waits for its approval.
func (w *world) untilApproval(t *testing.T, id string) {
	t.Helper()
	waits := func() bool {
		w.watcher.mu.Lock()
		defer w.watcher.mu.Unlock()
		return w.watcher.tokens[id] != ""
	}
	if !w.clock.AdvanceUntil(time.Hour, func() bool { return waits() || w.status(id) != "InProgress" }) || !waits() {
		t.Fatalf("execution %s waits for no approval: %s: %s", id, w.status(id), w.why())
	}
}

// at does something right after a call of an action, and then something else.
func (w *world) at(action string, m moment, then func()) {
	observe := w.cloud.Calls.Observe
	var calls atomic.Int32
	w.cloud.Calls.Observe = func(c endpoint.Call) {
		observe(c)
		if functionOf(c) != action || c.Operation != m.operation {
			return
		}
		if int(calls.Add(1)) == m.nth {
			m.do(w)
			then()
		}
	}
}

// snapshot is everything that a release may change: routes with their weights,
// tags, task definitions, and what services are to run.
func (w *world) snapshot() []string {
	ctx := context.Background()
	var lines []string
	line := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	groups, err := w.balancers.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{})
	must(err)
	names := map[string]string{}
	for _, g := range groups.TargetGroups {
		names[*g.TargetGroupArn] = *g.TargetGroupName
		tags, err := w.balancers.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: []string{*g.TargetGroupArn}})
		must(err)
		for _, tag := range tags.TagDescriptions[0].Tags {
			line("target group %s: tag %s is %s", *g.TargetGroupName, *tag.Key, *tag.Value)
		}
	}
	for _, l := range w.listeners() {
		rules, err := w.balancers.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: l.ListenerArn})
		must(err)
		for _, r := range rules.Rules {
			for _, a := range r.Actions {
				if a.ForwardConfig == nil {
					continue
				}
				for _, g := range a.ForwardConfig.TargetGroups {
					line("listener %d: rule %s forwards %d to %s", *l.Port, *r.Priority, *g.Weight, names[*g.TargetGroupArn])
				}
			}
		}
	}
	for _, status := range []ecstypes.TaskDefinitionStatus{ecstypes.TaskDefinitionStatusActive, ecstypes.TaskDefinitionStatusInactive} {
		definitions, err := w.services.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{Status: status})
		must(err)
		for _, arn := range definitions.TaskDefinitionArns {
			line("task definition %s is %s", arn, status)
		}
	}
	for _, name := range []string{live, idle} {
		s := w.service(name)
		line("service %s: %d of %s", name, s.DesiredCount, aws.ToString(s.TaskDefinition))
		for _, d := range s.Deployments {
			if *d.Status == "PRIMARY" { // those before it end by themselves
				line("service %s: deployment %s", name, *d.Id)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// production is what of a snapshot is about production.
func production(snapshot []string) []string {
	return slices.DeleteFunc(snapshot, func(line string) bool {
		return !strings.HasPrefix(line, "listener 80:") && !strings.Contains(line, live)
	})
}

// anonymous takes out of a message what differs from run to run.
func (w *world) anonymous(message, id string) string {
	message = strings.ReplaceAll(message, id, "EXECUTION-2")
	for _, r := range random {
		message = r.of.ReplaceAllString(message, r.becomes)
	}
	return message
}

var random = []struct {
	of      *regexp.Regexp
	becomes string
}{
	{regexp.MustCompile(`RequestID: [0-9a-f-]+`), "RequestID: ID"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "EXECUTION-1"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b|\b[0-9]{19}\b`), "ID"}, // of tasks and deployments
	{regexp.MustCompile(`-[0-9A-Z]{12}\b`), "-SUFFIX"},           // of generated names
	{regexp.MustCompile(`/[0-9a-f]{16}\b`), "/ID"},               // in the ARNs of a load balancer
	{regexp.MustCompile(`\b(ami|i|lt|sg|subnet)-[0-9a-f]{17}\b`), "$1-ID"},
}
