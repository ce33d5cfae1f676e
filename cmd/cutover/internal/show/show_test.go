package show

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"cutover/cmd/cutover/internal/load"
	"cutover/cmd/cutover/internal/watch"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares text with a file, times aside.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = regexp.MustCompile(`\d+\.\d s`).ReplaceAllString(got, "N s")
	got = regexp.MustCompile(`"time":"[^"]*"`).ReplaceAllString(got, `"time":"T"`)
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// A run as displays hear of it: the same action twice, then further on, a
// failure, and traffic.
func play(d Display) {
	deploying := watch.Execution{ID: "e-1", Status: "InProgress", Actions: []watch.Action{
		{Stage: "Build", Name: "CodeBuild", Status: "Succeeded", Summary: "Build succeeded", Elapsed: 4 * time.Second},
		{Stage: "Release", Name: "DeployGreen", Status: "InProgress", Percent: 40, Summary: "1 of 2 tasks running", Elapsed: time.Second},
		{Stage: "Release", Name: "SwapListener"},
	}}
	failed := watch.Execution{ID: "e-1", Status: "Failed", Actions: []watch.Action{
		deploying.Actions[0],
		{Stage: "Release", Name: "DeployGreen", Status: "Failed", Error: "JobFailed: green is not healthy", Elapsed: 2 * time.Second},
		{Stage: "Release", Name: "SwapListener"},
	}}
	d.Note("pushing version 2")
	d.Execution(Release{"hello", "2"}, deploying)
	d.Execution(Release{"hello", "2"}, deploying)
	d.Traffic("hello", map[string]int{"1": 150, "2": 50}, 0)
	d.Execution(Release{"hello", "2"}, failed)
	d.Traffic("hello", map[string]int{"1": 199}, 1)
}

var summary = Summary{
	Pipelines: []Pipeline{{
		Name:       "hello",
		Executions: []Ended{{Version: "1", ID: "e-0", Status: "Succeeded", Seconds: 7.9}, {Version: "2", ID: "e-1", Status: "Failed", Seconds: 3}},
		Traffic: load.Report{
			Sent: 400, Answered: map[string]int{"1": 349, "2": 50}, Failed: 1,
			Failures: map[string]int{"status 503 Service Unavailable": 1}, FirstFail: "2026-01-02T03:04:05Z status 503 Service Unavailable",
			Latency: load.Latency{P50: 0.7, P99: 4.9, Max: 7.3},
		},
		Live: "hello-green",
	}, {
		Name:       "webapp",
		Executions: []Ended{{Version: "1", ID: "e-2", Status: "Succeeded", Seconds: 9}},
		Live:       "ami-0123456789abcdef0",
	}},
	Seconds: 12.3, Why: "hello: 1 of 400 requests failed",
}

func TestLines_TellWhatIsNew(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	lines := NewLines(&b)
	play(lines)
	lines.End(summary)
	golden(t, "lines.txt", b.String())
}

func TestJSON_IsALineForEachThing(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	display := NewJSON(&b)
	play(display)
	display.End(summary)
	for line := range strings.Lines(b.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	golden(t, "lines.json", b.String())
}

// model feeds the terminal's screen without a terminal.
type model struct{ screen tea.Model }

func (m *model) send(message tea.Msg) { m.screen, _ = m.screen.Update(message) }

func (m *model) Note(line string)                       { m.send(noteMessage(line)) }
func (m *model) Execution(r Release, e watch.Execution) { m.send(releaseMessage{r, e}) }
func (m *model) Traffic(pipeline string, answered map[string]int, failed int) {
	m.send(trafficMessage{pipeline, answered, failed})
}
func (m *model) End(Summary) {}

func TestTerminal_ShowsHowItStands(t *testing.T) {
	t.Parallel()
	m := &model{screen: screen{start: time.Now(), width: 80, interrupt: func() {}}}
	play(m)
	golden(t, "screen.txt", m.screen.View())
}

func TestTerminal_CtrlCInterrupts(t *testing.T) {
	t.Parallel()
	interrupted := false
	m := &model{screen: screen{interrupt: func() { interrupted = true }}}
	m.send(tea.KeyMsg{Type: tea.KeyCtrlC})
	if !interrupted {
		t.Error("Ctrl-C: got no interrupt")
	}
}

func TestCut_KeepsWithinTheWidth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{{"short", 10, "short"}, {"much too long", 8, "much to…"}, {"züge und müll", 6, "züge …"}, {"two\nlines", 20, "two lines"}} {
		if got := cut(c.text, c.width); got != c.want {
			t.Errorf("cut(%q, %d): got %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
