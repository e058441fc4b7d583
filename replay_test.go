package usercast

import (
	"testing"
	"testing/synctest"
	"time"
)

// A user who was active while it waited to be forgotten is kept for a whole TTL
// more: a device that comes back in time must not be told of a gap (I4).
func TestNobodyIsForgottenTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{BufferTTL: time.Minute})
		s.broadcast("alice", ev("A", nil))
		time.Sleep(61 * time.Second) // its entry expires, and it begins to wait
		d := s.dial("user=alice")
		d.must("hub.live")
		d.c.Close()
		left := time.Now()
		for time.Since(left) < 59*time.Second {
			time.Sleep(time.Second)
			if n := s.hub.Stats().Logs; n != 1 {
				t.Fatalf("%v after the disconnect %d logs are kept, want 1", time.Since(left), n)
			}
		}
		time.Sleep(2*time.Minute + time.Second)
		if n := s.hub.Stats().Logs; n != 0 {
			t.Errorf("%d logs are kept of users long gone, want 0", n)
		}
	})
}

// BenchmarkCollect is what a flusher does under the lock for one event and one connection.
func BenchmarkCollect(b *testing.B) {
	var l log
	l.init("e", 0, 0, 200)
	for range 300 {
		d := draft{class: Buffered, frame: make([]byte, 200)}
		l.append(&d, l.stamp(0), 0, true)
	}
	var out batch
	b.ReportAllocs()
	for b.Loop() {
		out.reset()
		t := tail{cursor: l.last - 1, since: l.last}
		l.collect(&t, &out, reader{"conn", "device"})
	}
}
