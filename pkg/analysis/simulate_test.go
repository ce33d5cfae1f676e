package analysis

import "testing"

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
