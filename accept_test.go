package usercast

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// failingAuth refuses everyone by err.
func failingAuth(err error) Authenticator {
	return AuthenticatorFunc(func(*http.Request) (Identity, error) { return Identity{}, err })
}

// identityAuth takes everyone for id.
func identityAuth(id Identity) Authenticator {
	return AuthenticatorFunc(func(*http.Request) (Identity, error) { return id, nil })
}

// sendRequest sends a handshake as it stands and reads the head of the answer.
func (s *site) sendRequest(raw string) *device {
	s.t.Helper()
	d := &device{t: s.t, c: s.conn()}
	d.r = bufio.NewReader(d.c)
	go io.WriteString(d.c, raw)
	var err error
	if d.resp, err = http.ReadResponse(d.r, nil); err != nil {
		s.t.Fatalf("no answer to %.200q: %v", raw, err)
	}
	return d
}

// A said is what a refused client is told.
type said struct {
	Status int    // 101 if it was told by close code
	Code   int    `json:"code"`
	Error  string `json:"error"`
}

// refusal reads why the client was refused, by either way.
func (d *device) refusal() (r said) {
	d.t.Helper()
	if d.resp.StatusCode == http.StatusSwitchingProtocols {
		code, reason := d.closedSoon()
		return said{101, code, reason}
	}
	body, err := io.ReadAll(d.resp.Body)
	if err == nil {
		err = json.Unmarshal(body, &r)
	}
	if err != nil {
		d.t.Errorf("%s: body %q: %v", d.resp.Status, body, err)
	}
	if got, want := d.resp.Header.Get("Content-Type"), "application/json; charset=utf-8"; got != want {
		d.t.Errorf("%s: content type %q, want %q", d.resp.Status, got, want)
	}
	r.Status = d.resp.StatusCode
	return r
}

// closedSoon is closed, but gives up after a minute: a test must not hang because
// a connection does not end.
func (d *device) closedSoon() (code int, reason string) {
	d.c.SetReadDeadline(time.Now().Add(time.Minute))
	return d.closed()
}

