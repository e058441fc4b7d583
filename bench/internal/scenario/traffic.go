package scenario

import (
	"slices"
	"time"

	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/control"
	"github.com/usercast-go/usercast/bench/internal/load"
	"github.com/usercast-go/usercast/bench/internal/result"
)

// The usual population.
const (
	usualUsers   = 1000
	usualDevices = 3
	pacedRate    = 5000 // events per second
)

func saturated(c *contender.Contender, _ float64, quick bool) (Outcome, error) {
	return saturate(c, usualUsers, usualDevices, window, quick)
}

func byWindow(c *contender.Contender, rounds float64, quick bool) (Outcome, error) {
	return saturate(c, usualUsers, usualDevices, int64(rounds), quick)
}

// byDevices varies the devices of each of so many users.
func byDevices(users int) func(*contender.Contender, float64, bool) (Outcome, error) {
	return func(c *contender.Contender, devices float64, quick bool) (Outcome, error) {
		return saturate(c, users, int(devices), window, quick)
	}
}

func saturatedUsers(c *contender.Contender, users float64, quick bool) (Outcome, error) {
	return saturate(c, int(users), usualDevices, window, quick)
}

// saturate publishes as fast as the closed loop allows, at most ahead rounds beyond the slowest device.
func saturate(c *contender.Contender, users, devices int, ahead int64, quick bool) (Outcome, error) {
	t, err := start(c)
	if err != nil {
		return Outcome{}, err
	}
	defer t.stop()
	t.fleet.Add(0, users, devices, load.Measured)
	if err := t.connect(); err != nil {
		return Outcome{}, err
	}
	if _, err := t.publish(control.Command{Users: users, Window: ahead, Millis: pick(quick, 300, 1000)}); err != nil {
		return Outcome{}, err
	}
	values, err := t.measure(control.Command{Users: users, Window: ahead, Millis: pick(quick, 1200, 4000)})
	return Outcome{Values: values}, err
}

// paced publishes at a rate that every contender can keep up with, and looks at latencies.
func paced(c *contender.Contender, _ float64, quick bool) (Outcome, error) {
	t, err := start(c)
	if err != nil {
		return Outcome{}, err
	}
	defer t.stop()
	t.fleet.Add(0, usualUsers, usualDevices, load.Measured)
	if err := t.connect(); err != nil {
		return Outcome{}, err
	}
	if _, err := t.publish(control.Command{Users: usualUsers, Rate: pacedRate, Millis: pick(quick, 400, 1000)}); err != nil {
		return Outcome{}, err
	}
	t.fleet.RecordLatency = true
	values, err := t.measure(control.Command{Users: usualUsers, Rate: pacedRate, Millis: pick(quick, 2000, 8000)})
	if err != nil {
		return Outcome{}, err
	}
	addLatencies(values, t.fleet.Latencies)
	return Outcome{Values: values}, nil
}

// slowSocket gives one more user as many events as all others together. The device of that user reads them (case 0)
// or does not read at all (case 1); the latencies are those of everybody else.
func slowSocket(c *contender.Contender, at float64, _ bool) (Outcome, error) {
	t, err := start(c)
	if err != nil {
		return Outcome{}, err
	}
	defer t.stop()
	role := load.Beside
	if at == WithSlowSocket {
		role = load.Deaf
	}
	t.fleet.Add(0, usualUsers, 1, load.Measured)
	t.fleet.Add(usualUsers, 1, 1, role)
	if err := t.connect(); err != nil {
		return Outcome{}, err
	}
	// A warm-up without the hot user: the slow socket must begin to block within the measurement.
	if _, err := t.publish(control.Command{Users: usualUsers, Rate: pacedRate, Millis: 1000}); err != nil {
		return Outcome{}, err
	}
	before, err := t.stat()
	if err != nil {
		return Outcome{}, err
	}
	fate := t.watchConnections(usualUsers + 1)
	t.fleet.RecordLatency = true
	values, err := t.measure(control.Command{
		Users: usualUsers, Rate: pacedRate, Hot: hotUser, Millis: 8000,
	})
	closed := fate()
	if err != nil {
		return Outcome{}, err
	}
	addLatencies(values, t.fleet.Latencies)
	values[RSSGrowth] = values[RSS] - float64(before.RSSBytes)
	if closed > 0 {
		values[SlowClosed] = closed.Seconds()
	}
	return Outcome{Values: values}, nil
}

// hotUser is the one after the usual users.
const hotUser = "u1000"

// watchConnections looks four times a second how many connections the server has. The returned function ends that and
// tells when the first one was missing; 0 if none ever was.
func (t *trial) watchConnections(want int64) (end func() time.Duration) {
	done, found := make(chan struct{}), make(chan time.Duration)
	go func() {
		begun, missing := time.Now(), time.Duration(0)
		for {
			select {
			case <-done:
				found <- missing
				return
			case <-time.After(250 * time.Millisecond):
			}
			if st, err := t.stat(); err == nil && st.Conns < want && missing == 0 {
				missing = time.Since(begun)
			}
		}
	}()
	return func() time.Duration {
		close(done)
		return <-found
	}
}

func addLatencies(values map[string]float64, latencies []int64) {
	slices.Sort(latencies)
	values[P50] = result.Percentile(latencies, 0.50)
	values[P99] = result.Percentile(latencies, 0.99)
	values[P999] = result.Percentile(latencies, 0.999)
}

func pick(quick bool, short, long int64) int64 {
	if quick {
		return short
	}
	return long
}
