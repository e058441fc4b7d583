// Package pgxonly knows nothing of events.
package pgxonly

import "github.com/jackc/pgx/v5"

type Store struct{ Conn *pgx.Conn }
