package usercast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// answerTo hands the hub a request without a network.
func (s *site) answerTo(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.hub.ServeHTTP(w, r)
	return w
}

// upgradeRequest is a handshake with header lines as pairs, which may hold what
// no HTTP server would let through.
func upgradeRequest(query string, header ...string) *http.Request {
	r := httptest.NewRequest("GET", "/ws?"+query, nil)
	r.Host = "app.example.com"
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// A log gets one line a second of each kind of refusal, whoever causes how many.
func TestRefusalLogIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := new(lockedBuffer)
		s := newSite(t, Config{Logger: slog.New(slog.NewTextHandler(logs, nil))})
		const each, seconds = 2500, 4
		start := time.Now()
		for i := range each {
			time.Sleep(time.Until(start.Add(time.Duration(i) * seconds * time.Second / each)))
			s.answerTo(upgradeRequest(""))                                      // token
			s.answerTo(upgradeRequest("user=a", "Origin", "https://evil.test")) // origin
			s.answerTo(upgradeRequest("user=a&device=%00"))                     // request
			s.answerTo(upgradeRequest("user=a", "Upgrade", "h2c"))              // upgrade
		}
		refused := s.hub.Stats().Refused
		for _, reason := range []string{"token", "origin", "request", "upgrade"} {
			if refused[reason] != each {
				t.Errorf("Stats.Refused[%s]: got %d, want %d", reason, refused[reason], each)
			}
			if n := strings.Count(logs.String(), "reason="+reason+" "); n != seconds {
				t.Errorf("%s: logged %d times in %d s, want %d", reason, n, seconds, seconds)
			}
		}
	})
}

// Stats counts every refusal of many at once, and the log still gets one line.
func TestRefusalsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := new(lockedBuffer)
		s := newSite(t, Config{Logger: slog.New(slog.NewTextHandler(logs, nil))})
		const goroutines, each = 100, 100
		for range goroutines {
			go func() {
				for range each {
					s.answerTo(upgradeRequest(""))
				}
			}()
		}
		synctest.Wait()
		if got := s.hub.Stats().Refused["token"]; got != goroutines*each {
			t.Errorf("Stats.Refused[token]: got %d, want %d", got, goroutines*each)
		}
		if n := strings.Count(logs.String(), "\n"); n != 1 {
			t.Errorf("%d lines logged, want 1", n)
		}
	})
}

// Each goodbye keeps a socket, so there are only so many at once.
func TestGoodbyesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		refuse := func() *device {
			d, err := s.open("", v1Header)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		// They do not answer the close frame, nor even read it.
		for i := range maxGoodbyes {
			if d := refuse(); d.resp.StatusCode != 101 {
				t.Fatalf("refusal %d: got %s, want 101", i+1, d.resp.Status)
			}
		}
		for range 3 {
			if got, want := refuse().refusal(), (said{401, 4401, "token missing"}); got != want {
				t.Errorf("beyond the bound: got %+v, want %+v", got, want)
			}
		}
		// Those who do not answer are given up.
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := s.hub.goodbyes.Load(); got != 0 {
			t.Errorf("%d goodbyes after 3 s, want 0", got)
		}
		if got, want := refuse().refusal(), (said{101, 4401, "token missing"}); got != want {
			t.Errorf("later: got %+v, want %+v", got, want)
		}
		if got := s.hub.Stats().Refused["token"]; got != maxGoodbyes+4 {
			t.Errorf("Stats.Refused[token]: got %d, want %d", got, maxGoodbyes+4)
		}
	})
}

// A goodbye ends as soon as the client has answered.
func TestGoodbyeEndsWithTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		d, err := s.open("", v1Header)
		if err != nil {
			t.Fatal(err)
		}
		d.closedSoon()
		d.write(8, []byte{0x11, 0x31}) // 4401
		d.c.Close()
		synctest.Wait()
		if got := s.hub.goodbyes.Load(); got != 0 {
			t.Errorf("%d goodbyes after the answer, want 0", got)
		}
	})
}

func TestCloseReason(t *testing.T) {
	for name, c := range map[string]struct{ reason, want string }{
		"empty":         {"", ""},
		"plain":         {"signed out", "signed out"},
		"longest":       {strings.Repeat("a", 123), strings.Repeat("a", 123)},
		"one over":      {strings.Repeat("a", 124), strings.Repeat("a", 123)},
		"2-byte rune":   {"a" + strings.Repeat("é", 61) + "é", "a" + strings.Repeat("é", 61)},
		"split 2-byte":  {strings.Repeat("é", 62), strings.Repeat("é", 61)},
		"split 3-byte":  {strings.Repeat("a", 121) + "€", strings.Repeat("a", 121)},
		"whole 3-byte":  {strings.Repeat("a", 120) + "€", strings.Repeat("a", 120) + "€"},
		"split 4-byte":  {strings.Repeat("a", 120) + "😀", strings.Repeat("a", 120)},
		"not UTF-8":     {"a\xffb", "a\ufffdb"},
		"half a rune":   {"\xe2\x82", "\ufffd\ufffd"},
		"bytes only":    {strings.Repeat("\xff", 200), strings.Repeat("\ufffd", 41)},
		"control bytes": {"a\r\nb\x00", "a\r\nb\x00"},
	} {
		got := closeReason(c.reason)
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if len(got) > maxCloseReason || !utf8.ValidString(got) {
			t.Errorf("%s: got %d bytes, valid UTF-8: %v", name, len(got), utf8.ValidString(got))
		}
	}
}

