package workload

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Whiteouts: how a layer says that something of a lower layer is gone.
// https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// applyLayer applies one layer, a tar archive, to what lower layers left in root.
// Nothing outside root is read or written, whatever the layer's names and links
// say: absolute and escaping symbolic links are rewritten to the place inside
// root that a container would see, and a name that leads outside is an error.
func applyLayer(root *os.Root, layer io.Reader) error {
	u := unpacker{root: root, written: map[string]bool{}}
	archive := tar.NewReader(layer)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read layer: %w", err)
		}
		if err := u.entry(header, archive); err != nil {
			return fmt.Errorf("unpack %q: %w", header.Name, err)
		}
	}
}

type unpacker struct {
	root *os.Root
	// written holds what this layer made, with every directory above it:
	// whiteouts concern lower layers only, wherever in the archive they stand.
	written map[string]bool
}

func (u *unpacker) entry(header *tar.Header, content io.Reader) error {
	name, err := inside(header.Name)
	if err != nil {
		return err
	}
	if name == "." {
		return nil
	}
	dir, base := path.Split(name)
	dir = path.Clean("./" + dir)
	switch {
	case base == whiteoutOpaque:
		return u.hideBelow(dir)
	case strings.HasPrefix(base, whiteoutPrefix):
		return u.hide(path.Join(dir, strings.TrimPrefix(base, whiteoutPrefix)))
	}
	if err := u.makeParents(dir); err != nil {
		return err
	}
	u.note(name)
	return u.write(name, header, content)
}

// inside turns an archive's name into a path relative to the root.
func inside(name string) (string, error) {
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if name == "" || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", errors.New("name leads outside of the image")
	}
	return clean, nil
}

func (u *unpacker) note(name string) {
	for ; name != "." && !u.written[name]; name = path.Dir(name) {
		u.written[name] = true
	}
}

// makeParents makes the directories above an entry; a file in the way, left by a
// lower layer, gives way. A link to a directory stays, as in a container.
func (u *unpacker) makeParents(dir string) error {
	if dir == "." {
		return nil
	}
	if info, err := u.root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := u.makeParents(path.Dir(dir)); err != nil {
		return err
	}
	if info, err := u.root.Lstat(dir); err == nil && info.Mode().IsRegular() {
		if err := u.root.Remove(dir); err != nil {
			return err
		}
	}
	return u.root.Mkdir(dir, 0o755)
}

func (u *unpacker) write(name string, header *tar.Header, content io.Reader) error {
	mode := header.FileInfo().Mode().Perm()
	switch header.Typeflag {
	case tar.TypeDir:
		return u.directory(name, mode|0o700)
	case tar.TypeReg:
		return u.regular(name, mode|0o600, content)
	case tar.TypeSymlink:
		if err := u.clear(name); err != nil {
			return err
		}
		return u.root.Symlink(linkTarget(name, header.Linkname), name)
	case tar.TypeLink:
		old, err := inside(header.Linkname)
		if err != nil {
			return fmt.Errorf("link to %q: %w", header.Linkname, err)
		}
		if old == name {
			return errors.New("link to itself")
		}
		if err := u.clear(name); err != nil {
			return err
		}
		return u.root.Link(old, name)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo, tar.TypeXGlobalHeader:
		return nil // left out, see the package's differences
	}
	return fmt.Errorf("unknown entry type %q", header.Typeflag)
}

func (u *unpacker) directory(name string, mode fs.FileMode) error {
	if info, err := u.root.Lstat(name); err == nil && info.IsDir() {
		return u.root.Chmod(name, mode)
	}
	if err := u.clear(name); err != nil {
		return err
	}
	if err := u.root.Mkdir(name, mode); err != nil {
		return err
	}
	return u.root.Chmod(name, mode) // past the umask
}

func (u *unpacker) regular(name string, mode fs.FileMode, content io.Reader) error {
	if err := u.clear(name); err != nil {
		return err
	}
	file, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Chmod(mode), file.Close())
}

// clear makes room for an entry that replaces whatever was there.
func (u *unpacker) clear(name string) error { return u.root.RemoveAll(name) }

// hide removes what a lower layer left at name.
func (u *unpacker) hide(name string) error {
	if base := path.Base(name); base == "." || base == ".." {
		return errors.New("whiteout of nothing")
	}
	if !u.written[name] {
		return gone(u.root.RemoveAll(name))
	}
	return u.hideBelow(name)
}

// hideBelow removes what lower layers left below dir.
func (u *unpacker) hideBelow(dir string) error {
	info, err := u.root.Lstat(dir)
	if err != nil || !info.IsDir() {
		return gone(err)
	}
	entries, err := fs.ReadDir(u.root.FS(), dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := u.hide(path.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// linkTarget is what a symbolic link at name must say so that it leads, without
// a chroot, where target leads in a container: absolute targets become relative
// ones, and a target that climbs above the root stops there.
func linkTarget(name, target string) string {
	from := path.Dir("/" + name)
	full := target
	if !path.IsAbs(target) {
		if local := path.Join(strings.TrimPrefix(from, "/"), target); local != ".." && !strings.HasPrefix(local, "../") {
			return target
		}
		full = from + "/" + target
	}
	relative, err := filepath.Rel(from, path.Clean(full))
	if err != nil {
		return "." // both are absolute and clean: it can't happen
	}
	return relative
}
