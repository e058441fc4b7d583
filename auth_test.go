package usercast

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func bearerProtocol(token string) string {
	return protocolBearer + base64.RawURLEncoding.EncodeToString([]byte(token))
}

// tokenRequest returns a handshake with something in each place that is not "".
func tokenRequest(authorization, protocol, query, cookie string) *http.Request {
	r := &http.Request{Header: http.Header{}, URL: &url.URL{Path: "/ws", RawQuery: query}}
	for name, v := range map[string]string{"Authorization": authorization, "Sec-WebSocket-Protocol": protocol, "Cookie": cookie} {
		if v != "" {
			r.Header.Set(name, v)
		}
	}
	return r
}

func TestTokenPlaces(t *testing.T) {
	everywhere := tokenSource{queryParam: "token", cookie: "session"}
	long := strings.Repeat("x", maxTokenBytes)
	for name, c := range map[string]struct {
		source                                 tokenSource
		authorization, protocol, query, cookie string

		want    string
		ambient bool
		err     error
	}{
		"nowhere":                 {source: everywhere, err: ErrTokenMissing},
		"header":                  {source: everywhere, authorization: "Bearer abc", want: "abc"},
		"header, lower case":      {source: everywhere, authorization: "bearer abc", want: "abc"},
		"header, upper case":      {source: everywhere, authorization: "BEARER abc", want: "abc"},
		"header, many spaces":     {source: everywhere, authorization: "Bearer   abc ", want: "abc"},
		"header, other scheme":    {source: everywhere, authorization: "Basic YTpi", err: ErrTokenInvalid},
		"header, no scheme":       {source: everywhere, authorization: "abc", err: ErrTokenInvalid},
		"header, scheme only":     {source: everywhere, authorization: "Bearer", err: ErrTokenMissing},
		"header, longest":         {source: everywhere, authorization: "Bearer " + long, want: long},
		"header, too long":        {source: everywhere, authorization: "Bearer " + long + "x", err: ErrTokenInvalid},
		"subprotocol":             {source: everywhere, protocol: bearerProtocol("a.b_c-d"), want: "a.b_c-d"},
		"subprotocol among some":  {source: everywhere, protocol: "usercast.v1 , " + bearerProtocol("abc") + ",other", want: "abc"},
		"subprotocol, first":      {source: everywhere, protocol: bearerProtocol("abc") + ", " + bearerProtocol("def"), want: "abc"},
		"subprotocol, longest":    {source: everywhere, protocol: bearerProtocol(long), want: long},
		"subprotocol, too long":   {source: everywhere, protocol: bearerProtocol(long + "x"), err: ErrTokenInvalid},
		"subprotocol, 1 MB":       {source: everywhere, protocol: bearerProtocol(strings.Repeat("x", 1<<20)), err: ErrTokenInvalid},
		"subprotocol, empty":      {source: everywhere, protocol: protocolBearer, err: ErrTokenMissing},
		"subprotocol, plain":      {source: everywhere, protocol: protocolBearer + "a.b.c", err: ErrTokenInvalid},
		"subprotocol, padded":     {source: everywhere, protocol: protocolBearer + "YQ==", err: ErrTokenInvalid},
		"subprotocol, not strict": {source: everywhere, protocol: protocolBearer + "YR", err: ErrTokenInvalid},
		"query":                   {source: everywhere, query: "a=b&token=abc", want: "abc"},
		"query, escaped":          {source: everywhere, query: "token=a%2Bb+c", want: "a+b c"},
		"query, first":            {source: everywhere, query: "token=abc&token=def", want: "abc"},
		"query, other case":       {source: everywhere, query: "Token=abc", err: ErrTokenMissing},
		"query, too long":         {source: everywhere, query: "token=" + long + "x", err: ErrTokenInvalid},
		"query, off":              {source: tokenSource{}, query: "token=abc&=def", err: ErrTokenMissing},
		"query, other name":       {source: tokenSource{queryParam: "jwt"}, query: "token=abc&jwt=def", want: "def"},
		"cookie":                  {source: everywhere, cookie: "a=b; session=abc", want: "abc", ambient: true},
		"cookie, quoted":          {source: everywhere, cookie: `session="abc"`, want: "abc", ambient: true},
		"cookie, first":           {source: everywhere, cookie: "session=abc; session=def", want: "abc", ambient: true},
		"cookie, empty":           {source: everywhere, cookie: "session=", err: ErrTokenMissing},
		"cookie, off":             {source: tokenSource{queryParam: "token"}, cookie: "session=abc; token=def", err: ErrTokenMissing},
		// The first place that holds something decides, whatever the others hold.
		"header first":             {everywhere, "Bearer h", bearerProtocol("p"), "token=q", "session=c", "h", false, nil},
		"subprotocol second":       {everywhere, "", bearerProtocol("p"), "token=q", "session=c", "p", false, nil},
		"query third":              {everywhere, "", "usercast.v1", "token=q", "session=c", "q", false, nil},
		"cookie last":              {everywhere, "", "usercast.v1", "token=", "session=c", "c", true, nil},
		"bad header decides":       {everywhere, "Basic YTpi", bearerProtocol("p"), "token=q", "session=c", "", false, ErrTokenInvalid},
		"empty header decides":     {everywhere, "Bearer ", bearerProtocol("p"), "token=q", "session=c", "", false, ErrTokenMissing},
		"bad subprotocol decides":  {everywhere, "", protocolBearer + "?", "token=q", "session=c", "", false, ErrTokenInvalid},
		"long query value decides": {everywhere, "", "", "token=x" + long, "session=c", "", false, ErrTokenInvalid},
	} {
		got, ambient, err := c.source.find(tokenRequest(c.authorization, c.protocol, c.query, c.cookie))
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %.20q and %v, want %.20q and %v", name, got, err, c.want, c.err)
		}
		if err == nil && ambient != c.ambient {
			t.Errorf("%s: ambient is %v, want %v", name, ambient, c.ambient)
		}
	}
}

