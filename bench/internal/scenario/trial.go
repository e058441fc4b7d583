package scenario

import (
	"errors"
	"fmt"
	"time"

	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/control"
	"github.com/usercast-go/usercast/bench/internal/load"
)

// Patience with a server: for a command it carries out at once, for connecting devices, for its count of them to be
// right, and for what is published to arrive when publishing is over.
const (
	callTimeout    = 2 * time.Minute // a Node server collects gigabytes of garbage in settle
	connectTimeout = 2 * time.Minute
	countTimeout   = 20 * time.Second
	arrivalTimeout = 10 * time.Second
)

// window is how many rounds the saturated publisher may be ahead of the slowest device. It bounds how many events of a
// connection a contender can gather in one write, which ByWindow varies.
const window = 16

// trial is one fresh server and the devices that go with it.
type trial struct {
	server *control.Process
	fleet  *load.Fleet
}

func start(c *contender.Contender, flags ...string) (*trial, error) {
	server, err := control.Start(c.Command(flags...))
	if err != nil {
		return nil, err
	}
	fleet, err := load.New(server.Port, c.Dialect)
	if err != nil {
		server.Stop()
		return nil, err
	}
	fleet.OnRound = server.Ack
	return &trial{server: server, fleet: fleet}, nil
}

func (t *trial) stop() {
	t.fleet.Close()
	t.server.Stop()
}

// connect brings the devices online and waits until the server counts them all: an upgraded connection may not be
// registered yet.
func (t *trial) connect() error {
	if err := t.fleet.Connect(connectTimeout); err != nil {
		return err
	}
	t.fleet.Expect(0)
	return t.awaitConnections(int64(t.fleet.Size()))
}

func (t *trial) awaitConnections(want int64) error {
	deadline := time.Now().Add(countTimeout)
	for {
		st, err := t.stat()
		if err != nil {
			return err
		}
		if st.Conns == want {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server counts %d connections, not %d", st.Conns, want)
		}
		// Sockets are served meanwhile: a server may wait for an answer.
		if err := t.pass(20 * time.Millisecond); err != nil {
			return err
		}
	}
}

// pass lets time go by with the sockets being served.
func (t *trial) pass(d time.Duration) error {
	end := time.Now().Add(d)
	return t.fleet.Run(func() bool { return !time.Now().Before(end) }, d+time.Second)
}

func (t *trial) stat() (control.Stat, error) {
	r, err := t.server.Call(control.Command{Op: control.OpStat}, callTimeout)
	return r.Stat, err
}

func (t *trial) settle() (control.Stat, error) {
	r, err := t.server.Call(control.Command{Op: control.OpSettle}, callTimeout)
	return r.Stat, err
}

// publish has the server publish, and returns when all of it has arrived at every measured device.
func (t *trial) publish(c control.Command) (control.Reply, error) {
	c.Op = control.OpPublish
	pending := t.server.Begin(c)
	var reply control.Reply
	var ended bool
	answered := func() bool {
		select {
		case r, ok := <-pending:
			reply, ended = r, !ok
			return true
		default:
			return t.fleet.Count.Broken > 0
		}
	}
	limit := time.Duration(c.Millis)*time.Millisecond + 30*time.Second
	if err := t.fleet.Run(answered, limit); err != nil {
		return reply, fmt.Errorf("publishing does not end (%w); %s", err, t.losses())
	}
	switch {
	case ended:
		return reply, errors.New("the server has ended")
	case reply.Error != "":
		return reply, errors.New(reply.Error)
	case t.fleet.Err() != nil:
		return reply, t.fleet.Err()
	}
	arrived := func() bool { return t.fleet.Done() >= reply.Round }
	if err := t.fleet.Run(arrived, arrivalTimeout); err != nil {
		return reply, fmt.Errorf("not everything arrived (round %d of %d); %s", t.fleet.Done(), reply.Round, t.losses())
	}
	return reply, nil
}

func (t *trial) losses() string {
	c := t.fleet.Count
	return fmt.Sprintf("%d delivered, %d lost, %d repeated, %d gaps, %d connections broken", c.Delivered, c.Lost, c.Repeated, c.Gaps, c.Broken)
}

// measure publishes and divides what the server spent by what arrived.
func (t *trial) measure(c control.Command) (map[string]float64, error) {
	t.fleet.Latencies = t.fleet.Latencies[:0]
	segments, counted := t.fleet.Segments(), t.fleet.Count
	before, err := t.stat()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if _, err := t.publish(c); err != nil {
		return nil, err
	}
	seconds := time.Since(begun).Seconds()
	after, err := t.stat()
	if err != nil {
		return nil, err
	}
	count := t.fleet.Count
	deliveries := float64(count.Delivered - counted.Delivered)
	if deliveries == 0 {
		return nil, errors.New("nothing was delivered")
	}
	values := map[string]float64{
		CPUPerDelivery:      float64(after.CPUNanos-before.CPUNanos) / deliveries,
		DeliveriesPerSecond: deliveries / seconds,
		WritesPerDelivery:   float64(t.fleet.Segments()-segments) / deliveries,
		Lost:                float64(count.Lost - counted.Lost),
		Repeated:            float64(count.Repeated - counted.Repeated),
		RSS:                 float64(after.RSSBytes),
	}
	if after.Allocs > 0 {
		values[AllocsPerDelivery] = float64(after.Allocs-before.Allocs) / deliveries
	}
	return values, nil
}
