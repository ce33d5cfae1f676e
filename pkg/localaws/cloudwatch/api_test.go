package cloudwatch_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudwatch"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

func TestDescribeAlarms_ShowsWhatIsAskedFor(t *testing.T) {
	w := newWorld(t)
	w.alarm("app-1")
	w.alarm("app-2")
	w.alarm("web")
	w.composite("app-all", "ALARM(app-1) OR ALARM(app-2)")
	w.set("app-2", types.StateValueAlarm)
	both := []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm}
	for sentence, c := range map[string]struct {
		in   sdk.DescribeAlarmsInput
		want []string
	}{
		"metric alarms unless told otherwise":  {sdk.DescribeAlarmsInput{}, []string{"app-1", "app-2", "web"}},
		"both types when both are named":       {sdk.DescribeAlarmsInput{AlarmTypes: both}, []string{"app-1", "app-2", "web", "app-all"}},
		"composite alarms alone":               {sdk.DescribeAlarmsInput{AlarmTypes: both[1:]}, []string{"app-all"}},
		"a composite by name without its type": {sdk.DescribeAlarmsInput{AlarmNames: []string{"app-all"}}, nil},
		"by prefix":                            {sdk.DescribeAlarmsInput{AlarmNamePrefix: aws.String("app"), AlarmTypes: both}, []string{"app-1", "app-2", "app-all"}},
		"by state":                             {sdk.DescribeAlarmsInput{StateValue: types.StateValueAlarm, AlarmTypes: both}, []string{"app-2", "app-all"}},
		"by name, without those that are not":  {sdk.DescribeAlarmsInput{AlarmNames: []string{"web", "nobody"}}, []string{"web"}},
	} {
		out, err := w.DescribeAlarms(t.Context(), &c.in)
		w.must(err)
		if diff := cmp.Diff(c.want, names(out)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sentence, diff)
		}
	}

	var paged []string
	pages := sdk.NewDescribeAlarmsPaginator(w.Client, &sdk.DescribeAlarmsInput{AlarmTypes: both, MaxRecords: aws.Int32(3)})
	n := 0
	for ; pages.HasMorePages(); n++ {
		out, err := pages.NextPage(t.Context())
		w.must(err)
		paged = append(paged, names(out)...)
	}
	if n != 2 || len(paged) != 4 {
		t.Errorf("got %v in %d pages, want 4 in 2", paged, n)
	}
	_, err := w.DescribeAlarms(t.Context(), &sdk.DescribeAlarmsInput{NextToken: aws.String("x")})
	wantCode(t, err, "InvalidNextToken")
	_, err = w.DescribeAlarms(t.Context(), &sdk.DescribeAlarmsInput{MaxRecords: aws.Int32(101)})
	wantCode(t, err, "ValidationError")
}

func names(out *sdk.DescribeAlarmsOutput) []string {
	var all []string
	for _, a := range out.MetricAlarms {
		all = append(all, *a.AlarmName)
	}
	for _, a := range out.CompositeAlarms {
		all = append(all, *a.AlarmName)
	}
	return all
}

// narrow is an IAM that allows nothing on "*".
type narrow struct{}

func (narrow) Allowed(_ wire.Principal, a wire.Access) bool { return a.Resource != "*" }

func TestDescribeAlarms_HidesCompositesFromNarrowGrants(t *testing.T) {
	t.Parallel()
	s := cloudwatch.New(cloudwatch.Config{Clock: clock.NewManual(noon), IAM: narrow{}})
	t.Cleanup(s.Close)
	if _, err := s.PutCompositeAlarm(t.Context(), &cloudwatch.PutCompositeAlarmInput{AlarmName: "c", AlarmRule: "TRUE"}); err != nil {
		t.Fatal(err)
	}
	in := &cloudwatch.DescribeAlarmsInput{AlarmTypes: []string{"CompositeAlarm"}}
	for _, c := range []struct {
		caller wire.Principal
		want   int
	}{{wire.Principal{ARN: "arn:aws:sts::111122223333:assumed-role/r/s"}, 0}, {wire.Principal{}, 1}} {
		out, err := s.DescribeAlarms(wire.WithPrincipal(t.Context(), c.caller), in)
		if err != nil || len(out.CompositeAlarms) != c.want {
			t.Errorf("caller %q: got %d composite alarms (%v), want %d", c.caller.ARN, len(out.CompositeAlarms), err, c.want)
		}
	}
}

