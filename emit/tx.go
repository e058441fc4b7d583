package emit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/usercast-go/usercast"
)

const (
	defaultMaxAttempts = 5
	// rollbackTimeout bounds a rollback, which goes on when the context has ended:
	// the connection may be dead.
	rollbackTimeout = 5 * time.Second
	// firstPause is the longest pause before the second attempt; it doubles, up to
	// maxPause. Transactions that met once would otherwise meet again.
	firstPause = 10 * time.Millisecond
	maxPause   = 500 * time.Millisecond
)

// TxOptions says how a transaction runs. nil, and the zero value of every field, are
// usable.
type TxOptions struct {
	Isolation sql.IsolationLevel // of Tx; TxWith leaves it to begin
	ReadOnly  bool               // of Tx; TxWith leaves it to begin

	// Retry says whether an error is one after which the transaction should be tried
	// again: [Conflict], or a function that knows the driver. It is asked for errors of
	// begin, of fn and of a commit that the database refused; never after
	// [ErrOutcomeUnknown]. fn then runs again, in a new transaction with an empty
	// outbox, so what else it changes must bear that. nil: no second attempt.
	Retry func(err error) bool
	// MaxAttempts is how often fn runs at most, if Retry is set. 0 or less: 5. Between
	// attempts there is a random pause of up to 10 ms, then 20 ms, 40 ms and so on.
	MaxAttempts int

	// Outbox bounds what one attempt may collect. In a transaction within another the
	// bounds of the outer one hold for both.
	Outbox OutboxConfig
}

// A Beginner begins transactions: a *sql.DB or a *sql.Conn.
type Beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

// A Transaction is what [TxWith] commits or rolls back: a pgx.Tx, for one. Rollback
// after a failed Commit must do no harm.
type Transaction interface {
	Commit(ctx context.Context) error
	Rollback(ctx context.Context) error
}

// Tx runs fn in a transaction and sends the events of out once it has committed. If
// fn returns an error or panics or ends its goroutine, if ctx ends or the commit
// fails, the transaction is rolled back and nothing is sent; a panic goes on as it was.
//
// fn leaves Commit and Rollback to Tx, and what it calls may use the transaction
// after an error only by [Savepoint]. Events go where to is, a hub as a rule:
//
//   - at once, if ctx carries no outbox;
//   - after the response, if ctx is that of a request behind [Middleware] that sends to
//     the same hub. They are sent whatever the response says, as what they tell of has
//     been committed; only their order waits for it;
//   - to an outbox, if to is one. If that belongs to an open transaction itself, they
//     share its fate, else it sends them by its next Flush and never discards them; until
//     then they stand in nobody's way.
//
// The events of a user come in the order of commits, where one transaction has seen what
// another wrote or has waited for its lock. See the package documentation.
//
// An event that cannot be sent is logged and counted; Tx returns nil all the same,
// because the data is committed. The errors are those of fn and of the database, and
// [ErrCommit] with [ErrOutcomeUnknown] if the answer to the commit never came: then
// nothing is sent, though the data may be there. A rollback that fails is joined to
// the error that caused it.
func Tx(ctx context.Context, db Beginner, to usercast.Broadcaster, opts *TxOptions, fn func(tx *sql.Tx, out *Outbox) error) error {
	if db == nil || fn == nil {
		return fmt.Errorf("%w: Tx: db or fn: missing", usercast.ErrInvalidConfig)
	}
	if opts == nil {
		opts = new(TxOptions)
	}
	begin := func(ctx context.Context) (sqlTx, error) {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: opts.Isolation, ReadOnly: opts.ReadOnly})
		return sqlTx{tx}, err
	}
	return run(ctx, begin, to, opts, func(tx sqlTx, out *Outbox) error { return fn(tx.Tx, out) })
}

