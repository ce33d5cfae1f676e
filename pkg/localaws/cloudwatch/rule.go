package cloudwatch

import (
	"fmt"
	"slices"
	"strings"
)

// A rule is the expression of a composite alarm. Each kind of node below is one.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
type rule interface {
	// holds evaluates the rule, given the states of alarms by name.
	holds(state func(name string) string) bool
	// String is the rule as parseRule reads it, with every parenthesis.
	String() string
}

type (
	constant bool
	is       struct{ state, name string } // ALARM("name")
	not      struct{ of rule }
	both     struct{ left, right rule }
	either   struct{ left, right rule }
)

func (r constant) holds(func(string) string) bool { return bool(r) }
func (r is) holds(state func(string) string) bool { return state(r.name) == r.state }
func (r not) holds(state func(string) string) bool {
	return !r.of.holds(state)
}
func (r both) holds(state func(string) string) bool {
	return r.left.holds(state) && r.right.holds(state)
}
func (r either) holds(state func(string) string) bool {
	return r.left.holds(state) || r.right.holds(state)
}

func (r constant) String() string { return strings.ToUpper(fmt.Sprint(bool(r))) }
func (r is) String() string {
	return r.state + `("` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(r.name) + `")`
}
func (r not) String() string    { return "NOT (" + r.of.String() + ")" }
func (r both) String() string   { return "(" + r.left.String() + " AND " + r.right.String() + ")" }
func (r either) String() string { return "(" + r.left.String() + " OR " + r.right.String() + ")" }

// AWS's bounds of a rule.
const (
	maxRuleLength   = 10240
	maxRuleElements = 500
	maxRuleChildren = 100
)

// parseRule reads a rule. NOT binds closer than AND, and AND closer than OR.
// Alarms are named with or without quotes, by name or by ARN.
func parseRule(text string) (rule, error) {
	if len(text) > maxRuleLength {
		return nil, fmt.Errorf("parse rule: longer than %d bytes", maxRuleLength)
	}
	p := ruleParser{text: text}
	r, err := p.either()
	if err == nil {
		if p.space(); p.at < len(text) {
			err = p.fault("expected AND, OR or the end")
		}
	}
	if err != nil {
		return nil, err
	}
	if n := len(children(r)); n > maxRuleChildren {
		return nil, fmt.Errorf("parse rule: names %d alarms, more than %d", n, maxRuleChildren)
	}
	return r, nil
}

// children lists the alarms that a rule names, each once.
func children(r rule) []string {
	var names []string
	var walk func(rule)
	walk = func(r rule) {
		switch r := r.(type) {
		case is:
			names = append(names, r.name)
		case not:
			walk(r.of)
		case both:
			walk(r.left)
			walk(r.right)
		case either:
			walk(r.left)
			walk(r.right)
		}
	}
	walk(r)
	slices.Sort(names)
	return slices.Compact(names)
}

type ruleParser struct {
	text     string
	at       int
	elements int // that bound the depth of recursion too
}

func (p *ruleParser) fault(format string, args ...any) error {
	return fmt.Errorf("parse rule at byte %d: %s", p.at, fmt.Sprintf(format, args...))
}

func (p *ruleParser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// word reads letters and underscores, in upper case, without going past them
// unless the caller takes them.
func (p *ruleParser) word() (word string, end int) {
	p.space()
	end = p.at
	for end < len(p.text) && (p.text[end] == '_' || p.text[end]|0x20 >= 'a' && p.text[end]|0x20 <= 'z') {
		end++
	}
	return strings.ToUpper(p.text[p.at:end]), end
}

func (p *ruleParser) take(word string) bool {
	got, end := p.word()
	if got != word {
		return false
	}
	p.at = end
	return true
}

func (p *ruleParser) sign(c byte) bool {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *ruleParser) either() (rule, error) {
	left, err := p.both()
	for err == nil && p.take("OR") {
		var right rule
		if right, err = p.both(); err == nil {
			left = either{left, right}
		}
	}
	return left, err
}

func (p *ruleParser) both() (rule, error) {
	left, err := p.single()
	for err == nil && p.take("AND") {
		var right rule
		if right, err = p.single(); err == nil {
			left = both{left, right}
		}
	}
	return left, err
}

func (p *ruleParser) single() (rule, error) {
	if p.elements++; p.elements > maxRuleElements {
		return nil, p.fault("more than %d elements", maxRuleElements)
	}
	if p.sign('(') {
		r, err := p.either()
		if err == nil && !p.sign(')') {
			err = p.fault("expected )")
		}
		return r, err
	}
	word, end := p.word()
	switch word {
	case "NOT":
		p.at = end
		of, err := p.single()
		return not{of}, err
	case "TRUE", "FALSE":
		p.at = end
		return constant(word == "TRUE"), nil
	case stateAlarm, stateOK, stateInsufficient:
		p.at = end
		name, err := p.name()
		return is{word, name}, err
	}
	return nil, p.fault("expected ALARM(), OK(), INSUFFICIENT_DATA(), TRUE, FALSE, NOT or a parenthesis, got %q", word)
}

// name reads ("name") or (name).
func (p *ruleParser) name() (string, error) {
	if !p.sign('(') {
		return "", p.fault("expected (")
	}
	p.space()
	var name string
	if p.sign('"') {
		var b strings.Builder
		for ; p.at < len(p.text) && p.text[p.at] != '"'; p.at++ {
			if p.text[p.at] == '\\' && p.at+1 < len(p.text) {
				p.at++
			}
			b.WriteByte(p.text[p.at])
		}
		if !p.sign('"') {
			return "", p.fault("a quoted name has no end")
		}
		name = b.String()
	} else {
		start := p.at
		for p.at < len(p.text) && strings.IndexByte(`()"`, p.text[p.at]) < 0 {
			p.at++
		}
		name = strings.TrimSpace(p.text[start:p.at])
	}
	if name = strings.TrimPrefix(name, alarmARN("")); name == "" {
		return "", p.fault("an alarm has no name")
	}
	if !p.sign(')') {
		return "", p.fault("expected )")
	}
	return name, nil
}
