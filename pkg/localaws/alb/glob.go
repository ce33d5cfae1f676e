package alb

import "strings"

// pattern is a compiled pattern of a condition: * is any run of characters, ? is
// any one. It takes no more steps than pattern and text are long together, but
// for what each * makes it look at again.
type pattern struct {
	tokens []token
	fold   bool // texts must be lowered before matching
}

type token struct {
	kind byte // 0 a character, else '*' or '?'
	char byte
}

// newPattern compiles text. With fold it ignores case; with escape a backslash
// makes the character after it an ordinary one.
func newPattern(text string, fold, escape bool) pattern {
	if fold {
		text = strings.ToLower(text)
	}
	p := pattern{fold: fold}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case escape && c == '\\' && i+1 < len(text):
			i++
			p.tokens = append(p.tokens, token{char: text[i]})
		case c == '*' || c == '?':
			p.tokens = append(p.tokens, token{kind: c})
		default:
			p.tokens = append(p.tokens, token{char: c})
		}
	}
	return p
}

// match says whether the whole of text matches.
func (p pattern) match(text string) bool {
	if p.fold {
		text = strings.ToLower(text)
	}
	t, i := 0, 0
	star, mark := -1, 0 // the last * and where its run ends
	for i < len(text) {
		switch {
		case t < len(p.tokens) && p.tokens[t].kind == '*':
			star, mark = t, i
			t++
		case t < len(p.tokens) && (p.tokens[t].kind == '?' || p.tokens[t].char == text[i]):
			t, i = t+1, i+1
		case star >= 0:
			mark++
			t, i = star+1, mark
		default:
			return false
		}
	}
	for t < len(p.tokens) && p.tokens[t].kind == '*' {
		t++
	}
	return t == len(p.tokens)
}
