package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"
)

const (
	job1 = "11111111-1111-4111-8111-111111111111"
	job2 = "22222222-2222-4222-8222-222222222222"
)

// Markers for what must never be seen again.
const (
	secretKeyID  = "AKIAMARKERMARKER"
	secretAccess = "marker/secret/access/key/marker"
	secretToken  = "marker//session//token//marker"
)

// params are those of the tests' action.
type params struct {
	Target string        `json:"target"`
	Count  int           `json:"count,omitempty"`
	Panics bool          `json:"panics,omitempty"`
	Slow   time.Duration `json:"slow,omitempty"`
}

func (p params) Validate() error {
	if p.Panics {
		panic("validation of " + p.Target)
	}
	var faults []error
	if p.Target == "" {
		faults = append(faults, errors.New("target is missing"))
	}
	if p.Count < 0 {
		faults = append(faults, errors.New("count is negative"))
	}
	return errors.Join(faults...)
}

func (p params) Annotations() map[string]string {
	return map[string]string{"execution": "exec-1", "action": "Test"}
}

func (p params) Deadlines() Limits { return Limits{Progress: p.Slow} }

type state struct {
	At int `json:"at"`
}

// pipeline is CodePipeline for one action: it takes reports and continues jobs.
type pipeline struct {
	mu       sync.Mutex
	fail     []error // of the next calls, in order; nil lets one through
	calls    int
	accepted map[string]report
}

type report struct {
	Success *codepipeline.PutJobSuccessResultInput
	Failure *codepipeline.PutJobFailureResultInput
}

func (p *pipeline) take(id string, r report) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if len(p.fail) > 0 {
		err := p.fail[0]
		p.fail = p.fail[1:]
		if err != nil {
			return err
		}
	}
	if _, answered := p.accepted[id]; answered {
		return apiError("PutJobSuccessResult", "InvalidJobStateException", "the job is over")
	}
	if p.accepted == nil {
		p.accepted = map[string]report{}
	}
	p.accepted[id] = r
	return nil
}

func (p *pipeline) PutJobSuccessResult(ctx context.Context, in *codepipeline.PutJobSuccessResultInput, _ ...func(*codepipeline.Options)) (*codepipeline.PutJobSuccessResultOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &codepipeline.PutJobSuccessResultOutput{}, p.take(*in.JobId, report{Success: in})
}

func (p *pipeline) PutJobFailureResult(ctx context.Context, in *codepipeline.PutJobFailureResultInput, _ ...func(*codepipeline.Options)) (*codepipeline.PutJobFailureResultOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &codepipeline.PutJobFailureResultOutput{}, p.take(*in.JobId, report{Failure: in})
}

// world is a function with its pipeline, clock and log.
type world struct {
	pipeline pipeline
	now      time.Time
	log      bytes.Buffer
	config   Config
}

func newWorld() *world {
	w := &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.config = Config{
		Action:       "Test",
		CodePipeline: &w.pipeline,
		Logger:       slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:          func() time.Time { return w.now },
		Backoff:      func(int) time.Duration { return time.Millisecond },
	}
	return w
}

// run invokes a function with the step once.
func (w *world) run(t *testing.T, step Step[params, state], payload []byte) (report, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := NewHandler(w.config, step).Invoke(ctx, payload)
	var id struct {
		Job struct{ ID string } `json:"CodePipeline.job"`
	}
	_ = json.Unmarshal(payload, &id) // broken events have reports to look up by hand
	return w.pipeline.accepted[id.Job.ID], err
}

func (r report) failure(t *testing.T, kind types.FailureType) string {
	t.Helper()
	if r.Failure == nil {
		t.Fatalf("got %+v, want a failure", r)
	}
	if got := r.Failure.FailureDetails.Type; got != kind {
		t.Errorf("failure type: got %s, want %s (%s)", got, kind, *r.Failure.FailureDetails.Message)
	}
	return *r.Failure.FailureDetails.Message
}

func (r report) continued(t *testing.T) (token, string) {
	t.Helper()
	if r.Success == nil || r.Success.ContinuationToken == nil {
		if r.Failure != nil {
			t.Fatalf("got failure %q, want a continuation", *r.Failure.FailureDetails.Message)
		}
		t.Fatalf("got %+v, want a continuation", r)
	}
	decoded, err := decodeToken(*r.Success.ContinuationToken)
	if err != nil {
		t.Fatal(err)
	}
	return decoded, *r.Success.ExecutionDetails.Summary
}

// eventFor is what CodePipeline sends for a job.
func eventFor(id, userParameters, continuation string) []byte {
	data := map[string]any{
		"actionConfiguration": map[string]any{"configuration": map[string]any{"FunctionName": "f", "UserParameters": userParameters}},
		"inputArtifacts": []any{map[string]any{"name": "source", "revision": nil, "location": map[string]any{
			"type": "S3", "s3Location": map[string]any{"bucketName": "artifacts", "objectKey": "p/source/1"}}}},
		"outputArtifacts": []any{map[string]any{"name": "result", "revision": nil, "location": map[string]any{
			"type": "S3", "s3Location": map[string]any{"bucketName": "artifacts", "objectKey": "p/result/1"}}}},
		"artifactCredentials": map[string]any{"accessKeyId": secretKeyID, "secretAccessKey": secretAccess, "sessionToken": secretToken, "expirationTime": 1.7e12},
		"encryptionKey":       map[string]any{"id": "arn:aws:kms:us-east-1:111122223333:key/k", "type": "KMS"},
		"somethingNew":        []int{1},
	}
	if continuation != "" {
		data["continuationToken"] = continuation
	}
	payload, err := json.Marshal(map[string]any{"CodePipeline.job": map[string]any{"id": id, "accountId": "111122223333", "data": data}, "new": true})
	if err != nil {
		panic(err)
	}
	return payload
}

func apiError(operation, code, message string) error {
	return &smithy.OperationError{ServiceID: "ECS", OperationName: operation, Err: &smithy.GenericAPIError{Code: code, Message: message}}
}

func fails(err error) Step[params, state] {
	return func(context.Context, Job[params], state) (Result[state], error) { return Result[state]{}, err }
}

func gives(r Result[state]) Step[params, state] {
	return func(context.Context, Job[params], state) (Result[state], error) { return r, nil }
}

var good = `{"target":"t"}`
