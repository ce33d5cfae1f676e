// Package disk is an instance's root volume: a directory tree whose paths are
// the instance's own.
//
// "/" is the top of the directory, and nothing leads above it: ".." there stays
// there, and a link to an absolute path leads to the instance's path of that
// name, as after chroot. Every operation goes through an os.Root besides, so that
// a link that is changed while a path is being followed leads nowhere either.
// Repeating an operation is as safe as it is on a file system.
//
// Known differences from a volume of an instance: files belong to the user that
// runs the cloud, a directory's owner keeps all rights and a file's owner may
// read it whatever chmod says, and there are no devices besides null, zero,
// random and urandom.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// maxLinks is how many symbolic links one path may go through, as on Linux.
const maxLinks = 40

// A Disk is an open root volume. Its methods take the instance's absolute paths,
// are safe for concurrent use, and fail with *fs.PathError of that path.
type Disk struct {
	dir  string
	root *os.Root
}

// Open opens the volume that the host's directory dir is.
func Open(dir string) (*Disk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open volume: %w", err)
	}
	return &Disk{dir: dir, root: root}, nil
}

// Close gives the directory back. It stays.
func (d *Disk) Close() error { return d.root.Close() }

// Dir is the host's directory.
func (d *Disk) Dir() string { return d.dir }

// Join is the path that name means to someone in dir.
func Join(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return strings.TrimSuffix(dir, "/") + "/" + name
}

// Resolve follows the links of a path and gives the path without any; a last
// component that is a link is followed if follow says so, and need not exist.
func (d *Disk) Resolve(name string, follow bool) (string, error) {
	return d.resolve("resolve", name, follow)
}

func (d *Disk) resolve(op, name string, follow bool) (string, error) {
	if !path.IsAbs(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	w := walk{disk: d, todo: parts(name), follow: follow || strings.HasSuffix(name, "/")}
	for len(w.todo) > 0 {
		if err := w.step(); err != nil {
			return "", &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	if strings.HasSuffix(name, "/") && w.file {
		return "", &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
	}
	return "/" + strings.Join(w.done, "/"), nil
}

// walk is how far a path has been followed.
type walk struct {
	disk   *Disk
	done   []string // what lies behind, without links
	todo   []string
	follow bool
	links  int
	file   bool // what was met last is there and no directory
}

func (w *walk) step() error {
	part := w.todo[0]
	w.todo = w.todo[1:]
	if part == ".." {
		w.done = w.done[:max(len(w.done)-1, 0)]
		return nil
	}
	last := len(w.todo) == 0
	here := path.Join(strings.Join(w.done, "/"), part)
	info, err := w.disk.root.Lstat(here)
	switch {
	case errors.Is(err, fs.ErrNotExist) && last:
		w.done = append(w.done, part)
		return nil
	case err != nil:
		return cause(err)
	case info.Mode()&fs.ModeSymlink != 0 && (w.follow || !last):
		return w.link(here)
	case !last && !info.IsDir():
		return syscall.ENOTDIR
	}
	w.file = !info.IsDir()
	w.done = append(w.done, part)
	return nil
}

func (w *walk) link(here string) error {
	if w.links++; w.links > maxLinks {
		return syscall.ELOOP
	}
	target, err := w.disk.root.Readlink(here)
	if err != nil {
		return cause(err)
	}
	if path.IsAbs(target) {
		w.done = nil
	}
	w.todo = append(parts(target), w.todo...)
	return nil
}

// parts are the components of a path that lead anywhere.
func parts(name string) []string {
	var all []string
	for part := range strings.SplitSeq(name, "/") {
		if part != "" && part != "." {
			all = append(all, part)
		}
	}
	return all
}

// cause is what the system said, without the host's path.
func cause(err error) error {
	if fault, ok := errors.AsType[*fs.PathError](err); ok {
		return fault.Err
	}
	if fault, ok := errors.AsType[*os.LinkError](err); ok {
		return fault.Err
	}
	return err
}

// do calls f with the path below the root that name leads to.
func (d *Disk) do(op, name string, follow bool, f func(below string) error) error {
	resolved, err := d.resolve(op, name, follow)
	if err != nil {
		return err
	}
	if err := f(below(resolved)); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: cause(err)}
	}
	return nil
}

func below(resolved string) string {
	if resolved == "/" {
		return "."
	}
	return resolved[1:]
}

// device says which are the host's that an instance has too: they hold no state.
func device(name string) bool {
	switch name {
	case "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom":
		return true
	}
	return false
}

// OpenFile opens a file with the flags of os.OpenFile.
func (d *Disk) OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	if device(path.Clean(name)) {
		return os.OpenFile(path.Clean(name), flag&^(os.O_CREATE|os.O_TRUNC|os.O_EXCL), 0)
	}
	var file *os.File
	err := d.do("open", name, true, func(below string) (err error) {
		file, err = d.root.OpenFile(below, flag, mode)
		return err
	})
	return file, err
}

