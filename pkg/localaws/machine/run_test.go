package machine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRun_InterpretsScriptsInsideTheMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	for name, c := range map[string]struct{ script, want string }{
		"a file and a directory":          {"mkdir -p /a/b; echo hi > /a/b/c; cd /a; cat b/c; pwd; [ -f b/c ] && [ -d b ] && echo there", "hi\n/a\nthere\n"},
		"a shell's line":                  {"#!/bin/bash -eu\nset -o pipefail\nx=5; echo $((x + 2)) ${x}x", "7 5x\n"},
		"a pipe":                          {"printf 'b\\na\\nb\\n' | sort | uniq -c | tr -s ' '", " 1 a\n 2 b\n"},
		"a here-document":                 {"cat <<EOF | sed 's/you/me/'\nto you\nEOF", "to me\n"},
		"an appended file":                {"echo 1 > f; echo 2 >> f; echo $(<f) $(wc -l < f)", "1 2 2\n"},
		"a function and a trap":           {"trap 'echo bye' EXIT; f() { echo \"f $1\"; }; f x", "f x\nbye\n"},
		"globs":                           {"mkdir /g; touch /g/1.txt /g/2.txt /g/3; echo /g/*.txt", "/g/1.txt /g/2.txt\n"},
		"a sourced file with arguments":   {"echo 'echo got $1; V=7' > /s; . /s x; echo $V", "got x\n7\n"},
		"a sourced file on the PATH":      {"echo 'echo found' > /usr/bin/lib.sh; source lib.sh", "found\n"},
		"a script that is executed":       {"printf '#!/bin/sh\\necho $0 $#\\n' > /x.sh; chmod +x /x.sh; /x.sh a b; cd /; ./x.sh", "/x.sh 2\n./x.sh 0\n"},
		"a script without a first line":   {"echo 'echo $1' > /y; chmod 755 /y; /y plain", "plain\n"},
		"a script found by env":           {"printf '#!/usr/bin/env bash\\necho by env\\n' > /usr/local/bin/z; chmod +x /usr/local/bin/z; z", "by env\n"},
		"bash with text":                  {"bash -c 'echo $0 $1' name arg; bash -ec 'false; echo no' || echo $?", "name arg\n1\n"},
		"bash of standard input":          {"echo 'echo piped' | bash; bash -s x <<< 'echo $1'", "piped\nx\n"},
		"exported variables":              {"export A=1; B=2; C=3 bash -c 'echo $A.$B.$C'; env | grep -c '^A=1$'", "1..3\n1\n"},
		"sudo":                            {"sudo -E whoami; sudo V=1 bash -c 'echo $V'", "root\n1\n"},
		"command -v and type":             {"f() { :; }; command -v ls f cd; type -t ls; type f ls; command -v nothing || echo none", "/usr/bin/ls\nf\ncd\nfile\nf is a function\nls is /usr/bin/ls\nnone\n"},
		"pwd through a link":              {"mkdir -p /real/d; ln -s /real /link; cd /link/d; pwd; pwd -P; builtin pwd -P", "/link/d\n/real/d\n/real/d\n"},
		"an absolute link":                {"ln -s /usr/bin/cat /usr/local/bin/mycat; echo x > /n; mycat /n; readlink -f /usr/local/bin/mycat", "x\n/usr/libexec/stand-in\n"},
		"homes":                           {"echo ~ ~root ~ec2-user ~nosuch", "/root /root /home/ec2-user ~nosuch\n"},
		"standard streams by their names": {"echo out > /dev/stdout; echo lost > /dev/null; echo in | cat /dev/null -", "out\nin\n"},
		"errors joined to output":         {"cat /missing 2>&1 || true", "cat: /missing: No such file or directory\n"},
		"the user's number":               {"echo $UID $EUID; id -u; env | grep -c UID || true", "0 0\n0\n0\n"},
		"xargs and find":                  {"mkdir /fx; touch /fx/a /fx/b; find /fx -type f -name '[ab]' | xargs -n1 basename; find /fx -type f -delete; ls /fx", "a\nb\n"},
		"an archive":                      {"mkdir -p /t/d; echo 1 > /t/d/f; ln -s f /t/d/l; tar czf /t.tgz -C /t d; mkdir /u; tar -xzf /t.tgz -C /u; cat /u/d/l; tar tzf /t.tgz", "1\nd\nd/f\nd/l\n"},
		"installed files":                 {"echo x > /i; install -D -m 0640 /i /opt/q/i; stat -c '%a %s %n' /opt/q/i; install -d -m 750 /opt/r; stat -c %a /opt/r", "640 2 /opt/q/i\n750\n"},
		"a user":                          {"useradd -r -s /sbin/nologin web; id -u web; getent passwd web | cut -d: -f1,6,7; getent passwd none || echo $?", "201\nweb:/home/web:/sbin/nologin\n2\n"},
		"edits in place":                  {"printf 'a=1\\nb=2\\n' > /c; sed -i -e 's/^a=.*/a=9/' -e '/^b/d' /c; cat /c; sed -n '$p' /c", "a=9\na=9\n"},
		"expressions of both kinds":       {"echo aab | grep -E '^a+b$'; echo 'a+b' | grep 'a+b'; echo abc | sed -E 's/(b)(c)/\\2\\1/'; echo abc | sed 's/\\(b\\)c/<\\1&>/'", "aab\na+b\nacb\na<bbc>\n"},
		"checksums":                       {"echo x > /sum; sha256sum /sum > /sums; sha256sum -c /sums; echo y > /sum; sha256sum -c /sums 2>/dev/null || echo $?", "/sum: OK\n/sum: FAILED\n1\n"},
		"the release":                     {". /etc/os-release; echo $ID $VERSION; uname -s; hostname", "amzn 2023\nLinux\n" + id + ".ec2.internal\n"},
		"time":                            {"date -u +%FT%TZ; date +%s", "2026-01-01T00:00:00Z\n1767225600\n"},
		"umask":                           {"umask 022; echo ok", "ok\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.run(c.script)
			want := Result{Stdout: c.want}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", c.script, diff)
			}
		})
	}
}

