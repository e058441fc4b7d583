// Package intx has broadcasts inside transactions, of which the check is sure.
package intx

import (
	"context"
	"database/sql"
	"log"

	"github.com/jackc/pgx/v5"
	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"

	"shop.example/intx/store"
)

type orders struct {
	IDs []string `json:"ids"`
}

var created = usercast.Define[orders]("INTX_CREATED", usercast.Buffered)

type server struct {
	db   *sql.DB
	hub  *usercast.Hub
	pool *pgx.Conn
}

func (s *server) beforeCommit(user string) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("INSERT"); err != nil {
		return err
	}
	s.hub.Broadcast(user, usercast.Event{Type: "INTX_CREATED"}) // want `^Hub.Broadcast inside the transaction that is begun in line 29: it may still be rolled back; broadcast after Commit, or use emit.Tx$`
	return tx.Commit()
}

func (s *server) everyWay(ctx context.Context, user string, p orders) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	created.Broadcast(s.hub, user, p)                                              // want `EventType.Broadcast to the hub inside the transaction`
	created.Except("d").Broadcast(s.hub, user, p)                                  // want `EventType.Broadcast to the hub`
	created.BroadcastMany(ctx, s.hub, []string{user}, p)                           // want `EventType.BroadcastMany`
	created.BroadcastAll(ctx, s.hub, p)                                            // want `EventType.BroadcastAll`
	s.hub.BroadcastMany(ctx, []string{user}, usercast.Event{})                     // want `Hub.BroadcastMany`
	s.hub.BroadcastAll(ctx, usercast.Event{})                                      // want `Hub.BroadcastAll`
	if _, err := s.hub.BroadcastContext(ctx, user, usercast.Event{}); err != nil { // want `Hub.BroadcastContext`
		log.Print(err)
	}
	var to usercast.Broadcaster = s.hub
	to.Broadcast(user, usercast.Event{}) // want `Hub.Broadcast`
	batch := emit.NewBatch(created, func(ids []string) orders { return orders{ids} }, emit.BatchConfig{})
	batch.Add(user, "1")
	batch.Flush(to) // want `Batch.Flush to the hub`
	return tx.Commit()
}

// A deferred commit comes when the function has ended.
func (s *server) deferredCommit(user string) (err error) {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tx.Rollback()
			return
		}
		err = tx.Commit()
	}()
	if _, err = tx.Exec("INSERT"); err != nil {
		return err
	}
	return s.hub.Broadcast(user, usercast.Event{}) // want `Hub.Broadcast inside the transaction`
}

func (s *server) onEveryWay(user string, many bool) error {
	tx, err := s.db.Begin()
	if err != nil {
		s.hub.Broadcast(user, usercast.Event{}) // nothing is open
		return err
	}
	if many {
		tx.Exec("INSERT MANY")
	} else {
		tx.Exec("INSERT")
	}
	for range 3 {
		s.hub.Broadcast(user, usercast.Event{}) // want `Hub.Broadcast`
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return s.hub.Broadcast(user, usercast.Event{})
}

// The second transaction is another one.
func (s *server) twice(user string) {
	for range 2 {
		tx, err := s.db.Begin()
		if err != nil {
			return
		}
		if err := tx.Commit(); err != nil {
			return
		}
		s.hub.Broadcast(user, usercast.Event{})
	}
	tx, err := s.db.Begin()
	if err != nil {
		return
	}
	s.hub.Broadcast(user, usercast.Event{}) // want `begun in line 114`
	tx.Rollback()
}

// A savepoint that is released leaves the transaction open.
func (s *server) savepoint(ctx context.Context, user string) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	inner, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	if err := inner.Commit(ctx); err != nil {
		return err
	}
	s.hub.Broadcast(user, usercast.Event{}) // want `begun in line 124`
	return tx.Commit(ctx)
}

// A function that uses the transaction does not end it.
func (s *server) passedOn(ctx context.Context, user string) error {
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{})
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	if err := insert(ctx, tx); err != nil {
		return err
	}
	if err := store.CompleteOrder(ctx, tx); err != nil { // another package's; its name says nothing
		return err
	}
	q := &queries{tx: tx}
	q.insert(ctx)
	s.hub.Broadcast(user, usercast.Event{}) // want `Hub.Broadcast`
	return tx.Commit(ctx)
}

func insert(ctx context.Context, tx pgx.Tx) error { // want insert:`ends\[\]`
	_, err := tx.Exec(ctx, "INSERT")
	return err
}

type queries struct{ tx pgx.Tx }

func (q *queries) insert(ctx context.Context) { q.tx.Exec(ctx, "INSERT") }

func callbacks(ctx context.Context, db *sql.DB, pool *pgx.Conn, hub *usercast.Hub, user string, p orders) {
	emit.Tx(ctx, db, hub, nil, func(tx *sql.Tx, out *emit.Outbox) error {
		created.Broadcast(hub, user, p) // want `^EventType.Broadcast to the hub inside emit.Tx: it may still be rolled back; use the outbox, which sends after Commit$`
		return emit.Savepoint(ctx, tx, out, func(out *emit.Outbox) error {
			return hub.Broadcast(user, usercast.Event{}) // want `Hub.Broadcast inside emit.Savepoint`
		})
	})
	emit.TxWith(ctx, pool.Begin, hub, nil, func(tx pgx.Tx, out *emit.Outbox) error {
		return hub.BroadcastAll(ctx, usercast.Event{}) // want `Hub.BroadcastAll inside emit.TxWith`
	})
	pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		return hub.Broadcast(user, usercast.Event{}) // want `Hub.Broadcast inside pgx.BeginFunc: it may still be rolled back; broadcast after it, or use emit.TxWith`
	})
	pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		return hub.Broadcast(user, usercast.Event{}) // want `Hub.Broadcast inside pgx.BeginTxFunc`
	})
}

// A method of this package that is given by its name.
func (s *server) named(ctx context.Context) {
	emit.Tx(ctx, s.db, s.hub, nil, s.inside)
	emit.Tx(ctx, s.db, s.hub, nil, s.inside)
}

func (s *server) inside(tx *sql.Tx, out *emit.Outbox) error { // want inside:`ends\[\]`
	return s.hub.Broadcast("alice", usercast.Event{}) // want `Hub.Broadcast inside emit.Tx`
}

// At package level, too.
var handle = func(db *sql.DB, hub *usercast.Hub) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	hub.Broadcast("alice", usercast.Event{}) // want `Hub.Broadcast`
	return tx.Commit()
}

// Rows are closed, and the transaction is not.
func (s *server) rows(user string) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	rows, err := tx.Query("SELECT")
	if err != nil {
		return err
	}
	rows.Close()
	s.hub.Broadcast(user, usercast.Event{}) // want `Hub.Broadcast`
	return tx.Commit()
}

// One of two is committed, by what holds it.
func (s *server) oneOfTwo(ctx context.Context, user string) error {
	outer, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	inner, err := outer.Begin(ctx)
	if err != nil {
		return err
	}
	q := &queries{tx: inner}
	q.commit(ctx)
	s.hub.Broadcast(user, usercast.Event{}) // want `begun in line 223:`
	return outer.Commit(ctx)
}
