package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"cutover/pkg/record"
)

func TestPlan_SaysWhatAReleaseWouldChange(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c := &planCommand{File: s.file}
	must(t, c.run(t.Context(), s.remote()))
	s.golden("plan")
	if writes := s.world.Writes(); len(writes) > 0 || len(s.params.Values()) > 0 {
		t.Errorf("got writes %v and parameters %v, want none", writes, s.params.Values())
	}
	c.JSON = true
	must(t, c.run(t.Context(), s.remote()))
	s.golden("plan-json")
}

func TestPlan_NamesEveryObstacle(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.alarms["shop-5xx"] = "ALARM"
	delete(s.alarms, "shop-slow")
	s.world.SetHealth(s.greens[1], 0, 2)
	s.world.Tags[s.greens[0]]["cutover:execution"] = "rolled-back:" + older
	s.release("other", func(*record.Record) {})
	must(t, s.store().Freeze(t.Context(), record.Said{By: "ops@bastion", Reason: "holidays", At: noon}))
	if err := (&planCommand{File: s.file}).run(t.Context(), s.remote()); err != errReported {
		t.Errorf("got error %v, want the status of a failure", err)
	}
	s.golden("plan-obstacles")
}

func TestHistory_ListsReleasesAndFigures(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	start := noon
	past := func(n int, execution string, change func(*record.Record)) {
		s.now = start.Add(time.Duration(n) * 20 * time.Hour)
		s.release(execution, change)
	}
	past(0, "e1", s.succeeded)
	past(1, "e2", func(r *record.Record) {
		s.succeeded(r)
		restored := s.now.Add(-2 * time.Minute)
		r.Verdict, r.Why, r.Exposed, r.Restored = record.RolledBack, "alarm shop-5xx is in ALARM: Threshold Crossed: 1 datapoint [12.0 (05/03/26 07:58:00)] was greater than the threshold (5.0).", 312, &restored
	})
	past(2, "e3", func(r *record.Record) {
		r.Ended, r.Verdict, r.Why = &s.now, record.Failed, "web: green has 1 healthy targets, needed for 5 % of the traffic are 2"
	})
	past(3, "e4", func(r *record.Record) {
		s.succeeded(r)
		r.Exposed, r.Commit.At = 48211, r.Started.Add(-3*time.Hour)
	})
	past(4, "rollback-5", func(r *record.Record) {
		r.Strategy, r.Commit, r.Ended, r.Restored = "rollback of release 4", nil, &s.now, &s.now
		r.Verdict, r.Why = record.RolledBack, "release 4 was rolled back by ada@laptop (prices are wrong)"
	})
	past(5, current, s.atApproval)
	c := &historyCommand{setName: setName{"shop"}}
	must(t, c.run(t.Context(), s.remote()))
	s.golden("history")
	c.JSON = true
	must(t, c.run(t.Context(), s.remote()))
	if !strings.Contains(s.out.String(), `"changeFailureRate": 0.5`) {
		t.Errorf("got\n%s\nwant a change failure rate of 0.5", s.out.String())
	}
}

// An approval is bound to what was planned.
func TestPlan_DigestChangesWithTheWorld(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	digest := func() string {
		t.Helper()
		if err := (&planCommand{File: s.file}).run(t.Context(), s.remote()); err != nil && err != errReported {
			t.Fatal(err)
		}
		_, d, _ := strings.Cut(s.out.String(), "Digest ")
		return d
	}
	first := digest()
	s.world.SetHealth(s.blues[0], 1, 1)
	s.alarms["shop-5xx"] = "ALARM"
	if got := digest(); got != first {
		t.Errorf("health and alarms: got %s, want the same as before, %s", got, first)
	}
	text, err := os.ReadFile(s.file)
	must(t, err)
	must(t, os.WriteFile(s.file, append([]byte("# a comment\n"), text...), 0o600))
	if got := digest(); got != first {
		t.Errorf("a comment: got %s, want the same as before, %s", got, first)
	}
	known := map[string]string{first: "nothing"}
	for _, c := range []struct {
		what   string
		change func()
	}{
		{"a task definition", func() {
			arn := "arn:aws:ecs:us-east-1:111122223333:task-definition/hello:7"
			s.world.Services["web-b"].TaskDefinition = &arn
		}},
		{"a live side", func() { s.weights(1, 0, 100) }},
		{"weights", func() { s.weights(0, 7, 0) }},
		{"a bake time", func() {
			must(t, os.WriteFile(s.file, []byte(strings.ReplaceAll(string(text), "bake: 30m", "bake: 31m")), 0o600))
		}},
	} {
		c.change()
		d := digest()
		if was, seen := known[d]; seen {
			t.Errorf("%s: got the digest of %s, want another", c.what, was)
		}
		known[d] = c.what
	}
}
