package usercast

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestHeartbeatPings: every PingInterval, to a device that answers and otherwise
// keeps silent.
func TestHeartbeatPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}, 1<<12, false)
		d := r.dial("user=alice")
		var pings []time.Duration
		start := time.Now()
		go func() {
			for {
				op, p, err := d.readFrame()
				if err != nil {
					return
				}
				if op == 9 {
					pings = append(pings, time.Since(start))
					d.write(10, p)
				}
			}
		}()
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if len(pings) != 20 {
			t.Fatalf("got %d pings in 10 minutes, want 20", len(pings))
		}
		for i, at := range pings {
			if i > 0 {
				at -= pings[i-1]
			}
			if at < 30*time.Second || at > 30*time.Second+tickEvery {
				t.Errorf("ping %d came after %v, want 30s", i, at)
			}
		}
		if st := r.hub.Stats(); st.Connections != 1 || st.DeadCloses != 0 {
			t.Errorf("%d connections, DeadCloses %d; want 1, 0", st.Connections, st.DeadCloses)
		}
	})
}

// TestHeartbeatDeadPeer: closed PongTimeout after a ping that nothing answered.
// Any byte is an answer.
func TestHeartbeatDeadPeer(t *testing.T) {
	for _, c := range []struct {
		name  string
		says  []byte        // once, after the first ping
		after time.Duration // until the close
		from  time.Duration // a ping's time that this counts from
	}{
		{"nothing", nil, 10 * time.Second, 30 * time.Second},
		{"a pong", clientFrame(0x8a, nil), 10 * time.Second, 60 * time.Second},
		{"a pong nobody asked for", clientFrame(0x8a, []byte("other")), 10 * time.Second, 60 * time.Second},
		{"a message", clientFrame(0x81, []byte("ping")), 10 * time.Second, 60 * time.Second},
		{"one byte", []byte{0x81}, 10 * time.Second, 60 * time.Second},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			eitherPath(t, func(t *testing.T, plain bool) {
				r := newRig(t, Config{}, 1<<12, plain)
				start := time.Now()
				d, other := r.dial("user=alice"), hear(r.dial("user=alice"))
				d.mute = true
				h := hear(d)
				time.Sleep(35 * time.Second)
				if c.says != nil {
					d.writeRaw(c.says)
				}
				h.end()
				if at := h.endAt.Sub(start) - c.from; at < c.after || at > c.after+2*tickEvery {
					t.Errorf("closed %v after the ping, want %v", at, c.after)
				}
				if got := r.hub.Stats().DeadCloses; got != 1 {
					t.Errorf("DeadCloses %d, want 1", got)
				}
				if other.over() {
					t.Error("the other device was closed too")
				}
			})
		})
	}
}

// TestHeartbeatInSilence: hub.heartbeat comes every 25 s in which the page hears
// nothing, and says where the connection is (I3). The pings in between are no
// sound: a page cannot see them.
func TestHeartbeatInSilence(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{}, 1<<12, plain)
		start := time.Now()
		h := hear(r.dial("user=alice"))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		beats := h.of("hub.heartbeat")
		last := start
		for _, f := range beats {
			if pause := f.at.Sub(last); pause < 25*time.Second || pause > 25*time.Second+2*tickEvery {
				t.Errorf("heartbeat at %v, %v after what the page heard before; want 25s", f.at.Sub(start), pause)
			}
			if want := r.hub.Cursor("alice").LastEventTs; f.Timestamp != want {
				t.Errorf("heartbeat says %v, want the cursor %v", f.Timestamp, want)
			}
			last = f.at
		}
		if len(beats) < 11 {
			t.Errorf("got %d heartbeats in 5 minutes, want 11 or 12", len(beats))
		}
	})
}

