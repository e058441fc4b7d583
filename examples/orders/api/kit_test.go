package api

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/jobs"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
	"github.com/usercast-go/usercast/usercasttest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var testSecret = []byte("0123456789abcdef0123456789abcdef")

// A site is the API with a hub, and three devices: anna's own, which sends the requests, anna's
// other one, and bruno's.
type site struct {
	*testing.T
	api   *API
	store *store.Store
	hub   *usercasttest.Server
	jobs  *fakeJobs
	url   string
	token map[string]string // by user
	logs  *lockedBuffer
	gone  chan string // users of connections that have ended

	own, other, stranger *usercasttest.Device

	handlers sync.WaitGroup // events are sent after the response
}

// each runs a test on a site with each database.
func each(t *testing.T, test func(s *site)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.Store) { test(newSite(t, db, nil)) })
}

// newSite makes a site. change may put something before the hub.
func newSite(t *testing.T, db *store.Store, change func(cfg *Config)) *site {
	t.Helper()
	s := &site{T: t, store: db, jobs: &fakeJobs{}, token: map[string]string{}, logs: new(lockedBuffer), gone: make(chan string, 100)}
	s.hub = usercasttest.NewServer(t, usercast.Config{OnDisconnect: func(c usercast.ConnInfo) { s.gone <- c.UserID }})
	cfg := Config{Store: db, Hub: s.hub.Hub(), Jobs: s.jobs, Secret: testSecret, Seed: 1, Logger: slog.New(slog.NewTextHandler(s.logs, nil))}
	if change != nil {
		change(&cfg)
	}
	var err error
	if s.api, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	handler := s.api.Handler()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.handlers.Add(1)
		defer s.handlers.Done()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	for _, user := range []string{"anna", "bruno"} {
		var g grant
		s.must(http.StatusOK, &g, "", "POST", "/api/login", map[string]string{"user": user})
		s.token[user] = g.Token
	}
	s.own = s.hub.Dial("anna", usercasttest.As("own"))
	s.other = s.hub.Dial("anna", usercasttest.As("other"))
	s.stranger = s.hub.Dial("bruno", usercasttest.As("stranger"))
	return s
}

// request sends a request of a user ("": nobody) and returns the answer.
func (s *site) request(user, method, path string, body any) (*http.Response, string) {
	s.Helper()
	var in io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			s.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, s.url+path, in)
	if err != nil {
		s.Fatal(err)
	}
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+s.token[user])
		r.Header.Set("X-Device", map[string]string{"anna": "own", "bruno": "stranger"}[user])
	}
	return s.send(r)
}

func (s *site) send(r *http.Request) (*http.Response, string) {
	s.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	s.handlers.Wait()
	return resp, string(text)
}

// must sends a request that is answered with a status, and reads the answer into v.
func (s *site) must(status int, v any, user, method, path string, body any) {
	s.Helper()
	resp, text := s.request(user, method, path, body)
	if resp.StatusCode != status {
		s.Fatalf("%s %s: got %d %s, want %d", method, path, resp.StatusCode, text, status)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		s.Fatalf("%s %s: %v: %s", method, path, err, text)
	}
}

// refuses sends a request that is refused: with a status, about a field, with words on what
// to do, and with no event.
func (s *site) refuses(status int, field, user, method, path string, body any) {
	s.Helper()
	resp, text := s.request(user, method, path, body)
	var p problem
	if err := json.Unmarshal([]byte(text), &p); err != nil || resp.StatusCode != status || p.Field != field || p.Message == "" || p.Fix == "" {
		s.Errorf("%s %s: got %d %s, want %d, field %q and a fix", method, path, resp.StatusCode, text, status, field)
	}
	s.heard("", "")
}

// heard fails unless anna's devices have heard just these events since they were last asked,
// and bruno's nothing.
func (s *site) heard(own, other string) {
	s.Helper()
	for _, d := range []struct {
		name   string
		device *usercasttest.Device
		want   string
	}{{"the device that sent the request", s.own, own}, {"the user's other device", s.other, other}, {"another user's", s.stranger, ""}} {
		d.device.Settle()
		var got []string
		for range d.device.Events() {
			got = append(got, d.device.Next().Type)
		}
		if types := strings.Join(got, " "); types != d.want {
			s.Errorf("%s heard %q, want %q", d.name, types, d.want)
		}
	}
}

// last returns the payload of the event that the user's other device has heard: the only one.
func last[T any](s *site, event usercast.EventType[T]) T {
	s.Helper()
	p := usercasttest.RequireEvent(s.other, event)
	s.heard("", "")
	return p
}

// customer is one of a user's customers.
func (s *site) customer(user string) string {
	s.Helper()
	rows, err := store.Customers(context.Background(), s.store.DB, user)
	if err != nil || len(rows) == 0 {
		s.Fatalf("got %d customers, %v", len(rows), err)
	}
	return rows[0].ID
}

// order is what a page sends of one.
func (s *site) order(note string) orderInput {
	s.Helper()
	return orderInput{CustomerID: s.customer("anna"), Note: note, Lines: []events.OrderLine{{Product: "Pan", Quantity: 2, PriceCents: 1250}}}
}

// rows counts a user's rows of a table.
func (s *site) rows(table, user string) (n int) {
	s.Helper()
	if err := s.store.DB.QueryRow(`SELECT count(*) FROM `+table+` WHERE user_name = $1`, user).Scan(&n); err != nil {
		s.Fatal(err)
	}
	return n
}

// fakeJobs take jobs and run none. Each leaves a notification as its row, and JOB_QUEUED.
type fakeJobs struct {
	mu       sync.Mutex
	requests []jobs.Request
	err      error // of every call, after what it does
}

func (f *fakeJobs) Enqueue(ctx context.Context, tx *sql.Tx, out *emit.Outbox, req jobs.Request) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, req)
	id := fmt.Sprint("job", len(f.requests))
	if _, err := store.AddNotification(ctx, tx, req.UserID, id, ""); err != nil {
		return "", err
	}
	events.Jobs.Queued.Except(req.Device).Broadcast(out, req.UserID, emit.JobQueued{JobID: id, Type: req.Type, EntityID: req.EntityID, EntityName: req.EntityName})
	return id, f.err
}

func (f *fakeJobs) Cancel(_ context.Context, userID, jobID string) error {
	if userID != "anna" || jobID != "job1" {
		return fmt.Errorf("%w: %s", jobs.ErrNotFound, jobID)
	}
	return f.err
}

func (f *fakeJobs) Retry(_ context.Context, userID, jobID, device string) (string, error) {
	if userID != "anna" || jobID != "job1" || device != "own" {
		return "", fmt.Errorf("%w: %s", jobs.ErrNotFound, jobID)
	}
	return "job2", f.err
}

func (f *fakeJobs) List(_ context.Context, userID string) ([]jobs.Job, error) {
	return []jobs.Job{{ID: "job1", Type: "submitOrder", EntityName: userID, Status: "queued"}}, f.err
}

// asked returns the newest request.
func (f *fakeJobs) asked() jobs.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[len(f.requests)-1]
}

// A lockedBuffer is a log to read.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
