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
	"strconv"
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

func TestHostileCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		s.broadcast("alice", ev("A", 1))
		known := s.hub.Cursor("alice")
		for name, c := range map[string]struct {
			cursor  string
			verdict Verdict
			reason  GapReason
		}{
			"none":           {"", Fresh, ""},
			"the hub's own":  {known.LastEventTs.String(), Resumed, ""},
			"-1":             {"-1", Gap, GapUnknownCursor},
			"NaN":            {"NaN", Gap, GapUnknownCursor},
			"1e400":          {"1e400", Gap, GapUnknownCursor},
			"2^53+1":         {"9007199254740993", Gap, GapUnknownCursor},
			"float":          {"1.5", Gap, GapUnknownCursor},
			"a microsecond":  {(known.LastEventTs + 1).String(), Gap, GapUnknownCursor},
			"year 9999":      {"9999-12-31T23:59:59.999999Z", Gap, GapUnknownCursor},
			"year 10000":     {"10000-01-01T00:00:00Z", Gap, GapUnknownCursor},
			"before 1970":    {"1969-12-31T23:59:59Z", Gap, GapUnknownCursor},
			"before start":   {"1999-12-31T23:59:59Z", Gap, GapRestarted},
			"February 30":    {"2026-02-30T00:00:00Z", Gap, GapUnknownCursor},
			"NUL":            {"%00", Gap, GapUnknownCursor},
			"not UTF-8":      {"%ff%fe", Gap, GapUnknownCursor},
			"quotes":         {"%22,%22verdict%22:%22resumed", Gap, GapUnknownCursor},
			"16 KiB":         {strings.Repeat("9", 16<<10), Gap, GapUnknownCursor},
			"many fractions": {"2026-01-01T00:00:00." + strings.Repeat("0", 5000) + "Z", Gap, GapUnknownCursor},
		} {
			for _, epoch := range []string{"", "&epoch=" + known.Epoch} {
				d := s.dial("user=alice&lastEventTs=" + c.cursor + epoch)
				if d.hello.Verdict != c.verdict || d.hello.Reason != c.reason {
					t.Errorf("%s, %q: got %s %s, want %s %s", name, epoch, d.hello.Verdict, d.hello.Reason, c.verdict, c.reason)
				}
				d.c.Close()
			}
			// As everyone's cursor it is judged alike, but for the hub's own: that is
			// later than everyone's last, which nobody wrote to.
			if name != "none" && name != "the hub's own" {
				d := s.dial(resume("alice", known.Epoch, known.LastEventTs) + "&lastGlobalTs=" + c.cursor)
				if d.hello.Verdict != Gap || d.hello.Reason != c.reason {
					t.Errorf("%s, as lastGlobalTs: got %s %s, want gap %s", name, d.hello.Verdict, d.hello.Reason, c.reason)
				}
				d.c.Close()
			}
		}
		for name, query := range map[string]string{
			"another epoch":     "user=alice&lastEventTs=" + known.LastEventTs.String() + "&epoch=0123456789abcdef",
			"a long epoch":      "user=alice&lastEventTs=" + known.LastEventTs.String() + "&epoch=" + strings.Repeat("e", 16<<10),
			"an epoch of bytes": "user=alice&lastEventTs=" + known.LastEventTs.String() + "&epoch=%ff%00",
		} {
			d := s.dial(query)
			if d.hello.Verdict != Gap || d.hello.Reason != GapRestarted {
				t.Errorf("%s: got %s %s, want gap restarted", name, d.hello.Verdict, d.hello.Reason)
			}
			d.c.Close()
		}
		if got := s.hub.Stats().Panics; got != 0 {
			t.Errorf("Stats.Panics: got %d, want 0", got)
		}
	})
}

// A megabyte is answered before anything parses it.
func TestHostileCursorOfAMegabyte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		for _, param := range []string{"lastEventTs", "lastGlobalTs", "epoch", "nobody-asked"} {
			d := s.sendRequest(request("user=alice&" + param + "=" + strings.Repeat("9", 1e6)))
			if got, want := d.refusal(), (said{400, 1008, "query of over 32768 bytes"}); got != want {
				t.Errorf("%s: got %+v, want %+v", param, got, want)
			}
		}
	})
}

