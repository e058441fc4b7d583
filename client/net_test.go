package client

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/usercast-go/usercast"
)

// serve runs a hub on loopback, as it is in the world.
func serve(t *testing.T, secure bool) (*usercast.Hub, *httptest.Server) {
	t.Helper()
	hub, err := usercast.New(usercast.Config{Auth: passAuth{}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(hub)
	srv.Config.ErrorLog = slog.NewLogLogger(quiet.Handler(), slog.LevelError)
	if secure {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	warm(t, hub, srv)
	return hub, srv
}

// warm makes the first connection, for which the hub starts goroutines that stay.
func warm(t *testing.T, hub *usercast.Hub, srv *httptest.Server) {
	t.Helper()
	c, err := New(Config{URL: srv.URL, Logger: quiet, HTTPClient: srv.Client(),
		Token: func(context.Context, TokenReason) (string, error) { return "warm", nil }})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Run(t.Context()) }()
	await(t, "live", func() bool { return !c.State().Stale })
	c.Close()
	<-done
	await(t, "the hub's end", func() bool { return hub.Connections("warm") == 0 })
}

// await fails the test if ok does not come true within a time that a busy machine keeps.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestOnTCP: every scheme and every way to dial, with an event there and a message
// back; and when Run has returned no goroutine is left.
func TestOnTCP(t *testing.T) {
	hub, srv := serve(t, false)
	secureHub, secure := serve(t, true)
	defer srv.Close()
	defer secure.Close()
	defer hub.Shutdown(context.Background())
	defer secureHub.Shutdown(context.Background())
	dial := func(addr net.Addr) func(context.Context) (net.Conn, error) {
		return func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr.String())
		}
	}
	secureDial := func(ctx context.Context) (net.Conn, error) {
		return (&tls.Dialer{Config: secure.Client().Transport.(*http.Transport).TLSClientConfig}).
			DialContext(ctx, "tcp", secure.Listener.Addr().String())
	}
	for _, tt := range []struct {
		name string
		hub  *usercast.Hub
		cfg  Config
	}{
		{"http", hub, Config{URL: srv.URL}},
		{"ws", hub, Config{URL: strings.Replace(srv.URL, "http", "ws", 1)}},
		{"HTTPClient", hub, Config{URL: srv.URL, HTTPClient: &http.Client{Timeout: time.Minute}}},
		{"Dial", hub, Config{URL: "ws://hub", Dial: dial(srv.Listener.Addr())}},
		{"https", secureHub, Config{URL: secure.URL, HTTPClient: secure.Client()}},
		{"wss", secureHub, Config{URL: strings.Replace(secure.URL, "http", "ws", 1), HTTPClient: secure.Client()}},
		{"TLS by Dial", secureHub, Config{URL: "ws://hub", Dial: secureDial}},
	} {
		t.Run(tt.name, func(t *testing.T) { thereAndBack(t, tt.hub, tt.cfg) })
	}
}

func thereAndBack(t *testing.T, hub *usercast.Hub, cfg Config) {
	before := runtime.NumGoroutine()
	got := make(chan string, 1)
	cfg.Token = func(context.Context, TokenReason) (string, error) { return "alice", nil }
	cfg.Logger = quiet
	cfg.OnError = func(err error) { t.Errorf("OnError: %v", err) }
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	On(c, "E", func(s string, _ Meta) { got <- s })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	await(t, "live", func() bool { return !c.State().Stale })
	if err := hub.Broadcast("alice", usercast.Event{Type: "E", Payload: t.Name()}); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != t.Name() {
		t.Errorf("got %q, want %q", s, t.Name())
	}
	if err := c.Send(ctx, []byte("hello")); err != nil {
		t.Errorf("Send: %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v, want context.Canceled", err)
	}
	await(t, "the hub's end", func() bool { return hub.Connections("alice") == 0 })
	await(t, "goroutines back to where they were", func() bool { return runtime.NumGoroutine() <= before })
}

// TestLeavesNothing: many runs that end in every way leave no goroutine behind.
// (Every other test runs in a bubble that fails when one is left.)
func TestLeavesNothing(t *testing.T) {
	hub, srv := serve(t, false)
	defer srv.Close()
	defer hub.Shutdown(context.Background())
	before := runtime.NumGoroutine()
	for i := range 40 {
		token := "alice"
		if i%4 == 1 {
			token = "refused"
		}
		c, err := New(Config{
			URL: srv.URL, Logger: quiet, MinBackoff: time.Millisecond,
			Token: func(context.Context, TokenReason) (string, error) { return token, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		switch i % 4 {
		case 0: // in the middle of whatever it is
			time.Sleep(time.Duration(i) * 100 * time.Microsecond)
			cancel()
		case 1:
			await(t, "a refusal", func() bool { return c.State().Attempt > 1 })
			c.Close()
		case 2:
			await(t, "live", func() bool { return !c.State().Stale })
			hub.Disconnect("alice", "bye")
		case 3:
			await(t, "live", func() bool { return !c.State().Stale })
			c.Reconnect()
			time.Sleep(time.Duration(i) * 50 * time.Microsecond)
			c.Close()
		}
		<-done
		cancel()
	}
	await(t, "goroutines back to where they were", func() bool { return runtime.NumGoroutine() <= before })
}

// TestWrongCertificate is a failed attempt that says why, and not what the URL hides.
func TestWrongCertificate(t *testing.T) {
	hub, srv := serve(t, true)
	defer srv.Close()
	defer hub.Shutdown(context.Background())
	c, err := New(Config{URL: srv.URL + "?token=secret", Logger: quiet, Header: http.Header{"X": {"y"}}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Run(t.Context()) }()
	await(t, "a failure", func() bool { return c.State().Attempt > 0 })
	if st := c.State(); !strings.Contains(st.Reason, "certificate") || strings.Contains(st.Reason, "secret") {
		t.Errorf("state %+v, want the certificate and no secret", st)
	}
	c.Close()
	<-done
}
