package client

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// TestMutedSocket: one that looks open and carries nothing is found 5 s after the
// heartbeat that did not come, asked, and replaced 3 s later; nothing is lost.
func TestMutedSocket(t *testing.T) {
	for name, harm := range map[string]func(*line){"muted": (*line).mute, "stalled": (*line).stall} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, usercast.Config{})
				x := s.client(Config{}).start()
				synctest.Wait()
				harm(s.line())
				s.broadcast("alice", "E", 0)
				time.Sleep(33*time.Second - 1)
				if got := len(s.dialled()); got != 1 || x.State().Phase != Connected {
					t.Errorf("before the answer is late: %d connections, %+v", got, x.State())
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if got, want := x.journal(), "hello fresh, hello resumed, E"; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				states := snapshot(x, &x.states)
				if st := states[3]; st.Phase != Reconnecting || st.Reason != "unanswered" || st.Attempt != 0 || !st.RetryAt.IsZero() {
					t.Errorf("state %+v, want reconnecting at once, unanswered", st)
				}
				x.noErrors()
			})
		})
	}
}

// TestSilentHub: one that sends no heartbeats but answers is never replaced, until
// an answer is late.
func TestSilentHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, delay atomic.Int64
		delay.Store(int64(2999 * time.Millisecond))
		s := newScript(t, func(n int, ws *websocket.Conn, _ *http.Request) {
			write := func(text string) { ws.Write(context.Background(), websocket.MessageText, []byte(text)) }
			write(hello("e1", "fresh", ts(10)))
			write(`{"type":"hub.live","timestamp":"` + ts(10) + `"}`)
			for {
				_, p, err := ws.Read(context.Background())
				if err != nil {
					return
				}
				if string(p) == "ping" {
					asked.Add(1)
					time.Sleep(time.Duration(delay.Load()))
					write("pong")
				}
			}
		})
		x := s.client(Config{}).start()
		time.Sleep(time.Hour)
		if got := len(s.dialled()); got != 1 {
			t.Errorf("%d connections to a hub that answers, want one", got)
		}
		if n := asked.Load(); n < 100 || n > 120 {
			t.Errorf("asked %d times in an hour of silence, want about one every 33 s", n)
		}
		delay.Store(int64(3001 * time.Millisecond))
		time.Sleep(time.Minute)
		if got := len(s.dialled()); got != 2 {
			t.Errorf("%d connections after an answer was late, want two", got)
		}
		x.noErrors()
	})
}

// TestHealthyHub is never asked: its heartbeats come in time.
func TestHealthyHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		s := newSite(t, usercast.Config{})
		s.tune = func(_ int, l *line) {
			l.Conn = spy{l.Conn, func(p []byte) {
				if len(p) > 0 && p[0] == 0x81 { // a text frame; pongs are not counted
					asked.Add(1)
				}
			}}
		}
		x := s.client(Config{}).start()
		time.Sleep(30 * time.Minute)
		if n := asked.Load(); n != 0 || len(s.dialled()) != 1 {
			t.Errorf("%d probes and %d connections in half an hour, want 0 and 1", n, len(s.dialled()))
		}
		x.Probe() // or the spy would see none
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("%d probes after Probe, want 1", n)
		}
	})
}

// TestProbe: whoever wakes up need not wait for the silence to be long, nor for the
// backoff.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{}).start()
		synctest.Wait()
		x.Probe() // answered
		time.Sleep(5 * time.Second)
		if got := len(s.dialled()); got != 1 {
			t.Errorf("%d connections after a probe that was answered, want one", got)
		}
		s.line().mute()
		x.Probe()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := len(s.dialled()); got != 2 || x.State().Phase != Connected {
			t.Errorf("%d connections 3 s after one that was not, %+v; want two", got, x.State())
		}
		s.setDown(true)
		s.line().Close()
		time.Sleep(10 * time.Minute)
		s.setDown(false)
		x.Probe()
		synctest.Wait()
		if got := x.State().Phase; got != Connected {
			t.Errorf("%s after a probe while waiting, want connected", got)
		}
	})
}

// TestProbeWaitsBehindTraffic: while something arrives, the answer stands in line
// behind it, and the connection is not replaced.
func TestProbeWaitsBehindTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, func(n int, ws *websocket.Conn, _ *http.Request) {
			say(ws, hello("e1", "fresh", ts(10)))
			for i := range 20 {
				time.Sleep(2 * time.Second)
				ws.Write(context.Background(), websocket.MessageText, []byte(`{"type":"E","payload":0,"timestamp":"`+ts(11+i)+`"}`))
			}
			<-t.Context().Done()
		})
		x := s.client(Config{}).start()
		time.Sleep(time.Second)
		x.Probe()
		time.Sleep(41*time.Second - 1)
		if got := len(s.dialled()); got != 1 {
			t.Errorf("%d connections while events arrive, want one", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := len(s.dialled()); got != 2 {
			t.Errorf("%d connections 3 s after the last event, want two", got)
		}
	})
}

// TestSlowHandler costs no connection, however long it takes, and its events wait.
func TestSlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{})
		x.On("E", func(Event) { time.Sleep(10 * time.Minute) })
		x.start()
		synctest.Wait()
		for i := range 5 {
			s.broadcast("alice", "E", i)
		}
		time.Sleep(time.Hour)
		if got, want := x.payloads(), numbers(5); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := len(s.dialled()); got != 1 {
			t.Errorf("%d connections, want one", got)
		}
		x.noErrors()
	})
}

// TestFullInbox: when more waits than the client holds, the hub waits; when that
// takes too long it cuts, and the client resumes. Nothing is lost or doubled.
func TestFullInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{BufferSize: 2000, BufferTTL: time.Hour})
		x := s.client(Config{})
		first := true
		x.On("E", func(Event) {
			if first {
				first = false
				time.Sleep(10 * time.Minute)
			}
		})
		x.start()
		synctest.Wait()
		for i := range 1000 {
			s.broadcast("alice", "E", i)
		}
		time.Sleep(20 * time.Minute)
		if got, want := x.payloads(), numbers(1000); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := len(s.dialled()); got != 2 {
			t.Errorf("%d connections, want the hub to have cut one", got)
		}
		if gaps := snapshot(x, &x.gaps); len(gaps) > 0 {
			t.Errorf("gaps %+v, want none", gaps)
		}
		x.noErrors()
	})
}
