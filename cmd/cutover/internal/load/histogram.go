package load

import (
	"math"
	"time"
)

// A histogram counts durations in buckets that grow by a twentieth, so that any
// quantile is right within 5 %.
type histogram struct {
	buckets [400]int
	total   int
	max     time.Duration
}

const (
	smallest = 10 * time.Microsecond
	growth   = 1.05
)

func (h *histogram) add(d time.Duration) {
	i := 0
	if d > smallest {
		i = min(int(math.Log(float64(d)/float64(smallest))/math.Log(growth))+1, len(h.buckets)-1)
	}
	h.buckets[i]++
	h.total++
	h.max = max(h.max, d)
}

// quantile is the duration that a share q of all did not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	seen := 0
	for i, n := range h.buckets {
		if seen += n; n > 0 && float64(seen) >= q*float64(h.total) {
			return min(time.Duration(float64(smallest)*math.Pow(growth, float64(i))), h.max)
		}
	}
	return h.max
}

func (h *histogram) summary() Latency {
	ms := func(d time.Duration) float64 { return math.Round(float64(d)/float64(time.Millisecond)*100) / 100 }
	return Latency{P50: ms(h.quantile(0.5)), P99: ms(h.quantile(0.99)), Max: ms(h.max)}
}
