package usercast

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestFlushStalledSocket: it is cut within WriteTimeout and a second, holds no more
// memory than its user's ring, and nobody else notices. Then the device resumes,
// or is told what it has lost.
func TestFlushStalledSocket(t *testing.T) {
	for _, c := range []struct {
		size    int
		verdict Verdict
		reason  GapReason
	}{{1000, Resumed, ""}, {10, Gap, GapEvicted}} {
		t.Run(string(c.verdict), func(t *testing.T) {
			eitherPath(t, func(t *testing.T, plain bool) {
				r := newRig(t, Config{BufferSize: c.size}, 2000, plain)
				slow := r.dial("user=alice")
				slow.must("hub.live")
				sent := map[string][]time.Time{}
				hearings := map[string]*hearing{"alice": hear(r.dial("user=alice")), "bob": hear(r.dial("user=bob"))}
				first := r.broadcast("alice", newSizedEvent(0, 200))
				slow.must("SIZED")
				synctest.Wait()
				slow.c.(*fakeSocket).stall(true)
				start, cutAt := time.Now(), time.Time{}
				for n := 1; time.Since(start) < 10*time.Second; n++ {
					for user := range hearings {
						sent[user] = append(sent[user], time.Now())
						r.broadcast(user, newSizedEvent(n, 200))
					}
					synctest.Wait()
					st := r.hub.Stats()
					if want := int64(2*c.size) * 500; st.BufferedBytes > want {
						t.Fatalf("%d bytes buffered, want at most %d: two rings", st.BufferedBytes, want)
					}
					if cutAt.IsZero() && st.Connections == 2 {
						cutAt = time.Now()
					}
					time.Sleep(50 * time.Millisecond)
				}
				// The buffers take some 8 events, 0.4 s, before the socket blocks.
				if took := cutAt.Sub(start); cutAt.IsZero() || took < 4*time.Second || took > 5*time.Second+500*time.Millisecond {
					t.Errorf("cut after %v, want 4s to 5s after the socket was full", took)
				}
				if st := r.hub.Stats(); st.SlowCloses != 1 || st.DeadCloses != 0 {
					t.Errorf("SlowCloses %d, DeadCloses %d; want 1, 0", st.SlowCloses, st.DeadCloses)
				}
				for user, h := range hearings {
					got := h.of("SIZED")
					if user == "alice" {
						got = got[1:]
					}
					if len(got) != len(sent[user]) {
						t.Fatalf("%s's other device got %d events, want %d", user, len(got), len(sent[user]))
					}
					for i, f := range got {
						if !f.at.Equal(sent[user][i]) {
							t.Errorf("%s's other device got event %d after %v, want at once", user, i+1, f.at.Sub(sent[user][i]))
						}
					}
				}
				again := r.dial(resume("alice", slow.hello.Epoch, first))
				if again.hello.Verdict != c.verdict || again.hello.Reason != c.reason {
					t.Errorf("back with %s, want %s %s", again.first.Raw, c.verdict, c.reason)
				}
				n := 1
				if c.verdict == Gap {
					again.must("hub.gap")
					n = len(sent["alice"]) - c.size + 1
				}
				for ; n <= len(sent["alice"]); n++ {
					if err := checkSized(again.must("SIZED").Payload, n); err != nil {
						t.Fatal(err)
					}
				}
				again.must("hub.live")
				slow.c.(*fakeSocket).stall(false)
			})
		})
	}
}

// TestFlushSlowButSteady: a device that the log outruns is told so, stays, and is
// whole again when the storm is over (I2, I3).
func TestFlushSlowButSteady(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{BufferSize: 10}, 1000, plain)
		d := r.dial("user=alice")
		d.must("hub.live")
		h := &hearing{ended: make(chan struct{})}
		var slow atomic.Bool
		slow.Store(true)
		go func() {
			defer close(h.ended)
			for {
				f, err := d.next()
				if err != nil {
					h.err = err
					return
				}
				h.mu.Lock()
				h.frames = append(h.frames, heardFrame{f, time.Now()})
				h.mu.Unlock()
				if slow.Load() {
					time.Sleep(100 * time.Millisecond)
				}
			}
		}()
		stamps := []Timestamp{}
		for n := range 600 {
			stamps = append(stamps, r.broadcast("alice", newSizedEvent(n, 200)))
			time.Sleep(20 * time.Millisecond)
		}
		slow.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if h.over() {
			t.Fatalf("the connection ended: %v", h.err)
		}
		if st := r.hub.Stats(); st.SlowCloses != 0 || st.Gaps[GapLagged] == 0 || int(st.Gaps[GapLagged]) != len(h.of("hub.gap")) {
			t.Errorf("SlowCloses %d, Gaps %v with %d heard; want 0, and as many as heard, at least one", st.SlowCloses, st.Gaps, len(h.of("hub.gap")))
		}
		// Event by event: what is missing must lie between a gap and its neighbours.
		next, told := 0, false
		var last Timestamp
		for _, f := range h.frames {
			if f.Type == "hub.gap" {
				if !strings.Contains(string(f.Payload), string(GapLagged)) {
					t.Errorf("got %s, want lagged", f.Raw)
				}
				told = true
			}
			if f.Type != "SIZED" {
				continue
			}
			if f.Timestamp <= last {
				t.Errorf("timestamp %v after %v", f.Timestamp, last)
			}
			last = f.Timestamp
			for stamps[next] != f.Timestamp {
				if next++; !told {
					t.Fatalf("event %d is missing and no gap was told", next-1)
				}
			}
			if err := checkSized(f.Payload, next); err != nil {
				t.Error(err)
			}
			next, told = next+1, false
		}
		if next != len(stamps) {
			t.Errorf("heard up to event %d, want %d", next-1, len(stamps)-1)
		}
	})
}

// TestFlushBroadcastNeverWaits (I8): with every socket stalled, broadcasts of all
// kinds take no time at all.
func TestFlushBroadcastNeverWaits(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{BufferSize: 50}, 500, plain)
		var users []string
		for n := range 50 {
			d := r.dial(fmt.Sprintf("user=u%d", n/2))
			d.c.(*fakeSocket).stall(true)
			users = append(users, fmt.Sprintf("u%d", n/2))
		}
		start := time.Now()
		for n := range 20 {
			for _, u := range users {
				r.broadcast(u, newSizedEvent(n, 100))
				r.broadcast(u, ev("A_PROGRESS", n))
				r.broadcast(u, Event{Type: "B_PROGRESS", Key: "k", Payload: n})
			}
			if err := r.hub.BroadcastMany(context.Background(), users, newSizedEvent(n, 100)); err != nil {
				t.Error(err)
			}
			if err := r.hub.BroadcastAll(context.Background(), newSizedEvent(n, 100)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		r.hub.Disconnect("u0", "")
		if took := time.Since(start); took != 0 {
			t.Errorf("broadcasts took %v, want no time", took)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := r.hub.Stats().Connections; got != 0 {
			t.Errorf("%d stalled connections are left, want 0", got)
		}
		if got := r.hub.Stats().SlowCloses; got != 48 {
			t.Errorf("SlowCloses %d, want 48: all but those that were disconnected", got)
		}
	})
}
