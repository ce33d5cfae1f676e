package tool

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"cutover/pkg/localaws/machine/shell"
)

// grep exits with 0 if a line was selected, 1 if none was, 2 if something failed.
func grep(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "q quiet=q silent=q E extended-regexp=E F fixed-strings=F i ignore-case=i v invert-match=v c count=c "+
		"n line-number=n l files-with-matches=l r recursive=r R=r s no-messages=s x line-regexp=x w word-regexp=w o only-matching=o h H e: regexp=e: m: max-count=m:")
	if !ok {
		return 2
	}
	patterns, names := o.Values("e"), o.Args
	if len(patterns) == 0 {
		if len(names) == 0 {
			c.Fail("no pattern")
			return 2
		}
		patterns, names = names[:1], names[1:]
	}
	match, err := compile(c, o, patterns)
	if err != nil {
		c.Fail("%v", err)
		return 2
	}
	g := &grepping{call: c, options: o, match: match, many: len(names) > 1 || o.Has("r")}
	if o.Has("m") {
		if _, err := fmt.Sscan(o.Value("m"), &g.most); err != nil || g.most < 1 {
			c.Fail("invalid max count")
			return 2
		}
	}
	return g.run(names)
}

func compile(c *shell.Call, o Options, patterns []string) (*regexp.Regexp, error) {
	var all []string
	for _, pattern := range patterns {
		switch {
		case o.Has("F") || c.Args[0] == "fgrep":
			pattern = regexp.QuoteMeta(pattern)
		case !o.Has("E") && c.Args[0] != "egrep":
			pattern = Extended(pattern)
		}
		all = append(all, "(?:"+pattern+")")
	}
	joined := strings.Join(all, "|")
	if o.Has("w") {
		joined = `\b(?:` + joined + `)\b`
	}
	if o.Has("x") {
		joined = "^(?:" + joined + ")$"
	}
	if o.Has("i") {
		joined = "(?i)" + joined
	}
	return regexp.Compile(joined)
}

// Extended is the extended form of a basic regular expression, in which the
// characters + ? | ( ) { } mean themselves unless a backslash precedes them.
func Extended(basic string) string {
	var out strings.Builder
	inClass := false
	for i := 0; i < len(basic); i++ {
		b := basic[i]
		switch {
		case b == '\\' && i+1 < len(basic) && !inClass:
			i++
			if strings.IndexByte("+?|(){}", basic[i]) >= 0 {
				out.WriteByte(basic[i])
			} else {
				out.WriteString(basic[i-1 : i+1])
			}
			continue
		case inClass:
			inClass = b != ']'
		case b == '[':
			inClass = true
			if strings.HasPrefix(basic[i+1:], "]") || strings.HasPrefix(basic[i+1:], "^]") {
				end := strings.IndexByte(basic[i:], ']') + i
				out.WriteString(basic[i:end] + `\]`)
				i = end
				continue
			}
		case strings.IndexByte("+?|(){}", b) >= 0, b == '*' && (i == 0 || strings.HasSuffix(basic[:i], `\(`)):
			out.WriteByte('\\')
		}
		out.WriteByte(b)
	}
	return out.String()
}

type grepping struct {
	call    *shell.Call
	options Options
	match   *regexp.Regexp
	many    bool
	most    int
	found   bool
	failed  bool
}

func (g *grepping) run(names []string) int {
	if g.options.Has("r") {
		names = g.below(names)
	} else if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		if err := input(g.call, name, g.file); err != nil {
			g.failed = true
			if !g.options.Has("s") {
				g.call.Fail("%s: %s", name, shell.Why(err))
			}
		}
		if g.found && g.options.Has("q") {
			return 0
		}
	}
	switch {
	case g.failed:
		return 2
	case g.found:
		return 0
	}
	return 1
}

// below are the files that -r means.
func (g *grepping) below(names []string) []string {
	if len(names) == 0 {
		names = []string{"."}
	}
	var all []string
	for _, name := range names {
		root := g.call.Path(name)
		err := tree(g.call, root, func(at string, info fs.FileInfo) error {
			if info.Mode().IsRegular() {
				all = append(all, name+strings.TrimPrefix(at, root))
			}
			return nil
		})
		if err != nil {
			g.failed = true
			g.call.Fail("%s: %s", name, shell.Why(err))
		}
	}
	return all
}

func (g *grepping) file(name string, r io.Reader) error {
	o, out := g.options, g.call.Stdout
	prefix := ""
	if (g.many || o.Has("H")) && !o.Has("h") {
		prefix = name + ":"
	}
	selected, number := 0, 0
	err := lines(r, func(line string) bool {
		line = strings.TrimSuffix(line, "\n")
		number++
		if g.match.MatchString(line) == o.Has("v") {
			return true
		}
		selected++
		g.found = true
		at := ""
		if o.Has("n") {
			at = fmt.Sprintf("%d:", number)
		}
		switch {
		case o.Has("q"), o.Has("l"):
			return false
		case o.Has("c"):
		case o.Has("o"):
			for _, part := range g.match.FindAllString(line, -1) {
				fmt.Fprintf(out, "%s%s%s\n", prefix, at, part)
			}
		default:
			fmt.Fprintf(out, "%s%s%s\n", prefix, at, line)
		}
		return g.most == 0 || selected < g.most
	})
	if o.Has("c") && !o.Has("q") {
		fmt.Fprintf(out, "%s%d\n", prefix, selected)
	}
	if o.Has("l") && selected > 0 {
		fmt.Fprintln(out, name)
	}
	return err
}
