package cloudwatch

import (
	"log/slog"
	"sync"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
	"cutover/pkg/localaws/wire/awsquery"
	"cutover/pkg/localaws/wire/rpccbor"
)

const (
	region  = "us-east-1"
	account = "111122223333"
	target  = "GraniteServiceVersion20100801"
)

// IAM says what callers may do, beyond what the endpoint asks of it itself.
type IAM interface {
	// Allowed says whether the principal's policies allow the access.
	Allowed(p wire.Principal, a wire.Access) bool
}

// Config says what a service is made of.
type Config struct {
	Clock   clock.Clock
	IAM     IAM          // whether a caller sees composite alarms; nil shows them to everybody
	Actions Actions      // nil carries none out
	Events  Events       // nil publishes nothing
	Logger  *slog.Logger // nil discards
}

// A Service is the CloudWatch of one embedded AWS. It is safe for concurrent use.
type Service struct {
	clock   clock.Clock
	iam     IAM
	actions Actions
	events  Events
	logger  *slog.Logger

	mu      sync.Mutex
	metrics store
	alarms  map[string]*alarm // metric and composite ones, by name
	history []AlarmHistoryItem
	tick    clock.Timer // of the next evaluation; nil while there is no metric alarm
	closed  bool
}

// New makes a service without metrics and alarms. Close ends its evaluations.
func New(config Config) *Service {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		clock: config.Clock, iam: config.IAM, actions: config.Actions, events: config.Events, logger: config.Logger,
		metrics: store{}, alarms: map[string]*alarm{},
	}
}

// Close ends the evaluation of alarms. It can be called more than once.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.tick != nil {
		s.tick.Stop()
		s.tick = nil
	}
}

// Wire is the service's API, in the three protocols that clients of different
// age speak.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name: "monitoring",
		IAM:  "cloudwatch",
		Protocols: []wire.Protocol{
			rpccbor.Protocol{Target: target, Shapes: shapes()},
			awsjson.Protocol{Version: "1.0", Target: target, Naming: wire.AsIs},
			awsquery.Protocol{Version: "2010-08-01", Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/"},
		},
		Invalid: func(message string) *wire.Error { return invalid("%s", message) },
		Operations: []wire.Operation{
			wire.Op("PutMetricData", s.PutMetricData, wire.Needs(inNamespace)),
			wire.Op("GetMetricData", s.GetMetricData),
			wire.Op("GetMetricStatistics", s.GetMetricStatistics),
			wire.Op("ListMetrics", s.ListMetrics),
			wire.Op("PutMetricAlarm", s.PutMetricAlarm, wire.On(func(in *PutMetricAlarmInput) []string { return alarmARNs(in.AlarmName) }),
				wire.Needs(func(in *PutMetricAlarmInput) []wire.Access { return tagging(in.AlarmName, in.Tags) })),
			wire.Op("PutCompositeAlarm", s.PutCompositeAlarm,
				wire.Needs(func(in *PutCompositeAlarmInput) []wire.Access { return tagging(in.AlarmName, in.Tags) })),
			wire.Op("DescribeAlarms", s.DescribeAlarms, wire.On(func(in *DescribeAlarmsInput) []string { return alarmARNs(in.AlarmNames...) })),
			wire.Op("DescribeAlarmHistory", s.DescribeAlarmHistory, wire.On(func(in *DescribeAlarmHistoryInput) []string {
				if in.AlarmName == "" {
					return alarmARNs()
				}
				return alarmARNs(in.AlarmName)
			})),
			wire.Op("SetAlarmState", s.SetAlarmState, wire.On(func(in *SetAlarmStateInput) []string { return alarmARNs(in.AlarmName) })),
			wire.Op("DeleteAlarms", s.DeleteAlarms, wire.On(func(in *AlarmNamesInput) []string { return alarmARNs(in.AlarmNames...) })),
			wire.Op("EnableAlarmActions", s.EnableAlarmActions, wire.On(func(in *AlarmNamesInput) []string { return alarmARNs(in.AlarmNames...) })),
			wire.Op("DisableAlarmActions", s.DisableAlarmActions, wire.On(func(in *AlarmNamesInput) []string { return alarmARNs(in.AlarmNames...) })),
			wire.Op("ListTagsForResource", s.ListTagsForResource, wire.On(func(in *ListTagsForResourceInput) []string { return []string{in.ResourceARN} })),
		},
	}
}

func alarmARN(name string) string {
	return "arn:aws:cloudwatch:" + region + ":" + account + ":alarm:" + name
}

// alarmARNs are the ARNs of the named alarms, or of all alarms.
func alarmARNs(names ...string) []string {
	if len(names) == 0 {
		names = []string{"*"}
	}
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = alarmARN(name)
	}
	return all
}

func tagging(alarm string, tags []Tag) []wire.Access {
	if len(tags) == 0 {
		return nil
	}
	return []wire.Access{{Action: "cloudwatch:TagResource", Resource: alarmARN(alarm)}}
}

func inNamespace(in *PutMetricDataInput) []wire.Access {
	return []wire.Access{{Resource: "*", Context: map[string]string{"cloudwatch:namespace": in.Namespace}}}
}

// shapes are the names that clients of RPC v2 know errors by, where they differ
// from the code of the query protocol.
func shapes() map[string]string {
	return map[string]string{
		"InvalidParameterValue":       "InvalidParameterValueException",
		"InvalidParameterCombination": "InvalidParameterCombinationException",
		"MissingParameter":            "MissingRequiredParameterException",
		"InvalidFormat":               "InvalidFormatFault",
	}
}

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationError", format, args...)
}

func notFound(alarm string) *wire.Error {
	return wire.Errorf("ResourceNotFound", "Unknown alarm: %s", alarm).WithStatus(404)
}
