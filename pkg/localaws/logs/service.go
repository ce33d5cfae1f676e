package logs

import (
	"cmp"
	"fmt"
	"strconv"
	"sync"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

const arnPrefix = "arn:aws:logs:us-east-1:111122223333:log-group:"

// Config says what the service is made of.
type Config struct {
	Clock clock.Clock
}

// A Service is the CloudWatch Logs of one embedded AWS. It is safe for concurrent
// use.
type Service struct {
	clock clock.Clock

	mu     sync.Mutex
	groups map[string]*group
	events int // ever written, for event ids
}

// New makes an empty store of logs.
func New(c Config) *Service {
	return &Service{clock: c.Clock, groups: map[string]*group{}}
}

// Wire is the API of CloudWatch Logs.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "logs",
		Protocols: []wire.Protocol{awsjson.Protocol{Version: "1.1", Target: "Logs_20140328", Naming: wire.LowerFirst}},
		Invalid:   invalid,
		Operations: []wire.Operation{
			wire.Op("CreateLogGroup", s.CreateLogGroup, wire.On(func(in *CreateLogGroupInput) []string { return onGroup(in.LogGroupName) })),
			wire.Op("DeleteLogGroup", s.DeleteLogGroup, wire.On(func(in *GroupInput) []string { return onGroup(in.LogGroupName) })),
			wire.Op("DescribeLogGroups", s.DescribeLogGroups, wire.On(func(*DescribeLogGroupsInput) []string {
				return []string{arnPrefix + ":log-stream:"}
			})),
			wire.Op("PutRetentionPolicy", s.PutRetentionPolicy, wire.On(func(in *PutRetentionPolicyInput) []string { return onGroup(in.LogGroupName) })),
			wire.Op("DeleteRetentionPolicy", s.DeleteRetentionPolicy, wire.On(func(in *GroupInput) []string { return onGroup(in.LogGroupName) })),
			wire.Op("ListTagsForResource", s.ListTagsForResource, wire.On(func(in *ListTagsForResourceInput) []string { return []string{in.ResourceArn} })),
			wire.Op("CreateLogStream", s.CreateLogStream, wire.On(func(in *StreamInput) []string { return onGroup(in.LogGroupName) })),
			wire.Op("DeleteLogStream", s.DeleteLogStream, wire.On(func(in *StreamInput) []string { return onStream(in.LogGroupName, in.LogStreamName) })),
			wire.Op("DescribeLogStreams", s.DescribeLogStreams, wire.On(func(in *DescribeLogStreamsInput) []string {
				return onGroup(nameOf(in.LogGroupName, in.LogGroupIdentifier))
			})),
			wire.Op("PutLogEvents", s.PutLogEvents, wire.On(func(in *PutLogEventsInput) []string { return onStream(in.LogGroupName, in.LogStreamName) })),
			wire.Op("GetLogEvents", s.GetLogEvents, wire.On(func(in *GetLogEventsInput) []string {
				return onStream(nameOf(in.LogGroupName, in.LogGroupIdentifier), in.LogStreamName)
			})),
			wire.Op("FilterLogEvents", s.FilterLogEvents, wire.On(func(in *FilterLogEventsInput) []string {
				return onGroup(nameOf(in.LogGroupName, in.LogGroupIdentifier))
			})),
		},
	}
}

// onGroup is what IAM is asked for a group: its ARN with an empty stream, so that
// "log-group:NAME:*" covers it and "log-group:NAME" does not, as in AWS.
func onGroup(name string) []string { return onStream(name, "") }

func onStream(group, stream string) []string {
	return []string{arnPrefix + group + ":log-stream:" + stream}
}

func invalid(message string) *wire.Error {
	return wire.Errorf("InvalidParameterException", "%s", message)
}

func notFound(what string) error {
	return wire.Errorf("ResourceNotFoundException", "The specified %s does not exist.", what)
}

func alreadyExists(what string) error {
	return wire.Errorf("ResourceAlreadyExistsException", "The specified %s already exists", what)
}

// offset reads a page token: the number of items that went before.
func offset(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 {
		return 0, invalid(fmt.Sprintf("nextToken: %q is not one that this API gave", token))
	}
	return n, nil
}

// page cuts one page out of a list and gives the token of the next, or "".
func page[T any](all []T, token string, limit *int, usual int) (items []T, next string, err error) {
	start, err := offset(token)
	if err != nil {
		return nil, "", err
	}
	count := usual
	if limit != nil {
		count = *limit
	}
	if count < 1 || count > 10_000 {
		return nil, "", invalid(fmt.Sprintf("limit: %d is out of range", count))
	}
	start = min(start, len(all))
	end := min(start+count, len(all))
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return all[start:end], next, nil
}

// nameOf reads a group that may be named or given by its ARN.
func nameOf(name, identifier string) string {
	return cmp.Or(name, groupName(identifier))
}
