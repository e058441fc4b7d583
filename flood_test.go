package usercast

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestInboundFloods: whatever is sent at full speed is cut within a second, and
// the peer is told why.
func TestInboundFloods(t *testing.T) {
	for name, frame := range map[string][]byte{
		"pings":              clientFrame(0x89, nil),
		"pongs":              clientFrame(0x8a, make([]byte, 125)),
		"empty messages":     clientFrame(0x81, nil),
		"text pings":         clientFrame(0x81, []byte("ping")),
		"messages":           clientFrame(0x82, make([]byte, 4000)),
		"empty fragments":    clientFrame(0x00, nil),
		"one-byte fragments": clientFrame(0x00, []byte{'x'}),
	} {
		for _, atOnce := range []int{1, 200} { // many in one write leave the hub less time to say goodbye
			t.Run(fmt.Sprintf("%s-by-%d", strings.ReplaceAll(name, " ", "-"), atOnce), func(t *testing.T) {
				eitherPath(t, func(t *testing.T, plain bool) {
					r := newRig(t, Config{}, 1<<16, plain)
					start := time.Now()
					d := r.dial("user=alice")
					h := hear(d)
					if strings.HasSuffix(name, "fragments") {
						d.writeRaw(clientFrame(0x01, nil))
					}
					go func() {
						flood := bytes.Repeat(frame, atOnce)
						for d.writeRaw(flood) == nil {
						}
					}()
					code, reason := h.end()
					if took := h.endAt.Sub(start); code != ClosePolicy || took > time.Second {
						t.Errorf("got close %d %q after %v, want %d within a second", code, reason, took, ClosePolicy)
					}
					synctest.Wait()
					if st := r.hub.Stats(); st.Floods != 1 || st.Connections != 0 {
						t.Errorf("Floods %d, %d connections; want 1, 0", st.Floods, st.Connections)
					}
				})
			})
		}
	}
}

// TestInboundFloodIsToldByBusyFlushers: a peer that floods is told why even if
// every flusher is late, as under load; how much of the flood is read away
// meanwhile must not decide it.
func TestInboundFloodIsToldByBusyFlushers(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{}, 1<<16, plain)
		d := r.dial("user=alice")
		var others []*conn
		for n := range 20 * runtime.GOMAXPROCS(0) {
			user := fmt.Sprint("other", n)
			if r.hub.shardOf(user) != r.hub.shardOf("alice") {
				hear(r.dial("user=" + user))
				others = append(others, soleConn(t, r.hub, user))
			}
		}
		synctest.Wait()
		var held []*shard
		for i := range r.hub.shards {
			if s := &r.hub.shards[i]; s != r.hub.shardOf("alice") {
				s.mu.Lock()
				held = append(held, s)
			}
		}
		for _, c := range others {
			c.nudge() // its flusher now waits for the shard
		}
		var sent atomic.Int64
		h := hear(d)
		go func() {
			flood := bytes.Repeat(clientFrame(0x8a, make([]byte, 125)), 200)
			for d.writeRaw(flood) == nil {
				sent.Add(int64(len(flood)))
			}
		}()
		// Enough for what goodbye reads away, or for the hub to stop reading.
		for n := 0; n < 1_000_000 && sent.Load() < 3<<20 && !h.over(); n++ {
			runtime.Gosched()
		}
		for _, s := range held {
			s.mu.Unlock()
		}
		if code, reason := h.end(); code != ClosePolicy {
			t.Errorf("after %d bytes: got close %d %q, want %d", sent.Load(), code, reason, ClosePolicy)
		}
	})
}

// TestInboundBusyIsNoFlood: a page that sends its share for a minute stays.
func TestInboundBusyIsNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var box inbox
		r := newRig(t, Config{OnMessage: box.take}, 1<<16, false)
		d := r.dial("user=alice")
		h := hear(d)
		for range 150 { // the burst
			d.text("x")
		}
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			for range 9 {
				d.write(2, make([]byte, 600))
			}
		}
		synctest.Wait()
		if h.over() || len(box.all()) != 150+5400 {
			t.Errorf("closed %v, %d messages; want open, %d", h.over(), len(box.all()), 150+5400)
		}
	})
}