// TestHeartbeatOnlyInSilence: whatever the page hears puts it off, and its
// timestamp has moved on with the cursor.
func TestHeartbeatOnlyInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}, 1<<12, false)
		d := r.dial("user=alice")
		h := hear(d)
		var last Timestamp
		for n := range 30 {
			time.Sleep(20 * time.Second)
			switch n % 4 {
			case 0:
				last = r.broadcast("alice", ev("E", nil))
			case 1:
				last = r.broadcast("alice", ev("E_PROGRESS", nil))
			case 2:
				r.hub.BroadcastAll(context.Background(), ev("ALL", nil))
			case 3:
				d.text("ping")
			}
		}
		synctest.Wait()
		if got := len(h.of("hub.heartbeat")); got != 0 {
			t.Errorf("got %d heartbeats between events, want none", got)
		}
		time.Sleep(26 * time.Second)
		synctest.Wait()
		if got := h.of("hub.heartbeat"); len(got) != 1 || got[0].Timestamp != last {
			t.Errorf("after 26s of silence: got %v, want one heartbeat at %v", got, last)
		}
	})
}

// TestHeartbeatManySilentConnections: 2,000 of them, for a day. The hub has one
// goroutine for each, for these are no sockets of the system's, and loses none. With
// the race detector it is shorter; make race runs the whole day without.
func TestHeartbeatManySilentConnections(t *testing.T) {
	conns, silence, interval := 2000, 24*time.Hour, 10*time.Minute
	if raceEnabled || testing.Short() { // 4 ticks of the sweeper a second are what takes the time
		conns, silence, interval = 500, 10*time.Minute, 2*time.Minute
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{PingInterval: interval, MaxConnsPerUser: 100})
		before := runtime.NumGoroutine()
		var pings atomic.Int64
		for n := range conns {
			d := s.dial(fmt.Sprintf("user=u%d", n/20))
			go func() {
				for {
					op, p, err := d.readFrame()
					if err != nil {
						d.c.Close()
						return
					}
					if op == 9 {
						pings.Add(1)
						d.write(10, p)
					}
				}
			}()
		}
		synctest.Wait()
		time.Sleep(silence)
		synctest.Wait()
		if st := s.hub.Stats(); st.Connections != int64(conns) || st.DeadCloses != 0 {
			t.Errorf("%d connections, DeadCloses %d; want %d, 0", st.Connections, st.DeadCloses, conns)
		}
		// Half of them are the devices' readers.
		if got := runtime.NumGoroutine() - before; got > 2*conns+10 {
			t.Errorf("%d goroutines for %d connections, want one each", got-conns, conns)
		}
		if got, want := pings.Load(), int64(conns)*int64(silence/interval-1); got < want {
			t.Errorf("%d pings, want at least %d", got, want)
		}
	})
}

// TestHeartbeatEvicts: what is older than the TTL goes although nobody asks for
// it, and a TTL later all that is known of the user.
func TestHeartbeatEvicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 20 * time.Second
		s := newSite(t, Config{BufferTTL: ttl})
		for n := range 300 {
			u := fmt.Sprint("u", n)
			s.broadcast(u, ev("E", nil))
			s.broadcast(u, Event{Type: "E_PROGRESS", Key: "k"})
			s.broadcast(u, ev("E_PROGRESS", nil)) // nobody hears it
		}
		s.hub.BroadcastAll(context.Background(), ev("ALL", nil))
		d := s.dial("user=u0")
		h := hear(d)
		s.broadcast("u0", ev("E_PROGRESS", nil))
		want := func(events, logs int64) {
			t.Helper()
			synctest.Wait()
			st := s.hub.Stats()
			if st.BufferedEvents != events || (st.BufferedBytes == 0) != (events == 0) || st.Logs != logs {
				t.Errorf("%d events of %d bytes in %d logs, want %d events in %d logs", st.BufferedEvents, st.BufferedBytes, st.Logs, events, logs)
			}
		}
		want(602, 300)
		time.Sleep(ttl - time.Second)
		want(602, 300)
		time.Sleep(2 * time.Second)
		want(0, 300)
		time.Sleep(ttl)
		want(0, 1) // who is connected stays
		time.Sleep(2 * ttl)
		want(0, 1)
		d.c.Close()
		<-h.ended
		time.Sleep(ttl - time.Second)
		want(0, 1) // I4: back within a TTL, and nothing is lost
		time.Sleep(ttl + 2*time.Second)
		want(0, 0)
	})
}

