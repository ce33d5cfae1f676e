package automation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawDocument makes a valid document whose ways lead only down.
func drawDocument(t *rapid.T) string {
	n := rapid.IntRange(1, 7).Draw(t, "steps")
	var b strings.Builder
	for i := range n {
		below := func(what string) string {
			if i+1 >= n {
				return ""
			}
			return rapid.SampledFrom(append([]string{""}, names7[i+1:n]...)).Draw(t, what)
		}
		action := rapid.SampledFrom([]string{"call", "sleep", "wait", "branch", "approve", "assert"}).Draw(t, "action")
		fmt.Fprintf(&b, "- name: %s\n", names7[i])
		target := below("branch")
		switch {
		case action == "branch" && target != "":
			fmt.Fprintf(&b, "  action: aws:branch\n  inputs: {Choices: [{NextStep: %s, Variable: x, StringEquals: %s}]}\n", target, rapid.SampledFrom([]string{"x", "y"}).Draw(t, "holds"))
		case action == "sleep":
			b.WriteString("  action: aws:sleep\n  inputs: {Duration: PT1M}\n")
		case action == "wait":
			fmt.Fprintf(&b, "  action: aws:waitForAwsResourceProperty\n  inputs: {Service: ec2, Api: DescribeImages, ImageIds: [%s], PropertySelector: '$.Images[0].State', DesiredValues: [available]}\n", names7[i])
		case action == "assert":
			fmt.Fprintf(&b, "  action: aws:assertAwsResourceProperty\n  inputs: {Service: ec2, Api: DescribeImages, ImageIds: [%s], PropertySelector: '$.Images[0].State', DesiredValues: [available]}\n", names7[i])
		case action == "approve":
			b.WriteString("  action: aws:approve\n  inputs: {Approvers: [ada]}\n")
		default:
			fmt.Fprintf(&b, "  action: aws:executeAwsApi\n  inputs: {Service: ec2, Api: DescribeImages, ImageIds: [%s]}\n", names7[i])
		}
		fmt.Fprintf(&b, "  maxAttempts: %d\n", rapid.IntRange(1, 3).Draw(t, "maxAttempts"))
		if rapid.Bool().Draw(t, "has timeout") {
			fmt.Fprintf(&b, "  timeoutSeconds: %d\n", rapid.IntRange(1, 120).Draw(t, "timeout"))
		}
		if rapid.Bool().Draw(t, "is end") {
			b.WriteString("  isEnd: true\n")
		}
		if next := below("next"); next != "" {
			fmt.Fprintf(&b, "  nextStep: %s\n", next)
		}
		onFailure := rapid.SampledFrom([]string{"Abort", "Continue", "step"}).Draw(t, "onFailure")
		if name := below("onFailure step"); onFailure == "step" && name != "" {
			fmt.Fprintf(&b, "  onFailure: step:%s\n", name)
		} else if onFailure == "Continue" {
			b.WriteString("  onFailure: Continue\n")
		}
		if rapid.Bool().Draw(t, "says critical") {
			fmt.Fprintf(&b, "  isCritical: %v\n", rapid.Bool().Draw(t, "critical"))
		}
	}
	return steps(b.String())
}

var names7 = []string{"a", "b", "c", "d", "e", "f", "g"}

// Every run of a valid document ends, whatever AWS answers and whoever stops it;
// no step makes more attempts than it may; the verdict is that of the first
// critical failure; and a run that is over never changes again.
func TestEngine_EveryRunEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		content := drawDocument(rt)
		d, err := Parse(content, "YAML")
		if err != nil {
			rt.Fatalf("Parse:\n%s\n%v", content, err)
		}
		w := newWorld(t)
		defer w.e.Close()
		answers := rapid.SliceOfN(rapid.IntRange(0, 4), 1, 20).Draw(rt, "answers")
		asked := 0
		w.aws.on("ec2 DescribeImages", func(map[string]any) (any, error) {
			asked++
			switch answers[asked%len(answers)] {
			case 0:
				return nil, refused("ec2", "DescribeImages", "UnauthorizedOperation", "no", 403)
			case 1:
				return nil, refused("ec2", "DescribeImages", "RequestLimitExceeded", "no", 503)
			case 2:
				return obj("Images", []any{obj("State", "pending")}), nil
			}
			return obj("Images", []any{obj("State", "available")}), nil
		})
		w.start(d, nil)
		if rapid.Bool().Draw(rt, "stopped") {
			w.clock.Advance(time.Duration(rapid.IntRange(0, 300).Draw(rt, "after")) * time.Second)
			if err := w.e.Stop(testID, rapid.SampledFrom([]string{"Cancel", "Complete"}).Draw(rt, "kind")); (err != nil) != w.now().Over() && err != nil {
				rt.Fatalf("Stop: %v of %s", err, outline(w.now()))
			}
		}
		if !w.clock.AdvanceUntil(400*24*time.Hour, func() bool { return w.now().Over() }) {
			rt.Fatalf("run does not end: %s\n%s", outline(w.now()), content)
		}
		x := w.now()
		checkOver(rt, x)
		w.clock.Advance(30 * 24 * time.Hour)
		if got := outline(w.now()); got != outline(x) {
			rt.Errorf("run that was over changed: got %s, want %s", got, outline(x))
		}
	})
}

func checkOver(t *rapid.T, x Execution) {
	want := "Success"
	var first time.Time
	for _, s := range x.Steps {
		if s.Attempts > s.MaxAttempts {
			t.Errorf("step %s: got %d attempts, want at most %d", s.Name, s.Attempts, s.MaxAttempts)
		}
		if !slices.Contains([]string{"Pending", "Success", "Failed", "TimedOut", "Cancelled"}, s.Status) || (s.Status == "Pending") != s.StartTime.IsZero() || s.StartTime.IsZero() != s.EndTime.IsZero() {
			t.Errorf("step %s: got %s from %v to %v in an execution that is over", s.Name, s.Status, s.StartTime, s.EndTime)
		}
		failed := s.Status == "Failed" || s.Status == "TimedOut"
		if failed && s.IsCritical && (first.IsZero() || s.EndTime.Before(first)) {
			want, first = s.Status, s.EndTime
			if x.FailureMessage != s.FailureMessage && x.Status != "Cancelled" {
				t.Errorf("failure message: got %q, want that of step %s: %q", x.FailureMessage, s.Name, s.FailureMessage)
			}
		}
	}
	if x.Status != want && x.Status != "Cancelled" {
		t.Errorf("execution: got %s, want %s", outline(x), want)
	}
}
