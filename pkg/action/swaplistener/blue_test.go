package swaplistener

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/job"
	"cutover/pkg/record"
)

const kept5 = "alarms: [shop-5xx]\nbake: 1m\nblue: {keep: 5m, count: 0, step: 1, pause: 2m}\n"

func newKept(t *testing.T) *shop {
	s := newShop(t, 2, kept5)
	s.metrics.alarms["shop-5xx"] = "OK"
	return s
}

// steps are the desired counts that were written.
func (s *shop) steps() string {
	var all []string
	for _, scaled := range s.scaled {
		all = append(all, fmt.Sprintf("%s=%d", scaled.service, scaled.count))
		for _, share := range scaled.shares {
			if share != "100/100" {
				s.t.Errorf("%s was scaled while green had %s", scaled.service, share)
			}
		}
	}
	return strings.Join(all, " ")
}

func TestBlue_IsKeptAndThenGoesInSteps(t *testing.T) {
	t.Parallel()
	s := newKept(t)
	said, last, err := s.follow(func(n int) {
		if n == 12 && s.steps() != "" {
			t.Errorf("before 5m0s have passed: got %s, want nothing scaled", s.steps())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.steps(), "s0-a=1 s1-a=1 s0-a=0 s1-a=0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if want := "production is on green and has baked; blue is kept: 4m30s more"; said[3] != want {
		t.Errorf("summary of the time in which blue is kept: got %q, want %q", said[3], want)
	}
	if r := s.latest(); r.Verdict != record.Succeeded || r.Progress.Ceiling != 0 || r.Progress.Scaled.Sub(r.Progress.Baked) < 7*time.Minute {
		t.Errorf("record: got %+v, want two steps, two minutes apart, after five", r)
	}
	if !strings.HasPrefix(last.Summary(), "release set shop is on s0-b, s1-b") {
		t.Errorf("summary: got %s", last.Summary())
	}
	for i := range s.blues {
		if got := s.world.Tag(s.greens[i], "IsProduction") + s.world.Tag(s.blues[i], "IsProduction"); got != "TrueFalse" {
			t.Errorf("IsProduction of s%d: got %s", i, got)
		}
	}
}

func TestBlue_StaysWhileItIsNeeded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start, end func(*shop)
		says       string
	}{
		"it answers requests": {func(s *shop) { s.metrics.blue = 3 }, func(s *shop) { s.metrics.blue = 0 }, "s0: blue has answered 3 requests in the 2m0s from"},
		"an alarm rings":      {func(s *shop) { s.metrics.alarms["shop-5xx"] = "ALARM" }, func(s *shop) { s.metrics.alarms["shop-5xx"] = "OK" }, "alarm shop-5xx is in ALARM"},
		"green is ill":        {func(s *shop) { s.world.SetHealth(s.greens[1], 0, 2) }, func(s *shop) { s.world.SetHealth(s.greens[1], 2, 0) }, "s1: green has 0 healthy targets of 2 tasks"},
		"somebody holds it": {func(s *shop) { s.say((*record.Store).Hold) }, func(s *shop) { s.say((*record.Store).Resume) },
			"held by ops"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKept(t)
			said, _, err := s.follow(func(n int) {
				switch n {
				case 6:
					c.start(s)
				case 40:
					if s.steps() != "" {
						t.Errorf("got %s, want nothing scaled", s.steps())
					}
					s.wantShares("100/100")
					c.end(s)
				}
			})
			if err != nil || !strings.Contains(said[39], c.says) {
				t.Errorf("got error %v and %q, want %q", err, said, c.says)
			}
			if got := s.counts(); got["s0-a"]+got["s1-a"] != 0 || got["s0-b"] != 2 {
				t.Errorf("desired counts in the end: got %v", got)
			}
		})
	}
}

func (s *shop) say(verb func(*record.Store, context.Context, record.Said) error) {
	must(s.t, verb(record.Open(&s.params, "shop"), context.Background(), record.Said{Execution: execution, By: "ops", At: s.now}))
}

func TestBlue_AbortTakesBackWhileItIsWhole(t *testing.T) {
	t.Parallel()
	s := newKept(t)
	tests := s.testRoutes()
	_, _, err := s.follow(func(n int) {
		if n == 6 {
			if cmp.Equal(tests, s.testRoutes()) {
				t.Error("the test routes did not follow production")
			}
			s.say((*record.Store).Abort)
		}
	})
	if err == nil || !strings.Contains(err.Error(), "was rolled back at 100 %: aborted by ops") {
		t.Fatalf("got error %v, want a rollback", err)
	}
	s.wantShares("0/100")
	if diff := cmp.Diff(tests, s.testRoutes()); diff != "" {
		t.Errorf("test routes (-before +after):\n%s", diff)
	}
	for i := range s.blues {
		if got := s.world.Tag(s.blues[i], "IsProduction") + s.world.Tag(s.greens[i], "IsProduction"); got != "TrueFalse" {
			t.Errorf("IsProduction of s%d: got %s", i, got)
		}
	}
	if s.steps() != "" {
		t.Errorf("got %s, want nothing scaled", s.steps())
	}
}

// testRoutes are what the test routes forward to.
func (s *shop) testRoutes() []string {
	var all []string
	for _, rule := range s.world.Rules[fake.Listener8080] {
		for _, g := range rule.Actions[0].ForwardConfig.TargetGroups {
			if *g.Weight > 0 {
				all = append(all, *g.TargetGroupArn)
			}
		}
	}
	return all
}

func TestBlue_AbortComesTooLateOnceItIsSmaller(t *testing.T) {
	t.Parallel()
	s := newKept(t)
	_, last, err := s.follow(func(int) {
		if len(s.scaled) == 2 {
			s.say((*record.Store).Abort)
		}
	})
	if err != nil || !strings.Contains(last.Summary(), "aborted by ops, but too late: blue was scaled down to 1 tasks at ") {
		t.Fatalf("got %q and error %v, want it done, with words", last.Summary(), err)
	}
	s.wantShares("100/100")
	if got, want := s.steps(), "s0-a=1 s1-a=1"; got != want {
		t.Errorf("got %s, want %s and no more", got, want)
	}
}

// Between what a tick read and what it writes somebody may have moved production.
func TestBlue_ReadsTheRouteAgainBeforeEachWrite(t *testing.T) {
	t.Parallel()
	s := newKept(t)
	counted := false
	s.before = func(operation string) error {
		if counted && operation == "DescribeRules" { // the first one after blue's requests were counted
			s.route(0, s.blues[0], 100, s.greens[0], 0)
		}
		counted = counted || operation == "GetMetricData"
		return nil
	}
	var state State
	var err error
	for n := 0; n < 60 && err == nil; n++ {
		var r job.Result[State]
		if r, err = s.tick(state); err == nil {
			state = r.State()
		}
	}
	if err == nil || !strings.Contains(err.Error(), "changed by someone else") {
		t.Errorf("got error %v, want the edit found", err)
	}
	if s.steps() != "" {
		t.Errorf("got %s, want nothing scaled", s.steps())
	}
}

func TestBlue_PromoteEndsItsTime(t *testing.T) {
	t.Parallel()
	s := newShop(t, 1, "blue: {keep: 20h, count: 1}\n")
	said, _, err := s.follow(func(n int) {
		if n == 8 {
			s.say((*record.Store).Promote)
		}
	})
	if err != nil || len(said) > 12 || s.steps() != "s0-a=1" {
		t.Errorf("got %q, %s and error %v, want it done at once", said, s.steps(), err)
	}
}
