package logs

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxStreamBytes is how much of a stream is kept, counted as AWS counts.
const maxStreamBytes = 4 << 20

// overhead is what AWS adds to the bytes of each message.
const overhead = 26

// maxMessage is the longest message of an event, in bytes.
const maxMessage = 1 << 20

type event struct {
	id       int
	at       time.Time
	ingested time.Time
	message  string
}

func (e event) size() int { return len(e.message) + overhead }

type stream struct {
	name             string
	created, touched time.Time
	events           []event // in order of at
	bytes            int
}

// add keeps the events in order of their time; those of one time stay in the
// order they came in.
func (st *stream) add(e event) {
	at := len(st.events)
	for at > 0 && st.events[at-1].at.After(e.at) {
		at--
	}
	st.events = slices.Insert(st.events, at, e)
	st.bytes += e.size()
	st.touched = e.ingested
	drop := 0
	for st.bytes > maxStreamBytes && drop < len(st.events)-1 {
		st.bytes -= st.events[drop].size()
		drop++
	}
	st.events = slices.Delete(st.events, 0, drop)
}

// expire takes away what happened before the horizon.
func (st *stream) expire(horizon time.Time) {
	keep := 0
	for keep < len(st.events) && st.events[keep].at.Before(horizon) {
		st.bytes -= st.events[keep].size()
		keep++
	}
	st.events = slices.Delete(st.events, 0, keep)
}

var streamNames = regexp.MustCompile(`^[^:*]{1,512}$`)

// A StreamInput names a stream.
type StreamInput struct {
	LogGroupName  string `aws:",required"`
	LogStreamName string `aws:",required"`
}

// CreateLogStream makes an empty stream.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html
func (s *Service) CreateLogStream(_ context.Context, in *StreamInput) (*Empty, error) {
	if !streamNames.MatchString(in.LogStreamName) {
		return nil, invalid(fmt.Sprintf("logStreamName: %q must match %s", in.LogStreamName, streamNames))
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(in.LogGroupName)
	if err != nil {
		return nil, err
	}
	if g.streams[in.LogStreamName] != nil {
		return nil, alreadyExists("log stream")
	}
	g.stream(in.LogStreamName, now)
	return &Empty{}, nil
}

// DeleteLogStream removes a stream with its events.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogStream.html
func (s *Service) DeleteLogStream(_ context.Context, in *StreamInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, st, err := s.streamLocked(in.LogGroupName, in.LogStreamName)
	if err != nil {
		return nil, err
	}
	delete(g.streams, st.name)
	return &Empty{}, nil
}

func (s *Service) streamLocked(groupName, name string) (*group, *stream, error) {
	g, err := s.groupLocked(groupName)
	if err != nil {
		return nil, nil, err
	}
	st := g.streams[name]
	if st == nil {
		return nil, nil, notFound("log stream")
	}
	return g, st, nil
}

// A DescribeLogStreamsInput asks for a page of a group's streams.
type DescribeLogStreamsInput struct {
	LogGroupName        string
	LogGroupIdentifier  string // name or ARN
	LogStreamNamePrefix string
	OrderBy             string // LogStreamName or LastEventTime
	Descending          *bool
	Limit               *int // up to 50
	NextToken           string
}

// A LogStream as answers show it. Times are milliseconds since the epoch.
type LogStream struct {
	LogStreamName       string
	Arn                 string
	CreationTime        int64
	FirstEventTimestamp *int64
	LastEventTimestamp  *int64
	LastIngestionTime   *int64
	StoredBytes         int64 // always 0, as AWS answers since 2019
	UploadSequenceToken string
}

// A DescribeLogStreamsOutput is a page of streams.
type DescribeLogStreamsOutput struct {
	LogStreams []LogStream
	NextToken  string
}

// DescribeLogStreams lists the streams of a group.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html
func (s *Service) DescribeLogStreams(_ context.Context, in *DescribeLogStreamsInput) (*DescribeLogStreamsOutput, error) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(nameOf(in.LogGroupName, in.LogGroupIdentifier))
	if err != nil {
		return nil, err
	}
	var found []*stream
	for _, st := range g.streams {
		if strings.HasPrefix(st.name, in.LogStreamNamePrefix) {
			st.expire(g.horizon(now))
			found = append(found, st)
		}
	}
	compare := func(a, b *stream) int { return cmp.Compare(a.name, b.name) }
	switch in.OrderBy {
	case "", "LogStreamName":
	case "LastEventTime":
		compare = func(a, b *stream) int { return cmp.Or(a.last().Compare(b.last()), cmp.Compare(a.name, b.name)) }
	default:
		return nil, invalid(fmt.Sprintf("orderBy: %q is neither LogStreamName nor LastEventTime", in.OrderBy))
	}
	slices.SortFunc(found, compare)
	if in.Descending != nil && *in.Descending {
		slices.Reverse(found)
	}
	found, next, err := page(found, in.NextToken, in.Limit, 50)
	if err != nil {
		return nil, err
	}
	out := &DescribeLogStreamsOutput{LogStreams: []LogStream{}, NextToken: next}
	for _, st := range found {
		out.LogStreams = append(out.LogStreams, st.view(g.name))
	}
	return out, nil
}

// last is when the latest event happened, or when the stream was made.
func (st *stream) last() time.Time {
	if len(st.events) == 0 {
		return st.created
	}
	return st.events[len(st.events)-1].at
}

func (st *stream) view(group string) LogStream {
	view := LogStream{
		LogStreamName: st.name, Arn: arnPrefix + group + ":log-stream:" + st.name,
		CreationTime: st.created.UnixMilli(),
	}
	if n := len(st.events); n > 0 {
		first, last, ingested := st.events[0].at.UnixMilli(), st.events[n-1].at.UnixMilli(), st.touched.UnixMilli()
		view.FirstEventTimestamp, view.LastEventTimestamp, view.LastIngestionTime = &first, &last, &ingested
	}
	return view
}
