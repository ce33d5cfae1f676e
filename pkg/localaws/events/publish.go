package events

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// An envelope is an event as targets get it.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
type envelope struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// A Delivery is an event that went to a target, or did not.
type Delivery struct {
	Time    time.Time
	EventID string
	Rule    string
	Target  string // its ARN
	Error   string // why it did not arrive
}

// kept is how many deliveries are remembered.
const kept = 1000

// Deliveries lists the latest deliveries, oldest first.
func (s *Service) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

// Publish puts a service's event on the default bus. The detail is anything that
// encodes to a JSON object.
func (s *Service) Publish(source, detailType string, resources []string, detail any) {
	text, err := json.Marshal(detail)
	if err != nil {
		s.Logger.Error("publish event", "source", source, "detail-type", detailType, "error", err)
		return
	}
	s.publish(source, detailType, resources, text, s.Clock.Now())
}

// publish delivers an event to the targets of the rules that match, and returns
// the event's id.
func (s *Service) publish(source, detailType string, resources []string, detail []byte, at time.Time) string {
	e := envelope{
		Version: "0", ID: newID(), DetailType: detailType, Source: source, Account: s.Account,
		Time: at.UTC().Format(time.RFC3339), Region: s.Region,
		Resources: append([]string{}, resources...), Detail: detail,
	}
	event, err := json.Marshal(e)
	if err != nil {
		s.Logger.Error("publish event", "source", source, "detail-type", detailType, "error", err)
		return e.ID
	}
	tree, err := decode(event)
	if err != nil {
		s.Logger.Error("publish event", "source", source, "detail-type", detailType, "error", err)
		return e.ID
	}
	for _, d := range s.matching(tree) {
		s.Clock.Go(func() { s.deliver(d.rule, d.target, e.ID, event) })
	}
	return e.ID
}

type due struct {
	rule   string
	target EventTarget
}

func (s *Service) matching(event any) []due {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []due
	for _, name := range slices.Sorted(maps.Keys(s.rules)) {
		r := s.rules[name]
		if !r.enabled || !r.pattern.matches(event, true) {
			continue
		}
		for _, t := range r.targets {
			all = append(all, due{name, t})
		}
	}
	return all
}

func (s *Service) deliver(rule string, t EventTarget, id string, event []byte) {
	if t.Input != "" {
		event = []byte(t.Input)
	}
	d := Delivery{EventID: id, Rule: rule, Target: t.Arn}
	if err := s.hand(rule, t, event); err != nil {
		d.Error = err.Error()
		s.Logger.Error("deliver event", "rule", rule, "target", t.Arn, "event", id, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Time = s.Clock.Now()
	s.deliveries = append(s.deliveries, d)
	if extra := len(s.deliveries) - kept; extra > 0 {
		s.deliveries = slices.Delete(s.deliveries, 0, extra)
	}
}

// hand gives an event to a target, in the role that the target names.
func (s *Service) hand(rule string, t EventTarget, event []byte) error {
	service := serviceOf(t.Arn)
	if service != "codepipeline" {
		return s.Targets[service].Deliver(context.Background(), t.Arn, event)
	}
	access := wire.Access{Action: "codepipeline:StartPipelineExecution", Resource: t.Arn}
	if s.Roles != nil && !s.Roles.RoleAllows(t.RoleArn, access) {
		return fmt.Errorf("start pipeline %s: the role %s is not authorized to perform: %s on resource: %s", t.Arn, t.RoleArn, access.Action, access.Resource)
	}
	if _, err := s.Pipelines.Trigger(t.Arn, s.arn(rule)); err != nil {
		return fmt.Errorf("start pipeline %s: %w", t.Arn, err)
	}
	return nil
}

// newID makes a random UUID (version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// PutEventsInput is the input of PutEvents.
type PutEventsInput struct {
	Entries []Entry `aws:",required"` // 1 to 10
}

// An Entry is an event of the caller's own.
type Entry struct {
	Source       string
	DetailType   string
	Detail       string // a JSON object
	Resources    []string
	Time         time.Time // now when zero
	EventBusName string
}

// PutEventsOutput is its output: a result for each entry, in order.
type PutEventsOutput struct {
	FailedEntryCount int
	Entries          []EntryResult
}

// An EntryResult is an event's id, or why it was refused.
type EntryResult struct{ EventId, ErrorCode, ErrorMessage string }

// PutEvents puts events on the bus. Each entry is taken or refused by itself.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
func (s *Service) PutEvents(_ context.Context, in *PutEventsInput) (*PutEventsOutput, error) {
	if n := len(in.Entries); n < 1 || n > 10 {
		return nil, wire.Errorf("ValidationException", "Entries: has %d items, not within 1 to 10", n)
	}
	out := &PutEventsOutput{}
	for _, e := range in.Entries {
		if err := bus(e.EventBusName); err != nil {
			return nil, err
		}
		result := e.refusal()
		if result.ErrorCode != "" {
			out.FailedEntryCount++
		} else {
			at := e.Time
			if at.IsZero() {
				at = s.Clock.Now()
			}
			result.EventId = s.publish(e.Source, e.DetailType, e.Resources, []byte(e.Detail), at)
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

// refusal says what keeps an entry from being an event, if anything does.
func (e Entry) refusal() EntryResult {
	switch {
	case e.Source == "":
		return EntryResult{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter Source is not valid. Reason: Source is a required argument."}
	case e.DetailType == "":
		return EntryResult{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter DetailType is not valid. Reason: DetailType is a required argument."}
	case strings.HasPrefix(e.Source, "aws."):
		return EntryResult{ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source."}
	}
	tree, err := decode([]byte(e.Detail))
	if _, object := tree.(map[string]any); err != nil || !object {
		return EntryResult{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}
	return EntryResult{}
}
