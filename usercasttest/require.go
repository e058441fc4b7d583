package usercasttest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/client"
)

// RequireEvent waits for an event of a type and returns its payload. Of several
// that have come it takes the first, once; events of other types wait for their
// own turn. The test fails if none comes, or if its payload is of another shape.
func RequireEvent[T any](d *Device, event usercast.EventType[T]) T {
	d.t.Helper()
	ev := d.RequireType(event.Name())
	payload, err := decode[T](ev.Payload)
	if err != nil {
		d.t.Fatalf("usercasttest: %s: %s: %v", event.Name(), ev.Payload, err)
	}
	return payload
}

// RequireNoEvent fails the test if an event of the type has come that was not asked
// for. It waits for what is under way: whatever was broadcast before counts.
func RequireNoEvent[T any](d *Device, event usercast.EventType[T]) {
	d.t.Helper()
	d.RequireNoType(event.Name())
}

// RequireType is [RequireEvent] for events that are not typed.
func (d *Device) RequireType(typ string) client.Event {
	d.t.Helper()
	var ev client.Event
	found := d.until(func() bool {
		i := slices.IndexFunc(d.waiting, func(e client.Event) bool { return e.Type == typ })
		if i >= 0 {
			ev = d.waiting[i]
			d.waiting = slices.Delete(d.waiting, i, i+1)
		}
		return i >= 0
	})
	if !found {
		d.t.Fatalf("usercasttest: %s", d.describe("no %s came", typ))
	}
	return ev
}

// RequireNoType is [RequireNoEvent] for events that are not typed. "" stands for
// any event at all.
func (d *Device) RequireNoType(typ string) {
	d.t.Helper()
	d.Settle()
	d.mu.Lock()
	came := slices.ContainsFunc(d.waiting, func(e client.Event) bool { return typ == "" || e.Type == typ })
	d.mu.Unlock()
	if came {
		if typ == "" {
			typ = "event"
		}
		d.t.Fatalf("usercasttest: %s", d.describe("want no %s", typ))
	}
}

// Next waits for the next event of whatever type: for tests of an order.
func (d *Device) Next() client.Event {
	d.t.Helper()
	var ev client.Event
	if !d.until(func() bool {
		if len(d.waiting) == 0 {
			return false
		}
		ev, d.waiting = d.waiting[0], d.waiting[1:]
		return true
	}) {
		d.t.Fatalf("usercasttest: %s", d.describe("no event came"))
	}
	return ev
}

// RequireGap waits until the device is told that events are missing, and returns
// why. Each gap counts once.
func (d *Device) RequireGap() usercast.GapReason {
	d.t.Helper()
	var gap client.Gap
	if !d.until(func() bool {
		if len(d.gaps) == 0 {
			return false
		}
		gap, d.gaps = d.gaps[0], d.gaps[1:]
		return true
	}) {
		d.t.Fatalf("usercasttest: %s", d.describe("no gap was told"))
	}
	return gap.Reason
}

// RequireNoGap fails the test if a gap was told that was not asked for.
func (d *Device) RequireNoGap() {
	d.t.Helper()
	d.Settle()
	d.mu.Lock()
	n := len(d.gaps)
	d.mu.Unlock()
	if n > 0 {
		d.t.Fatalf("usercasttest: %s", d.describe("want no gap"))
	}
}

// fenceType is an event of the kit's own. It goes the same way as all others, so
// when it has come, all that was sent before has come too.
const fenceType = "usercasttest.FENCE"

// Settle waits until the device has heard all that was broadcast before. A device
// that is away, stalled or stopped fails the test.
func (d *Device) Settle() {
	d.t.Helper()
	for {
		d.awaitLive()
		switch again, err := d.fence(); {
		case err != nil:
			d.t.Fatalf("usercasttest: %s", d.describe("waiting for what is under way: %v", err))
		case !again:
			return
		}
	}
}

// fence sends a fence through each of the logs that the device follows and waits
// for them. again means that the connection changed meanwhile: a fence is
// transient, and not heard by whoever was away.
func (d *Device) fence() (again bool, err error) {
	hub := d.server.Hub()
	d.mu.Lock()
	hellos, stopped := d.hellos, d.err
	d.mu.Unlock()
	if stopped != nil {
		return false, errStopped
	}
	mine, all := rand.Text(), ""
	if hub.Cursor(d.user).LastGlobalTs != d.Cursor().LastGlobalTs {
		all = rand.Text() // goes to every device of every user, so only where it must
		if err := hub.BroadcastAll(context.Background(), usercast.Event{Type: fenceType, Payload: all}); err != nil {
			return false, err
		}
	}
	if err := hub.Broadcast(d.user, usercast.Event{Type: fenceType, Payload: mine}); err != nil {
		return false, err
	}
	in := d.until(func() bool {
		again = d.hellos != hellos || d.err != nil
		return again || d.passedLocked(mine) && (all == "" || d.passedLocked(all))
	})
	if !in {
		return false, fmt.Errorf("nothing came for %v: is it stalled?", patience)
	}
	return again, nil
}

func (d *Device) passedLocked(id string) bool { return d.fences[`"`+id+`"`] }

func decode[T any](p []byte) (v T, err error) {
	err = json.Unmarshal(p, &v)
	return v, err
}
