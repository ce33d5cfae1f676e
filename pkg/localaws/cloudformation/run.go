package cloudformation

import (
	"reflect"
	"slices"
)

// createStack makes a stack's resources, or undoes what was made.
func (w *work) createStack(onFailure string) {
	err := w.apply()
	if err == nil {
		err = w.publish()
	}
	if err == nil {
		w.finish("CREATE_COMPLETE")
		return
	}
	reason := w.reason("create", err)
	if onFailure == "DO_NOTHING" {
		w.settle("CREATE_FAILED", reason)
		return
	}
	started, ended, failed := "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"
	if onFailure == "DELETE" {
		started, ended, failed = "DELETE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_FAILED"
	}
	w.settle(started, reason)
	if left := w.deleteAll(nil, true); len(left) > 0 {
		w.settle(failed, "The following resource(s) failed to delete: "+names(left)+". ")
		return
	}
	w.forget()
	w.settle(ended, "")
}

// updateStack brings a stack's resources to a new template, or back.
func (w *work) updateStack(disableRollback bool) {
	err := w.apply()
	if err == nil {
		err = w.publish()
	}
	if err != nil {
		reason := w.reason("update", err)
		if disableRollback {
			w.leave()
			w.settle("UPDATE_FAILED", reason)
			return
		}
		w.rollBack(reason)
		return
	}
	w.settle("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
	w.cleanUp()
	w.finish("UPDATE_COMPLETE")
}

// leave keeps things as a failed update left them, for a next update to go on
// from: resources whose replacement failed are still the old ones, and those
// replaced are deleted when an update succeeds.
func (w *work) leave() {
	w.locked(func() {
		for _, r := range w.spare {
			if current := w.st.records[r.logicalID]; !current.exists() {
				r.dirty, r.status, r.reason = true, current.status, current.reason
				w.st.records[r.logicalID] = &r
				continue
			}
			w.st.spare = append(w.st.spare, r)
		}
	})
}

func (w *work) reason(verb string, err error) string {
	if len(w.failed) == 0 {
		return err.Error()
	}
	return "The following resource(s) failed to " + verb + ": " + names(w.failed) + ". "
}

func (w *work) settle(status, reason string) {
	w.locked(func() {
		w.setStatus(w.st, status, reason)
		if status == "DELETE_COMPLETE" {
			w.st.deleted = w.Clock.Now()
		}
	})
}

// finish makes the plan the stack's template.
func (w *work) finish(status string) {
	w.locked(func() {
		w.st.plan, w.st.imports = w.to, w.imports
		w.setStatus(w.st, status, "")
	})
}

// forget drops what a stack without resources offers and uses.
func (w *work) forget() {
	w.locked(func() {
		w.st.outputs, w.st.exports, w.st.imports = nil, nil, map[string]bool{}
	})
}

// cleanUp deletes what was replaced or removed, last made first. What cannot be
// deleted is left behind, as in AWS, and its event says so.
func (w *work) cleanUp() {
	wanted := map[string]bool{}
	for _, r := range w.to.order {
		wanted[r.LogicalID] = true
	}
	spare := append(w.st.spare, w.spare...)
	for id, r := range w.before {
		if !wanted[id] && r.exists() {
			spare = append(spare, *r)
		}
	}
	slices.SortStableFunc(spare, func(a, b record) int { return w.rank(b) - w.rank(a) })
	for _, r := range spare {
		policy := r.updateReplacePolicy
		if !wanted[r.logicalID] {
			policy = r.deletionPolicy
		}
		if policy == "RetainExceptOnCreate" {
			policy = "Retain"
		}
		w.remove(r, policy)
	}
	w.locked(func() {
		w.st.spare = nil
		for id := range w.st.records {
			if !wanted[id] {
				delete(w.st.records, id)
			}
		}
	})
}

// rank is a resource's place in the order before the work, or in the plan's for
// one that is new.
func (w *work) rank(r record) int {
	if old := w.before[r.logicalID]; old != nil {
		return old.rank
	}
	return r.rank
}

// rollBack undoes an update: what was changed in place is changed back, in the
// reverse order, then what was made is deleted.
func (w *work) rollBack(reason string) {
	w.settle("UPDATE_ROLLBACK_IN_PROGRESS", reason)
	var made []record
	var failed []string
	for _, id := range slices.Backward(w.done) {
		old, current := w.before[id], w.record(id)
		replaced := old.exists() && current.physicalID != old.physicalID
		if current.exists() && (!old.exists() || replaced) {
			made = append(made, *current)
		}
		switch {
		case !old.exists():
		case replaced:
			w.set(*old, "UPDATE_COMPLETE", "")
		case !w.revert(*old, *current):
			failed = append(failed, id)
		}
	}
	w.locked(func() {
		for id, old := range w.before {
			if !slices.Contains(w.done, id) {
				w.st.records[id] = old
			}
		}
		w.st.imports = w.used
		if len(failed) > 0 {
			w.st.spare = append(w.st.spare, made...)
		}
	})
	if len(failed) > 0 {
		w.settle("UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: "+names(failed)+". ")
		return
	}
	w.settle("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
	for _, r := range made {
		w.remove(r, creationPolicy(r.deletionPolicy))
	}
	w.locked(func() {
		for id := range w.st.records {
			if !w.before[id].exists() {
				delete(w.st.records, id)
			}
		}
		w.setStatus(w.st, "UPDATE_ROLLBACK_COMPLETE", "")
	})
}

// revert changes a resource back to what it was.
func (w *work) revert(old, current record) bool {
	// A failed update's record still has the old properties.
	if current.dirty {
		current.properties = current.attempted
	}
	if current.dirty || !reflect.DeepEqual(old.properties, current.properties) {
		w.set(current, "UPDATE_IN_PROGRESS", "")
		request := w.request(old)
		request.Previous = current.properties
		state, err := w.known(old.kind).Update(w.ctx, request)
		if err != nil {
			w.set(current, "UPDATE_FAILED", err.Error())
			return false
		}
		if state.Attributes != nil {
			old.attributes = state.Attributes
		}
	}
	w.set(old, "UPDATE_COMPLETE", "")
	return true
}

// creationPolicy is the deletion policy of a resource whose making is undone.
func creationPolicy(policy string) string {
	if policy == "RetainExceptOnCreate" {
		return "Delete"
	}
	return policy
}

// deleteStack deletes a stack's resources, but for those to be retained.
func (w *work) deleteStack(retain []string) {
	if left := w.deleteAll(retain, false); len(left) > 0 {
		w.settle("DELETE_FAILED", "The following resource(s) failed to delete: "+names(left)+". ")
		return
	}
	w.forget()
	w.settle("DELETE_COMPLETE", "")
}

// deleteAll deletes resources, last made first, and lists those that are left:
// those that failed, and those that they depend on, which are not even tried.
func (w *work) deleteAll(retain []string, undoing bool) (failed []string) {
	var live []*record
	var spare []record
	w.locked(func() { live, spare = w.st.live(), w.st.spare })
	blocked := map[string]bool{}
	for _, r := range slices.Backward(live) {
		policy := r.deletionPolicy
		switch {
		case slices.Contains(retain, r.logicalID):
			policy = "Retain"
		case undoing:
			policy = creationPolicy(policy)
		case policy == "RetainExceptOnCreate":
			policy = "Retain"
		}
		if !blocked[r.logicalID] && w.remove(*r, policy) {
			continue
		}
		if !blocked[r.logicalID] {
			failed = append(failed, r.logicalID)
		}
		for _, id := range r.dependsOn {
			blocked[id] = true
		}
	}
	for _, r := range spare {
		if !w.remove(r, "Delete") {
			failed = append(failed, r.logicalID)
		}
	}
	return failed
}
