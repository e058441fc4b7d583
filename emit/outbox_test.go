package emit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/usercast-go/usercast"
)

func event(typ string, payload any) usercast.Event {
	return usercast.Event{Type: typ, Payload: payload}
}

func TestOutboxSendsInOrderAndOnce(t *testing.T) {
	to, before := new(listener), Counters()
	out := NewOutbox(to, OutboxConfig{})
	for i := range 3 {
		out.Broadcast("alice", event("A", i))
		out.Broadcast("bob", event("B", i))
	}
	want(t, "sent before the flush", to.heard(), "")
	want(t, "Len", out.Len(), 6)
	if err := out.Flush(); err != nil {
		t.Errorf("Flush: %v", err)
	}
	want(t, "sent", to.heard(), "alice A 0, bob B 0, alice A 1, bob B 1, alice A 2, bob B 2")
	want(t, "Len", out.Len(), 0)
	out.Flush()
	want(t, "sent twice", to.heard(), "")
	out.Broadcast("alice", event("C", nil))
	out.Flush()
	want(t, "sent since", to.heard(), "alice C")
	out.Broadcast("alice", event("D", nil))
	out.Discard()
	out.Flush()
	want(t, "sent of what was discarded", to.heard(), "")
	want(t, "counted", since(before), Stats{Collected: 8, Sent: 7, Discarded: 1})
}

// What an event says is what was true when it was collected.
func TestOutboxFreezes(t *testing.T) {
	to := new(listener)
	out := NewOutbox(to, OutboxConfig{})
	payload := map[string]int{"count": 1}
	users := []string{"alice", "bob"}
	out.BroadcastMany(context.Background(), users, event("A", payload))
	payload["count"], users[0] = 2, "mallory"
	out.Flush()
	want(t, "sent", to.heard(), `alice A {"count":1}, bob A {"count":1}`)
}

type angry struct{}

func (angry) MarshalJSON() ([]byte, error) { panic("angry") }

func TestOutboxRefusesBadEventsAlone(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	long := strings.Repeat("x", 10_000)
	for name, tc := range map[string]struct {
		emit func(*Outbox) error
		want error
	}{
		"no user":       {func(o *Outbox) error { return o.Broadcast("", event("A", nil)) }, usercast.ErrInvalidUser},
		"long user":     {func(o *Outbox) error { return o.Broadcast(long, event("A", nil)) }, usercast.ErrInvalidUser},
		"user no UTF-8": {func(o *Outbox) error { return o.Broadcast("\xff", event("A", nil)) }, usercast.ErrInvalidUser},
		"no type":       {func(o *Outbox) error { return o.Broadcast("alice", event("", nil)) }, usercast.ErrInvalidEvent},
		"long type":     {func(o *Outbox) error { return o.Broadcast("alice", event(long, nil)) }, usercast.ErrInvalidEvent},
		"the hub's own": {func(o *Outbox) error { return o.Broadcast("alice", event("hub.live", nil)) }, usercast.ErrInvalidEvent},
		"no JSON":       {func(o *Outbox) error { return o.Broadcast("alice", event("A", make(chan int))) }, usercast.ErrPayload},
		"no UTF-8":      {func(o *Outbox) error { return o.Broadcast("alice", event("A", "secret\xff")) }, usercast.ErrPayload},
		"a panic":       {func(o *Outbox) error { return o.Broadcast("alice", event("A", angry{})) }, usercast.ErrPanic},
		"one of many": {func(o *Outbox) error {
			return o.BroadcastMany(context.Background(), []string{"bob", ""}, event("A", nil))
		}, usercast.ErrInvalidUser},
		"many, cancelled": {func(o *Outbox) error { return o.BroadcastMany(cancelled, []string{"bob"}, event("A", nil)) }, context.Canceled},
		"all, cancelled":  {func(o *Outbox) error { return o.BroadcastAll(cancelled, event("A", nil)) }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			to, logs, before := new(wideListener), new(logBuffer), Counters()
			out := NewOutbox(to, OutboxConfig{Logger: logs.logger()})
			out.Broadcast("alice", event("FIRST", nil))
			if err := tc.emit(out); !errors.Is(err, tc.want) {
				t.Errorf("error: got %v, want one that wraps %v", err, tc.want)
			}
			out.Broadcast("alice", event("LAST", nil))
			out.Flush()
			want(t, "sent", to.heard(), "alice FIRST, alice LAST")
			want(t, "counted", since(before), Stats{Collected: 2, Sent: 2, Refused: 1})
			want(t, "lines logged", logs.lines(), 1)
			if s := logs.String(); len(s) > 8000 || strings.Contains(s, "secret") {
				t.Errorf("logged %d bytes, or the payload: %.500s", len(s), s)
			}
		})
	}
}

