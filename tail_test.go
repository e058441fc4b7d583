package usercast

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	tailHeader  = "X-Route: /tail"
	adminHeader = "Authorization: Bearer " + adminSecret
)

// A tail hears what a device hears, live and after a cut, and the application hears
// nothing of it.
func TestTailFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cb callbacks
		var in inbox
		s, _ := adminSite(t, cb.into(Config{OnMessage: in.take}))
		device := s.dial("user=alice&device=phone")
		tail := s.dial("user=alice", tailHeader, adminHeader)
		if tail.hello.Verdict != Fresh || !strings.HasPrefix(tail.hello.ConnectionID, "tail.") {
			t.Errorf("got %s, want fresh, and an ID that begins with tail.", tail.first.Raw)
		}
		device.must("hub.live")
		tail.must("hub.live")
		s.broadcast("alice", ev("A", 1))
		s.broadcast("bob", ev("B", "not alice's"))
		s.broadcast("alice", Event{Type: "C", Except: "phone"})
		last := tail.must("A")
		if got := device.must("A"); got.Raw != last.Raw {
			t.Errorf("the tail got %s, the device %s", last.Raw, got.Raw)
		}
		tail.must("C") // it is not the phone
		tail.c.Close()
		s.broadcast("alice", ev("D", 2))
		s.hub.BroadcastAll(context.Background(), ev("E", 3))

		resume := fmt.Sprintf("user=alice&epoch=%s&lastEventTs=%s&lastGlobalTs=%s&device=phone", tail.hello.Epoch, last.Timestamp, tail.hello.GlobalTimestamp)
		tail = s.dial(resume, tailHeader, adminHeader)
		if tail.hello.Verdict != Resumed {
			t.Errorf("got %s, want resumed", tail.first.Raw)
		}
		got := map[string]bool{}
		for _, f := range tail.until("hub.live") {
			got[f.Type] = true
		}
		if got["C"] || !got["D"] || !got["E"] {
			t.Errorf("got %v, want D and E, and not C, which was not for the phone", got)
		}
		tail.c.Close()
		gap := s.dial("user=alice&epoch=0&lastEventTs="+last.Timestamp.String(), tailHeader, adminHeader)
		if gap.hello.Verdict != Gap || gap.hello.Reason != GapRestarted {
			t.Errorf("got %s, want a gap: restarted", gap.first.Raw)
		}
		gap.c.Close()
		synctest.Wait()
		calls, _ := cb.of(tail.hello.ConnectionID)
		if all := len(cb.calls); all != 1 || len(calls) != 0 || len(in.all()) != 0 {
			t.Errorf("the application heard %v, want the device's connect alone", cb.calls)
		}
		if n := s.hub.Connections("alice"); n != 1 {
			t.Errorf("%d connections are left, want the device's", n)
		}
	})
}

// Nothing that a tail says has an effect, but "ping" is answered; it is bounded as
// a device is.
func TestTailIsReadOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in inbox
		renewed := make(chan string, 1)
		auth := renewer(func(_ context.Context, token string) (Identity, error) {
			renewed <- token
			return Identity{UserID: "mallory"}, nil
		})
		s, _ := adminSite(t, Config{Auth: auth, OnMessage: in.take})
		tail := s.dial("user=alice", tailHeader, adminHeader)
		tail.must("hub.live")
		tail.sendHubAuth("a token of mallory's")
		tail.text(`{"type":"A","payload":1}`)
		tail.write(2, []byte("binary"))
		tail.text("ping")
		tail.must("pong")
		synctest.Wait()
		if got := s.hub.Stats().IgnoredMessages; got != 3 || len(in.all()) != 0 || len(renewed) != 0 {
			t.Errorf("%d ignored, %d to OnMessage, %d renewals; want 3, 0, 0", got, len(in.all()), len(renewed))
		}
		s.broadcast("alice", ev("A", nil))
		tail.must("A") // it is alice's still
		tail.write(1, make([]byte, readLimit+1))
		if code, _ := tail.closedSoon(); code != CloseTooBig {
			t.Errorf("a message over 4 KiB: got %d, want 1009", code)
		}
		flood := s.dial("user=alice", tailHeader, adminHeader)
		flood.must("hub.live")
		go floodPings(flood)
		if code, _ := flood.closedSoon(); code != ClosePolicy {
			t.Errorf("a flood: got %d, want 1008", code)
		}
		flood.c.Close()
	})
}

