package usercast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestShutdown: every connection gets what is pending, then 1012 with the spread,
// at once; then the hub is closed for good.
func TestShutdown(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{BufferSize: 300}, 300, plain)
		var hearings []*hearing
		for n := range 20 {
			hearings = append(hearings, hear(r.dial(fmt.Sprintf("user=u%d", n/2))))
		}
		for n := range 200 {
			for u := range 10 {
				r.broadcast(fmt.Sprint("u", u), newSizedEvent(n, 50))
			}
		}
		start := time.Now()
		if err := r.hub.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Shutdown took %v with devices that answer, want no time", took)
		}
		for i, h := range hearings {
			if code, reason := h.end(); code != CloseRestarting || reason != "restarting; spreadMs=1000" {
				t.Errorf("device %d: got close %d %q, want %d \"restarting; spreadMs=1000\"", i, code, reason, CloseRestarting)
			}
			if got := len(h.of("SIZED")); got != 200 {
				t.Errorf("device %d: got %d events, want all 200", i, got)
			}
		}
		if got := r.hub.Stats().Connections; got != 0 {
			t.Errorf("%d connections, want 0", got)
		}
		ctx := context.Background()
		_, err := r.hub.BroadcastContext(ctx, "u1", ev("E", nil))
		for what, err := range map[string]error{
			"Broadcast":        r.hub.Broadcast("u1", ev("E", nil)),
			"BroadcastContext": err,
			"BroadcastMany":    r.hub.BroadcastMany(ctx, []string{"u1"}, ev("E", nil)),
			"BroadcastAll":     r.hub.BroadcastAll(ctx, ev("E", nil)),
		} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s: got %v, want ErrClosed", what, err)
			}
		}
		if err := r.hub.Shutdown(ctx); err != nil {
			t.Errorf("second Shutdown: got %v, want nil", err)
		}
	})
}

// TestShutdownRefusesHandshakes by 503 with Retry-After, or by 1012 for a client
// that reads close codes.
func TestShutdownRefusesHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		s.hub.Shutdown(context.Background())
		d, err := s.open("user=alice")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(d.resp.Body)
		if got := d.resp.StatusCode; got != http.StatusServiceUnavailable || d.resp.Header.Get("Retry-After") != "1" ||
			!strings.Contains(string(body), `"code":1012`) {
			t.Errorf("got %d, Retry-After %q, %s; want 503, 1, code 1012", got, d.resp.Header.Get("Retry-After"), body)
		}
		d.c.Close()
		if d, err = s.open("user=alice", v1Header); err != nil || d.resp.StatusCode != 101 {
			t.Fatalf("usercast.v1: %v, %v", err, d.resp)
		}
		if code, reason := d.closed(); code != CloseRestarting || reason != "restarting; spreadMs=1000" {
			t.Errorf("got close %d %q, want %d with the spread", code, reason, CloseRestarting)
		}
		d.c.Close()
		if got := s.hub.Stats().Refused["shutdown"]; got != 2 {
			t.Errorf("Refused[shutdown] %d, want 2", got)
		}
	})
}

// TestShutdownSpread: a fresh process should get about 1,000 returns a second.
func TestShutdownSpread(t *testing.T) {
	for conns, want := range map[int64]time.Duration{
		0: time.Second, 999: time.Second, 1000: 2 * time.Second, 30_000: 31 * time.Second,
		59_000: time.Minute, 10_000_000: time.Minute,
	} {
		h := &Hub{}
		h.stats.conns.Store(conns)
		if got := h.spread(); got != want {
			t.Errorf("%d connections: spread %v, want %v", conns, got, want)
		}
		h.spreadFor.Store(int64(7 * time.Second)) // announced once, it stays
		if got, want := h.restartReason(), "restarting; spreadMs=7000"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestShutdownCutsWhenItsContextEnds: the stalled ones only; the rest was told.
func TestShutdownCutsWhenItsContextEnds(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{}, 300, plain)
		stalled, well := r.dial("user=alice"), hear(r.dial("user=alice"))
		stalled.c.(*fakeSocket).stall(true)
		for n := range 20 {
			r.broadcast("alice", newSizedEvent(n, 100))
		}
		synctest.Wait()
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		start := time.Now()
		if err := r.hub.Shutdown(ctx); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want Canceled after 1s", err, time.Since(start))
		}
		synctest.Wait()
		if got := r.hub.Stats().Connections; got != 0 {
			t.Errorf("%d connections left, want 0", got)
		}
		if code, _ := well.end(); code != CloseRestarting || !well.endAt.Equal(start) {
			t.Errorf("the other got close %d after %v, want %d at once", code, well.endAt.Sub(start), CloseRestarting)
		}
		if err := r.hub.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown afterwards: got %v, want nil", err)
		}
		stalled.c.(*fakeSocket).stall(false)
	})
}

