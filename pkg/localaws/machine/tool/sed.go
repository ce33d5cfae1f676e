package tool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"cutover/pkg/localaws/machine/shell"
)

// sed knows the commands s, d, p, q, a, i and c with a line number, $, /regexp/
// or a range of them before it, and the options -n, -E, -i and -e.
func sed(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "n quiet=n E r=E regexp-extended=E i in-place=i e: expression=e:")
	if !ok {
		return 1
	}
	scripts, names := o.Values("e"), o.Args
	if len(scripts) == 0 {
		if len(names) == 0 {
			return c.Fail("no script specified")
		}
		scripts, names = names[:1], names[1:]
	}
	var edits []*edit
	for _, script := range scripts {
		more, err := parseEdits(script, o.Has("E"))
		if err != nil {
			return c.Fail("-e expression #1: %v", err)
		}
		edits = append(edits, more...)
	}
	if !o.Has("i") {
		return inputs(c, names, func(_ string, r io.Reader) error { return edited(r, c.Stdout, edits, o.Has("n")) })
	}
	if len(names) == 0 {
		return c.Fail("no input files")
	}
	return each(c, names, "can't read %s", func(at string) error { return editInPlace(c, at, edits, o.Has("n")) })
}

func editInPlace(c *shell.Call, at string, edits []*edit, silent bool) error {
	content, err := c.Shell.Disk.ReadFile(at)
	if err != nil {
		return err
	}
	var out strings.Builder
	if err := edited(strings.NewReader(string(content)), &out, edits, silent); err != nil {
		return err
	}
	return c.Shell.Disk.WriteFile(at, []byte(out.String()), 0o644)
}

// An address says which lines an edit is for.
type address struct {
	line    int // 0: not by number
	last    bool
	pattern *regexp.Regexp
}

func (a *address) matches(line string, number int, last bool) bool {
	switch {
	case a.pattern != nil:
		return a.pattern.MatchString(line)
	case a.last:
		return last
	}
	return a.line == number
}

// An edit is one command.
type edit struct {
	from, to    *address
	not         bool
	command     byte
	pattern     *regexp.Regexp
	replacement []piece
	nth         int
	all, print  bool
	text        string
	inside      bool // between from and to
}

// A piece of a replacement is a text or, if that is empty, a group of the match.
type piece struct {
	text  string
	group int
}

func (e *edit) applies(line string, number int, last bool) bool {
	switch {
	case e.from == nil:
		return true
	case e.to == nil:
		return e.from.matches(line, number, last) != e.not
	case e.inside:
		e.inside = !e.to.matches(line, number, last) && (e.to.line == 0 || e.to.line > number)
		return !e.not
	case e.from.matches(line, number, last):
		e.inside = e.to.line == 0 || e.to.line > number
		return !e.not
	}
	return e.not
}

func edited(r io.Reader, w io.Writer, edits []*edit, silent bool) error {
	var all []string
	if err := lines(r, func(line string) bool { all = append(all, line); return true }); err != nil {
		return err
	}
	for _, e := range edits {
		e.inside = false
	}
	for i, whole := range all {
		line, ended := strings.CutSuffix(whole, "\n")
		end := map[bool]string{true: "\n", false: ""}[ended]
		s := state{line: line, end: end, out: w, kept: !silent}
		for _, e := range edits {
			if s.gone || s.quit {
				break
			}
			if e.applies(s.line, i+1, i == len(all)-1) {
				e.apply(&s)
			}
		}
		if s.kept && !s.gone {
			fmt.Fprint(w, s.line, s.end)
		}
		fmt.Fprint(w, s.after)
		if s.quit {
			return nil
		}
	}
	return nil
}

type state struct {
	line, end, after string
	out              io.Writer
	kept, gone, quit bool
}

func (e *edit) apply(s *state) {
	switch e.command {
	case 'd':
		s.gone = true
	case 'p':
		fmt.Fprint(s.out, s.line, "\n")
	case 'q':
		s.quit = true
	case 'i':
		fmt.Fprintln(s.out, e.text)
	case 'a':
		s.after += e.text + "\n"
	case 'c':
		s.gone = true
		fmt.Fprintln(s.out, e.text)
	case 's':
		changed, done := e.substitute(s.line)
		s.line = changed
		if done && e.print {
			fmt.Fprint(s.out, s.line, "\n")
		}
	}
}

func (e *edit) substitute(line string) (string, bool) {
	var out strings.Builder
	at, changed := 0, false
	for n, match := range e.pattern.FindAllStringSubmatchIndex(line, -1) {
		if n+1 < e.nth || n+1 > e.nth && !e.all {
			continue
		}
		out.WriteString(line[at:match[0]])
		for _, p := range e.replacement {
			out.WriteString(p.text)
			if p.text == "" && 2*p.group+1 < len(match) && match[2*p.group] >= 0 {
				out.WriteString(line[match[2*p.group]:match[2*p.group+1]])
			}
		}
		at, changed = match[1], true
	}
	out.WriteString(line[at:])
	return out.String(), changed
}

