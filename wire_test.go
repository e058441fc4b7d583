package usercast

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A rig is a site on fake sockets; the test can reach the hub's ends of them.
type rig struct {
	*site
	mu   sync.Mutex
	ends []*fakeSocket // in the order of the dials
}

// newRig serves a hub on fake sockets with buffers of limit bytes. plain hides
// their non-blocking side, as TLS does.
func newRig(t testing.TB, cfg Config, limit int, plain bool) *rig {
	r := new(rig)
	ln := newSocketListener(limit)
	ln.plain = plain
	ln.tune = func(server *fakeSocket) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ends = append(r.ends, server)
	}
	r.site = newSiteOn(t, cfg, ln)
	return r
}

// eitherPath runs a test on both ways to write: the flusher's and the drainer's.
func eitherPath(t *testing.T, fn func(t *testing.T, plain bool)) {
	for name, plain := range map[string]bool{"nonblocking": false, "goroutine": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fn(t, plain) })
		})
	}
}

// soleConn is the hub's side of a user's only connection.
func soleConn(t testing.TB, h *Hub, user string) *conn {
	t.Helper()
	s := h.shardOf(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[user]
	if u == nil || len(u.conns) != 1 {
		t.Fatalf("%s has not exactly one connection", user)
	}
	return u.conns[0]
}

// A hearing is what a device heard, and when.
type hearing struct {
	mu     sync.Mutex
	frames []heardFrame
	err    error
	endAt  time.Time
	ended  chan struct{}
}

type heardFrame struct {
	frameIn
	at time.Time
}

// hear reads in the background until the connection ends, and then closes it.
func hear(d *device) *hearing {
	h := &hearing{ended: make(chan struct{})}
	go func() {
		defer close(h.ended)
		defer d.c.Close()
		for {
			f, err := d.next()
			h.mu.Lock()
			if err != nil {
				h.err, h.endAt = err, time.Now()
				h.mu.Unlock()
				return
			}
			h.frames = append(h.frames, heardFrame{f, time.Now()})
			h.mu.Unlock()
		}
	}()
	return h
}

// of returns the frames of one type.
func (h *hearing) of(typ string) (frames []heardFrame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.frames {
		if f.Type == typ {
			frames = append(frames, f)
		}
	}
	return frames
}

// end waits for it and returns the close code, 1006 if no close frame came.
func (h *hearing) end() (code int, reason string) {
	<-h.ended
	if e := (*errClosed)(nil); errors.As(h.err, &e) {
		return e.code, e.reason
	}
	return 1006, h.err.Error()
}

// over says whether the connection has ended.
func (h *hearing) over() bool {
	select {
	case <-h.ended:
		return true
	default:
		return false
	}
}

// A wireFrame is one frame as it came, control frames too.
type wireFrame struct {
	op byte
	p  []byte
}

// everyFrame reads to the end of the stream, past any close frame, and answers
// nothing. A stream that ends inside a frame is an error.
func everyFrame(r *bufio.Reader) (frames []wireFrame, err error) {
	d := &device{r: r}
	for {
		if _, err := r.Peek(1); err != nil {
			return frames, nil
		}
		op, p, err := d.readFrame()
		if err != nil {
			return frames, err
		}
		frames = append(frames, wireFrame{op, p})
	}
}

func TestWireServesEarlyBytesFirst(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	w := newWire(server, []byte("early"), time.Second, newClock(nil))
	defer w.Close()
	go client.Write([]byte("late"))
	got, err := io.ReadAll(io.LimitReader(w, 9))
	if want := "earlylate"; string(got) != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if w.early != nil {
		t.Errorf("%d early bytes are still held, want none", len(w.early))
	}
}

// TestWireCountsEarlyBytes: what came with the handshake costs like any other.
func TestWireCountsEarlyBytes(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	w := newWire(server, bytes.Repeat(clientFrame(0x89, nil), framesBurst+1), time.Second, newClock(nil))
	if _, err := io.ReadFull(w, make([]byte, 6*(framesBurst+1))); !errors.Is(err, errFlood) {
		t.Errorf("got %v, want errFlood", err)
	}
}

// shortConn loses the last byte of every write and says nothing.
type shortConn struct{ net.Conn }

func (c shortConn) Write(p []byte) (int, error) { return c.Conn.Write(p[:len(p)-1]) }

// TestWireBreaksForGood: after part of a frame, nothing that follows makes sense.
func TestWireBreaksForGood(t *testing.T) {
	for _, c := range []struct {
		name string
		bend func(s *fakeSocket) net.Conn
		want error
		out  string
	}{
		{"error", func(s *fakeSocket) net.Conn { s.faults.failAfter = 4; return s }, errReset, "abc"},
		{"short write without error", func(s *fakeSocket) net.Conn { return shortConn{s} }, io.ErrShortWrite, "abcde"},
	} {
		client, server := newSocketPair(1 << 10)
		w := newWire(c.bend(server), nil, time.Second, newClock(nil))
		w.raw = server
		if _, err := w.Write([]byte("abcdef")); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		server.faults.failAfter = 0 // the socket is well again
		if _, err := w.Write([]byte("later")); !errors.Is(err, c.want) {
			t.Errorf("%s: a later Write got %v, want %v", c.name, err, c.want)
		}
		if _, err := w.tryLocked([]byte("later")); !errors.Is(err, c.want) {
			t.Errorf("%s: a later try got %v, want %v", c.name, err, c.want)
		}
		if got := string(client.in.buf); got != c.out {
			t.Errorf("%s: got %q on the line, want %q", c.name, got, c.out)
		}
		w.SetDeadline(time.Time{})
	}
}

func TestWireWritesNothingAfterACloseFrame(t *testing.T) {
	client, server := newSocketPair(1 << 10)
	w := newWire(server, nil, time.Second, newClock(nil))
	pong, end := []byte{0x8a, 0}, closeFrame(1000, "bye")
	for i, p := range [][]byte{pong, end, pong, end} {
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Errorf("write %d: got %d, %v; want %d and no error", i, n, err, len(p))
		}
		if got, want := w.saidClose(), i > 0; got != want {
			t.Errorf("write %d: saidClose %v, want %v", i, got, want)
		}
	}
	if got, want := client.in.buf, append(pong, end...); !bytes.Equal(got, want) {
		t.Errorf("got % x on the line, want % x", got, want)
	}
	w.SetDeadline(time.Time{})
}

