package emit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/usercast-go/usercast"
)

var errOops = errors.New("oops")

func TestTxEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		fn       func(cancel func()) error
		failOn   string
		want     error
		panics   any
		said     string
		sent     string
		counters Stats
	}{
		"commit": {
			said: "BEGIN; INSERT A; INSERT B; COMMIT", sent: "alice A, alice B",
			counters: Stats{Collected: 2, Sent: 2},
		},
		"error": {
			fn: func(func()) error { return errOops }, want: errOops,
			said:     "BEGIN; INSERT A; INSERT B; ROLLBACK",
			counters: Stats{Collected: 2, Discarded: 2},
		},
		"panic": {
			fn: func(func()) error { panic("angry") }, panics: "angry",
			said:     "BEGIN; INSERT A; INSERT B; ROLLBACK",
			counters: Stats{Collected: 2, Discarded: 2},
		},
		"goexit": {
			fn: func(func()) error { runtime.Goexit(); return nil }, panics: "goexit",
			said:     "BEGIN; INSERT A; INSERT B; ROLLBACK",
			counters: Stats{Collected: 2, Discarded: 2},
		},
		"context cancelled": {
			fn: func(cancel func()) error { cancel(); return nil }, want: context.Canceled,
			said:     "BEGIN; INSERT A; INSERT B; ROLLBACK",
			counters: Stats{Collected: 2, Discarded: 2},
		},
		"begin fails": {
			failOn: "BEGIN", want: errOops,
			said: "BEGIN failed",
		},
		"commit fails": {
			failOn: "COMMIT", want: ErrCommit,
			said:     "BEGIN; INSERT A; INSERT B; COMMIT failed",
			counters: Stats{Collected: 2, Discarded: 2, Unknown: 1},
		},
		"rollback fails": {
			fn: func(func()) error { return io.EOF }, failOn: "ROLLBACK", want: errOops,
			said:     "BEGIN; INSERT A; INSERT B; ROLLBACK failed",
			counters: Stats{Collected: 2, Discarded: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, to, before := newFakeDB(t), new(listener), Counters()
			if tc.failOn != "" {
				db.failOn(tc.failOn, errOops)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			panicked, err := catch(func() error {
				return Tx(ctx, db, to, nil, func(tx *sql.Tx, out *Outbox) error {
					insert(t, tx, out, "A")
					insert(t, tx, out, "B")
					if to.heard() != "" {
						t.Error("sent before the commit")
					}
					if tc.fn == nil {
						return nil
					}
					return tc.fn(cancel)
				})
			})
			want(t, "panic", panicked, tc.panics)
			if !errors.Is(err, tc.want) {
				t.Errorf("error: got %v, want one that wraps %v", err, tc.want)
			}
			if tc.fn != nil && name != "context cancelled" && tc.panics == nil && tc.failOn == "" && err != tc.want {
				t.Errorf("fn's error comes back as %v", err)
			}
			db.waitFor(t, tc.said)
			want(t, "sent", to.heard(), tc.sent)
			want(t, "counted", since(before), tc.counters)
		})
	}
}

// catch runs fn in a goroutine of its own and says how it ended.
func catch(fn func() error) (panicked any, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		panicked = "goexit"
		defer func() {
			if p := recover(); p != nil {
				panicked = p
			}
		}()
		err = fn()
		panicked = nil
	}()
	<-done
	return panicked, err
}

// waitFor compares what was said. After a context has ended, database/sql rolls back
// in a goroutine of its own, which is done once the connection is free.
func (f *fakeDB) waitFor(t *testing.T, said string) {
	t.Helper()
	if c, err := f.Conn(context.Background()); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	want(t, "statements", f.statements(), said)
}

func TestTxSendsAfterTheCommit(t *testing.T) {
	db, to := newFakeDB(t), new(listener)
	ctx, cancel := context.WithCancel(context.Background())
	to.hear = func(string, usercast.Event) error {
		if got := db.committed(); len(got) != 1 {
			t.Errorf("sent when the committed rows are %q", got)
		}
		return nil
	}
	db.fail = func(stmt string) error {
		if stmt == "COMMIT" {
			go cancel() // whoever asked has gone; the others hear of it
			<-ctx.Done()
		}
		return nil
	}
	err := Tx(ctx, db, to, nil, func(tx *sql.Tx, out *Outbox) error {
		insert(t, tx, out, "A")
		if err := out.Flush(); !errors.Is(err, ErrOpen) {
			t.Errorf("Flush in the transaction: got %v, want %v", err, ErrOpen)
		}
		return nil
	})
	want(t, "error", err, nil)
	want(t, "sent", to.heard(), "alice A")
}

