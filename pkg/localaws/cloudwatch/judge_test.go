package cloudwatch

import (
	"strings"
	"testing"
)

// look makes samples of AWS's own notation: 0 is good, X is bad, - is missing.
func look(text string) []sample {
	var samples []sample
	for _, c := range strings.Fields(text) {
		one := sample{present: c != "-", count: 1}
		if c == "X" {
			one.value = 1
		}
		samples = append(samples, one)
	}
	return samples
}

// The tables of AWS's own page are the cases here.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func TestJudge(t *testing.T) {
	t.Parallel()
	const kept = "kept"
	cases := []struct {
		periods, needed                          int
		look                                     string
		missing, ignore, breaching, notBreaching string
	}{
		{3, 3, "0 - X - X", stateOK, stateOK, stateOK, stateOK},
		{3, 3, "0 - - - -", stateOK, stateOK, stateOK, stateOK},
		{3, 3, "- - - - -", stateInsufficient, kept, stateAlarm, stateOK},
		{3, 3, "0 X X - X", stateAlarm, stateAlarm, stateAlarm, stateAlarm},
		{3, 3, "- - X - -", stateAlarm, kept, stateAlarm, stateOK},
		{3, 3, "- - - - X", kept, kept, stateAlarm, stateOK},
		{3, 3, "- - - X -", kept, kept, stateAlarm, stateOK},
		{3, 2, "0 - X - X", stateAlarm, stateAlarm, stateAlarm, stateAlarm},
		{3, 2, "0 0 X 0 X", stateAlarm, stateAlarm, stateAlarm, stateAlarm},
		{3, 2, "0 - X - -", stateOK, stateOK, stateAlarm, stateOK},
		{3, 2, "- - - - 0", stateOK, stateOK, stateAlarm, stateOK},
		{3, 2, "- - - X -", stateAlarm, kept, stateAlarm, stateOK},
		{1, 1, "- - X", stateAlarm, stateAlarm, stateAlarm, stateAlarm},
		{1, 1, "X - -", stateAlarm, stateAlarm, stateAlarm, stateAlarm},
		{1, 1, "X - 0", stateOK, stateOK, stateOK, stateOK},
	}
	zero := 0.0
	for _, c := range cases {
		for treat, want := range map[string]string{
			"": c.missing, "missing": c.missing, "ignore": c.ignore, "breaching": c.breaching, "notBreaching": c.notBreaching,
		} {
			w := &Watch{
				EvaluationPeriods: c.periods, DatapointsToAlarm: &c.needed, Threshold: &zero,
				ComparisonOperator: "GreaterThanThreshold", Statistic: "Sum", TreatMissingData: treat,
			}
			for _, current := range []string{stateOK, stateAlarm, stateInsufficient} {
				expect := want
				if want == kept {
					expect = current
				}
				if got := w.judge(look(c.look), current).state; got != expect {
					t.Errorf("%d of %d with %s, missing as %q, from %s: got %s, want %s", c.needed, c.periods, c.look, treat, current, got, expect)
				}
			}
		}
	}
}

func TestJudge_ComparesAsTheOperatorSays(t *testing.T) {
	t.Parallel()
	for operator, want := range map[string][3]bool{ // below, at and above the threshold
		"GreaterThanThreshold":          {false, false, true},
		"GreaterThanOrEqualToThreshold": {false, true, true},
		"LessThanThreshold":             {true, false, false},
		"LessThanOrEqualToThreshold":    {true, true, false},
	} {
		threshold := 5.0
		w := &Watch{Threshold: &threshold, ComparisonOperator: operator}
		got := [3]bool{w.breaches(4), w.breaches(5), w.breaches(6)}
		if got != want {
			t.Errorf("%s of 4, 5 and 6 with 5: got %v, want %v", operator, got, want)
		}
	}
}

func TestJudge_LeavesPercentilesOfFewSamplesAlone(t *testing.T) {
	t.Parallel()
	zero := 0.0
	w := &Watch{
		EvaluationPeriods: 1, Threshold: &zero, ComparisonOperator: "GreaterThanThreshold",
		ExtendedStatistic: "p90", EvaluateLowSampleCountPercentile: "ignore",
	}
	few := []sample{{value: 1, count: 99, present: true}} // p90 wants 10/(1-0.9)
	if got := w.judge(few, stateInsufficient).state; got != stateInsufficient {
		t.Errorf("99 samples: got %s, want the state kept", got)
	}
	few[0].count = 101
	if got := w.judge(few, stateInsufficient).state; got != stateAlarm {
		t.Errorf("101 samples: got %s, want %s", got, stateAlarm)
	}
	few[0].count, w.EvaluateLowSampleCountPercentile = 1, "evaluate"
	if got := w.judge(few, stateInsufficient).state; got != stateAlarm {
		t.Errorf("1 sample that is to be evaluated: got %s, want %s", got, stateAlarm)
	}
}
