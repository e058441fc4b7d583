package emit

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

// A stalledClient does not take its response before it is let. What a handler has
// written may have arrived long before.
type stalledClient struct {
	*httptest.ResponseRecorder
	let chan struct{}
}

func (w stalledClient) FlushError() error { <-w.let; return nil }

// stalled starts a request whose response does not get out, and returns what lets it
// and what is closed at its end.
func stalled(to usercast.Broadcaster, h http.HandlerFunc) (let, done chan struct{}) {
	let, done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		w := stalledClient{httptest.NewRecorder(), let}
		Middleware(to)(h).ServeHTTP(w, httptest.NewRequest("POST", "/orders", nil))
	}()
	synctest.Wait()
	return let, done
}

// A client may have the response of a request before its events are sent, and change
// again what it has just made. The events come in that order all the same.
func TestNoRequestOvertakesAnother(t *testing.T) {
	type emitter func(t *testing.T, db *fakeDB, to usercast.Broadcaster, r *http.Request, what string)
	plain := func(t *testing.T, _ *fakeDB, _ usercast.Broadcaster, r *http.Request, what string) {
		From(r.Context()).Broadcast("alice", event(what, nil))
	}
	tx := func(t *testing.T, db *fakeDB, to usercast.Broadcaster, r *http.Request, what string) {
		Tx(r.Context(), db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, what); return nil })
	}
	after := map[string]func(t *testing.T, db *fakeDB, to usercast.Broadcaster){
		"request": func(t *testing.T, _ *fakeDB, to usercast.Broadcaster) {
			handle(to, func(w http.ResponseWriter, r *http.Request) { plain(t, nil, to, r, "CHANGED") })
		},
		"transaction in a request": func(t *testing.T, db *fakeDB, to usercast.Broadcaster) {
			handle(to, func(w http.ResponseWriter, r *http.Request) { tx(t, db, to, r, "CHANGED") })
		},
		"transaction": func(t *testing.T, db *fakeDB, to usercast.Broadcaster) {
			Tx(context.Background(), db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "CHANGED"); return nil })
		},
		"outbox": func(t *testing.T, _ *fakeDB, to usercast.Broadcaster) {
			out := NewOutbox(to, OutboxConfig{})
			out.Broadcast("alice", event("CHANGED", nil))
			out.Flush()
		},
		"worker": func(t *testing.T, _ *fakeDB, to usercast.Broadcaster) {
			InOrder(to).Broadcast("alice", event("CHANGED", nil))
		},
	}
	for first, emit := range map[string]emitter{"plain": plain, "transaction": tx} {
		for second, change := range after {
			t.Run(first+", then a "+second, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					db, to, before := newFakeDB(t), new(listener), Counters()
					let, done := stalled(to, func(w http.ResponseWriter, r *http.Request) {
						emit(t, db, to, r, "CREATED")
						From(r.Context()).Broadcast("bob", event("CREATED", nil))
					})
					want(t, "sent before the response", to.heard(), "")
					change(t, db, to)
					want(t, "sent", to.heard(), "alice CREATED, alice CHANGED")
					close(let)
					<-done
					want(t, "sent after the response", to.heard(), "bob CREATED")
					want(t, "not waited for", since(before).Overtaken, 0)
					want(t, "lines left", len(inLine.of), 0)
				})
			})
		}
	}
}

// What may still be dropped stands in nobody's way, nor do another user's events.
func TestUndecidedEventsAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, to := newFakeDB(t), new(listener)
		let, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			handle(to, func(w http.ResponseWriter, r *http.Request) {
				From(r.Context()).Broadcast("alice", event("PERHAPS", nil))
				Tx(r.Context(), db, to, nil, func(tx *sql.Tx, out *Outbox) error {
					return out.Broadcast("bob", event("SURE", nil))
				})
				<-let
				http.Error(w, "no", http.StatusInternalServerError)
			})
		}()
		synctest.Wait()
		handle(to, func(w http.ResponseWriter, r *http.Request) {
			From(r.Context()).Broadcast("alice", event("DONE", nil))
		})
		want(t, "sent", to.heard(), "alice DONE")
		close(let)
		<-ended
		want(t, "sent in the end", to.heard(), "bob SURE")
	})
}

