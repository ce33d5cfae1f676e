package cloudwatch

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A bucket aggregates what came for one metric in one minute (or, merged, in one
// period).
type bucket struct {
	count, sum, min, max float64
	// spread is a histogram of the values: how many lie in (growth^(k-1), growth^k]
	// by k; zero counts as the smallest k. It is nil when a statistic set or a
	// negative value came, because AWS has no percentiles then either.
	spread map[int]float64
	blurry bool // came a value without a place in spread
}

const (
	growth  = 1.04 // percentiles are off by at most 4 % of the value
	maxBins = 256  // of a spread; beyond, the lowest bins become one
	zeroBin = math.MinInt32
)

func (b *bucket) add(value, times float64) {
	b.merge(&bucket{count: times, sum: value * times, min: value, max: value, spread: map[int]float64{bin(value): times}, blurry: value < 0})
}

func bin(value float64) int {
	if value <= 0 {
		return zeroBin
	}
	return int(math.Ceil(math.Log(value) / math.Log(growth)))
}

// merge adds what another bucket holds, without keeping any of it.
func (b *bucket) merge(other *bucket) {
	if other.count == 0 {
		return
	}
	if b.count == 0 {
		b.min, b.max = other.min, other.max
	}
	b.count += other.count
	b.sum += other.sum
	b.min = min(b.min, other.min)
	b.max = max(b.max, other.max)
	if b.blurry = b.blurry || other.blurry; b.blurry {
		b.spread = nil
		return
	}
	if b.spread == nil {
		b.spread = make(map[int]float64, len(other.spread))
	}
	for k, n := range other.spread {
		b.spread[k] += n
	}
	b.shrink()
}

// shrink keeps the spread within its bound. It gives up on the low end because
// percentiles are asked for at the high one.
func (b *bucket) shrink() {
	if len(b.spread) <= maxBins {
		return
	}
	keys := slices.Sorted(maps.Keys(b.spread))
	for i := range len(keys) - maxBins {
		b.spread[keys[i+1]] += b.spread[keys[i]]
		delete(b.spread, keys[i])
	}
}

// percentile is the value that p percent of the values do not exceed.
func (b *bucket) percentile(p float64) (float64, bool) {
	if b.count == 0 || b.blurry {
		return 0, false
	}
	rank := p / 100 * b.count
	seen := 0.0
	for _, k := range slices.Sorted(maps.Keys(b.spread)) {
		if seen += b.spread[k]; seen >= rank {
			if k == zeroBin {
				return max(0, b.min), true
			}
			return min(max(math.Pow(growth, float64(k)), b.min), b.max), true
		}
	}
	return b.max, true
}

// A statistic is what is read off a bucket: "Sum", "p99.9".
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
type statistic string

var percentileForm = regexp.MustCompile(`^p(\d{1,2}(\.\d{1,10})?|100(\.0{1,10})?)$`)

func (s statistic) plain() bool {
	switch s {
	case "SampleCount", "Average", "Sum", "Minimum", "Maximum":
		return true
	}
	return false
}

// percent is which percentile s is, if it is one.
func (s statistic) percent() (float64, bool) {
	if !percentileForm.MatchString(string(s)) {
		return 0, false
	}
	p, err := strconv.ParseFloat(strings.TrimPrefix(string(s), "p"), 64)
	return p, err == nil
}

func (s statistic) known() bool {
	_, percentile := s.percent()
	return s.plain() || percentile
}

// of reads the statistic off a bucket, if the bucket has it.
func (s statistic) of(b *bucket) (float64, bool) {
	if b.count == 0 {
		return 0, false
	}
	switch s {
	case "SampleCount":
		return b.count, true
	case "Sum":
		return b.sum, true
	case "Average":
		return b.sum / b.count, true
	case "Minimum":
		return b.min, true
	case "Maximum":
		return b.max, true
	}
	p, ok := s.percent()
	if !ok {
		return 0, false
	}
	return b.percentile(p)
}
