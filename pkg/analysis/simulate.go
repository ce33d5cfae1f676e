package analysis

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
)

// A side is how one side of a simulated canary behaves.
type side struct {
	errors float64 // share of its requests that fail
	mean   float64 // of its answer times, in seconds
	spread float64 // of their logarithms: 1 has a mean 1.6 times the median, 1.5 one of 3.1 times
}

// A scenario is a kind of canary whose truth is known.
type scenario struct {
	name        string
	worse       bool    // green is worse than the limits allow
	requests    int     // a minute, of both sides
	share       float64 // of them that green gets
	green, blue side
	// blips is the share of minutes in which something that both sides need fails
	// 20 % of their requests and takes three times as long.
	blips float64
}

// Limits and times of a simulated step: the defaults of cutover.yaml, and a step
// that lasts 10 minutes and is held for at most 20 more.
const (
	simulatedPause    = 10
	simulatedPatience = 30
)

var simulatedLimits = Limits{ErrorRate: 1, Latency: 1.5, MinimumRequests: 100}

// scenarios are the canaries that are simulated. Good ones stay within the
// limits, some of them exactly; bad ones are what a canary is there to find.
func scenarios() []scenario {
	usual := side{errors: 0.002, mean: 0.1, spread: 1}
	with := func(errors, latency, spread float64) side { return side{errors, usual.mean * latency, spread} }
	return []scenario{
		{name: "green as blue", requests: 200, share: 0.25, green: usual, blue: usual},
		{name: "green as blue, neither ever fails", requests: 200, share: 0.25, green: with(0, 1, 1), blue: with(0, 1, 1)},
		{name: "green as blue, both fail 5 %", requests: 200, share: 0.25, green: with(0.05, 1, 1), blue: with(0.05, 1, 1)},
		{name: "green as blue, an outage of both every tenth minute", requests: 200, share: 0.25, green: usual, blue: usual, blips: 0.1},
		{name: "green as blue, answer times with a heavy tail", requests: 200, share: 0.25, green: with(0.002, 1, 1.5), blue: with(0.002, 1, 1.5)},
		{name: "green as blue, few requests", requests: 40, share: 0.25, green: usual, blue: usual},
		{name: "green as blue, green has 75 %", requests: 200, share: 0.75, green: usual, blue: usual},
		{name: "green half way to the limits", requests: 200, share: 0.25, green: with(0.007, 1.25, 1), blue: usual},
		{name: "green exactly at the limits", requests: 200, share: 0.25, green: with(0.012, 1.5, 1), blue: usual},
		{name: "the same, green has 75 %, a heavy tail", requests: 200, share: 0.75, green: with(0.012, 1.5, 1.5), blue: with(0.002, 1, 1.5)},

		{name: "green fails 30 %", worse: true, requests: 200, share: 0.25, green: with(0.3, 1, 1), blue: usual},
		{name: "green fails 30 % and is slow", worse: true, requests: 200, share: 0.25, green: with(0.3, 5, 1), blue: usual},
		{name: "green fails 30 %, few requests", worse: true, requests: 40, share: 0.25, green: with(0.3, 1, 1), blue: usual},
		{name: "green fails 30 %, an outage of both every tenth minute", worse: true, requests: 200, share: 0.25, green: with(0.3, 1, 1), blue: usual, blips: 0.1},
		{name: "green fails 5 points more than it may", worse: true, requests: 200, share: 0.25, green: with(0.062, 1, 1), blue: usual},
		{name: "the same, blue fails 5 %", worse: true, requests: 200, share: 0.25, green: with(0.11, 1, 1), blue: with(0.05, 1, 1)},
		{name: "green takes twice as long as it may", worse: true, requests: 200, share: 0.25, green: with(0.002, 3, 1), blue: usual},
		{name: "the same, an outage of both every tenth minute", worse: true, requests: 200, share: 0.25, green: with(0.002, 3, 1), blue: usual, blips: 0.1},
		{name: "the same, a heavy tail and five times the requests", worse: true, requests: 1000, share: 0.25, green: with(0.002, 3, 1.5), blue: with(0.002, 1, 1.5)},
	}
}

// A Row is what became of the canaries of one scenario.
type Row struct {
	Scenario string
	// Worse says that green was worse than the limits allow.
	Worse    bool
	Canaries int
	// RolledBack is how many were called worse, Held how many were held beyond the
	// step's time, whatever became of them.
	RolledBack, Held int
	// Minutes is how long it took on average until green was called worse; 0 if it
	// never was.
	Minutes float64
}

// A Report is what Simulate found.
type Report struct{ Rows []Row }

