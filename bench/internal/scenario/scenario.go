// Package scenario is what is measured. Each scenario starts a fresh server for every measurement, so that no
// contender inherits garbage, warm caches or users from the one before.
package scenario

import (
	"fmt"
	"slices"

	"github.com/usercast-go/usercast/bench/internal/contender"
)

// The metrics that samples hold. Times are nanoseconds, sizes bytes.
const (
	CPUPerDelivery      = "cpuPerDelivery"
	DeliveriesPerSecond = "deliveriesPerSecond"
	WritesPerDelivery   = "writesPerDelivery"
	AllocsPerDelivery   = "allocsPerDelivery"
	Lost                = "lost"
	Repeated            = "repeated"
	RSS                 = "rss"

	P50  = "p50"
	P99  = "p99"
	P999 = "p999"

	RSSPerConn        = "rssPerConn"
	HeapPerConn       = "heapPerConn"
	StackPerConn      = "stackPerConn"
	GoroutinesPerConn = "goroutinesPerConn"

	ReplaySeconds   = "replaySeconds"
	CPUPerDevice    = "cpuPerDevice"
	WritesPerDevice = "writesPerDevice"
	CompleteDevices = "completeDevices"

	CPUPerBroadcast    = "cpuPerBroadcast"
	AllocsPerBroadcast = "allocsPerBroadcast"
	BytesPerEvent      = "bytesPerEvent"

	RestPerSecond  = "restPerSecond"
	WorstSecond    = "worstSecond"
	SweepCPU       = "sweepCPU"
	HeapLeft       = "heapLeft" // share of what the events took
	SlowClosed     = "slowClosed"
	RSSGrowth      = "rssGrowth"
	WithSlowSocket = 1 // the case of SlowSocket in which the socket does not read
)

// The names of the scenarios.
const (
	Saturated  = "saturated"
	Paced      = "paced"
	Idle       = "idle"
	Storm      = "storm"
	Absent     = "absent"
	Sweep      = "sweep"
	SlowSocket = "slow"
	ByDevices  = "devices"
	ByUsers    = "users"
	ByWindow   = "window"
)

// Outcome is what a measurement found: numbers, and a note where they need one.
type Outcome struct {
	Values map[string]float64
	Note   string
}

// Scenario is one question to all contenders.
type Scenario struct {
	Name   string
	Rounds int       // by default
	Cases  []float64 // what varies
	// Quick replaces Cases in a quick run; nil leaves the scenario out.
	Quick []float64
	// OnlyKeepers leaves out the contenders that keep nothing.
	OnlyKeepers bool
	// Measure runs one case with one contender.
	Measure func(c *contender.Contender, at float64, quick bool) (Outcome, error)
}

// wantedConnections is what the largest of the scenarios would like to have.
const wantedConnections = 30_000

// WantedFiles is how many descriptors that takes, with something to spare.
const WantedFiles = wantedConnections + spareFiles

const spareFiles = 500

// All lists the scenarios in the order of the report. Those with most connections shrink to what files, the number of
// descriptors a process may have, allows; zero is no limit.
func All(files int) []Scenario {
	most := wantedConnections
	if files > 0 {
		most = min(most, files-spareFiles)
	}
	most -= most % 100
	return []Scenario{
		{Name: Saturated, Rounds: 5, Cases: []float64{3000}, Quick: []float64{3000}, Measure: saturated},
		{Name: ByWindow, Rounds: 3, Cases: []float64{1, 4, 16, 64}, Measure: byWindow},
		{Name: Paced, Rounds: 5, Cases: []float64{15000}, Quick: []float64{15000}, Measure: paced},
		{Name: Idle, Rounds: 3, Cases: []float64{10_000, float64(most)}, Quick: []float64{2000}, Measure: idle},
		{Name: Storm, Rounds: 3, Cases: []float64{5000}, Quick: []float64{1000}, OnlyKeepers: true, Measure: storm},
		{Name: Absent, Rounds: 3, Cases: []float64{1, 1000, 1_000_000}, Quick: []float64{1000}, Measure: absent},
		{Name: Sweep, Rounds: 1, Cases: []float64{1_000_000}, OnlyKeepers: true, Measure: sweep},
		{Name: SlowSocket, Rounds: 3, Cases: []float64{0, WithSlowSocket}, Measure: slowSocket},
		{Name: ByDevices, Rounds: 3, Cases: []float64{1, 3, 30}, Measure: byDevices(min(usualUsers, most/30))},
		{Name: ByUsers, Rounds: 3, Cases: []float64{100, 1000, float64(most / usualDevices)}, Measure: saturatedUsers},
	}
}

// Select returns the scenarios with the given names, or all of them.
func Select(names []string, files int) ([]Scenario, error) {
	all := All(files)
	if len(names) == 0 {
		return all, nil
	}
	var chosen []Scenario
	for _, name := range names {
		i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no scenario is called %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
