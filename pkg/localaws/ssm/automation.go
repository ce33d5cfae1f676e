package ssm

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cutover/pkg/localaws/automation"
	"cutover/pkg/localaws/wire"
)

// Automations runs documents: an automation.Engine.
type Automations interface {
	Start(automation.Start) error
	Execution(id string) (automation.Execution, bool)
	Stop(id, kind string) error
	SignalBy(by wire.Principal, id, signal string, payload map[string][]string) error
}

// An execution is an automation that was asked for; the engine knows how it goes.
type execution struct {
	id    string
	asked StartAutomationExecutionInput
	told  string // the status that the event bus knows
}

// StartAutomationExecutionInput runs a document.
type StartAutomationExecutionInput struct {
	DocumentName    string `aws:",required"` // or its ARN
	DocumentVersion string // $DEFAULT unless given
	Parameters      map[string][]string
	ClientToken     string // a UUID
	Mode            string // Auto unless given, or Interactive
	Tags            []Tag
}

// StartAutomationExecutionOutput names the automation.
type StartAutomationExecutionOutput struct{ AutomationExecutionId string }

// StartAutomationExecution answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
//
// The same ClientToken with the same input names the automation that the first
// call started, however that one ended.
func (s *Service) StartAutomationExecution(ctx context.Context, in *StartAutomationExecutionInput) (*StartAutomationExecutionOutput, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	start, first, err := s.prepare(in)
	if err != nil {
		return nil, err
	}
	if first == "" {
		if err := s.resolve(in, &start); err != nil {
			return nil, err
		}
		first, err = s.claim(in, start.ID)
		if err != nil {
			return nil, err
		}
	}
	if first != "" {
		return &StartAutomationExecutionOutput{first}, nil
	}
	start.Caller = wire.Caller(ctx)
	start.ExecutedBy = start.Caller.ARN
	if err := s.Automations.Start(start); err != nil {
		s.forget(start.ID)
		return nil, fmt.Errorf("start automation of document %s: %w", start.DocumentName, err)
	}
	return &StartAutomationExecutionOutput{start.ID}, nil
}

var (
	uuid          = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	documentRef   = regexp.MustCompile(`^[a-zA-Z0-9_\-.:/]{3,128}$`)
	documentShown = regexp.MustCompile(`^([$]LATEST|[$]DEFAULT|[1-9][0-9]*)?$`)
)