// Every refusal, as a client hears it that knows nothing of close codes and as
// one hears it that offers usercast.v1.
func TestRefusals(t *testing.T) {
	replace := func(old, new string) func(string) string {
		return func(raw string) string { return strings.Replace(raw, old, new, 1) }
	}
	shutDown := func(s *site) {
		if err := s.hub.Shutdown(context.Background()); err != nil {
			s.t.Errorf("Shutdown: %v", err)
		}
	}
	const key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	for name, c := range map[string]struct {
		cfg    Config
		before func(*site)
		query  string
		header string
		edit   func(string) string

		counted string // in Stats.Refused
		want    said
		always  bool              // by HTTP to v1 clients too
		headers map[string]string // of the answer by HTTP
	}{
		"no token": {counted: "token", want: said{401, 4401, "token missing"}, headers: map[string]string{"WWW-Authenticate": "Bearer"}},
		"bad token": {cfg: Config{Auth: failingAuth(errors.New("who?"))}, counted: "token",
			want: said{401, 4401, "token invalid"}, headers: map[string]string{"WWW-Authenticate": "Bearer"}},
		"expired":           {cfg: Config{Auth: failingAuth(ErrTokenExpired)}, counted: "token", want: said{401, 4401, "token expired"}},
		"ends now":          {query: "user=alice&ttl=0s", counted: "token", want: said{401, 4401, "token expired"}},
		"ended in 1 BC":     {cfg: Config{Auth: identityAuth(Identity{UserID: "alice", ExpiresAt: time.Unix(-1e17, 0)})}, counted: "token", want: said{401, 4401, "token expired"}},
		"nobody":            {cfg: Config{Auth: identityAuth(Identity{})}, counted: "token", want: said{401, 4401, "token invalid"}},
		"long user":         {query: "user=" + strings.Repeat("a", MaxUserIDBytes+1), counted: "token", want: said{401, 4401, "token invalid"}},
		"user bytes":        {query: "user=%ff", counted: "token", want: said{401, 4401, "token invalid"}},
		"origin":            {query: "user=alice", header: "Origin: https://evil.example", counted: "origin", want: said{403, 0, "origin not allowed"}, always: true},
		"ErrOrigin":         {cfg: Config{Auth: failingAuth(fmt.Errorf("cookie: %w", ErrOrigin))}, counted: "origin", want: said{403, 0, "origin not allowed"}, always: true},
		"not an upgrade":    {edit: replace("Upgrade: websocket\r\n", ""), counted: "upgrade", want: said{426, 0, "this is a WebSocket endpoint"}, always: true, headers: map[string]string{"Upgrade": "websocket", "Connection": "Upgrade"}},
		"another upgrade":   {edit: replace("Upgrade: websocket", "Upgrade: h2c"), counted: "upgrade", want: said{426, 0, "this is a WebSocket endpoint"}, always: true},
		"no connection":     {edit: replace("Connection: Upgrade", "Connection: keep-alive"), counted: "upgrade", want: said{426, 0, "this is a WebSocket endpoint"}, always: true},
		"hub full":          {cfg: Config{MaxConns: 1}, before: func(s *site) { s.dial("user=bob") }, query: "user=alice", counted: "full", want: said{429, 4429, "hub full"}, headers: map[string]string{"Retry-After": "1"}},
		"shutdown":          {before: shutDown, query: "user=alice", counted: "shutdown", want: said{503, 1012, "restarting; spreadMs=1000"}, headers: map[string]string{"Retry-After": "1"}},
		"unavailable":       {cfg: Config{Auth: failingAuth(fmt.Errorf("redis: %w", ErrUnavailable))}, counted: "unavailable", want: said{503, 1013, "authentication is unavailable"}, headers: map[string]string{"Retry-After": "1"}},
		"panic in Auth":     {cfg: Config{Auth: AuthenticatorFunc(func(*http.Request) (Identity, error) { panic("no") })}, counted: "panic", want: said{500, 1011, "internal error"}},
		"nil panic in Auth": {cfg: Config{Auth: AuthenticatorFunc(nil)}, counted: "panic", want: said{500, 1011, "internal error"}},
		"bad device":        {query: "user=alice&device=a%20b", counted: "request", want: said{400, 1008, "device: at most 64 of A-Z a-z 0-9 _ -"}},
		"long device":       {query: "user=alice&device=" + strings.Repeat("d", 65), counted: "request", want: said{400, 1008, "device: at most 64 of A-Z a-z 0-9 _ -"}},
		"long query":        {query: "user=alice&x=" + strings.Repeat("x", maxQueryBytes), counted: "request", want: said{400, 1008, "query of over 32768 bytes"}},
		"other version": {query: "user=alice", edit: replace("Version: 13", "Version: 8"), counted: "request",
			want: said{400, 1008, `unsupported WebSocket protocol version (only 13 is supported): "8"`}, always: true, headers: map[string]string{"Sec-WebSocket-Version": "13"}},
		"no key":   {query: "user=alice", edit: replace(key, ""), counted: "request", want: said{400, 1008, "missing Sec-WebSocket-Key"}, always: true},
		"bad key":  {query: "user=alice", edit: replace(key, "Sec-WebSocket-Key: AAAA\r\n"), counted: "request", want: said{400, 1008, `invalid Sec-WebSocket-Key "AAAA", must be a 16 byte base64 encoded string`}, always: true},
		"two keys": {query: "user=alice", edit: replace(key, key+key), counted: "request", want: said{400, 1008, "multiple Sec-WebSocket-Key headers"}, always: true},
		"POST":     {query: "user=alice", edit: replace("GET", "POST"), counted: "request", want: said{400, 1008, `handshake request method is not GET but "POST"`}, always: true},
	} {
		for _, v1 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, v1 %v", name, v1), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSite(t, c.cfg)
					if c.before != nil {
						c.before(s)
					}
					var header []string
					if c.header != "" {
						header = append(header, c.header)
					}
					if v1 {
						header = append(header, v1Header)
					}
					raw := request(c.query, header...)
					if c.edit != nil {
						raw = c.edit(raw)
					}
					d := s.sendRequest(raw)
					want := c.want
					if v1 && !c.always {
						want.Status = 101
					}
					if got := d.refusal(); got != want {
						t.Errorf("got %+v, want %+v", got, want)
					}
					if want.Status != 101 {
						for name, value := range c.headers {
							if got := d.resp.Header.Get(name); got != value {
								t.Errorf("header %s: got %q, want %q", name, got, value)
							}
						}
						if got := d.resp.Header.Get("Sec-WebSocket-Accept"); got != "" {
							t.Errorf("Sec-WebSocket-Accept: got %q on a refusal, want none", got)
						}
					}
					refused := s.hub.Stats().Refused
					maps.DeleteFunc(refused, func(_ string, n uint64) bool { return n == 0 })
					if len(refused) != 1 || refused[c.counted] != 1 {
						t.Errorf("Stats.Refused: got %v, want one %s", refused, c.counted)
					}
				})
			})
		}
	}
}