func TestRun_FailsAsAShellDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	for name, c := range map[string]struct {
		script string
		code   int
		stderr string
	}{
		"an unknown command":            {"nosuch", 127, "nosuch: command not found"},
		"an unknown path":               {"/no/such", 127, "No such file or directory"},
		"a directory":                   {"/etc", 126, "Is a directory"},
		"a file that is not executable": {"echo x > /f; /f", 126, "Permission denied"},
		"an interpreter that is absent": {"#!/usr/bin/python3\nprint()", 127, "/usr/bin/python3: bad interpreter"},
		"a command that fails under -e": {"set -e; false; echo no", 1, ""},
		"a pipe under pipefail":         {"set -o pipefail; cat /no | cat", 1, "cat: /no"},
		"an unset variable under -u":    {"set -u; echo $nope", 1, "nope"},
		"an exit code":                  {"exit 42", 42, ""},
		"an unknown option":             {"rm --everything x", 1, "unrecognized option '--everything'"},
		"an unknown letter":             {"cp -Z a b", 1, "invalid option -- 'Z'"},
		"a syntax error":                {"if true; then", 2, "_script.sh:1:10"},
		"a sourced file that is absent": {"source /nope", 1, "source: /nope: No such file or directory"},
		"a process substitution":        {"cat <(echo x)", 2, "process substitution is not supported"},
		"one that is evaluated":         {"eval 'cat <(echo x)'", 1, "process substitution is not supported"},
		"the machine's own programs":    {"go version", 127, "go: command not found"},
		"the AWS command line":          {"aws s3 ls", 127, "aws: command not found"},
		"a removed program":             {"rm /usr/bin/curl; curl http://x", 127, "curl: command not found"},
		"the root removed":              {"rm -rf /", 1, "dangerous"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.run(c.script)
			if got.ExitCode != c.code || !strings.Contains(got.Stderr, c.stderr) || got.Stdout != "" {
				t.Errorf("%s: got %d, %q, %q; want %d and %q", c.script, got.ExitCode, got.Stdout, got.Stderr, c.code, c.stderr)
			}
		})
	}
}
