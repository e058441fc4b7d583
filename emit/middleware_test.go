package emit

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// handle runs one request through a handler behind the middleware.
func handle(to usercast.Broadcaster, h http.HandlerFunc) (w *httptest.ResponseRecorder, panicked any) {
	w = httptest.NewRecorder()
	panicked, _ = catch(func() error {
		Middleware(to)(h).ServeHTTP(w, httptest.NewRequest("POST", "/orders", nil))
		return nil
	})
	return w, panicked
}

func TestMiddlewareByStatus(t *testing.T) {
	for name, tc := range map[string]struct {
		end    func(w http.ResponseWriter)
		status int
		sent   bool
		panics any
	}{
		"nothing written":   {func(http.ResponseWriter) {}, 200, true, nil},
		"a body":            {func(w http.ResponseWriter) { io.WriteString(w, "ok") }, 200, true, nil},
		"201":               {func(w http.ResponseWriter) { w.WriteHeader(201) }, 201, true, nil},
		"204":               {func(w http.ResponseWriter) { w.WriteHeader(204) }, 204, true, nil},
		"303":               {func(w http.ResponseWriter) { w.WriteHeader(303) }, 303, true, nil},
		"399":               {func(w http.ResponseWriter) { w.WriteHeader(399) }, 399, true, nil},
		"400":               {func(w http.ResponseWriter) { w.WriteHeader(400) }, 400, false, nil},
		"500":               {func(w http.ResponseWriter) { http.Error(w, "no", 500) }, 500, false, nil},
		"200, then 500":     {func(w http.ResponseWriter) { w.WriteHeader(200); w.WriteHeader(500) }, 200, true, nil},
		"500, flushed":      {func(w http.ResponseWriter) { w.WriteHeader(500); w.(http.Flusher).Flush() }, 500, false, nil},
		"panic":             {func(http.ResponseWriter) { panic("angry") }, 200, false, "angry"},
		"panic after a 200": {func(w http.ResponseWriter) { w.WriteHeader(200); panic(http.ErrAbortHandler) }, 200, false, http.ErrAbortHandler},
		"goexit":            {func(http.ResponseWriter) { runtime.Goexit() }, 200, false, "goexit"},
	} {
		t.Run(name, func(t *testing.T) {
			to, before := new(listener), Counters()
			w, panicked := handle(to, func(w http.ResponseWriter, r *http.Request) {
				From(r.Context()).Broadcast("alice", event("A", nil))
				tc.end(w)
				want(t, "sent by the handler's end", to.heard(), "")
			})
			want(t, "panic", panicked, tc.panics)
			want(t, "status", w.Code, tc.status)
			if tc.sent {
				want(t, "sent", to.heard(), "alice A")
				want(t, "counted", since(before), Stats{Collected: 1, Sent: 1})
			} else {
				want(t, "sent", to.heard(), "")
				want(t, "counted", since(before), Stats{Collected: 1, Discarded: 1})
			}
		})
	}
}

// What a transaction has committed is sent whatever becomes of the request, in its
// place among the other events, and after the response.
func TestMiddlewareSendsWhatWasCommitted(t *testing.T) {
	for name, tc := range map[string]struct {
		end    func(w http.ResponseWriter)
		panics any
		sent   string
	}{
		"200":   {func(w http.ResponseWriter) {}, nil, "alice BEFORE, alice A, alice B, alice AFTER"},
		"500":   {func(w http.ResponseWriter) { http.Error(w, "no", 500) }, nil, "alice A, alice B"},
		"panic": {func(w http.ResponseWriter) { panic("angry") }, "angry", "alice A, alice B"},
	} {
		t.Run(name, func(t *testing.T) {
			db, to, before := newFakeDB(t), new(listener), Counters()
			_, panicked := handle(to, func(w http.ResponseWriter, r *http.Request) {
				ctx, out := r.Context(), From(r.Context())
				out.Broadcast("alice", event("BEFORE", nil))
				Tx(ctx, db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "A"); return nil })
				Tx(ctx, db, out, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "B"); return nil })
				Tx(ctx, db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "C"); return errOops })
				out.Broadcast("alice", event("AFTER", nil))
				want(t, "sent before the response", to.heard(), "")
				want(t, "waiting", out.Len(), 4)
				tc.end(w)
			})
			want(t, "panic", panicked, tc.panics)
			want(t, "sent", to.heard(), tc.sent)
			s := since(before)
			want(t, "sent and discarded of 5", s.Sent+s.Discarded, 5)
		})
	}
}

