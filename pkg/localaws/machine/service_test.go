package machine

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/workload"
)

// answering is an app that answers its version, and what it was asked.
func answering(task *workload.Task) http.Handler {
	task.Log("listening")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s at %s of %s", task.Env["VERSION"], r.URL.Path, r.Host)
	})
}

// webUnit is a script that makes a service of /opt/web/web.
const webUnit = `cat > /etc/systemd/system/web.service <<'END'
[Unit]
Description=The web application
After=network.target

[Service]
WorkingDirectory=/opt/web
Environment=PORT=8080 "VERSION=one two"
EnvironmentFile=-/etc/web.env
ExecStartPre=/usr/bin/test -d /opt/web
ExecStart=/opt/web/web --fast ${VERSION}
Restart=on-failure
RestartSec=5s

[Install]
WantedBy=multi-user.target
END
mkdir -p /opt/web; echo program > /opt/web/web; chmod +x /opt/web/web; systemctl daemon-reload
`

// get asks the program that serves the port, from outside, for its version.
func (w *world) get(port int) string {
	w.t.Helper()
	address, ok := w.Address(id, port)
	if !ok {
		return "nothing"
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + address + "/")
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error()
	}
	text, _, _ := strings.Cut(string(body), " at")
	return text
}

func TestService_IsStartedByScriptsAndAtBoot(t *testing.T) {
	t.Parallel()
	var starts int
	w := newWorld(t, workload.Images{"/opt/web/web": func(task *workload.Task) http.Handler {
		starts++
		return answering(task)
	}})
	w.launch(Launch{ID: id})
	if got := w.get(8080); got != "nothing" {
		t.Errorf("before: got %s, want nothing", got)
	}
	got := w.must(webUnit + "systemctl enable --now web 2>&1; systemctl is-active web; curl -sf http://localhost:8080/health; echo; systemctl is-enabled web")
	want := "Created symlink /etc/systemd/system/multi-user.target.wants/web.service → /etc/systemd/system/web.service.\nactive\none two at /health of localhost:8080\nenabled\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := w.get(8080); got != "one two" || !w.Active(id, "web") || !w.Active(id, "web.service") {
		t.Errorf("from outside: got %s, want its answer", got)
	}
	w.must("echo 'VERSION=three' > /etc/web.env; systemctl start web; systemctl restart web")
	if got := w.get(8080); got != "three" || starts != 2 {
		t.Errorf("after a restart: got %s and %d starts, want the new environment's and two", got, starts)
	}
	w.cycle(id)
	if got := w.get(8080); got != "three" {
		t.Errorf("after a boot: got %s, want that it is started", got)
	}
	if err := w.Snapshot(id, "snap"); err != nil {
		t.Fatal(err)
	}
	w.must("systemctl disable --now web 2>/dev/null; systemctl is-active web || true; systemctl status web || echo $?")
	w.cycle(id)
	if w.Active(id, "web") || w.get(8080) != "nothing" {
		t.Error("after disable and a boot: got an active service, want none")
	}
	w.launch(Launch{ID: "i-2", Snapshot: "snap"})
	if !w.Active("i-2", "web") {
		t.Error("instance of the image: got no service, want the one that was enabled")
	}
	if _, ok := w.Address("i-2", 80); ok {
		t.Error("another port: got an address, want none")
	}
}

func TestService_StartsAgainAsItsUnitSays(t *testing.T) {
	t.Parallel()
	starts := 0
	w := newWorld(t, workload.Images{"/opt/web/web": func(task *workload.Task) http.Handler {
		starts++
		task.AfterFunc(time.Minute, func() { task.Exit(3) })
		return answering(task)
	}})
	w.launch(Launch{ID: id})
	w.must(webUnit + "systemctl start web")
	w.clock.Advance(61 * time.Second)
	if got := w.run("systemctl is-active web"); got.Stdout != "activating\n" || got.ExitCode != 3 || starts != 1 {
		t.Errorf("after the crash: got %+v and %d starts, want activating and one", got, starts)
	}
	w.clock.Advance(5 * time.Second)
	if got := w.must("systemctl is-active web; systemctl is-failed web || true"); got != "active\nactive\n" || starts != 2 {
		t.Errorf("after RestartSec: got %q and %d starts, want active and two", got, starts)
	}
	w.clock.Advance(10 * time.Minute)
	if starts < 10 {
		t.Errorf("in ten minutes: got %d starts, want one a minute or so", starts)
	}
	w.must("systemctl stop web")
	before := starts
	w.clock.Advance(time.Hour)
	if starts != before || w.Active(id, "web") {
		t.Errorf("after stop: got %d more starts, want none", starts-before)
	}
	w.cycle(id)
	w.clock.Advance(time.Hour)
	if starts != before {
		t.Errorf("after a boot: got %d more starts, want none of a service that is not enabled", starts-before)
	}
}

