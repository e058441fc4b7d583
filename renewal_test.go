package usercast

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A renewer authenticates handshakes by userAuth and tokens by itself.
type renewer func(ctx context.Context, token string) (Identity, error)

// lived waits for the connection's end, but not for ever, and returns its close
// code and how long after start it came.
func (c *collected) lived(start time.Time) (code int, after time.Duration) {
	select {
	case <-c.done:
		return c.closeCode(), time.Since(start)
	case <-time.After(10 * time.Minute):
		return 0, time.Since(start)
	}
}

// within says whether the sweeper, which looks every tickEvery, was on time.
func within(got, want time.Duration) bool { return want <= got && got <= want+tickEvery }

func TestRenewalExtends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{Auth: mustJWT(t, jwtConfig(nil))})
		start := time.Now()
		d := s.dial("token=" + mintUntil(t, "alice", start.Add(60*time.Second)))
		got := d.collect()
		time.Sleep(30 * time.Second)
		d.sendHubAuth(mintUntil(t, "alice", start.Add(90*time.Second)))
		time.Sleep(47 * time.Second) // not 50: a heartbeat is due then
		s.broadcast("alice", ev("AT_77_S", nil))
		code, after := got.lived(start)
		if code != CloseUnauthorized || !within(after, 90*time.Second+defaultLeeway) {
			t.Errorf("closed by %d after %v, want 4401 after 95 s", code, after)
		}
		if types := got.types(); !strings.HasSuffix(types, "AT_77_S") {
			t.Errorf("got %s, want AT_77_S at the end", types)
		}
		// One warning for each token.
		if n := strings.Count(got.types(), "hub.expiring"); n != 2 {
			t.Errorf("got %d hub.expiring in %s, want 2", n, got.types())
		}
	})
}

// A renewal may also bring the end nearer, or take it away.
func TestRenewalMovesTheEnd(t *testing.T) {
	end := func(after time.Duration) renewer {
		start := time.Now()
		return func(context.Context, string) (Identity, error) {
			id := Identity{UserID: "alice"}
			if after != 0 {
				id.ExpiresAt = start.Add(after)
			}
			return id, nil
		}
	}
	for name, c := range map[string]struct {
		after, want time.Duration
		code        int
	}{
		"nearer": {20 * time.Second, 20 * time.Second, CloseUnauthorized},
		"past":   {time.Second, 10 * time.Second, CloseUnauthorized},
		"never":  {0, 5 * time.Minute, 1006},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: end(c.after)})
				start := time.Now()
				d := s.dial("user=alice&ttl=60s")
				got := d.collect()
				time.Sleep(10 * time.Second)
				d.sendHubAuth("any")
				time.AfterFunc(5*time.Minute-10*time.Second, func() { d.c.Close() })
				if code, after := got.lived(start); code != c.code || !within(after, c.want) {
					t.Errorf("closed by %d after %v, want %d after %v", code, after, c.code, c.want)
				}
			})
		})
	}
}

func TestRenewalRefused(t *testing.T) {
	refuse := func(err error) Authenticator {
		return renewer(func(context.Context, string) (Identity, error) { return Identity{}, err })
	}
	for name, c := range map[string]struct {
		auth   Authenticator
		code   int
		reason string
		panics uint64
	}{
		"another user": {renewer(func(context.Context, string) (Identity, error) { return Identity{UserID: "bob"}, nil }), CloseRevoked, "token of another user", 0},
		"other case":   {renewer(func(context.Context, string) (Identity, error) { return Identity{UserID: "ALICE"}, nil }), CloseRevoked, "token of another user", 0},
		"nobody":       {renewer(func(context.Context, string) (Identity, error) { return Identity{}, nil }), CloseRevoked, "token of another user", 0},
		"bad":          {refuse(errors.New("who?")), CloseUnauthorized, "token invalid", 0},
		"invalid":      {refuse(ErrTokenInvalid), CloseUnauthorized, "token invalid", 0},
		"expired":      {refuse(ErrTokenExpired), CloseUnauthorized, "token expired", 0},
		"panic":        {renewer(func(context.Context, string) (Identity, error) { panic("no") }), CloseInternal, "authentication panicked", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: c.auth})
				d, other := s.dial("user=alice"), s.dial("user=alice")
				d.must("hub.live")
				other.must("hub.live")
				d.sendHubAuth("any")
				if code, reason := d.closedSoon(); code != c.code || reason != c.reason {
					t.Errorf("got %d %q, want %d %q", code, reason, c.code, c.reason)
				}
				if got := s.hub.Stats().Panics; got != c.panics {
					t.Errorf("Stats.Panics: got %d, want %d", got, c.panics)
				}
				s.broadcast("alice", ev("STILL", nil))
				other.must("STILL")
			})
		})
	}
}

