package usercast

// What the hub says to a page, recorded: every kind of frame and every close code.
// The file is shared with js/, whose tests feed it to the client, so that neither
// side can change alone. After a change that is meant:
//
//	go test -run TestConformance . -update

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var updateFrames = flag.Bool("update", false, "write js/conformance/frames.json anew")

const framesFile = "js/conformance/frames.json"

// A conversation is one connection as its page sees it. Random names are replaced;
// time is synctest's, so everything else is the same each time.
type conversation struct {
	Name   string         `json:"name"`
	Cursor *Cursor        `json:"cursor,omitempty"` // the page came back with it
	Sent   []string       `json:"sent,omitempty"`   // what it sent
	Frames []string       `json:"frames"`           // what it got, as it stood on the wire
	Close  *recordedClose `json:"close,omitempty"`
}

type recordedClose struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
}

// A talker is a page whose conversation is recorded.
type talker struct {
	*device
	conversation
	ended chan struct{}
}

// talk connects as alice, with a cursor if there is one, and listens.
func (s *site) talk(cursor *Cursor, query string) *talker {
	s.t.Helper()
	query = "user=alice&" + query
	if cursor != nil {
		query = resume("alice", cursor.Epoch, cursor.LastEventTs) + "&lastGlobalTs=" + cursor.LastGlobalTs.String() + "&" + query
	}
	d, err := s.open(query, v1Header)
	if err != nil || d.resp.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("handshake: %v %v", err, d.resp)
	}
	tk := &talker{device: d, ended: make(chan struct{})}
	tk.Cursor = cursor
	go tk.listen()
	synctest.Wait()
	return tk
}

func (tk *talker) listen() {
	defer close(tk.ended)
	for {
		f, err := tk.next()
		if end := (*errClosed)(nil); errors.As(err, &end) {
			tk.Close = &recordedClose{end.code, end.reason}
			tk.write(8, []byte{byte(end.code >> 8), byte(end.code)})
		}
		if err != nil {
			return
		}
		tk.Frames = append(tk.Frames, f.Raw)
	}
}

// say sends a text message and lets the hub answer.
func (tk *talker) say(text string) {
	tk.Sent = append(tk.Sent, text)
	tk.text(text)
	synctest.Wait()
}

// tell publishes, each event in a write of its own.
func (s *site) tell(events ...Event) {
	for _, e := range events {
		s.broadcast("alice", e)
		synctest.Wait()
	}
}

func (s *site) tellAll(events ...Event) {
	for _, e := range events {
		if err := s.hub.BroadcastAll(context.Background(), e); err != nil {
			s.t.Fatalf("BroadcastAll: %v", err)
		}
		synctest.Wait()
	}
}

func (s *site) cursor() *Cursor {
	c := s.hub.Cursor("alice")
	return &c
}

func progress(key string, percent int) Event {
	return Event{Type: "JOB_PROGRESS", Key: key, Payload: map[string]any{"jobId": key, "progress": percent}}
}

// recordedAuth is userAuth, and renews tokens by their names.
type recordedAuth struct{ AuthenticatorFunc }

func (recordedAuth) AuthenticateToken(_ context.Context, token string) (Identity, error) {
	switch token {
	case "two minutes":
		return Identity{UserID: "alice", ExpiresAt: time.Now().Add(2 * time.Minute)}, nil
	case "mallory's":
		return Identity{UserID: "mallory"}, nil
	default:
		return Identity{}, ErrTokenInvalid
	}
}

func renewal(token string) string {
	return `{"type":"hub.auth","payload":{"token":"` + token + `"}}`
}

