package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/usercasttest"
)

// post sends a request with a session's cookie, "" for none.
func (s *site) post(path, session, body string, header ...string) (*http.Response, string) {
	s.Helper()
	r, err := http.NewRequest("POST", s.url+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if session != "" {
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: session})
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return s.send(r)
}

// login logs in and returns the session's cookie.
func (s *site) login(user string) *http.Cookie {
	s.Helper()
	resp, text := s.post("/api/login", "", `{"user":"`+user+`"}`)
	if resp.StatusCode != 200 || len(resp.Cookies()) != 1 {
		s.Fatalf("got %d %s with cookies %v", resp.StatusCode, text, resp.Cookies())
	}
	return resp.Cookies()[0]
}

func TestLogin(t *testing.T) {
	each(t, func(s *site) {
		c := s.login("carla")
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.MaxAge != 30*24*3600 || c.Path != "/api" || c.Secure {
			s.Errorf("got the cookie %v", c)
		}
		if n := s.rows("pending", "carla"); n != 12 {
			s.Errorf("a new user has %d orders, want 12", n)
		}
		s.login("carla")
		if n := s.rows("pending", "carla"); n != 12 {
			s.Errorf("after a second login there are %d orders, want 12", n)
		}
		var g grant
		s.must(200, &g, "", "POST", "/api/login", `{"user":"carla"}`)
		if left := time.Until(g.ExpiresAt); g.User != "carla" || left > 5*time.Minute || left < 4*time.Minute {
			s.Errorf("got %+v", g)
		}
		auth, err := NewAuth(s.store, testSecret, "token")
		if err != nil {
			t.Fatal(err)
		}
		if id, err := auth.AuthenticateToken(t.Context(), g.Token); err != nil || id.UserID != "carla" || !id.ExpiresAt.Equal(g.ExpiresAt) {
			s.Errorf("the hub takes the token for %+v, %v", id, err)
		}
		for _, body := range []string{`{"user":""}`, `{"user":"Anna"}`, `{"user":"a b"}`, `{"user":"` + strings.Repeat("a", 33) + `"}`, `{"user":7}`, `{}`} {
			s.refuses(400, "user", "", "POST", "/api/login", body)
		}
		for _, body := range []string{``, `{`, `{"user":"a"}{}`, `{"name":"a"}`, `[]`} {
			s.refuses(400, "", "", "POST", "/api/login", body)
		}
	})
}

func TestTooManyUsers(t *testing.T) {
	s := newSite(t, open(t), func(cfg *Config) { cfg.MaxUsers = 2 })
	s.refuses(409, "user", "", "POST", "/api/login", `{"user":"carla"}`)
	s.login("anna")
	if n, err := store.Users(t.Context(), s.store.DB); n != 2 || err != nil {
		s.Errorf("there are %d users, %v; want 2", n, err)
	}
}

func TestSession(t *testing.T) {
	each(t, func(s *site) {
		c := s.login("anna")
		resp, text := s.post("/api/token", c.Value, "")
		if resp.StatusCode != 200 || !strings.Contains(text, `"user":"anna","token":"`) {
			s.Errorf("got %d %s", resp.StatusCode, text)
		}
		for _, session := range []string{"", "x"} {
			if resp, text := s.post("/api/token", session, ""); resp.StatusCode != 401 || !strings.Contains(text, `"fix":"log in"`) {
				s.Errorf("session %q: got %d %s, want 401", session, resp.StatusCode, text)
			}
			if resp, _ := s.post("/api/logout", session, ""); resp.StatusCode != 204 {
				s.Errorf("logout of %q: got %d, want 204", session, resp.StatusCode)
			}
		}
		if n := s.hub.Hub().Connections("anna"); n != 2 {
			s.Fatalf("anna has %d connections, want 2", n)
		}
		resp, _ = s.post("/api/logout", c.Value, "")
		if resp.StatusCode != 204 || len(resp.Cookies()) != 1 || resp.Cookies()[0].MaxAge >= 0 {
			s.Errorf("got %d with cookies %v", resp.StatusCode, resp.Cookies())
		}
		if resp, _ := s.post("/api/token", c.Value, ""); resp.StatusCode != 401 {
			s.Errorf("after the logout the session gives %d, want 401", resp.StatusCode)
		}
		for range 2 {
			if user := <-s.gone; user != "anna" {
				s.Errorf("the logout disconnected %s", user)
			}
		}
		if a, b := s.hub.Hub().Connections("anna"), s.hub.Hub().Connections("bruno"); a != 0 || b != 1 {
			s.Errorf("after the logout anna has %d connections and bruno %d, want 0 and 1", a, b)
		}
		if resp, _ := s.post("/api/token", s.login("anna").Value, ""); resp.StatusCode != 200 {
			s.Errorf("another login gives a session with %d", resp.StatusCode)
		}
	})
}

