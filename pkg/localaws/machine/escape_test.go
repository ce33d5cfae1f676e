package machine

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The secret of a file that is not the machine's, and never to be seen there.
const secret = "what only the host knows"

// outside makes a host's directory tree around the machines' directory, with
// secrets in it, and gives the world and a function that tells whether anything
// outside the instance's volume was changed.
func outside(t testing.TB) (w *world, dir string, changed func() string) {
	t.Helper()
	host := t.TempDir()
	for _, name := range []string{"secret", "etc/secret", "instances.txt"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(host, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(host, name), []byte("echo '"+secret+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w = newWorldIn(t, filepath.Join(host, "cloud"))
	w.launch(Launch{ID: id})
	state := func() string { return fingerprint(t, host, filepath.Join(host, "cloud", "instances", id)) }
	before := state()
	return w, host, func() string {
		if after := state(); after != before {
			return fmt.Sprintf("host's files: got\n%s\nwant\n%s", after, before)
		}
		return ""
	}
}

// fingerprint lists a directory but for one below it.
func fingerprint(t testing.TB, dir, but string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == but {
			return fs.SkipDir
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&all, "%s %v", name, info.Mode())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			fmt.Fprintf(&all, " %x", sha256.Sum256(content))
		}
		all.WriteString("\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// attempts are what a script might try; HOST stands for the directory on the host
// and PATH for a path.
var attempts = []string{
	"cat PATH", "echo stolen > PATH", "echo stolen >> PATH", ". PATH", "source PATH", "bash PATH", "PATH", "echo PATH* PATH/*",
	"cd PATH && cat secret", "cd PATH; pwd -P; ls", "rm -rf PATH", "mkdir -p PATH/x", "touch PATH", "cp PATH /copy && cat /copy",
	"mv PATH /moved; cat /moved", "ln -s PATH /l; cat /l; echo x > /l; cat /l/secret", "ln PATH /hard && cat /hard", "chmod 777 PATH",
	"ls -la PATH", "find PATH -type f -exec cat {} ';'", "head -1 < PATH", "sed -i s/only/all/ PATH; cat PATH", "tee PATH < /etc/hosts",
	"tar czf - -C PATH . | tar xzf - -C /tmp; cat /tmp/secret", "read -r x < PATH; echo $x", "[ -s PATH ] && cat PATH", "echo $(<PATH)",
	"mapfile -t x < PATH; echo ${x[0]}", "install -D /etc/hosts PATH/y", "cd PATH; . ./secret; ./secret", "sudo cat PATH", "env -i /usr/bin/cat PATH",
	"builtin source PATH", "command . PATH", "eval '. PATH'", "trap '. PATH' EXIT", "exec PATH", "xargs cat <<< PATH", "cd -- PATH && cd .. && cat secret",
	"grep -r . PATH", "sha256sum PATH", "readlink -f PATH; realpath PATH", "mktemp -p PATH", "unzip PATH", "cp -r PATH /all; find /all -type f -exec cat {} +",
	"ln -s / /r; cat /r/PATH", "mkdir -p /d; ln -s PATH /d/e; cd /d/e; cat secret; cd ..; cat secret", "rpm -U PATH; dnf install -y PATH",
	"printf '[Service]\\nExecStart=PATH\\nWorkingDirectory=PATH\\nEnvironmentFile=-PATH\\n' > /etc/systemd/system/x.service; systemctl start x; journalctl -u x",
}

func places(host string) []string {
	deep := strings.Repeat("../", 20)
	return []string{
		host + "/secret", host, deep + host + "/etc", "../../../secret", "/../../secret", "/proc/self/root" + host + "/secret",
	}
}

func TestRun_ReachesNothingOutsideTheMachine(t *testing.T) {
	t.Parallel()
	w, host, changed := outside(t)
	for _, attempt := range attempts {
		for _, place := range places(host) {
			script := strings.ReplaceAll(attempt, "PATH", place)
			got := w.run("cd /tmp; " + script)
			if strings.Contains(got.Stdout+got.Stderr, secret) {
				t.Errorf("%s: got %q, want nothing of the host's", script, got.Stdout)
			}
		}
		if fault := changed(); fault != "" {
			t.Fatalf("%s: %s", attempt, fault)
		}
	}
}

func TestRun_TellsNothingOfTheHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	theirs, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ script, want string }{
		"the host's name":                     {"cat /etc/hostname", id + ".ec2.internal\n"},
		"a program of the host's":             {"command -v go || which go 2>/dev/null || type go 2>/dev/null || echo none", "none\n"},
		"a path that the host has":            {"cd /usr/local/go 2>/dev/null || echo none; [ -e /proc/self ] || echo none; ls /proc", "none\nnone\n"},
		"the interpreter's own files":         {"echo x > /tmp/sh-interp-1; ls /tmp; rm /tmp/sh-interp-1", "sh-interp-1\n"},
		"those of a TMPDIR that a script set": {"export TMPDIR=/var/tmp; echo x > /var/tmp/sh-interp-2; bash -c 'echo y > $TMPDIR/sh-interp-3'; ls /var/tmp", "sh-interp-2\nsh-interp-3\n"},
		"the host's environment":              {"env | cut -d= -f1 | tr '\\n' ' '", "HOME LANG LOGNAME PATH SHELL USER "},
	} {
		got := w.run(c.script)
		if got.Stdout != c.want {
			t.Errorf("%s: got %q, %q; want %q", name, got.Stdout, got.Stderr, c.want)
		}
		if theirs != "localhost" && strings.Contains(got.Stdout, theirs) || home != "/root" && strings.Contains(got.Stdout, home) {
			t.Errorf("%s: got %q, want nothing of the host", name, got.Stdout)
		}
	}
	for _, name := range []string{"/tmp/sh-interp-1", "/var/tmp/sh-interp-2", "/var/tmp/sh-interp-3"} {
		if _, err := os.Lstat(name); err == nil {
			t.Errorf("%s: got a file on the host, want none", name)
		}
	}
}

// Any path, in any of the attempts, by way of any links.
func TestRun_NoPathLeadsOutside(t *testing.T) {
	t.Parallel()
	w, host, changed := outside(t)
	part := rapid.SampledFrom([]string{"..", ".", "", "tmp", "a", "b", "etc", "secret", strings.TrimPrefix(host, "/"), "cloud", "instances", id, "link", "up"})
	rapid.Check(t, func(rt *rapid.T) {
		build := func(name string) string {
			built := strings.Join(rapid.SliceOfN(part, 1, 12).Draw(rt, name), "/")
			if rapid.Bool().Draw(rt, name+" is absolute") {
				built = "/" + built
			}
			if built == "" {
				built = "."
			}
			return built
		}
		attempt := rapid.SampledFrom(attempts).Draw(rt, "attempt")
		script := fmt.Sprintf("mkdir -p /tmp/a/b; cd /tmp/a; ln -sfn '%s' link; ln -sfn '%s' /tmp/up; %s",
			build("link"), build("up"), strings.ReplaceAll(attempt, "PATH", build("path")))
		got := w.run(script)
		if strings.Contains(got.Stdout+got.Stderr, secret) {
			rt.Fatalf("%s: got %q, want nothing of the host's", script, got.Stdout)
		}
		if fault := changed(); fault != "" {
			rt.Fatalf("%s: %s", script, fault)
		}
		w.run("rm -rf /tmp /l /r /d /hard /copy /moved /all; mkdir /tmp")
	})
}
