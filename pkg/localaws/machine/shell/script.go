package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"cutover/pkg/localaws/machine/disk"
)

// nowhere is a path that no machine can have: below what is no directory.
const nowhere = "/dev/null/nowhere"

// Script interprets a script: the call's arguments after the name are its
// positional parameters, and options before "--" set shell options. It gives the
// script's exit code; 2 if it is no script.
func (s *Shell) Script(ctx context.Context, c *Call, name, text string, options ...string) int {
	c.Shell = s
	ctx = context.WithValue(ctx, kernel{}, nil) // from here on a shell runs things
	file, err := parse(name, text)
	if err != nil {
		fmt.Fprintf(c.Stderr, "%v\n", err)
		return 2
	}
	runner, err := s.runner(c, options)
	if err != nil {
		return refuse(c, 2, err.Error())
	}
	if s.Background != nil && background(file) {
		s.Background(ctx)
	}
	err = runner.Run(ctx, file)
	if status, ok := errors.AsType[interp.ExitStatus](err); ok {
		return int(status)
	}
	switch {
	case ctx.Err() != nil:
		return Killed
	case err != nil:
		fmt.Fprintf(c.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// parse reads a script and refuses what would need the machine's file system.
func parse(name, text string) (*syntax.File, error) {
	file, err := read(name, text)
	if err != nil {
		return nil, err
	}
	return file, check(name, file)
}

func read(name, text string) (*syntax.File, error) {
	return syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), name)
}

func check(name string, file *syntax.File) (err error) {
	syntax.Walk(file, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.ProcSubst:
			err = fmt.Errorf("%s:%v: process substitution is not supported in this shell", name, node.Pos())
		case *syntax.CoprocClause:
			err = fmt.Errorf("%s:%v: coproc is not supported in this shell", name, node.Pos())
		}
		return err == nil
	})
	return err
}

// background says whether a script has commands that end in "&".
func background(file *syntax.File) bool {
	found := false
	syntax.Walk(file, func(node syntax.Node) bool {
		statement, ok := node.(*syntax.Stmt)
		found = found || ok && (statement.Background || statement.Disown)
		return !found
	})
	return found
}

// runner makes an interpreter all of whose handlers are ours.
func (s *Shell) runner(c *Call, options []string) (*interp.Runner, error) {
	// An interface that holds no reader is not the same as none.
	stdin := c.Stdin
	if file, ok := stdin.(*os.File); ok && file == nil {
		stdin = nil
	}
	runner, err := interp.New(
		interp.Env(environ{"TMPDIR": nowhere, "HOME": "/", "UID": "0", "EUID": "0", "GID": "0"}),
		interp.Dir("/"), // which every machine has; the script's own is set below
		interp.StdIO(stdin, c.Stdout, c.Stderr),
		interp.Params(append(append(options, "--"), c.Args[1:]...)...),
		interp.CallHandler(s.call),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return s.exec }),
		interp.OpenHandler(s.open),
		interp.ReadDirHandler2(func(_ context.Context, name string) ([]fs.DirEntry, error) { return s.Disk.ReadDir(name) }),
		interp.StatHandler(s.stat),
		interp.AccessHandler(s.access),
	)
	if err != nil {
		return nil, err
	}
	runner.Dir = path.Clean(c.Dir)
	// The interpreter opens files of its own making past the handlers, in the
	// TMPDIR of its first reset; nowhere can none be made. Then the script's own
	// environment takes its place.
	runner.Reset()
	env := environ{"HOME": "/root", "UID": "0", "EUID": "0", "GID": "0"}
	for name, value := range c.Env {
		env[name] = value
	}
	if err := interp.Env(shellEnviron{env, s})(runner); err != nil {
		return nil, err
	}
	runner.Reset()
	return runner, nil
}

func (s *Shell) exec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	code := s.Exec(ctx, &Call{
		Args: args, Dir: hc.Dir, Env: exported(hc.Env),
		Stdin: hc.Stdin, Stdout: hc.Stdout, Stderr: hc.Stderr,
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if code != 0 {
		return interp.ExitStatus(code)
	}
	return nil
}

func (s *Shell) open(ctx context.Context, name string, flag int, mode os.FileMode) (io.ReadWriteCloser, error) {
	hc := interp.HandlerCtx(ctx)
	switch name {
	case "/dev/stdin", "/dev/fd/0":
		return stream{Reader: hc.Stdin}, nil
	case "/dev/stdout", "/dev/fd/1":
		return stream{Writer: hc.Stdout}, nil
	case "/dev/stderr", "/dev/fd/2":
		return stream{Writer: hc.Stderr}, nil
	}
	file, err := s.Disk.OpenFile(disk.Join(hc.Dir, strings.TrimPrefix(name, verbatim)), flag, mode)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// stream is one of a script's own streams, opened by its name.
type stream struct {
	io.Reader
	io.Writer
}

func (stream) Close() error { return nil }

func (s *Shell) stat(_ context.Context, name string, follow bool) (fs.FileInfo, error) {
	if follow {
		return s.Disk.Stat(name)
	}
	return s.Disk.Lstat(name)
}

// access answers for root, who may all but execute what nobody may.
func (s *Shell) access(_ context.Context, name string, mode interp.AccessMode) error {
	info, err := s.Disk.Stat(name)
	if err != nil {
		return err
	}
	if mode&interp.AccessExec != 0 && !info.IsDir() && info.Mode()&0o111 == 0 {
		return &fs.PathError{Op: "access", Path: name, Err: fs.ErrPermission}
	}
	return nil
}
