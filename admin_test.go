package usercast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const adminSecret = "0123456789abcdef0123456789abcdef"

// adminSite serves a hub with its Admin beside it: a handshake that asks for the
// host's X-Route goes there.
func adminSite(t testing.TB, cfg Config) (*site, http.Handler) {
	s := newSite(t, cfg)
	admin := Admin(s.hub, AdminToken(adminSecret))
	s.srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if route := r.Header.Get("X-Route"); route != "" {
			r.URL.Path = route
			admin.ServeHTTP(w, r)
			return
		}
		s.hub.ServeHTTP(w, r)
	})
	return s, admin
}

// ask sends a request with the admin's token; header lines are pairs.
func ask(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "app.example.com"
	r.Header.Set("Authorization", "Bearer "+adminSecret)
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// answerOf decodes a JSON answer.
func answerOf[T any](t testing.TB, w *httptest.ResponseRecorder, status int) (v T) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("got %d %s, want %d", w.Code, w.Body, status)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("body %q: %v", w.Body, err)
	}
	return v
}

func TestAdminSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, admin := adminSite(t, Config{})
		d := s.dial("user=alice&device=phone")
		d.must("hub.live")
		other := s.dial("user=bob")
		other.must("hub.live")

		sent := answerOf[sendAnswer](t, ask(admin, "POST", "/send", `{"user":"alice","type":"A","payload":{"n":1}}`), 200)
		if f := d.must("A"); string(f.Payload) != `{"n":1}` || f.Timestamp != sent.Timestamp || f.Timestamp == 0 {
			t.Errorf("got %s, want the payload and the timestamp %v that was answered", f.Raw, sent.Timestamp)
		}
		answerOf[sendAnswer](t, ask(admin, "POST", "/send", `{"user":"alice","type":"NOT_FOR_PHONE","except":"phone"}`), 200)
		answerOf[sendAnswer](t, ask(admin, "POST", "/send", `{"user":"alice","type":"JOB_PROGRESS","key":"job:1","payload":[1]}`), 200)
		if f := d.must("JOB_PROGRESS"); f.Key != "job:1" || f.Class != "latest" {
			t.Errorf("got %s, want the latest of job:1", f.Raw)
		}
		many := answerOf[sendAnswer](t, ask(admin, "POST", "/send", `{"users":["bob","alice","bob"],"type":"M"}`), 200)
		if many != (sendAnswer{Users: 2}) {
			t.Errorf("users: got %+v, want 2 users", many)
		}
		if f := d.must("M"); string(f.Payload) != "null" {
			t.Errorf("got %s, want a payload that is null", f.Raw)
		}
		other.must("M")
		if all := answerOf[sendAnswer](t, ask(admin, "POST", "/send", `{"all":true,"type":"E"}`), 200); all.Scope != "all" {
			t.Errorf("all: got %+v, want its scope", all)
		}
		if f := d.must("E"); f.Scope != "all" {
			t.Errorf("got %s, want scope all", f.Raw)
		}
		other.must("E")
		if want := "usercast: admin: send"; strings.Count(s.logs.String(), want) != 5 {
			t.Errorf("logged %d sends, want 5:\n%s", strings.Count(s.logs.String(), want), s.logs)
		}
	})
}

var adminKeyed = DefineKeyed("TEST_ADMIN_KEYED", Latest, testJobKey)

