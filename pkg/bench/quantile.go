package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// durations are measurements of one thing.
type durations []time.Duration

// quantile is the least measured duration that a share q of all did not exceed;
// 0 of none.
func (d durations) quantile(q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

// megabytes is a number of bytes; 0 is what could not be read.
func megabytes(n int64) string {
	if n == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}
