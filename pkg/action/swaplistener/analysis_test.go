package swaplistener

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/analysis"
	"cutover/pkg/bluegreen"
	"cutover/pkg/job"
	"cutover/pkg/record"
	"cutover/pkg/release"
)

const judged = "traffic: {canary: {percent: 10, interval: 5m}}\nanalysis: {}\n"

// traffic is a CloudWatch with what target groups answer in a minute.
type traffic struct {
	*metrics
	groups map[string]analysis.Period // by the end of their ARNs
	pages  bool                       // a result a page
	status cwtypes.StatusCode
	calls  []*cloudwatch.GetMetricDataInput // as they were asked
}

// good and others are what a side answers in a minute.
var (
	good = analysis.Period{Requests: 200, Errors: 1, Answers: 200, Average: 0.1, P90: 0.2, P99: 0.4, Maximum: 0.5}
	bad  = analysis.Period{Requests: 200, Errors: 60, Answers: 200, Average: 0.1, P90: 0.2, P99: 0.4, Maximum: 0.5}
	slow = analysis.Period{Requests: 200, Errors: 1, Answers: 200, Average: 0.4, P90: 0.8, P99: 1.6, Maximum: 2}
	few  = analysis.Period{Requests: 3, Answers: 3, Average: 0.1, P90: 0.2, P99: 0.4, Maximum: 0.5}
)

// newTraffic has good sides for all of a shop's pairs.
func newTraffic(s *shop) *traffic {
	c := &traffic{metrics: &s.metrics, groups: map[string]analysis.Period{}, status: cwtypes.StatusCodeComplete}
	for i := range s.greens {
		c.set(s.greens[i], good)
		c.set(s.blues[i], good)
	}
	return c
}

func (c *traffic) set(group string, p analysis.Period) {
	_, name, _ := strings.Cut(group, ":targetgroup/")
	c.groups["targetgroup/"+name] = p
}

func (c *traffic) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	if err := c.before("GetMetricData"); err != nil {
		return nil, err
	}
	asked := *in
	c.calls = append(c.calls, &asked)
	if len(in.MetricDataQueries) > 500 {
		return nil, errors.New("more than 500 metrics")
	}
	queries, out := in.MetricDataQueries, &cloudwatch.GetMetricDataOutput{}
	if c.pages {
		at := 0
		if in.NextToken != nil {
			if _, err := fmt.Sscan(*in.NextToken, &at); err != nil {
				return nil, err
			}
		}
		if at+1 < len(queries) {
			out.NextToken = ptr(fmt.Sprint(at + 1))
		}
		queries = queries[at : at+1]
	}
	for _, q := range queries {
		out.MetricDataResults = append(out.MetricDataResults, c.answer(q, *in.StartTime, *in.EndTime))
	}
	return out, nil
}

// answer is what a load balancer's metric has been, minute by minute. A count of
// 0 has no datapoint.
func (c *traffic) answer(q cwtypes.MetricDataQuery, start, end time.Time) cwtypes.MetricDataResult {
	m := q.MetricStat.Metric
	dimensions := map[string]string{}
	for _, d := range m.Dimensions {
		dimensions[*d.Name] = *d.Value
	}
	p, period := c.groups[dimensions["TargetGroup"]], time.Duration(*q.MetricStat.Period)*time.Second
	if dimensions["LoadBalancer"] != "app/hello/50dc6c495c0c9188" || *m.Namespace != "AWS/ApplicationELB" {
		p = analysis.Period{}
	}
	minutes := float64(period / time.Minute)
	value := map[string]float64{
		"RequestCount Sum": p.Requests * minutes, "HTTPCode_Target_5XX_Count Sum": p.Errors * minutes,
		"TargetResponseTime SampleCount": p.Answers * minutes, "TargetResponseTime Average": p.Average,
		"TargetResponseTime p90": p.P90, "TargetResponseTime p99": p.P99, "TargetResponseTime Maximum": p.Maximum,
	}[*m.MetricName+" "+*q.MetricStat.Stat]
	r := cwtypes.MetricDataResult{Id: q.Id, Label: m.MetricName, StatusCode: c.status}
	for at := start; at.Before(end) && value > 0; at = at.Add(period) {
		r.Timestamps, r.Values = append(r.Timestamps, at), append(r.Values, value)
	}
	return r
}