// A tail never costs a device its place, whoever came first.
func TestTailPushesOutNoDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := adminSite(t, Config{MaxConnsPerUser: 2})
		first := s.dial("user=alice")
		first.must("hub.live")
		tail := s.dial("user=alice", tailHeader, adminHeader)
		tail.must("hub.live")
		for _, c := range []struct {
			header []string
			want   said
		}{
			{[]string{tailHeader, adminHeader}, said{429, CloseHubFull, noRoomForTail}},
			{[]string{tailHeader, adminHeader, v1Header}, said{101, CloseHubFull, noRoomForTail}},
		} {
			d, err := s.open("user=alice", c.header...)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.refusal(); got != c.want {
				t.Errorf("a tail more: got %+v, want %+v", got, c.want)
			}
			d.c.Close()
		}
		second := s.dial("user=alice") // first is older than the tail
		second.must("hub.live")
		if code, _ := tail.closedSoon(); code != CloseReplaced {
			t.Errorf("the tail got %d, want 4409", code)
		}
		s.broadcast("alice", ev("A", nil))
		first.must("A")
		second.must("A")
		s.dial("user=alice").must("hub.live") // among devices the oldest goes, as ever
		if code, _ := first.closedSoon(); code != CloseReplaced {
			t.Errorf("the oldest device got %d, want 4409", code)
		}
	})
}

// The place may be taken between the first look and the last: register decides.
func TestTailLosesTheRaceForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := adminSite(t, Config{MaxConnsPerUser: 1})
		var device *device
		hs, cancel := s.hub.begin(nil, upgradeRequest("user=alice"))
		defer cancel()
		hs.tail = true
		hs.id = Identity{UserID: "alice"}
		if refused, detail := hs.admit(); refused != nil {
			t.Fatalf("refused: %s", detail)
		}
		device = s.dial("user=alice")
		device.must("hub.live")
		c := &conn{shared: &s.hub.shared}
		c.info.UserID = "alice"
		if replaced, refused, _ := s.hub.register(c, hs, claim{}, claim{}); replaced != nil || refused != refusedFull {
			t.Errorf("got replaced %v, refused %v; want refusedFull", replaced, refused)
		}
		s.broadcast("alice", ev("A", nil))
		device.must("A")
		if got := s.hub.Stats().Connections; got != 1 {
			t.Errorf("%d connections, want 1", got)
		}
	})
}

func TestTailEnds(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{}, 1<<20, plain)
		admin := Admin(r.hub, AdminToken(adminSecret))
		r.srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			q.URL.Path = "/tail"
			admin.ServeHTTP(w, q)
		})
		heard := hear(r.dial("user=alice", adminHeader))
		time.Sleep(10 * time.Minute) // nothing of it ends by itself
		start := time.Now()
		if n := r.hub.Disconnect("alice", "signed out"); n != 1 {
			t.Errorf("Disconnect closed %d, want 1", n)
		}
		if code, _ := heard.end(); code != CloseRevoked || heard.endAt.Sub(start) > time.Second {
			t.Errorf("Disconnect: got %d after %v, want 4403 within a second", code, heard.endAt.Sub(start))
		}
		if n := len(heard.of("hub.heartbeat")); n < 20 {
			t.Errorf("%d heartbeats in ten minutes, want one in 25 s", n)
		}

		heard = hear(r.dial("user=alice", adminHeader))
		synctest.Wait()
		r.broadcast("alice", ev("LAST", nil))
		start = time.Now()
		if err := r.hub.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		if code, _ := heard.end(); code != CloseRestarting || heard.endAt.Sub(start) > time.Second || len(heard.of("LAST")) != 1 {
			t.Errorf("Shutdown: got %d after %v, LAST %d times; want LAST, then 1012 at once", code, heard.endAt.Sub(start), len(heard.of("LAST")))
		}
		if got := r.hub.Stats().Connections; got != 0 {
			t.Errorf("%d connections are left, want none", got)
		}
	})
}