func TestService_ThatFailsAtOnceIsGivenUp(t *testing.T) {
	t.Parallel()
	starts := 0
	w := newWorld(t, workload.Images{"/opt/web/web": func(task *workload.Task) http.Handler {
		starts++
		task.Log("no luck")
		task.Exit(1)
		return nil
	}})
	w.launch(Launch{ID: id})
	w.must(webUnit + "sed -i s/RestartSec=.*/RestartSec=1/ /etc/systemd/system/web.service; systemctl start web")
	w.clock.Advance(time.Hour)
	got := w.must("systemctl is-failed web; journalctl -u web -o cat | grep -c 'no luck'; journalctl -u web -n 1")
	if want := "failed\n5\nJan 01 00:00:04 " + id + " web: no luck\n"; got != want || starts != 5 {
		t.Errorf("got %q and %d starts, want %q and five", got, starts, want)
	}
}

func TestService_OfAScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Images{"/opt/web": answering})
	w.launch(Launch{ID: id})
	got := w.must(`printf '#!/bin/bash\nexport VERSION=by-script\nexec /opt/web\n' > /run.sh; chmod +x /run.sh
printf '\0program' > /opt/web; chmod +x /opt/web
printf '[Service]\nEnvironment=PORT=80\nExecStart=/run.sh\n' > /usr/lib/systemd/system/s.service
printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 5\nExecStart=/bin/sh -c "echo done > /done"\n[Install]\nWantedBy=multi-user.target\n' > /etc/systemd/system/once.service
systemctl start s once; cat /done; systemctl is-active once; systemctl enable once 2>/dev/null`)
	if got != "done\nactive\n" {
		t.Errorf("oneshot: got %q, want that start waited for it", got)
	}
	if got := w.get(80); got != "by-script" {
		t.Errorf("got %s, want the answer of what the script execs", got)
	}
	w.must("rm /done")
	w.cycle(id)
	if got := w.must("cat /done; systemctl is-active once"); got != "done\nactive\n" {
		t.Errorf("oneshot at boot: got %q, want that it was done", got)
	}
}

func TestService_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Images{"/opt/web/web": answering, "/opt/w": answering})
	w.launch(Launch{ID: id})
	w.must(webUnit + "printf '\\0' > /opt/w; chmod +x /opt/w")
	for name, c := range map[string]struct {
		script string
		code   int
		want   string
	}{
		"a unit that is not there":    {"systemctl start nope", 5, "Failed to start nope.service: Unit nope.service not found."},
		"its state":                   {"systemctl is-active nope", 4, "inactive"},
		"its status":                  {"systemctl status nope", 4, "Unit nope.service could not be found."},
		"enabling it":                 {"systemctl enable nope", 1, "Unit file nope.service does not exist."},
		"a setting that is not known": {"printf '[Service]\\nExecStart=/x\\nFancy=1' > /etc/systemd/system/f.service; systemctl start f", 1, "setting Service.Fancy is not supported"},
		"a type that is not known":    {"printf '[Service]\\nExecStart=/x\\nType=forking' > /etc/systemd/system/g.service; systemctl start g", 1, "Type=forking is not supported"},
		"a check that fails":          {"mv /opt/web /opt/away; systemctl start web; r=$?; mv /opt/away /opt/web; exit $r", 1, "control process exited with error code"},
		"a program that is not there": {"printf '[Service]\\nExecStart=/opt/none' > /etc/systemd/system/h.service; systemctl start h; systemctl is-failed h; journalctl -u h", 0, "Failed to locate executable /opt/none"},
		"a command that is not known": {"systemctl isolate rescue", 1, "Unknown command verb isolate"},
		"an option that is not known": {"systemctl --root=/x start web", 1, "unrecognized option"},
		"a oneshot that fails":        {"printf '[Service]\\nType=oneshot\\nExecStart=/bin/false' > /etc/systemd/system/o.service; systemctl start o", 1, "Job for o.service failed"},
		"a port that is taken":        {"printf '[Service]\\nEnvironment=PORT=70\\nExecStart=/opt/w' > /etc/systemd/system/w.service; systemctl start w; PORT=70 /opt/w", 1, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.run(c.script)
			if got.ExitCode != c.code || !strings.Contains(got.Stdout+got.Stderr, c.want) {
				t.Errorf("%s: got %+v, want %d and %q", c.script, got, c.code, c.want)
			}
		})
	}
}

func TestParseUnit_OfTheManual(t *testing.T) {
	t.Parallel()
	got, err := parseUnit("# a comment\n[Unit]\nDescription = x\n[Service]\nType=exec\nExecStart=/bin/a \\\n  b\nEnvironment=A=1 'B=2 3'\nTimeoutStopSec=1min 30s\n[Install]\nWantedBy=multi-user.target\n")
	if err != nil {
		t.Fatal(err)
	}
	want := &unit{
		description: "x", kind: "exec", commands: []string{"/bin/a    b"}, environment: []string{"A=1", "B=2 3"}, restart: "no",
		restartAfter: 100 * time.Millisecond, stopTimeout: 90 * time.Second, wantedBy: []string{"multi-user.target"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(unit{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzParseUnit(f *testing.F) {
	f.Add("[Service]\nExecStart=/bin/a 'b c' $D ${E}\nRestart=always\n")
	f.Add("[Service]\nExecStart=\\\n")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseUnit(text)
		if err != nil {
			return
		}
		for _, command := range u.commands {
			args, _, err := arguments(command, map[string]string{"D": "x y", "E": "${E}"})
			if err == nil && len(args) == 0 {
				t.Errorf("%q: got no arguments and no error", command)
			}
		}
	})
}
