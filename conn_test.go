package usercast

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// callbacks records the calls of OnConnect and OnDisconnect.
type callbacks struct {
	mu    sync.Mutex
	calls []string // "connect ID", "disconnect ID"
	infos map[string]ConnInfo
}

func (cb *callbacks) into(cfg Config) Config {
	cb.infos = map[string]ConnInfo{}
	note := func(what string) func(ConnInfo) {
		return func(info ConnInfo) {
			cb.mu.Lock()
			defer cb.mu.Unlock()
			cb.calls = append(cb.calls, what+" "+info.ID)
			cb.infos[what+" "+info.ID] = info
		}
	}
	cfg.OnConnect, cfg.OnDisconnect = note("connect"), note("disconnect")
	return cfg
}

// of returns the calls for one connection.
func (cb *callbacks) of(id string) (calls []string, last ConnInfo) {
	cb.mu.Lock()
	defer cb.mu.Unlock()
	for _, call := range cb.calls {
		if what, of, _ := strings.Cut(call, " "); of == id {
			calls = append(calls, what)
		}
	}
	return calls, cb.infos["disconnect "+id]
}

// floodPings pings without pause until the line is dead.
func floodPings(d *device) {
	for d.write(9, nil) == nil {
	}
}

// connPaths are all the ways in which a connection ends.
var connPaths = []struct {
	name   string
	query  string
	cfg    Config
	end    func(s *site, d *device)
	silent bool // the device answers no pings
	heard  int  // the close code that the device gets; 1006: none
	code   int  // in ConnInfo
	reason string
}{
	{name: "client closes", end: func(_ *site, d *device) { d.write(8, []byte{0x03, 0xe8}) },
		heard: 1000, code: 1000, reason: "closed by the client"},
	{name: "client goes away with words", end: func(_ *site, d *device) { d.write(8, append([]byte{0x03, 0xe9}, "bye"...)) },
		heard: 1001, code: 1001, reason: "closed by the client"},
	{name: "client closes without a code", end: func(_ *site, d *device) { d.write(8, nil) },
		heard: 1005, code: 1005, reason: "closed by the client"},
	{name: "reset", end: func(_ *site, d *device) { d.c.(*fakeSocket).reset() },
		heard: 1006, code: 1006, reason: "connection lost"},
	{name: "end of stream", end: func(_ *site, d *device) { d.c.(*fakeSocket).CloseWrite() },
		heard: 1006, code: 1006, reason: "connection lost"},
	{name: "Disconnect", end: func(s *site, d *device) { s.hub.Disconnect("alice", "you know why") },
		heard: CloseRevoked, code: CloseRevoked, reason: "you know why"},
	{name: "Shutdown", end: func(s *site, d *device) { go s.hub.Shutdown(context.Background()) },
		heard: CloseRestarting, code: CloseRestarting, reason: "restarting; spreadMs=1000"},
	{name: "token ends", query: "&ttl=5s", end: func(*site, *device) {},
		heard: CloseUnauthorized, code: CloseUnauthorized, reason: "token expired"},
	{name: "flood", end: func(_ *site, d *device) { go floodPings(d) },
		heard: ClosePolicy, code: ClosePolicy, reason: "too many or too large messages"},
	{name: "replaced", cfg: Config{MaxConnsPerUser: 1}, end: func(s *site, _ *device) { hear(s.dial("user=alice")) },
		heard: CloseReplaced, code: CloseReplaced, reason: "too many connections of this user"},
	{name: "message too big", end: func(_ *site, d *device) { d.write(1, make([]byte, 5000)) },
		heard: CloseTooBig, code: CloseTooBig, reason: "inbound message over 4 KiB"},
	{name: "dead peer", silent: true, end: func(*site, *device) {},
		heard: 1006, code: 1006, reason: "no answer to a ping"},
	{name: "slow peer", end: func(s *site, d *device) {
		d.c.(*fakeSocket).stall(true)
		time.AfterFunc(10*time.Second, func() { d.c.(*fakeSocket).stall(false) })
		s.broadcast("alice", newSizedEvent(0, 10_000))
	}, heard: 1006, code: 1006, reason: "too slow: a write took longer than Config.WriteTimeout"},
}