// Discard is for what has not happened.
func TestDiscardKeepsWhatWasCommitted(t *testing.T) {
	db, to := newFakeDB(t), new(listener)
	handle(to, func(w http.ResponseWriter, r *http.Request) {
		out := From(r.Context())
		out.Broadcast("alice", event("BEFORE", nil))
		Tx(r.Context(), db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "A"); return nil })
		out.Discard()
		want(t, "waiting", out.Len(), 1)
	})
	want(t, "sent", to.heard(), "alice A")
}

// Bounds never lose what is committed: beyond them it does not wait for the response.
func TestMiddlewareBoundsOfWhatWasCommitted(t *testing.T) {
	db, to, logs := newFakeDB(t), new(listener), new(logBuffer)
	cfg := OutboxConfig{MaxEvents: 2, Logger: logs.logger()}
	cfg.Middleware(to)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := From(r.Context())
		commit := func(what string) {
			Tx(r.Context(), db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, what); return nil })
		}
		commit("A")
		out.Broadcast("alice", event("B", nil))
		want(t, "sent", to.heard(), "")
		if err := out.Broadcast("alice", event("C", nil)); !errors.Is(err, ErrFull) {
			t.Errorf("third of two: %v", err)
		}
		commit("D")
		want(t, "sent early", to.heard(), "alice A, alice D")
		want(t, "waiting", out.Len(), 1)
		http.Error(w, "no", 500)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	want(t, "sent", to.heard(), "")
	want(t, "logged by the request's logger", logs.lines(), 1)
}

// A Tx for another hub than the request's sends at once: the response is not its own.
func TestMiddlewareOfAnotherHub(t *testing.T) {
	db, to, other := newFakeDB(t), new(listener), new(listener)
	handle(to, func(w http.ResponseWriter, r *http.Request) {
		Tx(r.Context(), db, other, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "A"); return nil })
		want(t, "sent to the other", other.heard(), "alice A")
		// One that cannot be compared is another, too.
		odd := uncomparable{to: to, state: []int{1}}
		Tx(r.Context(), db, odd, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "B"); return nil })
		want(t, "sent", to.heard(), "alice B")
	})
	want(t, "sent", to.heard(), "")
}

type uncomparable struct {
	to    usercast.Broadcaster
	state any
}

func (u uncomparable) Broadcast(user string, ev usercast.Event) error {
	return u.to.Broadcast(user, ev)
}

func TestMiddlewareOutboxEnds(t *testing.T) {
	db, to, logs := newFakeDB(t), new(listener), new(logBuffer)
	var ctx context.Context
	cfg := OutboxConfig{Logger: logs.logger()}
	cfg.Middleware(to)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx = r.Context()
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if err := From(ctx).Broadcast("alice", event("LATE", nil)); !errors.Is(err, ErrEnded) {
		t.Errorf("got %v, want %v", err, ErrEnded)
	}
	want(t, "logged", logs.lines(), 1)
	// A transaction that outlives the request loses nothing.
	Tx(ctx, db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "A"); return nil })
	want(t, "sent", to.heard(), "alice A")
	// Nor does a request within a request that is over.
	Middleware(to)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want(t, "error", From(r.Context()).Broadcast("alice", event("B", nil)), nil)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	want(t, "sent", to.heard(), "alice B")
}

func TestMiddlewareTwice(t *testing.T) {
	to, other := new(listener), new(listener)
	mw := Middleware(to)
	for name, tc := range map[string]struct {
		inner     func(http.Handler) http.Handler
		inTo, all string
	}{
		"same hub":    {mw, "", "alice A"},
		"another hub": {Middleware(other), "", ""},
	} {
		w := httptest.NewRecorder()
		mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tc.inner(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				From(r.Context()).Broadcast("alice", event("A", nil))
			})).ServeHTTP(w, r)
			want(t, name+": sent by the inner one", to.heard(), tc.inTo)
		})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		want(t, name+": sent", to.heard(), tc.all)
	}
	want(t, "sent to the other hub", other.heard(), "alice A")
}

// Code that knows only its context emits with the transaction, if that is said.
func TestWithOutbox(t *testing.T) {
	db, other, to := newFakeDB(t), newFakeDB(t), new(listener)
	service := func(ctx context.Context, what string) { From(ctx).Broadcast("alice", event(what, nil)) }
	handle(to, func(w http.ResponseWriter, r *http.Request) {
		Tx(r.Context(), db, to, nil, func(tx *sql.Tx, out *Outbox) error {
			ctx := WithOutbox(r.Context(), out)
			service(ctx, "A")
			// Another transaction does not depend on the one around it.
			Tx(ctx, other, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "B"); return nil })
			return errOops
		})
		want(t, "waiting", From(r.Context()).Len(), 1)
	})
	want(t, "sent", to.heard(), "alice B")
	if From(WithOutbox(context.Background(), nil)).usable() {
		t.Error("a nil outbox in a context is one")
	}
}