// The answer that says nothing about the token leaves the connection as it was.
func TestRenewalUnavailable(t *testing.T) {
	for name, err := range map[string]error{
		"ErrUnavailable": fmt.Errorf("redis: %w", ErrUnavailable),
		"deadline":       fmt.Errorf("redis: %w", context.DeadlineExceeded),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: renewer(func(context.Context, string) (Identity, error) { return Identity{}, err })})
				start := time.Now()
				d := s.dial("user=alice&ttl=60s")
				got := d.collect()
				time.Sleep(30 * time.Second)
				d.sendHubAuth("any")
				time.Sleep(20 * time.Second)
				s.broadcast("alice", ev("AT_50_S", nil))
				if code, after := got.lived(start); code != CloseUnauthorized || !within(after, time.Minute) {
					t.Errorf("closed by %d after %v, want 4401 after 60 s", code, after)
				}
				if types := got.types(); !strings.HasSuffix(types, "AT_50_S") {
					t.Errorf("got %s, want AT_50_S at the end", types)
				}
				if logs := s.logs.String(); !strings.Contains(logs, "token not renewed") {
					t.Errorf("no warning in the log:\n%s", logs)
				}
			})
		})
	}
}

// An Authenticator that hangs gets 30 s, and its connection goes on meanwhile.
func TestRenewalTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := make(chan time.Duration, 1)
		s := newSite(t, Config{Auth: renewer(func(ctx context.Context, _ string) (Identity, error) {
			start := time.Now()
			<-ctx.Done()
			took <- time.Since(start)
			return Identity{}, ctx.Err()
		})})
		d := s.dial("user=alice")
		got := d.collect()
		d.sendHubAuth("any")
		time.Sleep(10 * time.Second)
		s.broadcast("alice", ev("MEANWHILE", nil))
		if after := <-took; after != handshakeTimeout {
			t.Errorf("the context ended after %v, want %v", after, handshakeTimeout)
		}
		synctest.Wait()
		if types := got.types(); !strings.Contains(types, "MEANWHILE") {
			t.Errorf("got %s, want MEANWHILE", types)
		}
		if n := s.hub.Connections("alice"); n != 1 {
			t.Errorf("got %d connections, want 1", n)
		}
	})
}

func TestRenewalWithoutTokenAuthenticator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{OnMessage: func(_ ConnInfo, p []byte) { t.Errorf("OnMessage got %s", p) }})
		d := s.dial("user=alice")
		d.must("hub.live")
		d.sendHubAuth("any")
		d.text("ping")
		d.must("pong")
		if got := s.hub.Stats().IgnoredMessages; got != 1 {
			t.Errorf("Stats.IgnoredMessages: got %d, want 1", got)
		}
	})
}

func TestRenewalFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 5 // and one a second
		asked := 0
		s := newSite(t, Config{Auth: renewer(func(context.Context, string) (Identity, error) {
			asked++
			return Identity{UserID: "alice"}, nil
		})})
		patient, hasty := s.dial("user=alice"), s.dial("user=alice")
		patient.must("hub.live")
		for range 3 * burst {
			patient.sendHubAuth("any")
			time.Sleep(time.Second)
		}
		patient.text("ping")
		patient.must("pong")

		asked = 0
		hasty.must("hub.live")
		for range burst + 1 {
			hasty.sendHubAuth("any")
		}
		if code, reason := hasty.closedSoon(); code != ClosePolicy || reason != "too many hub.auth messages" {
			t.Errorf("got %d %q, want 1008 too many hub.auth messages", code, reason)
		}
		if asked != burst {
			t.Errorf("the Authenticator was asked %d times, want %d", asked, burst)
		}
		if got := s.hub.Stats().Floods; got != 1 {
			t.Errorf("Stats.Floods: got %d, want 1", got)
		}
	})
}

func (f renewer) AuthenticateToken(ctx context.Context, token string) (Identity, error) {
	return f(ctx, token)
}

func (renewer) Authenticate(r *http.Request) (Identity, error) { return userAuth(r) }
