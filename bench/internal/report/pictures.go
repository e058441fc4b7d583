package report

import (
	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/result"
	"github.com/usercast-go/usercast/bench/internal/scenario"
)

func saturatedPlots(run *result.Run) []picture {
	return []picture{costBars(run, "saturated.svg", "Server CPU per delivery, saturated", "µs", scenario.Saturated,
		first(run.Cases(scenario.Saturated)), scenario.CPUPerDelivery, 1e-3)}
}

func pacedPlots(run *result.Run) []picture {
	at := first(run.Cases(scenario.Paced))
	latency := picture{file: "latency.svg", title: "Latency at 15,000 deliveries/s: p50 (ring), p99, p99.9", unit: "ms", kind: spans}
	for _, p := range run.Peers {
		latency.add(p.Name, medians(run, scenario.Paced, at, p.Name, 1e-6, scenario.P50, scenario.P99, scenario.P999))
	}
	return []picture{
		costBars(run, "paced.svg", "Server CPU per delivery at 15,000 deliveries/s", "µs", scenario.Paced, at, scenario.CPUPerDelivery, 1e-3),
		latency,
	}
}

func windowPlots(run *result.Run) []picture {
	return []picture{scaleLines(run, "window.svg", "Server CPU per delivery, by rounds the publisher may be ahead", scenario.ByWindow)}
}

func devicesPlots(run *result.Run) []picture {
	return []picture{scaleLines(run, "devices.svg", "Server CPU per delivery, by devices per user", scenario.ByDevices)}
}

func usersPlots(run *result.Run) []picture {
	return []picture{scaleLines(run, "users.svg", "Server CPU per delivery, by number of users", scenario.ByUsers)}
}

func idlePlots(run *result.Run) []picture {
	at := last(run.Cases(scenario.Idle))
	return []picture{costBars(run, "idle.svg", "Memory per idle connection, "+grouped(at)+" connections", "kB", scenario.Idle,
		at, scenario.RSSPerConn, 1e-3)}
}

func stormPlots(run *result.Run) []picture {
	at := first(run.Cases(scenario.Storm))
	return []picture{costBars(run, "storm.svg", grouped(at)+" devices come back, 200 events each: all complete after", "s", scenario.Storm,
		at, scenario.ReplaySeconds, 1)}
}

func absentPlots(run *result.Run) []picture {
	at := last(run.Cases(scenario.Absent))
	return []picture{costBars(run, "absent.svg", "Heap per kept event, "+grouped(at)+" users", "B", scenario.Absent,
		at, scenario.BytesPerEvent, 1)}
}

func slowPlots(run *result.Run) []picture {
	p := picture{file: "slow.svg", title: "p99 of everybody else while one socket reads (ring), and while it does not (dot)", unit: "ms", kind: spans}
	for _, peer := range run.Peers {
		reads := run.Median(scenario.SlowSocket, 0, peer.Name, scenario.P99) * 1e-6
		deaf := run.Median(scenario.SlowSocket, scenario.WithSlowSocket, peer.Name, scenario.P99) * 1e-6
		p.add(peer.Name, []float64{reads, deaf})
	}
	return []picture{p}
}

// costBars compares one metric; the label of each peer says what usercast takes of it.
func costBars(run *result.Run, file, title, unit, name string, at float64, metric string, scale float64) picture {
	p := picture{file: file, title: title, unit: unit, kind: bars}
	for _, peer := range run.Peers {
		p.add(peer.Name, medians(run, name, at, peer.Name, scale, metric))
		if peer.Name != contender.Baseline && len(p.rows) > 0 && p.rows[len(p.rows)-1].name == peer.Name {
			p.rows[len(p.rows)-1].remark = "usercast takes " + ratioText(run, name, at, peer.Name, metric)
		}
	}
	return p
}

func scaleLines(run *result.Run, file, title, name string) picture {
	p := picture{file: file, title: title, unit: "µs", kind: lines, cases: run.Cases(name)}
	for _, peer := range run.Peers {
		var row []float64
		for _, at := range p.cases {
			row = append(row, run.Median(name, at, peer.Name, scenario.CPUPerDelivery)*1e-3)
		}
		p.add(peer.Name, row)
	}
	return p
}

func medians(run *result.Run, name string, at float64, who string, scale float64, metrics ...string) (values []float64) {
	for _, m := range metrics {
		values = append(values, run.Median(name, at, who, m)*scale)
	}
	return values
}
