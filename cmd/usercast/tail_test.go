package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/usercast-go/usercast"
)

// What is sent is printed, whoever sends it in whatever way.
func TestTailPrints(t *testing.T) {
	s := newSite(t, usercast.Config{})
	tail := begin(t, nil, "tail", "-u", "alice")
	tail.err.wait(t, "usercast: fresh: what happens from now on (tail.")

	at, _, _ := invoke(t, "", "send", "-u", "alice", "PENDING_CREATED", `{ "orderIds": ["1"],  "count": 1 }`)
	s.broadcast("bob", "NOT_ALICE", nil)
	invoke(t, "", "send", "-u", "alice", "JOB_PROGRESS", "--key", "job:42", "60")
	tail.out.wait(t, "JOB_PROGRESS")
	// What goes to everyone has an order of its own: wait for it.
	invoke(t, "", "send", "--all", "NOTIFICATION_NEW", `"a"`)
	tail.out.wait(t, "NOTIFICATION_NEW")
	s.broadcast("alice", "SYNC_PROGRESS", nil)
	s.broadcast("alice", "STRANGE", "\u009b31m red \u202e \x7f \U000e0001")
	text := tail.out.wait(t, "STRANGE")
	lines := strings.Split(text, "\n")
	if want := strings.TrimSpace(at) + ` PENDING_CREATED {"orderIds":["1"],"count":1}`; lines[0] != want {
		t.Errorf("got %q, want %q", lines[0], want)
	}
	for i, want := range []string{
		` JOB_PROGRESS [latest job:42] 60`,
		` NOTIFICATION_NEW [all] "a"`,
		` SYNC_PROGRESS [transient] null`,
		` STRANGE "\u009b31m red \u202e \u007f \udb40\udc01"`,
	} {
		if !strings.HasSuffix(lines[i+1], want) {
			t.Errorf("got %q, want it to end with %q", lines[i+1], want)
		}
	}
	tail.stop()
	if code := tail.end(); code != 0 {
		t.Errorf("Ctrl-C: got status %d, want 0", code)
	}
	if n := s.hub.Load().Connections("alice"); n > 1 {
		t.Errorf("%d connections", n)
	}
}

func TestTailPrintsJSON(t *testing.T) {
	s := newSite(t, usercast.Config{})
	tail := begin(t, nil, "tail", "-u", "alice", "--json")
	tail.err.wait(t, "fresh")
	const nasty = "\u009b line\u2028break \U000e0001"
	at, err := s.hub.Load().BroadcastContext(t.Context(), "alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:1", Payload: nasty})
	if err != nil {
		t.Fatal(err)
	}
	tail.out.wait(t, "JOB_PROGRESS")
	s.hub.Load().BroadcastAll(t.Context(), usercast.Event{Type: "E"})
	text := tail.out.wait(t, `"E"`)
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		var got struct {
			Timestamp        usercast.Timestamp
			Type, Class, Key string
			Scope            string
			Replayed         bool
			Payload          any
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		switch i {
		case 0:
			if got.Timestamp != at || got.Type != "JOB_PROGRESS" || got.Class != "latest" || got.Key != "job:1" || got.Payload != nasty {
				t.Errorf("got %+v from %q", got, line)
			}
			if strings.ContainsAny(line, "\u009b\u2028\U000e0001") {
				t.Errorf("%q reaches the terminal", line)
			}
		case 1:
			if got.Scope != "all" || got.Payload != nil {
				t.Errorf("got %+v from %q", got, line)
			}
		}
	}
}

// It comes back after a cut, has missed nothing, and says so.
func TestTailResumes(t *testing.T) {
	s := newSite(t, usercast.Config{})
	tail := begin(t, nil, "tail", "-u", "alice")
	tail.err.wait(t, "fresh")
	s.broadcast("alice", "BEFORE", 1)
	tail.out.wait(t, "BEFORE 1")
	s.cut(true)
	s.broadcast("alice", "MEANWHILE", 2)
	tail.err.wait(t, "usercast: not connected: ")
	s.cut(false)
	tail.err.wait(t, "usercast: resumed: nothing was missed")
	if text := tail.out.wait(t, "MEANWHILE"); strings.Count(text, "\n") != 2 || !strings.Contains(text, "MEANWHILE [replayed] 2") {
		t.Errorf("got:\n%s", text)
	}
	tail.stop()
	if code := tail.end(); code != 0 {
		t.Errorf("got status %d, want 0", code)
	}

	// Another one goes on from where this one stopped.
	_, cursor, _ := strings.Cut(tail.err.wait(t, "--since "), "--since ")
	s.broadcast("alice", "LATER", 3)
	next := begin(t, nil, "tail", "-u", "alice", "--since", strings.TrimSpace(cursor))
	next.err.wait(t, "resumed")
	if text := next.out.wait(t, "LATER"); strings.Contains(text, "MEANWHILE") {
		t.Errorf("what was printed is printed again:\n%s", text)
	}
}

