package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usercast-go/usercast"
)

func TestSend(t *testing.T) {
	s := newSite(t, usercast.Config{MaxEventBytes: 1000})
	file := filepath.Join(t.TempDir(), "created.json")
	if err := os.WriteFile(file, []byte("{\n  \"count\": 1\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tail := begin(t, nil, "tail", "-u", "alice")
	tail.err.wait(t, "fresh")
	for _, c := range []struct {
		args          []string
		stdin         string
		stdout, heard string
	}{
		{[]string{"-u", "alice", "INLINE", "[1, 2]"}, "", "", "INLINE [1,2]\n"},
		{[]string{"-u", "alice", "SPACIOUS", "[" + strings.Repeat(" ", 2000) + "1]"}, "", "", "SPACIOUS [1]\n"},
		{[]string{"-u", "alice", "FILE", "@" + file}, "", "", "FILE {\"count\":1}\n"},
		{[]string{"-u", "alice", "STDIN", "-"}, " \"from a pipe\" ", "", "STDIN \"from a pipe\"\n"},
		{[]string{"-u", "alice", "NOTHING"}, "", "", "NOTHING null\n"},
		{[]string{"-u", "a,b", "ONE_NAME"}, "", "", ""},
		{[]string{"-u", "alice", "-u", "bob", "SEVERAL"}, "", "sent to 2 users\n", "SEVERAL null\n"},
		{[]string{"--all", "EVERYONE"}, "", "sent to everyone\n", "EVERYONE [all] null\n"},
	} {
		stdout, stderr, code := invoke(t, c.stdin, append([]string{"send"}, c.args...)...)
		if code != 0 || stderr != "" {
			t.Fatalf("%q: got status %d, %q", c.args, code, stderr)
		}
		if _, err := usercast.ParseTimestamp(strings.TrimSpace(stdout)); c.stdout == "" && err != nil || c.stdout != "" && c.stdout != stdout {
			t.Errorf("%q: got %q, want %q or a timestamp", c.args, stdout, c.stdout)
		}
		tail.out.wait(t, c.heard)
	}
	if got := s.hub.Load().Stats().Logs; got != 3 {
		t.Errorf("%d users have a log, want alice, bob and \"a,b\"", got)
	}
}

// What cannot be sent is said with its reason, and nothing is.
func TestSendRefuses(t *testing.T) {
	s := newSite(t, usercast.Config{MaxEventBytes: 1000})
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "@" + name
	}
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"A"}, "name the user by -u, or everyone by --all", 1},
		{[]string{"A", "--all", "-u", "alice"}, "name the user by -u, or everyone by --all", 1},
		{[]string{"-u", "alice"}, "expected", 2},
		{[]string{"-u", "alice", "A", "text"}, "the payload is not JSON: invalid character 'e' in literal true (expecting 'r') at byte 2; a string needs its quotes, a file an @", 1},
		{[]string{"-u", "alice", "A", file("bad.json", "{")}, "bad.json is not JSON: unexpected end of JSON input", 1},
		{[]string{"-u", "alice", "A", "@" + dir + "/missing.json"}, "missing.json: no such file", 1},
		{[]string{"-u", "alice", "A", file("huge.json", strings.Repeat(" ", maxPayload+1))}, "more than any hub takes", 1},
		{[]string{"-u", "alice", "A", `"` + strings.Repeat("x", 1000) + `"`}, "refused with 413: payload: usercast: event too large", 1},
		{[]string{"-u", "alice", "hub.live"}, "refused with 400: type: usercast: invalid event", 1},
		{[]string{"-u", "", "A"}, "refused with 400: user:", 1},
		{[]string{"-u", "alice", "A", "--except", strings.Repeat("x", 65)}, "except: usercast: invalid event: A: Except has 65 bytes, at most 64 (a device or connection ID", 1},
	} {
		_, stderr, code := invoke(t, "", append([]string{"send"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%.80q: got status %d and %q, want %d and %q", c.args, code, stderr, c.code, c.want)
		}
	}
	if got := s.hub.Load().Stats().Logs; got != 0 {
		t.Errorf("%d users have a log, want none", got)
	}
}

// Whatever is wrong with the address or the token is said by both commands at once,
// and the token is nowhere in it.
func TestAdminAddress(t *testing.T) {
	s := newSite(t, usercast.Config{})
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/redirect"):
			http.Redirect(w, r, s.srv.URL+"/admin/stats", http.StatusTemporaryRedirect)
		case strings.HasPrefix(r.URL.Path, "/json"):
			w.Write([]byte(`{}`))
		case strings.HasPrefix(r.URL.Path, "/echo"):
			w.WriteHeader(http.StatusTeapot)
			w.Write([]byte(`{"error":"you said ` + r.Header.Get("Authorization") + ` \u001b[31m"}`))
		case strings.HasPrefix(r.URL.Path, "/text"):
			w.Write([]byte("hello"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer stranger.Close()
	tokens := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(tokens, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--url", ""}, "no address: give --url, or set USERCAST_ADMIN_URL"},
		{[]string{"--url", "shop.example.com"}, "--url: want https://host/path"},
		{[]string{"--url", "https://host:" + adminToken + "/"}, "--url does not parse"},
		{[]string{"--url", "https://me:" + adminToken + "@host/"}, "without a password"},
		{[]string{"--url", "https://host/?token=" + adminToken}, "without a password, ? or #"},
		{[]string{"--url", s.srv.URL}, "answers 404 Not Found: is usercast.Admin mounted there?"},
		{[]string{"--url", s.srv.URL + "/admin/x"}, "refused with 404: no such route: /x/"},
		{[]string{"--url", stranger.URL}, "answers 404 Not Found: is usercast.Admin mounted there?"},
		{[]string{"--url", stranger.URL + "/redirect"}, "answers 307 Temporary Redirect"},
		{[]string{"--url", stranger.URL + "/text"}, "answers something else than usercast.Admin"},
		{[]string{"--url", stranger.URL + "/echo"}, `refused with 418: you said Bearer [token] \u001b[31m`},
		{[]string{"--url", "http://127.0.0.1:1/"}, "connection refused"},
		{[]string{"--token", ""}, "no admin token: name a file by --token-file, or set USERCAST_ADMIN_TOKEN"},
		{[]string{"--token", adminToken + "\n"}, "is there a line break in it?"},
		{[]string{"--token", strings.ToUpper(adminToken)}, "refused with 401: token invalid"},
		{[]string{"--token-file", write("two", adminToken+"\n\n")}, "is there a line break in it?"},
		{[]string{"--token-file", write("empty", "\n")}, "no admin token"},
		{[]string{"--token-file", write("huge", strings.Repeat("x", maxSecretFile+1))}, "are no secret"},
		{[]string{"--token-file", filepath.Join(tokens, "missing")}, "no such file"},
	} {
		for _, args := range [][]string{{"send", "-u", "alice", "A"}, {"tail", "-u", "alice"}} {
			_, stderr, code := invoke(t, "", append(args, c.flags...)...)
			if code != 1 || !strings.Contains(stderr, c.want) {
				t.Errorf("%s %.60q: got status %d and %q, want 1 and %q", args[0], c.flags, code, stderr, c.want)
			}
			if strings.Contains(strings.ToLower(stderr), adminToken) {
				t.Errorf("%s %.60q: the token is in %q", args[0], c.flags, stderr)
			}
		}
	}
	_, stderr, code := invoke(t, "", "tail", "-u", "alice", "--url", stranger.URL+"/json")
	if code != 1 || !strings.Contains(stderr, "answers something else than usercast.Admin") {
		t.Errorf("got status %d and %q", code, stderr)
	}
	for _, args := range [][]string{
		{"tail", "-u", "alice", "--tokn=" + adminToken}, {"tail", "-u", "alice", "--since", "x"}, {"send"}, {"tail", "--help"},
	} {
		stdout, stderr, _ := invoke(t, "", args...)
		if strings.Contains(stdout+stderr, adminToken) {
			t.Errorf("%q: the token is in %q", args, stdout+stderr)
		}
	}
	file := write("good", adminToken+"\r\n")
	if _, stderr, code := invoke(t, "", "send", "-u", "alice", "A", "--token", "", "--token-file", file, "--url", s.srv.URL+"/admin/"); code != 0 {
		t.Errorf("a file and a slash: got status %d and %q", code, stderr)
	}
}
