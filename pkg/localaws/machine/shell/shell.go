// Package shell runs commands and scripts inside an instance.
//
// A command is looked up on the PATH it is given, on the instance's own disk, and
// is one of three things: a stand-in tool, which is Go code working on that disk;
// a script, which is interpreted here; or a program of another kind, which is
// handed to Shell.Program. There is no fourth: a command that is not on the disk
// is not found, whatever the machine has. Scripts are interpreted by mvdan.cc/sh
// with every way to the machine's file system replaced, and read, write, list and
// test files of the disk only. What a script does is as safe to repeat as the
// script is.
//
// Known differences from bash:
//   - the whole script is parsed before its first command runs, so a syntax error
//     stops it at once;
//   - process substitution, coprocesses, job control and kill are refused;
//   - everyone is root, and umask changes nothing.
package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"cutover/pkg/localaws/machine/disk"
)

// StandIn is the file that every tool's name is a link to.
const StandIn = "/usr/libexec/stand-in"

// Path is where commands are looked up unless PATH says otherwise.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Exit codes of commands that did not run or were ended, as bash has them.
const (
	CannotRun = 126
	NotFound  = 127
	Killed    = 137
)

// A Tool is a stand-in for a program. It gives the program's exit code, and
// returns soon after ctx has ended.
type Tool func(ctx context.Context, c *Call) int

// A Call is one command that is being run.
type Call struct {
	// Args are the command's name and its arguments.
	Args []string
	// Dir is the absolute path of its working directory.
	Dir string
	// Env are its environment variables.
	Env map[string]string
	// Stdin may be nil: there is nothing to read then.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Shell is what runs it.
	Shell *Shell
}

// A Shell runs commands on a disk. Change it only before it is in use.
type Shell struct {
	Disk  *disk.Disk
	Tools map[string]Tool
	// Program runs the file at path, which is no script, as a program of the
	// machine, and waits for its end.
	Program func(ctx context.Context, c *Call, path string) int
	// Background, if set, is told before a script runs that has commands in the
	// background.
	Background func(ctx context.Context)
}

// In gives what the command reads; never nil.
func (c *Call) In() io.Reader {
	if c.Stdin == nil {
		return strings.NewReader("")
	}
	return c.Stdin
}

// Path is the absolute path that name means to the command.
func (c *Call) Path(name string) string { return disk.Join(c.Dir, name) }

// Fail writes one line with the command's name to its standard error, and gives
// the exit code 1.
func (c *Call) Fail(format string, values ...any) int {
	fmt.Fprintf(c.Stderr, c.Args[0]+": "+format+"\n", values...)
	return 1
}

// Why is an error's cause in the words of C programs: "No such file or directory".
func Why(err error) string {
	if fault, ok := errors.AsType[*fs.PathError](err); ok {
		err = fault.Err
	}
	text := err.Error()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = "no such file or directory"
	case errors.Is(err, fs.ErrExist):
		text = "file exists"
	case errors.Is(err, fs.ErrPermission):
		text = "permission denied"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// Exec runs another command in the place of this one: its own arguments, all
// else the same.
func (c *Call) Exec(ctx context.Context, args ...string) int {
	other := *c
	other.Args = args
	return c.Shell.Exec(ctx, &other)
}

// Exec finds the call's command on the disk and runs it.
func (s *Shell) Exec(ctx context.Context, c *Call) int {
	c.Shell = s
	found, code := s.find(c)
	if code != 0 {
		return code
	}
	resolved, err := s.Disk.Resolve(found, true)
	if err != nil {
		return refuse(c, CannotRun, Why(err))
	}
	if resolved == StandIn {
		return s.tool(ctx, c, found)
	}
	return s.file(ctx, c, found, resolved)
}

// find says which file the call's command is.
func (s *Shell) find(c *Call) (string, int) {
	name := c.Args[0]
	if strings.Contains(name, "/") {
		return s.check(c, c.Path(name))
	}
	if found := s.Look(c.Env["PATH"], c.Dir, name); found != "" {
		return found, 0
	}
	return "", refuse(c, NotFound, "command not found")
}

func (s *Shell) check(c *Call, name string) (string, int) {
	info, err := s.Disk.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", refuse(c, NotFound, "No such file or directory")
	case err != nil:
		return "", refuse(c, CannotRun, Why(err))
	case info.IsDir():
		return "", refuse(c, CannotRun, "Is a directory")
	case info.Mode()&0o111 == 0:
		return "", refuse(c, CannotRun, "Permission denied")
	}
	return name, 0
}

func refuse(c *Call, code int, why string) int {
	c.Fail("%s", why)
	return code
}

// Look finds an executable file of that name on a search path; empty if none.
func (s *Shell) Look(search, dir, name string) string {
	if name == "" {
		return ""
	}
	for place := range strings.SplitSeq(search, ":") {
		candidate := path.Join(disk.Join(dir, place), name)
		info, err := s.Disk.Stat(candidate)
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return candidate
		}
	}
	return ""
}

// tool runs the stand-in that the link at found is for: its own name or, if a
// link of another name leads to it, that of the link it leads to.
func (s *Shell) tool(ctx context.Context, c *Call, found string) int {
	for range 40 {
		if tool, ok := s.Tools[path.Base(found)]; ok {
			return tool(ctx, c)
		}
		target, err := s.Disk.Readlink(found)
		if err != nil {
			break
		}
		found = disk.Join(path.Dir(found), target)
	}
	return refuse(c, NotFound, "no stand-in for this program")
}

// file runs a file as the kernel would: by its first bytes.
func (s *Shell) file(ctx context.Context, c *Call, found, resolved string) int {
	content, err := s.Disk.ReadFile(resolved)
	if err != nil {
		return refuse(c, CannotRun, Why(err))
	}
	line, _, _ := bytes.Cut(content[:min(len(content), 256)], []byte("\n"))
	interpreter, isScript := bytes.CutPrefix(line, []byte("#!"))
	if !isScript {
		// The kernel refuses a text file; a shell then interprets it.
		if bytes.IndexByte(content[:min(len(content), 128)], 0) < 0 && ctx.Value(kernel{}) == nil {
			return s.Script(ctx, c, found, string(content))
		}
		return s.Program(ctx, c, resolved)
	}
	fields := strings.Fields(string(interpreter))
	if len(fields) == 0 {
		return refuse(c, CannotRun, "bad interpreter: Exec format error")
	}
	if fields[0] == "/usr/bin/env" && len(fields) > 1 {
		return s.interpret(ctx, c, found, s.Look(c.Env["PATH"], c.Dir, fields[1]), fields[1:])
	}
	return s.interpret(ctx, c, found, fields[0], fields)
}

// interpret runs INTERPRETER [ARGUMENTS] FILE ARGUMENTS.
func (s *Shell) interpret(ctx context.Context, c *Call, file, interpreter string, line []string) int {
	if info, err := s.Disk.Stat(interpreter); err != nil || info.IsDir() {
		return refuse(c, NotFound, line[0]+": bad interpreter: No such file or directory")
	}
	if strings.Contains(c.Args[0], "/") {
		file = c.Args[0] // as it was called
	}
	args := append([]string{interpreter}, line[1:]...)
	args = append(append(args, file), c.Args[1:]...)
	return c.Exec(ctx, args...)
}

type kernel struct{}

// Kernel gives a context in which a file without "#!" is a program whatever it
// holds, as for a service manager, which is no shell.
func Kernel(ctx context.Context) context.Context { return context.WithValue(ctx, kernel{}, true) }