// TestConnCallbacks (I9): on every path OnConnect and OnDisconnect run once each,
// in order, and say how it ended.
func TestConnCallbacks(t *testing.T) {
	for _, c := range connPaths {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			eitherPath(t, func(t *testing.T, plain bool) {
				var cb callbacks
				r := newRig(t, cb.into(c.cfg), 1<<12, plain)
				start := time.Now()
				d := r.dial("user=alice&device=phone" + c.query)
				d.mute = c.silent
				h := hear(d)
				synctest.Wait()
				if calls, _ := cb.of(d.hello.ConnectionID); fmt.Sprint(calls) != "[connect]" {
					t.Errorf("once connected: got calls %v, want [connect]", calls)
				}
				c.end(r.site, d)
				code, reason := h.end()
				if code != c.heard {
					t.Errorf("the device got %d %q, want %d", code, reason, c.heard)
				}
				time.Sleep(time.Minute)
				r.stop()
				calls, info := cb.of(d.hello.ConnectionID)
				if fmt.Sprint(calls) != "[connect disconnect]" {
					t.Errorf("got calls %v, want [connect disconnect]", calls)
				}
				if info.CloseCode != c.code || info.CloseReason != c.reason {
					t.Errorf("ConnInfo: got %d %q, want %d %q", info.CloseCode, info.CloseReason, c.code, c.reason)
				}
				want := ConnInfo{ID: d.hello.ConnectionID, UserID: "alice", SessionID: "s", Device: "phone",
					RemoteAddr: "fake", ConnectedAt: start.UTC(), Verdict: Fresh, CloseCode: c.code, CloseReason: c.reason}
				if got := info; got.ConnectedAt.Equal(start) {
					if got.ConnectedAt = want.ConnectedAt; got != want {
						t.Errorf("got  %+v\nwant %+v", got, want)
					}
				} else {
					t.Errorf("ConnectedAt %v, want %v", got.ConnectedAt, start)
				}
				if st := r.hub.Stats(); st.Connections != 0 || st.Users != 0 {
					t.Errorf("at the end: %d connections of %d users, want none", st.Connections, st.Users)
				}
			})
		})
	}
}

// TestConnReportsProtocolErrors: CloseCode is the code of the close frame that was
// sent, whoever in this process sent it.
func TestConnReportsProtocolErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cb callbacks
		r := newRig(t, cb.into(Config{}), 1<<12, false)
		d := r.dial("user=alice")
		d.must("hub.live")
		h := hear(d)
		d.writeRaw(clientFrame(0xf1, []byte("reserved bits")))
		heard, _ := h.end()
		time.Sleep(linger + time.Second) // stop must not be the first to end it
		r.stop()
		if _, info := cb.of(d.hello.ConnectionID); heard != 1002 || info.CloseCode != heard {
			t.Errorf("the device got close code %d, ConnInfo says %d %q; want 1002 for both", heard, info.CloseCode, info.CloseReason)
		}
	})
}

