package record_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cutover/pkg/record"
	"cutover/pkg/record/recordtest"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func release(execution string, expires time.Duration) record.Record {
	return record.Record{Execution: execution, Started: noon, Expires: noon.Add(expires), Progress: record.Progress{Move: -1}}
}

func TestAcquire_OneReleaseAtATime(t *testing.T) {
	t.Parallel()
	s := record.Open(&recordtest.Parameters{}, "shop")
	first, err := s.Acquire(t.Context(), noon, release("a", time.Hour))
	if err != nil || first.Generation != 1 {
		t.Fatalf("got %+v and error %v, want generation 1", first, err)
	}
	again, err := s.Acquire(t.Context(), noon, release("a", 2*time.Hour))
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Errorf("the same execution again: got error %v, (-first +again):\n%s", err, diff)
	}
	_, err = s.Acquire(t.Context(), noon, release("b", time.Hour))
	if held, ok := errors.AsType[*record.HeldError](err); !ok || held.By.Execution != "a" || !strings.Contains(err.Error(), "execution a") {
		t.Errorf("another execution: got error %v, want one that names execution a", err)
	}
	ended := noon.Add(time.Minute)
	first.Ended, first.Verdict = &ended, record.Succeeded
	if _, err := s.Put(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), first); !errors.Is(err, record.ErrStale) {
		t.Errorf("an old copy of it: got error %v, want %v", err, record.ErrStale)
	}
	second, err := s.Acquire(t.Context(), ended, release("b", time.Hour))
	if err != nil || second.Generation != 2 {
		t.Errorf("after the first has ended: got %+v and error %v, want generation 2", second, err)
	}
	if over, err := s.Acquire(t.Context(), ended, release("a", time.Hour)); err != nil || over.Verdict != record.Succeeded {
		t.Errorf("the first execution again: got %+v and error %v, want the record of its end", over, err)
	}
}

func TestAcquire_TakesOverWhatExpired(t *testing.T) {
	t.Parallel()
	s := record.Open(&recordtest.Parameters{}, "shop")
	if _, err := s.Acquire(t.Context(), noon, release("a", time.Hour)); err != nil {
		t.Fatal(err)
	}
	b, err := s.Acquire(t.Context(), noon.Add(time.Hour), release("b", 2*time.Hour))
	if err != nil || b.Generation != 2 {
		t.Fatalf("got %+v and error %v, want generation 2", b, err)
	}
	look, err := s.Read(t.Context(), 1)
	if err != nil || !look.Lost {
		t.Errorf("the first release: got lost %v and error %v, want it lost", look.Lost, err)
	}
	_, err = s.Acquire(t.Context(), noon.Add(time.Hour), release("a", time.Hour))
	if lost, ok := errors.AsType[*record.LostError](err); !ok || lost.To.Execution != "b" {
		t.Errorf("the first execution again: got error %v, want one that names execution b", err)
	}
}

// However many want an expired lock at the same moment, one gets it.
func TestAcquire_OneWinsARace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := &recordtest.Parameters{}
		s := record.Open(p, "shop")
		if _, err := s.Acquire(t.Context(), noon, release("old", time.Minute)); err != nil {
			t.Fatal(err)
		}
		n := rapid.IntRange(2, 8).Draw(t, "contenders")
		won := make([]bool, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				_, err := s.Acquire(t.Context(), noon.Add(time.Hour), release(fmt.Sprint("e", i), 2*time.Hour))
				won[i] = err == nil
			})
		}
		all.Wait()
		winners := 0
		for _, w := range won {
			if w {
				winners++
			}
		}
		if winners != 1 {
			t.Errorf("got %d winners of %d, want 1", winners, n)
		}
	})
}

