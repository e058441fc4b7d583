package usercast

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// settleGoroutines waits until at most n goroutines are left: handlers and readers
// end a moment after what they did can be seen.
func settleGoroutines(t *testing.T, n int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for runtime.NumGoroutine() > n {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines are left, want at most %d\n%s", runtime.NumGoroutine(), n, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

func TestIdleConnectionsNeedNoGoroutine(t *testing.T) {
	got := make(chan string, 1)
	s := newTCPSite(t, Config{OnMessage: func(_ ConnInfo, p []byte) { got <- string(p) }})
	warm := s.dial("user=warm")
	warm.must("hub.live")
	before := runtime.NumGoroutine()
	const n = 300
	var devices []*device
	for i := range n {
		d := s.dial(fmt.Sprintf("user=u%d", i))
		d.must("hub.live")
		devices = append(devices, d)
	}
	settleGoroutines(t, before+2)

	// Woken, served, and parked again: by a message, in pieces, with gaps between
	// in which a reader that gave up would lose what it had.
	for i, d := range devices {
		d.text("ping")
		if f, err := d.next(); err != nil || f.Type != "pong" {
			t.Fatalf("device %d: %v, %v, want pong", i, f, err)
		}
	}
	settleGoroutines(t, before+2)
	d := devices[0]
	whole := append(clientFrame(0x01, []byte("in ")), clientFrame(0x80, []byte("pieces"))...)
	for _, b := range whole {
		d.writeRaw([]byte{b})
		for range 50 {
			runtime.Gosched()
		}
	}
	if m := <-got; m != "in pieces" {
		t.Errorf("got message %q, want %q", m, "in pieces")
	}
	settleGoroutines(t, before+2)

	// Events, ends from either side, and resets reach parked connections.
	s.broadcast("u1", ev("A", nil))
	devices[1].must("A")
	if n := s.hub.Disconnect("u2", "bye"); n != 1 {
		t.Errorf("Disconnect closed %d connections, want 1", n)
	}
	if code, reason := devices[2].closed(); code != CloseRevoked || reason != "bye" {
		t.Errorf("closed with %d %q, want %d", code, reason, CloseRevoked)
	}
	for _, d := range devices[2:] {
		d.c.Close()
	}
	for s.hub.Stats().Connections != 3 {
		runtime.Gosched()
	}
	settleGoroutines(t, before+2)
}

func TestShutdownOfIdleConnections(t *testing.T) {
	s := newTCPSite(t, Config{})
	var devices []*collected
	for i := range 50 {
		d := s.dial(fmt.Sprintf("user=u%d", i), v1Header)
		d.must("hub.live")
		devices = append(devices, closeWhenTold(d))
	}
	s.broadcast("u7", ev("LAST", nil))
	s.stop()
	for i, d := range devices {
		if code := d.closeCode(); code != CloseRestarting {
			t.Errorf("device %d: close code %d, want %d", i, code, CloseRestarting)
		}
	}
	if !strings.Contains(fmt.Sprint(devices[7].all()), "LAST") {
		t.Errorf("device 7 got %v, want LAST first", devices[7].all())
	}
}

// closeWhenTold reads in the background and hangs up at the end, as clients do.
func closeWhenTold(d *device) *collected {
	c := d.collect()
	go func() { <-c.done; d.c.Close() }()
	return c
}
