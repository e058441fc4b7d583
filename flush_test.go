package usercast

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast/internal/pipe"
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

// writeCounter counts the writes that reach a socket.
type writeCounter struct {
	*fakeSocket
	writes *atomic.Int64
}

func (c writeCounter) tryWrite(p []byte) (int, error) {
	c.writes.Add(1)
	return c.fakeSocket.tryWrite(p)
}
func (c writeCounter) Write(p []byte) (int, error) { c.writes.Add(1); return c.fakeSocket.Write(p) }

// TestFlushReplayIsFewWrites: DESIGN's budget for a reconnect storm.
func TestFlushReplayIsFewWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := pipe.Listen()
		s := newSiteOn(t, Config{}, ln)
		cur := s.hub.Cursor("alice")
		for n := range 200 {
			s.broadcast("alice", newSizedEvent(n, 500))
		}
		client, server := newSocketPair(1 << 20)
		var writes atomic.Int64
		if err := ln.Hand(context.Background(), writeCounter{server, &writes}); err != nil {
			t.Fatal(err)
		}
		d := &device{t: t, c: client}
		if err := d.handshake(resume("alice", cur.Epoch, cur.LastEventTs)); err != nil {
			t.Fatal(err)
		}
		if frames := d.until("hub.live"); len(frames) != 202 {
			t.Errorf("got %d frames, want hello, 200 events and live", len(frames))
		}
		if got := writes.Load(); got == 0 || got > 5 {
			t.Errorf("upgrade and replay took %d writes, want at most 5", got)
		}
		client.Close()
	})
}

// TestFlusherStack: nudges come back in their order, each once, from any number
// of goroutines.
func TestFlusherStack(t *testing.T) {
	f := newFlusher()
	var conns []*conn
	for range 5 {
		conns = append(conns, &conn{home: f})
	}
	for range 3 { // only the first of each counts
		for _, c := range conns {
			c.nudge()
		}
	}
	c := f.take()
	for i, want := range conns {
		if c != want {
			t.Fatalf("place %d: got another connection than was nudged there", i)
		}
		next := c.next
		c.next = nil
		c.nudged.Store(false)
		c = next
	}
	if c != nil || f.take() != nil {
		t.Error("got more connections than were nudged")
	}

	var wg sync.WaitGroup
	var taken atomic.Int64
	many := make([]conn, 1000)
	for g := range 4 {
		wg.Go(func() {
			for i := g; i < len(many); i += 4 {
				many[i].home = f
				many[i].nudge()
			}
		})
	}
	stop := make(chan struct{})
	var taker sync.WaitGroup
	taker.Go(func() {
		for ended := false; ; {
			for c := f.take(); c != nil; c = c.next {
				taken.Add(1)
			}
			if ended {
				return
			}
			select {
			case <-f.wake:
			case <-stop:
				ended = true
			}
		}
	})
	wg.Wait()
	close(stop)
	taker.Wait()
	if got := taken.Load(); got != int64(len(many)) {
		t.Errorf("took %d, want %d", got, len(many))
	}
}

func TestBatchJoin(t *testing.T) {
	var buf []byte
	one := []byte("one")
	b := &batch{}
	b.add(one)
	if got := b.join(&buf); &got[0] != &one[0] {
		t.Error("one frame was copied, want it as it is")
	}
	b.add([]byte("two"))
	if got := b.join(&buf); string(got) != "onetwo" {
		t.Errorf("got %q, want onetwo", got)
	}
	b.reset()
	b.add([]byte("three"))
	b.add([]byte("four"))
	if got := b.join(&buf); string(got) != "threefour" || b.bytes != len(got) || cap(buf) == 0 {
		t.Errorf("got %q and a count of %d bytes, want threefour, 9 and the buffer kept", got, b.bytes)
	}
	b.add(make([]byte, 3*maxBatchBytes))
	if got := b.join(&buf); len(got) != b.bytes || buf != nil {
		t.Errorf("a giant of %d bytes left a buffer of %d, want none", len(got), cap(buf))
	}
}

