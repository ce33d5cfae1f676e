package cloudformation

import (
	"context"
	"regexp"
	"slices"

	"cutover/pkg/localaws/wire"
)

// CreateStackInput is the request of CreateStack.
type CreateStackInput struct {
	StackName       string `aws:",required"`
	TemplateBody    string
	TemplateURL     string
	Parameters      []Parameter
	Capabilities    []string
	Tags            []Tag
	OnFailure       string // ROLLBACK (the default), DELETE or DO_NOTHING
	DisableRollback *bool
}

// CreateStackOutput names the stack.
type CreateStackOutput struct{ StackId string }

// CreateStack starts to make a stack. Its progress shows in DescribeStacks and
// DescribeStackEvents.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
func (s *Service) CreateStack(ctx context.Context, in *CreateStackInput) (*CreateStackOutput, error) {
	onFailure, err := in.onFailure()
	if err != nil {
		return nil, err
	}
	if err := knownCapabilities(in.Capabilities); err != nil {
		return nil, err
	}
	body, err := s.load(in.TemplateBody, in.TemplateURL, nil, nil)
	if err != nil {
		return nil, err
	}
	given, err := values(in.Parameters, nil)
	if err != nil {
		return nil, err
	}
	src := source{body: body, parameters: given, tags: in.Tags, capabilities: in.Capabilities}
	st, run, err := s.create(ctx, in.StackName, src, onFailure)
	if err != nil {
		return nil, answer(err)
	}
	s.Clock.Go(run)
	return &CreateStackOutput{StackId: st.id}, nil
}

func (in *CreateStackInput) onFailure() (string, error) {
	switch {
	case in.OnFailure != "" && in.DisableRollback != nil:
		return "", invalid("You can specify either DisableRollback or OnFailure but not both.")
	case in.DisableRollback != nil && *in.DisableRollback:
		return "DO_NOTHING", nil
	case in.OnFailure == "":
		return "ROLLBACK", nil
	case !slices.Contains([]string{"ROLLBACK", "DELETE", "DO_NOTHING"}, in.OnFailure):
		return "", invalid("OnFailure is %q, must be ROLLBACK, DELETE or DO_NOTHING", in.OnFailure)
	}
	return in.OnFailure, nil
}

var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

// create begins a stack; run does the work.
func (s *Service) create(ctx context.Context, name string, src source, onFailure string) (st *stack, run func(), err error) {
	st, err = s.reserve(name)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.newPlan(name, st.id, src)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(name) != nil {
		return nil, nil, alreadyExists(name)
	}
	s.stacks = append(s.stacks, st)
	return st, s.beginCreate(ctx, st, p, onFailure), nil
}

func alreadyExists(name string) error {
	return wire.Errorf("AlreadyExistsException", "Stack [%s] already exists", name)
}

