package scenario

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/result"
)

// Plan is a whole run.
type Plan struct {
	Scenarios  []Scenario
	Contenders []*contender.Contender
	Quick      bool
	Rounds     int       // 0: what each scenario has by default; 1 in a quick run
	Progress   io.Writer // one line for each measurement
}

// Run measures everything. A measurement that fails is a sample with an error, not the end of the run; only the
// context ends it early.
func (p Plan) Run(ctx context.Context) ([]result.Sample, error) {
	var samples []result.Sample
	begun, total := time.Now(), p.count()
	for _, s := range p.Scenarios {
		for round := 1; round <= p.rounds(s); round++ {
			for _, c := range p.order(s, round) {
				for _, at := range p.cases(s) {
					if ctx.Err() != nil {
						return samples, ctx.Err()
					}
					sample := p.measure(s, c, at, round)
					samples = append(samples, sample)
					fmt.Fprintf(p.Progress, "%4d/%d %5.0f s  %-9s round %d  %-10s %8.0f  %s\n",
						len(samples), total, time.Since(begun).Seconds(), s.Name, round, c.Name, at, summary(sample))
				}
			}
		}
	}
	return samples, nil
}

func (p Plan) measure(s Scenario, c *contender.Contender, at float64, round int) result.Sample {
	sample := result.Sample{Scenario: s.Name, Case: at, Contender: c.Name, Round: round}
	outcome, err := s.Measure(c, at, p.Quick)
	if err != nil {
		sample.Error = err.Error()
	}
	sample.Values, sample.Note = outcome.Values, outcome.Note
	return sample
}

// order is who takes part, each round beginning with another one: what a machine does to the first it does to all.
func (p Plan) order(s Scenario, round int) []*contender.Contender {
	var in []*contender.Contender
	for _, c := range p.Contenders {
		if c.TakesPart(s.Name) && (c.Keeps || !s.OnlyKeepers) {
			in = append(in, c)
		}
	}
	if len(in) == 0 {
		return nil
	}
	first := (round - 1) % len(in)
	return append(in[first:len(in):len(in)], in[:first]...)
}

func (p Plan) cases(s Scenario) []float64 {
	if p.Quick {
		return s.Quick
	}
	return s.Cases
}

func (p Plan) rounds(s Scenario) int {
	switch {
	case p.Rounds > 0:
		return p.Rounds
	case p.Quick:
		return 1
	}
	return s.Rounds
}

func (p Plan) count() (total int) {
	for _, s := range p.Scenarios {
		total += p.rounds(s) * len(p.order(s, 1)) * len(p.cases(s))
	}
	return total
}

// headline is the metric that a progress line shows, the first that a sample has.
var headline = []struct {
	metric, format string
	scale          float64
}{
	{P99, "p99 %.2f ms", 1e-6},
	{CPUPerDelivery, "%.2f µs CPU/delivery", 1e-3},
	{RSSPerConn, "%.0f B/connection", 1},
	{CPUPerBroadcast, "%.2f µs CPU/broadcast", 1e-3},
	{WorstSecond, "worst second %.0f ms", 1e-6},
}

func summary(s result.Sample) string {
	if s.Error != "" {
		return "FAILED: " + s.Error
	}
	if s.Note != "" {
		return s.Note
	}
	for _, h := range headline {
		if v, ok := s.Values[h.metric]; ok {
			return fmt.Sprintf(h.format, v*h.scale)
		}
	}
	return ""
}
