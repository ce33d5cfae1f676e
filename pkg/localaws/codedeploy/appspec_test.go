package codedeploy

import (
	"strings"
	"testing"
	"time"
)

func TestParseAppSpec_NamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parseAppSpec([]byte(`
version: 1.0
os: windows
resources: []
files:
  - source: /
  - source: app
    destination: srv
permissions:
  - object: tmp
    mode: 0899
    type: [link]
    acls: [x]
hooks:
  Install:
    - location: a.sh
  AfterInstall:
    - location: a.sh
      timeout: 3601
    - timeout: 3000
file_exists_behavior: KEEP
`))
	if err == nil {
		t.Fatal("parse: got no error")
	}
	for _, want := range []string{
		"version: is 1", `os: is "windows"`, "resources: is unknown", "files[0].destination: is required", `files[1].destination: "srv"`,
		`permissions[0].object: "tmp"`, `permissions[0].mode: "0899"`, `permissions[0].type: "link"`, "permissions[0].acls: is unknown",
		"hooks.Install: is no lifecycle event", "hooks.AfterInstall[0].timeout: is 3601", "hooks.AfterInstall[1].location: is required",
		"sum up to 1h50m0s", `file_exists_behavior: is "KEEP"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error: got %v, want %s in it", err, want)
		}
	}
}

func TestParseAppSpec_UnderstandsWhatAWSDoes(t *testing.T) {
	t.Parallel()
	got, err := parseAppSpec([]byte(spec + "permissions: [{object: /srv, mode: 644}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if h := got.Hooks["AfterInstall"][0]; h.Location != "scripts/configure.sh" || h.timeout() != 5*time.Minute || h.RunAs != "root" {
		t.Errorf("hook: got %+v", h)
	}
	if m := got.Permissions[0].Mode; m != "644" {
		t.Errorf("mode: got %q, want its digits", m)
	}
	plain, err := parseAppSpec([]byte("version: 0.0\nos: linux\nhooks: {ApplicationStop: [{location: a}, {location: b}]}\n"))
	if err != nil || plain.Hooks["ApplicationStop"][0].timeout() != time.Hour {
		t.Errorf("hook without timeout: got %+v, %v, want an hour", plain, err)
	}
}

func FuzzParseAppSpec(f *testing.F) {
	f.Add([]byte(spec))
	f.Add([]byte("version: 0.0\nos: linux\npermissions: [{object: /, pattern: '[', except: ['*'], mode: 7777, type: [file]}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseAppSpec(text)
		if err != nil {
			return
		}
		if faults := got.faults(); len(faults) > 0 {
			t.Errorf("parse: got an appspec with faults %q", faults)
		}
		for _, p := range got.Permissions {
			p.matches("x", false)
		}
	})
}
