package logs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Put writes one event that happens now, and makes its group and stream when they
// are missing.
func (s *Service) Put(group, stream, message string) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[group]
	if g == nil {
		g = newGroup(group, now)
		s.groups[group] = g
	}
	s.writeLocked(g, g.stream(stream, now), now, now, message)
}

func (s *Service) writeLocked(g *group, st *stream, at, now time.Time, message string) {
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	st.expire(g.horizon(now))
	s.events++
	st.add(event{id: s.events, at: at, ingested: now, message: message})
}

// Writer makes an event of every line that is written to it, for what writes logs
// within this process. A line without its end waits for the next Write.
func (s *Service) Writer(group, stream string) io.Writer {
	return &lineWriter{put: func(line string) { s.Put(group, stream, line) }}
}

// An InputLogEvent is an event to be written.
type InputLogEvent struct {
	Timestamp int64  `aws:",required"` // milliseconds since the epoch
	Message   string `aws:",required"`
}

// A PutLogEventsInput is a batch of events in order of their time.
type PutLogEventsInput struct {
	LogGroupName  string          `aws:",required"`
	LogStreamName string          `aws:",required"`
	LogEvents     []InputLogEvent `aws:",required"`
	SequenceToken string          // ignored, as AWS does since 2023
}

// A PutLogEventsOutput says which events were too old or too new.
type PutLogEventsOutput struct {
	NextSequenceToken     string
	RejectedLogEventsInfo *RejectedLogEventsInfo
}

// RejectedLogEventsInfo gives the borders within a batch that was not taken whole.
type RejectedLogEventsInfo struct {
	TooNewLogEventStartIndex *int
	TooOldLogEventEndIndex   *int
	ExpiredLogEventEndIndex  *int
}

// PutLogEvents writes a batch of events, without those more than two hours ahead,
// fourteen days old, or past the group's retention.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
func (s *Service) PutLogEvents(_ context.Context, in *PutLogEventsInput) (*PutLogEventsOutput, error) {
	ordered := slices.IsSortedFunc(in.LogEvents, func(a, b InputLogEvent) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	switch {
	case !ordered:
		return nil, invalid("Log events in a single PutLogEvents request must be in chronological order.")
	case len(in.LogEvents) == 0 || len(in.LogEvents) > 10_000:
		return nil, invalid(fmt.Sprintf("logEvents: has %d, not 1 to 10000, events", len(in.LogEvents)))
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	g, st, err := s.streamLocked(in.LogGroupName, in.LogStreamName)
	if err != nil {
		return nil, err
	}
	var rejected RejectedLogEventsInfo
	for i, e := range in.LogEvents {
		end := i + 1
		switch at := time.UnixMilli(e.Timestamp).UTC(); {
		case at.After(now.Add(2 * time.Hour)):
			if rejected.TooNewLogEventStartIndex == nil {
				rejected.TooNewLogEventStartIndex = &i
			}
		case at.Before(now.AddDate(0, 0, -14)):
			rejected.TooOldLogEventEndIndex = &end
		case at.Before(g.horizon(now)):
			rejected.ExpiredLogEventEndIndex = &end
		default:
			s.writeLocked(g, st, at, now, e.Message)
		}
	}
	out := &PutLogEventsOutput{NextSequenceToken: strconv.Itoa(s.events)}
	if rejected != (RejectedLogEventsInfo{}) {
		out.RejectedLogEventsInfo = &rejected
	}
	return out, nil
}

// A GetLogEventsInput asks for events of one stream.
type GetLogEventsInput struct {
	LogGroupName       string
	LogGroupIdentifier string // name or ARN
	LogStreamName      string `aws:",required"`
	StartTime          *int64 // milliseconds since the epoch, inclusive
	EndTime            *int64 // exclusive
	StartFromHead      *bool
	Limit              *int // up to 10000
	NextToken          string
}

// An OutputLogEvent is an event of a stream. Times are milliseconds since the
// epoch.
type OutputLogEvent struct {
	Timestamp     int64
	Message       string
	IngestionTime int64
}

// A GetLogEventsOutput is a page of events. At the end of the stream the forward
// token is the one that was given.
type GetLogEventsOutput struct {
	Events            []OutputLogEvent
	NextForwardToken  string
	NextBackwardToken string
}

// GetLogEvents reads one stream, in order of time: its end, or from its head.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
func (s *Service) GetLogEvents(_ context.Context, in *GetLogEventsInput) (*GetLogEventsOutput, error) {
	limit := 10_000
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > 10_000 {
		return nil, invalid(fmt.Sprintf("limit: %d is not between 1 and 10000", limit))
	}
	direction, id, err := eventToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	g, st, err := s.streamLocked(nameOf(in.LogGroupName, in.LogGroupIdentifier), in.LogStreamName)
	if err != nil {
		return nil, err
	}
	st.expire(g.horizon(now))
	events := slices.DeleteFunc(slices.Clone(st.events), func(e event) bool { return !within(e.at, in.StartTime, in.EndTime) })
	fromHead := in.StartFromHead != nil && *in.StartFromHead
	start, end := window(events, direction, id, limit, fromHead)

	out := &GetLogEventsOutput{Events: []OutputLogEvent{}}
	for _, e := range events[start:end] {
		out.Events = append(out.Events, OutputLogEvent{Timestamp: e.at.UnixMilli(), Message: e.message, IngestionTime: e.ingested.UnixMilli()})
	}
	out.NextForwardToken = "f/" + border(events, end-1, in.NextToken)
	out.NextBackwardToken = "b/" + border(events, start, in.NextToken)
	return out, nil
}

// eventToken reads a token: the direction, and the id of the event it starts
// beyond.
func eventToken(token string) (direction string, id int, err error) {
	if token == "" {
		return "", 0, nil
	}
	direction, text, _ := strings.Cut(token, "/")
	id, err = strconv.Atoi(text)
	if err != nil || direction != "f" && direction != "b" {
		return "", 0, invalid("The specified nextToken is invalid.")
	}
	return direction, id, nil
}

// window finds the events that a page shows.
func window(events []event, direction string, id, limit int, fromHead bool) (start, end int) {
	known := slices.IndexFunc(events, func(e event) bool { return e.id == id })
	switch {
	case direction == "f":
		start = known + 1 // an event that is gone was before all others
		return start, min(start+limit, len(events))
	case direction == "b":
		end = max(known, 0)
		return max(end-limit, 0), end
	case fromHead:
		return 0, min(limit, len(events))
	}
	return max(len(events)-limit, 0), len(events)
}

// border is the id of the event at the edge of a page, or what the given token
// said when the page is empty.
func border(events []event, at int, given string) string {
	if at < 0 || at >= len(events) {
		if _, text, ok := strings.Cut(given, "/"); ok {
			return text
		}
		return "0"
	}
	return strconv.Itoa(events[at].id)
}

func within(at time.Time, start, end *int64) bool {
	ms := at.UnixMilli()
	return (start == nil || ms >= *start) && (end == nil || ms < *end)
}