// What cannot be sent names the field and how to do better, and changes nothing.
func TestAdminRefusesToSend(t *testing.T) {
	classify := func(ev Event) Class {
		switch ev.Type {
		case "PANICS":
			panic("no class")
		case "CLASSLESS":
			return 9
		}
		return DefaultClassify(ev)
	}
	s, admin := adminSite(t, Config{MaxEventBytes: 1000, Classify: classify})
	for body, want := range map[string]struct {
		status int
		field  string
	}{
		`{"type":"A"}`:                                                  {400, "user"},
		`{"user":"","type":"A"}`:                                        {400, "user"},
		`{"user":"a","all":true,"type":"A"}`:                            {400, "user"},
		`{"users":[],"type":"A"}`:                                       {400, "user"},
		`{"users":["a",""],"type":"A"}`:                                 {400, "users"},
		`{"user":"` + strings.Repeat("a", 129) + `"}`:                   {400, "user"},
		`{"user":"a"}`:                                                  {400, "type"},
		`{"user":"a","type":"hub.live"}`:                                {400, "type"},
		`{"user":"a","type":"CLASSLESS","key":"k"}`:                     {400, "type"},
		`{"user":"a","type":7}`:                                         {400, "type"},
		`{"user":"a","type":"TEST_ADMIN_KEYED"}`:                        {400, "key"},
		`{"user":"a","type":"A","key":"` + long(257) + `"}`:             {400, "key"},
		`{"user":"a","type":"A","except":"` + long(65) + `"}`:           {400, "except"},
		`{"user":"a","type":"A","payload":"` + long(1000) + `"}`:        {413, "payload"},
		`{"user":"a","type":"A","payload":"` + long(1000+64<<10) + `"}`: {413, "payload"},
		`{"user":"a","type":"A","payloads":1}`:                          {400, "payloads"},
		`{"user":"a","type":"A","payload":"` + "\xff" + `"}`:            {400, ""},
		`{"user":"a","type":"A"}{}`:                                     {400, ""},
		`{"user":"a","type":"A"`:                                        {400, ""},
		`["a"]`:                                                         {400, ""},
		``:                                                              {400, ""},
		`{"user":"a","type":"PANICS"}`:                                  {500, ""},
	} {
		name := fmt.Sprintf("%.60s", body)
		got := answerOf[problem](t, ask(admin, "POST", "/send", body), want.status)
		if got.Field != want.field {
			t.Errorf("%s: got field %q (%s), want %q", name, got.Field, got.Err, want.field)
		}
		if got.Err == "" || got.Fix == "" && want.status < 500 {
			t.Errorf("%s: got %+v, want an error and a fix", name, got)
		}
		if strings.Contains(got.Err, "goroutine") {
			t.Errorf("%s: a stack reaches the client: %s", name, got.Err)
		}
	}
	if stats := s.hub.Stats(); stats.Broadcasts[Buffered]+stats.Broadcasts[Transient]+stats.Broadcasts[Latest] != 0 || stats.Logs != 0 {
		t.Errorf("got %+v, want nothing sent", stats)
	}
	for _, route := range []string{"/send", "/disconnect"} { // before it is decoded
		if got := answerOf[problem](t, ask(admin, "POST", route, long(1000+64<<10+1)), 413); got.Err != "body too large" {
			t.Errorf("%s: got %+v, want body too large", route, got)
		}
	}
	s.stop()
	if got := answerOf[problem](t, ask(admin, "POST", "/send", `{"user":"a","type":"A"}`), 503); got.Fix == "" {
		t.Errorf("after Shutdown: got %+v, want a fix", got)
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// A stranger gets nowhere, whatever way the token is carried that is none.
func TestAdminRefusesStrangers(t *testing.T) {
	s, admin := adminSite(t, Config{OriginPatterns: []string{"https://partner.example"}})
	strangers := map[string]struct {
		status int
		header []string
	}{
		"no token":         {401, []string{"Authorization", ""}},
		"another token":    {401, []string{"Authorization", "Bearer " + strings.ToUpper(adminSecret)}},
		"a part of it":     {401, []string{"Authorization", "Bearer " + adminSecret[:31]}},
		"more than it":     {401, []string{"Authorization", "Bearer " + adminSecret + "0"}},
		"basic":            {401, []string{"Authorization", "Basic " + adminSecret}},
		"in a cookie":      {401, []string{"Authorization", "", "Cookie", "token=" + adminSecret}},
		"a huge one":       {401, []string{"Authorization", "Bearer " + long(maxTokenBytes+1)}},
		"another site":     {403, []string{"Origin", "https://evil.example"}},
		"a partner's page": {403, []string{"Origin", "https://partner.example"}},
		"no origin":        {403, []string{"Origin", "null"}},
		"a cross-site GET": {403, []string{"Sec-Fetch-Site", "cross-site"}},
		"a sister site":    {403, []string{"Sec-Fetch-Site", "same-site"}},
	}
	routes := [][2]string{{"POST", "/send"}, {"POST", "/disconnect"}, {"GET", "/stats"}, {"GET", "/events"}, {"GET", "/none"}}
	for name, c := range strangers {
		for _, route := range routes {
			path := route[1] + "?token=" + adminSecret // in the URL it is none
			w := ask(admin, route[0], path, `{"user":"alice","type":"A"}`, c.header...)
			if got := answerOf[problem](t, w, c.status); got.Err == "" || strings.Contains(w.Body.String(), adminSecret) {
				t.Errorf("%s, %s: got %s, want an error without the token", name, route[1], w.Body)
			}
			if got := w.Header().Get("WWW-Authenticate"); (c.status == 401) != (got == "Bearer") {
				t.Errorf("%s, %s: WWW-Authenticate %q with %d", name, route[1], got, c.status)
			}
		}
	}
	for _, header := range [][]string{
		{"Origin", "https://app.example.com"},
		{"Sec-Fetch-Site", "same-origin"},
		{"Sec-Fetch-Site", "none"},
		{"Authorization", "", "Sec-WebSocket-Protocol", "usercast.v1, " + bearerProtocol(adminSecret)},
	} {
		if w := ask(admin, "GET", "/stats", "", header...); w.Code != 200 {
			t.Errorf("%v: got %d %s, want 200", header, w.Code, w.Body)
		}
	}
	if strings.Contains(s.logs.String(), adminSecret) {
		t.Errorf("the token is in the log:\n%s", s.logs)
	}
	if got := s.hub.Stats().Logs; got != 0 {
		t.Errorf("%d logs, want nothing done", got)
	}
}

// Whatever else the token is compared by, all of it counts.
func TestAdminTokenIsComparedWhole(t *testing.T) {
	auth := AdminToken(adminSecret)
	for i := range len(adminSecret) * 256 {
		guess := []byte(adminSecret)
		guess[i/256] = byte(i)
		r := &http.Request{Header: http.Header{"Authorization": {"Bearer " + string(guess)}}}
		if err := auth(r); (err == nil) != (string(guess) == adminSecret) {
			t.Fatalf("%q for %q: got %v", guess, adminSecret, err)
		}
	}
}

// A body that does not come ends the request, not only the client's patience.
func TestAdminWaitsForNoBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := adminSite(t, Config{})
		start := time.Now()
		d := s.sendRequest("POST / HTTP/1.1\r\nHost: app.example.com\r\n" + adminHeader + "\r\nX-Route: /send\r\n" +
			"Content-Length: 100\r\n\r\n{\"user\":")
		if got := d.refusal(); got.Status != 400 || time.Since(start) != handshakeTimeout {
			t.Errorf("got %+v after %v, want 400 after %v", got, time.Since(start), handshakeTimeout)
		}
	})
}

