package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/internal/pipe"
)

// An issuer hands out tokens by a plan and writes down why and when it was asked.
type issuer struct {
	mu      sync.Mutex
	plan    func(n int, reason TokenReason) (string, error)
	reasons []TokenReason
	at      []time.Time
	busy    int
	overlap bool
}

func (i *issuer) token(_ context.Context, reason TokenReason) (string, error) {
	i.mu.Lock()
	n := len(i.reasons)
	i.reasons = append(i.reasons, reason)
	i.at = append(i.at, time.Now())
	if i.busy++; i.busy > 1 {
		i.overlap = true
	}
	i.mu.Unlock()
	token, err := i.plan(n, reason)
	i.mu.Lock()
	i.busy--
	i.mu.Unlock()
	return token, err
}

func (i *issuer) asked() ([]TokenReason, []time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]TokenReason(nil), i.reasons...), append([]time.Time(nil), i.at...)
}

func (i *issuer) why() string {
	reasons, _ := i.asked()
	return strings.Trim(fmt.Sprint(reasons), "[]")
}

// TestRefusedTokenBacksOff: it is asked for again as "refused", never at once, and
// ever less often.
func TestRefusedTokenBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		i := &issuer{plan: func(int, TokenReason) (string, error) { return "refused", nil }}
		x := s.client(Config{Token: i.token})
		x.random = func() float64 { return 0 } // the worst that full jitter can do
		x.start()
		time.Sleep(time.Minute - time.Millisecond) // between two attempts
		reasons, at := i.asked()
		if len(reasons) < 10 || reasons[0] != TokenConnect || reasons[1] != TokenRefused || reasons[9] != TokenRefused {
			t.Errorf("asked %d times: %v", len(reasons), reasons)
		}
		for n := 1; n < len(at); n++ {
			if d := at[n].Sub(at[n-1]); d < time.Second {
				t.Errorf("asked again after %v, want at least 1 s", d)
			}
		}
		if st := x.State(); st.Phase != Reconnecting || st.Code != 4401 || st.Reason != "token invalid" || st.Attempt != len(at) {
			t.Errorf("state %+v after %d attempts", st, len(at))
		}
		x.noErrors()
		x.stop()

		j := &issuer{plan: i.plan}
		y := s.client(Config{Token: j.token})
		y.random = func() float64 { return 1 }
		y.start()
		time.Sleep(20 * time.Minute)
		_, at = j.asked()
		if n := len(at); n < 38 || n > 44 {
			t.Errorf("asked %d times in 20 minutes, want one every 31 s", n)
		}
		if d := at[len(at)-1].Sub(at[len(at)-2]); d != 31*time.Second {
			t.Errorf("at last %v apart, want 30 s and 1 s", d)
		}
	})
}

// TestRefusedByHTTP: a hub or proxy that does not upgrade says the same by status.
func TestRefusedByHTTP(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		state  State // of the failed attempt, without times
		ends   error
		why    string // the second token is asked for
	}{
		{"hub 401", 401, `{"error":"token expired","code":4401}`, State{Reason: "token expired", Code: 4401}, nil, "expired"},
		{"proxy 401", 401, `<html>`, State{Reason: "401 from something before the hub", Code: 4401}, nil, "refused"},
		{"hub 403", 403, `{"error":"logged out","code":4403}`, State{Reason: "logged out", Code: 4403}, ErrRevoked, ""},
		{"origin", 403, `{"error":"origin not allowed"}`, State{Reason: "client: handshake: HTTP status 403: origin not allowed"}, nil, "connect"},
		{"full", 429, `{"error":"hub full","code":4429}`, State{Reason: "hub full", Code: 4429}, nil, "connect"},
		{"proxy 502", 502, ``, State{Reason: "client: handshake: HTTP status 502"}, nil, "connect"},
		{"another API", 404, `{"error":"no such page","code":404}`, State{Reason: "client: handshake: HTTP status 404: no such page"}, nil, "connect"},
		{"redirect", 302, ``, State{Reason: "client: handshake: HTTP status 302"}, nil, "connect"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, answer(tt.status, tt.body))
				i := &issuer{plan: func(int, TokenReason) (string, error) { return "alice", nil }}
				x := s.client(Config{Token: i.token, URL: "ws://hub.example.com/?token=secret"}).start()
				synctest.Wait()
				st := snapshot(x, &x.states)[1]
				if st.Reason != tt.state.Reason || st.Code != tt.state.Code {
					t.Errorf("state %+v, want %q and %d", st, tt.state.Reason, tt.state.Code)
				}
				if tt.ends != nil {
					if err, ok := x.ended(); !ok || !errors.Is(err, tt.ends) {
						t.Errorf("Run: %v (ended: %v), want %v", err, ok, tt.ends)
					}
					return
				}
				time.Sleep(3 * time.Second)
				if reasons, _ := i.asked(); len(reasons) < 2 || string(reasons[1]) != tt.why {
					t.Errorf("token was asked for as %v, want %q second", reasons, tt.why)
				}
			})
		})
	}
}