// Open opens a file for reading.
func (d *Disk) Open(name string) (*os.File, error) { return d.OpenFile(name, os.O_RDONLY, 0) }

// ReadFile gives what a file holds; of a device, nothing.
func (d *Disk) ReadFile(name string) ([]byte, error) {
	if device(path.Clean(name)) {
		return nil, nil
	}
	var content []byte
	err := d.do("open", name, true, func(below string) (err error) {
		content, err = d.root.ReadFile(below)
		return err
	})
	return content, err
}

// WriteFile replaces what a file holds, or makes it.
func (d *Disk) WriteFile(name string, content []byte, mode fs.FileMode) error {
	if device(path.Clean(name)) {
		return nil
	}
	return d.do("open", name, true, func(below string) error { return d.root.WriteFile(below, content, mode) })
}

// Stat describes what a path leads to.
func (d *Disk) Stat(name string) (fs.FileInfo, error) {
	if device(path.Clean(name)) {
		return os.Stat(path.Clean(name))
	}
	return d.stat(name, true)
}

// Lstat describes a path's last component also if it is a link.
func (d *Disk) Lstat(name string) (fs.FileInfo, error) { return d.stat(name, false) }

func (d *Disk) stat(name string, follow bool) (fs.FileInfo, error) {
	var info fs.FileInfo
	err := d.do("stat", name, follow, func(below string) (err error) {
		info, err = d.root.Lstat(below)
		return err
	})
	return info, err
}

// ReadDir lists a directory, in order of names.
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	var entries []fs.DirEntry
	err := d.do("open", name, true, func(below string) (err error) {
		entries, err = fs.ReadDir(d.root.FS(), below)
		return err
	})
	return entries, err
}

// Readlink says where a link leads.
func (d *Disk) Readlink(name string) (string, error) {
	var target string
	err := d.do("readlink", name, false, func(below string) (err error) {
		target, err = d.root.Readlink(below)
		return err
	})
	return target, err
}

// Mkdir makes a directory.
func (d *Disk) Mkdir(name string, mode fs.FileMode) error {
	name = trimSlash(name)
	return d.do("mkdir", name, false, func(below string) error { return d.root.Mkdir(below, mode|0o700) })
}

// MkdirAll makes a directory and those above it that are missing.
func (d *Disk) MkdirAll(name string, mode fs.FileMode) error {
	so := ""
	for _, part := range parts(name) {
		so += "/" + part
		err := d.Mkdir(so, mode)
		if err == nil {
			continue
		}
		if info, bad := d.Stat(so); bad != nil || !info.IsDir() {
			return err
		}
	}
	return nil
}

func trimSlash(name string) string {
	if trimmed := strings.TrimRight(name, "/"); trimmed != "" {
		return trimmed
	}
	return name
}

// Remove removes a file, a link or an empty directory.
func (d *Disk) Remove(name string) error {
	return d.do("remove", trimSlash(name), false, d.root.Remove)
}

// RemoveAll removes a path and what is below it; a path that is not there is no
// error.
func (d *Disk) RemoveAll(name string) error {
	err := d.do("remove", trimSlash(name), false, d.root.RemoveAll)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not even the directory that it would be in
	}
	return err
}

// Rename moves a file or a directory, in the place of one that is there.
func (d *Disk) Rename(from, to string) error {
	target, err := d.resolve("rename", trimSlash(to), false)
	if err != nil {
		return err
	}
	return d.do("rename", trimSlash(from), false, func(from string) error { return d.root.Rename(from, below(target)) })
}

// Symlink makes a link at name to target, which is not looked at.
func (d *Disk) Symlink(target, name string) error {
	return d.do("symlink", name, false, func(below string) error { return d.root.Symlink(target, below) })
}

// Link gives a file a second name.
func (d *Disk) Link(old, name string) error {
	from, err := d.resolve("link", old, false)
	if err != nil {
		return err
	}
	return d.do("link", name, false, func(to string) error { return d.root.Link(below(from), to) })
}

// Chmod sets the permission bits; see the package's differences.
func (d *Disk) Chmod(name string, mode fs.FileMode) error {
	info, err := d.Stat(name)
	if err != nil {
		return err
	}
	least := fs.FileMode(0o400)
	if info.IsDir() {
		least = 0o700
	}
	return d.do("chmod", name, true, func(below string) error { return d.root.Chmod(below, mode.Perm()|least) })
}

// Chtimes sets when a file was last read and changed.
func (d *Disk) Chtimes(name string, at time.Time) error {
	return d.do("chtimes", name, true, func(below string) error { return d.root.Chtimes(below, at, at) })
}
