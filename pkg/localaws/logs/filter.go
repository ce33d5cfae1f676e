package logs

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A FilterLogEventsInput asks for events of many streams of a group.
type FilterLogEventsInput struct {
	LogGroupName        string
	LogGroupIdentifier  string // name or ARN
	LogStreamNames      []string
	LogStreamNamePrefix string
	StartTime           *int64 // milliseconds since the epoch, inclusive
	EndTime             *int64 // inclusive
	FilterPattern       string
	Limit               *int // up to 10000
	NextToken           string
	Interleaved         *bool // has no effect, as in AWS since 2019
}

// A FilteredLogEvent is an event of some stream. Times are milliseconds since the
// epoch.
type FilteredLogEvent struct {
	LogStreamName string
	Timestamp     int64
	Message       string
	IngestionTime int64
	EventId       string
}

// A FilterLogEventsOutput is a page of events.
type FilterLogEventsOutput struct {
	Events             []FilteredLogEvent
	SearchedLogStreams []struct{} // always empty, as AWS's is by now
	NextToken          string
}

// FilterLogEvents reads a group's streams in order of time; `aws logs tail` calls
// it.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (s *Service) FilterLogEvents(_ context.Context, in *FilterLogEventsInput) (*FilterLogEventsOutput, error) {
	matches, err := compile(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	type found struct {
		event
		stream string
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(nameOf(in.LogGroupName, in.LogGroupIdentifier))
	if err != nil {
		return nil, err
	}
	end := in.EndTime
	if end != nil {
		inclusive := *end + 1
		end = &inclusive
	}
	all := []found{}
	for _, st := range g.streams {
		named := len(in.LogStreamNames) == 0 || slices.Contains(in.LogStreamNames, st.name)
		if !named || !strings.HasPrefix(st.name, in.LogStreamNamePrefix) {
			continue
		}
		st.expire(g.horizon(now))
		for _, e := range st.events {
			if within(e.at, in.StartTime, end) && matches(e.message) {
				all = append(all, found{e, st.name})
			}
		}
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	all, next, err := page(all, in.NextToken, in.Limit, 10_000)
	if err != nil {
		return nil, err
	}
	out := &FilterLogEventsOutput{Events: []FilteredLogEvent{}, SearchedLogStreams: []struct{}{}, NextToken: next}
	for _, e := range all {
		out.Events = append(out.Events, FilteredLogEvent{
			LogStreamName: e.stream, Timestamp: e.at.UnixMilli(), Message: e.message,
			IngestionTime: e.ingested.UnixMilli(), EventId: strconv.Itoa(e.id),
		})
	}
	return out, nil
}

var (
	jsonPattern = regexp.MustCompile(`^\{\s*\$((?:\.[\w-]+)+)\s*(=|!=)\s*(?:"([^"]*)"|([^\s"]+))\s*\}$`)
	term        = regexp.MustCompile(`[?-]?(?:"[^"]*"|[^\s"{}\[\]?]+)`)
)

// compile reads a filter pattern: terms that a message must hold (or, with a
// minus, must not; or of which, with question marks, it must hold one), or a
// comparison of one JSON field.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func compile(pattern string) (func(message string) bool, error) {
	pattern = strings.TrimSpace(pattern)
	if m := jsonPattern.FindStringSubmatch(pattern); m != nil {
		path, equal, want := strings.Split(m[1][1:], "."), m[2] == "=", m[3]+m[4]
		return func(message string) bool { return jsonMatch(message, path, want) == equal }, nil
	}
	if strings.TrimSpace(term.ReplaceAllString(pattern, "")) != "" {
		return nil, invalid("filterPattern: the embedded AWS does not know the pattern " + pattern)
	}
	var all, none, either []string
	for _, t := range term.FindAllString(pattern, -1) {
		text := strings.Trim(strings.TrimLeft(t, "?-"), `"`)
		switch t[0] {
		case '?':
			either = append(either, text)
		case '-':
			none = append(none, text)
		default:
			all = append(all, text)
		}
	}
	return func(message string) bool {
		holds := func(text string) bool { return strings.Contains(message, text) }
		lacks := func(text string) bool { return !holds(text) }
		return !slices.ContainsFunc(all, lacks) && !slices.ContainsFunc(none, holds) &&
			(len(either) == 0 || slices.ContainsFunc(either, holds))
	}, nil
}

// jsonMatch says whether a field of a JSON message is, as text, what is wanted,
// where * stands for any run of characters.
func jsonMatch(message string, path []string, want string) bool {
	decoder := json.NewDecoder(strings.NewReader(message))
	decoder.UseNumber()
	var node any
	if decoder.Decode(&node) != nil {
		return false
	}
	for _, name := range path {
		members, ok := node.(map[string]any)
		if !ok {
			return false
		}
		node = members[name]
	}
	var got string
	switch v := node.(type) {
	case string:
		got = v
	case json.Number:
		got = v.String()
	case bool:
		got = strconv.FormatBool(v)
	default:
		return false
	}
	if !strings.Contains(want, "*") {
		return got == want
	}
	parts := strings.Split(want, "*")
	if !strings.HasPrefix(got, parts[0]) {
		return false
	}
	got = got[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(got, part)
		if at < 0 {
			return false
		}
		got = got[at+len(part):]
	}
	return strings.HasSuffix(got, parts[len(parts)-1])
}
