package client

// What the tests share: a hub behind pipes that can be started anew, and a client
// that writes down all it is told.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/internal/pipe"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// passAuth takes passes for tokens: "alice" is alice's for ever, "alice/90s" ends.
type passAuth struct{}

func (passAuth) AuthenticateToken(_ context.Context, token string) (usercast.Identity, error) {
	user, ttl, ends := strings.Cut(token, "/")
	switch {
	case user == "":
		return usercast.Identity{}, usercast.ErrTokenMissing
	case user == "refused":
		return usercast.Identity{}, usercast.ErrTokenInvalid
	}
	id := usercast.Identity{UserID: user}
	if ends {
		ttl, _, _ = strings.Cut(ttl, ".") // what follows makes it long
		d, err := time.ParseDuration(ttl)
		if err != nil {
			return usercast.Identity{}, err
		}
		id.ExpiresAt = time.Now().Add(d)
	}
	return id, nil
}

func (a passAuth) Authenticate(r *http.Request) (usercast.Identity, error) {
	return a.AuthenticateToken(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
}

// A site is a hub being served, or whatever stands in its place.
type site struct {
	t       *testing.T
	cfg     usercast.Config
	ln      *pipe.Listener
	srv     *http.Server
	hub     *usercast.Hub
	handler atomic.Pointer[http.Handler]

	mu    sync.Mutex
	down  bool // dialling fails
	hang  bool // dialling waits for its context to end
	lines []*line
	dials []time.Time
	tune  func(n int, l *line) // before the n-th line (from 0) is used
}

func newSite(t *testing.T, cfg usercast.Config) *site {
	t.Helper()
	if cfg.Auth == nil {
		cfg.Auth = passAuth{}
	}
	cfg.Logger = quiet
	s := newServer(t, nil)
	s.cfg = cfg
	s.start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.hub.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return s
}

// newServer serves h in a hub's place.
func newServer(t *testing.T, h http.Handler) *site {
	s := &site{t: t, ln: pipe.Listen()}
	if h != nil {
		s.handler.Store(&h)
	}
	s.srv = &http.Server{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.handler.Load()).ServeHTTP(w, r) }),
		ErrorLog: slog.NewLogLogger(quiet.Handler(), slog.LevelError),
	}
	go s.srv.Serve(s.ln)
	t.Cleanup(func() { s.srv.Close() })
	return s
}

// newScript serves WebSockets by hand: fn has the n-th connection, from 0.
func newScript(t *testing.T, fn func(n int, ws *websocket.Conn, r *http.Request)) *site {
	var count atomic.Int32
	var running sync.WaitGroup
	s := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocolV1}})
		if err != nil {
			return
		}
		defer ws.CloseNow()
		fn(int(count.Add(1))-1, ws, r)
	}))
	t.Cleanup(running.Wait) // the server knows nothing of them
	return s
}

func (s *site) start() {
	hub, err := usercast.New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.hub = hub
	h := http.Handler(hub)
	s.handler.Store(&h)
}

// restart is a new process: another epoch and nothing kept.
func (s *site) restart() {
	s.t.Helper()
	if err := s.hub.Shutdown(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	s.start()
}

func (s *site) dial(ctx context.Context) (net.Conn, error) {
	s.mu.Lock()
	s.dials = append(s.dials, time.Now())
	down, hang, tune := s.down, s.hang, s.tune
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if down {
		return nil, errors.New("no route to the hub")
	}
	client, server := net.Pipe()
	l := &line{Conn: client, cutIn: -1, cutOut: -1, over: make(chan struct{})}
	s.mu.Lock()
	n := len(s.lines)
	s.lines = append(s.lines, l)
	s.mu.Unlock()
	if tune != nil {
		tune(n, l)
	}
	if err := s.ln.Hand(ctx, server); err != nil {
		return nil, err
	}
	return l, nil
}

func (s *site) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *site) setHang(hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = hang
}

func (s *site) dialled() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.dials...)
}

// line returns the newest line.
func (s *site) line() *line { return s.nth(-1) }

// nth returns a line, -1 for the newest.
func (s *site) nth(n int) *line {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 0 {
		n += len(s.lines)
	}
	if n < 0 || n >= len(s.lines) {
		s.t.Fatalf("no such line: there are %d", len(s.lines))
	}
	return s.lines[n]
}

