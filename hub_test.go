package usercast

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHubDeliversToEveryDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		a, b, other := s.dial("user=alice&device=phone"), s.dial("user=alice"), s.dial("user=bob")
		for _, d := range []*device{a, b, other} {
			if d.hello.Verdict != Fresh {
				t.Errorf("verdict %q, want fresh", d.hello.Verdict)
			}
			d.must("hub.live")
		}
		ts := s.broadcast("alice", ev("PENDING_CREATED", map[string]int{"count": 1}))
		want := fmt.Sprintf(`{"type":"PENDING_CREATED","payload":{"count":1},"timestamp":"%s"}`, ts)
		for _, d := range []*device{a, b} {
			if f := d.must("PENDING_CREATED"); f.Raw != want {
				t.Errorf("got  %s\nwant %s", f.Raw, want)
			}
		}
		s.broadcast("bob", ev("PING_BOB", nil))
		if f := other.must("PING_BOB"); f.Timestamp <= 0 {
			t.Errorf("bob got %s", f.Raw)
		}
	})
}

func TestHubReplaysWhatWasMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		d := s.dial("user=alice")
		d.must("hub.live")
		s.broadcast("alice", ev("A", 1))
		last := d.must("A").Timestamp
		d.c.Close()
		synctest.Wait()
		// All in one microsecond of the fake clock: timestamps must differ anyway.
		s.broadcast("alice", ev("B", 2))
		s.broadcast("alice", ev("C_PROGRESS", 3))
		s.broadcast("alice", Event{Type: "J_PROGRESS", Key: "job:1", Payload: 10})
		s.broadcast("alice", Event{Type: "J_PROGRESS", Key: "job:1", Payload: 20})
		s.broadcast("alice", ev("D", 4))

		d = s.dial(resume("alice", d.hello.Epoch, last))
		if d.hello.Verdict != Resumed || d.first.Timestamp != last {
			t.Fatalf("hello %s, want resumed at %v", d.first.Raw, last)
		}
		frames := d.until("hub.live")
		var got []string
		for _, f := range frames {
			got = append(got, f.Type+string(f.Payload))
		}
		if want := "B2 J_PROGRESS20 D4 hub.livenull"; strings.Join(got, " ") != want {
			t.Errorf("replayed %q, want %q", strings.Join(got, " "), want)
		}
	})
}

func TestHubFreshGetsLatestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		s.broadcast("alice", ev("OLD", 1))
		s.broadcast("alice", Event{Type: "J_PROGRESS", Key: "job:1", Payload: 10})
		s.broadcast("alice", ev("OLD2", 1))
		s.broadcast("alice", Event{Type: "J_PROGRESS", Key: "job:2", Payload: 50})
		s.broadcast("alice", Event{Type: "JOB_COMPLETED", Key: "job:2", Payload: "done"})
		d := s.dial("user=alice")
		frames := d.until("hub.live")
		if len(frames) != 2 || frames[0].Key != "job:1" || frames[0].Class != "latest" {
			t.Errorf("fresh device got %v", frames)
		}
		if !(d.first.Timestamp < frames[0].Timestamp && frames[0].Timestamp <= frames[1].Timestamp) {
			t.Errorf("timestamps %v, %v, %v do not increase", d.first.Timestamp, frames[0].Timestamp, frames[1].Timestamp)
		}
	})
}

func TestHubGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{BufferSize: 3, BufferTTL: time.Minute})
		d := s.dial("user=alice")
		d.must("hub.live")
		start := s.broadcast("alice", ev("E", 0))
		d.must("E")
		for i := range 4 {
			s.broadcast("alice", ev("E", i+1))
			d.must("E")
		}
		epoch := d.hello.Epoch
		gap := func(query string, want GapReason, frames int) {
			t.Helper()
			d := s.dial(query)
			if d.hello.Verdict != Gap || d.hello.Reason != want {
				t.Errorf("%s: hello %s, want gap %s", query, d.first.Raw, want)
			}
			got := d.until("hub.live")
			if got[0].Type != "hub.gap" || !strings.Contains(string(got[0].Payload), string(want)) {
				t.Errorf("%s: first frame %s, want hub.gap %s", query, got[0].Raw, want)
			}
			if n := len(got) - 2; n != frames {
				t.Errorf("%s: %d events retained and sent, want %d", query, n, frames)
			}
			d.c.Close()
		}
		gap(resume("alice", epoch, start), GapEvicted, 3)
		gap(resume("alice", "0123456789abcdef", start), GapRestarted, 3)
		gap("user=alice&lastEventTs=1999-01-01T00:00:00Z", GapRestarted, 3)
		for _, bad := range []string{"-1", "NaN", "1e400", "9007199254740993", "9999-01-01T00:00:00Z", "1.5", strings.Repeat("9", 20000), "%00"} {
			gap("user=alice&epoch="+epoch+"&lastEventTs="+bad, GapUnknownCursor, 3)
		}
		time.Sleep(90 * time.Second)
		synctest.Wait()
		gap(resume("alice", epoch, start), GapEvicted, 0)
		gap(resume("alice", epoch, start+1), GapExpired, 0)
		if got := s.hub.Stats().BufferedBytes; got != 0 {
			t.Errorf("%d bytes buffered after the TTL, want 0", got)
		}
	})
}

