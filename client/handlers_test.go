package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

type order struct {
	ID    string
	Count int
}

// orderCreated is defined once, for the hub's side and the client's.
var orderCreated = usercast.Define[order]("CLIENT_TEST_ORDER_CREATED", usercast.Buffered)

// TestPatterns: exact, prefix and all; the hub's own messages are no events.
func TestPatterns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{})
		got := map[string]string{}
		patterns := []string{"JOB_DONE", "JOB_*", "JOB", "*", "*_DONE", "J*B", "", "hub.*", "JOB_DONE*"}
		for _, p := range patterns {
			x.On(p, func(ev Event) { got[p] += ev.Type + " " })
		}
		x.start()
		synctest.Wait()
		for _, typ := range []string{"JOB_DONE", "JOB_FAILED", "JOB", "*_DONE"} {
			s.broadcast("alice", typ, nil)
		}
		synctest.Wait()
		time.Sleep(time.Minute) // and heartbeats
		x.stop()
		for p, want := range map[string]string{
			"JOB_DONE":  "JOB_DONE ",
			"JOB_*":     "JOB_DONE JOB_FAILED ",
			"JOB":       "JOB ",
			"*":         "JOB_DONE JOB_FAILED JOB *_DONE ",
			"*_DONE":    "*_DONE ",
			"JOB_DONE*": "JOB_DONE ",
		} {
			if got[p] != want {
				t.Errorf("%q: got %q, want %q", p, got[p], want)
			}
			delete(got, p)
		}
		if len(got) > 0 {
			t.Errorf("others were called: %v", got)
		}
	})
}

// TestTyped: payloads are decoded; one that does not fit is reported once and
// disturbs nobody.
func TestTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{})
		var orders []order
		var metas []Meta
		On(x.Client, "ORDER", func(o order, m Meta) { orders, metas = append(orders, o), append(metas, m) })
		var pointers []*order
		On(x.Client, "ORD*", func(o *order, _ Meta) { pointers = append(pointers, o) })
		OnEvent(x.Client, orderCreated, func(o order, _ Meta) { orders = append(orders, o) })
		x.start()
		synctest.Wait()
		at := s.broadcast("alice", "ORDER", order{"a", 1})
		s.broadcast("alice", "ORDER", "not an order")
		s.broadcast("alice", "ORDER", nil)
		if err := orderCreated.Broadcast(s.hub, "alice", order{"c", 3}); err != nil {
			t.Fatal(err)
		}
		x.stopAfterwards()
		if got, want := fmt.Sprint(orders), "[{a 1} { 0} {c 3}]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if len(metas) != 2 || metas[0] != (Meta{Type: "ORDER", Timestamp: at, Class: usercast.Buffered}) {
			t.Errorf("metas %+v", metas)
		}
		if len(pointers) != 2 || pointers[0].ID != "a" || pointers[1] != nil {
			t.Errorf("pointers %v, want one, and nil for null", pointers)
		}
		if got, want := x.journal(), "hello fresh, ORDER, ORDER, error, error, ORDER, CLIENT_TEST_ORDER_CREATED"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for _, err := range snapshot(x, &x.errs) {
			wrong := (*json.UnmarshalTypeError)(nil)
			if !errors.Is(err, ErrPayload) || !errors.As(err, &wrong) || !strings.Contains(err.Error(), "client.order") {
				t.Errorf("OnError: %v, want ErrPayload with the type", err)
			}
		}
	})
}

// stopAfterwards lets everything that was sent arrive, and ends Run.
func (x *subject) stopAfterwards() {
	synctest.Wait()
	x.stop()
}

