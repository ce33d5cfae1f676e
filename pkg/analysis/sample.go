package analysis

// A Period is what one target group did in one period of CloudWatch. What has no
// datapoint is 0.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
type Period struct {
	Requests float64 // RequestCount, Sum
	Errors   float64 // HTTPCode_Target_5XX_Count, Sum

	// TargetResponseTime: SampleCount, and in seconds Average, p90, p99 and
	// Maximum.
	Answers, Average, P90, P99, Maximum float64
}

// A Sample is what one side did in several periods.
type Sample struct {
	Requests, Errors int64
	// Answers are the requests whose answer time is known, Seconds the sum of
	// those times, and Squares an upper bound of the sum of their squares.
	Answers          int64
	Seconds, Squares float64
}

// Add adds a period.
func (s *Sample) Add(p Period) {
	requests := max(0, int64(p.Requests))
	s.Requests += requests
	s.Errors += min(requests, max(0, int64(p.Errors)))
	if p.Answers >= 1 {
		s.Answers += int64(p.Answers)
		s.Seconds += p.Answers * max(0, p.Average)
		s.Squares += p.Answers * p.meanSquare()
	}
}

// meanSquare is the most that the mean of the squares of the period's answer
// times can be, given their average, percentiles and maximum.
//
// The times in a range from low to high have the largest squares if each lies at
// one of its ends, and of all the ways to reach the average that one is the worst
// which has the most at the high end of the highest range. So all begin at the
// low ends, and what the average has beyond them is spent from the top.
func (p Period) meanSquare() float64 {
	p90, average := max(0, p.P90), max(0, p.Average)
	p99 := max(p90, p.P99)
	ranges := [...]struct{ share, low, high float64 }{
		{0.01, p99, max(p99, p.Maximum)}, {0.09, p90, p99}, {0.90, 0, p90},
	}
	left, square := average, 0.0
	for _, r := range ranges {
		left -= r.share * r.low
		square += r.share * r.low * r.low
	}
	for _, r := range ranges {
		spent := min(max(0, left), r.share*(r.high-r.low))
		left -= spent
		square += spent * (r.low + r.high)
	}
	// Percentiles are rounded, and may not agree with the average.
	return max(square, average*average)
}

// failed is the share of requests that failed.
func (s Sample) failed() float64 { return float64(s.Errors) / float64(max(1, s.Requests)) }

// mean is the average answer time in seconds.
func (s Sample) mean() float64 { return s.Seconds / float64(max(1, s.Answers)) }

// variance is the most that the variance of the mean can be.
func (s Sample) variance() float64 {
	n := float64(max(1, s.Answers))
	return max(0, s.Squares/n-s.mean()*s.mean()) / n
}
