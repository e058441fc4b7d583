package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/usercast-go/usercast/emit"
)

func TestTx(t *testing.T) {
	forEach(t, func(t *testing.T, e engine) {
		db, _ := e.open(t)
		s := newShop(t, db)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		err := emit.Tx(ctx, db, s, nil, func(tx *sql.Tx, out *emit.Outbox) error {
			return errors.Join(insert(tx, out, "a"), insert(tx, out, "b"))
		})
		want(t, "error", err, nil)
		s.check(t, "a b")
		for _, tc := range endings {
			ctx, cancel := context.WithCancel(context.Background())
			panicked, err := catch(func() error {
				return emit.Tx(ctx, db, s, nil, func(tx *sql.Tx, out *emit.Outbox) error {
					if err := insert(tx, out, "c"); err != nil {
						t.Errorf("%s: %v", tc.name, err)
					}
					return tc.end(cancel)
				})
			})
			cancel()
			want(t, tc.name+": panic", panicked, tc.panics)
			wantError(t, tc.name, err, tc.want)
			s.check(t, "a b")
		}
		// Nothing of all that is left behind.
		err = emit.Tx(ctx, db, s, nil, func(tx *sql.Tx, out *emit.Outbox) error { return insert(tx, out, "c") })
		want(t, "error", err, nil)
		s.check(t, "a b c")
	})
}

// The database refuses the commit: it is known that nothing happened.
func TestCommitRefused(t *testing.T) {
	forEach(t, func(t *testing.T, e engine) {
		db, _ := e.open(t)
		s := newShop(t, db)
		db.SetMaxOpenConns(1) // the next transaction gets the same connection
		for range 2 {
			err := emit.Tx(context.Background(), db, s, nil, func(tx *sql.Tx, out *emit.Outbox) error {
				if _, err := tx.Exec("INSERT INTO lines (order_id) VALUES ('nowhere')"); err != nil {
					t.Errorf("the constraint is not deferred: %v", err)
				}
				return insert(tx, out, "a")
			})
			wantError(t, "commit", err, emit.ErrCommit)
			want(t, "unknown", errors.Is(err, emit.ErrOutcomeUnknown), false)
			s.check(t, "")
		}
	})
}

// PostgreSQL answers ROLLBACK to the commit of a transaction in which a statement has
// failed; SQLite forgives the statement.
func TestErrorSwallowed(t *testing.T) {
	forEach(t, func(t *testing.T, e engine) {
		db, _ := e.open(t)
		s := newShop(t, db)
		err := emit.Tx(context.Background(), db, s, nil, func(tx *sql.Tx, out *emit.Outbox) error {
			if err := insert(tx, out, "a"); err != nil {
				return err
			}
			if err := insert(tx, out, "a"); err == nil {
				t.Error("no error of a second order of that name")
			}
			return nil
		})
		if e.driver == "sqlite" {
			want(t, "error", err, nil)
			s.check(t, "a")
			return
		}
		wantError(t, "commit", err, emit.ErrCommit)
		want(t, "unknown", errors.Is(err, emit.ErrOutcomeUnknown), false)
		s.check(t, "")
	})
}

