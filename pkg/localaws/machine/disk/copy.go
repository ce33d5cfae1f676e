package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Copy makes the directory to, of the host, a copy of the volume in from: files
// with their modes and times, directories and links as they are. Nothing that can
// be changed is shared, so that neither changes with the other, and nothing
// outside of from is read even if it changes meanwhile. Sockets, fifos and devices are left out, and
// so is what goes away during the copy. What was copied before a failure is
// removed.
func Copy(from, to string) error {
	source, err := os.OpenRoot(from)
	if err != nil {
		return fmt.Errorf("copy volume: %w", err)
	}
	if err := copyDirectory(source, from, to); err != nil {
		return errors.Join(fmt.Errorf("copy volume: %w", err), os.RemoveAll(to))
	}
	return nil
}

// copyDirectory copies a directory that is open, and closes it. from is its path
// on the host, for what needs no more than that.
func copyDirectory(source *os.Root, from, target string) error {
	defer source.Close() // it was only read
	dir, err := source.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() // it was only read
	info, err := dir.Stat()
	if err != nil {
		return err
	}
	if err := os.Mkdir(target, info.Mode().Perm()|0o700); err != nil {
		return err
	}
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		err := copyEntry(source, entry, filepath.Join(from, entry.Name()), filepath.Join(target, entry.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func copyEntry(source *os.Root, entry fs.DirEntry, from, target string) error {
	switch kind := entry.Type(); {
	case kind.IsDir():
		below, err := source.OpenRoot(entry.Name())
		if err != nil {
			return err
		}
		return copyDirectory(below, from, target)
	case kind&fs.ModeSymlink != 0:
		return copyLink(source, entry.Name(), from, target)
	case kind.IsRegular():
		return copyFile(source, entry.Name(), target)
	}
	return nil
}

// copyLink gives a symbolic link a second name, which is much cheaper than a
// second link: what a link says can't be changed, only replaced. If the path has
// come to lead elsewhere meanwhile, it is made anew.
func copyLink(source *os.Root, name, from, target string) error {
	if err := os.Link(from, target); err == nil {
		info, err := os.Lstat(target)
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return err
		}
		if err := os.Remove(target); err != nil {
			return err
		}
	}
	link, err := source.Readlink(name)
	if err != nil {
		return err
	}
	return os.Symlink(link, target)
}

func copyFile(source *os.Root, name, target string) error {
	from, err := source.Open(name)
	if err != nil {
		return err
	}
	defer from.Close() // it was only read
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	return os.Chtimes(target, info.ModTime(), info.ModTime())
}
