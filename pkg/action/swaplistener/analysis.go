package swaplistener

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"cutover/pkg/analysis"
	"cutover/pkg/release"
)

// late is how long after the end of a minute its metrics are complete: they come
// one by one, and failures must not be counted without their requests.
const late = time.Minute

// perCall is how many metrics a call of GetMetricData may ask for.
const perCall = 500

// analyze compares each green with its blue while both have production's traffic:
// over the whole minutes since the move was seen on the routes. At 100 % blue
// answers nothing that it could be compared with, so that the bake is left to the
// alarms: what blue did earlier it did under another load.
//
// A green's numbers include what it answers on the test route; there should be
// little of that next to production's.
func (t *setTick) analyze(ctx context.Context) error {
	p := t.record.Progress
	switch {
	case t.file.Analysis == nil || t.record.Ended != nil:
		return nil
	case p.Back || len(t.world.Bad) > 0 || t.world.Abort != nil:
		return nil // to go back must not depend on numbers
	case !p.Settled: // this tick may see to it, and then has not compared anything
		t.world.Unsure = t.unjudged(max(0, p.Move))
		if p.Move < 0 { // who may not read metrics is to know before anything moves
			end := t.job.Now.Truncate(time.Minute)
			_, _, err := t.measure(ctx, window{start: end.Add(-time.Minute), end: end, period: time.Minute})
			return err
		}
		return nil
	}
	unjudged := t.unjudged(p.Move)
	if unjudged == "" {
		return nil
	}
	w := windowOf(p.Since, t.job.Now)
	if w.empty() {
		t.unsure(unjudged)
		return nil
	}
	greens, blues, err := t.measure(ctx, w)
	if err != nil {
		return err
	}
	t.compare(greens, blues, w)
	return nil
}

// unjudged is what holds a move until its sides have been compared: nothing where
// they are not to be, as at 100 %.
func (t *setTick) unjudged(move int) string {
	if t.file.Analysis == nil || move >= len(t.plan.Moves) || t.plan.Moves[move].Weight >= release.Whole {
		return ""
	}
	return fmt.Sprintf("no whole minute with green at %s has been measured yet", t.plan.Moves[move].Weight)
}

// unsure holds the step, unless it has been held for as long as it may.
func (t *setTick) unsure(why string) {
	patience := time.Duration(t.file.Analysis.Patience)
	if patience > 0 && t.job.Now.Sub(t.record.Progress.Since) >= patience {
		t.done = append(t.done, fmt.Sprintf("no verdict on green after %s: %s", patience, why))
		return
	}
	t.world.Unsure = why
}

// compare tells of every service what its numbers say.
func (t *setTick) compare(greens, blues []analysis.Sample, w window) {
	limits := t.limits()
	var unsure []string
	for i, s := range t.file.Services {
		v := analysis.Compare(greens[i], blues[i], limits)
		switch {
		case v.Worse:
			t.world.Bad = append(t.world.Bad, fmt.Sprintf("%s: %s, %s", s.Name, v.Why, w))
		case v.Unsure:
			unsure = append(unsure, fmt.Sprintf("%s: %s", s.Name, v.Why))
		}
	}
	const shown = 3
	if more := len(unsure) - shown; more > 0 {
		unsure = append(unsure[:shown], fmt.Sprintf("and %d more services", more))
	}
	if len(unsure) > 0 {
		t.unsure(strings.Join(unsure, "; "))
	}
}

// limits are the file's, with their defaults.
func (t *setTick) limits() analysis.Limits {
	a := t.file.Analysis
	steps := 0
	for _, m := range t.plan.Moves {
		if m.Weight < release.Whole {
			steps++
		}
	}
	return analysis.Limits{
		ErrorRate:       cmp.Or(float64(a.ErrorRate), 1),
		Latency:         cmp.Or(a.Latency, 1.5),
		MinimumRequests: int64(cmp.Or(a.MinimumRequests, 100)),
		Comparisons:     steps * len(t.file.Services),
	}
}

// A window is the time over which the sides are compared, in whole periods.
type window struct {
	start, end time.Time
	period     time.Duration
}

// windowOf is what has been measured by now since a move. The longer it is the
// longer are its periods, so that it never has more than 60 of them.
func windowOf(since, now time.Time) window {
	var w window
	for _, period := range []time.Duration{time.Minute, 5 * time.Minute, time.Hour} {
		w = window{start: since.Truncate(period), end: now.Add(-late).Truncate(period), period: period}
		if w.start.Before(since) {
			w.start = w.start.Add(period)
		}
		if w.end.Sub(w.start) <= 60*period {
			break
		}
	}
	return w
}

func (w window) empty() bool { return !w.start.Before(w.end) }

// String reads "in the 4m0s from 12:01 UTC".
func (w window) String() string {
	return fmt.Sprintf("in the %s from %s UTC", w.end.Sub(w.start), w.start.UTC().Format("15:04"))
}