func TestRead_VerbsAreForTheirExecution(t *testing.T) {
	t.Parallel()
	p := &recordtest.Parameters{}
	s := record.Open(p, "shop")
	r, err := s.Acquire(t.Context(), noon, release("a", time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func() record.Look {
		t.Helper()
		look, err := s.Read(t.Context(), r.Generation)
		must(err)
		return look
	}
	must(s.Abort(t.Context(), record.Said{Execution: "older", By: "ops"}))
	must(s.Hold(t.Context(), record.Said{Execution: "a", By: "ops", Reason: "lunch"}))
	must(s.Freeze(t.Context(), record.Said{By: "ops", Reason: "holidays"}))
	look := read()
	if look.Abort != nil || look.Hold == nil || look.Hold.Reason != "lunch" || look.Freeze == nil {
		t.Errorf("got %+v, want a hold and a freeze, and no abort", look)
	}
	must(s.Resume(t.Context(), record.Said{Execution: "a", Move: 2, By: "ops"}))
	must(s.Unfreeze(t.Context()))
	look = read()
	if look.Hold != nil || look.Freeze != nil || look.Resume == nil || look.Resume.Move != 2 {
		t.Errorf("got %+v, want only resume", look)
	}
	must(s.Hold(t.Context(), record.Said{Execution: "a", By: "ops"}))
	must(s.Promote(t.Context(), record.Said{Execution: "a", By: "ops"}))
	must(s.Abort(t.Context(), record.Said{Execution: "a", By: "ops"}))
	if look = read(); look.Hold != nil || look.Promote == nil || look.Abort == nil {
		t.Errorf("got %+v, want promote and abort", look)
	}
}

func TestPut_FitsAParameterWhateverItHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := &recordtest.Parameters{}
		s := record.Open(p, "shop")
		r, err := s.Acquire(t.Context(), noon, release("a", time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		r.Images = map[string]string{}
		for i := range rapid.IntRange(0, 100).Draw(t, "images") {
			r.Images[fmt.Sprint("service", i)] = "registry/" + strings.Repeat("x", 90)
		}
		for range rapid.IntRange(0, 1000).Draw(t, "steps") {
			r.Steps = append(r.Steps, record.Step{Weight: 12.5, At: noon, Why: "x"})
		}
		r.Why = strings.Repeat(rapid.SampledFrom([]string{"ü", "\x01", "<", "\""}).Draw(t, "letter"), rapid.IntRange(0, 5000).Draw(t, "why"))
		r.Progress.Why = r.Why
		r.Commit = &record.Commit{ID: strings.Repeat("a", 40), Message: strings.Repeat("m", 1000)}
		if _, err := s.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if n := len(p.Values()["/cutover/shop/releases/000001"]); n > 4096 {
			t.Errorf("got %d bytes, want at most 4096", n)
		}
		look, err := s.Read(t.Context(), 1)
		if err != nil || look.Record.Execution != "a" || look.Record.Progress.Move != -1 {
			t.Errorf("got %+v and error %v, want the record", look.Record, err)
		}
	})
}

func TestPrune_KeepsTheNewest(t *testing.T) {
	t.Parallel()
	s := record.Open(&recordtest.Parameters{}, "shop")
	for i := range 25 {
		r, err := s.Acquire(t.Context(), noon, release(fmt.Sprint("e", i), time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		r.Ended = &noon
		if _, err := s.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Prune(t.Context(), 20); err != nil {
		t.Fatal(err)
	}
	history, err := s.History(t.Context())
	if err != nil || len(history) != 20 || history[0].Execution != "e24" || history[19].Execution != "e5" {
		t.Errorf("got %d releases (%v), want the newest 20", len(history), err)
	}
}

func TestHistory_NamesWhatIsNoRecord(t *testing.T) {
	t.Parallel()
	p := &recordtest.Parameters{}
	p.Set("/cutover/shop/releases/000001", "hello")
	_, err := record.Open(p, "shop").History(t.Context())
	if err == nil || !strings.Contains(err.Error(), "/cutover/shop/releases/000001") {
		t.Errorf("got error %v, want one that names the parameter", err)
	}
}
