package dbtest

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

// The test runs its own program as a server, and kills it. These tell that it is one.
const (
	childDriver = "USERCAST_DBTEST_DRIVER"
	childDSN    = "USERCAST_DBTEST_DSN"
	childStall  = "USERCAST_DBTEST_STALL" // for ever, between the commit and the flush
)

// A stalling hub never comes to send anything.
type stalling struct{ *usercast.Hub }

func (stalling) Broadcast(string, usercast.Event) error {
	fmt.Println("committed")
	select {}
}

// child is a server until its standard input ends: POST /orders and POST /behind make
// an order, without and with the middleware, GET /orders lists them, /ws is the hub.
func child() int {
	fail := func(err error) int { fmt.Fprintln(os.Stderr, err); return 1 }
	db, err := sql.Open(os.Getenv(childDriver), os.Getenv(childDSN))
	if err != nil {
		return fail(err)
	}
	hub, err := usercast.New(usercast.Config{
		Auth: usercast.AuthenticatorFunc(func(*http.Request) (usercast.Identity, error) {
			return usercast.Identity{UserID: "alice"}, nil
		}),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fail(err)
	}
	var to usercast.Broadcaster = hub
	if os.Getenv(childStall) != "" {
		to = stalling{hub}
	}
	create := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := emit.Tx(r.Context(), db, to, nil, func(tx *sql.Tx, out *emit.Outbox) error {
			return insert(tx, out, r.FormValue("id"))
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	mux := http.NewServeMux()
	mux.Handle("/ws", hub)
	mux.Handle("POST /orders", create)
	mux.Handle("POST /behind", emit.Middleware(to)(create))
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		ids, err := newShop(nil, db).all()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, strings.Join(ids, " "))
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fail(err)
	}
	go http.Serve(ln, mux)
	fmt.Println(ln.Addr())
	io.Copy(io.Discard, os.Stdin) // the test has ended, or does without us
	return 0
}

// A server is a child and its address.
type server struct {
	url  string
	cmd  *exec.Cmd
	said *bufio.Scanner
	end  func() // as its operator would
}

func startServer(t *testing.T, e engine, dsn string, stall bool) *server {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDriver+"="+e.driver, childDSN+"="+dsn)
	if stall {
		cmd.Env = append(cmd.Env, childStall+"=1")
	}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd, said: bufio.NewScanner(stdout), end: func() { stdin.Close(); cmd.Wait() }}
	t.Cleanup(s.end)
	s.url = "http://" + s.hears(t)
	return s
}

// hears returns the next line that the server says.
func (s *server) hears(t *testing.T) string {
	t.Helper()
	if !s.said.Scan() {
		t.Fatalf("the server has ended: %v", s.said.Err())
	}
	return s.said.Text()
}

// A frame is what a device hears.
type frame struct {
	Type      string         `json:"type"`
	Key       string         `json:"key"`
	Payload   map[string]any `json:"payload"`
	Timestamp string         `json:"timestamp"`
}

type device struct {
	t  *testing.T
	ws *websocket.Conn
}

func connect(t *testing.T, s *server, query string) *device {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, s.url+"/ws?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return &device{t, ws}
}

func (d *device) read() (f frame, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, b, err := d.ws.Read(ctx)
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	return f, err
}

// hears reads one event and checks its type.
func (d *device) hears(typ string) frame {
	d.t.Helper()
	f, err := d.read()
	if err != nil || f.Type != typ {
		d.t.Fatalf("the device hears %+v, %v; want %s", f, err, typ)
	}
	return f
}

// post makes an order and returns the status, 0 if there was no response.
func (s *server) post(path, id string) int {
	resp, err := http.PostForm(s.url+path, url.Values{"id": {id}})
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (s *server) orders(t *testing.T) string {
	t.Helper()
	resp, err := http.Get(s.url + "/orders")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("GET /orders: %s %s, %v", resp.Status, b, err)
	}
	return string(b)
}

// A process is killed between the commit and the flush. This is what the package
// documentation says of it: the data is there and the event is lost; the device
// is told of a gap by whoever takes over, fetches its state, and has missed nothing.
func TestKilledBetweenCommitAndFlush(t *testing.T) {
	forEach(t, func(t *testing.T, e engine) {
		for _, tc := range []struct {
			path   string
			status int // of the request
		}{
			{"/orders", 0},                  // it died with the request
			{"/behind", http.StatusCreated}, // the response was out
		} {
			t.Run(tc.path[1:], func(t *testing.T) { killed(t, e, tc.path, tc.status) })
		}
	})
}

func killed(t *testing.T, e engine, path string, status int) {
	db, dsn := e.open(t)
	first := startServer(t, e, dsn, false)
	want(t, "status", first.post(path, "a"), http.StatusCreated)
	first.end()

	// A server that will die, and a device on it.
	second := startServer(t, e, dsn, true)
	d := connect(t, second, "")
	hello := d.hears("hub.hello")
	d.hears("hub.live")
	answered := make(chan int)
	go func() { answered <- second.post(path, "b") }()
	want(t, "the server says", second.hears(t), "committed")
	if status != 0 {
		want(t, "status, while the event waits", <-answered, status)
	}
	if err := second.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if status == 0 {
		want(t, "status", <-answered, status)
	}
	if f, err := d.read(); err == nil {
		t.Errorf("the device hears %+v from a process that was killed", f)
	}
	want(t, "orders in the database", newShop(t, db).orders(), "a b")

	// Another takes over. The device comes back with what it knows.
	third := startServer(t, e, dsn, false)
	d = connect(t, third, url.Values{
		"epoch":       {fmt.Sprint(hello.Payload["epoch"])},
		"lastEventTs": {hello.Timestamp},
	}.Encode())
	again := d.hears("hub.hello")
	want(t, "verdict", fmt.Sprint(again.Payload["verdict"], " ", again.Payload["reason"]), "gap restarted")
	d.hears("hub.gap")
	want(t, "orders that the device fetches", third.orders(t), "a b")
	d.hears("hub.live") // and no ORDER_CREATED before it: the event of b is lost
	want(t, "status", third.post(path, "c"), http.StatusCreated)
	want(t, "the device hears of order", d.hears("ORDER_CREATED").Key, "c")
}
