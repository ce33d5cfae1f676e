package alb

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// table is a listener's rules, compiled. It never changes.
type table struct {
	rules  []rule // in the order to try, the default last
	groups map[*group]bool
}

type rule struct {
	id         string
	priority   int
	conditions []condition
	forward    *forward
	redirect   *Redirect
	fixed      *FixedResponse
}

// condition says whether a request matches.
type condition func(r *http.Request) bool

// match finds the rule that applies; nil if there are none at all.
func (t *table) match(r *http.Request) *rule {
	for i := range t.rules {
		if t.rules[i].matches(r) {
			return &t.rules[i]
		}
	}
	return nil
}

func (u *rule) matches(r *http.Request) bool {
	for _, holds := range u.conditions {
		if !holds(r) {
			return false
		}
	}
	return true
}

// compileLocked checks rules, all of them, and compiles them.
func (p *Proxy) compileLocked(rules []Rule) (*table, error) {
	t := &table{groups: map[*group]bool{}}
	var faults []error
	seen := map[int]bool{}
	defaults := 0
	for _, r := range rules {
		compiled, err := p.compileRuleLocked(r, t.groups)
		if err != nil {
			faults = append(faults, fmt.Errorf("rule %s: %w", r.ID, err))
		}
		if r.Default {
			defaults++
		} else if seen[r.Priority] {
			faults = append(faults, fmt.Errorf("rule %s: priority %d is taken", r.ID, r.Priority))
		}
		seen[r.Priority] = seen[r.Priority] || !r.Default
		t.rules = append(t.rules, compiled)
	}
	if defaults != 1 {
		faults = append(faults, fmt.Errorf("got %d default rules, want 1", defaults))
	}
	slices.SortStableFunc(t.rules, func(a, b rule) int { return cmp.Compare(a.priority, b.priority) })
	return t, errors.Join(faults...)
}

// lastPriority is behind every priority that a rule may have (1-50000).
const lastPriority = 1 << 30

func (p *Proxy) compileRuleLocked(r Rule, groups map[*group]bool) (rule, error) {
	compiled := rule{id: r.ID, priority: r.Priority, redirect: r.Action.Redirect, fixed: r.Action.FixedResponse}
	if r.Default {
		compiled.priority = lastPriority
		if len(r.Conditions) > 0 {
			return compiled, errors.New("the default rule has conditions")
		}
	}
	for _, c := range r.Conditions {
		holds, err := newCondition(c)
		if err != nil {
			return compiled, err
		}
		compiled.conditions = append(compiled.conditions, holds)
	}
	actions := 0
	for _, is := range []bool{r.Action.Forward != nil, r.Action.Redirect != nil, r.Action.FixedResponse != nil} {
		if is {
			actions++
		}
	}
	if actions != 1 {
		return compiled, fmt.Errorf("got %d actions, want 1", actions)
	}
	if r.Action.Forward != nil {
		var err error
		if compiled.forward, err = p.newForwardLocked(*r.Action.Forward, groups); err != nil {
			return compiled, err
		}
	}
	return compiled, nil
}

func newCondition(c Condition) (condition, error) {
	switch c.Field {
	case PathPattern:
		patterns := newPatterns(c.Values, false, false)
		return func(r *http.Request) bool { return anyMatch(patterns, r.URL.EscapedPath()) }, nil
	case HostHeader:
		patterns := newPatterns(c.Values, true, false)
		return func(r *http.Request) bool { return anyMatch(patterns, hostname(r.Host)) }, nil
	case HTTPHeader:
		return newHeaderCondition(c), nil
	case HTTPRequestMethod:
		methods := slices.Clone(c.Values)
		return func(r *http.Request) bool { return slices.Contains(methods, r.Method) }, nil
	case QueryString:
		return newQueryCondition(c), nil
	case SourceIP:
		return newSourceCondition(c)
	}
	return nil, fmt.Errorf("unknown condition field %q", c.Field)
}

func newHeaderCondition(c Condition) condition {
	patterns := newPatterns(c.Values, true, false)
	name := http.CanonicalHeaderKey(c.HeaderName)
	return func(r *http.Request) bool {
		if name == "Host" { // Go keeps it apart
			return anyMatch(patterns, r.Host)
		}
		return slices.ContainsFunc(r.Header[name], func(value string) bool { return anyMatch(patterns, value) })
	}
}

func newQueryCondition(c Condition) condition {
	keys, values := make([]pattern, len(c.Query)), make([]pattern, len(c.Query))
	for i, pair := range c.Query {
		if pair.Key == "" {
			pair.Key = "*"
		}
		keys[i], values[i] = newPattern(pair.Key, true, true), newPattern(pair.Value, true, true)
	}
	return func(r *http.Request) bool {
		for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
			key, value, _ := strings.Cut(part, "=")
			for i := range keys {
				if part != "" && keys[i].match(unescape(key)) && values[i].match(unescape(value)) {
					return true
				}
			}
		}
		return false
	}
}

// unescape decodes a part of a query string, or leaves it if it is malformed.
func unescape(text string) string {
	decoded, err := url.QueryUnescape(text)
	if err != nil {
		return text
	}
	return decoded
}

func newSourceCondition(c Condition) (condition, error) {
	blocks := make([]netip.Prefix, len(c.Values))
	for i, value := range c.Values {
		var err error
		if blocks[i], err = netip.ParsePrefix(value); err != nil {
			return nil, fmt.Errorf("parse source-ip: %w", err)
		}
	}
	return func(r *http.Request) bool {
		client, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			return false
		}
		ip := client.Addr().Unmap()
		return slices.ContainsFunc(blocks, func(block netip.Prefix) bool { return block.Contains(ip) })
	}, nil
}

func newPatterns(values []string, fold, escape bool) []pattern {
	patterns := make([]pattern, len(values))
	for i, value := range values {
		patterns[i] = newPattern(value, fold, escape)
	}
	return patterns
}

func anyMatch(patterns []pattern, text string) bool {
	for _, p := range patterns {
		if p.match(text) {
			return true
		}
	}
	return false
}

// hostname is a Host header without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