// What is lost is told: with the hub, and by a cursor that is none of its.
func TestTailTellsGaps(t *testing.T) {
	s := newSite(t, usercast.Config{})
	tail := begin(t, nil, "tail", "-u", "alice")
	tail.err.wait(t, "fresh")
	s.broadcast("alice", "A", nil)
	tail.out.wait(t, "A null")
	s.stop()
	s.start(usercast.Config{})
	text := tail.err.wait(t, "usercast: gap: restarted: not everything after ")
	if !strings.Contains(text, "usercast: gap: events are missing (restarted), what is left follows (tail.") {
		t.Errorf("the verdict is missing:\n%s", text)
	}
	if !strings.Contains(text, "not connected: restarting") {
		t.Errorf("the reason is missing:\n%s", text)
	}
	forged := begin(t, nil, "tail", "-u", "alice", "--since", "2000-01-01T00:00:00Z")
	forged.err.wait(t, "gap: restarted")
}

// Of one device it hears what that hears.
func TestTailOfADevice(t *testing.T) {
	newSite(t, usercast.Config{})
	tail := begin(t, nil, "tail", "-u", "alice", "--device", "phone")
	tail.err.wait(t, "fresh")
	invoke(t, "", "send", "-u", "alice", "OWN", "--except", "phone")
	invoke(t, "", "send", "-u", "alice", "OTHER")
	if text := tail.out.wait(t, "OTHER null"); strings.Contains(text, "OWN") {
		t.Errorf("got what the device has caused:\n%s", text)
	}
}

func TestTailIsEnded(t *testing.T) {
	s := newSite(t, usercast.Config{})
	tail := begin(t, nil, "tail", "-u", "alice")
	tail.err.wait(t, "fresh")
	s.hub.Load().Disconnect("alice", "stolen \x1b[31m phone")
	if code := tail.end(); code != 1 {
		t.Errorf("got status %d, want 1", code)
	}
	tail.err.wait(t, `usercast: the hub has disconnected alice: stolen \u001b[31m phone`)

	broken := begin(t, failingWriter{}, "tail", "-u", "alice")
	broken.err.wait(t, "fresh")
	s.broadcast("alice", "A", nil)
	if code := broken.end(); code != 1 {
		t.Errorf("broken output: got status %d, want 1", code)
	}
	broken.err.wait(t, "usercast: the pipe is broken\n")
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("the pipe is broken") }

// A tail waits for a place rather than take a device's.
func TestTailWaitsForAPlace(t *testing.T) {
	newSite(t, usercast.Config{MaxConnsPerUser: 1})
	first := begin(t, nil, "tail", "-u", "alice")
	first.err.wait(t, "fresh")
	second := begin(t, nil, "tail", "-u", "alice")
	second.err.wait(t, "usercast: not connected: the user has as many connections as Config.MaxConnsPerUser allows; next attempt in")
	first.stop()
	second.err.wait(t, "fresh")
}

func TestCursors(t *testing.T) {
	at, _ := usercast.ParseTimestamp("2026-11-22T20:53:52.123456Z")
	for text, want := range map[string]usercast.Cursor{
		"":                              {},
		"2026-11-22T20:53:52.123456Z":   {LastEventTs: at},
		"e,2026-11-22T20:53:52.123456Z": {Epoch: "e", LastEventTs: at},
		"e,2026-11-22T20:53:52.123456Z,2026-11-22T20:53:52.123457Z": {Epoch: "e", LastEventTs: at, LastGlobalTs: at + 1},
	} {
		got, err := parseCursor(text)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
		if want.Epoch != "" && formatCursor(want) != text {
			t.Errorf("%+v: got %q, want %q", want, formatCursor(want), text)
		}
	}
	for _, text := range []string{"yesterday", "e,", "e,2026-11-22", ",,,", "e,2026-11-22T20:53:52Z,2026-11-22T20:53:52Z,x", "2026-11-22T20:53:52Z,2026-11-22T20:53:52Z,"} {
		if got, err := parseCursor(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}
