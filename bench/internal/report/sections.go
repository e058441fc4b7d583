package report

import (
	"slices"

	"github.com/usercast-go/usercast/bench/internal/result"
	"github.com/usercast-go/usercast/bench/internal/scenario"
)

// section is a part of the report: what was asked, the table, and the plots.
type section struct {
	scenario string
	title    string
	text     string
	columns  func(run *result.Run) []column
	plots    func(run *result.Run) []picture
}

// sections lists the parts in the order of the report.
func sections() []section {
	return []section{
		{scenario.Saturated, "Saturated", saturatedText, trafficColumns(false), saturatedPlots},
		{scenario.ByWindow, "How much there is to gather", windowText, scaleColumns(scenario.ByWindow, "window "), windowPlots},
		{scenario.Paced, "Paced", pacedText, trafficColumns(true), pacedPlots},
		{scenario.ByDevices, "More devices per user", devicesText, scaleColumns(scenario.ByDevices, "devices: "), devicesPlots},
		{scenario.ByUsers, "More users", usersText, scaleColumns(scenario.ByUsers, "users: "), usersPlots},
		{scenario.Idle, "Idle connections", idleText, idleColumns, idlePlots},
		{scenario.Storm, "Reconnect storm", stormText, stormColumns, stormPlots},
		{scenario.Absent, "Users who are away", absentText, absentColumns, absentPlots},
		{scenario.Sweep, "A million buffers at rest", sweepText, sweepColumns, nil},
		{scenario.SlowSocket, "One slow socket", slowText, slowColumns, slowPlots},
	}
}

func trafficColumns(latencies bool) func(*result.Run) []column {
	return func(run *result.Run) []column {
		at := first(run.Cases(scenario.Saturated))
		if latencies {
			at = first(run.Cases(scenario.Paced))
		}
		columns := []column{
			metric("CPU per delivery, µs", at, scenario.CPUPerDelivery, micros),
			ratio(at, scenario.CPUPerDelivery),
		}
		if latencies {
			columns = append(columns,
				metric("p50, ms", at, scenario.P50, millis),
				metric("p99, ms", at, scenario.P99, millis),
				metric("p99.9, ms", at, scenario.P999, millis))
		} else {
			columns = append(columns, metric("deliveries/s", at, scenario.DeliveriesPerSecond, whole))
		}
		return append(columns,
			metric("writes per delivery", at, scenario.WritesPerDelivery, plain),
			metric("allocations per delivery", at, scenario.AllocsPerDelivery, plain))
	}
}

func scaleColumns(name, label string) func(*result.Run) []column {
	return func(run *result.Run) (columns []column) {
		for _, at := range run.Cases(name) {
			columns = append(columns,
				metric(label+grouped(at)+", µs", at, scenario.CPUPerDelivery, micros),
				ratio(at, scenario.CPUPerDelivery))
		}
		return columns
	}
}

func idleColumns(run *result.Run) (columns []column) {
	cases := run.Cases(scenario.Idle)
	for _, at := range cases {
		columns = append(columns,
			metric("RSS each of "+grouped(at)+", B", at, scenario.RSSPerConn, whole),
			ratio(at, scenario.RSSPerConn))
	}
	return append(columns,
		metric("heap each, B", last(cases), scenario.HeapPerConn, whole),
		metric("stack each, B", last(cases), scenario.StackPerConn, whole),
		metric("goroutines each", last(cases), scenario.GoroutinesPerConn, plain))
}

func stormColumns(run *result.Run) []column {
	at := first(run.Cases(scenario.Storm))
	return []column{
		metric("all complete after, s", at, scenario.ReplaySeconds, plain),
		ratio(at, scenario.ReplaySeconds),
		metric("a device, p50, ms", at, scenario.P50, millis),
		metric("p99, ms", at, scenario.P99, millis),
		metric("CPU per device, µs", at, scenario.CPUPerDevice, micros),
		ratio(at, scenario.CPUPerDevice),
		metric("writes per device", at, scenario.WritesPerDevice, plain),
		metric("devices complete", at, scenario.CompleteDevices, whole),
	}
}

func absentColumns(run *result.Run) (columns []column) {
	cases := run.Cases(scenario.Absent)
	for _, at := range cases {
		columns = append(columns, metric(grouped(at)+" away, µs", at, scenario.CPUPerBroadcast, micros))
	}
	columns = append(columns, ratio(last(cases), scenario.CPUPerBroadcast),
		metric("allocations", last(cases), scenario.AllocsPerBroadcast, plain))
	for _, at := range cases {
		if at > 1 {
			columns = append(columns, metric("kept per event, "+grouped(at)+" away, B", at, scenario.BytesPerEvent, whole))
		}
	}
	return append(columns, ratio(last(cases), scenario.BytesPerEvent))
}

func sweepColumns(run *result.Run) []column {
	at := first(run.Cases(scenario.Sweep))
	return []column{
		metric("CPU at rest, ms/s", at, scenario.RestPerSecond, millis),
		metric("worst second, ms", at, scenario.WorstSecond, millis),
		metric("CPU in all, ms", at, scenario.SweepCPU, millis),
		metric("heap still held", at, scenario.HeapLeft, percent),
	}
}

func slowColumns(*result.Run) []column {
	const reads, deaf = 0, scenario.WithSlowSocket
	return []column{
		metric("p99, it reads, ms", reads, scenario.P99, millis),
		metric("p99, it does not, ms", deaf, scenario.P99, millis),
		change("p99 grows", reads, deaf, scenario.P99),
		metric("p99.9, it reads, ms", reads, scenario.P999, millis),
		metric("p99.9, it does not, ms", deaf, scenario.P999, millis),
		metric("RSS grows, it reads, MB", reads, scenario.RSSGrowth, mega),
		metric("RSS grows, it does not, MB", deaf, scenario.RSSGrowth, mega),
		metric("cut off after, s", deaf, scenario.SlowClosed, plain),
	}
}

func first(cases []float64) float64 {
	if len(cases) == 0 {
		return 0
	}
	return cases[0]
}

func last(cases []float64) float64 {
	if len(cases) == 0 {
		return 0
	}
	return slices.Max(cases)
}
