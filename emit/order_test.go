package emit

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
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

// hangCommits makes all commits wait until the channel is closed.
func hangCommits(db *fakeDB) (let chan struct{}) {
	let = make(chan struct{})
	db.fail = func(stmt string) error {
		if stmt == "COMMIT" {
			<-let
		}
		return nil
	}
	return let
}

// A commit that hangs holds up what comes later for a second, and no more.
func TestHangingCommitIsNotWaitedForForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, to, logs, before := newFakeDB(t), new(listener), new(logBuffer), Counters()
		let := hangCommits(db)
		done := make(chan struct{})
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
		want(t, "waited", time.Since(start), commitPatience)
		want(t, "sent", to.heard(), "alice SECOND, alice THIRD")
		close(let)
		<-done
		want(t, "sent", to.heard(), "alice FIRST")
		want(t, "counted", since(before), Stats{Collected: 3, Sent: 3, Overtaken: 1})
		want(t, "lines logged", logs.lines(), 1)
		want(t, "lines left", len(inLine.of), 0)
	})
}

// What was not waited for once is so again for those who come after it was committed.
func TestLateCommitStandsInLineAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, to := newFakeDB(t), new(listener)
		commit := hangCommits(db)
		let, done := stalled(to, func(w http.ResponseWriter, r *http.Request) {
			Tx(r.Context(), db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "FIRST"); return nil })
		})
		ordered(to, new(logBuffer).logger()).Broadcast("alice", event("OTHER", nil))
		want(t, "sent", to.heard(), "alice OTHER")
		close(commit)
		synctest.Wait()
		Tx(context.Background(), db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "SECOND"); return nil })
		close(let)
		<-done
		want(t, "sent", to.heard(), "alice FIRST, alice SECOND")
	})
}

// Those who wait behind a commit that hangs keep their order among themselves.
func TestAllWaitForAHangingCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, to, logs, before := newFakeDB(t), new(listener), new(logBuffer), Counters()
		let := hangCommits(db)
		done := make(chan struct{})
		go func() {
			defer close(done)
			Tx(context.Background(), db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "HUNG"); return nil })
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() { ordered(to, logs.logger()).Broadcast("alice", event(fmt.Sprint(i), nil)) })
			synctest.Wait()
		}
		wg.Wait()
		want(t, "sent", to.heard(), "alice 0, alice 1, alice 2, alice 3, alice 4")
		want(t, "not waited for", since(before).Overtaken, 1)
		close(let)
		<-done
	})
}

// An event whose sending hangs holds up others for two seconds, and no more.
func TestHangingBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to, logs, before := new(listener), new(logBuffer), Counters()
		to.hear = func(_ string, ev usercast.Event) error {
			if ev.Type == "HANGS" {
				time.Sleep(time.Minute)
			}
			return nil
		}
		var wg sync.WaitGroup
		wg.Go(func() { InOrder(to).Broadcast("alice", event("HANGS", nil)) })
		synctest.Wait()
		start := time.Now()
		for i := range 5 {
			wg.Go(func() {
				out := NewOutbox(to, OutboxConfig{Logger: logs.logger()})
				out.Broadcast("alice", event(fmt.Sprint(i), nil))
				out.Flush()
				want(t, "waited from the first on", time.Since(start), patience)
			})
			time.Sleep(10 * time.Millisecond)
		}
		wg.Wait()
		want(t, "sent", to.heard(), "alice 0, alice 1, alice 2, alice 3, alice 4, alice HANGS")
		want(t, "not waited for", since(before).Overtaken, 1)
		want(t, "lines left", len(inLine.of), 0)
	})
}

// When Tx or Flush has returned its events are sent, whoever has sent them.
func TestTxReturnsWhenAllIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, to := newFakeDB(t), new(listener)
		slow := map[string]chan struct{}{"SLOW": make(chan struct{}), "FIRST": make(chan struct{})}
		to.hear = func(_ string, ev usercast.Event) error {
			if c := slow[ev.Type]; c != nil {
				<-c
			}
			return nil
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Tx(context.Background(), db, to, nil, func(tx *sql.Tx, out *Outbox) error {
				out.Broadcast("bob", event("SLOW", nil))
				return out.Broadcast("alice", event("FIRST", nil))
			})
			to.Broadcast("alice", event("SECOND", nil)) // past all lines, but after Tx
		}()
		synctest.Wait()
		go InOrder(to).Broadcast("alice", event("OTHER", nil)) // takes FIRST out
		synctest.Wait()
		close(slow["SLOW"])
		synctest.Wait()
		want(t, "sent before FIRST", to.heard(), "bob SLOW")
		close(slow["FIRST"])
		<-done
		synctest.Wait()
		// OTHER and SECOND are sent at once: only FIRST comes before both.
		heard := to.heard()
		if !strings.HasPrefix(heard, "alice FIRST, ") || strings.Count(heard, ",") != 2 {
			t.Errorf("sent: %s", heard)
		}
	})
}

// A response that panics on its way out costs no event.
func TestMiddlewareResponsePanics(t *testing.T) {
	db, to := newFakeDB(t), new(listener)
	panicked, _ := catch(func() error {
		Middleware(to)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			Tx(r.Context(), db, to, nil, func(tx *sql.Tx, out *Outbox) error { insert(t, tx, out, "A"); return nil })
		})).ServeHTTP(panickyClient{httptest.NewRecorder()}, httptest.NewRequest("POST", "/", nil))
		return nil
	})
	want(t, "panic", panicked, any(http.ErrAbortHandler))
	want(t, "sent", to.heard(), "alice A")
	want(t, "lines left", len(inLine.of), 0)
}

type panickyClient struct{ *httptest.ResponseRecorder }

func (panickyClient) FlushError() error { panic(http.ErrAbortHandler) }

// A hub that ends its caller's goroutine loses one event, and leaves nobody waiting.
func TestGoexitLosesOneEvent(t *testing.T) {
	db, to, before := newFakeDB(t), new(listener), Counters()
	to.hear = func(_ string, ev usercast.Event) error {
		if ev.Type == "DEADLY" {
			runtime.Goexit()
		}
		return nil
	}
	catch(func() error {
		return Tx(context.Background(), db, to, nil, func(tx *sql.Tx, out *Outbox) error {
			for _, user := range []string{"alice", "bob", "carol"} {
				out.Broadcast(user, event("DEADLY", nil))
				out.Broadcast(user, event("ALIVE", nil))
			}
			return nil
		})
	})
	want(t, "sent", to.heard(), "alice ALIVE, bob ALIVE, carol ALIVE")
	want(t, "counted", since(before), Stats{Collected: 6, Sent: 3, Failed: 3})
	want(t, "lines left", len(inLine.of), 0)
}

// A hub that ends the goroutine of somebody who sends in another's stead, too.
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
