package bluegreen_test

import (
	"fmt"
	"slices"
	"testing"

	"cutover/pkg/bluegreen"
	fake "cutover/pkg/bluegreen/bluegreentest"
)

// set adds pairs to a world, each on a rule of its own, and names them all.
func set(w *fake.World, n int) []bluegreen.Params {
	all := []bluegreen.Params{params()}
	for i := 1; i < n; i++ {
		name := fmt.Sprintf("s%d", i)
		a, b := w.AddPair(name)
		w.Tags[b]["cutover:execution"] = name
		w.Rules[fake.Listener80][0].Actions = fake.Forward(a, 900, b, 100)
		p := params()
		p.Services = []string{name + "-a", name + "-b"}
		all = append(all, p)
	}
	return all
}

func TestObserveSet_CallsGrowOnlyByBatches(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]map[string]int{
		1:   {"DescribeLoadBalancers": 1, "DescribeListeners": 1, "DescribeRules": 2, "DescribeServices": 1, "DescribeTags": 1},
		5:   {"DescribeLoadBalancers": 1, "DescribeListeners": 1, "DescribeRules": 2, "DescribeServices": 1, "DescribeTags": 1},
		100: {"DescribeLoadBalancers": 1, "DescribeListeners": 1, "DescribeRules": 2, "DescribeServices": 20, "DescribeTags": 10},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			all := set(w, n)
			seen, err := bluegreen.ObserveSet(t.Context(), w.ELB(), w.ECS(), all, true)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, call := range w.Calls() {
				got[call]++
			}
			want["DescribeTargetHealth"] = 2 * n // AWS has no other way
			for call, count := range want {
				if got[call] != count {
					t.Errorf("%s: got %d calls, want %d", call, got[call], count)
				}
			}
			for i, o := range seen {
				if len(o.Faults) > 0 {
					t.Fatalf("pair %d: got faults %q", i, o.Faults)
				}
				if i == 0 {
					continue
				}
				b := o.Pair.Sides[1]
				if share, foreign := o.Pair.Share(b); share != 100 || foreign != "" || b.Execution() != fmt.Sprintf("s%d", i) || b.Health.Healthy != 2 {
					t.Errorf("pair %d: got share %d (%s) of execution %q, %s", i, share, foreign, b.Execution(), b.Health)
				}
			}
		})
	}
}

func TestObserveSet_FaultsAreTheirPairs(t *testing.T) {
	t.Parallel()
	w := fake.New()
	all := set(w, 3)
	all[1].Services[0] = "nobody"
	delete(w.Services, "s2-b")
	seen, err := bluegreen.ObserveSet(t.Context(), w.ELB(), w.ECS(), all, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{nil, {`service "nobody" does not exist in cluster "main"`}, {`service "s2-b" does not exist in cluster "main"`}} {
		if !slices.Equal(seen[i].Faults, want) {
			t.Errorf("pair %d: got faults %q, want %q", i, seen[i].Faults, want)
		}
	}
}

func TestShare_TellsWhatIsNoShare(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		weights []any
		want    int
		foreign string
	}{
		"a tenth of a percent":  {[]any{fake.GroupA, 999, fake.GroupB, 1}, 1, ""},
		"all":                   {[]any{fake.GroupB, 100, fake.GroupA, 0}, 1000, ""},
		"all, alone":            {[]any{fake.GroupB, 1}, 1000, ""},
		"none":                  {[]any{fake.GroupA, 7}, 0, ""},
		"a half, small weights": {[]any{fake.GroupA, 1, fake.GroupB, 1}, 500, ""},
		"no whole thousandth":   {[]any{fake.GroupA, 2, fake.GroupB, 1}, 0, "the production route (default action of listener HTTP:80) forwards to hello-a 2, hello-b 1"},
		"nothing at all":        {[]any{fake.GroupA, 0, fake.GroupB, 0}, 0, "the production route (default action of listener HTTP:80) forwards to hello-a 0, hello-b 0"},
		"a group of nobody's":   {[]any{fake.GroupA, 50, groupC, 50}, 0, "the production route (default action of listener HTTP:80) also forwards to other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			w.Rules[fake.Listener80][0].Actions = fake.Forward(c.weights...)
			seen, err := bluegreen.ObserveSet(t.Context(), w.ELB(), w.ECS(), []bluegreen.Params{params()}, true)
			if err != nil {
				t.Fatal(err)
			}
			got, foreign := seen[0].Pair.Share(seen[0].Pair.Sides[1])
			if got != c.want || foreign != c.foreign {
				t.Errorf("got %d, %q, want %d, %q", got, foreign, c.want, c.foreign)
			}
		})
	}
}