// Whoever knows another user's cursor learns nothing of what that user got.
func TestCursorOfAnotherUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		s.broadcast("alice", ev("ALICE", 1))
		time.Sleep(time.Second)
		cursor := s.hub.Cursor("bob")
		s.broadcast("bob", ev("BOB", "private"))
		for name, c := range map[string]struct {
			query   string
			verdict Verdict
		}{
			"bob's beginning": {resume("alice", cursor.Epoch, cursor.LastEventTs), Resumed},
			"bob's end":       {resume("alice", cursor.Epoch, s.hub.Cursor("bob").LastEventTs), Gap}, // alice has nothing as new
			"user twice":      {"user=alice&user=bob&lastEventTs=" + cursor.LastEventTs.String(), Resumed},
		} {
			d := s.dial(c.query)
			if d.hello.Verdict != c.verdict {
				t.Errorf("%s: got %s, want %s", name, d.hello.Verdict, c.verdict)
			}
			var types []string
			for _, f := range d.until("hub.live") {
				types = append(types, f.Type)
			}
			if got := strings.Join(types, " "); !strings.Contains(got, "ALICE") || strings.Contains(got, "BOB") {
				t.Errorf("%s: got %s, want ALICE and never BOB", name, got)
			}
			d.c.Close()
		}
	})
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

// A renewer authenticates handshakes by userAuth and tokens by itself.
type renewer func(ctx context.Context, token string) (Identity, error)

func (renewer) Authenticate(r *http.Request) (Identity, error) { return userAuth(r) }
func (f renewer) AuthenticateToken(ctx context.Context, token string) (Identity, error) {
	return f(ctx, token)
}

// lived waits for the connection's end, but not for ever, and returns its close
// code and how long after start it came.
func (c *collected) lived(start time.Time) (code int, after time.Duration) {
	select {
	case <-c.done:
		return c.closeCode(), time.Since(start)
	case <-time.After(10 * time.Minute):
		return 0, time.Since(start)
	}
}

// within says whether the sweeper, which looks every tickEvery, was on time.
func within(got, want time.Duration) bool { return want <= got && got <= want+tickEvery }

func TestRenewalExtends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{Auth: mustJWT(t, jwtConfig(nil))})
		start := time.Now()
		d := s.dial("token=" + mintUntil(t, "alice", start.Add(60*time.Second)))
		got := d.collect()
		time.Sleep(30 * time.Second)
		d.sendHubAuth(mintUntil(t, "alice", start.Add(90*time.Second)))
		time.Sleep(47 * time.Second) // not 50: a heartbeat is due then
		s.broadcast("alice", ev("AT_77_S", nil))
		code, after := got.lived(start)
		if code != CloseUnauthorized || !within(after, 90*time.Second+defaultLeeway) {
			t.Errorf("closed by %d after %v, want 4401 after 95 s", code, after)
		}
		if types := got.types(); !strings.HasSuffix(types, "AT_77_S") {
			t.Errorf("got %s, want AT_77_S at the end", types)
		}
		// One warning for each token.
		if n := strings.Count(got.types(), "hub.expiring"); n != 2 {
			t.Errorf("got %d hub.expiring in %s, want 2", n, got.types())
		}
	})
}

// A renewal may also bring the end nearer, or take it away.
func TestRenewalMovesTheEnd(t *testing.T) {
	end := func(after time.Duration) renewer {
		start := time.Now()
		return func(context.Context, string) (Identity, error) {
			id := Identity{UserID: "alice"}
			if after != 0 {
				id.ExpiresAt = start.Add(after)
			}
			return id, nil
		}
	}
	for name, c := range map[string]struct {
		after, want time.Duration
		code        int
	}{
		"nearer": {20 * time.Second, 20 * time.Second, CloseUnauthorized},
		"past":   {time.Second, 10 * time.Second, CloseUnauthorized},
		"never":  {0, 5 * time.Minute, 1006},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: end(c.after)})
				start := time.Now()
				d := s.dial("user=alice&ttl=60s")
				got := d.collect()
				time.Sleep(10 * time.Second)
				d.sendHubAuth("any")
				time.AfterFunc(5*time.Minute-10*time.Second, func() { d.c.Close() })
				if code, after := got.lived(start); code != c.code || !within(after, c.want) {
					t.Errorf("closed by %d after %v, want %d after %v", code, after, c.code, c.want)
				}
			})
		})
	}
}

