package automation

import (
	"maps"
	"time"
)

// An Execution is what is known of one execution of a document at one moment.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AutomationExecution.html
type Execution struct {
	ID              string
	DocumentName    string
	DocumentVersion string
	Status          string // InProgress, Waiting, Cancelling, Success, Failed, TimedOut or Cancelled
	Mode            string
	ExecutedBy      string // an ARN
	Role            string // that it assumed, or ""
	StartTime       time.Time
	EndTime         time.Time // zero until it is over
	Parameters      map[string][]string
	Outputs         map[string][]string
	FailureMessage  string
	CurrentStep     string // name; "" when it is over
	CurrentAction   string
	Steps           []StepExecution // all steps of the document, in its order
}

// Over says that nothing more happens.
func (x Execution) Over() bool { return !x.EndTime.IsZero() }

// A StepExecution is what is known of a step.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StepExecution.html
type StepExecution struct {
	ID             string // "" until it starts
	Name           string
	Action         string
	Status         string // Pending, InProgress, Waiting, Success, Failed, TimedOut or Cancelled
	StartTime      time.Time
	EndTime        time.Time
	Timeout        time.Duration // of an attempt; zero means none
	MaxAttempts    int
	Attempts       int // made so far
	OnFailure      string
	IsEnd          bool
	IsCritical     bool
	NextStep       string
	ValidNextSteps []string
	Inputs         map[string]string // as JSON
	Outputs        map[string][]string
	FailureMessage string
	FailureDetails *FailureDetails
}

// FailureDetails classify why a step failed.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_FailureDetails.html
type FailureDetails struct {
	FailureStage string // InputValidation, PreVerification, Invocation or PostVerification
	FailureType  string // Action, Permission, Throttling, Verification or Internal
}

// notYet is what AWS shows in place of an output that is not there.
const notYet = "No output available yet because the step is not successfully executed"

// snapshotLocked copies what the API shows of a run.
func (r *run) snapshotLocked() Execution {
	x := Execution{
		ID: r.ID, DocumentName: r.DocumentName, DocumentVersion: r.DocumentVersion, Status: r.status, Mode: r.Mode,
		ExecutedBy: r.ExecutedBy, Role: r.role, StartTime: r.started, EndTime: r.ended,
		Parameters: maps.Clone(r.Parameters), Outputs: map[string][]string{}, FailureMessage: r.message,
	}
	if r.ended.IsZero() {
		x.CurrentStep, x.CurrentAction = r.Document.Steps[r.at].Name, r.Document.Steps[r.at].Action
	}
	for _, ref := range r.Document.Outputs {
		x.Outputs[ref] = []string{notYet}
		if value, ok := r.outputs[ref]; ok {
			x.Outputs[ref] = texts(value)
		}
	}
	for i, p := range r.steps {
		x.Steps = append(x.Steps, r.stepLocked(i, p))
	}
	return x
}

func (r *run) stepLocked(i int, p progress) StepExecution {
	s := r.Document.Steps[i]
	x := StepExecution{
		ID: p.id, Name: s.Name, Action: s.Action, Status: p.status, StartTime: p.started, EndTime: p.ended,
		Timeout: s.Timeout, MaxAttempts: s.MaxAttempts, Attempts: p.attempts, OnFailure: s.OnFailure, IsEnd: s.IsEnd, IsCritical: s.IsCritical,
		FailureMessage: p.message, FailureDetails: p.details,
	}
	x.NextStep, _ = r.Document.following(i)
	for name := range r.Document.ways(i) {
		if r.Document.index(name) >= 0 {
			x.ValidNextSteps = append(x.ValidNextSteps, name)
		}
	}
	if p.inputs != nil {
		x.Inputs = map[string]string{}
		for name, value := range p.inputs {
			x.Inputs[name] = encoded(value)
		}
	}
	if p.outputs != nil {
		x.Outputs = map[string][]string{}
		for name, value := range p.outputs {
			x.Outputs[name] = texts(value)
		}
	}
	return x
}
