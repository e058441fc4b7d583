package dbtest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/usercast-go/usercast/emit"
)

// A cut is where a connection breaks, once.
type cut int32

const (
	never        cut = iota
	beforeCommit     // the commit does not reach the server
	afterCommit      // the server has committed, and its answer does not come back
)

// A breakingConn breaks when its client commits.
type breakingConn struct {
	net.Conn
	cut *atomic.Int32
}

func (c breakingConn) Write(p []byte) (int, error) {
	if !bytes.Contains(p, []byte("commit")) {
		return c.Conn.Write(p)
	}
	switch cut(c.cut.Swap(int32(never))) {
	case beforeCommit:
		c.Conn.Close()
		return len(p), nil // like a network, it does not say
	case afterCommit:
		n, err := c.Conn.Write(p)
		if err == nil {
			_, err = c.Conn.Read(make([]byte, 1)) // there is an answer
		}
		c.Conn.Close()
		return n, err
	}
	return c.Conn.Write(p)
}

// openBreaking opens a database by connections that break where cut says.
func openBreaking(t *testing.T) (db *sql.DB, pool *pgxpool.Pool, where *atomic.Int32) {
	t.Helper()
	where = new(atomic.Int32)
	cfg, err := pgxpool.ParseConfig(cluster.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return breakingConn{c, where}, err
	}
	if pool, err = pgxpool.NewWithConfig(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(context.Background(), schema); err != nil {
		t.Fatal(err)
	}
	db = stdlib.OpenDB(*cfg.ConnConfig)
	t.Cleanup(func() { db.Close() })
	return db, pool, where
}

// The connection breaks at the commit. Both times the error is the same, as nobody on
// this side can tell; and both times nothing is sent.
func TestCommitOutcomeUnknown(t *testing.T) {
	db, pool, where := openBreaking(t)
	s := newPoolShop(t, pool)
	ctx := context.Background()
	opts := &emit.TxOptions{Retry: func(err error) bool {
		t.Errorf("asked whether to retry: what may have happened would happen twice: %v", err)
		return true
	}}
	viaSQL := func(id string) error {
		return emit.Tx(ctx, db, s, opts, func(tx *sql.Tx, out *emit.Outbox) error { return insert(tx, out, id) })
	}
	viaPgx := func(id string) error {
		return emit.TxWith(ctx, pool.Begin, s, opts, func(tx pgx.Tx, out *emit.Outbox) error { return insertPgx(tx, out, id) })
	}
	committed := ""
	for i, tc := range []struct {
		name  string
		via   func(id string) error
		where cut
	}{
		{"database/sql, before", viaSQL, beforeCommit},
		{"database/sql, after", viaSQL, afterCommit},
		{"pgx, before", viaPgx, beforeCommit},
		{"pgx, after", viaPgx, afterCommit},
	} {
		before := emit.Counters()
		where.Store(int32(tc.where))
		id := fmt.Sprint("order", i)
		err := tc.via(id)
		wantError(t, tc.name, err, emit.ErrCommit)
		wantError(t, tc.name, err, emit.ErrOutcomeUnknown)
		want(t, tc.name+": it has broken", cut(where.Load()), never)
		if tc.where == afterCommit {
			committed += id + " "
		}
		want(t, tc.name+": committed so far", s.orders()+" ", committed+map[bool]string{true: " "}[committed == ""])
		want(t, tc.name+": counted", emit.Counters().Unknown-before.Unknown, 1)
	}
	want(t, "told of", len(s.heard), 0)
	// The pools recover.
	want(t, "error", errors.Join(viaSQL("x"), viaPgx("y")), nil)
	want(t, "told of", len(s.heard), 2)
}

// The server ends its side at the commit, from within or from outside.
func TestBackendKilled(t *testing.T) {
	db, pool, _ := openBreaking(t)
	s := newPoolShop(t, pool)
	ctx := context.Background()
	if _, err := db.Exec(`
		CREATE FUNCTION kill_me() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER deadly AFTER INSERT ON lines
			DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION kill_me();`); err != nil {
		t.Fatal(err)
	}
	err := emit.Tx(ctx, db, s, nil, func(tx *sql.Tx, out *emit.Outbox) error {
		if err := insert(tx, out, "a"); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO lines (order_id) VALUES ('a')") // and the commit runs the trigger
		return err
	})
	wantError(t, "killed by the commit", err, emit.ErrOutcomeUnknown)
	s.check(t, "")

	err = emit.TxWith(ctx, pool.Begin, s, nil, func(tx pgx.Tx, out *emit.Outbox) error {
		if err := insertPgx(tx, out, "b"); err != nil {
			return err
		}
		var pid int
		if err := tx.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			return err
		}
		var killed bool
		err := db.QueryRow("SELECT pg_terminate_backend($1, 5000)", pid).Scan(&killed) // waits until it has ended
		want(t, "killed", killed, true)
		return err
	})
	wantError(t, "killed before the commit", err, emit.ErrOutcomeUnknown)
	s.check(t, "")

	// Killed earlier, a statement fails of it, and there is no doubt.
	err = emit.Tx(ctx, db, s, nil, func(tx *sql.Tx, out *emit.Outbox) error {
		if err := insert(tx, out, "c"); err != nil {
			return err
		}
		if _, err := tx.Exec("SELECT pg_terminate_backend(pg_backend_pid())"); err == nil {
			t.Error("no error of a connection that ended")
		}
		return insert(tx, out, "d")
	})
	if err == nil || errors.Is(err, emit.ErrCommit) {
		t.Errorf("killed before: %v", err)
	}
	s.check(t, "")
}
