package load

import (
	"bytes"
	"fmt"

	"github.com/usercast-go/usercast/bench/internal/dialect"
	"github.com/usercast-go/usercast/bench/internal/wsframe"
	"golang.org/x/sys/unix"
)

// The life of a device's connection.
type state byte

const (
	offline state = iota
	upgrading
	opening // upgraded, but the contender's own greeting is not over
	ready
	broken // by the server, or because of what it sent
)

// Role sets a device apart from those whose deliveries are measured.
type Role byte

// The roles.
const (
	Measured Role = iota
	Beside        // reads, but does not count: the healthy twin of Deaf
	Deaf          // stops reading once it is ready
)

// device is one connection of one user.
type device struct {
	id    dialect.Device
	role  Role
	order Order

	state    state
	fd       int
	dialed   int64 // when the connection was begun
	response []byte
	frames   wsframe.Parser
}

// receive takes what has arrived. It runs on the fleet's goroutine, as everything here does.
func (f *Fleet) receive(d *device, data []byte) error {
	if d.state == upgrading {
		rest, err := f.upgrade(d, data)
		if err != nil || rest == nil {
			return err
		}
		data = rest
	}
	f.current = d
	if err := d.frames.Feed(data, f.onFrame); err != nil {
		return err
	}
	err := f.frameErr
	f.frameErr = nil
	return err
}

// upgrade reads the answer to the handshake, and returns what follows it; nil while it is not complete.
func (f *Fleet) upgrade(d *device, data []byte) (rest []byte, err error) {
	d.response = append(d.response, data...)
	head, rest, complete := bytes.Cut(d.response, []byte("\r\n\r\n"))
	if !complete {
		return nil, nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101")) {
		return nil, fmt.Errorf("handshake refused: %.120s", head)
	}
	d.response = nil
	d.state = opening
	if f.dialect.ReadyAfterUpgrade() {
		f.becomeReady(d)
	}
	if hello := f.dialect.Opening(d.id); hello != "" {
		if err := d.send(wsframe.Text, []byte(hello)); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// frame handles one frame of the current device.
func (f *Fleet) frame(opcode byte, payload []byte) {
	d := f.current
	switch opcode {
	case wsframe.Text:
		f.text(d, payload)
	case wsframe.Ping:
		f.note(d.send(wsframe.Pong, payload))
	case wsframe.Close:
		f.note(fmt.Errorf("closed by the server: %q", payload))
	}
}

func (f *Fleet) text(d *device, payload []byte) {
	greeted := d.state == ready
	seq, at, rest, found := nextEvent(payload)
	if !found || !greeted {
		f.react(d, payload)
	}
	if found && f.Remember {
		d.id.LastEvent = append(d.id.LastEvent[:0], payload...)
	}
	for found {
		f.event(d, seq, at)
		seq, at, rest, found = nextEvent(rest)
	}
}

// react answers what is part of the contender's own protocol.
func (f *Fleet) react(d *device, payload []byte) {
	r := f.dialect.React(payload)
	if r.Keep {
		d.id.Greeting = append(d.id.Greeting[:0], payload...)
	}
	if r.Gap {
		f.Count.Gaps++
	}
	if r.Answer != "" {
		f.note(d.send(wsframe.Text, []byte(r.Answer)))
	}
	if r.Ready && d.state != ready {
		f.becomeReady(d)
	}
}

// event accounts for one delivery.
func (f *Fleet) event(d *device, seq, at int64) {
	if d.role != Measured {
		return
	}
	f.Count.Delivered++
	advanced := d.order.See(seq)
	if advanced == 0 {
		f.Count.Repeated++
		return
	}
	f.Count.Lost += advanced - 1
	if f.RecordLatency {
		f.Latencies = append(f.Latencies, f.now-at)
	}
	if f.Target > 0 && seq >= f.Target && seq-advanced < f.Target {
		f.ReachedTarget = append(f.ReachedTarget, f.now-d.dialed)
	}
	// A round that was skipped counts as arrived: the loss is on record, and the loop must not hang on it.
	for round := seq - advanced + 1; round <= seq; round++ {
		if f.rounds.Arrive(round) && f.OnRound != nil {
			f.OnRound(round)
		}
	}
}

// send writes a short frame. The socket's buffer is as good as empty, so a write that would block is an error.
func (d *device) send(opcode byte, payload []byte) error {
	_, err := unix.Write(d.fd, wsframe.Append(nil, opcode, payload))
	return err
}
