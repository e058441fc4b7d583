package usercasttest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/client"
	"github.com/usercast-go/usercast/usercasttest"
)

type order struct {
	ID string `json:"id"`
}

var (
	created = usercast.Define[order]("KIT_CREATED", usercast.Buffered)
	deleted = usercast.Define[order]("KIT_DELETED", usercast.Buffered)
	hinted  = usercast.Define[order]("KIT_HINTED", usercast.Transient)
	_       = usercast.Define[order]("KIT_NEVER_SENT", usercast.Buffered)
)

// eitherClock runs a test in a bubble with a clock of its own, and on the real one.
func eitherClock(t *testing.T, fn func(t *testing.T)) {
	t.Run("bubble", func(t *testing.T) { synctest.Test(t, fn) })
	t.Run("real", fn)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDeviceHearsItsUsersEvents(t *testing.T) {
	eitherClock(t, func(t *testing.T) {
		s := usercasttest.NewServer(t, usercast.Config{})
		ann, other, bob := s.Dial("ann"), s.Dial("ann", usercasttest.As("phone")), s.Dial("bob")
		if v, _ := ann.Verdict(); v != usercast.Fresh || other.ID() != "phone" {
			t.Errorf("got verdict %s and device %s", v, other.ID())
		}
		must(t, created.Broadcast(s, "ann", order{"1"}))
		must(t, deleted.Broadcast(s, "ann", order{"2"}))
		must(t, created.Except("phone").Broadcast(s, "ann", order{"3"}))
		// Out of order by type, in order within one.
		if got := usercasttest.RequireEvent(ann, deleted); got.ID != "2" {
			t.Errorf("got %v, want 2", got)
		}
		if got := usercasttest.RequireEvent(ann, created); got.ID != "1" {
			t.Errorf("got %v, want 1", got)
		}
		if got := ann.Next(); got.Type != created.Name() || string(got.Payload) != `{"id":"3"}` {
			t.Errorf("got %s %s", got.Type, got.Payload)
		}
		ann.RequireNoType("")
		other.Settle()
		if got := other.Events(); len(got) != 2 || got[0].Type != created.Name() || got[1].Type != deleted.Name() {
			t.Errorf("the phone got %v", got)
		}
		usercasttest.RequireNoEvent(bob, created)

		must(t, created.BroadcastAll(context.Background(), s.Hub(), order{"all"}))
		for _, d := range []*usercasttest.Device{ann, bob} {
			if got := usercasttest.RequireEvent(d, created); got.ID != "all" {
				t.Errorf("got %v, want all", got)
			}
		}
		must(t, created.Except("phone").BroadcastAll(context.Background(), s.Hub(), order{"not the phone"}))
		bob.Settle()
		if got := bob.Events(); len(got) != 1 {
			t.Errorf("bob got %v", got)
		}
	})
}

// Events for everyone come by a log of their own, after the user's: Settle waits for
// both, however many writes they take.
func TestSettleWaitsForEveryonesEvents(t *testing.T) {
	eitherClock(t, func(t *testing.T) {
		s := usercasttest.NewServer(t, usercast.Config{BufferSize: 2000})
		d := s.Dial("ann")
		const n = 1500
		for i := range n {
			must(t, created.BroadcastAll(context.Background(), s.Hub(), order{fmt.Sprint(i)}))
		}
		d.Settle()
		if got := len(d.Events()); got != n {
			t.Errorf("got %d events after Settle, want %d", got, n)
		}
	})
}

func TestDeviceThatWasAway(t *testing.T) {
	eitherClock(t, func(t *testing.T) {
		s := usercasttest.NewServer(t, usercast.Config{BufferSize: 5})
		d := s.Dial("ann")
		d.Leave()
		if n := s.Hub().Connections("ann"); n > 1 {
			t.Errorf("got %d connections", n)
		}
		must(t, created.Broadcast(s, "ann", order{"1"}))
		must(t, hinted.Broadcast(s, "ann", order{"lost"}))
		d.Return()
		usercasttest.RequireEvent(d, created)
		usercasttest.RequireNoEvent(d, hinted)
		d.RequireNoGap()
		if v, _ := d.Verdict(); v != usercast.Resumed {
			t.Errorf("got verdict %s, want resumed", v)
		}

		d.Leave()
		for range 6 {
			must(t, created.Broadcast(s, "ann", order{"2"}))
		}
		d.Return()
		if got := d.RequireGap(); got != usercast.GapEvicted {
			t.Errorf("got gap %s, want evicted", got)
		}
		d.RequireNoGap()
		d.Settle()
		if got := len(d.Events()); got != 5 {
			t.Errorf("got %d events, want the 5 that are kept", got)
		}
	})
}

func TestCutLosesAndDoublesNothing(t *testing.T) {
	eitherClock(t, func(t *testing.T) {
		s := usercasttest.NewServer(t, usercast.Config{})
		d := s.Dial("ann")
		const n = 200
		for i := range n {
			if i%20 == 10 {
				d.Cut()
			}
			must(t, created.Broadcast(s, "ann", order{fmt.Sprint(i)}))
		}
		d.RequireNoGap()
		for i := range n {
			if got := usercasttest.RequireEvent(d, created); got.ID != fmt.Sprint(i) {
				t.Fatalf("got %s, want %d", got.ID, i)
			}
		}
		usercasttest.RequireNoEvent(d, created)
	})
}

func TestRestartIsAGap(t *testing.T) {
	eitherClock(t, func(t *testing.T) {
		s := usercasttest.NewServer(t, usercast.Config{})
		before := s.Hub()
		d := s.Dial("ann")
		must(t, created.Broadcast(s, "ann", order{"1"}))
		usercasttest.RequireEvent(d, created)
		s.Restart()
		if s.Hub() == before {
			t.Error("got the same hub")
		}
		if got := d.RequireGap(); got != usercast.GapRestarted {
			t.Errorf("got gap %s, want restarted", got)
		}
		must(t, created.Broadcast(s, "ann", order{"2"}))
		if got := usercasttest.RequireEvent(d, created); got.ID != "2" {
			t.Errorf("got %v, want 2", got)
		}
	})
}

func TestStalledDeviceIsCutAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := usercasttest.NewServer(t, usercast.Config{BufferSize: 5})
		d, other := s.Dial("ann"), s.Dial("ann")
		resume := d.Stall()
		for i := range 20 {
			must(t, created.Broadcast(s, "ann", order{fmt.Sprint(i)}))
			if got := usercasttest.RequireEvent(other, created); got.ID != fmt.Sprint(i) {
				t.Errorf("the other device got %v, want %d", got, i)
			}
		}
		time.Sleep(5 * time.Second) // beyond Config.WriteTimeout
		synctest.Wait()
		if got := s.Hub().Stats().SlowCloses; got != 1 {
			t.Errorf("got %d slow connections cut, want 1", got)
		}
		resume()
		if got := d.RequireGap(); got != usercast.GapEvicted {
			t.Errorf("got gap %s, want evicted", got)
		}
	})
}