func TestOutboxIsBounded(t *testing.T) {
	to, before := new(listener), Counters()
	out := NewOutbox(to, OutboxConfig{MaxEvents: 2, Logger: new(logBuffer).logger()})
	out.Broadcast("alice", event("A", nil))
	out.Broadcast("alice", event("B", nil))
	err := out.Broadcast("alice", event("C", nil))
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "MaxEvents") {
		t.Errorf("third of two: %v", err)
	}
	out.Flush()
	want(t, "sent", to.heard(), "alice A, alice B")
	if err := out.Broadcast("alice", event("D", nil)); err != nil {
		t.Errorf("after the flush there is room: %v", err)
	}
	want(t, "counted", since(before), Stats{Collected: 3, Sent: 2, Refused: 1})

	// "alice" + "A" + 94 bytes of JSON: exactly two fit.
	out = NewOutbox(to, OutboxConfig{MaxBytes: 200, Logger: new(logBuffer).logger()})
	payload := strings.Repeat("x", 92)
	for i, wanted := range []error{nil, nil, ErrFull} {
		if err := out.Broadcast("alice", event("A", payload)); !errors.Is(err, wanted) {
			t.Errorf("event %d: got %v, want %v", i, err, wanted)
		}
	}
	out.Discard()
	want(t, "error when emptied", out.Broadcast("alice", event("A", payload)), nil)
	// The IDs of many users count, too.
	if err := out.BroadcastMany(context.Background(), slices.Repeat([]string{"b"}, 6), event("A", nil)); !errors.Is(err, ErrFull) {
		t.Errorf("six users: got %v, want %v", err, ErrFull)
	}
	want(t, "error for five", out.BroadcastMany(context.Background(), slices.Repeat([]string{"b"}, 5), event("A", nil)), nil)
}

