package logs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/logs"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// everybody is an administrator.
type everybody struct{}

func (everybody) Principal(key string) (wire.Principal, bool) {
	return wire.Principal{ARN: "arn:aws:iam::111122223333:user/x", AccessKeyID: key}, true
}
func (everybody) Allowed(wire.Principal, wire.Access) bool { return true }

func start(t *testing.T) (*clock.Manual, *logs.Service, *sdk.Client) {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	s := logs.New(logs.Config{Clock: c})
	e := endpoint.New(endpoint.Config{Clock: c, IAM: everybody{}, Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{}, Logger: slog.New(slog.DiscardHandler)})
	e.Add(s.Wire())
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return c, s, sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")})
}

func ptr[T any](v T) *T { return &v }

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestGroup_Life(t *testing.T) {
	t.Parallel()
	_, _, client := start(t)
	ctx := t.Context()
	for i := range 3 {
		if _, err := client.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: ptr(fmt.Sprintf("/shop/%d", i)), Tags: map[string]string{"n": fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: ptr("/shop/1")})
	wantCode(t, err, "ResourceAlreadyExistsException")
	_, err = client.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: ptr("no spaces")})
	wantCode(t, err, "InvalidParameterException")
	_, err = client.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: ptr("/shop/k"), KmsKeyId: ptr("key")})
	wantCode(t, err, "InvalidParameterException")
	_, err = client.PutRetentionPolicy(ctx, &sdk.PutRetentionPolicyInput{LogGroupName: ptr("/shop/1"), RetentionInDays: ptr(int32(2))})
	wantCode(t, err, "InvalidParameterException")
	if _, err := client.PutRetentionPolicy(ctx, &sdk.PutRetentionPolicyInput{LogGroupName: ptr("/shop/1"), RetentionInDays: ptr(int32(3))}); err != nil {
		t.Fatal(err)
	}
	var got []string
	pages := sdk.NewDescribeLogGroupsPaginator(client, &sdk.DescribeLogGroupsInput{LogGroupNamePrefix: ptr("/shop"), Limit: ptr(int32(2))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range page.LogGroups {
			days := int32(0)
			if g.RetentionInDays != nil {
				days = *g.RetentionInDays
			}
			got = append(got, fmt.Sprintf("%s %d", *g.Arn, days))
		}
	}
	const arn = "arn:aws:logs:us-east-1:111122223333:log-group:/shop/"
	if diff := cmp.Diff([]string{arn + "0:* 0", arn + "1:* 3", arn + "2:* 0"}, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	tags, err := client.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: ptr(arn + "2")})
	if err != nil || tags.Tags["n"] != "2" {
		t.Errorf("tags: got %v (%v), want n=2", tags, err)
	}
	if _, err := client.DeleteLogGroup(ctx, &sdk.DeleteLogGroupInput{LogGroupName: ptr("/shop/1")}); err != nil {
		t.Fatal(err)
	}
	_, err = client.DeleteLogGroup(ctx, &sdk.DeleteLogGroupInput{LogGroupName: ptr("/shop/1")})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = client.DescribeMetricFilters(ctx, &sdk.DescribeMetricFiltersInput{})
	wantCode(t, err, "UnknownOperationException")
}

