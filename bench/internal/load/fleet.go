// Package load is the load generator: a fleet of devices that connect, receive, check and count. One goroutine with
// one epoll instance drives all of them, so that the generator stays far cheaper than any server under test and needs
// no lock. It needs Linux.
package load

import (
	"errors"
	"fmt"
	"time"

	"github.com/usercast-go/usercast/bench/internal/dialect"
	"github.com/usercast-go/usercast/bench/internal/event"
	"github.com/usercast-go/usercast/bench/internal/mono"
	"golang.org/x/sys/unix"
)

// ErrTimeout is what Run returns when what it waits for does not come about.
var ErrTimeout = errors.New("load: timed out")

const (
	readBuffer = 256 << 10
	batch      = 512 // sockets per epoll_wait
	waitMillis = 5   // how often Run looks at its condition when nothing arrives
	// handshakes is how many connections may be on their way: below the 511 that some servers can queue.
	handshakes = 400
)

// Count is what the fleet has seen since it was made.
type Count struct {
	Delivered int64 // events received by measured devices
	Lost      int64 // skipped between two that were received
	Repeated  int64 // received twice, or out of order
	Gaps      int64 // the server said that it could not replay
	Broken    int64 // connections that ended without our doing
	Reads     int64
}

// Fleet is a set of devices of one server. It belongs to one goroutine; nothing happens while no method runs.
type Fleet struct {
	Count Count

	RecordLatency bool              // append to Latencies
	Remember      bool              // keep what is needed to resume
	Target        int64             // an event whose arrival is noted in ReachedTarget; 0 is none
	OnRound       func(round int64) // called when all measured devices have received a round
	Latencies     []int64           // ns from Broadcast to here, one per delivery
	ReachedTarget []int64           // ns from the dial of a device to its Target

	port    int
	dialect dialect.Dialect
	devices []*device
	epoll   int
	events  []unix.EpollEvent
	buffer  []byte

	ready    int // devices in state ready
	rounds   Rounds
	now      int64 // of the last read
	current  *device
	onFrame  func(byte, []byte)
	frameErr error
	firstErr error // of the first device that broke
}

// New prepares a fleet for the server on the port of 127.0.0.1.
func New(port int, d dialect.Dialect) (*Fleet, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := &Fleet{
		port: port, dialect: d, epoll: epoll,
		events: make([]unix.EpollEvent, batch),
		buffer: make([]byte, readBuffer),
	}
	f.onFrame = f.frame // bound once, not per read
	return f, nil
}

// Add prepares devices for the users first to first+users-1, without connecting them. They expect the events from 1 on.
func (f *Fleet) Add(first, users, devicesEach int, role Role) {
	for u := first; u < first+users; u++ {
		for range devicesEach {
			f.devices = append(f.devices, &device{
				id:   dialect.Device{User: event.UserID(u), Name: fmt.Sprintf("d%d", len(f.devices))},
				role: role,
			})
		}
	}
}

// Connect brings every device that is offline online, and returns when all of them are ready.
func (f *Fleet) Connect(timeout time.Duration) error {
	next, dialing := 0, f.ready
	step := func() bool {
		for ; next < len(f.devices) && dialing-f.ready < handshakes; next++ {
			if f.devices[next].state != offline {
				continue
			}
			if err := f.dial(next); err != nil {
				f.breakDown(f.devices[next], err)
				continue
			}
			dialing++
		}
		return f.ready == len(f.devices) || f.Count.Broken > 0
	}
	if err := f.Run(step, timeout); err != nil {
		return fmt.Errorf("%w: %d of %d devices are ready", err, f.ready, len(f.devices))
	}
	return f.Err()
}

// Expect begins to count rounds: the next one is done+1, and every measured device takes part.
func (f *Fleet) Expect(done int64) {
	measured := 0
	for _, d := range f.devices {
		if d.role == Measured {
			measured++
		}
	}
	f.rounds.Reset(measured, done)
}

// Done is the last round that all measured devices have received.
func (f *Fleet) Done() int64 { return f.rounds.Done }

// Size counts the devices, in whatever state.
func (f *Fleet) Size() int { return len(f.devices) }

// Err tells why the first of the broken devices broke; nil while none has.
func (f *Fleet) Err() error { return f.firstErr }

// Run serves the sockets until the condition holds. It is looked at after each batch of reads.
func (f *Fleet) Run(until func() bool, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for !until() {
		if time.Now().After(deadline) {
			return ErrTimeout
		}
		if err := f.poll(); err != nil {
			return err
		}
	}
	return nil
}

// Drop ends all connections at once, without goodbye. The devices keep what they need to resume.
func (f *Fleet) Drop() {
	for _, d := range f.devices {
		if d.state != offline && d.state != broken {
			unix.Close(d.fd)
		}
		d.state = offline
	}
	f.ready = 0
}

// Close drops the connections and frees the fleet.
func (f *Fleet) Close() {
	f.Drop()
	unix.Close(f.epoll)
}

// Segments counts the TCP segments with data that the ready devices have received so far: as every server sets
// TCP_NODELAY, and a loopback segment holds 64 KiB, that is how many writes the server has made.
func (f *Fleet) Segments() (total int64) {
	for _, d := range f.devices {
		if d.state != ready {
			continue
		}
		if info, err := unix.GetsockoptTCPInfo(d.fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			total += int64(info.Data_segs_in)
		}
	}
	return total
}

func (f *Fleet) poll() error {
	n, err := unix.EpollWait(f.epoll, f.events, waitMillis)
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range f.events[:n] {
		f.read(f.devices[e.Fd])
	}
	return nil
}

// read takes what one socket holds; level-triggered epoll comes back if that was not all.
func (f *Fleet) read(d *device) {
	if d.state == broken || d.state == offline {
		return
	}
	n, err := unix.Read(d.fd, f.buffer)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err == nil && n == 0:
		err = errors.New("closed by the server")
	case err == nil:
		f.Count.Reads++
		f.now = mono.Now()
		err = f.receive(d, f.buffer[:n])
	}
	if err != nil {
		f.breakDown(d, err)
	}
}

// note remembers an error that came up inside a frame callback.
func (f *Fleet) note(err error) {
	if f.frameErr == nil {
		f.frameErr = err
	}
}

func (f *Fleet) becomeReady(d *device) {
	d.state = ready
	f.ready++
	if d.role == Deaf {
		_ = unix.EpollCtl(f.epoll, unix.EPOLL_CTL_DEL, d.fd, nil)
	}
}

// breakDown closes a connection that did not end by our will, and counts it.
func (f *Fleet) breakDown(d *device, err error) {
	if d.state == ready {
		f.ready--
	}
	if d.state != offline {
		unix.Close(d.fd)
	}
	d.state = broken
	f.Count.Broken++
	if f.firstErr == nil {
		f.firstErr = fmt.Errorf("device %s of %s: %w", d.id.Name, d.id.User, err)
	}
}