func TestRenewalRefused(t *testing.T) {
	refuse := func(err error) Authenticator {
		return renewer(func(context.Context, string) (Identity, error) { return Identity{}, err })
	}
	for name, c := range map[string]struct {
		auth   Authenticator
		code   int
		reason string
		panics uint64
	}{
		"another user": {renewer(func(context.Context, string) (Identity, error) { return Identity{UserID: "bob"}, nil }), CloseRevoked, "token of another user", 0},
		"other case":   {renewer(func(context.Context, string) (Identity, error) { return Identity{UserID: "ALICE"}, nil }), CloseRevoked, "token of another user", 0},
		"nobody":       {renewer(func(context.Context, string) (Identity, error) { return Identity{}, nil }), CloseRevoked, "token of another user", 0},
		"bad":          {refuse(errors.New("who?")), CloseUnauthorized, "token invalid", 0},
		"invalid":      {refuse(ErrTokenInvalid), CloseUnauthorized, "token invalid", 0},
		"expired":      {refuse(ErrTokenExpired), CloseUnauthorized, "token expired", 0},
		"panic":        {renewer(func(context.Context, string) (Identity, error) { panic("no") }), CloseInternal, "authentication panicked", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: c.auth})
				d, other := s.dial("user=alice"), s.dial("user=alice")
				d.must("hub.live")
				other.must("hub.live")
				d.sendHubAuth("any")
				if code, reason := d.closedSoon(); code != c.code || reason != c.reason {
					t.Errorf("got %d %q, want %d %q", code, reason, c.code, c.reason)
				}
				if got := s.hub.Stats().Panics; got != c.panics {
					t.Errorf("Stats.Panics: got %d, want %d", got, c.panics)
				}
				s.broadcast("alice", ev("STILL", nil))
				other.must("STILL")
			})
		})
	}
}

// The answer that says nothing about the token leaves the connection as it was.
func TestRenewalUnavailable(t *testing.T) {
	for name, err := range map[string]error{
		"ErrUnavailable": fmt.Errorf("redis: %w", ErrUnavailable),
		"deadline":       fmt.Errorf("redis: %w", context.DeadlineExceeded),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: renewer(func(context.Context, string) (Identity, error) { return Identity{}, err })})
				start := time.Now()
				d := s.dial("user=alice&ttl=60s")
				got := d.collect()
				time.Sleep(30 * time.Second)
				d.sendHubAuth("any")
				time.Sleep(20 * time.Second)
				s.broadcast("alice", ev("AT_50_S", nil))
				if code, after := got.lived(start); code != CloseUnauthorized || !within(after, time.Minute) {
					t.Errorf("closed by %d after %v, want 4401 after 60 s", code, after)
				}
				if types := got.types(); !strings.HasSuffix(types, "AT_50_S") {
					t.Errorf("got %s, want AT_50_S at the end", types)
				}
				if logs := s.logs.String(); !strings.Contains(logs, "token not renewed") {
					t.Errorf("no warning in the log:\n%s", logs)
				}
			})
		})
	}
}

// An Authenticator that hangs gets 30 s, and its connection goes on meanwhile.
func TestRenewalTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := make(chan time.Duration, 1)
		s := newSite(t, Config{Auth: renewer(func(ctx context.Context, _ string) (Identity, error) {
			start := time.Now()
			<-ctx.Done()
			took <- time.Since(start)
			return Identity{}, ctx.Err()
		})})
		d := s.dial("user=alice")
		got := d.collect()
		d.sendHubAuth("any")
		time.Sleep(10 * time.Second)
		s.broadcast("alice", ev("MEANWHILE", nil))
		if after := <-took; after != handshakeTimeout {
			t.Errorf("the context ended after %v, want %v", after, handshakeTimeout)
		}
		synctest.Wait()
		if types := got.types(); !strings.Contains(types, "MEANWHILE") {
			t.Errorf("got %s, want MEANWHILE", types)
		}
		if n := s.hub.Connections("alice"); n != 1 {
			t.Errorf("got %d connections, want 1", n)
		}
	})
}

