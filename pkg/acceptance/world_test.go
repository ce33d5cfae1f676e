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
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	hooks "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"cutover/pkg/action/deploygreen"
	"cutover/pkg/action/goldenami"
	"cutover/pkg/action/swaplistener"
	"cutover/pkg/awsclient"
	"cutover/pkg/customresource"
	"cutover/pkg/deploymentgroup"
	"cutover/pkg/fleet"
	"cutover/pkg/hook"
	"cutover/pkg/job"
	"cutover/pkg/localaws"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudformation"
	"cutover/pkg/localaws/cloudformation/sam"
	pipelines "cutover/pkg/localaws/codepipeline"
	"cutover/pkg/localaws/endpoint"
	locallambda "cutover/pkg/localaws/lambda"
	"cutover/pkg/localaws/workload"
	"cutover/pkg/record"
)

const app = "hello"

// A product is one of the pipelines, with the stacks that it needs.
type product struct {
	name   string // of the application: of its pipeline and load balancer too
	stage  string // that is retried
	stacks []stack
	// artifact makes the files of a build's artifact.
	artifact func(version string) (map[string]string, error)
}

type stack struct {
	name, file string
	parameters map[string]string
}

// ecsProduct releases images to a pair of ECS services.
var ecsProduct = product{
	name: app, stage: "Release",
	stacks: []stack{
		{"hello-network", "infra/network.yaml", map[string]string{"Name": app}},
		{"hello-ecs", "infra/ecs.yaml", map[string]string{"Name": app}},
		{"hello-functions", "template.yaml", nil},
		{"hello-pipeline", "infra/pipeline.yaml", map[string]string{"Name": app}},
	},
	artifact: func(version string) (map[string]string, error) {
		return map[string]string{"imageDetail.json": fmt.Sprintf(`{"ImageURI": %q}`, image(version))}, nil
	},
}

// A world is an embedded AWS with everything deployed from the templates.
type world struct {
	t       testing.TB
	product product
	clock   *clock.Manual
	cloud   *localaws.Cloud

	config    func() aws.Config // of the administrator
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
	// product that is deployed, that of ECS by default.
	product *product
	// wrap stands between Lambda and each function.
	wrap func(lambda.Handler) locallambda.Handler
	// edit changes a template before it is deployed.
	edit func(file string, template string) string
	// artifact makes the files of a build's artifact, in place of the product's.
	artifact func(version string) map[string]string
	// imageFate decides what becomes of images of an instance.
	imageFate func(instanceID string) (state, reason string)
}

