package usercast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMaxConnsPerUserTheOldestGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{MaxConnsPerUser: 2})
		bob := s.dial("user=bob")
		bob.must("hub.live")
		var open []*device
		for range 5 {
			d := s.dial("user=alice")
			d.must("hub.live")
			if open = append(open, d); len(open) <= 2 {
				continue
			}
			if code, reason := open[0].closedSoon(); code != CloseReplaced || reason != "too many connections of this user" {
				t.Errorf("the oldest got %d %q, want 4409 too many connections of this user", code, reason)
			}
			open[0].c.Close()
			open = open[1:]
			s.broadcast("alice", ev("A", nil))
			for _, d := range open {
				d.must("A")
			}
			synctest.Wait()
			if user, all := s.hub.Connections("alice"), s.hub.Stats().Connections; user != 2 || all != 3 {
				t.Errorf("got %d connections of alice and %d of all, want 2 and 3", user, all)
			}
		}
		s.broadcast("bob", ev("B", nil))
		bob.must("B")
	})
}

// What is sent from then on is not for the connection that must go.
func TestReplacedGetsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{MaxConnsPerUser: 1})
		old := s.dial("user=alice")
		got := old.collect()
		synctest.Wait()
		d := s.dial("user=alice")
		s.broadcast("alice", ev("LATER", nil))
		d.until("LATER")
		if code, _ := got.lived(time.Now()); code != CloseReplaced || strings.Contains(got.types(), "LATER") {
			t.Errorf("got %s, then %d, want 4409 without LATER", got.types(), code)
		}
	})
}

// The user's own limit comes first: at a full hub a user may still trade an old
// connection for a new one.
func TestReplacingAtAFullHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{MaxConns: 2, MaxConnsPerUser: 1})
		a, b := s.dial("user=alice"), s.dial("user=bob")
		a.must("hub.live")
		b.must("hub.live")
		again := s.dial("user=alice", v1Header)
		if code, _ := a.closedSoon(); code != CloseReplaced {
			t.Errorf("the old one got %d, want 4409", code)
		}
		again.must("hub.live")
		d, err := s.open("user=carol", v1Header)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := d.refusal(), (said{101, 4429, "hub full"}); got != want {
			t.Errorf("carol got %+v, want %+v", got, want)
		}
		s.broadcast("bob", ev("B", nil))
		b.must("B")
		if got := s.hub.Stats().Connections; got != 2 {
			t.Errorf("Stats.Connections: got %d, want 2", got)
		}
	})
}

// A hub that is full takes a user's new connection in the place of its oldest:
// the count does not change, so nobody can take the place in between.
func TestReplacedMakesRoomInAFullHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{MaxConns: 1, MaxConnsPerUser: 1})
		old := s.dial("user=alice", v1Header).collect()
		s.hub.stats.conns.Add(1) // somebody of another shard is about to be refused
		d := s.dial("user=alice", v1Header)
		s.hub.stats.conns.Add(-1)
		d.must("hub.live")
		if code := old.closeCode(); code != CloseReplaced {
			t.Errorf("the old one got %d, want 4409", code)
		}
		s.broadcast("alice", ev("A", nil))
		d.must("A")
		if got := s.hub.Stats().Connections; got != 1 {
			t.Errorf("got %d connections, want 1", got)
		}
		d.c.Close()
	})
}

