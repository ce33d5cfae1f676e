package cloudformation

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsquery"
)

// Objects reads templates that are too large for a request: S3.
type Objects interface {
	Get(bucket, key string) ([]byte, error)
}

// ParameterStore gives parameters of type AWS::SSM::Parameter::Value<...> their
// values.
type ParameterStore interface {
	Parameter(name string) (value string, err error)
}

// Config says what a Service works with.
type Config struct {
	Clock clock.Clock
	// Types are the resource types of all services.
	Types []resource.Type
	// Objects is where TemplateURL points to; nil refuses it.
	Objects Objects
	// Parameters may be nil: then parameter types that need it are refused.
	Parameters ParameterStore
	// Functions runs custom resources; nil refuses them.
	Functions Functions
	// URL is where the embedded AWS answers, for the answers of custom resources.
	URL func() string
	// AccountID and Region are 111122223333 and us-east-1 when empty.
	AccountID string
	Region    string
	// Zones are what Fn::GetAZs gives: a to f of the region when empty.
	Zones []string
	// Logger may be nil.
	Logger *slog.Logger
}

// A Service is CloudFormation. It is safe for concurrent use.
type Service struct {
	Config
	types     map[string]resource.Type
	responses responses

	mu     sync.Mutex
	stacks []*stack // deleted ones too, oldest first
	made   int      // ids so far
}

// New makes a service without stacks.
func New(config Config) *Service {
	if config.AccountID == "" {
		config.AccountID = "111122223333"
	}
	if config.Region == "" {
		config.Region = "us-east-1"
	}
	if len(config.Zones) == 0 {
		for _, letter := range "abcdef" {
			config.Zones = append(config.Zones, config.Region+string(letter))
		}
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{Config: config, types: map[string]resource.Type{}}
	for _, t := range config.Types {
		s.types[t.Name] = t
	}
	return s
}

// typeOf finds a resource type.
func (s *Service) typeOf(name string) (resource.Type, bool) {
	if isCustom(name) {
		return s.custom(name), s.Functions != nil
	}
	t, ok := s.types[name]
	return t, ok
}

// properties tells package template which resource types there are.
func (s *Service) properties(name string) (reflect.Type, bool) {
	t, ok := s.typeOf(name)
	return t.Properties, ok
}

// known is the type of a resource that a template was checked to have.
func (s *Service) known(name string) resource.Type {
	t, _ := s.typeOf(name)
	return t
}

// Wire is the service's API.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name: "cloudformation",
		Protocols: []wire.Protocol{awsquery.Protocol{
			Version: "2010-05-15", Namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/",
		}},
		Invalid:    func(message string) *wire.Error { return invalid("%s", message) },
		Operations: s.operations(),
	}
}

func (s *Service) operations() []wire.Operation {
	return []wire.Operation{
		wire.Op("CreateStack", s.CreateStack, on(s, func(in *CreateStackInput) string { return in.StackName })),
		wire.Op("UpdateStack", s.UpdateStack, on(s, func(in *UpdateStackInput) string { return in.StackName })),
		wire.Op("DeleteStack", s.DeleteStack, on(s, func(in *DeleteStackInput) string { return in.StackName })),
		wire.Op("DescribeStacks", s.DescribeStacks, on(s, func(in *DescribeStacksInput) string { return in.StackName })),
		wire.Op("DescribeStackEvents", s.DescribeStackEvents, on(s, func(in *DescribeStackEventsInput) string { return in.StackName })),
		wire.Op("DescribeStackResource", s.DescribeStackResource, on(s, func(in *DescribeStackResourceInput) string { return in.StackName })),
		wire.Op("DescribeStackResources", s.DescribeStackResources, on(s, func(in *DescribeStackResourcesInput) string { return in.StackName })),
		wire.Op("ListStackResources", s.ListStackResources, on(s, func(in *ListStackResourcesInput) string { return in.StackName })),
		wire.Op("ListStacks", s.ListStacks),
		wire.Op("GetTemplate", s.GetTemplate, on(s, func(in *GetTemplateInput) string { return in.StackName })),
		wire.Op("GetTemplateSummary", s.GetTemplateSummary, on(s, func(in *GetTemplateSummaryInput) string { return in.StackName })),
		wire.Op("ValidateTemplate", s.ValidateTemplate),
		wire.Op("ListExports", s.ListExports),
		wire.Op("ListImports", s.ListImports),
		wire.Op("CreateChangeSet", s.CreateChangeSet, on(s, func(in *CreateChangeSetInput) string { return in.StackName })),
		wire.Op("DescribeChangeSet", s.DescribeChangeSet, on(s, func(in *DescribeChangeSetInput) string { return in.StackName })),
		wire.Op("ExecuteChangeSet", s.ExecuteChangeSet, on(s, func(in *ExecuteChangeSetInput) string { return in.StackName })),
		wire.Op("DeleteChangeSet", s.DeleteChangeSet, on(s, func(in *DeleteChangeSetInput) string { return in.StackName })),
	}
}

// on asks IAM for an operation on the stack that a request names.
func on[In any](s *Service, stackName func(*In) string) wire.Option {
	return wire.On(func(in *In) []string {
		name := stackName(in)
		if strings.HasPrefix(name, "arn:") {
			return []string{name}
		}
		if name == "" {
			return []string{"*"}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if st := s.find(name); st != nil {
			return []string{st.id}
		}
		return []string{s.arn("stack/" + name + "/*")}
	})
}

func (s *Service) arn(rest string) string {
	return fmt.Sprintf("arn:aws:cloudformation:%s:%s:%s", s.Region, s.AccountID, rest)
}

// newID makes a UUID that depends on nothing but the clock and what was made
// before, so that a run on a manual clock can be repeated exactly.
func (s *Service) newID() string {
	s.made++
	h := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", s.Clock.Now(), s.made)))
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[12:15], h[15:18], h[18:30])
}

// invalid is CloudFormation's error for most that can be wrong with a request.
func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationError", format, args...)
}

// answer keeps an *wire.Error and makes a ValidationError of any other error.
func answer(err error) error {
	var refusal *wire.Error
	if err == nil || errors.As(err, &refusal) {
		return err
	}
	return invalid("%v", err)
}

// detached is a context for work that goes on after the request.
func detached(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