// watch follows a release with such a CloudWatch, and tells what each tick said.
func (s *shop) watch(c *traffic, before func(tick int)) (said []string, err error) {
	s.t.Helper()
	read := func(_ context.Context, _, path string, _ int64) ([]byte, error) {
		if path != "cutover.yaml" {
			return nil, fs.ErrNotExist
		}
		return []byte(s.file), nil
	}
	clients := s.clients()
	clients.CloudWatch = func() CloudWatch { return c }
	a, state := New(clients), State{}
	p := Params{Params: bluegreen.Params{Execution: execution}, Release: "cutover.yaml"}
	for n := range 100 {
		if before != nil {
			before(n)
		}
		s.now = s.now.Add(30 * time.Second)
		r, err := a.stepSet(s.t.Context(), job.Job[Params]{Params: p, Now: s.now, Started: noon, Inputs: []job.Artifact{{Name: "Source"}}}, state, read)
		if err != nil {
			return said, err
		}
		if said = append(said, r.Summary()); r.Done() {
			return said, nil
		}
		state = r.State()
	}
	s.t.Fatalf("not done after %d ticks: %s", len(said), said[len(said)-1])
	return
}

func TestAnalysis_AGreenThatIsAsGoodGoesOnInTime(t *testing.T) {
	t.Parallel()
	plain, judgedShop := newShop(t, 3, strings.TrimSuffix(judged, "analysis: {}\n")), newShop(t, 3, judged)
	want, err := plain.watch(newTraffic(plain), nil)
	must(t, err)
	c := newTraffic(judgedShop)
	got, err := judgedShop.watch(c, nil)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summaries without analysis, and with it (-without +with):\n%s", diff)
	}
	judgedShop.wantShares("100/100")
	if len(c.calls) == 0 {
		t.Error("got no calls of GetMetricData, want some")
	}
}

func TestAnalysis_AWorseGreenTakesAllServicesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		green analysis.Period
		pages bool
		want  string
	}{
		"one that fails":                    {bad, false, "s1: green failed 60 of 200 requests (30.00 %), blue 1 of 200 (0.50 %), allowed is 1 point more, in the 1m0s from 12:01 UTC"},
		"one that is slow":                  {slow, false, "s1: green took 400ms on average over 200 answers, blue 100ms over 200, allowed is 1.5 times as long, in the 1m0s from 12:01 UTC"},
		"one that fails, told page by page": {bad, true, "s1: green failed 60 of 200 requests (30.00 %), blue 1 of 200 (0.50 %), allowed is 1 point more, in the 1m0s from 12:01 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 3, judged)
			cw := newTraffic(s)
			cw.pages = c.pages
			cw.set(s.greens[1], c.green)
			said, err := s.watch(cw, nil)
			if failure, ok := errors.AsType[*job.Failure](err); !ok || !strings.HasPrefix(failure.Message, "release set shop was rolled back at 10 %: "+c.want+"\n") {
				t.Errorf("got error %v, want a rollback because %s", err, c.want)
			}
			// The move is seen at 12:00:30, the first whole minute ends at 12:02 and is
			// complete at 12:03.
			if len(said) != 5 {
				t.Errorf("got %d ticks before it, want 5: %q", len(said), said)
			}
			s.wantShares("0/100")
			if v := s.latest().Verdict; v != record.RolledBack {
				t.Errorf("verdict: got %q, want %q", v, record.RolledBack)
			}
		})
	}
}

