package codepipeline

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"cutover/pkg/localaws/wire"
)

// A job is one invocation of a function that waits for one report.
type job struct {
	id      string
	run     *actionRun
	token   string // the continuation token it was made with
	created time.Time
	// How many reports were accepted (0 or 1), and refused since the job had
	// been answered or its action had ended.
	accepted, refused int
}

// A JobRecord tells how a job was reported on.
type JobRecord struct {
	ID                           string
	Pipeline, Stage, Action      string
	ExecutionID, ActionExecution string
	ContinuationToken            string // that it was made with; empty for the first job of a run
	Created                      time.Time
	Accepted, Refused            int // reports
}

// Jobs lists all jobs that were ever made, in order.
func (s *Service) Jobs() []JobRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []JobRecord
	for _, j := range s.jobOrder {
		all = append(all, j.record())
	}
	return all
}

// Reports returns the record of one job.
func (s *Service) Reports(jobID string) (JobRecord, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.jobs[jobID]
	if !ok {
		return JobRecord{}, false
	}
	return j.record(), true
}

func (j *job) record() JobRecord {
	return JobRecord{
		ID: j.id, Pipeline: j.run.execution.structure.Name, Stage: j.run.stage, Action: j.run.action.Name,
		ExecutionID: j.run.execution.id, ActionExecution: j.run.id, ContinuationToken: j.token,
		Created: j.created, Accepted: j.accepted, Refused: j.refused,
	}
}

// PutJobSuccessResultInput is the input of PutJobSuccessResult.
type PutJobSuccessResultInput struct {
	JobId             string  `aws:",required"`
	ContinuationToken *string // 1 to 2048 characters; given when the job is not done
	CurrentRevision   *CurrentRevision
	ExecutionDetails  *ExecutionDetails
	OutputVariables   map[string]string
}

// A CurrentRevision is a revision that a job reports.
type CurrentRevision struct {
	Revision         string `aws:",required"`
	ChangeIdentifier string `aws:",required"`
	Created          time.Time
	RevisionSummary  *string
}

// ExecutionDetails is how far a job has come.
type ExecutionDetails struct {
	Summary             *string // 1 to 2048 characters
	ExternalExecutionId *string // 1 to 1500 characters
	PercentComplete     *int    // 0 to 100
}

// PutJobSuccessResultOutput is empty.
type PutJobSuccessResultOutput struct{}

// The longest that members of a report may be, in characters; all output
// variables of an action together, in bytes.
const (
	maxToken     = 2048
	maxSummary   = 2048
	maxMessage   = 5000
	maxExternal  = 1500
	maxVariables = 122880
)

var (
	jobPattern    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	outputPattern = regexp.MustCompile(`^[A-Za-z0-9@_-]+$`)
)

// PutJobSuccessResult reports that a job is done, or goes on if there is a
// continuation token.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html
func (s *Service) PutJobSuccessResult(_ context.Context, in *PutJobSuccessResultInput) (*PutJobSuccessResultOutput, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	return &PutJobSuccessResultOutput{}, s.turn(func(t *turn) error {
		j, err := t.answerable(in.JobId)
		if err != nil {
			return err
		}
		size := 0
		for name, value := range in.OutputVariables {
			size += len(name) + len(value)
		}
		if size > maxVariables {
			return wire.Errorf("OutputVariablesSizeExceededException", "The output variables take %d bytes; %d are allowed", size, maxVariables)
		}
		j.accepted++
		j.run.silence.Stop()
		j.run.note(in.ExecutionDetails)
		if in.ContinuationToken != nil {
			t.resume(j.run, *in.ContinuationToken)
			return nil
		}
		t.finish(j.run, ActionSucceeded, ending{variables: in.OutputVariables, revision: in.revision(j.run)})
		t.settle(j.run.execution.pipeline)
		return nil
	})
}

// resume has a run's function invoked again after the delay.
func (t *turn) resume(r *actionRun, token string) {
	r.updated = t.now
	t.noteAction(r, false)
	r.next = t.Clock.AfterFunc(t.Continuation, func() { t.invoke(r, token) })
}

func (r *actionRun) note(d *ExecutionDetails) {
	if d == nil {
		return
	}
	if d.Summary != nil {
		r.summary = *d.Summary
	}
	if d.ExternalExecutionId != nil {
		r.externalID = *d.ExternalExecutionId
	}
	if d.PercentComplete != nil {
		r.percent = d.PercentComplete
	}
}

func (in *PutJobSuccessResultInput) revision(r *actionRun) *revision {
	c := in.CurrentRevision
	if c == nil {
		return nil
	}
	found := &revision{action: r.action.Name, id: c.Revision, created: c.Created}
	if c.RevisionSummary != nil {
		found.summary = *c.RevisionSummary
	}
	if len(r.outputs) > 0 {
		found.artifact = r.outputs[0].Name
	}
	return found
}

