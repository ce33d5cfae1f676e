package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newDisk makes a volume beside a secret of the host's.
func newDisk(t testing.TB) (d *Disk, host string) {
	t.Helper()
	host = t.TempDir()
	dir := filepath.Join(host, "volume")
	if err := errors.Join(os.WriteFile(filepath.Join(host, "secret"), []byte("secret"), 0o644), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	err = errors.Join(
		d.MkdirAll("/a/b", 0o755), d.WriteFile("/a/f", []byte("f"), 0o640), d.Symlink("/a/b", "/abs"), d.Symlink("../a", "/up"),
		d.Symlink("../../../../a/f", "/a/b/far"), d.Symlink("loop", "/loop"), d.Symlink("/new", "/dangling"), d.Symlink(host+"/secret", "/out"),
	)
	if err != nil {
		t.Fatal(err)
	}
	return d, host
}

func TestResolve_StaysBelowTheTop(t *testing.T) {
	t.Parallel()
	d, host := newDisk(t)
	for name, c := range map[string]struct {
		path string
		want string
		err  error
	}{
		"the top":                            {"/", "/", nil},
		"above the top":                      {"/../..", "/", nil},
		"a file":                             {"//a/./f", "/a/f", nil},
		"up and down":                        {"/a/b/../f", "/a/f", nil},
		"an absolute link":                   {"/abs/../f", "/a/f", nil},
		"a link that goes up too far":        {"/a/b/far", "/a/f", nil},
		"a link beside the top":              {"/up/b", "/a/b", nil},
		"a link to what is not there":        {"/dangling", "/new", nil},
		"a link to a path of the host":       {"/out", "", fs.ErrNotExist},
		"what is not there":                  {"/a/none", "/a/none", nil},
		"below what is not there":            {"/none/x", "", fs.ErrNotExist},
		"back from what is not there":        {"/none/../a", "", fs.ErrNotExist},
		"below a file":                       {"/a/f/x", "", syscall.ENOTDIR},
		"a file as a directory":              {"/a/f/", "", syscall.ENOTDIR},
		"a loop":                             {"/loop", "", syscall.ELOOP},
		"a name that is too long":            {"/" + strings.Repeat("x", 300), "", syscall.ENAMETOOLONG},
		"a name with a zero":                 {"/a\x00b", "", syscall.EINVAL},
		"a relative path":                    {"a/f", "", fs.ErrNotExist},
		"the volume's own place on the host": {host + "/volume/a", "", fs.ErrNotExist},
	} {
		got, err := d.Resolve(c.path, true)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %q, %v; want %q, %v", name, got, err, c.want, c.err)
		}
		var fault *fs.PathError
		if err != nil && (!errors.As(err, &fault) || fault.Path != c.path) {
			t.Errorf("%s: got %v, want an error of the path itself", name, err)
		}
	}
}

func FuzzResolve_LeadsNowhereElse(f *testing.F) {
	for _, path := range []string{"/abs/../f", "/up/../../secret", "/out", "/a/b/far", "/a//./b/../..", "/dangling/x"} {
		f.Add(path, "../x")
	}
	f.Fuzz(func(t *testing.T, path, link string) {
		d, host := newDisk(t)
		_ = d.Symlink(link, "/fuzz") // what is no link is no matter
		for _, name := range []string{path, "/fuzz/" + path, "/fuzz"} {
			resolved, err := d.Resolve(name, true)
			if err == nil && (!strings.HasPrefix(resolved, "/") || strings.Contains(resolved+"/", "/../")) {
				t.Errorf("%q: got %q, want a path below the top", name, resolved)
			}
			if content, err := d.ReadFile(name); err == nil && string(content) == "secret" {
				t.Errorf("%q: got the host's file", name)
			}
			_ = d.WriteFile(name, []byte("w"), 0o644)
			_ = d.RemoveAll(name)
		}
		if content, err := os.ReadFile(filepath.Join(host, "secret")); err != nil || string(content) != "secret" {
			t.Errorf("%q, %q: got %q, %v; want the host's file as it was", path, link, content, err)
		}
	})
}

func TestDisk_DevicesKeepNothing(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t)
	if err := d.MkdirAll("/dev", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteFile("/a/../dev/null", []byte("lost"), 0o644); err != nil {
		t.Fatal(err)
	}
	if content, err := d.ReadFile("/dev/null"); err != nil || len(content) != 0 {
		t.Errorf("null: got %q, %v; want nothing", content, err)
	}
	if entries, err := d.ReadDir("/dev"); err != nil || len(entries) != 0 {
		t.Errorf("/dev: got %v, %v; want no file", entries, err)
	}
}

func TestCopy_KeepsWhatItIs(t *testing.T) {
	t.Parallel()
	d, host := newDisk(t)
	then := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := errors.Join(d.Chmod("/a/b", 0o750), d.Chtimes("/a/f", then)); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(host, "copy")
	if err := Copy(d.Dir(), to); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteFile("/a/f", []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(to, "a", "f")); err != nil || string(content) != "f" {
		t.Errorf("file: got %q, %v; want it as it was", content, err)
	}
	info, err := os.Stat(filepath.Join(to, "a", "f"))
	if err != nil || info.Mode() != 0o640 || !info.ModTime().Equal(then) {
		t.Errorf("file: got %v, %v; want its mode and time", info, err)
	}
	if info, err := os.Stat(filepath.Join(to, "a", "b")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("directory: got %v, %v; want its mode", info, err)
	}
	if link, err := os.Readlink(filepath.Join(to, "abs")); err != nil || link != "/a/b" {
		t.Errorf("link: got %q, %v; want it as it is", link, err)
	}
	if err := Copy(filepath.Join(host, "none"), filepath.Join(host, "other")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("copy of nothing: got %v, want that it is not there", err)
	}
}

// A volume that changes while it is copied gives a copy of it, never of the host.
func TestCopy_ReadsNothingElse(t *testing.T) {
	t.Parallel()
	d, host := newDisk(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			// Each may fail, as the other is copying.
			_ = d.RemoveAll("/s")
			_ = d.WriteFile("/s", []byte("mine"), 0o644)
			_ = d.RemoveAll("/s")
			_ = d.Symlink("../secret", "/s")
			_ = d.RemoveAll("/s")
			_ = d.Mkdir("/s", 0o755)
			_ = d.WriteFile("/s/secret", []byte("mine"), 0o644)
			_ = d.Rename("/s", "/t")
			_ = d.Symlink("..", "/s")
			_ = d.RemoveAll("/t")
		}
	}()
	for range 50 {
		to := filepath.Join(host, "copy")
		err := Copy(d.Dir(), to)
		bad := filepath.WalkDir(to, func(name string, entry fs.DirEntry, failed error) error {
			if failed != nil || !entry.Type().IsRegular() {
				return failed
			}
			content, failed := os.ReadFile(name)
			if string(content) == "secret" {
				t.Errorf("%s: got the host's file (copy: %v)", name, err)
			}
			return failed
		})
		if err == nil && bad != nil {
			t.Errorf("copy: got %v, want one", bad)
		}
		if err := os.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-stopped
}
