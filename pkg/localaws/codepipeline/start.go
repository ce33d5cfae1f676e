package codepipeline

import (
	"context"
	"regexp"
	"strings"
	"unicode/utf8"

	"cutover/pkg/localaws/wire"
)

// maxConcurrent is how many executions of a QUEUED or PARALLEL pipeline may be in
// progress.
const maxConcurrent = 50

// StartPipelineExecutionInput is the input of StartPipelineExecution.
type StartPipelineExecutionInput struct {
	Name               string `aws:",required"`
	ClientRequestToken *string
	Variables          []PipelineVariable
	SourceRevisions    []SourceRevisionOverride
}

// A PipelineVariable is a variable's value for one execution.
type PipelineVariable struct {
	Name  string `aws:",required"`
	Value string `aws:",required"` // 1 to 1000 characters
}

// A SourceRevisionOverride has a source action take a commit other than its
// branch's latest.
type SourceRevisionOverride struct {
	ActionName    string `aws:",required"`
	RevisionType  string `aws:",required"` // COMMIT_ID
	RevisionValue string `aws:",required"`
}

// StartPipelineExecutionOutput is its output.
type StartPipelineExecutionOutput struct{ PipelineExecutionId string }

var requestTokenPattern = regexp.MustCompile(`^[a-zA-Z0-9-]{1,128}$`)

// StartPipelineExecution starts an execution. Asked again with the same client
// request token it returns the execution that it started before.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StartPipelineExecution.html
func (s *Service) StartPipelineExecution(ctx context.Context, in *StartPipelineExecutionInput) (*StartPipelineExecutionOutput, error) {
	return s.begin(in, Trigger{"StartPipelineExecution", wire.Caller(ctx).ARN})
}

// Trigger starts an execution for an EventBridge rule and returns its id.
func (s *Service) Trigger(pipelineARN, ruleARN string) (executionID string, err error) {
	name, ok := strings.CutPrefix(pipelineARN, s.arn(""))
	if !ok {
		return "", wire.Errorf("InvalidArnException", "%s is not the ARN of a pipeline in %s", pipelineARN, s.Region)
	}
	out, err := s.begin(&StartPipelineExecutionInput{Name: name}, Trigger{"CloudWatchEvent", ruleARN})
	if err != nil {
		return "", err
	}
	return out.PipelineExecutionId, nil
}

func (s *Service) begin(in *StartPipelineExecutionInput, trigger Trigger) (*StartPipelineExecutionOutput, error) {
	token := ""
	if in.ClientRequestToken != nil {
		if token = *in.ClientRequestToken; !requestTokenPattern.MatchString(token) {
			return nil, wire.Errorf("ValidationException", "clientRequestToken: %q is not 1 to 128 of A-Z a-z 0-9 -", token)
		}
	}
	var id string
	err := s.turn(func(t *turn) error {
		p, err := t.find(in.Name)
		if err != nil {
			return err
		}
		if id = p.started[token]; id != "" {
			return nil
		}
		e := t.newExecution(p, trigger, t.now)
		if err := e.configure(in); err != nil {
			return err
		}
		if n := p.inProgress(); p.declaration.mode() != ModeSuperseded && n >= maxConcurrent {
			return wire.Errorf("ConcurrentPipelineExecutionsLimitExceededException", "The pipeline %s has %d executions in progress; %d are allowed", in.Name, n, maxConcurrent)
		}
		t.add(e)
		t.settle(p)
		id = e.id
		if token != "" {
			p.started[token] = id
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &StartPipelineExecutionOutput{PipelineExecutionId: id}, nil
}

func (p *pipeline) inProgress() int {
	n := 0
	for _, e := range p.executions {
		if e.live() {
			n++
		}
	}
	return n
}

// configure takes the variables and source revisions of an execution, and names
// everything that is wrong with them.
func (e *execution) configure(in *StartPipelineExecutionInput) error {
	var v lengths
	given := map[string]string{}
	for _, variable := range in.Variables {
		given[variable.Name] = variable.Value
		v.within("variables."+variable.Name, &variable.Value, 1000)
	}
	e.parameter = map[string]string{}
	for _, declared := range e.structure.Variables {
		value, ok := given[declared.Name]
		delete(given, declared.Name)
		if !ok {
			value = declared.DefaultValue
		}
		if value == "" {
			v.fault("variables: %s has no default and was given no value", declared.Name)
		}
		e.parameter[declared.Name] = value
	}
	for name := range given {
		v.fault("variables: the pipeline does not declare %s", name)
	}
	e.overrides = map[string]string{}
	for _, o := range in.SourceRevisions {
		if _, ok := e.structure.Stages[0].action(o.ActionName); !ok {
			v.fault("sourceRevisions: the pipeline has no source action %s", o.ActionName)
		}
		if o.RevisionType != "COMMIT_ID" {
			v.fault("sourceRevisions: revision type %s does not fit the CodeCommit action %s; COMMIT_ID does", o.RevisionType, o.ActionName)
		}
		if n := utf8.RuneCountInString(o.RevisionValue); n < 1 || n > 1000 {
			v.fault("sourceRevisions: the revision of %s is %d characters long", o.ActionName, n)
		}
		if e.structure.mode() == ModeParallel {
			v.fault("sourceRevisions: a PARALLEL pipeline takes the latest commit of %s", o.ActionName)
		}
		e.overrides[o.ActionName] = o.RevisionValue
	}
	return v.err()
}