func TestSavepoints(t *testing.T) {
	forEach(t, func(t *testing.T, e engine) {
		db, _ := e.open(t)
		s := newShop(t, db)
		ctx := context.Background()
		err := emit.Tx(ctx, db, s, nil, func(tx *sql.Tx, out *emit.Outbox) error {
			savepoint := func(out *emit.Outbox, fn func(out *emit.Outbox) error) error {
				return emit.Savepoint(ctx, tx, out, fn)
			}
			in := func(id string, then func(out *emit.Outbox) error) func(*emit.Outbox) error {
				return func(out *emit.Outbox) error {
					if err := insert(tx, out, id); err != nil || then == nil {
						return err
					}
					return then(out)
				}
			}
			oops := func(*emit.Outbox) error { return errOops }
			if err := insert(tx, out, "a"); err != nil {
				return err
			}
			// A statement that fails takes its savepoint with it, and nothing else.
			if err := savepoint(out, in("b", in("a", nil))); err == nil {
				t.Error("no error of a second order of that name")
			}
			// Inner dropped, outer kept.
			err := savepoint(out, in("c", func(out *emit.Outbox) error {
				wantError(t, "inner", savepoint(out, in("d", oops)), errOops)
				return savepoint(out, in("e", nil))
			}))
			want(t, "kept", err, nil)
			// Inner kept, outer dropped.
			err = savepoint(out, in("f", func(out *emit.Outbox) error {
				want(t, "inner", savepoint(out, in("g", nil)), nil)
				return errOops
			}))
			want(t, "dropped", err, errOops)
			for _, tc := range endings[:3] {
				panicked, err := catch(func() error {
					return savepoint(out, in("h", func(*emit.Outbox) error { return tc.end(nil) }))
				})
				wantError(t, tc.name, err, tc.want)
				want(t, tc.name, panicked, tc.panics)
			}
			return insert(tx, out, "z")
		})
		want(t, "error", err, nil)
		s.check(t, "a c e z")

		// All parts of what is rolled back are.
		err = emit.Tx(ctx, db, s, nil, func(tx *sql.Tx, out *emit.Outbox) error {
			emit.Savepoint(ctx, tx, out, func(out *emit.Outbox) error { return insert(tx, out, "x") })
			return errOops
		})
		want(t, "error", err, errOops)
		s.check(t, "a c e z")
	})
}

// A context that ends within a savepoint ends the transaction.
func TestSavepointCancelled(t *testing.T) {
	forEach(t, func(t *testing.T, e engine) {
		db, _ := e.open(t)
		s := newShop(t, db)
		ctx, cancel := context.WithCancel(context.Background())
		err := emit.Tx(ctx, db, s, nil, func(tx *sql.Tx, out *emit.Outbox) error {
			if err := insert(tx, out, "a"); err != nil {
				return err
			}
			err := emit.Savepoint(ctx, tx, out, func(out *emit.Outbox) error {
				err := insert(tx, out, "b")
				cancel()
				return err
			})
			wantError(t, "savepoint", err, context.Canceled)
			return nil // swallowed
		})
		wantError(t, "error", err, context.Canceled)
		s.check(t, "")
	})
}

// Two transactions that cannot both be right. The first reads, the second reads and
// commits, the first writes: PostgreSQL calls it a serialization failure, SQLite busy.
func TestConflict(t *testing.T) {
	forEach(t, func(t *testing.T, e engine) {
		db, _ := e.open(t)
		s := newShop(t, db)
		count := func(tx *sql.Tx) (n int, err error) {
			err = tx.QueryRow("SELECT count(*) FROM orders").Scan(&n)
			return n, err
		}
		// The name of an order is how many there were: no two may be the same.
		names := []string{"0", "1", "2", "3", "4", "5"}
		opts := emit.TxOptions{Isolation: sql.LevelSerializable}
		if e.driver == "sqlite" {
			opts.Isolation = sql.LevelDefault // the only one, and it is that
		}
		meet := func(opts emit.TxOptions) (attempts int, err error) {
			err = emit.Tx(context.Background(), db, s, &opts, func(tx *sql.Tx, out *emit.Outbox) error {
				attempts++
				n, err := count(tx)
				if err != nil {
					return err
				}
				if attempts == 1 {
					other := opts
					other.Retry = nil
					err := emit.Tx(context.Background(), db, s, &other, func(tx *sql.Tx, out *emit.Outbox) error {
						n, err := count(tx)
						if err != nil {
							return err
						}
						return insert(tx, out, names[n])
					})
					want(t, "the other's error", err, nil)
				}
				return insert(tx, out, names[n]+names[n])
			})
			return attempts, err
		}
		attempts, err := meet(opts)
		if !emit.Conflict(err) {
			t.Errorf("error: %v, want a conflict", err)
		}
		want(t, "attempts", attempts, 1)
		s.check(t, "0")

		opts.Retry = emit.Conflict
		attempts, err = meet(opts)
		want(t, "error", err, nil)
		want(t, "attempts", attempts, 2)
		s.check(t, "0 1 22")
	})
}