// Without a good token no route does anything.
func TestTokens(t *testing.T) {
	s := newSite(t, open(t), nil)
	type claims struct {
		jwt.RegisteredClaims
		Session string `json:"sid"`
	}
	good := claims{jwt.RegisteredClaims{Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: "anna", ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))},
		store.SessionID(s.login("anna").Value)}
	sign := func(key []byte, change func(c *claims)) string {
		c := good
		change(&c)
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	nothing := func(*claims) {}
	s.token["good"] = sign(testSecret, nothing)
	s.must(200, nil, "good", "GET", "/api/bootstrap", nil)
	bad := map[string]string{
		"garbage":     "x",
		"forged":      sign(make([]byte, 32), nothing),
		"expired":     sign(testSecret, func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(-time.Minute)) }),
		"other issue": sign(testSecret, func(c *claims) { c.Issuer = "x" }),
		"no session":  sign(testSecret, func(c *claims) { c.Session = "" }),
		"bruno's":     sign(testSecret, func(c *claims) { c.Session = store.SessionID(s.login("bruno").Value) }),
	}
	for name, token := range bad {
		s.token[name] = token
	}
	for _, route := range routes(s) {
		s.refuses(401, "Authorization", "", route.method, route.path, route.body)
		for name := range bad {
			if strings.Contains(route.path, "orders") || name == "forged" {
				s.refuses(401, "Authorization", name, route.method, route.path, route.body)
			}
		}
	}
	if resp, _ := s.request("", "GET", "/api/orders?token="+s.token["good"], nil); resp.StatusCode != 401 {
		s.Errorf("a token in the URL gives %d, want 401", resp.StatusCode)
	}
}

// A page of another site cannot use the cookie.
func TestOtherSites(t *testing.T) {
	s := newSite(t, open(t), nil)
	c := s.login("anna")
	for _, header := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}} {
		for _, path := range []string{"/api/token", "/api/logout", "/api/login"} {
			resp, text := s.post(path, c.Value, `{"user":"anna"}`, header...)
			if resp.StatusCode != 403 || !strings.Contains(text, `"fix":`) || len(resp.Cookies()) != 0 {
				s.Errorf("%s with %v: got %d %s, want 403", path, header, resp.StatusCode, text)
			}
		}
	}
	if resp, _ := s.post("/api/token", c.Value, "", "Sec-Fetch-Site", "same-origin"); resp.StatusCode != 200 {
		s.Errorf("the page itself gets %d", resp.StatusCode)
	}
}

// stopLimits stops the time of the limits: how long the requests of a test take is no
// matter.
func (s *site) stopLimits() {
	now := time.Now()
	s.api.limits.now = func() time.Time { return now }
}

func TestLimits(t *testing.T) {
	s := newSite(t, open(t), nil)
	s.stopLimits()
	refused := 0
	for range 2 * userBurst {
		if resp, _ := s.request("anna", "GET", "/api/bootstrap", nil); resp.StatusCode == 429 {
			if refused++; resp.Header.Get("Retry-After") != "1" {
				s.Fatalf("got %v", resp.Header)
			}
		}
	}
	if refused != userBurst {
		s.Errorf("of %d requests at once %d were refused, want %d", 2*userBurst, refused, userBurst)
	}
	s.must(200, nil, "bruno", "GET", "/api/bootstrap", nil) // each has their own
	refused = 0
	for range 2 * doorBurst {
		if resp, _ := s.post("/api/login", "", `{"user":"Nobody"}`); resp.StatusCode == 429 {
			refused++
		}
	}
	if refused < doorBurst || refused > doorBurst+2 { // the site itself has logged two in
		s.Errorf("of %d logins at once %d were refused, want %d or two more", 2*doorBurst, refused, doorBurst)
	}
}

// What strangers without a session do at /api/token and /api/logout keeps nobody out.
func TestStrangersAtTheDoor(t *testing.T) {
	s := newSite(t, open(t), nil)
	c := s.login("anna")
	for i := range 2 * doorBurst {
		path := []string{"/api/token", "/api/logout"}[i%2]
		if resp, _ := s.post(path, fmt.Sprint("x", i), ""); resp.StatusCode != []int{401, 204}[i%2] {
			s.Fatalf("%s: got %d", path, resp.StatusCode)
		}
	}
	for _, path := range []string{"/api/token", "/api/logout"} {
		if resp, text := s.post(path, c.Value, ""); resp.StatusCode >= 400 {
			s.Errorf("%s: got %d %s", path, resp.StatusCode, text)
		}
	}
}

