package intx

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"

	"shop.example/intx/store"
)

// Nothing in this file is reported: it is right, or it cannot be known.

func (s *server) afterCommit(ctx context.Context, user string) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := tx.Commit(); err != nil {
		return err
	}
	return s.hub.Broadcast(user, usercast.Event{})
}

func (s *server) afterRollback(user string) {
	tx, err := s.db.Begin()
	if err != nil {
		return
	}
	tx.Rollback()
	s.hub.Broadcast(user, usercast.Event{})
}

// It could not be begun, whichever way that is asked.
func (s *server) notBegun(user string) error {
	tx, err := s.db.Begin()
	if err == nil {
		return tx.Commit()
	}
	return errors.Join(err, s.hub.Broadcast(user, usercast.Event{}))
}

func (s *server) notBegunShared(user string) (err error) {
	tx, err := s.db.Begin()
	if err != nil {
		return s.hub.Broadcast(user, usercast.Event{})
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	return nil
}

func (s *server) nilTx(ctx context.Context, user string) {
	tx, _ := s.pool.Begin(ctx)
	if tx == nil {
		s.hub.Broadcast(user, usercast.Event{})
		return
	}
	tx.Commit(ctx)
}

// Open on some ways only.
func (s *server) sometimes(user string, in bool) error {
	var tx *sql.Tx
	var err error
	if in {
		if tx, err = s.db.Begin(); err != nil {
			return err
		}
	}
	s.hub.Broadcast(user, usercast.Event{})
	if tx != nil {
		return tx.Commit()
	}
	return nil
}

func (s *server) endedOnSomeWays(user string, early bool) {
	tx, err := s.db.Begin()
	if err != nil {
		return
	}
	if early {
		tx.Commit()
	}
	s.hub.Broadcast(user, usercast.Event{})
}

func (s *server) eitherEnd(user string, dry bool) {
	tx, err := s.db.Begin()
	if err != nil {
		return
	}
	if dry {
		tx.Rollback()
	} else {
		tx.Commit()
	}
	s.hub.Broadcast(user, usercast.Event{})
}

// Whoever gave the Broadcaster knows whether it is a hub or an outbox.
func (s *server) someBroadcaster(to usercast.Broadcaster, user string, p orders, out *emit.Outbox, hubs bool) {
	tx, err := s.db.Begin()
	if err != nil {
		return
	}
	to.Broadcast(user, usercast.Event{})
	created.Broadcast(to, user, p)
	created.Broadcast(out, user, p)
	out.Broadcast(user, usercast.Event{})
	var either usercast.Broadcaster = out
	if hubs {
		either = s.hub
	}
	either.Broadcast(user, usercast.Event{})
	created.Broadcast(either, user, p)
	emit.From(context.Background()).Broadcast(user, usercast.Event{})
	tx.Commit()
}

func (s *server) chosenElsewhere(user string, out *emit.Outbox) {
	tx, err := s.db.Begin()
	if err != nil {
		return
	}
	var to usercast.Broadcaster = s.hub
	choose(&to, out)
	to.Broadcast(user, usercast.Event{})
	tx.Commit()
}

func choose(to *usercast.Broadcaster, out *emit.Outbox) { *to = out }

// Closures run some time, and so do other goroutines and what is deferred.
func (s *server) later(user string) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	tell := func() { s.hub.Broadcast(user, usercast.Event{}) }
	defer s.hub.Broadcast(user, usercast.Event{})
	go s.hub.Broadcast(user, usercast.Event{})
	if err := tx.Commit(); err != nil {
		return err
	}
	tell()
	return nil
}

// Somebody else may end it.
func (s *server) endedElsewhere(ctx context.Context, user string) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return
	}
	conclude(ctx, tx)
	s.hub.Broadcast(user, usercast.Event{})
}

func conclude(ctx context.Context, tx pgx.Tx) { deeper(ctx, tx, 3) } // want conclude:`ends\[1\]`

func deeper(ctx context.Context, tx pgx.Tx, n int) { // want deeper:`ends\[1\]`
	if n > 0 {
		deeper(ctx, tx, n-1)
	}
	defer tx.Commit(ctx)
}

func (s *server) endedInAnotherPackage(ctx context.Context, user string) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return
	}
	store.Insert(ctx, tx) // its name says nothing either
	s.hub.Broadcast(user, usercast.Event{})
}

func (s *server) endedInAClosure(ctx context.Context, user string) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return
	}
	inAClosure(ctx, tx)
	s.hub.Broadcast(user, usercast.Event{})
}

func inAClosure(ctx context.Context, tx pgx.Tx) { // want inAClosure:`ends\[1\]`
	defer func() { tx.Rollback(ctx) }()
}

type finisher interface {
	Finish(ctx context.Context, tx pgx.Tx)
}

func (s *server) endedBehindAnInterface(ctx context.Context, f finisher, user string) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return
	}
	f.Finish(ctx, tx)
	s.hub.Broadcast(user, usercast.Event{})
}

func (s *server) endedByAClosure(ctx context.Context, user string) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return
	}
	end := func() error { return tx.Commit(ctx) }
	if err := end(); err != nil {
		return
	}
	s.hub.Broadcast(user, usercast.Event{})
}

func (s *server) endedByAHolder(ctx context.Context, user string) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return
	}
	unit := store.NewUnit(tx)
	unit.Complete(ctx)
	s.hub.Broadcast(user, usercast.Event{})
}

func (s *server) endedByAStruct(ctx context.Context, user string) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return
	}
	q := &queries{tx: tx}
	q.commit(ctx)
	s.hub.Broadcast(user, usercast.Event{})
}

func (q *queries) commit(ctx context.Context) { q.tx.Commit(ctx) }

type kept struct{ tx *sql.Tx }

func (k *kept) finish(s *server, user string) {
	tx, err := s.db.Begin()
	if err != nil {
		return
	}
	k.tx = tx
	k.tx.Commit() // is it the same? it may be
	s.hub.Broadcast(user, usercast.Event{})
}

func (s *server) method(ctx context.Context, user string) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return
	}
	commit := tx.Commit
	if err := commit(ctx); err != nil {
		return
	}
	s.hub.Broadcast(user, usercast.Event{})
}

// Rows are closed, and the transaction is not: nothing follows from a name alone. But
// neither begins this one.
func (s *server) given(tx *sql.Tx, user string) error { // want given:`ends\[\]`
	rows, err := tx.Query("SELECT")
	if err != nil {
		return err
	}
	rows.Close()
	return s.hub.Broadcast(user, usercast.Event{})
}

func right(ctx context.Context, db *sql.DB, hub *usercast.Hub, user string, p orders) error {
	err := emit.Tx(ctx, db, hub, nil, func(tx *sql.Tx, out *emit.Outbox) error {
		later := func() { hub.Broadcast(user, usercast.Event{}) }
		defer later()
		return created.Broadcast(out, user, p)
	})
	if err != nil {
		return err
	}
	return created.Broadcast(hub, user, p)
}

// Not every function that emit is given runs in a transaction.
func payloads(hub *usercast.Hub, user string) {
	emit.NewBatch(created, func(ids []string) orders {
		hub.Broadcast(user, usercast.Event{})
		return orders{ids}
	}, emit.BatchConfig{})
}
