package acceptance

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"cutover/pkg/action/deploygreen"
	"cutover/pkg/action/goldenami"
	"cutover/pkg/action/swaplistener"
	"cutover/pkg/awsclient"
	"cutover/pkg/customresource"
	"cutover/pkg/deploymentgroup"
	"cutover/pkg/fleet"
	"cutover/pkg/job"
	"cutover/pkg/localaws"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudformation"
	"cutover/pkg/localaws/cloudformation/sam"
	pipelines "cutover/pkg/localaws/codepipeline"
	"cutover/pkg/localaws/endpoint"
	locallambda "cutover/pkg/localaws/lambda"
	"cutover/pkg/localaws/workload"
)

const (
	app      = "hello"
	pipeline = "hello"
)

// A world is an embedded AWS with everything deployed from the templates.
type world struct {
	t     testing.TB
	clock *clock.Manual
	cloud *localaws.Cloud

	pipelines *codepipeline.Client
	services  *ecs.Client
	balancers *elb.Client

	source  *source
	tasks   *tasks
	watcher *watcher
	log     *syncBuffer
}

// options change how a world is made.
type options struct {
	// wrap stands between Lambda and each function.
	wrap func(lambda.Handler) locallambda.Handler
	// edit changes a template before it is deployed.
	edit func(file string, template string) string
	// artifact makes the files of a build's artifact, in place of the one that
	// names the version's image.
	artifact func(version string) map[string]string
}

func newWorld(t testing.TB, o options) *world {
	t.Helper()
	w := &world{
		t: t, clock: clock.NewManual(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)),
		source: &source{}, tasks: &tasks{broken: map[string]string{}}, log: &syncBuffer{},
	}
	w.watcher = &watcher{world: w}
	handlers := map[string]func(map[string]string) locallambda.Handler{}
	for id, function := range functions {
		if binaries != "" {
			break // Lambda runs what was uploaded
		}
		handlers[id] = func(env map[string]string) locallambda.Handler {
			h := function(w.log, env)
			if o.wrap != nil {
				return o.wrap(h)
			}
			return h
		}
	}
	cloud, err := localaws.New(localaws.Config{
		Clock: w.clock, Dir: t.TempDir(), Handlers: handlers, Runner: workload.NewInProcess(w.clock, w.tasks),
		Builds: builder{o.artifact}, Repositories: w.source, Observe: w.watcher.observe,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close the embedded AWS: %v", err)
		}
	})
	w.cloud = cloud
	config := cloud.AWSConfig()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	config.HTTPClient = &http.Client{Transport: transport}
	w.pipelines, w.services, w.balancers = codepipeline.NewFromConfig(config), ecs.NewFromConfig(config), elb.NewFromConfig(config)
	cloud.CodePipeline.Watch(w.watcher.hear)
	w.deploy(o)
	// As in AWS, a new pipeline starts by itself, and fails for want of a source.
	w.clock.Advance(time.Second)
	return w
}

// functions make each function as its main does, with retries that do not wait.
var functions = map[string]func(log io.Writer, env map[string]string) lambda.Handler{
	"BuildGoldenAMIFunction": func(log io.Writer, env map[string]string) lambda.Handler {
		clients, config := wire("BuildGoldenAMI", log, env)
		api := clients.Config()
		return job.NewHandler(config, goldenami.New(goldenami.Clients{
			SSM:         sync.OnceValue(func() goldenami.SSM { return ssm.NewFromConfig(api) }),
			EC2:         sync.OnceValue(func() fleet.EC2 { return fleet.NewEC2(ec2.NewFromConfig(api)) }),
			AutoScaling: sync.OnceValue(func() fleet.AutoScaling { return autoscaling.NewFromConfig(api) }),
			CodeDeploy:  sync.OnceValue(func() fleet.CodeDeploy { return codedeploy.NewFromConfig(api) }),
		}).Step)
	},
	"DeploymentGroupFunction": func(log io.Writer, env map[string]string) lambda.Handler {
		clients, _ := wire("DeploymentGroup", log, env)
		api := clients.Config()
		group := deploymentgroup.New(codedeploy.NewFromConfig(api), autoscaling.NewFromConfig(api), nil)
		return customresource.New(customresource.Config{Logger: slog.New(slog.NewJSONHandler(log, nil))}, group.Do)
	},
	"DeployGreenFunction": func(log io.Writer, env map[string]string) lambda.Handler {
		clients, config := wire("DeployGreen", log, env)
		api := clients.Config()
		return job.NewHandler(config, deploygreen.New(elb.NewFromConfig(api), ecs.NewFromConfig(api)).Step)
	},
	"SwapListenerFunction": func(log io.Writer, env map[string]string) lambda.Handler {
		clients, config := wire("SwapListener", log, env)
		api := clients.Config()
		return job.NewHandler(config, swaplistener.New(elb.NewFromConfig(api), ecs.NewFromConfig(api), ssm.NewFromConfig(api), cloudwatch.NewFromConfig(api)).Step)
	},
}

