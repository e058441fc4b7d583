package emit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A stateErr is what drivers for PostgreSQL return.
type stateErr string

func (e stateErr) Error() string    { return "SQLSTATE " + string(e) }
func (e stateErr) SQLState() string { return string(e) }

func TestTxRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, to, before := newFakeDB(t), new(listener), Counters()
		defer db.Close()
		n, start := 0, time.Now()
		commits := 0
		db.fail = func(stmt string) error {
			if stmt == "COMMIT" {
				if commits++; commits == 1 {
					return stateErr("40001")
				}
			}
			return nil
		}
		err := Tx(context.Background(), db, to, &TxOptions{Retry: Conflict}, func(tx *sql.Tx, out *Outbox) error {
			n++
			insert(t, tx, out, fmt.Sprintf("A%d", n))
			want(t, "events of this attempt", out.Len(), 1)
			if n == 1 {
				return fmt.Errorf("wrapped: %w", stateErr("40P01"))
			}
			return nil
		})
		want(t, "error", err, nil)
		want(t, "statements", db.statements(), "BEGIN; INSERT A1; ROLLBACK; BEGIN; INSERT A2; COMMIT failed; BEGIN; INSERT A3; COMMIT")
		want(t, "sent", to.heard(), "alice A3")
		want(t, "counted", since(before), Stats{Collected: 3, Sent: 1, Discarded: 2, Retries: 2})
		if d := time.Since(start); d == 0 || d > 30*time.Millisecond {
			t.Errorf("paused for %v, want up to 10 and 20 ms", d)
		}
	})
}

func TestTxGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, to := newFakeDB(t), new(listener)
		defer db.Close()
		for opts, attempts := range map[*TxOptions]int{
			nil:                                1,
			{MaxAttempts: 3}:                   1, // nothing says after what
			{Retry: Conflict}:                  5,
			{Retry: Conflict, MaxAttempts: 3}:  3,
			{Retry: Conflict, MaxAttempts: -1}: 5,
			{Retry: func(error) bool { return false }}: 1,
		} {
			n := 0
			err := Tx(context.Background(), db, to, opts, func(*sql.Tx, *Outbox) error { n++; return stateErr("40001") })
			if !errors.Is(err, stateErr("40001")) || attempts > 1 && !strings.Contains(err.Error(), fmt.Sprint(attempts, " attempts")) {
				t.Errorf("error: %v", err)
			}
			want(t, fmt.Sprintf("attempts with %+v", opts), n, attempts)
		}

		// Pauses are bounded, and end with the context.
		start := time.Now()
		Tx(context.Background(), db, to, &TxOptions{Retry: Conflict, MaxAttempts: 100}, func(*sql.Tx, *Outbox) error { return stateErr("40001") })
		if d := time.Since(start); d < 5*time.Second || d > 50*time.Second {
			t.Errorf("100 attempts took %v", d)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		n := 0
		err := Tx(ctx, db, to, &TxOptions{Retry: Conflict, MaxAttempts: 100}, func(*sql.Tx, *Outbox) error {
			if n++; n == 7 {
				time.AfterFunc(time.Nanosecond, cancel)
			}
			return stateErr("40001")
		})
		want(t, "attempts", n, 7)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, stateErr("40001")) {
			t.Errorf("error: %v", err)
		}
	})
}

// Package sqlite's errors are known by the path of their package; here there is none.
type codeErr struct{}

func (codeErr) Error() string { return "code 5" }
func (codeErr) Code() int     { return 5 }

func TestConflict(t *testing.T) {
	for err, wanted := range map[error]bool{
		nil: false, errOops: false, stateErr("40001"): true, stateErr("40P01"): true, stateErr("23505"): false,
		codeErr{}: false, driver.ErrBadConn: false, context.Canceled: false,
	} {
		want(t, fmt.Sprintf("Conflict(%v)", err), Conflict(err), wanted)
	}
	want(t, "wrapped", Conflict(fmt.Errorf("insert: %w", stateErr("40001"))), true)
}

// The outcome of a commit is known by the database's own word only.
func TestCommitOutcome(t *testing.T) {
	for err, unknown := range map[error]bool{
		stateErr("40001"): false, stateErr("23503"): false, stateErr("25P02"): false, stateErr("XX000"): false,
		stateErr("57014"): false, stateErr("08006"): true, stateErr("57P01"): true, stateErr("40003"): true,
		errors.New("commit unexpectedly resulted in rollback"): false, // pgx
		driver.ErrBadConn: true, io.ErrUnexpectedEOF: true, sql.ErrConnDone: true, sql.ErrTxDone: true,
		&net.OpError{Op: "read", Err: errOops}: true, context.DeadlineExceeded: true, errOops: true, codeErr{}: true,
	} {
		t.Run(err.Error(), func(t *testing.T) {
			db, to, before := newFakeDB(t), new(listener), Counters()
			db.failOn("COMMIT", err)
			n := 0
			opts := &TxOptions{Retry: func(err error) bool {
				if unknown {
					t.Errorf("asked whether to retry after %v", err)
				}
				return false
			}}
			got := Tx(context.Background(), db, to, opts, func(tx *sql.Tx, out *Outbox) error {
				n++
				insert(t, tx, out, "A")
				return nil
			})
			if !errors.Is(got, ErrCommit) || !errors.Is(got, err) || !strings.Contains(got.Error(), "nothing was sent") {
				t.Errorf("error: %v", got)
			}
			want(t, "unknown", errors.Is(got, ErrOutcomeUnknown), unknown)
			want(t, "attempts", n, 1)
			want(t, "sent", to.heard(), "")
			wanted := Stats{Collected: 1, Discarded: 1}
			if unknown {
				wanted.Unknown = 1
			}
			want(t, "counted", since(before), wanted)
		})
	}
}