// Simulate runs so many canaries of each scenario against the default limits,
// with a look a minute. The same seed gives the same report.
func Simulate(canaries int, seed uint64) Report {
	all := scenarios()
	rows := make([]Row, len(all))
	var wg sync.WaitGroup
	for i, s := range all {
		wg.Go(func() {
			rows[i] = s.run(canaries, rand.New(rand.NewPCG(seed, uint64(i))))
		})
	}
	wg.Wait()
	return Report{Rows: rows}
}

// FalseRollbacks is the share of good canaries that were rolled back.
func (r Report) FalseRollbacks() float64 {
	return r.share(false, func(row Row) int { return row.RolledBack })
}

// Misses is the share of bad canaries that went on.
func (r Report) Misses() float64 {
	return r.share(true, func(row Row) int { return row.Canaries - row.RolledBack })
}

func (r Report) share(worse bool, of func(Row) int) float64 {
	part, all := 0, 0
	for _, row := range r.Rows {
		if row.Worse == worse {
			part, all = part+of(row), all+row.Canaries
		}
	}
	return float64(part) / float64(max(1, all))
}

// String is a table for people.
func (r Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "canaries\trolled back\twent on\theld\tminutes\t\t scenario")
	for _, row := range r.Rows {
		verdict, minutes := "good", "-"
		if row.Worse {
			verdict = "bad"
		}
		if row.RolledBack > 0 {
			minutes = fmt.Sprintf("%.1f", row.Minutes)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t %s\n", row.Canaries, percent(row.RolledBack, row.Canaries),
			percent(row.Canaries-row.RolledBack, row.Canaries), percent(row.Held, row.Canaries), minutes, verdict, row.Scenario)
	}
	if err := w.Flush(); err != nil {
		return err.Error() // a strings.Builder has none
	}
	fmt.Fprintf(&b, "false rollbacks %.2f %% (goal: at most 1 %%), misses %.2f %% (goal: at most 5 %%)\n", 100*r.FalseRollbacks(), 100*r.Misses())
	return b.String()
}

func percent(n, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(1, of))) }

// run simulates canaries of a scenario.
func (s scenario) run(canaries int, r *rand.Rand) Row {
	row := Row{Scenario: s.name, Worse: s.worse, Canaries: canaries}
	minutes := 0
	for range canaries {
		rolledBack, after := s.canary(r)
		if after > simulatedPause {
			row.Held++
		}
		if rolledBack {
			row.RolledBack++
			minutes += after
		}
	}
	if row.RolledBack > 0 {
		row.Minutes = float64(minutes) / float64(row.RolledBack)
	}
	return row
}

// canary simulates one step: whether it was rolled back, and after how many
// minutes it ended.
func (s scenario) canary(r *rand.Rand) (rolledBack bool, after int) {
	var green, blue Sample
	for minute := 1; ; minute++ {
		g, b := s.minute(r)
		green.Add(g)
		blue.Add(b)
		v := Compare(green, blue, simulatedLimits)
		switch {
		case v.Worse:
			return true, minute
		case minute >= simulatedPatience, minute >= simulatedPause && !v.Unsure:
			return false, minute
		}
	}
}

// minute simulates one minute of traffic, request by request.
func (s scenario) minute(r *rand.Rand) (green, blue Period) {
	failing, slow := 0.0, 1.0
	if r.Float64() < s.blips {
		failing, slow = 0.2, 3
	}
	var times [2][]float64
	var failed [2]int
	sides := [2]side{s.green, s.blue}
	for range s.requests {
		i := 0
		if r.Float64() >= s.share {
			i = 1
		}
		of := sides[i]
		if r.Float64() < max(of.errors, failing) {
			failed[i]++
		}
		// The mean of a log-normal distribution is exp(mu + spread²/2).
		times[i] = append(times[i], slow*of.mean*math.Exp(of.spread*r.NormFloat64()-of.spread*of.spread/2))
	}
	return period(times[0], failed[0]), period(times[1], failed[1])
}

// period tells what CloudWatch would of requests.
func period(times []float64, failed int) Period {
	n := len(times)
	if n == 0 {
		return Period{}
	}
	slices.Sort(times)
	sum := 0.0
	for _, t := range times {
		sum += t
	}
	at := func(share float64) float64 { return times[max(0, int(math.Ceil(share*float64(n)))-1)] }
	return Period{
		Requests: float64(n), Errors: float64(failed), Answers: float64(n),
		Average: sum / float64(n), P90: at(0.9), P99: at(0.99), Maximum: times[n-1],
	}
}
