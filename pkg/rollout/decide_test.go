package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/record"
	"cutover/pkg/release"
)

// What people read: one case a sentence.
func TestDecide_SaysWhy(t *testing.T) {
	t.Parallel()
	healthy := Side{Healthy: 2, Desired: 2}
	canary := Plan{
		Moves:    []release.Move{{Weight: 100, Pause: 5 * time.Minute}, {Weight: 500, Approval: true}, {Weight: release.Whole, Pause: time.Minute}},
		Deadline: 15 * time.Minute,
	}
	at := func(move int, settled bool, ago time.Duration) record.Progress {
		return record.Progress{Move: move, Settled: settled, Since: epoch.Add(-ago)}
	}
	world := func(p record.Progress, shares ...release.Weight) World {
		w := World{Now: epoch, Progress: p}
		for i, share := range shares {
			w.Pairs = append(w.Pairs, Pair{Name: []string{"web", "api"}[i], Share: share, Green: healthy, Blue: healthy})
		}
		return w
	}
	with := func(w World, change func(*World)) World { change(&w); return w }
	ops := &record.Said{By: "ops", Reason: "numbers look odd"}
	start := record.Progress{Move: -1}
	goes := canary
	goes.Blue = &Blue{Keep: time.Hour, Count: 1, Step: 2, Pause: time.Minute}
	baked := func(ago time.Duration) record.Progress {
		p := at(2, true, ago+time.Minute)
		p.Baked = epoch.Add(-ago)
		return p
	}
	scaled := func(ceiling int, ago time.Duration) record.Progress {
		p := baked(2 * time.Hour)
		p.Scaled, p.Ceiling = epoch.Add(-ago), ceiling
		return p
	}
	warm := func(p record.Progress, web, api int) World {
		w := world(p, 1000, 1000)
		w.Pairs[0].Blue, w.Pairs[1].Blue = Side{Healthy: web, Desired: web}, Side{Healthy: api, Desired: api}
		return w
	}
	late := func(w *World) { w.LastCall = epoch }
	for name, c := range map[string]struct {
		world World
		want  Decision
	}{
		"after the bake blue's time begins":      {world(at(2, true, time.Minute), 1000, 1000), Decision{Kind: Note, Progress: record.Progress{Move: 2, Settled: true, Since: epoch.Add(-time.Minute), Baked: epoch}}},
		"blue is kept for its time":              {warm(baked(50*time.Minute), 5, 2), Decision{Kind: Wait, Why: "production is on green and has baked; blue is kept: 10m0s more"}},
		"abort takes it back while it is whole":  {with(warm(baked(50*time.Minute), 5, 2), func(w *World) { w.Abort = ops }), Decision{Kind: Note, Progress: record.Progress{Move: 2, Settled: true, Since: epoch.Add(-51 * time.Minute), Baked: epoch.Add(-50 * time.Minute), Back: true, Why: "aborted by ops (numbers look odd)"}}},
		"an alarm by then keeps blue":            {with(warm(baked(time.Hour), 5, 2), func(w *World) { w.Bad = []string{"alarm x is in ALARM"} }), Decision{Kind: Wait, Why: "production is on green and has baked; blue is kept: alarm x is in ALARM"}},
		"a blue that is busy stays":              {with(warm(baked(time.Hour), 5, 2), func(w *World) { w.Pairs[1].Busy = "7 requests" }), Decision{Kind: Wait, Why: "production is on green and has baked; blue goes: api: 7 requests"}},
		"the largest one sets the ceiling":       {warm(baked(time.Hour), 5, 2), Decision{Kind: Note, Progress: record.Progress{Move: 2, Settled: true, Since: epoch.Add(-61 * time.Minute), Baked: epoch.Add(-time.Hour), Scaled: epoch, Ceiling: 3}}},
		"who is above it loses tasks":            {warm(scaled(3, 0), 5, 2), Decision{Kind: Scale, Pairs: []int{0}, Count: 3}},
		"the next step has its pause":            {warm(scaled(3, 20*time.Second), 3, 2), Decision{Kind: Wait, Why: "production is on green and has baked; blue goes: 40s more with at most 3 tasks"}},
		"at the count it is done":                {warm(scaled(1, time.Second), 1, 1), Decision{Kind: Shifted}},
		"a blue that is small enough is done":    {warm(baked(time.Hour), 1, 0), Decision{Kind: Shifted}},
		"abort comes too late for a smaller one": {with(warm(scaled(3, time.Second), 3, 2), func(w *World) { w.Abort = ops }), Decision{Kind: Shifted, Why: "aborted by ops (numbers look odd), but too late: blue was scaled down to 3 tasks at 2025-12-31T23:59:59Z and cannot take production back; release the old version anew"}},
		"without time left blue stays":           {with(with(warm(baked(time.Hour), 5, 2), late), func(w *World) { w.Pairs[1].Busy = "7 requests" }), Decision{Kind: Shifted, Why: "blue was left as it is: api: 7 requests"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, Decide(c.world, goes)); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
	for name, c := range map[string]struct {
		world World
		want  Decision
	}{
		"a fresh start notes the first move":            {world(start, 0, 0), Decision{Kind: Note, Progress: at(0, false, 0)}},
		"an alarm that rings already keeps it still":    {with(world(start, 0), func(w *World) { w.Bad = []string{"alarm shop-5xx is in ALARM"} }), Decision{Kind: Refuse, Why: "alarm shop-5xx is in ALARM"}},
		"green without healthy targets is refused":      {with(world(start, 0), func(w *World) { w.Pairs[0].Green.Healthy = 0 }), Decision{Kind: Refuse, Why: "web: green has 0 healthy targets, needed for 10 % of the traffic are 1"}},
		"traffic that nobody noted is refused":          {world(start, 100), Decision{Kind: Refuse, Why: "web: green already has 10 % of the traffic, and no release of this execution gave it"}},
		"both services move together":                   {world(at(0, false, 0), 0, 0), Decision{Kind: Write, Pairs: []int{0, 1}, Target: 100}},
		"the one that is behind catches up":             {world(at(0, false, 0), 100, 0), Decision{Kind: Write, Pairs: []int{1}, Target: 100}},
		"a move that is made is noted":                  {world(at(0, false, time.Minute), 100, 100), Decision{Kind: Note, Progress: at(0, true, 0)}},
		"a pause is waited for":                         {world(at(0, true, 2*time.Minute), 100), Decision{Kind: Wait, Why: "3m0s more at 10 %"}},
		"after it the next move begins":                 {world(at(0, true, 5*time.Minute), 100), Decision{Kind: Note, Progress: at(1, false, 0)}},
		"too few requests hold a step":                  {with(world(at(0, true, 5*time.Minute), 100), func(w *World) { w.Unsure = "12 of 100 requests" }), Decision{Kind: Wait, Why: "12 of 100 requests"}},
		"promote skips all waiting":                     {with(world(at(0, true, 0), 100), func(w *World) { w.Promote, w.Unsure = ops, "few" }), Decision{Kind: Note, Progress: at(1, false, 0)}},
		"an approval is waited for, for ever":           {world(at(1, true, 20*time.Hour), 500), Decision{Kind: Wait, Why: "somebody has to resume the release at 50 %"}},
		"resume lets it go on":                          {with(world(at(1, true, time.Hour), 500), func(w *World) { w.Approved = 2; w.Now = epoch.Add(-50 * time.Minute) }), Decision{Kind: Note, Progress: record.Progress{Move: 2, Since: epoch.Add(-50 * time.Minute)}}},
		"hold says who holds":                           {with(world(at(0, true, 2*time.Minute), 100), func(w *World) { w.Hold = ops }), Decision{Kind: Wait, Why: "held by ops (numbers look odd)"}},
		"abort goes back":                               {with(world(at(0, true, time.Minute), 100), func(w *World) { w.Abort = ops }), Decision{Kind: Note, Progress: record.Progress{Move: 0, Settled: true, Since: epoch.Add(-time.Minute), Back: true, Why: "aborted by ops (numbers look odd)"}}},
		"a green that falls ill goes back":              {with(world(at(2, true, 0), 1000), func(w *World) { w.Pairs[0].Green.Healthy = 0 }), Decision{Kind: Note, Progress: record.Progress{Move: 2, Settled: true, Since: epoch, Back: true, Why: "web: green has 0 healthy targets of 2 tasks"}}},
		"a green with one ill target keeps what it has": {with(world(at(2, true, 20*time.Second), 1000), func(w *World) { w.Pairs[0].Green.Healthy = 1; w.Pairs[0].Green.Unready = []string{"x"} }), Decision{Kind: Wait, Why: "40s more at 100 %"}},
		"but takes no more":                             {with(world(at(0, true, 5*time.Minute), 100), func(w *World) { w.Pairs[0].Blue.Healthy, w.Pairs[0].Blue.Desired = 6, 6 }), Decision{Kind: Wait, Why: "web: green has 2 healthy targets, needed for 50 % of the traffic are 3"}},
		"a blue that is worse keeps it where it is":     {with(world(at(2, true, 0), 1000), func(w *World) { w.Abort = ops; w.Pairs[0].Blue.Healthy = 0 }), Decision{Kind: Wait, Why: "aborted by ops (numbers look odd); but blue is worse, so nothing is moved: web: blue has 0 healthy targets of 2 tasks"}},
		"weights reset by hand stop it":                 {world(at(1, true, 0), 500, 250), Decision{Kind: Stop, Why: "someone else changed the production route: api: green has 25 % of the traffic, but this release gave it 50 %"}},
		"production taken back by hand stops it":        {world(at(1, true, 0), 0, 0), Decision{Kind: Stop, Why: "production was moved back to blue by someone else after this execution had moved it to green"}},
		"a foreign target group stops it":               {with(world(at(1, false, 0), 500), func(w *World) { w.Pairs[0].Foreign = "the route also forwards to tg-x" }), Decision{Kind: Stop, Why: "someone else changed the production route: web: the route also forwards to tg-x"}},
		"no progress for too long goes back":            {with(world(at(1, false, 15*time.Minute), 500, 100), func(w *World) { w.Pairs[1].Blue = Side{Healthy: 6, Desired: 6} }), Decision{Kind: Note, Progress: record.Progress{Move: 1, Since: epoch.Add(-15 * time.Minute), Back: true, Why: "no progress for 15m0s"}}},
		"going back takes what was half written":        {world(record.Progress{Move: 1, Back: true, Why: "x"}, 500, 100), Decision{Kind: Write, Pairs: []int{0, 1}}},
		"going back leaves what others wrote":           {world(record.Progress{Move: 1, Back: true, Why: "x"}, 0, 42), Decision{Kind: Stop, Why: "going back, because x; someone else changed the production route: api: green has 4.2 % of the traffic, which this release did not give it"}},
		"back is back":                                  {world(record.Progress{Move: 1, Back: true, Why: "x"}, 0, 0), Decision{Kind: Returned, Why: "x"}},
		"the bake is waited for":                        {world(at(2, true, 20*time.Second), 1000), Decision{Kind: Wait, Why: "40s more at 100 %"}},
		"after the bake it is done":                     {world(at(2, true, time.Minute), 1000), Decision{Kind: Shifted}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, Decide(c.world, canary)); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}