// A countingHandler counts the records that go into a log.
type countingHandler struct {
	slog.Handler
	n *atomic.Int64
}

func (h countingHandler) Handle(ctx context.Context, r slog.Record) error {
	h.n.Add(1)
	return h.Handler.Handle(ctx, r)
}

// Strangers' bytes stay inside the value they were given as.
func TestLogInjection(t *testing.T) {
	const evil = "x\r\ntime=2026-11-22T00:00:00Z level=ERROR msg=forged\x1b[2J\x07\u2028"
	escaped := strings.NewReplacer("\r", "%0D", "\n", "%0A", " ", "%20", "\x1b", "%1B", "\x07", "%07", "\u2028", "%E2%80%A8").Replace(evil)
	synctest.Test(t, func(t *testing.T) {
		logs, records := new(lockedBuffer), new(atomic.Int64)
		auth := AuthenticatorFunc(func(r *http.Request) (Identity, error) {
			id, err := userAuth(r)
			if r.URL.Query().Has("fail") {
				err = fmt.Errorf("no such user: %s", id.UserID)
			}
			return id, err
		})
		s := newSite(t, Config{Auth: auth, Logger: slog.New(countingHandler{
			slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}), records})})
		d := s.dial("user=" + escaped) // connected
		s.hub.Disconnect(evil, evil)   // disconnected
		d.closedSoon()
		d.c.Close()
		synctest.Wait()
		for _, r := range []*http.Request{
			upgradeRequest("user=" + escaped + "&fail=1"),
			upgradeRequest("user="+escaped, "Origin", evil),
			upgradeRequest("user="+escaped+"&device="+escaped, "User-Agent", evil),
			upgradeRequest("user="+escaped, "Sec-WebSocket-Version", evil),
		} {
			r.RemoteAddr = evil
			if w := s.answerTo(r); strings.ContainsAny(strings.TrimSpace(w.Body.String()), "\r\n\x1b\x07") {
				t.Errorf("the body has control bytes: %q", w.Body)
			}
			time.Sleep(time.Second) // or the log's limit would leave some out
		}
		text := logs.String()
		if got, want := int64(strings.Count(text, "\n")), records.Load(); got != want || want < 7 {
			t.Errorf("%d lines for %d records, want as many, and 7 or more:\n%s", got, want, text)
		}
		if !strings.Contains(text, "forged") {
			t.Errorf("what was to be quoted was not logged at all:\n%s", text)
		}
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "time=2000-") || strings.ContainsAny(line, "\r\x1b\x07\u2028") {
				t.Errorf("forged or raw: %q", line)
			}
		}
	})
}

// A stranger can neither fill a log nor have it hold what he likes at length.
func TestRefusalLogLinesAreShort(t *testing.T) {
	long := strings.Repeat("long ", 4000)
	for name, c := range map[string]struct {
		auth Authenticator
		r    *http.Request
	}{
		"origin":       {userAuth, upgradeRequest("user=alice", "Origin", long)},
		"error":        {failingAuth(errors.New(long)), upgradeRequest("user=alice")},
		"user":         {identityAuth(Identity{UserID: long}), upgradeRequest("")},
		"version":      {userAuth, upgradeRequest("user=alice", "Sec-WebSocket-Version", long)},
		"key":          {userAuth, upgradeRequest("user=alice", "Sec-WebSocket-Key", long)},
		"subprotocol":  {userAuth, upgradeRequest("", "Sec-WebSocket-Protocol", long)},
		"query":        {userAuth, upgradeRequest("device=" + strings.Repeat("x", 30_000))},
		"its user too": {failingAuth(fmt.Errorf("%s: %w", long, ErrUnavailable)), upgradeRequest("user=alice")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: c.auth})
				w := s.answerTo(c.r)
				if w.Code < 400 || w.Body.Len() > 1000 {
					t.Errorf("got %d with a body of %d bytes, want a refusal of at most 1000", w.Code, w.Body.Len())
				}
				for line := range strings.Lines(s.logs.String()) {
					if len(line) > 1000 {
						t.Errorf("a line of %d bytes, want at most 1000: %.200s…", len(line), line)
					}
				}
			})
		})
	}
}
