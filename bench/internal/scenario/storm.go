package scenario

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/control"
	"github.com/usercast-go/usercast/bench/internal/load"
	"github.com/usercast-go/usercast/bench/internal/result"
)

const (
	stormDevices = 5   // per user
	missedEvents = 200 // while all were away
	stormTimeout = 60 * time.Second
)

// storm drops every device at once, publishes what they miss, and lets all of them come back together.
func storm(c *contender.Contender, devices float64, _ bool) (Outcome, error) {
	t, err := start(c)
	if err != nil {
		return Outcome{}, err
	}
	defer t.stop()
	users := int(devices) / stormDevices
	if err := t.miss(users); err != nil {
		return Outcome{}, err
	}
	before, err := t.settle()
	if err != nil {
		return Outcome{}, err
	}
	t.fleet.Target = missedEvents + 1 // one event came before the drop
	begun := time.Now()
	err = t.fleet.Connect(stormTimeout)
	if err == nil {
		complete := func() bool { return len(t.fleet.ReachedTarget) == int(devices) || t.fleet.Count.Broken > 0 }
		err = t.fleet.Run(complete, stormTimeout-time.Since(begun))
	}
	seconds := time.Since(begun).Seconds()
	reached := len(t.fleet.ReachedTarget)
	values := map[string]float64{
		CompleteDevices: float64(reached),
		Lost:            float64(t.fleet.Count.Lost),
		Repeated:        float64(t.fleet.Count.Repeated),
	}
	if errors.Is(err, load.ErrTimeout) || (err == nil && reached < int(devices)) {
		return Outcome{values, fmt.Sprintf("%d of %.0f devices complete after %.0f s", reached, devices, seconds)}, nil
	}
	if err != nil {
		return Outcome{}, err
	}
	after, err := t.stat()
	if err != nil {
		return Outcome{}, err
	}
	slices.Sort(t.fleet.ReachedTarget)
	values[ReplaySeconds] = seconds
	values[P50] = result.Percentile(t.fleet.ReachedTarget, 0.50)
	values[P99] = result.Percentile(t.fleet.ReachedTarget, 0.99)
	values[CPUPerDevice] = float64(after.CPUNanos-before.CPUNanos) / devices
	values[WritesPerDevice] = float64(t.fleet.Segments()) / devices
	return Outcome{Values: values}, nil
}

// miss connects the devices, gives each an event to resume from, drops them and publishes what they miss.
func (t *trial) miss(users int) error {
	t.fleet.Remember = true
	t.fleet.Add(0, users, stormDevices, load.Measured)
	if err := t.connect(); err != nil {
		return err
	}
	if _, err := t.publish(control.Command{Users: users, Rounds: 1, Window: window}); err != nil {
		return err
	}
	t.fleet.Drop()
	if err := t.awaitConnections(0); err != nil {
		return err
	}
	t.fleet.Expect(1)
	// Nobody is there to acknowledge, so the window is open; publish would wait for arrivals.
	missed := control.Command{Op: control.OpPublish, Users: users, Rounds: missedEvents}
	_, err := t.server.Call(missed, callTimeout)
	return err
}