func TestHubSurvivesPanicInAuth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		s := newSite(t, Config{Auth: AuthenticatorFunc(func(r *http.Request) (Identity, error) {
			if first {
				first = false
				panic("once")
			}
			return userAuth(r)
		})})
		d, err := s.open("user=alice")
		if err != nil || d.resp.StatusCode != 500 {
			t.Fatalf("got %v and %v, want 500", d.resp, err)
		}
		s.dial("user=alice").must("hub.live")
		if got := s.hub.Stats().Panics; got != 1 {
			t.Errorf("Stats.Panics: got %d, want 1", got)
		}
	})
}

func TestOnlyV1IsEchoed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bearer := bearerProtocol("secret")
		for offer, want := range map[string]string{
			"usercast.v1":                       "usercast.v1",
			"usercast.v2":                       "",
			"usercast.v10, usercast":            "",
			"usercast.v2, usercast.v1":          "usercast.v1",
			bearer:                              "",
			bearer + ", usercast.v1":            "usercast.v1",
			"usercast.v1, " + bearer:            "usercast.v1",
			"chat, " + bearer + ", usercast.v2": "",
		} {
			for _, query := range []string{"user=alice", ""} {
				s := newSite(t, Config{})
				d, err := s.open(query, "Sec-WebSocket-Protocol: "+offer)
				if err != nil {
					t.Fatal(err)
				}
				if query == "" && want == "" {
					if d.resp.StatusCode != 401 {
						t.Errorf("%q: got %s, want 401", offer, d.resp.Status)
					}
				} else if d.resp.StatusCode != 101 {
					t.Errorf("%q: got %s, want 101", offer, d.resp.Status)
				}
				if got := strings.Join(d.resp.Header.Values("Sec-WebSocket-Protocol"), "+"); got != want {
					t.Errorf("%q offered: %q echoed, want %q", offer, got, want)
				}
				d.c.Close()
				s.stop()
			}
		}
	})
}

// Compression stays off, whoever asks for it.
func TestNoCompression(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		for _, offer := range []string{
			"permessage-deflate",
			"permessage-deflate; client_max_window_bits; server_no_context_takeover",
			"x-webkit-deflate-frame",
		} {
			d := s.dial("user=alice", v1Header, "Sec-WebSocket-Extensions: "+offer)
			if got := d.resp.Header.Values("Sec-WebSocket-Extensions"); len(got) > 0 {
				t.Errorf("%q: %q negotiated, want nothing", offer, got)
			}
			d.must("hub.live")
			s.broadcast("alice", ev("LONG", strings.Repeat("a", 4000)))
			head, err := d.r.Peek(1)
			if err != nil || head[0] != 0x81 {
				t.Errorf("%q: the frame begins with % x (%v), want 81: no reserved bit", offer, head, err)
			}
			d.must("LONG")
			d.c.Close()
		}
	})
}

