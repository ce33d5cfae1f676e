package cloudformation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/cloudformation/template"
)

// A stack is a stack and its history. Everything in it is guarded by the
// service's mutex; a record is never changed once it stands in it.
type stack struct {
	name, id        string
	status, reason  string
	created         time.Time
	updated         time.Time
	deleted         time.Time
	plan            *plan // what it was made of last; nil while in review
	outputs         []Output
	exports         map[string]string // value by export name
	imports         map[string]bool   // names of exports in use
	records         map[string]*record
	spare           []record     // replaced by an update that failed later on
	events          []StackEvent // oldest first
	changeSets      []*changeSet
	changeSetID     string // of the last one executed
	disableRollback bool
}

// A record is a resource of a stack.
type record struct {
	logicalID           string
	kind                string
	physicalID          string
	status, reason      string
	changed             time.Time
	properties          map[string]any // resolved, as last asked for
	attributes          map[string]any
	metadata            any
	dependsOn           []string
	deletionPolicy      string
	updateReplacePolicy string
	rank                int            // place in the order of creation
	dirty               bool           // the last update of it failed and was not undone
	attempted           map[string]any // by that update
}

// find finds a stack by name, or by id also when it is deleted.
func (s *Service) find(nameOrID string) *stack {
	for _, st := range slices.Backward(s.stacks) {
		if st.id == nameOrID || st.name == nameOrID && st.status != "DELETE_COMPLETE" {
			return st
		}
	}
	return nil
}

// existing finds a stack or tells that there is none.
func (s *Service) existing(nameOrID string) (*stack, error) {
	if st := s.find(nameOrID); st != nil {
		return st, nil
	}
	return nil, invalid("Stack with id %s does not exist", nameOrID)
}

const stackType = "AWS::CloudFormation::Stack"

// setStatus changes a stack's status and notes the event.
func (s *Service) setStatus(st *stack, status, reason string) {
	st.status, st.reason = status, reason
	s.note(st, StackEvent{
		LogicalResourceId: st.name, PhysicalResourceId: st.id, ResourceType: stackType,
		ResourceStatus: status, ResourceStatusReason: reason,
	})
}

func (s *Service) note(st *stack, e StackEvent) {
	e.EventId, e.StackId, e.StackName, e.Timestamp = s.newID(), st.id, st.name, s.Clock.Now()
	if e.ResourceType != stackType {
		e.EventId = e.LogicalResourceId + "-" + e.ResourceStatus + "-" + e.EventId
	}
	st.events = append(st.events, e)
	s.Logger.Debug("stack event", "stack", st.name, "resource", e.LogicalResourceId,
		"status", e.ResourceStatus, "reason", e.ResourceStatusReason)
}

// setRecord replaces a resource's record by one of another status.
func (s *Service) setRecord(st *stack, r record, status, reason string) *record {
	r.status, r.reason, r.changed = status, reason, s.Clock.Now()
	st.records[r.logicalID] = &r
	s.noteRecord(st, &r)
	return &r
}

func (s *Service) noteRecord(st *stack, r *record) {
	s.note(st, StackEvent{
		LogicalResourceId: r.logicalID, PhysicalResourceId: r.physicalID, ResourceType: r.kind,
		ResourceStatus: r.status, ResourceStatusReason: r.reason,
	})
}

// listed are a stack's resources by name, those long deleted left out.
func (st *stack) listed() []*record {
	var list []*record
	for _, r := range st.records {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *record) int { return strings.Compare(a.logicalID, b.logicalID) })
	return list
}

// live are a stack's resources that exist, in the order of their creation.
func (st *stack) live() []*record {
	var list []*record
	for _, r := range st.records {
		if r.exists() {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *record) int { return a.rank - b.rank })
	return list
}

// exists says that there is something to delete.
func (r *record) exists() bool {
	return r != nil && r.physicalID != "" && r.status != "DELETE_COMPLETE" && r.status != "DELETE_SKIPPED"
}

// value is what Ref (no attribute) or Fn::GetAtt gives for a resource.
func (r *record) value(logicalID, attribute string) (any, error) {
	switch {
	case !r.exists():
		return nil, fmt.Errorf("resource %s does not exist", logicalID)
	case attribute == "":
		return r.physicalID, nil
	}
	return template.Attribute(r.attributes, logicalID, attribute)
}

// inProgress says that work on a stack goes on.
func (st *stack) inProgress() bool { return strings.HasSuffix(st.status, "_IN_PROGRESS") }

// importers lists the names of the stacks that use an export.
func (s *Service) importers(export string) []string {
	var names []string
	for _, st := range s.stacks {
		if st.imports[export] && st.status != "DELETE_COMPLETE" {
			names = append(names, st.name)
		}
	}
	return names
}

// exporter finds the stack that exports a name.
func (s *Service) exporter(export string) *stack {
	for _, st := range s.stacks {
		if _, ok := st.exports[export]; ok {
			return st
		}
	}
	return nil
}
