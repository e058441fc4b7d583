// Package store is given transactions.
package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// CompleteOrder leaves the transaction open, whatever it is called.
func CompleteOrder(ctx context.Context, tx pgx.Tx) error { // want CompleteOrder:`ends\[\]`
	_, err := tx.Exec(ctx, "UPDATE")
	return err
}

// Insert commits, which nobody would guess.
func Insert(ctx context.Context, tx pgx.Tx) { // want Insert:`ends\[1\]`
	tx.Exec(ctx, "INSERT")
	tx.Commit(ctx)
}

// A Unit holds a transaction.
type Unit struct{ tx pgx.Tx }

func NewUnit(tx pgx.Tx) *Unit { return &Unit{tx} } // want NewUnit:`ends\[\]`

func (u *Unit) Complete(ctx context.Context) error { return u.tx.Commit(ctx) }
