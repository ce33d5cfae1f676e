package ec2

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, pattern, text string
		want                bool
	}{
		{"the same", "web", "web", true},
		{"a part is not the whole", "web", "web-1", false},
		{"any end", "web*", "web-1", true},
		{"any middle", "w*b*1", "web-b-11", true},
		{"a star for nothing", "web*", "web", true},
		{"one character", "web-?", "web-1", true},
		{"one character is not none", "web-?", "web-", false},
		{"a star that is meant", `we\*`, "we*", true},
		{"a star that is meant is no wildcard", `we\*`, "web", false},
		{"case counts", "Web", "web", false},
	} {
		if got := matches(c.pattern, c.text); got != c.want {
			t.Errorf("%s: matches(%q, %q): got %v, want %v", c.what, c.pattern, c.text, got, c.want)
		}
	}
}

// Whatever a text is, it matches itself once it is escaped, and any text around
// it once stars are around that.
func TestMatches_EscapedText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.StringOfN(rapid.SampledFrom([]rune(`ab*?\`)), 0, 8, -1)
		text, before, after := alphabet.Draw(t, "text"), alphabet.Draw(t, "before"), alphabet.Draw(t, "after")
		escaped := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(text)
		if !matches(escaped, text) {
			t.Fatalf("%q does not match itself as %q", text, escaped)
		}
		if !matches("*"+escaped+"*", before+text+after) {
			t.Fatalf("%q does not match within %q", escaped, before+text+after)
		}
		if text != before && matches(escaped, before) {
			t.Fatalf("%q matches %q", escaped, before)
		}
	})
}

// Pages have each item once, whatever vanishes in between from those seen.
func TestCut_SkipsNothingWhenItemsVanish(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := make([]int, rapid.IntRange(0, 30).Draw(t, "items"))
		for i := range all {
			all[i] = i + 1
		}
		size := rapid.IntRange(1, 7).Draw(t, "page")
		seen, token := 0, ""
		for {
			page, next, err := cut(Page{MaxResults: &size, NextToken: token}, limits{1, 10}, append([]int{}, all...), func(v int) int { return v })
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range page {
				if v != seen+1 {
					t.Fatalf("after %d: got %d", seen, v)
				}
				seen = v
			}
			if token = next; token == "" {
				break
			}
			all = all[rapid.IntRange(0, len(page)).Draw(t, "vanished"):]
			for len(all) > 0 && all[0] > seen+1 {
				t.Fatal("what was not seen vanished") // the test's own care
			}
		}
		if len(all) > 0 && seen != all[len(all)-1] {
			t.Fatalf("got up to %d, want %d", seen, all[len(all)-1])
		}
	})
}