// TestConnCallbackOrder: OnDisconnect waits for OnConnect to return, and nothing
// that was sent is read before.
func TestConnCallbackOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var calls []string
		note := func(s string) { mu.Lock(); defer mu.Unlock(); calls = append(calls, s) }
		r := newRig(t, Config{
			OnConnect:    func(ConnInfo) { time.Sleep(5 * time.Second); note("connected") },
			OnDisconnect: func(ConnInfo) { note("disconnected") },
			OnMessage:    func(_ ConnInfo, p []byte) { note(string(p)) },
		}, 1<<12, false)
		d := r.dial("user=alice")
		d.text("message")
		d.c.(*fakeSocket).CloseWrite()
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if got, want := fmt.Sprint(calls), "[connected message disconnected]"; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestConnPanics: a callback that panics costs its own connection, with 1011 while
// there is one, and nothing else.
func TestConnPanics(t *testing.T) {
	boom := func(when bool) {
		if when {
			panic("boom")
		}
	}
	for _, c := range []struct {
		name   string
		act    func(*device)
		code   int
		reason string
	}{
		{"OnConnect", func(*device) {}, CloseInternal, "OnConnect panicked"},
		{"OnMessage", func(d *device) { d.text("x") }, CloseInternal, "OnMessage panicked"},
		{"OnDisconnect", func(d *device) { d.write(8, []byte{3, 0xe8}) }, 1000, "closed by the client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eitherPath(t, func(t *testing.T, plain bool) {
				var mu sync.Mutex
				disconnects := map[string][]ConnInfo{}
				r := newRig(t, Config{
					OnConnect: func(i ConnInfo) { boom(c.name == "OnConnect" && i.UserID == "alice") },
					OnMessage: func(i ConnInfo, _ []byte) { boom(c.name == "OnMessage" && i.UserID == "alice") },
					OnDisconnect: func(i ConnInfo) {
						mu.Lock()
						disconnects[i.UserID] = append(disconnects[i.UserID], i)
						mu.Unlock()
						boom(c.name == "OnDisconnect" && i.UserID == "alice")
					},
				}, 1<<12, plain)
				other := r.dial("user=bob")
				other.must("hub.live")
				d, err := r.open("user=alice") // the close frame may come before hub.hello
				if err != nil {
					t.Fatal(err)
				}
				h := hear(d)
				c.act(d)
				if code, reason := h.end(); code != c.code {
					t.Errorf("got close %d %q, want %d", code, reason, c.code)
				}
				synctest.Wait()
				if got := r.hub.Stats().Panics; got != 1 {
					t.Errorf("Stats.Panics %d, want 1", got)
				}
				if got := r.hub.Connections("alice"); got != 0 {
					t.Errorf("alice has %d connections, want 0", got)
				}
				r.broadcast("bob", ev("E", nil))
				other.must("E")
				hear(other)
				r.stop()
				mu.Lock()
				defer mu.Unlock()
				if got := disconnects["alice"]; len(got) != 1 || got[0].CloseCode != c.code || got[0].CloseReason != c.reason {
					t.Errorf("OnDisconnect for alice: got %+v, want one with %d %q", got, c.code, c.reason)
				}
				if got := len(disconnects["bob"]); got != 1 {
					t.Errorf("OnDisconnect for bob ran %d times, want 1", got)
				}
				if log := r.logs.String(); !strings.Contains(log, "panic in "+c.name) || !strings.Contains(log, "boom") {
					t.Errorf("the log does not tell of the panic in %s", c.name)
				}
			})
		})
	}
}

// TestConnClassifyMayMisbehave: Classify runs outside every lock, so one that
// sleeps holds up its caller only, and one that panics is an error of its caller.
func TestConnClassifyMayMisbehave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{Classify: func(e Event) Class {
			switch e.Type {
			case "SLOW":
				time.Sleep(10 * time.Second)
			case "PANIC":
				panic("boom")
			}
			return Buffered
		}})
		a, b := hear(s.dial("user=alice")), hear(s.dial("user=bob"))
		start := time.Now()
		go s.hub.Broadcast("alice", ev("SLOW", nil))
		synctest.Wait()
		for _, user := range []string{"alice", "bob"} {
			s.broadcast(user, ev("E", nil))
			if err := s.hub.Broadcast(user, ev("PANIC", nil)); !errors.Is(err, ErrPanic) {
				t.Errorf("%s: got %v, want ErrPanic", user, err)
			}
		}
		if err := s.hub.BroadcastAll(context.Background(), ev("ALL", nil)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for name, h := range map[string]*hearing{"alice": a, "bob": b} {
			if got := len(h.of("E")) + len(h.of("ALL")); got != 2 {
				t.Errorf("%s got %d events while Classify slept, want 2", name, got)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("others' broadcasts took %v, want no time", took)
		}
		if got := s.hub.Stats().Panics; got != 2 {
			t.Errorf("Stats.Panics %d, want 2", got)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := a.of("SLOW"); len(got) != 1 || got[0].at.Sub(start) != 10*time.Second {
			t.Errorf("alice got the slow event %v, want once after 10s", got)
		}
	})
}