// A commit that hangs holds up what comes later for a second, and no more.
func TestHangingCommitIsNotWaitedForForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, to, logs, before := newFakeDB(t), new(listener), new(logBuffer), Counters()
		let, done := make(chan struct{}), make(chan struct{})
		db.fail = func(stmt string) error {
			if stmt == "COMMIT" {
				<-let
			}
			return nil
		}
		go func() {
			defer close(done)
			Tx(context.Background(), db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "FIRST"); return nil })
		}()
		synctest.Wait()
		start := time.Now()
		for _, what := range []string{"SECOND", "THIRD"} {
			out := NewOutbox(to, OutboxConfig{Logger: logs.logger()})
			out.Broadcast("alice", event(what, nil))
			out.Flush()
		}
		want(t, "waited", time.Since(start), patience)
		want(t, "sent", to.heard(), "alice SECOND, alice THIRD")
		close(let)
		<-done
		want(t, "sent", to.heard(), "alice FIRST")
		want(t, "counted", since(before), Stats{Collected: 3, Sent: 3, Overtaken: 1})
		want(t, "lines logged", logs.lines(), 1)
		want(t, "lines left", len(inLine.of), 0)
	})
}

// A hub that ends its caller's goroutine leaves nobody waiting.
func TestGoexitLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to, before := new(listener), Counters()
		to.hear = func(_ string, ev usercast.Event) error {
			if ev.Type == "DEADLY" {
				runtime.Goexit()
			}
			return nil
		}
		let, done := stalled(to, func(w http.ResponseWriter, r *http.Request) {
			From(r.Context()).Broadcast("alice", event("DEADLY", nil))
			From(r.Context()).Broadcast("alice", event("SECOND", nil))
		})
		catch(func() error { return InOrder(to).Broadcast("alice", event("THIRD", nil)) })
		close(let)
		<-done
		want(t, "sent", to.heard(), "alice SECOND")
		InOrder(to).Broadcast("alice", event("FOURTH", nil))
		want(t, "sent", to.heard(), "alice FOURTH")
		want(t, "counted", since(before), Stats{Collected: 2, Sent: 1, Failed: 1})
		want(t, "lines left", len(inLine.of), 0)
	})
}

func TestInOrder(t *testing.T) {
	ctx := context.Background()
	to := new(wideListener)
	b := InOrder(to)
	b.Broadcast("alice", event("A", 1))
	b.(usercast.ManyBroadcaster).BroadcastMany(ctx, []string{"alice", "bob", "alice"}, event("B", 2))
	b.(usercast.AllBroadcaster).BroadcastAll(ctx, event("C", 3))
	want(t, "sent", to.heard(), "alice A 1, alice+bob+alice B 2, everyone C 3")
	want(t, "InOrder twice", InOrder(b), b)
	out := NewOutbox(to, OutboxConfig{})
	want(t, "of an outbox", InOrder(out), usercast.Broadcaster(out))
	want(t, "of nothing", InOrder(nil), nil)

	narrow := new(listener)
	b = InOrder(narrow)
	b.(usercast.ManyBroadcaster).BroadcastMany(ctx, []string{"alice", "bob", "alice"}, event("B", 2))
	want(t, "sent one by one", narrow.heard(), "alice B 2, bob B 2")
	if err := b.(usercast.AllBroadcaster).BroadcastAll(ctx, event("C", 3)); err == nil {
		t.Error("a listener that cannot broadcast to all did")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	want(t, "error", b.(usercast.ManyBroadcaster).BroadcastMany(cancelled, []string{"alice"}, event("B", 2)), context.Canceled)
	// For whom sends by an outbox it is the hub itself.
	db := newFakeDB(t)
	handle(narrow, func(w http.ResponseWriter, r *http.Request) {
		Tx(r.Context(), db, InOrder(narrow), nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "E"); return nil })
		want(t, "waiting for the response", From(r.Context()).Len(), 1)
	})
	want(t, "sent", narrow.heard(), "alice E")
	// What cannot be compared is sent to all the same.
	odd := uncomparable{to: narrow, state: []int{1}}
	want(t, "error", InOrder(odd).Broadcast("alice", event("D", nil)), nil)
	want(t, "sent", narrow.heard(), "alice D")
	want(t, "lines left", len(inLine.of), 0)
}
