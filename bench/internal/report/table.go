package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/usercast-go/usercast/bench/internal/result"
)

// table is rows of cells, the first of which is the head.
type table [][]string

// tableOf fills the section's columns for every contender that took part.
func tableOf(run *result.Run, s section) table {
	columns := s.columns(run)
	head := []string{""}
	for _, c := range columns {
		head = append(head, c.head)
	}
	t := table{head}
	for _, p := range run.Peers {
		if !tookPart(run, s.scenario, p.Name) {
			continue
		}
		row := []string{p.Name}
		for _, c := range columns {
			row = append(row, c.cell(run, s.scenario, p.Name))
		}
		t = append(t, row)
	}
	return t
}

// String writes the table as Markdown that also reads well in a terminal: figures stand to the right.
func (t table) String() string {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 2)
		}
	}
	var b strings.Builder
	for i, row := range t {
		for j, cell := range row {
			gap := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
			if j == 0 {
				fmt.Fprintf(&b, "| %s%s ", cell, gap)
			} else {
				fmt.Fprintf(&b, "| %s%s ", gap, cell)
			}
		}
		b.WriteString("|\n")
		if i == 0 {
			b.WriteString(rule(widths))
		}
	}
	return b.String()
}

func rule(widths []int) string {
	var b strings.Builder
	for j, w := range widths {
		if j == 0 {
			b.WriteString("|" + strings.Repeat("-", w+2))
		} else {
			b.WriteString("|" + strings.Repeat("-", w+1) + ":")
		}
	}
	return b.String() + "|\n"
}

// remarks lists what the figures of a scenario do not say: failures, losses and notes.
func remarks(run *result.Run, scenario string) []string {
	var lines []string
	for _, s := range run.Samples {
		if s.Scenario != scenario {
			continue
		}
		what := ""
		switch {
		case s.Error != "":
			what = "failed: " + s.Error
		case s.Note != "":
			what = s.Note
		case s.Values["lost"]+s.Values["repeated"] > 0:
			what = fmt.Sprintf("%.0f events lost, %.0f repeated", s.Values["lost"], s.Values["repeated"])
		default:
			continue
		}
		line := fmt.Sprintf("%s (round %d, %s): %s", s.Contender, s.Round, grouped(s.Case), what)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

func tookPart(run *result.Run, scenario, who string) bool {
	return slices.ContainsFunc(run.Samples, func(s result.Sample) bool {
		return s.Scenario == scenario && s.Contender == who
	})
}
