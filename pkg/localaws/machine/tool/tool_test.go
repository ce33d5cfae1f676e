package tool

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cutover/pkg/localaws/machine/shell"
)

func TestParse_SortsArgumentsOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		specification string
		args          []string
		set, rest     string
		value         string
		complaint     string
	}{
		"letters together":              {"a b n:", []string{"-ab", "x"}, "a b", "x", "", ""},
		"a value behind its letter":     {"a n:", []string{"-an5", "x"}, "a n", "x", "5", ""},
		"a value that follows":          {"n:", []string{"x", "-n", "5"}, "n", "x", "5", ""},
		"a long option of another name": {"n: lines=n:", []string{"--lines=5", "--lines", "6"}, "n", "", "6", ""},
		"the end of the options":        {"a", []string{"--", "-a"}, "", "-a", "", ""},
		"a dash":                        {"a", []string{"-", "-a"}, "a", "-", "", ""},
		"options of another command":    {"+a", []string{"-a", "x", "-b"}, "a", "x -b", "", ""},
		"a letter that is not known":    {"a", []string{"-ax"}, "", "", "", "t: invalid option -- 'x'\n"},
		"a word that is not known":      {"a", []string{"--a"}, "", "", "", "t: unrecognized option '--a'\n"},
		"a value that is not there":     {"n:", []string{"-n"}, "", "", "", "t: option '-n' requires an argument\n"},
		"a value that is not wanted":    {"all", []string{"--all=1"}, "", "", "", "t: unrecognized option '--all=1'\n"},
	} {
		var errs bytes.Buffer
		o, ok := Parse(&shell.Call{Args: append([]string{"t"}, c.args...), Stderr: &errs}, c.specification)
		if errs.String() != c.complaint || ok != (c.complaint == "") {
			t.Errorf("%s: got %q, %v; want %q", name, errs.String(), ok, c.complaint)
		}
		for letter := range strings.FieldsSeq(c.set) {
			if !o.Has(letter) {
				t.Errorf("%s: got no %s, want it", name, letter)
			}
		}
		if got := strings.Join(o.Args, " "); got != c.rest || o.Value("n") != c.value {
			t.Errorf("%s: got %q and %q, want %q and %q", name, got, o.Value("n"), c.rest, c.value)
		}
	}
}

func TestCompareVersions_AsRpmDoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.9", "1.10", -1}, {"2.34-52.amzn2023", "2.34-196.amzn2023", -1}, {"1.0a", "1.0", 1},
		{"8.7p1-8", "8.7p1-46", -1}, {"a", "1", -1}, {"1.01", "1.1", 0}, {"3.2.2-1", "3.0.8-1", 1},
	} {
		if got, back := CompareVersions(c.a, c.b), CompareVersions(c.b, c.a); got != c.want || back != -c.want {
			t.Errorf("%s and %s: got %d and back %d, want %d", c.a, c.b, got, back, c.want)
		}
	}
}

func TestExtended_MeansTheSame(t *testing.T) {
	t.Parallel()
	for basic, want := range map[string]string{
		"a+b": `a\+b`, `a\+b`: "a+b", `\(x\)\{2\}`: "(x){2}", "[+?]": "[+?]", "[]a]": `[\]a]`, "*a": `\*a`, `a\.b`: `a\.b`, `a|b`: `a\|b`,
	} {
		if got := Extended(basic); got != want {
			t.Errorf("%s: got %s, want %s", basic, got, want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab+?|(){}")), 0, 10, -1).Draw(rt, "text")
		pattern, err := regexp.Compile("^(?:" + Extended(text) + ")$")
		if err != nil || !pattern.MatchString(text) {
			rt.Fatalf("%s: got %v and no match, want that it matches itself", text, err)
		}
	})
}

func FuzzParseEdits(f *testing.F) {
	for _, script := range []string{"s/a\\(b\\)/\\1&/g", "/x/,$d", "2!p;q", "s|a|b|2p", "1a text"} {
		f.Add(script, "a\nab\nx\n")
	}
	f.Fuzz(func(t *testing.T, script, text string) {
		edits, err := parseEdits(script, false)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := edited(strings.NewReader(text), &out, edits, false); err != nil {
			t.Errorf("%q: got %v, want none of a text", script, err)
		}
	})
}

func TestExpandSet_ReadsRanges(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff("abcXYZ-\n", string(expandSet(`a-cX-Z-\n`))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
