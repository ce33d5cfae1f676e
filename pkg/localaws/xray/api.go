package xray

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// A PutTraceSegmentsInput holds segment documents as JSON texts.
type PutTraceSegmentsInput struct {
	TraceSegmentDocuments []string `aws:",required"`
}

// An UnprocessedTraceSegment is a document that could not be read.
type UnprocessedTraceSegment struct {
	Id        string
	ErrorCode string
	Message   string
}

// A PutTraceSegmentsOutput lists the documents that could not be read.
type PutTraceSegmentsOutput struct {
	UnprocessedTraceSegments []UnprocessedTraceSegment
}

// PutTraceSegments keeps segment documents.
// https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html
func (s *Service) PutTraceSegments(_ context.Context, in *PutTraceSegmentsInput) (*PutTraceSegmentsOutput, error) {
	out := &PutTraceSegmentsOutput{UnprocessedTraceSegments: []UnprocessedTraceSegment{}}
	for _, document := range in.TraceSegmentDocuments {
		if _, err := s.put([]byte(document)); err != nil {
			s.reject(err)
			var named struct{ ID string }
			json.Unmarshal([]byte(document), &named) // what is no JSON has no id
			out.UnprocessedTraceSegments = append(out.UnprocessedTraceSegments, UnprocessedTraceSegment{Id: named.ID, ErrorCode: "InvalidSegment", Message: err.Error()})
		}
	}
	return out, nil
}

// A PutTelemetryRecordsInput is what daemons say of themselves.
type PutTelemetryRecordsInput struct {
	TelemetryRecords []TelemetryRecord `aws:",required"`
	EC2InstanceId    string
	Hostname         string
	ResourceARN      string
}

// A TelemetryRecord counts a daemon's segments.
type TelemetryRecord struct {
	Timestamp               time.Time `aws:",required"`
	SegmentsReceivedCount   int
	SegmentsSentCount       int
	SegmentsSpilloverCount  int
	SegmentsRejectedCount   int
	BackendConnectionErrors map[string]int
}

// An Empty is an answer without members.
type Empty struct{}

// PutTelemetryRecords takes a daemon's own counts. Nothing shows them, in AWS
// neither.
// https://docs.aws.amazon.com/xray/latest/api/API_PutTelemetryRecords.html
func (s *Service) PutTelemetryRecords(context.Context, *PutTelemetryRecordsInput) (*Empty, error) {
	return &Empty{}, nil
}

// A GetTraceSummariesInput asks for the traces of a time.
type GetTraceSummariesInput struct {
	StartTime        time.Time `aws:",required"`
	EndTime          time.Time `aws:",required"`
	TimeRangeType    string    // TraceId (the trace's start), Event or Service (its end)
	FilterExpression string
	Sampling         *bool // all traces are looked at in any case
	NextToken        string
}

// A TraceSummary says how a trace went.
type TraceSummary struct {
	Id           string
	StartTime    time.Time
	Duration     float64 // seconds, to the end of the last segment
	ResponseTime float64 // seconds, of the first segment
	HasFault     bool
	HasError     bool
	HasThrottle  bool
	IsPartial    bool
	Annotations  map[string][]AnnotatedValue
	EntryPoint   *ServiceID
	ServiceIds   []ServiceID
}

// A ServiceID names what wrote a segment.
type ServiceID struct {
	Name string
	Type string // origin
}

// An AnnotatedValue is one value of an annotation.
type AnnotatedValue struct{ AnnotationValue AnnotationValue }

// An AnnotationValue has one of its members.
type AnnotationValue struct {
	BooleanValue *bool
	NumberValue  *float64
	StringValue  string
}

// A GetTraceSummariesOutput is a page of traces.
type GetTraceSummariesOutput struct {
	TraceSummaries       []TraceSummary
	TracesProcessedCount int64
	ApproximateTime      time.Time
	NextToken            string
}

// tracesPerPage is how many summaries a page holds.
const tracesPerPage = 100

