package workload

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"cutover/pkg/localaws/clock"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// newProcesses makes a runner, its clock and its directory.
func newProcesses(t *testing.T) (*Processes, *clock.Manual, string) {
	t.Helper()
	c, dir := clock.NewManual(start), t.TempDir()
	if err := os.Symlink(programs.dir, filepath.Join(dir, "images")); err != nil {
		t.Fatal(err)
	}
	r, err := NewProcesses(c, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(filepath.Join(dir, "run")); len(left) != 0 {
			t.Errorf("after Close: got %v left of programs' directories, want nothing", left)
		}
	})
	return r, c, dir
}

// run starts a program and waits for its end, as OnExit tells of it.
func run(t *testing.T, r Runner, spec Spec) (out, complaints []string, exit Exit) {
	t.Helper()
	var stdout, stderr lines
	ended := make(chan Exit, 1)
	spec.Stdout, spec.Stderr, spec.OnExit = stdout.add, stderr.add, func(e Exit) { ended <- e }
	p, err := r.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	exit = <-ended
	<-p.Done()
	if got, ok := p.Exited(); !ok || got != exit {
		t.Errorf("Exited: got %v, %v; want %v as OnExit said", got, ok, exit)
	}
	return stdout.get(), stderr.get(), exit
}

func TestProcesses_ProgramSeesItsImagesWorldOnly(t *testing.T) {
	t.Parallel()
	r, _, _ := newProcesses(t)
	ref := pushProgram(t, "env", "where")
	out, _, exit := run(t, r, Spec{Image: ref, Env: map[string]string{"VERSION": "task", "PORT": "1"}, Ports: []int{8080, 9090}})
	if exit != (Exit{}) {
		t.Errorf("exit: got %v, want 0", exit)
	}
	var got []string
	ports := map[string]string{}
	for _, line := range out {
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, "PORT") {
			ports[name] = value
			continue
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"FROM_IMAGE=yes", "PATH=/usr/bin:/bin", "VERSION=task", "app"}, got); diff != "" {
		t.Errorf("environment and working directory (-want +got):\n%s", diff)
	}
	if len(ports) != 3 || ports["PORT"] != ports["PORT_8080"] || ports["PORT_8080"] == ports["PORT_9090"] || ports["PORT"] == "1" {
		t.Errorf("ports: got %v, want a new one each for 8080 and 9090, the first in PORT", ports)
	}
}

func TestProcesses_HandOnLinesAndExitCode(t *testing.T) {
	t.Parallel()
	r, _, _ := newProcesses(t)
	_, complaints, exit := run(t, r, Spec{Image: pushProgram(t, "complain", "fail")})
	if diff := cmp.Diff([]string{"one", "", "two without an end"}, complaints); diff != "" {
		t.Errorf("standard error (-want +got):\n%s", diff)
	}
	if exit != (Exit{Code: 3}) {
		t.Errorf("exit: got %v, want 3", exit)
	}
}

func TestProcesses_EachHasItsOwnFiles(t *testing.T) {
	t.Parallel()
	r, _, _ := newProcesses(t)
	ref := pushProgram(t)
	for _, c := range []struct {
		command []string
		want    string
	}{{[]string{"write", "read"}, "changed"}, {[]string{"read"}, "as built"}} {
		out, _, _ := run(t, r, Spec{Image: ref, Command: c.command})
		if len(out) != 1 || out[0] != c.want {
			t.Errorf("%v: got %q, want %q", c.command, out, c.want)
		}
	}
}