// validate holds the input against the constraints of the API's model.
func (in *StartAutomationExecutionInput) validate() error {
	var faults []string
	fault := func(broken bool, format string, args ...any) {
		if broken {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	fault(!documentRef.MatchString(in.DocumentName), "DocumentName: %q must match %s", in.DocumentName, documentRef)
	fault(!documentShown.MatchString(in.DocumentVersion), "DocumentVersion: %q is not $LATEST, $DEFAULT or a number", in.DocumentVersion)
	fault(in.ClientToken != "" && !uuid.MatchString(in.ClientToken), "ClientToken: %q is not a UUID of 36 characters", in.ClientToken)
	fault(in.Mode != "" && in.Mode != "Auto" && in.Mode != "Interactive", "Mode: %q is neither Auto nor Interactive", in.Mode)
	fault(in.Mode == "Interactive", "Mode: the embedded AWS runs automations in mode Auto only")
	fault(in.Parameters != nil && (len(in.Parameters) < 1 || len(in.Parameters) > 200), "Parameters: has %d entries, not 1 to 200", len(in.Parameters))
	fault(len(in.Tags) > 5, "Tags: has %d members, more than 5", len(in.Tags))
	for key, values := range in.Parameters {
		fault(key == "" || len(key) > 50, "Parameters: key %q must have 1 to 50 characters", key)
		fault(len(values) > 50, "Parameters.%s: has %d members, more than 50", key, len(values))
		for _, v := range values {
			fault(v == "" || len(v) > 512, "Parameters.%s: a value has %d characters, not 1 to 512", key, len(v))
		}
	}
	if len(faults) > 0 {
		return invalid("%d validation error(s) detected: %s", len(faults), strings.Join(faults, "; "))
	}
	return validTags(in.Tags)
}

// prepare finds the document to run, or the automation that the token stands for.
func (s *Service) prepare(in *StartAutomationExecutionInput) (start automation.Start, first string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, err = s.repeatedLocked(in); first != "" || err != nil {
		return start, first, err
	}
	d, v, err := s.runbookLocked(in.DocumentName, in.DocumentVersion)
	if err != nil {
		return start, "", err
	}
	mode := in.Mode
	if mode == "" {
		mode = "Auto"
	}
	return automation.Start{
		ID: newID(), DocumentName: d.name, DocumentVersion: strconv.Itoa(v.number), Document: v.parsed, Mode: mode,
	}, "", nil
}

// runbookLocked finds the document of an automation. A reference may carry the
// version after the name, with a colon.
func (s *Service) runbookLocked(reference, number string) (*document, *documentVersion, error) {
	name := documentNameOf(reference)
	if bare, suffix, ok := strings.Cut(name, ":"); ok && number == "" {
		name, number = bare, suffix
	}
	d := s.documents[name]
	if d == nil || d.kind != "Automation" {
		return nil, nil, refuse("AutomationDefinitionNotFoundException", "Automation document %s not found", name)
	}
	v := d.version(number)
	if v == nil {
		return nil, nil, refuse("AutomationDefinitionVersionNotFoundException", "Automation document %s version %s not found", name, number)
	}
	return d, v, nil
}

// resolve completes and checks the parameters and the role.
func (s *Service) resolve(in *StartAutomationExecutionInput, start *automation.Start) error {
	parameters, err := start.Document.Resolve(in.Parameters, s.ParameterValue)
	if err != nil {
		return invalidParameters("%v", err)
	}
	start.Parameters = parameters
	role, err := start.Document.Role(parameters)
	if err != nil {
		return invalidParameters("%v", err)
	}
	if role == "" || s.Roles == nil {
		return nil
	}
	if err := s.Roles.Assumable("ssm.amazonaws.com", role); err != nil {
		return invalidParameters("The defined assume role is unable to be assumed: %v", err)
	}
	return nil
}

func invalidParameters(format string, args ...any) *wire.Error {
	return refuse("InvalidAutomationExecutionParametersException", format, args...)
}

// repeatedLocked is the automation that an earlier call with the same token
// started, or "".
func (s *Service) repeatedLocked(in *StartAutomationExecutionInput) (string, error) {
	first := s.tokens[strings.ToLower(in.ClientToken)]
	if in.ClientToken == "" || first == nil {
		return "", nil
	}
	again, before := *in, first.asked
	again.ClientToken, before.ClientToken = "", ""
	if !reflect.DeepEqual(again, before) {
		return "", refuse("IdempotentParameterMismatch", "Error returned when an idempotent operation is retried and the parameters don't match the original call to the API with the same idempotency token.")
	}
	return first.id, nil
}

// claim records an automation, unless a call with the same token was faster:
// then it names that one's.
func (s *Service) claim(in *StartAutomationExecutionInput, id string) (first string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, err = s.repeatedLocked(in); first != "" || err != nil {
		return first, err
	}
	e := &execution{id: id, asked: *in}
	s.executions[id] = e
	s.order = append(s.order, e)
	if in.ClientToken != "" {
		s.tokens[strings.ToLower(in.ClientToken)] = e
	}
	s.setTagsLocked(taggable{"Automation", id}, in.Tags)
	return "", nil
}

// forget undoes a claim whose automation did not start.
func (s *Service) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.executions[id]; e != nil {
		delete(s.tokens, strings.ToLower(e.asked.ClientToken))
		delete(s.tags, taggable{"Automation", id})
	}
	delete(s.executions, id)
	s.order = slices.DeleteFunc(s.order, func(e *execution) bool { return e.id == id })
}

// startAccess is what IAM must allow for a start: the document, the automation
// to be, its tags, and that the document's role is passed to Systems Manager.
func (s *Service) startAccess(in *StartAutomationExecutionInput) []wire.Access {
	access := []wire.Access{
		{Resource: s.documentARN(in.DocumentName), Context: map[string]string{"ssm:DocumentVersion": in.DocumentVersion}},
		{Resource: s.arn("automation-execution/*")},
	}
	if len(in.Tags) > 0 {
		access = append(access, wire.Access{Action: "ssm:AddTagsToResource", Resource: s.arn("automation-execution/*")})
	}
	s.mu.Lock()
	_, v, err := s.runbookLocked(in.DocumentName, in.DocumentVersion)
	s.mu.Unlock()
	if err != nil {
		return access
	}
	parameters, err := v.parsed.Resolve(in.Parameters, s.ParameterValue)
	if err != nil {
		return access // the call itself refuses
	}
	if role, err := v.parsed.Role(parameters); err == nil && role != "" {
		access = append(access, wire.Access{
			Action: "iam:PassRole", Resource: role, Context: map[string]string{"iam:PassedToService": "ssm.amazonaws.com"},
		})
	}
	return access
}
