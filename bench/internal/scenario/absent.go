package scenario

import (
	"fmt"
	"time"

	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/control"
)

// sweepTTL is how long the events live in the scenario that watches them go. It leaves the slowest server the time to
// take in a million of them.
const sweepTTL = 15 * time.Second

// sweepWatch is how long that scenario watches: events expire after one TTL, a user may be forgotten after another,
// and Socket.IO looks once a minute.
const sweepWatch = 4 * sweepTTL

// bufferSize is how many events of a user the servers keep.
const bufferSize = 200

// absentRounds chooses how many events each user gets: many for one user, and a full buffer for a thousand.
func absentRounds(users float64) int64 {
	switch {
	case users <= 1:
		return 100_000
	case users <= 1000:
		return bufferSize
	}
	return 1
}

// absent broadcasts to users who have no connection.
func absent(c *contender.Contender, users float64, _ bool) (Outcome, error) {
	t, err := start(c)
	if err != nil {
		return Outcome{}, err
	}
	defer t.stop()
	rounds := absentRounds(users)
	before, err := t.fill(users, rounds)
	if err != nil {
		return Outcome{}, err
	}
	after, err := t.stat()
	if err != nil {
		return Outcome{}, err
	}
	settled, err := t.settle()
	if err != nil {
		return Outcome{}, err
	}
	events := users * float64(rounds)
	values := map[string]float64{CPUPerBroadcast: float64(after.CPUNanos-before.CPUNanos) / events}
	if !c.Node {
		values[AllocsPerBroadcast] = float64(after.Allocs-before.Allocs) / events
	}
	// With one user's 200 events the heap's own unrest would be larger than they are.
	if c.Keeps && users > 1 {
		values[BytesPerEvent] = float64(settled.HeapBytes-before.HeapBytes) / events
	}
	return Outcome{Values: values}, nil
}

// fill publishes to absent users, after a warm-up, and returns the server's counters from just before.
func (t *trial) fill(users float64, rounds int64) (control.Stat, error) {
	warm := control.Command{Op: control.OpPublish, Users: 1, Prefix: "warm-", Rounds: 20_000}
	if _, err := t.server.Call(warm, callTimeout); err != nil {
		return control.Stat{}, err
	}
	// A command without rounds prepares the users' names, which must not count.
	fill := control.Command{Op: control.OpPublish, Users: int(users), Prefix: "absent-"}
	if _, err := t.server.Call(fill, callTimeout); err != nil {
		return control.Stat{}, err
	}
	before, err := t.settle()
	if err != nil {
		return control.Stat{}, err
	}
	fill.Rounds = rounds
	_, err = t.server.Call(fill, callTimeout)
	return before, err
}

// sweep fills the server with a million users' events that live for a short time only, and looks at the CPU time that
// goes by without any traffic: at rest, while the events expire, and how much memory is free again at the end.
func sweep(c *contender.Contender, users float64, _ bool) (Outcome, error) {
	t, err := start(c, fmt.Sprintf("-ttl=%v", sweepTTL))
	if err != nil {
		return Outcome{}, err
	}
	defer t.stop()
	empty, err := t.fill(users, 1)
	if err != nil {
		return Outcome{}, err
	}
	full, err := t.settle()
	if err != nil {
		return Outcome{}, err
	}
	seconds, err := t.cpuBySecond(sweepWatch)
	if err != nil {
		return Outcome{}, err
	}
	end, err := t.settle()
	if err != nil {
		return Outcome{}, err
	}
	values := map[string]float64{HeapLeft: float64(end.HeapBytes-empty.HeapBytes) / float64(full.HeapBytes-empty.HeapBytes)}
	// The first second still collects the garbage of publishing.
	for i, ns := range seconds[1:] {
		values[SweepCPU] += ns
		values[WorstSecond] = max(values[WorstSecond], ns)
		if i < 4 {
			values[RestPerSecond] += ns / 4
		}
	}
	return Outcome{Values: values}, nil
}

// cpuBySecond samples the server's CPU time, in ns for each second that goes by.
func (t *trial) cpuBySecond(d time.Duration) ([]float64, error) {
	last, err := t.stat()
	if err != nil {
		return nil, err
	}
	var seconds []float64
	for range int(d / time.Second) {
		if err := t.pass(time.Second); err != nil {
			return nil, err
		}
		now, err := t.stat()
		if err != nil {
			return nil, err
		}
		seconds = append(seconds, float64(now.CPUNanos-last.CPUNanos))
		last = now
	}
	return seconds, nil
}
