package alb

import (
	"math"
	"math/bits"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Metrics gets what the load balancers counted.
type Metrics interface {
	// Put tells of one period, which began at start, in the namespace
	// AWS/ApplicationELB. It is called by the clock, not by requests.
	Put(start time.Time, samples []Sample)
}

// Sample is one metric of one period. A count that stayed 0 has none, as in AWS,
// but HealthyHostCount and UnHealthyHostCount always have one.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
type Sample struct {
	Name string // e.g. HTTPCode_Target_5XX_Count
	Unit string // Count, Seconds or Bytes
	// LoadBalancer and TargetGroup are the dimensions, as the IDs that Listen and
	// SetTargetGroup were given. TargetGroup is empty for the load balancer's own.
	LoadBalancer string
	TargetGroup  string

	SampleCount, Sum, Minimum, Maximum float64
	// Values and Counts are the distribution, if there is one to speak of: each
	// value stands for those within about 5 % of it.
	Values, Counts []float64
}

// balancerCounters count what concerns no target group.
type balancerCounters struct {
	requests, newConnections, redirects, fixed, bytes atomic.Int64
	active                                            atomic.Int64 // a level, not a count of the period
	elb                                               [600]atomic.Int64
}

// connection implements http.Server's ConnState.
func (c *balancerCounters) connection(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.newConnections.Add(1)
		c.active.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.active.Add(-1)
	}
}

// groupCounters count what concerns one target group.
type groupCounters struct {
	requests, connectionErrors atomic.Int64
	codes                      [6]atomic.Int64 // by hundreds
	responseTime               histogram

	// Host counts are under the proxy's mutex.
	healthy, unhealthy level
}

func (c *groupCounters) observeHosts(healthy, registered int, inUse bool) {
	if inUse {
		c.healthy.observe(float64(healthy))
		c.unhealthy.observe(float64(registered - healthy))
	}
}

// level is a value that is looked at now and then.
type level struct{ last, count, sum, least, most float64 }

func (l *level) observe(v float64) {
	if l.count == 0 {
		l.least, l.most = v, v
	}
	l.last, l.count, l.sum = v, l.count+1, l.sum+v
	l.least, l.most = min(l.least, v), max(l.most, v)
}

// histogram counts durations in buckets of an eighth of a power of two
// microseconds, without locks.
type histogram struct {
	sum     atomic.Int64 // nanoseconds
	buckets [8 * 32]atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	h.sum.Add(int64(d))
	h.buckets[bucketOf(d)].Add(1)
}

func bucketOf(d time.Duration) int {
	micros := uint64(max(d.Microseconds(), 0)) + 8 // so that there are three bits below the first
	exponent := bits.Len64(micros) - 4
	return min(exponent*8+int(micros>>exponent)&7, 8*32-1)
}

// bucketValue is the middle of a bucket, in seconds.
func bucketValue(bucket int) float64 {
	exponent, part := bucket/8, bucket%8
	return (math.Ldexp(float64(8+part)+0.5, exponent) - 8) / 1e6
}

func (p *Proxy) schedulePeriod() {
	now := p.config.Clock.Now()
	next := now.Truncate(p.config.Period).Add(p.config.Period)
	p.period = p.config.Clock.AfterFunc(next.Sub(now), func() { p.endPeriod(next.Add(-p.config.Period)) })
}

// endPeriod hands on what was counted since the last one ended.
func (p *Proxy) endPeriod(start time.Time) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	samples := p.takeLocked()
	p.schedulePeriod()
	p.mu.Unlock()
	if p.config.Metrics != nil {
		p.config.Metrics.Put(start, samples)
	}
}

// takeLocked empties the counters into samples.
func (p *Proxy) takeLocked() []Sample {
	totals := map[*balancer]*groupTotals{}
	var samples []Sample
	for _, g := range p.groups {
		if g.user == nil {
			continue
		}
		taken := g.counters.take()
		samples = append(samples, taken.samples(g.user.id, g.id)...)
		samples = append(samples,
			g.counters.healthy.take("HealthyHostCount", g.user.id, g.id),
			g.counters.unhealthy.take("UnHealthyHostCount", g.user.id, g.id))
		if totals[g.user] == nil {
			totals[g.user] = &groupTotals{}
		}
		totals[g.user].add(taken)
	}
	for _, b := range p.balancers {
		if of := totals[b]; of != nil {
			of.requests = 0 // the load balancer counts its own
			samples = append(samples, of.samples(b.id, "")...)
		}
		samples = append(samples, b.counters.take(b.id)...)
	}
	return samples
}