// reserve makes a stack that is not listed yet.
func (s *Service) reserve(name string) (*stack, error) {
	if !stackName.MatchString(name) {
		return nil, invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(name) != nil {
		return nil, alreadyExists(name)
	}
	return &stack{
		name: name, id: s.arn("stack/" + name + "/" + s.newID()), created: s.Clock.Now(),
		records: map[string]*record{}, imports: map[string]bool{},
	}, nil
}

// beginCreate sets a stack to work; the mutex is held.
func (s *Service) beginCreate(ctx context.Context, st *stack, p *plan, onFailure string) (run func()) {
	st.plan, st.disableRollback = p, onFailure == "DO_NOTHING"
	s.setStatus(st, "CREATE_IN_PROGRESS", "User Initiated")
	w := s.newWork(ctx, st, p)
	return func() { w.createStack(onFailure) }
}

// UpdateStackInput is the request of UpdateStack.
type UpdateStackInput struct {
	StackName           string `aws:",required"`
	TemplateBody        string
	TemplateURL         string
	UsePreviousTemplate *bool
	Parameters          []Parameter
	Capabilities        []string
	Tags                []Tag // nil keeps those there are
	DisableRollback     *bool
}

// UpdateStackOutput names the stack.
type UpdateStackOutput struct{ StackId string }

// UpdateStack starts to bring a stack to another template or other parameters.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html
func (s *Service) UpdateStack(ctx context.Context, in *UpdateStackInput) (*UpdateStackOutput, error) {
	if err := knownCapabilities(in.Capabilities); err != nil {
		return nil, err
	}
	st, src, err := s.next(in.StackName, in.TemplateBody, in.TemplateURL, in.UsePreviousTemplate, in.Parameters, in.Tags)
	if err != nil {
		return nil, err
	}
	src.capabilities = in.Capabilities
	run, err := s.update(ctx, st, src, in.DisableRollback != nil && *in.DisableRollback)
	if err != nil {
		return nil, answer(err)
	}
	s.Clock.Go(run)
	return &UpdateStackOutput{StackId: st.id}, nil
}

// next reads what a request wants an existing stack to become.
func (s *Service) next(name, body, address string, previous *bool, parameters []Parameter, tags []Tag) (*stack, source, error) {
	s.mu.Lock()
	st, err := s.existing(name)
	s.mu.Unlock()
	if err != nil {
		return nil, source{}, err
	}
	// Reading from S3 calls into another service: the mutex is not held.
	text, err := s.load(body, address, previous, st)
	if err != nil {
		return nil, source{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	given, err := values(parameters, st)
	if err != nil {
		return nil, source{}, err
	}
	if tags == nil && st.plan != nil {
		tags = st.plan.tags
	}
	return st, source{body: text, parameters: given, tags: tags}, nil
}

// update begins an update; run does the work.
func (s *Service) update(ctx context.Context, st *stack, src source, disableRollback bool) (run func(), err error) {
	p, err := s.newPlan(st.name, st.id, src)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := updatable(st); err != nil {
		return nil, err
	}
	f, err := s.foresee(st, p)
	if err != nil {
		return nil, err
	}
	if f.nothing(st) {
		return nil, invalid("No updates are to be performed.")
	}
	return s.beginUpdate(ctx, st, p, disableRollback), nil
}

// updatable refuses to update a stack that is being worked on or broken.
func updatable(st *stack) error {
	switch st.status {
	case "CREATE_COMPLETE", "CREATE_FAILED", "UPDATE_COMPLETE", "UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE":
		return nil
	}
	return invalid("Stack:%s is in %s state and can not be updated.", st.id, st.status)
}

// beginUpdate sets a stack to work; the mutex is held.
func (s *Service) beginUpdate(ctx context.Context, st *stack, p *plan, disableRollback bool) (run func()) {
	st.updated, st.disableRollback = s.Clock.Now(), disableRollback
	for _, c := range st.changeSets {
		c.outdate()
	}
	s.setStatus(st, "UPDATE_IN_PROGRESS", "User Initiated")
	w := s.newWork(ctx, st, p)
	return func() { w.updateStack(disableRollback) }
}

// DeleteStackInput is the request of DeleteStack.
type DeleteStackInput struct {
	StackName       string   `aws:",required"`
	RetainResources []string // only of a stack whose deletion failed
}

// DeleteStackOutput is empty.
type DeleteStackOutput struct{}

// DeleteStack starts to delete a stack. One that does not exist is no error.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html
func (s *Service) DeleteStack(ctx context.Context, in *DeleteStackInput) (*DeleteStackOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.StackName)
	if st == nil || st.status == "DELETE_COMPLETE" || st.status == "DELETE_IN_PROGRESS" {
		return &DeleteStackOutput{}, nil
	}
	if len(in.RetainResources) > 0 && st.status != "DELETE_FAILED" {
		return nil, invalid("Invalid operation on stack [%s]. The specified resources can be retained only when the stack is in the DELETE_FAILED state.", st.id)
	}
	for _, id := range in.RetainResources {
		if st.records[id] == nil {
			return nil, invalid("The specified resources to retain do not exist in the stack: [%s]", id)
		}
	}
	if st.inProgress() && st.status != "REVIEW_IN_PROGRESS" {
		return nil, invalid("Stack [%s] cannot be deleted while in status %s", st.name, st.status)
	}
	if err := s.checkExports(st, nil); err != nil {
		// As in AWS the request is accepted, and an event tells.
		s.setStatus(st, st.status, "Delete canceled. "+err.Error())
		return &DeleteStackOutput{}, nil
	}
	s.setStatus(st, "DELETE_IN_PROGRESS", "User Initiated")
	w := s.newWork(ctx, st, st.plan)
	s.Clock.Go(func() { w.deleteStack(in.RetainResources) })
	return &DeleteStackOutput{}, nil
}
