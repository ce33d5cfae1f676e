package tool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"cutover/pkg/localaws/machine/shell"
)

func copyTool(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "r R=r recursive=r a archive=a p f force=f d T v t: u")
	if !ok {
		return 1
	}
	return transfer(c, o, "cannot copy '%s'", func(from, to string) error { return copyOne(c, o, from, to) })
}

func move(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "f force=f n T v t:")
	if !ok {
		return 1
	}
	return transfer(c, o, "cannot move '%s'", func(from, to string) error {
		if _, err := c.Shell.Disk.Lstat(to); err == nil && o.Has("n") {
			return nil
		}
		return c.Shell.Disk.Rename(from, to)
	})
}

// transfer finds out what goes where: sources into a directory, or one to a name.
func transfer(c *shell.Call, o Options, failure string, do func(from, to string) error) int {
	names := o.Args
	if o.Has("t") {
		names = append(names, o.Value("t"))
	}
	if len(names) < 2 {
		return c.Fail("missing file operand")
	}
	sources, to := names[:len(names)-1], names[len(names)-1]
	into := !o.Has("T") && isDirectory(c, to, true)
	if (len(sources) > 1 || o.Has("t") || strings.HasSuffix(to, "/") && !isDirectory(c, sources[0], true)) && !into {
		return c.Fail("target '%s': No such directory", to)
	}
	code := 0
	for _, source := range sources {
		target := c.Path(to)
		if into {
			base := path.Base(source)
			if base == "." || base == ".." {
				base = "" // what it holds, not itself
			}
			target = path.Join(target, base)
		}
		if err := do(c.Path(source), target); err != nil {
			code = c.Fail(failure+": %s", source, shell.Why(err))
		} else if o.Has("v") {
			fmt.Fprintf(c.Stdout, "'%s' -> '%s'\n", source, target)
		}
	}
	return code
}

func copyOne(c *shell.Call, o Options, from, to string) error {
	look := c.Shell.Disk.Stat
	if o.Has("a") || o.Has("d") || o.Has("r") {
		look = c.Shell.Disk.Lstat
	}
	info, err := look(from)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir() && !o.Has("r") && !o.Has("a"):
		return errors.New("-r not specified; omitting directory")
	case info.IsDir():
		return copyDirectory(c, o, info, from, to)
	case info.Mode()&fs.ModeSymlink != 0:
		return copyLink(c, from, to)
	}
	return copyFile(c, o, info, from, to)
}

func copyDirectory(c *shell.Call, o Options, info fs.FileInfo, from, to string) error {
	source, err := c.Shell.Disk.Resolve(from, true)
	if err != nil {
		return err
	}
	target, err := c.Shell.Disk.Resolve(to, true)
	if err != nil {
		return err
	}
	if target == source || strings.HasPrefix(target, strings.TrimSuffix(source, "/")+"/") {
		return errors.New("cannot copy a directory into itself")
	}
	entries, err := c.Shell.Disk.ReadDir(from)
	if err != nil {
		return err
	}
	if err := c.Shell.Disk.Mkdir(to, info.Mode().Perm()); err != nil && !isDirectory(c, to, true) {
		return err
	}
	for _, entry := range entries {
		if err := copyOne(c, o, path.Join(from, entry.Name()), path.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyLink(c *shell.Call, from, to string) error {
	target, err := c.Shell.Disk.Readlink(from)
	if err != nil {
		return err
	}
	if info, err := c.Shell.Disk.Lstat(to); err == nil && !info.IsDir() {
		if err := c.Shell.Disk.Remove(to); err != nil {
			return err
		}
	}
	return c.Shell.Disk.Symlink(target, to)
}

func copyFile(c *shell.Call, o Options, info fs.FileInfo, from, to string) error {
	there, err := c.Shell.Disk.Stat(to)
	if err == nil {
		source, sourceErr := c.Shell.Disk.Resolve(from, true)
		target, targetErr := c.Shell.Disk.Resolve(to, true)
		if sourceErr == nil && targetErr == nil && source == target {
			return errors.New("source and target are the same file")
		}
		if o.Has("u") && !info.ModTime().After(there.ModTime()) {
			return nil
		}
	}
	source, err := c.Shell.Disk.Open(from)
	if err != nil {
		return err
	}
	defer source.Close() // it was only read
	if err := writeTo(c, to, info.Mode().Perm(), source); err != nil {
		return err
	}
	if !o.Has("p") && !o.Has("a") {
		return nil
	}
	if err := c.Shell.Disk.Chmod(to, info.Mode()); err != nil {
		return err
	}
	return c.Shell.Disk.Chtimes(to, info.ModTime())
}

// install copies files and sets their modes, or makes directories.
func install(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "m: mode=m: d directory=d D o: owner=o: g: group=g: t: target-directory=t: T p v")
	if !ok {
		return 1
	}
	mode := o.Value("m")
	if mode == "" {
		mode = "755"
	}
	if o.Has("d") {
		return each(c, o.Args, "cannot create directory '%s'", func(at string) error { return makeOne(c, at, true, mode) })
	}
	if o.Has("D") && len(o.Args) > 0 {
		dir := path.Dir(c.Path(o.Args[len(o.Args)-1]))
		if o.Has("t") {
			dir = c.Path(o.Value("t"))
		}
		if err := c.Shell.Disk.MkdirAll(dir, 0o755); err != nil {
			return c.Fail("cannot create directory '%s': %s", dir, shell.Why(err))
		}
	}
	return transfer(c, o, "cannot install '%s'", func(from, to string) error {
		if info, err := c.Shell.Disk.Lstat(to); err == nil && !info.IsDir() {
			// A program that runs keeps its file; the new one takes its place.
			if err := c.Shell.Disk.Remove(to); err != nil {
				return err
			}
		}
		if err := copyOne(c, o, from, to); err != nil {
			return err
		}
		return applyMode(c, to, mode)
	})
}
