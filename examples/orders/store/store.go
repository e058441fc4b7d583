// Package store keeps the order book in a database: SQLite in a file, or PostgreSQL. The
// statements are the same for both.
//
// Every function takes a [Querier] and a user. The Querier is the database, or the
// transaction that the caller has opened, so whoever writes decides what commits
// together and which events follow. Every row belongs to one user, and no function reads
// or changes another's. Nothing here knows of events being sent.
//
// Everything is safe for concurrent use, as far as the Querier is.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/usercast-go/usercast/emit"
)

var (
	// ErrNotFound means that the user has no such row.
	ErrNotFound = errors.New("store: not found")
	// ErrBusy means that a job works on the row, or that it cannot be changed any more.
	ErrBusy = errors.New("store: busy")
	// ErrFull means that the user has as many rows as are kept.
	ErrFull = errors.New("store: full")
)

// How many rows of a user are kept. What a list shows is all of it, but for submitted
// orders, customers and history, which may be more than [MaxList].
const (
	MaxPending       = 500
	MaxHistory       = 20_000
	MaxNotifications = 100
	MaxSessions      = 20
	// MaxList bounds every list, in rows, but that of customers: an order may be for any.
	MaxList      = 500
	MaxCustomers = 3000
)

// Dialect is the kind of a database.
type Dialect string

// The databases that the order book runs on.
const (
	SQLite     Dialect = "sqlite"
	PostgreSQL Dialect = "postgresql"
)

// A Store is an open database with the order book's tables in it.
type Store struct {
	DB      *sql.DB
	Dialect Dialect

	writes chan struct{} // of one, on SQLite: see LockWrites
}

// A Querier runs statements: a *sql.DB, *sql.Tx or *sql.Conn.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const (
	// maxConns is far below what a PostgreSQL server takes by default (100).
	maxConns = 16
	// busyTimeout is how long a write waits for another one to SQLite's file.
	busyTimeout = 10 * time.Second
)

// keywordDSN is a connection string such as "host=… dbname=…".
var keywordDSN = regexp.MustCompile(`^\s*[a-z_]+\s*=`)

// Open opens a database and makes the tables that are missing: a file of SQLite, made
// if it is not there, or PostgreSQL if dsn is a URL postgres://… or a connection string
// host=… dbname=…. The caller closes it.
func Open(ctx context.Context, dsn string) (*Store, error) {
	s := &Store{Dialect: SQLite}
	driver, source := "sqlite", ""
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") || keywordDSN.MatchString(dsn) {
		s.Dialect, driver, source = PostgreSQL, "pgx", dsn
	} else {
		path, err := filepath.Abs(dsn)
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		if err := makePrivate(path); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		source = sqliteSource(path)
		s.writes = make(chan struct{}, 1)
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns) // connections are dear: both drivers prepare statements by connection
	s.DB = db
	if err := s.useWAL(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := s.Migrate(ctx, schema...); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// makePrivate makes the file, if it is not there, for the eyes of its owner only: it has
// the key that signs tokens. The files that SQLite puts beside it are as private.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// sqliteSource says how a file is opened. Transactions take the write lock when they
// begin: one that reads first and writes later could otherwise meet another that has
// written in between, and would have to start again.
func sqliteSource(path string) string {
	pragmas := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), // first: the next one may wait already
		"synchronous(NORMAL)", // a commit survives the process; the last ones may not survive the machine
		"foreign_keys(1)",
	}}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: pragmas.Encode()}).String()
}

// useWAL has SQLite read while it writes, which its file remembers. Where several processes
// do so at once with a new file, one is told at once that it is busy, however patient it
// says it is: SQLite does not wait for a lock that it wants more of. So this waits.
func (s *Store) useWAL(ctx context.Context) error {
	if s.Dialect != SQLite {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	for {
		_, err := s.DB.ExecContext(ctx, `PRAGMA journal_mode = WAL`)
		if err == nil || !emit.Conflict(err) {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("store: %w", err)
		}
	}
}

// Close closes the database.
func (s *Store) Close() error { return s.DB.Close() }

// Migrate runs statements that make what is missing (CREATE … IF NOT EXISTS) in one
// transaction. Several processes may do so at once.
func (s *Store) Migrate(ctx context.Context, statements ...string) error {
	tx, err := s.DB.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after the commit there is nothing to roll back
	if s.Dialect == PostgreSQL {
		// IF NOT EXISTS alone does not keep two processes from making the same table.
		statements = append([]string{`SELECT pg_advisory_xact_lock(7263)`}, statements...)
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("store: schema: %w: %s", err, statement)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: schema: %w", err)
	}
	return nil
}

// NewID returns a random ID of 12 characters A-Z, a-z, 0-9, - and _.
func NewID() string {
	b := make([]byte, 9)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