// TestWireDeadlines: how long a write to a peer that takes nothing may last.
func TestWireDeadlines(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		before  func(*wire)
		after   func(*wire) // a second after the write began
		want    time.Duration
	}{
		{"timeout", 4 * time.Second, nil, nil, 4 * time.Second},
		{"hastened before", 4 * time.Second, (*wire).hasten, nil, hurryTimeout},
		{"hastened during", 4 * time.Second, nil, (*wire).hasten, time.Second + hurryTimeout},
		{"hastened, but the timeout is shorter", 100 * time.Millisecond, (*wire).hasten, nil, 100 * time.Millisecond},
		{"aborted before", 4 * time.Second, (*wire).abort, nil, 0},
		{"aborted during", 4 * time.Second, nil, (*wire).abort, time.Second},
		{"aborted, then hastened", 4 * time.Second, func(w *wire) { w.hasten(); w.abort() }, nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, server := newSocketPair(4)
			client.stall(true)
			w := newWire(server, nil, c.timeout, newClock(nil))
			if c.before != nil {
				c.before(w)
			}
			if c.after != nil {
				time.AfterFunc(time.Second, func() { c.after(w) })
			}
			start := time.Now()
			_, err := w.Write([]byte("more than fits"))
			if got := time.Since(start); got != c.want || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: got %v after %v, want a timeout after %v", c.name, err, got, c.want)
			}
		})
	}
}

// TestWireAbortIsLasting: no deadline set later may let a read wait again.
func TestWireAbortIsLasting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := newSocketPair(4)
		w := newWire(server, nil, time.Second, newClock(nil))
		start := time.Now()
		w.abort()
		w.halfClose(time.Hour)
		w.discard(1, time.Hour)
		_, err := w.Read(make([]byte, 1))
		if took := time.Since(start); took != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v after %v, want a timeout at once", err, took)
		}
	})
}

