package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/record"
)

func TestRollback_TakesTheSetBack(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.release(current, s.succeeded)
	s.weights(1, 100, 0) // somebody has already moved one by hand
	c := &rollbackCommand{verbCommand: s.said(), File: s.file, DryRun: true}
	must(t, c.run(t.Context(), s.remote()))
	s.golden("rollback-dry-run")
	if writes := s.world.Writes(); len(writes) > 0 || len(s.params.Values()) != 1 {
		t.Errorf("a dry run: got writes %v and parameters %v, want none but the release's", writes, s.params.Values())
	}
	c.DryRun = false
	must(t, c.run(t.Context(), s.remote()))
	s.golden("rollback")
	if got := s.shares(); got != "100/0 100/0" {
		t.Errorf("blue/green: got %s, want all on blue", got)
	}
	history, err := s.store().History(t.Context())
	must(t, err)
	got := history[0]
	if got.Execution != "rollback-2" || got.Verdict != record.RolledBack || got.Why != "release 1 was rolled back by ada@laptop (prices are wrong)" || got.Ended == nil || got.Restored == nil {
		t.Errorf("record: got %+v, want a rollback with who and why", got)
	}
	for i := range s.greens {
		tags := []string{s.world.Tag(s.greens[i], "cutover:execution"), s.world.Tag(s.greens[i], "IsProduction"), s.world.Tag(s.blues[i], "IsProduction"), s.world.Tag(s.blues[i], "cutover:execution")}
		if diff := cmp.Diff([]string{"rolled-back:" + current, "False", "True", "retired:" + older}, tags); diff != "" {
			t.Errorf("tags of service %d (-want +got):\n%s", i, diff)
		}
	}
	wantError(t, c.run(t.Context(), s.remote()), "nothing is left to take back: release 1 was rolled back by ada@laptop")
}

func TestRollback_Refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*shop)
		want    string
	}{
		"while a release is under way": {func(s *shop) { s.release(current, s.atApproval) }, "take it back with: cutover abort shop"},
		"without any release":          {func(*shop) {}, "no release of it is recorded"},
		"a release that was rolled back": {func(s *shop) {
			s.release(current, func(r *record.Record) { s.succeeded(r); r.Verdict = record.RolledBack })
		}, "release 1 was rolled back itself"},
		"a release that moved nothing": {func(s *shop) {
			s.release(current, func(r *record.Record) { r.Ended, r.Verdict = &s.now, record.Failed })
		}, "no recorded release has moved"},
		"when the side before is not healthy":    {func(s *shop) { s.release(current, s.succeeded); s.world.SetHealth(s.blues[1], 0, 2) }, "blue is worse, so nothing is moved: web: blue has 0 healthy targets of 2 tasks"},
		"when the side before is much smaller":   {func(s *shop) { s.release(current, s.succeeded); s.world.SetHealth(s.greens[0], 5, 0) }, "cart: the side before has 2 healthy targets, production's has 5"},
		"when the side before has a new version": {func(s *shop) { s.release(current, s.succeeded); s.world.Tags[s.blues[0]]["cutover:execution"] = "next" }, "cart: what production was on before is gone"},
		"when the side before has a failed version": {func(s *shop) {
			s.release(current, s.succeeded)
			s.world.Tags[s.blues[0]]["cutover:execution"] = "rolled-back:next"
		}, "execution next, which was rolled back"},
		"when somebody else has set the weights": {func(s *shop) { s.release(current, s.succeeded); s.weights(1, 50, 50) }, "web: green has 50 % of the traffic, which this release did not give it"},
		"when the route forwards to something else": {func(s *shop) {
			s.release(current, s.succeeded)
			s.world.Rules[fake.Listener80][s.rule(0)].Actions = fake.Forward(s.greens[0], 100, fake.GroupA, 1)
		}, "cart: "},
		"while somebody else is rolling it back": {func(s *shop) {
			s.release(current, s.succeeded)
			s.now = s.now.Add(time.Hour)
			s.release("rollback-2", func(r *record.Record) { r.Progress.Why = "by bob@desk" })
		}, "it is being rolled back already, by bob@desk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			c.prepare(s)
			parameters := s.params.Values()
			err := (&rollbackCommand{verbCommand: s.said(), File: s.file}).run(t.Context(), s.remote())
			wantError(t, err, c.want)
			if writes := s.world.Writes(); len(writes) > 0 {
				t.Errorf("got writes %v, want none", writes)
			}
			if diff := cmp.Diff(parameters, s.params.Values()); diff != "" {
				t.Errorf("parameters (-before +after):\n%s", diff)
			}
		})
	}
}

// Two who say it at the same time do not both move production.
func TestRollback_OneOfTwoGetsTheLock(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.release(current, s.succeeded)
	s.params.Before = func(operation string) error {
		if operation == "PutParameter" { // bob's comes first
			s.params.Before = nil
			bob := s.remote()
			bob.by = "bob@desk"
			return (&rollback{remote: bob, command: &rollbackCommand{verbCommand: s.said()}, next: 2}).lock(t.Context())
		}
		return nil
	}
	err := (&rollbackCommand{verbCommand: s.said(), File: s.file}).run(t.Context(), s.remote())
	wantError(t, err, "somebody else was faster: it is rolled back by bob@desk")
	if writes := s.world.Writes(); len(writes) > 0 {
		t.Errorf("got writes %v, want none", writes)
	}
}

// A rollback that was cut off is said again, whatever was cut off.
func TestRollback_GoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	for calls := 1; ; calls++ {
		s := newShop(t)
		s.release(current, s.succeeded)
		c := &rollbackCommand{verbCommand: s.said(), File: s.file}
		made, dead := 0, false
		die := func(string) error {
			if made++; dead || made == calls {
				dead = true
				return fmt.Errorf("connection lost")
			}
			return nil
		}
		s.world.Before, s.params.After = die, die
		err := c.run(t.Context(), s.remote())
		if err == nil {
			if calls < 20 {
				t.Errorf("got success with call %d lost, want failures before", calls)
			}
			return
		}
		s.world.Before, s.params.After = nil, nil
		s.now = s.now.Add(time.Hour) // its lock has expired
		if err := c.run(t.Context(), s.remote()); err != nil && !strings.Contains(err.Error(), "nothing is left to take back") {
			t.Errorf("call %d lost, then said again: %v", calls, err)
		}
		if got := s.shares(); got != "100/0 100/0" {
			t.Errorf("call %d lost, then said again: got %s, want all on blue", calls, got)
		}
		if v := s.world.Violations(); len(v) > 0 {
			t.Errorf("call %d lost: %v", calls, v)
		}
	}
}

// A release that stopped on its way, half of the set moved, is taken back too.
func TestRollback_OfAReleaseThatStopped(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.release(current, func(r *record.Record) {
		s.atApproval(r)
		ended := s.now
		r.Ended, r.Verdict, r.Progress.Settled = &ended, record.Failed, false
	})
	s.weights(1, 950, 50)
	must(t, (&rollbackCommand{verbCommand: s.said(), File: s.file}).run(t.Context(), s.remote()))
	if got := s.shares(); got != "100/0 100/0" {
		t.Errorf("blue/green: got %s, want all on blue", got)
	}
}
