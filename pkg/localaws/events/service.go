package events

import (
	"context"
	"log/slog"
	"sync"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// Pipelines is what rules ask of CodePipeline.
type Pipelines interface {
	// Trigger starts an execution of a pipeline on behalf of a rule.
	Trigger(pipelineARN, ruleARN string) (executionID string, err error)
}

// A Target takes events for one kind of resource.
type Target interface {
	// Deliver hands an event to the resource with this ARN.
	Deliver(ctx context.Context, arn string, event []byte) error
}

// Roles is what rules ask of IAM.
type Roles interface {
	// RoleAllows says whether the role's policies allow the access.
	RoleAllows(roleARN string, a wire.Access) bool
}

// Config says what a service is made of.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	Logger  *slog.Logger // nil discards

	Pipelines Pipelines         // nil: pipelines are no targets
	Targets   map[string]Target // other targets by their ARN's service, e.g. "lambda", "logs"
	Roles     Roles             // nil allows everything
}

// A Service is the event bus of one embedded AWS. It is safe for concurrent use.
type Service struct {
	Config

	mu         sync.Mutex
	rules      map[string]*rule
	deliveries []Delivery
}

// New makes a bus without rules.
func New(config Config) *Service {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{Config: config, rules: map[string]*rule{}}
}

// Wire is the service's API.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "events",
		Protocols: []wire.Protocol{awsjson.Protocol{Version: "1.1", Target: "AWSEvents", Naming: wire.AsIs}},
		Operations: []wire.Operation{
			wire.Op("PutRule", s.PutRule, wire.On(func(in *PutRuleInput) []string { return []string{s.arn(in.Name)} })),
			wire.Op("DescribeRule", s.DescribeRule, wire.On(func(in *DescribeRuleInput) []string { return []string{s.arn(in.Name)} })),
			wire.Op("DeleteRule", s.DeleteRule, wire.On(func(in *DeleteRuleInput) []string { return []string{s.arn(in.Name)} })),
			wire.Op("ListRules", s.ListRules, wire.On(func(*ListRulesInput) []string { return []string{s.arn("*")} })),
			wire.Op("PutTargets", s.PutTargets,
				wire.On(func(in *PutTargetsInput) []string { return []string{s.arn(in.Rule)} }),
				wire.Needs(passRoles)),
			wire.Op("RemoveTargets", s.RemoveTargets, wire.On(func(in *RemoveTargetsInput) []string { return []string{s.arn(in.Rule)} })),
			wire.Op("ListTargetsByRule", s.ListTargetsByRule, wire.On(func(in *ListTargetsByRuleInput) []string { return []string{s.arn(in.Rule)} })),
			wire.Op("PutEvents", s.PutEvents, wire.On(func(*PutEventsInput) []string {
				return []string{"arn:aws:events:" + s.Region + ":" + s.Account + ":event-bus/default"}
			})),
		},
	}
}

func (s *Service) arn(rule string) string {
	return "arn:aws:events:" + s.Region + ":" + s.Account + ":rule/" + rule
}
