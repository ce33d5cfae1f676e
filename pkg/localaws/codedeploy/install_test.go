package codedeploy

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// A bundle can write nowhere but below its own directory.
func TestUnpack_NeverLeavesItsDirectory(t *testing.T) {
	t.Parallel()
	type entry struct {
		name, content string
		mode          fs.FileMode
	}
	for name, entries := range map[string][]entry{
		"a name with ..":               {{"../out", "x", 0o644}},
		"a name with .. further down":  {{"a/../../out", "x", 0o644}},
		"an absolute name":             {{"/out", "x", 0o644}},
		"through a link to above":      {{"link", "..", fs.ModeSymlink | 0o777}, {"link/out", "x", 0o644}},
		"through an absolute link":     {{"link", "/", fs.ModeSymlink | 0o777}, {"link/tmp/out", "x", 0o644}},
		"onto a link to a file above":  {{"link", "../out", fs.ModeSymlink | 0o777}, {"link", "x", 0o644}},
		"a directory above":            {{"../out/", "", fs.ModeDir | 0o755}},
		"something that is not a file": {{"pipe", "", fs.ModeNamedPipe | 0o644}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var body bytes.Buffer
			z := zip.NewWriter(&body)
			for _, e := range entries {
				header := &zip.FileHeader{Name: e.name}
				header.SetMode(e.mode)
				f, err := z.CreateHeader(header)
				if err == nil {
					_, err = f.Write([]byte(e.content))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			above := t.TempDir()
			if err := os.Mkdir(filepath.Join(above, "archive"), 0o755); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(filepath.Join(above, "archive"))
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			if err := unpack(root, body.Bytes()); err == nil {
				t.Error("unpack: got no error")
			}
			if left, err := os.ReadDir(above); err != nil || len(left) != 1 {
				t.Errorf("above the directory: got %v (error %v), want the directory only", left, err)
			}
		})
	}
}

func TestInstall_DoesAsTheAppSpecSays(t *testing.T) {
	t.Parallel()
	const files = "version: 0.0\nos: linux\nfiles:\n  - {source: app, destination: /srv/hello}\n  - {source: app/VERSION, destination: /etc}\n"
	for name, c := range map[string]struct {
		spec  string
		there string // content of /srv/hello/VERSION before
		want  string // after
		fault string
	}{
		"files are copied":                           {spec: files, want: "one"},
		"a file that is there fails the deployment":  {spec: files, there: "mine", want: "mine", fault: "a specified file already exists at this location: /srv/hello/VERSION"},
		"a file that is there is overwritten":        {spec: files + "file_exists_behavior: OVERWRITE\n", there: "mine", want: "one"},
		"a file that is there is retained":           {spec: files + "file_exists_behavior: RETAIN\n", there: "mine", want: "mine"},
		"a source that is not there":                 {spec: files + "  - {source: none, destination: /srv}\n", want: "one", fault: "copy none"},
		"a source outside of the revision is inside": {spec: strings.Replace(files, "source: app,", "source: ../../app,", 1), want: "one"},
		"an object of permissions that is not there": {spec: files + "permissions: [{object: /none, mode: 644}]\n", want: "one", fault: "set permissions of /none"},
		"a fault of the appspec":                     {spec: files + "hook: {}\n", fault: "hook: is unknown to the embedded AWS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.setUp(inPlace())
			w.groups["web"].ids = []string{"i-1"}
			if c.there != "" {
				if err := os.MkdirAll(filepath.Join(w.disk("i-1"), "srv/hello"), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(w.disk("i-1"), "srv/hello/VERSION"), []byte(c.there), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			revision := revisionFiles("one")
			revision["appspec.yml"] = c.spec
			id := w.deploy("one.zip", revision)
			status := types.DeploymentStatusSucceeded
			if c.fault != "" {
				status = types.DeploymentStatusFailed
			}
			w.await(id, status)
			if got := w.read("i-1", "srv/hello/VERSION"); got != c.want {
				t.Errorf("/srv/hello/VERSION: got %q, want %q", got, c.want)
			}
			var messages string
			for _, e := range w.instance(id, "i-1").LifecycleEvents {
				if e.Diagnostics != nil && e.Diagnostics.ErrorCode != types.LifecycleErrorCodeSuccess {
					messages += *e.LifecycleEventName + ": " + *e.Diagnostics.Message
				}
			}
			if !strings.Contains(messages, c.fault) || c.fault == "" && messages != "" {
				t.Errorf("diagnostics: got %q, want %q", messages, c.fault)
			}
		})
	}
}

func TestInstall_KeepsModesAndSetsThoseOfPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(inPlace())
	w.groups["web"].ids = []string{"i-1"}
	revision := revisionFiles("one")
	revision["app/conf/secret.conf"], revision["app/conf/open.conf"] = "s", "o"
	revision["appspec.yml"] = spec + `permissions:
  - {object: /srv/hello/conf, pattern: "*.conf", except: [open.conf], owner: web, group: web, mode: "600", type: [file]}
  - {object: /srv/hello/conf, mode: 700, type: [directory]}
`
	w.await(w.deploy("one.zip", revision), types.DeploymentStatusSucceeded)
	for file, want := range map[string]fs.FileMode{
		"bin/hello": 0o755, "VERSION": 0o640, "conf/secret.conf": 0o600, "conf/open.conf": 0o640, "conf": 0o700,
	} {
		info, err := os.Stat(filepath.Join(w.disk("i-1"), "srv/hello", file))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s: got %o, want %o", file, got, want)
		}
	}
	var noted struct{ Instructions []instruction }
	text := w.read("i-1", agentRoot+"/deployment-instructions/"+*w.group().DeploymentGroupId+"-install.json")
	if err := json.Unmarshal([]byte(text), &noted); err != nil {
		t.Fatal(err)
	}
	want := instruction{Type: "chown", File: "/srv/hello/conf/secret.conf", Owner: "web", Group: "web"}
	for _, i := range noted.Instructions {
		if i == want {
			return
		}
	}
	t.Errorf("install instructions: got %s, want the owner noted", text)
}