// parseEdits reads commands, separated by ";" or ends of lines.
func parseEdits(script string, extended bool) ([]*edit, error) {
	s := &scanner{rest: script, extended: extended}
	var edits []*edit
	for {
		s.rest = strings.TrimLeft(s.rest, " \t\n;")
		if s.rest == "" {
			return edits, nil
		}
		e, err := s.edit()
		if err != nil {
			return nil, err
		}
		edits = append(edits, e)
	}
}

type scanner struct {
	rest     string
	extended bool
}

func (s *scanner) edit() (*edit, error) {
	e := &edit{nth: 1}
	var err error
	if e.from, err = s.address(); err != nil {
		return nil, err
	}
	if e.from != nil && strings.HasPrefix(s.rest, ",") {
		s.rest = s.rest[1:]
		if e.to, err = s.address(); err != nil {
			return nil, err
		}
		if e.to == nil {
			return nil, errors.New("unexpected `,'")
		}
	}
	s.rest = strings.TrimLeft(s.rest, " ")
	if strings.HasPrefix(s.rest, "!") {
		e.not, s.rest = e.from != nil, s.rest[1:]
	}
	if s.rest == "" {
		return nil, errors.New("missing command")
	}
	e.command, s.rest = s.rest[0], s.rest[1:]
	switch e.command {
	case 'd', 'p', 'q':
		return e, s.end()
	case 'a', 'i', 'c':
		text, rest, _ := strings.Cut(s.rest, "\n")
		e.text, s.rest = strings.TrimPrefix(strings.TrimLeft(text, " "), `\`), rest
		return e, nil
	case 's':
		return e, s.substitution(e)
	}
	return nil, fmt.Errorf("unknown command: `%c'", e.command)
}

// end checks that nothing but the end of a command follows.
func (s *scanner) end() error {
	s.rest = strings.TrimLeft(s.rest, " ")
	if s.rest != "" && s.rest[0] != ';' && s.rest[0] != '\n' {
		return fmt.Errorf("extra characters after command: %q", s.rest)
	}
	return nil
}

func (s *scanner) address() (*address, error) {
	switch {
	case strings.HasPrefix(s.rest, "$"):
		s.rest = s.rest[1:]
		return &address{last: true}, nil
	case strings.HasPrefix(s.rest, "/"):
		s.rest = s.rest[1:]
		text, ok := s.until('/')
		if !ok {
			return nil, errors.New("unterminated address regex")
		}
		pattern, err := s.compile(text, "")
		return &address{pattern: pattern}, err
	}
	digits := len(s.rest) - len(strings.TrimLeft(s.rest, "0123456789"))
	if digits == 0 {
		return nil, nil
	}
	line, err := strconv.Atoi(s.rest[:digits])
	s.rest = s.rest[digits:]
	return &address{line: line}, err
}

// until reads to a delimiter; one after a backslash loses the backslash.
func (s *scanner) until(delimiter byte) (string, bool) {
	var text strings.Builder
	for i := 0; i < len(s.rest); i++ {
		switch b := s.rest[i]; {
		case b == '\\' && i+1 < len(s.rest):
			i++
			if s.rest[i] != delimiter {
				text.WriteByte('\\')
			}
			text.WriteByte(s.rest[i])
		case b == delimiter:
			s.rest = s.rest[i+1:]
			return text.String(), true
		default:
			text.WriteByte(b)
		}
	}
	return "", false
}

func (s *scanner) compile(text, flags string) (*regexp.Regexp, error) {
	if !s.extended {
		text = Extended(text)
	}
	return regexp.Compile(flags + text)
}

func (s *scanner) substitution(e *edit) error {
	if s.rest == "" {
		return errors.New("unterminated `s' command")
	}
	delimiter := s.rest[0]
	s.rest = s.rest[1:]
	pattern, ok := s.until(delimiter)
	replacement, closed := s.until(delimiter)
	if !ok || !closed {
		return errors.New("unterminated `s' command")
	}
	insensitive := ""
	for s.rest != "" && strings.IndexByte("gpiI123456789", s.rest[0]) >= 0 {
		switch flag := s.rest[0]; flag {
		case 'g':
			e.all = true
		case 'p':
			e.print = true
		case 'i', 'I':
			insensitive = "(?i)"
		default:
			e.nth = int(flag - '0')
		}
		s.rest = s.rest[1:]
	}
	e.replacement = pieces(replacement)
	var err error
	if e.pattern, err = s.compile(pattern, insensitive); err != nil {
		return err
	}
	return s.end()
}

// pieces reads a replacement: & and \0 to \9 are groups, \n is an end of line.
func pieces(replacement string) []piece {
	var all []piece
	literal := func(text string) { all = append(all, piece{text: text}) }
	for i := 0; i < len(replacement); i++ {
		b := replacement[i]
		switch {
		case b == '&':
			all = append(all, piece{})
		case b == '\\' && i+1 < len(replacement):
			i++
			switch next := replacement[i]; {
			case digit(next):
				all = append(all, piece{group: int(next - '0')})
			case next == 'n':
				literal("\n")
			case next == 't':
				literal("\t")
			default:
				literal(string(next))
			}
		default:
			literal(replacement[i : i+1])
		}
	}
	return all
}