func (s *site) broadcast(user, typ string, payload any) usercast.Timestamp {
	s.t.Helper()
	return s.send(user, usercast.Event{Type: typ, Payload: payload})
}

func (s *site) send(user string, ev usercast.Event) usercast.Timestamp {
	s.t.Helper()
	ts, err := s.hub.BroadcastContext(context.Background(), user, ev)
	if err != nil {
		s.t.Fatalf("Broadcast(%q, %v): %v", user, ev.Type, err)
	}
	return ts
}

// A subject is a client under test and what it was told.
type subject struct {
	*Client
	t    *testing.T
	site *site

	mu     sync.Mutex
	events []Event
	states []State
	hellos []Hello
	gaps   []Gap
	errs   []error
	saved  []usercast.Cursor
	log    []string // all of it, in order

	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run
}

// client makes a client of alice's on the site's lines. Callbacks that cfg has are
// called too.
func (s *site) client(cfg Config) *subject {
	s.t.Helper()
	x := &subject{t: s.t, site: s}
	if cfg.URL == "" {
		cfg.URL = "ws://hub.example.com/ws"
	}
	if cfg.Token == nil {
		cfg.Token = func(context.Context, TokenReason) (string, error) { return "alice", nil }
	}
	if cfg.Dial == nil {
		cfg.Dial = s.dial
	}
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	theirs := cfg
	cfg.OnState = func(st State) {
		x.note(func() { x.states = append(x.states, st) }, "%s", st.Phase)
		call(theirs.OnState, st)
	}
	cfg.OnConnect = func(h Hello) {
		x.note(func() { x.hellos = append(x.hellos, h) }, "hello %s", h.Verdict)
		call(theirs.OnConnect, h)
	}
	cfg.OnGap = func(g Gap) {
		x.note(func() { x.gaps = append(x.gaps, g) }, "gap %s", g.Reason)
		call(theirs.OnGap, g)
	}
	cfg.OnError = func(err error) {
		x.note(func() { x.errs = append(x.errs, err) }, "error")
		call(theirs.OnError, err)
	}
	cfg.SaveCursor = func(c usercast.Cursor) error {
		x.note(func() { x.saved = append(x.saved, c) }, "save")
		if theirs.SaveCursor != nil {
			return theirs.SaveCursor(c)
		}
		return nil
	}
	c, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	x.Client = c
	c.On("*", func(ev Event) { x.note(func() { x.events = append(x.events, ev) }, "%s", ev.Type) })
	return x
}

func call[T any](fn func(T), v T) {
	if fn != nil {
		fn(v)
	}
}

func (x *subject) note(add func(), format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	add()
	x.log = append(x.log, fmt.Sprintf(format, args...))
}

// start calls Run in the background; stop, or the test's end, ends it.
func (x *subject) start() *subject {
	ctx, cancel := context.WithCancel(context.Background())
	x.cancel, x.done = cancel, make(chan struct{})
	go func() {
		defer close(x.done)
		x.err = x.Run(ctx)
	}()
	x.t.Cleanup(func() { x.stop() })
	return x
}

func (x *subject) stop() error {
	x.cancel()
	<-x.done
	return x.err
}

// ended returns what Run returned, and whether it has.
func (x *subject) ended() (error, bool) {
	select {
	case <-x.done:
		return x.err, true
	default:
		return nil, false
	}
}

// journal returns what the client was told, without saves and states.
func (x *subject) journal() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []string
	for _, s := range x.log {
		switch Phase(s) {
		case "save", Idle, Connecting, Connected, Reconnecting, Closed:
		default:
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

func snapshot[T any](x *subject, list *[]T) []T {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]T(nil), *list...)
}

// payloads returns the events' payloads, in order.
func (x *subject) payloads() string {
	var out []string
	for _, ev := range snapshot(x, &x.events) {
		out = append(out, string(ev.Payload))
	}
	return strings.Join(out, " ")
}

func (x *subject) noErrors() {
	x.t.Helper()
	for _, err := range snapshot(x, &x.errs) {
		x.t.Errorf("OnError: %v", err)
	}
}

// numbers is "0 1 2 … n-1", as payloads writes them.
func numbers(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return strings.Join(out, " ")
}