// TestHeartbeatAbsentUsers: goroutines do not grow with users.
func TestHeartbeatAbsentUsers(t *testing.T) {
	users := 100_000
	if raceEnabled {
		users /= 4
	}
	s := newSite(t, Config{})
	s.broadcast("first", ev("E", nil))
	before := runtime.NumGoroutine()
	for n := range users {
		s.broadcast(fmt.Sprint("u", n), ev("E", nil))
	}
	if got := runtime.NumGoroutine(); got > before+2 {
		t.Errorf("%d goroutines after broadcasts to %d users, want %d as before", got, users, before)
	}
	if got := s.hub.Stats().Logs; got != int64(users+1) {
		t.Errorf("%d logs, want %d", got, users+1)
	}
}

// wheelModel says for each connection at which tick it is due.
type wheelModel struct {
	now int64
	due map[*conn]int64
}

func (m *wheelModel) file(c *conn, wait time.Duration) {
	ahead := int64((wait + tickEvery - 1) / tickEvery)
	at := m.now + min(max(ahead, 1), wheelSize-1)
	if was, ok := m.due[c]; !ok || at < was {
		m.due[c] = at
	}
}

func (m *wheelModel) turn() map[*conn]bool {
	m.now++
	due := map[*conn]bool{}
	for c, at := range m.due {
		if at == m.now {
			due[c] = true
			delete(m.due, c)
		}
	}
	return due
}

// TestWheel against the model: every connection is due at its tick and at no
// other, refiled earlier (which counts) or later (which does not).
func TestWheel(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 3))
		w, m := &wheel{}, &wheelModel{due: map[*conn]int64{}}
		conns := make([]*conn, 1+rng.IntN(20))
		for i := range conns {
			conns[i] = new(conn)
		}
		for step := range 2000 {
			if rng.IntN(2) == 0 {
				c := conns[rng.IntN(len(conns))]
				wait := time.Duration(rng.Int64N(int64([]time.Duration{time.Second, 10 * time.Second, 2 * time.Minute}[rng.IntN(3)])))
				if rng.IntN(20) == 0 {
					wait = -wait
				}
				w.file(c, int64(wait))
				m.file(c, wait)
				continue
			}
			got, want := map[*conn]bool{}, m.turn()
			for _, c := range w.turn(nil) {
				got[c] = true
			}
			for i, c := range conns {
				if got[c] != want[c] {
					t.Fatalf("seed %d, step %d, tick %d: connection %d due %v, want %v", seed, step, m.now, i, got[c], want[c])
				}
			}
			for c := range want { // as the sweeper does
				wait := time.Duration(rng.Int64N(int64(time.Minute)))
				w.file(c, int64(wait))
				m.file(c, wait)
			}
		}
	}
}

// TestWheelHoldsAConnectionOnce: one that was filed, filed earlier, and then at its
// first tick again is due once.
func TestWheelHoldsAConnectionOnce(t *testing.T) {
	w, c := new(wheel), new(conn)
	w.file(c, int64(10*tickEvery))
	w.file(c, int64(4*tickEvery)) // a renewed token, say
	for tick := 1; tick <= 10; tick++ {
		due := w.turn(nil)
		want := 0
		if tick == 4 || tick == 10 {
			want = 1
		}
		if len(due) != want {
			t.Errorf("tick %d: due %d times, want %d", tick, len(due), want)
		}
		if tick == 4 {
			w.file(c, int64(6*tickEvery))
		}
	}
}

// TestWheelForgetsAStorm: a slot that held very many gives its memory back.
func TestWheelForgetsAStorm(t *testing.T) {
	w := new(wheel)
	for range 5000 {
		w.file(new(conn), 0)
	}
	if got := len(w.turn(nil)); got != 5000 {
		t.Errorf("%d due, want 5000", got)
	}
	for i := range w.ticks {
		if got := cap(w.ticks[i]); got > 1024 {
			t.Errorf("slot %d keeps room for %d", i, got)
		}
	}
}
