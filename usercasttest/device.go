package usercasttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/client"
)

// patience is how long the kit waits for what must come. It is for machines that
// are busy, and in a synctest bubble takes no time.
const patience = 10 * time.Second

// maxWaiting bounds the events that a test has not asked for yet.
const maxWaiting = 100_000

// An Option changes how [Server.Dial] connects.
type Option func(d *Device, cfg *client.Config)

// Since resumes from a cursor: what [usercast.Hub.Cursor] gave with a page, or
// [Device.Cursor] of a device that has gone.
func Since(c usercast.Cursor) Option {
	return func(_ *Device, cfg *client.Config) { cfg.Cursor = c }
}

// As names the device, for Event.Except.
func As(device string) Option {
	return func(_ *Device, cfg *client.Config) { cfg.Device = device }
}

// With uses a token of the test's own, until the hub does not take it any more. Then
// the device stops for good, and [Device.Err] is a [client.ErrUnauthorized].
func With(token string) Option {
	return func(d *Device, cfg *client.Config) {
		cfg.Token = func(_ context.Context, reason client.TokenReason) (string, error) {
			// While it is connected the hub asks before the end, and there is no other.
			if reason != client.TokenConnect && !d.connected() {
				return "", fmt.Errorf("usercasttest: the hub does not take the token: %w", client.ErrUnauthorized)
			}
			return token, nil
		}
	}
}

// A Device is a device of a user: a real client, which comes back by itself when it
// loses its connection, and keeps what it hears until the test asks for it.
type Device struct {
	t      testing.TB
	server *Server
	user   string
	link   *link
	client *client.Client
	ended  chan struct{} // Run has returned

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when anything below changes
	state   client.State
	hello   client.Hello
	hellos  int
	gaps    []client.Gap
	waiting []client.Event
	fences  map[string]bool // that have come
	err     error           // that ended Run
}

// Dial connects a device of a user and waits until it is live, or has stopped for
// good: see [Device.Err]. It leaves with the test.
func (s *Server) Dial(userID string, options ...Option) *Device {
	s.t.Helper()
	d := &Device{t: s.t, server: s, user: userID, link: newLink(), ended: make(chan struct{}),
		changed: make(chan struct{}), fences: make(map[string]bool)}
	cfg := s.ClientConfig(userID)
	cfg.Dial = func(ctx context.Context) (net.Conn, error) { return d.link.dial(ctx, s.pipes) }
	cfg.OnState = func(st client.State) { d.set(func() { d.state = st }) }
	cfg.OnConnect = func(h client.Hello) { d.set(func() { d.hello = h; d.hellos++ }) }
	cfg.OnGap = func(g client.Gap) { d.set(func() { d.gaps = append(d.gaps, g) }) }
	cfg.OnError = func(err error) { s.t.Errorf("usercasttest: device of %s: %v", userID, err) }
	for _, o := range options {
		o(d, &cfg)
	}
	var err error
	if d.client, err = client.New(cfg); err != nil {
		s.t.Fatalf("usercasttest: Dial: %v", err)
	}
	d.client.On("*", d.hear)
	s.leaks.within(func() { go d.run() })
	s.mu.Lock()
	s.devices = append(s.devices, d)
	s.mu.Unlock()
	d.awaitLive()
	return d
}

func (d *Device) run() {
	defer close(d.ended)
	err := d.client.Run(context.Background())
	d.set(func() { d.err = err })
}

func (d *Device) hear(ev client.Event) {
	d.set(func() {
		switch {
		case ev.Type == fenceType:
			d.fences[string(ev.Payload)] = true
		case len(d.waiting) < maxWaiting:
			d.waiting = append(d.waiting, ev)
		default:
			d.t.Errorf("usercasttest: device of %s: %s is dropped: %d events wait to be asked for", d.user, ev.Type, maxWaiting)
		}
	})
}

func (d *Device) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	close(d.changed)
	d.changed = make(chan struct{})
}

// until waits until ok, which is called with the lock held. It returns false if
// that did not come in time.
func (d *Device) until(ok func() bool) bool {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		d.mu.Lock()
		good, changed := ok(), d.changed
		d.mu.Unlock()
		if good {
			return true
		}
		select {
		case <-changed:
		case <-timeout.C:
			return false
		}
	}
}

func (d *Device) liveLocked() bool { return d.state.Phase == client.Connected && !d.state.Stale }

func (d *Device) connected() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.Phase == client.Connected
}

// awaitLive waits until everything missed has come, or Run has ended.
func (d *Device) awaitLive() {
	d.t.Helper()
	if !d.until(func() bool { return d.liveLocked() || d.err != nil }) {
		d.t.Fatalf("usercasttest: %s", d.describe("is not connected after %v", patience))
	}
}

// describe says what a device has been through, for messages.
func (d *Device) describe(format string, args ...any) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "device of %s: ", d.user)
	fmt.Fprintf(&b, format, args...)
	fmt.Fprintf(&b, "\n\tit is %s (%s)", d.state.Phase, d.state.Reason)
	if d.err != nil {
		fmt.Fprintf(&b, ", for good: %v", d.err)
	}
	for _, g := range d.gaps {
		fmt.Fprintf(&b, "\n\tgap: %s", g.Reason)
	}
	const most = 20
	for _, ev := range d.waiting[:min(most, len(d.waiting))] {
		fmt.Fprintf(&b, "\n\t%s %s %.100s", ev.Timestamp, ev.Type, ev.Payload)
	}
	if n := len(d.waiting); n > most {
		fmt.Fprintf(&b, "\n\tand %d more", n-most)
	}
	return b.String()
}

// Verdict returns the verdict on the newest connection, and why, if it is a gap.
func (d *Device) Verdict() (usercast.Verdict, usercast.GapReason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hello.Verdict, d.hello.GapReason
}

// ID returns the name by which Event.Except knows the device.
func (d *Device) ID() string { return d.client.Device() }

// Cursor returns how far the device has heard.
func (d *Device) Cursor() usercast.Cursor { return d.client.Cursor() }

// Err returns why the device has stopped for good: a [client.CloseError], say,
// after [usercast.Hub.Disconnect]. nil: it has not.
func (d *Device) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Events returns what the device has heard and the test has not asked for yet, in
// the order in which it came, and lets it wait. Call [Device.Settle] before, if
// something may be under way.
func (d *Device) Events() []client.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.waiting)
}

// Cut drops the device's connection, as a network does. The device comes back by
// itself a moment later and resumes.
func (d *Device) Cut() { d.link.cut() }

// Leave drops the device's connection and keeps it away until [Device.Return].
func (d *Device) Leave() {
	d.t.Helper()
	d.link.set(func() { d.link.down = true })
	d.link.cut()
	if !d.until(func() bool { return d.state.Phase != client.Connected }) {
		d.t.Fatalf("usercasttest: %s", d.describe("has not noticed that its connection is gone"))
	}
}

// Return lets the device come back and waits until it has heard what it missed.
func (d *Device) Return() {
	d.t.Helper()
	d.link.set(func() { d.link.down = false })
	d.awaitLive()
}

// Stall makes the device stop reading, as a tab does that is stuck, until resume is
// called. There are no buffers between device and hub: the hub's first write waits,
// and after Config.WriteTimeout the hub cuts the connection.
func (d *Device) Stall() (resume func()) {
	d.link.stall(true)
	return func() { d.link.stall(false) }
}

// Close ends the device. What it has heard can still be asked for.
func (d *Device) Close() {
	d.client.Close()
	d.link.stall(false)
	<-d.ended
}

var errStopped = errors.New("it has stopped for good")