// Many users come and go at once. A client counts itself after the hub has let it
// in and until just before it leaves, so the clients' count is never above the hub's.
func TestMaxConnsUnderRace(t *testing.T) {
	const clients, limit = 2000, 100
	var in, out atomic.Int64 // OnConnect, OnDisconnect
	s := newSite(t, Config{MaxConns: limit,
		OnConnect:    func(ConnInfo) { in.Add(1) },
		OnDisconnect: func(ConnInfo) { out.Add(1) },
	})
	var accepted, refused, open, most atomic.Int64
	leave := func(d *device) {
		if d != nil {
			open.Add(-1)
			d.c.Close()
		}
	}
	var tickets atomic.Int64
	var wg sync.WaitGroup
	for range 2 * limit {
		wg.Go(func() {
			var last *device // stays until the next has come
			for i := tickets.Add(1); i <= clients; i = tickets.Add(1) {
				d, full := s.tryDial(fmt.Sprintf("user=u%d", i%700))
				if full {
					refused.Add(1)
				} else {
					accepted.Add(1)
					n := open.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
				}
				leave(last)
				last = d
			}
			leave(last)
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(time.Minute); out.Load() < accepted.Load() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // outside a bubble nothing says when all have ended
	}
	if most.Load() > limit || most.Load() < limit/2 {
		t.Errorf("at most %d were open at once, want about %d and no more", most.Load(), limit)
	}
	if accepted.Load()+refused.Load() != clients || refused.Load() == 0 {
		t.Errorf("%d accepted and %d refused, want %d together and some refused", accepted.Load(), refused.Load(), clients)
	}
	if in.Load() != accepted.Load() || out.Load() != accepted.Load() {
		t.Errorf("OnConnect ran %d times and OnDisconnect %d, want %d", in.Load(), out.Load(), accepted.Load())
	}
	stats := s.hub.Stats()
	if stats.Connections != 0 || stats.Users != 0 {
		t.Errorf("Stats: got %d connections of %d users, want none", stats.Connections, stats.Users)
	}
	if got := stats.Refused["full"]; got != uint64(refused.Load()) {
		t.Errorf("Stats.Refused[full]: got %d, want %d", got, refused.Load())
	}
	// The places are free again: not one was lost.
	for i := range limit {
		s.dial(fmt.Sprintf("user=again%d", i))
	}
	if d, err := s.open("user=one-more"); err != nil || d.resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one more: got %v and %v, want 429", d.resp, err)
	}
}

// tryDial connects, unless the hub is full. It may be called from any goroutine.
func (s *site) tryDial(query string) (d *device, full bool) {
	d, err := s.open(query)
	switch {
	case err != nil:
		s.t.Errorf("%s: %v", query, err)
	case d.resp.StatusCode == http.StatusTooManyRequests:
	case d.resp.StatusCode != http.StatusSwitchingProtocols:
		s.t.Errorf("%s: %s", query, d.resp.Status)
	default:
		// The last place may go between the first look at the limit and the upgrade.
		if err = d.readHello(); err == nil {
			return d, false
		}
		// Who takes more than a second for the close frame, on a busy machine, gets none; the
		// caller's counts tell it from a device that was let in and lost.
		if e := (*errClosed)(nil); !errors.Is(err, io.EOF) && (!errors.As(err, &e) || e.code != CloseHubFull) {
			s.t.Errorf("%s: %v", query, err)
		}
	}
	d.c.Close()
	return nil, true
}

func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		var alice []*collected
		var devices []*device
		for range 3 {
			d := s.dial("user=alice")
			devices, alice = append(devices, d), append(alice, d.collect())
		}
		bob := s.dial("user=bob")
		bob.must("hub.live")
		synctest.Wait()
		if got := s.hub.Disconnect("alice", "signed out"); got != 3 {
			t.Errorf("Disconnect: got %d, want 3", got)
		}
		// Whatever follows in this very moment is not for them, though they are still there.
		s.broadcast("alice", ev("LATER", nil))
		if err := s.hub.BroadcastAll(t.Context(), ev("NEWS", nil)); err != nil {
			t.Error(err)
		}
		if got := s.hub.Disconnect("alice", "again"); got != 0 {
			t.Errorf("Disconnect again: got %d, want 0", got)
		}
		if got := s.hub.Disconnect("nobody", "signed out"); got != 0 {
			t.Errorf("Disconnect of nobody: got %d, want 0", got)
		}
		for i, c := range alice {
			code, _ := c.lived(time.Now())
			if e := (*errClosed)(nil); code != CloseRevoked || errors.As(c.err, &e) && e.reason != "signed out" {
				t.Errorf("device %d: closed by %v, want 4403 signed out", i, c.err)
			}
			if types := c.types(); types != "hub.live" {
				t.Errorf("device %d: got %s, want hub.live only", i, types)
			}
			devices[i].c.Close()
		}
		synctest.Wait()
		if got := s.hub.Connections("alice"); got != 0 {
			t.Errorf("Connections: got %d, want 0", got)
		}
		bob.must("NEWS")
		// Who comes back is judged anew, and so is what was missed.
		again := s.dial(resume("alice", devices[0].hello.Epoch, devices[0].first.Timestamp), v1Header)
		again.must("LATER")
	})
}

func TestDisconnectCutsTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		d := s.dial("user=alice")
		d.must("hub.live")
		s.hub.Disconnect("alice", strings.Repeat("é", 100)+"\xff")
		if code, reason := d.closedSoon(); code != CloseRevoked || reason != strings.Repeat("é", maxCloseReason/2) {
			t.Errorf("got %d %q, want 4403 and 61 times é", code, reason)
		}
	})
}

// gatedAuth lets a test do something while a handshake is being authenticated.
func gatedAuth(during func()) Authenticator {
	return AuthenticatorFunc(func(r *http.Request) (Identity, error) {
		during()
		return userAuth(r)
	})
}

// duringHandshake is what can put an end to a handshake that is under way.
var duringHandshake = map[string]struct {
	do   func(*site)
	code int
	text string
	http int
}{
	"Disconnect": {func(s *site) { s.hub.Disconnect("alice", "signed out") }, CloseRevoked, "signed out", http.StatusForbidden},
	"Disconnect twice": {func(s *site) { s.hub.Disconnect("alice", "once"); s.hub.Disconnect("alice", "twice") },
		CloseRevoked, "twice", http.StatusForbidden},
	"a slow Disconnect": {func(s *site) { s.hub.Disconnect("alice", "signed out"); time.Sleep(handshakeTimeout) },
		CloseRevoked, "signed out", http.StatusForbidden},
	"Shutdown": {func(s *site) { s.hub.Shutdown(context.Background()) }, CloseRestarting, "restarting; spreadMs=1000", http.StatusServiceUnavailable},
	"too late": {func(*site) { time.Sleep(handshakeTimeout + 1) }, closeTryAgain, "handshake took too long", http.StatusServiceUnavailable},
}

func TestDuringHandshake(t *testing.T) {
	for name, c := range duringHandshake {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s *site
				connected := false
				s = newSite(t, Config{Auth: gatedAuth(func() { c.do(s) }), OnConnect: func(ConnInfo) { connected = true }})
				d, err := s.open("user=alice", v1Header)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := d.refusal(), (said{101, c.code, c.text}); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				d.c.Close()
				synctest.Wait()
				if connected {
					t.Error("OnConnect ran for a refused connection")
				}
				if got := s.hub.Stats().Connections; got != 0 {
					t.Errorf("Stats.Connections: got %d, want 0", got)
				}
			})
		})
	}
}

// A client that does not offer usercast.v1 is told the same by HTTP.
func TestDuringHandshakeByHTTP(t *testing.T) {
	for name, c := range duringHandshake {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s *site
				s = newSite(t, Config{Auth: gatedAuth(func() { c.do(s) })})
				d, err := s.open("user=alice")
				if err != nil {
					t.Fatal(err)
				}
				if got, want := d.refusal(), (said{c.http, c.code, c.text}); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		})
	}
}

// What concerns others, or came before, lets the handshake pass.
func TestDuringHandshakeOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *site
		s = newSite(t, Config{Auth: gatedAuth(func() { s.hub.Disconnect("bob", "signed out") })})
		s.hub.Disconnect("alice", "earlier")
		s.dial("user=alice").must("hub.live")
	})
}

// A revocation is remembered for as long as a handshake can last, not for ever.
func TestRevocationsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		for i := range 1000 {
			s.hub.Disconnect(fmt.Sprint("user", i), "signed out")
		}
		remembered := func() (n int) {
			for i := range s.hub.shards {
				sh := &s.hub.shards[i]
				sh.mu.Lock()
				n += len(sh.revoked)
				sh.mu.Unlock()
			}
			return n
		}
		time.Sleep(handshakeTimeout)
		if got := remembered(); got != 1000 {
			t.Errorf("%d remembered after 30 s, want 1000", got)
		}
		time.Sleep(2 * handshakeTimeout)
		if got := remembered(); got != 0 {
			t.Errorf("%d remembered after 90 s, want 0", got)
		}
	})
}