// A device that is stalled takes nothing at all, not even what it is waiting for already.
func TestStallTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := usercasttest.NewServer(t, usercast.Config{})
		d := s.Dial("ann")
		synctest.Wait() // it reads
		resume := d.Stall()
		must(t, created.Broadcast(s, "ann", order{"1"}))
		synctest.Wait()
		if events := d.Events(); len(events) > 0 {
			t.Errorf("it heard %v", events)
		}
		resume()
		if got := usercasttest.RequireEvent(d, created); got.ID != "1" {
			t.Errorf("got %v, want 1", got)
		}
	})
}

func TestSince(t *testing.T) {
	eitherClock(t, func(t *testing.T) {
		s := usercasttest.NewServer(t, usercast.Config{})
		cursor := s.Hub().Cursor("ann")
		must(t, created.Broadcast(s, "ann", order{"between"}))
		d := s.Dial("ann", usercasttest.Since(cursor))
		if got := usercasttest.RequireEvent(d, created); got.ID != "between" {
			t.Errorf("got %v", got)
		}
		if got := s.Dial("ann", usercasttest.Since(d.Cursor())); len(got.Events()) != 0 {
			t.Errorf("got %v", got.Events())
		}
	})
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := usercasttest.NewServer(t, usercast.Config{})
		refused := s.Dial("ann", usercasttest.With("nonsense"))
		if err := refused.Err(); !errors.Is(err, client.ErrUnauthorized) {
			t.Errorf("got %v, want ErrUnauthorized", err)
		}
		// One that renews, and one that does not.
		renewed, short := s.Dial("ann"), s.Dial("ann", usercasttest.With(s.TokenFor("ann", 2*time.Minute)))
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if err := short.Err(); !errors.Is(err, client.ErrUnauthorized) {
			t.Errorf("got %v, want ErrUnauthorized", err)
		}
		time.Sleep(time.Hour)
		must(t, created.Broadcast(s, "ann", order{"1"}))
		usercasttest.RequireEvent(renewed, created)
		renewed.RequireNoGap()

		if n := s.Hub().Disconnect("ann", "logged out"); n != 1 {
			t.Errorf("Disconnect closed %d connections, want 1", n)
		}
		synctest.Wait()
		var closed *client.CloseError
		if err := renewed.Err(); !errors.As(err, &closed) || closed.Code != usercast.CloseRevoked {
			t.Errorf("got %v, want close code 4403", err)
		}
	})
}

