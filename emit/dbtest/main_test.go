package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/emit/dbtest/pgtest"
)

// cluster is the PostgreSQL server of all tests.
var cluster *pgtest.Cluster

func TestMain(m *testing.M) {
	if os.Getenv(childDriver) != "" {
		os.Exit(child())
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	c, err := pgtest.Start(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := c.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	cluster = c
	return m.Run()
}

// An engine is a database behind database/sql.
type engine struct {
	driver string
	dsn    func(t testing.TB) string // of an empty database
}

var engines = []engine{
	{"sqlite", func(t testing.TB) string {
		return "file:" + filepath.Join(t.TempDir(), "test.db") + "?_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=busy_timeout(2000)"
	}},
	{"pgx", func(t testing.TB) string { return cluster.Database(t) }},
}

// Lines of an order are checked at the commit, which so can fail.
const schema = `
	CREATE TABLE orders (id TEXT PRIMARY KEY);
	CREATE TABLE lines (order_id TEXT REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED);`

// open opens a new database. At the test's end it must have no transaction left.
func (e engine) open(t testing.TB) (db *sql.DB, dsn string) {
	t.Helper()
	dsn = e.dsn(t)
	db, err := sql.Open(e.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		wantReturned(t, db)
		db.Close()
	})
	return db, dsn
}

// wantReturned waits until every connection has been given back. When its context ends, database/sql
// rolls a transaction back in a goroutine of its own, which may be a moment behind.
func wantReturned(t testing.TB, db *sql.DB) {
	t.Helper()
	db.SetMaxIdleConns(-1)
	db.SetMaxOpenConns(1) // so there is a connection to be had only if none is in use
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Errorf("connections in use at the end: got %d, want 0", db.Stats().InUse)
		return
	}
	conn.Close()
}

// openPool opens a new PostgreSQL database without database/sql.
func openPool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), cluster.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(context.Background(), schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() { pool.Close(); close(closed) }() // waits for connections in use
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Errorf("connections in use at the end: got %d, want 0", pool.Stat().AcquiredConns())
		}
	})
	return pool
}

// forEach runs a test on each engine.
func forEach(t *testing.T, test func(t *testing.T, e engine)) {
	for _, e := range engines {
		t.Run(e.driver, func(t *testing.T) { test(t, e) })
	}
}

// A shop is a database with what heard of it. Whatever it hears of must be there, for
// others to see.
type shop struct {
	t   testing.TB
	all func() ([]string, error) // the IDs of committed orders, read by a connection of its own

	mu    sync.Mutex
	heard []string
}

func newShop(t testing.TB, db *sql.DB) *shop {
	return &shop{t: t, all: func() (ids []string, err error) {
		rows, err := db.QueryContext(context.Background(), "SELECT id FROM orders ORDER BY id")
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
		return ids, rows.Err()
	}}
}

func newPoolShop(t testing.TB, pool *pgxpool.Pool) *shop {
	return &shop{t: t, all: func() ([]string, error) {
		rows, err := pool.Query(context.Background(), "SELECT id FROM orders ORDER BY id")
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowTo[string])
	}}
}

// orders returns what is committed.
func (s *shop) orders() string {
	s.t.Helper()
	ids, err := s.all()
	if err != nil {
		s.t.Errorf("reading: %v", err)
	}
	return strings.Join(ids, " ")
}

// Broadcast implements usercast.Broadcaster.
func (s *shop) Broadcast(user string, ev usercast.Event) error {
	if all := " " + s.orders() + " "; !strings.Contains(all, " "+ev.Key+" ") {
		s.t.Errorf("told of order %s when there are%s", ev.Key, all)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, ev.Key)
	return nil
}

// check says whether exactly these orders are there and were told of.
func (s *shop) check(t testing.TB, ids string) {
	t.Helper()
	want(t, "committed", s.orders(), ids)
	s.mu.Lock()
	defer s.mu.Unlock()
	want(t, "told of", strings.Join(s.heard, " "), ids)
}

func created(id string) usercast.Event {
	return usercast.Event{Type: "ORDER_CREATED", Key: id, Payload: map[string]string{"orderId": id}}
}

// insert writes an order and emits the event that tells of it.
func insert(tx *sql.Tx, out *emit.Outbox, id string) error {
	if _, err := tx.Exec("INSERT INTO orders (id) VALUES ('" + id + "')"); err != nil {
		return err
	}
	return out.Broadcast("alice", created(id))
}

func insertPgx(tx pgx.Tx, out *emit.Outbox, id string) error {
	if _, err := tx.Exec(context.Background(), "INSERT INTO orders (id) VALUES ($1)", id); err != nil {
		return err
	}
	return out.Broadcast("alice", created(id))
}

// catch runs fn in a goroutine of its own and says how it ended.
func catch(fn func() error) (panicked any, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		panicked = "goexit"
		defer func() {
			if p := recover(); p != nil {
				panicked = p
			}
		}()
		err = fn()
		panicked = nil
	}()
	<-done
	return panicked, err
}

var errOops = errors.New("oops")

// endings are the ways in which a function rolls back its transaction.
var endings = []struct {
	name   string
	end    func(cancel func()) error
	want   error
	panics any
}{
	{"error", func(func()) error { return errOops }, errOops, nil},
	{"panic", func(func()) error { panic("angry") }, nil, "angry"},
	{"goexit", func(func()) error { runtime.Goexit(); return nil }, nil, "goexit"},
	{"context cancelled", func(cancel func()) error { cancel(); return nil }, context.Canceled, nil},
	{"context cancelled, error", func(cancel func()) error { cancel(); return errOops }, errOops, nil},
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantError(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want one that wraps %v", what, got, want)
	}
}
