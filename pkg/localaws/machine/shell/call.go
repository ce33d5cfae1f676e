package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"cutover/pkg/localaws/machine/disk"
)

// verbatim begins a path that the interpreter can look up on no machine, so that
// it hands it to our handler as it is.
const verbatim = "\x00"

// call looks at every command before it runs and puts another in the place of
// those builtins that would ask the machine's file system themselves: source,
// type, command -v and pwd -P. That also holds behind builtin and command.
func (s *Shell) call(ctx context.Context, args []string) ([]string, error) {
	hc := interp.HandlerCtx(ctx)
	n := 0
	for n < len(args)-1 && (args[n] == "builtin" || args[n] == "command" && !strings.HasPrefix(args[n+1], "-")) {
		n++
	}
	instead := s.builtin(&hc, args[n:])
	if instead == nil {
		return args, nil
	}
	return append(append([]string{}, args[:n]...), instead...), nil
}

// builtin gives what to run in the place of a builtin; nil if it may run.
func (s *Shell) builtin(hc *interp.HandlerContext, args []string) []string {
	switch name := args[0]; {
	case (name == "source" || name == ".") && len(args) > 1:
		return s.source(hc, args)
	case name == "pwd" && len(args) > 1 && args[len(args)-1] == "-P":
		resolved, err := s.Disk.Resolve(hc.Dir, true)
		if err != nil {
			fmt.Fprintf(hc.Stderr, "pwd: %s\n", Why(err))
			return []string{"false"}
		}
		return []string{"echo", resolved}
	case name == "command" && len(args) > 1 && strings.HasPrefix(args[1], "-"), name == "type":
		return s.which(hc, args)
	case name == "eval":
		text := strings.Join(args[1:], " ")
		if err := refused("eval", text); err != nil {
			fmt.Fprintf(hc.Stderr, "%v\n", err)
			return []string{"false"}
		}
		return nil
	case name == "umask":
		return append([]string{"/usr/bin/umask"}, args[1:]...)
	}
	return nil
}

// refused says what of a script's text is refused; a text that is no script is
// the interpreter's to complain of.
func refused(name, text string) error {
	file, err := read(name, text)
	if err != nil {
		return nil
	}
	return check(name, file)
}

// source finds the file that source or "." is to read, and checks it.
func (s *Shell) source(hc *interp.HandlerContext, args []string) []string {
	if strings.HasPrefix(args[1], verbatim) || args[1] == "/dev/stdin" {
		return nil
	}
	name := disk.Join(hc.Dir, args[1])
	if !strings.Contains(args[1], "/") {
		for place := range strings.SplitSeq(hc.Env.Get("PATH").String(), ":") {
			candidate := disk.Join(disk.Join(hc.Dir, place), args[1])
			if info, err := s.Disk.Stat(candidate); err == nil && info.Mode().IsRegular() {
				name = candidate
				break
			}
		}
	}
	content, err := s.Disk.ReadFile(name)
	if err == nil {
		_, err = parse(args[1], string(content))
	} else {
		err = errors.New(args[1] + ": " + Why(err))
	}
	if err != nil {
		fmt.Fprintf(hc.Stderr, "%s: %v\n", args[0], err)
		return []string{"false"}
	}
	return append([]string{args[0], verbatim + name}, args[2:]...)
}

// which lets type and command -v tell of functions, aliases and builtins with a
// PATH that leads nowhere, and tells of files itself.
func (s *Shell) which(hc *interp.HandlerContext, args []string) []string {
	search := hc.Env.Get("PATH").String()
	if search == nowhere {
		return nil
	}
	flag, names := "", args[1:]
	if len(names) > 0 && strings.HasPrefix(names[0], "-") {
		flag, names = names[0], names[1:]
	}
	if args[0] == "command" && flag != "-v" || len(names) == 0 {
		return nil // runs the command, or is refused
	}
	var steps []string
	for _, name := range names {
		ask := "PATH=" + nowhere + " " + strings.TrimSpace(args[0]+" "+flag) + " " + quote(name)
		found := s.Look(search, hc.Dir, name)
		if strings.Contains(name, "/") {
			found = s.Look("/", hc.Dir, disk.Join(hc.Dir, name))
		}
		if found != "" {
			ask = "{ " + ask + " 2>/dev/null || echo " + quote(tell(args[0], flag, name, found)) + "; }"
		}
		steps = append(steps, ask)
	}
	return []string{"eval", strings.Join(steps, " && ")}
}

func tell(command, flag, name, found string) string {
	switch {
	case flag == "-t":
		return "file"
	case command == "type" && flag == "":
		return name + " is " + found
	}
	return found
}

func quote(word string) string {
	quoted, err := syntax.Quote(word, syntax.LangBash)
	if err != nil {
		return "''" // a word with a NUL in it names no file
	}
	return quoted
}
