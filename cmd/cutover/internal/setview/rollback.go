package setview

import (
	"fmt"
	"io"
	"strings"

	"cutover/pkg/bluegreen"
	"cutover/pkg/record"
)

// A Return is a service on its way to the side that it was on before.
type Return struct {
	Name string
	// Percent is what From has of production now.
	Percent  float64
	From, To bluegreen.Side
}

// Rollback writes what a rollback of a release moves.
func Rollback(out io.Writer, of record.Record, services []Return) error {
	var w strings.Builder
	fmt.Fprintf(&w, "Release %d of set %s, execution %s, of %s:\n\n", of.Generation, of.Set, of.Execution, at(of.Started))
	rows := [][]string{{"SERVICE", "FROM", "HAS", "HEALTHY", "TO", "HEALTHY", "HOLDS"}}
	for _, s := range services {
		holds := strings.TrimSpace(short(s.To.Execution()) + " " + image(s.To.Tags[bluegreen.TagImage]))
		if holds == "" {
			holds = "-"
		}
		rows = append(rows, []string{s.Name, s.From.Name(), percent(s.Percent), healthy(s.From), s.To.Name(), healthy(s.To), holds})
	}
	table(&w, "  ", rows...)
	w.WriteByte('\n')
	return write(out, &w)
}

func healthy(s bluegreen.Side) string {
	return fmt.Sprintf("%d of %d", s.Health.Healthy, s.Service.DesiredCount)
}
