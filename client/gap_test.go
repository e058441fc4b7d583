package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// TestRestartIsOneGap: told once, after hub.live and the events that the hub still
// has, with where the client was.
func TestRestartIsOneGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		var x *subject
		var during State
		var at usercast.Cursor
		x = s.client(Config{OnGap: func(Gap) { during, at = x.State(), x.Cursor() }})
		x.start()
		synctest.Wait()
		s.broadcast("alice", "E", 0)
		synctest.Wait()
		before := x.Cursor()
		s.setDown(true)
		s.restart()
		s.broadcast("alice", "E", 1)
		s.setDown(false)
		time.Sleep(time.Minute)
		s.broadcast("alice", "E", 2)
		synctest.Wait()
		if got, want := x.journal(), "hello fresh, E, hello gap, E, gap restarted, E"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		gaps := snapshot(x, &x.gaps)
		if len(gaps) != 1 || gaps[0] != (Gap{usercast.GapRestarted, before}) {
			t.Errorf("gaps %+v, want one from %+v", gaps, before)
		}
		if during.Phase != Connected || !during.Stale {
			t.Errorf("while OnGap ran: %+v, want stale", during)
		}
		if at != before {
			t.Errorf("while OnGap ran the cursor was %+v, want %+v: it is not yet told", at, before)
		}
		s.line().Close()
		time.Sleep(time.Minute)
		if got := len(snapshot(x, &x.gaps)); got != 1 {
			t.Errorf("%d gaps after one more reconnect, want none added", got)
		}
		x.noErrors()
	})
}

// TestGapSurvivesTheConnection: wherever between hub.hello and hub.live the line
// that brought a gap is cut, the gap is told once, from where the client was before
// it; and nothing is saved meanwhile by which a new process would never hear of it.
func TestGapSurvivesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{BufferSize: 2})
		told := map[string]int{}
		for n := 150; n < 1100; n += 7 { // from the handshake's answer to hub.live
			user := fmt.Sprint("user", n)
			old := s.hub.Cursor(user)
			for i := range 4 {
				s.broadcast(user, "E", i)
			}
			first := len(s.dialled())
			s.tune = func(i int, l *line) {
				if i == first {
					l.cutIn = n
				}
			}
			var x *subject
			x = s.client(Config{
				Cursor: old,
				Token:  func(context.Context, TokenReason) (string, error) { return user, nil },
				SaveCursor: func(c usercast.Cursor) error {
					if c != old && len(snapshot(x, &x.gaps)) == 0 {
						t.Errorf("cut at %d: %+v was saved before the gap was told", n, c)
					}
					return nil
				},
			})
			x.start()
			synctest.Wait()
			if got := x.Cursor(); got != old && len(snapshot(x, &x.gaps)) == 0 {
				t.Errorf("cut at %d: Cursor has passed the gap untold", n)
			}
			time.Sleep(3 * time.Second)
			gaps := snapshot(x, &x.gaps)
			if len(gaps) != 1 || gaps[0] != (Gap{usercast.GapEvicted, old}) {
				t.Errorf("cut at %d: gaps %+v, want one from %+v; %s", n, gaps, old, x.journal())
			}
			if got, want := x.payloads(), "2 3"; got != want {
				t.Errorf("cut at %d: got %s, want %s", n, got, want)
			}
			saved := snapshot(x, &x.saved)
			if len(saved) == 0 || saved[len(saved)-1] != s.hub.Cursor(user) {
				t.Errorf("cut at %d: saved %+v, want the hub's cursor at last", n, saved)
			}
			x.noErrors()
			x.stop()
			told[x.journal()]++
		}
		if want := "hello gap, hello resumed, E, E, gap evicted"; told[want] == 0 {
			t.Errorf("no cut fell between hub.hello and the events: %v", told)
		}
		if want := "hello gap, E, E, hello resumed, gap evicted"; told[want] == 0 {
			t.Errorf("no cut fell before hub.live: %v", told)
		}
	})
}

// TestLaggedGap: a connection that is too slow is told so while it is live, and so
// is the client, each time.
func TestLaggedGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{BufferSize: 3, WriteTimeout: 4900 * time.Millisecond})
		free := make(chan bool)
		x := s.client(Config{}).start()
		x.On("HOLD", func(Event) { <-free })
		synctest.Wait()
		for round := range 2 {
			s.broadcast("alice", "HOLD", round)
			synctest.Wait()
			before := x.Cursor()
			// Enough for the inbox, and the line, which holds nothing.
			for i := range 2 * maxInboxMessages {
				s.broadcast("alice", "E", i)
				if i%2 == 0 {
					synctest.Wait()
				}
			}
			free <- true
			synctest.Wait()
			s.broadcast("alice", "E", "last")
			synctest.Wait()
			gaps := snapshot(x, &x.gaps)
			if len(gaps) != round+1 || gaps[round].Reason != usercast.GapLagged || gaps[round].From.LastEventTs <= before.LastEventTs {
				t.Fatalf("round %d: gaps %+v, want one more, lagged, from behind %v", round, gaps, before.LastEventTs)
			}
			if got, want := x.Cursor(), s.hub.Cursor("alice"); got != want {
				t.Errorf("cursor %+v, the hub's is %+v", got, want)
			}
		}
		if got := len(s.dialled()); got != 1 {
			t.Errorf("%d connections, want one", got)
		}
		x.noErrors()
	})
}