// TestFlushGiantEvents: events of several batches each go out whole.
func TestFlushGiantEvents(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{MaxEventBytes: 1 << 20}, 30_000, plain)
		d := r.dial("user=alice")
		d.must("hub.live")
		h := hear(d)
		for n := range 5 {
			r.broadcast("alice", newSizedEvent(n, 300_000*(n%2)))
		}
		synctest.Wait()
		got := h.of("SIZED")
		if len(got) != 5 {
			t.Fatalf("got %d events, want 5", len(got))
		}
		for n, f := range got {
			if err := checkSized(f.Payload, n); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestFlushEndsWithPendingEvents: a close that may flush comes after every event,
// one that may not comes at once.
func TestFlushEndsWithPendingEvents(t *testing.T) {
	for _, flush := range []bool{true, false} {
		t.Run(fmt.Sprintf("flush-%v", flush), func(t *testing.T) {
			eitherPath(t, func(t *testing.T, plain bool) {
				r := newRig(t, Config{}, 300, plain)
				d := r.dial("user=alice")
				d.must("hub.live")
				synctest.Wait()
				d.c.(*fakeSocket).stall(true)
				for n := range 100 { // three batches: the one under way goes out whole
					r.broadcast("alice", newSizedEvent(n, 2000))
				}
				synctest.Wait()
				soleConn(t, r.hub, "alice").end(CloseRestarting, "", flush)
				time.Sleep(500 * time.Millisecond)
				d.c.(*fakeSocket).stall(false)
				h := hear(d)
				if code, reason := h.end(); code != CloseRestarting {
					t.Errorf("got close %d %q, want %d", code, reason, CloseRestarting)
				}
				if got := len(h.of("SIZED")); (got == 100) != flush {
					t.Errorf("got %d of 100 events before the close, flush is %v", got, flush)
				}
			})
		})
	}
}

func TestBatchBounds(t *testing.T) {
	b := &batch{}
	for range maxBatchFrames - 1 {
		b.add(nil)
	}
	if b.full() {
		t.Errorf("full with %d frames, want %d", len(b.frames), maxBatchFrames)
	}
	b.add(nil)
	if !b.full() {
		t.Errorf("not full with %d frames", len(b.frames))
	}
	b.reset()
	if len(b.frames) != 0 || b.full() {
		t.Errorf("after reset: %d frames, full %v; want empty", len(b.frames), b.full())
	}
	b.add(bytes.Repeat([]byte("x"), maxBatchBytes))
	if !b.full() {
		t.Errorf("not full with %d bytes", b.bytes)
	}
}

// TestFlushLosesNoNudge: a broadcast at the very moment when a drainer lets go, or
// a flusher has just looked, is delivered without another one's help.
func TestFlushLosesNoNudge(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{BufferSize: 1000}, 1<<16, plain)
		h := hear(r.dial("user=alice"))
		const rounds, each = 400, 4
		for round := range rounds {
			for n := range each {
				go func() {
					for range n * round % 50 {
						runtime.Gosched()
					}
					r.hub.Broadcast("alice", ev("E", nil))
				}()
			}
			synctest.Wait()
			if got, want := len(h.of("E")), (round+1)*each; got != want {
				t.Fatalf("round %d: got %d events, want %d", round, got, want)
			}
		}
	})
}

// TestFlushDisconnectHastens: to a device that is told to go, a write in progress
// is given a second, and not all of WriteTimeout.
func TestFlushDisconnectHastens(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{}, 500, plain)
		d := r.dial("user=alice")
		d.must("hub.live")
		synctest.Wait()
		d.c.(*fakeSocket).stall(true)
		r.broadcast("alice", newSizedEvent(0, 5000))
		time.Sleep(500 * time.Millisecond)
		r.hub.Disconnect("alice", "")
		time.Sleep(hurryTimeout - time.Millisecond)
		if got := r.hub.Connections("alice"); got != 1 {
			t.Errorf("%d connections before the second is over, want 1", got)
		}
		time.Sleep(2 * time.Millisecond)
		if got := r.hub.Connections("alice"); got != 0 {
			t.Errorf("%d connections after a second, want 0", got)
		}
		if got := r.hub.Stats().SlowCloses; got != 0 {
			t.Errorf("SlowCloses %d, want 0: it had been told to go", got)
		}
		d.c.(*fakeSocket).stall(false)
	})
}

// TestFlushNudgeDuringTheLastLook: the event that comes after a drainer has looked
// for the last time, and before it lets go, is not forgotten.
func TestFlushNudgeDuringTheLastLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}, 1<<12, true)
		h := hear(r.dial("user=alice"))
		synctest.Wait()
		c, all := soleConn(t, r.hub, "alice"), &r.hub.everyone
		spin := func(until func() bool) {
			for !until() {
				runtime.Gosched()
			}
		}
		// With something new to look for in everyone's log, a look at the user's is
		// followed by one that has to wait here.
		all.mu.Lock()
		all.last.Add(1)
		c.nudge()
		spin(func() bool { return c.slow.Load() && !c.again.Load() })
		for range 10_000 {
			runtime.Gosched() // until the drainer waits; if it does not yet, it sees the event
		}
		r.broadcast("alice", ev("E", nil))
		spin(c.again.Load)
		all.last.Add(-1)
		all.mu.Unlock()
		synctest.Wait()
		if got := len(h.of("E")); got != 1 {
			t.Errorf("got %d events, want 1", got)
		}
	})
}