// TestConnFirstEndingCounts: whoever ends a connection later changes nothing.
func TestConnFirstEndingCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cb callbacks
		r := newRig(t, cb.into(Config{}), 1<<12, false)
		d := r.dial("user=alice")
		d.must("hub.live")
		c := soleConn(t, r.hub, "alice")
		if !c.end(CloseRevoked, "first", false) || c.end(CloseRestarting, "second", true) || c.cut("third", nil) {
			t.Error("end and cut must report that the first one counted, and only that")
		}
		r.stop()
		if _, info := cb.of(d.hello.ConnectionID); info.CloseCode != CloseRevoked || info.CloseReason != "first" {
			t.Errorf("got %d %q, want %d \"first\"", info.CloseCode, info.CloseReason, CloseRevoked)
		}
	})
}

// tokenBook authenticates by ?user= and renews by a table.
type tokenBook map[string]Identity

func (tokenBook) Authenticate(r *http.Request) (Identity, error) { return userAuth(r) }
func (b tokenBook) AuthenticateToken(_ context.Context, token string) (Identity, error) {
	id, ok := b[token]
	if !ok {
		return Identity{}, ErrTokenInvalid
	}
	return id, nil
}

// TestConnTokenThatEndedLongAgo: a renewal by a token whose end is at or before
// 1970 must not mean that it never ends (I10).
func TestConnTokenThatEndedLongAgo(t *testing.T) {
	for name, at := range map[string]time.Time{
		"in 1999": time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), // a bubble's time begins in 2000
		"in 1970": time.Unix(0, 0),
		"in 1950": time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{Auth: tokenBook{"old": {UserID: "alice", ExpiresAt: at}}}, 1<<12, false)
				d := r.dial("user=alice&ttl=1m")
				h := hear(d)
				d.text(`{"type":"hub.auth","payload":{"token":"old"}}`)
				time.Sleep(2 * time.Minute)
				if !h.over() {
					t.Fatal("the connection outlived its token")
				}
				if code, _ := h.end(); code != CloseUnauthorized {
					t.Errorf("got close %d, want %d", code, CloseUnauthorized)
				}
			})
		})
	}
}

// TestConnTokenEnd (I10): the close comes at the token's end, hub.expiring a minute
// before, and no event after.
func TestConnTokenEnd(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{}, 1<<12, plain)
		start := time.Now()
		h := hear(r.dial("user=alice&ttl=90s"))
		for range 1000 {
			r.broadcast("alice", ev("E", nil))
			time.Sleep(100 * time.Millisecond)
		}
		code, _ := h.end()
		if at := h.endAt.Sub(start); code != CloseUnauthorized || at < 90*time.Second || at > 90*time.Second+tickEvery {
			t.Errorf("got close %d after %v, want %d after 90s", code, at, CloseUnauthorized)
		}
		warnings := h.of("hub.expiring")
		if len(warnings) != 1 {
			t.Fatalf("got %d hub.expiring, want 1", len(warnings))
		}
		if at := warnings[0].at.Sub(start); at < 30*time.Second || at > 30*time.Second+tickEvery {
			t.Errorf("hub.expiring after %v, want 30s", at)
		}
		if got := len(h.of("E")); got != 900 {
			t.Errorf("got %d events, want the 900 before the end", got)
		}
	})
}

// resetAll cuts every socket, so that nothing keeps the bubble from ending.
func (r *rig) resetAll() {
	for _, s := range r.ends {
		s.reset()
	}
}