func (in *PutJobSuccessResultInput) validate() error {
	var v lengths
	v.job(in.JobId)
	v.within("continuationToken", in.ContinuationToken, maxToken)
	if d := in.ExecutionDetails; d != nil {
		v.within("executionDetails.summary", d.Summary, maxSummary)
		v.within("executionDetails.externalExecutionId", d.ExternalExecutionId, maxExternal)
		if d.PercentComplete != nil && (*d.PercentComplete < 0 || *d.PercentComplete > 100) {
			v.fault("executionDetails.percentComplete: is %d, not within 0 to 100", *d.PercentComplete)
		}
	}
	if c := in.CurrentRevision; c != nil {
		v.within("currentRevision.revision", &c.Revision, 1500)
		v.within("currentRevision.changeIdentifier", &c.ChangeIdentifier, 100)
		v.within("currentRevision.revisionSummary", c.RevisionSummary, 2048)
	}
	for _, name := range slices.Sorted(maps.Keys(in.OutputVariables)) {
		if !outputPattern.MatchString(name) {
			v.fault("outputVariables: the name %q is not of A-Z a-z 0-9 @ - _", name)
		}
	}
	if in.ContinuationToken != nil && len(in.OutputVariables) > 0 {
		v.fault("outputVariables: cannot be given together with a continuation token")
	}
	return v.err()
}

// PutJobFailureResultInput is the input of PutJobFailureResult.
type PutJobFailureResultInput struct {
	JobId          string         `aws:",required"`
	FailureDetails FailureDetails `aws:",required"`
}

// FailureDetails says why a job failed.
type FailureDetails struct {
	Type                string `aws:",required"`
	Message             string `aws:",required"` // 1 to 5000 characters
	ExternalExecutionId *string
}

// PutJobFailureResultOutput is empty.
type PutJobFailureResultOutput struct{}

// PutJobFailureResult reports that a job has failed.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobFailureResult.html
func (s *Service) PutJobFailureResult(_ context.Context, in *PutJobFailureResultInput) (*PutJobFailureResultOutput, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	return &PutJobFailureResultOutput{}, s.turn(func(t *turn) error {
		j, err := t.answerable(in.JobId)
		if err != nil {
			return err
		}
		j.accepted++
		end := ending{fault: &ErrorDetails{in.FailureDetails.Type, in.FailureDetails.Message}}
		if id := in.FailureDetails.ExternalExecutionId; id != nil {
			end.externalID = *id
		}
		t.finish(j.run, ActionFailed, end)
		t.settle(j.run.execution.pipeline)
		return nil
	})
}

func (in *PutJobFailureResultInput) validate() error {
	var v lengths
	v.job(in.JobId)
	types := []string{"JobFailed", "ConfigurationError", "PermissionError", "RevisionOutOfSync", "RevisionUnavailable", "SystemUnavailable"}
	if !slices.Contains(types, in.FailureDetails.Type) {
		v.fault("failureDetails.type: is %q, none of %q", in.FailureDetails.Type, types)
	}
	v.within("failureDetails.message", &in.FailureDetails.Message, maxMessage)
	v.within("failureDetails.externalExecutionId", in.FailureDetails.ExternalExecutionId, maxExternal)
	return v.err()
}

// answerable finds a job that waits for its report. A job that was answered
// before, or whose action has ended, counts the refusal.
func (t *turn) answerable(id string) (*job, error) {
	j, ok := t.jobs[id]
	if !ok {
		return nil, wire.Errorf("JobNotFoundException", "Could not find the job %s", id)
	}
	if j.accepted > 0 || j.run.status != ActionInProgress || j.run.job != j {
		j.refused++
		return nil, wire.Errorf("InvalidJobStateException", "The job %s cannot be reported on: it has been answered, or its action has ended", id)
	}
	return j, nil
}

// lengths collects what is wrong with a report.
type lengths []string

func (v *lengths) fault(format string, args ...any) { *v = append(*v, fmt.Sprintf(format, args...)) }

func (v *lengths) job(id string) {
	if !jobPattern.MatchString(id) {
		v.fault("jobId: %q is not a UUID in lower case", id)
	}
}

func (v *lengths) within(name string, text *string, most int) {
	if text == nil {
		return
	}
	if n := utf8.RuneCountInString(*text); n < 1 || n > most {
		v.fault("%s: is %d characters long, not within 1 to %d", name, n, most)
	}
}

func (v *lengths) err() error {
	if len(*v) == 0 {
		return nil
	}
	return wire.Service{}.InvalidInput(*v)
}
