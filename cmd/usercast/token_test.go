package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usercast-go/usercast"
)

const secret = "0123456789abcdef0123456789abcdef"

// A token is taken by a hub that is configured as the help says, and by no other.
func TestToken(t *testing.T) {
	t.Setenv(secretVariable, secret)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(strings.ToUpper(secret)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	judge := func(key string) *usercast.JWT {
		j, err := usercast.NewJWT(usercast.JWTConfig{Secret: []byte(key), Methods: []string{"HS256"}, Issuer: "shop", Audience: "shop-web"})
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	for _, c := range []struct {
		args []string
		key  string // ""; none takes it
		ttl  time.Duration
		sid  string
	}{
		{[]string{"--iss", "shop", "--aud", "shop-web"}, secret, time.Hour, ""},
		{[]string{"--iss", "shop", "--aud", "shop-web", "--ttl", "70s", "--sid", "s1"}, secret, 70 * time.Second, "s1"},
		{[]string{"--iss", "shop", "--aud", "shop-web", "--secret-file", file}, strings.ToUpper(secret), time.Hour, ""},
		{[]string{"--iss", "shop", "--aud", "shop-web", "--secret", secret + "!"}, secret + "!", time.Hour, ""},
		{[]string{"--iss", "shop"}, "", 0, ""},
		{[]string{"--aud", "shop-web"}, "", 0, ""},
		{[]string{"--iss", "other", "--aud", "shop-web"}, "", 0, ""},
	} {
		before := time.Now().Truncate(time.Second)
		stdout, stderr, code := invoke(t, "", append([]string{"token", "-u", "alice"}, c.args...)...)
		if code != 0 || stderr != "" {
			t.Errorf("%q: got status %d and %q", c.args, code, stderr)
			continue
		}
		for _, key := range []string{secret, strings.ToUpper(secret), secret + "!"} {
			id, err := judge(key).AuthenticateToken(t.Context(), strings.TrimSuffix(stdout, "\n"))
			switch {
			case (err == nil) != (key == c.key):
				t.Errorf("%q: a hub with key %.4s…: %v", c.args, key, err)
			case err == nil && (id.UserID != "alice" || id.SessionID != c.sid):
				t.Errorf("%q: got %+v", c.args, id)
			case err == nil && (id.ExpiresAt.Before(before.Add(c.ttl)) || id.ExpiresAt.After(time.Now().Add(c.ttl))):
				t.Errorf("%q: ends at %v, want %v from now", c.args, id.ExpiresAt, c.ttl)
			}
		}
	}
	// Without issuer and audience it is one for AllowAny….
	stdout, _, _ := invoke(t, "", "token", "-u", "alice")
	any, err := usercast.NewJWT(usercast.JWTConfig{Secret: []byte(secret), Methods: []string{"HS256"}, AllowAnyIssuer: true, AllowAnyAudience: true})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("GET", "/ws?token="+strings.TrimSpace(stdout), nil)
	if id, err := any.Authenticate(r); err != nil || id.UserID != "alice" {
		t.Errorf("got %+v, %v", id, err)
	}
}

func TestTokenRefuses(t *testing.T) {
	t.Setenv(secretVariable, "")
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte(secret[:31]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"-u", "alice"}, "no key: name a file by --secret-file, or set USERCAST_SECRET", 1},
		{[]string{"-u", "alice", "--secret", secret[:31]}, "JWTConfig.Secret: 31 bytes, want at least 32", 1},
		{[]string{"-u", "alice", "--secret-file", short}, "JWTConfig.Secret: 31 bytes, want at least 32", 1},
		{[]string{"-u", "alice", "--secret-file", short, "--secret", secret}, "give one of them", 1},
		{[]string{"-u", "alice", "--secret-file", filepath.Join(dir, "missing")}, "no such file", 1},
		{[]string{"-u", "", "--secret", secret}, "invalid user ID: it is empty", 1},
		{[]string{"-u", strings.Repeat("a", 129), "--secret", secret}, "129 bytes, at most 128", 1},
		{[]string{"-u", "a\xff", "--secret", secret}, "UTF-8", 1},
		{[]string{"-u", "alice", "--secret", secret, "--ttl", "0s"}, "--ttl: 0s, want 1s to 720h0m0s", 1},
		{[]string{"-u", "alice", "--secret", secret, "--ttl", "721h"}, "--ttl", 1},
		{[]string{"-u", "alice", "--secret", secret, "--ttl", "long"}, "--ttl", 2},
		{[]string{"--secret", secret}, "--user", 2},
	} {
		stdout, stderr, code := invoke(t, "", append([]string{"token"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%q: got status %d, %q and %q, want %d and %q", c.args, code, stdout, stderr, c.code, c.want)
		}
		if strings.Contains(stderr, secret[:31]) {
			t.Errorf("%q: the key is in %q", c.args, stderr)
		}
	}
}