// Frames that come in one piece with the request are not lost with the server's buffer.
func TestEarlyData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int{0, 100, 3000, readLimit} {
			heard := make(chan string, 1)
			s := newSite(t, Config{OnMessage: func(_ ConnInfo, p []byte) { heard <- string(p) }})
			early := strings.Repeat("x", size)
			d := s.sendRequest(request("user=alice") + string(clientFrame(0x81, []byte(early))) + string(clientFrame(0x81, []byte("ping"))))
			d.until("pong")
			if got := <-heard; got != early {
				t.Errorf("%d bytes sent early: %d arrived", size, len(got))
			}
			d.c.Close()
			s.stop()
		}
	})
}

// An unwrapper is middleware that keeps its writer's methods within reach.
type unwrapper struct{ http.ResponseWriter }

func (u unwrapper) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// serveThrough puts middleware in front of the hub.
func serveThrough(t testing.TB, wrap func(http.ResponseWriter) http.ResponseWriter) *site {
	s := newSite(t, Config{})
	s.srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.hub.ServeHTTP(wrap(w), r) })
	return s
}

func TestMiddlewareThatUnwraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveThrough(t, func(w http.ResponseWriter) http.ResponseWriter { return unwrapper{unwrapper{w}} })
		d := s.dial("user=alice", v1Header)
		d.must("hub.live")
		s.broadcast("alice", ev("A", nil))
		d.must("A")
		refused, err := s.open("", v1Header)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := refused.refusal(), (said{101, 4401, "token missing"}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestMiddlewareThatHidesHijacker(t *testing.T) {
	for _, header := range []string{"X-Any: thing", v1Header} {
		t.Run(header, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serveThrough(t, func(w http.ResponseWriter) http.ResponseWriter { return struct{ http.ResponseWriter }{w} })
				d, err := s.open("user=alice", header)
				if err != nil {
					t.Fatal(err)
				}
				// A client that hears 101 would wait for frames for ever.
				if got := d.resp.StatusCode; got != 400 && got != 500 {
					t.Errorf("got %s, want 400 or 500", d.resp.Status)
				} else if got := d.refusal(); got.Error != "upgrade failed" {
					t.Errorf("got %+v, want upgrade failed", got)
				}
				if got := d.resp.Header.Get("Sec-WebSocket-Accept"); got != "" {
					t.Errorf("Sec-WebSocket-Accept: got %q, want none", got)
				}
				if logs := s.logs.String(); !strings.Contains(logs, "http.Hijacker") || !strings.Contains(logs, "Unwrap") {
					t.Errorf("the log does not name the cure:\n%s", logs)
				}
			})
		})
	}
}

func TestSlowAuthenticator(t *testing.T) {
	for name, c := range map[string]struct {
		auth   AuthenticatorFunc
		header string
		after  time.Duration
		want   said
	}{
		"heeds its context": {func(r *http.Request) (Identity, error) {
			<-r.Context().Done()
			return Identity{}, fmt.Errorf("sessions: %w", r.Context().Err())
		}, "X-Any: thing", 30 * time.Second, said{503, 1013, "authentication is unavailable"}},
		"heeds it, v1": {func(r *http.Request) (Identity, error) {
			<-r.Context().Done()
			return Identity{}, r.Context().Err()
		}, v1Header, 30 * time.Second, said{101, 1013, "authentication is unavailable"}},
		"does not, v1": {func(r *http.Request) (Identity, error) {
			time.Sleep(31 * time.Second)
			return Identity{UserID: "alice"}, nil
		}, v1Header, 31 * time.Second, said{101, 1013, "handshake took too long"}},
		"token ends meanwhile": {func(r *http.Request) (Identity, error) {
			end := time.Now().Add(10 * time.Second)
			time.Sleep(10 * time.Second)
			return Identity{UserID: "alice", ExpiresAt: end}, nil
		}, v1Header, 10 * time.Second, said{101, 4401, "token expired"}},
		"in time": {func(r *http.Request) (Identity, error) {
			time.Sleep(29 * time.Second)
			return Identity{}, ErrTokenInvalid
		}, v1Header, 29 * time.Second, said{101, 4401, "token invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: c.auth})
				start := time.Now()
				d, err := s.open("", c.header)
				if err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got != c.after {
					t.Errorf("answered after %v, want %v", got, c.after)
				}
				if got := d.refusal(); got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
			})
		})
	}
}
