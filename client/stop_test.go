package client

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

// TestStops: 4403 and 4409 end Run by typed errors, and nothing comes after.
func TestStops(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cause  func(s *site, x *subject)
		want   error
		code   int
		reason string
	}{
		{"revoked", func(s *site, _ *subject) { s.hub.Disconnect("alice", "logged out") }, ErrRevoked, 4403, "logged out"},
		{"replaced", func(s *site, _ *subject) { s.client(Config{}).start() }, ErrReplaced, 4409, "too many connections of this user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, usercast.Config{MaxConnsPerUser: 1})
				x := s.client(Config{}).start()
				synctest.Wait()
				tt.cause(s, x)
				synctest.Wait()
				err, ok := x.ended()
				ce := (*CloseError)(nil)
				if !ok || !errors.Is(err, tt.want) || !errors.As(err, &ce) || ce.Code != tt.code || ce.Reason != tt.reason {
					t.Fatalf("Run: %v (ended: %v), want %v with %d %q", err, ok, tt.want, tt.code, tt.reason)
				}
				if got, want := x.State(), (State{Phase: Closed, Stale: true, Reason: tt.reason, Code: tt.code}); got != want {
					t.Errorf("state %+v, want %+v", got, want)
				}
				dials := len(s.dialled())
				time.Sleep(5 * time.Minute)
				if got := len(s.dialled()); got != dials {
					t.Errorf("%d connections more within minutes, want none", got-dials)
				}
				x.noErrors()
			})
		})
	}
}

// TestRevokedHandshake: the same answer before hub.hello.
func TestRevokedHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, held := make(chan bool), make(chan bool)
		s := newSite(t, usercast.Config{Auth: usercast.AuthenticatorFunc(func(r *http.Request) (usercast.Identity, error) {
			held <- true
			<-hold
			return passAuth{}.Authenticate(r)
		})})
		x := s.client(Config{}).start()
		<-held
		s.hub.Disconnect("alice", "logged out")
		hold <- true
		synctest.Wait()
		if err, ok := x.ended(); !ok || !errors.Is(err, ErrRevoked) {
			t.Errorf("Run: %v (ended: %v), want ErrRevoked", err, ok)
		}
	})
}

// TestContextEnds: at once and politely, in whatever state the client is.
func TestContextEnds(t *testing.T) {
	cause := errors.New("shutting down")
	for _, tt := range []struct {
		name string
		prep func(s *site, x *subject)
	}{
		{"connected", func(*site, *subject) {}},
		{"waiting", func(s *site, x *subject) { s.setDown(true); s.line().Close() }},
		{"dialling", func(s *site, x *subject) { s.setHang(true); s.line().Close(); time.Sleep(2 * time.Second) }},
		{"mute", func(s *site, x *subject) { s.line().mute() }},
		{"stalled", func(s *site, x *subject) { s.line().stall() }},
	} {
		for _, how := range []string{"context", "Close"} {
			t.Run(tt.name+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					codes := make(chan int, 9)
					s := newSite(t, usercast.Config{OnDisconnect: func(c usercast.ConnInfo) { codes <- c.CloseCode }})
					x := s.client(Config{})
					ctx, cancel := context.WithCancelCause(t.Context())
					done := make(chan error, 1)
					go func() { done <- x.Run(ctx) }()
					synctest.Wait()
					tt.prep(s, x)
					synctest.Wait()
					began, phase, want := time.Now(), Idle, cause
					if how == "Close" {
						phase, want = Closed, nil
						x.Close()
						x.Close()
					} else {
						cancel(cause)
					}
					if err := <-done; err != want {
						t.Errorf("Run: %v, want %v", err, want)
					}
					if took := time.Since(began); took > time.Second {
						t.Errorf("it took %v, want at most a second", took)
					}
					if got := x.State(); got != (State{Phase: phase, Stale: true}) {
						t.Errorf("state %+v, want %s", got, phase)
					}
					if tt.name == "connected" {
						if code := <-codes; code != 1000 {
							t.Errorf("the hub saw close code %d, want 1000", code)
						}
					}
					cancel(nil)
				})
			})
		}
	}
}

