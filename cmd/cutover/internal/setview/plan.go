package setview

import (
	"fmt"
	"io"
	"strings"
	"time"

	"cutover/pkg/rollout/preview"
)

// Plan writes what a release would change.
func Plan(out io.Writer, p *preview.Preview) error {
	var w strings.Builder
	fmt.Fprintf(&w, "Release set %s, %s: %s\n\nProduction would move from the live side to the other one:\n\n", p.Set, plural(len(p.Services), "service"), p.Strategy)
	rows := [][]string{{"SERVICE", "SIDE", "TARGET GROUP", "TASK DEFINITION", "HEALTHY", "HOLDS"}}
	for _, s := range p.Services {
		if s.Live.Service == "" {
			rows = append(rows, []string{s.Name, "not known", "-", "-", "-", "-"})
			continue
		}
		rows = append(rows, planSide(s.Name, "live", s.Live), planSide("", "gains", s.Gains))
	}
	table(&w, "  ", rows...)
	w.WriteString("\nMoves, all services together:\n\n")
	rows = [][]string{{"AFTER", "GREEN", "BLUE", "THEN"}}
	later := "" // times after an approval are the least ones
	for i, m := range p.Moves {
		if i > 0 && p.Moves[i-1].Approval {
			later = " or later"
		}
		rows = append(rows, []string{"+" + length(m.After) + later, percent(m.Percent), percent(100 - m.Percent), then(m, i == len(p.Moves)-1)})
		if i == len(p.Moves)-1 && m.Pause > 0 {
			rows = append(rows, []string{"+" + length(m.After+m.Pause) + later, "", "", "the release ends"})
		}
	}
	table(&w, "  ", rows...)
	planAlarms(&w, p.Alarms)
	planEnd(&w, p)
	return write(out, &w)
}

func planSide(name, role string, s preview.Side) []string {
	holds := short(s.Execution)
	if s.Image != "" {
		holds = strings.TrimSpace(holds + " " + image(s.Image))
	}
	if holds == "" {
		holds = "-"
	}
	return []string{name, role, group(s.TargetGroup), revision(s.TaskDefinition), fmt.Sprintf("%d of %d", s.Healthy, s.Desired), holds}
}

func then(m preview.Move, last bool) string {
	switch {
	case m.Approval && m.Pause > 0:
		return "wait for " + length(m.Pause) + ", then for somebody who resumes it"
	case m.Approval:
		return "wait for somebody who resumes it"
	case last && m.Pause > 0:
		return "bake for " + length(m.Pause)
	case last:
		return "the release ends"
	case m.Pause > 0:
		return "wait for " + length(m.Pause)
	}
	return "go on"
}

func planAlarms(w *strings.Builder, alarms []preview.Alarm) {
	if len(alarms) == 0 {
		return
	}
	w.WriteString("\nAlarms that take it back:\n\n")
	rows := [][]string{{"ALARM", "STATE", "REASON"}}
	for _, a := range alarms {
		state := a.State
		if state == "" {
			state = "does not exist"
		}
		rows = append(rows, []string{a.Name, state, a.Reason})
	}
	table(w, "  ", rows...)
}

func planEnd(w *strings.Builder, p *preview.Preview) {
	w.WriteByte('\n')
	if len(p.Obstacles) > 0 {
		w.WriteString("It would not start:\n")
		for _, o := range p.Obstacles {
			wrap(w, "  - ", o)
		}
	} else {
		total := time.Duration(0)
		if n := len(p.Moves); n > 0 {
			total = p.Moves[n-1].After + p.Moves[n-1].Pause
		}
		lasts := "it takes effect at once"
		if total > 0 {
			lasts = "it takes at least " + length(total)
		}
		w.WriteString("Nothing keeps it from starting; " + lasts + ".\n")
	}
	for _, n := range p.Notes {
		wrap(w, "Note: ", n)
	}
	fmt.Fprintf(w, "\nDigest %s\n", p.Digest)
}
