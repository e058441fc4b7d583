package client

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// TestLatest: the newest of a type, and of a type and key; the end of a key ends its
// value; it is there before handlers run.
func TestLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{})
		var inHandler string
		x.On("JOB_PROGRESS", func(Event) { inHandler = x.newest("JOB_PROGRESS", "job:1") })
		x.start()
		synctest.Wait()
		if got := x.newest("JOB_PROGRESS", ""); got != "none" {
			t.Errorf("before anything: %s", got)
		}
		s.send("alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:1", Payload: 10})
		s.send("alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:2", Payload: 20})
		s.send("alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:1", Payload: 11})
		s.broadcast("alice", "ORDER", 1)
		s.broadcast("alice", "ORDER", 2)
		synctest.Wait()
		want := func(typ, key, want string) {
			t.Helper()
			if got := x.newest(typ, key); got != want {
				t.Errorf("Latest(%q, %q): got %s, want %s", typ, key, got, want)
			}
		}
		if inHandler != "11" {
			t.Errorf("in the handler: %s, want 11", inHandler)
		}
		want("JOB_PROGRESS", "job:1", "11")
		want("JOB_PROGRESS", "job:2", "20")
		want("JOB_PROGRESS", "", "11")
		want("JOB_PROGRESS", "job:3", "none")
		want("ORDER", "", "2")
		s.send("alice", usercast.Event{Type: "JOB_DONE", Key: "job:1", Payload: "done"})
		synctest.Wait()
		want("JOB_PROGRESS", "job:1", "none")
		want("JOB_PROGRESS", "", "none") // it was job:1's
		want("JOB_PROGRESS", "job:2", "20")
		want("JOB_DONE", "job:1", `"done"`)

		s.line().Close() // resumed: what was known is known
		time.Sleep(2 * time.Second)
		want("JOB_PROGRESS", "job:2", "20")
		s.restart() // a gap: it is not
		time.Sleep(2 * time.Second)
		want("JOB_PROGRESS", "job:2", "none")
		want("ORDER", "", "none")
	})
}

// TestLatestOfAnotherEpoch: a hub that begins anew, whatever it calls that, has made
// all values doubtful, and a gap in one scope those of that scope.
func TestLatestOfAnotherEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		value := func(at int, scope string) string {
			return fmt.Sprintf(`{"type":"P%s","class":"latest","key":"k","payload":%d,"timestamp":%q,"scope":%q}`, scope, at, ts(at), scope)
		}
		next := make(chan bool)
		s := newScript(t, func(n int, ws *websocket.Conn, _ *http.Request) {
			switch n {
			case 0:
				say(ws, hello("e1", "fresh", ts(10)), value(11, ""), value(12, "all"))
			case 1:
				say(ws, hello("e1", "gap", ts(11)), `{"type":"hub.gap","payload":{"reason":"evicted"},"scope":"all","timestamp":"`+ts(14)+`"}`)
			case 2:
				say(ws, hello("e2", "fresh", ts(20)), value(21, "all"))
			}
			<-next
		})
		x := s.client(Config{}).start()
		var got []string
		for range 3 {
			synctest.Wait()
			got = append(got, x.newest("P", "k")+" "+x.newest("Pall", "k"))
			next <- true
			time.Sleep(5 * time.Second)
		}
		close(next)
		if got, want := strings.Join(got, ", "), "11 12, 11 none, none 21"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func (x *subject) newest(typ, key string) string {
	ev, ok := x.Latest(typ, key)
	if !ok {
		return "none"
	}
	return string(ev.Payload)
}

// TestValuesAreBounded in number and bytes, and their count is right whatever comes.
func TestValuesAreBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var vs values
	big := json.RawMessage(`"` + strings.Repeat("x", maxEventBytes/4) + `"`)
	for i := range 20_000 {
		ev := &Event{Meta: Meta{Type: fmt.Sprint("T", r.IntN(400)), Class: usercast.Class(1 + r.IntN(3))}, Payload: json.RawMessage(`1`)}
		if r.IntN(2) == 0 {
			ev.Key = fmt.Sprint("k", r.IntN(2000))
		}
		ev.Global = r.IntN(3) == 0
		if r.IntN(100) == 0 {
			ev.Payload = big
		}
		vs.set(ev)
		if got, ok := vs.get(ev.Type, ev.Key); !ok || string(got.Payload) != string(ev.Payload) {
			t.Fatalf("step %d: the newest is not there", i)
		}
		if r.IntN(2000) == 0 {
			vs.drop(ev.Global)
			if _, ok := vs.get(ev.Type, ev.Key); ok {
				t.Fatalf("step %d: dropped, and still there", i)
			}
		}
		if i%500 == 0 {
			bytes, n := 0, 0
			for e := vs.order.Front(); e != nil; e = e.Next() {
				v := e.Value.(*value)
				bytes += v.size()
				n++
				if vs.byName[v.name] != e {
					t.Fatalf("step %d: %s is listed and not found", i, v.name)
				}
			}
			if n != len(vs.byName) || bytes != vs.bytes || n > maxValues || bytes > maxValuesBytes {
				t.Fatalf("step %d: %d values of %d bytes, counted as %d and %d; at most %d and %d",
					i, n, bytes, len(vs.byName), vs.bytes, maxValues, maxValuesBytes)
			}
		}
	}
	largest := &Event{Meta: Meta{Type: "L", Key: "k"}, Payload: json.RawMessage(strings.Repeat("1", maxEventBytes-64))}
	vs.set(largest)
	if _, ok := vs.get("L", "k"); !ok {
		t.Error("the largest event is not kept under its key")
	}
	if _, ok := vs.get("L", ""); !ok {
		t.Error("the largest event is not kept under its type")
	}
}