// TestRunWaits for what it has started: a token that is being renewed. And with a
// context that has ended it starts nothing.
func TestRunWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		asked, returned := 0, false
		x := s.client(Config{Token: func(ctx context.Context, _ TokenReason) (string, error) {
			if asked++; asked == 1 {
				return "alice/90s", nil
			}
			<-ctx.Done()
			time.Sleep(5 * time.Second) // it takes its time
			returned = true
			return "", ctx.Err()
		}}).start()
		time.Sleep(35 * time.Second)
		x.stop()
		if asked != 2 || !returned {
			t.Errorf("Token was called %d times; the last had returned before Run did: %v", asked, returned)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := x.Run(over); !errors.Is(err, context.Canceled) || asked != 2 {
			t.Errorf("Run with a context that has ended: %v, and Token was called: %v", err, asked != 2)
		}
		x.noErrors()
	})
}

// TestRunAgain goes on where it stopped; after Close it does not.
func TestRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{}).start()
		synctest.Wait()
		if err := x.Run(t.Context()); !errors.Is(err, ErrRunning) {
			t.Errorf("a second Run: %v, want ErrRunning", err)
		}
		s.broadcast("alice", "E", 0)
		synctest.Wait()
		if err := x.stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v, want context.Canceled", err)
		}
		s.broadcast("alice", "E", 1)
		x.start()
		synctest.Wait()
		if got, want := x.journal(), "hello fresh, E, hello resumed, E"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		x.Close()
		<-x.done
		if err := x.Run(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Run after Close: %v, want ErrClosed", err)
		}
		y := s.client(Config{})
		y.Close()
		if err := y.Run(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Run after Close before it: %v, want ErrClosed", err)
		}
	})
}

// TestCloseInAHandler: the event's other handlers run, and none of a later event.
func TestCloseInAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{})
		later := 0
		x.On("E", func(Event) { x.Close() })
		x.On("E", func(Event) { later++ })
		x.start()
		synctest.Wait()
		s.broadcast("alice", "E", 0)
		s.broadcast("alice", "E", 1)
		<-x.done
		if x.err != nil || later != 1 || x.payloads() != "0" {
			t.Errorf("Run: %v; %d calls; %s", x.err, later, x.payloads())
		}
		if saved := snapshot(x, &x.saved); len(saved) == 0 || saved[len(saved)-1] != x.Cursor() {
			t.Errorf("saved %+v, want the cursor at last, %+v", saved, x.Cursor())
		}
	})
}

// TestReconnect: from a handler, while waiting, and while an attempt hangs.
func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{MinBackoff: time.Hour, MaxBackoff: time.Hour})
		x.random = func() float64 { return 1 }
		x.On("AGAIN", func(Event) { x.Reconnect() })
		x.Reconnect() // of no effect before Run
		x.start()
		synctest.Wait()
		s.broadcast("alice", "AGAIN", 0)
		s.broadcast("alice", "E", 1)
		synctest.Wait()
		if got, want := x.journal(), "hello fresh, AGAIN, hello resumed, E"; got != want {
			t.Errorf("in a handler: got %s, want %s", got, want)
		}
		s.setDown(true)
		s.line().Close()
		time.Sleep(time.Minute)
		s.setDown(false)
		if got := x.State(); got.Phase != Reconnecting || got.Attempt != 1 {
			t.Errorf("state %+v, want to wait for an hour", got)
		}
		x.Reconnect()
		synctest.Wait()
		if got := x.State().Phase; got != Connected {
			t.Errorf("while waiting: %s, want connected", got)
		}
		s.setHang(true)
		x.Reconnect()
		time.Sleep(time.Second)
		s.setHang(false)
		if got := x.State(); got.Phase != Reconnecting || !got.RetryAt.IsZero() {
			t.Errorf("state %+v, want an attempt under way", got)
		}
		x.Reconnect()
		synctest.Wait()
		if got := x.State(); got.Phase != Connected || got.Attempt != 1 {
			t.Errorf("while an attempt hangs: %+v, want connected, and no attempt counted", got)
		}
		x.noErrors()
	})
}
