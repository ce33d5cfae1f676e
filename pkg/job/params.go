package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decodeParams reads UserParameters and has them validated. It lists every
// fault that it finds, not the first.
//
// Of what Validate says, a fault whose text begins with the name of a key that
// was already found faulty is left out: that a mistyped key is missing too is
// no news.
func decodeParams[P any](text string) (P, []string) {
	var params P
	if n := utf8.RuneCountInString(text); n > maxUserParameters {
		return params, []string{fmt.Sprintf("UserParameters have %d characters with their variables filled in, and %d are allowed: shorten them", n, maxUserParameters)}
	}
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return params, []string{notJSON(err)}
	}
	if raw = bytes.TrimSpace(raw); raw[0] != '{' {
		return params, []string{fmt.Sprintf("UserParameters are %s, want a JSON object", given(raw))}
	}
	s := strict{faulty: map[string]bool{}}
	s.decode(raw, reflect.ValueOf(&params).Elem(), "")
	for _, fault := range validate(&params) {
		if !s.faulty[leadingKey(fault)] {
			s.faults = append(s.faults, fault)
		}
	}
	return params, s.faults
}

func notJSON(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("UserParameters are not JSON: at character %d, %s", syntax.Offset, syntax)
	}
	return "UserParameters are not JSON"
}

// validate lists the faults that the parameters find in themselves.
func validate(params any) []string {
	if v, ok := capability[interface{ Validate() error }](params); ok {
		return unjoined(v.Validate())
	}
	return nil
}

// capability finds methods T of what params points to, also those of the target
// itself when that is a pointer.
func capability[T any](params any) (T, bool) {
	if c, ok := params.(T); ok {
		return c, true
	}
	c, ok := reflect.ValueOf(params).Elem().Interface().(T)
	return c, ok
}

// unjoined are the texts of joined errors.
func unjoined(err error) []string {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var texts []string
	for _, e := range joined.Unwrap() {
		texts = append(texts, unjoined(e)...)
	}
	return texts
}

// leadingKey is the name that a fault's text begins with.
func leadingKey(fault string) string {
	fault = strings.TrimPrefix(fault, `"`)
	end := strings.IndexFunc(fault, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' })
	if end < 0 {
		return fault
	}
	return fault[:end]
}