// New names cost a user each, and are slower to be had than logins.
func TestNewcomers(t *testing.T) {
	s := newSite(t, open(t), nil)
	s.stopLimits()
	made := 0
	for i := range newBurst + 20 {
		if resp, _ := s.post("/api/login", "", fmt.Sprintf(`{"user":"new-%d"}`, i)); resp.StatusCode == 200 {
			made++
		}
	}
	if n, err := store.Users(t.Context(), s.store.DB); err != nil || n != made+2 || made > newBurst || made < newBurst-2 {
		s.Errorf("%d of %d logins made %d users, %v", made, newBurst+20, n-2, err)
	}
	s.login("new-0") // is there
}

// A logout ends the session's tokens, for the API and for the hub, and no other session's.
func TestLogoutEndsTokens(t *testing.T) {
	each(t, func(s *site) {
		auth, err := NewAuth(s.store, testSecret, "-")
		if err != nil {
			t.Fatal(err)
		}
		var g grant
		resp, text := s.post("/api/login", "", `{"user":"carla"}`)
		if err := json.Unmarshal([]byte(text), &g); err != nil {
			t.Fatal(err)
		}
		s.token["second"] = g.Token
		s.must(200, nil, "second", "GET", "/api/bootstrap", nil)
		s.post("/api/logout", resp.Cookies()[0].Value, "")
		s.refuses(401, "Authorization", "second", "GET", "/api/bootstrap", nil)
		if _, err := auth.AuthenticateToken(t.Context(), g.Token); !errors.Is(err, usercast.ErrTokenInvalid) {
			s.Errorf("the hub: got %v, want %v", err, usercast.ErrTokenInvalid)
		}
		s.must(200, nil, "anna", "GET", "/api/bootstrap", nil)
		s.store.DB.Close()
		if _, err := auth.AuthenticateToken(t.Context(), s.token["anna"]); !errors.Is(err, usercast.ErrUnavailable) {
			s.Errorf("without the database: got %v, want %v", err, usercast.ErrUnavailable)
		}
		s.refuses(503, "", "anna", "GET", "/api/bootstrap", nil)
	})
}

// However many requests a user sends at once, few are answered at the same time, and one
// writes. The others wait for their turn.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits()
		var inside, most, done, refused int
		var mu sync.Mutex
		var all sync.WaitGroup
		for range userBurst {
			all.Go(func() {
				leave, err := l.enter(t.Context(), "anna")
				mu.Lock()
				if err != nil {
					refused++
					mu.Unlock()
					return
				}
				inside++
				most, done = max(most, inside), done+1
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				inside--
				mu.Unlock()
				leave()
			})
		}
		all.Wait()
		// 8 each second; after 10 seconds those that still wait are refused.
		if most != userAtOnce || done < 10*userAtOnce || done > 11*userAtOnce || done+refused != userBurst {
			t.Errorf("%d at once, %d answered and %d refused", most, done, refused)
		}
		first, err := l.write(t.Context(), "anna")
		if err != nil {
			t.Fatal(err)
		}
		other, err := l.write(t.Context(), "bruno")
		if err != nil {
			t.Fatal(err)
		}
		other()
		time.AfterFunc(5*time.Second, first)
		at := time.Now()
		if second, err := l.write(t.Context(), "anna"); err != nil || time.Since(at) != 5*time.Second {
			t.Errorf("the second write began after %v, %v; want 5s", time.Since(at), err)
		} else {
			second()
		}
	})
}

func TestNoRoute(t *testing.T) {
	s := newSite(t, open(t), nil)
	s.refuses(404, "", "anna", "GET", "/api/nothing", nil)
	s.refuses(404, "", "anna", "PATCH", "/api/orders", nil)
}

func TestConfig(t *testing.T) {
	good := Config{Store: open(t), Hub: usercasttest.NewServer(t, usercast.Config{}).Hub(), Jobs: &fakeJobs{}, Secret: testSecret}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(c *Config){
		"Store":    func(c *Config) { c.Store = nil },
		"Hub":      func(c *Config) { c.Hub = nil },
		"Jobs":     func(c *Config) { c.Jobs = nil },
		"Secret":   func(c *Config) { c.Secret = make([]byte, 31) },
		"TokenTTL": func(c *Config) { c.TokenTTL = time.Minute },
		"MaxUsers": func(c *Config) { c.MaxUsers = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got error %v, want one that names it", field, err)
		}
	}
}
