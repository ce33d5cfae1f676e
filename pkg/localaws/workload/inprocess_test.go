package workload

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
)

func answering(text string) App {
	return func(*Task) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
}

func newInProcess(t *testing.T, apps Images) (*InProcess, *clock.Manual) {
	t.Helper()
	c := clock.NewManual(start)
	r := NewInProcess(c, apps)
	t.Cleanup(func() { _ = r.Close() }) // never fails
	return r, c
}

func fetch(p Process, port int) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://127.0.0.1:" + strconv.Itoa(p.Ports()[port]))
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return string(body), errors.Join(err, response.Body.Close())
}

func TestInProcess_ServesFromTheMomentItStarts(t *testing.T) {
	t.Parallel()
	var seen map[string]string
	r, c := newInProcess(t, Images{"app:v1": func(task *Task) http.Handler {
		seen = task.Env
		task.Log("hello")
		return answering("v1")(task)
	}})
	var out lines
	var exits []Exit
	p, err := r.Start(t.Context(), Spec{
		Image: "app:v1", Ports: []int{80}, Env: map[string]string{"A": "b"},
		Stdout: out.add, OnExit: func(e Exit) { exits = append(exits, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fetch(p, 80); got != "v1" || err != nil {
		t.Errorf("got %q, %v; want v1", got, err)
	}
	if port := strconv.Itoa(p.Ports()[80]); seen["A"] != "b" || seen["PORT"] != port || seen["PORT_80"] != port {
		t.Errorf("environment: got %v, want A and the port %s", seen, port)
	}
	if got := out.get(); len(got) != 1 || got[0] != "hello" {
		t.Errorf("lines: got %q, want hello", got)
	}
	p.Stop(30 * time.Second)
	if exit, ok := p.Exited(); !ok || exit != (Exit{}) || len(exits) != 0 {
		t.Errorf("after Stop: got %v, %v and %d calls of OnExit; want 0, true and none until the clock moves", exit, ok, len(exits))
	}
	c.Advance(0)
	p.Stop(0)
	c.Advance(time.Hour)
	if fmt.Sprint(exits) != "[exit code 0]" {
		t.Errorf("OnExit: got %v, want it once", exits)
	}
	await(t, "end of the listener", func() bool { _, err := fetch(p, 80); return err != nil })
}

func TestInProcess_CrashesOnStartAndLater(t *testing.T) {
	t.Parallel()
	r, c := newInProcess(t, Images{
		"crash": func(task *Task) http.Handler { task.Exit(2); return nil },
		"later": func(task *Task) http.Handler {
			task.AfterFunc(time.Minute, func() { task.Exit(139) })
			task.AfterFunc(2*time.Minute, func() { t.Error("a call of an app that has ended: got it, want none") })
			return answering("ok")(task)
		},
	})
	exits := map[string]Exit{}
	for _, image := range []string{"crash", "later"} {
		if _, err := r.Start(t.Context(), Spec{Image: image, Ports: []int{80}, OnExit: func(e Exit) { exits[image] = e }}); err != nil {
			t.Fatal(err)
		}
	}
	if len(exits) != 0 {
		t.Errorf("before the clock moves: got %v, want no exit", exits)
	}
	c.Advance(59 * time.Second)
	if len(exits) != 1 || exits["crash"].Code != 2 {
		t.Errorf("before the minute: got %v, want the crash on start with code 2", exits)
	}
	c.Advance(time.Hour)
	if exits["later"].Code != 139 {
		t.Errorf("after the minute: got %v, want the later crash with code 139", exits)
	}
}

func TestInProcess_UnknownImageCannotBePulled(t *testing.T) {
	t.Parallel()
	r, _ := newInProcess(t, nil)
	_, err := r.Start(t.Context(), Spec{Image: "nowhere:v1"})
	var fault *Error
	if !errors.As(err, &fault) || fault.Code != CannotPull {
		t.Errorf("got %v, want %s", err, CannotPull)
	}
}

func TestInProcess_RunsAProgramOfARootByItsPath(t *testing.T) {
	t.Parallel()
	root := ""
	r, _ := newInProcess(t, Images{"/opt/web": func(task *Task) http.Handler {
		root = task.Root
		return answering("from a root")(task)
	}})
	p, err := r.Start(t.Context(), Spec{Root: "/volume", EntryPoint: []string{"/opt/web", "-v"}, Ports: []int{80}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fetch(p, 80); got != "from a root" || err != nil || root != "/volume" {
		t.Errorf("got %q of %q, %v; want the app of that path and its root", got, root, err)
	}
	for name, command := range map[string][]string{"a path that is no app's": {"/opt/other"}, "no command": nil} {
		_, err := r.Start(t.Context(), Spec{Root: "/volume", Command: command})
		var fault *Error
		if !errors.As(err, &fault) || fault.Code != CannotStart {
			t.Errorf("%s: got %v, want %s", name, err, CannotStart)
		}
	}
}

func TestInProcess_CloseKillsAndTells(t *testing.T) {
	t.Parallel()
	r, _ := newInProcess(t, Images{"app@sha256:ab": answering("x")})
	var exits []Exit
	p, err := r.Start(t.Context(), Spec{Image: "app@sha256:ab", Ports: []int{80}, OnExit: func(e Exit) { exits = append(exits, e) }})
	if err != nil {
		t.Fatal(err)
	}
	if p.Digest() != "sha256:ab" {
		t.Errorf("digest: got %q, want the reference's", p.Digest())
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if len(exits) != 1 || exits[0].Code != 137 {
		t.Errorf("OnExit: got %v, want 137 once", exits)
	}
	if _, err := r.Start(t.Context(), Spec{Image: "app@sha256:ab"}); err == nil {
		t.Error("start after Close: got no error, want one")
	}
}
