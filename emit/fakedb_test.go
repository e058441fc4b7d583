package emit

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/usercast-go/usercast"
)

// A fakeDB is a database of one connection behind database/sql. It writes down every
// statement, keeps rows with the semantics of savepoints, and fails where a test says.
type fakeDB struct {
	*sql.DB
	mu    sync.Mutex
	said  []string                // statements, in order
	rows  []string                // committed: what was told by "INSERT x"
	work  []string                // of the open transaction
	marks []mark                  // its savepoints
	opts  driver.TxOptions        // of the last BEGIN
	fail  func(stmt string) error // called before a statement takes effect, without mu
}

type mark struct {
	name string
	rows int
}

func newFakeDB(t testing.TB) *fakeDB {
	f := new(fakeDB)
	f.DB = sql.OpenDB(fakeConnector{f})
	f.SetMaxOpenConns(1)
	t.Cleanup(func() { f.Close() })
	return f
}

// failOn makes one statement fail.
func (f *fakeDB) failOn(stmt string, err error) {
	f.fail = func(s string) error {
		if s == stmt {
			return err
		}
		return nil
	}
}

func (f *fakeDB) run(stmt string) error {
	if f.fail != nil {
		if err := f.fail(stmt); err != nil {
			f.mu.Lock()
			f.said = append(f.said, stmt+" failed")
			f.mu.Unlock()
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = append(f.said, stmt)
	verb, rest, _ := strings.Cut(stmt, " ")
	name := strings.TrimPrefix(strings.TrimPrefix(rest, "TO "), "SAVEPOINT ")
	at := -1
	for i, m := range f.marks {
		if m.name == name {
			at = i
		}
	}
	switch {
	case verb == "BEGIN":
		f.work, f.marks = nil, nil
	case verb == "COMMIT":
		f.rows = append(f.rows, f.work...)
		f.work, f.marks = nil, nil
	case verb == "INSERT":
		f.work = append(f.work, rest)
	case verb == "SAVEPOINT":
		if slices.ContainsFunc(f.marks, func(m mark) bool { return m.name == rest }) {
			return fmt.Errorf("savepoint %s is open already", rest)
		}
		f.marks = append(f.marks, mark{rest, len(f.work)})
	case verb == "ROLLBACK" && rest == "":
		f.work, f.marks = nil, nil
	case at < 0:
		return fmt.Errorf("%s: no such savepoint", stmt)
	case verb == "ROLLBACK":
		f.work, f.marks = f.work[:f.marks[at].rows], f.marks[:at+1]
	case verb == "RELEASE":
		f.marks = f.marks[:at]
	default:
		return fmt.Errorf("%s: no such statement", stmt)
	}
	return nil
}

// statements returns what was said, and forgets it.
func (f *fakeDB) statements() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := strings.Join(f.said, "; ")
	f.said = nil
	return s
}

func (f *fakeDB) committed() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.rows)
}

type fakeConnector struct{ f *fakeDB }

func (c fakeConnector) Connect(context.Context) (driver.Conn, error) { return fakeConn(c), nil }
func (c fakeConnector) Driver() driver.Driver                        { return nil }

type fakeConn struct{ f *fakeDB }

func (c fakeConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not prepared") }
func (c fakeConn) Close() error                        { return nil }
func (c fakeConn) Begin() (driver.Tx, error)           { return nil, errors.New("BeginTx is called") }
func (c fakeConn) BeginTx(_ context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.f.opts = opts
	return c, c.f.run("BEGIN")
}
func (c fakeConn) Commit() error   { return c.f.run("COMMIT") }
func (c fakeConn) Rollback() error { return c.f.run("ROLLBACK") }
func (c fakeConn) ExecContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Result, error) {
	return driver.ResultNoRows, c.f.run(q)
}

// insert writes a row and emits the event that tells of it.
func insert(t testing.TB, tx Execer, out *Outbox, what string) {
	t.Helper()
	if _, err := tx.ExecContext(context.Background(), "INSERT "+what); err != nil {
		t.Errorf("INSERT %s: %v", what, err)
	}
	if err := out.Broadcast("alice", usercast.Event{Type: what}); err != nil {
		t.Errorf("Broadcast %s: %v", what, err)
	}
}

// A listener takes events and writes them down as "user TYPE payload". It can
// broadcast to one user only; a wideListener can do the rest.
type listener struct {
	mu   sync.Mutex
	got  []string
	hear func(user string, ev usercast.Event) error // called first, without mu
}

func (l *listener) Broadcast(user string, ev usercast.Event) error {
	if l.hear != nil {
		if err := l.hear(user, ev); err != nil {
			return err
		}
	}
	if frozen, err := ev.Freeze(); err == nil {
		ev = frozen
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, strings.TrimSuffix(fmt.Sprintf("%s %s %s", user, ev.Type, ev.Payload), " null"))
	return nil
}

// heard returns what was sent, and forgets it.
func (l *listener) heard() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := strings.Join(l.got, ", ")
	l.got = nil
	return s
}

type wideListener struct{ listener }

func (l *wideListener) BroadcastMany(ctx context.Context, users []string, ev usercast.Event) error {
	return errors.Join(ctx.Err(), l.Broadcast(strings.Join(users, "+"), ev))
}

func (l *wideListener) BroadcastAll(ctx context.Context, ev usercast.Event) error {
	return errors.Join(ctx.Err(), l.Broadcast("everyone", ev))
}

// A logBuffer is a logger whose lines a test reads.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *logBuffer) lines() int { return strings.Count(b.String(), "\n") }

func (b *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// since returns how the counters have risen. Tests that count are not parallel.
func since(before Stats) Stats {
	now := Counters()
	return Stats{
		Collected: now.Collected - before.Collected,
		Sent:      now.Sent - before.Sent,
		Failed:    now.Failed - before.Failed,
		Discarded: now.Discarded - before.Discarded,
		Refused:   now.Refused - before.Refused,
		Retries:   now.Retries - before.Retries,
		Unknown:   now.Unknown - before.Unknown,
		Overtaken: now.Overtaken - before.Overtaken,
	}
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
