// Command bench measures usercast and its peers in one run, prints the tables and writes the report.
//
// Run it inside the bench folder:
//
//	go run ./cmd/bench -out ../docs   # everything: about an hour
//	go run ./cmd/bench -quick         # within two minutes, tables only
//	go run ./cmd/bench -from ../docs/performance.json -out ../docs   # write the report again, without measuring
//
// It needs Linux, and node with npm for the peers that run in it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/report"
	"github.com/usercast-go/usercast/bench/internal/result"
	"github.com/usercast-go/usercast/bench/internal/scenario"
)

// The files of the report, in the output folder.
const (
	dataFile  = "performance.json"
	notesFile = "notes.md" // in the bench folder, included in the report as it is
)

type flags struct {
	quick     bool
	only      string
	scenarios string
	rounds    int
	out       string
	from      string
	keep      string
}

func main() {
	f := parse()
	if err := f.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse() flags {
	var f flags
	flag.BoolVar(&f.quick, "quick", false, "short measurements, one round, fewer scenarios: less than two minutes")
	flag.StringVar(&f.only, "only", "", "measure these `contenders`, separated by commas: "+strings.Join(contenderNames(), ", "))
	flag.StringVar(&f.scenarios, "scenario", "", "measure these `scenarios`, separated by commas: "+strings.Join(scenarioNames(), ", "))
	flag.IntVar(&f.rounds, "rounds", 0, "how often each measurement is repeated; 0 is up to the scenario")
	flag.StringVar(&f.out, "out", "", "write performance.md, performance.json and the plots into this `folder`; empty prints the tables only")
	flag.StringVar(&f.from, "from", "", "measure nothing, take the data from this `file`")
	flag.StringVar(&f.keep, "keep", "", "take the scenarios that are not measured from an earlier run's data in this `file`; the page says which")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "bench measures usercast and its peers, each in a process of its own, and prints the tables.\n"+
			"Run it inside the bench folder. All figures come from one run, so that their ratios mean something.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	return f
}

func (f flags) run() error {
	if _, err := os.Stat("servers"); err != nil {
		return errors.New("run it inside the bench folder")
	}
	run, err := f.data()
	if run != nil {
		fmt.Print(report.Tables(run)) // of a run that was interrupted, what there is
	}
	if err != nil || f.out == "" {
		return err
	}
	return f.write(run)
}

// data measures, or reads what was measured before.
func (f flags) data() (*result.Run, error) {
	if f.from != "" {
		return result.Load(f.from)
	}
	plan, err := f.plan()
	if err != nil {
		return nil, err
	}
	earlier := new(result.Run)
	if f.keep != "" {
		if earlier, err = result.Load(f.keep); err != nil {
			return nil, err // before an hour of measuring
		}
	}
	dir, err := os.MkdirTemp("", "usercast-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	plan.Contenders = prepare(plan.Contenders, dir)
	if len(plan.Contenders) == 0 {
		return nil, errors.New("no contender is ready to run")
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run, begun := machine(), time.Now()
	run.Command = strings.TrimSpace("go run ./cmd/bench " + strings.Join(os.Args[1:], " "))
	run.Quick = f.quick
	run.Samples, err = plan.Run(ctx)
	run.Minutes = time.Since(begun).Minutes()
	run.Keep(earlier)
	for _, c := range plan.Contenders {
		run.Peers = append(run.Peers, result.Peer{Name: c.Name, Title: c.Title, Module: c.Module, Version: c.Version})
	}
	return run, err
}

func (f flags) plan() (scenario.Plan, error) {
	plan := scenario.Plan{Quick: f.quick, Rounds: f.rounds, Progress: os.Stderr}
	var err error
	if plan.Contenders, err = contender.Select(list(f.only)); err != nil {
		return plan, err
	}
	plan.Scenarios, err = scenario.Select(list(f.scenarios), raiseFileLimit(scenario.WantedFiles))
	return plan, err
}

// prepare builds the servers. Whoever cannot take part is named and left out.
func prepare(all []*contender.Contender, dir string) (able []*contender.Contender) {
	for _, c := range all {
		if err := c.Prepare(dir); err != nil {
			fmt.Fprintf(os.Stderr, "left out: %v\n", err)
			continue
		}
		fmt.Fprintf(os.Stderr, "ready: %s %s\n", c.Name, c.Version)
		able = append(able, c)
	}
	return able
}

func (f flags) write(run *result.Run) error {
	notes, err := os.ReadFile(notesFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}
	if err := run.Save(filepath.Join(f.out, dataFile)); err != nil {
		return err
	}
	return report.Write(run, f.out, string(notes))
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func contenderNames() (names []string) {
	for _, c := range contender.All() {
		names = append(names, c.Name)
	}
	return names
}

func scenarioNames() (names []string) {
	for _, s := range scenario.All(0) {
		names = append(names, s.Name)
	}
	return names
}
