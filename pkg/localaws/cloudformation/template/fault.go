package template

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Fault is one thing that is wrong with a template, and where.
type Fault struct {
	Line    int    // 1 for the first; 0 when the place is not in the text
	Path    string // "Resources.Web.Properties.Port"
	Message string
}

// String reads "line 12: Resources.Web.Type: is missing".
func (f Fault) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", f.Line)
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// An Error is all that is wrong with a template.
type Error struct{ Faults []Fault }

// Error implements error: one fault a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Faults collects what is wrong while a template is read.
type Faults struct{ all []Fault }

// Add notes a fault at a node.
func (f *Faults) Add(line int, path, format string, args ...any) {
	f.all = append(f.all, Fault{Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
}

// Err is nil, or an *Error with each fault once, in the order of the text.
func (f *Faults) Err() error {
	if len(f.all) == 0 {
		return nil
	}
	all := slices.Clone(f.all)
	slices.SortStableFunc(all, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return &Error{Faults: slices.Compact(all)}
}

// at makes the path of a member.
func at(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// item makes the path of a list's item.
func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
