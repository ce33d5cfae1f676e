package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-containerregistry/pkg/crane"
	images "github.com/google/go-containerregistry/pkg/v1/random"

	"cutover/pkg/localaws/cloudformation"
	"cutover/pkg/localaws/codebuild"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/iam"
	locallambda "cutover/pkg/localaws/lambda"
)

// alwaysRefused are operations that no command can succeed with, and why.
var alwaysRefused = map[string]string{
	"codedeploy ContinueDeployment": "no blue/green deployment is ready: the stacks here have no fleet",
	"iam GetInstanceProfile":        "the stacks here have no instance profile",
}

// TestCLI holds the embedded AWS against the real aws CLI: the commands of
// testdata/cli call every operation that is served, and the CLI understands
// every answer. The tables read
//
//	[NAME =] [ERRORCODE!] SERVICE COMMAND ARGUMENTS... [=> TEXT]
//
// and mean: the command succeeds, or ends with AWS's error code; it prints TEXT;
// what it prints is NAME for the commands after it, which say {NAME}. Names with
// a capital are resources of the stacks. Tables run beside each other, the
// commands of one in order.
func TestCLI(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	before := len(c.world.cloud.Calls.All())
	c.deploy(t)
	tables, err := filepath.Glob(filepath.Join("testdata", "cli", "*.txt"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("find tables of commands: got %v (error %v)", tables, err)
	}
	t.Run("commands", func(t *testing.T) {
		for _, file := range tables {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
				t.Parallel()
				c.runTable(t, file)
			})
		}
	})
	t.Run("every operation", func(t *testing.T) { c.checkOperations(t, before) })
}

// checkOperations holds that each operation answered a command with success.
func (c *cli) checkOperations(t *testing.T, before int) {
	left := map[string]bool{}
	for service, operations := range c.world.cloud.Endpoint.Operations() {
		for _, operation := range operations {
			left[service+" "+operation] = true
		}
	}
	served := len(left)
	for _, call := range c.world.cloud.Calls.All()[before:] {
		name := call.Service + " " + call.Operation
		if _, refused := alwaysRefused[name]; call.Principal.Administrator() && (call.Error == "" || refused) {
			delete(left, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("%s: no command of testdata/cli calls it with success", name)
	}
	t.Logf("the aws CLI understood the answers of %d of %d operations", served-len(left), served)
}

// A cli is the aws CLI on a world in which version 1 is live.
type cli struct {
	world  *world
	python string           // that runs the CLI
	idle   chan *cliProcess // places for commands to run
	dir    string
	names  map[string]string // what all tables know, beside what they ask for
	silent atomic.Bool       // functions answer no job
	build  func() (string, error)
}

func newCLI(t *testing.T) *cli {
	t.Helper()
	if os.Getenv("CUTOVER_OUTSIDE") != "1" {
		t.Skip("the check with the aws CLI takes minutes: set CUTOVER_OUTSIDE=1 for it")
	}
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Fatalf("CUTOVER_OUTSIDE=1 needs the aws CLI: %v", err)
	}
	if strings.Contains(path, "/shims/") { // which takes as long to find the CLI as that takes to start
		if found, err := exec.Command("pyenv", "which", "aws").Output(); err == nil {
			path = string(bytes.TrimSpace(found))
		}
	}
	c := &cli{python: interpreter(t, path), dir: t.TempDir()}
	c.world = released(t, options{wrap: func(h lambda.Handler) locallambda.Handler { return mute{h, &c.silent} }})
	c.silent.Store(true)
	c.build = sync.OnceValues(c.startBuild)
	c.names = map[string]string{
		"dir": c.dir, "image": image("1"),
		"pipeline-arn": "arn:aws:codepipeline:us-east-1:111122223333:" + app,
		"trace":        fmt.Sprintf("1-%08x-00000000000000000000c110", c.world.clock.Now().Unix()),
	}
	code, err := zipped(map[string]string{"bootstrap": "#!/bin/sh\n"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "function.zip"), code, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, stack := range []string{"hello-network", "hello-ecs", "hello-functions", "hello-pipeline"} {
		c.nameResources(t, stack)
	}
	c.startProcesses(t)
	c.runClock(t)
	return c
}

// mute keeps a function from answering jobs, so that the CLI can.
type mute struct {
	lambda.Handler
	silent *atomic.Bool
}

func (m mute) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if m.silent.Load() && bytes.Contains(payload, []byte(`"CodePipeline.job"`)) {
		return []byte("null"), nil
	}
	return m.Handler.Invoke(ctx, payload)
}

// nameResources names a stack's resources, and the ARNs of its roles, by their
// logical ids.
func (c *cli) nameResources(t *testing.T, stack string) {
	t.Helper()
	found, err := c.world.cloud.CloudFormation.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: stack})
	if err != nil {
		t.Fatal(err)
	}
	roles, err := c.world.cloud.IAM.ListRoles(t.Context(), &iam.ListRolesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range found.StackResources {
		if _, ok := c.names[r.LogicalResourceId]; ok {
			t.Fatalf("two stacks have a resource %s", r.LogicalResourceId)
		}
		c.names[r.LogicalResourceId] = r.PhysicalResourceId
		if i := slices.IndexFunc(roles.Roles, func(role iam.Role) bool { return role.RoleName == r.PhysicalResourceId }); i >= 0 {
			c.names[r.LogicalResourceId+".Arn"] = roles.Roles[i].Arn
		}
	}
}

