package xray_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/xray"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/xray"
	"github.com/aws/aws-sdk-go-v2/service/xray/types"
	"github.com/aws/aws-xray-sdk-go/v2/strategy/sampling"
	writer "github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// everybody is an administrator.
type everybody struct{}

func (everybody) Principal(key string) (wire.Principal, bool) {
	return wire.Principal{ARN: "arn:aws:iam::111122223333:user/x", AccessKeyID: key}, true
}
func (everybody) Allowed(wire.Principal, wire.Access) bool { return true }

func start(t *testing.T) (*xray.Service, *sdk.Client) {
	t.Helper()
	s, err := xray.New(xray.Config{})
	if err != nil {
		t.Fatal(err)
	}
	e := endpoint.New(endpoint.Config{Clock: clock.NewManual(time.Now()), IAM: everybody{}, Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{}, Logger: slog.New(slog.DiscardHandler)})
	e.Add(s.Wire())
	server := httptest.NewServer(e)
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")})
}

func ptr[T any](v T) *T { return &v }

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about within 10 s", what)
		}
	}
}

func document(trace, id int, more string) string {
	return fmt.Sprintf(`{"trace_id":"1-69a00000-%024x","id":"%016x","name":"shop","start_time":%d,"end_time":%d.5%s}`, trace, id, 1_772_000_000+trace*10, 1_772_000_000+trace*10+1, more)
}