// TestPanics: each callback's panic goes to OnError and changes nothing; OnError's
// own goes to the log.
func TestPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{
			OnState:    func(State) { panic("OnState") },
			OnConnect:  func(Hello) { panic("OnConnect") },
			OnGap:      func(Gap) { panic("OnGap") },
			OnError:    func(error) { panic("OnError") },
			SaveCursor: func(usercast.Cursor) error { panic("SaveCursor") },
			Cursor:     usercast.Cursor{Epoch: "gone", LastEventTs: 1},
		})
		x.On("E", func(Event) { panic(fmt.Errorf("handler %d", 1)) })
		On(x.Client, "E", func(n int, _ Meta) { _ = make([]int, n)[n] })
		after := 0
		x.On("E", func(Event) { after++ })
		x.start()
		synctest.Wait()
		s.broadcast("alice", "E", 0)
		s.broadcast("alice", "E", 1)
		synctest.Wait()
		if after != 2 || x.payloads() != "0 1" || len(s.dialled()) != 1 || x.State() != (State{Phase: Connected}) {
			t.Errorf("%d calls after the panics, %s, %d connections, %+v", after, x.payloads(), len(s.dialled()), x.State())
		}
		if got, want := x.Cursor(), s.hub.Cursor("alice"); got != want {
			t.Errorf("cursor %+v, want %+v: it moves all the same", got, want)
		}
		texts := map[string]int{}
		for _, err := range snapshot(x, &x.errs) {
			if !errors.Is(err, usercast.ErrPanic) || !strings.Contains(err.Error(), "handlers.go") {
				t.Errorf("OnError: %v, want ErrPanic with a stack", err)
			}
			for _, what := range []string{"OnState", "OnConnect", "OnGap", "SaveCursor", "handler 1", "out of range"} {
				if line, _, _ := strings.Cut(err.Error(), "\n"); strings.Contains(line, what) {
					texts[what]++
				}
			}
		}
		for what, least := range map[string]int{"OnState": 3, "OnConnect": 1, "OnGap": 1, "SaveCursor": 1, "handler 1": 2, "out of range": 2} {
			if texts[what] < least {
				t.Errorf("%s: %d panics were reported, want %d", what, texts[what], least)
			}
		}
	})
}

// TestDialPanics is a failed attempt.
func TestDialPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		s.tune = func(n int, _ *line) {
			if n == 0 {
				panic("dial")
			}
		}
		x := s.client(Config{}).start()
		time.Sleep(2 * time.Second)
		if errs := snapshot(x, &x.errs); len(errs) != 1 || !errors.Is(errs[0], usercast.ErrPanic) {
			t.Errorf("OnError: %v, want the panic", errs)
		}
		if got := x.State().Phase; got != Connected {
			t.Errorf("%s, want connected", got)
		}
	})
}

// TestGoexit: a handler that ends its goroutine, as a test's FailNow does, ends Run,
// and the connection with it.
func TestGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{})
		remove := x.On("E", func(Event) { runtime.Goexit() })
		done := make(chan bool)
		go func() {
			defer close(done)
			x.Run(t.Context())
			t.Error("Run returned")
		}()
		synctest.Wait()
		s.broadcast("alice", "E", 0)
		<-done
		synctest.Wait()
		if got := s.hub.Connections("alice"); got != 0 {
			t.Errorf("%d connections left, want none", got)
		}
		if got := x.State(); got != (State{Phase: Idle, Stale: true}) {
			t.Errorf("state %+v, want idle", got)
		}
		remove()
		x.start()
		synctest.Wait()
		if got, want := x.payloads(), "0 0"; got != want { // the first Run was in it, so it is not passed
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestRemove: a handler that is removed is not called again, even by the event
// that is being handled; one that is added sees what comes then.
func TestRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{})
		var got []string
		note := func(name string) func(Event) { return func(ev Event) { got = append(got, name+string(ev.Payload)) } }
		var removeB func()
		removeA := x.On("E", func(ev Event) {
			note("a")(ev)
			removeB()
			removeB()
			if string(ev.Payload) == "0" {
				x.On("E", note("c"))
			}
		})
		removeB = x.On("E", note("b"))
		x.start()
		synctest.Wait()
		s.broadcast("alice", "E", 0)
		s.broadcast("alice", "E", 1)
		synctest.Wait()
		removeA()
		s.broadcast("alice", "E", 2)
		synctest.Wait()
		if got, want := strings.Join(got, " "), "a0 a1 c1 c2"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestConcurrentUse: everything is called from everywhere, for the race detector.
func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		x := s.client(Config{}).start()
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 50 {
					switch (g + i) % 8 {
					case 0:
						s.broadcast("alice", "E", i)
					case 1:
						defer x.On("E*", func(Event) { x.Cursor() })()
					case 2:
						x.State()
						x.Cursor()
					case 3:
						x.Latest("E", "")
					case 4:
						x.Send(t.Context(), []byte("hello"))
					case 5:
						x.Probe()
					case 6:
						s.send("alice", usercast.Event{Type: "J_PROGRESS", Key: "k", Payload: i})
					case 7:
						if i%10 == 0 {
							x.Reconnect()
						}
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Minute)
		if got, want := x.Cursor(), s.hub.Cursor("alice"); got != want {
			t.Errorf("cursor %+v, the hub's is %+v", got, want)
		}
		if gaps := snapshot(x, &x.gaps); len(gaps) > 0 {
			t.Errorf("gaps %+v, want none", gaps)
		}
		x.noErrors()
	})
}