func newWorld(t testing.TB, o options) *world {
	t.Helper()
	w := &world{
		t: t, product: ecsProduct, clock: clock.NewManual(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)),
		source: &source{}, tasks: &tasks{broken: map[string]string{}}, log: &syncBuffer{},
	}
	if o.product != nil {
		w.product = *o.product
	}
	w.watcher = &watcher{world: w}
	handlers := map[string]func(map[string]string) locallambda.Handler{}
	for id, function := range functions {
		if binaries != "" {
			break // Lambda runs what was uploaded
		}
		handlers[id] = func(env map[string]string) locallambda.Handler {
			h := function(w, env)
			if o.wrap != nil {
				return o.wrap(h)
			}
			return h
		}
	}
	cloud, err := localaws.New(localaws.Config{
		Clock: w.clock, Dir: t.TempDir(), Handlers: handlers, Runner: workload.NewInProcess(w.clock, w.tasks),
		Builds: builder{w.artifact(o)}, Repositories: w.source, Observe: w.watcher.observe, ImageFate: o.imageFate,
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
	w.config = func() aws.Config { return config }
	w.pipelines, w.services, w.balancers = codepipeline.NewFromConfig(config), ecs.NewFromConfig(config), elb.NewFromConfig(config)
	cloud.CodePipeline.Watch(w.watcher.hear)
	w.deploy(o)
	// As in AWS, a new pipeline starts by itself, and fails for want of a source.
	w.clock.Advance(time.Second)
	return w
}

// functions make each function as its main does, with retries that do not wait.
var functions = map[string]func(w *world, env map[string]string) lambda.Handler{
	"BuildGoldenAMIFunction": func(w *world, env map[string]string) lambda.Handler {
		clients, config := w.wire("BuildGoldenAMI", env)
		api := clients.Config()
		return job.NewHandler(config, goldenami.New(goldenami.Clients{
			SSM:         sync.OnceValue(func() goldenami.SSM { return ssm.NewFromConfig(api) }),
			EC2:         sync.OnceValue(func() fleet.EC2 { return fleet.NewEC2(ec2.NewFromConfig(api)) }),
			AutoScaling: sync.OnceValue(func() fleet.AutoScaling { return autoscaling.NewFromConfig(api) }),
			CodeDeploy:  sync.OnceValue(func() fleet.CodeDeploy { return codedeploy.NewFromConfig(api) }),
		}).Step)
	},
	"DeploymentGroupFunction": func(w *world, env map[string]string) lambda.Handler {
		clients, _ := w.wire("DeploymentGroup", env)
		api := clients.Config()
		group := deploymentgroup.New(codedeploy.NewFromConfig(api), autoscaling.NewFromConfig(api), w.pause)
		return customresource.New(customresource.Config{Logger: slog.New(slog.NewJSONHandler(w.log, nil))}, group.Do)
	},
	"DeployGreenFunction": func(w *world, env map[string]string) lambda.Handler {
		clients, config := w.wire("DeployGreen", env)
		api := clients.Config()
		return job.NewHandler(config, deploygreen.New(elb.NewFromConfig(api), ecs.NewFromConfig(api)).Step)
	},
	"SwapListenerFunction": func(w *world, env map[string]string) lambda.Handler {
		clients, config := w.wire("SwapListener", env)
		api := clients.Config()
		return job.NewHandler(config, swaplistener.New(swaplistener.Clients{
			ELB: elb.NewFromConfig(api), ECS: ecs.NewFromConfig(api), Log: w.log,
			SSM:        sync.OnceValue(func() record.API { return ssm.NewFromConfig(api) }),
			CloudWatch: sync.OnceValue(func() swaplistener.CloudWatch { return cloudwatch.NewFromConfig(api) }),
			Lambda:     sync.OnceValue(func() hook.API { return hooks.NewFromConfig(api) }),
			Events:     sync.OnceValue(func() swaplistener.Events { return eventbridge.NewFromConfig(api) }),
			Bucket:     sync.OnceValue(func() swaplistener.Bucket { return clients.S3(api.Credentials) }),
		}).Step)
	},
}

// pause lets time pass while a function waits, since nobody else does.
func (w *world) pause(ctx context.Context, _ int) error {
	w.clock.Advance(10 * time.Second)
	return ctx.Err()
}

func (w *world) wire(action string, env map[string]string) (*awsclient.Clients, job.Config) {
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
		Logger: slog.New(slog.NewJSONHandler(w.log, nil)),
		Now: func() time.Time {
			if now := clients.Now(); !now.IsZero() {
				return now
			}
			return w.clock.Now() // as AWS's machines show AWS's time
		},
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
	for _, s := range w.product.stacks {
		if err := w.deployStack(o, s.name, s.file, s.parameters); err != nil {
			w.t.Fatal(err)
		}
	}
}

// deployStack creates or updates a stack, or tells why that failed.
func (w *world) deployStack(o options, name, file string, parameters map[string]string) error {
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
	return w.cloud.CloudFormation.Deploy(w.t.Context(), deployment(name, template, parameters))
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

// artifact is what builds make: the option's, else the product's.
func (w *world) artifact(o options) func(string) (map[string]string, error) {
	if o.artifact == nil {
		return w.product.artifact
	}
	return func(version string) (map[string]string, error) { return o.artifact(version), nil }
}

// builder turns a source into an artifact, as CodeBuild would.
type builder struct {
	artifact func(version string) (map[string]string, error)
}

// Run implements codepipeline.Builds.
func (r builder) Run(b pipelines.Build, done func(pipelines.Outcome)) (string, error) {
	version, err := unzipped(b.Source, "VERSION")
	if err != nil {
		return "", err
	}
	files, err := r.artifact(version)
	if err != nil {
		return "", err
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
	fit    string            // the one image that programs work on; empty: on all
}

func (a *tasks) breakVersion(version, how string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken[version] = how
}

// breakImages has programs work on no image but one.
func (a *tasks) breakImages(but string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fit = but
}

func (a *tasks) howOn(image string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fit != "" && a.fit != image {
		return "unhealthy"
	}
	return ""
}

func (a *tasks) how(version string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.broken[version]
}

// App implements workload.Apps.
func (a *tasks) App(reference string) (workload.App, bool) {
	if reference == "/opt/webapp/webapp" {
		return a.webapp, true
	}
	name, _, _ := strings.Cut(reference, "@")
	version, ok := strings.CutPrefix(name, "registry.example/"+app+"-")
	if !ok {
		return nil, false
	}
	how := a.how(version)
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
	started, err := w.pipelines.StartPipelineExecution(context.Background(), &codepipeline.StartPipelineExecutionInput{Name: aws.String(w.product.name)})
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
		PipelineName: aws.String(w.product.name), StageName: aws.String("Release"), ActionName: aws.String("Approve"), Token: &token,
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
		PipelineName: aws.String(w.product.name), StageName: aws.String(w.product.stage), PipelineExecutionId: &id, RetryMode: mode,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.finish(id)
}

// why is what the pipeline shows of a failed execution.
func (w *world) why() string {
	state, err := w.pipelines.GetPipelineState(context.Background(), &codepipeline.GetPipelineStateInput{Name: aws.String(w.product.name)})
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
	for _, name := range []string{"BuildGoldenAMI", "DeployGreen", "DeploymentGroup", "SwapListener"} {
		if strings.Contains(c.Principal.RoleName(), name+"Role") {
			return name
		}
	}
	if c.Service == "s3" && strings.Contains(c.Principal.RoleName(), app+"-pipeline-PipelineRole") {
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
