package analysis

import "math"

// boundary is what a statistic has to reach at a sample of a size, so that one
// that is looked at for ever at sizes of any kind reaches it by luck with a
// chance of at most level. It is lowest at about the size first.
//
// It is that of the one-sided asymptotic confidence sequence with a normal
// mixture of Waudby-Smith et al., its variance chosen for first.
func boundary(size, first, level float64) float64 {
	chance := min(2*level, 0.5)
	tuned := -2 * math.Log(chance)
	x := (tuned + math.Log(tuned) + 1) * size / first
	return math.Sqrt(2 * (x + 1) / x * math.Log1p(math.Sqrt(x+1)/chance))
}

// excess is the signed root of the likelihood ratio of two binomial samples, x of
// n and y of m, against the hypothesis that the first's share exceeds the
// second's by margin (from 0 to 1). It is 0 where it does not exceed it by more.
func excess(x, n, y, m int64, margin float64) float64 {
	p, q := float64(x)/float64(n), float64(y)/float64(m)
	if p-q <= margin {
		return 0
	}
	free := likelihood(x, n, p) + likelihood(y, m, q)
	q0 := common(x, n, y, m, margin)
	held := likelihood(x, n, q0+margin) + likelihood(y, m, q0)
	return math.Sqrt(2 * max(0, free-held))
}

// common is the most likely share of the second sample under the hypothesis. The
// likelihood is concave, so that its slope has one zero, between the two
// samples' own wishes.
func common(x, n, y, m int64, margin float64) float64 {
	low, high := 0.0, 1-margin
	for range 60 {
		q := (low + high) / 2
		if slope(x, n, q+margin)+slope(y, m, q) > 0 {
			low = q
		} else {
			high = q
		}
	}
	return (low + high) / 2
}

// slope is the derivative of a sample's log-likelihood at a share inside (0, 1).
func slope(x, n int64, p float64) float64 {
	return float64(x)/p - float64(n-x)/(1-p)
}

// likelihood is a sample's log-likelihood at a share, up to a constant.
func likelihood(x, n int64, p float64) float64 {
	sum := 0.0
	if x > 0 {
		sum += float64(x) * math.Log(p)
	}
	if x < n {
		sum += float64(n-x) * math.Log1p(-p)
	}
	return sum
}