// A reading is one statistic of a load balancer's metric, and where it goes.
type reading struct {
	metric, stat string
	into         func(*analysis.Period) *float64
}

// readings are what a comparison needs of each side.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
func readings() []reading {
	const responseTime = "TargetResponseTime"
	return []reading{
		{"RequestCount", "Sum", func(p *analysis.Period) *float64 { return &p.Requests }},
		{"HTTPCode_Target_5XX_Count", "Sum", func(p *analysis.Period) *float64 { return &p.Errors }},
		{responseTime, "SampleCount", func(p *analysis.Period) *float64 { return &p.Answers }},
		{responseTime, "Average", func(p *analysis.Period) *float64 { return &p.Average }},
		{responseTime, "p90", func(p *analysis.Period) *float64 { return &p.P90 }},
		{responseTime, "p99", func(p *analysis.Period) *float64 { return &p.P99 }},
		{responseTime, "Maximum", func(p *analysis.Period) *float64 { return &p.Maximum }},
	}
}

// A measured is one side of a service and what its metrics said.
type measured struct {
	group, balancer string                     // as CloudWatch calls them
	periods         map[int64]*analysis.Period // by their start, in seconds since 1970
}

func (m *measured) sample() analysis.Sample {
	var s analysis.Sample
	for _, start := range slices.Sorted(maps.Keys(m.periods)) {
		s.Add(*m.periods[start])
	}
	return s
}

// measure reads the metrics of all greens and blues, in as few calls as can be.
func (t *setTick) measure(ctx context.Context, w window) (greens, blues []analysis.Sample, err error) {
	var sides []*measured // a green, its blue, the next green
	for i, pair := range t.pairs {
		balancer, okBalancer := dimension(deref(pair.LoadBalancer.LoadBalancerArn), ":loadbalancer/", "")
		for _, arn := range []string{t.greens[i].TargetGroup, pair.Other(t.greens[i]).TargetGroup} {
			group, okGroup := dimension(arn, ":targetgroup/", "targetgroup/")
			if !okGroup || !okBalancer {
				return nil, nil, fmt.Errorf("measure %s: the ARN of its target group or load balancer has an unknown form", t.file.Services[i].Name)
			}
			sides = append(sides, &measured{group: group, balancer: balancer, periods: map[int64]*analysis.Period{}})
		}
	}
	for part := range slices.Chunk(sides, perCall/len(readings())) {
		if err := t.readMetrics(ctx, part, w); err != nil {
			return nil, nil, err
		}
	}
	for i := 0; i < len(sides); i += 2 {
		greens, blues = append(greens, sides[i].sample()), append(blues, sides[i+1].sample())
	}
	return greens, blues, nil
}

// readMetrics reads the metrics of as many sides as one call takes.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func (t *setTick) readMetrics(ctx context.Context, sides []*measured, w window) error {
	kinds := readings()
	in := &cloudwatch.GetMetricDataInput{StartTime: &w.start, EndTime: &w.end}
	places := map[string]func(at time.Time, value float64){}
	for i, side := range sides {
		for j, kind := range kinds {
			id := fmt.Sprintf("s%d_%d", i, j)
			in.MetricDataQueries = append(in.MetricDataQueries, kind.query(id, side, w.period))
			places[id] = func(at time.Time, value float64) {
				start := at.Unix()
				if side.periods[start] == nil {
					side.periods[start] = &analysis.Period{}
				}
				*kind.into(side.periods[start]) = value
			}
		}
	}
	for {
		out, err := t.clients.CloudWatch().GetMetricData(ctx, in)
		if err != nil {
			return fmt.Errorf("get metrics of green and blue: %w", err)
		}
		for _, r := range out.MetricDataResults {
			put, asked := places[deref(r.Id)]
			switch {
			case r.StatusCode == types.StatusCodeInternalError, r.StatusCode == types.StatusCodeForbidden:
				return fmt.Errorf("get metrics of green and blue: CloudWatch answers %s for %s", r.StatusCode, deref(r.Label))
			case !asked || len(r.Timestamps) != len(r.Values):
				return fmt.Errorf("get metrics of green and blue: CloudWatch answers %d times and %d values for %q", len(r.Timestamps), len(r.Values), deref(r.Id))
			}
			for n, at := range r.Timestamps {
				put(at, r.Values[n])
			}
		}
		if in.NextToken = out.NextToken; deref(in.NextToken) == "" {
			return nil
		}
	}
}

// query asks for the reading of one side.
func (r reading) query(id string, of *measured, period time.Duration) types.MetricDataQuery {
	namespace, group, balancer, seconds := "AWS/ApplicationELB", "TargetGroup", "LoadBalancer", int32(period/time.Second)
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
		Stat: &r.stat, Period: &seconds,
		Metric: &types.Metric{Namespace: &namespace, MetricName: &r.metric, Dimensions: []types.Dimension{
			{Name: &group, Value: &of.group}, {Name: &balancer, Value: &of.balancer},
		}},
	}}
}