// GetTraceSummaries lists traces, the oldest first.
// https://docs.aws.amazon.com/xray/latest/api/API_GetTraceSummaries.html
func (s *Service) GetTraceSummaries(_ context.Context, in *GetTraceSummariesInput) (*GetTraceSummariesOutput, error) {
	matches, err := compile(in.FilterExpression)
	if err != nil {
		return nil, err
	}
	byEnd := false
	switch in.TimeRangeType {
	case "", "TraceId":
	case "Event", "Service":
		byEnd = true
	default:
		return nil, invalid(fmt.Sprintf("TimeRangeType: %q is not TraceId, Event or Service", in.TimeRangeType))
	}
	start := 0
	if in.NextToken != "" {
		if start, err = strconv.Atoi(in.NextToken); err != nil || start < 0 {
			return nil, invalid(fmt.Sprintf("NextToken: %q is not one that this API gave", in.NextToken))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []TraceSummary{}
	for _, id := range s.order {
		summary := s.traces[id].summary(id)
		at := summary.StartTime
		if byEnd {
			at = at.Add(time.Duration(summary.Duration * float64(time.Second)))
		}
		if !at.Before(in.StartTime) && !at.After(in.EndTime) && matches(summary) {
			found = append(found, summary)
		}
	}
	slices.SortStableFunc(found, func(a, b TraceSummary) int { return a.StartTime.Compare(b.StartTime) })
	start = min(start, len(found))
	end := min(start+tracesPerPage, len(found))
	out := &GetTraceSummariesOutput{TraceSummaries: found[start:end], TracesProcessedCount: int64(len(s.order)), ApproximateTime: in.StartTime}
	if end < len(found) {
		out.NextToken = strconv.Itoa(end)
	}
	return out, nil
}

func (t *trace) summary(id string) TraceSummary {
	first := slices.MinFunc(t.segments, func(a, b *segment) int { return cmp.Compare(a.Start, b.Start) })
	root := first
	for _, seg := range t.segments {
		if seg.ParentID == "" {
			root = seg
			break
		}
	}
	sum := TraceSummary{
		Id: id, StartTime: epoch(first.Start), ResponseTime: max(root.End-root.Start, 0), IsPartial: t.partial,
		EntryPoint: root.service(), Annotations: map[string][]AnnotatedValue{},
	}
	for _, seg := range t.segments {
		sum.Duration = max(sum.Duration, seg.End-first.Start)
		if service := seg.service(); !slices.Contains(sum.ServiceIds, *service) {
			sum.ServiceIds = append(sum.ServiceIds, *service)
		}
		seg.addTo(&sum)
	}
	return sum
}

func (seg *segment) service() *ServiceID { return &ServiceID{Name: seg.Name, Type: seg.Origin} }

// addTo adds what a segment and those below it say of the whole trace.
func (seg *segment) addTo(sum *TraceSummary) {
	sum.HasFault = sum.HasFault || seg.Fault
	sum.HasError = sum.HasError || seg.Error
	sum.HasThrottle = sum.HasThrottle || seg.Throttle
	sum.IsPartial = sum.IsPartial || seg.InProgress
	for key, raw := range seg.Annotations {
		var value AnnotationValue
		var number float64
		var flag bool
		switch {
		case json.Unmarshal(raw, &value.StringValue) == nil:
		case json.Unmarshal(raw, &number) == nil:
			value.NumberValue = &number
		case json.Unmarshal(raw, &flag) == nil:
			value.BooleanValue = &flag
		default:
			continue // X-Ray indexes scalars only
		}
		sum.Annotations[key] = append(sum.Annotations[key], AnnotatedValue{value})
	}
	for i := range seg.Subsegments {
		seg.Subsegments[i].addTo(sum)
	}
}

func epoch(seconds float64) time.Time {
	return time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC()
}

// A BatchGetTracesInput names traces, five at most.
type BatchGetTracesInput struct {
	TraceIds  []string `aws:",required"`
	NextToken string   // all fit one page
}

// A Trace is a trace's segment documents.
type Trace struct {
	Id            string
	Duration      float64 // seconds
	LimitExceeded bool
	Segments      []Segment
}

// A Segment is a document as its writer sent it.
type Segment struct {
	Id       string
	Document string
}

// A BatchGetTracesOutput holds the traces that are known.
type BatchGetTracesOutput struct {
	Traces              []Trace
	UnprocessedTraceIds []string
}

// BatchGetTraces shows whole traces; unknown ones are left out, as in AWS.
// https://docs.aws.amazon.com/xray/latest/api/API_BatchGetTraces.html
func (s *Service) BatchGetTraces(_ context.Context, in *BatchGetTracesInput) (*BatchGetTracesOutput, error) {
	if len(in.TraceIds) > 5 {
		return nil, invalid(fmt.Sprintf("TraceIds: %d are more than 5", len(in.TraceIds)))
	}
	if len(in.TraceIds) == 0 {
		return nil, invalid("TraceIds: is empty")
	}
	return &BatchGetTracesOutput{Traces: append([]Trace{}, s.Traces(in.TraceIds...)...), UnprocessedTraceIds: []string{}}, nil
}

// Traces returns the named traces that are known, or all when none is named, the
// oldest first.
func (s *Service) Traces(ids ...string) []Trace {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(ids) == 0 {
		ids = s.order
	}
	var views []Trace
	for _, id := range ids {
		t := s.traces[id]
		if t == nil {
			continue
		}
		view := Trace{Id: id, Duration: t.summary(id).Duration, LimitExceeded: t.partial}
		for _, seg := range t.segments {
			view.Segments = append(view.Segments, Segment{Id: seg.ID, Document: seg.document})
		}
		views = append(views, view)
	}
	return views
}