func TestDescribeAlarmHistory_TellsWhatHappened(t *testing.T) {
	w := newWorld(t)
	w.alarm("a", treat("notBreaching"))
	w.composite("c", "ALARM(a)")
	w.clock.Advance(time.Minute)
	w.alarm("a", treat("notBreaching"))
	_, err := w.DisableAlarmActions(t.Context(), &sdk.DisableAlarmActionsInput{AlarmNames: []string{"a", "nobody"}})
	w.must(err)
	if *w.show("a").ActionsEnabled {
		t.Error("got actions enabled, want them disabled")
	}
	_, err = w.EnableAlarmActions(t.Context(), &sdk.EnableAlarmActionsInput{AlarmNames: []string{"a"}})
	w.must(err)
	if !*w.show("a").ActionsEnabled {
		t.Error("got actions disabled, want them enabled")
	}
	_, err = w.DeleteAlarms(t.Context(), &sdk.DeleteAlarmsInput{AlarmNames: []string{"a", "c"}})
	w.must(err)

	out, err := w.DescribeAlarmHistory(t.Context(), &sdk.DescribeAlarmHistoryInput{AlarmName: aws.String("a"), ScanBy: types.ScanByTimestampAscending})
	w.must(err)
	var got []string
	for _, item := range out.AlarmHistoryItems {
		got = append(got, fmt.Sprintf("%s %s", item.HistoryItemType, *item.HistorySummary))
		if !json.Valid([]byte(*item.HistoryData)) {
			t.Errorf("got history data %s, want JSON", *item.HistoryData)
		}
	}
	want := []string{
		`ConfigurationUpdate Alarm "a" created`,
		`StateUpdate Alarm updated from INSUFFICIENT_DATA to OK`,
		`ConfigurationUpdate Alarm "a" updated`,
		`ConfigurationUpdate Alarm "a" updated`,
		`ConfigurationUpdate Alarm "a" updated`,
		`ConfigurationUpdate Alarm "a" deleted`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	for sentence, c := range map[string]struct {
		in   sdk.DescribeAlarmHistoryInput
		want int
	}{
		"of composite alarms": {sdk.DescribeAlarmHistoryInput{AlarmTypes: []types.AlarmType{"CompositeAlarm"}}, 3},
		"of states":           {sdk.DescribeAlarmHistoryInput{HistoryItemType: types.HistoryItemTypeStateUpdate}, 1},
		"before the minute":   {sdk.DescribeAlarmHistoryInput{EndDate: aws.Time(noon.Add(time.Minute))}, 1},
		"since the minute":    {sdk.DescribeAlarmHistoryInput{StartDate: aws.Time(noon.Add(time.Minute))}, 5},
	} {
		out, err := w.DescribeAlarmHistory(t.Context(), &c.in)
		w.must(err)
		if len(out.AlarmHistoryItems) != c.want {
			t.Errorf("%s: got %d entries, want %d", sentence, len(out.AlarmHistoryItems), c.want)
		}
	}
}

func TestTags_AreThoseOfTheMaking(t *testing.T) {
	w := newWorld(t)
	tag := func(value string) func(*sdk.PutMetricAlarmInput) {
		return func(in *sdk.PutMetricAlarmInput) {
			in.Tags = []types.Tag{{Key: aws.String("team"), Value: &value}}
		}
	}
	w.alarm("a", tag("one"))
	w.alarm("a", tag("two"))
	out, err := w.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: w.show("a").AlarmArn})
	w.must(err)
	if len(out.Tags) != 1 || *out.Tags[0].Value != "one" {
		t.Errorf("got %v, want the tag that the alarm was made with", out.Tags)
	}
	_, err = w.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: aws.String(*w.show("a").AlarmArn + "x")})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestUnknown_IsRefusedByName(t *testing.T) {
	w := newWorld(t)
	_, err := w.ListDashboards(t.Context(), &sdk.ListDashboardsInput{})
	wantCode(t, err, "UnknownOperationException")
	_, err = w.DescribeAlarms(t.Context(), &sdk.DescribeAlarmsInput{ParentsOfAlarmName: aws.String("a")})
	wantCode(t, err, "ValidationError")
	if !strings.Contains(fmt.Sprint(err), "ParentsOfAlarmName: is unknown") {
		t.Errorf("got %v, want it to name the member", err)
	}
}

// post sends a request as older clients do.
func (w *world) post(contentType, target, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, *w.config.BaseEndpoint, strings.NewReader(body))
	w.must(err)
	r.Header.Set("Content-Type", contentType)
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260304/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := w.config.HTTPClient.Do(r)
	w.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	w.must(err)
	return answer.StatusCode, string(text)
}

