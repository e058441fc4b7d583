package report

import (
	"fmt"
	"math"

	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/result"
)

// none stands where a contender has no such figure.
const none = "–"

// column is one column of a table: its head, and how to fill a contender's cell.
type column struct {
	head string
	cell func(run *result.Run, scenario, contender string) string
}

// metric shows the median of a metric in one case of the scenario.
func metric(head string, at float64, name string, show format) column {
	return column{head, func(run *result.Run, scenario, who string) string {
		return show.orNone(run.Median(scenario, at, who, name))
	}}
}

// ratio shows what usercast takes of a metric, as a share of what the contender takes.
func ratio(at float64, name string) column {
	return column{"usercast ÷ it", func(run *result.Run, scenario, who string) string {
		return ratioText(run, scenario, at, who, name)
	}}
}

// change shows by what a metric grows from one case to the other.
func change(head string, from, to float64, name string) column {
	return column{head, func(run *result.Run, scenario, who string) string {
		return times.orNone(run.Median(scenario, to, who, name) / run.Median(scenario, from, who, name))
	}}
}

func ratioText(run *result.Run, scenario string, at float64, who, name string) string {
	if who == contender.Baseline {
		return none
	}
	return times.orNone(run.Ratio(scenario, at, contender.Baseline, who, name))
}

// format turns a value of a sample into text with the unit that the column's head names.
type format func(float64) string

func (f format) orNone(v float64) string {
	if !result.Known(v) {
		return none
	}
	return f(v)
}

// The formats. Samples hold nanoseconds and bytes.
var (
	micros format = func(v float64) string { return significant(v / 1e3) }
	millis format = func(v float64) string { return significant(v / 1e6) }
	plain  format = significant

	whole   format = func(v float64) string { return grouped(v) }
	mega    format = func(v float64) string { return significant(v / 1e6) }
	percent format = func(v float64) string { return fmt.Sprintf("%.0f %%", max(v, 0)*100) }
	times   format = func(v float64) string { return fmt.Sprintf("%.2f", v) + "×" }
)

// significant shows three digits, which is more than these measurements are worth, and never an exponent.
func significant(v float64) string {
	switch size := math.Abs(v); {
	case size >= 1000:
		return grouped(v)
	case size >= 100:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// grouped writes a whole number with a comma at the thousands.
func grouped(v float64) string {
	text := fmt.Sprintf("%.0f", math.Abs(v))
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if v <= -0.5 {
		return "-" + text
	}
	return text
}
