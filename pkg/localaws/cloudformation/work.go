package cloudformation

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"cutover/pkg/localaws/cloudformation/template"
	"cutover/pkg/localaws/resource"
)

// A work is one operation on a stack as it goes on. Only one works on a stack
// at a time: the stack's status says so.
type work struct {
	*Service
	ctx context.Context
	st  *stack
	to  *plan

	before map[string]*record // records when the work began
	done   []string           // resources that the work touched, in order
	failed []string
	spare  []record // replaced, to be deleted at the end
	// imports are the exports that the new template uses; used those in use
	// before.
	imports, used map[string]bool
}

// newWork prepares work on a stack; the service's mutex is held.
func (s *Service) newWork(ctx context.Context, st *stack, to *plan) *work {
	return &work{
		Service: s, ctx: detached(ctx), st: st, to: to,
		before: maps.Clone(st.records), imports: map[string]bool{}, used: maps.Clone(st.imports),
	}
}

// locked runs f with the service's mutex held.
func (w *work) locked(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *work) record(id string) (r *record) {
	w.locked(func() { r = w.st.records[id] })
	return r
}

func (w *work) set(r record, status, reason string) (stored *record) {
	w.locked(func() { stored = w.setRecord(w.st, r, status, reason) })
	return stored
}

// apply brings every resource of the plan to what it should be, in order, and
// stops at the first that fails.
func (w *work) apply() error {
	w.to.scope.Resource = func(id, attribute string) (any, error) { return w.record(id).value(id, attribute) }
	w.to.scope.Import = w.use
	for i, r := range w.to.order {
		if err := w.resource(r, i); err != nil {
			w.failed = append(w.failed, r.LogicalID)
			return err
		}
	}
	return nil
}

// use finds an export and notes that this stack uses it from now on.
func (w *work) use(name string) (value string, err error) {
	w.locked(func() {
		exporter := w.exporter(name)
		switch {
		case exporter == nil:
			err = fmt.Errorf("no export named %s found", name)
		case exporter == w.st:
			err = fmt.Errorf("the export %s belongs to this stack itself", name)
		default:
			value = exporter.exports[name]
			w.imports[name] = true
			w.st.imports[name] = true
		}
	})
	return value, err
}

// resource brings one resource to what it should be.
func (w *work) resource(r *template.Resource, rank int) error {
	old := w.record(r.LogicalID)
	next := w.wanted(r, rank)
	properties, err := w.to.scope.Properties(r)
	if err != nil {
		w.done = append(w.done, r.LogicalID)
		if old.exists() {
			return w.fail(*old, "UPDATE_FAILED", err)
		}
		return w.fail(next, "CREATE_FAILED", err)
	}
	next.properties = properties
	if old != nil && old.status == "CREATE_FAILED" && old.physicalID != "" {
		// Left behind by work that was told not to roll back.
		if !w.remove(*old, "Delete") {
			return fmt.Errorf("delete %s (%s), which an earlier attempt left behind", old.logicalID, old.physicalID)
		}
		delete(w.before, old.logicalID)
		old = nil
	}
	if !old.exists() {
		return w.create(next, "", "CREATE")
	}
	next.physicalID, next.attributes = old.physicalID, old.attributes
	previous := unified(old.properties, properties)
	if old.dirty && reflect.DeepEqual(previous, properties) {
		// Back to what it was before the update that failed.
		previous = unified(old.attempted, properties)
	}
	t := w.known(r.Type)
	switch {
	case reflect.DeepEqual(previous, properties) && !old.dirty:
		w.keep(old, next)
		return nil
	case t.Replaces(previous, properties):
		w.spare = append(w.spare, *old)
		next.physicalID, next.attributes = "", nil
		return w.create(next, old.physicalID, "UPDATE")
	}
	return w.update(*old, next, previous)
}

// wanted is the record that the plan asks for.
func (w *work) wanted(r *template.Resource, rank int) record {
	next := record{
		logicalID: r.LogicalID, kind: r.Type, dependsOn: w.to.scope.Dependencies(r), rank: rank,
		deletionPolicy: r.DeletionPolicy, updateReplacePolicy: r.UpdateReplacePolicy,
	}
	if r.Metadata != nil {
		next.metadata = r.Metadata.Literal()
	}
	return next
}

