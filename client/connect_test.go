package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

// TestConnects: what a client is told on its first connection, in order, and what
// the hub is told of it.
func TestConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var request *http.Request
		s := newSite(t, usercast.Config{
			Auth: usercast.AuthenticatorFunc(func(r *http.Request) (usercast.Identity, error) {
				request = r
				return passAuth{}.Authenticate(r)
			}),
			BufferSize: 77,
		})
		x := s.client(Config{
			URL:    "ws://hub.example.com/ws?shard=3",
			Device: "tablet",
			Header: http.Header{"X-Trace": {"7"}, "Authorization": {"Bearer mallory"}},
		})
		if got := x.State(); got != (State{Phase: Idle, Stale: true}) {
			t.Errorf("before Run: %+v", got)
		}
		x.start()
		synctest.Wait()
		s.broadcast("alice", "ORDER_CREATED", 1)
		synctest.Wait()
		if got, want := x.journal(), "hello fresh, ORDER_CREATED"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := fmt.Sprint(snapshot(x, &x.states)), fmt.Sprint([]State{
			{Phase: Connecting, Stale: true}, {Phase: Connected, Stale: true}, {Phase: Connected},
		}); got != want {
			t.Errorf("states: got %s, want %s", got, want)
		}
		h := snapshot(x, &x.hellos)[0]
		if h.ConnectionID == "" || h.Device != "tablet" || h.Epoch == "" || h.BufferSize != 77 ||
			h.BufferTTL != 5*time.Minute || h.Heartbeat != 25*time.Second || h.Timestamp == 0 || h.GlobalTimestamp == 0 {
			t.Errorf("hello: %+v", h)
		}
		q := request.URL.Query()
		if got := request.Header.Get("Authorization"); got != "Bearer alice" {
			t.Errorf("Authorization %q, want the token and not Header's", got)
		}
		if request.Header.Get("X-Trace") != "7" || q.Get("shard") != "3" || q.Get("device") != "tablet" || len(q) != 2 {
			t.Errorf("request: header %v, query %v", request.Header, q)
		}
		if got := request.Header.Get("Sec-WebSocket-Protocol"); got != "usercast.v1" {
			t.Errorf("Sec-WebSocket-Protocol %q, want usercast.v1 and no token", got)
		}
		x.noErrors()
	})
}

// TestResumes: after a cut everything that was missed comes, once, with its class,
// key and scope, and the newest value only.
func TestResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{}).start()
		synctest.Wait()
		s.broadcast("alice", "E", 0)
		synctest.Wait()
		s.line().Close()
		s.setDown(true)
		synctest.Wait()
		if got := x.State(); got.Phase != Reconnecting || !got.Stale || got.Reason == "" || got.Code != 0 || got.Attempt != 1 || got.RetryAt.IsZero() {
			t.Errorf("after the cut: %+v", got)
		}
		s.broadcast("alice", "E", 1)
		s.send("alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:1", Payload: 10})
		s.send("alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:1", Payload: 20})
		s.broadcast("alice", "SYNC_PROGRESS", 5) // transient: nobody hears it
		if err := s.hub.BroadcastAll(t.Context(), usercast.Event{Type: "NEWS", Payload: 2}); err != nil {
			t.Fatal(err)
		}
		s.setDown(false)
		time.Sleep(time.Minute)
		s.broadcast("alice", "SYNC_PROGRESS", 6)
		synctest.Wait()
		if got, want := x.journal(), "hello fresh, E, hello resumed, E, JOB_PROGRESS, NEWS, SYNC_PROGRESS"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		var metas []string
		for _, ev := range snapshot(x, &x.events)[1:] {
			metas = append(metas, fmt.Sprintf("%v/%s/%v/%v", ev.Class, ev.Key, ev.Global, ev.Replayed))
		}
		want := "buffered//false/true, latest/job:1/false/true, buffered//true/true, transient//false/false"
		if got := strings.Join(metas, ", "); got != want {
			t.Errorf("metas: got %s, want %s", got, want)
		}
		if got := x.State(); got != (State{Phase: Connected}) {
			t.Errorf("at last: %+v", got)
		}
		if got, want := x.Cursor(), s.hub.Cursor("alice"); got != want {
			t.Errorf("cursor %+v, the hub's is %+v", got, want)
		}
		x.noErrors()
	})
}

// TestInitialCursor closes the hole between reading data and connecting.
func TestInitialCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		s.broadcast("alice", "E", "before")
		at := s.hub.Cursor("alice")
		s.broadcast("alice", "E", "between")
		x := s.client(Config{Cursor: at}).start()
		synctest.Wait()
		if got, want := x.journal()+" "+x.payloads(), `hello resumed, E "between"`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestForgedCursors are gaps, and the client is well again.
func TestForgedCursors(t *testing.T) {
	for name, cursor := range map[string]usercast.Cursor{
		"of another epoch":  {Epoch: "feed", LastEventTs: 1},
		"from the future":   {LastEventTs: 1 << 52},
		"negative":          {LastEventTs: -5},
		"without timestamp": {Epoch: "feed"},
		"endless epoch":     {Epoch: strings.Repeat("x", 1<<20), LastEventTs: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, usercast.Config{})
				s.broadcast("alice", "E", 0)
				x := s.client(Config{Cursor: cursor}).start()
				synctest.Wait()
				gaps := snapshot(x, &x.gaps)
				if len(gaps) != 1 || gaps[0].From != cursor {
					t.Errorf("gaps %+v, want one from the cursor", gaps)
				}
				if got, want := x.Cursor(), s.hub.Cursor("alice"); got != want {
					t.Errorf("cursor %+v, want the hub's, %+v", got, want)
				}
				x.noErrors()
			})
		})
	}
}

