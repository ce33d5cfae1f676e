package release

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// validate tells everything that is wrong with a file that could be read.
func (f *File) validate(fault func(path, format string, args ...any)) {
	if !isName(f.Set) {
		fault("set", "is %q, must be 1 to 64 letters, digits, dashes and underscores", f.Set)
	}
	if n := len(f.Services); n == 0 || n > 100 {
		fault("services", "has %d entries, must have 1 to 100", n)
	}
	names := map[string]bool{}
	for i, s := range f.Services {
		path := fmt.Sprintf("services[%d]", i)
		s.validate(func(key, format string, args ...any) { fault(path+"."+key, format, args...) })
		if names[s.Name] {
			fault(path+".name", "is %q, as another service's is", s.Name)
		}
		names[s.Name] = true
	}
	f.Traffic.faults(fault)
	f.validateTimes(fault)
	f.validateAlarms(fault)
	if h := f.Healthy; h.Count < 0 || h.Percent < 0 || h.Percent > 100 {
		fault("healthy", "must have a count of at least 1 or a percent of 1 to 100")
	} else if h.Count > 0 && h.Percent > 0 {
		fault("healthy", "has count and percent: give one")
	}
	if a := f.Analysis; a != nil {
		a.validate(fault)
	}
	for _, h := range f.Hooks.all() {
		if h.hook != nil && h.hook.Function == "" {
			fault("hooks."+h.key+".function", "is missing")
		}
	}
	for i, c := range f.Checks {
		path := fmt.Sprintf("checks[%d]", i)
		c.validate(names, func(key, format string, args ...any) { fault(path+"."+key, format, args...) })
	}
	if b := f.Blue; b.Count != nil && *b.Count < 0 || b.Step < 0 {
		fault("blue", "must have a count of at least 0 and a step of at least 1")
	}
	if w := f.Lock.WhenHeld; w != "" && w != "fail" && w != "wait" {
		fault("lock.whenHeld", "is %q, must be fail or wait", w)
	}
}

func (s Service) validate(fault func(key, format string, args ...any)) {
	if !isName(s.Name) {
		fault("name", "is %q, must be 1 to 64 letters, digits, dashes and underscores", s.Name)
	}
	if s.Cluster == "" {
		fault("cluster", "is missing")
	}
	switch {
	case len(s.Pair) != 2:
		fault("services", "has %d names, must have the two of the pair's ECS services", len(s.Pair))
	case s.Pair[0] == "" || s.Pair[1] == "":
		fault("services", "has an empty name")
	case s.Pair[0] == s.Pair[1]:
		fault("services", "has %q twice: a pair is two services", s.Pair[0])
	}
	if s.MinimumCount < 0 {
		fault("minimumCount", "is %d, must be at least 1", s.MinimumCount)
	}
	if s.LoadBalancer == "" && (s.ProductionListenerARN+s.ProductionRuleARN == "" || s.TestListenerARN+s.TestRuleARN == "") {
		fault("loadBalancer", "is missing: name it, or both routes by their ARNs")
	}
}

// longest is the most that a release may take: CodePipeline ends an action
// after 24 hours, and the function keeps an hour for itself.
const longest = 23 * time.Hour

func (f *File) validateTimes(fault func(path, format string, args ...any)) {
	if f.Traffic.Linear != nil && f.Traffic.Linear.Percent < 0.1 {
		return // the moves would not end; it has a fault of its own
	}
	total := time.Duration(f.Blue.Keep)
	for _, m := range f.Moves() {
		total += m.Pause
	}
	if total > longest {
		fault("traffic", "takes %s with its pauses, the bake and the time that blue is kept: more than the %s that an action of CodePipeline has", total, longest)
	}
}

func (f *File) validateAlarms(fault func(path, format string, args ...any)) {
	if len(f.Alarms) > 100 {
		fault("alarms", "has %d names, at most 100 can be watched", len(f.Alarms))
	}
	seen := map[string]bool{}
	for i, name := range f.Alarms {
		switch {
		case name == "":
			fault(fmt.Sprintf("alarms[%d]", i), "is empty")
		case seen[name]:
			fault(fmt.Sprintf("alarms[%d]", i), "is %q, as another one", name)
		}
		seen[name] = true
	}
}

func (a *Analysis) validate(fault func(path, format string, args ...any)) {
	if a.ErrorRate < 0 || a.ErrorRate > 100 {
		fault("analysis.errorRate", "is %v, must be 0 to 100 percentage points", float64(a.ErrorRate))
	}
	if a.Latency < 0 {
		fault("analysis.latency", "is %v, must be at least 0", a.Latency)
	}
	if a.MinimumRequests != 0 && a.MinimumRequests < 10 {
		fault("analysis.minimumRequests", "is %d, must be at least 10", a.MinimumRequests)
	}
}

type namedHook struct {
	key  string
	hook *Hook
}

// all are the hooks in the order in which they are asked.
func (h Hooks) all() []namedHook {
	return []namedHook{
		{"beforeShift", h.BeforeShift}, {"afterStep", h.AfterStep},
		{"afterShift", h.AfterShift}, {"onRollback", h.OnRollback},
	}
}

func (c Check) validate(services map[string]bool, fault func(key, format string, args ...any)) {
	if c.Service != "" && !services[c.Service] {
		fault("service", "is %q, which is none of the services", c.Service)
	}
	if !strings.HasPrefix(c.Path, "/") {
		fault("path", "is %q, must begin with /", c.Path)
	}
	if c.Status != 0 && (c.Status < 100 || c.Status > 599) {
		fault("status", "is %d, must be 100 to 599", c.Status)
	}
	if _, err := regexp.Compile(c.Body); err != nil {
		fault("body", "is not a regular expression: %v", err)
	}
}

func isName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			return false
		}
	}
	return true
}