func TestAnalysis_TooFewRequestsHoldTheStep(t *testing.T) {
	t.Parallel()
	start := func(rest string) (*shop, *traffic) {
		s := newShop(t, 5, strings.Replace(judged, "{}", rest, 1))
		c := newTraffic(s)
		for i := range s.greens {
			c.set(s.greens[i], few)
		}
		return s, c
	}
	t.Run("until there are enough", func(t *testing.T) {
		t.Parallel()
		s, c := start("{minimumRequests: 20}")
		said, err := s.watch(c, nil)
		must(t, err)
		// Seven whole minutes have passed at 12:08, and are complete at 12:09.
		want := "s0: green has answered 18 requests since the step began, needed are 20; s1: green has answered 18 requests since the step began, needed are 20; " +
			"s2: green has answered 18 requests since the step began, needed are 20; and 2 more services"
		if len(said) != 18 || said[16] != want {
			t.Errorf("got %q, want 18 ticks, the 17th that %s", said, want)
		}
		s.wantShares("100/100")
	})
	t.Run("until its patience is over", func(t *testing.T) {
		t.Parallel()
		s, c := start("{patience: 8m}")
		said, err := s.watch(c, nil)
		must(t, err)
		if last := said[len(said)-2:]; len(said) != 17 || !strings.HasPrefix(last[0], "s0: green has answered 18 requests") {
			t.Errorf("got %q, want 17 ticks, the last but one held", said)
		}
		s.wantShares("100/100")
	})
	t.Run("until the release makes no progress", func(t *testing.T) {
		t.Parallel()
		s, c := start("{}")
		_, err := s.watch(c, nil)
		if err == nil || !strings.Contains(err.Error(), "was rolled back at 10 %: no progress for 15m0s") {
			t.Errorf("got error %v, want a rollback for want of progress", err)
		}
		s.wantShares("0/100")
	})
	t.Run("even one without a pause", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, 1, "traffic: {steps: [{weight: 10}]}\nanalysis: {}\n")
		said, err := s.watch(newTraffic(s), nil)
		must(t, err)
		want := "no whole minute with green at 10 % has been measured yet"
		if len(said) != 6 || said[0] != "green has 10 % of the traffic; "+want || said[1] != want {
			t.Errorf("got %q, want it to wait for the first minute", said)
		}
	})
}

// The calls do not grow with the services but for CloudWatch's limit.
func TestAnalysis_ReadsAllServicesAtOnce(t *testing.T) {
	t.Parallel()
	for services, want := range map[int]int{1: 1, 5: 1, 35: 1, 36: 2, 100: 3} {
		t.Run(fmt.Sprintf("%d services", services), func(t *testing.T) {
			t.Parallel()
			s := newShop(t, services, judged+"bake: 5m\n")
			c := newTraffic(s)
			ticks := map[int]int{}
			if _, err := s.watch(c, func(tick int) { ticks[tick] = len(c.calls) }); err != nil {
				t.Fatal(err)
			}
			s.wantShares("100/100")
			for tick, most := range map[int]int{
				0: want, // before anything moves, to see that it may be read
				4: 0,    // no minute has been measured
				7: want, 9: want,
				12: 0, 15: 0, // at 100 %
			} {
				if got := ticks[tick+1] - ticks[tick]; got != most {
					t.Errorf("calls of tick %d: got %d, want %d", tick, got, most)
				}
			}
		})
	}
}

func TestAnalysis_WhoMayNotReadMetricsDoesNotStart(t *testing.T) {
	t.Parallel()
	denied := errors.New("api error AccessDenied: not authorized to perform cloudwatch:GetMetricData")
	s := newShop(t, 2, judged)
	s.before = func(operation string) error {
		if operation == "GetMetricData" {
			return denied
		}
		return nil
	}
	if said, err := s.watch(newTraffic(s), nil); !errors.Is(err, denied) {
		t.Errorf("got %q and error %v, want %v", said, err, denied)
	}
	s.wantShares("0/100")
}