func wire(action string, log io.Writer, env map[string]string) (*awsclient.Clients, job.Config) {
	settings := awsclient.FromEnvironment(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	settings.Trace = false // X-Ray's SDK is one for the whole process
	settings.MaxBackoff = time.Millisecond
	clients, err := awsclient.New(settings)
	if err != nil {
		panic(err)
	}
	return clients, job.Config{
		Action: action, CodePipeline: clients.CodePipeline(),
		S3:     func(p aws.CredentialsProvider) job.S3 { return clients.S3(p) },
		Logger: slog.New(slog.NewJSONHandler(log, nil)), Now: clients.Now,
	}
}

// root is the top of the module.
var root = filepath.Join("..", "..")

// deploy creates the stacks in the order in which they need each other.
func (w *world) deploy(o options) {
	w.t.Helper()
	if err := w.cloud.S3.CreateBucket("code"); err != nil {
		w.t.Fatal(err)
	}
	for id := range functions {
		if err := w.cloud.S3.Put("code", id+".zip", w.code(id)); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, s := range []struct {
		name, file string
		parameters map[string]string
	}{
		{"hello-network", "infra/network.yaml", map[string]string{"Name": app}},
		{"hello-ecs", "infra/ecs.yaml", map[string]string{"Name": app}},
		{"hello-functions", "template.yaml", nil},
		{"hello-pipeline", "infra/pipeline.yaml", map[string]string{"Name": app}},
	} {
		w.deployStack(o, s.name, s.file, s.parameters)
	}
}

func (w *world) deployStack(o options, name, file string, parameters map[string]string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		w.t.Fatal(err)
	}
	template := string(text)
	if strings.Contains(template, "AWS::Serverless") {
		packaged, err := sam.Package(text, func(id string) (string, error) { return "s3://code/" + id + ".zip", nil })
		if err != nil {
			w.t.Fatal(err)
		}
		template = string(packaged)
	}
	if o.edit != nil {
		template = o.edit(file, template)
	}
	if err := w.cloud.CloudFormation.Deploy(w.t.Context(), deployment(name, template, parameters)); err != nil {
		w.t.Fatal(err)
	}
}

// binaries is the directory of the functions' zips, as `make build` leaves them,
// where the functions are to run as processes of their own.
var binaries = os.Getenv("CUTOVER_BINARIES")

// code is a function's zip: the real one, or one that stands for a handler of
// this process.
func (w *world) code(id string) []byte {
	w.t.Helper()
	if binaries == "" {
		stub, err := zipped(map[string]string{"bootstrap": "this function runs within the test"})
		if err != nil {
			w.t.Fatal(err)
		}
		return stub
	}
	code, err := os.ReadFile(filepath.Join(binaries, id+"-"+runtime.GOARCH+".zip"))
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

// source gives the pipeline a commit that holds the version that was set last.
type source struct {
	mu      sync.Mutex
	version string
}

func (s *source) set(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = version
}

// Archive implements codepipeline.Repositories: every commit is named by its version.
func (s *source) Archive(_, revision string) (pipelines.Commit, []byte, error) {
	s.mu.Lock()
	version := s.version
	s.mu.Unlock()
	if v, ok := strings.CutPrefix(revision, "version-"); ok {
		version = v
	}
	if version == "" { // as of a repository to which nothing was pushed
		return pipelines.Commit{}, nil, errors.New("BranchDoesNotExistException: no commit yet")
	}
	archive, err := zipped(map[string]string{"VERSION": version})
	return pipelines.Commit{ID: "version-" + version, Message: "Release version " + version}, archive, err
}

// builder turns a source into the reference of an image, as CodeBuild would.
type builder struct {
	artifact func(version string) map[string]string // nil: imageDetail.json
}

// Run implements codepipeline.Builds.
func (r builder) Run(b pipelines.Build, done func(pipelines.Outcome)) (string, error) {
	version, err := unzipped(b.Source, "VERSION")
	if err != nil {
		return "", err
	}
	files := map[string]string{"imageDetail.json": fmt.Sprintf(`{"ImageURI": %q}`, image(version))}
	if r.artifact != nil {
		files = r.artifact(version)
	}
	artifact, err := zipped(files)
	if err != nil {
		return "", err
	}
	done(pipelines.Outcome{BuildID: b.Project + ":1", Succeeded: true, Artifact: artifact})
	return b.Project + ":1", nil
}

// image is the reference of a version's image.
func image(version string) string {
	return fmt.Sprintf("registry.example/%s-%s@sha256:%x", app, version, sha256.Sum256([]byte(version)))
}

// tasks are the programs in the images: servers that tell their version.
type tasks struct {
	mu     sync.Mutex
	broken map[string]string // version to what is wrong: "unhealthy", "crashes"
}

func (a *tasks) breakVersion(version, how string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken[version] = how
}

// App implements workload.Apps.
func (a *tasks) App(reference string) (workload.App, bool) {
	name, _, _ := strings.Cut(reference, "@")
	version, ok := strings.CutPrefix(name, "registry.example/"+app+"-")
	if !ok {
		return nil, false
	}
	a.mu.Lock()
	how := a.broken[version]
	a.mu.Unlock()
	return func(t *workload.Task) http.Handler {
		if how == "crashes" {
			t.Exit(1)
		}
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Version", version)
			if how == "unhealthy" {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
	}, true
}

// start begins the release of a version and returns its execution.
func (w *world) start(version string) string {
	w.t.Helper()
	w.source.set(version)
	started, err := w.pipelines.StartPipelineExecution(context.Background(), &codepipeline.StartPipelineExecutionInput{Name: aws.String(pipeline)})
	if err != nil {
		w.t.Fatal(err)
	}
	return *started.PipelineExecutionId
}

// release takes a version through the pipeline, approves it, and returns its
// execution and how it ended.
func (w *world) release(version string) (id, status string) {
	w.t.Helper()
	id = w.start(version)
	return id, w.finish(id)
}

// finish moves the clock until an execution has ended, and approves on the way.
func (w *world) finish(id string) (status string) {
	w.t.Helper()
	ended := w.clock.AdvanceUntil(26*time.Hour, func() bool {
		status = w.status(id)
		if status == "InProgress" {
			w.approve(id)
		}
		return status != "InProgress"
	})
	if !ended {
		w.t.Fatalf("execution %s: still %s after 26 hours: a pipeline hangs", id, status)
	}
	return status
}

func (w *world) status(id string) string { return w.watcher.status(id) }

// approve answers what waits for an answer.
func (w *world) approve(id string) {
	w.t.Helper()
	token := w.watcher.takeToken(id)
	if token == "" {
		return
	}
	_, err := w.pipelines.PutApprovalResult(context.Background(), &codepipeline.PutApprovalResultInput{
		PipelineName: aws.String(pipeline), StageName: aws.String("Release"), ActionName: aws.String("Approve"), Token: &token,
		Result: &types.ApprovalResult{Status: types.ApprovalStatusApproved, Summary: aws.String("fine")},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// retry presses Retry in the console.
func (w *world) retry(id string, mode types.StageRetryMode) (status string) {
	w.t.Helper()
	_, err := w.pipelines.RetryStageExecution(context.Background(), &codepipeline.RetryStageExecutionInput{
		PipelineName: aws.String(pipeline), StageName: aws.String("Release"), PipelineExecutionId: &id, RetryMode: mode,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.finish(id)
}

// why is what the pipeline shows of a failed execution.
func (w *world) why() string {
	state, err := w.pipelines.GetPipelineState(context.Background(), &codepipeline.GetPipelineStateInput{Name: aws.String(pipeline)})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, stage := range state.StageStates {
		for _, a := range stage.ActionStates {
			if a.LatestExecution != nil && a.LatestExecution.ErrorDetails != nil {
				return fmt.Sprintf("%s: %s: %s", aws.ToString(a.ActionName), aws.ToString(a.LatestExecution.ErrorDetails.Code), aws.ToString(a.LatestExecution.ErrorDetails.Message))
			}
		}
	}
	return ""
}

// functionCalls are the calls that a function made, by the name of its role.
func (w *world) functionCalls() []endpoint.Call {
	var made []endpoint.Call
	for _, call := range w.cloud.Calls.All() {
		if functionOf(call) != "" {
			made = append(made, call)
		}
	}
	return made
}

// functionOf tells which function made a call: its role carries its name. A
// job's artifacts are read with the pipeline's role.
func functionOf(c endpoint.Call) string {
	for _, name := range []string{"DeployGreen", "SwapListener"} {
		if strings.Contains(c.Principal.RoleName(), name+"Role") {
			return name
		}
	}
	if c.Service == "s3" && strings.Contains(c.Principal.RoleName(), "PipelineRole") {
		return "DeployGreen"
	}
	return ""
}

func zipped(files map[string]string) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		f, err := z.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(f, text); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}

func unzipped(archive []byte, name string) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return "", err
	}
	f, err := z.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return strings.TrimSpace(string(text)), err
}

// A syncBuffer is the functions' log.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// replaceOnce replaces text that must stand in a template once.
func replaceOnce(template, old, new string) string {
	if strings.Count(template, old) != 1 {
		panic(fmt.Sprintf("template has %d times %q, want it once", strings.Count(template, old), old))
	}
	return strings.Replace(template, old, new, 1)
}

func deployment(name, template string, parameters map[string]string) cloudformation.Stack {
	return cloudformation.Stack{Name: name, Template: []byte(template), Parameters: parameters}
}
