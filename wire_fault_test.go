package usercast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

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
