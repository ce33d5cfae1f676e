package tool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/machine/shell"
)

func remove(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "r R=r recursive=r f force=f v")
	if !ok {
		return 1
	}
	code := 0
	for _, name := range o.Args {
		at := c.Path(name)
		info, err := c.Shell.Disk.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && o.Has("f"):
			continue
		case err == nil && path.Clean(at) == "/":
			err = fmt.Errorf("it is dangerous to operate recursively on '/'")
		case err == nil && info.IsDir() && !o.Has("r"):
			err = fmt.Errorf("is a directory")
		case err == nil:
			err = c.Shell.Disk.RemoveAll(at)
		}
		if err != nil {
			code = c.Fail("cannot remove '%s': %s", name, shell.Why(err))
		} else if o.Has("v") {
			fmt.Fprintf(c.Stdout, "removed '%s'\n", name)
		}
	}
	if len(o.Args) == 0 && !o.Has("f") {
		return c.Fail("missing operand")
	}
	return code
}

func removeDirectory(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "")
	if !ok {
		return 1
	}
	return each(c, o.Args, "failed to remove '%s'", func(name string) error {
		info, err := c.Shell.Disk.Lstat(name)
		if err == nil && !info.IsDir() {
			return errors.New("not a directory")
		}
		if err != nil {
			return err
		}
		return c.Shell.Disk.Remove(name)
	})
}

// each does something with each path, tells what failed and goes on.
func each(c *shell.Call, names []string, failure string, do func(at string) error) int {
	if len(names) == 0 {
		return c.Fail("missing operand")
	}
	code := 0
	for _, name := range names {
		if err := do(c.Path(name)); err != nil {
			code = c.Fail(failure+": %s", name, shell.Why(err))
		}
	}
	return code
}

func makeDirectory(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "p parents=p m: mode=m: v")
	if !ok {
		return 1
	}
	return each(c, o.Args, "cannot create directory '%s'", func(at string) error { return makeOne(c, at, o.Has("p"), o.Value("m")) })
}

func makeOne(c *shell.Call, at string, parents bool, mode string) error {
	make := c.Shell.Disk.Mkdir
	if parents {
		make = c.Shell.Disk.MkdirAll
	}
	if err := make(at, 0o755); err != nil || mode == "" {
		return err
	}
	return applyMode(c, at, mode)
}

func link(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "s symbolic=s f force=f n no-dereference=n T v")
	if !ok {
		return 1
	}
	if len(o.Args) == 0 || o.Has("T") && len(o.Args) != 2 {
		return c.Fail("missing file operand")
	}
	targets, to := o.Args[:max(1, len(o.Args)-1)], "."
	if len(o.Args) > 1 {
		to = o.Args[len(o.Args)-1]
	}
	into := !o.Has("T") && isDirectory(c, to, !o.Has("n"))
	if !into && len(targets) > 1 {
		return c.Fail("target '%s': Not a directory", to)
	}
	code := 0
	for _, target := range targets {
		at := c.Path(to)
		if into {
			at = path.Join(at, path.Base(target))
		}
		if err := linkOne(c, o, target, at); err != nil {
			code = c.Fail("failed to create link '%s': %s", at, shell.Why(err))
		}
	}
	return code
}

func linkOne(c *shell.Call, o Options, target, at string) error {
	if o.Has("f") {
		if info, err := c.Shell.Disk.Lstat(at); err == nil && !info.IsDir() {
			if err := c.Shell.Disk.Remove(at); err != nil {
				return err
			}
		}
	}
	if o.Has("s") {
		return c.Shell.Disk.Symlink(target, at)
	}
	return c.Shell.Disk.Link(c.Path(target), at)
}

func isDirectory(c *shell.Call, name string, follow bool) bool {
	look := c.Shell.Disk.Lstat
	if follow {
		look = c.Shell.Disk.Stat
	}
	info, err := look(c.Path(name))
	return err == nil && info.IsDir()
}

func touch(now func() time.Time) shell.Tool {
	return func(_ context.Context, c *shell.Call) int {
		o, ok := Parse(c, "c no-create=c a m")
		if !ok {
			return 1
		}
		return each(c, o.Args, "cannot touch '%s'", func(at string) error {
			_, err := c.Shell.Disk.Stat(at)
			if errors.Is(err, fs.ErrNotExist) {
				if o.Has("c") {
					return nil
				}
				err = create(c, at)
			}
			if err != nil {
				return err
			}
			return c.Shell.Disk.Chtimes(at, now())
		})
	}
}

