package main

import (
	"strings"
	"testing"
	"time"

	"cutover/pkg/record"
)

func TestStatus_TellsWhatIsNext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*shop)
		file    bool
		want    []string
	}{
		"before the first move": {func(s *shop) { s.release(current, func(*record.Record) {}) }, true,
			[]string{"shop: under way", "all on blue: nothing has moved", "the first move, when green is healthy"}},
		"in a pause of fixed length": {func(s *shop) {
			s.release(current, func(r *record.Record) {
				s.atApproval(r)
				r.Progress.Move, r.Steps = 0, r.Steps[:1]
			})
		}, true, []string{"shop: under way", "green has 5 %, move 1 of 3, since 11:56:00, 4m ago", "green gets 25 % at 12:06:00, in 6m"}},
		"without the file": {func(s *shop) { s.release(current, s.atApproval) }, false,
			[]string{"shop: under way", "green has 25 %, move 2, since", "--file tells which and when"}},
		"at an approval": {func(s *shop) { s.release(current, s.atApproval) }, true,
			[]string{"shop: waits for approval", "green gets 100 %, when somebody says: cutover resume shop"}},
		"when it was approved": {func(s *shop) {
			s.release(current, s.atApproval)
			must(s.t, (&resumeCommand{s.said()}).run(s.t.Context(), s.remote()))
		}, true, []string{"shop: under way", "green gets 100 %, when nothing speaks against it"}},
		"held": {func(s *shop) {
			s.release(current, s.atApproval)
			must(s.t, (&holdCommand{s.said()}).run(s.t.Context(), s.remote()))
		}, true, []string{"shop: held", "by ada@laptop at 12:00:00: prices are wrong", "nothing moves until somebody says: cutover resume shop"}},
		"in the middle of a move": {func(s *shop) {
			s.release(current, func(r *record.Record) { s.atApproval(r); r.Progress.Settled = false; r.Steps = r.Steps[:1] })
		}, true, []string{"green has 5 %, move 2 of 3 is being made", "green gets 25 % on all routes"}},
		"going back": {func(s *shop) {
			s.release(current, func(r *record.Record) {
				s.atApproval(r)
				r.Progress.Back, r.Progress.Why = true, "alarm shop-5xx is in ALARM"
			})
		}, false, []string{"shop: going back", "green had 25 %, going back to blue", "why         alarm shop-5xx is in ALARM"}},
		"ended": {func(s *shop) { s.release(current, s.succeeded) }, true,
			[]string{"shop: succeeded", "2026-03-04 11:59:00, after 19m", "nothing; the next release may start"}},
		"stopped on its way": {func(s *shop) {
			s.release(current, func(r *record.Record) {
				s.atApproval(r)
				r.Ended, r.Verdict, r.Why = &s.now, record.Failed, "someone else changed the production route"
			})
		}, false, []string{"shop: failed", "stopped: green had 25 % after the last complete move", "or: cutover rollback shop --file FILE", "why         someone else"}},
		"refused": {func(s *shop) {
			s.release(current, func(r *record.Record) { r.Ended, r.Verdict = &s.now, record.Failed })
		}, false, []string{"shop: failed", "all on blue: nothing has moved", "or release another commit"}},
		"rolled back by hand": {func(s *shop) {
			s.release(current, s.succeeded)
			s.now = s.now.Add(time.Hour)
			must(s.t, (&rollbackCommand{verbCommand: s.said(), File: s.file}).run(s.t.Context(), s.remote()))
		}, true, []string{"shop: rolled back", "2, rollback of release 1", "all on the sides before that release", "nothing; the next release may start"}},
		"silent": {func(s *shop) {
			s.release(current, func(r *record.Record) { s.atApproval(r); r.Expires = s.now.Add(-time.Minute) })
		}, false, []string{"shop: silent", "no sign of life; its lock expired at 2026-03-04 11:59:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			c.prepare(s)
			s.world.Writes() // what prepares is not what shows
			command := &statusCommand{setName: setName{"shop"}}
			if c.file {
				command.File = s.file
			}
			must(t, command.run(t.Context(), s.remote(), false))
			for _, want := range c.want {
				if !strings.Contains(s.out.String(), want) {
					t.Errorf("got\n%s\nwant it to have %q", s.out.String(), want)
				}
			}
			if writes := s.world.Writes(); len(writes) > 0 {
				t.Errorf("got writes %v, want none", writes)
			}
		})
	}
}

func TestStatus_ShowsTheWorld(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.release(current, s.atApproval)
	must(t, s.store().Freeze(t.Context(), record.Said{By: "ops@bastion", Reason: "holidays", At: noon}))
	command := &statusCommand{setName: setName{"shop"}, File: s.file}
	must(t, command.run(t.Context(), s.remote(), false))
	s.golden("status")
	command.JSON = true
	must(t, command.run(t.Context(), s.remote(), false))
	s.golden("status-json")
}

// What is watched is shown as often as it changes, until the release ends.
func TestStatus_WatchesUntilTheEnd(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.release(current, s.atApproval)
	looks := 0
	s.params.Before = func(operation string) error {
		if operation != "GetParametersByPath" {
			return nil
		}
		if looks++; looks == 3 {
			s.params.Before = nil
			s.succeeded(&r)
			_, err := s.store().Put(t.Context(), r)
			return err
		}
		return nil
	}
	c := &statusCommand{setName: setName{"shop"}, Watch: true, Interval: time.Millisecond}
	must(t, c.run(t.Context(), s.remote(), false))
	if n := strings.Count(s.out.String(), "Release set shop: "); n != 2 || !strings.Contains(s.out.String(), "shop: succeeded") {
		t.Errorf("got %d statuses, want 2, the last of the end:\n%s", n, s.out.String())
	}
}
