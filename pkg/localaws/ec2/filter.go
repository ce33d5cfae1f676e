package ec2

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"cutover/pkg/localaws/wire"
)

// A Filter keeps what has one of these values; * and ? stand for any characters
// and any one.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html
type Filter struct {
	Name   string   `aws:",required"`
	Values []string `aws:"Value"`
}

// filters are the values of a T by the name of the filter that asks for them.
type filters[T any] map[string]func(T) []string

// tagged adds the filters tag:KEY and tag-key.
type tagged[T any] struct {
	filters[T]
	tags func(T) []Tag
}

// check refuses filters that are unknown or ask for nothing.
func (f tagged[T]) check(asked []Filter) error {
	for _, a := range asked {
		_, known := f.filters[a.Name]
		if f.tags != nil && (strings.HasPrefix(a.Name, "tag:") || a.Name == "tag-key") {
			known = true
		}
		if !known {
			return wire.Errorf("InvalidParameterValue", "The filter '%s' is invalid", a.Name)
		}
		if len(a.Values) == 0 {
			return wire.Errorf("InvalidParameterValue", "The filter '%s' must have at least one value", a.Name)
		}
	}
	return nil
}

// keeps says whether v passes every filter.
func (f tagged[T]) keeps(asked []Filter, v T) bool {
	for _, a := range asked {
		has := f.values(a.Name, v)
		if !slices.ContainsFunc(has, func(value string) bool {
			return slices.ContainsFunc(a.Values, func(pattern string) bool { return matches(pattern, value) })
		}) {
			return false
		}
	}
	return true
}

func (f tagged[T]) values(name string, v T) []string {
	if values, ok := f.filters[name]; ok {
		return values(v)
	}
	key, byKey := strings.CutPrefix(name, "tag:")
	var values []string
	for _, t := range f.tags(v) {
		switch {
		case byKey && t.Key == key:
			values = append(values, t.Value)
		case !byKey:
			values = append(values, t.Key)
		}
	}
	return values
}

// matches says whether text has the form of a pattern with * and ?, which a
// backslash makes plain.
func matches(pattern, text string) bool {
	for pattern != "" {
		switch c := pattern[0]; {
		case c == '*':
			for i := range len(text) + 1 {
				if matches(pattern[1:], text[i:]) {
					return true
				}
			}
			return false
		case text == "":
			return false
		case c == '\\' && len(pattern) > 1:
			if pattern[1] != text[0] {
				return false
			}
			pattern = pattern[1:]
		case c != '?' && c != text[0]:
			return false
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}

// A Page asks for a part of a list.
type Page struct {
	MaxResults *int
	NextToken  string
}

// limits are the least and most items of a page that an operation allows.
type limits struct{ least, most int }

// cut takes the page asked for out of a list. Items are put in order of place,
// and a token says after which place to go on, so that nothing is skipped when
// items vanish between two pages.
func cut[T any](asked Page, l limits, all []T, place func(T) int) (items []T, next string, err error) {
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(place(a), place(b)) })
	if asked.NextToken != "" {
		raw, err := base64.StdEncoding.DecodeString(asked.NextToken)
		after, notNumber := strconv.Atoi(string(raw))
		if err != nil || notNumber != nil {
			return nil, "", wire.Errorf("InvalidNextToken", "The token '%s' is invalid", asked.NextToken)
		}
		from := slices.IndexFunc(all, func(v T) bool { return place(v) > after })
		if from < 0 {
			from = len(all)
		}
		all = all[from:]
	}
	most := l.most
	if asked.MaxResults != nil {
		if most = *asked.MaxResults; most < l.least || most > l.most {
			return nil, "", wire.Errorf("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value between %d and %d.", most, l.least, l.most)
		}
	}
	if len(all) > most {
		last := place(all[most-1])
		all, next = all[:most], base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(last)))
	}
	return all, next, nil
}

// unpaged refuses a page of things that are asked for by id.
func unpaged(asked Page, parameter string, ids []string) error {
	if len(ids) > 0 && asked.MaxResults != nil {
		return wire.Errorf("InvalidParameterCombination", "The parameter %s cannot be used with the parameter maxResults", parameter)
	}
	return nil
}