func create(c *shell.Call, at string) error {
	file, err := c.Shell.Disk.OpenFile(at, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

func changeMode(_ context.Context, c *shell.Call) int {
	o, ok := modeOptions(c)
	if !ok {
		return 1
	}
	if len(o.Args) < 2 {
		return c.Fail("missing operand")
	}
	mode := o.Args[0]
	return each(c, o.Args[1:], "cannot access '%s'", func(at string) error {
		if !o.Has("R") {
			return applyMode(c, at, mode)
		}
		return tree(c, at, func(name string, info fs.FileInfo) error {
			if info.Mode()&fs.ModeSymlink != 0 {
				return nil
			}
			return applyMode(c, name, mode)
		})
	})
}

// modeOptions takes a mode that begins with "-" (chmod -x) for no option.
func modeOptions(c *shell.Call) (Options, bool) {
	args := []string{c.Args[0]}
	for _, arg := range c.Args[1:] {
		if len(arg) > 1 && arg[0] == '-' && strings.Trim(arg[1:], "rwxX") == "" {
			arg = "a" + arg
		}
		args = append(args, arg)
	}
	other := *c
	other.Args = args
	return Parse(&other, "R recursive=R v f")
}

func applyMode(c *shell.Call, at, mode string) error {
	info, err := c.Shell.Disk.Stat(at)
	if err != nil {
		return err
	}
	changed, err := newMode(info, mode)
	if err != nil {
		return err
	}
	return c.Shell.Disk.Chmod(at, changed)
}

// newMode reads 0755, u+x, go-w, a=rX and lists of them.
func newMode(info fs.FileInfo, mode string) (fs.FileMode, error) {
	if number, err := strconv.ParseUint(mode, 8, 12); err == nil {
		return fs.FileMode(number).Perm(), nil
	}
	bits := info.Mode().Perm()
	for clause := range strings.SplitSeq(mode, ",") {
		at := strings.IndexAny(clause, "+-=")
		if at < 0 || strings.Trim(clause[:at], "ugoa") != "" || strings.Trim(clause[at+1:], "rwxXst") != "" {
			return 0, fmt.Errorf("invalid mode: '%s'", mode)
		}
		who, what := clauseBits(clause[:at], clause[at+1:], info.IsDir() || bits&0o111 != 0)
		switch clause[at] {
		case '+':
			bits |= what
		case '-':
			bits &^= what
		default:
			bits = bits&^who | what
		}
	}
	return bits, nil
}

func clauseBits(whose, what string, executable bool) (who, bits fs.FileMode) {
	if whose == "" {
		whose = "a"
	}
	for _, w := range whose {
		who |= map[rune]fs.FileMode{'u': 0o700, 'g': 0o070, 'o': 0o007, 'a': 0o777}[w]
	}
	for _, w := range what {
		bits |= map[rune]fs.FileMode{'r': 0o444, 'w': 0o222, 'x': 0o111}[w]
		if w == 'X' && executable {
			bits |= 0o111
		}
	}
	return who, bits & who
}

// changeOwner checks that the files are there: owners are not kept.
func changeOwner(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "R recursive=R h f v")
	if !ok {
		return 1
	}
	if len(o.Args) < 2 {
		return c.Fail("missing operand")
	}
	return each(c, o.Args[1:], "cannot access '%s'", func(at string) error {
		_, err := c.Shell.Disk.Lstat(at)
		return err
	})
}

// makeTemporary makes a file or a directory with a name nobody has.
func makeTemporary(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "d directory=d p: tmpdir=p: t q u")
	if !ok {
		return 1
	}
	template, dir := "tmp.XXXXXXXXXX", "/tmp"
	if len(o.Args) > 0 {
		template, dir = o.Args[0], c.Dir
	}
	if o.Has("t") {
		dir = "/tmp"
	}
	if o.Has("p") {
		dir = c.Path(o.Value("p"))
	}
	stem := strings.TrimRight(template, "X")
	if len(template)-len(stem) < 3 {
		return c.Fail("too few X's in template '%s'", template)
	}
	for range 100 {
		name := stem + random(len(template)-len(stem))
		at := name
		if !path.IsAbs(name) {
			at = path.Join(dir, name)
		}
		err := makeNew(c, at, o.Has("d"))
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return c.Fail("failed to create file via template '%s': %s", template, shell.Why(err))
		}
		fmt.Fprintln(c.Stdout, at)
		return 0
	}
	return c.Fail("failed to create file via template '%s': File exists", template)
}

func random(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	name := make([]byte, n)
	for i := range name {
		name[i] = letters[rand.IntN(len(letters))]
	}
	return string(name)
}

func makeNew(c *shell.Call, at string, directory bool) error {
	if directory {
		return c.Shell.Disk.Mkdir(at, 0o700)
	}
	file, err := c.Shell.Disk.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

func baseName(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "+s: a")
	if !ok {
		return 1
	}
	if len(o.Args) == 0 {
		return c.Fail("missing operand")
	}
	suffix, names := o.Value("s"), o.Args
	if len(names) == 2 && !o.Has("a") && !o.Has("s") {
		suffix, names = names[1], names[:1]
	}
	for _, name := range names {
		base := path.Base(name)
		if base != suffix {
			base = strings.TrimSuffix(base, suffix)
		}
		fmt.Fprintln(c.Stdout, base)
	}
	return 0
}

func directoryName(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "")
	if !ok {
		return 1
	}
	for _, name := range o.Args {
		fmt.Fprintln(c.Stdout, path.Dir(strings.TrimRight(name, "/")))
	}
	if len(o.Args) == 0 {
		return c.Fail("missing operand")
	}
	return 0
}

// writeTo makes a file of what a reader gives.
func writeTo(c *shell.Call, at string, mode fs.FileMode, from io.Reader) error {
	file, err := c.Shell.Disk.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Close())
}

// tree calls f with a path and all below it, a directory before what it holds.
func tree(c *shell.Call, at string, f func(name string, info fs.FileInfo) error) error {
	info, err := c.Shell.Disk.Lstat(at)
	if err != nil {
		return err
	}
	if err := f(at, info); err != nil || !info.IsDir() {
		return err
	}
	entries, err := c.Shell.Disk.ReadDir(at)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := tree(c, strings.TrimSuffix(at, "/")+"/"+entry.Name(), f); err != nil {
			return err
		}
	}
	return nil
}