func TestAuthAndClassifyOfTheTestsOwn(t *testing.T) {
	eitherClock(t, func(t *testing.T) {
		s := usercasttest.NewServer(t, usercast.Config{
			Auth:     usercast.AuthenticatorFunc(noAuth),
			Classify: func(usercast.Event) usercast.Class { return usercast.Buffered },
		})
		d := s.Dial("who Auth says")
		if n := s.Hub().Connections("ann"); n != 1 {
			t.Errorf("got %d connections of ann, want 1", n)
		}
		must(t, s.Broadcast("ann", usercast.Event{Type: "X_PROGRESS"}))
		if got := d.RequireType("X_PROGRESS"); got.Class != usercast.Buffered {
			t.Errorf("got class %s", got.Class)
		}
	})
}

// A failing is a testing.TB that notes failures instead of failing.
type failing struct {
	testing.TB
	mu       sync.Mutex
	messages []string
	cleanups []func()
}

func (f *failing) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages = append(f.messages, fmt.Sprintf(format, args...))
}
func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}
func (f *failing) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }

// run runs fn and the cleanups, and returns what failed.
func (f *failing) run(fn func()) string {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, c := range f.cleanups {
				c()
			}
		}()
		fn()
	}()
	<-done
	return strings.Join(f.messages, "\n")
}

// Each requirement fails when it should, and says what there was instead.
func TestRequirementsFail(t *testing.T) {
	type kit struct {
		*failing
		s *usercasttest.Server
		d *usercasttest.Device
	}
	for name, c := range map[string]struct {
		fn   func(k kit)
		want []string
	}{
		"no event": {func(k kit) { usercasttest.RequireEvent(k.d, created) }, []string{"no KIT_CREATED came", "KIT_DELETED {\"id\":\"x\"}"}},
		"another shape": {func(k kit) {
			k.s.Broadcast("ann", raw("KIT_CREATED", `{"id":5}`))
			usercasttest.RequireEvent(k.d, created)
		}, []string{"cannot unmarshal"}},
		"an event":        {func(k kit) { usercasttest.RequireNoEvent(k.d, deleted) }, []string{"want no KIT_DELETED"}},
		"any event":       {func(k kit) { k.d.RequireNoType("") }, []string{"want no event"}},
		"no next":         {func(k kit) { k.d.Next(); k.d.Next() }, []string{"no event came"}},
		"no gap":          {func(k kit) { k.d.RequireGap() }, []string{"no gap was told"}},
		"a gap":           {func(k kit) { k.s.Restart(); k.d.RequireNoGap() }, []string{"want no gap", "gap: restarted"}},
		"away":            {func(k kit) { k.d.Leave(); k.d.RequireNoGap() }, []string{"is not connected", "reconnecting"}},
		"stalled":         {func(k kit) { k.d.Stall(); k.d.RequireNoType("") }, []string{"usercasttest: device of ann"}},
		"stopped":         {func(k kit) { k.s.Hub().Disconnect("ann", "bye"); synctest.Wait(); k.d.Settle() }, []string{"has stopped for good", "bye"}},
		"invalid config":  {func(k kit) { usercasttest.NewServer(k, usercast.Config{BufferSize: -1}) }, []string{"Config.BufferSize"}},
		"invalid option":  {func(k kit) { k.s.Dial("ann", usercasttest.As("a b")) }, []string{"Config.Device"}},
		"not sent":        {func(k kit) { usercasttest.RequireSent(usercasttest.NewRecorder(k), "ann", created) }, []string{"no KIT_CREATED was sent to \"ann\""}},
		"never sent":      {func(k kit) { usercasttest.RequireAllSent(k) }, []string{"KIT_NEVER_SENT is defined (", "_test.go:"}},
		"needless except": {func(k kit) { usercasttest.RequireAllSent(k, "KIT_DELETED", "KIT_NONE") }, []string{"KIT_DELETED is excepted and was sent", "KIT_NONE is excepted and not defined"}},
		"something sent": {func(k kit) {
			r := usercasttest.NewRecorder(k)
			created.Broadcast(r, "ann", order{"7"})
			r.RequireNothingSent()
		}, []string{`"ann" KIT_CREATED {"id":"7"}`}},
		"a leak": {func(k kit) {
			stuck := make(chan struct{})
			k.Cleanup(func() { close(stuck) }) // after the server's own: Cleanup here runs them in order
			s := usercasttest.NewServer(k, usercast.Config{OnConnect: func(usercast.ConnInfo) { go func() { <-stuck }() }})
			k.cleanups = append(k.cleanups[len(k.cleanups)-1:], k.cleanups[:len(k.cleanups)-1]...)
			s.Dial("ann")
		}, []string{"goroutines are left over", "TestRequirementsFail"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := kit{failing: &failing{TB: t}}
				got := k.run(func() {
					k.s = usercasttest.NewServer(k, usercast.Config{Logger: slog.New(slog.DiscardHandler)})
					k.d = k.s.Dial("ann")
					must(t, deleted.Broadcast(k.s, "ann", order{"x"}))
					k.d.Settle()
					c.fn(k)
				})
				for _, want := range c.want {
					if !strings.Contains(got, want) {
						t.Errorf("got %q, want %q in it", got, want)
					}
				}
			})
		})
	}
}

