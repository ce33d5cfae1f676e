// Package setview says in text what people ask about a release set: what a
// release would change, where one stands, and how the past ones went. It turns
// values into lines, calls nothing and knows no clock, so that asking it again
// changes nothing. Lines fit 100 columns, but for the reasons of failures, which
// are wrapped.
package setview

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"cutover/pkg/bluegreen"
)

// width is how many columns a line has at most.
const width = 100

// table writes rows in columns that are as wide as their widest cell; the last
// column is cut where the line would be too long.
func table(w *strings.Builder, indent string, rows ...[]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			line += cell
			if i < len(row)-1 {
				line += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
			}
		}
		w.WriteString(cut(strings.TrimRight(line, " "), width) + "\n")
	}
}

func cut(line string, limit int) string {
	runes := []rune(line)
	if len(runes) <= limit {
		return line
	}
	return string(runes[:limit-1]) + "…"
}

// wrap writes a text in lines of at most width columns, the first one after
// lead, the others below its text.
func wrap(w *strings.Builder, lead, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	line, empty := lead, true
	for word := range strings.FieldsSeq(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			w.WriteString(line + "\n")
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	w.WriteString(strings.TrimRight(line, " ") + "\n")
}

// Say writes sentences, in lines that fit.
func Say(out io.Writer, text string) error {
	var w strings.Builder
	wrap(&w, "", text)
	return write(out, &w)
}

// write sends what was built.
func write(out io.Writer, text *strings.Builder) error {
	if _, err := io.WriteString(out, text.String()); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// length is a duration without what nobody reads: 5m, 1h30m, 2d4h.
func length(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		d = d.Round(time.Second)
	default:
		d = d.Round(time.Minute)
	}
	text := ""
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / unit.size; n > 0 {
			text += fmt.Sprintf("%d%s", n, unit.name)
			d -= n * unit.size
		}
	}
	return text
}

// at is a moment as people read it, in UTC.
func at(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// clock is a moment of the same day or close to it.
func clock(t, now time.Time) string {
	if t.UTC().YearDay() != now.UTC().YearDay() || t.UTC().Year() != now.UTC().Year() {
		return at(t)
	}
	return t.UTC().Format("15:04:05")
}

// short names the execution of a side's tag without its tail. That a side was
// retired is no news where its share of the traffic is shown; that its version
// was rolled back is.
func short(tag string) string {
	id, after := tag, ""
	if i := strings.LastIndexByte(tag, ':'); i >= 0 {
		id = tag[i+1:]
		if bluegreen.RolledBack(id) == tag {
			after = " (rolled back)"
		}
	}
	if len(id) == 36 { // a UUID
		id = id[:8]
	}
	return id + after
}

// image is one without its registry, and with a short digest.
func image(ref string) string {
	ref = ref[strings.LastIndexByte(ref, '/')+1:]
	if i := strings.Index(ref, "@sha256:"); i >= 0 && len(ref) > i+20 {
		return ref[:i+20]
	}
	return ref
}

// revision is a task definition without the ARN's head.
func revision(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// group is a target group's name.
func group(arn string) string { return bluegreen.GroupName(arn) }

func percent(p float64) string { return fmt.Sprintf("%g %%", p) }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