// A dead socket is found as a device's is, and leaves nothing.
func TestTailDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := adminSite(t, Config{})
		tail := s.dial("user=alice", tailHeader, adminHeader)
		tail.mute = true
		heard := tail.collect()
		if code, after := heard.lived(time.Now()); code != 1006 || !within(after, 40*time.Second) {
			t.Errorf("got %d after %v, want 1006 after PingInterval and PongTimeout", code, after)
		}
		cut := s.dial("user=alice", tailHeader, adminHeader)
		cut.must("hub.live")
		cut.c.Close()
		synctest.Wait()
		if stats := s.hub.Stats(); stats.Connections != 0 || stats.Users != 0 || stats.DeadCloses != 1 {
			t.Errorf("got %d connections, %d users, %d dead; want 0, 0, 1", stats.Connections, stats.Users, stats.DeadCloses)
		}
	})
}

func TestTailRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := adminSite(t, Config{OriginPatterns: []string{"https://partner.example"}})
		for name, c := range map[string]struct {
			query  string
			header []string
			want   said // by HTTP
			code   int  // by close code; 0: by HTTP in any case
		}{
			"no token":         {"user=alice", nil, said{401, 4401, "token missing"}, 4401},
			"token in the URL": {"user=alice&token=" + adminSecret, nil, said{401, 4401, "token missing"}, 4401},
			"another token":    {"user=alice", []string{"Authorization: Bearer " + long(32)}, said{401, 4401, "token invalid"}, 4401},
			"no user":          {"", []string{adminHeader}, said{400, 1008, "user: want 1 to 128 bytes of UTF-8"}, 1008},
			"a long user":      {"user=" + long(129), []string{adminHeader}, said{400, 1008, "user: want 1 to 128 bytes of UTF-8"}, 1008},
			"a bad device":     {"user=alice&device=%00", []string{adminHeader}, said{400, 1008, "device: at most 64 of A-Z a-z 0-9 _ -"}, 1008},
			"a partner's page": {"user=alice", []string{adminHeader, "Origin: https://partner.example"}, said{403, 0, "origin not allowed"}, 0},
		} {
			header := append([]string{tailHeader}, c.header...)
			d, err := s.open(c.query, header...)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.refusal(); got != c.want {
				t.Errorf("%s: got %+v, want %+v", name, got, c.want)
			}
			if d, err = s.open(c.query, append(header, v1Header)...); err != nil {
				t.Fatal(err)
			}
			want := c.want
			if c.code != 0 {
				want = said{101, c.code, c.want.Error}
			}
			if got := d.refusal(); got != want {
				t.Errorf("%s, usercast.v1: got %+v, want %+v", name, got, want)
			}
		}
		page := s.dial("user=alice", tailHeader, "Origin: https://app.example.com", v1Header+", "+bearerProtocol(adminSecret))
		page.must("hub.live")
		page.c.Close()
	})
}

// What ends a device's handshake that is under way ends a tail's.
func TestTailDuringHandshake(t *testing.T) {
	for name, c := range duringHandshake {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{})
				var once sync.Once
				admin := Admin(s.hub, func(r *http.Request) error {
					once.Do(func() { c.do(s) })
					return AdminToken(adminSecret)(r)
				})
				s.srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.URL.Path = "/tail"
					admin.ServeHTTP(w, r)
				})
				d, err := s.open("user=alice", adminHeader)
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
