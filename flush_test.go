package usercast

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast/internal/pipe"
)

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
