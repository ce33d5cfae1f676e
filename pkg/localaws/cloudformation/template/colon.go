package template

import "strings"

// standIn takes the place of colons that separate nothing. Within flow maps the
// YAML scanner splits {Fn::Sub: x} and {A: !Ref AWS::Region} at such colons,
// while YAML makes a colon a separator only where a space or the end of the
// value follows it (https://yaml.org/spec/1.2.2/#733-plain-style, rule 130).
// It is of Unicode's private use area, so that no template has a use for it.
const standIn = "\uE03A"

// hideColons puts stand-ins for the colons between two characters of a word.
func hideColons(source string) string {
	var b strings.Builder
	for i := range len(source) {
		if source[i] == ':' && i > 0 && i+1 < len(source) && ofWord(source[i-1]) && ofWord(source[i+1]) {
			b.WriteString(standIn)
			continue
		}
		b.WriteByte(source[i])
	}
	return b.String()
}

func ofWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-.:/*", c) >= 0
}

// showColons puts the colons back.
func showColons(text string) string { return strings.ReplaceAll(text, standIn, ":") }
