package workload

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Entries of a layer in a test: a directory ends in a slash; others are files
// with their own name as content, or links.
func dir(name string) tar.Header  { return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755} }
func file(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644} }
func symlink(a, b string) tar.Header {
	return tar.Header{Name: a, Linkname: b, Typeflag: tar.TypeSymlink}
}
func link(a, b string) tar.Header { return tar.Header{Name: a, Linkname: b, Typeflag: tar.TypeLink} }

// archive makes a layer. Each file holds its layer's number and its name.
func archive(t testing.TB, layer string, entries ...tar.Header) []byte {
	t.Helper()
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, h := range entries {
		content := layer + " " + h.Name
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(w, content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// tree lists what is below a directory: files with their content, links with
// their target.
func tree(t testing.TB, root string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		relative, _ := filepath.Rel(root, name)
		switch {
		case entry.IsDir():
			got[relative+"/"] = ""
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			got[relative] = "-> " + target
			return err
		default:
			content, err := os.ReadFile(name)
			got[relative] = string(content)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestApplyLayer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		layers [][]tar.Header
		want   map[string]string
	}{
		{
			"a file of an upper layer replaces that of a lower one",
			[][]tar.Header{{dir("a/"), file("a/x")}, {file("./a/x")}},
			map[string]string{"a/": "", "a/x": "2 ./a/x"},
		},
		{
			"directories that no entry names are made",
			[][]tar.Header{{file("/a/b/x")}},
			map[string]string{"a/": "", "a/b/": "", "a/b/x": "1 /a/b/x"},
		},
		{
			"a whiteout removes what a lower layer left, whole directories too",
			[][]tar.Header{{file("a/x"), file("a/y"), file("b/c/z")}, {file("a/.wh.x"), file(".wh.b")}},
			map[string]string{"a/": "", "a/y": "1 a/y"},
		},
		{
			"a whiteout of nothing does nothing",
			[][]tar.Header{{file("a/x")}, {file("a/.wh.gone"), file("nowhere/.wh.gone")}},
			map[string]string{"a/": "", "a/x": "1 a/x"},
		},
		{
			"an opaque directory loses what lower layers left and keeps its own, before and after the mark",
			[][]tar.Header{{file("a/x"), file("a/sub/old"), file("a/other/old")}, {file("a/before"), file("a/sub/new"), file("a/.wh..wh..opq"), file("a/after")}},
			map[string]string{"a/": "", "a/before": "2 a/before", "a/after": "2 a/after", "a/sub/": "", "a/sub/new": "2 a/sub/new"},
		},
		{
			"a whiteout does not remove what its own layer made",
			[][]tar.Header{{file("x")}, {file("x"), file(".wh.x")}},
			map[string]string{"x": "2 x"},
		},
		{
			"a file replaces a directory, a directory a file",
			[][]tar.Header{{file("a/x"), file("b")}, {file("a"), file("b/y")}},
			map[string]string{"a": "2 a", "b/": "", "b/y": "2 b/y"},
		},
		{
			"a directory keeps its content when a later layer names it again",
			[][]tar.Header{{dir("a"), file("a/x")}, {dir("a")}},
			map[string]string{"a/": "", "a/x": "1 a/x"},
		},
		{
			"an absolute link leads to the place inside the image",
			[][]tar.Header{{dir("usr/bin"), symlink("bin", "/usr/bin")}, {file("bin/x")}},
			map[string]string{"usr/": "", "usr/bin/": "", "bin": "-> usr/bin", "usr/bin/x": "2 bin/x"},
		},
		{
			"a link that climbs above the root stops there",
			[][]tar.Header{{dir("a/b"), symlink("a/b/up", "../../../../etc")}},
			map[string]string{"a/": "", "a/b/": "", "a/b/up": "-> ../../etc"},
		},
		{
			"a relative link stays as it is",
			[][]tar.Header{{file("a/x"), symlink("a/b/l", "../x")}},
			map[string]string{"a/": "", "a/x": "1 a/x", "a/b/": "", "a/b/l": "-> ../x"},
		},
		{
			"a hard link is the file it names",
			[][]tar.Header{{file("a/x"), link("y", "/a/x")}},
			map[string]string{"a/": "", "a/x": "1 a/x", "y": "1 a/x"},
		},
		{
			"a file does not go through a link of its own name",
			[][]tar.Header{{file("a"), symlink("l", "a")}, {file("l")}},
			map[string]string{"a": "1 a", "l": "2 l"},
		},
		{
			"devices and fifos are left out",
			[][]tar.Header{{{Name: "null", Typeflag: tar.TypeChar}, {Name: "pipe", Typeflag: tar.TypeFifo}, file("x")}},
			map[string]string{"x": "1 x"},
		},
	} {
		at := t.TempDir()
		root, err := os.OpenRoot(at)
		if err != nil {
			t.Fatal(err)
		}
		for i, layer := range c.layers {
			if err := applyLayer(root, bytes.NewReader(archive(t, string(rune('1'+i)), layer...))); err != nil {
				t.Errorf("%s: layer %d: %v", c.name, i+1, err)
			}
		}
		if diff := cmp.Diff(c.want, tree(t, at)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		_ = root.Close()
	}
}

func TestApplyLayer_RefusesToLeaveTheImage(t *testing.T) {
	t.Parallel()
	for name, entries := range map[string][]tar.Header{
		"a name that climbs":             {file("../x")},
		"a name that climbs in the end":  {file("a/../../x")},
		"a directory that climbs":        {dir("..")},
		"a hard link to the outside":     {link("x", "../secret")},
		"a whiteout of what is outside":  {file("../.wh.secret")},
		"a whiteout of the directory":    {file("a/.wh...")},
		"a hard link to itself":          {file("x"), link("x", "./x")},
		"a hard link through a link out": {symlink("out", "x/../.."), dir("x"), link("y", "out/secret")},
	} {
		at := t.TempDir()
		secret := filepath.Join(at, "secret")
		if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(at, "root"), 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(filepath.Join(at, "root"))
		if err != nil {
			t.Fatal(err)
		}
		if err := applyLayer(root, bytes.NewReader(archive(t, "1", entries...))); err == nil {
			t.Errorf("%s: got no error, want one; there is now %v", name, tree(t, at))
		}
		if content, err := os.ReadFile(secret); err != nil || string(content) != "secret" {
			t.Errorf("%s: the file outside: got %q, %v; want it untouched", name, content, err)
		}
		_ = root.Close()
	}
}

func TestLinkTarget_NeverLeadsOutside(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"a", "b", "..", ".", ""})
	rapid.Check(t, func(t *rapid.T) {
		name := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 4).Draw(t, "name"), "/")
		target := strings.Join(rapid.SliceOfN(part, 1, 6).Draw(t, "target"), "/")
		got := linkTarget(name, target)
		if path.IsAbs(got) {
			t.Fatalf("link %s to %s: got absolute %s", name, target, got)
		}
		full := target
		if !path.IsAbs(target) {
			full = path.Dir("/"+name) + "/" + target
		}
		if reached, want := path.Join("/", path.Dir(name), got), path.Clean(full); reached != want {
			t.Fatalf("link %s to %s: got %s, which leads to %s, want %s", name, target, got, reached, want)
		}
		if local := path.Join(path.Dir(name), got); local == ".." || strings.HasPrefix(local, "../") {
			t.Fatalf("link %s to %s: got %s, which leads outside", name, target, got)
		}
	})
}

