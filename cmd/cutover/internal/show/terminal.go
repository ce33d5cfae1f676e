package show

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"cutover/cmd/cutover/internal/watch"
)

// Terminal presents a run live, redrawing in place.
type Terminal struct {
	w       io.Writer
	program *tea.Program
	ended   chan struct{}
}

// NewTerminal makes a display that draws on a terminal. interrupt is called when
// the user presses Ctrl-C.
func NewTerminal(w io.Writer, interrupt func()) *Terminal {
	t := &Terminal{w: w, ended: make(chan struct{})}
	t.program = tea.NewProgram(screen{start: time.Now(), width: 100, interrupt: interrupt}, tea.WithOutput(w), tea.WithoutSignalHandler())
	go func() {
		defer close(t.ended)
		t.program.Run()
	}()
	return t
}

type (
	noteMessage    string
	releaseMessage struct {
		Release
		watch.Execution
	}
	trafficMessage struct {
		pipeline string
		answered map[string]int
		failed   int
	}
	tickMessage time.Time
)

// Note implements Display.
func (t *Terminal) Note(line string) { t.program.Send(noteMessage(line)) }

// Execution implements Display.
func (t *Terminal) Execution(r Release, e watch.Execution) {
	t.program.Send(releaseMessage{r, e})
}

// Traffic implements Display.
func (t *Terminal) Traffic(pipeline string, answered map[string]int, failed int) {
	t.program.Send(trafficMessage{pipeline, answered, failed})
}

// End implements Display.
func (t *Terminal) End(s Summary) {
	t.program.Quit()
	<-t.ended
	writeSummary(t.w, s)
}

// screen is what the terminal shows.
type screen struct {
	start     time.Time
	width     int
	interrupt func()
	note      string
	releases  []releaseMessage
	traffic   []trafficMessage // by pipeline; failed counts all of the run's
	ticks     int
}

func tick() tea.Cmd {
	return tea.Tick(100*time.Millisecond, func(t time.Time) tea.Msg { return tickMessage(t) })
}

// Init implements tea.Model.
func (s screen) Init() tea.Cmd { return tick() }

// Update implements tea.Model.
func (s screen) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch m := message.(type) {
	case tickMessage:
		s.ticks++
		return s, tick()
	case tea.WindowSizeMsg:
		s.width = m.Width
	case tea.KeyMsg:
		if m.Type == tea.KeyCtrlC {
			s.interrupt()
		}
	case noteMessage:
		s.note = string(m)
	case releaseMessage:
		for i := range s.releases {
			if s.releases[i].ID == m.ID {
				s.releases[i] = m
				return s, nil
			}
		}
		s.releases = append(s.releases[:len(s.releases):len(s.releases)], m)
	case trafficMessage:
		s.traffic = withTraffic(s.traffic, m)
	}
	return s, nil
}

// withTraffic puts a pipeline's latest traffic in place of its last, in a copy.
func withTraffic(all []trafficMessage, m trafficMessage) []trafficMessage {
	all = slices.Clone(all)
	i := slices.IndexFunc(all, func(t trafficMessage) bool { return t.pipeline == m.pipeline })
	if i < 0 {
		return append(all, m)
	}
	m.failed += all[i].failed
	all[i] = m
	return all
}

var (
	bold  = lipgloss.NewStyle().Bold(true)
	faint = lipgloss.NewStyle().Faint(true)
	good  = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
	busy  = lipgloss.NewStyle().Foreground(lipgloss.Color("6"))
	bad   = lipgloss.NewStyle().Foreground(lipgloss.Color("1")).Bold(true)
)

var spinner = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// View implements tea.Model.
func (s screen) View() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", bold.Render("Cutover, local run"), faint.Render(seconds(time.Since(s.start))))
	if s.note != "" {
		fmt.Fprintln(&b, faint.Render(cut(s.note, s.width)))
	}
	for _, r := range s.releases {
		fmt.Fprintf(&b, "\n%s  %s  %s\n", bold.Render(r.Pipeline+", release of v"+r.Version), s.status(r.Status), faint.Render(seconds(r.Elapsed)))
		stage := ""
		for _, a := range r.Actions {
			label := a.Stage
			if a.Stage == stage {
				label = ""
			}
			stage = a.Stage
			fmt.Fprintln(&b, s.action(label, a))
		}
	}
	for i, t := range s.traffic {
		if i == 0 {
			fmt.Fprintf(&b, "\n%s\n", bold.Render("traffic, answers a second"))
		}
		lost := good.Render("0 failed")
		if t.failed > 0 {
			lost = bad.Render(fmt.Sprintf("%d failed", t.failed))
		}
		fmt.Fprintf(&b, "  %-9s %s  %s\n", t.pipeline, perVersion(t.answered), lost)
	}
	return b.String()
}

func (s screen) action(stage string, a watch.Action) string {
	elapsed := ""
	if a.Status != "" {
		elapsed = seconds(a.Elapsed)
	}
	line := fmt.Sprintf("  %-9s %s %-14s %7s  ", stage, s.mark(a.Status), a.Name, elapsed)
	if a.Status == "InProgress" && a.Percent > 0 {
		line += busy.Render(bar(a.Percent)) + fmt.Sprintf(" %d %%  ", a.Percent)
	}
	room := s.width - lipgloss.Width(line)
	if a.Error != "" {
		return line + bad.Render(cut(a.Error, room))
	}
	return line + faint.Render(cut(a.Summary, room))
}

func bar(percent int) string {
	const width = 10
	full := percent * width / 100
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

func (s screen) mark(status string) string {
	switch status {
	case "Succeeded":
		return good.Render("✓")
	case "InProgress":
		return busy.Render(spinner[s.ticks%len(spinner)])
	case "Failed", "Abandoned":
		return bad.Render("✗")
	}
	return faint.Render("·")
}

func (s screen) status(status string) string {
	switch status {
	case "Succeeded":
		return good.Render(status)
	case "InProgress", "":
		return busy.Render("InProgress")
	}
	return bad.Render(status)
}

func cut(text string, width int) string {
	runes := []rune(strings.ReplaceAll(text, "\n", " "))
	if width < 2 || len(runes) <= width {
		return string(runes)
	}
	return string(runes[:width-1]) + "…"
}