func TestOutboxDefaultBounds(t *testing.T) {
	out := NewOutbox(new(listener), OutboxConfig{MaxEvents: -1, MaxBytes: -1, Logger: new(logBuffer).logger()})
	for range 1000 {
		if err := out.Broadcast("alice", event("A", nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Broadcast("alice", event("A", nil)); !errors.Is(err, ErrFull) {
		t.Errorf("event 1,001: %v", err)
	}
	out.Discard()
	big := json.RawMessage(`"` + strings.Repeat("x", 64<<10-20) + `"`)
	n := 0
	for ; out.Broadcast("alice", event("A", big)) == nil; n++ {
	}
	want(t, "largest events", n, 64)
}

// A flush that fails in the middle goes on; how much it says of it is bounded.
func TestFlushGoesOnAfterFailures(t *testing.T) {
	cause := errors.New("the hub says no")
	logs, before := new(logBuffer), Counters()
	to := &listener{hear: func(_ string, ev usercast.Event) error {
		switch {
		case ev.Type == "PANIC":
			panic("angry")
		case strings.HasPrefix(ev.Type, "BAD"):
			return cause
		}
		return nil
	}}
	out := NewOutbox(to, OutboxConfig{Logger: logs.logger()})
	for _, typ := range []string{"A", "BAD", "B", "PANIC", "C"} {
		out.Broadcast("alice", event(typ, nil))
	}
	err := out.Flush()
	if !errors.Is(err, cause) || !errors.Is(err, usercast.ErrPanic) || !strings.Contains(err.Error(), "BAD not sent") {
		t.Errorf("Flush: %v", err)
	}
	want(t, "sent", to.heard(), "alice A, alice B, alice C")
	want(t, "counted", since(before), Stats{Collected: 5, Sent: 3, Failed: 2})
	want(t, "logged", logs.lines(), 2)
	want(t, "second flush", out.Flush(), nil)

	for range 500 {
		out.Broadcast("alice", event("BAD", nil))
	}
	err = out.Flush()
	want(t, "counted", since(before).Failed, 502)
	want(t, "logged", logs.lines(), maxLogged)
	if n := strings.Count(logs.String(), "counted only"); n != 1 {
		t.Errorf("the last line says that it is the last %d times, want once", n)
	}
	if n := len(err.Error()); n > 2000 {
		t.Errorf("the error of 500 failures has %d bytes", n)
	}
}

// What is sent to may emit and flush itself: nothing blocks, and the order holds.
func TestFlushesThatOverlapAreOne(t *testing.T) {
	to := new(listener)
	out := NewOutbox(to, OutboxConfig{})
	to.hear = func(_ string, ev usercast.Event) error {
		if ev.Type == "A" {
			out.Broadcast("alice", event("INNER", nil))
			if err := out.Flush(); err != nil {
				t.Errorf("inner flush: %v", err)
			}
		}
		return nil
	}
	out.Broadcast("alice", event("A", nil))
	out.Broadcast("alice", event("B", nil))
	if err := out.Flush(); err != nil {
		t.Errorf("Flush: %v", err)
	}
	want(t, "sent", to.heard(), "alice A, alice B, alice INNER")
}

// A test that fails in what is sent to must not leave an outbox that never sends again.
func TestFlushAfterGoexit(t *testing.T) {
	to := new(listener)
	to.hear = func(_ string, ev usercast.Event) error {
		if ev.Type == "EXIT" {
			runtime.Goexit()
		}
		return nil
	}
	out, before := NewOutbox(to, OutboxConfig{}), Counters()
	out.Broadcast("alice", event("EXIT", nil))
	out.Broadcast("alice", event("B", nil))
	done := make(chan struct{})
	go func() {
		defer close(done)
		out.Flush()
	}()
	<-done
	want(t, "flush", out.Flush(), nil)
	want(t, "sent", to.heard(), "alice B")
	want(t, "counted", since(before), Stats{Collected: 2, Sent: 1, Failed: 1})
}

// Whatever runs at once: each event is sent once or discarded once, and those of one
// goroutine that are sent come in its order.
func TestOutboxConcurrently(t *testing.T) {
	const writers, each = 8, 200
	before := Counters()
	last := make([]int, writers)
	sent := make(map[string]int)
	to := new(listener)
	to.hear = func(user string, ev usercast.Event) error { // one flush at a time, so no lock
		var n, i int
		fmt.Sscanf(user, "user%d", &n)
		fmt.Sscanf(string(ev.Payload.(json.RawMessage)), "%d", &i)
		if i <= last[n] {
			t.Errorf("%s: %d comes after %d", user, i, last[n])
		}
		last[n] = i
		sent[fmt.Sprint(n, i)]++
		return nil
	}
	out := NewOutbox(to, OutboxConfig{MaxEvents: writers * each})
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			for i := 1; i <= each; i++ {
				if err := out.Broadcast(fmt.Sprintf("user%d", n), event("A", i)); err != nil {
					t.Errorf("Broadcast: %v", err)
				}
				switch rng.IntN(20) {
				case 0:
					out.Flush()
				case 1:
					out.Discard()
				case 2:
					out.Len()
				}
			}
		})
	}
	wg.Wait()
	out.Flush()
	for what, n := range sent {
		want(t, "times that "+what+" was sent", n, 1)
	}
	s := since(before)
	want(t, "collected", s.Collected, writers*each)
	want(t, "sent", s.Sent, uint64(len(sent)))
	want(t, "sent and discarded", s.Sent+s.Discarded, s.Collected)
	if s.Sent == 0 || s.Discarded == 0 {
		t.Errorf("nothing was tested: %+v", s)
	}
}

func TestOutboxThatIsNone(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	before := Counters()
	for name, out := range map[string]*Outbox{"nil": nil, "zero": {}, "From": From(context.Background())} {
		for _, err := range []error{
			out.Broadcast("alice", event("A", nil)),
			out.BroadcastMany(context.Background(), []string{"alice"}, event("A", nil)),
			out.BroadcastAll(context.Background(), event("A", nil)),
		} {
			if !errors.Is(err, ErrNoOutbox) || !strings.Contains(err.Error(), "emit.Middleware") {
				t.Errorf("%s: got %v, want %v and what to do", name, err, ErrNoOutbox)
			}
		}
		out.Discard()
		want(t, name+": Flush", out.Flush(), nil)
		want(t, name+": Len", out.Len(), 0)
	}
	want(t, "counted", since(before), Stats{Refused: 9})

	out := NewOutbox(nil, OutboxConfig{})
	out.Broadcast("alice", event("A", nil))
	if err := out.Flush(); !errors.Is(err, usercast.ErrInvalidConfig) {
		t.Errorf("an outbox to nobody: %v", err)
	}
	out = NewOutbox((*usercast.Hub)(nil), OutboxConfig{})
	out.Broadcast("alice", event("A", nil))
	if err := out.Flush(); !errors.Is(err, usercast.ErrPanic) {
		t.Errorf("an outbox to a nil hub: %v", err)
	}
}