// TestShutdownIsBounded: with no end to its context, it outlasts no peer that takes
// its time.
func TestShutdownIsBounded(t *testing.T) {
	for name, behave := range map[string]func(d *device){
		"takes nothing":   func(d *device) { d.c.(*fakeSocket).stall(true) },
		"answers nothing": func(d *device) { go io.Copy(io.Discard, d.r) },
		"takes its time": func(d *device) { // no write times out, but there are many
			go func() {
				for buf := make([]byte, 2000); ; time.Sleep(50 * time.Millisecond) {
					if _, err := d.c.Read(buf); err != nil {
						return
					}
				}
			}()
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			eitherPath(t, func(t *testing.T, plain bool) {
				r := newRig(t, Config{}, 4000, plain)
				d := r.dial("user=alice")
				behave(d)
				for n := range 200 {
					r.broadcast("alice", newSizedEvent(n, 3000))
				}
				start := time.Now()
				if err := r.hub.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took == 0 || took > 2*defaultWriteTimeout+linger+time.Second {
					t.Errorf("took %v, want some time, and at most two writes and the linger", took)
				}
				d.c.(*fakeSocket).reset()
				time.Sleep(time.Second) // the reader may be asleep
			})
		})
	}
}

// TestShutdownThatHasEndedSaysSo, even to a caller whose context has ended too.
func TestShutdownThatHasEndedSaysSo(t *testing.T) {
	s := newSite(t, Config{})
	if err := s.hub.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		if err := s.hub.Shutdown(ctx); err != nil {
			t.Fatalf("got %v, want nil: everything has ended", err)
		}
	}
}

// TestShutdownRaces handshakes, broadcasts, disconnects and other Shutdowns. What
// is left behind would keep the bubble from ending.
func TestShutdownRaces(t *testing.T) {
	for range 30 {
		synctest.Test(t, func(t *testing.T) {
			var cb callbacks
			r := newRig(t, cb.into(Config{}), 1<<12, false)
			var wg sync.WaitGroup
			for n := range 8 {
				wg.Go(func() {
					for range 3 {
						d, err := r.open(fmt.Sprintf("user=u%d", n%3), v1Header)
						if err != nil || d.resp.StatusCode != 101 {
							t.Errorf("handshake: %v", err)
							return
						}
						if code, reason := hear(d).end(); code != CloseRestarting && code != CloseRevoked {
							t.Errorf("got close %d %q, want %d or %d", code, reason, CloseRestarting, CloseRevoked)
						}
					}
				})
				wg.Go(func() {
					for r.hub.Broadcast(fmt.Sprintf("u%d", n%3), ev("E", nil)) == nil {
						runtime.Gosched()
					}
				})
			}
			wg.Go(func() {
				for range 20 {
					runtime.Gosched()
				}
				r.hub.Disconnect("u0", "")
			})
			for range 2 {
				wg.Go(func() {
					for range 50 {
						runtime.Gosched()
					}
					if err := r.hub.Shutdown(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for id := range cb.infos {
				_, id, _ = strings.Cut(id, " ")
				if calls, _ := cb.of(id); fmt.Sprint(calls) != "[connect disconnect]" {
					t.Errorf("%s: got calls %v, want [connect disconnect]", id, calls)
				}
			}
		})
	}
}

// openFiles counts this process's descriptors, -1 where that cannot be known.
func openFiles() int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(names)
}

// comesDownTo waits until a count is no higher than want: a goroutine that has
// done its work may need another moment to go.
func comesDownTo(count func() int, want int) int {
	for range 100_000 {
		if count() <= want {
			break
		}
		runtime.Gosched()
	}
	return count()
}

// TestShutdownLeavesNothing (I9): after very many connections over TCP, ended in
// every way, goroutines and descriptors are back where they were.
func TestShutdownLeavesNothing(t *testing.T) {
	batches, size := 100, 100
	if raceEnabled || testing.Short() {
		batches = 8
	}
	goroutines, files := runtime.NumGoroutine(), openFiles()
	s := newTCPSite(t, Config{MaxConnsPerUser: size})
	for b := range batches {
		var wg sync.WaitGroup
		for n := range size {
			wg.Go(func() {
				c, err := net.Dial("tcp", s.ln.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				d := &device{t: t, c: c}
				if err := d.handshake(fmt.Sprintf("user=u%d", n%10)); err != nil {
					t.Error(err)
					return
				}
				if err := d.readHello(); err != nil {
					t.Error(err)
					return
				}
				switch (b + n) % 3 {
				case 0:
					d.write(8, []byte{3, 0xe8})
					d.closed()
				case 1:
					c.(*net.TCPConn).SetLinger(0) // a reset
				}
			})
		}
		wg.Wait()
	}
	s.stop()
	if got := s.hub.Stats(); got.Connections != 0 || got.Verdicts[Fresh] != uint64(batches*size) {
		t.Errorf("%d connections left of %d, want 0 of %d", got.Connections, got.Verdicts[Fresh], batches*size)
	}
	if got := comesDownTo(runtime.NumGoroutine, goroutines); got > goroutines {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, want %d\n%s", got, goroutines, buf[:runtime.Stack(buf, true)])
	}
	// The poller may have opened its own descriptors for the first socket.
	if got := comesDownTo(openFiles, files+4); got > files+4 {
		t.Errorf("%d descriptors, want %d", got, files)
	}
}
