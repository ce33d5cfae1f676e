package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLaunch_RunsUserDataOnceForEachInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id, UserData: "#!/bin/bash\necho booted >> /boots; sleep 60; date +%M; cat /missing"})
	if got := w.clock.Now().Sub(start); got != time.Minute {
		t.Errorf("time of the first boot: got %v, want the minute that the script sleeps", got)
	}
	log := w.must("cat /var/log/cloud-init-output.log; cat /boots")
	for _, want := range []string{"\n01\n", "cat: /missing: No such file or directory", "part-001 exited with 1", "\nbooted\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("log: got %q, want %q in it", log, want)
		}
	}
	if err := w.Start(id, nil); err == nil || !strings.Contains(err.Error(), "it runs") {
		t.Errorf("start of one that runs: got %v, want an error", err)
	}
	w.cycle(id)
	if got := w.must("cat /boots"); got != "booted\n" {
		t.Errorf("after a second boot: got %q, want that user data ran once", got)
	}
	if err := w.Snapshot(id, "snap-1"); err != nil {
		t.Fatal(err)
	}
	w.launch(Launch{ID: "i-2", Snapshot: "snap-1", UserData: "#!/bin/sh\necho again >> /boots"})
	got := w.runAs(Run{ID: "i-2", Script: "cat /boots; cat /etc/hostname; grep -c missing /var/log/cloud-init-output.log"})
	if want := "booted\nagain\ni-2.ec2.internal\n0\n"; got.Stdout != want {
		t.Errorf("instance of the image: got %q, want %q", got.Stdout, want)
	}
	if a, b := w.must("cat /etc/machine-id"), w.runAs(Run{ID: "i-2", Script: "cat /etc/machine-id"}).Stdout; a == b || len(a) != 33 {
		t.Errorf("machine ids: got %q and %q, want two", a, b)
	}
}

// cycle stops and starts a machine.
func (w *world) cycle(id string) {
	w.t.Helper()
	stopped, up := false, false
	if err := w.Stop(id, func() { stopped = true }); err != nil {
		w.t.Fatal(err)
	}
	w.until("stop", func() bool { return stopped })
	if err := w.Start(id, func(err error) {
		if up = true; err != nil {
			w.t.Errorf("start: got %v, want none", err)
		}
	}); err != nil {
		w.t.Fatal(err)
	}
	w.until("start", func() bool { return up })
}

func TestLaunch_RefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	for name, c := range map[string]struct {
		launch Launch
		want   string
	}{
		"cloud-config":                  {Launch{ID: "i-2", UserData: "#cloud-config\npackages: [jq]"}, "user data that begins with"},
		"an id that is there":           {Launch{ID: id}, "it exists"},
		"an id that is a path":          {Launch{ID: "../i-2"}, "malformed id"},
		"no id":                         {Launch{}, "malformed id"},
		"a snapshot that is not there":  {Launch{ID: "i-3", Snapshot: "snap-none"}, "no such file"},
		"a snapshot that leads outside": {Launch{ID: "i-4", Snapshot: "../instances/" + id}, "malformed id"},
	} {
		err := w.Launch(c.launch, func(error) { t.Errorf("%s: got a boot, want none", name) })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	w.clock.Advance(time.Hour)
	entries, err := os.ReadDir(filepath.Join(w.dir, "instances"))
	if err != nil || len(entries) != 1 {
		t.Errorf("volumes: got %v, %v; want that of the first alone", entries, err)
	}
	// What was refused may be asked for again.
	w.launch(Launch{ID: "i-3"})
}

func TestSnapshot_IsACopyThatNothingChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	w.must("echo one > /f; chmod 640 /f; ln -s f /l; mkdir /d; dnf -y -q install jq; printf '#!/bin/sh\necho p\n' > /p; chmod +x /p")
	if err := w.Snapshot(id, "snap-1"); err != nil {
		t.Fatal(err)
	}
	if err := w.Snapshot(id, "snap-1"); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("a snapshot id that is taken: got %v, want an error", err)
	}
	w.must("echo two > /f; echo 'echo q' >> /p; dnf -y -q remove jq")
	if err := w.CopySnapshot("snap-1", "snap-2"); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteSnapshot("snap-1"); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteSnapshot("snap-1"); err == nil {
		t.Error("delete what is not there: got no error, want one")
	}
	w.launch(Launch{ID: "i-2", Snapshot: "snap-2"})
	got := w.runAs(Run{ID: "i-2", Script: "cat /l; stat -c %a /f; /p; rpm -q jq | cut -d- -f1; ls -d /d"})
	if diff := cmp.Diff(Result{Stdout: "one\n640\np\njq\n/d\n"}, got); diff != "" {
		t.Errorf("instance of the copy: (-want +got)\n%s", diff)
	}
	if versions(w.SnapshotPackages("snap-2"))["jq"] == "" || versions(w.Packages(id))["jq"] != "" {
		t.Error("packages: got jq on the instance or not in the snapshot, want it in the snapshot alone")
	}
	if got := w.SnapshotPackages("snap-1"); got != nil {
		t.Errorf("packages of a snapshot that is gone: got %v, want none", got)
	}
}

