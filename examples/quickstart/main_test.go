package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usercast-go/usercast"
)

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
