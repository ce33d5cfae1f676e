package analysis

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The goals hold for each kind of canary, not only for all together.
func TestSimulate_FewFalseRollbacksAndFewMisses(t *testing.T) {
	t.Parallel()
	report := Simulate(1000, 4)
	t.Logf("\n%s", report)
	for _, row := range report.Rows {
		rolledBack := float64(row.RolledBack) / float64(row.Canaries)
		if !row.Worse && rolledBack > 0.01 {
			t.Errorf("%s: got %.1f %% rolled back, want at most 1 %%", row.Scenario, 100*rolledBack)
		}
		if row.Worse && rolledBack < 0.95 {
			t.Errorf("%s: got %.1f %% rolled back, want at least 95 %%", row.Scenario, 100*rolledBack)
		}
	}
}

func TestSimulate_RepeatsItself(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(Simulate(3, 1), Simulate(3, 1)); diff != "" {
		t.Errorf("the same seed (-first +second):\n%s", diff)
	}
	if cmp.Equal(Simulate(3, 1), Simulate(3, 2)) {
		t.Error("got the same report for two seeds")
	}
}

func TestReport_CountsGoodAndBadApart(t *testing.T) {
	t.Parallel()
	r := Report{Rows: []Row{
		{Scenario: "as good", Canaries: 200, RolledBack: 1},
		{Scenario: "as good, often held", Canaries: 200, RolledBack: 3, Held: 50, Minutes: 4},
		{Scenario: "worse", Worse: true, Canaries: 100, RolledBack: 90, Held: 10, Minutes: 2.25},
	}}
	near(t, "false rollbacks", r.FalseRollbacks(), 0.01, 1e-12)
	near(t, "misses", r.Misses(), 0.1, 1e-12)
	want := "  canaries  rolled back  went on    held  minutes       scenario\n" +
		"       200        0.5 %   99.5 %   0.0 %      0.0  good as good\n" +
		"       200        1.5 %   98.5 %  25.0 %      4.0  good as good, often held\n" +
		"       100       90.0 %   10.0 %  10.0 %      2.2   bad worse\n" +
		"false rollbacks 1.00 % (goal: at most 1 %), misses 10.00 % (goal: at most 5 %)\n"
	if diff := cmp.Diff(want, r.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	near(t, "of nothing", Report{}.Misses(), 0, 0)
}
