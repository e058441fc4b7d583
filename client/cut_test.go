package client

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

// TestCutAtAnyByte: wherever in handshake, hello, replay or live events the line is
// cut, in either direction, every event is handled once and in order, no gap is
// told, and half a message is no error.
func TestCutAtAnyByte(t *testing.T) {
	t.Run("inbound", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, usercast.Config{})
			total := cutFirst(s, "whole", func(*line) {})
			if total < 600 {
				t.Fatalf("%d bytes in all, want a handshake and nine messages", total)
			}
			for n := range total + 1 {
				cutFirst(s, fmt.Sprint("in", n), func(l *line) { l.cutIn, l.hangUp = n, n%2 == 1 })
			}
		})
	})
	t.Run("outbound", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, usercast.Config{})
			const request = 400 // and the close frame
			for n := range request {
				cutFirst(s, fmt.Sprint("out", n), func(l *line) { l.cutOut = n })
			}
		})
	})
}

// cutFirst runs a client of user's whose first line is harmed. It returns how many
// bytes that line brought.
func cutFirst(s *site, user string, harm func(*line)) (total int) {
	s.t.Helper()
	from := s.hub.Cursor(user)
	for i := range 3 {
		s.broadcast(user, "E", i) // to be replayed
	}
	first := len(s.dialled())
	s.tune = func(n int, l *line) {
		if n == first {
			harm(l)
		}
	}
	x := s.client(Config{
		Cursor: from,
		Token:  func(context.Context, TokenReason) (string, error) { return user, nil },
	}).start()
	synctest.Wait()
	for i := 3; i < 6; i++ {
		s.broadcast(user, "E", i) // live, or while it is away
	}
	if err := s.hub.BroadcastAll(context.Background(), usercast.Event{Type: "ALL", Payload: 6}); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
	total = s.nth(first).bytesRead()
	time.Sleep(2 * time.Second) // longer than the first backoff
	if got, want := x.payloads(), numbers(7); got != want {
		s.t.Errorf("%s: got %s, want %s", user, got, want)
	}
	if gaps := snapshot(x, &x.gaps); len(gaps) > 0 {
		s.t.Errorf("%s: gap %+v, want none", user, gaps)
	}
	if got, want := x.Cursor(), s.hub.Cursor(user); got != want {
		s.t.Errorf("%s: cursor %+v, the hub's is %+v", user, got, want)
	}
	x.noErrors()
	x.stop()
	return total
}

// TestTenCuts: five bursts of a hundred events with none lost or doubled.
func TestTenCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{}).start()
		synctest.Wait()
		for burst := range 5 {
			for i := range 100 {
				s.broadcast("alice", "E", burst*100+i)
				if i%50 == 49 {
					s.line().Close() // some of it is on its way
					time.Sleep(10 * time.Second)
				}
			}
		}
		if got, want := x.payloads(), numbers(500); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if got := len(s.dialled()); got != 11 {
			t.Errorf("%d connections, want one and ten more", got)
		}
		x.noErrors()
	})
}