// unified is the old properties, but for those that mean the same in the new
// ones: they become the new ones. What differs then, differs for the resource.
func unified(old, properties map[string]any) map[string]any {
	same := maps.Clone(old)
	for key, v := range properties {
		if was, ok := old[key]; ok && reflect.DeepEqual(template.Canonical(was), template.Canonical(v)) {
			same[key] = v
		}
	}
	return same
}

// keep notes what the template says of a resource whose properties stay. Only a
// change of metadata, or the end of a failure, shows as an update; no service is
// called for it.
func (w *work) keep(old *record, next record) {
	if !reflect.DeepEqual(old.metadata, next.metadata) || strings.HasSuffix(old.status, "_FAILED") {
		w.done = append(w.done, next.logicalID)
		w.set(next, "UPDATE_COMPLETE", "")
		return
	}
	next.status, next.reason, next.changed = old.status, old.reason, old.changed
	w.locked(func() { w.st.records[next.logicalID] = &next })
}

// create makes a resource; replacing names the one that it replaces.
func (w *work) create(next record, replacing, verb string) error {
	reason := ""
	if verb == "UPDATE" {
		reason = "Requested update requires the creation of a new physical resource; hence creating one."
	}
	w.done = append(w.done, next.logicalID)
	started := next
	started.physicalID = replacing
	w.set(started, verb+"_IN_PROGRESS", reason)
	request := w.request(next)
	request.Replaces = replacing
	state, err := w.known(next.kind).Create(w.ctx, request)
	next.physicalID, next.attributes = state.PhysicalID, state.Attributes
	if err == nil && state.PhysicalID == "" {
		err = fmt.Errorf("create %s: the type %s gave no physical id", next.logicalID, next.kind)
	}
	if err != nil {
		return w.fail(next, verb+"_FAILED", err)
	}
	w.set(next, verb+"_IN_PROGRESS", "Resource creation Initiated")
	w.set(next, verb+"_COMPLETE", "")
	return nil
}

// update changes a resource in place.
func (w *work) update(old, next record, previous map[string]any) error {
	w.done = append(w.done, next.logicalID)
	w.set(old, "UPDATE_IN_PROGRESS", "")
	request := w.request(next)
	request.Previous = previous
	state, err := w.known(next.kind).Update(w.ctx, request)
	if err != nil {
		// Some of it may have taken effect.
		old.dirty, old.attempted = true, next.properties
		return w.fail(old, "UPDATE_FAILED", err)
	}
	if state.PhysicalID != "" && state.PhysicalID != old.physicalID {
		// A type may find only now that it has to replace.
		w.spare = append(w.spare, old)
		next.physicalID = state.PhysicalID
	}
	if state.Attributes != nil {
		next.attributes = state.Attributes
	}
	w.set(next, "UPDATE_COMPLETE", "")
	return nil
}

func (w *work) request(r record) resource.Request {
	return resource.Request{
		StackName: w.st.name, StackID: w.st.id, LogicalID: r.logicalID,
		PhysicalID: r.physicalID, Properties: r.properties,
	}
}

func (w *work) fail(r record, status string, err error) error {
	w.set(r, status, err.Error())
	return err
}

// remove deletes a resource that is no longer wanted, if it may, and says
// whether it is gone from the stack. A resource that stands in for it keeps its
// record.
func (w *work) remove(r record, policy string) bool {
	note := func(status, reason string) {
		w.locked(func() {
			current := w.st.records[r.logicalID]
			if current == nil || current.physicalID == r.physicalID || !current.exists() {
				w.setRecord(w.st, r, status, reason)
				return
			}
			r.status, r.reason = status, reason
			w.noteRecord(w.st, &r)
		})
	}
	if policy == "Retain" {
		note("DELETE_SKIPPED", "")
		return true
	}
	note("DELETE_IN_PROGRESS", "")
	request := w.request(r)
	if err := w.known(r.kind).Delete(w.ctx, request); err != nil {
		note("DELETE_FAILED", fmt.Sprintf("delete %s (%s): %v", r.logicalID, r.physicalID, err))
		return false
	}
	note("DELETE_COMPLETE", "")
	return true
}

// names lists resources in a stack's reason.
func names(ids []string) string { return "[" + strings.Join(ids, ", ") + "]" }
