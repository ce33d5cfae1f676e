package machine

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/workload"
)

func TestMain(m *testing.M) {
	if os.Getenv("MACHINE_TEST_PROGRAM") == "serve" {
		fmt.Println(serve()) // returns only with an error
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

const id = "i-0123456789abcdef0"

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a fleet on a manual clock, with programs of this process.
type world struct {
	*Fleet
	t     testing.TB
	clock *clock.Manual
}

func newWorld(t testing.TB, apps workload.Images) *world {
	t.Helper()
	return newWorldOf(t, apps, Config{Dir: t.TempDir()})
}

func newWorldIn(t testing.TB, dir string) *world {
	t.Helper()
	return newWorldOf(t, nil, Config{Dir: dir})
}

func newWorldOf(t testing.TB, apps workload.Images, config Config) *world {
	t.Helper()
	c := clock.NewManual(start)
	runner := workload.NewInProcess(c, apps)
	config.Clock, config.Runner = c, runner
	f, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: got %v, want none", err)
		}
		if err := runner.Close(); err != nil {
			t.Errorf("close runner: got %v, want none", err)
		}
	})
	return &world{f, t, c}
}

// launch boots a machine and waits until it is up.
func (w *world) launch(l Launch) {
	w.t.Helper()
	up := false
	if err := w.Launch(l, func(err error) {
		if up = true; err != nil {
			w.t.Errorf("boot of %s: got %v, want none", l.ID, err)
		}
	}); err != nil {
		w.t.Fatal(err)
	}
	w.until("boot", func() bool { return up })
}

// until moves the clock until done, an hour at most.
func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	if !w.clock.AdvanceUntil(time.Hour, done) {
		w.t.Fatalf("%s: did not come within an hour", what)
	}
}

// run runs a script on the machine and waits for its end.
func (w *world) run(script string) Result {
	w.t.Helper()
	return w.runAs(Run{ID: id, Script: script})
}

func (w *world) runAs(r Run) Result {
	w.t.Helper()
	var result *Result
	if _, err := w.Run(r, func(got Result) { result = &got }); err != nil {
		w.t.Fatal(err)
	}
	w.until("end of the script", func() bool { return result != nil })
	return *result
}

// must runs a script that succeeds and gives its output.
func (w *world) must(script string) string {
	w.t.Helper()
	got := w.run(script)
	if got.ExitCode != 0 {
		w.t.Fatalf("script %s: got exit code %d, stdout %q, stderr %q; want 0", script, got.ExitCode, got.Stdout, got.Stderr)
	}
	return got.Stdout
}
