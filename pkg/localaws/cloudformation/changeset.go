package cloudformation

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"time"

	"cutover/pkg/localaws/wire"
)

// A changeSet is an update that waits for its execution.
type changeSet struct {
	name, id        string
	description     string
	kind            string // CREATE or UPDATE
	created         time.Time
	status, reason  string
	executionStatus string
	plan            *plan
	changes         []Change
}

// outdate notes that the stack has moved on.
func (c *changeSet) outdate() {
	if c.executionStatus == "AVAILABLE" {
		c.executionStatus = "OBSOLETE"
	}
}

// CreateChangeSetInput is the request of CreateChangeSet.
type CreateChangeSetInput struct {
	StackName           string `aws:",required"`
	ChangeSetName       string `aws:",required"`
	ChangeSetType       string // CREATE or UPDATE (the default)
	Description         string
	TemplateBody        string
	TemplateURL         string
	UsePreviousTemplate *bool
	Parameters          []Parameter
	Capabilities        []string
	Tags                []Tag
}

// CreateChangeSetOutput names the change set and its stack.
type CreateChangeSetOutput struct {
	Id      string
	StackId string
}

// CreateChangeSet works out what an update, or a new stack, would change. The
// change set of a new stack makes the stack, in review.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
func (s *Service) CreateChangeSet(_ context.Context, in *CreateChangeSetInput) (*CreateChangeSetOutput, error) {
	if !changeSetName.MatchString(in.ChangeSetName) {
		return nil, invalid("1 validation error detected: Value '%s' at 'changeSetName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", in.ChangeSetName)
	}
	if err := knownCapabilities(in.Capabilities); err != nil {
		return nil, err
	}
	st, src, err := s.reviewed(in)
	if err != nil {
		return nil, answer(err)
	}
	src.capabilities, src.reviewed = in.Capabilities, true
	p, err := s.newPlan(st.name, st.id, src)
	if err != nil {
		return nil, answer(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.addChangeSet(st, p, in)
	if err != nil {
		return nil, answer(err)
	}
	return &CreateChangeSetOutput{Id: c.id, StackId: st.id}, nil
}

var changeSetName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

// reviewed finds or makes the stack of a new change set, and reads what it is
// to become.
func (s *Service) reviewed(in *CreateChangeSetInput) (*stack, source, error) {
	switch in.ChangeSetType {
	case "CREATE":
	case "", "UPDATE":
		return s.next(in.StackName, in.TemplateBody, in.TemplateURL, in.UsePreviousTemplate, in.Parameters, in.Tags)
	default:
		return nil, source{}, invalid("ChangeSetType is %q, must be CREATE or UPDATE", in.ChangeSetType)
	}
	body, err := s.load(in.TemplateBody, in.TemplateURL, in.UsePreviousTemplate, nil)
	if err != nil {
		return nil, source{}, err
	}
	given, err := values(in.Parameters, nil)
	if err != nil {
		return nil, source{}, err
	}
	src := source{body: body, parameters: given, tags: in.Tags}
	s.mu.Lock()
	st := s.find(in.StackName)
	s.mu.Unlock()
	if st != nil && st.status == "REVIEW_IN_PROGRESS" {
		return st, src, nil
	}
	st, err = s.reserve(in.StackName)
	return st, src, err
}

// addChangeSet keeps a change set, whether it can be executed or not; the mutex
// is held.
func (s *Service) addChangeSet(st *stack, p *plan, in *CreateChangeSetInput) (*changeSet, error) {
	c := &changeSet{
		name: in.ChangeSetName, id: s.arn("changeSet/" + in.ChangeSetName + "/" + s.newID()),
		description: in.Description, kind: in.ChangeSetType, created: s.Clock.Now(), plan: p,
		status: "CREATE_COMPLETE", executionStatus: "AVAILABLE",
	}
	if c.kind == "" {
		c.kind = "UPDATE"
	}
	if slices.ContainsFunc(st.changeSets, func(o *changeSet) bool { return o.name == c.name }) {
		return nil, wire.Errorf("AlreadyExistsException", "ChangeSet %s already exists for stack %s", c.name, st.name)
	}
	if c.kind == "UPDATE" {
		if err := updatable(st); err != nil {
			return nil, err
		}
	}
	f, err := s.foresee(st, p)
	if err != nil {
		return nil, err
	}
	c.changes = f.changes
	if c.kind == "UPDATE" && f.nothing(st) {
		c.status, c.executionStatus = "FAILED", "UNAVAILABLE"
		c.reason = "The submitted information didn't contain changes. Submit different information to create a change set."
	}
	if c.kind == "CREATE" && st.status == "" {
		if s.find(st.name) != nil {
			return nil, alreadyExists(st.name)
		}
		s.stacks = append(s.stacks, st)
		s.setStatus(st, "REVIEW_IN_PROGRESS", "User Initiated")
	}
	st.changeSets = append(st.changeSets, c)
	return c, nil
}

// changeSet finds a change set by id, or by name within a stack.
func (s *Service) changeSet(stackName, nameOrID string) (*changeSet, error) {
	_, c, err := s.stackAndChangeSet(stackName, nameOrID)
	return c, err
}

func (s *Service) stackAndChangeSet(stackName, nameOrID string) (*stack, *changeSet, error) {
	for _, st := range slices.Backward(s.stacks) {
		if stackName != "" && st.id != stackName && st.name != stackName {
			continue
		}
		for _, c := range st.changeSets {
			if c.id == nameOrID || stackName != "" && c.name == nameOrID {
				return st, c, nil
			}
		}
	}
	return nil, nil, wire.Errorf("ChangeSetNotFound", "ChangeSet [%s] does not exist", nameOrID).WithStatus(http.StatusNotFound)
}

// DescribeChangeSetInput names a change set, by name with its stack or by id.
type DescribeChangeSetInput struct {
	ChangeSetName string `aws:",required"`
	StackName     string
}

// DescribeChangeSetOutput is the change set.
type DescribeChangeSetOutput struct {
	ChangeSetName   string
	ChangeSetId     string
	StackId         string
	StackName       string
	Description     string
	Parameters      []ShownParameter
	CreationTime    time.Time
	ExecutionStatus string
	Status          string
	StatusReason    string
	Capabilities    []string
	Tags            []Tag
	Changes         []Change
}

// DescribeChangeSet tells what a change set would change.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html
func (s *Service) DescribeChangeSet(_ context.Context, in *DescribeChangeSetInput) (*DescribeChangeSetOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, c, err := s.stackAndChangeSet(in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	return &DescribeChangeSetOutput{
		ChangeSetName: c.name, ChangeSetId: c.id, StackId: st.id, StackName: st.name, Description: c.description,
		Parameters: c.plan.shown(), CreationTime: c.created, ExecutionStatus: c.executionStatus,
		Status: c.status, StatusReason: c.reason, Capabilities: c.plan.capabilities, Tags: c.plan.tags,
		Changes: append([]Change{}, c.changes...),
	}, nil
}

// ExecuteChangeSetInput names a change set.
type ExecuteChangeSetInput struct {
	ChangeSetName   string `aws:",required"`
	StackName       string
	DisableRollback *bool
}

// ExecuteChangeSetOutput is empty.
type ExecuteChangeSetOutput struct{}

// ExecuteChangeSet starts to do what a change set says.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
func (s *Service) ExecuteChangeSet(ctx context.Context, in *ExecuteChangeSetInput) (*ExecuteChangeSetOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, c, err := s.stackAndChangeSet(in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	if c.executionStatus != "AVAILABLE" {
		return nil, wire.Errorf("InvalidChangeSetStatus", "ChangeSet [%s] cannot be executed in its current status of [%s] and execution status of [%s]", c.id, c.status, c.executionStatus)
	}
	stay := in.DisableRollback != nil && *in.DisableRollback
	var run func()
	switch {
	case st.status == "REVIEW_IN_PROGRESS":
		onFailure := "ROLLBACK"
		if stay {
			onFailure = "DO_NOTHING"
		}
		run = s.beginCreate(ctx, st, c.plan, onFailure)
	default:
		if err := updatable(st); err != nil {
			return nil, err
		}
		run = s.beginUpdate(ctx, st, c.plan, stay)
	}
	c.executionStatus, st.changeSetID = "EXECUTE_IN_PROGRESS", c.id
	s.Clock.Go(func() { run(); s.executed(st, c) })
	return &ExecuteChangeSetOutput{}, nil
}

func (s *Service) executed(st *stack, c *changeSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.executionStatus = "EXECUTE_FAILED"
	if st.status == "CREATE_COMPLETE" || st.status == "UPDATE_COMPLETE" {
		c.executionStatus = "EXECUTE_COMPLETE"
	}
}

// DeleteChangeSetInput names a change set.
type DeleteChangeSetInput struct {
	ChangeSetName string `aws:",required"`
	StackName     string
}

// DeleteChangeSetOutput is empty.
type DeleteChangeSetOutput struct{}

// DeleteChangeSet forgets a change set. One that does not exist is no error; one
// that is being executed cannot be deleted.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteChangeSet.html
func (s *Service) DeleteChangeSet(_ context.Context, in *DeleteChangeSetInput) (*DeleteChangeSetOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, c, err := s.stackAndChangeSet(in.StackName, in.ChangeSetName)
	if err != nil {
		return &DeleteChangeSetOutput{}, nil
	}
	if c.executionStatus == "EXECUTE_IN_PROGRESS" {
		return nil, wire.Errorf("InvalidChangeSetStatus", "ChangeSet [%s] cannot be deleted while it is executed", c.id)
	}
	st.changeSets = slices.DeleteFunc(st.changeSets, func(o *changeSet) bool { return o == c })
	return &DeleteChangeSetOutput{}, nil
}
