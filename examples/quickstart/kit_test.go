package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// A site is the application being served on connections in memory, which work
// inside a synctest bubble.
type site struct {
	t      *testing.T
	app    *app
	server *httptest.Server
	client *http.Client
	logs   *logs
}

type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newSite(t *testing.T) *site {
	t.Helper()
	logs := new(logs)
	a, err := newApp([]byte("0123456789abcdef0123456789abcdef"), 5*time.Minute, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, app: a, logs: logs}
	ln := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	s.server = &httptest.Server{Listener: ln, Config: &http.Server{Handler: a.routes()}}
	s.server.Start()
	transport := &http.Transport{DialContext: ln.dial}
	s.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		if err := a.shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		transport.CloseIdleConnections()
		s.server.Close()
	})
	return s
}

// A socket is a device as the page is one.
type socket struct {
	t  *testing.T
	ws *websocket.Conn
}

type frame struct {
	Type, Key, Class, Timestamp string
	Payload                     json.RawMessage
}

func one(id string) string { return fmt.Sprintf(`{"orderIds":[%q],"count":1}`, id) }

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// do sends a request and returns its status and body. body may be text, which
// goes as it is, or a value.
func (s *site) do(method, path, token, device string, body any) (int, string) {
	s.t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		text = string(b)
	}
	r, err := http.NewRequest(method, "http://quickstart"+path, strings.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if device != "" {
		r.Header.Set("X-Device", device)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

// must is do with a status that must be, and the answer read into v.
func (s *site) must(status int, v any, method, path, token, device string, body any) {
	s.t.Helper()
	got, text := s.do(method, path, token, device, body)
	if got != status {
		s.t.Fatalf("%s %s: got %d %s, want %d", method, path, got, text, status)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

func (s *site) login(user string) (token string) {
	s.t.Helper()
	var answer struct{ Token string }
	s.must(http.StatusOK, &answer, "POST", "/login", "", "", map[string]string{"user": user})
	return answer.Token
}

func (s *site) state(token string) (st state) {
	s.t.Helper()
	s.must(http.StatusOK, &st, "GET", "/state", token, "", nil)
	return st
}

func (s *site) order(token, device, item string) (o order) {
	s.t.Helper()
	s.must(http.StatusCreated, &o, "POST", "/orders", token, device, orderInput{item, 1})
	return o
}

// connect connects a device from a cursor, nil for none, and returns what its
// hello says.
func (s *site) connect(token, device string, from *usercast.Cursor) (k *socket, verdict string) {
	s.t.Helper()
	query := "?device=" + device
	if from != nil {
		query += fmt.Sprintf("&epoch=%s&lastEventTs=%s&lastGlobalTs=%s", from.Epoch, from.LastEventTs, from.LastGlobalTs)
	}
	ws, _, err := websocket.Dial(context.Background(), "ws://quickstart/events"+query, &websocket.DialOptions{
		HTTPClient:   s.client,
		Subprotocols: []string{"usercast.v1", "usercast.bearer." + base64.RawURLEncoding.EncodeToString([]byte(token))},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { ws.CloseNow() })
	k = &socket{s.t, ws}
	f, err := k.read()
	if err != nil || f.Type != "hub.hello" {
		s.t.Fatalf("got %+v, %v, want hub.hello", f, err)
	}
	var hello struct{ Verdict string }
	if err := json.Unmarshal(f.Payload, &hello); err != nil {
		s.t.Fatal(err)
	}
	return k, hello.Verdict
}

func (k *socket) read() (f frame, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, b, err := k.ws.Read(ctx)
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(b, &f)
}

// next returns the next event that is not the hub's own.
func (k *socket) next() frame {
	k.t.Helper()
	for {
		f, err := k.read()
		if err != nil {
			k.t.Fatal(err)
		}
		if !strings.HasPrefix(f.Type, "hub.") {
			return f
		}
	}
}

// want fails unless the next event is of a type and has a payload.
func (k *socket) want(typ, payload string) frame {
	k.t.Helper()
	f := k.next()
	if f.Type != typ || string(f.Payload) != payload {
		k.t.Fatalf("got %s %s, want %s %s", f.Type, f.Payload, typ, payload)
	}
	return f
}

// wantProblem sends a request that must fail with a status and name a field.
func (s *site) wantProblem(status int, field, method, path, token, body string) {
	s.t.Helper()
	var p struct{ Error, Field string }
	s.must(status, &p, method, path, token, "", body)
	if p.Field != field || p.Error == "" || !strings.HasPrefix(p.Error, field) {
		s.t.Errorf("%s %s %.60s: got error %q with field %q, want field %q", method, path, body, p.Error, p.Field, field)
	}
}
