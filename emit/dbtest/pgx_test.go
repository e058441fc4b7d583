package dbtest

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usercast-go/usercast/emit"
)

// pgx has what package emit asks for, though that does not know it.
var _ emit.Transaction = pgx.Tx(nil)

func TestPgx(t *testing.T) {
	pool := openPool(t)
	s := newPoolShop(t, pool)
	ctx := context.Background()
	err := emit.TxWith(ctx, pool.Begin, s, nil, func(tx pgx.Tx, out *emit.Outbox) error {
		return errors.Join(insertPgx(tx, out, "a"), insertPgx(tx, out, "b"))
	})
	want(t, "error", err, nil)
	s.check(t, "a b")
	for _, tc := range endings {
		ctx, cancel := context.WithCancel(ctx)
		panicked, err := catch(func() error {
			return emit.TxWith(ctx, pool.Begin, s, nil, func(tx pgx.Tx, out *emit.Outbox) error {
				if err := insertPgx(tx, out, "c"); err != nil {
					t.Errorf("%s: %v", tc.name, err)
				}
				return tc.end(cancel)
			})
		})
		cancel()
		want(t, tc.name+": panic", panicked, tc.panics)
		if err != tc.want { // as it is: the rollback itself has not failed
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
		s.check(t, "a b")
	}
	// A single connection begins transactions, too.
	conn, err := pool.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	err = emit.TxWith(ctx, conn.Conn().Begin, s, nil, func(tx pgx.Tx, out *emit.Outbox) error { return insertPgx(tx, out, "c") })
	want(t, "error", err, nil)
	s.check(t, "a b c")
}

func TestPgxCommitRefused(t *testing.T) {
	pool := openPool(t)
	s := newPoolShop(t, pool)
	ctx := context.Background()
	err := emit.TxWith(ctx, pool.Begin, s, nil, func(tx pgx.Tx, out *emit.Outbox) error {
		if _, err := tx.Exec(ctx, "INSERT INTO lines (order_id) VALUES ('nowhere')"); err != nil {
			t.Errorf("the constraint is not deferred: %v", err)
		}
		return insertPgx(tx, out, "a")
	})
	var pgErr *pgconn.PgError
	if !errors.Is(err, emit.ErrCommit) || errors.Is(err, emit.ErrOutcomeUnknown) || !errors.As(err, &pgErr) || pgErr.Code != "23503" {
		t.Errorf("foreign key: %v", err)
	}
	s.check(t, "")
	err = emit.TxWith(ctx, pool.Begin, s, nil, func(tx pgx.Tx, out *emit.Outbox) error {
		if err := insertPgx(tx, out, "a"); err != nil {
			return err
		}
		insertPgx(tx, out, "a") // an error, swallowed
		return nil
	})
	if !errors.Is(err, emit.ErrCommit) || errors.Is(err, emit.ErrOutcomeUnknown) || !errors.Is(err, pgx.ErrTxCommitRollback) {
		t.Errorf("error swallowed: %v", err)
	}
	s.check(t, "")
}

// pgx's own savepoints, by tx.Begin.
func TestPgxNested(t *testing.T) {
	pool := openPool(t)
	s := newPoolShop(t, pool)
	ctx := context.Background()
	err := emit.TxWith(ctx, pool.Begin, s, nil, func(tx pgx.Tx, out *emit.Outbox) error {
		if err := insertPgx(tx, out, "a"); err != nil {
			return err
		}
		// A statement that fails takes its savepoint with it, and nothing else.
		err := emit.TxWith(ctx, tx.Begin, out, nil, func(tx pgx.Tx, out *emit.Outbox) error {
			return errors.Join(insertPgx(tx, out, "b"), insertPgx(tx, out, "a"))
		})
		if err == nil {
			t.Error("no error of a second order of that name")
		}
		// Inner dropped, outer kept.
		err = emit.TxWith(ctx, tx.Begin, out, nil, func(tx pgx.Tx, out *emit.Outbox) error {
			if err := insertPgx(tx, out, "c"); err != nil {
				return err
			}
			err := emit.TxWith(ctx, tx.Begin, out, nil, func(tx pgx.Tx, out *emit.Outbox) error {
				return errors.Join(insertPgx(tx, out, "d"), errOops)
			})
			wantError(t, "inner", err, errOops)
			return nil
		})
		want(t, "kept", err, nil)
		// Rolled back by itself, which is an error's business here, but no harm.
		err = emit.TxWith(ctx, tx.Begin, out, nil, func(tx pgx.Tx, out *emit.Outbox) error {
			err := insertPgx(tx, out, "e")
			return errors.Join(err, tx.Rollback(ctx), errOops)
		})
		wantError(t, "rolled back by itself", err, errOops)
		for _, tc := range endings[:3] {
			panicked, err := catch(func() error {
				return emit.TxWith(ctx, tx.Begin, out, nil, func(tx pgx.Tx, out *emit.Outbox) error {
					if err := insertPgx(tx, out, "f"); err != nil {
						return err
					}
					return tc.end(nil)
				})
			})
			wantError(t, tc.name, err, tc.want)
			want(t, tc.name, panicked, tc.panics)
		}
		return insertPgx(tx, out, "z")
	})
	want(t, "error", err, nil)
	s.check(t, "a c z")
}

// A nested transaction whose statement failed, and whose function says nothing: it
// can be neither released nor rolled back any more, so nothing is committed.
func TestPgxNestedErrorSwallowed(t *testing.T) {
	pool := openPool(t)
	s := newPoolShop(t, pool)
	ctx := context.Background()
	err := emit.TxWith(ctx, pool.Begin, s, nil, func(tx pgx.Tx, out *emit.Outbox) error {
		if err := insertPgx(tx, out, "a"); err != nil {
			return err
		}
		err := emit.TxWith(ctx, tx.Begin, out, nil, func(tx pgx.Tx, out *emit.Outbox) error {
			insertPgx(tx, out, "a") // an error, swallowed
			return nil
		})
		if err == nil {
			t.Error("no error of a savepoint that cannot be released")
		}
		return nil // swallowed again
	})
	if err == nil {
		t.Error("no error")
	}
	s.check(t, "")
}

func TestPgxConflict(t *testing.T) {
	pool := openPool(t)
	s := newPoolShop(t, pool)
	ctx := context.Background()
	serializable := func(ctx context.Context) (pgx.Tx, error) {
		return pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable})
	}
	count := func(tx pgx.Tx) error {
		var n int
		return tx.QueryRow(ctx, "SELECT count(*) FROM orders").Scan(&n)
	}
	attempts := 0
	err := emit.TxWith(ctx, serializable, s, &emit.TxOptions{Retry: emit.Conflict}, func(tx pgx.Tx, out *emit.Outbox) error {
		attempts++
		if err := count(tx); err != nil {
			return err
		}
		if attempts == 1 {
			err := emit.TxWith(ctx, serializable, s, nil, func(tx pgx.Tx, out *emit.Outbox) error {
				return errors.Join(count(tx), insertPgx(tx, out, "a"))
			})
			want(t, "the other's error", err, nil)
		}
		return insertPgx(tx, out, "b")
	})
	want(t, "error", err, nil)
	want(t, "attempts", attempts, 2)
	s.check(t, "a b")
}
