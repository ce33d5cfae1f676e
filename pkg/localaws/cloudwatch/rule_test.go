package cloudwatch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseRule(t *testing.T) {
	t.Parallel()
	cases := []struct{ sentence, text, want string }{
		{"a quoted name", `ALARM("my alarm (1)")`, `ALARM("my alarm (1)")`},
		{"a bare name", `ALARM( CPU too-high )`, `ALARM("CPU too-high")`},
		{"an ARN names the alarm", `OK("arn:aws:cloudwatch:us-east-1:111122223333:alarm:a:b")`, `OK("a:b")`},
		{"quotes within a name", `OK("a \"b\" \\c")`, `OK("a \"b\" \\c")`},
		{"AND binds closer than OR", `ALARM(a) OR OK(b) AND TRUE`, `(ALARM("a") OR (OK("b") AND TRUE))`},
		{"NOT binds closest", `NOT ALARM(a) AND FALSE`, `(NOT (ALARM("a")) AND FALSE)`},
		{"parentheses win", "(ALARM(a) OR\n INSUFFICIENT_DATA(b)) AND OK(c)", `((ALARM("a") OR INSUFFICIENT_DATA("b")) AND OK("c"))`},
		{"the same operator from the left", `TRUE AND FALSE AND TRUE`, `((TRUE AND FALSE) AND TRUE)`},
		{"NOT of a group, twice", `NOT NOT (TRUE OR FALSE)`, `NOT (NOT ((TRUE OR FALSE)))`},
	}
	for _, c := range cases {
		r, err := parseRule(c.text)
		if err != nil {
			t.Errorf("%s: %s: %v", c.sentence, c.text, err)
			continue
		}
		if got := r.String(); got != c.want {
			t.Errorf("%s: %s: got %s, want %s", c.sentence, c.text, got, c.want)
		}
	}
}

func TestParseRule_Refuses(t *testing.T) {
	t.Parallel()
	for sentence, text := range map[string]string{
		"nothing":                     "",
		"a name alone":                "alarm-1",
		"a function that is unknown":  "AT_LEAST(1, ALARM, (a, b))",
		"a state without parentheses": "ALARM",
		"an empty name":               "ALARM()",
		"an empty quoted name":        `ALARM("")`,
		"a quote without end":         `ALARM("a`,
		"a parenthesis without end":   "(TRUE",
		"one too many":                "TRUE)",
		"an operator without a right": "TRUE AND",
		"two in a row":                "TRUE FALSE",
		"NOT alone":                   "NOT",
		"too long":                    strings.Repeat(" ", maxRuleLength) + "TRUE",
		"too many elements":           strings.Repeat("NOT ", maxRuleElements) + "TRUE",
		"too many alarms":             manyAlarms(maxRuleChildren + 1),
	} {
		if r, err := parseRule(text); err == nil {
			t.Errorf("%s: %.40s: got %v, want an error", sentence, text, r)
		}
	}
	if _, err := parseRule(manyAlarms(maxRuleChildren)); err != nil {
		t.Errorf("as many alarms as allowed: %v", err)
	}
}

func manyAlarms(n int) string {
	var terms []string
	for i := range n {
		terms = append(terms, is{stateOK, strings.Repeat("a", i+1)}.String())
	}
	return strings.Join(terms, " OR ")
}

func rules() *rapid.Generator[rule] {
	leaf := rapid.OneOf(
		rapid.Map(rapid.Bool(), func(b bool) rule { return constant(b) }),
		rapid.Custom(func(t *rapid.T) rule {
			return is{
				rapid.SampledFrom([]string{stateOK, stateAlarm, stateInsufficient}).Draw(t, "state"),
				rapid.SampledFrom([]string{"a", "b c", `d"e\`, "(f)", "ALARM", "ü", "AND OK(x)"}).Draw(t, "name"),
			}
		}),
	)
	var tree func(depth int) *rapid.Generator[rule]
	tree = func(depth int) *rapid.Generator[rule] {
		if depth == 0 {
			return leaf
		}
		below := tree(depth - 1)
		return rapid.OneOf(
			leaf,
			rapid.Map(below, func(r rule) rule { return not{r} }),
			rapid.Custom(func(t *rapid.T) rule { return both{below.Draw(t, "left"), below.Draw(t, "right")} }),
			rapid.Custom(func(t *rapid.T) rule { return either{below.Draw(t, "left"), below.Draw(t, "right")} }),
		)
	}
	return tree(4)
}

func TestParseRule_ReadsWhatStringWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rules().Draw(t, "rule")
		got, err := parseRule(want.String())
		if err != nil {
			t.Fatalf("parse %s: %v", want, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(is{}, not{}, both{}, either{})); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", want, diff)
		}
	})
}

func TestRule_FollowsDeMorgan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		left, right := rules().Draw(t, "left"), rules().Draw(t, "right")
		states := map[string]string{}
		state := func(name string) string {
			if states[name] == "" {
				states[name] = rapid.SampledFrom([]string{stateOK, stateAlarm, stateInsufficient}).Draw(t, name)
			}
			return states[name]
		}
		a, b := left.holds(state), right.holds(state)
		if got := (both{left, right}).holds(state); got != (a && b) {
			t.Fatalf("%s AND %s: got %v, want %v", left, right, got, a && b)
		}
		if got, want := (not{either{left, right}}).holds(state), (both{not{left}, not{right}}).holds(state); got != want {
			t.Fatalf("NOT (%s OR %s): got %v, want %v", left, right, got, want)
		}
	})
}

func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{`ALARM("a") AND NOT (OK(b) OR TRUE)`, `INSUFFICIENT_DATA("a\"b")`, `((`, `NOT NOT FALSE`, "ALARM(\xff)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRule(text)
		if err != nil {
			return
		}
		again, err := parseRule(r.String())
		if err != nil {
			if len(r.String()) > maxRuleLength || strings.Count(r.String(), "NOT") > maxRuleElements/3 {
				return // written out it may go beyond the bounds
			}
			t.Fatalf("parse %q, written from %q: %v", r, text, err)
		}
		if got, want := again.String(), r.String(); got != want {
			t.Fatalf("%q: got %q, want %q", text, got, want)
		}
	})
}
