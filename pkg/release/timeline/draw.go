package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"cutover/pkg/release"
)

// The picture, in pixels.
const (
	width, height = 800, 312
	left, right   = 56, 780 // of the chart
	top, bottom   = 70, 230
	unknown       = 118 // width of a span whose length nobody knows
)

// Colours that can be told apart by people who see red and green alike, on a
// ground of the picture's own, so that it is the same on dark pages.
const (
	paper  = "#fbfcfe"
	ink    = "#1b2733"
	faint  = "#5b6875"
	line   = "#d5dce4"
	blue   = "#b9d3f0"
	green  = "#3f9d6d"
	deep   = "#1f6f49"
	alert  = "#b3261e"
	waits  = "#d9a441"
	frames = "#eef2f6"
)

// A sheet is an SVG that is being written.
type sheet struct{ bytes.Buffer }

func (s *sheet) add(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// text writes words; anchor is start, middle or end.
func (s *sheet) text(x, y float64, size int, fill, anchor, words string) {
	s.add(`<text x="%.1f" y="%.1f" font-size="%d" fill="%s" text-anchor="%s">%s</text>`, x, y, size, fill, anchor, escaped(words))
}

func escaped(words string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(words)) // a Builder takes everything
	return b.String()
}

// draw makes the picture of a scene.
func (s scene) draw() ([]byte, error) {
	spans, err := s.spans()
	if err != nil {
		return nil, err
	}
	ends := places(spans)
	out := &sheet{}
	out.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif">`,
		width, height, width, height, escaped(describe(s.title, spans)))
	out.add(`<defs><pattern id="wait" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="8" height="8" fill="%s"/><rect width="3" height="8" fill="%s"/></pattern></defs>`, frames, waits)
	out.add(`<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" fill="%s" stroke="%s"/>`, width-1, height-1, paper, line)
	out.text(20, 31, 16, ink, "start", s.title)
	legend(out)
	shares(out, spans, ends)
	axis(out)
	phases(out, spans, ends)
	if s.alarmAfter > 0 {
		alarm(out, ends[len(ends)-2])
	}
	out.add(`</svg>`)
	return out.Bytes(), nil
}

// places are where spans end, from left to right: those whose length is known
// share what the others leave, each by its length.
func places(spans []span) []float64 {
	var known time.Duration
	free := float64(right - left)
	for _, s := range spans {
		if s.lasts > 0 {
			known += s.lasts
		} else {
			free -= unknown
		}
	}
	at, ends := float64(left), make([]float64, len(spans))
	for i, s := range spans {
		if s.lasts > 0 {
			at += free * float64(s.lasts) / float64(known)
		} else {
			at += unknown
		}
		ends[i] = at
	}
	return ends
}

func begin(ends []float64, i int) float64 {
	if i == 0 {
		return left
	}
	return ends[i-1]
}

func level(w release.Weight) float64 {
	return bottom - float64(bottom-top)*float64(w)/float64(release.Whole)
}

// describe is the picture in words, for those who do not see it.
func describe(title string, spans []span) string {
	var parts []string
	for _, s := range spans {
		parts = append(parts, fmt.Sprintf("green has %s (%s)", s.weight, s.label))
	}
	return title + ": " + strings.Join(parts, ", then ")
}

func legend(out *sheet) {
	for i, l := range []struct{ fill, label string }{{blue, "blue, the old side"}, {green, "green, the new side"}} {
		x := float64(left + 170*i)
		out.add(`<rect x="%.0f" y="44" width="12" height="12" rx="2" fill="%s"/>`, x, l.fill)
		out.text(x+18, 54, 12, faint, "start", l.label)
	}
	out.text(right, 54, 12, faint, "end", "share of production traffic")
}

// shares draws blue's and green's parts, and green's share where it changes.
func shares(out *sheet, spans []span, ends []float64) {
	out.add(`<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`, left, top, right-left, bottom-top, blue)
	outline := fmt.Sprintf("M%d %d", left, bottom)
	for i, s := range spans {
		outline += fmt.Sprintf(" L%.1f %.1f L%.1f %.1f", begin(ends, i), level(s.weight), ends[i], level(s.weight))
	}
	out.add(`<path d="%s L%d %d Z" fill="%s"/>`, outline, right, bottom, green)
	for i, s := range spans {
		if s.kind == before || s.kind == after {
			continue
		}
		x, y, fill := (begin(ends, i)+ends[i])/2, level(s.weight)-7, deep
		if level(s.weight) < top+24 { // no room above it
			y, fill = level(s.weight)+20, "#ffffff"
		}
		if s.kind == back {
			fill = ink
		}
		out.text(x, y, 13, fill, "middle", s.weight.String())
	}
}

func axis(out *sheet) {
	for _, percent := range []release.Weight{0, 250, 500, 750, 1000} {
		y := level(percent)
		out.add(`<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ffffff" stroke-opacity="0.55"/>`, left, y, right, y)
		out.text(left-8, y+4, 12, faint, "end", percent.String())
	}
}

// phases draws below the chart what each span is, and when it begins.
func phases(out *sheet, spans []span, ends []float64) {
	var since time.Duration
	certain := true
	for i, s := range spans {
		x, w := begin(ends, i), ends[i]-begin(ends, i)
		fill := map[kind]string{before: frames, step: "#cfe8da", approval: "url(#wait)", bake: "#a9d6bf", after: frames, back: blue}[s.kind]
		out.add(`<rect x="%.1f" y="%d" width="%.1f" height="24" fill="%s" stroke="%s"/>`, x, bottom+10, w, fill, paper)
		if s.kind == approval {
			out.add(`<rect x="%.1f" y="%d" width="%.1f" height="18" rx="3" fill="%s"/>`, x+10, bottom+13, w-20, paper)
		}
		out.text(x+w/2, bottom+26, 11, ink, "middle", fitted(s.label, w))
		if i > 0 {
			out.add(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/>`, x, bottom+36, x, bottom+42, faint)
			at := "+" + short(since)
			if since == 0 {
				at = "0"
			}
			if !certain {
				at += " + wait"
			}
			out.text(x, bottom+56, 11, faint, "middle", at)
		}
		since += s.lasts
		certain = certain && s.kind != approval
	}
	out.text(left, bottom+74, 11, faint, "start", "time since green took its first request; a tick of the function comes on top")
}

// fitted is a label, or its last word where a span is too narrow for it.
func fitted(label string, w float64) string {
	if float64(len(label))*6.2 <= w {
		return label
	}
	return label[strings.LastIndex(label, " ")+1:]
}

func alarm(out *sheet, x float64) {
	out.add(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s" stroke-width="2" stroke-dasharray="5 3"/>`, x, top-8, x, bottom, alert)
	out.add(`<circle cx="%.1f" cy="%d" r="5" fill="%s"/>`, x, top-8, alert)
	out.add(`<rect x="%.1f" y="%d" width="86" height="20" rx="3" fill="%s"/>`, x+8, top+12, paper)
	out.text(x+14, top+26, 12, alert, "start", "alarm: back")
}