// What NewJWT makes of QueryParam and Cookie, seen from outside.
func TestJWTPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := mintHS(t, nil)
		const sameHost, otherHost = "Origin: https://app.example.com", "Origin: https://evil.example"
		withCookie := func(c *JWTConfig) { c.Cookie = "session" }
		for name, c := range map[string]struct {
			change func(*JWTConfig)
			query  string
			header []string
			want   int
		}{
			"query":                       {nil, "token=" + token, nil, 101},
			"query of another name":       {nil, "jwt=" + token, nil, 401},
			"custom name":                 {func(c *JWTConfig) { c.QueryParam = "jwt" }, "jwt=" + token, nil, 101},
			"the default beside a custom": {func(c *JWTConfig) { c.QueryParam = "jwt" }, "token=" + token, nil, 401},
			"query off":                   {func(c *JWTConfig) { c.QueryParam = "-" }, "token=" + token, nil, 401},
			"query off, named so":         {func(c *JWTConfig) { c.QueryParam = "-" }, "-=" + token, nil, 401},
			"query off, header":           {func(c *JWTConfig) { c.QueryParam = "-" }, "", []string{"Authorization: Bearer " + token}, 101},
			"subprotocol":                 {nil, "", []string{"Sec-WebSocket-Protocol: " + bearerProtocol(token)}, 101},
			"cookie off":                  {nil, "", []string{"Cookie: session=" + token, sameHost}, 401},
			"cookie, same host":           {withCookie, "", []string{"Cookie: session=" + token, sameHost}, 101},
			"cookie, no origin":           {withCookie, "", []string{"Cookie: session=" + token}, 403},
			"cookie, other host":          {withCookie, "", []string{"Cookie: session=" + token, otherHost}, 403},
			"cookie, null origin":         {withCookie, "", []string{"Cookie: session=" + token, "Origin: null"}, 403},
			"cookie, empty origin":        {withCookie, "", []string{"Cookie: session=" + token, "Origin:"}, 403},
			// Browsers cannot hear of it by HTTP either, but the origin never gets more.
			"cookie, no origin, v1": {withCookie, "", []string{"Cookie: session=" + token, v1Header}, 403},
			"a token beside it":     {withCookie, "token=" + token, []string{"Cookie: session=" + token}, 101},
		} {
			s := newSite(t, Config{Auth: mustJWT(t, jwtConfig(c.change))})
			d, err := s.open(c.query, c.header...)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if d.resp.StatusCode != c.want {
				t.Errorf("%s: got %s, want %d", name, d.resp.Status, c.want)
			}
			d.c.Close()
			s.stop()
		}
	})
}

func TestCookieWithoutOrigin(t *testing.T) {
	j := mustJWT(t, jwtConfig(func(c *JWTConfig) { c.Cookie = "session" }))
	r := tokenRequest("", "", "", "session="+mintHS(t, nil))
	if _, err := j.Authenticate(r); !errors.Is(err, ErrOrigin) {
		t.Errorf("without Origin: got %v, want ErrOrigin", err)
	}
	r.Header.Set("Origin", "https://app.example.com")
	if id, err := j.Authenticate(r); err != nil || id.UserID != "alice" {
		t.Errorf("with Origin: got %q and %v, want alice", id.UserID, err)
	}
}