func TestEvents_ArePutReadAndExpire(t *testing.T) {
	t.Parallel()
	c, s, client := start(t)
	ctx := t.Context()
	group, stream := ptr("/shop"), ptr("a")
	_, err := client.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: group})
	if err == nil {
		_, err = client.PutRetentionPolicy(ctx, &sdk.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: ptr(int32(1))})
	}
	if err == nil {
		_, err = client.CreateLogStream(ctx, &sdk.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
	}
	if err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration, message string) types.InputLogEvent {
		return types.InputLogEvent{Timestamp: ptr(c.Now().Add(d).UnixMilli()), Message: &message}
	}
	put, err := client.PutLogEvents(ctx, &sdk.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: []types.InputLogEvent{
		at(-15*24*time.Hour, "too old"), at(-25*time.Hour, "expired"), at(-time.Hour, "one"), at(0, "two"), at(3*time.Hour, "too new"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r := put.RejectedLogEventsInfo; r == nil || *r.TooOldLogEventEndIndex != 1 || *r.ExpiredLogEventEndIndex != 2 || *r.TooNewLogEventStartIndex != 4 {
		t.Errorf("rejected: got %+v, want 1, 2 and 4", r)
	}
	_, err = client.PutLogEvents(ctx, &sdk.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: []types.InputLogEvent{at(0, "b"), at(-time.Second, "a")}})
	wantCode(t, err, "InvalidParameterException")

	for i := range 3 {
		s.Put("/shop", "a", fmt.Sprint("more ", i))
	}
	read := func(in *sdk.GetLogEventsInput) (messages []string, out *sdk.GetLogEventsOutput) {
		t.Helper()
		in.LogGroupName, in.LogStreamName = group, stream
		out, err := client.GetLogEvents(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			messages = append(messages, *e.Message)
		}
		return messages, out
	}
	latest, out := read(&sdk.GetLogEventsInput{Limit: ptr(int32(2))})
	if diff := cmp.Diff([]string{"more 1", "more 2"}, latest); diff != "" {
		t.Errorf("end of the stream (-want +got):\n%s", diff)
	}
	earlier, _ := read(&sdk.GetLogEventsInput{Limit: ptr(int32(2)), NextToken: out.NextBackwardToken})
	later, again := read(&sdk.GetLogEventsInput{NextToken: out.NextForwardToken})
	if diff := cmp.Diff([][]string{{"two", "more 0"}, nil}, [][]string{earlier, later}); diff != "" {
		t.Errorf("pages before and after (-want +got):\n%s", diff)
	}
	if *again.NextForwardToken != *out.NextForwardToken {
		t.Errorf("token at the end: got %s, want %s again", *again.NextForwardToken, *out.NextForwardToken)
	}
	s.Put("/shop", "a", "news")
	if news, _ := read(&sdk.GetLogEventsInput{NextToken: again.NextForwardToken}); len(news) != 1 || news[0] != "news" {
		t.Errorf("after the token: got %q, want the news", news)
	}
	c.Advance(23*time.Hour + 30*time.Minute)
	if all, _ := read(&sdk.GetLogEventsInput{StartFromHead: ptr(true)}); len(all) == 0 || all[0] == "one" {
		t.Errorf("after a day: got %q, want the first event gone", all)
	}
	c.Advance(24 * time.Hour)
	if all, _ := read(&sdk.GetLogEventsInput{}); len(all) != 0 {
		t.Errorf("after two days: got %q, want nothing", all)
	}
}

func TestFilterLogEvents_ReadsAllStreamsInOrder(t *testing.T) {
	t.Parallel()
	c, s, client := start(t)
	for i := range 6 {
		s.Put("/shop", string("ab"[i%2]), fmt.Sprintf(`{"level":"INFO","n":%d,"who":{"name":"x%d"}}`, i, i))
		c.Advance(time.Second)
	}
	s.Put("/shop", "b", "plain ERROR in the shop")
	tests := []struct {
		name string
		in   sdk.FilterLogEventsInput
		want string
	}{
		{"all", sdk.FilterLogEventsInput{}, "0 1 2 3 4 5 plain"},
		{"in pages", sdk.FilterLogEventsInput{Limit: ptr(int32(2))}, "0 1 2 3 4 5 plain"},
		{"of one stream", sdk.FilterLogEventsInput{LogStreamNames: []string{"a"}}, "0 2 4"},
		{"of streams by prefix", sdk.FilterLogEventsInput{LogStreamNamePrefix: ptr("b")}, "1 3 5 plain"},
		{"of a time, both ends included", sdk.FilterLogEventsInput{StartTime: ptr(c.Now().Add(-5 * time.Second).UnixMilli()), EndTime: ptr(c.Now().Add(-4 * time.Second).UnixMilli())}, "1 2"},
		{"with all terms", sdk.FilterLogEventsInput{FilterPattern: ptr(`ERROR "the shop"`)}, "plain"},
		{"with one of several terms", sdk.FilterLogEventsInput{FilterPattern: ptr(`?x3 ?ERROR`)}, "3 plain"},
		{"without a term", sdk.FilterLogEventsInput{FilterPattern: ptr(`-INFO`)}, "plain"},
		{"with a field", sdk.FilterLogEventsInput{FilterPattern: ptr(`{ $.n = 4 }`)}, "4"},
		{"with a nested field and a wildcard", sdk.FilterLogEventsInput{FilterPattern: ptr(`{ $.who.name = "*5" }`)}, "5"},
	}
	for _, test := range tests {
		test.in.LogGroupName = ptr("/shop")
		var got []string
		pages := sdk.NewFilterLogEventsPaginator(client, &test.in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			for _, e := range page.Events {
				var n string
				if _, err := fmt.Sscanf(*e.Message, `{"level":"INFO","n":%1s`, &n); err != nil {
					n = "plain"
				}
				got = append(got, n)
			}
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	for _, pattern := range []string{`{ $.n > 4 }`, `[a, b]`, `{ $.a = 1 && $.b = 2 }`} {
		_, err := client.FilterLogEvents(t.Context(), &sdk.FilterLogEventsInput{LogGroupName: ptr("/shop"), FilterPattern: &pattern})
		wantCode(t, err, "InvalidParameterException")
	}
}

func TestStreams_AreListedAndBounded(t *testing.T) {
	t.Parallel()
	c, s, client := start(t)
	ctx := t.Context()
	for i := range 510 {
		s.Put("/shop", fmt.Sprintf("s%03d", i), "x")
		c.Advance(time.Second)
	}
	out, err := client.DescribeLogStreams(ctx, &sdk.DescribeLogStreamsInput{LogGroupName: ptr("/shop"), OrderBy: types.OrderByLastEventTime, Descending: ptr(true), Limit: ptr(int32(1))})
	if err != nil || *out.LogStreams[0].LogStreamName != "s509" {
		t.Errorf("latest: got %v (%v), want s509", out, err)
	}
	count := 0
	pages := sdk.NewDescribeLogStreamsPaginator(client, &sdk.DescribeLogStreamsInput{LogGroupIdentifier: ptr("arn:aws:logs:us-east-1:111122223333:log-group:/shop:*")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if count == 0 && *page.LogStreams[0].LogStreamName != "s010" {
			t.Errorf("oldest: got %s, want s010", *page.LogStreams[0].LogStreamName)
		}
		count += len(page.LogStreams)
	}
	if count != 500 {
		t.Errorf("streams: got %d, want the latest 500", count)
	}

	big := strings.Repeat("x", 900<<10)
	for range 10 {
		s.Put("/big", "s", big)
	}
	events, err := s.GetLogEvents(ctx, &logs.GetLogEventsInput{LogGroupName: "/big", LogStreamName: "s"})
	if err != nil || len(events.Events) != 4 {
		t.Errorf("big events kept: got %d (%v), want the 4 that fit", len(events.Events), err)
	}
	if _, err := client.DeleteLogStream(ctx, &sdk.DeleteLogStreamInput{LogGroupName: ptr("/big"), LogStreamName: ptr("s")}); err != nil {
		t.Fatal(err)
	}
	_, err = client.GetLogEvents(ctx, &sdk.GetLogEventsInput{LogGroupName: ptr("/big"), LogStreamName: ptr("s")})
	wantCode(t, err, "ResourceNotFoundException")
}

// However a text is cut into writes, its lines come out whole.
func TestWriter_KeepsLinesWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := logs.New(logs.Config{Clock: clock.NewManual(time.Unix(1_800_000_000, 0))})
		w := s.Writer("/g", "s")
		lines := rapid.SliceOfN(rapid.StringMatching(`[a-c]{0,5}`), 1, 8).Draw(t, "lines")
		rest := strings.Join(lines, "\n") + "\n"
		for len(rest) > 0 {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			if written, err := w.Write([]byte(rest[:n])); written != n || err != nil {
				t.Fatalf("Write: got %d, %v, want %d", written, err, n)
			}
			rest = rest[n:]
		}
		out, err := s.GetLogEvents(context.Background(), &logs.GetLogEventsInput{LogGroupName: "/g", LogStreamName: "s"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range out.Events {
			got = append(got, e.Message)
		}
		if diff := cmp.Diff(lines, got); diff != "" {
			t.Fatalf("lines (-want +got):\n%s", diff)
		}
	})
}

func TestLogGroupResource(t *testing.T) {
	t.Parallel()
	_, s, client := start(t)
	ctx := t.Context()
	typ := s.Resources()[0]
	r := resource.Request{StackName: "shop", LogicalID: "Logs", Properties: map[string]any{"LogGroupName": "/aws/lambda/hello", "RetentionInDays": "14"}}
	state, err := typ.Create(ctx, r)
	if err != nil || state.PhysicalID != "/aws/lambda/hello" || state.Attributes["Arn"] != "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/hello:*" {
		t.Fatalf("create: got %+v (%v), want the group's name and ARN", state, err)
	}
	if _, err := typ.Create(ctx, r); err == nil {
		t.Error("create again: got nil, want that it exists")
	}
	r.PhysicalID, r.Previous, r.Properties = state.PhysicalID, r.Properties, map[string]any{"LogGroupName": "/aws/lambda/hello"}
	if _, err := typ.Update(ctx, r); err != nil {
		t.Fatal(err)
	}
	out, err := client.DescribeLogGroups(ctx, &sdk.DescribeLogGroupsInput{})
	if err != nil || len(out.LogGroups) != 1 || out.LogGroups[0].RetentionInDays != nil {
		t.Errorf("after the update: got %+v (%v), want no retention", out, err)
	}
	for range 2 {
		if err := typ.Delete(ctx, r); err != nil {
			t.Error(err)
		}
	}
	if _, err := typ.Create(ctx, resource.Request{LogicalID: "L", Properties: map[string]any{"RetentionInDays": 2}}); err == nil {
		t.Error("retention of 2 days: got nil, want a refusal")
	}
	if out, err := client.DescribeLogGroups(ctx, &sdk.DescribeLogGroupsInput{}); err != nil || len(out.LogGroups) != 0 {
		t.Errorf("after refused creates: got %+v (%v), want no group", out, err)
	}
}