func (l *level) take(name, balancer, group string) Sample {
	l.observe(l.last)
	s := Sample{
		Name: name, Unit: "Count", LoadBalancer: balancer, TargetGroup: group,
		SampleCount: l.count, Sum: l.sum, Minimum: l.least, Maximum: l.most,
	}
	*l = level{last: l.last}
	return s
}

// groupTotals are what one group, or all of a load balancer, counted in a period.
type groupTotals struct {
	requests, connectionErrors, nanoseconds int64
	codes                                   [6]int64
	buckets                                 [8 * 32]int64
}

func (c *groupCounters) take() *groupTotals {
	t := &groupTotals{
		requests: c.requests.Swap(0), connectionErrors: c.connectionErrors.Swap(0),
		nanoseconds: c.responseTime.sum.Swap(0),
	}
	for i := range c.codes {
		t.codes[i] = c.codes[i].Swap(0)
	}
	for i := range c.responseTime.buckets {
		t.buckets[i] = c.responseTime.buckets[i].Swap(0)
	}
	return t
}

func (t *groupTotals) add(other *groupTotals) {
	t.requests += other.requests
	t.connectionErrors += other.connectionErrors
	t.nanoseconds += other.nanoseconds
	for i := range t.codes {
		t.codes[i] += other.codes[i]
	}
	for i := range t.buckets {
		t.buckets[i] += other.buckets[i]
	}
}

func (t *groupTotals) samples(balancer, group string) []Sample {
	out := counts{balancer: balancer, group: group}
	out.add("RequestCount", t.requests)
	out.add("TargetConnectionErrorCount", t.connectionErrors)
	out.add("HTTPCode_Target_2XX_Count", t.codes[2])
	out.add("HTTPCode_Target_3XX_Count", t.codes[3])
	out.add("HTTPCode_Target_4XX_Count", t.codes[4])
	out.add("HTTPCode_Target_5XX_Count", t.codes[5])
	times := Sample{
		Name: "TargetResponseTime", Unit: "Seconds", LoadBalancer: balancer, TargetGroup: group,
		Sum: time.Duration(t.nanoseconds).Seconds(),
	}
	for i, n := range t.buckets {
		if n > 0 {
			times.Values = append(times.Values, bucketValue(i))
			times.Counts = append(times.Counts, float64(n))
			times.SampleCount += float64(n)
		}
	}
	if len(times.Values) > 0 {
		times.Minimum, times.Maximum = times.Values[0], times.Values[len(times.Values)-1]
		out.samples = append(out.samples, times)
	}
	return out.samples
}

func (c *balancerCounters) take(id string) []Sample {
	out := counts{balancer: id}
	out.add("RequestCount", c.requests.Swap(0))
	out.add("NewConnectionCount", c.newConnections.Swap(0))
	out.add("ActiveConnectionCount", c.active.Load())
	out.add("HTTP_Redirect_Count", c.redirects.Swap(0))
	out.add("HTTP_Fixed_Response_Count", c.fixed.Swap(0))
	var hundreds [6]int64
	var single [600]int64
	for code := range c.elb {
		single[code] = c.elb[code].Swap(0)
		hundreds[code/100] += single[code]
	}
	out.add("HTTPCode_ELB_3XX_Count", hundreds[3])
	out.add("HTTPCode_ELB_4XX_Count", hundreds[4])
	out.add("HTTPCode_ELB_5XX_Count", hundreds[5])
	out.add("HTTPCode_ELB_500_Count", single[500])
	out.add("HTTPCode_ELB_502_Count", single[502])
	out.add("HTTPCode_ELB_503_Count", single[503])
	out.add("HTTPCode_ELB_504_Count", single[504])
	if n := c.bytes.Swap(0); n > 0 {
		out.samples = append(out.samples, Sample{
			Name: "ProcessedBytes", Unit: "Bytes", LoadBalancer: id,
			SampleCount: 1, Sum: float64(n), Minimum: float64(n), Maximum: float64(n),
		})
	}
	return out.samples
}

// counts collects the counts that are not 0.
type counts struct {
	balancer, group string
	samples         []Sample
}

func (c *counts) add(name string, n int64) {
	if n == 0 {
		return
	}
	// A sum over requests: each adds 1, so minimum and maximum say nothing more.
	c.samples = append(c.samples, Sample{
		Name: name, Unit: "Count", LoadBalancer: c.balancer, TargetGroup: c.group,
		SampleCount: float64(n), Sum: float64(n), Minimum: 1, Maximum: 1,
	})
}
