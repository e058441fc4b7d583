package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usercast-go/usercast/bench/internal/result"
	"github.com/usercast-go/usercast/bench/internal/scenario"
)

// fixture is a small run of two contenders in which gws costs four times as much, and lost an event.
func fixture() *result.Run {
	run := &result.Run{
		Date: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Command: "go run ./cmd/bench", CPU: "Test", Cores: 2,
		Peers: []result.Peer{
			{Name: "usercast", Version: "v1", Title: "everything on", Module: "m/usercast"},
			{Name: "gws", Version: "v2", Title: "Broadcaster", Module: "m/gws"},
			{Name: "late", Version: "v3", Title: "never ran", Module: "m/late"},
		},
	}
	add := func(name string, at float64, who string, values map[string]float64) {
		run.Samples = append(run.Samples, result.Sample{Scenario: name, Case: at, Contender: who, Round: 1, Values: values})
	}
	for who, factor := range map[string]float64{"usercast": 1, "gws": 4} {
		traffic := map[string]float64{
			scenario.CPUPerDelivery: 2000 * factor, scenario.DeliveriesPerSecond: 400_000 / factor,
			scenario.P50: 1e5 * factor, scenario.P99: 5e5 * factor, scenario.P999: 1e6 * factor,
		}
		add(scenario.Saturated, 3000, who, traffic)
		add(scenario.Paced, 15000, who, traffic)
		add(scenario.Idle, 10_000, who, map[string]float64{scenario.RSSPerConn: 9000 * factor})
		add(scenario.SlowSocket, 0, who, traffic)
		add(scenario.SlowSocket, scenario.WithSlowSocket, who, traffic)
		for _, users := range []float64{100, 1000, 10_000} {
			add(scenario.ByUsers, users, who, traffic)
		}
	}
	add(scenario.Saturated, 3000, "gws", map[string]float64{scenario.Lost: 1})
	return run
}

func TestTables(t *testing.T) {
	text := Tables(fixture())
	for _, want := range []string{
		"| usercast |                 2.00 |             – |      400,000 |",
		"| gws      |                 8.00 |         0.25× |      100,000 |",
		"gws (round 1, 3,000): 1 events lost, 0 repeated",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "late") {
		t.Error("a contender that never ran has a row")
	}
	if strings.Contains(text, "NaN") {
		t.Errorf("NaN in\n%s", text)
	}
}

func TestWriteIsCompleteAndRepeatable(t *testing.T) {
	dir := t.TempDir()
	notes := "## What I think\n\nBy hand."
	if err := Write(fixture(), dir, notes); err != nil {
		t.Fatal(err)
	}
	page := read(t, filepath.Join(dir, pageFile))
	if !strings.Contains(page, notes) {
		t.Error("the notes are missing")
	}
	plots, err := filepath.Glob(filepath.Join(dir, plotsDir, "*.svg"))
	if err != nil || len(plots) != 6 {
		t.Errorf("got %d plots (%v), want 6", len(plots), err)
	}
	for _, plot := range plots {
		if !strings.Contains(page, "("+plotsDir+"/"+filepath.Base(plot)+")") {
			t.Errorf("%s is not in the page", plot)
		}
		wellFormed(t, plot)
	}
	again := t.TempDir()
	if err := Write(fixture(), again, notes); err != nil {
		t.Fatal(err)
	}
	for _, file := range append(plots, filepath.Join(dir, pageFile)) {
		name, _ := filepath.Rel(dir, file)
		if read(t, file) != read(t, filepath.Join(again, name)) {
			t.Errorf("%s differs when it is written again", name)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0.00", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 1234.5: "1,234", 1234567: "1,234,567", -4321: "-4,321"} {
		if got := significant(v); got != want {
			t.Errorf("significant(%v) = %s, want %s", v, got, want)
		}
	}
}

func wellFormed(t *testing.T, path string) {
	t.Helper()
	text := read(t, path)
	if !strings.Contains(text, "usercast") {
		t.Errorf("%s does not show usercast", path)
	}
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
