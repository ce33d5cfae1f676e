package analysis

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// With a second sample that is known all but exactly, the statistic is that of
// one binomial sample against a fixed share: sqrt(2 n KL).
func TestExcess_OfAKnownShare(t *testing.T) {
	t.Parallel()
	near(t, "6 of 100 against 1 %", excess(6, 100, 0, 1e12, 0.01), math.Sqrt(2*(6*math.Log(6)+94*math.Log(.94/.99))), 1e-3)
	near(t, "1 of 100 against 1 %", excess(1, 100, 0, 1e12, 0.01), 0, 0)
	near(t, "all of 10 against 50 %", excess(10, 10, 0, 1e12, 0.5), math.Sqrt(20*math.Log(2)), 1e-3)
}

// For shares in the middle of large samples it is the usual normal statistic.
func TestExcess_OfLargeSamplesIsNormal(t *testing.T) {
	t.Parallel()
	p, q, n, m := 0.52, 0.49, 1e6, 4e6
	want := (p - q - 0.01) / math.Sqrt(p*(1-p)/n+q*(1-q)/m)
	near(t, "52 % against 49 %", excess(int64(p*n), int64(n), int64(q*m), int64(m), 0.01)/want, 1, 1e-3)
}

func TestCommon_IsTheMostLikelyShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.Int64Range(1, 5000).Draw(t, "n"), rapid.Int64Range(1, 5000).Draw(t, "m")
		x, y := rapid.Int64Range(0, n).Draw(t, "x"), rapid.Int64Range(0, m).Draw(t, "y")
		margin := rapid.Float64Range(0, 0.9).Draw(t, "margin")
		at := func(q float64) float64 { return likelihood(x, n, q+margin) + likelihood(y, m, q) }
		best := at(common(x, n, y, m, margin))
		for i := range 200 {
			if q := (float64(i) + 0.5) / 200 * (1 - margin); at(q) > best+1e-6*math.Abs(best) {
				t.Errorf("share %v: got likelihood %v, more than the %v of the one that was found", q, at(q), best)
			}
		}
	})
}

// A sum that is looked at after every step, 100 times longer than to the first
// look, crosses the boundary no more often than it may. One for a single look it
// crosses many times as often.
func TestBoundary_HoldsForAllLooks(t *testing.T) {
	t.Parallel()
	const paths, first, last, level = 4000, 50, 5000, 0.05
	r := rand.New(rand.NewPCG(7, 0))
	var boundaries [last + 1]float64
	for n := range boundaries {
		boundaries[n] = boundary(float64(n), first, level)
	}
	crossed, single := 0, 0
	for range paths {
		sum, over, overSingle := 0.0, false, false
		for n := 1; n <= last; n++ {
			sum += r.NormFloat64()
			if z := sum / math.Sqrt(float64(n)); n >= first {
				over, overSingle = over || z >= boundaries[n], overSingle || z >= suspicion
			}
		}
		crossed, single = crossed+btoi(over), single+btoi(overSingle)
	}
	t.Logf("crossed by %.2f %% of the paths; the limit of one look by %.2f %%", 100*float64(crossed)/paths, 100*float64(single)/paths)
	if share := float64(crossed) / paths; share > level || share < level/10 {
		t.Errorf("got %.2f %% of the paths across the boundary, want at most %v %%, and not next to none", 100*share, 100*level)
	}
	if share := float64(single) / paths; share < 4*level {
		t.Errorf("got %.2f %% of the paths across the limit of one look, want many more than %v %%", 100*share, 100*level)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestBoundary_IsLowestAtTheMinimumSample(t *testing.T) {
	t.Parallel()
	for _, level := range []float64{0.01, 1e-4, 1e-6} {
		tuned := boundary(100, 100, level)
		for _, size := range []float64{10, 30, 1000, 1e5, 1e7} {
			if other := boundary(size, 100, level); other <= tuned || math.IsInf(other, 0) {
				t.Errorf("level %v: got %v at size %v, want it above the %v at the minimum", level, other, size, tuned)
			}
		}
	}
}
