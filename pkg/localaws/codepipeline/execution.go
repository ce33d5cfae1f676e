package codepipeline

import (
	"maps"
	"slices"
	"time"

	"cutover/pkg/localaws/clock"
)

// An ExecutionStatus is how a pipeline execution stands.
type ExecutionStatus string

// The statuses of an execution.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html
const (
	ExecutionCancelled  ExecutionStatus = "Cancelled"
	ExecutionInProgress ExecutionStatus = "InProgress"
	ExecutionStopped    ExecutionStatus = "Stopped"
	ExecutionStopping   ExecutionStatus = "Stopping"
	ExecutionSucceeded  ExecutionStatus = "Succeeded"
	ExecutionSuperseded ExecutionStatus = "Superseded"
	ExecutionFailed     ExecutionStatus = "Failed"
)

// The types of an execution.
const (
	TypeStandard = "STANDARD"
	TypeRollback = "ROLLBACK"
)

// A Trigger is what started an execution.
type Trigger struct {
	TriggerType   string // as in AWS's enum, e.g. CloudWatchEvent
	TriggerDetail string // an ARN or an execution's id
}

// An execution is one pass of a pipeline. What is set at its start never
// changes; the rest is guarded by the service's lock.
type execution struct {
	id        string
	pipeline  *pipeline
	structure *Declaration // as it was at the start
	kind      string
	target    string // the execution that a rollback goes back to
	trigger   Trigger
	started   time.Time
	overrides map[string]string // commit by source action
	parameter map[string]string // pipeline variables

	status    ExecutionStatus
	updated   time.Time
	attempt   int  // 1, and one more for each retry
	at        int  // the stage it is in, or waits for
	waiting   bool // for stage at
	stop      *stop
	stages    []*stageRun // by stage; nil where it has not been
	artifacts map[string]artifact
	exported  map[string]map[string]string // variables by namespace
	revisions []revision
}

type stop struct {
	abandon bool
	reason  string
}

// A revision is what a source action found.
type revision struct {
	action, artifact string
	id, summary, url string
	created          time.Time
}

// A stageRun is a stage as one execution runs it.
type stageRun struct {
	status StageStatus
	// settled says that the stage has come to rest and its consequences are
	// drawn; until then it is locked.
	settled bool
	current map[string]*actionRun // the run that counts, by action
	history []*actionRun          // all runs, in order
	retry   retryRecord
}

type retryRecord struct {
	automatic, manual int
	trigger           string // AutomatedStageRetry or ManualStageRetry
}

func (r *stageRun) statuses() map[string]ActionStatus {
	all := make(map[string]ActionStatus, len(r.current))
	for name, a := range r.current {
		all[name] = a.status
	}
	return all
}

// An actionRun is one run of an action. What is set at its start never changes,
// so that it may be read without the lock; the rest is guarded by the lock.
type actionRun struct {
	id            string
	execution     *execution
	stage         string
	action        Action
	configuration map[string]string // with all references resolved
	inputs        []artifact
	outputs       []artifact
	token         string // of an approval
	started       time.Time

	status     ActionStatus
	updated    time.Time
	updatedBy  string
	summary    string
	percent    *int
	externalID string
	// externalURL is where the console shows that.
	externalURL string
	fault       *ErrorDetails
	variables   map[string]string
	revision    *revision
	job         *job        // the latest one
	total       clock.Timer // ends the run whatever it does
	silence     clock.Timer // ends it when its job is not answered
	next        clock.Timer // invokes it again
}

// ErrorDetails says why an action failed.
type ErrorDetails struct {
	Code    string
	Message string
}

func (r *actionRun) stopTimers() {
	for _, t := range []clock.Timer{r.total, r.silence, r.next} {
		if t != nil {
			t.Stop()
		}
	}
}

func (e *execution) version() int { return *e.structure.Version }

// live says that the execution is still under way.
func (e *execution) live() bool {
	return e.status == ExecutionInProgress || e.status == ExecutionStopping
}

// running lists the actions in progress, in the order of their start.
func (e *execution) running() []*actionRun {
	var all []*actionRun
	for _, stage := range e.stages {
		if stage == nil {
			continue
		}
		for _, r := range stage.history {
			if r.status == ActionInProgress {
				all = append(all, r)
			}
		}
	}
	return all
}

// holds says that the execution keeps others out of a stage.
func (e *execution) holds(stage int) bool {
	return stage < len(e.stages) && e.stages[stage] != nil && !e.stages[stage].settled
}

func (e *execution) succeededIn(stage int) bool {
	return stage < len(e.stages) && e.stages[stage] != nil && e.stages[stage].status == StageSucceeded
}

// newExecution prepares an execution that waits for its first stage.
func (s *Service) newExecution(p *pipeline, trigger Trigger, now time.Time) *execution {
	return &execution{
		id: newID(), pipeline: p, structure: p.declaration, kind: TypeStandard, trigger: trigger,
		started: now, updated: now, attempt: 1, status: ExecutionInProgress, waiting: true,
		stages:    make([]*stageRun, len(p.declaration.Stages)),
		artifacts: map[string]artifact{},
		exported:  map[string]map[string]string{},
	}
}

// newRollback prepares an execution that runs one stage again with what another
// execution had.
func (s *Service) newRollback(p *pipeline, stage int, target *execution, trigger Trigger, now time.Time) *execution {
	e := s.newExecution(p, trigger, now)
	e.kind, e.target, e.at = TypeRollback, target.id, stage
	e.parameter = target.parameter
	e.artifacts = maps.Clone(target.artifacts)
	e.exported = maps.Clone(target.exported)
	e.revisions = slices.Clone(target.revisions)
	return e
}