// TestWireLiftsTheDeadline: the deadline of a blocking write must not fail a try
// that comes long after it.
func TestWireLiftsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := newSocketPair(1 << 10)
		w := newWire(server, nil, time.Second, newClock(nil))
		w.Write([]byte("pong"))
		time.Sleep(time.Minute)
		if n, err := w.tryLocked([]byte("event")); n != 5 || err != nil {
			t.Errorf("got %d, %v; want 5 and no error", n, err)
		}
	})
}

// TestWireDiscardIsBounded, in bytes and in time.
func TestWireDiscardIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newSocketPair(1 << 10)
		w := newWire(server, nil, time.Second, newClock(nil))
		client.Write(make([]byte, 300))
		w.discard(200, time.Second)
		if got := len(server.in.buf); got != 100 {
			t.Errorf("%d bytes left of 300 after discarding 200, want 100", got)
		}
		start := time.Now()
		w.discard(200, 500*time.Millisecond)
		if got, want := time.Since(start), 500*time.Millisecond; got != want {
			t.Errorf("discarding from a silent peer took %v, want %v", got, want)
		}
	})
}

func TestTryWriterOf(t *testing.T) {
	pair := func(network, address string) net.Conn {
		ln, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		c, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	tcp := pair("tcp", "127.0.0.1:0")
	pipe, other := net.Pipe()
	defer pipe.Close()
	defer other.Close()
	fake, _ := newSocketPair(1)
	for _, c := range []struct {
		name string
		c    net.Conn
		want bool
	}{
		{"TCP", tcp, true},
		{"unix socket", pair("unix", filepath.Join(t.TempDir(), "s")), true},
		{"one that tries itself", fake, true},
		{"TLS", tls.Client(tcp, &tls.Config{}), false},
		{"pipe", pipe, false},
		{"a wrapper of the caller's", plainConn{tcp}, false},
	} {
		if got := tryWriterOf(c.c) != nil; got != c.want && runtime.GOOS != "windows" {
			t.Errorf("%s: non-blocking %v, want %v", c.name, got, c.want)
		}
	}
}

// TestRawSocketNeverWaits: a full socket takes nothing, is no error, and takes
// more once the peer has read; a closed one is an error.
func TestRawSocketNeverWaits(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	raw := tryWriterOf(server)
	written := 0
	for {
		n, err := raw.tryWrite(make([]byte, 1<<20))
		if err != nil {
			t.Fatalf("after %d bytes: %v", written, err)
		}
		if n == 0 {
			break
		}
		written += n
	}
	if _, err := io.CopyN(io.Discard, client, int64(written)); err != nil {
		t.Fatal(err)
	}
	for n := 0; n == 0; { // the kernel tells the sender in its own time
		if n, err = raw.tryWrite([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	server.Close()
	if n, err := raw.tryWrite([]byte("x")); n != 0 || err == nil {
		t.Errorf("closed: got %d, %v; want 0 and an error", n, err)
	}
}

// TestWireFaults: whatever one socket does, its user's other devices and other
// users hear everything at the instant it is broadcast.
func TestWireFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		hurt func(client, server *fakeSocket, done chan struct{})
		ends bool
	}{
		{"one byte a read", func(_, s *fakeSocket, _ chan struct{}) {
			s.faults.readAtMost = 1
		}, false},
		{"short write with an error", func(_, s *fakeSocket, _ chan struct{}) {
			s.out.mu.Lock()
			defer s.out.mu.Unlock()
			s.faults.failAfter = 150
		}, true},
		{"the peer takes nothing", func(c, _ *fakeSocket, _ chan struct{}) { c.stall(true) }, true},
		{"reset", func(c, _ *fakeSocket, _ chan struct{}) { c.reset() }, true},
		{"cut in the middle of a frame", func(c, _ *fakeSocket, _ chan struct{}) { c.cutAfter(100) }, true},
		{"a Close that blocks", func(c, s *fakeSocket, done chan struct{}) {
			s.faults.mu.Lock()
			s.faults.blockClose = done
			s.faults.mu.Unlock()
			c.reset()
		}, true},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			eitherPath(t, func(t *testing.T, plain bool) {
				r := newRig(t, Config{}, 1<<10, plain)
				sick, well, other := r.dial("user=alice"), r.dial("user=alice"), r.dial("user=bob")
				done := make(chan struct{})
				c.hurt(sick.c.(*fakeSocket), r.ends[0], done)
				ill := hear(sick)
				hearings := map[string]*hearing{"alice": hear(well), "bob": hear(other)}
				sent := map[string][]time.Time{}
				for i := range 40 {
					for user := range hearings {
						sent[user] = append(sent[user], time.Now())
						r.broadcast(user, ev("E", i))
					}
					time.Sleep(250 * time.Millisecond)
				}
				synctest.Wait()
				for user, h := range hearings {
					got := h.of("E")
					if len(got) != len(sent[user]) {
						t.Fatalf("%s: got %d events, want %d", user, len(got), len(sent[user]))
					}
					for i, f := range got {
						if string(f.Payload) != fmt.Sprint(i) || !f.at.Equal(sent[user][i]) {
							t.Errorf("%s: got %s at %v, want %d at %v", user, f.Payload, f.at, i, sent[user][i])
						}
					}
				}
				want := 2
				if c.ends {
					want = 1
				}
				if got := r.hub.Connections("alice"); got != want {
					t.Errorf("alice has %d connections, want %d", got, want)
				}
				if got := len(ill.of("E")); !c.ends && got != 40 {
					t.Errorf("the sick device got %d events, want 40", got)
				}
				close(done)
				sick.c.(*fakeSocket).stall(false) // let its reader end
			})
		})
	}
}