func TestDaemon_CloseEndsIt(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, err := xray.New(xray.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func TestDaemon_KeepsWhatTheSDKSends(t *testing.T) {
	t.Parallel()
	s, client := start(t)
	address, err := net.ResolveUDPAddr("udp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	emitter, err := writer.NewDefaultEmitter(address)
	if err != nil {
		t.Fatal(err)
	}
	every, err := sampling.NewLocalizedStrategyFromJSONBytes([]byte(`{"version":2,"default":{"fixed_target":1,"rate":1},"rules":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := writer.ContextWithConfig(context.Background(), writer.Config{Emitter: emitter, SamplingStrategy: every})
	if err != nil {
		t.Fatal(err)
	}
	ctx, segment := writer.BeginSegment(ctx, "release")
	_, sub := writer.BeginSubsegment(ctx, "UpdateService")
	if err := sub.AddAnnotation("action", "SwapListener"); err != nil {
		t.Fatal(err)
	}
	sub.Close(errors.New("throttled"))
	id := segment.TraceID
	segment.Close(nil)
	await(t, "the segment", func() bool { return len(s.Traces(id)) == 1 })
	out, err := client.GetTraceSummaries(ctx, &sdk.GetTraceSummariesInput{
		StartTime: ptr(time.Now().Add(-time.Minute)), EndTime: ptr(time.Now().Add(time.Minute)), FilterExpression: ptr(`service("release") AND annotation.action = "SwapListener"`),
	})
	if err != nil || len(out.TraceSummaries) != 1 {
		t.Fatalf("summaries: got %+v (%v), want one", out, err)
	}
	sum := out.TraceSummaries[0]
	value, ok := sum.Annotations["action"][0].AnnotationValue.(*types.AnnotationValueMemberStringValue)
	if *sum.Id != id || !*sum.HasFault || *sum.EntryPoint.Name != "release" || !ok || value.Value != "SwapListener" {
		t.Errorf("summary: got %+v, want a fault of the release with its annotation", sum)
	}
	whole, err := client.BatchGetTraces(ctx, &sdk.BatchGetTracesInput{TraceIds: []string{id, "1-00000000-000000000000000000000000"}})
	if err != nil || len(whole.Traces) != 1 || !json.Valid([]byte(*whole.Traces[0].Segments[0].Document)) {
		t.Errorf("traces: got %+v (%v), want the one that is known", whole, err)
	}
}

func TestDaemon_CountsMalformedPackets(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	socket, err := net.Dial("udp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	const header = `{"format":"json","version":1}` + "\n"
	bad := []string{
		"", "no newline", "{}\n{}", `{"format":"json","version":2}` + "\n" + document(1, 1, ""), header, header + "{", header + "[]",
		header + `{"trace_id":"x","id":"0000000000000001","name":"a","start_time":1,"end_time":2}`,
		header + `{"trace_id":"1-69a00000-000000000000000000000001","id":"0000000000000001","name":"a","start_time":1}`,
	}
	for _, packet := range bad {
		if _, err := socket.Write([]byte(packet)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := socket.Write([]byte(header + document(1, 1, "") + "\n" + document(1, 2, ""))); err != nil {
		t.Fatal(err)
	}
	await(t, "the good packet", func() bool { return len(s.Traces()) == 1 && len(s.Traces()[0].Segments) == 2 })
	if got := s.Malformed(); got != len(bad) {
		t.Errorf("malformed: got %d, want %d", got, len(bad))
	}
}

func TestAPI_PutsAndLists(t *testing.T) {
	t.Parallel()
	s, client := start(t)
	ctx := t.Context()
	put, err := client.PutTraceSegments(ctx, &sdk.PutTraceSegmentsInput{TraceSegmentDocuments: []string{
		document(1, 1, ""), document(1, 2, `,"parent_id":"0000000000000001","throttle":true,"annotations":{"n":4,"b":true}`),
		document(1, 1, `,"error":true`), document(2, 3, ""), `{"id":"bad"}`,
	}})
	if err != nil || len(put.UnprocessedTraceSegments) != 1 || *put.UnprocessedTraceSegments[0].Id != "bad" {
		t.Fatalf("put: got %+v (%v), want one unprocessed", put, err)
	}
	if segments := s.Traces()[0].Segments; len(segments) != 2 || !strings.Contains(segments[0].Document, "error") {
		t.Errorf("segments: got %+v, want two, the first replaced", segments)
	}
	list := func(filter string) string {
		t.Helper()
		out, err := client.GetTraceSummaries(ctx, &sdk.GetTraceSummariesInput{StartTime: ptr(time.Unix(1_772_000_000, 0)), EndTime: ptr(time.Unix(1_772_000_100, 0)), FilterExpression: &filter})
		if err != nil {
			t.Fatalf("%s: %v", filter, err)
		}
		var ids []string
		for _, sum := range out.TraceSummaries {
			ids = append(ids, strings.TrimLeft((*sum.Id)[11:], "-0"))
		}
		return strings.Join(ids, " ")
	}
	got := map[string]string{}
	want := map[string]string{"": "1 2", "error": "1", "ok": "2", "throttle AND annotation.n = 4": "1", "annotation.b = true": "1", `service("other")`: "", "fault": ""}
	for filter := range want {
		got[filter] = list(filter)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summaries by filter (-want +got):\n%s", diff)
	}
	_, err = client.GetTraceSummaries(ctx, &sdk.GetTraceSummariesInput{StartTime: ptr(time.Now()), EndTime: ptr(time.Now()), FilterExpression: ptr("duration > 5")})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "InvalidRequestException" {
		t.Errorf("unknown filter: got %v, want InvalidRequestException", err)
	}
	_, err = client.GetSamplingRules(ctx, &sdk.GetSamplingRulesInput{})
	if !errors.As(err, &api) || api.ErrorCode() != "UnknownOperationException" {
		t.Errorf("unknown operation: got %v, want UnknownOperationException", err)
	}
	if _, err := client.PutTelemetryRecords(ctx, &sdk.PutTelemetryRecordsInput{TelemetryRecords: []types.TelemetryRecord{{Timestamp: ptr(time.Now()), SegmentsSentCount: ptr(int32(1))}}}); err != nil {
		t.Errorf("telemetry: %v", err)
	}
}

func TestTraces_AreBounded(t *testing.T) {
	t.Parallel()
	s, client := start(t)
	for i := range 2100 {
		s.Put([]byte(document(i, 1, "")))
	}
	for i := range 600 {
		s.Put([]byte(document(2099, i, "")))
	}
	all := s.Traces()
	if len(all) != 2000 || len(all[1999].Segments) != 500 || !all[1999].LimitExceeded {
		t.Errorf("kept: got %d traces, the last with %d segments, want 2000 and 500", len(all), len(all[1999].Segments))
	}
	count := 0
	pages := sdk.NewGetTraceSummariesPaginator(client, &sdk.GetTraceSummariesInput{StartTime: ptr(time.Unix(1_700_000_000, 0)), EndTime: ptr(time.Unix(1_800_000_000, 0))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		count += len(page.TraceSummaries)
	}
	if count != 2000 {
		t.Errorf("listed: got %d, want 2000", count)
	}
}
