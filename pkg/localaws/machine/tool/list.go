package tool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"cutover/pkg/localaws/machine/shell"
)

func list(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "a A l 1 d h R=R")
	if !ok {
		return 2
	}
	names := o.Args
	if len(names) == 0 {
		names = []string{"."}
	}
	code := 0
	for i, name := range names {
		info, err := c.Shell.Disk.Stat(c.Path(name))
		if err != nil {
			c.Fail("cannot access '%s': %s", name, shell.Why(err))
			code = 2
			continue
		}
		if !info.IsDir() || o.Has("d") {
			listOne(c, o, c.Path(name), name)
			continue
		}
		if len(names) > 1 {
			if i > 0 {
				fmt.Fprintln(c.Stdout)
			}
			fmt.Fprintf(c.Stdout, "%s:\n", name)
		}
		if err := listDirectory(c, o, c.Path(name)); err != nil {
			c.Fail("cannot open directory '%s': %s", name, shell.Why(err))
			code = 2
		}
	}
	return code
}

func listDirectory(c *shell.Call, o Options, at string) error {
	entries, err := c.Shell.Disk.ReadDir(at)
	if err != nil {
		return err
	}
	if o.Has("a") {
		listOne(c, o, at, ".")
		listOne(c, o, path.Dir(at), "..")
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") || o.Has("a") || o.Has("A") {
			listOne(c, o, path.Join(at, entry.Name()), entry.Name())
		}
	}
	return nil
}

func listOne(c *shell.Call, o Options, at, name string) {
	info, err := c.Shell.Disk.Lstat(at)
	if !o.Has("l") || err != nil { // one that has gone meanwhile has its name still
		fmt.Fprintln(c.Stdout, name)
		return
	}
	arrow := ""
	if target, err := c.Shell.Disk.Readlink(at); err == nil {
		arrow = " -> " + target
	}
	fmt.Fprintf(c.Stdout, "%s 1 root root %7d %s %s%s\n", permissions(info), info.Size(), info.ModTime().UTC().Format("Jan _2 15:04"), name, arrow)
}

func permissions(info fs.FileInfo) string {
	kind := "-"
	switch {
	case info.IsDir():
		kind = "d"
	case info.Mode()&fs.ModeSymlink != 0:
		kind = "l"
	}
	return kind + info.Mode().Perm().String()[1:]
}

// find knows the tests -name, -type, -maxdepth and -mindepth and the actions
// -print, -delete and -exec.
func find(ctx context.Context, c *shell.Call) int {
	args, search := c.Args[1:], &search{call: c, ctx: ctx, deepest: -1}
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		search.roots = append(search.roots, args[0])
		args = args[1:]
	}
	if len(search.roots) == 0 {
		search.roots = []string{"."}
	}
	if err := search.parse(args); err != nil {
		return c.Fail("%v", err)
	}
	for _, root := range search.roots {
		search.visit(root, 0)
	}
	return search.code
}

type search struct {
	call      *shell.Call
	ctx       context.Context
	roots     []string
	name      string
	kind      string
	deepest   int // -1: no limit
	shallow   int
	remove    bool
	command   []string
	code      int
	mentioned bool // -print
}

func (s *search) parse(args []string) (err error) {
	for len(args) > 0 {
		switch test := args[0]; test {
		case "-print":
			s.mentioned, args = true, args[1:]
		case "-delete":
			s.remove, args = true, args[1:]
		case "-exec":
			end := 1
			for end < len(args) && args[end] != ";" && args[end] != "+" {
				end++
			}
			if end == len(args) || end == 1 {
				return errors.New("missing argument to `-exec'")
			}
			s.command, args = args[1:end], args[end+1:]
		case "-name", "-type", "-maxdepth", "-mindepth":
			if len(args) < 2 {
				return fmt.Errorf("missing argument to `%s'", test)
			}
			if err := s.test(test, args[1]); err != nil {
				return err
			}
			args = args[2:]
		default:
			return fmt.Errorf("unknown predicate `%s'", test)
		}
	}
	return nil
}

func (s *search) test(test, value string) (err error) {
	switch test {
	case "-name":
		s.name = value
		_, err = path.Match(value, "")
	case "-type":
		s.kind = value
		if value != "f" && value != "d" && value != "l" {
			err = fmt.Errorf("unknown argument to -type: %s", value)
		}
	case "-maxdepth":
		s.deepest, err = strconv.Atoi(value)
	case "-mindepth":
		s.shallow, err = strconv.Atoi(value)
	}
	return err
}