// recordings are the conversations, by name.
var recordings = []struct {
	name string
	cfg  Config
	room int // bytes that the socket takes; 0: all
	run  func(s *site) *talker
}{
	{name: "fresh, and one event of each class", run: func(s *site) *talker {
		tk := s.talk(nil, "device=phone")
		s.tell(ev("CHANGED", map[string]any{"text": "ä€🙂 \"\\\n</script>\u2028"}), ev("CHANGED", nil),
			ev("NOTE_PROGRESS", 7), progress("job:1", 50),
			Event{Type: "JOB_COMPLETED", Key: "job:1", Payload: map[string]any{"jobId": "job:1"}})
		s.tellAll(ev("NOTICE", []int{1, 2}), ev("NOTE_PROGRESS", nil), progress("all:\"1\"", 10))
		return tk
	}},
	{name: "silence and a ping", run: func(s *site) *talker {
		tk := s.talk(nil, "")
		tk.say("ping")
		time.Sleep(26 * time.Second)
		return tk
	}},
	{name: "fresh, with the latest values", run: func(s *site) *talker {
		s.tell(progress("job:1", 10), ev("CHANGED", 1), progress("job:2", 20), progress("job:1", 30))
		s.tellAll(progress("all:1", 40))
		return s.talk(nil, "")
	}},
	{name: "resumed", run: func(s *site) *talker {
		s.tell(ev("CHANGED", 1))
		s.tellAll(ev("NOTICE", 1))
		from := s.cursor()
		s.tell(ev("CHANGED", 2), progress("job:1", 10), ev("NOTE_PROGRESS", "lost"), progress("job:1", 20), ev("CHANGED", 3))
		s.tellAll(ev("NOTICE", 2))
		return s.talk(from, "")
	}},
	{name: "gap: evicted", cfg: Config{BufferSize: 2}, run: func(s *site) *talker {
		from := s.cursor()
		s.tell(progress("job:1", 10), ev("CHANGED", 1), ev("CHANGED", 2), ev("CHANGED", 3))
		tk := s.talk(from, "")
		s.tell(ev("CHANGED", 4))
		return tk
	}},
	{name: "gap: evicted from everyone's log only", cfg: Config{BufferSize: 2}, run: func(s *site) *talker {
		from := s.cursor()
		s.tell(ev("CHANGED", 1))
		s.tellAll(progress("all:1", 10), ev("NOTICE", 1), ev("NOTICE", 2), ev("NOTICE", 3))
		return s.talk(from, "")
	}},
	{name: "gap: expired", cfg: Config{BufferTTL: 10 * time.Second}, run: func(s *site) *talker {
		from := s.cursor()
		s.tell(ev("CHANGED", 1))
		time.Sleep(8 * time.Second)
		s.tell(ev("CHANGED", 2))
		time.Sleep(5 * time.Second)
		return s.talk(from, "")
	}},
	{name: "gap: restarted", run: func(s *site) *talker {
		from := s.cursor()
		from.Epoch = "before"
		s.tell(ev("CHANGED", 1), progress("job:1", 10))
		return s.talk(from, "")
	}},
	{name: "gap: unknown_cursor", run: func(s *site) *talker {
		from := s.cursor()
		from.LastEventTs += 3_600_000_000
		s.tell(ev("CHANGED", 1))
		return s.talk(from, "")
	}},
	{name: "gap: lagged", cfg: Config{BufferSize: 3}, room: 1000, run: func(s *site) *talker {
		tk := s.talk(nil, "")
		tk.c.(*fakeSocket).stall(true)
		s.tell(ev("CHANGED", strings.Repeat("x", 2000)), progress("job:1", 10)) // the first fills the socket
		for n := range 5 {
			s.tell(ev("CHANGED", n))
		}
		tk.c.(*fakeSocket).stall(false)
		synctest.Wait()
		s.tell(ev("CHANGED", 5))
		return tk
	}},
	{name: "expiring, renewed, and at last expired", cfg: Config{Auth: recordedAuth{userAuth}}, run: func(s *site) *talker {
		tk := s.talk(nil, "ttl=70s")
		time.Sleep(15 * time.Second)
		tk.say(renewal("two minutes"))
		time.Sleep(3 * time.Minute)
		return tk
	}},
	{name: "renewed with a token of another user", cfg: Config{Auth: recordedAuth{userAuth}}, run: func(s *site) *talker {
		tk := s.talk(nil, "")
		tk.say(renewal("mallory's"))
		return tk
	}},
	{name: "renewed with an invalid token", cfg: Config{Auth: recordedAuth{userAuth}}, run: func(s *site) *talker {
		tk := s.talk(nil, "")
		tk.say(renewal("rubbish"))
		return tk
	}},
	{name: "refused: token missing", cfg: Config{Auth: failingAuth(ErrTokenMissing)}, run: func(s *site) *talker { return s.talk(nil, "") }},
	{name: "refused: token invalid", cfg: Config{Auth: failingAuth(errors.New("no"))}, run: func(s *site) *talker { return s.talk(nil, "") }},
	{name: "refused: token expired", cfg: Config{Auth: failingAuth(ErrTokenExpired)}, run: func(s *site) *talker { return s.talk(nil, "") }},
	{name: "refused: authentication is unavailable", cfg: Config{Auth: failingAuth(ErrUnavailable)}, run: func(s *site) *talker { return s.talk(nil, "") }},
	{name: "refused: hub full", cfg: Config{MaxConns: 1}, run: func(s *site) *talker {
		s.dial("user=bob")
		return s.talk(nil, "")
	}},
	{name: "refused: malformed", run: func(s *site) *talker { return s.talk(nil, "device=a+b") }},
	{name: "refused: restarting", run: func(s *site) *talker {
		s.hub.Shutdown(context.Background())
		return s.talk(nil, "")
	}},
	{name: "closed: restarting", run: func(s *site) *talker {
		tk := s.talk(nil, "")
		s.hub.Shutdown(context.Background())
		return tk
	}},
	{name: "closed: disconnected by the server", run: func(s *site) *talker {
		tk := s.talk(nil, "")
		s.hub.Disconnect("alice", "logged out elsewhere")
		return tk
	}},
	{name: "closed: replaced", cfg: Config{MaxConnsPerUser: 1}, run: func(s *site) *talker {
		tk := s.talk(nil, "")
		s.dial("user=alice")
		return tk
	}},
	{name: "closed: flood", run: func(s *site) *talker {
		tk := s.talk(nil, "")
		floodPings(tk.device)
		return tk
	}},
	{name: "closed: message too big", run: func(s *site) *talker {
		tk := s.talk(nil, "")
		tk.text(strings.Repeat("x", 5000))
		return tk
	}},
	{name: "closed: a callback panicked", cfg: Config{OnMessage: func(ConnInfo, []byte) { panic("no") }}, run: func(s *site) *talker {
		tk := s.talk(nil, "")
		tk.say("hello")
		return tk
	}},
}