func TestOutboxToManyAndAll(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	wide := new(wideListener)
	out := NewOutbox(wide, OutboxConfig{})
	out.Broadcast("alice", event("A", nil))
	want(t, "many", out.BroadcastMany(ctx, []string{"alice", "bob"}, event("B", nil)), nil)
	want(t, "nobody", out.BroadcastMany(ctx, nil, event("B", nil)), nil)
	want(t, "all", out.BroadcastAll(ctx, event("C", nil)), nil)
	out.Broadcast("alice", event("D", nil))
	want(t, "Len", out.Len(), 4)
	cancel() // the request is over; what it did is not undone
	want(t, "Flush", out.Flush(), nil)
	want(t, "sent", wide.heard(), "alice A, alice+bob B, everyone C, alice D")

	ctx = context.Background()
	narrow := new(listener)
	out = NewOutbox(narrow, OutboxConfig{})
	out.BroadcastMany(ctx, []string{"alice", "bob", "alice"}, event("B", nil))
	if err := out.BroadcastAll(ctx, event("C", nil)); err == nil || !strings.Contains(err.Error(), "*emit.listener") {
		t.Errorf("BroadcastAll to one that cannot: %v", err)
	}
	out.Flush()
	want(t, "sent", narrow.heard(), "alice B, bob B")

	narrow.hear = func(user string, _ usercast.Event) error {
		if user == "alice" {
			return usercast.ErrClosed
		}
		return nil
	}
	out.BroadcastMany(ctx, []string{"alice", "bob"}, event("B", nil))
	if err := out.Flush(); !errors.Is(err, usercast.ErrClosed) || !strings.Contains(err.Error(), "alice") {
		t.Errorf("one of two: %v", err)
	}
	want(t, "sent", narrow.heard(), "bob B")
}

// A hub is what outboxes are for.
func TestOutboxToAHub(t *testing.T) {
	hub, err := usercast.New(usercast.Config{
		Auth: usercast.AuthenticatorFunc(func(*http.Request) (usercast.Identity, error) {
			return usercast.Identity{}, usercast.ErrTokenMissing
		}),
		MaxEventBytes: 1000,
		Logger:        new(logBuffer).logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	logs, before := new(logBuffer), Counters()
	out := NewOutbox(hub, OutboxConfig{Logger: logs.logger()})
	ctx := context.Background()
	out.Broadcast("alice", event("A", nil))
	out.Broadcast("alice", event("BIG", strings.Repeat("x", 1000))) // only the hub knows
	out.BroadcastMany(ctx, []string{"bob", "carol"}, event("B", nil))
	out.BroadcastAll(ctx, event("C", nil))
	if err := out.Flush(); !errors.Is(err, usercast.ErrTooLarge) {
		t.Errorf("Flush: %v", err)
	}
	want(t, "events in the hub", hub.Stats().Broadcasts[usercast.Buffered], 4)
	if err := hub.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	out.Broadcast("alice", event("D", nil))
	if err := out.Flush(); !errors.Is(err, usercast.ErrClosed) {
		t.Errorf("Flush to a closed hub: %v", err)
	}
	want(t, "counted", since(before), Stats{Collected: 5, Sent: 3, Failed: 2})
	want(t, "logged", logs.lines(), 2)
}

var outboxKept = usercast.DefineKeyed("OUTBOX_TEST_KEPT", usercast.Latest, func(n int) string { return fmt.Sprint("n:", n) })

// A defined event stays what its definition says, though it is frozen on the way.
func TestOutboxOfDefinedEvents(t *testing.T) {
	to, logs := new(listener), new(logBuffer)
	to.hear = func(_ string, ev usercast.Event) error {
		want(t, "key", ev.Key, "n:7")
		want(t, "except", ev.Except, "laptop")
		_, err := ev.Freeze() // all that a hub asks of it
		return err
	}
	out := NewOutbox(to, OutboxConfig{Logger: logs.logger()})
	want(t, "error", outboxKept.Except("laptop").Broadcast(out, "alice", 7), nil)
	if err := out.Broadcast("alice", usercast.Event{Type: "OUTBOX_TEST_KEPT", Key: "n:1", Payload: "no int"}); !errors.Is(err, usercast.ErrInvalidEvent) {
		t.Errorf("a payload of another type: %v", err)
	}
	want(t, "flush", out.Flush(), nil)
	want(t, "sent", to.heard(), "alice OUTBOX_TEST_KEPT 7")
}

// An outbox may send to an outbox.
func TestOutboxToAnOutbox(t *testing.T) {
	to := new(wideListener)
	outer := NewOutbox(to, OutboxConfig{})
	inner := NewOutbox(outer, OutboxConfig{})
	inner.Broadcast("alice", event("A", 1))
	want(t, "all", inner.BroadcastAll(context.Background(), event("B", nil)), nil)
	inner.Flush()
	want(t, "sent", to.heard(), "")
	outer.Flush()
	want(t, "sent", to.heard(), "alice A 1, everyone B")
}