// TestWireShutdownDoesNotWaitForAClose that blocks: it returns when ctx ends, and
// everyone else was told.
func TestWireShutdownDoesNotWaitForAClose(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{}, 1<<10, plain)
		sick, well := r.dial("user=alice"), r.dial("user=bob")
		done := make(chan struct{})
		r.ends[0].faults.blockClose = done
		a, b := hear(sick), hear(well)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := r.hub.Shutdown(ctx)
		if got := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || got != 3*time.Second {
			t.Errorf("Shutdown got %v after %v, want DeadlineExceeded after 3s", err, got)
		}
		for name, h := range map[string]*hearing{"sick": a, "well": b} {
			if code, _ := h.end(); code != CloseRestarting || !h.endAt.Equal(start) {
				t.Errorf("%s: got close code %d after %v, want %d at once", name, code, h.endAt.Sub(start), CloseRestarting)
			}
		}
		close(done)
		if err := r.hub.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown after the Close: %v", err)
		}
	})
}

// TestWireCloseFrameIsLast races closes from both sides, and pongs, against
// events, and looks at every byte that the peer got.
func TestWireCloseFrameIsLast(t *testing.T) {
	for _, c := range []struct {
		limit int
		plain bool
	}{{50, false}, {1 << 16, false}, {50, true}, {1 << 16, true}} {
		t.Run(fmt.Sprintf("buffer-%d-plain-%v", c.limit, c.plain), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{MaxConnsPerUser: 100}, c.limit, c.plain)
				for i := range 90 {
					user := fmt.Sprint("user", i)
					d := r.dial("user=" + user)
					var wg sync.WaitGroup
					var frames []wireFrame
					var err error
					wg.Go(func() { frames, err = everyFrame(d.r); d.c.Close() })
					wg.Go(func() {
						for n := range 30 {
							r.hub.Broadcast(user, ev("E", n))
							runtime.Gosched()
						}
					})
					if i%3 != 1 {
						wg.Go(func() {
							for range i % 7 {
								d.write(9, []byte("ping"))
							}
							d.write(8, []byte{3, 0xe8})
							d.write(9, []byte("after the close"))
						})
					}
					if i%3 != 0 {
						wg.Go(func() {
							for range i % 5 {
								runtime.Gosched()
							}
							r.hub.Disconnect(user, "")
						})
					}
					wg.Wait()
					if err != nil {
						t.Fatalf("round %d: %v", i, err)
					}
					for k, f := range frames {
						if last := k == len(frames)-1; (f.op == 8) != last {
							t.Fatalf("round %d: frame %d of %d has opcode %d; want the close frame last and only there", i, k+1, len(frames), f.op)
						}
					}
					if len(frames) == 0 {
						t.Fatalf("round %d: got no frame, want a close frame", i)
					}
				}
			})
		})
	}
}

