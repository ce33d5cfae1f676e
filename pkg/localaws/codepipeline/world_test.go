package codepipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
)

const (
	roleARN = "arn:aws:iam::111122223333:role/pipeline"
	bucket  = "artifacts"
)

// A world is a service among fakes, on a clock that stands still.
type world struct {
	t         testing.TB
	clock     *clock.Manual
	service   *Service
	objects   objects
	functions *functions
	builds    *builds
	commits   *repository
	roles     *roles
	published *published
	events    []Event
}

func newWorld(t testing.TB) *world {
	c := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := &world{
		t: t, clock: c, objects: objects{}, builds: &builds{clock: c},
		commits:   &repository{tip: "c0ffee01"},
		roles:     &roles{denied: map[string]bool{}},
		published: &published{},
	}
	w.functions = &functions{clock: c, answers: map[string]func(jobEvent){}}
	w.service = New(Config{
		Clock: c, Region: "us-east-1", Account: "111122223333",
		Objects: w.objects, Functions: w.functions, Builds: w.builds, Repositories: w.commits,
		Roles: w.roles, Events: w.published,
	})
	w.service.Watch(func(e Event) { w.events = append(w.events, e) })
	return w
}

type objects map[string][]byte

func (o objects) Get(bucket, key string) ([]byte, error) {
	body, ok := o[bucket+"/"+key]
	if !ok {
		return nil, errors.New("no such key")
	}
	return body, nil
}

func (o objects) Put(bucket, key string, body []byte) error {
	o[bucket+"/"+key] = body
	return nil
}

// functions keep the jobs that they are invoked with, and answer those of a
// function that has an answer.
type functions struct {
	mu      sync.Mutex
	clock   *clock.Manual
	jobs    []jobEvent
	raw     [][]byte
	answers map[string]func(jobEvent)
	refuse  error
}

func (f *functions) InvokeAsync(function string, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	var event struct {
		Job jobEvent `json:"CodePipeline.job"`
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		return err
	}
	f.jobs = append(f.jobs, event.Job)
	f.raw = append(f.raw, payload)
	if answer := f.answers[function]; answer != nil {
		f.clock.Go(func() { answer(event.Job) })
	}
	return nil
}

func (f *functions) last(t testing.TB) jobEvent {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.jobs) == 0 {
		t.Fatal("no function has been invoked")
	}
	return f.jobs[len(f.jobs)-1]
}

// builds end at once with outcome, or when the test says so if hold is set.
type builds struct {
	clock   *clock.Manual
	started []Build
	outcome Outcome
	hold    bool
	refuse  error
	done    []func(Outcome)
}

func (b *builds) Run(build Build, done func(Outcome)) (string, error) {
	if b.refuse != nil {
		return "", b.refuse
	}
	b.started = append(b.started, build)
	id := fmt.Sprintf("%s:%d", build.Project, len(b.started))
	if b.hold {
		b.done = append(b.done, done)
		return id, nil
	}
	outcome := b.outcome
	outcome.BuildID = id
	b.clock.Go(func() { done(outcome) })
	return id, nil
}

type repository struct {
	tip    string
	asked  []string
	refuse error
}

func (r *repository) Archive(repository, revision string) (Commit, []byte, error) {
	r.asked = append(r.asked, repository+"@"+revision)
	if r.refuse != nil {
		return Commit{}, nil, r.refuse
	}
	id := revision
	if revision == "main" {
		id = r.tip
	}
	return Commit{ID: id, Message: "change " + id, AuthorDate: "2026-03-01T11:00:00Z", CommitterDate: "2026-03-01T11:30:00Z"}, []byte("zip of " + id), nil
}

type roles struct {
	denied map[string]bool // by action
	asked  []wire.Access
}

func (r *roles) Assume(roleARN, session string) (Credentials, error) {
	return Credentials{"AKIA" + session[:4], "secret", "token", time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)}, nil
}

func (r *roles) RoleAllows(_ string, a wire.Access) bool {
	r.asked = append(r.asked, a)
	return !r.denied[a.Action]
}

type published struct{ details []map[string]any }

func (p *published) Publish(source, detailType string, resources []string, detail any) {
	event := map[string]any{"source": source, "detail-type": detailType, "resources": resources}
	for key, value := range detail.(map[string]any) {
		event[key] = value
	}
	p.details = append(p.details, event)
}

// Actions and pipelines to test with.

func source() Stage {
	return Stage{Name: "Source", Actions: []Action{{
		Name: "Fetch", Namespace: "Source", ActionTypeId: ActionType{"Source", "AWS", "CodeCommit", "1"},
		Configuration:   map[string]string{"RepositoryName": "hello", "BranchName": "main", "PollForSourceChanges": "false"},
		OutputArtifacts: []ArtifactName{{"SourceOutput"}},
	}}}
}

func build() Stage {
	return Stage{Name: "Build", Actions: []Action{{
		Name: "Image", Namespace: "Built", ActionTypeId: ActionType{"Build", "AWS", "CodeBuild", "1"},
		Configuration: map[string]string{
			"ProjectName":          "hello",
			"EnvironmentVariables": `[{"name":"COMMIT","value":"#{Source.CommitId}"},{"name":"RUN","value":"#{codepipeline.PipelineExecutionId}","type":"PLAINTEXT"}]`,
		},
		InputArtifacts: []ArtifactName{{"SourceOutput"}}, OutputArtifacts: []ArtifactName{{"BuildOutput"}},
	}}}
}