// TxWith is [Tx] for databases that do without database/sql. begin begins a
// transaction, with the isolation that it should have:
//
//	emit.TxWith(ctx, pool.Begin, hub, nil, func(tx pgx.Tx, out *emit.Outbox) error { … })
//
// A pgx.Tx begins savepoints in the same way: with tx.Begin, and out instead of the
// hub, the inner function's events share the fate of both.
func TxWith[T Transaction](ctx context.Context, begin func(context.Context) (T, error), to usercast.Broadcaster, opts *TxOptions, fn func(tx T, out *Outbox) error) error {
	if begin == nil || fn == nil {
		return fmt.Errorf("%w: TxWith: begin or fn: missing", usercast.ErrInvalidConfig)
	}
	if opts == nil {
		opts = new(TxOptions)
	}
	if opts.Isolation != 0 || opts.ReadOnly {
		return fmt.Errorf("%w: TxOptions: Isolation and ReadOnly are for Tx; in TxWith begin sets them, by pool.BeginTx for one", usercast.ErrInvalidConfig)
	}
	return run(ctx, begin, to, opts, fn)
}

// sqlTx makes a *sql.Tx a Transaction.
type sqlTx struct{ *sql.Tx }

func (tx sqlTx) Commit(context.Context) error   { return tx.Tx.Commit() }
func (tx sqlTx) Rollback(context.Context) error { return tx.Tx.Rollback() }

// run makes attempts until one is final.
func run[T Transaction](ctx context.Context, begin func(context.Context) (T, error), to usercast.Broadcaster, opts *TxOptions, fn func(T, *Outbox) error) error {
	up, err := above(ctx, to)
	if err != nil {
		return err
	}
	attempts := opts.MaxAttempts
	if attempts <= 0 {
		attempts = defaultMaxAttempts
	}
	for n := 1; ; n++ {
		err := attempt(ctx, begin, within(up, to, opts.Outbox), fn)
		switch {
		case err == nil || opts.Retry == nil || ctx.Err() != nil || errors.Is(err, ErrOutcomeUnknown) || !opts.Retry(err):
			return err
		case n >= attempts:
			return fmt.Errorf("emit: gave up after %d attempts: %w", n, err)
		}
		counters.retries.Add(1)
		if ended := pause(ctx, n); ended != nil {
			return fmt.Errorf("emit: no attempt after the %d. (%w): %w", n, ended, err)
		}
	}
}

// pause waits before the next attempt, unless ctx ends.
func pause(ctx context.Context, n int) error {
	t := time.NewTimer(rand.N(min(firstPause<<min(n-1, 10), maxPause)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt runs fn in one transaction with the outbox that was made for it.
func attempt[T Transaction](ctx context.Context, begin func(context.Context) (T, error), out *Outbox, fn func(T, *Outbox) error) error {
	tx, err := begin(ctx)
	if err != nil {
		out.abandon()
		return fmt.Errorf("emit: begin: %w", err)
	}
	settled := false
	defer func() {
		if !settled { // a panic or a Goexit, which goes on from here by itself
			undo(ctx, tx, out, nil, false)
		}
	}()
	if err = fn(tx, out); err == nil {
		if err = out.failed(); err == nil {
			err = ctx.Err() // known before the commit, it leaves no doubt about the outcome
		}
	}
	if err != nil {
		settled = true
		return undo(ctx, tx, out, err, false)
	}
	if !out.isPart() {
		out.queue()
	}
	if err = tx.Commit(ctx); err != nil {
		settled = true
		return undo(ctx, tx, out, commitError(err, out.isPart()), true)
	}
	settled = true
	out.settle()
	return nil
}

// undo drops the events and rolls back. It returns why, and what went wrong.
func undo[T Transaction](ctx context.Context, tx T, out *Outbox, why error, commit bool) error {
	out.abandon()
	err := rollback(ctx, tx)
	if err == nil || errors.Is(err, sql.ErrTxDone) || !commit && says(err, pgxClosed) {
		return why // also if ctx has ended, which rolls back, or fn has done so
	}
	if out.isPart() {
		// The writes of a part whose events are gone may still stand. The transaction
		// around it must not commit them, even if fn swallows this error.
		out.parent.fail(fmt.Errorf("emit: a part of the transaction could not be undone: %w", err))
	}
	if why == nil || commit && says(err, pgxClosed) {
		return why
	}
	return fmt.Errorf("%w (rollback: %w)", why, err)
}

// rollback rolls back although ctx may have ended.
func rollback[T Transaction](ctx context.Context, tx T) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	return tx.Rollback(ctx)
}
