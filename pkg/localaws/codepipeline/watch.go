package codepipeline

import (
	"fmt"
	"slices"
	"time"
)

// An Event is a change of an execution (Stage and Action empty), of a stage in it
// (Action empty) or of an action. An action tells of its progress, too, with the
// status InProgress.
type Event struct {
	Time              time.Time
	Pipeline          string
	ExecutionID       string
	Stage             string
	Action            string
	ActionExecutionID string
	Status            string // as in AWS's enum of the execution, stage or action
	Attempt           int    // of the execution: 1, and one more for each retry

	Provider            string // of an action, e.g. "Lambda"
	Summary             string
	PercentComplete     *int
	ExternalExecutionID string
	Error               *ErrorDetails
	Token               string // of an approval that waits
	Started             time.Time
}

// Events is what pipelines ask of EventBridge.
type Events interface {
	Publish(source, detailType string, resources []string, detail any)
}

type watcher struct{ call func(Event) }

// A notice is an event to be told, and to be published if detailType is set.
type notice struct {
	event      Event
	detailType string
	detail     map[string]any
}

// Watch has f called for each event from now on, in order, one at a time and
// without the service's lock, until stop is called. f should return soon.
func (s *Service) Watch(f func(Event)) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &watcher{f}
	s.watchers = append(s.watchers, w)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watchers = slices.DeleteFunc(slices.Clone(s.watchers), func(other *watcher) bool { return other == w })
	}
}

// tell delivers what is noted. Only one goroutine does so at a time, so that
// events keep their order; others leave theirs to it.
func (s *Service) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.telling {
		return
	}
	s.telling = true
	for len(s.notices) > 0 {
		notices, watchers := s.notices, s.watchers
		s.notices = nil
		s.mu.Unlock()
		for _, n := range notices {
			for _, w := range watchers {
				w.call(n.event)
			}
			if n.detailType != "" && s.Events != nil {
				s.Events.Publish("aws.codepipeline", n.detailType, []string{s.arn(n.event.Pipeline)}, n.detail)
			}
		}
		s.mu.Lock()
	}
	s.telling = false
}

// eventStates are the words of events for statuses.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
func eventState(status string, attempt int) string {
	switch status {
	case "InProgress":
		if attempt > 1 {
			return "RESUMED"
		}
		return "STARTED"
	case "Cancelled":
		return "CANCELED"
	case "Stopping":
		return "STOPPING"
	case "Stopped":
		return "STOPPED"
	case "Superseded":
		return "SUPERSEDED"
	case "Abandoned":
		return "ABANDONED"
	case "Failed":
		return "FAILED"
	}
	return "SUCCEEDED"
}

// setExecution gives an execution a status and says whether that is news.
func (t *turn) setExecution(e *execution, status ExecutionStatus) bool {
	if e.status == status {
		return false
	}
	e.status, e.updated = status, t.now
	t.noteExecution(e)
	return true
}

func (t *turn) noteExecution(e *execution) {
	event := t.event(e)
	event.Status = string(e.status)
	detail := t.detail(e, event)
	detail["start-time"] = e.started.Format(eventTime)
	detail["execution-trigger"] = map[string]any{
		"trigger-type": e.trigger.TriggerType, "trigger-detail": e.trigger.TriggerDetail,
	}
	t.notices = append(t.notices, notice{event, "CodePipeline Pipeline Execution State Change", detail})
}

// setStage gives a stage a status and says whether that is news.
func (t *turn) setStage(e *execution, stage int, status StageStatus) bool {
	run := e.stages[stage]
	if run.status == status {
		return false
	}
	run.status, e.updated = status, t.now
	event := t.event(e)
	event.Stage, event.Status = e.structure.Stages[stage].Name, string(status)
	detail := t.detail(e, event)
	detail["stage"] = event.Stage
	detail["start-time"] = t.now.Format(eventTime)
	t.notices = append(t.notices, notice{event, "CodePipeline Stage Execution State Change", detail})
	return true
}

// noteAction tells of an action's state, or with changed false of its progress,
// which watchers hear of and EventBridge does not.
func (t *turn) noteAction(r *actionRun, changed bool) {
	e := r.execution
	e.updated = t.now
	event := t.event(e)
	event.Stage, event.Action, event.ActionExecutionID = r.stage, r.action.Name, r.id
	event.Status, event.Provider = string(r.status), r.action.ActionTypeId.Provider
	event.Summary, event.PercentComplete, event.ExternalExecutionID = r.summary, r.percent, r.externalID
	event.Error, event.Started = r.fault, r.started
	if r.status == ActionInProgress {
		event.Token = r.token
	}
	n := notice{event: event}
	if changed {
		n.detailType = "CodePipeline Action Execution State Change"
		n.detail = t.actionDetail(r, event)
	}
	t.notices = append(t.notices, n)
}

func (t *turn) event(e *execution) Event {
	return Event{Time: t.now, Pipeline: e.structure.Name, ExecutionID: e.id, Attempt: e.attempt, Started: e.started}
}

// eventTime is how events write times.
const eventTime = "2006-01-02T15:04:05.000Z"

func (t *turn) detail(e *execution, event Event) map[string]any {
	return map[string]any{
		"pipeline":                   e.structure.Name,
		"execution-id":               e.id,
		"version":                    float64(e.version()),
		"state":                      eventState(event.Status, e.attempt),
		"pipeline-execution-attempt": float64(e.attempt),
	}
}

func (t *turn) actionDetail(r *actionRun, event Event) map[string]any {
	detail := t.detail(r.execution, event)
	if r.status == ActionInProgress {
		detail["state"] = "STARTED" // each run is a new action execution
	}
	detail["stage"], detail["action"], detail["region"] = r.stage, r.action.Name, t.Region
	detail["action-execution-id"] = r.id
	detail["start-time"] = r.started.Format(eventTime)
	kind := r.action.ActionTypeId
	detail["type"] = map[string]any{"owner": kind.Owner, "provider": kind.Provider, "category": kind.Category, "version": kind.Version}
	detail["input-artifacts"] = eventLocations(r.inputs)
	if r.status != ActionInProgress {
		detail["output-artifacts"] = eventLocations(r.outputs)
		result := map[string]any{"external-execution-id": r.externalID, "external-execution-summary": r.summary}
		if r.fault != nil {
			result["error-code"] = r.fault.Code
			result["external-execution-summary"] = fmt.Sprint(r.fault.Message)
		}
		detail["execution-result"] = result
	}
	return detail
}

func eventLocations(artifacts []artifact) []any {
	all := []any{}
	for _, a := range artifacts {
		all = append(all, map[string]any{"name": a.Name, "s3location": map[string]any{"bucket": a.Bucket, "key": a.Key}})
	}
	return all
}
