package workload

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func newStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := NewStore(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestPull_UnpacksOnceHoweverManyAsk(t *testing.T) {
	t.Parallel()
	r := newImages(t)
	ref := r.push(image(t, v1.Config{WorkingDir: "/a"}, archive(t, "1", file("a/x"), file("a/y")), archive(t, "2", file("a/.wh.x"))), "app:v1")
	where := t.TempDir()
	s := newStore(t, where)
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			pulled, err := s.Pull(t.Context(), ref)
			if err != nil {
				t.Error(err)
				return
			}
			if diff := cmp.Diff(map[string]string{"a/": "", "a/y": "1 a/y"}, tree(t, pulled.Root)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if pulled.Config.WorkingDir != "/a" {
				t.Errorf("working directory: got %q, want /a", pulled.Config.WorkingDir)
			}
		})
	}
	asking.Wait()
	if _, blobs := r.counts(); blobs != 3 {
		t.Errorf("blobs fetched by 8 at a time: got %d, want the configuration and 2 layers once", blobs)
	}

	pulled, err := s.Pull(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := r.counts()
	again := newStore(t, where) // as after a restart
	byDigest, err := again.Pull(t.Context(), r.host+"/app@"+pulled.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pulled, byDigest); diff != "" {
		t.Errorf("pulled by digest (-by tag +by digest):\n%s", diff)
	}
	if after, _ := r.counts(); after != before {
		t.Errorf("requests for a digest that is here: got %d, want 0", after-before)
	}
	if entries, _ := os.ReadDir(where); len(entries) != 1 {
		t.Errorf("image directory: got %d entries, want 1", len(entries))
	}
}

func TestPull_TagThatMovedIsPulledAnew(t *testing.T) {
	t.Parallel()
	r := newImages(t)
	s := newStore(t, t.TempDir())
	for _, version := range []string{"1", "2"} {
		ref := r.push(image(t, v1.Config{}, archive(t, version, file("x"))), "app:latest")
		pulled, err := s.Pull(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(pulled.Root, "x"))
		if err != nil || string(content) != version+" x" {
			t.Errorf("version %s: got %q, %v", version, content, err)
		}
	}
}

func TestPull_TakesThisMachinesImageFromAnIndex(t *testing.T) {
	t.Parallel()
	r := newImages(t)
	ours := image(t, v1.Config{}, archive(t, "ours", file("x")))
	theirs := image(t, v1.Config{}, archive(t, "theirs", file("x")))
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: theirs, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "plan9", Architecture: "mips"}}},
		mutate.IndexAddendum{Add: ours, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}}})
	ref, err := name.ParseReference(r.host + "/app:multi")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	pulled, err := newStore(t, t.TempDir()).Pull(t.Context(), ref.String())
	if err != nil {
		t.Fatal(err)
	}
	want, _ := ours.Digest()
	if pulled.Digest != want.String() {
		t.Errorf("digest: got %s, want that of our platform's image %s", pulled.Digest, want)
	}
}

func TestPull_SaysWhyItCannot(t *testing.T) {
	t.Parallel()
	r := newImages(t)
	foreign, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "plan9", Architecture: "mips"})
	if err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx       context.Context
		ref, want string
	}{
		"an image that is not there":      {t.Context(), r.host + "/nowhere:v1", "NAME_UNKNOWN"},
		"a malformed reference":           {t.Context(), "UPPER CASE", "could not parse reference"},
		"an image of another platform":    {t.Context(), r.push(foreign, "foreign:v1"), "image is for plan9/mips"},
		"a layer that leads outside":      {t.Context(), r.push(image(t, v1.Config{}, archive(t, "1", file("../x"))), "evil:v1"), "leads outside"},
		"a caller who does not wait":      {canceled, r.push(image(t, v1.Config{}), "app:v1"), "context canceled"},
		"a registry that does not answer": {t.Context(), "127.0.0.1:1/app:v1", "refused"},
	} {
		where := t.TempDir()
		_, err := newStore(t, where).Pull(c.ctx, c.ref)
		var fault *Error
		if !errors.As(err, &fault) || fault.Code != CannotPull || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s with %q", name, err, CannotPull, c.want)
		}
		if entries, _ := os.ReadDir(where); len(entries) != 0 {
			t.Errorf("%s: got %v left behind, want nothing", name, entries)
		}
	}
}

func TestPull_AfterCloseFails(t *testing.T) {
	t.Parallel()
	r := newImages(t)
	ref := r.push(image(t, v1.Config{}, archive(t, "1", file("x"))), "app:v1")
	s := newStore(t, t.TempDir())
	s.Close()
	if _, err := s.Pull(t.Context(), ref); err == nil {
		t.Error("got no error, want one")
	}
}