// TestRenewal: a minute before a token ends, a new one takes its place on the same
// connection, again and again.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		i := &issuer{plan: func(int, TokenReason) (string, error) { return "alice/3m", nil }}
		x := s.client(Config{Token: i.token}).start()
		time.Sleep(19 * time.Minute) // nine renewals, and half a period
		reasons, at := i.asked()
		if got := len(s.dialled()); got != 1 || x.State().Phase != Connected {
			t.Errorf("%d connections, %+v; want the first to live", got, x.State())
		}
		if len(reasons) != 10 || reasons[0] != TokenConnect || reasons[9] != TokenExpired {
			t.Errorf("asked %d times: %v; want one for the connect and one every two minutes", len(reasons), reasons)
		}
		if d := at[1].Sub(at[0]); d < 2*time.Minute || d > 2*time.Minute+time.Second {
			t.Errorf("renewed after %v, want a minute before the end", d)
		}
		x.noErrors()
	})
}

// TestTokenReasons: a reason holds until a connection is made, not longer.
func TestTokenReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		i := &issuer{plan: func(n int, _ TokenReason) (string, error) {
			switch n {
			case 0:
				return "refused", nil
			case 1:
				return "", errors.New("down")
			case 5:
				return "alice/-1s", nil
			}
			return "alice", nil
		}}
		x := s.client(Config{Token: i.token}).start()
		time.Sleep(10 * time.Second)
		for range 3 {
			s.line().Close()
			time.Sleep(10 * time.Second)
		}
		if got, want := i.why(), "connect refused refused connect connect connect expired"; got != want {
			t.Errorf("asked for as %s, want %s", got, want)
		}
		if got := x.State().Phase; got != Connected {
			t.Errorf("%s, want connected", got)
		}
	})
}

// TestRenewalFails: it is tried again while the token lasts; then the hub closes
// with 4401, and the next handshake asks for one as "expired".
func TestRenewalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		down := errors.New("identity provider is down")
		i := &issuer{plan: func(n int, _ TokenReason) (string, error) {
			if 1 <= n && n <= 6 {
				time.Sleep(time.Second)
				return "", down
			}
			return "alice/2m", nil
		}}
		x := s.client(Config{Token: i.token})
		x.random = func() float64 { return 0.5 }
		x.start()
		time.Sleep(62 * time.Second) // the first failure
		synctest.Wait()
		s.broadcast("alice", "E", 0)
		time.Sleep(65 * time.Second)
		if got, want := i.why(), "connect expired expired expired expired expired expired expired"; got != want {
			t.Errorf("asked for as %s, want %s", got, want)
		}
		if got, want := x.journal(), "hello fresh, error, E, error, error, error, error, error, hello resumed"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for _, err := range snapshot(x, &x.errs) {
			if !errors.Is(err, down) {
				t.Errorf("OnError: %v", err)
			}
		}
		closed := false
		for _, st := range snapshot(x, &x.states) {
			closed = closed || st.Code == 4401 && st.Reason == "token expired" && st.Phase == Reconnecting
		}
		if !closed {
			t.Errorf("no state says that the token expired: %+v", snapshot(x, &x.states))
		}
		if i.overlap {
			t.Error("Token ran twice at once")
		}
	})
}

// TestShortTokens: tokens that live for less than the hub's warning are not renewed
// in a circle, and the connection is not lost for it.
func TestShortTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		i := &issuer{plan: func(int, TokenReason) (string, error) { return "alice/20s", nil }}
		x := s.client(Config{Token: i.token}).start()
		time.Sleep(10 * time.Minute)
		_, at := i.asked()
		if n := len(at); n < 50 || n > 62 {
			t.Errorf("asked %d times in ten minutes, want one every 10 s", n)
		}
		if got := len(s.dialled()); got != 1 {
			t.Errorf("%d connections, want one", got)
		}
		x.noErrors()
	})
}

