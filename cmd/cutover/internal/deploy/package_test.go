package deploy

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestZip_SameFilesMakeTheSameBytes(t *testing.T) {
	t.Parallel()
	var archives [2][]byte
	for i := range archives {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
		// Modes and times differ as they do between machines and moments.
		for name, mode := range map[string]os.FileMode{"bootstrap": []os.FileMode{0o700, 0o755}[i], "sub/data": []os.FileMode{0o600, 0o664}[i]} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte("content of "+name), mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, time.Time{}, time.Unix(int64(1_000_000*(i+1)), 0)); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if archives[i], err = Zip(dir); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the same files: got two different archives")
	}
	r, err := zip.NewReader(bytes.NewReader(archives[0]), int64(len(archives[0])))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 2 || r.File[0].Name != "bootstrap" || r.File[0].Mode() != 0o755 || r.File[1].Mode() != 0o644 {
		t.Errorf("archive: got %v, want an executable bootstrap and a plain sub/data", r.File)
	}
}

func TestZip_NamesADirectoryThatIsNotThere(t *testing.T) {
	t.Parallel()
	if _, err := Zip(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("got no error")
	}
}
