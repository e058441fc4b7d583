package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usercast-go/usercast"
)

// invoke runs the command in this process, as main does.
func invoke(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, said bytes.Buffer
	code = run(&environment{ctx: t.Context(), stdin: strings.NewReader(stdin), stdout: &out, stderr: &said}, args)
	return out.String(), said.String(), code
}

const adminToken = "f27a3d09f4ad1bd0a7fb1d3d2dbf3a52"

// A site is a server with a hub and its admin handler, on 127.0.0.1.
type site struct {
	t   *testing.T
	srv *httptest.Server
	hub atomic.Pointer[usercast.Hub]

	mu    sync.Mutex
	conns []net.Conn
	down  bool // connections are closed as they come
}

// newSite starts a site and makes it the one that commands talk to.
func newSite(t *testing.T, cfg usercast.Config) *site {
	s := &site{t: t}
	s.start(cfg)
	s.srv = httptest.NewUnstartedServer(http.StripPrefix("/admin", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		usercast.Admin(s.hub.Load(), usercast.AdminToken(adminToken)).ServeHTTP(w, r)
	})))
	s.srv.Listener = &cuttable{s.srv.Listener, s}
	s.srv.Start()
	t.Cleanup(func() {
		s.stop()
		s.srv.Close()
	})
	t.Setenv("USERCAST_ADMIN_URL", s.srv.URL+"/admin")
	t.Setenv("USERCAST_ADMIN_TOKEN", adminToken)
	return s
}

// start puts a new hub in the place of the last.
func (s *site) start(cfg usercast.Config) {
	s.t.Helper()
	cfg.Auth = usercast.AuthenticatorFunc(func(*http.Request) (usercast.Identity, error) {
		return usercast.Identity{}, usercast.ErrTokenInvalid
	})
	cfg.Logger = slog.New(slog.DiscardHandler)
	hub, err := usercast.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.hub.Store(hub)
}

func (s *site) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.hub.Load().Shutdown(ctx); err != nil {
		s.t.Errorf("Shutdown: %v", err)
	}
}

func (s *site) broadcast(user, typ string, payload any) {
	s.t.Helper()
	if err := s.hub.Load().Broadcast(user, usercast.Event{Type: typ, Payload: payload}); err != nil {
		s.t.Fatal(err)
	}
}

// cut breaks all connections, and those to come until it is called with false.
func (s *site) cut(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	if down {
		for _, c := range s.conns {
			c.Close()
		}
		s.conns = nil
	}
}

// A cuttable is a listener whose connections can be cut.
type cuttable struct {
	net.Listener
	site *site
}

func (l *cuttable) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.site.mu.Lock()
	defer l.site.mu.Unlock()
	if l.site.down {
		c.Close()
	} else {
		l.site.conns = append(l.site.conns, c)
	}
	return c, nil
}

// A screen takes what a command writes, and waits for it.
type screen struct {
	mu   sync.Mutex
	cond sync.Cond
	text strings.Builder
	over bool
}

func newScreen() *screen {
	s := new(screen)
	s.cond.L = &s.mu
	return s
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cond.Broadcast()
	return s.text.Write(p)
}

// wait returns the text as soon as part is in it.
func (s *screen) wait(t *testing.T, part string) string {
	t.Helper()
	limit := time.AfterFunc(2*time.Minute, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.over = true
		s.cond.Broadcast()
	})
	defer limit.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !strings.Contains(s.text.String(), part) {
		if s.over {
			t.Fatalf("no %q in:\n%s", part, s.text.String())
		}
		s.cond.Wait()
	}
	return s.text.String()
}

// A running is a command that goes on.
type running struct {
	t        *testing.T
	out, err *screen
	stop     context.CancelFunc
	code     chan int
}

// begin runs a command in the background. stdout is nil for a screen.
func begin(t *testing.T, stdout io.Writer, args ...string) *running {
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, out: newScreen(), err: newScreen(), stop: stop, code: make(chan int, 1)}
	if stdout == nil {
		stdout = r.out
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.code <- run(&environment{ctx: ctx, stdin: strings.NewReader(""), stdout: stdout, stderr: r.err}, args)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return r
}

// end waits for the command's status.
func (r *running) end() int {
	r.t.Helper()
	select {
	case code := <-r.code:
		return code
	case <-time.After(2 * time.Minute):
		r.t.Fatal("the command does not end")
		return -1
	}
}
