package cloudformation

import (
	"maps"
	"reflect"
	"slices"

	"cutover/pkg/localaws/cloudformation/template"
)

// A Change is what an update would do to one resource.
type Change struct {
	Type           string
	ResourceChange ResourceChange
}

// A ResourceChange tells of a resource that would be added, changed or removed.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
type ResourceChange struct {
	Action             string // Add, Modify or Remove
	LogicalResourceId  string
	PhysicalResourceId string
	ResourceType       string
	Replacement        string   // of Modify: True, False or Conditional
	Scope              []string // of Modify: Properties, Metadata
	PolicyAction       string   // of Remove and replacements: Delete or Retain
	Details            []ResourceChangeDetail
}

// A ResourceChangeDetail is one property that would change.
type ResourceChangeDetail struct {
	Target     ResourceTargetDefinition
	Evaluation string // Static, or Dynamic where the value is not known yet
}

// A ResourceTargetDefinition says what changes and whether that replaces.
type ResourceTargetDefinition struct {
	Attribute          string
	Name               string
	RequiresRecreation string // Never, Conditionally or Always
}

// A forecast foretells what a plan would do to a stack, without doing it. What
// only the work can tell (a new physical id, an attribute of a changed resource)
// counts as changed.
type forecast struct {
	*Service
	records map[string]*record
	to      *plan
	fresh   map[string]bool // added or replaced: nothing of them is known
	changed map[string]bool // changed in place: their attributes are not known
	changes []Change
	outputs bool
}

// foresee makes a forecast. The service's mutex is held.
func (s *Service) foresee(st *stack, to *plan) (*forecast, error) {
	f := &forecast{
		Service: s, records: st.records, to: to, fresh: map[string]bool{}, changed: map[string]bool{},
	}
	to.scope.Resource = f.value
	to.scope.Import = func(name string) (string, error) {
		if exporter := s.exporter(name); exporter != nil && exporter != st {
			return exporter.exports[name], nil
		}
		return "", invalid("No export named %s found.", name)
	}
	wanted := map[string]bool{}
	var moved []string
	for _, r := range to.order {
		wanted[r.LogicalID] = true
		old := st.records[r.LogicalID]
		if old.exists() && old.kind != r.Type {
			moved = append(moved, r.LogicalID)
			continue
		}
		if err := f.resource(r, old); err != nil {
			return nil, invalid("Template error: %v", err)
		}
	}
	if len(moved) > 0 {
		return nil, invalid("Update of resource type is not permitted. The new template modifies resource type of the following resources: %s", names(moved))
	}
	for _, r := range st.live() {
		if !wanted[r.logicalID] {
			f.add(ResourceChange{
				Action: "Remove", LogicalResourceId: r.logicalID, PhysicalResourceId: r.physicalID,
				ResourceType: r.kind, PolicyAction: policyAction(r.deletionPolicy),
			})
		}
	}
	return f, f.compareOutputs(st)
}

func policyAction(policy string) string {
	if policy == "" || policy == "Delete" {
		return "Delete"
	}
	return "Retain"
}

func (f *forecast) add(c ResourceChange) {
	f.changes = append(f.changes, Change{Type: "Resource", ResourceChange: c})
}

func (f *forecast) value(id, attribute string) (any, error) {
	if f.fresh[id] || attribute != "" && f.changed[id] {
		return template.Unknown{}, nil
	}
	return f.records[id].value(id, attribute)
}

func (f *forecast) resource(r *template.Resource, old *record) error {
	properties, err := f.to.scope.Properties(r)
	if err != nil {
		return err
	}
	if !old.exists() || old.status == "CREATE_FAILED" {
		f.fresh[r.LogicalID] = true
		f.add(ResourceChange{Action: "Add", LogicalResourceId: r.LogicalID, ResourceType: r.Type})
		return nil
	}
	c := ResourceChange{
		Action: "Modify", LogicalResourceId: r.LogicalID, PhysicalResourceId: old.physicalID,
		ResourceType: r.Type, Replacement: "False",
	}
	f.properties(&c, old, properties)
	var metadata any
	if r.Metadata != nil {
		metadata = r.Metadata.Literal()
	}
	if !reflect.DeepEqual(metadata, old.metadata) {
		c.Scope = append(c.Scope, "Metadata")
	}
	if c.Replacement == "True" {
		c.PolicyAction = policyAction(r.UpdateReplacePolicy)
	}
	f.fresh[r.LogicalID] = c.Replacement != "False"
	f.changed[r.LogicalID] = slices.Contains(c.Scope, "Properties") || old.dirty
	if len(c.Scope) > 0 || old.dirty {
		f.add(c)
	}
	return nil
}

// properties compares what is wanted with what was asked for before.
func (f *forecast) properties(c *ResourceChange, old *record, next map[string]any) {
	t := f.known(old.kind)
	previous := unified(old.properties, next)
	keys := maps.Clone(previous)
	maps.Copy(keys, next)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if reflect.DeepEqual(previous[key], next[key]) {
			continue
		}
		d := ResourceChangeDetail{
			Target:     ResourceTargetDefinition{Attribute: "Properties", Name: key, RequiresRecreation: "Never"},
			Evaluation: "Static",
		}
		unknown := unknownWithin(next[key])
		if unknown {
			d.Evaluation = "Dynamic"
		}
		if t.Update == nil || slices.Contains(t.CreateOnly, key) {
			d.Target.RequiresRecreation = "Always"
			if unknown {
				d.Target.RequiresRecreation = "Conditionally"
			}
		}
		c.Details = append(c.Details, d)
		switch {
		case d.Target.RequiresRecreation == "Always":
			c.Replacement = "True"
		case d.Target.RequiresRecreation == "Conditionally" && c.Replacement == "False":
			c.Replacement = "Conditional"
		}
	}
	if len(c.Details) > 0 {
		c.Scope = append(c.Scope, "Properties")
	}
}

func unknownWithin(v any) bool {
	switch v := v.(type) {
	case template.Unknown:
		return true
	case []any:
		return slices.ContainsFunc(v, unknownWithin)
	case map[string]any:
		for _, member := range v {
			if unknownWithin(member) {
				return true
			}
		}
	}
	return false
}

// compareOutputs notes whether outputs would change.
func (f *forecast) compareOutputs(st *stack) error {
	var next []Output
	for _, o := range f.to.template.Outputs {
		if !f.to.scope.Holds(o.Condition) {
			continue
		}
		value, export, err := f.to.scope.Output(o)
		if err != nil {
			return invalid("Template error: %v", err)
		}
		out := Output{OutputKey: o.Name, Description: o.Description}
		out.OutputValue, _ = value.(string)
		out.ExportName, _ = export.(string)
		next = append(next, out)
	}
	f.outputs = !slices.Equal(next, st.outputs)
	return nil
}

// nothing says that a plan would change nothing at all.
func (f *forecast) nothing(st *stack) bool {
	return len(f.changes) == 0 && !f.outputs && slices.Equal(f.to.tags, st.plan.tags)
}