func TestAnalysis_NumbersThatCannotBeReadDoNotKeepItFromGoingBack(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*shop){
		"an alarm": func(s *shop) { s.metrics.alarms["shop-5xx"] = "ALARM" },
		"abort": func(s *shop) {
			must(t, record.Open(&s.params, "shop").Abort(context.Background(), record.Said{Execution: execution, By: "ops"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 2, judged+"alarms: [shop-5xx]\n")
			s.metrics.alarms["shop-5xx"] = "OK"
			_, err := s.watch(newTraffic(s), func(tick int) {
				if tick == 6 {
					tell(s)
					s.before = func(operation string) error {
						if operation == "GetMetricData" {
							return errors.New("CloudWatch is away")
						}
						return nil
					}
				}
			})
			if err == nil || !strings.Contains(err.Error(), "was rolled back at 10 %: a") {
				t.Errorf("got error %v, want a rollback", err)
			}
			s.wantShares("0/100")
		})
	}
}

func TestAnalysis_AnswersThatAreNoneAreErrors(t *testing.T) {
	t.Parallel()
	for _, status := range []cwtypes.StatusCode{cwtypes.StatusCodeInternalError, cwtypes.StatusCodeForbidden} {
		s := newShop(t, 1, judged)
		c := newTraffic(s)
		c.status = status
		want := fmt.Sprintf("get metrics of green and blue: CloudWatch answers %s for RequestCount", status)
		if _, err := s.watch(c, nil); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

func TestAnalysis_LimitsHaveDefaultsAndShareTheirChance(t *testing.T) {
	t.Parallel()
	three := []release.Move{{Weight: 10}, {Weight: 500}, {Weight: release.Whole}}
	for name, c := range map[string]struct {
		analysis release.Analysis
		want     analysis.Limits
	}{
		"nothing is said":    {release.Analysis{}, analysis.Limits{ErrorRate: 1, Latency: 1.5, MinimumRequests: 100, Comparisons: 4}},
		"everything is said": {release.Analysis{ErrorRate: 0.5, Latency: 3, MinimumRequests: 20}, analysis.Limits{ErrorRate: 0.5, Latency: 3, MinimumRequests: 20, Comparisons: 4}},
	} {
		tick := &setTick{file: &release.File{Analysis: &c.analysis, Services: make([]release.Service, 2)}}
		tick.plan.Moves = three
		if diff := cmp.Diff(c.want, tick.limits()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWindowOf_HasWholePeriodsThatAreComplete(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		since, now string
		want       string // start, end, period; empty for none
	}{
		"in the first minute":             {"12:00:30", "12:00:59", ""},
		"after the first whole minute":    {"12:00:30", "12:02:59", ""},
		"when that one is complete":       {"12:00:30", "12:03:00", "12:01 12:02 1m0s"},
		"a move on the minute":            {"12:00:00", "12:02:00", "12:00 12:01 1m0s"},
		"an hour later":                   {"12:00:30", "13:02:10", "12:01 13:01 1m0s"},
		"more than an hour later":         {"12:00:30", "13:03:10", "12:05 13:00 5m0s"},
		"more than five hours later":      {"12:00:30", "17:20:00", "13:00 17:00 1h0m0s"},
		"at the end of a step of a night": {"00:00:01", "23:00:00", "01:00 22:00 1h0m0s"},
	} {
		at := func(text string) time.Time {
			clock, err := time.Parse(time.TimeOnly, text)
			must(t, err)
			return noon.Truncate(24 * time.Hour).Add(clock.Sub(clock.Truncate(24 * time.Hour)))
		}
		got := ""
		if w := windowOf(at(c.since), at(c.now)); !w.empty() {
			got = fmt.Sprintf("%s %s %s", w.start.Format("15:04"), w.end.Format("15:04"), w.period)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