// FuzzApplyLayer unpacks anything over a tree with links in it: outside of the
// root, nothing may change.
func FuzzApplyLayer(f *testing.F) {
	f.Add(archive(f, "1", dir("a"), file("a/x"), symlink("l", "/"), file("l/y"), link("z", "a/x")))
	f.Add(archive(f, "1", file("a/.wh..wh..opq"), file("a/.wh.x"), symlink("a/up", "../../.."), file("a/up/secret")))
	f.Add(archive(f, "1", file("../secret"), symlink("s", "../secret"), link("s", "../secret")))
	f.Fuzz(func(t *testing.T, layer []byte) {
		at := t.TempDir()
		inner := filepath.Join(at, "root")
		if err := errors.Join(os.Mkdir(inner, 0o755), os.WriteFile(filepath.Join(at, "secret"), []byte("secret"), 0o600)); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(inner)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := applyLayer(root, bytes.NewReader(archive(t, "0", file("a/x"), symlink("out", "/../..")))); err != nil {
			t.Fatal(err)
		}
		_ = applyLayer(root, bytes.NewReader(layer)) // may be refused
		outside, err := os.ReadDir(at)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(at, "secret"))
		if len(outside) != 2 || err != nil || string(content) != "secret" {
			t.Fatalf("outside of the root: got %v and secret %q (%v), want what was there", outside, content, err)
		}
	})
}