// TestLongToken: what hub.auth cannot carry goes into the next handshake.
func TestLongToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		i := &issuer{plan: func(int, TokenReason) (string, error) { return "alice/2m." + strings.Repeat("x", MaxMessageBytes), nil }}
		x := s.client(Config{Token: i.token}).start()
		time.Sleep(3 * time.Minute)
		if got, want := i.why(), "connect expired expired"; got != want {
			t.Errorf("asked for as %s, want %s", got, want)
		}
		errs := snapshot(x, &x.errs)
		if len(errs) != 1 || !errors.Is(errs[0], ErrTooLarge) || strings.Contains(errs[0].Error(), "xxx") {
			t.Errorf("OnError: %v, want ErrTooLarge once", errs)
		}
		if got := len(s.dialled()); got != 2 || x.State().Phase != Connected {
			t.Errorf("%d connections, %+v; want a second one", got, x.State())
		}
	})
}

// TestRenewedToAnotherUser is a mistake that the hub answers by 4403.
func TestRenewedToAnotherUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		i := &issuer{plan: func(n int, _ TokenReason) (string, error) { return []string{"alice/90s", "bob/90s"}[n], nil }}
		x := s.client(Config{Token: i.token}).start()
		time.Sleep(time.Minute)
		if err, ok := x.ended(); !ok || !errors.Is(err, ErrRevoked) {
			t.Errorf("Run: %v (ended: %v), want ErrRevoked", err, ok)
		}
	})
}

// TestUnauthorizedStops: at a handshake and at a renewal.
func TestUnauthorizedStops(t *testing.T) {
	for name, at := range map[string]int{"handshake": 0, "renewal": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, usercast.Config{})
				i := &issuer{plan: func(n int, _ TokenReason) (string, error) {
					if n == at {
						return "", fmt.Errorf("refresh token revoked: %w", ErrUnauthorized)
					}
					return "alice/90s", nil
				}}
				x := s.client(Config{Token: i.token}).start()
				time.Sleep(5 * time.Minute)
				if err, ok := x.ended(); !ok || !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), "refresh token revoked") {
					t.Errorf("Run: %v (ended: %v), want ErrUnauthorized and why", err, ok)
				}
				if reasons, _ := i.asked(); len(reasons) != at+1 {
					t.Errorf("asked %d times, want %d", len(reasons), at+1)
				}
				if st := x.State(); st.Phase != Closed || st.Reason == "" {
					t.Errorf("state %+v, want closed, and why", st)
				}
				x.noErrors()
			})
		})
	}
}

// TestBadTokens are reported, never quoted, and tried again.
func TestBadTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		i := &issuer{plan: func(n int, _ TokenReason) (string, error) {
			switch n {
			case 0:
				return "", nil
			case 1:
				return "sec\r\nret", nil
			case 2:
				return "sec ret", nil
			case 3:
				panic("no token")
			case 4:
				return "", errors.New("down")
			}
			return "alice", nil
		}}
		x := s.client(Config{Token: i.token}).start()
		time.Sleep(2 * time.Minute)
		errs := snapshot(x, &x.errs)
		if len(errs) != 5 || !errors.Is(errs[3], usercast.ErrPanic) {
			t.Errorf("OnError: %v, want five, the fourth a panic", errs)
		}
		for _, err := range errs {
			if strings.Contains(err.Error(), "sec") || strings.Contains(err.Error(), "ret\n") {
				t.Errorf("%v quotes the token", err)
			}
		}
		if got := x.State().Phase; got != Connected {
			t.Errorf("%s, want connected at last", got)
		}
	})
}

// TestConnectTimeout covers Token, the dialling and the wait for hub.hello.
func TestConnectTimeout(t *testing.T) {
	type config struct {
		name string
		site func(t *testing.T) *site
		cfg  Config
	}
	for _, tt := range []config{
		{"Token", nil, Config{Token: func(ctx context.Context, _ TokenReason) (string, error) {
			time.Sleep(4 * time.Second)
			<-ctx.Done()
			return "", ctx.Err()
		}}},
		{"hello", func(t *testing.T) *site {
			return newScript(t, holdForever)
		}, Config{}},
		{"handshake", func(t *testing.T) *site {
			s := newServer(t, nil)
			s.srv.Close() // nobody accepts
			s.ln = pipe.Listen()
			return s
		}, Config{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s *site
				if tt.site != nil {
					s = tt.site(t)
				} else {
					s = newSite(t, usercast.Config{})
				}
				x := s.client(tt.cfg)
				x.random = func() float64 { return 1 }
				began := time.Now()
				x.start()
				time.Sleep(10*time.Second - 1)
				if st := x.State(); st.Phase != Connecting {
					t.Errorf("a moment before: %+v", st)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				st := x.State()
				if st.Phase != Reconnecting || st.Reason != "timeout" || !st.RetryAt.Equal(began.Add(11*time.Second)) {
					t.Errorf("after %v: %+v", time.Since(began), st)
				}
				x.noErrors()
			})
		})
	}
}