// An application's own auth refuses by the same errors as an Authenticator, and its
// panic is contained; neither shows the token.
func TestAdminAuth(t *testing.T) {
	s := newSite(t, Config{})
	for name, c := range map[string]struct {
		auth   func(*http.Request) error
		status int
		text   string
	}{
		"any error":   {func(r *http.Request) error { return errors.New("not an operator: " + r.Header.Get("Authorization")) }, 401, "token invalid"},
		"origin":      {func(*http.Request) error { return ErrOrigin }, 403, "origin not allowed"},
		"unavailable": {func(*http.Request) error { return fmt.Errorf("%w: database", ErrUnavailable) }, 503, "authentication is unavailable"},
		"panic":       {func(r *http.Request) error { panic("with " + r.Header.Get("Authorization")) }, 500, "internal error"},
		"too slow": {func(r *http.Request) error {
			_, ok := r.Context().Deadline()
			return map[bool]error{true: context.DeadlineExceeded}[ok]
		}, 503, "authentication is unavailable"},
	} {
		got := answerOf[problem](t, ask(Admin(s.hub, c.auth), "GET", "/stats", ""), c.status)
		if got.Err != c.text {
			t.Errorf("%s: got %q, want %q", name, got.Err, c.text)
		}
	}
	if strings.Contains(s.logs.String(), adminSecret) {
		t.Errorf("the token is in the log:\n%s", s.logs)
	}
	if got := s.hub.Stats().Panics; got != 1 {
		t.Errorf("Stats.Panics: got %d, want 1", got)
	}
}

func TestAdminRoutes(t *testing.T) {
	_, admin := adminSite(t, Config{})
	for _, c := range []struct {
		method, path string
		status       int
		allow, in    string
	}{
		{"GET", "/send", 405, "POST", "GET"},
		{"PUT", "/disconnect", 405, "POST", "PUT"},
		{"POST", "/stats", 405, "GET", "POST"},
		{"POST", "/events", 405, "GET", "POST"},
		{"POST", "/tail", 405, "GET", "POST"},
		{"GET", "/admin/usercast/stats", 404, "", "no such route"},
		{"GET", "/", 404, "", "no such route"},
		{"GET", "/tail", 426, "", "WebSocket"},
	} {
		w := ask(admin, c.method, c.path, "")
		if got := answerOf[problem](t, w, c.status); !strings.Contains(got.Err, c.in) || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: got %q, Allow %q; want %q, %q", c.method, c.path, got.Err, w.Header().Get("Allow"), c.in, c.allow)
		}
	}
}

