package emit

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/usercast-go/usercast"
)

// An Execer runs statements: a *sql.Tx, or a *sql.Conn in a transaction.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Savepoint runs fn within a savepoint of a transaction. If fn returns nil, its events
// join those of the outbox around it, and share the fate of its transaction. If fn
// returns an error or panics or ends its goroutine, its writes are rolled back and its
// events dropped, and nothing else: the transaction goes on if the caller swallows the
// error. Savepoints nest, with the out of each; a transaction is for one goroutine at
// a time, and so are they.
//
// It speaks the standard's SAVEPOINT, as PostgreSQL, SQLite and MySQL do. The names
// are made here ("usercast_1"), and are few, for caches of statements. With pgx use
// tx.Begin in [TxWith].
//
// If a savepoint can be neither kept nor rolled back, the transaction of [Tx] around
// it fails, whatever its function returns; with a transaction of your own, roll it back.
func Savepoint(ctx context.Context, tx Execer, out *Outbox, fn func(out *Outbox) error) error {
	if tx == nil || fn == nil {
		return fmt.Errorf("%w: Savepoint: tx or fn: missing", usercast.ErrInvalidConfig)
	}
	if !out.usable() {
		return fmt.Errorf("%w for Savepoint: give that of Tx, or of NewOutbox", ErrNoOutbox)
	}
	name := "usercast_" + strconv.Itoa(out.room.openSavepoint())
	defer out.room.closeSavepoint()
	begin := func(ctx context.Context) (savepoint, error) {
		_, err := tx.ExecContext(ctx, "SAVEPOINT "+name)
		return savepoint{tx, name}, err
	}
	return attempt(ctx, begin, out.part(), func(_ savepoint, part *Outbox) error { return fn(part) })
}

// A savepoint is a Transaction within one.
type savepoint struct {
	tx   Execer
	name string
}

func (s savepoint) Commit(ctx context.Context) error {
	_, err := s.tx.ExecContext(ctx, "RELEASE SAVEPOINT "+s.name)
	return err
}

// Rollback also releases: rolling back alone leaves the savepoint open.
func (s savepoint) Rollback(ctx context.Context) error {
	if _, err := s.tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT "+s.name); err != nil {
		return err
	}
	return s.Commit(ctx)
}

// openSavepoint returns a number that no open savepoint of the transaction has.
func (r *room) openSavepoint() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.savepoints++
	return r.savepoints
}

func (r *room) closeSavepoint() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.savepoints--
}
