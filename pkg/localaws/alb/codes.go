package alb

import (
	"fmt"
	"strconv"
	"strings"
)

// Codes are the status codes that pass a health check.
type Codes struct {
	text   string
	ranges [][2]int
}

// ParseCodes reads a Matcher's HttpCode: values and ranges between 200 and 499
// with commas between, e.g. 200,202 or 200-299. Empty means 200.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Matcher.html
func ParseCodes(text string) (Codes, error) {
	if text == "" {
		text = "200"
	}
	codes := Codes{text: text}
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		low, err := parseCode(first)
		if err != nil {
			return Codes{}, fmt.Errorf("parse health check codes %q: %w", text, err)
		}
		high, err := parseCode(last)
		if err != nil {
			return Codes{}, fmt.Errorf("parse health check codes %q: %w", text, err)
		}
		if high < low {
			return Codes{}, fmt.Errorf("parse health check codes %q: range %s is backwards", text, part)
		}
		codes.ranges = append(codes.ranges, [2]int{low, high})
	}
	return codes, nil
}

func parseCode(text string) (int, error) {
	code, err := strconv.Atoi(text)
	if err != nil || len(text) != 3 || code < 200 || code > 499 {
		return 0, fmt.Errorf("%q is not a code between 200 and 499", text)
	}
	return code, nil
}

// Match says whether a status code passes.
func (c Codes) Match(code int) bool {
	for _, r := range c.ranges {
		if r[0] <= code && code <= r[1] {
			return true
		}
	}
	return false
}

// String is the text that was parsed.
func (c Codes) String() string { return c.text }
