package usercast

// Budgets that are counts, and therefore the same on every machine: allocations,
// writes, goroutines. Times are the bench's business.

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
)

func newQuietHub(t testing.TB, cfg Config) *Hub {
	return newSite(t, cfg).hub
}

func TestBroadcastAllocates(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates on its own; make race runs this once more without it")
		return
	}
	hub := newQuietHub(t, Config{})
	e := Event{Type: "PENDING_UPDATED", Payload: json.RawMessage(`{"orderIds":["a","b"],"count":2}`)}
	type payload struct {
		OrderIDs []string `json:"orderIds"`
		Count    int      `json:"count"`
	}
	typed := Event{Type: "PENDING_UPDATED", Payload: &payload{[]string{"a", "b"}, 2}}
	keyed := Event{Type: "JOB_PROGRESS", Key: "job:1", Payload: e.Payload}
	for name, c := range map[string]struct {
		ev   Event
		most float64
	}{"raw": {e, 1}, "typed": {typed, 2}, "latest": {keyed, 2}} {
		hub.Broadcast("absent", c.ev)
		if got := testing.AllocsPerRun(500, func() { hub.Broadcast("absent", c.ev) }); got > c.most {
			t.Errorf("%s: a Broadcast to a user without connections allocates %v times, want at most %v", name, got, c.most)
		}
	}
}

func TestReplayWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newSocketListener(1 << 20)
		var server *fakeSocket
		ln.tune = func(s *fakeSocket) { server = s }
		s := newSiteOn(t, Config{}, ln)
		cur := s.hub.Cursor("alice")
		for i := range 200 {
			s.broadcast("alice", ev("STATE", strings.Repeat("x", 200+i)))
		}
		d := s.dial(resume("alice", cur.Epoch, cur.LastEventTs))
		if n := len(d.until("hub.live")); n != 201 {
			t.Fatalf("%d frames after hub.hello, want 201", n)
		}
		server.out.mu.Lock()
		defer server.out.mu.Unlock()
		if server.faults.writes > 4 {
			t.Errorf("200 events left in %d writes, want at most 4", server.faults.writes)
		}
	})
}

func TestGoroutinesPerConnection(t *testing.T) {
	s := newTCPSite(t, Config{})
	s.dial("user=warm").must("hub.live")
	before := runtime.NumGoroutine()
	const n = 300
	for i := range n {
		s.dial(fmt.Sprintf("user=u%d", i)).must("hub.live")
	}
	for range 10_000 {
		s.broadcast("nobody here", ev("A", nil))
	}
	// Handlers return after hub.live was written: let the last of them do so.
	for range 1000 {
		if runtime.NumGoroutine() <= before+n+2 {
			break
		}
		runtime.Gosched()
	}
	if got := runtime.NumGoroutine() - before; got > n+2 {
		t.Errorf("%d goroutines for %d connections", got, n)
	}
}

func BenchmarkBroadcast(b *testing.B) {
	hub := newQuietHub(b, Config{})
	e := Event{Type: "PENDING_UPDATED", Payload: json.RawMessage(`{"orderIds":["a1","a2"],"count":2}`)}
	users := make([]string, 1024)
	for i := range users {
		users[i] = fmt.Sprintf("user-%d", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		hub.Broadcast(users[i%len(users)], e)
		i++
	}
}