func TestHubRefusesBadEvents(t *testing.T) {
	s := newSite(t, Config{MaxEventBytes: 300})
	before := s.hub.Cursor("alice")
	for name, c := range map[string]struct {
		user string
		ev   Event
		want error
	}{
		"no user":       {"", ev("A", 1), ErrInvalidUser},
		"long user":     {strings.Repeat("u", 129), ev("A", 1), ErrInvalidUser},
		"user bytes":    {"a\xff", ev("A", 1), ErrInvalidUser},
		"no type":       {"alice", Event{}, ErrInvalidEvent},
		"hub type":      {"alice", ev("hub.hello", 1), ErrInvalidEvent},
		"quoted type":   {"alice", ev(`A"B`, 1), ErrInvalidEvent},
		"long type":     {"alice", ev(strings.Repeat("A", 129), 1), ErrInvalidEvent},
		"long key":      {"alice", Event{Type: "A", Key: strings.Repeat("k", 257)}, ErrInvalidEvent},
		"key bytes":     {"alice", Event{Type: "A", Key: "\xff"}, ErrInvalidEvent},
		"channel":       {"alice", ev("A", make(chan int)), ErrPayload},
		"bad raw":       {"alice", ev("A", rawJSON("{")), ErrPayload},
		"bad raw utf8":  {"alice", ev("A", rawJSON("\"\xff\"")), ErrPayload},
		"string utf8":   {"alice", ev("A", "caf\xe9"), ErrPayload},
		"deep utf8":     {"alice", ev("A", map[string][]any{"x": {&struct{ S string }{"\xff"}}}), ErrPayload},
		"map key utf8":  {"alice", ev("A", map[string]int{"\xff": 1}), ErrPayload},
		"too large":     {"alice", ev("A", strings.Repeat("x", 300)), ErrTooLarge},
		"panic":         {"alice", ev("A", panics{}), ErrPanic},
		"panic payload": {"alice", ev("A", panics{}), ErrPayload},
	} {
		if err := s.hub.Broadcast(c.user, c.ev); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	// What encoding/json writes for bad bytes may also be meant.
	if err := s.hub.Broadcast("bob", ev("A", "\ufffd and \\ufffd")); err != nil {
		t.Errorf("a real U+FFFD: %v", err)
	}
	if err := s.hub.Broadcast("bob", ev("A", map[string]any{"raw": rawJSON(`"\ufffd"`)})); err != nil {
		t.Errorf("an escaped U+FFFD in raw JSON: %v", err)
	}
	if after := s.hub.Cursor("alice"); after != before {
		t.Errorf("the cursor moved from %v to %v", before, after)
	}
	if n := s.hub.Stats().Broadcasts[Buffered]; n != 2 {
		t.Errorf("%d events counted, want 2", n)
	}
}

func TestHubBroadcastMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		a, b := s.dial("user=alice"), s.dial("user=bob")
		a.must("hub.live")
		b.must("hub.live")
		ctx := context.Background()
		if err := s.hub.BroadcastMany(ctx, []string{"alice", ""}, ev("A", 1)); !errors.Is(err, ErrInvalidUser) || !strings.Contains(err.Error(), "userIDs[1]") {
			t.Errorf("got %v, want ErrInvalidUser that names userIDs[1]", err)
		}
		if err := s.hub.BroadcastMany(ctx, []string{"alice", "bob", "alice"}, ev("A", 1)); err != nil {
			t.Fatal(err)
		}
		s.broadcast("alice", ev("END", nil))
		a.must("A")
		a.must("END")
		b.must("A")
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.hub.BroadcastMany(cancelled, []string{"alice"}, ev("A", 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if _, err := s.hub.BroadcastContext(cancelled, "alice", ev("A", 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if err := s.hub.BroadcastAll(cancelled, ev("A", 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func TestHubBroadcastAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		d := s.dial("user=alice")
		d.must("hub.live")
		if err := s.hub.BroadcastAll(context.Background(), ev("NEWS", 1)); err != nil {
			t.Fatal(err)
		}
		news := d.must("NEWS")
		if news.Scope != "all" {
			t.Errorf("scope %q, want all", news.Scope)
		}
		d.c.Close()
		s.hub.BroadcastAll(context.Background(), ev("NEWS", 2))

		// With its own cursor, and with none: a client that does not know of scopes.
		for _, q := range []string{
			"&lastGlobalTs=" + news.Timestamp.String(),
			"",
		} {
			d := s.dial(resume("alice", d.hello.Epoch, d.first.Timestamp) + q)
			frames := d.until("hub.live")
			want := 2
			if q == "" {
				want = 3 // its cursor is older than the first, too
			}
			if len(frames) != want || string(frames[want-2].Payload) != "2" || d.hello.Verdict != Resumed {
				t.Errorf("%q: %s and %d frames, want %d", q, d.hello.Verdict, len(frames), want)
			}
		}
		fresh := s.dial("user=carol")
		if frames := fresh.until("hub.live"); len(frames) != 1 {
			t.Errorf("a fresh device got %v", frames)
		}
	})
}

func TestHubExcept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		mine, other := s.dial("user=alice&device=laptop"), s.dial("user=alice&device=phone")
		mine.must("hub.live")
		other.must("hub.live")
		s.broadcast("alice", Event{Type: "A", Except: "laptop"})
		s.broadcast("alice", Event{Type: "B", Except: other.hello.ConnectionID})
		s.broadcast("alice", ev("C", nil))
		mine.must("B")
		mine.must("C")
		other.must("A")
		other.must("C")
		// In replay, too: the device is known by its ID.
		again := s.dial(resume("alice", mine.hello.Epoch, mine.first.Timestamp) + "&device=laptop")
		again.must("B")
		again.must("C")
		again.must("hub.live")
	})
}

func TestHubCursorClosesTheHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		cur := s.hub.Cursor("alice")
		s.broadcast("alice", ev("BETWEEN", nil))
		s.hub.BroadcastAll(context.Background(), ev("NEWS", nil))
		d := s.dial(resume("alice", cur.Epoch, cur.LastEventTs) + "&lastGlobalTs=" + cur.LastGlobalTs.String())
		if d.hello.Verdict != Resumed {
			t.Errorf("verdict %s, want resumed", d.hello.Verdict)
		}
		d.must("BETWEEN")
		d.must("NEWS")
		d.must("hub.live")
		if c := s.hub.Cursor(""); c != (Cursor{}) {
			t.Errorf("cursor of nobody: %v", c)
		}
	})
}

type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("no") }