func TestRecorder(t *testing.T) {
	eitherClock(t, func(t *testing.T) {
		r := usercasttest.NewRecorder(t)
		ids := []string{"1"}
		must(t, created.Broadcast(r, "ann", order{"1"}))
		must(t, r.Broadcast("ann", usercast.Event{Type: "PLAIN", Payload: ids}))
		ids[0] = "changed later"
		must(t, r.BroadcastMany(context.Background(), []string{"ann", "bob", "ann"}, usercast.Event{Type: "MANY"}))
		must(t, r.BroadcastAll(context.Background(), usercast.Event{Type: "ALL"}))

		// Refused as a hub refuses, and not recorded.
		for name, ev := range map[string]usercast.Event{
			"no type": {}, "the hub's": {Type: "hub.x"}, "another payload": {Type: "KIT_CREATED", Payload: 1},
			"poison": {Type: "X", Payload: "\xff"}, "large": {Type: "X", Payload: strings.Repeat("x", 1<<20)},
		} {
			if err := r.Broadcast("ann", ev); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if err := r.Broadcast("", usercast.Event{Type: "X"}); !errors.Is(err, usercast.ErrInvalidUser) {
			t.Errorf("no user: got %v", err)
		}
		down := errors.New("down")
		r.Fail(down)
		if err := created.Broadcast(r, "ann", order{"2"}); !errors.Is(err, down) {
			t.Errorf("got %v, want down", err)
		}
		r.Fail(nil)

		if got := r.Types("ann"); got != "KIT_CREATED PLAIN MANY" {
			t.Errorf("ann got %s", got)
		}
		if got := r.Types("bob") + " " + r.Types(""); got != "MANY ALL" {
			t.Errorf("bob and everyone got %s", got)
		}
		if got := string(r.Sent()[1].JSON); got != `["1"]` {
			t.Errorf("got %s, want what it was when it was sent", got)
		}
		if got := usercasttest.RequireSent(r, "ann", created); got.ID != "1" {
			t.Errorf("got %v", got)
		}
		if got := r.Types("ann"); got != "PLAIN MANY" {
			t.Errorf("what was asked for is still there: %s", got)
		}
	})
}

func raw(typ, text string) usercast.Event {
	return usercast.Event{Type: typ, Payload: json.RawMessage(text)}
}

func noAuth(*http.Request) (usercast.Identity, error) { return usercast.Identity{UserID: "ann"}, nil }