func TestConformance(t *testing.T) {
	var all []conversation
	for _, rec := range recordings {
		t.Run(strings.ReplaceAll(rec.name, " ", "-"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := rec.room
				if room == 0 {
					room = 1 << 16
				}
				r := newRig(t, rec.cfg, room, false)
				tk := rec.run(r.site)
				synctest.Wait()
				tk.c.Close()
				<-tk.ended
				tk.Name = rec.name
				all = append(all, tk.named(r.hub.Cursor("alice").Epoch))
			})
		})
	}
	checkRecorded(t, all)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	enc.Encode(all)
	if *updateFrames {
		if err := os.WriteFile(framesFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, err := os.ReadFile(framesFile); err != nil || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s is not what the hub says; if that is meant, -update writes it anew, and js/ must follow", framesFile)
	}
}

var connectionID = regexp.MustCompile(`"connectionId":"[^"]*"`)

// named replaces what is random.
func (tk *talker) named(epoch string) conversation {
	c := tk.conversation
	for i, f := range c.Frames {
		f = connectionID.ReplaceAllString(f, `"connectionId":"connection"`)
		c.Frames[i] = strings.ReplaceAll(f, `"`+epoch+`"`, `"epoch"`)
	}
	if c.Cursor != nil && c.Cursor.Epoch == epoch {
		c.Cursor.Epoch = "epoch"
	}
	if c.Frames == nil {
		c.Frames = []string{}
	}
	return c
}

// checkRecorded compares what was recorded with what the sources can send: a new
// frame or close code must be recorded, too.
func checkRecorded(t *testing.T, all []conversation) {
	t.Helper()
	said := map[string]bool{}
	for _, c := range all {
		for _, text := range c.Frames {
			var f frameIn
			if json.Unmarshal([]byte(text), &f) != nil {
				continue // pong
			}
			said[f.Type] = true
			var p struct{ Verdict, Reason string }
			json.Unmarshal(f.Payload, &p)
			said[f.Type+" "+p.Verdict+p.Reason] = true
			said["class "+f.Class+" of "+f.Scope] = true
		}
		if c.Close != nil {
			said[fmt.Sprint("close ", c.Close.Code)] = true
		}
	}
	want := []string{"hub.hello fresh", "hub.hello resumed"}
	for _, reason := range gapReasons {
		want = append(want, "hub.gap "+string(reason))
		if reason != GapLagged {
			want = append(want, "hub.hello gap"+string(reason))
		}
	}
	for _, class := range []string{"", "transient", "latest"} {
		want = append(want, "class "+class+" of ", "class "+class+" of "+scopeAll)
	}
	want = append(want, sourcesSay(t, `hubFrame\("([^"]+)"`, "")...)
	want = append(want, sourcesSay(t, `\b[cC]lose[A-Z]\w+\s*= (\d{4})\b`, "close ")...)
	for _, w := range want {
		if !said[w] && w != fmt.Sprint("close ", closeAbnormal) { // never on the wire
			t.Errorf("%q is recorded in no conversation", w)
		}
	}
}

// sourcesSay returns what the pattern's group matches in the hub's sources.
func sourcesSay(t *testing.T, pattern, prefix string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(src, -1) {
			found = append(found, prefix+string(m[1]))
		}
	}
	slices.Sort(found)
	if found = slices.Compact(found); len(found) < 4 {
		t.Errorf("%s matches only %q in the sources", pattern, found)
	}
	return found
}