func (s *search) visit(name string, depth int) {
	c := s.call
	info, err := c.Shell.Disk.Lstat(c.Path(name))
	if err != nil || s.ctx.Err() != nil {
		if err != nil {
			s.code = c.Fail("'%s': %s", name, shell.Why(err))
		}
		return
	}
	if !s.remove {
		s.act(name, depth, info)
	}
	if info.IsDir() && depth != s.deepest {
		entries, err := c.Shell.Disk.ReadDir(c.Path(name))
		if err != nil {
			s.code = c.Fail("'%s': %s", name, shell.Why(err))
		}
		for _, entry := range entries {
			s.visit(strings.TrimSuffix(name, "/")+"/"+entry.Name(), depth+1)
		}
	}
	if s.remove { // what a directory holds goes first
		s.act(name, depth, info)
	}
}

func (s *search) act(name string, depth int, info fs.FileInfo) {
	kind := map[byte]string{'-': "f", 'd': "d", 'l': "l"}[permissions(info)[0]]
	if depth < s.shallow || s.kind != "" && s.kind != kind {
		return
	}
	if matched, _ := path.Match(s.name, path.Base(name)); s.name != "" && !matched { // the pattern was checked
		return
	}
	c := s.call
	if s.command != nil {
		var args []string
		for _, arg := range s.command {
			args = append(args, strings.ReplaceAll(arg, "{}", name))
		}
		if c.Exec(s.ctx, args...) != 0 {
			s.code = 1
		}
	}
	if s.remove {
		if err := c.Shell.Disk.Remove(c.Path(name)); err != nil {
			s.code = c.Fail("cannot delete '%s': %s", name, shell.Why(err))
		}
	}
	if s.mentioned || s.command == nil && !s.remove {
		fmt.Fprintln(c.Stdout, name)
	}
}

// status knows the format letters n (name), s (size), a (mode), A, F (kind), U
// and G (owner and group: always root), and Y (seconds of the last change).
func status(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "c: format=c: L")
	if !ok {
		return 1
	}
	if !o.Has("c") {
		return c.Fail("only with a format: -c FORMAT")
	}
	look := c.Shell.Disk.Lstat
	if o.Has("L") {
		look = c.Shell.Disk.Stat
	}
	code := 0
	for _, name := range o.Args {
		info, err := look(c.Path(name))
		if err != nil {
			code = c.Fail("cannot statx '%s': %s", name, shell.Why(err))
			continue
		}
		text, err := format(o.Value("c"), name, info)
		if err != nil {
			return c.Fail("%v", err)
		}
		fmt.Fprintln(c.Stdout, text)
	}
	return code
}

func format(pattern, name string, info fs.FileInfo) (string, error) {
	kinds := map[byte]string{'-': "regular file", 'd': "directory", 'l': "symbolic link"}
	values := map[byte]string{
		'n': name, 's': strconv.FormatInt(info.Size(), 10), 'a': strconv.FormatUint(uint64(info.Mode().Perm()), 8),
		'A': permissions(info), 'F': kinds[permissions(info)[0]], 'U': "root", 'G': "root", 'u': "0", 'g': "0",
		'Y': strconv.FormatInt(info.ModTime().Unix(), 10), '%': "%",
	}
	var text strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' || i+1 == len(pattern) {
			text.WriteByte(pattern[i])
			continue
		}
		i++
		value, known := values[pattern[i]]
		if !known {
			return "", fmt.Errorf("unknown format %%%c", pattern[i])
		}
		text.WriteString(value)
	}
	return text.String(), nil
}

func readLink(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "f e n")
	if !ok {
		return 1
	}
	code := 0
	for _, name := range o.Args {
		target, err := c.Shell.Disk.Readlink(c.Path(name))
		if o.Has("f") || o.Has("e") {
			target, err = c.Shell.Disk.Resolve(c.Path(name), true)
		}
		if err != nil {
			code = 1
			continue
		}
		fmt.Fprintln(c.Stdout, target)
	}
	return code
}

func realPath(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "")
	if !ok {
		return 1
	}
	code := 0
	for _, name := range o.Args {
		resolved, err := c.Shell.Disk.Resolve(c.Path(name), true)
		if err != nil {
			code = c.Fail("%s: %s", name, shell.Why(err))
			continue
		}
		fmt.Fprintln(c.Stdout, resolved)
	}
	return code
}
