package result

import (
	"math"
	"path/filepath"
	"reflect"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := Median(c.values); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestPercentileIsANearestRank(t *testing.T) {
	sorted := make([]int64, 1000)
	for i := range sorted {
		sorted[i] = int64(i + 1)
	}
	for share, want := range map[float64]float64{0: 1, 0.5: 500, 0.99: 990, 0.999: 999, 1: 1000} {
		if got := Percentile(sorted, share); got != want {
			t.Errorf("Percentile(%v) = %v, want %v", share, got, want)
		}
	}
	if got := Percentile([]int64{7}, 0.999); got != 7 {
		t.Errorf("of one value: got %v, want it", got)
	}
}

// A machine that is half as fast in the second round must not show in the ratio.
func TestRatioPairsRounds(t *testing.T) {
	a := []Point{{1, 10}, {2, 20}, {3, 10}}
	b := []Point{{1, 40}, {2, 80}, {4, 1}}
	if got := PairedRatio(a, b); got != 0.25 {
		t.Errorf("got %v, want 0.25", got)
	}
	if !math.IsNaN(PairedRatio(a, nil)) {
		t.Error("a ratio to nothing is a number")
	}
}

func TestRun(t *testing.T) {
	run := &Run{Samples: []Sample{
		{Scenario: "s", Case: 3, Contender: "a", Round: 2, Values: map[string]float64{"m": 4}},
		{Scenario: "s", Case: 3, Contender: "a", Round: 1, Values: map[string]float64{"m": 2}},
		{Scenario: "s", Case: 3, Contender: "b", Round: 1, Values: map[string]float64{"m": 8}},
		{Scenario: "s", Case: 1, Contender: "b", Round: 1, Error: "did not run"},
	}}
	if got := run.Median("s", 3, "a", "m"); got != 3 {
		t.Errorf("median = %v, want 3", got)
	}
	if got := run.Ratio("s", 3, "a", "b", "m"); got != 0.25 {
		t.Errorf("ratio = %v, want 0.25", got)
	}
	if got, want := run.Cases("s"), []float64{1, 3}; !reflect.DeepEqual(got, want) {
		t.Errorf("cases = %v, want %v", got, want)
	}
	if got := run.Rounds("s"); got != 2 {
		t.Errorf("rounds = %d, want 2", got)
	}
	if Known(run.Median("s", 1, "b", "m")) {
		t.Error("a failed measurement has a median")
	}
	path := filepath.Join(t.TempDir(), "run.json")
	if err := run.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, run) {
		t.Errorf("saved and loaded: got %+v, want %+v", again, run)
	}
}

// What is kept of earlier runs says where it comes from, over any number of runs.
func TestKeep(t *testing.T) {
	run := func(command, version string, scenarios ...string) *Run {
		r := &Run{Command: command, Peers: []Peer{{Name: "usercast", Version: version}}}
		for _, s := range scenarios {
			r.Samples = append(r.Samples, Sample{Scenario: s, Contender: command})
		}
		return r
	}
	first, second, third := run("1", "v1", "idle", "paced", "storm"), run("2", "v2", "paced"), run("3", "v3", "storm")
	second.Keep(first)
	third.Keep(second)
	got := make(map[string]string)
	for _, s := range third.Samples {
		got[s.Scenario] += s.Contender + third.Kept[s.Scenario].Command + third.Kept[s.Scenario].Version
	}
	if want := map[string]string{"idle": "11v1", "paced": "22v2", "storm": "3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