// A pipeListener hands a server the far ends of pipes.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// serve runs a server on a pipe and returns the client's end.
func serve(t *testing.T, h http.Handler) net.Conn {
	client, server := net.Pipe()
	ln := make(pipeListener, 1)
	ln <- server
	var handlers sync.WaitGroup // Close does not wait for them, and what they count would be another test's
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handlers.Add(1)
		defer handlers.Done()
		h.ServeHTTP(w, r)
	})
	srv := &http.Server{Handler: counted, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(ln) }()
	t.Cleanup(func() {
		client.Close()
		close(ln)
		srv.Close()
		<-served
		handlers.Wait()
	})
	return client
}

// The response is complete at the client, with its Content-Length, before the first
// event is sent: what is sent to waits for it. Were it otherwise, all would block.
func TestResponseComesBeforeBroadcast(t *testing.T) {
	for name, respond := range map[string]func(w http.ResponseWriter){
		"empty":            func(w http.ResponseWriter) { w.WriteHeader(201) },
		"not a word":       func(w http.ResponseWriter) {},
		"small":            func(w http.ResponseWriter) { io.WriteString(w, `{"id":1}`) },
		"2 KiB":            func(w http.ResponseWriter) { w.Write(make([]byte, maxKept)) },
		"2 KiB by ReadAll": func(w http.ResponseWriter) { io.Copy(w, io.LimitReader(zeros{}, maxKept)) },
		"large": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100000")
			w.Write(make([]byte, 100_000))
		},
		"204": func(w http.ResponseWriter) { w.WriteHeader(204) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				received, sent := make(chan struct{}), make(chan struct{})
				to := &listener{hear: func(string, usercast.Event) error { <-received; close(sent); return nil }}
				c := serve(t, Middleware(to)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					From(r.Context()).Broadcast("alice", event("A", nil))
					respond(w)
				})))
				io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\n\r\n")
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != max(resp.ContentLength, 0) || len(resp.TransferEncoding) > 0 {
					t.Errorf("%d bytes, error %v, Content-Length %d, Transfer-Encoding %v", n, err, resp.ContentLength, resp.TransferEncoding)
				}
				close(received)
				<-sent
			})
		})
	}
}

// The same on HTTP/2, whose end of stream comes later.
func TestResponseComesBeforeBroadcastOnHTTP2(t *testing.T) {
	received, sent := make(chan struct{}), make(chan struct{})
	to := &listener{hear: func(string, usercast.Event) error { <-received; close(sent); return nil }}
	srv := httptest.NewUnstartedServer(Middleware(to)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		From(r.Context()).Broadcast("alice", event("A", nil))
		if _, ok := w.(http.Pusher); !ok {
			t.Error("the writer is no Pusher")
		}
		io.WriteString(w, "hello")
	})))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, body); err != nil || string(body) != "hello" {
		t.Errorf("body %q, %v", body, err)
	}
	want(t, "protocol", resp.Proto, "HTTP/2.0")
	want(t, "Content-Length", resp.ContentLength, 5)
	close(received)
	<-sent
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// The hub itself may be mounted behind the middleware.
func TestHubBehindMiddleware(t *testing.T) {
	hub, err := usercast.New(usercast.Config{
		Auth: usercast.AuthenticatorFunc(func(*http.Request) (usercast.Identity, error) {
			return usercast.Identity{UserID: "alice"}, nil
		}),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Shutdown(context.Background())
	mux := http.NewServeMux()
	mux.Handle("/ws", hub)
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		From(r.Context()).Broadcast("alice", event("PENDING_CREATED", map[string]int{"count": 1}))
	})
	srv := httptest.NewServer(Middleware(hub)(mux))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, srv.URL+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	read := func(typ string) {
		t.Helper()
		_, b, err := ws.Read(ctx)
		if err != nil || !strings.Contains(string(b), fmt.Sprintf(`"type":%q`, typ)) {
			t.Fatalf("read %s, %v; want %s", b, err, typ)
		}
	}
	read("hub.hello")
	read("hub.live")
	resp, err := http.Post(srv.URL+"/orders", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	read("PENDING_CREATED")
}
