package scenario

import (
	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/load"
)

// firstConns are connected before the count begins: they pay for what a server sets up once.
const firstConns = 200

// idle connects devices that then have nothing to do, and asks what each of them keeps in memory.
func idle(c *contender.Contender, conns float64, _ bool) (Outcome, error) {
	t, err := start(c)
	if err != nil {
		return Outcome{}, err
	}
	defer t.stop()
	t.fleet.Add(0, firstConns, 1, load.Measured)
	if err := t.connect(); err != nil {
		return Outcome{}, err
	}
	before, err := t.settle()
	if err != nil {
		return Outcome{}, err
	}
	t.fleet.Add(firstConns, int(conns)-firstConns, 1, load.Measured)
	if err := t.connect(); err != nil {
		return Outcome{}, err
	}
	after, err := t.settle()
	if err != nil {
		return Outcome{}, err
	}
	more := conns - firstConns
	values := map[string]float64{
		RSSPerConn:  float64(after.RSSBytes-before.RSSBytes) / more,
		HeapPerConn: float64(after.HeapBytes-before.HeapBytes) / more,
	}
	if !c.Node {
		values[StackPerConn] = float64(after.StackBytes-before.StackBytes) / more
		values[GoroutinesPerConn] = float64(after.Goroutines-before.Goroutines) / more
	}
	return Outcome{Values: values}, nil
}