func FuzzToken(f *testing.F) {
	for _, s := range [][4]string{
		{"", "", "", ""},
		{"Bearer abc", bearerProtocol("p"), "token=q", "session=c"},
		{"bearer\tabc", "usercast.bearer.YR", "token=%zz&token=a", `session="a`},
		{" ", "usercast.v1,,usercast.bearer.", "token=a;b&token", "session=; session=a"},
		{"Basic YTpi", "usercast.bearer.YQ==", "to%6ben=a", "=session"},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	source := tokenSource{queryParam: "token", cookie: "session"}
	f.Fuzz(func(t *testing.T, authorization, protocol, query, cookie string) {
		r := tokenRequest(authorization, protocol, query, cookie)
		credentialsOf(r).secrets() // sees the same strings, and must not panic either
		token, ambient, err := source.find(r)
		if err != nil {
			if token != "" || !errors.Is(err, ErrTokenMissing) && !errors.Is(err, ErrTokenInvalid) {
				t.Errorf("got %q with %v, want no token with one of the sentinels", token, err)
			}
			return
		}
		if token == "" || len(token) > maxTokenBytes {
			t.Errorf("got a token of %d bytes, want 1 to %d", len(token), maxTokenBytes)
		}
		// Go's base64 skips line breaks. No header that came over HTTP has any.
		protocol = strings.NewReplacer("\r", "", "\n", "").Replace(protocol)
		switch {
		case ambient:
			if authorization != "" || r.URL.Query().Get("token") != "" || !strings.Contains(cookie, token) {
				t.Errorf("%q is said to be the cookie's, %q", token, cookie)
			}
		case authorization != "":
			if !strings.HasSuffix(strings.TrimSpace(authorization), token) || !strings.EqualFold(authorization[:len("Bearer ")], "Bearer ") {
				t.Errorf("got %q from header %q", token, authorization)
			}
		case strings.Contains(protocol, bearerProtocol(token)):
		case r.URL.Query().Get("token") != token:
			t.Errorf("%q stands neither in %q nor in %q", token, protocol, query)
		}
	})
}

// canary stands for a token in tests of what leaks. Other than a JWT it has
// characters that a URL escapes.
const canary = "canary/5kRj+2ePq8/wZ7vT1=="

// mentions says whether a text holds the canary in any spelling.
func mentions(text, token string) bool {
	for _, spelling := range []string{token, url.QueryEscape(token), url.PathEscape(token),
		base64.RawURLEncoding.EncodeToString([]byte(token)), strings.Trim(fmt.Sprintf("%q", token), `"`)} {
		if strings.Contains(text, spelling) {
			return true
		}
	}
	return false
}

// A chattyAuth knows one token and quotes all it got when it refuses, as careless
// applications do. It is an Authenticator and a TokenAuthenticator.
type chattyAuth struct{ good string }

func (a chattyAuth) Authenticate(r *http.Request) (Identity, error) {
	token, _, err := tokenSource{queryParam: "token", cookie: "session"}.find(r)
	if err == nil && token == a.good {
		return Identity{UserID: "alice"}, nil
	}
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return Identity{}, fmt.Errorf("no session for %q%s: GET %s with %v: %w", token, credential, r.URL, r.Header, ErrTokenInvalid)
}

// hidingAuth takes the credentials out of the request, as a careful one may, and then
// panics with them, as a careful one should not.
var hidingAuth = AuthenticatorFunc(func(r *http.Request) (Identity, error) {
	all := fmt.Sprint(r.Header, r.URL.Query(), r.URL)
	clear(r.Header)
	r.URL.RawQuery = ""
	panic(all)
})

func (a chattyAuth) AuthenticateToken(_ context.Context, token string) (Identity, error) {
	return Identity{}, fmt.Errorf("no session for %q", token)
}

// tokenPlaces puts a token into each place that a request has for it.
func tokenPlaces(token string) map[string]struct {
	query  string
	header []string
} {
	const origin = "Origin: https://app.example.com"
	return map[string]struct {
		query  string
		header []string
	}{
		"header":       {"", []string{"Authorization: Bearer " + token, origin}},
		"other scheme": {"", []string{"Authorization: Token " + token, origin}},
		"subprotocol":  {"", []string{"Sec-WebSocket-Protocol: " + bearerProtocol(token), origin}},
		"query":        {"token=" + url.QueryEscape(token), []string{origin}},
		"cookie":       {"", []string{"Cookie: a=b; session=" + token, origin}},
	}
}

// hearAnswer returns everything that a client sees of the server before it says
// something itself.
func (d *device) hearAnswer() string {
	var b strings.Builder
	d.resp.Header.Write(&b)
	if d.resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(d.resp.Body)
		return b.String() + string(body)
	}
	for {
		f, err := d.next()
		if err != nil {
			return b.String() + err.Error() // a close frame's reason, too
		}
		b.WriteString(f.Raw)
		if f.Type == "hub.live" {
			return b.String()
		}
	}
}

func TestNoTokenInLogsOrAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jwtAuth := mustJWT(t, jwtConfig(func(c *JWTConfig) { c.Cookie = "session" }))
		for name, c := range map[string]struct {
			auth  Authenticator
			token string
		}{
			"good JWT":        {jwtAuth, mintHS(t, nil)},
			"expired JWT":     {jwtAuth, mintHS(t, jwtFields{"exp": 1})},
			"forged JWT":      {jwtAuth, mintHS(t, nil) + "A"},
			"no JWT":          {jwtAuth, canary},
			"good session":    {chattyAuth{canary}, canary},
			"bad session":     {chattyAuth{}, canary},
			"chatty over JWT": {chattyAuth{}, mintHS(t, nil)},
			"hidden, panics":  {hidingAuth, canary},
		} {
			for place, p := range tokenPlaces(c.token) {
				for _, v1 := range []bool{false, true} {
					s := newSite(t, Config{Auth: c.auth})
					header := p.header
					if v1 {
						header = append([]string{v1Header}, header...)
					}
					d, err := s.open(p.query, header...)
					if err != nil {
						t.Fatal(err)
					}
					if heard := d.hearAnswer(); mentions(heard, c.token) {
						t.Errorf("%s in the %s: the client was told\n%s", name, place, heard)
					}
					d.c.Close()
					s.stop()
					if logs := s.logs.String(); mentions(logs, c.token) {
						t.Errorf("%s in the %s: the token was logged\n%s", name, place, logs)
					} else if !strings.Contains(logs, "usercast: ") {
						t.Errorf("%s in the %s: got no log at all", name, place)
					}
				}
			}
		}
	})
}

// Blotting out one value of a request must not save another: here a shorter value
// is part of the token, or of the only spelling in which the token is quoted.
func TestNoTokenInLogsBesideOtherValues(t *testing.T) {
	head, tail := canary[:12], canary[12:]
	for name, c := range map[string]struct{ query, header string }{
		"a cursor in the URL": {"lastEventTs=2026-11-22T20:53:52.123456Z&token=" + url.QueryEscape(canary), "X-Any: thing"},
		"a part of the token": {"other=" + url.QueryEscape(head), "Cookie: session=" + canary},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: chattyAuth{}})
				if _, err := s.open(c.query, c.header); err != nil {
					t.Fatal(err)
				}
				if logs := s.logs.String(); mentions(logs, canary) || mentions(logs, tail) {
					t.Errorf("the token was logged:\n%s", logs)
				}
			})
		})
	}
}

// A panic says no less than an error.
func TestNoTokenInLogsAfterPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth := AuthenticatorFunc(func(r *http.Request) (Identity, error) {
			panic("no session for " + r.URL.Query().Get("token"))
		})
		s := newSite(t, Config{Auth: auth})
		if _, err := s.open("token=" + url.QueryEscape(canary)); err != nil {
			t.Fatal(err)
		}
		if logs := s.logs.String(); mentions(logs, canary) {
			t.Errorf("the token was logged:\n%.600s", logs)
		} else if !strings.Contains(logs, "panic") {
			t.Errorf("the panic was not logged: %s", logs)
		}
	})
}

func TestNoRenewalTokenInLogsOrAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			auth        Authenticator
			first, next string
		}{
			"good JWT":    {mustJWT(t, jwtConfig(nil)), mintHS(t, nil), mintHS(t, jwtFields{"jti": "2"})},
			"another's":   {mustJWT(t, jwtConfig(nil)), mintHS(t, nil), mintHS(t, jwtFields{"sub": "bob"})},
			"no JWT":      {mustJWT(t, jwtConfig(nil)), mintHS(t, nil), canary},
			"bad session": {chattyAuth{"first"}, "first", canary},
		} {
			s := newSite(t, Config{Auth: c.auth})
			d := s.dial("token=" + c.first)
			d.hearAnswer()
			d.sendHubAuth(c.next)
			got := d.collect()
			time.Sleep(time.Second)
			d.c.Close()
			<-got.done
			for _, f := range got.all() {
				if mentions(f.Raw, c.next) {
					t.Errorf("%s: the client was told %s", name, f.Raw)
				}
			}
			if err := got.err; mentions(err.Error(), c.next) {
				t.Errorf("%s: the client was told %v", name, err)
			}
			s.stop()
			if logs := s.logs.String(); mentions(logs, c.next) {
				t.Errorf("%s: the token was logged\n%s", name, logs)
			}
		}
	})
}

// sendHubAuth asks to put a token in the place of the connection's.
func (d *device) sendHubAuth(token string) {
	d.t.Helper()
	if err := d.text(fmt.Sprintf(`{"type":"hub.auth","payload":{"token":%q}}`, token)); err != nil {
		d.t.Fatalf("hub.auth: %v", err)
	}
}