func TestProcesses_ServeOnTheirPorts(t *testing.T) {
	t.Parallel()
	r, _, _ := newProcesses(t)
	ref := pushProgram(t, "serve")
	for _, version := range []string{"blue", "green"} { // side by side
		p, err := r.Start(t.Context(), Spec{Image: ref, Ports: []int{8080}, Env: map[string]string{"VERSION": version}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(p.Digest(), "sha256:") {
			t.Errorf("digest: got %q, want the image's", p.Digest())
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		var got string
		await(t, "answer", func() bool {
			response, err := client.Get("http://127.0.0.1:" + strconv.Itoa(p.Ports()[8080]))
			if err != nil {
				return false
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			got = string(body)
			return err == nil
		})
		if got != version {
			t.Errorf("answer: got %q, want %q", got, version)
		}
	}
}

// started waits until the program has written a line that begins with word.
func started(t *testing.T, r *Processes, spec Spec, word string) (Process, *lines, chan Exit) {
	t.Helper()
	out, ended := &lines{}, make(chan Exit, 1)
	spec.Stdout, spec.OnExit = out.add, func(e Exit) { ended <- e }
	p, err := r.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	await(t, word, func() bool {
		for _, line := range out.get() {
			if strings.HasPrefix(line, word) {
				return true
			}
		}
		return false
	})
	return p, out, ended
}

func TestProcesses_StopAsksFirst(t *testing.T) {
	t.Parallel()
	r, c, _ := newProcesses(t)
	p, out, ended := started(t, r, Spec{Image: pushProgram(t, "polite")}, "ready")
	if _, ok := p.Exited(); ok {
		t.Error("before Stop: got an exit, want none")
	}
	p.Stop(30 * time.Second)
	p.Stop(30 * time.Second)
	if exit := <-ended; exit != (Exit{Code: 7}) {
		t.Errorf("exit: got %v, want the program's own 7", exit)
	}
	if diff := cmp.Diff([]string{"ready", "bye on terminated"}, out.get()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	c.Advance(time.Hour) // nobody is killed after the end
	p.Stop(0)
}

func TestProcesses_StopSendsTheImagesSignal(t *testing.T) {
	t.Parallel()
	r, _, _ := newProcesses(t)
	ref := pushConfigured(t, v1.Config{Entrypoint: []string{"/bin/program", "program", "polite"}, StopSignal: "SIGQUIT"})
	p, out, ended := started(t, r, Spec{Image: ref}, "ready")
	p.Stop(time.Minute)
	<-ended
	if got := out.get(); got[len(got)-1] != "bye on quit" {
		t.Errorf("last line: got %q, want the signal quit", got[len(got)-1])
	}
}

func TestProcesses_StopKillsWhenTheTimeoutHasPassed(t *testing.T) {
	t.Parallel()
	r, c, _ := newProcesses(t)
	p, _, ended := started(t, r, Spec{Image: pushProgram(t, "deaf", "wait")}, "deaf")
	p.Stop(30 * time.Second)
	c.Advance(29 * time.Second)
	if _, ok := p.Exited(); ok {
		t.Error("before the timeout: got an exit, want none")
	}
	c.Advance(time.Second)
	if exit := <-ended; exit != (Exit{Code: 137, Signal: "killed"}) {
		t.Errorf("exit: got %v, want 137 (killed)", exit)
	}
}

func TestProcesses_LeaveNoChildBehind(t *testing.T) {
	t.Parallel()
	r, _, _ := newProcesses(t)
	_, out, ended := started(t, r, Spec{Image: pushProgram(t, "child", "polite")}, "pid ")
	child := 0
	for _, line := range out.get() {
		if pid, ok := strings.CutPrefix(line, "pid "); ok {
			child, _ = strconv.Atoi(pid)
		}
	}
	if child == 0 {
		t.Fatal("the child's pid is not in the output")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if exit := <-ended; exit.Code != 137 {
		t.Errorf("exit: got %v, want 137", exit)
	}
	await(t, "end of the child", func() bool { return isGone(child) })
	if _, err := r.Start(t.Context(), Spec{Root: t.TempDir(), Command: []string{"/x"}}); err == nil {
		t.Error("start after Close: got no error, want one")
	}
}

// isGone says whether a process has ended; one that waits for its new parent to
// collect it has.
func isGone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestProcesses_SayWhyAProgramDoesNotStart(t *testing.T) {
	t.Parallel()
	r, _, where := newProcesses(t)
	images := newImages(t)
	layer := archive(t, "1", file("bin/data"), dir("etc"), file("srv/script"))
	push := func(name string, words ...string) string {
		return images.push(image(t, v1.Config{Entrypoint: words}, layer), name)
	}
	for name, c := range map[string]struct{ ref, want string }{
		"an image without a command":     {push("none:v1"), "no command specified"},
		"a program that is not there":    {push("missing:v1", "/bin/missing"), "find program /bin/missing in image"},
		"a program of the host":          {push("host:v1", "sh"), "find program sh in image"},
		"a host's program by its path":   {push("path:v1", "/bin/sh"), "find program /bin/sh in image"},
		"a file that is not executable":  {push("data:v1", "/bin/data"), "permission denied"},
		"a directory":                    {push("dir:v1", "/etc"), "permission denied"},
		"a relative path that leads out": {push("up:v1", "../../../../bin/sh"), "find program"},
	} {
		_, err := r.Start(t.Context(), Spec{Name: "web", Image: c.ref, OnExit: func(Exit) { t.Errorf("%s: got an exit, want none", name) }})
		var fault *Error
		if !errors.As(err, &fault) || fault.Code != CannotStart || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s with %q", name, err, CannotStart, c.want)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(where, "run")); len(left) != 0 {
		t.Errorf("programs' directories: got %d left behind, want none", len(left))
	}
}

func TestProcesses_RunFromARoot(t *testing.T) {
	t.Parallel()
	r, _, _ := newProcesses(t)
	root := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := copyFile(self, filepath.Join(root, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, _, exit := run(t, r, Spec{Root: root, EntryPoint: []string{"./app"}, Command: []string{"program", "where"}, WorkingDir: "/"})
	if exit != (Exit{}) || len(out) != 1 || out[0] != filepath.Base(root) {
		t.Errorf("got %q and %v, want the root as working directory and 0", out, exit)
	}
}

func TestReadLines_SplitsLinesThatAreTooLong(t *testing.T) {
	t.Parallel()
	var got []int
	readLines(strings.NewReader(strings.Repeat("x", 2*maxLine+10)+"\nshort\n"), func(line string) { got = append(got, len(line)) })
	if diff := cmp.Diff([]int{maxLine, maxLine, 10, 5}, got); diff != "" {
		t.Errorf("lengths (-want +got):\n%s", diff)
	}
}