// What is committed stays so, whatever becomes of its events.
func TestTxIsNoFailureOfItsEvents(t *testing.T) {
	db, logs, before := newFakeDB(t), new(logBuffer), Counters()
	to := &listener{hear: func(string, usercast.Event) error { return usercast.ErrClosed }}
	opts := &TxOptions{Outbox: OutboxConfig{Logger: logs.logger()}}
	err := Tx(context.Background(), db, to, opts, func(tx *sql.Tx, out *Outbox) error {
		insert(t, tx, out, "A")
		if err := out.Broadcast("", event("B", nil)); err == nil {
			t.Error("no error of an event to nobody")
		}
		return nil
	})
	want(t, "error", err, nil)
	want(t, "rows", len(db.committed()), 1)
	want(t, "counted", since(before), Stats{Collected: 1, Failed: 1, Refused: 1})
	want(t, "logged", logs.lines(), 2)
}

func TestTxOutboxEnds(t *testing.T) {
	db, to := newFakeDB(t), new(listener)
	quiet := &TxOptions{Outbox: OutboxConfig{Logger: new(logBuffer).logger()}}
	for name, ending := range map[string]error{"committed": nil, "rolled back": errOops} {
		var kept *Outbox
		Tx(context.Background(), db, to, quiet, func(_ *sql.Tx, out *Outbox) error {
			kept = out
			out.Discard()
			return ending
		})
		if err := kept.Broadcast("alice", event("LATE", nil)); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: got %v, want %v", name, err, ErrEnded)
		}
		kept.Flush()
		want(t, name+": sent", to.heard(), "")
	}
}

func TestTxOptions(t *testing.T) {
	db, to := newFakeDB(t), new(listener)
	opts := &TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true, Outbox: OutboxConfig{MaxEvents: 1, Logger: new(logBuffer).logger()}}
	err := Tx(context.Background(), db, to, opts, func(_ *sql.Tx, out *Outbox) error {
		out.Broadcast("alice", event("A", nil))
		return out.Broadcast("alice", event("B", nil))
	})
	if !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want %v", err, ErrFull)
	}
	want(t, "driver's options", db.opts, driver.TxOptions{Isolation: driver.IsolationLevel(sql.LevelSerializable), ReadOnly: true})

	conn, err := db.Conn(context.Background()) // a Beginner, too
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = Tx(context.Background(), conn, to, nil, func(_ *sql.Tx, out *Outbox) error { return out.Broadcast("alice", event("A", nil)) })
	want(t, "error", err, nil)
	want(t, "sent", to.heard(), "alice A")
}

func TestTxArguments(t *testing.T) {
	ctx, db, to := context.Background(), newFakeDB(t), new(listener)
	fn := func(*sql.Tx, *Outbox) error { t.Error("called"); return nil }
	begin := func(context.Context) (sqlTx, error) { t.Error("called"); return sqlTx{}, nil }
	with := func(sqlTx, *Outbox) error { t.Error("called"); return nil }
	for name, tc := range map[string]struct{ got, want error }{
		"db":            {Tx(ctx, nil, to, nil, fn), usercast.ErrInvalidConfig},
		"fn":            {Tx(ctx, db, to, nil, nil), usercast.ErrInvalidConfig},
		"to:":           {Tx(ctx, db, nil, nil, fn), usercast.ErrInvalidConfig},
		"NewOutbox":     {Tx(ctx, db, From(ctx), nil, fn), ErrNoOutbox},
		"begin":         {TxWith(ctx, nil, to, nil, with), usercast.ErrInvalidConfig},
		"TxWith: begin": {TxWith(ctx, begin, to, nil, nil), usercast.ErrInvalidConfig},
		"Isolation":     {TxWith(ctx, begin, to, &TxOptions{Isolation: sql.LevelSerializable}, with), usercast.ErrInvalidConfig},
		"ReadOnly":      {TxWith(ctx, begin, to, &TxOptions{ReadOnly: true}, with), usercast.ErrInvalidConfig},
		"Savepoint: tx": {Savepoint(ctx, nil, NewOutbox(to, OutboxConfig{}), func(*Outbox) error { return nil }), usercast.ErrInvalidConfig},
		"for Savepoint": {Savepoint(ctx, db, nil, func(*Outbox) error { return nil }), ErrNoOutbox},
	} {
		if !errors.Is(tc.got, tc.want) || !strings.Contains(tc.got.Error(), name) {
			t.Errorf("%s: got %v, want %v that names it", name, tc.got, tc.want)
		}
	}
	want(t, "statements", db.statements(), "")
}

// fn leaves Commit to Tx; if it does not, nothing claims to know what happened.
func TestTxCommittedByItsFunction(t *testing.T) {
	db, to := newFakeDB(t), new(listener)
	err := Tx(context.Background(), db, to, nil, func(tx *sql.Tx, out *Outbox) error {
		insert(t, tx, out, "A")
		return tx.Commit()
	})
	if !errors.Is(err, ErrOutcomeUnknown) || !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("error: %v", err)
	}
	err = Tx(context.Background(), db, to, nil, func(tx *sql.Tx, out *Outbox) error {
		tx.Rollback()
		return errOops
	})
	want(t, "error after its own rollback", err, errOops)
}