func TestRenewalWithoutTokenAuthenticator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{OnMessage: func(_ ConnInfo, p []byte) { t.Errorf("OnMessage got %s", p) }})
		d := s.dial("user=alice")
		d.must("hub.live")
		d.sendHubAuth("any")
		d.text("ping")
		d.must("pong")
		if got := s.hub.Stats().IgnoredMessages; got != 1 {
			t.Errorf("Stats.IgnoredMessages: got %d, want 1", got)
		}
	})
}

func TestRenewalFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 5 // and one a second
		asked := 0
		s := newSite(t, Config{Auth: renewer(func(context.Context, string) (Identity, error) {
			asked++
			return Identity{UserID: "alice"}, nil
		})})
		patient, hasty := s.dial("user=alice"), s.dial("user=alice")
		patient.must("hub.live")
		for range 3 * burst {
			patient.sendHubAuth("any")
			time.Sleep(time.Second)
		}
		patient.text("ping")
		patient.must("pong")

		asked = 0
		hasty.must("hub.live")
		for range burst + 1 {
			hasty.sendHubAuth("any")
		}
		if code, reason := hasty.closedSoon(); code != ClosePolicy || reason != "too many hub.auth messages" {
			t.Errorf("got %d %q, want 1008 too many hub.auth messages", code, reason)
		}
		if asked != burst {
			t.Errorf("the Authenticator was asked %d times, want %d", asked, burst)
		}
		if got := s.hub.Stats().Floods; got != 1 {
			t.Errorf("Stats.Floods: got %d, want 1", got)
		}
	})
}

// I10: no frame later than the token's end and its leeway.
func TestTokenExpiry(t *testing.T) {
	for _, c := range []struct {
		life, warned time.Duration
	}{
		{60 * time.Second, 0},
		{30 * time.Second, 0},
		{61 * time.Second, time.Second},
		{3 * time.Minute, 2 * time.Minute},
	} {
		t.Run(c.life.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: mustJWT(t, jwtConfig(nil))})
				start := time.Now()
				d := s.dial("token=" + mintUntil(t, "alice", start.Add(c.life)))
				d.until("hub.live")
				warning := d.until("hub.expiring")
				if got := time.Since(start); !within(got, c.warned) {
					t.Errorf("hub.expiring after %v, want %v", got, c.warned)
				}
				want := fmt.Sprintf(`{"expiresAt":%q}`, Timestamp(start.Add(c.life).UnixMicro()))
				if got := string(warning[len(warning)-1].Payload); got != want {
					t.Errorf("hub.expiring: got %s, want %s", got, want)
				}
				got := d.collect()
				end := start.Add(c.life + defaultLeeway)
				for i, at := range []time.Duration{-time.Millisecond, -time.Microsecond, 0, time.Microsecond, time.Second} {
					time.Sleep(time.Until(end.Add(at)))
					s.broadcast("alice", ev("E"+strconv.Itoa(i), nil))
					synctest.Wait()
				}
				if code, _ := got.lived(start); code != CloseUnauthorized {
					t.Errorf("closed by %d, want 4401", code)
				}
				if types := got.types(); !strings.HasSuffix(types, "E0 E1") {
					t.Errorf("got %s, want E0 and E1 at the end and nothing later", types)
				}
			})
		})
	}
}

// Without anything to send the connection ends as well.
func TestTokenExpiryInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan ConnInfo, 1)
		s := newSite(t, Config{Auth: mustJWT(t, jwtConfig(func(c *JWTConfig) { c.Leeway = maxLeeway })), OnDisconnect: func(i ConnInfo) { ended <- i }})
		start := time.Now()
		d := s.dial("token=" + mintUntil(t, "alice", start.Add(time.Minute)))
		if code, after := d.collect().lived(start); code != CloseUnauthorized || !within(after, time.Minute+maxLeeway) {
			t.Errorf("closed by %d after %v, want 4401 after 1m30s", code, after)
		}
		d.c.Close()
		if info := <-ended; info.CloseCode != CloseUnauthorized || info.CloseReason != "token expired" {
			t.Errorf("OnDisconnect: got %d %q, want 4401 token expired", info.CloseCode, info.CloseReason)
		}
	})
}