func TestAdminStats(t *testing.T) {
	s, admin := adminSite(t, Config{})
	s.broadcast("alice", ev("A", nil))
	w := ask(admin, "GET", "/stats", "")
	got := answerOf[map[string]any](t, w, 200)
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Stats]()) {
		if _, ok := got[f.Name]; !ok {
			t.Errorf("%s is missing", f.Name)
		}
	}
	if want := (map[string]any{"buffered": 1.0, "transient": 0.0, "latest": 0.0}); !reflect.DeepEqual(got["Broadcasts"], want) {
		t.Errorf("Broadcasts: got %v, want %v", got["Broadcasts"], want)
	}
	if got["Logs"] != 1.0 {
		t.Errorf("Logs: got %v, want 1", got["Logs"])
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: got %q, want no-store", got)
	}
}

func TestAdminEvents(t *testing.T) {
	s, admin := adminSite(t, Config{})
	before, _ := Defined().Lookup("TEST_ADMIN_KEYED")
	if err := adminKeyed.Broadcast(s.hub, "alice", testJob{JobID: "1"}); err != nil {
		t.Fatal(err)
	}
	list := answerOf[[]map[string]any](t, ask(admin, "GET", "/events", ""), 200)
	if len(list) != len(Defined()) {
		t.Errorf("%d events, want %d", len(list), len(Defined()))
	}
	i := slices.IndexFunc(list, func(e map[string]any) bool { return e["name"] == "TEST_ADMIN_KEYED" })
	if i < 0 {
		t.Fatalf("TEST_ADMIN_KEYED is missing: %v", list)
	}
	want := map[string]any{"name": "TEST_ADMIN_KEYED", "class": "latest", "keyed": true, "payload": "usercast.testJob",
		"doc": "", "source": before.Source, "sent": float64(before.Sent + 1)}
	if !reflect.DeepEqual(list[i], want) {
		t.Errorf("got %v, want %v", list[i], want)
	}
}

func TestAdminDisconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, admin := adminSite(t, Config{})
		a, b := s.dial("user=alice"), s.dial("user=bob")
		a.must("hub.live")
		b.must("hub.live")
		got := answerOf[map[string]int](t, ask(admin, "POST", "/disconnect", `{"user":"alice","reason":"stolen phone"}`), 200)
		if got["closed"] != 1 {
			t.Errorf("got %v, want 1 closed", got)
		}
		if code, reason := a.closedSoon(); code != CloseRevoked || reason != "stolen phone" {
			t.Errorf("got %d %q, want 4403 stolen phone", code, reason)
		}
		for _, body := range []string{`{}`, `{"user":""}`, `{"user":"bob","type":"A"}`} {
			if got := answerOf[problem](t, ask(admin, "POST", "/disconnect", body), 400); got.Field == "" || got.Fix == "" {
				t.Errorf("%s: got %+v, want a field and a fix", body, got)
			}
		}
		s.broadcast("bob", ev("B", nil))
		b.must("B") // is still there
	})
}

// What could never work is said when the program starts, not when somebody asks.
func TestAdminConstruction(t *testing.T) {
	hub := newQuietHub(t, Config{})
	auth := AdminToken(adminSecret)
	for want, construct := range map[string]func(){
		"hub is nil":          func() { Admin(nil, auth) },
		"auth is nil":         func() { Admin(hub, nil) },
		"the token has 0":     func() { AdminToken("") },
		"the token has 31":    func() { AdminToken(adminSecret[1:]) },
		"the token has 8193":  func() { AdminToken(long(maxTokenBytes + 1)) },
		"is there a line":     func() { AdminToken(adminSecret + "\n") },
		"other characters":    func() { AdminToken(adminSecret + "é") },
		"has white space or ": func() { AdminToken(adminSecret + " " + adminSecret) },
	} {
		func() {
			defer func() {
				text := fmt.Sprint(recover())
				if !strings.HasPrefix(text, "usercast: Admin") || !strings.Contains(text, want) || strings.Contains(text, adminSecret[1:]) {
					t.Errorf("got panic %q, want one with %q and without the token", text, want)
				}
			}()
			construct()
		}()
	}
	Admin(hub, auth)
	AdminToken(long(maxTokenBytes))
}
