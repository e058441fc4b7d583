package store

import (
	"context"
	"errors"
	"fmt"
)

// ErrOverloaded means that other writes took too long. Nothing was done.
var ErrOverloaded = errors.New("store: too many writes wait")

// LockWrites waits for the right to write, at most 10 seconds, and returns what gives it
// back. Whoever is about to begin a transaction that writes takes it before; in one it
// must not be taken.
//
// SQLite lets one connection write at a time, and the others sleep and look again, up to a
// tenth of a second: who sleeps longest may never find the door open, and each who sleeps
// has one of the pool's connections. Here the writers of a process wait in order, and
// without a connection. On PostgreSQL nobody waits. It is safe for concurrent use.
func (s *Store) LockWrites(ctx context.Context) (unlock func(), err error) {
	if s.writes == nil {
		return func() {}, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, busyTimeout, ErrOverloaded)
	defer cancel()
	select {
	case s.writes <- struct{}{}: // goroutines that wait to send are served in order
		return func() { <-s.writes }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("store: waiting to write: %w", context.Cause(ctx))
	}
}