// Two transactions that wait for each other: one is tried again.
func TestDeadlock(t *testing.T) {
	db, _ := engines[1].open(t)
	s := newShop(t, db)
	if _, err := db.Exec("CREATE TABLE stock (id TEXT PRIMARY KEY, n INT); INSERT INTO stock VALUES ('x', 0), ('y', 0)"); err != nil {
		t.Fatal(err)
	}
	before := emit.Counters().Retries
	first := make(chan bool, 2)
	locked := make(chan bool)
	run := func(order, one, two string) error {
		attempts := 0
		return emit.Tx(context.Background(), db, s, &emit.TxOptions{Retry: emit.Conflict}, func(tx *sql.Tx, out *emit.Outbox) error {
			attempts++
			if _, err := tx.Exec("UPDATE stock SET n = n + 1 WHERE id = '" + one + "'"); err != nil {
				return err
			}
			if attempts == 1 {
				first <- true
				<-locked // both have one
			}
			if _, err := tx.Exec("UPDATE stock SET n = n + 1 WHERE id = '" + two + "'"); err != nil {
				return err
			}
			return insert(tx, out, order)
		})
	}
	done := make(chan error, 2)
	go func() { done <- run("a", "x", "y") }()
	go func() { done <- run("b", "y", "x") }()
	<-first
	<-first
	close(locked)
	want(t, "error", errors.Join(<-done, <-done), nil)
	if emit.Counters().Retries == before { // it may take more than one
		t.Error("there was no deadlock")
	}
	want(t, "committed", s.orders(), "a b")
	want(t, "told of", len(s.heard), 2)
	var n int
	if err := db.QueryRow("SELECT sum(n) FROM stock").Scan(&n); err != nil || n != 4 {
		t.Errorf("sum of the updates: %d, %v; want 4", n, err)
	}
}

// Whoever listens on its own connection hears of nothing that it cannot see: shop
// checks each event. Many at once, with conflicts, over both databases.
func TestManyAtOnce(t *testing.T) {
	forEach(t, func(t *testing.T, e engine) {
		db, _ := e.open(t)
		db.SetMaxOpenConns(8)
		s := newShop(t, db)
		const workers, each = 4, 10
		opts := &emit.TxOptions{Retry: emit.Conflict, MaxAttempts: 100}
		if e.driver == "pgx" {
			opts.Isolation = sql.LevelSerializable
		}
		done := make(chan error, workers)
		for w := range workers {
			go func() {
				var errs []error
				for i := range each {
					err := emit.Tx(context.Background(), db, s, opts, func(tx *sql.Tx, out *emit.Outbox) error {
						var n int
						if err := tx.QueryRow("SELECT count(*) FROM orders").Scan(&n); err != nil {
							return err
						}
						if err := insert(tx, out, string(rune('a'+w))+string(rune('a'+i))); err != nil {
							return err
						}
						if i%2 == 1 {
							return errOops
						}
						return nil
					})
					if i%2 == 1 && !errors.Is(err, errOops) || i%2 == 0 && err != nil {
						errs = append(errs, err)
					}
				}
				done <- errors.Join(errs...)
			}()
		}
		for range workers {
			want(t, "error", <-done, nil)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		told := make(map[string]bool)
		for _, id := range s.heard {
			told[id] = true
		}
		want(t, "told of", len(told), workers*each/2)
		want(t, "times told", len(s.heard), workers*each/2)
		ids, err := s.all()
		want(t, "committed", len(ids), workers*each/2)
		want(t, "error", err, nil)
	})
}
