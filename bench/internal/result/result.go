// Package result is what a run has measured: plain samples that can be saved, read again and reduced to medians.
package result

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"time"
)

// Sample is one measurement of one contender in one round.
type Sample struct {
	Scenario  string             `json:"scenario"`
	Case      float64            `json:"case"` // what varies within the scenario: devices, users, connections
	Contender string             `json:"contender"`
	Round     int                `json:"round"`
	Values    map[string]float64 `json:"values,omitempty"`
	Note      string             `json:"note,omitempty"` // anything that the reader of a table must know
	Error     string             `json:"error,omitempty"`
}

// Peer is a contender as the tables name it.
type Peer struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Module  string `json:"module"`
	Version string `json:"version"`
}

// Run is everything about one run: enough to write the report again without measuring.
type Run struct {
	Date     time.Time `json:"date"`
	Command  string    `json:"command"`
	Quick    bool      `json:"quick"`
	Minutes  float64   `json:"minutes"`
	CPU      string    `json:"cpu"`
	Cores    int       `json:"cores"`
	MemoryGB float64   `json:"memoryGB"`
	Kernel   string    `json:"kernel"`
	Go       string    `json:"go"`
	Node     string    `json:"node"`
	Peers    []Peer    `json:"peers"`
	Samples  []Sample  `json:"samples"`
	// Kept says where the samples of a scenario come from that this run has not measured itself.
	Kept map[string]Origin `json:"kept,omitempty"`
}

// Origin is the run of which a scenario's samples are. Its ratios hold, for they are within that run.
type Origin struct {
	Date    time.Time `json:"date"`
	Command string    `json:"command"`
	Version string    `json:"version"` // of usercast
}

// Load reads a run that Save has written.
func Load(path string) (*Run, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Run
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// Save writes the run as JSON.
func (r *Run) Save(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Keep takes over an earlier run's scenarios that this one has not measured.
func (r *Run) Keep(earlier *Run) {
	measured := make(map[string]bool)
	for _, s := range r.Samples {
		measured[s.Scenario] = true
	}
	for _, s := range earlier.Samples {
		if measured[s.Scenario] {
			continue
		}
		origin, ok := earlier.Kept[s.Scenario]
		if !ok {
			origin = Origin{earlier.Date, earlier.Command, earlier.version("usercast")}
		}
		if r.Kept == nil {
			r.Kept = make(map[string]Origin)
		}
		r.Kept[s.Scenario] = origin
		r.Samples = append(r.Samples, s)
	}
}

func (r *Run) version(peer string) string {
	for _, p := range r.Peers {
		if p.Name == peer {
			return p.Version
		}
	}
	return ""
}

// Series returns a contender's values of a metric, one per round that has it, in the order of the rounds.
func (r *Run) Series(scenario string, at float64, contender, metric string) []Point {
	var points []Point
	for _, s := range r.Samples {
		if s.Scenario != scenario || s.Case != at || s.Contender != contender {
			continue
		}
		if v, ok := s.Values[metric]; ok {
			points = append(points, Point{Round: s.Round, Value: v})
		}
	}
	slices.SortFunc(points, func(a, b Point) int { return a.Round - b.Round })
	return points
}

// Median of a metric over the rounds; NaN when no round has it.
func (r *Run) Median(scenario string, at float64, contender, metric string) float64 {
	return Median(values(r.Series(scenario, at, contender, metric)))
}

// Ratio compares two contenders: the median over the rounds of what a has, divided by what b has in the same round.
// Rounds alternate the contenders, so a machine that gets slower for a while bends both values of a pair.
func (r *Run) Ratio(scenario string, at float64, a, b, metric string) float64 {
	return PairedRatio(r.Series(scenario, at, a, metric), r.Series(scenario, at, b, metric))
}

// Cases lists what varies within a scenario, ascending.
func (r *Run) Cases(scenario string) []float64 {
	var cases []float64
	for _, s := range r.Samples {
		if s.Scenario == scenario && !slices.Contains(cases, s.Case) {
			cases = append(cases, s.Case)
		}
	}
	slices.Sort(cases)
	return cases
}

// Rounds counts the rounds of a scenario.
func (r *Run) Rounds(scenario string) int {
	rounds := 0
	for _, s := range r.Samples {
		if s.Scenario == scenario {
			rounds = max(rounds, s.Round)
		}
	}
	return rounds
}

// Known tells whether a median or ratio exists.
func Known(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
