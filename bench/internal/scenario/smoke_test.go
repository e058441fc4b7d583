package scenario

import (
	"os"
	"os/exec"
	"testing"

	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/control"
	"github.com/usercast-go/usercast/bench/internal/load"
)

// TestSmoke drives real servers end to end, with a handful of devices and for a moment only.
func TestSmoke(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs servers")
	}
	t.Chdir("../..") // servers are built from the module's root
	for _, c := range contender.All() {
		if c.Only != nil || c.Node && !nodeIsReady() {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Prepare(t.TempDir()); err != nil {
				t.Fatal(err)
			}
			t.Run("deliver", func(t *testing.T) { deliver(t, c) })
			if c.Keeps {
				t.Run("replay", func(t *testing.T) { replay(t, c) })
			}
		})
	}
}

// deliver checks both ways of publishing.
func deliver(t *testing.T, c *contender.Contender) {
	const users, devices = 10, 3
	tr := mustStart(t, c)
	tr.fleet.Add(0, users, devices, load.Measured)
	if err := tr.connect(); err != nil {
		t.Fatal(err)
	}
	tr.fleet.RecordLatency = true
	for _, command := range []control.Command{
		{Users: users, Window: window, Millis: 100},
		{Users: users, Rate: 1000, Millis: 100},
	} {
		values, err := tr.measure(command)
		if err != nil {
			t.Fatal(err)
		}
		if values[Lost]+values[Repeated] > 0 || values[CPUPerDelivery] <= 0 || values[WritesPerDelivery] <= 0 {
			t.Errorf("rate %d: got %v", command.Rate, values)
		}
	}
	if len(tr.fleet.Latencies) == 0 || tr.fleet.Latencies[0] <= 0 {
		t.Error("no latencies, or clocks that do not agree")
	}
}

// replay checks that devices get exactly what they have missed.
func replay(t *testing.T, c *contender.Contender) {
	const devices = 4 * stormDevices
	outcome, err := storm(c, devices, true)
	if err != nil {
		t.Fatal(err)
	}
	v := outcome.Values
	if v[CompleteDevices] != devices || v[Lost]+v[Repeated] > 0 {
		t.Errorf("got %v (%s), want all %d devices complete", v, outcome.Note, devices)
	}
}

func mustStart(t *testing.T, c *contender.Contender) *trial {
	t.Helper()
	tr, err := start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.stop)
	return tr
}

func nodeIsReady() bool {
	if _, err := exec.LookPath("node"); err != nil {
		return false
	}
	_, err := os.Stat("servers/node/node_modules")
	return err == nil
}