// runClock lets the clock go, at ten times the wall's pace, until the test ends:
// fast enough for what a command waits for, too slow for a job to time out.
func (c *cli) runClock(t *testing.T) {
	// The CLI asks how a stack is right after it made it, and then again in half
	// a minute on the wall: what a call left to do is done before its answer.
	calls := c.world.cloud.Calls
	observe := calls.Observe
	calls.Observe = func(call endpoint.Call) {
		observe(call)
		if call.Service == "cloudformation" {
			c.world.clock.Advance(0)
		}
	}
	stop := make(chan struct{})
	var stopped sync.WaitGroup
	stopped.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				c.world.clock.Advance(50 * time.Millisecond)
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		stopped.Wait()
	})
}

// deploy makes what the commands need besides the application, by the CLI's own
// deploy, and puts a commit and an image there.
func (c *cli) deploy(t *testing.T) {
	t.Helper()
	out, err := c.run(t, "cloudformation", "deploy", "--stack-name", "cli", "--template-file", "testdata/cli/stack.yaml")
	if want := "Successfully created/updated stack - cli"; err != nil || !strings.Contains(out, want) {
		t.Fatalf("aws cloudformation deploy: got %s (error %v), want %q", out, err, want)
	}
	work := filepath.Join(c.dir, "work")
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main", work},
		{"-C", work, "-c", "user.name=Dev", "-c", "user.email=dev@example.com", "commit", "--quiet", "--allow-empty", "--message=first commit"},
		{"-C", work, "push", "--quiet", c.world.cloud.CodeCommit.CloneURL("cli"), "main"},
	} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	picture, err := images.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := crane.Push(picture, c.world.cloud.Host()+"/cli:v1"); err != nil {
		t.Fatal(err)
	}
}

// startBuild starts a build that goes on until it is stopped.
func (c *cli) startBuild() (string, error) {
	source, err := zipped(map[string]string{"buildspec.yml": "version: 0.2\nphases: {build: {commands: [sleep 900]}}\n"})
	if err != nil {
		return "", err
	}
	return c.world.cloud.CodeBuild.Run(codebuild.Build{Project: app, Source: source, Initiator: "test"}, func(codebuild.Outcome) {})
}

// run runs one command.
func (c *cli) run(t *testing.T, arguments ...string) (output string, err error) {
	t.Helper()
	place := <-c.idle
	defer func() { c.idle <- place }()
	return place.run(arguments)
}

func (c *cli) runTable(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	commands, err := parseCommands(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	names := maps.Clone(c.names)
	for _, command := range commands {
		for i, argument := range command.arguments {
			command.arguments[i] = c.fill(t, argument, names)
		}
		out, err := c.run(t, command.arguments...)
		shown := "aws " + strings.Join(command.arguments, " ")
		switch {
		case command.code == "" && err != nil:
			t.Fatalf("%s:%d: %s\ngot %v: %s\nwant success", file, command.line, shown, err, out)
		case command.code != "" && (err == nil || !strings.Contains(out, "An error occurred ("+command.code+")")):
			t.Errorf("%s:%d: %s\ngot %s\nwant the error %s", file, command.line, shown, out, command.code)
		}
		if want := c.fill(t, command.want, names); !strings.Contains(out, want) {
			t.Errorf("%s:%d: %s\ngot %s\nwant %s in it", file, command.line, shown, out, want)
		}
		if command.name != "" && err == nil {
			names[command.name] = value(t, out)
		}
	}
}

// value is a JSON string's text, and any other JSON as it is.
func value(t *testing.T, output string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(output), &v); err != nil || v == nil {
		t.Fatalf("keep an answer: got %q (error %v), want JSON", output, err)
	}
	if text, ok := v.(string); ok {
		return text
	}
	return output
}