// TestWireNothingAfterAnEchoedClose: coder/websocket has answered the client's
// close, the reader has not come round to saying so, and events go on.
func TestWireNothingAfterAnEchoedClose(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{}, 1<<12, plain)
		d := r.dial("user=alice")
		d.must("hub.live")
		synctest.Wait()
		soleConn(t, r.hub, "alice").wire.Write(closeFrame(1000, "echo"))
		for n := range 3 {
			r.broadcast("alice", ev("E", n))
			synctest.Wait()
		}
		r.ends[0].CloseWrite()
		frames, err := everyFrame(d.r)
		if err != nil || len(frames) != 1 || frames[0].op != 8 {
			t.Errorf("got %v, %v; want the close frame and nothing after", frames, err)
		}
		d.c.Close()
	})
}

// sizedEvent has a payload of about size bytes that says which event it is.
type sizedEvent struct {
	N    int
	Size int
	Pad  string
}

func newSizedEvent(n, size int) Event {
	return ev("SIZED", sizedEvent{n, size, strings.Repeat("x", size)})
}

// checkSized says what is wrong with the n-th event.
func checkSized(payload json.RawMessage, n int) error {
	var p sizedEvent
	if err := json.Unmarshal(payload, &p); err != nil {
		return fmt.Errorf("event %d: %w", n, err)
	}
	if p.N != n || len(p.Pad) != p.Size {
		return fmt.Errorf("got event %d with %d bytes of %d, want event %d whole", p.N, len(p.Pad), p.Size, n)
	}
	return nil
}

// TestWirePartialWrites: through the smallest buffers every frame arrives whole
// and in order, to several users whose connections share flushers.
func TestWirePartialWrites(t *testing.T) {
	for _, limit := range []int{7, 100, 5000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			eitherPath(t, func(t *testing.T, plain bool) {
				const users, events = 5, 60
				rng := rand.New(rand.NewPCG(uint64(limit), 1))
				r := newRig(t, Config{BufferSize: 1000, MaxEventBytes: 100 << 10}, limit, plain)
				var hearings []*hearing
				for u := range users {
					hearings = append(hearings, hear(r.dial(fmt.Sprint("user=u", u))))
				}
				synctest.Wait()
				for n := range events {
					for u := range users {
						size := rng.IntN(300)
						if n%40 == 17 && limit > 1000 {
							size = 70_000 // the frame's length takes eight bytes
						}
						r.broadcast(fmt.Sprint("u", u), newSizedEvent(u*events+n, size))
					}
					if n%10 == 0 {
						synctest.Wait()
					}
				}
				synctest.Wait()
				for u, h := range hearings {
					got := h.of("SIZED")
					if len(got) != events {
						t.Fatalf("u%d got %d events (%v), want %d", u, len(got), h.err, events)
					}
					for n, f := range got {
						if err := checkSized(f.Payload, u*events+n); err != nil {
							t.Error(err)
						}
					}
				}
				if got := r.hub.Stats().Delivered; got != users*events {
					t.Errorf("Delivered %d, want %d", got, users*events)
				}
			})
		})
	}
}

// TestWirePongsSplitNoFrame: coder/websocket answers pings while events trickle
// through a tiny buffer.
func TestWirePongsSplitNoFrame(t *testing.T) {
	for _, limit := range []int{3, 64, 1 << 12} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			eitherPath(t, func(t *testing.T, plain bool) {
				r := newRig(t, Config{BufferSize: 1000}, limit, plain)
				d := r.dial("user=alice")
				d.must("hub.live")
				const events, pings = 150, 150
				go func() {
					for n := range pings {
						d.write(9, fmt.Appendf(nil, "ping %d", n))
					}
				}()
				go func() {
					for n := range events {
						r.hub.Broadcast("alice", newSizedEvent(n, n))
						runtime.Gosched()
					}
				}()
				for seen, pongs := 0, 0; seen < events || pongs < pings; {
					op, p, err := d.readFrame()
					if err != nil {
						t.Fatalf("after %d events and %d pongs: %v", seen, pongs, err)
					}
					switch op {
					case 10:
						if want := fmt.Sprintf("ping %d", pongs); string(p) != want {
							t.Fatalf("pong %q, want %q", p, want)
						}
						pongs++
					case 1:
						var f frameIn
						if err := json.Unmarshal(p, &f); err != nil {
							t.Fatalf("frame %q: %v", p, err)
						}
						if err := checkSized(f.Payload, seen); err != nil {
							t.Fatal(err)
						}
						seen++
					default:
						t.Fatalf("opcode %d %q", op, p)
					}
				}
			})
		})
	}
}

