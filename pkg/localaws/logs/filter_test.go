package logs

import "testing"

// FuzzCompile holds that no pattern and no message make the filter panic, and that
// a pattern that is taken decides the same way each time.
func FuzzCompile(f *testing.F) {
	f.Add(`{ $.level = "ER*" }`, `{"level":"ERROR"}`)
	f.Add(`?a ?"b c" -d e`, `b c e`)
	f.Add(`{ $.a.b != *x*y* }`, `{"a":{"b":true}}`)
	f.Fuzz(func(t *testing.T, pattern, message string) {
		matches, err := compile(pattern)
		if err != nil {
			return
		}
		if one, two := matches(message), matches(message); one != two {
			t.Errorf("%q on %q: got %v, then %v", pattern, message, one, two)
		}
	})
}
