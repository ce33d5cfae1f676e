package deploygreen

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

// A crash at any call, before or after it took effect, with the same job's state
// or on a retry from the console, ends as an undisturbed run does.
func TestSet_CrashAtAnyCallEndsInTheSameWorld(t *testing.T) {
	t.Parallel()
	services := 2
	if os.Getenv("CUTOVER_MATRIX") == "whole" {
		services = 5
	}
	for nth := 1; nth <= setCalls(t, services); nth++ {
		for _, lost := range []bool{false, true} {
			for _, fresh := range []bool{false, true} {
				t.Run(fmt.Sprintf("call %d, answer lost %t, state lost %t", nth, lost, fresh), func(t *testing.T) {
					t.Parallel()
					s, n := newShop(t, services), 0
					cut := func(string) error {
						if n++; n == nth {
							return errCut
						}
						return nil
					}
					if lost {
						s.world.After = cut
					} else {
						s.world.Before = cut
					}
					s.persevere(fresh)
					s.released()
				})
			}
		}
	}
}

// setCalls is how many calls an undisturbed run makes.
func setCalls(t *testing.T, services int) int {
	t.Helper()
	s := newShop(t, services)
	if _, _, err := s.follow(); err != nil {
		t.Fatal(err)
	}
	return len(s.world.Calls())
}

// persevere ticks through errors: with the same state, or from the beginning.
func (s *shop) persevere(fresh bool) {
	s.t.Helper()
	var state State
	for range 60 {
		r, err := s.tick(state)
		switch {
		case errors.Is(err, errCut) && fresh:
			state = State{}
		case errors.Is(err, errCut):
		case err != nil:
			s.t.Fatal(err)
		case r.Done():
			return
		default:
			state = r.State()
		}
		s.world.Advance()
	}
	s.t.Fatal("not done after 60 ticks")
}

// A second delivery, of the same tick or of the attempt's first, runs whole inside
// every call.
func TestSet_TwoDeliveriesAtOnceEndInTheSameWorld(t *testing.T) {
	t.Parallel()
	for nth := 1; nth <= setCalls(t, 2); nth++ {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("inside call %d, the first tick again %t", nth, late), func(t *testing.T) {
				t.Parallel()
				s, n := newShop(t, 2), 0
				var state State // of the tick that is running
				s.world.Before = func(string) error {
					if n++; n == nth {
						twin := state
						if late {
							twin = State{}
						}
						if _, err := s.tick(twin); err != nil {
							t.Errorf("second delivery: %v", err)
						}
					}
					return nil
				}
				for ticks := 0; ; ticks++ {
					if ticks == 40 {
						t.Fatal("not done after 40 ticks")
					}
					r, err := s.tick(state)
					if err != nil {
						t.Fatalf("first delivery: %v", err)
					}
					if r.Done() {
						break
					}
					state = r.State()
					s.world.Advance()
				}
				s.released()
			})
		}
	}
}