// TestWireTLS: events, replay and close codes over TLS, whose connections have no
// non-blocking side.
func TestWireTLS(t *testing.T) {
	hub, err := New(Config{Auth: userAuth})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Shutdown(context.Background())
	srv := httptest.NewUnstartedServer(hub)
	srv.StartTLS()
	defer srv.Close()
	trust := srv.Client().Transport.(*http.Transport).TLSClientConfig
	dial := func(query string) *device {
		t.Helper()
		c, err := tls.Dial("tcp", srv.Listener.Addr().String(), trust)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		d := &device{t: t, c: c}
		if err := d.handshake(query, v1Header); err != nil || d.resp.StatusCode != 101 {
			t.Fatalf("handshake: %v, %v", err, d.resp)
		}
		if err := d.readHello(); err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := dial("user=alice")
	if soleConn(t, hub, "alice").wire.raw != nil {
		t.Error("a TLS connection has a non-blocking side")
	}
	d.must("hub.live")
	var last Timestamp
	for n := range 50 {
		if err := hub.Broadcast("alice", newSizedEvent(n, 100*n)); err != nil {
			t.Fatal(err)
		}
		f := d.must("SIZED")
		if err := checkSized(f.Payload, n); err != nil {
			t.Error(err)
		}
		if n == 9 {
			last = f.Timestamp
		}
	}
	again := dial(resume("alice", d.hello.Epoch, last))
	if again.hello.Verdict != Resumed {
		t.Errorf("verdict %q, want resumed", again.hello.Verdict)
	}
	for n := 10; n < 50; n++ {
		if err := checkSized(again.must("SIZED").Payload, n); err != nil {
			t.Error(err)
		}
	}
	other := dial("user=bob")
	if n := hub.Disconnect("alice", "out"); n != 2 {
		t.Errorf("Disconnect closed %d, want 2", n)
	}
	for _, d := range []*device{d, again} {
		if code, reason := d.closed(); code != CloseRevoked || reason != "out" {
			t.Errorf("got close %d %q, want %d \"out\"", code, reason, CloseRevoked)
		}
		d.c.Close()
	}
	go hub.Shutdown(context.Background())
	if code, _ := other.closed(); code != CloseRestarting {
		t.Errorf("got close %d, want %d", code, CloseRestarting)
	}
	other.c.Close()
}

// smallBuffers shrinks the send buffer of what it accepts, without hiding the
// *net.TCPConn.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetWriteBuffer(8 << 10)
	}
	return c, err
}

// TestWireTCP: real sockets, with buffers so small that writes are partial, and
// pongs in between.
func TestWireTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newSiteOn(t, Config{BufferSize: 10_000}, smallBuffers{ln})
	d := s.dial("user=alice")
	d.must("hub.live")
	if soleConn(t, s.hub, "alice").wire.raw == nil && runtime.GOOS != "windows" {
		t.Error("a TCP connection has no non-blocking side")
	}
	const events, pings = 2000, 100
	go func() {
		for n := range events {
			s.hub.Broadcast("alice", newSizedEvent(n, n%2000))
		}
	}()
	go func() {
		for range pings {
			d.write(9, []byte("p"))
		}
	}()
	for seen, pongs := 0, 0; seen < events || pongs < pings; {
		op, p, err := d.readFrame()
		if err != nil {
			t.Fatalf("after %d events and %d pongs: %v", seen, pongs, err)
		}
		if op == 10 {
			pongs++
			continue
		}
		if op != 1 {
			t.Fatalf("after %d events and %d pongs: opcode %d %q", seen, pongs, op, p)
		}
		var f frameIn
		if err := json.Unmarshal(p, &f); err != nil {
			t.Fatalf("frame %q: %v", p, err)
		}
		if err := checkSized(f.Payload, seen); err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if st := s.hub.Stats(); st.SlowCloses != 0 || st.Delivered != events {
		t.Errorf("SlowCloses %d, Delivered %d; want 0, %d", st.SlowCloses, st.Delivered, events)
	}
}
