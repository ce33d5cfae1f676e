package main

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/record"
)

func TestVerbs_ReachTheReleaseUnderWay(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.release(current, s.atApproval)
	var told strings.Builder
	say := func(run func(context.Context, *remote) error) record.Look {
		t.Helper()
		must(t, run(t.Context(), s.remote()))
		told.WriteString(s.out.String())
		return s.look(r)
	}
	want := record.Said{Execution: current, By: "ada@laptop", Reason: "prices are wrong", At: noon}
	same := func(verb string, got *record.Said, want record.Said) {
		t.Helper()
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", verb, diff)
		}
	}
	same("hold", say((&holdCommand{s.said()}).run).Hold, want)
	resumed := want
	resumed.Move = 2
	look := say((&resumeCommand{s.said()}).run)
	same("resume", look.Resume, resumed)
	if look.Hold != nil {
		t.Errorf("after resume: got a hold %v, want none", look.Hold)
	}
	same("promote", say((&promoteCommand{s.said()}).run).Promote, want)
	same("abort", say((&abortCommand{s.said()}).run).Abort, want)
	for verb, run := range map[string]func(context.Context, *remote) error{
		"hold": (&holdCommand{s.said()}).run, "resume": (&resumeCommand{s.said()}).run, "promote": (&promoteCommand{s.said()}).run,
	} {
		wantError(t, run(t.Context(), s.remote()), "was aborted by ada@laptop")
		if s.out.Len() > 0 {
			t.Errorf("%s after abort: got %q, want nothing on standard output", verb, s.out.String())
		}
	}
	frozen := want
	frozen.Execution = ""
	same("freeze", say((&freezeCommand{s.said()}).run).Freeze, frozen)
	if got := s.err.String(); !strings.Contains(got, "release 1 is under way and goes on") {
		t.Errorf("freeze: got note %q, want one about the release under way", got)
	}
	thawed := say((&unfreezeCommand{s.said()}).run)
	if thawed.Freeze != nil {
		t.Errorf("unfreeze: got %v, want no freeze", thawed.Freeze)
	}
	wantError(t, (&unfreezeCommand{s.said()}).run(t.Context(), s.remote()), "it is not frozen")
	s.remote()
	s.out.WriteString(told.String())
	s.golden("verbs")
}

// Somebody who resumes while a move is being made has not looked at it.
func TestResume_DoesNotApproveWhatIsNotSettled(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.release(current, func(r *record.Record) { s.atApproval(r); r.Progress.Settled = false })
	must(t, (&resumeCommand{s.said()}).run(t.Context(), s.remote()))
	if got := s.look(r).Resume; got == nil || got.Move != 1 {
		t.Errorf("got %+v, want the first move only", got)
	}
}

func TestVerbs_NeedAReleaseUnderWay(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	verbs := []func(context.Context, *remote) error{
		(&holdCommand{s.said()}).run, (&resumeCommand{s.said()}).run, (&promoteCommand{s.said()}).run, (&abortCommand{s.said()}).run,
	}
	for _, run := range append(verbs, (&statusCommand{setName: setName{"shop"}}).noScreen, (&historyCommand{setName: setName{"shop"}}).run) {
		wantError(t, run(t.Context(), s.remote()), "find release set shop: no release of it is recorded")
	}
	s.release(current, s.succeeded)
	for _, run := range verbs {
		wantError(t, run(t.Context(), s.remote()), "no release under way: the last one, 1, succeeded at 2026-03-04 11:59:00")
	}
	for name := range s.params.Values() {
		if strings.Contains(name, "verbs") {
			t.Errorf("got parameter %s, want no verb", name)
		}
	}
}

func (c *statusCommand) noScreen(ctx context.Context, r *remote) error { return c.run(ctx, r, false) }
