package codepipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// Functions is what pipelines ask of Lambda.
type Functions interface {
	// InvokeAsync queues an event for a function, by name or ARN. An error
	// means that the event was not queued.
	InvokeAsync(function string, payload []byte) error
}

// The times that a job may take.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
const (
	silenceLimit = 20 * time.Minute // from an invocation to its report
	totalLimit   = 24 * time.Hour   // from the first invocation to the end
)

// lambdaInvoke hands a job to a function and waits for the report of it; a
// report with a continuation token leads to the next job.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html
func lambdaInvoke() provider {
	return provider{
		inputs:   [2]int{0, 5},
		outputs:  [2]int{0, 5},
		required: []string{"FunctionName"},
		optional: []string{"UserParameters"},
		timeout:  totalLimit,
		run:      func(s *Service, r *actionRun) { s.invoke(r, "") },
		late: func(r *actionRun) string {
			return fmt.Sprintf("The AWS Lambda function %s did not complete the action within 24 hours", r.configuration["FunctionName"])
		},
	}
}

// invoke makes a job of a run and sends it to the function.
func (s *Service) invoke(r *actionRun, token string) {
	function := r.configuration["FunctionName"]
	if denied := s.permit(r, wire.Access{Action: "lambda:InvokeFunction", Resource: s.functionARN(function)}); denied != "" {
		s.fail(r, "PermissionError", denied)
		return
	}
	credentials, err := s.credentials(r)
	if err != nil {
		s.fail(r, "PermissionError", fmt.Sprintf("Could not assume the role %s: %v", r.role(), err))
		return
	}
	j := s.dispatch(r, token)
	if j == nil {
		return
	}
	payload, err := json.Marshal(map[string]any{"CodePipeline.job": j.event(s.Account, credentials)})
	if err != nil {
		s.fail(r, "SystemUnavailable", fmt.Sprintf("Could not encode the job: %v", err))
		return
	}
	if err := s.Functions.InvokeAsync(function, payload); err != nil {
		code := "JobFailed"
		if refused := new(wire.Error); errors.As(err, &refused) && refused.Code == "ResourceNotFoundException" {
			code = "ConfigurationError"
		}
		s.fail(r, code, fmt.Sprintf("The AWS Lambda function %s could not be invoked: %v", function, err))
	}
}

// dispatch makes the next job of a run and starts its silence timer. It makes
// none if the run has ended meanwhile.
func (s *Service) dispatch(r *actionRun, token string) *job {
	var j *job
	s.turn(func(t *turn) error {
		if t.closed || r.status != ActionInProgress {
			return nil
		}
		j = &job{id: newID(), run: r, token: token, created: t.now}
		t.jobs[j.id] = j
		t.jobOrder = append(t.jobOrder, j)
		r.job = j
		r.silence = t.Clock.AfterFunc(silenceLimit, func() {
			s.silent(r, j)
		})
		return nil
	})
	return j
}

// silent fails a run whose job was not answered in time.
func (s *Service) silent(r *actionRun, j *job) {
	s.turn(func(t *turn) error {
		if t.closed || r.job != j || j.accepted > 0 {
			return nil
		}
		message := fmt.Sprintf("The AWS Lambda function %s failed to return a result. Check the function to verify that it has permission to call the PutJobSuccessResult action and that it made a call to PutJobSuccessResult.", r.configuration["FunctionName"])
		if t.finish(r, ActionFailed, ending{fault: &ErrorDetails{"JobFailed", message}}) {
			t.settle(r.execution.pipeline)
		}
		return nil
	})
}

func (s *Service) functionARN(function string) string {
	if strings.HasPrefix(function, "arn:") {
		return function
	}
	return "arn:aws:lambda:" + s.Region + ":" + s.Account + ":function:" + function
}

// credentials are what a job may read and write artifacts with.
func (s *Service) credentials(r *actionRun) (Credentials, error) {
	if s.Roles == nil {
		return Credentials{}, nil
	}
	return s.Roles.Assume(r.role(), r.id)
}

// The shape of a job in an event.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html#action-reference-Lambda-event
type jobEvent struct {
	ID        string    `json:"id"`
	AccountID string    `json:"accountId"`
	Data      eventData `json:"data"`
}

type eventData struct {
	ActionConfiguration struct {
		Configuration map[string]string `json:"configuration"`
	} `json:"actionConfiguration"`
	InputArtifacts      []eventArtifact  `json:"inputArtifacts"`
	OutputArtifacts     []eventArtifact  `json:"outputArtifacts"`
	ArtifactCredentials eventCredentials `json:"artifactCredentials"`
	ContinuationToken   string           `json:"continuationToken,omitempty"`
	EncryptionKey       *eventKey        `json:"encryptionKey,omitempty"`
}

type eventArtifact struct {
	Name     string        `json:"name"`
	Revision *string       `json:"revision"`
	Location eventLocation `json:"location"`
}

type eventLocation struct {
	Type       string        `json:"type"`
	S3Location eventS3Object `json:"s3Location"`
}

type eventS3Object struct {
	BucketName string `json:"bucketName"`
	ObjectKey  string `json:"objectKey"`
}

type eventCredentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
	ExpirationTime  int64  `json:"expirationTime,omitempty"` // milliseconds since the epoch
}

type eventKey struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// event is what the function gets to see of a job.
func (j *job) event(account string, c Credentials) jobEvent {
	event := jobEvent{ID: j.id, AccountID: account}
	event.Data.ActionConfiguration.Configuration = j.run.configuration
	event.Data.InputArtifacts = eventArtifacts(j.run.inputs)
	event.Data.OutputArtifacts = eventArtifacts(j.run.outputs)
	event.Data.ContinuationToken = j.token
	event.Data.ArtifactCredentials = eventCredentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	if !c.Expiration.IsZero() {
		event.Data.ArtifactCredentials.ExpirationTime = c.Expiration.UnixMilli()
	}
	if key := j.run.execution.structure.ArtifactStore.EncryptionKey; key != nil {
		event.Data.EncryptionKey = &eventKey{ID: key.Id, Type: key.Type}
	}
	return event
}

func eventArtifacts(artifacts []artifact) []eventArtifact {
	all := []eventArtifact{}
	for _, a := range artifacts {
		all = append(all, eventArtifact{
			Name: a.Name, Revision: a.Revision,
			Location: eventLocation{Type: "S3", S3Location: eventS3Object{BucketName: a.Bucket, ObjectKey: a.Key}},
		})
	}
	return all
}