func TestProtocols_OfOtherClientsWork(t *testing.T) {
	w := newWorld(t)
	w.alarm("a")
	const target = "GraniteServiceVersion20100801."
	status, body := w.post("application/x-amz-json-1.0", target+"DescribeAlarms", `{"AlarmNames":["a"]}`)
	var shown struct {
		MetricAlarms []struct {
			AlarmName             string
			Threshold             float64
			StateUpdatedTimestamp float64
		}
	}
	if err := json.Unmarshal([]byte(body), &shown); err != nil || status != 200 || len(shown.MetricAlarms) != 1 ||
		shown.MetricAlarms[0].Threshold != 1 || shown.MetricAlarms[0].StateUpdatedTimestamp != float64(noon.Unix()) {
		t.Errorf("JSON: got %d %s (%v)", status, body, err)
	}
	if status, body = w.post("application/x-amz-json-1.0", target+"SetAlarmState", `{"AlarmName":"b","StateValue":"OK","StateReason":"r"}`); status != 404 || !strings.Contains(body, `"__type":"ResourceNotFound"`) {
		t.Errorf("JSON error: got %d %s", status, body)
	}

	form := url.Values{
		"Action": {"PutMetricData"}, "Version": {"2010-08-01"}, "Namespace": {"N"},
		"MetricData.member.1.MetricName": {"q"}, "MetricData.member.1.Value": {"2.5"},
		"MetricData.member.1.Timestamp":                 {"2026-03-04T12:00:30Z"},
		"MetricData.member.1.Dimensions.member.1.Name":  {"d"},
		"MetricData.member.1.Dimensions.member.1.Value": {"v"},
	}
	if status, body = w.post("application/x-www-form-urlencoded", "", form.Encode()); status != 200 {
		t.Errorf("query: got %d %s", status, body)
	}
	form = url.Values{
		"Action": {"GetMetricStatistics"}, "Version": {"2010-08-01"}, "Namespace": {"N"}, "MetricName": {"q"}, "Period": {"60"},
		"StartTime": {"2026-03-04T12:00:00Z"}, "EndTime": {"2026-03-04T12:01:00Z"}, "ExtendedStatistics.member.1": {"p90"},
		"Dimensions.member.1.Name": {"d"}, "Dimensions.member.1.Value": {"v"},
	}
	status, body = w.post("application/x-www-form-urlencoded", "", form.Encode())
	if want := "<ExtendedStatistics><entry><key>p90</key><value>2.5</value></entry></ExtendedStatistics>"; status != 200 || !strings.Contains(body, want) {
		t.Errorf("query: got %d %s, want %s", status, body, want)
	}
	form = url.Values{"Action": {"DescribeAlarms"}, "Version": {"2010-08-01"}, "AlarmName": {"a"}}
	if status, body = w.post("application/x-www-form-urlencoded", "", form.Encode()); status != 400 || !strings.Contains(body, "<Code>ValidationError</Code>") {
		t.Errorf("query error: got %d %s", status, body)
	}
}

func TestResources_MakeUpdateAndDelete(t *testing.T) {
	w := newWorld(t)
	kinds := map[string]resource.Type{}
	for _, kind := range w.service.Resources() {
		kinds[kind.Name] = kind
	}
	metric, composite := kinds["AWS::CloudWatch::Alarm"], kinds["AWS::CloudWatch::CompositeAlarm"]
	properties := map[string]any{
		"Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": "1", "Threshold": 1,
		"ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching",
		"Dimensions": []any{map[string]any{"Name": "FunctionName", "Value": "f"}},
		"Tags":       []any{map[string]any{"Key": "k", "Value": "v"}},
	}
	r := resource.Request{StackName: "stack", StackID: "id", LogicalID: "Errors", Properties: properties}
	made, err := metric.Create(t.Context(), r)
	w.must(err)
	if !strings.HasPrefix(made.PhysicalID, "stack-Errors-") || made.Attributes["Arn"] != *w.show(made.PhysicalID).AlarmArn {
		t.Errorf("got %+v", made)
	}
	w.service.Put("AWS/Lambda", map[string]string{"FunctionName": "f"}, "Errors", 1, "Count")
	w.clock.Advance(time.Minute)
	w.wantState(made.PhysicalID, types.StateValueAlarm)

	r.PhysicalID = made.PhysicalID
	properties["Threshold"] = 5
	properties["Tags"] = []any{}
	_, err = metric.Update(t.Context(), r)
	w.must(err)
	if got := *w.show(made.PhysicalID).Threshold; got != 5 {
		t.Errorf("got threshold %v, want 5", got)
	}
	tags, err := w.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: w.show(made.PhysicalID).AlarmArn})
	w.must(err)
	if len(tags.Tags) != 0 {
		t.Errorf("got tags %v, want none", tags.Tags)
	}

	above, err := composite.Create(t.Context(), resource.Request{Properties: map[string]any{"AlarmName": "above", "AlarmRule": "ALARM(" + made.PhysicalID + ")"}})
	w.must(err)
	if err := metric.Delete(t.Context(), r); err == nil {
		t.Error("got the child of a rule deleted, want it refused")
	}
	w.must(composite.Delete(t.Context(), resource.Request{PhysicalID: above.PhysicalID}))
	w.must(metric.Delete(t.Context(), r))
	w.must(metric.Delete(t.Context(), r)) // may be repeated

	properties["Metrics"] = []any{}
	if _, err := metric.Create(t.Context(), r); err == nil || !strings.Contains(err.Error(), "Metrics") {
		t.Errorf("got %v, want an error that names Metrics", err)
	}
}
