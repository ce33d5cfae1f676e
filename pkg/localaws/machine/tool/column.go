package tool

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"cutover/pkg/localaws/machine/shell"
)

func translate(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "d delete=d s squeeze-repeats=s c complement=c")
	if !ok {
		return 1
	}
	if len(o.Args) == 0 || !o.Has("d") && !o.Has("s") && len(o.Args) < 2 {
		return c.Fail("missing operand")
	}
	from := expandSet(o.Args[0])
	var to []byte
	if len(o.Args) > 1 {
		to = expandSet(o.Args[1])
	}
	if len(o.Args) > 1 && len(to) == 0 {
		return c.Fail("when not truncating set1, string2 must be non-empty")
	}
	content, err := io.ReadAll(c.In())
	if err != nil {
		return c.Fail("%s", shell.Why(err))
	}
	squeeze := from
	if len(to) > 0 {
		squeeze = to
	}
	var out []byte
	for _, b := range content {
		at := slices.Index(from, b)
		if o.Has("c") {
			at = map[bool]int{true: len(from), false: -1}[at < 0]
		}
		if at >= 0 && o.Has("d") {
			continue
		}
		if at >= 0 && len(to) > 0 {
			b = to[min(at, len(to)-1)]
		}
		if o.Has("s") && len(out) > 0 && out[len(out)-1] == b && slices.Contains(squeeze, b) != (o.Has("c") && len(to) == 0) {
			continue
		}
		out = append(out, b)
	}
	if _, err := c.Stdout.Write(out); err != nil {
		return 1
	}
	return 0
}

// expandSet reads a-z, escapes and classes.
func expandSet(set string) []byte {
	for class, is := range map[string]string{
		"[:upper:]": "A-Z", "[:lower:]": "a-z", "[:digit:]": "0-9", "[:alpha:]": "A-Za-z",
		"[:alnum:]": "A-Za-z0-9", "[:space:]": " \t\n\r\v\f", `\n`: "\n", `\t`: "\t", `\r`: "\r", `\0`: "\x00",
	} {
		set = strings.ReplaceAll(set, class, is)
	}
	set = strings.ReplaceAll(set, `\\`, `\`)
	var all []byte
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' && set[i] <= set[i+2] {
			for b := int(set[i]); b <= int(set[i+2]); b++ {
				all = append(all, byte(b))
			}
			i += 2
			continue
		}
		all = append(all, set[i])
	}
	return all
}

func cut(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "d: delimiter=d: f: fields=f: c: characters=c: b=c: s")
	if !ok {
		return 1
	}
	ranges := o.Value("f")
	if o.Has("c") {
		ranges = o.Value("c")
	}
	wanted, err := parseRanges(ranges)
	if err != nil || o.Has("f") == o.Has("c") {
		return c.Fail("you must specify a list of bytes, characters, or fields")
	}
	delimiter := "\t"
	if o.Has("d") {
		delimiter = o.Value("d")
	}
	return inputs(c, o.Args, func(_ string, r io.Reader) error {
		return lines(r, func(line string) bool {
			line = strings.TrimSuffix(line, "\n")
			if o.Has("c") {
				fmt.Fprintln(c.Stdout, strings.Join(wanted.pick(strings.Split(line, "")), ""))
			} else if strings.Contains(line, delimiter) {
				fmt.Fprintln(c.Stdout, strings.Join(wanted.pick(strings.Split(line, delimiter)), delimiter))
			} else if !o.Has("s") {
				fmt.Fprintln(c.Stdout, line)
			}
			return true
		})
	})
}

type ranges [][2]int

// parseRanges reads 1,3-5,7-.
func parseRanges(list string) (ranges, error) {
	var all ranges
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, last := 1, 1<<30
		var err error
		if from != "" {
			if first, err = strconv.Atoi(from); err != nil {
				return nil, err
			}
		}
		if !isRange {
			last = first
		} else if to != "" {
			if last, err = strconv.Atoi(to); err != nil {
				return nil, err
			}
		}
		if from == "" && to == "" || first < 1 || last < first {
			return nil, fmt.Errorf("invalid range %q", part)
		}
		all = append(all, [2]int{first, last})
	}
	return all, nil
}

func (r ranges) pick(fields []string) []string {
	var picked []string
	for i, field := range fields {
		if slices.ContainsFunc(r, func(span [2]int) bool { return span[0] <= i+1 && i+1 <= span[1] }) {
			picked = append(picked, field)
		}
	}
	return picked
}

func sortLines(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "n numeric-sort=n r reverse=r u unique=u V f")
	if !ok {
		return 2
	}
	var all []string
	code := inputs(c, o.Args, func(_ string, r io.Reader) error {
		return lines(r, func(line string) bool { all = append(all, strings.TrimSuffix(line, "\n")); return true })
	})
	order := func(a, b string) int {
		switch {
		case o.Has("V"):
			return CompareVersions(a, b)
		case o.Has("n"):
			return cmp.Compare(leading(a), leading(b))
		case o.Has("f"):
			return cmp.Compare(strings.ToUpper(a), strings.ToUpper(b))
		}
		return cmp.Compare(a, b)
	}
	slices.SortStableFunc(all, func(a, b string) int {
		by := cmp.Or(order(a, b), cmp.Compare(a, b))
		if o.Has("r") {
			return -by
		}
		return by
	})
	if o.Has("u") {
		all = slices.CompactFunc(all, func(a, b string) bool { return order(a, b) == 0 })
	}
	for _, line := range all {
		fmt.Fprintln(c.Stdout, line)
	}
	return code
}

// leading is the number that a line begins with; 0 if none.
func leading(line string) float64 {
	line = strings.TrimLeft(line, " \t")
	end := 0
	for end < len(line) && strings.IndexByte("-0123456789.", line[end]) >= 0 {
		end++
	}
	n, err := strconv.ParseFloat(line[:end], 64)
	if err != nil {
		return 0
	}
	return n
}

// CompareVersions orders versions as rpm does: number by number and word by word.
func CompareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeft(a, ".-_+"), strings.TrimLeft(b, ".-_+")
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		x, restA := segment(a)
		y, restB := segment(b)
		if order := compareSegments(x, y); order != 0 {
			return order
		}
		a, b = restA, restB
	}
}

func segment(version string) (string, string) {
	end := 1
	for end < len(version) && digit(version[end]) == digit(version[0]) && strings.IndexByte(".-_+", version[end]) < 0 {
		end++
	}
	return version[:end], version[end:]
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

// compareSegments puts a number after a word, and a longer number after a shorter.
func compareSegments(x, y string) int {
	if digit(x[0]) != digit(y[0]) {
		return map[bool]int{true: 1, false: -1}[digit(x[0])]
	}
	if !digit(x[0]) {
		return cmp.Compare(x, y)
	}
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
}

func unique(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "c count=c d u")
	if !ok {
		return 1
	}
	type run struct {
		line  string
		count int
	}
	var runs []run
	code := inputs(c, o.Args, func(_ string, r io.Reader) error {
		return lines(r, func(line string) bool {
			line = strings.TrimSuffix(line, "\n")
			if n := len(runs); n > 0 && runs[n-1].line == line {
				runs[n-1].count++
			} else {
				runs = append(runs, run{line, 1})
			}
			return true
		})
	})
	for _, r := range runs {
		switch {
		case o.Has("d") && r.count == 1, o.Has("u") && r.count > 1:
		case o.Has("c"):
			fmt.Fprintf(c.Stdout, "%7d %s\n", r.count, r.line)
		default:
			fmt.Fprintln(c.Stdout, r.line)
		}
	}
	return code
}