// TestHubThatDoesNotResume: a cursor was named, and the hub has not read it; or it
// resumes in another epoch. Whatever it calls that, something may be missing.
func TestHubThatDoesNotResume(t *testing.T) {
	for _, tt := range []struct {
		epoch, verdict string
		want           int // gaps
	}{
		{"e1", "resumed", 0},
		{"e1", "fresh", 1},
		{"e2", "resumed", 1},
		{"e2", "fresh", 1},
		{"e2", "gap", 1},
	} {
		t.Run(tt.epoch+" "+tt.verdict, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, func(n int, ws *websocket.Conn, _ *http.Request) {
					say(ws, hello(tt.epoch, tt.verdict, ts(10)), `{"type":"hub.live","timestamp":"`+ts(10)+`"}`)
					<-t.Context().Done()
				})
				x := s.client(Config{Cursor: usercast.Cursor{Epoch: "e1", LastEventTs: stamp(10), LastGlobalTs: stamp(1)}}).start()
				synctest.Wait()
				if got := len(snapshot(x, &x.gaps)); got != tt.want {
					t.Errorf("%d gaps, want %d: %s", got, tt.want, x.journal())
				}
				if got := x.Cursor(); got.Epoch != tt.epoch || got.LastEventTs != stamp(10) {
					t.Errorf("cursor %+v, want the hub's", got)
				}
				x.noErrors()
			})
		})
	}
}

// TestDoubles: what has been seen is not handled again, per scope; after a gap the
// hub's word counts, for it stamps latest values anew.
func TestDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ev := func(payload, scope string, at int) string {
			return fmt.Sprintf(`{"type":"E","payload":%s,"timestamp":%q,"scope":%q}`, payload, ts(at), scope)
		}
		next := make(chan bool)
		s := newScript(t, func(n int, ws *websocket.Conn, _ *http.Request) {
			switch n {
			case 0:
				say(ws, hello("e1", "fresh", ts(10)), ev("1", "", 11), ev("2", "", 11), ev("3", "", 9), ev("4", "all", 5),
					ev("5", "all", 5), ev("6", "all", 12), ev("7", "", 12))
			case 1: // the same epoch, resumed: doubles from a hub that errs on the safe side
				say(ws, hello("e1", "resumed", ts(10)), ev("8", "", 12), ev("9", "all", 12), ev("10", "", 13))
			case 2: // a gap that goes on from before what was seen
				say(ws, hello("e1", "gap", ts(8)), ev("11", "", 9))
			case 3: // another epoch, whose clock went back
				say(ws, hello("e2", "gap", ts(3)), ev("12", "", 4))
			}
			<-next
		})
		x := s.client(Config{}).start()
		for range 4 {
			synctest.Wait()
			next <- true
			time.Sleep(time.Minute)
		}
		close(next)
		if got, want := x.payloads(), "1 4 6 7 10 11 12"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestSaveCursor: it is saved when all has been handled, not at every event, and
// what it says has been handled. Its errors are reported.
func TestSaveCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		full := errors.New("disk full")
		x := s.client(Config{SaveCursor: func(usercast.Cursor) error { return full }})
		x.On("HOLD", func(Event) { time.Sleep(2 * time.Second) })
		x.start()
		synctest.Wait()
		x.mu.Lock()
		x.saved = nil
		x.mu.Unlock()
		s.broadcast("alice", "HOLD", 0)
		synctest.Wait()
		var at []usercast.Timestamp
		for i := range 100 {
			at = append(at, s.broadcast("alice", "E", i))
		}
		if got := len(snapshot(x, &x.saved)); got != 0 {
			t.Errorf("saved %d times while the first handler runs, want 0", got)
		}
		time.Sleep(3 * time.Second)
		saved := snapshot(x, &x.saved)
		if n := len(saved); n == 0 || n > 3 || saved[n-1].LastEventTs != at[99] {
			t.Errorf("saved %d times, %+v; want few, and the last event at last", n, saved)
		}
		for _, err := range snapshot(x, &x.errs) {
			if !errors.Is(err, full) {
				t.Errorf("OnError: %v", err)
			}
		}
		if len(snapshot(x, &x.errs)) == 0 {
			t.Error("SaveCursor's error reached nobody")
		}
	})
}

// TestKilledProcess: one that starts from the saved cursor misses nothing, wherever
// the first one died.
func TestKilledProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		from := s.hub.Cursor("alice")
		for i := range 20 {
			s.broadcast("alice", "E", i)
		}
		for killAt := range 20 {
			saved := from
			a := s.client(Config{Cursor: from, SaveCursor: func(c usercast.Cursor) error { saved = c; return nil }})
			seen := 0
			a.On("E", func(Event) {
				if seen++; seen > killAt {
					a.cfg.SaveCursor = nil // it is dead
					a.Close()
				}
			})
			a.start()
			<-a.done
			b := s.client(Config{Cursor: saved}).start()
			synctest.Wait()
			b.stop()
			got := map[string]bool{}
			for _, x := range []*subject{a, b} {
				for _, ev := range snapshot(x, &x.events) {
					got[string(ev.Payload)] = true
				}
			}
			if len(got) != 20 {
				t.Errorf("killed at event %d: %d of 20 events were handled", killAt, len(got))
			}
		}
	})
}

// ts is a timestamp on the wire, of no real time.
func ts(n int) string { return stamp(n).String() }

func stamp(n int) usercast.Timestamp { return usercast.Timestamp(1_000_000 + n) }

func hello(epoch, verdict, at string) string {
	return fmt.Sprintf(`{"type":"hub.hello","payload":{"connectionId":"c","epoch":%q,"verdict":%q,"globalTimestamp":%q,"heartbeatMs":25000},"timestamp":%q}`,
		epoch, verdict, ts(1), at)
}

func say(ws *websocket.Conn, texts ...string) {
	go func() { // answers pings and closes, until the client hangs up
		for {
			if _, _, err := ws.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	for _, s := range texts {
		if ws.Write(context.Background(), websocket.MessageText, []byte(s)) != nil {
			return
		}
	}
}