func invoke(name, parameters string) Action {
	a := Action{
		Name: name, ActionTypeId: ActionType{"Invoke", "AWS", "Lambda", "1"},
		Configuration: map[string]string{"FunctionName": name},
	}
	if parameters != "" {
		a.Configuration["UserParameters"] = parameters
	}
	return a
}

func approve() Stage {
	return Stage{Name: "Approve", Actions: []Action{{
		Name: "Approval", ActionTypeId: ActionType{"Approval", "AWS", "Manual", "1"},
		Configuration: map[string]string{"CustomData": "Release #{Source.CommitId}?"},
	}}}
}

func inOrder(order int, a Action) Action {
	a.RunOrder = &order
	return a
}

// pipelineOf makes a V2 pipeline named release from a source and more stages.
func pipelineOf(stages ...Stage) Declaration {
	return Declaration{
		Name: "release", RoleArn: roleARN, PipelineType: "V2",
		ArtifactStore: &ArtifactStore{Type: "S3", Location: bucket},
		Stages:        append([]Stage{source()}, stages...),
	}
}

func deploy(actions ...Action) Stage { return Stage{Name: "Deploy", Actions: actions} }

// create makes a pipeline and returns its first execution.
func (w *world) create(d Declaration) string {
	w.t.Helper()
	if _, err := w.service.CreatePipeline(w.t.Context(), &CreatePipelineInput{Pipeline: d}); err != nil {
		w.t.Fatalf("create pipeline: %v", err)
	}
	w.settle()
	out, err := w.service.ListPipelineExecutions(w.t.Context(), &ListPipelineExecutionsInput{PipelineName: d.Name})
	if err != nil {
		w.t.Fatalf("list executions: %v", err)
	}
	return out.PipelineExecutionSummaries[0].PipelineExecutionId
}

func (w *world) start() string {
	w.t.Helper()
	out, err := w.service.StartPipelineExecution(w.t.Context(), &StartPipelineExecutionInput{Name: "release"})
	if err != nil {
		w.t.Fatalf("start execution: %v", err)
	}
	w.settle()
	return out.PipelineExecutionId
}

// settle runs what is due now.
func (w *world) settle() { w.clock.Advance(0) }

func (w *world) succeed(j jobEvent) error {
	_, err := w.service.PutJobSuccessResult(w.t.Context(), &PutJobSuccessResultInput{JobId: j.ID})
	w.settle()
	return err
}

func (w *world) fail(j jobEvent, message string) error {
	_, err := w.service.PutJobFailureResult(w.t.Context(), &PutJobFailureResultInput{JobId: j.ID, FailureDetails: FailureDetails{Type: "JobFailed", Message: message}})
	w.settle()
	return err
}

func (w *world) resume(j jobEvent, token string) error {
	_, err := w.service.PutJobSuccessResult(w.t.Context(), &PutJobSuccessResultInput{JobId: j.ID, ContinuationToken: &token})
	w.settle()
	return err
}

// execution returns an execution as it stands.
func (w *world) execution(id string) *execution {
	w.t.Helper()
	for _, p := range w.service.pipelines {
		if e := p.execution(id); e != nil {
			return e
		}
	}
	w.t.Fatalf("there is no execution %s", id)
	return nil
}

func (w *world) wantStatus(id string, want ExecutionStatus) {
	w.t.Helper()
	if got := w.execution(id).status; got != want {
		w.t.Errorf("execution %s: got status %s, want %s", id, got, want)
	}
}

// action returns the latest run of an action.
func (w *world) action(stage, action string) *ActionExecution {
	w.t.Helper()
	out, err := w.service.GetPipelineState(w.t.Context(), &GetPipelineStateInput{Name: "release"})
	if err != nil {
		w.t.Fatalf("get pipeline state: %v", err)
	}
	for _, s := range out.StageStates {
		for _, a := range s.ActionStates {
			if s.StageName == stage && a.ActionName == action && a.LatestExecution != nil {
				return a.LatestExecution
			}
		}
	}
	w.t.Fatalf("action %s/%s has not run", stage, action)
	return nil
}

func (w *world) wantAction(stage, action string, want ActionStatus) *ActionExecution {
	w.t.Helper()
	got := w.action(stage, action)
	if got.Status != want {
		w.t.Errorf("action %s/%s: got %s (%v), want %s", stage, action, got.Status, got.ErrorDetails, want)
	}
	return got
}

// wantCode checks an error's code as AWS names it; "" wants none.
func wantCode(t testing.TB, err error, want string) {
	t.Helper()
	got := ""
	if refused := new(wire.Error); errors.As(err, &refused) {
		got = refused.Code
	} else if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("error: got %q (%v), want %q", got, err, want)
	}
}

// states lists the states of published events of one kind in order.
func (p *published) states(detailType string) []string {
	var states []string
	for _, d := range p.details {
		if d["detail-type"] == detailType {
			states = append(states, fmt.Sprint(d["state"]))
		}
	}
	return slices.Clip(states)
}