var placeholder = regexp.MustCompile(`\{[A-Za-z][A-Za-z0-9.-]*\}`)

// fill replaces what stands in braces.
func (c *cli) fill(t *testing.T, text string, names map[string]string) string {
	t.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		name := strings.Trim(found, "{}")
		if v, ok := names[name]; ok {
			return v
		}
		v, err := c.ask(name, names)
		if err != nil {
			t.Fatalf("find {%s}: %v", name, err)
		}
		return v
	})
}

// ask finds what changes while commands run.
func (c *cli) ask(name string, names map[string]string) (found string, err error) {
	now := c.world.clock.Now()
	switch name {
	case "now":
		return now.Format(time.RFC3339), nil
	case "now-s":
		return fmt.Sprint(now.Unix()), nil
	case "now-ms":
		return fmt.Sprint(now.UnixMilli()), nil
	case "hour-ago":
		return now.Add(-time.Hour).Format(time.RFC3339), nil
	case "in-an-hour":
		return now.Add(time.Hour).Format(time.RFC3339), nil
	case "build":
		return c.build()
	case "job": // that waits for a report
		if !c.world.clock.AdvanceUntil(time.Minute, func() bool {
			jobs := c.world.cloud.CodePipeline.Jobs()
			last := jobs[len(jobs)-1]
			found = last.ID
			return last.Accepted == 0
		}) {
			return "", fmt.Errorf("no job waits")
		}
		return found, nil
	case "last-job":
		jobs := c.world.cloud.CodePipeline.Jobs()
		return jobs[len(jobs)-1].ID, nil
	case "token": // of the execution's approval
		if !c.world.clock.AdvanceUntil(time.Minute, func() bool {
			found = c.world.watcher.takeToken(names["execution"])
			return found != ""
		}) {
			return "", fmt.Errorf("execution %s waits for no approval", names["execution"])
		}
		return found, nil
	}
	return "", fmt.Errorf("no resource, answer or question of this name")
}

// A command is one entry of a table.
type command struct {
	line      int    // where it begins
	name      string // under which its output is kept
	code      string // of the error that it must end with
	arguments []string
	want      string // in its output
}

// parseCommands reads a table: words as in a shell, with quotes of both kinds
// and none of its expansions; a command ends with its line unless a quote is
// open or the line ends with a backslash.
func parseCommands(text string) ([]command, error) {
	var all []command
	for line := 1; text != ""; {
		before := text
		words, want, rest, err := parseLine(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if len(words) > 0 {
			c := command{line: line, want: want}
			if len(words) > 1 && words[1] == "=" {
				c.name, words = words[0], words[2:]
			}
			if code, ok := strings.CutSuffix(words[0], "!"); ok {
				c.code, words = code, words[1:]
			}
			c.arguments = words
			all = append(all, c)
		}
		text = rest
		line += strings.Count(before[:len(before)-len(rest)], "\n")
	}
	return all, nil
}

// parseLine takes one command, or one comment or empty line, off a table.
func parseLine(text string) (words []string, want, rest string, err error) {
	for {
		text = strings.TrimLeft(text, " ")
		text = strings.TrimPrefix(text, "\\\n")
		switch {
		case text == "":
			return words, "", "", nil
		case text[0] == ' ':
		case text[0] == '\n':
			return words, "", text[1:], nil
		case text[0] == '#' && words == nil:
			_, rest, _ = strings.Cut(text, "\n")
			return nil, "", rest, nil
		case strings.HasPrefix(text, "=> "):
			want, rest, _ = strings.Cut(text[len("=> "):], "\n")
			return words, want, rest, nil
		default:
			var word string
			if word, text, err = parseWord(text); err != nil {
				return nil, "", "", err
			}
			words = append(words, word)
		}
	}
}

func parseWord(text string) (word, rest string, err error) {
	for text != "" && !strings.ContainsRune(" \n", rune(text[0])) {
		if quote := text[0]; quote == '\'' || quote == '"' {
			end := strings.IndexByte(text[1:], quote)
			if end < 0 {
				return "", "", fmt.Errorf("a quote %c is not closed", quote)
			}
			word, text = word+text[1:1+end], text[end+2:]
			continue
		}
		word, text = word+text[:1], text[1:]
	}
	return word, text, nil
}
