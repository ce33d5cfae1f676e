package show

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"cutover/cmd/cutover/internal/watch"
)

// changes tells what of an execution is new since it was last presented.
type changes struct{ seen map[string]watch.Action }

func (c *changes) of(e watch.Execution) []watch.Action {
	if c.seen == nil {
		c.seen = map[string]watch.Action{}
	}
	var news []watch.Action
	for _, a := range e.Actions {
		if a.Status == "" {
			continue
		}
		key := e.ID + "/" + a.Stage + "/" + a.Name
		comparable := a
		comparable.Elapsed = 0
		if c.seen[key] != comparable {
			c.seen[key] = comparable
			news = append(news, a)
		}
	}
	return news
}

// Lines presents a run as lines of text, each with the time since the start.
type Lines struct {
	mu      sync.Mutex
	w       io.Writer
	start   time.Time
	changes changes
	traffic map[string]time.Time // when a pipeline's was written last
}

// NewLines makes a display that writes lines.
func NewLines(w io.Writer) *Lines {
	return &Lines{w: w, start: time.Now(), traffic: map[string]time.Time{}}
}

func (l *Lines) line(format string, args ...any) {
	fmt.Fprintf(l.w, "%7.1f s  %s\n", time.Since(l.start).Seconds(), fmt.Sprintf(format, args...))
}

// Note implements Display.
func (l *Lines) Note(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line("%s", line)
}

// Execution implements Display.
func (l *Lines) Execution(r Release, e watch.Execution) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.changes.of(e) {
		text := fmt.Sprintf("%s v%-3s %-8s %-14s %-10s", r.Pipeline, r.Version, a.Stage, a.Name, a.Status)
		if a.Percent > 0 && a.Percent < 100 {
			text += fmt.Sprintf(" %d %%", a.Percent)
		}
		for _, more := range []string{a.Summary, a.Error} {
			if more != "" {
				text += " " + more
			}
		}
		l.line("%s", text)
	}
}

// Traffic implements Display. A line every two seconds is enough to read.
func (l *Lines) Traffic(pipeline string, answered map[string]int, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.traffic[pipeline]) < 2*time.Second && failed == 0 {
		return
	}
	l.traffic[pipeline] = time.Now()
	l.line("%s traffic: %s answers a second, %d failed", pipeline, perVersion(answered), failed)
}

// End implements Display.
func (l *Lines) End(s Summary) {
	l.mu.Lock()
	defer l.mu.Unlock()
	writeSummary(l.w, s)
}

// JSON presents a run as JSON lines, the summary last.
type JSON struct {
	mu      sync.Mutex
	encoder *json.Encoder
	changes changes
}

// NewJSON makes a display that writes JSON lines.
func NewJSON(w io.Writer) *JSON { return &JSON{encoder: json.NewEncoder(w)} }

func (j *JSON) put(kind string, value any) {
	j.encoder.Encode(map[string]any{"time": time.Now().UTC(), kind: value})
}

// Note implements Display.
func (j *JSON) Note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put("note", line)
}

// Execution implements Display.
func (j *JSON) Execution(r Release, e watch.Execution) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, a := range j.changes.of(e) {
		j.put("action", struct {
			Release
			Execution string `json:"execution"`
			watch.Action
		}{r, e.ID, a})
	}
}

// Traffic implements Display.
func (j *JSON) Traffic(pipeline string, answered map[string]int, failed int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put("traffic", map[string]any{"pipeline": pipeline, "answeredByVersion": answered, "failed": failed})
}

// End implements Display.
func (j *JSON) End(s Summary) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put("summary", s)
}
