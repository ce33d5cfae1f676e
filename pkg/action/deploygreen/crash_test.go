package deploygreen

import (
	"errors"
	"fmt"
	"testing"

	fake "cutover/pkg/bluegreen/bluegreentest"
)

var errCut = errors.New("connection reset")

// start is a world in which every change of the action is due.
func start() *fake.World {
	w := fake.New()
	w.Rules[fake.Listener8080][0].Actions = fake.Forward(fake.GroupA, 100)
	w.Services["hello-b"].DesiredCount, w.Services["hello-b"].RunningCount = 1, 1
	w.SetHealth(fake.GroupB, 1, 0)
	return w
}

// cleanCalls is how many calls an undisturbed run makes.
func cleanCalls(t *testing.T) int {
	t.Helper()
	w := start()
	if _, _, err := follow(t, w, params(), State{}); err != nil {
		t.Fatalf("clean run: %v", err)
	}
	released(t, w)
	return len(w.Calls())
}

// persevere ticks through errors: with the same state, as after a network
// fault, or from the beginning, as after a console retry.
func persevere(t *testing.T, w *fake.World, fresh bool) {
	t.Helper()
	s := State{}
	for range 60 {
		r, err := tick(t, w, params(), s)
		switch {
		case err != nil && fresh:
			s = State{}
		case err != nil:
		case r.Done():
			return
		default:
			s = r.State()
		}
		w.Advance()
	}
	t.Fatal("not done after 60 ticks")
}

func TestCrash_AtAnyCallEndsInTheSameWorld(t *testing.T) {
	t.Parallel()
	calls := cleanCalls(t)
	for nth := 1; nth <= calls; nth++ {
		for _, lostAnswer := range []bool{false, true} {
			for _, fresh := range []bool{false, true} {
				t.Run(fmt.Sprintf("call %d, answer lost %t, state lost %t", nth, lostAnswer, fresh), func(t *testing.T) {
					t.Parallel()
					w, n := start(), 0
					cut := func(string) error {
						if n++; n == nth {
							return errCut
						}
						return nil
					}
					if lostAnswer {
						w.After = cut
					} else {
						w.Before = cut
					}
					persevere(t, w, fresh)
					released(t, w)
				})
			}
		}
	}
}

// A second delivery runs whole inside every call of the first: before it, and
// after it.
func TestCrash_TwoDeliveriesAtOnceEndInTheSameWorld(t *testing.T) {
	t.Parallel()
	calls := cleanCalls(t)
	for nth := 1; nth <= calls; nth++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("inside call %d, after it %t", nth, after), func(t *testing.T) {
				t.Parallel()
				w, n := start(), 0
				s := State{} // of the tick that is running
				twin := func(string) error {
					if n++; n == nth {
						if _, err := tick(t, w, params(), s); err != nil {
							t.Errorf("second delivery: %v", err)
						}
					}
					return nil
				}
				if after {
					w.After = twin
				} else {
					w.Before = twin
				}
				for ticks := 0; ; ticks++ {
					if ticks == 40 {
						t.Fatal("not done after 40 ticks")
					}
					r, err := tick(t, w, params(), s)
					if err != nil {
						t.Fatalf("first delivery: %v", err)
					}
					if r.Done() {
						break
					}
					s = r.State()
					w.Advance()
				}
				released(t, w)
			})
		}
	}
}

// A duplicate that runs as a whole attempt of its own, from the beginning,
// inside any call of the first.
func TestCrash_ALateDuplicateOfTheFirstTickEndsInTheSameWorld(t *testing.T) {
	t.Parallel()
	calls := cleanCalls(t)
	for nth := 1; nth <= calls; nth++ {
		t.Run(fmt.Sprintf("inside call %d", nth), func(t *testing.T) {
			t.Parallel()
			w, n := start(), 0
			w.Before = func(string) error {
				if n++; n == nth {
					if _, err := tick(t, w, params(), State{}); err != nil {
						t.Errorf("duplicate: %v", err)
					}
				}
				return nil
			}
			persevere(t, w, false)
			released(t, w)
		})
	}
}