func TestTerminate_RemovesTheVolume(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	var ended []Result
	if _, err := w.Run(Run{ID: id, Script: "echo begun; sleep 1000; echo never"}, func(r Result) { ended = append(ended, r) }); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Second)
	gone := false
	if err := w.Terminate(id, func() { gone = true }); err != nil {
		t.Fatal(err)
	}
	w.until("end", func() bool { return gone && len(ended) > 0 })
	if diff := cmp.Diff([]Result{{ExitCode: 137, Stdout: "begun\n", Canceled: true}}, ended); diff != "" {
		t.Errorf("script under way: (-want +got)\n%s", diff)
	}
	if _, err := os.Lstat(filepath.Join(w.dir, "instances", id)); !os.IsNotExist(err) {
		t.Errorf("volume: got %v, want it gone", err)
	}
	if _, err := w.Run(Run{ID: id, Script: "true"}, func(Result) {}); err == nil {
		t.Error("run on a machine that is gone: got no error, want one")
	}
	for name, err := range map[string]error{"start": w.Start(id, nil), "stop": w.Stop(id, nil), "terminate": w.Terminate(id, nil), "snapshot": w.Snapshot(id, "s")} {
		if err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
}

func TestRoot_IsTheVolume(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	root, err := w.Root(id)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.WriteFile("opt/f", []byte("from outside\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := w.must("cat /opt/f"); got != "from outside\n" {
		t.Errorf("got %q, want what was written", got)
	}
}

func TestRun_EndsInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	t.Run("one that sleeps too long", func(t *testing.T) {
		before := w.clock.Now()
		got := w.runAs(Run{ID: id, Script: "echo a; while true; do sleep 7; done", Timeout: time.Minute})
		if diff := cmp.Diff(Result{ExitCode: 137, Stdout: "a\n", TimedOut: true}, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if passed := w.clock.Now().Sub(before); passed != time.Minute {
			t.Errorf("time: got %v, want a minute", passed)
		}
	})
	t.Run("one that ends before", func(t *testing.T) {
		got := w.runAs(Run{ID: id, Script: "sleep 59; echo b; timeout 5 sleep 10; echo $?", Timeout: 2 * time.Minute})
		if diff := cmp.Diff(Result{Stdout: "b\n124\n"}, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		w.clock.Advance(time.Hour)
	})
	t.Run("one that is canceled", func(t *testing.T) {
		var got []Result
		cancel, err := w.Run(Run{ID: id, Script: "echo c; sleep 100 | cat; sleep 100"}, func(r Result) { got = append(got, r) })
		if err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Second)
		cancel()
		cancel()
		w.clock.Advance(0)
		if diff := cmp.Diff([]Result{{ExitCode: 137, Stdout: "c\n", Canceled: true}}, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("one that is canceled before it begins", func(t *testing.T) {
		var got []Result
		cancel, err := w.Run(Run{ID: id, Script: "echo d > /d"}, func(r Result) { got = append(got, r) })
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		w.clock.Advance(time.Second)
		if diff := cmp.Diff([]Result{{ExitCode: 137, Canceled: true}}, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if got := w.run("test -e /d"); got.ExitCode != 1 {
			t.Error("got its file, want that it did not run")
		}
	})
}

func TestRun_KeepsTheFirstOfItsOutput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	got := w.run("seq 1 100000; seq 1 100000 >&2")
	if len(got.Stdout) != 64*1024 || !strings.HasPrefix(got.Stdout, "1\n2\n3\n") || got.Stderr != got.Stdout {
		t.Errorf("got %d and %d bytes, want the first 64 KiB of each", len(got.Stdout), len(got.Stderr))
	}
}

func TestRun_HasItsDirectoryAndEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, nil, Config{Dir: t.TempDir(), Environment: func(id string) map[string]string { return map[string]string{"INSTANCE": id} }})
	w.launch(Launch{ID: id, UserData: "#!/bin/sh\necho $INSTANCE > /who"})
	got := w.runAs(Run{ID: id, Script: "pwd; cat ../who; echo $INSTANCE $A", Dir: "/opt", Env: map[string]string{"A": "b c"}})
	if diff := cmp.Diff(Result{Stdout: "/opt\n" + id + "\n" + id + " b c\n"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := w.runAs(Run{ID: id, Script: "true", Dir: "/nowhere"}); got.ExitCode != 1 || !strings.Contains(got.Stderr, "/nowhere") {
		t.Errorf("a directory that is not there: got %+v, want that it says so", got)
	}
	if got := w.must("ls /var/lib/amazon/ssm/" + id + "/document/orchestration | wc -l"); got != "1\n" {
		t.Errorf("scripts on the disk: got %s, want this one's alone", got)
	}
}

func TestClose_EndsAllThatRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	if _, err := w.Run(Run{ID: id, Script: "sleep 1000"}, func(Result) { t.Error("got a call after Close, want none") }); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Second)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Launch(Launch{ID: "i-2"}, nil); err == nil {
		t.Error("launch after Close: got no error, want one")
	}
	w.clock.Advance(time.Hour)
}

func TestSnapshot_OfAMachineThatHasNotBooted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := w.Launch(Launch{ID: "i-new"}, func(error) {}); err != nil {
		t.Fatal(err)
	}
	if err := w.Snapshot("i-new", "snap-new"); err != nil {
		t.Errorf("got error %v, want a snapshot of the bare volume", err)
	}
}