// A nestedTx is what pgx has: transactions that begin savepoints as transactions.
type nestedTx struct {
	db   *fakeDB
	name string
}

func (tx nestedTx) Begin(context.Context) (nestedTx, error) {
	inner := nestedTx{tx.db, tx.name + "x"}
	return inner, tx.db.run("SAVEPOINT " + inner.name)
}

func (tx nestedTx) Commit(context.Context) error {
	if tx.name == "" {
		return tx.db.run("COMMIT")
	}
	return tx.db.run("RELEASE SAVEPOINT " + tx.name)
}

func (tx nestedTx) Rollback(ctx context.Context) error {
	if d, ok := ctx.Deadline(); !ok || time.Until(d) > rollbackTimeout || ctx.Err() != nil {
		return fmt.Errorf("rollback with a context that has no good deadline: %v", d)
	}
	if tx.name == "" {
		return tx.db.run("ROLLBACK")
	}
	return tx.db.run("ROLLBACK TO SAVEPOINT " + tx.name)
}

func (f *fakeDB) begin(context.Context) (nestedTx, error) { return nestedTx{f, ""}, f.run("BEGIN") }

func TestTxWithNests(t *testing.T) {
	db, to := newFakeDB(t), new(listener)
	put := func(what string, result error) func(nestedTx, *Outbox) error {
		return func(tx nestedTx, out *Outbox) error {
			insert(t, db.execer(), out, what)
			return result
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := TxWith(ctx, db.begin, to, nil, func(tx nestedTx, out *Outbox) error {
		put("A", nil)(tx, out)
		want(t, "kept", TxWith(ctx, tx.Begin, out, nil, put("B", nil)), nil)
		want(t, "dropped", TxWith(ctx, tx.Begin, out, nil, put("C", errOops)), errOops)
		want(t, "sent so far", to.heard(), "")
		return put("D", nil)(tx, out)
	})
	want(t, "error", err, nil)
	want(t, "sent", to.heard(), "alice A, alice B, alice D")
	want(t, "rows", fmt.Sprint(db.committed()), "[A B D]")

	err = TxWith(ctx, db.begin, to, nil, func(tx nestedTx, out *Outbox) error {
		TxWith(ctx, tx.Begin, out, nil, put("E", nil))
		cancel() // the rollback has a context of its own
		return nil
	})
	if err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	want(t, "sent", to.heard(), "")

	// A savepoint that can be neither released nor undone takes all with it.
	db.failOn("RELEASE SAVEPOINT x", errOops)
	err = TxWith(context.Background(), db.begin, to, nil, func(tx nestedTx, out *Outbox) error {
		failing := db.fail
		db.fail = func(stmt string) error {
			if stmt == "ROLLBACK TO SAVEPOINT x" {
				return errOops
			}
			return failing(stmt)
		}
		if err := TxWith(context.Background(), tx.Begin, out, nil, put("F", nil)); !errors.Is(err, errOops) {
			t.Errorf("a release that failed: %v", err)
		}
		return nil // swallowed
	})
	if !errors.Is(err, errOops) || !strings.Contains(err.Error(), "could not be undone") {
		t.Errorf("error: %v", err)
	}
	want(t, "sent", to.heard(), "")
	want(t, "rows", fmt.Sprint(db.committed()), "[A B D]")
}

// execer runs statements in whatever transaction is open.
func (f *fakeDB) execer() Execer { return fakeExecer{f} }

type fakeExecer struct{ f *fakeDB }

func (e fakeExecer) ExecContext(_ context.Context, q string, _ ...any) (sql.Result, error) {
	return driver.ResultNoRows, e.f.run(q)
}

// A transaction that is its own, in the function of another one, depends on that if
// it is told so: its target is the outbox. Ended too late, it says so.
func TestTxInAnEndedTx(t *testing.T) {
	db, other, to, logs := newFakeDB(t), newFakeDB(t), new(listener), new(logBuffer)
	entered, ended, done := make(chan bool), make(chan bool), make(chan error)
	before := Counters()
	Tx(context.Background(), db, to, &TxOptions{Outbox: OutboxConfig{Logger: logs.logger()}}, func(tx *sql.Tx, out *Outbox) error {
		go func() {
			done <- Tx(context.Background(), other, out, nil, func(tx *sql.Tx, out *Outbox) error {
				insert(t, tx, out, "LATE")
				entered <- true
				<-ended
				return nil
			})
		}()
		<-entered
		return nil
	})
	close(ended)
	want(t, "error", <-done, nil)
	want(t, "sent", to.heard(), "")
	want(t, "counted", since(before), Stats{Collected: 1, Failed: 1})
	want(t, "logged", logs.lines(), 1)
}