// TestExcept: the hub leaves this client out by its device, and says by a
// heartbeat that it is up to date all the same.
func TestExcept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{}).start()
		synctest.Wait()
		s.send("alice", usercast.Event{Type: "MINE", Except: x.Device()})
		s.send("alice", usercast.Event{Type: "THEIRS", Except: "other"})
		s.send("alice", usercast.Event{Type: "MINE", Except: x.Device()})
		synctest.Wait()
		if got, want := x.journal(), "hello fresh, THEIRS"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		time.Sleep(26 * time.Second)
		if got, want := x.Cursor(), s.hub.Cursor("alice"); got != want {
			t.Errorf("cursor %+v after a heartbeat, the hub's is %+v", got, want)
		}
	})
}

// TestSend reaches OnMessage, and says what it cannot send.
func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := make(chan string, 9)
		s := newSite(t, usercast.Config{OnMessage: func(_ usercast.ConnInfo, p []byte) { heard <- string(p) }})
		x := s.client(Config{})
		ctx := t.Context()
		if err := x.Send(ctx, []byte("too early")); !errors.Is(err, ErrNotConnected) {
			t.Errorf("before Run: %v, want ErrNotConnected", err)
		}
		x.start()
		synctest.Wait()
		long := strings.Repeat("x", MaxMessageBytes)
		for _, m := range []string{"hello", "", long} {
			if err := x.Send(ctx, []byte(m)); err != nil {
				t.Fatalf("Send of %d bytes: %v", len(m), err)
			}
			if got := <-heard; got != m {
				t.Errorf("got %q, want %q", clip(got), clip(m))
			}
		}
		if err := x.Send(ctx, []byte(long+"x")); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a byte more: %v, want ErrTooLarge", err)
		}
		if err := x.Send(ctx, []byte("\xff")); !errors.Is(err, ErrMessage) {
			t.Errorf("not UTF-8: %v, want ErrMessage", err)
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		if err := x.Send(over, []byte("late")); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: %v, want it", err)
		}
		time.Sleep(time.Minute)
		if got := len(s.dialled()); got != 1 {
			t.Errorf("%d connections, want the first to live on", got)
		}
		s.line().stall()
		soon, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := x.Send(soon, []byte("stuck")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a stalled socket: %v, want DeadlineExceeded", err)
		}
		time.Sleep(time.Minute)
		if got := x.State(); got.Phase != Connected || len(s.dialled()) != 2 {
			t.Errorf("after it: %+v with %d connections, want a second one", got, len(s.dialled()))
		}
		x.noErrors()
	})
}

// TestConfig: what cannot work is refused, by the field's name.
func TestConfig(t *testing.T) {
	ok := "wss://hub.example.com/ws"
	for _, tt := range []struct {
		cfg  Config
		want string // "": it is fine
	}{
		{Config{URL: ok}, ""},
		{Config{URL: "ws://h"}, ""},
		{Config{URL: "http://h:80/x?y=z"}, ""},
		{Config{URL: "https://h/"}, ""},
		{Config{}, "Config.URL: missing"},
		{Config{URL: "/ws"}, "Config.URL: no host"},
		{Config{URL: "ftp://h/"}, `Config.URL: scheme "ftp"`},
		{Config{URL: "ws://h/%zz?token=secret"}, "Config.URL: it does not parse"},
		{Config{URL: "ws://me:secret@h/"}, "Config.URL: it carries a password"},
		{Config{URL: ok, Device: "a b"}, "Config.Device"},
		{Config{URL: ok, Device: strings.Repeat("d", 65)}, "Config.Device"},
		{Config{URL: ok, Device: strings.Repeat("d", 64)}, ""},
		{Config{URL: ok, MinBackoff: -1}, "Config.MinBackoff"},
		{Config{URL: ok, MinBackoff: time.Minute}, ""},
		{Config{URL: ok, MinBackoff: time.Minute, MaxBackoff: time.Second}, "Config.MaxBackoff"},
		{Config{URL: ok, ConnectTimeout: time.Microsecond}, "Config.ConnectTimeout"},
		{Config{URL: ok, MaxEventBytes: 4095}, "Config.MaxEventBytes"},
		{Config{URL: ok, MaxEventBytes: 16<<20 + 1}, "Config.MaxEventBytes"},
		{Config{URL: ok, HTTPClient: http.DefaultClient, Dial: new(site).dial}, "Config.Dial"},
	} {
		_, err := New(tt.cfg)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%+v: %v, want none", tt.cfg, err)
		case tt.want != "" && (!errors.Is(err, ErrInvalidConfig) || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%+v: got %v, want ErrInvalidConfig with %q", tt.cfg, err, tt.want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%v quotes a secret", err)
		}
	}
	a, _ := New(Config{URL: ok})
	b, _ := New(Config{URL: ok})
	if a.Device() == b.Device() || !validDevice(a.Device()) || a.Device() == "" {
		t.Errorf("devices %q and %q, want two random ones", a.Device(), b.Device())
	}
}
