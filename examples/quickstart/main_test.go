package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
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

type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
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

// A socket is a device as the page is one.
type socket struct {
	t  *testing.T
	ws *websocket.Conn
}

type frame struct {
	Type, Key, Class, Timestamp string
	Payload                     json.RawMessage
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
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
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

func one(id string) string { return fmt.Sprintf(`{"orderIds":[%q],"count":1}`, id) }

func TestLogin(t *testing.T) {
	s := newSite(t)
	var answer struct {
		User, Token string
		ExpiresIn   int
	}
	s.must(http.StatusOK, &answer, "POST", "/login", "", "", `{"user":"  Ånn <b> "}`)
	if answer.User != "Ånn <b>" || answer.ExpiresIn != 300 {
		t.Errorf("got %q for %d s, want Ånn <b> for 300 s", answer.User, answer.ExpiresIn)
	}
	id, err := s.app.auth.AuthenticateToken(context.Background(), answer.Token)
	if err != nil || id.UserID != "Ånn <b>" {
		t.Errorf("token: got user %q, %v", id.UserID, err)
	}
	for _, test := range []struct {
		body, field string
		status      int
	}{
		{`{"user":""}`, "user", 422},
		{`{}`, "user", 422},
		{`{"user":"a\u0000b"}`, "user", 422},
		{`{"user":"` + strings.Repeat("ж", 33) + `"}`, "user", 422},
		{`{"user":7}`, "user", 422},
		{`{"name":"a"}`, "", 400},
	} {
		s.wantProblem(test.status, test.field, "POST", "/login", "", test.body)
	}
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

func TestTokens(t *testing.T) {
	s := newSite(t)
	expired, err := issuer{s.app.tokens.secret, -time.Minute}.issue("ann")
	if err != nil {
		t.Fatal(err)
	}
	forged, err := issuer{make([]byte, 32), time.Minute}.issue("ann")
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"", "x", expired, forged} {
		for _, route := range []string{"GET /state", "POST /orders", "PUT /orders/x", "DELETE /orders/x", "DELETE /orders", "POST /jobs"} {
			method, path, _ := strings.Cut(route, " ")
			if got, text := s.do(method, path, token, "", "{}"); got != http.StatusUnauthorized {
				t.Errorf("%s with token %.10q: got %d %s, want 401", route, token, got, text)
			}
		}
	}
	if _, err := newApp(make([]byte, 31), 5*time.Minute, slog.Default()); !errors.Is(err, usercast.ErrInvalidConfig) {
		t.Errorf("short secret: got %v", err)
	}
	if _, err := newApp(make([]byte, 32), time.Minute, slog.Default()); err == nil {
		t.Error("a token that ends before the hub's warning was accepted")
	}
}

func TestOrdersChange(t *testing.T) {
	s := newSite(t)
	ann, bob := s.login("ann"), s.login("bob")
	a := s.order(ann, "", " tea ")
	b := s.order(ann, "", "rice")
	if a.Item != "tea" || a.ID == b.ID {
		t.Errorf("got %+v and %+v", a, b)
	}
	s.must(http.StatusOK, &a, "PUT", "/orders/"+a.ID, ann, "", orderInput{"green tea", 3})
	if got := s.state(ann).Orders; len(got) != 2 || got[0] != a || got[1] != b || got[0].Item != "green tea" {
		t.Errorf("got %v, want %v and %v", got, a, b)
	}

	// Another user neither sees nor reaches them.
	if got := s.state(bob).Orders; got == nil || len(got) != 0 {
		t.Errorf("bob's orders: got %#v, want []", got)
	}
	s.wantProblem(http.StatusNotFound, "", "PUT", "/orders/"+a.ID, bob, `{"item":"x","quantity":1}`)
	s.wantProblem(http.StatusNotFound, "", "DELETE", "/orders/"+a.ID, bob, "")

	s.must(http.StatusOK, nil, "DELETE", "/orders/"+a.ID, ann, "", nil)
	s.wantProblem(http.StatusNotFound, "", "DELETE", "/orders/"+a.ID, ann, "")
	var all changed
	s.must(http.StatusOK, &all, "DELETE", "/orders", ann, "", nil)
	if all.Count != 1 || all.OrderIDs[0] != b.ID {
		t.Errorf("delete all: got %+v, want %s", all, b.ID)
	}
	s.must(http.StatusOK, &all, "DELETE", "/orders", ann, "", nil)
	if all.Count != 0 || len(s.state(ann).Orders) != 0 {
		t.Errorf("delete nothing: got %+v", all)
	}
}

func TestOrdersAreChecked(t *testing.T) {
	s := newSite(t)
	token := s.login("ann")
	o := s.order(token, "", "tea")
	for _, test := range []struct {
		body, field string
		status      int
	}{
		{`{"quantity":1}`, "item", 422},
		{`{"item":" ","quantity":1}`, "item", 422},
		{`{"item":"` + strings.Repeat("é", 81) + `","quantity":1}`, "item", 422},
		{`{"item":1,"quantity":1}`, "item", 422},
		{`{"item":"tea"}`, "quantity", 422},
		{`{"item":"tea","quantity":1000}`, "quantity", 422},
		{`{"item":"tea","quantity":-1}`, "quantity", 422},
		{`{"item":"tea","quantity":1.5}`, "quantity", 422},
		{`{"item":"tea","quantity":"1"}`, "quantity", 422},
		{`{"item":"tea","quantity":1,"price":2}`, "", 400},
		{`{"item":"tea","quantity":1}{}`, "", 400},
		{`{"item":"tea"`, "", 400},
		{`[]`, "", 400},
		{``, "", 400},
		{`{"item":"` + strings.Repeat("x", maxBody) + `","quantity":1}`, "", 413},
	} {
		s.wantProblem(test.status, test.field, "POST", "/orders", token, test.body)
		s.wantProblem(test.status, test.field, "PUT", "/orders/"+o.ID, token, test.body)
	}
	if got := s.state(token).Orders; len(got) != 1 || got[0] != o {
		t.Errorf("refused requests changed something: %v", got)
	}
	// The longest that is allowed.
	s.order(token, "", strings.Repeat("é", maxItemRunes))
}

func TestStoreIsBounded(t *testing.T) {
	s := newOrders()
	for range maxUserOrders {
		if _, err := s.create("ann", orderInput{}); err != nil {
			t.Fatal(err)
		}
	}
	var p *problem
	if _, err := s.create("ann", orderInput{}); !errors.As(err, &p) || p.Status != http.StatusConflict {
		t.Errorf("one order more: got %v", err)
	}
	for i := range maxUsers - 1 {
		if _, err := s.create(fmt.Sprint(i), orderInput{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.create("one more", orderInput{}); !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable {
		t.Errorf("one user more: got %v", err)
	}
	// All IDs of a user fit one event.
	site := newSite(t)
	if err := site.app.hub.Broadcast("ann", usercast.Event{Type: "PENDING_DELETED", Payload: changedOrders(s.deleteAll("ann")...)}); err != nil {
		t.Error(err)
	}
	if _, err := s.create("one more", orderInput{}); err != nil {
		t.Errorf("after a user left: %v", err)
	}
}

func TestWriteRespondBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		ann := s.login("ann")
		other, verdict := s.connect(ann, "two", nil)
		if verdict != "fresh" {
			t.Errorf("got verdict %s, want fresh", verdict)
		}
		bob, _ := s.connect(s.login("bob"), "two", nil)

		a, b := s.order(ann, "one", "tea"), s.order(ann, "one", "rice")
		other.want("PENDING_CREATED", one(a.ID))
		// Whoever hears of it finds it.
		if got := s.state(ann).Orders; len(got) != 2 {
			t.Errorf("after the event: got %v", got)
		}
		other.want("PENDING_CREATED", one(b.ID))
		s.must(http.StatusOK, nil, "PUT", "/orders/"+a.ID, ann, "one", orderInput{"tea", 2})
		other.want("PENDING_UPDATED", one(a.ID))
		s.must(http.StatusOK, nil, "DELETE", "/orders/"+a.ID, ann, "one", nil)
		other.want("PENDING_DELETED", one(a.ID))
		c := s.order(ann, "one", "salt")
		other.want("PENDING_CREATED", one(c.ID))
		s.must(http.StatusOK, nil, "DELETE", "/orders", ann, "one", nil)
		other.want("PENDING_DELETED", fmt.Sprintf(`{"orderIds":[%q,%q],"count":2}`, b.ID, c.ID))

		// A request that was refused says nothing, and an impossible device ID
		// does not suppress the event. The next thing each hears is this.
		s.wantProblem(422, "item", "POST", "/orders", ann, `{}`)
		last := s.order(ann, strings.Repeat("x", 65), "end")
		other.want("PENDING_CREATED", one(last.ID))
		mine := s.order(s.login("bob"), "", "his")
		bob.want("PENDING_CREATED", one(mine.ID))
	})
}

func TestNoEchoToTheDeviceThatAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		cursor := s.state(token).Cursor
		s.order(token, "one", "mine")
		theirs := s.order(token, "two", "theirs")
		// Nor at replay.
		k, verdict := s.connect(token, "one", &cursor)
		if verdict != "resumed" {
			t.Errorf("got verdict %s, want resumed", verdict)
		}
		k.want("PENDING_CREATED", one(theirs.ID))
		s.order(token, "one", "mine")
		theirs = s.order(token, "two", "theirs")
		k.want("PENDING_CREATED", one(theirs.ID))
	})
}

func TestCursorLeavesNoHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		before := s.order(token, "two", "before")
		st := s.state(token)
		if len(st.Orders) != 1 || st.Orders[0] != before {
			t.Errorf("state: got %v", st.Orders)
		}
		between := s.order(token, "two", "between") // fetched, and not yet connected
		k, verdict := s.connect(token, "one", &st.Cursor)
		if verdict != "resumed" {
			t.Errorf("got verdict %s, want resumed", verdict)
		}
		k.want("PENDING_CREATED", one(between.ID))
	})
}

func TestJobRunsToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		k, _ := s.connect(token, "two", nil)
		var j job
		began := time.Now()
		s.must(http.StatusAccepted, &j, "POST", "/jobs", token, "one", nil)
		started := k.want("JOB_STARTED", fmt.Sprintf(`{"jobId":%q,"type":"export","entityId":"orders","entityName":"All orders"}`, j.ID))
		if want := "job:" + j.ID; started.Key != want {
			t.Errorf("JOB_STARTED: got key %q, want %q", started.Key, want)
		}
		seen := -1
		for {
			f := k.next()
			if f.Key != "job:"+j.ID {
				t.Errorf("%s: got key %q", f.Type, f.Key)
			}
			if f.Type != "JOB_PROGRESS" {
				if f.Type != "JOB_COMPLETED" || !strings.Contains(string(f.Payload), `"result":"50 steps done"`) {
					t.Errorf("at the end: got %s %s", f.Type, f.Payload)
				}
				break
			}
			var p emit.JobProgress
			if err := json.Unmarshal(f.Payload, &p); err != nil || f.Class != "latest" || p.JobID != j.ID || p.Type != "export" ||
				p.Label == "" || p.Progress <= seen || p.Progress > 100 {
				t.Fatalf("after %d %%: got %s %s", seen, f.Class, f.Payload)
			}
			seen = p.Progress
		}
		if took := time.Since(began); seen != 98 || took != 10*time.Second {
			t.Errorf("got %d %% and %v, want 98 %% and 10s", seen, took)
		}
		if got := s.state(token).Jobs; len(got) != 1 || got[0].Status != jobIsCompleted || got[0].Progress != 100 {
			t.Errorf("state: got %+v", got)
		}
		// The end has cleared the newest progress: nothing old comes to a new device.
		late, _ := s.connect(token, "three", nil)
		o := s.order(token, "", "tea")
		late.want("PENDING_CREATED", one(o.ID))
	})
}

func TestJobResumesInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		cursor := s.state(token).Cursor
		s.must(http.StatusAccepted, nil, "POST", "/jobs", token, "one", nil)
		time.Sleep(5*time.Second + exportStep/2)
		k, verdict := s.connect(token, "two", &cursor)
		if verdict != "resumed" {
			t.Errorf("got verdict %s, want resumed", verdict)
		}
		if f := k.next(); f.Type != "JOB_STARTED" {
			t.Errorf("got %s, want JOB_STARTED", f.Type)
		}
		if f := k.next(); f.Type != "JOB_PROGRESS" || !strings.Contains(string(f.Payload), `"progress":50,`) {
			t.Errorf("got %s %s, want 50 %%", f.Type, f.Payload)
		}
	})
}

func TestJobsAreBoundedAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		for range 3 {
			for range maxUserJobs {
				s.must(http.StatusAccepted, nil, "POST", "/jobs", token, "", nil)
			}
			s.wantProblem(http.StatusTooManyRequests, "", "POST", "/jobs", token, "")
			time.Sleep(11 * time.Second)
		}
		if got := s.state(token).Jobs; len(got) != maxEndedJobs {
			t.Errorf("got %d jobs, want the last %d", len(got), maxEndedJobs)
		}
		s.must(http.StatusAccepted, nil, "POST", "/jobs", s.login("bob"), "", nil)
	})
}

func TestStopCancelsJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		var j job
		s.must(http.StatusAccepted, &j, "POST", "/jobs", token, "one", nil)
		k, _ := s.connect(token, "one", nil)
		time.Sleep(time.Second)
		ended := make(chan error, 1)
		go func() { ended <- s.app.shutdown(context.Background()) }()
		var last frame
		for {
			f, err := k.read()
			if err != nil {
				if got := websocket.CloseStatus(err); got != usercast.CloseRestarting {
					t.Errorf("got %v, want close code 1012", err)
				}
				break
			}
			last = f
		}
		if want := fmt.Sprintf(`{"jobId":%q,"type":"export"}`, j.ID); last.Type != "JOB_CANCELLED" || string(last.Payload) != want {
			t.Errorf("last event: got %s %s, want JOB_CANCELLED %s", last.Type, last.Payload, want)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.wantProblem(http.StatusServiceUnavailable, "", "POST", "/jobs", token, "")
	})
}

func TestJobThatFailsHasALastEvent(t *testing.T) {
	for name, do := range map[string]work{
		"panic": func(context.Context, *emit.Progress) (any, error) { panic("secret") },
		"error": func(context.Context, *emit.Progress) (any, error) { return nil, errors.New("secret") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				token := s.login("ann")
				k, _ := s.connect(token, "two", nil)
				j, err := s.app.jobs.start("ann", "export")
				if err != nil {
					t.Fatal(err)
				}
				s.app.runJob(context.Background(), emit.Job{ID: j.ID, UserID: "ann", Type: j.Type}, do)
				k.want("JOB_STARTED", fmt.Sprintf(`{"jobId":%q,"type":"export","entityId":"","entityName":""}`, j.ID))
				k.want("JOB_FAILED", fmt.Sprintf(`{"jobId":%q,"type":"export","error":"internal error"}`, j.ID))
				if got := s.state(token).Jobs[0].Status; got != jobIsFailed {
					t.Errorf("got status %s", got)
				}
				if !strings.Contains(s.logs.String(), "secret") {
					t.Error("the error was not logged")
				}
			})
		})
	}
}

type panicker struct{}

func (panicker) MarshalJSON() ([]byte, error) { panic("on purpose") }

func TestBroadcastNeverFailsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		poisoned := s.app.emitting(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			emit.From(r.Context()).Broadcast("ann", usercast.Event{Type: "POISON", Payload: panicker{}})
			w.WriteHeader(http.StatusCreated)
		}))
		w := httptest.NewRecorder()
		poisoned.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
		if !strings.Contains(s.logs.String(), "POISON") || w.Code != http.StatusCreated {
			t.Errorf("got status %d, want 201, and the panic in the log: %s", w.Code, s.logs)
		}
		if err := s.app.hub.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		o := s.order(token, "", "tea")
		s.must(http.StatusOK, nil, "PUT", "/orders/"+o.ID, token, "", orderInput{"tea", 2})
		s.must(http.StatusOK, nil, "DELETE", "/orders/"+o.ID, token, "", nil)
		synctest.Wait() // the responses are out before the events
		if got := strings.Count(s.logs.String(), "event not sent"); got != 3 {
			t.Errorf("got %d lines in the log, want 3: %s", got, s.logs)
		}
	})
}

func TestPage(t *testing.T) {
	s := newSite(t)
	for path, kind := range map[string]string{
		"/": "text/html", "/app.js": "text/javascript", "/usercast.js": "text/javascript", "/style.css": "text/css",
	} {
		resp, err := s.client.Get("http://quickstart" + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(got, kind) {
			t.Errorf("%s: got %d %s, want 200 %s", path, resp.StatusCode, got, kind)
		}
		if got := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; script-src 'self';") {
			t.Errorf("%s: got Content-Security-Policy %q", path, got)
		}
	}
	if got, _ := s.do("GET", "/nothing", "", "", nil); got != http.StatusNotFound {
		t.Errorf("/nothing: got %d, want 404", got)
	}
}

func TestRunStopsByItself(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := run(ctx, "127.0.0.1:0", nil, 5*time.Minute); err != nil {
		t.Errorf("got %v", err)
	}
	if err := run(ctx, "127.0.0.1:0", []byte("short"), 5*time.Minute); !errors.Is(err, usercast.ErrInvalidConfig) {
		t.Errorf("short secret: got %v", err)
	}
	if err := run(ctx, "nowhere:x", nil, 5*time.Minute); err == nil {
		t.Error("an impossible address was accepted")
	}
}

func TestPageURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:80": "http://127.0.0.1:80/",
		"0.0.0.0:81":   "http://localhost:81/",
		"[::]:82":      "http://localhost:82/",
		"[::1]:83":     "http://[::1]:83/",
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := pageURL(a); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}
