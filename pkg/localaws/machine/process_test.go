package machine

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/workload"
)

// serve is the test program's other life: a program of an instance, that answers
// on its port with what it sees.
func serve() error {
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	fmt.Println("serving")
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s %s %q", os.Getenv("VERSION"), filepath.Base(dir), os.Getenv("GOPATH"))
	}))
}

// A real program of a service, on a clock that runs.
func TestService_OfARealProgram(t *testing.T) {
	t.Parallel()
	c := clock.NewScaled(60)
	runner, err := workload.NewProcesses(c, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(Config{Clock: c, Dir: t.TempDir(), Runner: runner})
	if err != nil {
		t.Fatal(err)
	}
	booted, done := make(chan error, 1), make(chan Result, 1)
	if err := f.Launch(Launch{ID: id}, func(err error) { booted <- err }); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, "boot", booted); err != nil {
		t.Fatal(err)
	}
	place(t, f)
	_, err = f.Run(Run{ID: id, Timeout: 10 * time.Minute, Script: `#!/bin/bash -e
cat > /etc/systemd/system/web.service <<END
[Service]
WorkingDirectory=/opt/web
Environment=PORT=8080 VERSION=v1 MACHINE_TEST_PROGRAM=serve
ExecStart=/opt/web/web
END
systemctl start web
curl -sf --retry 20 --retry-connrefused --retry-delay 5 http://localhost:8080/
sleep 1
systemctl stop web
journalctl -u web -o cat | grep -c serving
`}, func(r Result) { done <- r })
	if err != nil {
		t.Fatal(err)
	}
	if got := receive(t, "end of the script", done); got.ExitCode != 0 || got.Stdout != "v1 web \"\"1\n" {
		t.Errorf("got %+v, want the program's answer and its line", got)
	}
	if _, err := f.Run(Run{ID: id, Script: "systemctl start web; sleep 36000"}, func(r Result) { done <- r }); err != nil {
		t.Fatal(err)
	}
	await(t, "the program", func() bool { return f.Active(id, "web") })
	stopped := make(chan struct{}, 1)
	if err := f.Terminate(id, func() { stopped <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	receive(t, "end", stopped)
	if got := receive(t, "end of the script", done); !got.Canceled {
		t.Errorf("script of the machine that was terminated: got %+v, want it canceled", got)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := runner.Close(); err != nil {
		t.Error(err)
	}
}

// place makes this test the instance's program.
func place(t *testing.T, f *Fleet) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	root, err := f.Root(id)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.MkdirAll("opt/web", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := root.WriteFile("opt/web/web", content, 0o755); err != nil {
		t.Fatal(err)
	}
}

func receive[T any](t *testing.T, what string, from chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(time.Minute):
		t.Fatalf("%s: did not come within a minute", what)
		panic("unreachable")
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not come within a minute", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// BenchmarkLaunch is a boot from a snapshot with a program of a few megabytes.
func BenchmarkLaunch(b *testing.B) {
	w := newWorld(b, nil)
	w.launch(Launch{ID: id})
	w.must("dnf -y -q upgrade; seq 1 600000 > /big; wc -c /big")
	if err := w.Snapshot(id, "snap"); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		w.launch(Launch{ID: fmt.Sprintf("i-%d", i), Snapshot: "snap"})
	}
}
